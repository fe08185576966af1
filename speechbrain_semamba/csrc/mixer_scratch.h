// The memory in which mixer.h works on a tile, and how large a tile is.
#pragma once

#include "cache.h"
#include "gemm.h"
#include "states.h"

namespace {

// Hands out parts of one piece of memory, aligned for every vector. Without
// memory it counts how much is needed.
struct Arena {
  float* data = nullptr;
  int64_t used = 0;
  float* take(int64_t count) {
    float* part = data == nullptr ? nullptr : data + used;
    used += round_up(count, 16);
    return part;
  }
  Vector<float>* vectors(int64_t count) {
    return reinterpret_cast<Vector<float>*>(take(count * kLanes<float>));
  }
};

// What a thread keeps of a tile of steps, and of its sequence.
struct MixerScratch {
  Tile normed;      // [steps, channels]
  Tile u, z;        // [steps, dim]; u has width - 1 steps more, before them
  float* selected;  // [steps, rank + 2 state]
  int64_t selected_stride;
  Tile mixed;        // [steps, channels]
  Vector<float>* h;  // [vector of channels, state]
  Steps<float> steps;
  float* forward;  // [length, channels], what the first direction adds
  int64_t forward_stride;

  void lay_out(Arena& arena, const MixerArguments& a, int64_t count) {
    const int64_t taps = a.width - 1, L = kLanes<float>;
    selected_stride = round_up(a.rank + 2 * a.state, kPanel);
    forward_stride = round_up(a.channels, kPanel);
    normed = {arena.take(tile_size(count, a.channels)), count};
    u = {arena.take(tile_size(count + taps, a.dim)), count + taps};
    z = {arena.take(tile_size(count, a.dim)), count};
    selected = arena.take(count * selected_stride);
    mixed = {arena.take(tile_size(count, a.channels)), count};
    h = arena.vectors(round_up(a.dim, L) / L * a.state);
    steps = {arena.vectors(count), arena.vectors(count), arena.vectors(count)};
  }
  void lay_out_sequence(Arena& arena, int64_t length) {
    forward = arena.take((length + kRows) * forward_stride);
  }
};

// Steps of a tile: what is kept of them fills half of the second cache
int64_t tile_steps(const MixerArguments& a) {
  Arena few, more;
  MixerScratch unused;
  unused.lay_out(few, a, kRows);
  unused.lay_out(more, a, 2 * kRows);
  const int64_t bytes = (more.used - few.used) * sizeof(float);
  const int64_t most = smaller(second_cache() / 2 / bytes, 8) * kRows;
  const int64_t fit = most < kRows ? kRows : most;
  // as many tiles as that makes, but all of the same size
  const int64_t tiles = (a.length + fit - 1) / fit;
  return round_up((a.length + tiles - 1) / tiles, kRows);
}

}  // namespace
