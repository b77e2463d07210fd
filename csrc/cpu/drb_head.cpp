#include "cpu/drb_head.h"

namespace lfdeblur::cpu {

template <class T, class U>
void drb_head(const T* kernel_features, const T* residual_features, const U* image,
              const DrbHeadWeights<acc_t<T>>& weights, U* out, const DrbHeadShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_BEST(drb_head(kernel_features, residual_features, image, weights, out, shape, begin, end));
}

template <class T, class U>
void drb_head_backward(const U* grad, const T* kernel_features, const T* residual_features, const U* image,
                       const DrbHeadWeights<acc_t<T>>& weights, const DrbHeadGrads<T>& grads,
                       const DrbHeadBand<acc_t<T>>& band, const DrbHeadShape& shape, int64_t n, int64_t begin,
                       int64_t end) {
  LFD_RUN_BEST(
      drb_head_backward(grad, kernel_features, residual_features, image, weights, grads, band, shape, n, begin, end));
}

#define INSTANTIATE(T, U)                                                                                             \
  template void drb_head(const T*, const T*, const U*, const DrbHeadWeights<acc_t<T>>&, U*, const DrbHeadShape&,      \
                         int64_t, int64_t);                                                                           \
  template void drb_head_backward(const U*, const T*, const T*, const U*, const DrbHeadWeights<acc_t<T>>&,            \
                                  const DrbHeadGrads<T>&, const DrbHeadBand<acc_t<T>>&, const DrbHeadShape&, int64_t, \
                                  int64_t, int64_t);
INSTANTIATE(double, double)
INSTANTIATE(float, float)
INSTANTIATE(f16, f16)
INSTANTIATE(f16, float)
INSTANTIATE(bf16, bf16)
INSTANTIATE(bf16, float)

}  // namespace lfdeblur::cpu
