// torch glue of `refocus`: schema, checks and allocation for every device, and how each runs its kernels.
#include "cpu/refocus.h"

#include <torch/csrc/stable/library.h>

#include "common/device.h"
#include "common/dispatch.h"
#include "common/huge_pages.h"
#if defined(LFD_CUDA)
#include "cuda/refocus.h"
#endif

namespace lfdeblur {
namespace {

using torch::stable::contiguous;
using torch::stable::new_empty;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;

bool is_floating(ScalarType type) { return type != ScalarType::Byte && type != ScalarType::UInt16; }
ScalarType sum_type(ScalarType type) { return type == ScalarType::Double ? ScalarType::Double : ScalarType::Float; }

// Views are read in place whatever their strides, as long as a row's pixels lie side by side.
Tensor readable(const Tensor& light_field) {
  return light_field.stride(5) == 1 ? light_field : contiguous(light_field);
}

// What the schema calls them.
struct Options {
  const std::string &interpolation, &border;
  bool normalize;
  double cubic_coefficient;
  const std::string& reduce;
};

void set_options(RefocusShape& s, const Options& options) {
  const std::string &interpolation = options.interpolation, &border = options.border, &reduce = options.reduce;
  s.interpolation = interpolation == "nearest"    ? Interpolation::nearest
                    : interpolation == "bilinear" ? Interpolation::bilinear
                                                  : Interpolation::bicubic;
  STD_TORCH_CHECK(s.interpolation != Interpolation::bicubic || interpolation == "bicubic",
                  "refocus: interpolation: want 'nearest', 'bilinear' or 'bicubic'");
  STD_TORCH_CHECK(border == "replicate" || border == "valid" || border == "zeros",
                  "refocus: border: want 'replicate', 'valid' or 'zeros'");
  s.valid = border == "valid";
  s.zeros = border == "zeros";
  s.cubic = static_cast<float>(options.cubic_coefficient);
  STD_TORCH_CHECK(reduce == "mean" || reduce == "none" || reduce == "moments",
                  "refocus: reduce: want 'mean', 'none' or 'moments'");
  s.reduce = reduce == "mean" ? Reduce::mean : reduce == "none" ? Reduce::none : Reduce::moments;
  s.normalize = options.normalize;
  STD_TORCH_CHECK(s.reduce != Reduce::none || !s.divided(),
                  "refocus: reduce: 'none' wants normalize=False and another border than 'valid'");
}

RefocusShape check(const Tensor& light_field, const Tensor& disparity, const Tensor& aperture, const Options& options) {
  STD_TORCH_CHECK(light_field.dim() == 6, "refocus: light_field: want [B, V, U, C, H, W]");
  RefocusShape s{};
  s.b = light_field.size(0);
  s.v = light_field.size(1);
  s.u = light_field.size(2);
  s.c = light_field.size(3);
  s.h = light_field.size(4);
  s.w = light_field.size(5);
  STD_TORCH_CHECK(s.v > 0 && s.u > 0, "refocus: light_field: want at least one view");
  s.map = disparity.dim() != 1;
  const bool own_maps = disparity.dim() == 4, own_apertures = aperture.dim() == 6;  // of each light field
  STD_TORCH_CHECK(!s.map || disparity.dim() == 3 || own_maps,
                  "refocus: disparity: want [D], [D, H, W] or [B, D, H, W]");
  s.d = disparity.size(own_maps ? 1 : 0);
  if (own_maps) {
    check_shape(disparity, "refocus: disparity", {s.b, s.d, s.h, s.w});
    s.sdb = s.d * s.h * s.w;
  } else if (s.map) {
    check_shape(disparity, "refocus: disparity", {s.d, s.h, s.w});
  }
  s.per_pixel = aperture.dim() != 3;
  STD_TORCH_CHECK(!s.per_pixel || aperture.dim() == 5 || own_apertures,
                  "refocus: aperture: want [A, V, U], [A, V, U, H, W] or [B, A, V, U, H, W]");
  s.a = aperture.size(own_apertures ? 1 : 0);
  if (own_apertures) {
    check_shape(aperture, "refocus: aperture", {s.b, s.a, s.v, s.u, s.h, s.w});
    s.sab = s.a * s.v * s.u * s.h * s.w;
  } else if (s.per_pixel) {
    check_shape(aperture, "refocus: aperture", {s.a, s.v, s.u, s.h, s.w});
  } else {
    check_shape(aperture, "refocus: aperture", {s.a, s.v, s.u});
  }
  const ScalarType sum = sum_type(light_field.scalar_type());
  STD_TORCH_CHECK(disparity.scalar_type() == sum && aperture.scalar_type() == sum,
                  "refocus: disparity, aperture: want float32 (float64 for a float64 light field)");
  check_same_device(disparity, "refocus: disparity", light_field, "light_field");
  check_same_device(aperture, "refocus: aperture", light_field, "light_field");
  STD_TORCH_CHECK(s.h < (int64_t{1} << 30) && s.w < (int64_t{1} << 30), "refocus: light_field: want H, W < 2^30");
  set_options(s, options);
  return s;
}

void set_strides(RefocusShape& s, const Tensor& light_field) {
  s.sb = light_field.stride(0);
  s.sv = light_field.stride(1);
  s.su = light_field.stride(2);
  s.sc = light_field.stride(3);
  s.sy = light_field.stride(4);
}

Tensor new_output(const Tensor& light_field, const RefocusShape& s) {
  const ScalarType type = light_field.scalar_type();
  const ScalarType out = is_floating(type) ? type : ScalarType::Float;
  if (s.reduce == Reduce::none) return new_empty(light_field, {s.b, s.a, s.d, s.v, s.u, s.c, s.h, s.w}, out);
  if (s.reduce == Reduce::moments) return new_empty(light_field, {s.b, 2, s.a, s.d, s.c, s.h, s.w}, out);
  return new_empty(light_field, {s.b, s.a, s.d, s.c, s.h, s.w}, out);
}

void check_like_output(const Tensor& t, const char* name, const RefocusShape& s) {
  if (s.reduce == Reduce::none) return check_shape(t, name, {s.b, s.a, s.d, s.v, s.u, s.c, s.h, s.w});
  if (s.reduce == Reduce::moments) return check_shape(t, name, {s.b, 2, s.a, s.d, s.c, s.h, s.w});
  check_shape(t, name, {s.b, s.a, s.d, s.c, s.h, s.w});
}

void check_backward(const Tensor& grad, const Tensor& out, const RefocusShape& s, const Tensor& light_field,
                    bool need_light_field) {
  check_same_device(grad, "refocus: grad", light_field, "light_field");
  check_same_device(out, "refocus: out", light_field, "light_field");
  check_like_output(grad, "refocus: grad", s);
  if (s.divided()) check_like_output(out, "refocus: out", s);
  STD_TORCH_CHECK(!need_light_field || is_floating(light_field.scalar_type()),
                  "refocus: an integer light field has no gradient");
}

// The outputs of a backward call; those that are not wanted are empty.
Gradients new_gradients(const RefocusShape& s, const Tensor& light_field, const Tensor& disparity,
                        const Tensor& aperture, bool need_light_field, bool need_disparity, bool need_aperture) {
  const auto like = [](const Tensor& t, bool need) {  // contiguous, whatever the strides of t
    return need ? new_empty(t, t.sizes()) : new_empty(t, {0});
  };
  return {like(light_field, need_light_field), like(disparity, need_disparity), like(aperture, need_aperture)};
}

void zero_gradients(Gradients& gradients) {
  torch::stable::zero_(std::get<0>(gradients));
  torch::stable::zero_(std::get<1>(gradients));
  torch::stable::zero_(std::get<2>(gradients));
}

// The output's gradient in the sum's type; a copy of its own, to be changed in place, if `own`.
Tensor gradient_of_sum(const Tensor& grad, ScalarType sum, bool own) {
  const Tensor converted = contiguous(torch::stable::to(grad, sum));
  return own && converted.const_data_ptr() == grad.const_data_ptr() ? torch::stable::clone(converted) : converted;
}

// The tensors of a backward call, dense, in the types that the kernels read: T the views', R the sum's. `grad` is the
// gradient of the sum itself once scale_gradient() has run for one that is divided.
template <class T>
struct BackwardCall {
  using R = acc_t<T>;
  const RefocusShape& s;
  const Tensor &grad, &out, &light_field, &disparity, &aperture;

