// The arguments of the kernels, as ops/arguments.py fills them in. Strides are
// in elements; the last axis always has stride 1. Pointers that say
// "optional" may be null.
#pragma once

#include <stdint.h>

// The type of u, delta, z, y and their gradients. Everything else is float,
// or double for FLOAT64.
enum DataType : int64_t { FLOAT32, FLOAT64, BFLOAT16 };

// A view of [batch, length, features]
struct View {
  void* data;
  int64_t batch_stride, time_stride;
};

// A view of [batch, sequences, length, features]
struct Sequences {
  void* data;
  int64_t batch_stride, sequence_stride, time_stride;
};

struct ScanArguments {
  int64_t data_type, num_threads;
  int64_t batch, length, dim, state;
  int64_t reverse;
  int64_t chunk;           // steps between two checkpoints
  View u, delta, z, B, C;  // z is optional; B and C are never bfloat16
  View y;                  // [batch, length, dim]
  void* rate;              // A transposed [state, dim]
  void* D;                 // [dim], optional
  void* bias;              // [dim], optional
  int64_t* sizes;          // [batch], steps that count, optional
  void* initial;           // state [batch, state, dim], optional
  void* final;             // state [batch, state, dim], optional
  void* checkpoints;       // [batch, chunks, state, dim], optional
};

// Gradients; the views are dense, float or double as B and C.
struct ScanGradients {
  ScanArguments forward;
  View y;                  // the gradient given, [batch, length, dim]
  View u, delta, z, B, C;  // the gradients sought; z if forward.z
  int64_t groups;          // parts of the batch, each summed by itself
  void* rate;              // [groups, state, dim]
  void* D;                 // [groups, dim]
  void* bias;              // [groups, dim]
};

// Widths of the convolution are 2 to kMaxWidth.
constexpr int kMaxWidth = 4;

struct ConvArguments {
  int64_t data_type, num_threads;
  int64_t batch, length, dim, width;
  int64_t reverse;
  View x, y;     // [batch, length, dim]
  void* weight;  // transposed, oldest step first [width, dim]
  void* bias;    // [dim]
};

struct ConvGradients {
  ConvArguments forward;
  View y;          // the gradient given
  View x;          // the gradient sought
  int64_t groups;  // parts of the batch, each summed by itself
  void* weight;    // [groups, width, dim]
  void* bias;      // [groups, dim]
};

struct NormArguments {
  int64_t data_type, num_threads;
  int64_t batch, length, channels, seen_channels;
  int64_t part;    // positions whose sums are added up by themselves
  View x;          // [batch, length, channels]
  View seen;       // [batch, length, seen_channels], optional
  View y;          // [batch, length, channels + seen_channels]
  void* weight;    // [channels]
  void* bias;      // [channels]
  void* slope;     // [channels]
  int64_t* sizes;  // [batch], positions that count, optional
  double eps;
  void* mean;     // [batch, channels]
  void* inverse;  // [batch, channels], 1 / standard deviation
  void* partial;  // [batch, parts, 3, channels]
};

struct NormGradients {
  NormArguments forward;
  View y;        // the gradient given
  View x;        // the gradient sought
  void* weight;  // [batch, channels]
  void* bias;    // [batch, channels]
  void* slope;   // [batch, channels]
};

struct RmsNormArguments {
  int64_t data_type, num_threads;
  int64_t batch, length, channels;
  double eps;
  View x, y;     // [batch, length, channels]
  void* weight;  // [channels]
};

// The weights of one direction of a Mamba pair, all float, as the layers have
// them: [out, in] for a linear one.
struct MixerWeights {
  void* norm;       // [channels]
  void* in_proj;    // [2 dim, channels]
  void* conv;       // [dim, width]
  void* conv_bias;  // [dim]
  void* x_proj;     // [rank + 2 state, dim]
  void* dt;         // [dim, rank]
  void* dt_bias;    // [dim]
  void* A;          // [dim, state]
  void* D;          // [dim]
  void* out_proj;   // [channels, dim]
  double eps;       // of the norm
};

struct MixerArguments {
  int64_t data_type, num_threads;
  int64_t batch, sequences, length, channels, dim, state, rank, width;
  Sequences x, y;  // [batch, sequences, length, channels]
  int64_t* sizes;  // [batch], steps that count, optional
  MixerWeights forward, backward;
  void* projection;  // [channels, 2 channels]
  void* bias;        // [channels]
};

// A 3x3 convolution whose taps in time are `dilation` frames apart, of maps
// that are joined; a position is a frame and a frequency. All in float.
struct Conv3x3Arguments {
  int64_t num_threads;
  int64_t batch, frames, freq;
  int64_t maps, channels, outputs;  // channels of each map
  int64_t dilation;
  int64_t* x;    // [maps], addresses of [batch, frames, freq, channels]
  void* weight;  // [outputs, maps * channels, 3, 3]
  void* bias;    // [outputs]
  View y;        // [batch, frames * freq, outputs]
};

// Of the weight and the bias of such a convolution of one map
struct Conv3x3Gradients {
  int64_t data_type, num_threads;
  int64_t batch, frames, freq;
  int64_t channels, seen_channels;  // of output and input
  int64_t dilation;
  View x;          // [batch, frames * freq, seen_channels]
  View y;          // the gradient given, [batch, frames * freq, channels]
  int64_t groups;  // parts of all frames, each summed by itself
  void* weight;    // [groups, 3, 3, channels, seen_channels], zero at first
  void* bias;      // [groups, channels], zero at first
};
