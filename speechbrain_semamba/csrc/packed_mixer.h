// The weights of a Mamba in the order in which mixer.h reads them.
#pragma once

#include "mixer_scratch.h"

namespace {

// One direction. Arrays of inner channels have rows of `stride`; what lies
// beyond the last channel is zero.
struct PackedWeights {
  int64_t stride;
  float eps;
  float *norm, *in_u, *in_z, *conv, *conv_bias, *x, *dt, *dt_bias, *skip;
  float *out, *projection;
  Vector<float>* rate;  // [vector of channels, state], times kRateScale

  void lay_out(Arena& arena, const MixerArguments& a) {
    stride = round_up(a.dim, kLanes<float>);
    norm = arena.take(round_up(a.channels, kLanes<float>));
    in_u = arena.take(packed_size(a.dim, a.channels));
    in_z = arena.take(packed_size(a.dim, a.channels));
    conv = arena.take(a.width * stride);
    conv_bias = arena.take(stride);
    x = arena.take(packed_size(a.rank + 2 * a.state, a.dim));
    dt = arena.take(a.rank * stride);
    dt_bias = arena.take(stride);
    rate = arena.vectors(a.state * stride / kLanes<float>);
    skip = arena.take(stride);
    out = arena.take(packed_size(a.channels, a.dim));
    projection = arena.take(packed_size(a.channels, a.channels));
  }
};

INLINE const float* floats(const void* data) {
  return static_cast<const float*>(data);
}

// Weights [dim, columns] as [columns, stride]
void transpose(const void* weights, int64_t dim, int64_t columns, float* to,
               int64_t stride) {
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t i = 0; i < columns; ++i)
      to[i * stride + d] = floats(weights)[d * columns + i];
}

// `packed` is laid out in memory of zeros. Of the pair's projection, this
// direction has the half that begins at `projection`.
void pack(const MixerArguments& a, const MixerWeights& w,
          const float* projection, PackedWeights& packed) {
  constexpr int L = kLanes<float>;
  const int64_t channels = a.channels, dim = a.dim, stride = packed.stride;
  packed.eps = w.eps;
  transpose(w.norm, channels, 1, packed.norm, 0);
  pack(floats(w.in_proj), dim, channels, channels, packed.in_u);
  pack(floats(w.in_proj) + dim * channels, dim, channels, channels,
       packed.in_z);
  transpose(w.conv, dim, a.width, packed.conv, stride);
  transpose(w.conv_bias, dim, 1, packed.conv_bias, 0);
  pack(floats(w.x_proj), a.rank + 2 * a.state, dim, dim, packed.x);
  transpose(w.dt, dim, a.rank, packed.dt, stride);
  transpose(w.dt_bias, dim, 1, packed.dt_bias, 0);
  for (int64_t d = 0; d < dim; ++d)  // each vector of channels by itself
    for (int64_t n = 0; n < a.state; ++n)
      packed.rate[d / L * a.state + n][d % L] =
          floats(w.A)[d * a.state + n] * kRateScale<float>;
  transpose(w.D, dim, 1, packed.skip, 0);
  pack(floats(w.out_proj), channels, dim, dim, packed.out);
  pack(projection, channels, channels, 2 * channels, packed.projection);
}

}  // namespace
