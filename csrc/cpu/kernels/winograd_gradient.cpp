// The loops of `winograd_weight` and `winograd_weight_gradient`: the transforms of winograd_points.h, transposed.
#include "cpu/winograd_gradient.h"

#include <algorithm>

#include "cpu/buffer.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/winograd_points.h"

constexpr double kNearScale = -1.5, kFarScale = 6;  // product of a point's differences to the other points

void winograd_weight(const WinogradWeights& call, int64_t begin, int64_t end) {
  // Neighbouring outputs and inputs lie so far apart.
  const int64_t of_output = 9 * (call.flipped ? 1 : call.inputs), of_input = 9 * (call.flipped ? call.outputs : 1);
  const int64_t position = call.outputs * call.inputs;
  const double scales[] = {1 / kNearScale, 1 / kFarScale}, points[] = {kNear, kFar};
  // In double: rounded once. From g0, g1, g2 the values at the six points, of 16 outputs.
  const auto transform = [&](const double (*g)[kPanel], int64_t step, double (*to)[kPanel], int64_t to_step) {
    for (int64_t l = 0; l < kPanel; ++l) {
      to[0][l] = g[0][l];
      to[5 * to_step][l] = g[2 * step][l];
      for (int i = 0; i < 2; ++i) {
        const double even = (g[0][l] + points[i] * points[i] * g[2 * step][l]) * scales[i];
        const double odd = points[i] * scales[i] * g[step][l];
        to[(1 + 2 * i) * to_step][l] = even + odd;
        to[(2 + 2 * i) * to_step][l] = even - odd;
      }
    }
  };
  for (int64_t unit = begin; unit < end; ++unit) {
    const float* from = call.weight + unit / call.inputs * kPanel * of_output + unit % call.inputs * of_input;
    double taps[9][kPanel], columns[3 * kSpan][kPanel], all[kPositions][kPanel];
    for (int64_t l = 0; l < kPanel; ++l)
      for (int k = 0; k < 9; ++k) taps[k][l] = from[l * of_output + (call.flipped ? 8 - k : k)];
    for (int j = 0; j < 3; ++j) transform(taps + j, 3, columns + j, 3);
    for (int i = 0; i < kSpan; ++i) transform(columns + 3 * i, 1, all + kSpan * i, 1);
    for (int p = 0; p < kPositions; ++p)
      for (int64_t l = 0; l < kPanel; ++l)
        call.packed[p * position + unit * kPanel + l] = static_cast<float>(all[p][l]);
  }
}

// to[0], to[stride], ... = the six points' values of four gradients: winograd_outputs, transposed.
inline void winograd_gradients(Vec<float> y0, Vec<float> y1, Vec<float> y2, Vec<float> y3, float* to, int64_t stride) {
  const Vec<float> even_near = y0 + 0.5f * y2, odd_near = kNear * (y1 + 0.5f * y3);
  const Vec<float> even_far = y0 + 2.0f * y2, odd_far = kFar * (y1 + 2.0f * y3);
  store(to, y0);
  store(to + stride, even_near + odd_near);
  store(to + 2 * stride, even_near - odd_near);
  store(to + 3 * stride, even_far + odd_far);
  store(to + 4 * stride, even_far - odd_far);
  store(to + 5 * stride, y3);
}

// The gradient of three weights from the sums at the six points.
inline void winograd_taps(const Vec<float>* m, int64_t step, Vec<float>* to, int64_t to_step) {
  constexpr float near = 1 / kNearScale, far = 1 / kFarScale;
  const Vec<float> even_near = near * (m[step] + m[2 * step]), odd_near = near * (m[step] - m[2 * step]);
  const Vec<float> even_far = far * (m[3 * step] + m[4 * step]), odd_far = far * (m[3 * step] - m[4 * step]);
  to[0] = m[0] + even_near + even_far;
  to[to_step] = kNear * odd_near + kFar * odd_far;
  to[2 * to_step] = 0.5f * even_near + 2.0f * even_far + m[5 * step];
}

constexpr int64_t kTilesAtOnce = 32;

// One unit's scratch memory.
struct WinogradGradientScratch {
  int64_t channels, outputs, in_stride, out_stride;
  float *in, *out, *sums, *bias;  // points of tiles at hand: [36][tiles, channels or outputs]; [36, channels, outputs]

  // The 16 more keep the points of a tile off one another's cache lines.
  WinogradGradientScratch(int64_t channels_, int64_t outputs_)
      : channels(channels_),
        outputs(outputs_),
        in_stride(kTilesAtOnce * channels + 16),
        out_stride(kTilesAtOnce * outputs + 16) {
    thread_local Buffer<float> memory;  // fresh memory for each call would cost more than the transforms
    memory.resize(std::max<size_t>(
        memory.size(), kPositions * (in_stride + out_stride + channels * outputs) + static_cast<size_t>(outputs)));
    in = memory.data(), out = in + kPositions * in_stride;
    sums = out + kPositions * out_stride, bias = sums + kPositions * channels * outputs;
  }
};

