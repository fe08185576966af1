// Vectors of floats or doubles, and the functions of them that the kernels
// need. Written with the vector extension that GCC and Clang share, so one
// source serves every instruction set; the flags of the file that includes
// it decide how wide a vector is.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll_count(16)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

// Nothing here may leave the file that was compiled for one instruction set:
// a linker that kept the AVX-512 copy of a shared inline function would break
// the program on an older machine. So: no templates of the standard library.
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

struct bfloat16 {
  uint16_t bits;
};

template <int kSize, class S>
struct VectorOf {
  typedef S type __attribute__((vector_size(kSize)));
  typedef S unaligned
      __attribute__((vector_size(kSize), aligned(sizeof(S)), may_alias));
};

template <class S>
using Vector = typename VectorOf<kBytes, S>::type;

template <class S>
constexpr int kLanes = kBytes / sizeof(S);

// the type of T's bits in memory
template <class T>
struct BitsOf {
  typedef T type;
};
template <>
struct BitsOf<bfloat16> {
  typedef uint16_t type;
};

template <class To, class From>
INLINE To bit_cast(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

template <class S>
INLINE Vector<S> splat(S value) {
  return value - Vector<S>{};
}

// ---- memory: `count` elements of type T, for lanes of type S

// A part of a vector; where nothing better is known, by way of the stack,
// which takes as long as a dozen whole vectors.
template <class V, class T>
INLINE V load_part(const T* from, int count) {
  V x = {};
  memcpy(&x, from, count * sizeof(T));
  return x;
}

template <class V, class T>
INLINE void store_part(T* to, V x, int count) {
  memcpy(to, &x, count * sizeof(T));
}

#if defined(__AVX512F__)
template <class V>
INLINE V load_part(const float* from, int count) {
  return _mm512_maskz_loadu_ps((1u << count) - 1, from);
}

INLINE void store_part(float* to, Vector<float> x, int count) {
  _mm512_mask_storeu_ps(to, (1u << count) - 1, x);
}
#elif defined(__AVX2__)
INLINE __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

template <class V>
INLINE V load_part(const float* from, int count) {
  return _mm256_maskload_ps(from, first_lanes(count));
}

INLINE void store_part(float* to, Vector<float> x, int count) {
  _mm256_maskstore_ps(to, first_lanes(count), x);
}
#endif

// the lanes after `count` are zero; a whole vector is one instruction
template <class S, class T>
INLINE Vector<S> load(const T* from, int count) {
  typedef VectorOf<sizeof(T) * kLanes<S>, typename BitsOf<T>::type> Memory;
  typename Memory::type x;
  if (count == kLanes<S>)
    x = *reinterpret_cast<const typename Memory::unaligned*>(from);
  else
    x = load_part<typename Memory::type>(from, count);
  if constexpr (sizeof(T) == sizeof(bfloat16))
    return bit_cast<Vector<S>>(__builtin_convertvector(x, Vector<uint32_t>)
                               << 16);
  else
    return x;
}

template <class T, class V>
INLINE void store(T* to, V x, int count) {
  typedef typename BitsOf<T>::type S;
  typedef VectorOf<sizeof(x) / sizeof(x[0]) * sizeof(S), S> Memory;
  typename Memory::type y;
  if constexpr (sizeof(T) == sizeof(bfloat16)) {
    // rounds to nearest, ties to even, as PyTorch does
    auto bits = bit_cast<Vector<uint32_t>>(x);
    const auto rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    bits = x == x ? rounded : bits - bits + 0x7fc0;
    y = __builtin_convertvector(bits, typename Memory::type);
  } else {
    y = x;
  }
  if (count == sizeof(x) / sizeof(x[0]))
    *reinterpret_cast<typename Memory::unaligned*>(to) = y;
  else
    store_part(to, y, count);
}

// the sum over lanes: half onto half while a half is a vector
template <class V>
INLINE auto sum(V x) -> decltype(x[0] + x[0]) {
  typedef decltype(x[0] + x[0]) S;
  if constexpr (sizeof(V) > 16) {
    typename VectorOf<sizeof(V) / 2, S>::type low, high;
    memcpy(&low, &x, sizeof(low));
    memcpy(&high, (const char*)&x + sizeof(low), sizeof(high));
    return sum(low + high);
  } else {
    S total = x[0];
    for (unsigned i = 1; i < sizeof(x) / sizeof(S); ++i) total += x[i];
    return total;
  }
}

// ---- functions, in the precision of the scan

// the larger and the smaller; x where it is not a number
INLINE Vector<float> at_least(float limit, Vector<float> x) {
#if defined(__AVX512F__)
  return _mm512_max_ps(splat(limit), x);
#elif defined(__AVX2__)
  return _mm256_max_ps(splat(limit), x);
#else
  return x < limit ? splat(limit) : x;
#endif
}

INLINE Vector<float> at_most(float limit, Vector<float> x) {
#if defined(__AVX512F__)
  return _mm512_min_ps(splat(limit), x);
#elif defined(__AVX2__)
  return _mm256_min_ps(splat(limit), x);
#else
  return x > limit ? splat(limit) : x;
#endif
}

constexpr float kLog2E = 1.4426950408889634f;

// e^x with a relative error below 5e-7 from -87 to 88.37; below it falls to
// some number under 2e-38, above it stays 2.4e38. x = k log 2 + r; e^r on
// [-log 2 / 2, log 2 / 2] is the polynomial of degree 5 with the smallest
// largest relative error (9.2e-8), and k goes into the exponent. Of what is
// not a number the result may be one: all callers also add or multiply x.
INLINE Vector<float> exp(Vector<float> x) {
  x = at_most(88.37f, at_least(-88.0f, x));
  // adding 1.5 x 2^23 leaves the rounded k in the lowest bits
  auto shifted = x * kLog2E + 12582912.0f;
  auto k = shifted - 12582912.0f;
#if defined(__FMA__) || defined(__aarch64__)
  auto r = x - k * 0.69314718246f;
#else  // the product is rounded, so its first part must have few bits
  auto r = (x - k * 0.693359375f) + k * 2.1219444e-4f;
#endif
  auto p = splat(8.290306214e-03f);
  p = p * r + 4.189797548e-02f;
  p = p * r + 1.666763658e-01f;
  p = p * r + 4.999914919e-01f;
  p = p * r + 9.999997070e-01f;
  p = p * r + 1.0f;
  return bit_cast<Vector<float>>(bit_cast<Vector<uint32_t>>(p) +
                                 (bit_cast<Vector<uint32_t>>(shifted) << 23));
}

// log(1 + x) for x in [0, 1] to float precision, also relative to small x:
// twice the area hyperbolic tangent of x / (2 + x), as its power series.
INLINE Vector<float> log1p_unit(Vector<float> x) {
  auto s = x / (x + 2.0f), q = s * s;
  auto p = splat(2.0f / 13);
  p = p * q + 2.0f / 11;
  p = p * q + 2.0f / 9;
  p = p * q + 2.0f / 7;
  p = p * q + 2.0f / 5;
  p = p * q + 2.0f / 3;
  p = p * q + 2.0f;
  return p * s;
}

INLINE Vector<double> exp(Vector<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_exp(x[i]);
  return x;
}

INLINE Vector<double> log1p_unit(Vector<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_log1p(x[i]);
  return x;
}

template <class V>
INLINE V sigmoid(V x) {
  return 1 / (1 + exp(-x));
}

// log(1 + e^x), and its derivative, the sigmoid
template <class V>
INLINE V softplus(V x, V* slope = nullptr) {
  const V none{};
  const V small = exp(x < none ? x : -x);
  if (slope != nullptr) *slope = (x < none ? small : none + 1) / (1 + small);
  return (x < none ? none : x) + log1p_unit(small);
}

// derivative of x sigmoid(x), given s = sigmoid(x)
template <class V>
INLINE V silu_slope(V x, V s) {
  return s * (1 + x * (1 - s));
}

// ---- scratch memory of one thread

template <class T>
struct Scratch {
  T* data;
  explicit Scratch(int64_t count) {
    const size_t bytes = (count * sizeof(T) + 127) / 64 * 64;
    data = static_cast<T*>(aligned_alloc(64, bytes));
    if (data == nullptr) abort();  // nothing can be raised through C
    memset(data, 0, bytes);
  }
  ~Scratch() { free(data); }
  Scratch(const Scratch&) = delete;
  T& operator[](int64_t i) { return data[i]; }
};

}  // namespace
