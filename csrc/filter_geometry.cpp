#include "filter_geometry.h"

namespace lfdeblur {
namespace {

template <size_t N>
int one_of(const std::string& word, const char* const (&words)[N], const char* name) {
  for (size_t i = 0; i < N; ++i)
    if (word == words[i]) return static_cast<int>(i);
  STD_TORCH_CHECK(false, "dynamic_filter: ", name, ": got '", word, "'");
}

// Positions along an axis.
int64_t positions(int64_t size, int64_t reach, int64_t stride, Border border) {
  const int64_t room = size - (border == Border::valid ? reach : 0);
  STD_TORCH_CHECK(border != Border::valid || room > 0, "dynamic_filter: x: want more rows and columns than taps reach");
  STD_TORCH_CHECK(border != Border::reflect || reach / 2 < size || reach == 0,
                  "dynamic_filter: border: want it less wide than x for 'reflect'");
  STD_TORCH_CHECK(border != Border::circular || reach / 2 <= size,
                  "dynamic_filter: border: want it no wider than x for 'circular'");
  return room == 0 ? 0 : (room - 1) / stride + 1;
}

}  // namespace

FilterGeometry filter_geometry(const Tensor& x, const Tensor& filters, const FilterOptions& o) {
  STD_TORCH_CHECK(x.dim() == 4 && (filters.dim() == 4 || filters.dim() == 6),
                  "dynamic_filter: want x [N, C, H, W] and filters [N, K, H, W] or [N, G, T, S, H, W]");
  STD_TORCH_CHECK(x.scalar_type() == filters.scalar_type(), "dynamic_filter: filters: want the dtype of x");
  check_same_device(filters, "dynamic_filter: filters", x, "x");
  constexpr int64_t most = 1 << 16;  // rows are held with their border
  const auto pair = [](const std::vector<int64_t>& v) { return v.size() == 2 && v[0] >= 1 && v[1] >= 1; };
  STD_TORCH_CHECK(pair(o.kernel_size) && o.kernel_size[0] % 2 == 1 && o.kernel_size[1] % 2 == 1 &&
                      o.kernel_size[0] <= kMaxKernelSize && o.kernel_size[1] <= kMaxKernelSize,
                  "dynamic_filter: kernel_size: want odd numbers from 1 to ", kMaxKernelSize);
  STD_TORCH_CHECK(pair(o.dilation) && o.dilation[0] <= most && o.dilation[1] <= most,
                  "dynamic_filter: dilation: want numbers from 1 to ", most);
  STD_TORCH_CHECK(pair(o.stride) && o.stride[0] <= most && o.stride[1] <= most,
                  "dynamic_filter: stride: want numbers from 1 to ", most);
  STD_TORCH_CHECK(o.dilation[0] * (o.kernel_size[0] - 1) <= most && o.dilation[1] * (o.kernel_size[1] - 1) <= most,
                  "dynamic_filter: dilation: want taps that reach ", most, " pixels at most");
  STD_TORCH_CHECK(o.scale >= 1 && o.scale <= 64 && (o.scale == 1 || (o.stride[0] == 1 && o.stride[1] == 1)),
                  "dynamic_filter: scale: want a number from 1 to 64, and 1 with a stride");
  FilterGeometry s{};
  s.kernel_height = static_cast<int>(o.kernel_size[0]);
  s.kernel_width = static_cast<int>(o.kernel_size[1]);
  s.dilation_y = o.dilation[0];
  s.dilation_x = o.dilation[1];
  s.stride_y = o.stride[0];
  s.stride_x = o.stride[1];
  s.scale = o.scale;
  s.interleaved = o.interleaved;
  s.separable = o.separable;
  s.border = static_cast<Border>(one_of(o.border, {"replicate", "zeros", "reflect", "circular", "valid"}, "border"));
  s.normalize = static_cast<Normalize>(one_of(o.normalize, {"none", "softmax", "sum"}, "normalize"));
  s.n = x.size(0);
  s.x_height = x.size(2);
  s.x_width = x.size(3);
  s.height = positions(s.x_height, s.dilation_y * (s.kernel_height - 1), s.stride_y, s.border);
  s.width = positions(s.x_width, s.dilation_x * (s.kernel_width - 1), s.stride_x, s.border);
  s.fine = filters.size(filters.dim() - 2) != s.height;
  const int64_t each = s.fine ? 1 : s.scale * s.scale, times = s.fine ? s.scale : 1;
  if (filters.dim() == 4) {
    s.groups = filters.size(1) / (s.taps() * each);
    check_shape(filters, "dynamic_filter: filters",
                {s.n, s.groups * s.taps() * each, times * s.height, times * s.width});
  } else {
    s.groups = filters.size(1);
    check_shape(filters, "dynamic_filter: filters", {s.n, s.groups, s.taps(), each, times * s.height, times * s.width});
  }
  STD_TORCH_CHECK(s.groups > 0 ? x.size(1) % s.groups == 0 : x.size(1) == 0,
                  "dynamic_filter: filters: want groups that divide the channels of x");
  s.channels = s.groups > 0 ? x.size(1) / s.groups : 0;
  s.x = picture_strides(x, s, o.interleaved);
  s.filters = filter_strides(filters, s);
  return s;
}

PictureStrides picture_strides(const Tensor& picture, const FilterGeometry& s, bool interleaved) {
  const int64_t channel = picture.stride(1);
  return {picture.stride(0), interleaved ? channel : channel * s.channels, interleaved ? channel * s.groups : channel,
          picture.stride(2), picture.size(3) == 1 ? 1 : picture.stride(3)};
}

FilterStrides filter_strides(const Tensor& filters, const FilterGeometry& s) {
  const int64_t each = s.fine ? 1 : s.scale * s.scale;
  const int64_t column = filters.size(filters.dim() - 1) == 1 ? 1 : filters.stride(filters.dim() - 1);
  if (filters.dim() == 6)
    return {filters.stride(0), filters.stride(1), filters.stride(2), filters.stride(3), filters.stride(4), column};
  const int64_t channel = filters.stride(1);
  return {filters.stride(0), channel * s.taps() * each, channel * each, channel, filters.stride(2), column};
}

Tensor new_picture(const Tensor& like, int64_t height, int64_t width) {
  using torch::stable::new_empty;
  using torch::stable::transpose;
  const int64_t n = like.size(0), c = like.size(1);
  if (like.is_contiguous() || like.stride(1) != 1) return new_empty(like, {n, c, height, width});
  return transpose(transpose(new_empty(like, {n, height, width, c}), 1, 3), 2, 3);
}

std::tuple<Tensor, Tensor> new_gradients(const Tensor& grad, const Tensor& x, const Tensor& filters,
                                         const FilterGeometry& s, bool need_x, bool need_filters) {
  check_shape(grad, "dynamic_filter: grad", {s.n, x.size(1), s.scale * s.height, s.scale * s.width});
  STD_TORCH_CHECK(grad.scalar_type() == x.scalar_type(), "dynamic_filter: grad: want the dtype of x");
  check_same_device(grad, "dynamic_filter: grad", x, "x");
  Tensor of_x = need_x ? new_picture(x, s.x_height, s.x_width) : torch::stable::new_empty(x, {0});
  Tensor of_filters = need_filters ? torch::stable::empty_like(filters) : torch::stable::new_empty(filters, {0});
  if (grad.numel() == 0) {  // without channels there are filters all the same
    torch::stable::fill_(of_x, 0.0);
    torch::stable::fill_(of_filters, 0.0);
  }
  return {of_x, of_filters};
}

}  // namespace lfdeblur
