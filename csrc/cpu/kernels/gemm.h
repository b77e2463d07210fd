// A small matrix product, operands in the first-level cache.
#pragma once

// c[m][0 .. V * kLanes) += (without Add: =) sum_k a[m * a_m + k * a_k] * b[k * b_k ..], m < rows; b's vectors lie b_v
// apart. Of the memory at `ahead`, needed soon, a line is asked for in each step. Compiled once, in gemm_tiles.cpp.
template <class R, int V, bool Add = true>
void gemm_rows(int64_t rows, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c,
               int64_t c_m, int64_t b_v = kLanes<R>, const void* ahead = nullptr);

// c [rows, columns] += a [rows, depth] * b [depth, columns]; rows of b and c lie dense and hold whole vectors.
template <class R>
void gemm(int64_t rows, int64_t columns, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k,
          R* c, int64_t c_m, const void* ahead = nullptr) {
  constexpr int L = kLanes<R>;
  int64_t x = 0;
  for (; x + 2 * L <= columns; x += 2 * L) gemm_rows<R, 2>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m, L, ahead);
  if (x < columns) gemm_rows<R, 1>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m);
}
