// torch glue of `dynamic_filter_separable`: schema and allocation for every device, and how each runs its kernels.
#include "cpu/dynamic_filter_separable.h"

#include <torch/csrc/stable/library.h>

#include "common/device.h"
#include "common/dispatch.h"
#include "common/huge_pages.h"
#include "filter_geometry.h"
#if defined(LFD_CUDA)
#include "cuda/dynamic_filter_separable.h"
#endif

namespace lfdeblur {
namespace {

struct OnCpu : Cpu {
  template <class F>
  static void rows(int64_t count, const FilterGeometry& s, const F& f) {
    const int64_t of_row = s.width * s.channels * s.kernel_height * s.kernel_width;
    torch::stable::parallel_for(0, count, 1 + 65536 / of_row, f);
  }

  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const FilterGeometry& s) {
    rows(s.n * s.groups * s.height, s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_separable(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s, begin, end);
    });
  }

  template <class T>
  static void grad_filters(const Tensor& grad, const Tensor& x, const Tensor& filters, const Tensor& to,
                           const FilterGeometry& s) {
    advise_huge_pages(mutable_data<T>(to), to.numel() * sizeof(T));
    rows(s.n * s.groups * s.height, s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_separable_grad_filters(const_data<T>(grad), const_data<T>(x), const_data<T>(filters),
                                                 mutable_data<T>(to), s, begin, end);
    });
  }

  template <class T>
  static void grad_x(const Tensor& grad, const Tensor& filters, const Tensor& to, const FilterGeometry& s) {
    rows(s.n * s.groups * s.x_height, s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_separable_grad_x(const_data<T>(grad), const_data<T>(filters), mutable_data<T>(to), s, begin,
                                           end);
    });
  }
};

#if defined(LFD_CUDA)
struct OnCuda : Cuda {
  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const FilterGeometry& s) {
    check_cuda(cuda::dynamic_filter_separable(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s,
                                              current_stream(x)),
               "dynamic_filter_separable");
  }

  template <class T>
  static void grad_filters(const Tensor& grad, const Tensor& x, const Tensor& filters, const Tensor& to,
                           const FilterGeometry& s) {
    check_cuda(
        cuda::dynamic_filter_separable_grad_filters(const_data<T>(grad), const_data<T>(x), const_data<T>(filters),
                                                    mutable_data<T>(to), s, current_stream(x)),
        "dynamic_filter_separable_backward");
  }

  template <class T>
  static void grad_x(const Tensor& grad, const Tensor& filters, const Tensor& to, const FilterGeometry& s) {
    check_cuda(cuda::dynamic_filter_separable_grad_x(const_data<T>(grad), const_data<T>(filters), mutable_data<T>(to),
                                                     s, current_stream(grad)),
               "dynamic_filter_separable_backward");
  }
};
#endif

FilterGeometry geometry(const Tensor& x, const Tensor& filters, const std::vector<int64_t>& kernel_size,
                        const std::string& border, const std::vector<int64_t>& dilation) {
  return filter_geometry(x, filters, {kernel_size, border, dilation, {1, 1}, 1, "none", false, true});
}

template <class On>
Tensor dynamic_filter_separable(Tensor x, Tensor filters, std::vector<int64_t> kernel_size, std::string border,
                                std::vector<int64_t> dilation) {
  FilterGeometry s = geometry(x, filters, kernel_size, border, dilation);
  const typename On::Guard guard(x);
  const Tensor out = new_picture(x, s.height, s.width);
  if (out.numel() == 0) return out;  // a grid of 0 blocks is an error
  s.out = picture_strides(out, s, false);
  dispatch_float(x.scalar_type(), "dynamic_filter_separable",
                 [&](auto tag) { On::template forward<typename decltype(tag)::type>(x, filters, out, s); });
  return out;
}

template <class On>
std::tuple<Tensor, Tensor> dynamic_filter_separable_backward(Tensor grad, Tensor x, Tensor filters,
                                                             std::vector<int64_t> kernel_size, std::string border,
                                                             std::vector<int64_t> dilation, bool need_x,
                                                             bool need_filters) {
  FilterGeometry s = geometry(x, filters, kernel_size, border, dilation);
  const typename On::Guard guard(x);
  Tensor grad_x, grad_filters;
  std::tie(grad_x, grad_filters) = new_gradients(grad, x, filters, s, need_x, need_filters);
  if (grad.numel() == 0) return {grad_x, grad_filters};
  s.out = picture_strides(grad, s, false);
  dispatch_float(x.scalar_type(), "dynamic_filter_separable_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (need_filters) {
      s.grad_filters = filter_strides(grad_filters, s);
      On::template grad_filters<T>(grad, x, filters, grad_filters, s);
    }
    if (need_x) {
      s.x = picture_strides(grad_x, s, false);
      On::template grad_x<T>(grad, filters, grad_x, s);
    }
  });
  return {grad_x, grad_filters};
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  m.def(
      "dynamic_filter_separable(Tensor x, Tensor filters, int[2] kernel_size, str border='replicate', int[2] "
      "dilation=1) -> Tensor");
  m.def(
      "dynamic_filter_separable_backward(Tensor grad, Tensor x, Tensor filters, int[2] kernel_size, str "
      "border='replicate', int[2] dilation=1, bool need_x=True, bool need_filters=True) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CPU, m) {
  m.impl("dynamic_filter_separable", TORCH_BOX(&dynamic_filter_separable<OnCpu>));
  m.impl("dynamic_filter_separable_backward", TORCH_BOX(&dynamic_filter_separable_backward<OnCpu>));
}

#if defined(LFD_CUDA)
STABLE_TORCH_LIBRARY_IMPL(lfdeblur, CUDA, m) {
  m.impl("dynamic_filter_separable", TORCH_BOX(&dynamic_filter_separable<OnCuda>));
  m.impl("dynamic_filter_separable_backward", TORCH_BOX(&dynamic_filter_separable_backward<OnCuda>));
}
#endif

}  // namespace lfdeblur
