// Opens the namespace of the instruction set that setup.py compiles the file for: LFD_ISA, with LFD_AVX2 or LFD_AVX512
// defined for these two. A build made on one processor so runs on an older one. Include every header that is not of
// this folder before this one: what is defined from here on may use the newer instructions. end.h closes it.
#include <cstdint>
#include <cstring>

#include "lfdeblur/dtypes.h"
#if defined(LFD_AVX2) || defined(LFD_AVX512)
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

#if defined(LFD_AVX2) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#elif defined(LFD_AVX2)
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#elif defined(LFD_AVX512) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)
#elif defined(LFD_AVX512)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#endif

namespace lfdeblur::cpu::LFD_ISA {

#include "cpu/kernels/simd.h"
