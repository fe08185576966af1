// All kernels, for the instruction set of this file's compiler flags. setup.py
// compiles it once for each; library.cpp takes the best that the machine has.
#include "kernels.h"

#include "conv.h"
#include "conv3x3.h"
#include "conv3x3_weight.h"
#include "mixer.h"
#include "norm.h"
#include "rms_norm.h"
#include "scan.h"
#include "scan_backward.h"

namespace {

void exp_of_all(const float* x, float* y, int64_t size) {
  for (int64_t i = 0; i < size; i += kLanes<float>) {
    const int count = smaller(kLanes<float>, size - i);
    store(y + i, exp(load<float>(x + i, count)), count);
  }
}

}  // namespace

extern const Kernels SEMAMBA_KERNELS = {
    scan,     scan_backward, conv,    conv_backward,  norm,       norm_backward,
    rms_norm, mixer,         conv3x3, conv3x3_weight, exp_of_all,
};