  const R* g() const { return const_data<R>(grad); }
  const R* o() const { return const_data<R>(out); }  // read for a sum that is divided
  const T* views() const { return const_data<T>(light_field); }
  const R* d() const { return const_data<R>(disparity); }
  const R* w() const { return const_data<R>(aperture); }
};

struct OnCpu : Cpu {
  template <class T>
  static void forward(const Tensor& light_field, const Tensor& disparity, const Tensor& aperture, const Tensor& out,
                      const RefocusShape& s) {
    using R = acc_t<T>;
    out_t<T>* to = mutable_data<out_t<T>>(out);
    advise_huge_pages(to, out.numel() * sizeof(out_t<T>));
    const int64_t work_per_row = s.v * s.u * s.w * s.a;
    // Many apertures share the samples, which the general kernel takes once for all of them.
    if (s.reduce == Reduce::moments && !s.map && !s.per_pixel && !s.valid && s.a <= 4) {
      torch::stable::parallel_for(0, s.b * s.c * s.h, 1 + 32768 / (work_per_row * s.d), [&](auto begin, auto end) {
        cpu::refocus_moments(const_data<T>(light_field), const_data<R>(disparity), const_data<R>(aperture), to, s,
                             begin, end);
      });
      return;
    }
    if (s.general()) {
      torch::stable::parallel_for(0, s.b * s.d * s.h, 1 + 4096 / work_per_row, [&](int64_t begin, int64_t end) {
        cpu::refocus_general(const_data<T>(light_field), const_data<R>(disparity), const_data<R>(aperture), to, s,
                             begin, end);
      });
      return;
    }
    if (s.map) {
      torch::stable::parallel_for(0, s.b * s.d * s.h, 1 + 4096 / work_per_row, [&](int64_t begin, int64_t end) {
        cpu::refocus_map(const_data<T>(light_field), const_data<R>(disparity), const_data<R>(aperture), to, s, begin,
                         end);
      });
      return;
    }
    // Whole planes if the threads share them evenly, else as many bands of each as there are threads.
    const int64_t threads = torch::stable::get_num_threads();
    const int64_t tiles = s.b * s.c % threads == 0 ? 1 : std::min(threads, s.h);
    const int64_t work_per_tile = work_per_row * s.d * (s.h / tiles);
    torch::stable::parallel_for(0, s.b * s.c * tiles, 1 + 32768 / work_per_tile, [&](int64_t begin, int64_t end) {
      cpu::refocus_planes(const_data<T>(light_field), const_data<R>(disparity), const_data<R>(aperture), to, s, tiles,
                          begin, end);
    });
  }

