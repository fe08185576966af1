// The gradient of the selective scan: the same recurrence run the other way,
// see ops/README.md. Chunk by chunk from the last, the states are computed
// again from the checkpoint that the forward scan kept.
#pragma once

#include "scan.h"

namespace {

// What one thread works with. A vector [.., state] is one block of channels.
template <class S>
struct Workspace {
  Scratch<Vector<S>> rate;       // [blocks, state], A
  Scratch<Vector<S>> carry;      // [blocks, state], gradient of the state
  Scratch<Vector<S>> rate_grad;  // [blocks, state], sums over the group
  Scratch<Vector<S>> D, bias;    // [blocks], sums over the group
  Scratch<Vector<S>> state;      // [chunk + 1, state]
  Scratch<Vector<S>> decay;      // [chunk, state]
  Scratch<Vector<S>> step, step_slope;  // [chunk], softplus and its slope
  Scratch<Vector<S>> B_sum, C_sum;      // [chunk, state], sums over blocks

  Workspace(const ScanArguments& a, int64_t blocks)
      : rate(blocks * a.state),
        carry(blocks * a.state),
        rate_grad(blocks * a.state),
        D(blocks),
        bias(blocks),
        state((a.chunk + 1) * a.state),
        decay(a.chunk * a.state),
        step(a.chunk),
        step_slope(a.chunk),
        B_sum(a.chunk * a.state),
        C_sum(a.chunk * a.state) {}
};

// Steps of one chunk, in the order of the recurrence.
struct Chunk {
  int64_t item, index, begin, count, valid;
  bool reverse;
  int64_t time(int64_t k) const {
    return reverse ? valid - 1 - (begin + k) : begin + k;
  }
};

// The states and decays of a chunk once more, for one block of channels.
template <class S, int kState>
void recompute(const ScanArguments& a, const Chunk& chunk, Lanes lanes,
               int64_t block, Workspace<S>& w) {
  typedef Vector<S> V;
  const int64_t c = lanes.first, count = lanes.count;
  const int64_t states = kState ? kState : a.state;
  const int64_t chunks = (a.length + a.chunk - 1) / a.chunk;
  const S* kept = static_cast<const S*>(a.checkpoints) +
                  (chunk.item * chunks + chunk.index) * states * a.dim + c;
  for (int64_t n = 0; n < states; ++n)
    w.state[n] = load<S>(kept + n * a.dim, count);
  const V bias = load_or_zero<S>(a.bias, c, count);
  const V* rate = &w.rate[block * states];
  for (int64_t k = 0; k < chunk.count; ++k) {
    const int64_t t = chunk.time(k);
    const V delta = load<S>(at<S>(a.delta, chunk.item, t) + c, count) + bias;
    const V step = w.step[k] = softplus(delta, &w.step_slope[k]);
    const V drive = step * load<S>(at<S>(a.u, chunk.item, t) + c, count);
    const S* B = at<S>(a.B, chunk.item, t);
    V* decay = &w.decay[k * states];
    V* h = &w.state[k * states];
    UNROLL
    for (int64_t n = 0; n < states; ++n) {
      decay[n] = exp(step * rate[n]);
      h[states + n] = decay[n] * h[n] + drive * B[n];
    }
  }
}

// Back through a chunk, for one block of channels.
template <class S, int kState>
void propagate(const ScanGradients& g, const Chunk& chunk, Lanes lanes,
               int64_t block, Workspace<S>& w) {
  typedef Vector<S> V;
  const ScanArguments& a = g.forward;
  const int64_t c = lanes.first, count = lanes.count, item = chunk.item;
  const int64_t states = kState ? kState : a.state;
  const V skip = load_or_zero<S>(a.D, c, count);
  const V* rate = &w.rate[block * states];
  V* carry = &w.carry[block * states];
  V* rate_grad = &w.rate_grad[block * states];
  for (int64_t k = chunk.count - 1; k >= 0; --k) {
    const int64_t t = chunk.time(k);
    const V x = load<S>(at<S>(a.u, item, t) + c, count);
    const V given = load<S>(at<S>(g.y, item, t) + c, count);
    const V step = w.step[k], drive = step * x;
    V z{}, gate{}, y_grad = given;
    if (a.z.data != nullptr) {
      z = load<S>(at<S>(a.z, item, t) + c, count);
      gate = sigmoid(z);
      y_grad *= z * gate;
    }
    const S* B = at<S>(a.B, item, t);
    const S* C = at<S>(a.C, item, t);
    const V* before = &w.state[k * states];
    const V* after = before + states;
    const V* decay = &w.decay[k * states];
    V* B_sum = &w.B_sum[k * states];
    V* C_sum = &w.C_sum[k * states];
    V y = skip * x, drive_grad{}, step_grad{};
    UNROLL
    for (int64_t n = 0; n < states; ++n) {
      y += after[n] * C[n];
      C_sum[n] += y_grad * after[n];
      const V h_grad = carry[n] + y_grad * C[n];
      B_sum[n] += h_grad * drive;
      drive_grad += h_grad * B[n];
      carry[n] = h_grad * decay[n];
      const V exponent_grad = carry[n] * before[n];
      rate_grad[n] += exponent_grad * step;
      step_grad += exponent_grad * rate[n];
    }
    const V delta_grad = (step_grad + drive_grad * x) * w.step_slope[k];
    w.D[block] += y_grad * x;
    w.bias[block] += delta_grad;
    store(at<S>(g.delta, item, t) + c, delta_grad, count);
    store(at<S>(g.u, item, t) + c, drive_grad * step + skip * y_grad, count);
    if (a.z.data != nullptr)
      store(at<S>(g.z, item, t) + c, given * y * silu_slope(z, gate), count);
  }
}

// The sums over channels of what the blocks of a chunk have added up.
template <class S>
void finish_chunk(const ScanGradients& g, const Chunk& chunk, Workspace<S>& w) {
  const int64_t states = g.forward.state;
  for (int64_t k = 0; k < chunk.count; ++k) {
    S* B = at<S>(g.B, chunk.item, chunk.time(k));
    S* C = at<S>(g.C, chunk.item, chunk.time(k));
    for (int64_t n = 0; n < states; ++n) {
      B[n] = sum(w.B_sum[k * states + n]);
      C[n] = sum(w.C_sum[k * states + n]);
      w.B_sum[k * states + n] = w.C_sum[k * states + n] = Vector<S>{};
    }
  }
}

template <class S>
void clear_padding(const ScanGradients& g, int64_t b, int64_t valid) {
  const ScanArguments& a = g.forward;
  for (int64_t t = valid; t < a.length; ++t) {
    memset(at<S>(g.u, b, t), 0, a.dim * sizeof(S));
    memset(at<S>(g.delta, b, t), 0, a.dim * sizeof(S));
    if (a.z.data != nullptr) memset(at<S>(g.z, b, t), 0, a.dim * sizeof(S));
    memset(at<S>(g.B, b, t), 0, a.state * sizeof(S));
    memset(at<S>(g.C, b, t), 0, a.state * sizeof(S));
  }
}

template <class S, int kState>
void scan_item_backward(const ScanGradients& g, int64_t b, Workspace<S>& w) {
  const ScanArguments& a = g.forward;
  const int64_t blocks = count_blocks<S>(a.dim);
  const int64_t valid = valid_steps(a, b);
  memset(w.carry.data, 0, blocks * a.state * sizeof(Vector<S>));
  for (int64_t i = (valid + a.chunk - 1) / a.chunk - 1; i >= 0; --i) {
    const int64_t begin = i * a.chunk;
    const Chunk chunk = {
        b, i, begin, smaller(valid - begin, a.chunk), valid, a.reverse != 0};
    for (int64_t block = 0; block < blocks; ++block) {
      const Lanes lanes = lanes_of_block<S>(block, a.dim);
      recompute<S, kState>(a, chunk, lanes, block, w);
      propagate<S, kState>(g, chunk, lanes, block, w);
    }
    finish_chunk(g, chunk, w);
  }
  clear_padding<S>(g, b, valid);
}

// A group is a part of the batch. Its sums do not depend on which thread has
// it, so the gradients are the same for any number of threads.
template <class S, int kState>
void scan_group_backward(const ScanGradients& g, int64_t group) {
  const ScanArguments& a = g.forward;
  const int64_t blocks = count_blocks<S>(a.dim);
  Workspace<S> w(a, blocks);
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t n = 0; n < a.state; ++n) {
      const Lanes lanes = lanes_of_block<S>(block, a.dim);
      w.rate[block * a.state + n] =
          load_or_zero<S>(a.rate, n * a.dim + lanes.first, lanes.count);
    }
  const int64_t end = (group + 1) * a.batch / g.groups;
  for (int64_t b = group * a.batch / g.groups; b < end; ++b)
    scan_item_backward<S, kState>(g, b, w);
  for (int64_t block = 0; block < blocks; ++block) {
    const Lanes lanes = lanes_of_block<S>(block, a.dim);
    const int64_t c = group * a.dim + lanes.first;
    store(static_cast<S*>(g.D) + c, w.D[block], lanes.count);
    store(static_cast<S*>(g.bias) + c, w.bias[block], lanes.count);
    for (int64_t n = 0; n < a.state; ++n)
      store(
          static_cast<S*>(g.rate) + (group * a.state + n) * a.dim + lanes.first,
          w.rate_grad[block * a.state + n], lanes.count);
  }
}

template <class S>
void scan_backward(const ScanGradients& g) {
  const int64_t states = g.forward.state;
  auto* one = states == 16  ? scan_group_backward<S, 16>
              : states == 8 ? scan_group_backward<S, 8>
                            : scan_group_backward<S, 0>;
  const ScanArguments& a = g.forward;
  const int threads =
      useful_threads(a.num_threads, a.batch * a.length * a.dim * a.state);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t group = 0; group < g.groups; ++group) one(g, group);
}

void scan_backward(const ScanGradients& g) {
  if (g.forward.data_type == FLOAT64) return scan_backward<double>(g);
  scan_backward<float>(g);
}

}  // namespace
