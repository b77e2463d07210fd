// CPU kernels of `refocus`, over a range of work units that write disjoint memory. Shapes and meaning of the tensors:
// lfdeblur/refocus.h. T: double, float, f16, bf16, uint8_t, uint16_t (gradients of the light field: floats only).
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/refocus.h"

namespace lfdeblur::cpu {

// Disparity [D]. Units: B * C planes, each in `tiles` bands of rows.
LFD_EACH_ISA(template <class T> void refocus_planes(const T* light_field, const acc_t<T>* disparity,
                                                    const acc_t<T>* aperture, out_t<T>* out, const RefocusShape& shape,
                                                    int64_t tiles, int64_t begin, int64_t end);)

// Mean and variance for disparity [D], aperture [A, V, U] and the borders `replicate` and `zeros`. Units: B * C * H
// rows.
LFD_EACH_ISA(template <class T> void refocus_moments(const T* light_field, const acc_t<T>* disparity,
                                                     const acc_t<T>* aperture, out_t<T>* out, const RefocusShape& shape,
                                                     int64_t begin, int64_t end);)

// Disparity [D, H, W] or [B, D, H, W]. Units: B * D * H rows.
LFD_UP_TO_AVX2(template <class T> void refocus_map(const T* light_field, const acc_t<T>* disparity,
                                                   const acc_t<T>* aperture, out_t<T>* out, const RefocusShape& shape,
                                                   int64_t begin, int64_t end);)

// Divides grad, in the output's shape, by the weight that counted, in place. Units: A * D planes.
LFD_UP_TO_AVX2(template <class R> void refocus_scale_gradient(R* grad, const R* disparity, const R* aperture,
                                                              const RefocusShape& shape, int64_t begin, int64_t end);)

// Disparity [D]; grad_light_field [B, V, U, C, H, W] contiguous. Units: B * V * C * H rows of all U views.
LFD_UP_TO_AVX2(template <class T> void refocus_grad_light_field(const acc_t<T>* grad, const acc_t<T>* disparity,
                                                                const acc_t<T>* aperture, T* grad_light_field,
                                                                const RefocusShape& shape, int64_t begin, int64_t end);)

// Disparity [D, H, W] or [B, D, H, W]. Units: B * V * U views.
LFD_UP_TO_AVX2(template <class T> void refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* disparity,
                                                                    const acc_t<T>* aperture, T* grad_light_field,
                                                                    const RefocusShape& shape, int64_t begin,
                                                                    int64_t end);)

// grad_disparity per pixel, [D, H, W] or [B, D, H, W], whatever the disparity's shape. Units: its rows.
LFD_UP_TO_AVX2(template <class T> void refocus_grad_disparity(const acc_t<T>* grad, const T* light_field,
                                                              const acc_t<T>* disparity, const acc_t<T>* aperture,
                                                              acc_t<T>* grad_disparity, const RefocusShape& shape,
                                                              int64_t begin, int64_t end);)

// grad_aperture [A, V, U]; out: the forward result, read for border `valid` only. Units: V * U views.
LFD_UP_TO_AVX2(template <class T> void refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out,
                                                             const T* light_field, const acc_t<T>* disparity,
                                                             acc_t<T>* grad_aperture, const RefocusShape& shape,
                                                             int64_t begin, int64_t end);)

// The same for all that is RefocusShape::general(), with disparities of every shape. grad_aperture in the aperture's
// shape.
LFD_UP_TO_AVX2(template <class T> void refocus_general(const T* light_field, const acc_t<T>* disparity,
                                                       const acc_t<T>* aperture, out_t<T>* out,
                                                       const RefocusShape& shape, int64_t begin, int64_t end);)
LFD_UP_TO_AVX2(template <class T> void refocus_general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out,
                                                                        const T* light_field, const acc_t<T>* disparity,
                                                                        const acc_t<T>* aperture, T* grad_light_field,
                                                                        const RefocusShape& shape, int64_t begin,
                                                                        int64_t end);)
LFD_UP_TO_AVX2(template <class T>
               void refocus_general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                                   const acc_t<T>* disparity, const acc_t<T>* aperture,
                                                   acc_t<T>* grad_disparity, const RefocusShape& shape, int64_t begin,
                                                   int64_t end);)
LFD_UP_TO_AVX2(template <class T> void refocus_general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out,
                                                                     const T* light_field, const acc_t<T>* disparity,
                                                                     acc_t<T>* grad_aperture, const RefocusShape& shape,
                                                                     int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
