// Products in the CPU's order: fused multiply-adds over k in order inside blocks, the blocks' sums in order.
#ifndef ADJ_GEMM
#define ADJ_GEMM

enum { g_tile = 64, g_deep = 16, g_block = 256, g_dot = 4096 };

ADJ float g_in(float x) { return x; }
ADJ double g_in(double x) { return x; }
ADJ float g_in(f16 x) { return v_f32(x); }
ADJ float g_flush(float x) { return fabsf(x) < 0x1p-126f ? __fmul_rn(x, 0.0f) : x; }
ADJ float g_in(u16 x) { return g_flush(v_f32((int)((u32)x << 16))); }

// Of bfloat16s the second of a pair comes first, and denormals are zeros: those that are below the least normal number
// as if rounded without a bound for the exponent.
template <class S> struct g_sums {
	enum { swap = 0 };
	template <class T> static ADJ_INLINE T fma(T a, T b, T c) { return v_fma(a, b, c); }
	template <class T> static ADJ_INLINE T add(T a, T b) { return v_add(a, b); }
};
template <> struct g_sums<u16> {
	enum { swap = 1 };
	static ADJ_INLINE float fma(float a, float b, float c) {
		const float s = __fmaf_rn(a, b, c), size = fabsf(s);
		if (size > 0x1p-126f || !(size > 0)) return s;
		if (size == 0x1p-126f) {
			const double p = (double)a * b, least = 0x1p-126 - 0x1p-151;
			if (s > 0 ? __dadd_rd(p, c) >= least : __dadd_ru(p, c) <= -least) return s;
		}
		return __fmul_rn(s, 0.0f);
	}
	static ADJ_INLINE float add(float a, float b) { return g_flush(v_add(a, b)); }
};

// A block of 256 threads makes 64 by 64 elements of C, each thread 4 by 4 that lie 16 apart.
template <class S, class T> ADJ void g_strip(const S *a, const S *b, T *c, i64 m, i64 n, i64 k, i64 a_row, i64 a_col, i64 b_row,
	i64 b_col, i64 c_row, i64 row0, i64 col0) {
	__shared__ T as[g_deep][g_tile + 1], bs[g_deep][g_tile + 1];
	const int t = threadIdx.x, ti = t / 16, tj = t % 16;
	T sum[4][4], total[4][4];
#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < 4; j++) sum[i][j] = total[i][j] = 0;
	for (i64 k0 = 0; k0 < k; k0 += g_deep) {
		const int deep = k - k0 < g_deep ? (int)(k - k0) : g_deep;
#pragma unroll
		for (int l = 0; l < g_tile * g_deep / 256; l++) {
			// Neighbouring threads read neighbouring elements.
			const int e = l * 256 + t, ai = a_col == 1 ? e / g_deep : e % g_tile, ak = a_col == 1 ? e % g_deep : e / g_tile;
			const int bj = b_col == 1 ? e % g_tile : e / g_deep, bk = b_col == 1 ? e / g_tile : e % g_deep;
			as[ak][ai] = ak < deep && row0 + ai < m ? g_in(a[(row0 + ai) * a_row + (k0 + ak) * a_col]) : T(0);
			bs[bk][bj] = bk < deep && col0 + bj < n ? g_in(b[(k0 + bk) * b_row + (col0 + bj) * b_col]) : T(0);
		}
		__syncthreads();
		const int swap = g_sums<S>::swap;
		for (int q = 0; q < deep + (deep & swap); q++) {
			const int p = q ^ swap;
			T x[4], y[4];
#pragma unroll
			for (int i = 0; i < 4; i++) x[i] = as[p][ti + 16 * i], y[i] = bs[p][tj + 16 * i];
#pragma unroll
			for (int i = 0; i < 4; i++)
#pragma unroll
				for (int j = 0; j < 4; j++) sum[i][j] = g_sums<S>::fma(x[i], y[j], sum[i][j]);
		}
		if ((k0 + g_deep) % g_block == 0 || k0 + g_deep >= k) {
			const bool first = k0 < g_block;
#pragma unroll
			for (int i = 0; i < 4; i++)
#pragma unroll
				for (int j = 0; j < 4; j++) {
					total[i][j] = first ? sum[i][j] : g_sums<S>::add(total[i][j], sum[i][j]);
					sum[i][j] = 0;
				}
		}
		__syncthreads();
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < 4; j++)
			if (row0 + ti + 16 * i < m && col0 + tj + 16 * j < n) c[(row0 + ti + 16 * i) * c_row + col0 + tj + 16 * j] = total[i][j];
}

// One column: L threads are the lanes of a row; the last ones of a block are filled up with zeros.
template <class T, int L> ADJ T g_line(const T *a, const T *b, i64 k, i64 a_col, i64 b_row, int lane) {
	T total = 0;
	for (i64 k0 = 0; k0 < k; k0 += g_dot) {
		const i64 end = k - k0 < g_dot ? k : k0 + g_dot;
		T s = 0;
#pragma unroll 4
		for (i64 p = k0 + lane; p < (end - k0 + L - 1) / L * L + k0; p += L)
			s = p < end ? v_fma(a[p * a_col], b[p * b_row], s) : v_fma(T(0), T(0), s);
#pragma unroll
		for (int h = L / 2; h > 0; h /= 2) s = v_add(s, shift_down(s, h, L));
		total = k0 == 0 ? s : v_add(total, s);
	}
	return total;
}

#endif
