// Runs the sources in csrc/cuda/ on a CPU, for tests only: what they use of CUDA, in plain C++.
//
// A launch runs block after block, from both ends of the grid in turn, so that what two blocks write shows. The threads
// of a block are fibers: each runs to its next barrier, in an order that turns around at every barrier, so that a
// missing barrier shows. Shared memory is poisoned before every block (all bits set: NaN in every floating type) and
// ends at a guard page, like the buffers of `guarded_alloc`: what is read before it was written spoils the numbers,
// what lies outside stops the launch. So does a barrier that not all reach, a shuffle that not all of its warp reach,
// or an address that is no multiple of the size of what is read or written there. A block gets more than 48 KiB of
// shared memory only if its kernel asked.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define LFD_SHARED(name) unsigned char* const name = cuda_on_cpu::shared_memory()
#define LFD_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                           \
  (static_cast<void>(stream), cuda_on_cpu::launch(reinterpret_cast<const void*>(+(kernel)), (grid), (block), \
                                                  static_cast<size_t>(shared_bytes), [&] { (kernel)(__VA_ARGS__); }))

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidConfiguration = 9, cudaErrorLaunchFailure = 719 };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerMultiprocessor, cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
using cudaStream_t = void*;

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(int64_t x_ = 1, int64_t y_ = 1, int64_t z_ = 1)
      : x(static_cast<unsigned>(x_)), y(static_cast<unsigned>(y_)), z(static_cast<unsigned>(z_)) {}
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

extern thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

unsigned char* shared_memory();
void barrier(int line);
// What lane `lane` of the warp gives, once all of the warp gave theirs.
uint64_t shuffle(uint64_t bits, unsigned lane, int line);
void allow_shared(const void* kernel, size_t bytes);
cudaError_t run(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, void (*body)(const void*),
                const void* closure);

template <class F>
cudaError_t launch(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, const F& f) {
  return run(kernel, grid, block, shared_bytes, [](const void* closure) { (*static_cast<const F*>(closure))(); }, &f);
}

}  // namespace cuda_on_cpu

inline void __syncthreads(int line = __builtin_LINE()) { cuda_on_cpu::barrier(line); }

template <class T>
inline T __shfl_sync(unsigned, T value, unsigned lane, int line = __builtin_LINE()) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = cuda_on_cpu::shuffle(bits, lane, line);
  memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int line = __builtin_LINE()) {
  const unsigned lane = (threadIdx.y * blockDim.x + threadIdx.x) % 32;
  return __shfl_sync(mask, value, lane + delta < 32 ? lane + delta : lane, line);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int line = __builtin_LINE()) {
  const unsigned lane = (threadIdx.y * blockDim.x + threadIdx.x) % 32;
  return __shfl_sync(mask, value, lane >= delta ? lane - delta : lane, line);
}

// A device of the smallest shared memory among those the kernels are built for.
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMaxSharedMemoryPerMultiprocessor ? 164 << 10 : 163 << 10;
  return cudaSuccess;
}
template <class F>
inline cudaError_t cudaFuncSetAttribute(F kernel, cudaFuncAttribute, int bytes) {
  cuda_on_cpu::allow_shared(reinterpret_cast<const void*>(kernel), static_cast<size_t>(bytes));
  return cudaSuccess;
}

template <class W>
inline W __ldcs(const W* p) {
  return *p;
}
template <class W>
inline void __stcs(W* p, W value) {
  *p = value;
}

inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((uint64_t{high} << 32 | low) >> (shift & 31));
}

inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }

inline unsigned atomicOr(unsigned* p, unsigned value) {
  const unsigned old = *p;
  *p = old | value;
  return old;
}
template <class T>
inline T atomicAdd(T* p, T value) {
  const T old = *p;
  *p = old + value;
  return old;
}

template <class T>
inline constexpr T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
inline constexpr T max(T a, T b) {
  return a < b ? b : a;
}
