// The launchers behind a C interface, for ctypes. dtype: a tag of `with_type`; shapes: the structs' fields as int64.
#include <initializer_list>

#include "cuda/dynamic_filter.h"
#include "cuda/dynamic_filter_general.h"
#include "cuda/dynamic_filter_separable.h"
#include "cuda/refocus.h"

namespace {

using namespace lfdeblur;

template <class T>
struct Tag {
  using type = T;
};

template <bool Integers, class F>
int with_type(int dtype, const F& f) {
  if (dtype == 0) return f(Tag<double>{});
  if (dtype == 1) return f(Tag<float>{});
  if (dtype == 2) return f(Tag<f16>{});
  if (dtype == 3) return f(Tag<bf16>{});
  if constexpr (Integers) {
    if (dtype == 4) return f(Tag<uint8_t>{});
    if (dtype == 5) return f(Tag<uint16_t>{});
  }
  return -1;
}

template <class T>
const T* in(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
T* to(void* p) {
  return static_cast<T*>(p);
}

DynamicFilterShape filter_shape(const int64_t* f) {
  return {f[0], f[1], f[2], f[3], f[4], static_cast<int>(f[5]), f[6] != 0, f[7], f[8], f[9], f[10], f[11]};
}
FilterGeometry filter_geometry(const int64_t* f) {
  FilterGeometry s{};
  for (int64_t* to : {&s.n, &s.groups, &s.channels, &s.x_height, &s.x_width, &s.height, &s.width}) *to = *f++;
  for (int* to : {&s.kernel_height, &s.kernel_width}) *to = static_cast<int>(*f++);
  for (int64_t* to : {&s.dilation_y, &s.dilation_x, &s.stride_y, &s.stride_x, &s.scale}) *to = *f++;
  s.fine = *f++ != 0;
  s.border = static_cast<Border>(*f++);
  s.normalize = static_cast<Normalize>(*f++);
  s.separable = *f++ != 0;
  for (PictureStrides* to : {&s.x, &s.out}) {
    *to = {f[0], f[1], f[2], f[3], f[4]};
    f += 5;
  }
  for (FilterStrides* to : {&s.filters, &s.grad_filters}) {
    *to = {f[0], f[1], f[2], f[3], f[4], f[5]};
    f += 6;
  }
  return s;
}
RefocusShape refocus_shape(const int64_t* f) {
  const RefocusViews views{f[0],       f[1],      f[2], f[3],  f[4],  f[5],  f[6],
                           f[7],       f[8],      f[9], f[10], f[11], f[12], static_cast<Interpolation>(f[13]),
                           f[14] != 0, f[15] != 0};
  return {views, f[16] != 0, f[17], f[18], f[19] != 0, f[20] != 0, static_cast<Reduce>(f[21]), f[22] * 0.01f};
}

}  // namespace

extern "C" {

int dynamic_filter(int dtype, const int64_t* shape, const void* x, const void* filters, void* out) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter(in<T>(x), in<T>(filters), to<T>(out), filter_shape(shape), nullptr);
  });
}

int dynamic_filter_backward(int dtype, const int64_t* shape, const void* grad, const void* x, const void* filters,
                            void* grad_x, void* grad_filters) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_backward(in<T>(grad), in<T>(x), in<T>(filters), to<T>(grad_x), to<T>(grad_filters),
                                         filter_shape(shape), nullptr);
  });
}

int dynamic_filter_general(int dtype, const int64_t* geometry, const void* x, const void* filters, void* out) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_general(in<T>(x), in<T>(filters), to<T>(out), filter_geometry(geometry), nullptr);
  });
}

int dynamic_filter_general_measure(int dtype, const int64_t* geometry, const void* filters, void* shift, void* factor) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::dynamic_filter_general_measure(in<T>(filters), to<R>(shift), to<R>(factor), filter_geometry(geometry),
                                                nullptr);
  });
}

int dynamic_filter_general_grad_filters(int dtype, const int64_t* geometry, const void* grad, const void* x,
                                        const void* filters, void* grad_filters) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_general_grad_filters(in<T>(grad), in<T>(x), in<T>(filters), to<T>(grad_filters),
                                                     filter_geometry(geometry), nullptr);
  });
}

