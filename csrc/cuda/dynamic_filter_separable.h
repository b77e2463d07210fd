// Launchers of the CUDA kernels of `dynamic_filter_separable`. T: double, float, f16, bf16. Shapes are separable, of
// stride and scale 1, and not normalised.
#pragma once
#include "cuda/launch.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur::cuda {

template <class T>
cudaError_t dynamic_filter_separable(const T* x, const T* filters, T* out, const FilterGeometry& shape,
                                     cudaStream_t stream);

template <class T>
cudaError_t dynamic_filter_separable_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                                  const FilterGeometry& shape, cudaStream_t stream);

// Deterministic.
template <class T>
cudaError_t dynamic_filter_separable_grad_x(const T* grad, const T* filters, T* grad_x, const FilterGeometry& shape,
                                            cudaStream_t stream);

}  // namespace lfdeblur::cuda