  template <class T>
  static void scale_gradient(const BackwardCall<T>& call) {
    torch::stable::parallel_for(0, call.s.a * call.s.d, 1, [&](int64_t begin, int64_t end) {
      cpu::refocus_scale_gradient(mutable_data<acc_t<T>>(call.grad), call.d(), call.w(), call.s, begin, end);
    });
  }

  template <class T>
  static void grad_light_field(const BackwardCall<T>& call, Tensor& grad_light_field) {
    const RefocusShape& s = call.s;
    T* to = mutable_data<T>(grad_light_field);
    advise_huge_pages(to, grad_light_field.numel() * sizeof(T));
    if (s.general()) {
      torch::stable::parallel_for(0, s.b * s.v * s.u, 1, [&](int64_t begin, int64_t end) {
        cpu::refocus_general_grad_light_field(call.g(), call.o(), call.views(), call.d(), call.w(), to, s, begin, end);
      });
      return;
    }
    if (s.map) {
      torch::stable::parallel_for(0, s.b * s.v * s.u, 1, [&](int64_t begin, int64_t end) {
        cpu::refocus_grad_light_field_map(call.g(), call.d(), call.w(), to, s, begin, end);
      });
      return;
    }
    const int64_t grain = 1 + 32768 / (s.a * s.d * s.u * s.w);
    torch::stable::parallel_for(0, s.b * s.v * s.c * s.h, grain, [&](int64_t begin, int64_t end) {
      cpu::refocus_grad_light_field(call.g(), call.d(), call.w(), to, s, begin, end);
    });
  }

