// CPU kernel of `winograd_conv3x3`. T: float, f16 or bf16; sums in float.
#pragma once
#include <cstdint>

#include "cpu/each_isa.h"
#include "lfdeblur/dtypes.h"

namespace lfdeblur::cpu {

// Rows of one tensor, channels dense: `above` holds the first of them, `rows` the others.
template <class T>
struct WinogradInput {
  const T *above, *rows;
  int64_t channels;
  int64_t above_sn, above_sy, above_sx, sn, sy, sx;

  // Row y of picture n, whose pixels lie `step` apart; the first rows_above rows are those above.
  const T* row(int64_t n, int64_t y, int64_t rows_above, int64_t* step) const {
    *step = y < rows_above ? above_sx : sx;
    return y < rows_above ? above + n * above_sn + y * above_sy : rows + n * sn + (y - rows_above) * sy;
  }
};

// out: [N, height, width, outputs] dense. A residual without channels is none. `activated` (without channels: none) is
// the output of a LeakyReLU, whose derivative the first input is multiplied by.
template <class T>
struct WinogradCall {
  WinogradInput<T> inputs[2];
  int64_t rows_above, rows;  // that the inputs hold together
  int64_t n, height, width, outputs, pad_top;
  const float *weight, *bias;  // weight: [36, outputs / 16, channels, 16]; bias: null or [outputs]
  WinogradInput<T> residual;
  int64_t residual_rows_above;
  float slope;
  WinogradInput<T> activated;
  float activated_slope;
  T* out;

  int64_t channels() const { return inputs[0].channels + inputs[1].channels; }
};

// Tiles of 4 x 4 outputs are taken in runs along a row of tiles, `count` runs for each of the n * rows rows of tiles.
struct WinogradRuns {
  int64_t rows, count, tiles;  // tiles: of a run, at most
};
WinogradRuns winograd_runs(int64_t n, int64_t height, int64_t width, int64_t channels);

// Runs [begin, end) of n * rows * count.
LFD_EACH_ISA(template <class T> void winograd_conv3x3(const WinogradCall<T>& call, int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
