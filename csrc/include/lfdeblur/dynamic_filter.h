// What the tiled CUDA kernels of `dynamic_filter` serve; filter_geometry.h tells of all else.
#pragma once
#include <cstdint>

namespace lfdeblur {

constexpr int kMaxTiledKernelSize = 15;

// x, out: [N, G, C, H, W] contiguous, where C is the number of channels that share one filter.
// Tap t = ky * k + kx of group g at pixel (y, x) lies at n*fn + g*fg + t*ft + y*fy + x*fx.
struct DynamicFilterShape {
  int64_t n, groups, channels, height, width;
  int k;
  bool replicate;  // border: replicate the edge, else zeros
  int64_t fn, fg, ft, fy, fx;
};

}  // namespace lfdeblur
