// The geometry of `dynamic_filter`, shared by the CPU and CUDA kernels.
#pragma once
#include <cstdint>

namespace lfdeblur {

// x, out: [N, G, C, H, W] contiguous, where C is the number of channels that share one filter:
// G = 1 for filters [N, k*k, H, W], C = 1 for filters [N, G*k*k, H, W].
// Tap t = ky * k + kx of group g at pixel (y, x) lies at n*fn + g*fg + t*ft + y*fy + x*fx.
struct DynamicFilterShape {
  int64_t n, groups, channels, height, width;
  int k;
  bool replicate;  // border: replicate the edge, else zeros
  int64_t fn, fg, ft, fy, fx;
};

}  // namespace lfdeblur
