// The loops of `winograd_conv3x3`.
#include "cpu/winograd.h"

#include <algorithm>

#include "cpu/buffer.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/winograd_points.h"

constexpr int64_t kOutputsAtOnce = 64;  // whose products are held

// c [rows, outputs] = a [rows, depth] * weights that lie as [outputs / kPanel, depth, kPanel].
inline void gemm_panels(int64_t rows, int64_t outputs, int64_t depth, const float* a, int64_t a_m, int64_t a_k,
                        const float* panels, float* c, int64_t c_m) {
  constexpr int L = kLanes<float>;
  int64_t o = 0;
  if constexpr (L == kPanel)
    for (; o + 2 * L <= outputs; o += 2 * L)
      gemm_rows<float, 2, false>(rows, depth, a, a_m, a_k, panels + o * depth, kPanel, c + o, c_m, depth * kPanel);
  for (; o < outputs; o += kPanel)
    gemm_rows<float, kPanel / L, false>(rows, depth, a, a_m, a_k, panels + o * depth, kPanel, c + o, c_m);
}

// The four outputs of the six points' products.
inline void winograd_outputs(Vec<float> m0, Vec<float> m1, Vec<float> m2, Vec<float> m3, Vec<float> m4, Vec<float> m5,
                             Vec<float>* to) {
  const Vec<float> even_near = m1 + m2, odd_near = m1 - m2, even_far = m3 + m4, odd_far = m3 - m4;
  to[0] = m0 + even_near + even_far;
  to[1] = kNear * odd_near + kFar * odd_far;
  to[2] = 0.5f * even_near + 2.0f * even_far;
  to[3] = 0.5f * kNear * odd_near + 2.0f * kFar * odd_far + m5;
}

// Outputs o .. o + kLanes of `count` tiles from pixel (top, left) of picture n on.
template <class T>
void winograd_output(const WinogradCall<T>& call, int64_t n, int64_t top, int64_t left, int64_t count, int64_t o,
                     const float* products, int64_t tile_stride, int64_t position_stride) {
  const Vec<float> bias = call.bias ? load(call.bias + o) : Vec<float>{};
  const int64_t height = std::min<int64_t>(kTile, call.height - top);
  for (int64_t t = 0; t < count; ++t, left += kTile) {
    const int64_t width = std::min<int64_t>(kTile, call.width - left);
    const float* at = products + t * tile_stride;
    Vec<float> columns[kSpan][kTile], out[kTile][kTile];
    for (int j = 0; j < kSpan; ++j) {
      const float* p = at + j * position_stride;
      const int64_t row = kSpan * position_stride;
      winograd_outputs(load(p), load(p + row), load(p + 2 * row), load(p + 3 * row), load(p + 4 * row),
                       load(p + 5 * row), columns[j]);
    }
    for (int i = 0; i < kTile; ++i)
      winograd_outputs(columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i], columns[5][i],
                       out[i]);
    for (int64_t i = 0; i < height; ++i) {
      T* to = call.out + (((n * call.height + top + i) * call.width) + left) * call.outputs + o;
      int64_t step = 0;
      const T* add = call.residual.channels ? call.residual.row(n, top + i, call.residual_rows_above, &step) : nullptr;
      for (int64_t j = 0; j < width; ++j) {
        __builtin_prefetch(to + (kTile + j) * call.outputs, 1);  // of the next tile
        Vec<float> v = out[i][j] + bias;
        v = v > Vec<float>{} ? v : v * call.slope;
        if (add) v += load(add + (left + j) * step + o);
        store(to + j * call.outputs, v);
      }
    }
  }
}

template <class T>
void winograd_conv3x3(const WinogradCall<T>& call, int64_t begin, int64_t end) {
  const int64_t channels = call.channels();
  const WinogradRuns runs = winograd_runs(call.n, call.height, call.width, channels);
  const int64_t width = std::min(kOutputsAtOnce, call.outputs);
  // The 16 more keep the 36 positions of a tile off one another's cache lines.
  const int64_t in_stride = runs.tiles * channels + 16, out_stride = runs.tiles * width + 16;
  thread_local Buffer<float> scratch;  // fresh memory for each call would cost more than the transforms
  scratch.resize(std::max<size_t>(scratch.size(), kPositions * (in_stride + out_stride)));
  float *inputs = scratch.data(), *products = inputs + kPositions * in_stride;
  for (int64_t run = begin; run < end; ++run) {
    const int64_t row = run / runs.count, tile_rows = runs.rows / call.n, n = row / tile_rows;
    const int64_t top = row % tile_rows * kTile, first = run % runs.count * runs.tiles;
    const int64_t count = std::min(runs.tiles, (call.width + kTile - 1) / kTile - first);
    if (count <= 0) continue;
    const auto rows_of = [&](const WinogradInput<T>& in) {
      return TileRows<T>(in, n, top - call.pad_top, call.rows_above, call.rows);
    };
    int64_t before = 0;
    for (const WinogradInput<T>& in : call.inputs) {
      const WinogradInput<T> none{};
      winograd_input(rows_of(in), rows_of(before == 0 ? call.activated : none), call.activated_slope, in.channels,
                     call.width, first * kTile, count, inputs + before, channels, in_stride);
      before += in.channels;
    }
    for (int64_t o = 0; o < call.outputs; o += width) {
      const int64_t outputs = std::min(width, call.outputs - o);
      for (int p = 0; p < kPositions; ++p)
        gemm_panels(count, outputs, channels, inputs + p * in_stride, channels, 1,
                    call.weight + (p * call.outputs + o) * channels, products + p * out_stride, width);
      for (int64_t i = 0; i < outputs; i += kLanes<float>)
        winograd_output(call, n, top, first * kTile, count, o + i, products + i, width, out_stride);
    }
  }
}

#define INSTANTIATE(T) template void winograd_conv3x3(const WinogradCall<T>&, int64_t, int64_t);
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
