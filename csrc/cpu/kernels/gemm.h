// A small matrix product, operands in the first-level cache.
#pragma once

// Rows of a tile: with two vectors each, the sums fill the registers and hide the latency of a multiply-add.
#if defined(LFD_AVX512)
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;
#endif

constexpr int64_t kLine = 64;  // bytes

// c[m][0 .. V * kLanes) += (without Add: =) sum_k a[m * a_m + k * a_k] * b[k * b_k ..]; b's vectors lie b_v apart.
// Of the memory at `ahead`, needed soon, a line is asked for in each of the `depth` steps.
template <class R, int M, int V, bool Add>
inline void gemm_tile(int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c, int64_t c_m,
                      int64_t b_v, const char* ahead) {
  constexpr int L = kLanes<R>;
  Vec<R> sum[M][V];
#pragma GCC unroll 14
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[m][v] = Add ? load(c + m * c_m + v * L) : Vec<R>{};
  // A pointer for four rows each: with one for every row they would not fit the registers.
  const R* rows[(M + 3) / 4];
#pragma GCC unroll 4
  for (int i = 0; i < (M + 3) / 4; ++i) rows[i] = a + 4 * i * a_m;
  const int64_t of_four[] = {0, a_m, 2 * a_m, 3 * a_m};
  for (int64_t k = 0; k < depth; ++k) {
    Vec<R> right[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) right[v] = load(b + v * b_v);
    b += b_k;
    __builtin_prefetch(ahead + k * kLine, 0, 2);
#pragma GCC unroll 14
    for (int m = 0; m < M; ++m) {
      const Vec<R> left = splat<R>(rows[m / 4][of_four[m % 4]]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[m][v] += left * right[v];
    }
#pragma GCC unroll 4
    for (int i = 0; i < (M + 3) / 4; ++i) rows[i] += a_k;
  }
#pragma GCC unroll 14
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store(c + m * c_m + v * L, sum[m][v]);
}

// gemm_tile of `rows` rows, at most M.
template <class R, int M, int V, bool Add, class... Args>
inline void gemm_tile_of(int64_t rows, Args... args) {
  if (rows == M) return gemm_tile<R, M, V, Add>(args...);
  if constexpr (M > 1) gemm_tile_of<R, M - 1, V, Add>(rows, args...);
}

template <class R, int V, bool Add = true>
inline void gemm_rows(int64_t rows, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c,
                      int64_t c_m, int64_t b_v = kLanes<R>, const void* ahead = nullptr) {
  const char* line = reinterpret_cast<const char*>(ahead ? ahead : b);
  const int64_t groups = (rows + kTileRows - 1) / kTileRows;
  for (int64_t g = 0, m = 0; g < groups; ++g) {
    const int64_t count = rows * (g + 1) / groups - m;  // groups of one size, but for one row
    gemm_tile_of<R, kTileRows, V, Add>(count, depth, a + m * a_m, a_m, a_k, b, b_k, c + m * c_m, c_m, b_v, line);
    if (ahead) line += depth * kLine;
    m += count;
  }
}

// c [rows, columns] += a [rows, depth] * b [depth, columns]; rows of b and c lie dense and hold whole vectors.
template <class R>
void gemm(int64_t rows, int64_t columns, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k,
          R* c, int64_t c_m, const void* ahead = nullptr) {
  constexpr int L = kLanes<R>;
  int64_t x = 0;
  for (; x + 2 * L <= columns; x += 2 * L) gemm_rows<R, 2>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m, L, ahead);
  if (x < columns) gemm_rows<R, 1>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m);
}
