// CPU kernels of `winograd_weight` and `winograd_weight_gradient`; float throughout.
#pragma once
#include "cpu/each_isa.h"
#include "cpu/winograd.h"

namespace lfdeblur::cpu {

// Weights [O, C, 3, 3] to [36, outputs / 16, inputs, 16]; flipped: of the convolution that is the gradient of the
// input, from O inputs to C outputs. Units [begin, end) of outputs / 16 * inputs.
struct WinogradWeights {
  const float* weight;
  int64_t outputs, inputs;
  bool flipped;
  float* packed;
};
LFD_EACH_ISA(void winograd_weight(const WinogradWeights& call, int64_t begin, int64_t end);)

// The tiles of 4 x 4 outputs are shared out among `parts`, whose gradients are summed afterwards, and each part's
// outputs among blocks: a unit's sums at the 36 points stay in the caches.
struct WinogradGradientCall {
  WinogradInput<float> inputs[2], grad, activated;  // activated without channels: no activation
  float slope;
  int64_t n, height, width, parts, block;
  float *weight, *bias;  // of each part: [parts, outputs, inputs, 3, 3], [parts, outputs]

  int64_t channels() const { return inputs[0].channels + inputs[1].channels; }
  int64_t outputs() const { return grad.channels; }
  int64_t blocks() const { return (outputs() + block - 1) / block; }
  int64_t tile_rows() const { return (height + 3) / 4; }
  int64_t tile_columns() const { return (width + 3) / 4; }
  int64_t tiles() const { return n * tile_rows() * tile_columns(); }
};

// Units [begin, end) of parts * blocks.
LFD_EACH_ISA(void winograd_weight_gradient(const WinogradGradientCall& call, int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