// Points of the gradients of `count` tiles from tile (row, column) of picture n on, outputs from `first` on.
inline void winograd_gradient_points(const WinogradGradientCall& call, int64_t n, int64_t row, int64_t column,
                                     int64_t count, int64_t first, const WinogradGradientScratch& scratch, float* to) {
  constexpr int L = kLanes<float>;
  const int64_t top = row * kTile, stride = scratch.out_stride;
  const TileRows<float> grad(call.grad, n, top, 0, call.height), activated(call.activated, n, top, 0, call.height);
  alignas(kVectorBytes) float points[kSpan * kTile * L];
  for (int64_t t = 0; t < count; ++t) {
    const int64_t left = (column + t) * kTile;
    for (int64_t o = 0; o < scratch.outputs; o += L) {
      Vec<float> sum = load(scratch.bias + o);
      for (int64_t j = 0; j < kTile; ++j) {
        Vec<float> y[kTile] = {};
        for (int i = 0; i < kTile && left + j < call.width; ++i) {
          if (grad.rows[i]) y[i] = grad.load_at(i, left + j, first + o);
          if (activated.rows[i]) y[i] = leaky_gradient(y[i], activated.load_at(i, left + j, first + o), call.slope);
        }
        sum += (y[0] + y[1]) + (y[2] + y[3]);
        winograd_gradients(y[0], y[1], y[2], y[3], points + j * L, kTile * L);
      }
      store(scratch.bias + o, sum);
      float* at = to + t * scratch.outputs + o;
      for (int i = 0; i < kSpan; ++i) {
        const float* p = points + i * kTile * L;
        winograd_gradients(load(p), load(p + L), load(p + 2 * L), load(p + 3 * L), at + i * kSpan * stride, stride);
      }
    }
  }
}

// Adds the products of `count` tiles to the sums.
inline void winograd_gradient_products(const WinogradGradientScratch& s, int64_t count) {
  for (int p = 0; p < kPositions; ++p)
    gemm(s.channels, s.outputs, count, s.in + p * s.in_stride, 1, s.channels, s.out + p * s.out_stride, s.outputs,
         s.sums + p * s.channels * s.outputs, s.outputs);
}

// to [outputs, channels, 3, 3]
inline void winograd_gradient_weights(const WinogradGradientScratch& s, float* to) {
  constexpr int L = kLanes<float>;
  for (int64_t c = 0; c < s.channels; ++c) {
    for (int64_t o = 0; o < s.outputs; o += L) {
      Vec<float> sums[kPositions], columns[3 * kSpan], taps[9];
      for (int p = 0; p < kPositions; ++p) sums[p] = load(s.sums + (p * s.channels + c) * s.outputs + o);
      for (int j = 0; j < kSpan; ++j) winograd_taps(sums + j, kSpan, columns + j, kSpan);
      for (int i = 0; i < 3; ++i) winograd_taps(columns + i * kSpan, 1, taps + i * 3, 1);
      for (int l = 0; l < L; ++l)
        for (int k = 0; k < 9; ++k) to[((o + l) * s.channels + c) * 9 + k] = taps[k][l];
    }
  }
}

void winograd_weight_gradient(const WinogradGradientCall& call, int64_t begin, int64_t end) {
  const int64_t channels = call.channels(), columns = call.tile_columns(), tiles = call.tiles();
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t part = unit / call.blocks(), first = unit % call.blocks() * call.block;
    const WinogradGradientScratch scratch(channels, std::min(call.block, call.outputs() - first));
    std::fill_n(scratch.sums, kPositions * channels * scratch.outputs + scratch.outputs, 0.0f);
    int64_t held = 0;
    const int64_t last = tiles * (part + 1) / call.parts;
    for (int64_t tile = tiles * part / call.parts; tile < last;) {
      const int64_t row = tile / columns, n = row / call.tile_rows(), y = row % call.tile_rows(), x = tile % columns;
      const int64_t count = std::min({last - tile, columns - x, kTilesAtOnce - held});
      int64_t before = 0;
      for (const WinogradInput<float>& in : call.inputs) {
        const TileRows<float> rows(in, n, y * kTile - 1, 0, call.height), none({}, 0, 0, 0, 0);
        winograd_input(rows, none, 1.0f, in.channels, call.width, x * kTile, count,
                       scratch.in + held * channels + before, channels, scratch.in_stride);
        before += in.channels;
      }
      winograd_gradient_points(call, n, y, x, count, first, scratch, scratch.out + held * scratch.outputs);
      tile += count, held += count;
      if (held < kTilesAtOnce && tile < last) continue;
      winograd_gradient_products(scratch, held);
      held = 0;
    }
    const int64_t at = part * call.outputs() + first;
    winograd_gradient_weights(scratch, call.weight + at * channels * 9);
    std::copy_n(scratch.bias, scratch.outputs, call.bias + at);
  }
}

#include "cpu/kernels/end.h"
