// Root-mean-square normalisation over the innermost axis.
#pragma once

#include "lanes.h"

namespace {

template <class S, class T>
void rms_norm_row(const RmsNormArguments& a, int64_t b, int64_t t) {
  const T* from = at<T>(a.x, b, t);
  T* to = at<T>(a.y, b, t);
  Vector<S> squares{};
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const auto x = load<S>(from + c, smaller(kLanes<S>, a.channels - c));
    squares += x * x;
  }
  const S scale = 1 / __builtin_sqrt(sum(squares) / a.channels + a.eps);
  for (int64_t c = 0; c < a.channels; c += kLanes<S>) {
    const int count = smaller(kLanes<S>, a.channels - c);
    store(
        to + c,
        load<S>(from + c, count) * scale * load_or_zero<S>(a.weight, c, count),
        count);
  }
}

template <class S, class T>
void rms_norm(const RmsNormArguments& a) {
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.channels);
#pragma omp parallel for schedule(dynamic, 64) num_threads(threads)
  for (int64_t row = 0; row < a.batch * a.length; ++row)
    rms_norm_row<S, T>(a, row / a.length, row % a.length);
}

void rms_norm(const RmsNormArguments& a) {
  if (a.data_type == FLOAT64) return rms_norm<double, double>(a);
  if (a.data_type == BFLOAT16) return rms_norm<float, bfloat16>(a);
  rms_norm<float, float>(a);
}

}  // namespace
