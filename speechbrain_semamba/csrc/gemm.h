// The product of a tile of activations and a packed matrix, a block of the
// result in registers at a time. Tiles and matrices are in panels, so that
// every loop reads memory in its order, whatever the sizes are.
#pragma once

#include "lanes.h"

namespace {

constexpr int kPanel = 2 * kLanes<float>;

// Rows of a block: with its two vectors of columns, one vector of the matrix
// and a broadcast number it fills the registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 12;
#else
constexpr int kRows = 6;
#endif
// of the last blocks of a tile
constexpr int kFewRows = 4;

INLINE int64_t round_up(int64_t size, int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

// Features [rows, columns] as [panel, rows, kPanel]. Products are written in
// whole blocks of rows: `rows` is a multiple of kRows, or so many are left.
struct Tile {
  float* data;
  int64_t rows;
  int64_t panel_size() const { return rows * kPanel; }
  float* at(int64_t row, int64_t column) const {
    return data + column / kPanel * panel_size() + row * kPanel +
           column % kPanel;
  }
};

// Where a product goes: a tile, or the rows of another matrix.
struct Target {
  float* data;
  int64_t panel_stride, row_stride;
  Target(const Tile& tile, int64_t first_row = 0)
      : data(tile.at(first_row, 0)),
        panel_stride(tile.panel_size()),
        row_stride(kPanel) {}
  Target(float* rows, int64_t stride)
      : data(rows), panel_stride(kPanel), row_stride(stride) {}
};

INLINE int64_t tile_size(int64_t rows, int64_t columns) {
  return rows * round_up(columns, kPanel);
}

// ---- a matrix in panels [depth, kPanel]; a last one of which half is enough
// is half as wide

INLINE int64_t packed_size(int64_t columns, int64_t depth) {
  return round_up(columns, kLanes<float>) * depth;
}

// Packs weights [columns, depth] with rows this far apart, as a linear layer
// has them. Columns that there are not are zero.
void pack(const float* weights, int64_t columns, int64_t depth, int64_t stride,
          float* packed) {
  for (int64_t first = 0; first < columns; first += kPanel) {
    const int64_t left = columns - first;
    const int64_t width = left > kLanes<float> ? kPanel : kLanes<float>;
    for (int64_t i = 0; i < width; ++i)
      for (int64_t k = 0; k < depth; ++k)
        packed[k * width + i] =
            i < left ? weights[(first + i) * stride + k] : 0.0f;
    packed += width * depth;
  }
}

// ---- the product

// sums[i, column] += sum_k a[i, k] packed[k, column]
template <int kCount, int kVectors>
INLINE void add_products(const float* a, int64_t row_stride, int64_t depth,
                         const float* packed,
                         Vector<float> (&sums)[kCount][kVectors]) {
  constexpr int L = kLanes<float>;
  for (int64_t k = 0; k < depth; ++k, packed += kVectors * L) {
    Vector<float> b[kVectors];
    UNROLL
    for (int j = 0; j < kVectors; ++j) b[j] = load<float>(packed + j * L, L);
    UNROLL
    for (int i = 0; i < kCount; ++i) {
      const auto number = splat(a[i * row_stride + k]);
      UNROLL
      for (int j = 0; j < kVectors; ++j) sums[i][j] += number * b[j];
    }
  }
}

template <int kCount, int kVectors>
INLINE void add_block(const float* from, int64_t row_stride,
                      Vector<float> (&sums)[kCount][kVectors]) {
  constexpr int L = kLanes<float>;
  UNROLL
  for (int i = 0; i < kCount; ++i) {
    UNROLL
    for (int j = 0; j < kVectors; ++j)
      sums[i][j] += load<float>(from + i * row_stride + j * L, L);
  }
}

template <int kCount, int kVectors>
INLINE void store_block(const Vector<float> (&sums)[kCount][kVectors],
                        float* result, int64_t row_stride) {
  constexpr int L = kLanes<float>;
  UNROLL
  for (int i = 0; i < kCount; ++i) {
    UNROLL
    for (int j = 0; j < kVectors; ++j)
      store(result + i * row_stride + j * L, sums[i][j], L);
  }
}

// kCount rows of one panel of the result
template <int kCount, int kVectors>
void multiply_block(const float* a, int64_t panel_size, int64_t depth,
                    const float* packed, float* result, int64_t row_stride) {
  Vector<float> sums[kCount][kVectors] = {};
  for (int64_t begin = 0; begin < depth; begin += kPanel, a += panel_size) {
    const int64_t count = smaller(kPanel, depth - begin);
    add_products(a, kPanel, count, packed, sums);
    packed += count * kVectors * kLanes<float>;
  }
  store_block(sums, result, row_stride);
}

template <int kVectors>
void multiply_panel(const Tile& a, int64_t rows, int64_t depth,
                    const float* packed, float* result, int64_t row_stride) {
  for (int64_t row = 0; row < rows;) {
    const float* from = a.at(row, 0);
    float* to = result + row * row_stride;
    const bool many = rows - row > kRows - kFewRows;
    auto* block = many ? multiply_block<kRows, kVectors>
                       : multiply_block<kFewRows, kVectors>;
    block(from, a.panel_size(), depth, packed, to, row_stride);
    row += many ? kRows : kFewRows;
  }
}

// result[row, column] = sum_k a[row, k] packed[k, column]. The last rows are
// rounded up to a block, the last columns to a vector.
void multiply(const Tile& a, int64_t rows, int64_t depth, const float* packed,
              int64_t columns, Target result) {
  for (int64_t first = 0; first < columns; first += kPanel) {
    auto* panel =
        columns - first > kLanes<float> ? multiply_panel<2> : multiply_panel<1>;
    panel(a, rows, depth, packed, result.data, result.row_stride);
    result.data += result.panel_stride;
    packed += kPanel * depth;
  }
}

}  // namespace
