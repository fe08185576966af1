// The functions that Python calls, and the choice of the instruction set.
#include <string.h>

#include "kernels.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

extern const Kernels kernels_plain;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512;
#endif

namespace {

struct Choice {
  const char* name;
  const Kernels* kernels;
};

bool runs_here(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (strcmp(name, "avx512") == 0)
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  if (strcmp(name, "avx2") == 0)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return strcmp(name, "plain") == 0;
}

// the best first
const Choice kChoices[] = {
#if defined(__x86_64__)
    {"avx512", &kernels_avx512},
    {"avx2", &kernels_avx2},
#endif
    {"plain", &kernels_plain},
};

Choice best() {
  for (const Choice& choice : kChoices)
    if (runs_here(choice.name)) return choice;
  return {"plain", &kernels_plain};
}

Choice chosen = best();

struct Entry {
  const char* name;
  int64_t value;
};

const Entry kLayout[] = {
    {"ScanArguments", sizeof(ScanArguments)},
    {"ScanGradients", sizeof(ScanGradients)},
    {"ConvArguments", sizeof(ConvArguments)},
    {"ConvGradients", sizeof(ConvGradients)},
    {"NormArguments", sizeof(NormArguments)},
    {"NormGradients", sizeof(NormGradients)},
    {"RmsNormArguments", sizeof(RmsNormArguments)},
    {"MixerArguments", sizeof(MixerArguments)},
    {"Conv3x3Arguments", sizeof(Conv3x3Arguments)},
    {"Conv3x3Gradients", sizeof(Conv3x3Gradients)},
    {"max_width", kMaxWidth},
};

}  // namespace

// What Python has written down once more, for it to compare: the size of each
// structure in bytes, and constants. -1 is what this library does not know.
EXPORT int64_t semamba_layout(const char* name) {
  for (const Entry& entry : kLayout)
    if (strcmp(entry.name, name) == 0) return entry.value;
  return -1;
}

EXPORT const char* semamba_instructions() { return chosen.name; }

// Takes another instruction set; 0 if this machine or this binary lacks it.
EXPORT int semamba_use(const char* name) {
  for (const Choice& choice : kChoices)
    if (strcmp(choice.name, name) == 0 && runs_here(name)) {
      chosen = choice;
      return 1;
    }
  return 0;
}

EXPORT void semamba_scan(const ScanArguments* a) { chosen.kernels->scan(*a); }
EXPORT void semamba_scan_backward(const ScanGradients* g) {
  chosen.kernels->scan_backward(*g);
}
EXPORT void semamba_conv(const ConvArguments* a) { chosen.kernels->conv(*a); }
EXPORT void semamba_conv_backward(const ConvGradients* g) {
  chosen.kernels->conv_backward(*g);
}
EXPORT void semamba_norm(const NormArguments* a) { chosen.kernels->norm(*a); }
EXPORT void semamba_norm_backward(const NormGradients* g) {
  chosen.kernels->norm_backward(*g);
}
EXPORT void semamba_rms_norm(const RmsNormArguments* a) {
  chosen.kernels->rms_norm(*a);
}
EXPORT void semamba_mixer(const MixerArguments* a) {
  chosen.kernels->mixer(*a);
}
EXPORT void semamba_conv3x3(const Conv3x3Arguments* a) {
  chosen.kernels->conv3x3(*a);
}
EXPORT void semamba_conv3x3_weight(const Conv3x3Gradients* g) {
  chosen.kernels->conv3x3_weight(*g);
}
EXPORT void semamba_exp(const float* x, float* y, int64_t size) {
  chosen.kernels->exp(x, y, size);
}
