// Compiles the kernels in the file LFD_KERNELS once per instruction set, each into a namespace of its own, so that a
// build made on one processor runs on an older one. Include every other header before this one: what is defined in
// here may use the newer instructions.
#include "cpu/isa.h"
#include "lfdeblur/dtypes.h"
#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC's header leaves unused vectors so on purpose
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif

namespace lfdeblur::cpu::baseline {
#include "cpu/simd.h"
#include LFD_KERNELS
}  // namespace lfdeblur::cpu::baseline

#if defined(__x86_64__)
#define LFD_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
namespace lfdeblur::cpu::avx2 {
#include "cpu/simd.h"
#include LFD_KERNELS
}  // namespace lfdeblur::cpu::avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef LFD_AVX2

#define LFD_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#endif
namespace lfdeblur::cpu::avx512 {
#include "cpu/simd.h"
#include LFD_KERNELS
}  // namespace lfdeblur::cpu::avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef LFD_AVX512

#define LFD_RUN_ON(level, call) \
  ((level) == Isa::avx512 ? avx512::call : (level) == Isa::avx2 ? avx2::call : baseline::call)
#else
#define LFD_RUN_ON(level, call) (baseline::call)
#endif
#define LFD_RUN_BEST(call) LFD_RUN_ON(isa(), call)
