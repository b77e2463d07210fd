// What the Winograd kernels share: F(4x4, 3x3) with the points 0, +-sqrt(1/2), +-sqrt(2) and infinity, whose rounding
// errors are several times smaller than those of 0, +-1, +-2.
//
// A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; for points B. Barabasz et al.,
// "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", TOMS 2020.
#pragma once

#include "cpu/kernels/gemm.h"

constexpr int kTile = 4, kSpan = 6, kPositions = kSpan * kSpan;
constexpr int64_t kPanel = 16;  // outputs whose weights lie together
constexpr float kNear = 0.70710678118654752f, kFar = 1.41421356237309505f;

// to[0], to[stride], ... = the six points' values of d.
inline void winograd_points(Vec<float> d0, Vec<float> d1, Vec<float> d2, Vec<float> d3, Vec<float> d4, Vec<float> d5,
                            float* to, int64_t stride) {
  const Vec<float> even_near = d4 - 2.0f * d2, odd_near = kNear * (d3 - 2.0f * d1);
  const Vec<float> even_far = d4 - 0.5f * d2, odd_far = kFar * (d3 - 0.5f * d1);
  store(to, d0 - 2.5f * d2 + d4);
  store(to + stride, even_near + odd_near);
  store(to + 2 * stride, even_near - odd_near);
  store(to + 3 * stride, even_far + odd_far);
  store(to + 4 * stride, even_far - odd_far);
  store(to + 5 * stride, d1 - 2.5f * d3 + d5);
}

// The rows under a row of tiles; outside the picture: null, for zeros.
template <class T>
struct TileRows {
  const T* rows[kSpan];
  int64_t steps[kSpan];

  TileRows(const WinogradInput<T>& in, int64_t n, int64_t first, int64_t rows_above, int64_t height) {
    for (int i = 0; i < kSpan; ++i) {
      const int64_t y = first + i;
      steps[i] = 0;
      rows[i] = in.channels == 0 || y < 0 || y >= height ? nullptr : in.row(n, y, rows_above, steps + i);
    }
  }
  Vec<float> load_at(int i, int64_t x, int64_t c) const { return load(rows[i] + x * steps[i] + c); }
};

// The gradient before a LeakyReLU, which keeps the sign.
inline Vec<float> leaky_gradient(Vec<float> grad, Vec<float> activated, float slope) {
  return activated > Vec<float>{} ? grad : grad * slope;
}

// products[position][tile][channel] of `count` tiles from column `left` of the picture on, of x times the derivative of
// the LeakyReLU that gave `activated`, where that has rows.
template <class T>
void winograd_input(const TileRows<T>& x, const TileRows<T>& activated, float slope, int64_t channels, int64_t width,
                    int64_t left, int64_t count, float* to, int64_t tile_stride, int64_t position_stride) {
  constexpr int L = kLanes<float>;
  alignas(kVectorBytes) float points[kPositions * L];
  for (int64_t t = 0; t < count; ++t) {
    const int64_t first = left + t * kTile - 1;
    const bool inside = first >= 0 && first + kSpan <= width;
    for (int64_t c = 0; c < channels; c += L) {
      for (int j = 0; j < kSpan; ++j) {
        const int64_t column = first + j;
        Vec<float> d[kSpan] = {};
        for (int i = 0; i < kSpan && (inside || (column >= 0 && column < width)); ++i) {
          if (x.rows[i]) d[i] = x.load_at(i, column, c);
          if (activated.rows[i]) d[i] = leaky_gradient(d[i], activated.load_at(i, column, c), slope);
        }
        winograd_points(d[0], d[1], d[2], d[3], d[4], d[5], points + j * L, kSpan * L);
      }
      float* at = to + t * tile_stride + c;
      for (int i = 0; i < kSpan; ++i) {
        const float* p = points + i * kSpan * L;
        winograd_points(load(p), load(p + L), load(p + 2 * L), load(p + 3 * L), load(p + 4 * L), load(p + 5 * L),
                        at + i * kSpan * position_stride, position_stride);
      }
    }
  }
}
