//go:build cuda && linux

#include "products.h"

int cublasCreate_v2(adjoint_blas *);
int cublasSetStream_v2(adjoint_blas, void *);
int cublasSetWorkspace_v2(adjoint_blas, void *, size_t);
int cublasSetMathMode(adjoint_blas, int);
int cublasGemmStridedBatchedEx(adjoint_blas, int, int, int, int, int, const void *, const void *, int, int, long long, const void *, int, int,
	long long, const void *, void *, int, int, long long, int, int, int);

// A batch is a dimension of a kernel's grid, which is below 65,536; not all versions of cuBLAS cut larger ones.
enum { no_context = 1000, most_batch = 1 << 15 };

int adjoint_blas_new(void *ctx, adjoint_blas *h) {
	if (cuCtxSetCurrent(ctx) != CUDA_SUCCESS) return no_context;
	int r = cublasCreate_v2(h);
	return r != 0 ? r : cublasSetMathMode(*h, adjoint_MATH_DISALLOW_REDUCED);
}

int adjoint_blas_on(void *ctx, adjoint_blas h, void *stream, uint64_t space, size_t bytes) {
	if (cuCtxSetCurrent(ctx) != CUDA_SUCCESS) return no_context;
	int r = cublasSetStream_v2(h, stream); // before the workspace, which it would reset
	return r != 0 ? r : cublasSetWorkspace_v2(h, (void *)space, bytes);
}

void adjoint_blas_off(void *ctx, adjoint_blas h) {
	if (cuCtxSetCurrent(ctx) == CUDA_SUCCESS) cublasSetStream_v2(h, NULL);
}

int adjoint_gemm(void *ctx, adjoint_blas h, int type, int ta, int tb, int m, int n, int k,
	uint64_t a, int lda, long long sa, uint64_t b, int ldb, long long sb, uint64_t c, int ldc, long long sc, int batch, int tf32) {
	static const float one = 1, zero = 0;
	static const double one64 = 1, zero64 = 0;
	int wide = type == adjoint_R_64F, to = wide ? type : adjoint_R_32F;
	int compute = wide ? adjoint_COMPUTE_64F : type == adjoint_R_32F && tf32 ? adjoint_COMPUTE_32F_FAST_TF32 : adjoint_COMPUTE_32F;
	if (cuCtxSetCurrent(ctx) != CUDA_SUCCESS) return no_context;
	const long long bytes = type == adjoint_R_64F ? 8 : type == adjoint_R_32F ? 4 : 2;
	int r = 0;
	for (long long from = 0; r == 0 && from < batch; from += most_batch) {
		const int n_batch = batch - from < most_batch ? (int)(batch - from) : most_batch;
		r = cublasGemmStridedBatchedEx(h, ta ? adjoint_OP_T : adjoint_OP_N, tb ? adjoint_OP_T : adjoint_OP_N, m, n, k,
			wide ? (const void *)&one64 : &one, (const void *)(a + from * sa * bytes), type, lda, sa, (const void *)(b + from * sb * bytes), type, ldb, sb,
			wide ? (const void *)&zero64 : &zero, (void *)(c + from * sc * (wide ? 8 : 4)), to, ldc, sc, n_batch, compute, adjoint_GEMM_DEFAULT);
	}
	return r;
}