  template <class T>
  static void grad_disparity(const BackwardCall<T>& call, const Tensor& per_pixel) {
    const RefocusShape& s = call.s;
    acc_t<T>* to = mutable_data<acc_t<T>>(per_pixel);
    torch::stable::parallel_for(0, (s.sdb ? s.b : 1) * s.d * s.h, 1, [&](int64_t begin, int64_t end) {
      if (s.general() || s.sdb)
        cpu::refocus_general_grad_disparity(call.g(), call.o(), call.views(), call.d(), call.w(), to, s, begin, end);
      else
        cpu::refocus_grad_disparity(call.g(), call.views(), call.d(), call.w(), to, s, begin, end);
    });
  }

  template <class T>
  static void grad_aperture(const BackwardCall<T>& call, Tensor& grad_aperture) {
    acc_t<T>* to = mutable_data<acc_t<T>>(grad_aperture);
    torch::stable::parallel_for(0, call.s.v * call.s.u, 1, [&](int64_t begin, int64_t end) {
      if (call.s.general() || call.s.sdb)
        cpu::refocus_general_grad_aperture(call.g(), call.o(), call.views(), call.d(), to, call.s, begin, end);
      else
        cpu::refocus_grad_aperture(call.g(), call.o(), call.views(), call.d(), to, call.s, begin, end);
    });
  }
};

#if defined(LFD_CUDA)
struct OnCuda : Cuda {
  template <class T>
  static void forward(const Tensor& light_field, const Tensor& disparity, const Tensor& aperture, const Tensor& out,
                      const RefocusShape& s) {
    using R = acc_t<T>;
    check_cuda(cuda::refocus(const_data<T>(light_field), const_data<R>(disparity), const_data<R>(aperture),
                             mutable_data<out_t<T>>(out), s, current_stream(light_field)),
               "refocus");
  }

  template <class T>
  static void scale_gradient(const BackwardCall<T>& call) {
    check(cuda::refocus_scale_gradient(mutable_data<acc_t<T>>(call.grad), call.d(), call.w(), call.s,
                                       current_stream(call.grad)));
  }

  template <class T>
  static void grad_light_field(const BackwardCall<T>& call, Tensor& grad_light_field) {
    const RefocusShape& s = call.s;
    const cudaStream_t stream = current_stream(call.grad);
    if (!s.map && !s.general()) {
      check(cuda::refocus_grad_light_field(call.g(), call.d(), call.w(), mutable_data<T>(grad_light_field), s, stream));
      return;
    }
    using R = acc_t<T>;
    const Tensor sums = torch::stable::new_zeros(grad_light_field, {s.b, s.v, s.u, s.c, s.h, s.w}, scalar_type_of<R>());
    check(cuda::refocus_grad_light_field_map(call.g(), call.o(), call.views(), call.d(), call.w(),
                                             mutable_data<R>(sums), s, stream));
    grad_light_field = torch::stable::to(sums, grad_light_field.scalar_type());
  }

  template <class T>
  static void grad_disparity(const BackwardCall<T>& call, const Tensor& per_pixel) {
    check(cuda::refocus_grad_disparity(call.g(), call.o(), call.views(), call.d(), call.w(),
                                       mutable_data<acc_t<T>>(per_pixel), call.s, current_stream(call.grad)));
  }

  template <class T>
  static void grad_aperture(const BackwardCall<T>& call, Tensor& grad_aperture) {
    using R = acc_t<T>;
    const RefocusShape& s = call.s;
    const cudaStream_t stream = current_stream(call.grad);
    if (s.per_pixel) {
      R* to = mutable_data<R>(grad_aperture);
      check(cuda::refocus_grad_pixel_weights(call.g(), call.o(), call.views(), call.d(), to, s, stream));
      return;
    }
    const Tensor partial = new_empty(grad_aperture, {cuda::refocus_grad_aperture_parts(s), s.a, s.v, s.u});
    check(cuda::refocus_grad_aperture(call.g(), call.o(), call.views(), call.d(), mutable_data<R>(partial), s, stream));
    const int64_t parts[] = {0};
    torch::stable::sum_out(grad_aperture, partial, torch::headeronly::IntHeaderOnlyArrayRef(parts, 1));
  }

