// Rows of output pixels of a gradient, in the blocks of refocus_samples.h.
#pragma once

// A strip of a row y of all planes of a tensor [B, A, D, C, H, W] at one d, in blocks; zeros beyond the row's end.
template <class R>
class RowBlocks {
 public:
  explicit RowBlocks(const RefocusShape& s, int64_t width) : s_(s), width_(width), blocks_(s.b * s.a * s.c * width) {}

  void read(const R* from, int64_t d, int64_t y, int64_t x0, int64_t blocks) {
    constexpr int64_t L = kLanes<R>;
    for (int64_t ba = 0; ba < s_.b * s_.a; ++ba)
      for (int64_t c = 0; c < s_.c; ++c) {
        const R* row = from + (((ba * s_.d + d) * s_.c + c) * s_.h + y) * s_.w;
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t x = x0 + block * L, count = std::min(L, s_.w - x);
          R values[L] = {};
          std::copy(row + x, row + x + count, values);
          memcpy(&blocks_[((ba * width_) + block) * s_.c + c], values, sizeof(values));
        }
      }
  }
  // Of all channels.
  const Vec<R>* at(int64_t b, int64_t a, int64_t block) const {
    return blocks_.data() + ((b * s_.a + a) * width_ + block) * s_.c;
  }

 private:
  const RefocusShape& s_;
  const int64_t width_;
  Buffer<Vec<R>> blocks_;
};
