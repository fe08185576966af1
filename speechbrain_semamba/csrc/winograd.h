// Winograd's F(4, 3): four neighbouring results of a filter of three taps from
// six inputs with six products instead of twelve (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", CVPR 2016). Inputs and filter
// are polynomials, taken at 0, at infinity, and at +-a and +-b with a = 1 /
// sqrt(2) and b = sqrt(2): with the usual 1 and 2 the rounding error is half
// as large again, and twice as large in single results.
#pragma once

#include "vector.h"

namespace {

constexpr int kPoints = 6, kResults = 4;
constexpr double kNear = 0.70710678118654752440, kFar = 2 * kNear;

// Six inputs at 0, a, -a, b, -b and infinity
template <class V>
INLINE void transform_inputs(const V (&x)[kPoints], V (&at)[kPoints]) {
  const V even = x[4] - 2 * x[2], odd = float(kNear) * (x[3] - 2 * x[1]);
  const V far_even = x[4] - x[2] / 2, far_odd = float(kFar) * (x[3] - x[1] / 2);
  at[0] = x[0] - 2.5f * x[2] + x[4];
  at[1] = even + odd;
  at[2] = even - odd;
  at[3] = far_even + far_odd;
  at[4] = far_even - far_odd;
  at[5] = x[1] - 2.5f * x[3] + x[5];
}

// Three taps at the six points, over the product of the distances to the
// other ones
INLINE void transform_taps(const float* w, double (&at)[kPoints]) {
  const double even = w[0] + w[2] / 2.0, odd = kNear * w[1];
  const double far_even = w[0] + 2.0 * w[2], far_odd = kFar * w[1];
  at[0] = w[0];
  at[1] = (even + odd) / -1.5;
  at[2] = (even - odd) / -1.5;
  at[3] = (far_even + far_odd) / 6;
  at[4] = (far_even - far_odd) / 6;
  at[5] = w[2];
}

// Four results from the products at the six points
template <class V>
INLINE void transform_products(const V (&at)[kPoints], V (&y)[kResults]) {
  const V even = at[1] + at[2], odd = float(kNear) * (at[1] - at[2]);
  const V far_even = at[3] + at[4], far_odd = float(kFar) * (at[3] - at[4]);
  y[0] = at[0] + even + far_even;
  y[1] = odd + far_odd;
  y[2] = even / 2 + 2 * far_even;
  y[3] = odd / 2 + 2 * far_odd + at[5];
}

}  // namespace
