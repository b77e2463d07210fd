#include "cpu/dynamic_filter.h"

#include <algorithm>

namespace lfdeblur::cpu {

// A pixel's row of taps side by side is shorter than the widest vectors.
static Isa isa_for(const DynamicFilterShape& shape) { return shape.fx == 1 ? isa() : std::min(isa(), Isa::avx2); }

template <class T>
void dynamic_filter(const T* x, const T* filters, T* out, const DynamicFilterShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_ON(isa_for(shape), dynamic_filter(x, filters, out, shape, begin, end));
}

template <class T>
void dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x, T* grad_filters,
                             const DynamicFilterShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_ON(isa_for(shape), dynamic_filter_backward(grad, x, filters, grad_x, grad_filters, shape, begin, end));
}

#define INSTANTIATE(T)                                                                                            \
  template void dynamic_filter(const T*, const T*, T*, const DynamicFilterShape&, int64_t, int64_t);              \
  template void dynamic_filter_backward(const T*, const T*, const T*, T*, T*, const DynamicFilterShape&, int64_t, \
                                        int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cpu
