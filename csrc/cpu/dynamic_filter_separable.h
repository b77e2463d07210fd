// CPU kernels of `dynamic_filter_separable`, over a range of rows. T: double, float, f16, bf16. Shapes are separable,
// of stride and scale 1, and not normalised.
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur::cpu {

// Rows [begin, end) of the n * groups * height rows of the output.
LFD_EACH_ISA(template <class T> void dynamic_filter_separable(const T* x, const T* filters, T* out,
                                                              const FilterGeometry& shape, int64_t begin, int64_t end);)

// The filters' gradient. Rows as above.
LFD_EACH_ISA(template <class T> void dynamic_filter_separable_grad_filters(const T* grad, const T* x, const T* filters,
                                                                           T* grad_filters, const FilterGeometry& shape,
                                                                           int64_t begin, int64_t end);)

// Rows [begin, end) of the n * groups * x_height rows of the picture's gradient.
LFD_EACH_ISA(template <class T> void dynamic_filter_separable_grad_x(const T* grad, const T* filters, T* grad_x,
                                                                     const FilterGeometry& shape, int64_t begin,
                                                                     int64_t end);)

}  // namespace lfdeblur::cpu
