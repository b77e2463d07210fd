// The matrix product of gemm.h.
#include "lfdeblur/dtypes.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/gemm.h"

// Rows of a tile: with two vectors each, the sums fill the registers and hide the latency of a multiply-add.
#if defined(LFD_AVX512)
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;
#endif

constexpr int64_t kLine = 64;  // bytes

// gemm_rows of M rows; `ahead`: a line for each of the `depth` steps.
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

template <class R, int V, bool Add>
void gemm_rows(int64_t rows, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c,
               int64_t c_m, int64_t b_v, const void* ahead) {
  const char* line = reinterpret_cast<const char*>(ahead ? ahead : b);
  const int64_t groups = (rows + kTileRows - 1) / kTileRows;
  for (int64_t g = 0, m = 0; g < groups; ++g) {
    const int64_t count = rows * (g + 1) / groups - m;  // groups of one size, but for one row
    gemm_tile_of<R, kTileRows, V, Add>(count, depth, a + m * a_m, a_m, a_k, b, b_k, c + m * c_m, c_m, b_v, line);
    if (ahead) line += depth * kLine;
    m += count;
  }
}

#define INSTANTIATE(R, V, Add)                                                                                     \
  template void gemm_rows<R, V, Add>(int64_t, int64_t, const R*, int64_t, int64_t, const R*, int64_t, R*, int64_t, \
                                     int64_t, const void*);
INSTANTIATE(double, 1, true)
INSTANTIATE(double, 2, true)
INSTANTIATE(float, 1, true)
INSTANTIATE(float, 2, true)
INSTANTIATE(float, 1, false)
INSTANTIATE(float, 2, false)

#include "cpu/kernels/end.h"
