// The gradient of the weight of a 3x3 convolution, dilated in time, with
// respect to which it is a correlation of input and given gradient:
//   weight[kt, kf, o, i] = sum_{b, t, f} given[b, t, f, o]
//                          x[b, t + (kt - 1) dilation, f + kf - 1, i]
// One row of x and one of the gradient at a time. The rows are laid out anew
// first: x by vectors of input channels, so that the three taps in frequency
// are three neighbours, and the gradient by kOutputs output channels. Zeros
// fill up what is not there, so there is one inner loop for any size.
#pragma once

#include "lanes.h"

namespace {

// Output channels of a tile; times three taps, these sums fill the registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kOutputs = 8;
#else
constexpr int kOutputs = 4;
#endif

INLINE int64_t count_outputs(const Conv3x3Gradients& g) {
  return (g.channels + kOutputs - 1) / kOutputs;
}

// x[b, row] as [vectors of channels, 1 + freq + 1, lanes]; the outer two
// frequencies are left as they are, which is zero.
template <class S>
void lay_out_input(const Conv3x3Gradients& g, int64_t b, int64_t row, S* to) {
  const int64_t vectors = count_blocks<S>(g.seen_channels);
  for (int64_t f = 0; f < g.freq; ++f) {
    const S* from = at<S>(g.x, b, row * g.freq + f);
    for (int64_t v = 0; v < vectors; ++v) {
      const Lanes lanes = lanes_of_block<S>(v, g.seen_channels);
      store(to + (v * (g.freq + 2) + f + 1) * kLanes<S>,
            load<S>(from + lanes.first, lanes.count), kLanes<S>);
    }
  }
}

// given[b, row] as [blocks of outputs, freq, kOutputs]
template <class S>
void lay_out_given(const Conv3x3Gradients& g, int64_t b, int64_t row, S* to) {
  const int64_t whole = g.channels / kOutputs, rest = g.channels % kOutputs;
  for (int64_t f = 0; f < g.freq; ++f, to += kOutputs) {
    const S* from = at<S>(g.y, b, row * g.freq + f);
    for (int64_t o = 0; o < whole; ++o)
      memcpy(to + o * g.freq * kOutputs, from + o * kOutputs,
             kOutputs * sizeof(S));
    if (rest > 0)
      memcpy(to + whole * g.freq * kOutputs, from + whole * kOutputs,
             rest * sizeof(S));
  }
}

// The sums over one row for kOutputs outputs, one vector of inputs and the
// three taps, added to weight[kf, o, i].
template <class S>
__attribute__((noinline)) void correlate(const Conv3x3Gradients& g, const S* x,
                                         const S* given, int outputs,
                                         int inputs, S* weight) {
  typedef Vector<S> V;
  V total[kOutputs][3] = {};
  for (int64_t f = 0; f < g.freq; ++f, x += kLanes<S>, given += kOutputs) {
    // hides from the compiler that two of the taps were there a turn before:
    // for keeping them there are no registers
    asm("" : "+r"(x));
    V taps[3];
    UNROLL
    for (int k = 0; k < 3; ++k) taps[k] = load<S>(x + k * kLanes<S>, kLanes<S>);
    UNROLL
    for (int o = 0; o < kOutputs; ++o) {
      const V one = splat(given[o]);
      UNROLL
      for (int k = 0; k < 3; ++k) total[o][k] += one * taps[k];
    }
  }
  UNROLL
  for (int o = 0; o < kOutputs; ++o) {
    if (o >= outputs) break;
    UNROLL
    for (int k = 0; k < 3; ++k) {
      S* sum = weight + (k * g.channels + o) * g.seen_channels;
      store(sum, load<S>(sum, inputs) + total[o][k], inputs);
    }
  }
}

template <class S>
void add_bias(const Conv3x3Gradients& g, const S* given, S* bias) {
  for (int64_t o = 0; o < g.channels; ++o, ++bias) {
    const S* from = given + o / kOutputs * g.freq * kOutputs + o % kOutputs;
    S total = 0;
    for (int64_t f = 0; f < g.freq; ++f) total += from[f * kOutputs];
    *bias += total;
  }
}

// What the rows [begin, end) of x add to the gradients, rows counted over the
// whole batch.
template <class S>
void conv3x3_weight_rows(const Conv3x3Gradients& g, int64_t begin, int64_t end,
                         S* weight, S* bias) {
  const int64_t vectors = count_blocks<S>(g.seen_channels);
  const int64_t line = (g.freq + 2) * kLanes<S>;
  Scratch<S> x(vectors * line);
  Scratch<S> given(count_outputs(g) * g.freq * kOutputs);
  for (int64_t at_row = begin; at_row < end; ++at_row) {
    const int64_t b = at_row / g.frames, row = at_row % g.frames;
    lay_out_input<S>(g, b, row, x.data);
    for (int64_t k = 0; k < 3; ++k) {
      const int64_t other = row - (k - 1) * g.dilation;
      if (other < 0 || other >= g.frames) continue;
      lay_out_given<S>(g, b, other, given.data);
      if (k == 1) add_bias<S>(g, given.data, bias);
      for (int64_t v = 0; v < vectors; ++v) {
        const Lanes lanes = lanes_of_block<S>(v, g.seen_channels);
        for (int64_t o = 0; o < g.channels; o += kOutputs)
          correlate<S>(g, x.data + v * line, given.data + o * g.freq,
                       smaller(kOutputs, g.channels - o), lanes.count,
                       weight + (k * 3 * g.channels + o) * g.seen_channels +
                           lanes.first);
      }
    }
  }
}

template <class S>
void conv3x3_weight(const Conv3x3Gradients& g) {
  const int64_t rows = g.batch * g.frames;
#pragma omp parallel for schedule(dynamic) num_threads(g.num_threads)
  for (int64_t group = 0; group < g.groups; ++group)
    conv3x3_weight_rows<S>(
        g, group * rows / g.groups, (group + 1) * rows / g.groups,
        static_cast<S*>(g.weight) + group * 9 * g.channels * g.seen_channels,
        static_cast<S*>(g.bias) + group * g.channels);
}

void conv3x3_weight(const Conv3x3Gradients& g) {
  if (g.data_type == FLOAT64) return conv3x3_weight<double>(g);
  conv3x3_weight<float>(g);
}

}  // namespace
