// A window on a row of a view, of which every lane picks an element of its own: columns 0 .. end, end < kSize.
#pragma once

// Of any element type: the elements are loaded one by one.
template <class T>
class Elements {
 public:
  using R = acc_t<T>;
  using Int = typename Simd<R>::Mask;
  static constexpr int64_t kSize = int64_t{1} << 30;
  struct Pick {
    int32_t at[kLanes<R>];
  };

  static Pick pick(Int columns, int64_t, int) {
    Pick pick;
    for (int l = 0; l < kLanes<R>; ++l) pick.at[l] = static_cast<int32_t>(columns[l]);
    return pick;
  }
  Elements(const T* row, int64_t) : row_(row) {}
  Vec<R> operator[](const Pick& pick) const {
    Vec<R> v;
    for (int l = 0; l < kLanes<R>; ++l) v[l] = to_acc(row_[pick.at[l]]);
    return v;
  }

 private:
  const T* row_;
};

// Columns side by side: tap j of pixel l at l + j.
template <class T>
class SideBySide {
 public:
  using R = acc_t<T>;
  using Pick = int;

  static Pick pick(typename Simd<R>::Mask, int64_t, int j) { return j; }
  SideBySide(const T* row, int64_t) : row_(row) {}
  Vec<R> operator[](Pick j) const { return load(row_ + j); }

 private:
  const T* row_;
};

// Where the instruction set can: the window is loaded into registers, and picked from there.
template <class T>
class Window : public Elements<T> {
  using Elements<T>::Elements;
};

#if defined(LFD_AVX2)
template <>
class Window<float> {
 public:
  static constexpr int64_t kSize = 16;
  struct Pick {
    __m256i lower, upper;
    __m256 in_upper;
  };

  static Pick pick(Simd<float>::Mask columns, int64_t end, int) {
    const __m256i at = (__m256i)columns;
    const __m256i in_upper = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(7));
    return {at, _mm256_sub_epi32(at, _mm256_set1_epi32(static_cast<int>(upper_begin(end)))),
            _mm256_castsi256_ps(in_upper)};
  }
  Window(const float* row, int64_t end)
      : lower_(_mm256_loadu_ps(row)), upper_(_mm256_loadu_ps(row + upper_begin(end))) {}
  Vec<float> operator[](const Pick& pick) const {
    const __m256 lower = _mm256_permutevar8x32_ps(lower_, pick.lower);
    return (Vec<float>)_mm256_blendv_ps(lower, _mm256_permutevar8x32_ps(upper_, pick.upper), pick.in_upper);
  }

 private:
  // No further than the last column: what lies beyond may be in no cache.
  static int64_t upper_begin(int64_t end) { return std::max<int64_t>(0, end - 7); }

  __m256 lower_, upper_;
};

template <>
class Window<uint8_t> {
 public:
  static constexpr int64_t kSize = 16;
  using Pick = __m256i;

  static Pick pick(Simd<float>::Mask columns, int64_t, int) {
    return _mm256_or_si256((__m256i)columns, _mm256_set1_epi32(static_cast<int>(0x80808000u)));
  }
  Window(const uint8_t* row, int64_t)
      : bytes_(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row)))) {}
  Vec<float> operator[](const Pick& pick) const {
    return (Vec<float>)_mm256_cvtepi32_ps(_mm256_shuffle_epi8(bytes_, pick));
  }

 private:
  __m256i bytes_;
};

// Of 16 elements of 16 bits.
class WordWindow {
 public:
  static constexpr int64_t kSize = 16;
  struct Pick {
    __m256i pair, shift;
  };

  static Pick pick(Simd<float>::Mask columns, int64_t, int) {
    const __m256i at = (__m256i)columns;
    return {_mm256_srli_epi32(at, 1), _mm256_slli_epi32(_mm256_and_si256(at, _mm256_set1_epi32(1)), 4)};
  }
  WordWindow(const void* row, int64_t) : words_(_mm256_loadu_si256(static_cast<const __m256i*>(row))) {}

 protected:
  __m256i word(const Pick& pick) const {
    const __m256i pairs = _mm256_permutevar8x32_epi32(words_, pick.pair);
    return _mm256_and_si256(_mm256_srlv_epi32(pairs, pick.shift), _mm256_set1_epi32(0xffff));
  }

 private:
  __m256i words_;
};
inline Vec<float> halves_to_floats(__m256i words) {
  const __m256i narrow = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0x08);
  return (Vec<float>)_mm256_cvtph_ps(_mm256_castsi256_si128(narrow));
}
inline Vec<float> brains_to_floats(__m256i words) { return (Vec<float>)_mm256_slli_epi32(words, 16); }
inline Vec<float> integers_to_floats(__m256i words) { return (Vec<float>)_mm256_cvtepi32_ps(words); }

template <>
class Window<uint16_t> : public WordWindow {
 public:
  using WordWindow::WordWindow;
  Vec<float> operator[](const Pick& pick) const { return integers_to_floats(word(pick)); }
};
template <>
class Window<bf16> : public WordWindow {
 public:
  using WordWindow::WordWindow;
  Vec<float> operator[](const Pick& pick) const { return brains_to_floats(word(pick)); }
};
template <>
class Window<f16> : public WordWindow {
 public:
  using WordWindow::WordWindow;
  Vec<float> operator[](const Pick& pick) const { return halves_to_floats(word(pick)); }
};
#endif
