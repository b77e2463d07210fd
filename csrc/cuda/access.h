// How the kernels reach memory: vectors of up to 16 bytes, data used once, dynamic shared memory, flat grids.
#pragma once
#include <cstdint>

#include "cuda/launch.h"
#include "lfdeblur/dtypes.h"

#if defined(__CUDACC__)
#define LFD_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

namespace lfdeblur::cuda {

template <class T>
inline constexpr int kVector = 16 / sizeof(T);  // elements in the widest load
inline constexpr int kSharedLimit = 48 << 10;   // what every device gives a block unasked

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

template <int Bytes>
struct Word;
template <>
struct Word<2> {
  using type = unsigned short;
};
template <>
struct Word<4> {
  using type = unsigned int;
};
template <>
struct Word<8> {
  using type = uint2;
};
template <>
struct Word<16> {
  using type = uint4;
};

// Filters and their gradient pass through once: they are not to push the image out of the caches.
template <int N, class T>
__device__ __forceinline__ Pack<T, N> load_once(const T* p) {
  using W = typename Word<sizeof(T) * N>::type;
  return bit_copy<Pack<T, N>>(__ldcs(reinterpret_cast<const W*>(p)));
}
template <class T, int N>
__device__ __forceinline__ void store_once(T* p, const Pack<T, N>& value) {
  using W = typename Word<sizeof(T) * N>::type;
  __stcs(reinterpret_cast<W*>(p), bit_copy<W>(value));
}
template <int N, class T>
__device__ __forceinline__ Pack<T, N> load(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}

template <class I>
LFD_HD constexpr I ceil_div(I a, I b) {
  return (a + b - 1) / b;
}
LFD_HD int round_up(int a, int b) { return (a + b - 1) / b * b; }

LFD_HD bool aligned16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// Peels the index of a flattened grid, the fastest dimension first. 32 bits: a 64-bit division is a function call.
__device__ __forceinline__ int peel(unsigned& index, int64_t size) {
  const unsigned rest = index / static_cast<unsigned>(size), i = index - rest * static_cast<unsigned>(size);
  index = rest;
  return static_cast<int>(i);
}

// A flat grid: its x dimension alone reaches 2^31 - 1.
inline bool fits_grid(int64_t blocks) { return blocks <= INT32_MAX; }

}  // namespace lfdeblur::cuda
