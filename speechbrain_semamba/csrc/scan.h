// The selective scan, forward: serial in time, one vector of channels and a
// chunk of steps at a time, which stays in the first cache.
#pragma once

#include "states.h"

namespace {

INLINE int64_t valid_steps(const ScanArguments& a, int64_t b) {
  return a.sizes == nullptr ? a.length : a.sizes[b];
}

// What one vector of channels keeps.
template <class S>
struct Channels {
  Vector<S>* h;     // [state]
  Vector<S>* rate;  // [state], times kRateScale
  Vector<S> bias, skip;
  Steps<S> steps;  // of a chunk
};

// Steps [begin, end) of one vector of channels. S computes, T is stored.
template <class S, class T>
INLINE void scan_chunk(const ScanArguments& a, int64_t b, Lanes lanes,
                       const Channels<S>& channels, int64_t begin,
                       int64_t end) {
  typedef Vector<S> V;
  const int64_t c = lanes.first, count = lanes.count, n = end - begin;
  const int64_t first = a.reverse ? valid_steps(a, b) - 1 - begin : begin;
  const int64_t sign = a.reverse ? -1 : 1;
  const Steps<S>& steps = channels.steps;
  for (int64_t k = 0; k < n; ++k) {
    const int64_t t = first + sign * k;
    const V x = load<S>(at<T>(a.u, b, t) + c, count);
    steps.step[k] =
        softplus(load<S>(at<T>(a.delta, b, t) + c, count) + channels.bias);
    steps.drive[k] = steps.step[k] * x;
    steps.y[k] = channels.skip * x;
  }
  const Rows<S> B = {at<S>(a.B, b, first), sign * a.B.time_stride};
  const Rows<S> C = {at<S>(a.C, b, first), sign * a.C.time_stride};
  advance(steps, n, B, C, channels.rate, channels.h, a.state);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t t = first + sign * k;
    V y = steps.y[k];
    if (a.z.data != nullptr) {
      const V z = load<S>(at<T>(a.z, b, t) + c, count);
      y *= z * sigmoid(z);
    }
    store(at<T>(a.y, b, t) + c, y, count);
  }
}

template <class S, class T>
void scan_block(const ScanArguments& a, int64_t b, Lanes lanes) {
  const int64_t c = lanes.first, count = lanes.count;
  const int64_t offset = b * a.state * a.dim + c;
  Scratch<Vector<S>> scratch(2 * a.state + 3 * a.chunk);
  Vector<S>* steps = scratch.data + 2 * a.state;
  const Channels<S> channels = {scratch.data,
                                scratch.data + a.state,
                                load_or_zero<S>(a.bias, c, count),
                                load_or_zero<S>(a.D, c, count),
                                {steps, steps + a.chunk, steps + 2 * a.chunk}};
  for (int64_t n = 0; n < a.state; ++n) {
    channels.rate[n] =
        load_or_zero<S>(a.rate, n * a.dim + c, count) * kRateScale<S>;
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
    if (begin < end) scan_chunk<S, T>(a, b, lanes, channels, begin, end);
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
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.dim * a.state);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t task = 0; task < a.batch * blocks; ++task)
    scan_block<S, T>(a, task / blocks, lanes_of_block<S>(task % blocks, a.dim));
}

void scan(const ScanArguments& a) {
  if (a.data_type == FLOAT64) return scan<double, double>(a);
  if (a.data_type == BFLOAT16) return scan<float, bfloat16>(a);
  scan<float, float>(a);
}

}  // namespace
