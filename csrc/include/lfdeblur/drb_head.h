// The geometry of `drb_head`.
#pragma once
#include <cstdint>

namespace lfdeblur {

// Feature c of pixel (n, y, x) lies at n*sn + c*sc + y*sy + x*sx.
struct FeatureLayout {
  int64_t channels, sn, sc, sy, sx;
};

// image, out: [N, C, H, W] contiguous.
struct DrbHeadShape {
  int64_t n, channels, height, width;
  int k;
  FeatureLayout kernel, residual;
  double slope, low, high;
};

}  // namespace lfdeblur
