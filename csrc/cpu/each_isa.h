// A kernel on several instruction sets: kernels/<op>.cpp is compiled once for each, and the best one runs.
#pragma once
#include "cpu/isa.h"

// LFD_EACH_ISA declares a kernel on every instruction set, and the function of the same name that chooses among them,
// by LFD_RUN_ON. LFD_UP_TO_AVX2 and LFD_RUN_UP_TO_AVX2: the same without AVX-512.
#if defined(__x86_64__)
#define LFD_EACH_ISA(...) \
  namespace avx512 {      \
  __VA_ARGS__             \
  }                       \
  LFD_UP_TO_AVX2(__VA_ARGS__)
#define LFD_UP_TO_AVX2(...) \
  namespace baseline {      \
  __VA_ARGS__               \
  }                         \
  namespace avx2 {          \
  __VA_ARGS__               \
  }                         \
  __VA_ARGS__
#define LFD_RUN_ON(level, call) \
  ((level) == Isa::avx512 ? avx512::call : (level) == Isa::avx2 ? avx2::call : baseline::call)
#define LFD_RUN_UP_TO_AVX2(call) (isa() >= Isa::avx2 ? avx2::call : baseline::call)
#else
#define LFD_EACH_ISA(...) \
  namespace baseline {    \
  __VA_ARGS__             \
  }                       \
  __VA_ARGS__
#define LFD_UP_TO_AVX2(...) LFD_EACH_ISA(__VA_ARGS__)
#define LFD_RUN_ON(level, call) (baseline::call)
#define LFD_RUN_UP_TO_AVX2(call) (baseline::call)
#endif
#define LFD_RUN_BEST(call) LFD_RUN_ON(isa(), call)
