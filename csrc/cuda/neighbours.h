// Neighbouring elements of a row, read by the word whatever their alignment.
#pragma once
#include <type_traits>

#include "cuda/access.h"

namespace lfdeblur::cuda {

// COUNT neighbours in a row of a view, held as the aligned words they lie in.
template <class T, int COUNT>
struct Neighbours {
  using Whole = std::conditional_t<sizeof(T) < 4, uint32_t, T>;
  using Bits = std::conditional_t<sizeof(T) == 1, uint8_t, uint16_t>;
  static constexpr int per_word = sizeof(Whole) / sizeof(T);
  static constexpr int margin = per_word - 1;  // elements on either side that are read with them
  static constexpr int words = ceil_div(COUNT + margin, per_word);
  Whole word[words];
  unsigned offset;  // of the first neighbour in the first word, in bits

  __device__ __forceinline__ void read(const T* p) {
    const unsigned element = per_word > 1 ? reinterpret_cast<uintptr_t>(p) / sizeof(T) % per_word : 0;
    const Whole* from = reinterpret_cast<const Whole*>(p - element);
#pragma unroll
    for (int i = 0; i < words; ++i) word[i] = from[i];
    offset = element * 8 * sizeof(T);
  }
  // The same, where some lie beyond the row: its border stands for them.
  __device__ __forceinline__ void read_clamped(const T* row, int x, int64_t width) {
#pragma unroll
    for (int i = 0; i < words; ++i) word[i] = Whole{};
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      const T value = row[min(max(x + i, 0), static_cast<int>(width) - 1)];
      if constexpr (per_word == 1) {
        word[i] = value;
      } else {
        word[i / per_word] |= static_cast<Whole>(bit_copy<Bits>(value)) << (i % per_word * 8 * sizeof(T));
      }
    }
    offset = 0;
  }
  template <class R>
  __device__ __forceinline__ void values(R (&value)[COUNT]) const {
    if constexpr (per_word == 1) {
#pragma unroll
      for (int i = 0; i < COUNT; ++i) value[i] = to_acc(word[i]);
    } else {
      uint32_t shifted[words];
#pragma unroll
      for (int i = 0; i < words; ++i) shifted[i] = __funnelshift_r(word[i], i + 1 < words ? word[i + 1] : 0u, offset);
#pragma unroll
      for (int i = 0; i < COUNT; ++i)
        value[i] = to_acc(bit_copy<T>(static_cast<Bits>(shifted[i / per_word] >> (i % per_word * 8 * sizeof(T)))));
    }
  }
};

}  // namespace lfdeblur::cuda
