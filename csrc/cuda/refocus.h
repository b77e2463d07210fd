// Launchers of the CUDA kernels of `refocus`. T: double, float, f16, bf16, uint8_t, uint16_t.
#pragma once
#include "cuda/launch.h"
#include "lfdeblur/refocus.h"

namespace lfdeblur::cuda {

template <class T>
cudaError_t refocus(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                    const RefocusShape& shape, cudaStream_t stream);

inline constexpr float kKeys = -0.5f;  // his own coefficient of the bicubic kernel

// The same for many planes, with kKeys (another would take a register too many); not for disparity maps, float64, the
// borders `valid` and `zeros`, nor for what is general().
template <class T>
cudaError_t refocus_stack(const T* light_field, const float* disparity, const float* aperture, out_t<T>* out,
                          const RefocusShape& shape, cudaStream_t stream);

// The backward kernels take the gradient of the weighted sum, in the output's shape and R = float or double. Where the
// sum is divided it is the output's gradient over the weight that counted, which this computes in place.
template <class R>
cudaError_t refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& shape,
                                   cudaStream_t stream);

// [B, V, U, C, H, W] contiguous. Gather, every element written once; not for disparity maps, nor for what is general().
template <class T>
cudaError_t refocus_grad_light_field(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                                     T* grad_light_field, const RefocusShape& shape, cudaStream_t stream);

// The same for all: atomic adds into a zeroed buffer, in no fixed order. out: the forward result in acc_t<T>, read,
// here and below, where the sum is divided.
template <class T>
cudaError_t refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                         const acc_t<T>* disparity, const acc_t<T>* aperture,
                                         acc_t<T>* grad_light_field, const RefocusShape& shape, cudaStream_t stream);

// Per pixel, [D, H, W] or [B, D, H, W], summed over the rest; for disparity [D] the caller sums it over the pixels.
template <class T>
cudaError_t refocus_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                   const acc_t<T>* disparity, const acc_t<T>* aperture, acc_t<T>* grad_disparity,
                                   const RefocusShape& shape, cudaStream_t stream);

// Partial sums [parts, A, V, U], which the caller sums over parts; parts = refocus_grad_aperture_parts(shape).
int64_t refocus_grad_aperture_parts(const RefocusShape& shape);
template <class T>
cudaError_t refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                  const acc_t<T>* disparity, acc_t<T>* partial, const RefocusShape& shape,
                                  cudaStream_t stream);

// The same for weights per pixel, in the aperture's shape.
template <class T>
cudaError_t refocus_grad_pixel_weights(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                       const acc_t<T>* disparity, acc_t<T>* grad_aperture, const RefocusShape& shape,
                                       cudaStream_t stream);

}  // namespace lfdeblur::cuda
