// CPU kernels of `dynamic_filter`, over a range of rows. T: double, float, f16, bf16.
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/dtypes.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur::cpu {

// Filters that are planar, or have a pixel's taps side by side where neighbouring taps see neighbouring pixels.
inline bool taps_side_by_side(const FilterGeometry& s) {
  const bool unit = s.dilation_x == 1 && s.stride_x == 1 && s.scale == 1;
  return s.filters.x != 1 && s.filters.t == 1 && unit && s.normalize == Normalize::none;
}
inline bool read_in_place(const FilterGeometry& s) {
  return (s.filters.x == 1 && s.normalize == Normalize::none) || taps_side_by_side(s);
}

// Rows [begin, end) of the n * groups * (scale * height) output rows.
LFD_EACH_ISA(template <class T> void dynamic_filter(const T* x, const T* filters, T* out, const FilterGeometry& shape,
                                                    int64_t begin, int64_t end);)

// What normalised filters are weighed by: shift and factor, of each output, contiguous. Rows as above.
LFD_EACH_ISA(template <class T> void dynamic_filter_measure(const T* filters, acc_t<T>* shift, acc_t<T>* factor,
                                                            const FilterGeometry& shape, int64_t begin, int64_t end);)

// The filters' gradient, and unless they are null shift and factor. Rows as above.
LFD_EACH_ISA(template <class T> void dynamic_filter_grad_filters(const T* grad, const T* x, const T* filters,
                                                                 T* grad_filters, acc_t<T>* shift, acc_t<T>* factor,
                                                                 const FilterGeometry& shape, int64_t begin,
                                                                 int64_t end);)

// Rows [begin, end) of the n * groups * x_height rows of the picture's gradient. shift, factor: as measured; null where
// nothing is normalised.
LFD_EACH_ISA(template <class T> void dynamic_filter_grad_x(const T* grad, const T* filters, const acc_t<T>* shift,
                                                           const acc_t<T>* factor, T* grad_x,
                                                           const FilterGeometry& shape, int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
