// The loops of the CPU `dynamic_filter`, compiled in two files by element type: together they take too long.
//
// Forward is bound by reading the filters once. For planar filters one kernel row of taps (k streams) is taken at a
// time over 32-pixel blocks, the sums of a picture row staying in the first-level cache; for channels-last filters a
// vector holds the taps of one kernel row of one pixel. Channels that share filters are summed together, up to kChunk.
#pragma once

#include "cpu/kernels/padded_rows.h"

// sums[c][x] += taps of kernel row `rows` at f, f + ft, ...: planar filters.
template <class T, int C, int B, int K>
inline void add_planar(const T* f, int64_t ft, const acc_t<T>* row, acc_t<T>* sums, int64_t stride, int run_time_k,
                       int64_t x) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int k = K ? K : run_time_k;
  Vec<R> sum[C][B];
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) sum[c][b] = load(sums + c * stride + x + b * L);
#pragma GCC unroll 7
  for (int j = 0; j < k; ++j) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      const Vec<R> tap = load(f + j * ft + x + b * L);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[c][b] += tap * load(row + c * stride + x + j + b * L);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) store(sums + c * stride + x + b * L, sum[c][b]);
}

template <class T, int C, int K>
void planar_row(const T* f, const DynamicFilterShape& s, const acc_t<T>* const* rows, acc_t<T>* sums, int64_t stride) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  constexpr int B = C <= 3 ? 4 : 2;
  const int k = s.k;
  for (int c = 0; c < C; ++c)
    for (int64_t x = 0; x < s.width; ++x) sums[c * stride + x] = R(0);
  for (int i = 0; i < k; ++i) {
    const T* taps = f + i * k * s.ft;
    int64_t x = 0;
    for (; x + B * L <= s.width; x += B * L) add_planar<T, C, B, K>(taps, s.ft, rows[i], sums, stride, k, x);
    for (; x + L <= s.width; x += L) add_planar<T, C, 1, K>(taps, s.ft, rows[i], sums, stride, k, x);
    for (; x < s.width; ++x)
      for (int j = 0; j < k; ++j)
        for (int c = 0; c < C; ++c) sums[c * stride + x] += to_acc(taps[j * s.ft + x]) * rows[i][c * stride + x + j];
  }
}

template <class T, int C, int K>
void taps_last_row(const T* f, const DynamicFilterShape& s, const acc_t<T>* const* rows, acc_t<T>* sums,
                   int64_t stride) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int k = K ? K : s.k;
  const auto tail = first_lanes<R>(k % L == 0 ? L : k % L);
  const int vectors = (k + L - 1) / L;
  // The last vector of a pixel may reach into the next pixel's taps: the last pixel of a row is summed tap by tap.
  for (int64_t x = 0; x + 1 < s.width; ++x) {
    Vec<R> sum[C] = {};
#pragma GCC unroll 7
    for (int i = 0; i < k; ++i) {
      const T* taps = f + x * s.fx + i * k;
      for (int v = 0; v < vectors - 1; ++v) {
        const Vec<R> tap = load(taps + v * L);
        for (int c = 0; c < C; ++c) sum[c] += tap * load(rows[i] + c * stride + x + v * L);
      }
      const int last = (vectors - 1) * L;
      const Vec<R> tap = keep<R>(load(taps + last), tail);
      for (int c = 0; c < C; ++c) sum[c] += tap * keep<R>(load(rows[i] + c * stride + x + last), tail);
    }
    for (int c = 0; c < C; ++c) sums[c * stride + x] = sum_lanes<R>(sum[c]);
  }
  const int64_t x = s.width - 1;
  for (int c = 0; c < C; ++c) {
    R sum = R(0);
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < k; ++j) sum += to_acc(f[x * s.fx + i * k + j]) * rows[i][c * stride + x + j];
    sums[c * stride + x] = sum;
  }
}

template <class T, int C>
void filter_row(const T* f, const DynamicFilterShape& s, const acc_t<T>* const* rows, acc_t<T>* sums, int64_t stride) {
  // A constant k pays with the taps side by side; planar filters are bound by memory, and k = 7 is the common one.
  if (s.fx == 1 && s.k == 7) return planar_row<T, C, 7>(f, s, rows, sums, stride);
  if (s.fx == 1) return planar_row<T, C, 0>(f, s, rows, sums, stride);
#if !defined(LFD_AVX512)  // it is not chosen for them
  if (s.k == 3) return taps_last_row<T, C, 3>(f, s, rows, sums, stride);
  if (s.k == 5) return taps_last_row<T, C, 5>(f, s, rows, sums, stride);
  if (s.k == 7) return taps_last_row<T, C, 7>(f, s, rows, sums, stride);
  taps_last_row<T, C, 0>(f, s, rows, sums, stride);
#endif
}

template <class T>
void dynamic_filter(const T* x, const T* filters, T* out, const DynamicFilterShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  PaddedRows<R> padded(s, s.k);
  Buffer<R> sums(kChunk * padded.stride);
  const int64_t plane = s.height * s.width;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t y = row % s.height, group = row / s.height;
    const T* f = filters + group / s.groups * s.fn + group % s.groups * s.fg + y * s.fy;
    for (int64_t c = 0; c < s.channels; c += kChunk) {
      const int chunk = static_cast<int>(s.channels - c < kChunk ? s.channels - c : kChunk);
      const int64_t channel = group * s.channels + c;
      const R* rows[15];
      for (int i = 0; i < s.k; ++i) rows[i] = padded.get(x + channel * plane, channel, y + i - s.k / 2, chunk, s);
      const int64_t stride = padded.stride;
      if (chunk == 1) filter_row<T, 1>(f, s, rows, sums.data(), stride);
      if (chunk == 2) filter_row<T, 2>(f, s, rows, sums.data(), stride);
      if (chunk == 3) filter_row<T, 3>(f, s, rows, sums.data(), stride);
      if (chunk == 4) filter_row<T, 4>(f, s, rows, sums.data(), stride);
      for (int i = 0; i < chunk; ++i) {
        T* to = out + (channel + i) * plane + y * s.width;
        int64_t p = 0;
        for (; p + kLanes<R> <= s.width; p += kLanes<R>) store(to + p, load(sums.data() + i * stride + p));
        for (; p < s.width; ++p) to[p] = from_acc<T>(sums[i * stride + p]);
      }
    }
  }
}

#define LFD_INSTANTIATE_DYNAMIC_FILTER(T) \
  template void dynamic_filter(const T*, const T*, T*, const DynamicFilterShape&, int64_t, int64_t);
