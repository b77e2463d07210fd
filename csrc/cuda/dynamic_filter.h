// Launchers of the CUDA kernels of `dynamic_filter`. T: double, float, f16, bf16.
#pragma once
#include "cuda/launch.h"
#include "lfdeblur/dtypes.h"
#include "lfdeblur/dynamic_filter.h"

namespace lfdeblur::cuda {

template <class T>
cudaError_t dynamic_filter(const T* x, const T* filters, T* out, const DynamicFilterShape& shape, cudaStream_t stream);

// A gradient that is not wanted is a null pointer. grad_filters has the strides of filters. Deterministic.
template <class T>
cudaError_t dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x, T* grad_filters,
                                    const DynamicFilterShape& shape, cudaStream_t stream);

}  // namespace lfdeblur::cuda
