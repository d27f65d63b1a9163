// Functions of small matrices, a warp each: package linalg's own loops, each element by the same operations in
// the same order. Matrices are N by N, rows P apart.
#ifndef ADJ_LINALG
#define ADJ_LINALG

template <class T> ADJ T l_dot(const T *x, const T *y, int step, int n) {
	T s0 = 0, s1 = 0, s2 = 0, s3 = 0;
	int i = 0;
	for (; i + 4 <= n; i += 4) {
		s0 = v_add(s0, v_mul(x[i], y[i * step]));
		s1 = v_add(s1, v_mul(x[i + 1], y[(i + 1) * step]));
		s2 = v_add(s2, v_mul(x[i + 2], y[(i + 2) * step]));
		s3 = v_add(s3, v_mul(x[i + 3], y[(i + 3) * step]));
	}
	for (; i < n; i++) s0 = v_add(s0, v_mul(x[i], y[i * step]));
	return v_add(v_add(s0, s1), v_add(s2, s3));
}

// bad notes that element e of the batch has no result: the first one's number stays.
ADJ void l_bad(u64 *status, u64 e) {
	for (u64 old = *status; old == 0 || old > e + 1;) {
		const u64 was = atomicCAS(status, old, e + 1);
		if (was == old) break;
		old = was;
	}
}

template <class T> ADJ void l_load(T *a, const T *p, int rows, int cols, int pitch, int lane) {
	for (int k = lane; k < rows * cols; k += 32) a[k / cols * pitch + k % cols] = p[k];
	__syncwarp();
}

template <int N, int P, class T> ADJ bool l_cholesky(T *l, int lane) {
	bool good = true;
	for (int j = 0; j < N; j++) {
		T v = 0;
		if (lane >= j && lane < N) v = v_sub(l[lane * P + j], l_dot(l + lane * P, l + j * P, 1, j));
		if (lane == j) {
			good = v > 0;
			l[j * P + j] = v_sqrt(v);
		}
		__syncwarp();
		if (lane > j && lane < N) l[lane * P + j] = v_div(v, l[j * P + j]);
		__syncwarp();
	}
	return good;
}

// The rows' order goes to perm; the permutation's sign is returned.
template <int N, int P, class T> ADJ T l_lu(T *f, int *perm, int lane) {
	T parity = 1;
	if (lane < N) perm[lane] = lane;
	__syncwarp();
	for (int j = 0; j < N; j++) {
		int p = j; // every lane looks
		for (int i = j + 1; i < N; i++)
			if (fabs(f[i * P + j]) > fabs(f[p * P + j])) p = i;
		__syncwarp();
		if (p != j) {
			if (lane < N) {
				const T x = f[j * P + lane];
				f[j * P + lane] = f[p * P + lane];
				f[p * P + lane] = x;
			}
			if (lane == 0) {
				const int k = perm[j];
				perm[j] = perm[p];
				perm[p] = k;
			}
			parity = -parity;
		}
		__syncwarp();
		if (f[j * P + j] != 0 && lane > j && lane < N) {
			const T m = v_div(f[lane * P + j], f[j * P + j]);
			f[lane * P + j] = m;
			for (int k = j + 1; k < N; k++) f[lane * P + k] = v_add(f[lane * P + k], v_mul(-m, f[j * P + k]));
		}
		__syncwarp();
	}
	return parity;
}

template <int N, int P, class T> ADJ bool l_singular(const T *a) {
	bool zero = false;
	for (int i = 0; i < N; i++) zero = zero || a[i * P + i] == 0;
	return zero;
}

// x, one column whose elements are 32 apart, becomes op(a)⁻¹·x. alone: it is the only one.
template <int N, int P, class T> ADJ void l_triangle(const T *a, T *x, bool alone, bool upper, bool transposed, bool unit) {
	for (int k = 0; k < N; k++) {
		const int i = upper != transposed ? N - 1 - k : k, lo = upper ? i + 1 : 0, hi = upper ? N : i;
		T v = x[i * 32];
		if (!transposed) {
			if (alone) {
				v = v_sub(v, l_dot(a + i * P + lo, x + lo * 32, 32, hi - lo));
			} else {
				v = -v;
				for (int p = lo; p < hi; p++) v = v_add(v, v_mul(a[i * P + p], x[p * 32]));
				v = -v;
			}
		}
		if (!unit) v = v_div(v, a[i * P + i]);
		x[i * 32] = v;
		if (transposed)
			for (int p = lo; p < hi; p++) x[p * 32] = v_add(x[p * 32], v_mul(-a[i * P + p], v));
	}
}

#endif
