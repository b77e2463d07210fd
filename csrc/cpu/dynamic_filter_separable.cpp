#include "cpu/dynamic_filter_separable.h"

namespace lfdeblur::cpu {

template <class T>
void dynamic_filter_separable(const T* x, const T* filters, T* out, const FilterGeometry& shape, int64_t begin,
                              int64_t end) {
  LFD_RUN_BEST(dynamic_filter_separable(x, filters, out, shape, begin, end));
}

template <class T>
void dynamic_filter_separable_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                           const FilterGeometry& shape, int64_t begin, int64_t end) {
  LFD_RUN_BEST(dynamic_filter_separable_grad_filters(grad, x, filters, grad_filters, shape, begin, end));
}

template <class T>
void dynamic_filter_separable_grad_x(const T* grad, const T* filters, T* grad_x, const FilterGeometry& shape,
                                     int64_t begin, int64_t end) {
  LFD_RUN_BEST(dynamic_filter_separable_grad_x(grad, filters, grad_x, shape, begin, end));
}

#define INSTANTIATE(T)                                                                                         \
  template void dynamic_filter_separable(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);     \
  template void dynamic_filter_separable_grad_filters(const T*, const T*, const T*, T*, const FilterGeometry&, \
                                                      int64_t, int64_t);                                       \
  template void dynamic_filter_separable_grad_x(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cpu
