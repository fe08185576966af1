// The kernels of one instruction set.
#pragma once

#include "arguments.h"

struct Kernels {
  void (*scan)(const ScanArguments&);
  void (*scan_backward)(const ScanGradients&);
  void (*conv)(const ConvArguments&);
  void (*conv_backward)(const ConvGradients&);
  void (*norm)(const NormArguments&);
  void (*norm_backward)(const NormGradients&);
  void (*rms_norm)(const RmsNormArguments&);
  void (*mixer)(const MixerArguments&);
  void (*conv3x3)(const Conv3x3Arguments&);
  void (*conv3x3_weight)(const Conv3x3Gradients&);
  void (*exp)(const float* x, float* y, int64_t size);  // for its test
};