int dynamic_filter_general_grad_x(int dtype, const int64_t* geometry, const void* grad, const void* filters,
                                  const void* shift, const void* factor, void* grad_x) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::dynamic_filter_general_grad_x(in<T>(grad), in<T>(filters), in<R>(shift), in<R>(factor), to<T>(grad_x),
                                               filter_geometry(geometry), nullptr);
  });
}

int dynamic_filter_separable(int dtype, const int64_t* geometry, const void* x, const void* filters, void* out) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_separable(in<T>(x), in<T>(filters), to<T>(out), filter_geometry(geometry), nullptr);
  });
}

int dynamic_filter_separable_grad_filters(int dtype, const int64_t* geometry, const void* grad, const void* x,
                                          const void* filters, void* grad_filters) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_separable_grad_filters(in<T>(grad), in<T>(x), in<T>(filters), to<T>(grad_filters),
                                                       filter_geometry(geometry), nullptr);
  });
}

int dynamic_filter_separable_grad_x(int dtype, const int64_t* geometry, const void* grad, const void* filters,
                                    void* grad_x) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return cuda::dynamic_filter_separable_grad_x(in<T>(grad), in<T>(filters), to<T>(grad_x), filter_geometry(geometry),
                                                 nullptr);
  });
}

int refocus(int dtype, const int64_t* shape, const void* light_field, const void* disparity, const void* aperture,
            void* out) {
  return with_type<true>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus(in<T>(light_field), in<R>(disparity), in<R>(aperture), to<out_t<T>>(out), refocus_shape(shape),
                         nullptr);
  });
}

int refocus_scale_gradient(int dtype, const int64_t* shape, void* grad, const void* disparity, const void* aperture) {
  return with_type<true>(dtype, [&](auto tag) {
    using R = acc_t<typename decltype(tag)::type>;
    return cuda::refocus_scale_gradient(to<R>(grad), in<R>(disparity), in<R>(aperture), refocus_shape(shape), nullptr);
  });
}

int refocus_grad_light_field(int dtype, const int64_t* shape, const void* grad, const void* disparity,
                             const void* aperture, void* grad_light_field) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus_grad_light_field(in<R>(grad), in<R>(disparity), in<R>(aperture), to<T>(grad_light_field),
                                          refocus_shape(shape), nullptr);
  });
}

int refocus_grad_light_field_map(int dtype, const int64_t* shape, const void* grad, const void* out,
                                 const void* light_field, const void* disparity, const void* aperture,
                                 void* grad_light_field) {
  return with_type<false>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus_grad_light_field_map(in<R>(grad), in<R>(out), in<T>(light_field), in<R>(disparity),
                                              in<R>(aperture), to<R>(grad_light_field), refocus_shape(shape), nullptr);
  });
}

int refocus_grad_disparity(int dtype, const int64_t* shape, const void* grad, const void* out, const void* light_field,
                           const void* disparity, const void* aperture, void* grad_disparity) {
  return with_type<true>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus_grad_disparity(in<R>(grad), in<R>(out), in<T>(light_field), in<R>(disparity), in<R>(aperture),
                                        to<R>(grad_disparity), refocus_shape(shape), nullptr);
  });
}

int refocus_grad_pixel_weights(int dtype, const int64_t* shape, const void* grad, const void* out,
                               const void* light_field, const void* disparity, void* grad_aperture) {
  return with_type<true>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus_grad_pixel_weights(in<R>(grad), in<R>(out), in<T>(light_field), in<R>(disparity),
                                            to<R>(grad_aperture), refocus_shape(shape), nullptr);
  });
}

int64_t refocus_grad_aperture_parts(const int64_t* shape) {
  return cuda::refocus_grad_aperture_parts(refocus_shape(shape));
}

int refocus_grad_aperture(int dtype, const int64_t* shape, const void* grad, const void* out, const void* light_field,
                          const void* disparity, void* partial) {
  return with_type<true>(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = acc_t<T>;
    return cuda::refocus_grad_aperture(in<R>(grad), in<R>(out), in<T>(light_field), in<R>(disparity), to<R>(partial),
                                       refocus_shape(shape), nullptr);
  });
}

}  // extern "C"
