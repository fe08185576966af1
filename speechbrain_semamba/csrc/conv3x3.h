// A 3x3 convolution, dilated in time, of feature maps that are joined, for
// inference: Winograd's F(4, 3) along frequency, where the taps are next to
// each other, and the three taps in time as more channels of a matrix product.
// The maps are read where they are. A block of frames and frequencies stays in
// the second-level cache from its inputs to its results.
#pragma once

#include "cache.h"
#include "gemm.h"
#include "winograd.h"

namespace {

// Frames of a block: a multiple of kRows, several times the largest dilation
constexpr int kBlockFrames = 24;

struct Conv3x3 {
  const Conv3x3Arguments& a;
  int64_t vectors;  // of channels, of one map
  int64_t depth;    // of the product at one point: maps, taps, channels
  int64_t strips;   // of four frequencies
  int64_t columns;  // outputs, rounded up to a vector
  int64_t width;    // most strips of a block
  float* packed;    // [point, panel, depth, kPanel]

  explicit Conv3x3(const Conv3x3Arguments& arguments)
      : a(arguments),
        vectors(count_blocks<float>(a.channels)),
        depth(a.maps * 3 * a.channels),
        strips((a.freq + kResults - 1) / kResults),
        columns(round_up(a.outputs, kLanes<float>)) {
    const int64_t bytes = (inputs_size(1) + products_size(1)) * sizeof(float);
    const int64_t fit = second_cache() / 2 / bytes, most = fit < 1 ? 1 : fit;
    // as many blocks as that makes, but all of nearly the same size
    const int64_t blocks = (strips + most - 1) / most;
    width = (strips + blocks - 1) / blocks;
  }
  const float* map(int64_t i) const {
    return reinterpret_cast<const float*>(a.x[i]);
  }
  // Inputs of a block so many strips wide: [map, vector, point, frame, strip,
  // lane]; and what a last block of rows reads too much.
  int64_t vector_size(int64_t strips) const {
    return (kBlockFrames + 2 * a.dilation) * strips * kLanes<float>;
  }
  int64_t inputs_size(int64_t strips) const {
    return a.maps * vectors * kPoints * vector_size(strips) +
           kRows * kLanes<float>;
  }
  // Products of a block: [point, frame, strip, column]
  int64_t products_size(int64_t strips) const {
    return kPoints * round_up(kBlockFrames * strips, kRows) * columns;
  }
};

// Frames and strips of one item
struct Block {
  int64_t item, frame, frames, strip, strips;
  int64_t rows() const { return frames * strips; }
};

// ---- filters

// Packs one panel of output channels, at all points.
void pack_filters(const Conv3x3& c, int64_t panel) {
  const int64_t first = panel * kPanel, left = c.a.outputs - first;
  const int64_t width = left > kLanes<float> ? kPanel : kLanes<float>;
  const int64_t point_size = c.depth * c.columns;
  const float* weight = static_cast<const float*>(c.a.weight);
  float* to = c.packed + first * c.depth;
  for (int64_t map = 0; map < c.a.maps; ++map)
    for (int64_t tap = 0; tap < 3; ++tap)
      for (int64_t i = 0; i < c.a.channels; ++i, to += width)
        for (int64_t o = 0; o < smaller(width, left); ++o) {
          const int64_t input = map * c.a.channels + i;
          const int64_t inputs = c.a.maps * c.a.channels;
          double at[kPoints];
          transform_taps(
              weight + (((first + o) * inputs + input) * 3 + tap) * 3, at);
          for (int p = 0; p < kPoints; ++p) to[p * point_size + o] = at[p];
        }
}

// ---- inputs

// Six frequencies of a row from `first` on; there are zeros beside it.
INLINE void load_strip(const Conv3x3& c, const float* row, int64_t first,
                       int count, Vector<float> (&x)[kPoints]) {
  UNROLL
  for (int i = 0; i < kPoints; ++i)
    x[i] = first + i >= 0 && first + i < c.a.freq
               ? load<float>(row + (first + i) * c.a.channels, count)
               : Vector<float>{};
}

void transform_row(const Conv3x3& c, const Block& block, const float* row,
                   int64_t vector, int64_t point_size, float* to) {
  const Lanes lanes = lanes_of_block<float>(vector, c.a.channels);
  for (int64_t s = 0; s < block.strips; ++s, to += kLanes<float>) {
    Vector<float> x[kPoints], at[kPoints];
    load_strip(c, row + lanes.first, kResults * (block.strip + s) - 1,
               lanes.count, x);
    transform_inputs(x, at);
    UNROLL
    for (int p = 0; p < kPoints; ++p)
      store(to + p * point_size, at[p], kLanes<float>);
  }
}

void transform_block(const Conv3x3& c, const Block& block, float* inputs) {
  const int64_t line = block.strips * kLanes<float>;
  const int64_t span = block.frames + 2 * c.a.dilation;
  const int64_t point_size = span * line;
  for (int64_t map = 0; map < c.a.maps; ++map)
    for (int64_t f = 0; f < span; ++f) {
      const int64_t frame = block.frame - c.a.dilation + f;
      const float* row = c.map(map) + (block.item * c.a.frames + frame) *
                                          c.a.freq * c.a.channels;
      for (int64_t v = 0; v < c.vectors; ++v) {
        float* to =
            inputs + (map * c.vectors + v) * kPoints * point_size + f * line;
        if (frame >= 0 && frame < c.a.frames)
          transform_row(c, block, row, v, point_size, to);
        else
          for (int p = 0; p < kPoints; ++p)
            memset(to + p * point_size, 0, line * sizeof(float));
      }
    }
}

// ---- products

// Rows of the products at one point, for one panel of outputs; `inputs` are
// those of the first map and tap. Each map is summed up by itself: shorter
// sums are rounded less.
template <int kCount, int kVectors>
void sum_products(const Conv3x3& c, const Block& block, const float* inputs,
                  const float* packed, float* products) {
  constexpr int L = kLanes<float>;
  const int64_t line = block.strips * L;
  const int64_t vector_size =
      kPoints * (block.frames + 2 * c.a.dilation) * line;
  for (int64_t map = 0; map < c.a.maps; ++map) {
    Vector<float> sums[kCount][kVectors] = {};
    for (int64_t tap = 0; tap < 3; ++tap)
      for (int64_t v = 0; v < c.vectors; ++v) {
        const int count = lanes_of_block<float>(v, c.a.channels).count;
        add_products(inputs + (map * c.vectors + v) * vector_size +
                         tap * c.a.dilation * line,
                     L, count, packed, sums);
        packed += count * kVectors * L;
      }
    if (map > 0) add_block(products, c.columns, sums);
    store_block(sums, products, c.columns);
  }
}

template <int kVectors>
void multiply_point(const Conv3x3& c, const Block& block, const float* inputs,
                    const float* packed, float* products) {
  for (int64_t row = 0; row < block.rows();) {
    const bool many = block.rows() - row > kRows - kFewRows;
    auto* sum =
        many ? sum_products<kRows, kVectors> : sum_products<kFewRows, kVectors>;
    sum(c, block, inputs + row * kLanes<float>, packed,
        products + row * c.columns);
    row += many ? kRows : kFewRows;
  }
}

void multiply_all_points(const Conv3x3& c, const Block& block,
                         const float* inputs, float* products) {
  const int64_t input_size =
      (block.frames + 2 * c.a.dilation) * block.strips * kLanes<float>;
  const int64_t rows = round_up(block.rows(), kRows);
  for (int p = 0; p < kPoints; ++p)
    for (int64_t first = 0; first < c.columns; first += kPanel) {
      auto* multiply = c.columns - first > kLanes<float> ? multiply_point<2>
                                                         : multiply_point<1>;
      multiply(c, block, inputs + p * input_size,
               c.packed + (p * c.columns + first) * c.depth,
               products + p * rows * c.columns + first);
    }
}

// ---- results

void write_block(const Conv3x3& c, const Block& block, const float* products) {
  const int64_t point_size = round_up(block.rows(), kRows) * c.columns;
  for (int64_t row = 0; row < block.rows(); ++row, products += c.columns) {
    const int64_t frame = block.frame + row / block.strips;
    const int64_t first = kResults * (block.strip + row % block.strips);
    const int64_t count = smaller(kResults, c.a.freq - first);
    for (int64_t o = 0; o < c.a.outputs; o += kLanes<float>) {
      const int lanes = smaller(kLanes<float>, c.a.outputs - o);
      Vector<float> at_points[kPoints], y[kResults];
      UNROLL
      for (int p = 0; p < kPoints; ++p)
        at_points[p] =
            load<float>(products + p * point_size + o, kLanes<float>);
      transform_products(at_points, y);
      const auto bias = load_or_zero<float>(c.a.bias, o, lanes);
      float* to = at<float>(c.a.y, block.item, frame * c.a.freq + first) + o;
      UNROLL
      for (int i = 0; i < kResults; ++i)
        if (i < count) store(to + i * c.a.y.time_stride, y[i] + bias, lanes);
    }
  }
}

// ---- all of it

Block block_at(const Conv3x3& c, int64_t task, int64_t across, int64_t down) {
  Block block;
  block.item = task / (across * down);
  block.frame = task / across % down * kBlockFrames;
  block.frames = smaller(kBlockFrames, c.a.frames - block.frame);
  block.strip = task % across * c.width;
  block.strips = smaller(c.width, c.strips - block.strip);
  return block;
}

void conv3x3(const Conv3x3Arguments& a) {
  Conv3x3 c(a);
  Scratch<float> packed(kPoints * c.depth * c.columns);
  c.packed = packed.data;
  const int64_t across = (c.strips + c.width - 1) / c.width;
  const int64_t down = (a.frames + kBlockFrames - 1) / kBlockFrames;
  const int64_t panels = (c.columns + kPanel - 1) / kPanel;
  const int threads = useful_threads(
      a.num_threads, a.batch * a.frames * a.freq * c.depth * a.outputs);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (int64_t panel = 0; panel < panels; ++panel) pack_filters(c, panel);
    Scratch<float> inputs(c.inputs_size(c.width));
    Scratch<float> products(c.products_size(c.width));
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * across * down; ++task) {
      const Block block = block_at(c, task, across, down);
      transform_block(c, block, inputs.data);
      multiply_all_points(c, block, inputs.data, products.data);
      write_block(c, block, products.data);
    }
  }
}

}  // namespace
