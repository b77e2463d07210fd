#include "cpu/refocus.h"

#include <algorithm>

namespace lfdeblur::cpu {

// Where each sample is read by itself, or each row once, AVX-512's vectors lie across too many cache lines to pay.
template <class T>
void refocus_planes(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                    const RefocusShape& shape, int64_t tiles, int64_t begin, int64_t end) {
  LFD_RUN_ON(shape.a * shape.d > 1 ? isa() : std::min(isa(), Isa::avx2),
             refocus_planes(light_field, disparity, aperture, out, shape, tiles, begin, end));
}

template <class T>
void refocus_moments(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                     const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_BEST(refocus_moments(light_field, disparity, aperture, out, shape, begin, end));
}

template <class T>
void refocus_map(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                 const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_map(light_field, disparity, aperture, out, shape, begin, end));
}

template <class R>
void refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& shape, int64_t begin,
                            int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_scale_gradient(grad, disparity, aperture, shape, begin, end));
}

template <class T>
void refocus_grad_light_field(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                              T* grad_light_field, const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_grad_light_field(grad, disparity, aperture, grad_light_field, shape, begin, end));
}

template <class T>
void refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                                  T* grad_light_field, const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_grad_light_field_map(grad, disparity, aperture, grad_light_field, shape, begin, end));
}

template <class T>
void refocus_grad_disparity(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                            const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& shape,
                            int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_grad_disparity(grad, light_field, disparity, aperture, grad_disparity, shape, begin, end));
}

template <class T>
void refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_grad_aperture(grad, out, light_field, disparity, grad_aperture, shape, begin, end));
}

template <class T>
void refocus_general(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                     const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_general(light_field, disparity, aperture, out, shape, begin, end));
}

template <class T>
void refocus_general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                      const acc_t<T>* disparity, const acc_t<T>* aperture, T* grad_light_field,
                                      const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(refocus_general_grad_light_field(grad, out, light_field, disparity, aperture, grad_light_field,
                                                      shape, begin, end));
}

template <class T>
void refocus_general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                    const acc_t<T>* disparity, const acc_t<T>* aperture, acc_t<T>* grad_disparity,
                                    const RefocusShape& shape, int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(
      refocus_general_grad_disparity(grad, out, light_field, disparity, aperture, grad_disparity, shape, begin, end));
}

template <class T>
void refocus_general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                   const acc_t<T>* disparity, acc_t<T>* grad_aperture, const RefocusShape& shape,
                                   int64_t begin, int64_t end) {
  LFD_RUN_UP_TO_AVX2(
      refocus_general_grad_aperture(grad, out, light_field, disparity, grad_aperture, shape, begin, end));
}

#define INSTANTIATE_VIEW(T)                                                                                           \
  template void refocus_planes(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t,   \
                               int64_t, int64_t);                                                                     \
  template void refocus_moments(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t,  \
                                int64_t);                                                                             \
  template void refocus_map(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t,      \
                            int64_t);                                                                                 \
  template void refocus_grad_disparity(const acc_t<T>*, const T*, const acc_t<T>*, const acc_t<T>*, acc_t<T>*,        \
                                       const RefocusShape&, int64_t, int64_t);                                        \
  template void refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*,         \
                                      const RefocusShape&, int64_t, int64_t);                                         \
  template void refocus_general(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t,  \
                                int64_t);                                                                             \
  template void refocus_general_grad_disparity(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*,           \
                                               const acc_t<T>*, acc_t<T>*, const RefocusShape&, int64_t, int64_t);    \
  template void refocus_general_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*, \
                                              const RefocusShape&, int64_t, int64_t);
#define INSTANTIATE_FLOAT(T)                                                                                         \
  INSTANTIATE_VIEW(T)                                                                                                \
  template void refocus_grad_light_field(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*, const RefocusShape&, \
                                         int64_t, int64_t);                                                          \
  template void refocus_grad_light_field_map(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*,                  \
                                             const RefocusShape&, int64_t, int64_t);                                 \
  template void refocus_general_grad_light_field(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*,        \
                                                 const acc_t<T>*, T*, const RefocusShape&, int64_t, int64_t);
INSTANTIATE_FLOAT(double)
INSTANTIATE_FLOAT(float)
INSTANTIATE_FLOAT(f16)
INSTANTIATE_FLOAT(bf16)
INSTANTIATE_VIEW(uint8_t)
INSTANTIATE_VIEW(uint16_t)
template void refocus_scale_gradient(double*, const double*, const double*, const RefocusShape&, int64_t, int64_t);
template void refocus_scale_gradient(float*, const float*, const float*, const RefocusShape&, int64_t, int64_t);

}  // namespace lfdeblur::cpu
