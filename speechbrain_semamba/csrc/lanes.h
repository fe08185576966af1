// What the kernels share: a place in a view, and the channels of one task.
#pragma once

#include "arguments.h"
#include "vector.h"

namespace {

template <class T>
INLINE T* at(const View& view, int64_t batch, int64_t time) {
  return static_cast<T*>(view.data) + batch * view.batch_stride +
         time * view.time_stride;
}

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

template <class S>
INLINE Vector<S> load_or_zero(const void* from, int64_t offset, int count) {
  if (from == nullptr) return Vector<S>{};
  return load<S>(static_cast<const S*>(from) + offset, count);
}

// Threads for a loop of this many operations: those asked for, but one where
// waking the others takes longer than the work.
INLINE int useful_threads(int64_t wanted, int64_t operations) {
  return operations < 16384 ? 1 : wanted;
}

// The channels that one task works on: [first, first + count).
struct Lanes {
  int64_t first;
  int count;
};

template <class S>
INLINE Lanes lanes_of_block(int64_t block, int64_t dim) {
  const int64_t first = block * kLanes<S>;
  return {first, static_cast<int>(smaller(kLanes<S>, dim - first))};
}

// How many vectors of channels there are, the last one perhaps not full.
template <class S>
INLINE int64_t count_blocks(int64_t dim) {
  return (dim + kLanes<S> - 1) / kLanes<S>;
}

}  // namespace
