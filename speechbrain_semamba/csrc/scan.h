// The selective scan, forward: serial in time, one vector of channels at a
// time, its states in registers.
#pragma once

#include "lanes.h"

namespace {

INLINE int64_t valid_steps(const ScanArguments& a, int64_t b) {
  return a.sizes == nullptr ? a.length : a.sizes[b];
}

// What a block of channels keeps from step to step: [state] vectors.
template <class S>
struct Channels {
  Vector<S>*h, *rate, bias, skip;
};

// Steps [begin, end) of one block. S computes, T is stored; kState is the
// number of states if it is known, and then they stay in registers.
template <class S, class T, int kState>
INLINE void scan_steps(const ScanArguments& a, int64_t b, Lanes lanes,
                       Channels<S> channels, int64_t begin, int64_t end) {
  typedef Vector<S> V;
  const int64_t c = lanes.first, count = lanes.count;
  const int64_t states = kState ? kState : a.state;
  V registers[kState ? kState : 1];
  V* h = kState ? registers : channels.h;
  UNROLL
  for (int n = 0; n < kState; ++n) h[n] = channels.h[n];

  for (int64_t k = begin; k < end; ++k) {
    const int64_t t = a.reverse ? valid_steps(a, b) - 1 - k : k;
    const V x = load<S>(at<T>(a.u, b, t) + c, count);
    const V step =
        softplus(load<S>(at<T>(a.delta, b, t) + c, count) + channels.bias);
    const V drive = step * x;
    const S* B = at<S>(a.B, b, t);
    const S* C = at<S>(a.C, b, t);
    V y = channels.skip * x;
    UNROLL
    for (int64_t n = 0; n < states; ++n) {
      h[n] = exp(step * channels.rate[n]) * h[n] + drive * B[n];
      y += h[n] * C[n];
    }
    if (a.z.data != nullptr) {
      const V z = load<S>(at<T>(a.z, b, t) + c, count);
      y *= z * sigmoid(z);
    }
    store(at<T>(a.y, b, t) + c, y, count);
  }
  UNROLL
  for (int n = 0; n < kState; ++n) channels.h[n] = h[n];
}

template <class S, class T, int kState>
void scan_block(const ScanArguments& a, int64_t b, Lanes lanes) {
  const int64_t c = lanes.first, count = lanes.count;
  const int64_t offset = b * a.state * a.dim + c;
  Scratch<Vector<S>> scratch(2 * a.state);
  Channels<S> channels = {scratch.data, scratch.data + a.state,
                          load_or_zero<S>(a.bias, c, count),
                          load_or_zero<S>(a.D, c, count)};
  for (int64_t n = 0; n < a.state; ++n) {
    channels.rate[n] = load_or_zero<S>(a.rate, n * a.dim + c, count);
    channels.h[n] = load_or_zero<S>(a.initial, offset + n * a.dim, count);
  }

  const int64_t valid = valid_steps(a, b);
  const int64_t chunks = (a.length + a.chunk - 1) / a.chunk;
  for (int64_t i = 0; i < chunks; ++i) {
    if (a.checkpoints != nullptr) {
      const int64_t kept = (b * chunks + i) * a.state * a.dim + c;
      for (int64_t n = 0; n < a.state; ++n)
        store(static_cast<S*>(a.checkpoints) + kept + n * a.dim, channels.h[n],
              count);
    }
    const int64_t begin = i * a.chunk, end = smaller(valid, begin + a.chunk);
    scan_steps<S, T, kState>(a, b, lanes, channels, begin, end);
  }
  for (int64_t t = valid; t < a.length; ++t)
    store(at<T>(a.y, b, t) + c, Vector<S>{}, count);
  if (a.final == nullptr) return;
  for (int64_t n = 0; n < a.state; ++n)
    store(static_cast<S*>(a.final) + offset + n * a.dim, channels.h[n], count);
}

template <class S, class T>
void scan(const ScanArguments& a) {
  const int64_t blocks = count_blocks<S>(a.dim);
  auto* block =
      a.state == 16
          ? scan_block<S, T, 16>
          : (a.state == 8 ? scan_block<S, T, 8> : scan_block<S, T, 0>);
#pragma omp parallel for schedule(static) num_threads(a.num_threads)
  for (int64_t task = 0; task < a.batch * blocks; ++task)
    block(a, task / blocks, lanes_of_block<S>(task % blocks, a.dim));
}

void scan(const ScanArguments& a) {
  if (a.data_type == FLOAT64) return scan<double, double>(a);
  if (a.data_type == BFLOAT16) return scan<float, bfloat16>(a);
  scan<float, float>(a);
}

}  // namespace
