// CPU kernels of `dynamic_filter`, over a range of rows. T: double, float, f16, bf16.
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/dtypes.h"
#include "lfdeblur/dynamic_filter.h"

namespace lfdeblur::cpu {

// The filters lie planar (fx = 1) or with a pixel's taps side by side (ft = 1, channels last).
// Rows [begin, end) of the n * groups * height output rows.
LFD_EACH_ISA(template <class T> void dynamic_filter(const T* x, const T* filters, T* out,
                                                    const DynamicFilterShape& shape, int64_t begin, int64_t end);)

// Rows [begin, end) of grad_x, and the taps of grad_filters that read these rows: ranges write disjoint memory. A
// gradient that is not wanted is a null pointer. grad_filters has the strides of filters.
LFD_EACH_ISA(template <class T> void dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x,
                                                             T* grad_filters, const DynamicFilterShape& shape,
                                                             int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
