// torch glue of `dynamic_filter`: schema and allocation for every device, and how each runs its kernels.
#include "cpu/dynamic_filter.h"

#include <torch/csrc/stable/library.h>

#include "common/device.h"
#include "common/dispatch.h"
#include "common/huge_pages.h"
#include "filter_geometry.h"
#if defined(LFD_CUDA)
#include "cuda/dynamic_filter.h"
#include "cuda/dynamic_filter_general.h"
#endif

namespace lfdeblur {
namespace {

using torch::stable::contiguous;
using torch::stable::new_empty;

// What normalised filters are weighed by in the picture's gradient: two numbers of each output.
template <class R>
struct Weighing {
  Tensor data;
  R* shift = nullptr;
  R* factor = nullptr;
  bool known = false;

  Weighing(const Tensor& like, const FilterGeometry& s) {
    if (s.normalize == Normalize::none) return;
    const int64_t outputs = s.n * s.groups * s.output_height() * s.output_width();
    data = new_empty(like, {2, outputs}, scalar_type_of<R>());
    shift = mutable_data<R>(data);
    factor = shift + outputs;
  }
};

struct OnCpu : Cpu {
  template <class F>
  static void rows(int64_t count, const FilterGeometry& s, const F& f) {
    torch::stable::parallel_for(0, count, 1 + 65536 / (s.width * s.scale * s.channels * s.taps()), f);
  }
  static int64_t output_rows(const FilterGeometry& s) { return s.n * s.groups * s.height * s.scale; }

  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const FilterGeometry& s) {
    rows(output_rows(s), s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s, begin, end);
    });
  }

  template <class T>
  static void grad_filters(const Tensor& grad, const Tensor& x, const Tensor& filters, const Tensor& to,
                           Weighing<acc_t<T>>* weighing, const FilterGeometry& s) {
    advise_huge_pages(mutable_data<T>(to), to.numel() * sizeof(T));
    rows(output_rows(s), s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_grad_filters(const_data<T>(grad), const_data<T>(x), const_data<T>(filters),
                                       mutable_data<T>(to), weighing ? weighing->shift : nullptr,
                                       weighing ? weighing->factor : nullptr, s, begin, end);
    });
    if (weighing) weighing->known = true;
  }

  template <class T>
  static void grad_x(const Tensor& grad, const Tensor& filters, const Tensor& to, const Weighing<acc_t<T>>& weighing,
                     const FilterGeometry& s) {
    if (s.normalize != Normalize::none && !weighing.known)
      rows(output_rows(s), s, [&](int64_t begin, int64_t end) {
        cpu::dynamic_filter_measure(const_data<T>(filters), weighing.shift, weighing.factor, s, begin, end);
      });
    rows(s.n * s.groups * s.x_height, s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_grad_x(const_data<T>(grad), const_data<T>(filters), weighing.shift, weighing.factor,
                                 mutable_data<T>(to), s, begin, end);
    });
  }
};

#if defined(LFD_CUDA)
// Tiled kernels for the common calls, general ones for all others.
struct OnCuda : Cuda {
  static bool tiled(const FilterGeometry& s) {
    const bool unit = s.dilation_y == 1 && s.dilation_x == 1 && s.stride_y == 1 && s.stride_x == 1 && s.scale == 1;
    const bool square = s.kernel_height == s.kernel_width && s.kernel_height <= kMaxTiledKernelSize;
    const bool border = s.border == Border::replicate || s.border == Border::zeros;
    const bool consecutive = !s.interleaved || s.groups == 1 || s.channels == 1;
    return unit && square && border && consecutive && s.normalize == Normalize::none;
  }
  static DynamicFilterShape tiled_shape(const FilterGeometry& s, const FilterStrides& f) {
    return {s.n, s.groups, s.channels, s.x_height, s.x_width, s.kernel_height, s.border == Border::replicate,
            f.n, f.g,      f.t,        f.y,        f.x};
  }

