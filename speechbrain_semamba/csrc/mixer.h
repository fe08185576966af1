// A forward and a backward Mamba with norms and residuals, and the projection
// of the pair, for inference: a tile of steps of one sequence goes through all
// of it within the cache. It computes in float, whatever it reads and writes.
#pragma once

#include "mixer_scratch.h"
#include "packed_mixer.h"

namespace {

// One direction of one sequence: its step `k` is at some time.
struct Way {
  const PackedWeights& weights;
  int64_t item, sequence, valid;
  bool reverse;
  int64_t time(int64_t k) const { return reverse ? valid - 1 - k : k; }
};

template <class T>
INLINE T* at(const Sequences& view, const Way& way, int64_t time) {
  return static_cast<T*>(view.data) + way.item * view.batch_stride +
         way.sequence * view.sequence_stride + time * view.time_stride;
}

template <class T>
void normalize(const MixerArguments& a, const Way& way, int64_t begin,
               int64_t count, MixerScratch& w) {
  constexpr int L = kLanes<float>;
  for (int64_t t = 0; t < count; ++t) {
    const T* x = at<T>(a.x, way, way.time(begin + t));
    Vector<float> squares{};
    for (int64_t c = 0; c < a.channels; c += L) {
      const auto part = load<float>(x + c, smaller(L, a.channels - c));
      squares += part * part;
    }
    const float mean = sum(squares) / a.channels;
    const float scale = 1 / __builtin_sqrtf(mean + way.weights.eps);
    for (int64_t c = 0; c < a.channels; c += L) {
      const auto part = load<float>(x + c, smaller(L, a.channels - c));
      store(w.normed.at(t, c),
            part * scale * load<float>(way.weights.norm + c, L), L);
    }
  }
}

// The causal convolution and its SiLU of one vector of channels, in place:
// result t takes the place of input t, the oldest that it has seen.
INLINE void convolve(const PackedWeights& weights, int64_t width, int64_t c,
                     int64_t count, float* u) {
  constexpr int L = kLanes<float>;
  const auto bias = load<float>(weights.conv_bias + c, L);
  for (int64_t t = 0; t < count; ++t) {
    auto y = bias;
    for (int64_t i = 0; i < width; ++i)
      y += load<float>(weights.conv + i * weights.stride + c, L) *
           load<float>(u + (t + i) * kPanel, L);
    store(u + t * kPanel, y * sigmoid(y), L);
  }
}

// The scan of one vector of channels, which takes the place of u
INLINE void scan_tile(const MixerArguments& a, const PackedWeights& weights,
                      int64_t c, int64_t count, MixerScratch& w) {
  constexpr int L = kLanes<float>;
  typedef Vector<float> V;
  const Steps<float>& steps = w.steps;
  float *u = w.u.at(0, c), *z = w.z.at(0, c);
  const V bias = load<float>(weights.dt_bias + c, L);
  const V skip = load<float>(weights.skip + c, L);
  for (int64_t t = 0; t < count; ++t) {
    const float* low = w.selected + t * w.selected_stride;
    V delta = bias;
    for (int64_t r = 0; r < a.rank; ++r)
      delta += load<float>(weights.dt + r * weights.stride + c, L) * low[r];
    const V x = load<float>(u + t * kPanel, L);
    steps.step[t] = softplus(delta);
    steps.drive[t] = steps.step[t] * x;
    steps.y[t] = skip * x;
  }
  const Rows<float> B = {w.selected + a.rank, w.selected_stride};
  const Rows<float> C = B.from(a.state);
  advance(steps, count, B, C, weights.rate + c / L * a.state,
          w.h + c / L * a.state, a.state);
  for (int64_t t = 0; t < count; ++t) {
    const V gate = load<float>(z + t * kPanel, L);
    store(u + t * kPanel, steps.y[t] * gate * sigmoid(gate), L);
  }
}

template <class T>
void add_input(const MixerArguments& a, const Way& way, int64_t begin,
               int64_t count, const Tile& tile) {
  constexpr int L = kLanes<float>;
  for (int64_t t = 0; t < count; ++t) {
    const T* x = at<T>(a.x, way, way.time(begin + t));
    for (int64_t c = 0; c < a.channels; c += L) {
      float* to = tile.at(t, c);
      const auto part = load<float>(x + c, smaller(L, a.channels - c));
      store(to, load<float>(to, L) + part, L);
    }
  }
}

// Some steps of a Mamba with its norm and residual: x to `mixed`
template <class T>
void mix_tile(const MixerArguments& a, const Way& way, int64_t begin,
              int64_t count, MixerScratch& w) {
  constexpr int L = kLanes<float>;
  const PackedWeights& weights = way.weights;
  const int64_t taps = a.width - 1;
  normalize<T>(a, way, begin, count, w);
  multiply(w.normed, count, a.channels, weights.in_u, a.dim, {w.u, taps});
  multiply(w.normed, count, a.channels, weights.in_z, a.dim, {w.z});
  for (int64_t c = 0; c < a.dim; c += L)
    convolve(weights, a.width, c, count, w.u.at(0, c));
  multiply(w.u, count, a.dim, weights.x, a.rank + 2 * a.state,
           {w.selected, w.selected_stride});
  for (int64_t c = 0; c < a.dim; c += L) scan_tile(a, weights, c, count, w);
  multiply(w.u, count, a.dim, weights.out, a.channels, {w.mixed});
  // what the convolution has to see of this tile in the next one
  for (int64_t c = 0; c < a.dim; c += kPanel)
    memmove(w.u.at(0, c), w.u.at(count, c), taps * kPanel * sizeof(float));
  add_input<T>(a, way, begin, count, w.mixed);
}

// Steps of the result, when both directions have passed them
template <class T>
void finish(const MixerArguments& a, const Way& way, int64_t begin,
            int64_t count, const MixerScratch& w) {
  constexpr int L = kLanes<float>;
  for (int64_t t = 0; t < count; ++t) {
    const int64_t time = way.time(begin + t);
    const T* x = at<T>(a.x, way, time);
    T* y = at<T>(a.y, way, time);
    const float* forward = w.forward + time * w.forward_stride;
    for (int64_t c = 0; c < a.channels; c += L) {
      const int lanes = smaller(L, a.channels - c);
      store(y + c,
            load<float>(x + c, lanes) + load_or_zero<float>(a.bias, c, lanes) +
                load<float>(forward + c, L) + load<float>(w.normed.at(t, c), L),
            lanes);
    }
  }
}

template <class T>
void mix_way(const MixerArguments& a, const Way& way, int64_t tile,
             MixerScratch& w) {
  constexpr int L = kLanes<float>;
  memset(w.h, 0, round_up(a.dim, L) * a.state * sizeof(float));
  for (int64_t c = 0; c < a.dim; c += kPanel)
    memset(w.u.at(0, c), 0, (a.width - 1) * kPanel * sizeof(float));
  for (int64_t begin = 0; begin < way.valid; begin += tile) {
    const int64_t count = smaller(tile, way.valid - begin);
    mix_tile<T>(a, way, begin, count, w);
    // where it goes back the other has been: the sum is complete
    const Target forward(w.forward + begin * w.forward_stride,
                         w.forward_stride);
    multiply(w.mixed, count, a.channels, way.weights.projection, a.channels,
             way.reverse ? Target(w.normed) : forward);
    if (way.reverse) finish<T>(a, way, begin, count, w);
  }
}

template <class T>
void mixer(const MixerArguments& a) {
  if (a.batch * a.sequences * a.length == 0) return;
  PackedWeights ways[2];
  Arena needed;
  for (PackedWeights& way : ways) way.lay_out(needed, a);
  Scratch<float> memory(needed.used);
  Arena arena = {memory.data};
  for (PackedWeights& way : ways) way.lay_out(arena, a);
  pack(a, a.forward, floats(a.projection), ways[0]);
  pack(a, a.backward, floats(a.projection) + a.channels, ways[1]);

  const int64_t tile = tile_steps(a);
  Arena work;
  MixerScratch size;
  size.lay_out(work, a, tile);
  size.lay_out_sequence(work, a.length);
  const int threads =
      useful_threads(a.num_threads, a.batch * a.sequences * a.length * a.dim *
                                        (a.channels + a.state));
#pragma omp parallel num_threads(threads)
  {
    Scratch<float> kept(work.used);
    Arena own = {kept.data};
    MixerScratch w;
    w.lay_out(own, a, tile);
    w.lay_out_sequence(own, a.length);
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < a.batch * a.sequences; ++task) {
      const int64_t item = task / a.sequences, sequence = task % a.sequences;
      const int64_t valid = a.sizes == nullptr ? a.length : a.sizes[item];
      mix_way<T>(a, {ways[0], item, sequence, valid, false}, tile, w);
      const Way back = {ways[1], item, sequence, valid, true};
      mix_way<T>(a, back, tile, w);
      for (int64_t t = valid; t < a.length; ++t)
        memset(at<T>(a.y, back, t), 0, a.channels * sizeof(T));
    }
  }
}

void mixer(const MixerArguments& a) {
  if (a.data_type == BFLOAT16) return mixer<bfloat16>(a);
  mixer<float>(a);
}

}  // namespace
