// All that a call of `dynamic_filter` or `dynamic_filter_separable` is but for the data; shared by the CPU and CUDA
// kernels.
#pragma once
#include <cstdint>

#include "lfdeblur/dtypes.h"

namespace lfdeblur {

enum class Border : int { replicate, zeros, reflect, circular, valid };
enum class Normalize : int { none, softmax, sum };

constexpr int kMaxKernelSize = 51;
constexpr double kNormalizeEpsilon = 1e-8;  // added to the sum of the taps by Normalize::sum

// Of a picture: picture, group, channel within the group, row, column.
struct PictureStrides {
  int64_t n, g, c, y, x;
};

// Of filters: picture, group, tap (row * kernel_width + column unless separable), output of a position, row, column.
struct FilterStrides {
  int64_t n, g, t, s, y, x;
};

// A position (y, x) of height x width has scale x scale outputs. Tap (i, j) of it reads row
// y * stride_y + i * dilation_y - pad_y of the picture, and columns alike.
struct FilterGeometry {
  int64_t n, groups, channels;  // channels of one group
  int64_t x_height, x_width;
  int64_t height, width;
  int kernel_height, kernel_width;
  int64_t dilation_y, dilation_x, stride_y, stride_x, scale;
  bool fine;         // filters of [scale * height, scale * width], one for each output
  bool interleaved;  // groups of channels
  bool separable;    // kernel_height vertical taps, then kernel_width horizontal ones, whose products are the kernel
  Border border;
  Normalize normalize;
  PictureStrides x, out;  // the gradients of the two have their strides
  FilterStrides filters, grad_filters;

  LFD_HD int taps() const { return separable ? kernel_height + kernel_width : kernel_height * kernel_width; }
  LFD_HD int64_t pad_y() const { return border == Border::valid ? 0 : dilation_y * (kernel_height - 1) / 2; }
  LFD_HD int64_t pad_x() const { return border == Border::valid ? 0 : dilation_x * (kernel_width - 1) / 2; }
  LFD_HD int64_t output_height() const { return scale * height; }
  LFD_HD int64_t output_width() const { return scale * width; }
  LFD_HD int64_t padded_width() const { return x_width + 2 * pad_x(); }

  // Outputs of one row of filters stand `phases` apart, the first of output row `row` and phase `phase` as told here.
  LFD_HD int64_t phases() const { return fine ? 1 : scale; }
  LFD_HD int64_t filter_width() const { return fine ? scale * width : width; }
  LFD_HD int64_t first_filter(int64_t n, int64_t g, int64_t row, int64_t phase, const FilterStrides& f) const {
    const int64_t picture = n * f.n + g * f.g;
    return fine ? picture + row * f.y : picture + row / scale * f.y + (row % scale * scale + phase) * f.s;
  }
};

// The row or column of the picture that p, in or about [0, size), shows; -1: none, a zero.
LFD_HD int64_t shown(int64_t p, int64_t size, Border border) {
  if (p >= 0 && p < size) return p;
  switch (border) {
    case Border::replicate:
      return p < 0 ? 0 : size - 1;
    case Border::reflect:
      return p < 0 ? -p : 2 * (size - 1) - p;
    case Border::circular:
      return p < 0 ? p + size : p - size;
    default:
      return -1;
  }
}

// The rows or columns p in or about [0, size) that show v: at(first) to at(last), v itself among them as at(0).
struct Showing {
  int64_t v, size;
  Border border;
  int64_t first, last;

  LFD_HD Showing(int64_t v_, int64_t size_, int64_t pad, Border border_)
      : v(v_), size(size_), border(border_), first(0), last(0) {
    if (border == Border::replicate) {
      first = v == 0 ? -pad : 0;
      last = v == size - 1 ? pad : 0;
    } else if (border == Border::reflect) {
      first = v > 0 && v <= pad ? -1 : 0;
      last = v < size - 1 && size - 1 - v <= pad ? 1 : 0;
    } else if (border == Border::circular) {
      first = size - v <= pad ? -1 : 0;
      last = v < pad ? 1 : 0;
    }
  }
  LFD_HD int64_t at(int64_t k) const {
    if (border == Border::circular) return v + k * size;
    if (border != Border::reflect || k == 0) return v + k;
    return k < 0 ? -v : 2 * (size - 1) - v;
  }
};

}  // namespace lfdeblur
