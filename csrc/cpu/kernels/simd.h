// Vectors in the sum's type, of 32 bytes (with AVX-512: 64).
#pragma once

#if defined(LFD_AVX512)
constexpr int kVectorBytes = 64;
#else
constexpr int kVectorBytes = 32;
#endif

template <class R>
struct Simd;
template <>
struct Simd<float> {
  typedef float V __attribute__((vector_size(kVectorBytes)));
  typedef int32_t Mask __attribute__((vector_size(kVectorBytes)));
};
template <>
struct Simd<double> {
  typedef double V __attribute__((vector_size(kVectorBytes)));
  typedef int64_t Mask __attribute__((vector_size(kVectorBytes)));
};
template <class R>
using Vec = typename Simd<R>::V;
template <class R>
constexpr int kLanes = kVectorBytes / sizeof(R);

template <class R>
inline Vec<R> splat(R x) {
  return x - Vec<R>{};  // unlike x + 0, exactly x for every x, so the compiler broadcasts
}

// kLanes elements from unaligned memory, in the sum's type. Where a narrow type has no instructions, its conversion is
// many times larger than a call, and would be compiled into every loop.
template <class T>
__attribute__((noinline)) Vec<acc_t<T>> load(const T* p) {
  Vec<acc_t<T>> v;
  for (int i = 0; i < kLanes<acc_t<T>>; ++i) v[i] = to_acc(p[i]);
  return v;
}
template <>
inline Vec<float> load(const float* p) {
  Vec<float> v;
  memcpy(&v, p, sizeof(v));
  return v;
}
template <>
inline Vec<double> load(const double* p) {
  Vec<double> v;
  memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
__attribute__((noinline)) void store(T* p, Vec<acc_t<T>> v) {
  for (int i = 0; i < kLanes<acc_t<T>>; ++i) p[i] = from_acc<T>(v[i]);
}
template <>
inline void store(float* p, Vec<float> v) {
  memcpy(p, &v, sizeof(v));
}
template <>
inline void store(double* p, Vec<double> v) {
  memcpy(p, &v, sizeof(v));
}

#if defined(LFD_AVX2)
template <>
inline Vec<float> load(const uint8_t* p) {
  return (Vec<float>)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
template <>
inline Vec<float> load(const uint16_t* p) {
  return (Vec<float>)_mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
template <>
inline Vec<float> load(const bf16* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return (Vec<float>)_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
template <>
inline Vec<float> load(const f16* p) {
  return (Vec<float>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
template <>
inline void store(f16* p, Vec<float> v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
}
template <>
inline void store(bf16* p, Vec<float> v) {
  const __m256i u = _mm256_castps_si256((__m256)v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  __m256i r = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps((__m256)v, (__m256)v, _CMP_UNORD_Q));
  r = _mm256_blendv_epi8(r, _mm256_or_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(0x40)), nan);
  r = _mm256_permute4x64_epi64(_mm256_packus_epi32(r, r), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(r));
}
#elif defined(LFD_AVX512)
template <>
inline Vec<float> load(const uint8_t* p) {
  return (Vec<float>)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
template <>
inline Vec<float> load(const uint16_t* p) {
  const __m256i narrow = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (Vec<float>)_mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(narrow));
}
template <>
inline Vec<float> load(const bf16* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return (Vec<float>)_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
template <>
inline Vec<float> load(const f16* p) {
  return (Vec<float>)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
template <>
inline void store(f16* p, Vec<float> v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
}
template <>
inline void store(bf16* p, Vec<float> v) {
  // Not vcvtneps2bf16, which takes subnormal numbers for zero.
  const __m512i u = _mm512_castps_si512((__m512)v), high = _mm512_srli_epi32(u, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
  const __m512i r = _mm512_mask_or_epi32(_mm512_srli_epi32(rounded, 16), nan, high, _mm512_set1_epi32(0x40));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(r));
}
#endif

// A store past the caches where the address allows it, for large outputs that nobody reads soon. `p` is aligned to 32
// bytes if `aligned`. stream_fence() orders such stores before the end of the parallel region.
template <class T>
inline void store_stream(T* p, Vec<acc_t<T>> v, bool aligned) {
#if defined(LFD_AVX2)
  if constexpr (sizeof(T) == sizeof(acc_t<T>)) {
    if (aligned) return _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
  }
#elif defined(LFD_AVX512)
  if constexpr (sizeof(T) == sizeof(acc_t<T>)) {
    if (aligned) {
      _mm256_stream_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256((__m512i)v));
      return _mm256_stream_si256(reinterpret_cast<__m256i*>(p) + 1, _mm512_extracti64x4_epi64((__m512i)v, 1));
    }
  }
#endif
  (void)aligned;
  store(p, v);
}
inline void stream_fence() {
#if defined(LFD_AVX2) || defined(LFD_AVX512)
  _mm_sfence();
#endif
}

// Lanes 0 .. count-1 of v, the others zero (not times zero: infinities outside must not spread).
template <class R>
inline typename Simd<R>::Mask first_lanes(int count) {
  typename Simd<R>::Mask mask;
  for (int i = 0; i < kLanes<R>; ++i) mask[i] = i < count ? -1 : 0;
  return mask;
}
template <class R>
inline Vec<R> keep(Vec<R> v, typename Simd<R>::Mask mask) {
  return (Vec<R>)((typename Simd<R>::Mask)v & mask);
}

template <class R>
inline R sum_lanes(Vec<R> v) {
  R s = v[0];
  for (int i = 1; i < kLanes<R>; ++i) s += v[i];
  return s;
}
#if defined(LFD_AVX2)
template <>
inline float sum_lanes<float>(Vec<float> v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
#elif defined(LFD_AVX512)
template <>
inline float sum_lanes<float>(Vec<float> v) {
  return _mm512_reduce_add_ps((__m512)v);
}
#endif
