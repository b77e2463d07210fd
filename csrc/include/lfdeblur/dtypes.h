// Element types of the kernels, without a torch header: the same structs in CPU, CUDA and CUDA-on-CPU builds.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define LFD_HD __host__ __device__ __forceinline__
#else
#define LFD_HD inline
#endif

namespace lfdeblur {

struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};

template <class To, class From>
LFD_HD To bit_copy(From from) {
  static_assert(sizeof(To) == sizeof(From), "bit_copy keeps the size");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// What a type is summed in, and what `refocus` returns for it.
template <class T>
struct Element {
  using acc = float;
  using out = T;
  static constexpr float scale = 1.0f;  // value = stored * scale
};
template <>
struct Element<double> {
  using acc = double;
  using out = double;
  static constexpr double scale = 1.0;
};
template <>
struct Element<uint8_t> {
  using acc = float;
  using out = float;
  static constexpr float scale = 1.0f / 255.0f;
};
template <>
struct Element<uint16_t> {
  using acc = float;
  using out = float;
  static constexpr float scale = 1.0f / 65535.0f;
};
template <class T>
using acc_t = typename Element<T>::acc;
template <class T>
using out_t = typename Element<T>::out;

LFD_HD float to_acc(float x) { return x; }
LFD_HD double to_acc(double x) { return x; }
LFD_HD float to_acc(uint8_t x) { return static_cast<float>(x); }  // unscaled
LFD_HD float to_acc(uint16_t x) { return static_cast<float>(x); }
LFD_HD float to_acc(bf16 x) { return bit_copy<float>(static_cast<uint32_t>(x.bits) << 16); }
LFD_HD float to_acc(f16 x) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(x.bits));
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t magnitude = x.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return bit_copy<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  // Scaling by 2^112 moves the exponent and makes subnormals right at once.
  const float scaled = bit_copy<float>(magnitude << 13) * bit_copy<float>(0x77800000u);
  return bit_copy<float>(sign | bit_copy<uint32_t>(scaled));
#endif
}

template <class T>
struct FromAcc {
  static LFD_HD T cast(acc_t<T> x) { return x; }
};
template <>
struct FromAcc<bf16> {
  static LFD_HD bf16 cast(float x) {  // round to nearest, ties to even
#if defined(__CUDA_ARCH__)
    return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
    const uint32_t u = bit_copy<uint32_t>(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((u >> 16) | 0x40u)};
    return {static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
#endif
  }
};
template <>
struct FromAcc<f16> {
  static LFD_HD f16 cast(float x) {  // round to nearest, ties to even
#if defined(__CUDA_ARCH__)
    return {__half_as_ushort(__float2half_rn(x))};
#else
    const uint32_t u = bit_copy<uint32_t>(x);
    const uint16_t sign = static_cast<uint16_t>((u >> 16) & 0x8000u);
    const uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
    if (magnitude >= 0x47800000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // >= 65536
    if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 lines the mantissa up, the FPU rounds
      const float shifted = bit_copy<float>(magnitude) + 0.5f;
      return {static_cast<uint16_t>(sign | (bit_copy<uint32_t>(shifted) - 0x3f000000u))};
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return {static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13))};
#endif
  }
};
template <class T>
LFD_HD T from_acc(acc_t<T> x) {
  return FromAcc<T>::cast(x);
}

}  // namespace lfdeblur
