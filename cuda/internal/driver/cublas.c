//go:build cuda && linux

#include "products.h"

int cublasCreate_v2(adjoint_blas *);
int cublasDestroy_v2(adjoint_blas);
int cublasSetStream_v2(adjoint_blas, void *);
int cublasSetWorkspace_v2(adjoint_blas, void *, size_t);
int cublasSetMathMode(adjoint_blas, int);
int cublasGemmStridedBatchedEx(adjoint_blas, int, int, int, int, int, const void *, const void *, int, int, long long, const void *, int, int,
	long long, const void *, void *, int, int, long long, int, int, int);

enum { no_context = 1000 };

int adjoint_blas_new(void *ctx, adjoint_blas *h, void *stream, uint64_t space, size_t bytes) {
	if (cuCtxSetCurrent(ctx) != CUDA_SUCCESS) return no_context;
	int r = cublasCreate_v2(h);
	if (r != 0) return r;
	if (r == 0) r = cublasSetStream_v2(*h, stream); // before the workspace, which it would reset
	if (r == 0) r = cublasSetWorkspace_v2(*h, (void *)space, bytes);
	if (r == 0) r = cublasSetMathMode(*h, adjoint_MATH_DISALLOW_REDUCED);
	if (r != 0) cublasDestroy_v2(*h);
	return r;
}

void adjoint_blas_free(void *ctx, adjoint_blas h) {
	if (cuCtxSetCurrent(ctx) == CUDA_SUCCESS) cublasDestroy_v2(h);
}

int adjoint_gemm(void *ctx, adjoint_blas h, int type, int ta, int tb, int m, int n, int k,
	uint64_t a, int lda, long long sa, uint64_t b, int ldb, long long sb, uint64_t c, int ldc, long long sc, int batch, int tf32) {
	static const float one = 1, zero = 0;
	static const double one64 = 1, zero64 = 0;
	int wide = type == adjoint_R_64F, to = wide ? type : adjoint_R_32F;
	int compute = wide ? adjoint_COMPUTE_64F : type == adjoint_R_32F && tf32 ? adjoint_COMPUTE_32F_FAST_TF32 : adjoint_COMPUTE_32F;
	if (cuCtxSetCurrent(ctx) != CUDA_SUCCESS) return no_context;
	return cublasGemmStridedBatchedEx(h, ta ? adjoint_OP_T : adjoint_OP_N, tb ? adjoint_OP_T : adjoint_OP_N, m, n, k,
		wide ? (const void *)&one64 : &one, (const void *)a, type, lda, sa, (const void *)b, type, ldb, sb,
		wide ? (const void *)&zero64 : &zero, (void *)c, to, ldc, sc, batch, compute, adjoint_GEMM_DEFAULT);
}