 private:
  static void check(cudaError_t error) { check_cuda(error, "refocus_backward"); }
};
#endif

template <class On>
Tensor refocus(Tensor light_field_, Tensor disparity_, Tensor aperture_, std::string interpolation, std::string border,
               bool normalize, double cubic_coefficient, std::string reduce) {
  const Options options{interpolation, border, normalize, cubic_coefficient, reduce};
  RefocusShape s = check(light_field_, disparity_, aperture_, options);
  const typename On::Guard guard(light_field_);
  const Tensor light_field = readable(light_field_), disparity = contiguous(disparity_);
  const Tensor aperture = contiguous(aperture_), out = new_output(light_field, s);
  if (out.numel() == 0) return out;
  set_strides(s, light_field);
  dispatch_view(light_field.scalar_type(), "refocus", [&](auto tag) {
    On::template forward<typename decltype(tag)::type>(light_field, disparity, aperture, out, s);
  });
  return out;
}

template <class On>
Gradients refocus_backward(Tensor grad_, Tensor out_, Tensor light_field_, Tensor disparity_, Tensor aperture_,
                           std::string interpolation, std::string border, bool need_light_field, bool need_disparity,
                           bool need_aperture, bool normalize, double cubic_coefficient, std::string reduce) {
  const Options options{interpolation, border, normalize, cubic_coefficient, reduce};
  RefocusShape s = check(light_field_, disparity_, aperture_, options);
  check_backward(grad_, out_, s, light_field_, need_light_field);
  const typename On::Guard guard(light_field_);
  const Tensor light_field = readable(light_field_), disparity = contiguous(disparity_);
  const Tensor aperture = contiguous(aperture_);
  Gradients gradients =
      new_gradients(s, light_field, disparity, aperture, need_light_field, need_disparity, need_aperture);
  if (light_field.numel() == 0 || grad_.numel() == 0) {
    zero_gradients(gradients);
    return gradients;
  }
  set_strides(s, light_field);
  dispatch_view(light_field.scalar_type(), "refocus_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ScalarType sum = scalar_type_of<acc_t<T>>();
    const Tensor grad = gradient_of_sum(grad_, sum, s.divided());
    const Tensor out = s.divided() ? contiguous(torch::stable::to(out_, sum)) : grad;
    const BackwardCall<T> call{s, grad, out, light_field, disparity, aperture};
    auto& [grad_light_field, grad_disparity, grad_aperture] = gradients;
    if (s.divided()) On::scale_gradient(call);
    if constexpr (!std::is_integral_v<T>) {
      if (need_light_field) On::grad_light_field(call, grad_light_field);
    }
    if (need_disparity) {
      const Tensor per_pixel = s.map ? grad_disparity : new_empty(disparity, {s.d, s.h, s.w});
      On::grad_disparity(call, per_pixel);
      const int64_t pixels[] = {1, 2};
      if (!s.map)
        torch::stable::sum_out(grad_disparity, per_pixel, torch::headeronly::IntHeaderOnlyArrayRef(pixels, 2));
    }
    if (need_aperture) On::grad_aperture(call, grad_aperture);
  });
  return gradients;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  m.def(
      "refocus(Tensor light_field, Tensor disparity, Tensor aperture, str interpolation, str border, "
      "bool normalize=False, float cubic_coefficient=-0.5, str reduce='mean') -> Tensor");
  m.def(
      "refocus_backward(Tensor grad, Tensor out, Tensor light_field, Tensor disparity, Tensor aperture, "
      "str interpolation, str border, bool need_light_field, bool need_disparity, bool need_aperture, "
      "bool normalize=False, float cubic_coefficient=-0.5, str reduce='mean') -> "
      "(Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) {
  m.impl("refocus", TORCH_BOX(&refocus<OnCpu>));
  m.impl("refocus_backward", TORCH_BOX(&refocus_backward<OnCpu>));
}

#if defined(LFD_CUDA)
STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CUDA, m) {
  m.impl("refocus", TORCH_BOX(&refocus<OnCuda>));
  m.impl("refocus_backward", TORCH_BOX(&refocus_backward<OnCuda>));
}
#endif

}  // namespace lfdeblur
