// The arguments of `dynamic_filter` and `dynamic_filter_separable` as torch's operators get them.
#pragma once
#include <string>
#include <tuple>
#include <vector>

#include "common/checks.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur {

struct FilterOptions {
  std::vector<int64_t> kernel_size;
  std::string border;
  std::vector<int64_t> dilation, stride;
  int64_t scale;
  std::string normalize;
  bool interleaved;
  bool separable = false;
};

// Checked, all but the strides of what is still to be allocated.
FilterGeometry filter_geometry(const Tensor& x, const Tensor& filters, const FilterOptions& options);

// Of a picture [N, groups * channels, H, W], and of filters as [N, G*T*S, H, W] or [N, G, T, S, H, W].
PictureStrides picture_strides(const Tensor& picture, const FilterGeometry& s, bool interleaved);
FilterStrides filter_strides(const Tensor& filters, const FilterGeometry& s);

// [N, C, height, width], channels-last where `like` [N, C, ., .] is.
Tensor new_picture(const Tensor& like, int64_t height, int64_t width);

// Of x and filters, for a checked `grad`; empty where not wanted, zero where there is nothing to add up.
std::tuple<Tensor, Tensor> new_gradients(const Tensor& grad, const Tensor& x, const Tensor& filters,
                                         const FilterGeometry& s, bool need_x, bool need_filters);

}  // namespace lfdeblur
