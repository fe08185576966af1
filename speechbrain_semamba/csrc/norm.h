// Instance normalisation and PReLU of features whose channels are innermost,
// written in front of what the dense block has seen before: one reading for
// the statistics, one for the result.
#pragma once

#include "lanes.h"

namespace {

INLINE int64_t count_parts(const NormArguments& a) {
  return (a.length + a.part - 1) / a.part;
}

INLINE int64_t valid_positions(const NormArguments& a, int64_t b) {
  return a.sizes == nullptr ? a.length : a.sizes[b];
}

// The sums of one part of the positions: three rows of [channels].
template <class S>
INLINE S* partial_row(const NormArguments& a, int64_t b, int64_t part,
                      int row) {
  return static_cast<S*>(a.partial) +
         ((b * count_parts(a) + part) * 3 + row) * a.channels;
}

// Mean and sum of squared distances from it, of each channel of one part.
template <class S, class T>
void measure_part(const NormArguments& a, int64_t b, int64_t part) {
  typedef Vector<S> V;
  const int64_t begin = part * a.part;
  const int64_t end = smaller(begin + a.part, valid_positions(a, b));
  if (end <= begin) return;
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const int count = smaller(kLanes<S>, a.channels - c);
    V mean{}, spread{};
    for (int64_t t = begin; t < end; ++t)
      mean += load<S>(at<T>(a.x, b, t) + c, count);
    mean /= S(end - begin);
    for (int64_t t = begin; t < end; ++t) {
      const V x = load<S>(at<T>(a.x, b, t) + c, count) - mean;
      spread += x * x;
    }
    store(partial_row<S>(a, b, part, 0) + c, mean, count);
    store(partial_row<S>(a, b, part, 1) + c, spread, count);
  }
}

// Joins the parts of one channel (Chan, Golub and LeVeque 1979).
template <class S>
void join_parts(const NormArguments& a, int64_t b, int64_t c) {
  double mean = 0, spread = 0, seen = 0;
  const int64_t valid = valid_positions(a, b);
  for (int64_t part = 0; part * a.part < valid; ++part) {
    const double size = smaller(a.part, valid - part * a.part);
    const double distance = partial_row<S>(a, b, part, 0)[c] - mean;
    spread += partial_row<S>(a, b, part, 1)[c] +
              distance * distance * seen * size / (seen + size);
    seen += size;
    mean += distance * size / seen;
  }
  const double variance = seen > 0 ? spread / seen : 0;
  static_cast<S*>(a.mean)[b * a.channels + c] = mean;
  static_cast<S*>(a.inverse)[b * a.channels + c] =
      1 / __builtin_sqrt(variance + a.eps);
}

// What a block of channels of one item is normalised with.
template <class S>
struct Affine {
  Vector<S> mean, inverse, weight, bias, slope;
  INLINE Affine load_from(const NormArguments& a, int64_t b, int64_t c,
                          int count) {
    return {load_or_zero<S>(a.mean, b * a.channels + c, count),
            load_or_zero<S>(a.inverse, b * a.channels + c, count),
            load_or_zero<S>(a.weight, c, count),
            load_or_zero<S>(a.bias, c, count),
            load_or_zero<S>(a.slope, c, count)};
  }
};

template <class S, class T>
void write_part(const NormArguments& a, int64_t b, int64_t part) {
  typedef Vector<S> V;
  const int64_t begin = part * a.part;
  const int64_t end = smaller(begin + a.part, a.length);
  const int64_t valid = smaller(end, valid_positions(a, b));
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const int count = smaller(kLanes<S>, a.channels - c);
    const auto f = Affine<S>::load_from(a, b, c, count);
    const V scale = f.inverse * f.weight;
    for (int64_t t = begin; t < valid; ++t) {
      const V x = load<S>(at<T>(a.x, b, t) + c, count);
      const V y = (x - f.mean) * scale + f.bias;
      store(at<T>(a.y, b, t) + c, y > V{} ? y : y * f.slope, count);
    }
    for (int64_t t = valid < begin ? begin : valid; t < end; ++t)
      store(at<T>(a.y, b, t) + c, V{}, count);
  }
  if (a.seen.data == nullptr) return;
  for (int64_t t = begin; t < end; ++t)
    memcpy(at<T>(a.y, b, t) + a.channels, at<T>(a.seen, b, t),
           a.seen_channels * sizeof(T));
}

