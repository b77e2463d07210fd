#include "cpu/dynamic_filter.h"

#include <algorithm>

namespace lfdeblur::cpu {

// A pixel's row of taps side by side is shorter than the widest vectors.
static Isa isa_for(const FilterGeometry& shape) {
  return taps_side_by_side(shape) ? std::min(isa(), Isa::avx2) : isa();
}

template <class T>
void dynamic_filter(const T* x, const T* filters, T* out, const FilterGeometry& shape, int64_t begin, int64_t end) {
  LFD_RUN_ON(isa_for(shape), dynamic_filter(x, filters, out, shape, begin, end));
}

template <class T>
void dynamic_filter_measure(const T* filters, acc_t<T>* shift, acc_t<T>* factor, const FilterGeometry& shape,
                            int64_t begin, int64_t end) {
  LFD_RUN_BEST(dynamic_filter_measure(filters, shift, factor, shape, begin, end));
}

template <class T>
void dynamic_filter_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters, acc_t<T>* shift,
                                 acc_t<T>* factor, const FilterGeometry& shape, int64_t begin, int64_t end) {
  LFD_RUN_ON(isa_for(shape),
             dynamic_filter_grad_filters(grad, x, filters, grad_filters, shift, factor, shape, begin, end));
}

template <class T>
void dynamic_filter_grad_x(const T* grad, const T* filters, const acc_t<T>* shift, const acc_t<T>* factor, T* grad_x,
                           const FilterGeometry& shape, int64_t begin, int64_t end) {
  LFD_RUN_ON(isa_for(shape), dynamic_filter_grad_x(grad, filters, shift, factor, grad_x, shape, begin, end));
}

#define INSTANTIATE(T)                                                                                                 \
  template void dynamic_filter(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);                       \
  template void dynamic_filter_measure(const T*, acc_t<T>*, acc_t<T>*, const FilterGeometry&, int64_t, int64_t);       \
  template void dynamic_filter_grad_filters(const T*, const T*, const T*, T*, acc_t<T>*, acc_t<T>*,                    \
                                            const FilterGeometry&, int64_t, int64_t);                                  \
  template void dynamic_filter_grad_x(const T*, const T*, const acc_t<T>*, const acc_t<T>*, T*, const FilterGeometry&, \
                                      int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cpu
