// The geometry of `drb_head`.
#pragma once
#include <cstdint>

namespace lfdeblur {

// Feature c of pixel (n, y, x) lies at n*sn + c*sc + y*sy + x*sx.
struct FeatureLayout {
  int64_t channels, sn, sc, sy, sx;
};

// out: [N, C, height, width] contiguous; image: [N, C, image_height, width] contiguous, of which rows first_row .. are
// those of the features.
struct DrbHeadShape {
  int64_t n, channels, height, width;
  int k;
  FeatureLayout kernel, residual;
  double slope, low, high;
  int64_t image_height, first_row;
};

}  // namespace lfdeblur
