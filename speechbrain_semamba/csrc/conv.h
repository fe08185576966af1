// Mamba's causal depthwise convolution with its SiLU, forward and backward.
// In reverse it looks ahead instead of back: nothing is flipped in memory,
// only the direction in which the steps are counted.
#pragma once

#include "lanes.h"

namespace {

// Step `k` in the direction of the convolution.
INLINE int64_t time_of(const ConvArguments& a, int64_t k) {
  return a.reverse ? a.length - 1 - k : k;
}

template <class S, int kWidth>
INLINE void load_weight(const ConvArguments& a, Lanes lanes,
                        Vector<S> (&weight)[kMaxWidth]) {
  UNROLL
  for (int i = 0; i < kWidth; ++i)
    weight[i] = load_or_zero<S>(a.weight, i * a.dim + lanes.first, lanes.count);
}

// The convolution at step `k` before its SiLU; `seen` holds the last inputs,
// and takes the newest.
template <class S, class T, int kWidth>
INLINE Vector<S> convolve(const ConvArguments& a, int64_t b, Lanes lanes,
                          int64_t k, const Vector<S> (&weight)[kMaxWidth],
                          Vector<S> bias, Vector<S> (&seen)[kMaxWidth]) {
  UNROLL
  for (int i = 0; i + 1 < kWidth; ++i) seen[i] = seen[i + 1];
  seen[kWidth - 1] =
      load<S>(at<T>(a.x, b, time_of(a, k)) + lanes.first, lanes.count);
  Vector<S> y = bias;
  UNROLL
  for (int i = 0; i < kWidth; ++i) y += weight[i] * seen[i];
  return y;
}

template <class S, class T, int kWidth>
void conv_block(const ConvArguments& a, int64_t b, Lanes lanes) {
  typedef Vector<S> V;
  V weight[kMaxWidth], seen[kMaxWidth] = {};
  load_weight<S, kWidth>(a, lanes, weight);
  const V bias = load_or_zero<S>(a.bias, lanes.first, lanes.count);
  for (int64_t k = 0; k < a.length; ++k) {
    const V y = convolve<S, T, kWidth>(a, b, lanes, k, weight, bias, seen);
    store(at<T>(a.y, b, time_of(a, k)) + lanes.first, y * sigmoid(y),
          lanes.count);
  }
}

template <class S, class T>
void conv(const ConvArguments& a) {
  const int64_t blocks = count_blocks<S>(a.dim);
  auto* one = a.width == 4   ? conv_block<S, T, 4>
              : a.width == 3 ? conv_block<S, T, 3>
                             : conv_block<S, T, 2>;
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.dim * a.width);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t task = 0; task < a.batch * blocks; ++task)
    one(a, task / blocks, lanes_of_block<S>(task % blocks, a.dim));
}

void conv(const ConvArguments& a) {
  if (a.data_type == FLOAT64) return conv<double, double>(a);
  if (a.data_type == BFLOAT16) return conv<float, bfloat16>(a);
  conv<float, float>(a);
}

// The gradient of an input follows when the last output that saw it is done,
// kWidth - 1 steps later; so the loop runs that much past the end.
template <class S, int kWidth>
void conv_block_backward(const ConvGradients& g, int64_t group, Lanes lanes) {
  typedef Vector<S> V;
  const ConvArguments& a = g.forward;
  const int64_t c = lanes.first, count = lanes.count;
  V weight[kMaxWidth], weight_grad[kMaxWidth] = {}, bias_grad{};
  load_weight<S, kWidth>(a, lanes, weight);
  const V bias = load_or_zero<S>(a.bias, c, count);
  const int64_t end = (group + 1) * a.batch / g.groups;
  for (int64_t b = group * a.batch / g.groups; b < end; ++b) {
    V seen[kMaxWidth] = {}, pending[kMaxWidth] = {};
    for (int64_t k = 0; k < a.length + kWidth - 1; ++k) {
      UNROLL
      for (int i = 0; i + 1 < kWidth; ++i) pending[i] = pending[i + 1];
      pending[kWidth - 1] = V{};
      if (k < a.length) {
        const V y = convolve<S, S, kWidth>(a, b, lanes, k, weight, bias, seen);
        const V given = load<S>(at<S>(g.y, b, time_of(a, k)) + c, count);
        pending[kWidth - 1] = given * silu_slope(y, sigmoid(y));
        bias_grad += pending[kWidth - 1];
        UNROLL
        for (int i = 0; i < kWidth; ++i)
          weight_grad[i] += pending[kWidth - 1] * seen[i];
      }
      const int64_t done = k - (kWidth - 1);
      if (done < 0) continue;
      V x_grad{};
      UNROLL
      for (int i = 0; i < kWidth; ++i)
        x_grad += pending[i] * weight[kWidth - 1 - i];
      store(at<S>(g.x, b, time_of(a, done)) + c, x_grad, count);
    }
  }
  store(static_cast<S*>(g.bias) + group * a.dim + c, bias_grad, count);
  for (int i = 0; i < kWidth; ++i)
    store(static_cast<S*>(g.weight) + (group * kWidth + i) * a.dim + c,
          weight_grad[i], count);
}

template <class S>
void conv_backward(const ConvGradients& g) {
  const ConvArguments& a = g.forward;
  const int64_t blocks = count_blocks<S>(a.dim);
  auto* one = a.width == 4   ? conv_block_backward<S, 4>
              : a.width == 3 ? conv_block_backward<S, 3>
                             : conv_block_backward<S, 2>;
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.dim * a.width);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t task = 0; task < g.groups * blocks; ++task)
    one(g, task / blocks, lanes_of_block<S>(task % blocks, a.dim));
}

void conv_backward(const ConvGradients& g) {
  if (g.forward.data_type == FLOAT64) return conv_backward<double>(g);
  conv_backward<float>(g);
}

}  // namespace
