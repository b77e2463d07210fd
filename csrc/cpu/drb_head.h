// CPU kernels of `drb_head`. T: features, U: image; double, float, or f16 and bf16 with an image of T or float.
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/drb_head.h"
#include "lfdeblur/dtypes.h"

namespace lfdeblur::cpu {

// Weights and biases in the sums' type: [k*k, F], [k*k], [C, R], [C], row-major.
template <class R>
struct DrbHeadWeights {
  const R *kernel, *kernel_bias, *residual, *residual_bias;
};

// Rows [begin, end) of the n * height output rows.
LFD_EACH_ISA(template <class T, class U> void drb_head(const T* kernel_features, const T* residual_features,
                                                       const U* image, const DrbHeadWeights<acc_t<T>>& weights, U* out,
                                                       const DrbHeadShape& shape, int64_t begin, int64_t end);)

// Gradients of a band of rows. Where several bands meet (weights, biases, the picture's rows around a band) each has a
// place of its own, to be added up in the bands' order: the result does not depend on the number of threads.
template <class R>
struct DrbHeadBand {
  R *kernel_weight, *kernel_bias, *residual_weight, *residual_bias;  // as in DrbHeadWeights, zero at first
  R* image;  // [rows + k - 1, C, width + k - 1], of the band's rows with k / 2 pixels around them, zero at first
};

// Null pointers are not wanted; kernel and residual features: [N, H, W, F] dense.
template <class T>
struct DrbHeadGrads {
  T *kernel_features, *residual_features;
  bool image;
};

// Rows [begin, end) of picture n.
LFD_EACH_ISA(template <class T, class U>
             void drb_head_backward(const U* grad, const T* kernel_features, const T* residual_features, const U* image,
                                    const DrbHeadWeights<acc_t<T>>& weights, const DrbHeadGrads<T>& grads,
                                    const DrbHeadBand<acc_t<T>>& band, const DrbHeadShape& shape, int64_t n,
                                    int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