template <class S, class T>
void norm(const NormArguments& a) {
  const int64_t parts = count_parts(a);
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.channels);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * parts; ++task)
      measure_part<S, T>(a, task / parts, task % parts);
#pragma omp for schedule(static)
    for (int64_t task = 0; task < a.batch * a.channels; ++task)
      join_parts<S>(a, task / a.channels, task % a.channels);
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * parts; ++task)
      write_part<S, T>(a, task / parts, task % parts);
  }
}

void norm(const NormArguments& a) {
  if (a.data_type == FLOAT64) return norm<double, double>(a);
  if (a.data_type == BFLOAT16) return norm<float, bfloat16>(a);
  norm<float, float>(a);
}

// The sums that the gradient needs: of the gradient before the PReLU, of its
// product with the normalised input, and of the slope's gradient.
template <class S>
void sum_part(const NormGradients& g, int64_t b, int64_t part) {
  typedef Vector<S> V;
  const NormArguments& a = g.forward;
  const int64_t begin = part * a.part;
  const int64_t end = smaller(begin + a.part, valid_positions(a, b));
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const int count = smaller(kLanes<S>, a.channels - c);
    const auto f = Affine<S>::load_from(a, b, c, count);
    V bias{}, weight{}, slope{};
    for (int64_t t = begin; t < end; ++t) {
      const V x = (load<S>(at<S>(a.x, b, t) + c, count) - f.mean) * f.inverse;
      const V y = x * f.weight + f.bias;
      const V given = load<S>(at<S>(g.y, b, t) + c, count);
      slope += y > V{} ? V{} : given * y;
      const V y_grad = y > V{} ? given : given * f.slope;
      bias += y_grad;
      weight += y_grad * x;
    }
    store(partial_row<S>(a, b, part, 0) + c, bias, count);
    store(partial_row<S>(a, b, part, 1) + c, weight, count);
    store(partial_row<S>(a, b, part, 2) + c, slope, count);
  }
}

template <class S>
void join_sums(const NormGradients& g, int64_t b, int64_t c) {
  const NormArguments& a = g.forward;
  double total[3] = {};
  for (int64_t part = 0; part < count_parts(a); ++part)
    for (int row = 0; row < 3; ++row)
      total[row] += partial_row<S>(a, b, part, row)[c];
  static_cast<S*>(g.bias)[b * a.channels + c] = total[0];
  static_cast<S*>(g.weight)[b * a.channels + c] = total[1];
  static_cast<S*>(g.slope)[b * a.channels + c] = total[2];
}

template <class S>
void write_gradient(const NormGradients& g, int64_t b, int64_t part) {
  typedef Vector<S> V;
  const NormArguments& a = g.forward;
  const int64_t valid = valid_positions(a, b), begin = part * a.part;
  const int64_t end = smaller(begin + a.part, a.length);
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const int count = smaller(kLanes<S>, a.channels - c);
    const auto f = Affine<S>::load_from(a, b, c, count);
    const S size = valid > 0 ? valid : 1;
    const V bias = load_or_zero<S>(g.bias, b * a.channels + c, count) / size;
    const V weight =
        load_or_zero<S>(g.weight, b * a.channels + c, count) / size;
    for (int64_t t = begin; t < end; ++t) {
      V x_grad{};
      if (t < valid) {
        const V x = (load<S>(at<S>(a.x, b, t) + c, count) - f.mean) * f.inverse;
        const V given = load<S>(at<S>(g.y, b, t) + c, count);
        const V y_grad = x * f.weight + f.bias > V{} ? given : given * f.slope;
        x_grad = f.inverse * f.weight * (y_grad - bias - x * weight);
      }
      store(at<S>(g.x, b, t) + c, x_grad, count);
    }
  }
}

template <class S>
void norm_backward(const NormGradients& g) {
  const NormArguments& a = g.forward;
  const int64_t parts = count_parts(a);
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.channels);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * parts; ++task)
      sum_part<S>(g, task / parts, task % parts);
#pragma omp for schedule(static)
    for (int64_t task = 0; task < a.batch * a.channels; ++task)
      join_sums<S>(g, task / a.channels, task % a.channels);
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * parts; ++task)
      write_gradient<S>(g, task / parts, task % parts);
  }
}

void norm_backward(const NormGradients& g) {
  if (g.forward.data_type == FLOAT64) return norm_backward<double>(g);
  norm_backward<float>(g);
}

}  // namespace