  // Filters that are planar or have a pixel's taps side by side are read in place, others as a copy.
  static Tensor readable(const Tensor& filters, const FilterStrides& f) {
    return f.x == 1 || f.t == 1 ? filters : contiguous(filters);
  }
  // f(a contiguous picture), which then is that of `picture`.
  template <class F>
  static void write(Tensor picture, const F& f) {
    const Tensor to = picture.is_contiguous() ? picture : new_empty(picture, picture.sizes());
    f(to);
    if (!picture.is_contiguous()) torch::stable::copy_(picture, to);
  }

  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const FilterGeometry& s) {
    const auto run = [&](cudaError_t error) { check_cuda(error, "dynamic_filter"); };
    if (!tiled(s))
      return run(cuda::dynamic_filter_general(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s,
                                              current_stream(x)));
    const Tensor from = contiguous(x), taps = readable(filters, s.filters);
    write(out, [&](const Tensor& to) {
      run(cuda::dynamic_filter(const_data<T>(from), const_data<T>(taps), mutable_data<T>(to),
                               tiled_shape(s, filter_strides(taps, s)), current_stream(x)));
    });
  }

  template <class T>
  static void grad_filters(const Tensor& grad, const Tensor& x, const Tensor& filters, const Tensor& to,
                           Weighing<acc_t<T>>*, const FilterGeometry& s) {
    const auto run = [&](cudaError_t error) { check_cuda(error, "dynamic_filter_backward"); };
    if (!tiled(s))
      return run(cuda::dynamic_filter_general_grad_filters(
          const_data<T>(grad), const_data<T>(x), const_data<T>(filters), mutable_data<T>(to), s, current_stream(x)));
    const Tensor by = contiguous(grad), from = contiguous(x);
    run(cuda::dynamic_filter_backward(const_data<T>(by), const_data<T>(from), static_cast<const T*>(nullptr),
                                      static_cast<T*>(nullptr), mutable_data<T>(to), tiled_shape(s, s.grad_filters),
                                      current_stream(x)));
  }

  template <class T>
  static void grad_x(const Tensor& grad, const Tensor& filters, const Tensor& to, const Weighing<acc_t<T>>& weighing,
                     const FilterGeometry& s) {
    const auto run = [&](cudaError_t error) { check_cuda(error, "dynamic_filter_backward"); };
    if (tiled(s)) {
      const Tensor by = contiguous(grad), taps = readable(filters, s.filters);
      return write(to, [&](const Tensor& planes) {
        run(cuda::dynamic_filter_backward(const_data<T>(by), static_cast<const T*>(nullptr), const_data<T>(taps),
                                          mutable_data<T>(planes), static_cast<T*>(nullptr),
                                          tiled_shape(s, filter_strides(taps, s)), current_stream(grad)));
      });
    }
    if (s.normalize != Normalize::none)
      run(cuda::dynamic_filter_general_measure(const_data<T>(filters), weighing.shift, weighing.factor, s,
                                               current_stream(grad)));
    run(cuda::dynamic_filter_general_grad_x(const_data<T>(grad), const_data<T>(filters), weighing.shift,
                                            weighing.factor, mutable_data<T>(to), s, current_stream(grad)));
  }
};
#endif

template <class On>
Tensor dynamic_filter(Tensor x, Tensor filters, std::vector<int64_t> kernel_size, std::string border,
                      std::vector<int64_t> dilation, std::vector<int64_t> stride, int64_t scale, std::string normalize,
                      bool interleaved) {
  FilterGeometry s =
      filter_geometry(x, filters, {kernel_size, border, dilation, stride, scale, normalize, interleaved});
  const typename On::Guard guard(x);
  const Tensor out = new_picture(x, s.scale * s.height, s.scale * s.width);
  if (out.numel() == 0) return out;  // a grid of 0 blocks is an error
  s.out = picture_strides(out, s, interleaved);
  dispatch_float(x.scalar_type(), "dynamic_filter",
                 [&](auto tag) { On::template forward<typename decltype(tag)::type>(x, filters, out, s); });
  return out;
}

template <class On>
std::tuple<Tensor, Tensor> dynamic_filter_backward(Tensor grad, Tensor x, Tensor filters,
                                                   std::vector<int64_t> kernel_size, std::string border,
                                                   std::vector<int64_t> dilation, std::vector<int64_t> stride,
                                                   int64_t scale, std::string normalize, bool interleaved, bool need_x,
                                                   bool need_filters) {
  FilterGeometry s =
      filter_geometry(x, filters, {kernel_size, border, dilation, stride, scale, normalize, interleaved});
  const typename On::Guard guard(x);
  Tensor grad_x, grad_filters;
  std::tie(grad_x, grad_filters) = new_gradients(grad, x, filters, s, need_x, need_filters);
  if (grad.numel() == 0) return {grad_x, grad_filters};
  s.out = picture_strides(grad, s, interleaved);
  dispatch_float(x.scalar_type(), "dynamic_filter_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    Weighing<acc_t<T>> weighing(filters, s);
    if (need_filters) {
      s.grad_filters = filter_strides(grad_filters, s);
      On::template grad_filters<T>(grad, x, filters, grad_filters, need_x && weighing.shift ? &weighing : nullptr, s);
    }
    if (need_x) {
      s.x = picture_strides(grad_x, s, interleaved);
      On::template grad_x<T>(grad, filters, grad_x, weighing, s);
    }
  });
  return {grad_x, grad_filters};
}

}  // namespace

#define OPTIONS                                                                                   \
  "int[2] kernel_size, str border='replicate', int[2] dilation=1, int[2] stride=1, int scale=1, " \
  "str normalize='none', bool interleaved=False"

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  m.def("dynamic_filter(Tensor x, Tensor filters, " OPTIONS ") -> Tensor");
  m.def("dynamic_filter_backward(Tensor grad, Tensor x, Tensor filters, " OPTIONS
        ", bool need_x=True, bool need_filters=True) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) {
  m.impl("dynamic_filter", TORCH_BOX(&dynamic_filter<OnCpu>));
  m.impl("dynamic_filter_backward", TORCH_BOX(&dynamic_filter_backward<OnCpu>));
}

#if defined(LFD_CUDA)
STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CUDA, m) {
  m.impl("dynamic_filter", TORCH_BOX(&dynamic_filter<OnCuda>));
  m.impl("dynamic_filter_backward", TORCH_BOX(&dynamic_filter_backward<OnCuda>));
}
#endif

}  // namespace lfdeblur
