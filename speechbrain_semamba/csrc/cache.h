// What is known of the machine's memory.
#pragma once

#include <unistd.h>

#include "vector.h"

namespace {

// Bytes of the second-level cache of one core
INLINE int64_t second_cache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const int64_t known = sysconf(_SC_LEVEL2_CACHE_SIZE);
#else
  const int64_t known = 0;
#endif
  return known > 0 ? known : 512 * 1024;
}

}  // namespace
