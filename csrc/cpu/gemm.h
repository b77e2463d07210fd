// A small matrix product, operands in the first-level cache. No include guard: each_isa.h includes this once per
// instruction set.

// c[m][0 .. V * kLanes) += (without Add: =) sum_k a[m * a_m + k * a_k] * b[k * b_k ..]
template <class R, int M, int V, bool Add>
inline void gemm_tile(int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c, int64_t c_m) {
  constexpr int L = kLanes<R>;
  Vec<R> sum[M][V];
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[m][v] = Add ? load(c + m * c_m + v * L) : Vec<R>{};
  for (int64_t k = 0; k < depth; ++k) {
    Vec<R> right[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) right[v] = load(b + k * b_k + v * L);
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m) {
      const Vec<R> left = splat<R>(a[m * a_m + k * a_k]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[m][v] += left * right[v];
    }
  }
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store(c + m * c_m + v * L, sum[m][v]);
}

template <class R, int V, bool Add = true>
inline void gemm_rows(int64_t rows, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k, R* c,
                      int64_t c_m) {
  // Groups of five and six rows: ten or twelve sums fill the registers and hide the latency of a multiply-add.
  const int64_t groups = (rows + 5) / 6;
  for (int64_t g = 0, m = 0; g < groups; ++g) {
    const int64_t count = rows * (g + 1) / groups - m;
    const R* from = a + m * a_m;
    R* to = c + m * c_m;
    if (count == 6) gemm_tile<R, 6, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    if (count == 5) gemm_tile<R, 5, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    if (count == 4) gemm_tile<R, 4, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    if (count == 3) gemm_tile<R, 3, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    if (count == 2) gemm_tile<R, 2, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    if (count == 1) gemm_tile<R, 1, V, Add>(depth, from, a_m, a_k, b, b_k, to, c_m);
    m += count;
  }
}

// c [rows, columns] += a [rows, depth] * b [depth, columns]; rows of b and c lie dense and hold whole vectors.
template <class R>
void gemm(int64_t rows, int64_t columns, int64_t depth, const R* a, int64_t a_m, int64_t a_k, const R* b, int64_t b_k,
          R* c, int64_t c_m) {
  constexpr int L = kLanes<R>;
  int64_t x = 0;
  for (; x + 2 * L <= columns; x += 2 * L) gemm_rows<R, 2>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m);
  if (x < columns) gemm_rows<R, 1>(rows, depth, a, a_m, a_k, b + x, b_k, c + x, c_m);
}
