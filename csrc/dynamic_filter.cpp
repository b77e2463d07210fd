// torch glue of `dynamic_filter`: schema, checks and allocation for every device, and how each runs its kernels.
#include "cpu/dynamic_filter.h"

#include <torch/csrc/stable/library.h>

#include "common/device.h"
#include "common/dispatch.h"
#include "common/huge_pages.h"
#if defined(LFD_CUDA)
#include "cuda/dynamic_filter.h"
#endif

namespace lfdeblur {
namespace {

using torch::stable::clone;
using torch::stable::contiguous;
using torch::stable::empty_like;
using torch::stable::new_empty;

DynamicFilterShape check(const Tensor& x, const Tensor& filters, int64_t k, const std::string& border) {
  STD_TORCH_CHECK(x.dim() == 4 && filters.dim() == 4, "dynamic_filter: want x [N, C, H, W] and filters [N, K, H, W]");
  STD_TORCH_CHECK(x.scalar_type() == filters.scalar_type(), "dynamic_filter: filters: want the dtype of x");
  check_same_device(filters, "dynamic_filter: filters", x, "x");
  STD_TORCH_CHECK(k % 2 == 1 && k >= 1 && k <= 15, "dynamic_filter: kernel_size: want an odd number from 1 to 15");
  STD_TORCH_CHECK(border == "replicate" || border == "zeros", "dynamic_filter: border: want 'replicate' or 'zeros'");
  const bool shared = filters.size(1) == k * k;
  check_shape(filters, "dynamic_filter: filters",
              {x.size(0), shared ? k * k : x.size(1) * k * k, x.size(2), x.size(3)});
  DynamicFilterShape s{};
  s.n = x.size(0);
  s.groups = shared ? 1 : x.size(1);
  s.channels = shared ? x.size(1) : 1;
  s.height = x.size(2);
  s.width = x.size(3);
  s.k = static_cast<int>(k);
  s.replicate = border == "replicate";
  return s;
}

// The kernels read planar filters and channels-last ones (a pixel's taps side by side) in place, others as a copy.
Tensor readable(const Tensor& filters) {
  return filters.stride(3) == 1 || filters.stride(1) == 1 ? filters : contiguous(filters);
}

// The kernels write the filters' gradient in the strides they read filters with: both become dense alike.
Tensor readable_and_dense(const Tensor& filters) {
  const Tensor dense = empty_like(filters);
  bool same = true;
  for (int64_t i = 0; i < 4; ++i) same = same && dense.stride(i) == filters.stride(i);
  return readable(same ? filters : clone(filters));
}

void set_strides(DynamicFilterShape& s, const Tensor& filters) {
  s.fn = filters.stride(0);
  s.ft = filters.stride(1);
  s.fg = s.ft * s.k * s.k;
  s.fy = filters.stride(2);
  s.fx = s.width == 1 ? 1 : filters.stride(3);
}

struct OnCpu : Cpu {
  template <class F>
  static void rows(const DynamicFilterShape& s, const F& f) {
    torch::stable::parallel_for(0, s.n * s.groups * s.height, 1 + 65536 / (s.width * s.channels * s.k * s.k), f);
  }

  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const DynamicFilterShape& s) {
    rows(s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s, begin, end);
    });
  }

  template <class T>
  static void backward(const Tensor& grad, const Tensor& x, const Tensor& filters, T* to_x, T* to_filters,
                       const DynamicFilterShape& s) {
    if (to_filters) advise_huge_pages(to_filters, filters.numel() * sizeof(T));
    rows(s, [&](int64_t begin, int64_t end) {
      cpu::dynamic_filter_backward(const_data<T>(grad), const_data<T>(x), const_data<T>(filters), to_x, to_filters, s,
                                   begin, end);
    });
  }
};

#if defined(LFD_CUDA)
struct OnCuda : Cuda {
  template <class T>
  static void forward(const Tensor& x, const Tensor& filters, const Tensor& out, const DynamicFilterShape& s) {
    check_cuda(
        cuda::dynamic_filter(const_data<T>(x), const_data<T>(filters), mutable_data<T>(out), s, current_stream(x)),
        "dynamic_filter");
  }

  template <class T>
  static void backward(const Tensor& grad, const Tensor& x, const Tensor& filters, T* to_x, T* to_filters,
                       const DynamicFilterShape& s) {
    check_cuda(cuda::dynamic_filter_backward(const_data<T>(grad), const_data<T>(x), const_data<T>(filters), to_x,
                                             to_filters, s, current_stream(x)),
               "dynamic_filter_backward");
  }
};
#endif

template <class On>
Tensor dynamic_filter(Tensor x_, Tensor filters_, int64_t kernel_size, std::string border) {
  DynamicFilterShape s = check(x_, filters_, kernel_size, border);
  const typename On::Guard guard(x_);
  const Tensor x = contiguous(x_), filters = readable(filters_), out = empty_like(x);
  if (out.numel() == 0) return out;  // a grid of 0 blocks is an error
  set_strides(s, filters);
  dispatch_float(x.scalar_type(), "dynamic_filter",
                 [&](auto tag) { On::template forward<typename decltype(tag)::type>(x, filters, out, s); });
  return out;
}

template <class On>
std::tuple<Tensor, Tensor> dynamic_filter_backward(Tensor grad_, Tensor x_, Tensor filters_, int64_t kernel_size,
                                                   std::string border, bool need_x, bool need_filters) {
  DynamicFilterShape s = check(x_, filters_, kernel_size, border);
  check_shape(grad_, "dynamic_filter: grad", {x_.size(0), x_.size(1), x_.size(2), x_.size(3)});
  const typename On::Guard guard(x_);
  const Tensor grad = contiguous(grad_), x = contiguous(x_), filters = readable_and_dense(filters_);
  const Tensor grad_x = need_x ? empty_like(x) : new_empty(x, {0});
  Tensor grad_filters = need_filters ? empty_like(filters) : new_empty(filters, {0});
  if (x.numel() == 0) {  // without channels there are filters all the same
    if (need_filters) torch::stable::fill_(grad_filters, 0.0);
    return {grad_x, grad_filters};
  }
  set_strides(s, filters);
  dispatch_float(x.scalar_type(), "dynamic_filter_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    On::template backward<T>(grad, x, filters, need_x ? mutable_data<T>(grad_x) : nullptr,
                             need_filters ? mutable_data<T>(grad_filters) : nullptr, s);
  });
  return {grad_x, grad_filters};
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lfdeblur, m) {
  m.def("dynamic_filter(Tensor x, Tensor filters, int kernel_size, str border) -> Tensor");
  m.def(
      "dynamic_filter_backward(Tensor grad, Tensor x, Tensor filters, int kernel_size, str border, bool need_x, "
      "bool need_filters) -> (Tensor, Tensor)");
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
