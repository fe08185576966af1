// The recurrence of the selective scan over a few steps, for one vector of
// channels; what the scan alone and the whole mixer share.
#pragma once

#include "lanes.h"

namespace {

// ---- the decay exp(step A)

// Entries of the table of 2^(i / kTable) that a vector holds; 1 is none. The
// finer the table, the fewer terms has the polynomial between its entries.
#if defined(__AVX512F__)
constexpr int kTable = 16;
#elif defined(__AVX2__)
constexpr int kTable = 8;
#else
constexpr int kTable = 1;
#endif

// What A is to be multiplied by for `decay`.
template <class S>
constexpr S kRateScale = 1.4426950408889634 * kTable;

// 2^(i / kTable) for i from 0, and what belongs to the exponent taken off: the
// index is added to it with all other bits of the whole number.
INLINE Vector<uint32_t> decay_table() {
#if defined(__AVX2__)
  static const uint32_t bits[] = {
      0x3f800000, 0x3f85aac3, 0x3f8b95c2, 0x3f91c3d3, 0x3f9837f0, 0x3f9ef532,
      0x3fa5fed7, 0x3fad583f, 0x3fb504f3, 0x3fbd08a4, 0x3fc5672a, 0x3fce248c,
      0x3fd744fd, 0x3fe0ccdf, 0x3feac0c7, 0x3ff5257d};
  Vector<uint32_t> table;
  for (uint32_t i = 0; i < kTable; ++i)
    table[i] = bits[i * 16 / kTable] - i * (0x800000 / kTable);
  return table;
#else
  return Vector<uint32_t>{} + 0x3f800000;
#endif
}

// The entries of the lowest bits of `index`
INLINE Vector<uint32_t> entries(Vector<uint32_t> table,
                                Vector<uint32_t> index) {
#if defined(__AVX512F__)
  return bit_cast<Vector<uint32_t>>(_mm512_permutexvar_epi32(
      bit_cast<__m512i>(index), bit_cast<__m512i>(table)));
#elif defined(__AVX2__)
  return bit_cast<Vector<uint32_t>>(_mm256_permutevar8x32_epi32(
      bit_cast<__m256i>(table), bit_cast<__m256i>(index)));
#else
  return table;
#endif
}

// 2^(x / kTable) for x <= 0, relative error below 6e-7, exactly 1 at 0; from
// 2^-126 on it falls no more. x = k + r with a whole k; the polynomials of
// 2^(r / kTable) on [-1/2, 1/2] have the smallest largest relative error.
INLINE Vector<float> decay(Vector<float> x, Vector<uint32_t> table) {
  x = at_least(-126.0f * kTable, x);
  // adding 1.5 x 2^23 leaves the rounded k in the lowest bits
  const auto shifted = x + 12582912.0f;
  const auto r = x - (shifted - 12582912.0f);
#if defined(__AVX512F__)
  auto p = splat(9.383844711e-04f);
  p = p * r + 4.332423204e-02f;
#elif defined(__AVX2__)
  auto p = splat(1.083910523e-04f);
  p = p * r + 3.754025416e-03f;
  p = p * r + 8.664340178e-02f;
#else
  auto p = splat(1.326471374e-03f);
  p = p * r + 9.671512522e-03f;
  p = p * r + 5.550733774e-02f;
  p = p * r + 2.402224209e-01f;
  p = p * r + 6.931469776e-01f;
#endif
  p = p * r + 1.0f;
  const auto k = bit_cast<Vector<uint32_t>>(shifted);
  return p *
         bit_cast<Vector<float>>(entries(table, k) + k * (0x800000 / kTable));
}

INLINE Vector<double> decay(Vector<double> x, Vector<uint32_t>) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_exp2(x[i] / kTable);
  return x;
}

// ---- the recurrence

// For each of some steps a vector of channels.
template <class S>
struct Steps {
  Vector<S>* step;   // after the softplus
  Vector<S>* drive;  // step times input
  Vector<S>* y;      // what was there, to which the states' part is added
};

// Numbers of all channels, one row a step.
template <class S>
struct Rows {
  const S* data;
  int64_t stride;
  Rows from(int64_t column) const { return {data + column, stride}; }
};

// kStates states, which stay in registers from the first step to the last
template <class S, int kStates>
INLINE void advance_few(const Steps<S>& steps, int64_t count, Rows<S> B,
                        Rows<S> C, const Vector<S>* rate, Vector<S>* kept) {
  typedef Vector<S> V;
  const Vector<uint32_t> table = decay_table();
  V h[kStates], rates[kStates];
  UNROLL
  for (int n = 0; n < kStates; ++n) {
    h[n] = kept[n];
    rates[n] = rate[n];
  }
  for (int64_t t = 0; t < count; ++t) {
    const V step = steps.step[t], drive = steps.drive[t];
    const S *b = B.data + t * B.stride, *c = C.data + t * C.stride;
    V y = steps.y[t];
    UNROLL
    for (int n = 0; n < kStates; ++n) {
      h[n] = decay(step * rates[n], table) * h[n] + drive * b[n];
      y += h[n] * c[n];
    }
    steps.y[t] = y;
  }
  UNROLL
  for (int n = 0; n < kStates; ++n) kept[n] = h[n];
}

// All states over some steps: a few at a time, as many as registers can hold.
// `rate` is A times kRateScale.
template <class S>
INLINE void advance(const Steps<S>& steps, int64_t count, Rows<S> B, Rows<S> C,
                    const Vector<S>* rate, Vector<S>* h, int64_t states) {
  int64_t n = 0;
  for (; n + 8 <= states; n += 8)
    advance_few<S, 8>(steps, count, B.from(n), C.from(n), rate + n, h + n);
  for (; n + 4 <= states; n += 4)
    advance_few<S, 4>(steps, count, B.from(n), C.from(n), rate + n, h + n);
  for (; n < states; ++n)
    advance_few<S, 1>(steps, count, B.from(n), C.from(n), rate + n, h + n);
}

}  // namespace
