// Blocks of a row's pixels, which `drb_head` and its gradient take one at a time: their features, transposed into the
// first-level cache, the filters that a small matrix product makes of them there, and the picture under those.
#pragma once

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/padded_rows.h"

constexpr int64_t kBlock = 32;  // pixels; a multiple of every vector's lanes

template <class R>
constexpr int64_t round_up(int64_t count) {
  return (count + kLanes<R> - 1) / kLanes<R> * kLanes<R>;
}

// to[i * to_stride + j] = from[j * from_stride + i] for i, j < kLanes.
template <class T>
inline void transpose_lanes(const T* from, int64_t from_stride, acc_t<T>* to, int64_t to_stride) {
  for (int j = 0; j < kLanes<acc_t<T>>; ++j)
    for (int i = 0; i < kLanes<acc_t<T>>; ++i) to[i * to_stride + j] = to_acc(from[j * from_stride + i]);
}
#if defined(LFD_AVX512)
template <class T>
inline void transpose_floats(const T* from, int64_t from_stride, float* to, int64_t to_stride) {
  if constexpr (sizeof(T) != sizeof(float)) {
    alignas(kVectorBytes) float wide[16 * 16];
    for (int j = 0; j < 16; ++j) store(wide + j * 16, load(from + j * from_stride));
    transpose_floats(wide, 16, to, to_stride);
  } else {
    for (int i = 0; i < 16; i += 4) {
      __m512 r[4], s[4];
      for (int j = 0; j < 4; ++j) {  // pixels j, j + 4, j + 8, j + 12: loads place the quarters, shuffles are scarce
        const float* p = from + j * from_stride + i;
        r[j] = _mm512_castps128_ps512(_mm_loadu_ps(p));
        r[j] = _mm512_insertf32x4(r[j], _mm_loadu_ps(p + 4 * from_stride), 1);
        r[j] = _mm512_insertf32x4(r[j], _mm_loadu_ps(p + 8 * from_stride), 2);
        r[j] = _mm512_insertf32x4(r[j], _mm_loadu_ps(p + 12 * from_stride), 3);
      }
      for (int j = 0; j < 4; j += 2) {
        s[j] = _mm512_unpacklo_ps(r[j], r[j + 1]);
        s[j + 1] = _mm512_unpackhi_ps(r[j], r[j + 1]);
      }
      for (int j = 0; j < 2; ++j) {
        store(to + (i + 2 * j) * to_stride, (Vec<float>)_mm512_shuffle_ps(s[j], s[j + 2], 0x44));
        store(to + (i + 2 * j + 1) * to_stride, (Vec<float>)_mm512_shuffle_ps(s[j], s[j + 2], 0xee));
      }
    }
  }
}
#elif defined(LFD_AVX2)
template <class T>
inline void transpose_floats(const T* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 r[8], s[8];
  for (int j = 0; j < 8; ++j) r[j] = (__m256)load(from + j * from_stride);
  for (int j = 0; j < 4; ++j) {
    s[2 * j] = _mm256_unpacklo_ps(r[2 * j], r[2 * j + 1]);
    s[2 * j + 1] = _mm256_unpackhi_ps(r[2 * j], r[2 * j + 1]);
  }
  for (int j = 0; j < 8; j += 4) {
    r[j] = _mm256_shuffle_ps(s[j], s[j + 2], 0x44);
    r[j + 1] = _mm256_shuffle_ps(s[j], s[j + 2], 0xee);
    r[j + 2] = _mm256_shuffle_ps(s[j + 1], s[j + 3], 0x44);
    r[j + 3] = _mm256_shuffle_ps(s[j + 1], s[j + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    store(to + i * to_stride, (Vec<float>)_mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    store(to + (i + 4) * to_stride, (Vec<float>)_mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#endif
#if defined(LFD_AVX2) || defined(LFD_AVX512)
template <>
inline void transpose_lanes(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  transpose_floats(from, from_stride, to, to_stride);
}
template <>
inline void transpose_lanes(const bf16* from, int64_t from_stride, float* to, int64_t to_stride) {
  transpose_floats(from, from_stride, to, to_stride);
}
template <>
inline void transpose_lanes(const f16* from, int64_t from_stride, float* to, int64_t to_stride) {
  transpose_floats(from, from_stride, to, to_stride);
}
#endif

// planar[c][0 .. count) = features of `count` pixels from `from` on; rows of kBlock.
template <class T>
void read_planar(const T* from, const FeatureLayout& f, int64_t count, acc_t<T>* planar) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int64_t whole_pixels = count / L * L, whole_channels = f.sc == 1 ? f.channels / L * L : 0;
  for (int64_t x = 0; x < whole_pixels; x += L)
    for (int64_t c = 0; c < whole_channels; c += L)
      transpose_lanes(from + x * f.sx + c, f.sx, planar + c * kBlock + x, kBlock);
  for (int64_t c = 0; c < f.channels; ++c) {
    int64_t x = c < whole_channels ? whole_pixels : 0;
    if (f.sx == 1)
      for (; x + L <= count; x += L) store(planar + c * kBlock + x, load(from + c * f.sc + x));
    for (; x < count; ++x) planar[c * kBlock + x] = to_acc(from[c * f.sc + x * f.sx]);
  }
}

// sums[m][0 .. count) = bias[m] + sum_c weight[m][c] * planar[c]; rows of `stride`.
template <class R>
void predict(int64_t outputs, int64_t channels, int64_t count, const R* weight, const R* bias, const R* planar, R* sums,
             int64_t stride, const void* ahead = nullptr) {
  const int64_t padded = round_up<R>(count);
  for (int64_t m = 0; m < outputs; ++m)
    for (int64_t x = 0; x < padded; x += kLanes<R>) store(sums + m * stride + x, splat<R>(bias[m]));
  gemm(outputs, padded, channels, weight, channels, 1, planar, kBlock, sums, stride, ahead);
}

template <class R>
inline Vec<R> leaky(Vec<R> v, R slope) {
  return v > Vec<R>{} ? v : v * slope;
}

// The picture's rows with their borders, chunk by chunk of channels.
template <class R>
struct Picture {
  DynamicFilterShape shape;
  int64_t stride, plane;
  std::vector<PaddedRows<R>> chunks;
  std::vector<const R*> rows;  // [chunk][kernel row]

  explicit Picture(const DrbHeadShape& s) : shape(), plane(s.image_height * s.width) {
    shape.channels = s.channels;
    shape.height = s.image_height;
    shape.width = s.width;
    shape.k = s.k;
    shape.replicate = true;
    chunks.assign((s.channels + kChunk - 1) / kChunk, PaddedRows<R>(shape, s.k));
    rows.resize(chunks.size() * s.k);
    stride = PaddedRows<R>(shape, 1).stride;
  }

  // Makes the k rows around row y of picture n ready for at().
  template <class U>
  void move_to(const U* image, int64_t n, int64_t y) {
    for (size_t i = 0; i < chunks.size(); ++i) {
      const int64_t first = i * kChunk, left = shape.channels - first;
      const int64_t channel = n * shape.channels + first;
      for (int ky = 0; ky < shape.k; ++ky)
        rows[i * shape.k + ky] = chunks[i].get(image + channel * plane, channel, y + ky - shape.k / 2,
                                               static_cast<int>(left < kChunk ? left : kChunk), shape);
    }
  }

  // Channel c of kernel row ky; element x + kx is the pixel under tap kx of pixel x.
  const R* at(int64_t c, int ky) const { return rows[c / kChunk * shape.k + ky] + c % kChunk * stride; }

  // sums[c][p] = sum_t filters[t][p] * pixel under tap t, for C channels from c on and `count` pixels from x on.
  template <int C>
  void filter_channels(const R* filters, int64_t filter_stride, int64_t c, int64_t x, int64_t count, R* sums) const {
    constexpr int L = kLanes<R>, B = 2;
    for (int64_t p = 0; p < count; p += B * L) {
      Vec<R> sum[C][B] = {};
      for (int i = 0; i < shape.k; ++i) {
        const R* row = at(c, i) + x + p;
        const R* taps = filters + i * shape.k * filter_stride + p;
        for (int j = 0; j < shape.k; ++j) {
#pragma GCC unroll 2
          for (int b = 0; b < B; ++b) {
            const Vec<R> tap = load(taps + j * filter_stride + b * L);
#pragma GCC unroll 4
            for (int i = 0; i < C; ++i) sum[i][b] += tap * load(row + i * stride + j + b * L);
          }
        }
      }
#pragma GCC unroll 4
      for (int i = 0; i < C; ++i)
#pragma GCC unroll 2
        for (int b = 0; b < B; ++b) store(sums + (c + i) * kBlock + p + b * L, sum[i][b]);
    }
  }

  void filter(const R* filters, int64_t filter_stride, int64_t x, int64_t count, R* sums) const {
    for (int64_t c = 0; c < shape.channels; c += kChunk) {
      const int64_t left = shape.channels - c;
      if (left == 1) filter_channels<1>(filters, filter_stride, c, x, count, sums);
      if (left == 2) filter_channels<2>(filters, filter_stride, c, x, count, sums);
      if (left == 3) filter_channels<3>(filters, filter_stride, c, x, count, sums);
      if (left >= 4) filter_channels<4>(filters, filter_stride, c, x, count, sums);
    }
  }
};
