// Launchers of the CUDA kernels of `dynamic_filter` that serve every geometry. T: double, float, f16, bf16.
#pragma once
#include "cuda/launch.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur::cuda {

template <class T>
cudaError_t dynamic_filter_general(const T* x, const T* filters, T* out, const FilterGeometry& shape,
                                   cudaStream_t stream);

// What normalised filters are weighed by: shift and factor of each output, [n, groups, output rows, output columns].
template <class T>
cudaError_t dynamic_filter_general_measure(const T* filters, acc_t<T>* shift, acc_t<T>* factor,
                                           const FilterGeometry& shape, cudaStream_t stream);

template <class T>
cudaError_t dynamic_filter_general_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                                const FilterGeometry& shape, cudaStream_t stream);

// shift, factor: as measured; null where nothing is normalised. Deterministic.
template <class T>
cudaError_t dynamic_filter_general_grad_x(const T* grad, const T* filters, const acc_t<T>* shift,
                                          const acc_t<T>* factor, T* grad_x, const FilterGeometry& shape,
                                          cudaStream_t stream);

}  // namespace lfdeblur::cuda
