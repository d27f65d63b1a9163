// What is used of cublas_v2.h, whose package is a thousand times as large: names and numbers are part of
// cuBLAS's binary interface. A test holds them to the header where that is there.
#include <stddef.h>
#include <stdint.h>
#include <cuda.h>

typedef void *adjoint_blas; // cublasHandle_t

enum {
	adjoint_R_32F = 0, adjoint_R_64F = 1, adjoint_R_16F = 2, adjoint_R_16BF = 14, // cudaDataType
	adjoint_OP_N = 0, adjoint_OP_T = 1,                                          // cublasOperation_t
	adjoint_COMPUTE_32F = 68, adjoint_COMPUTE_32F_FAST_TF32 = 77, adjoint_COMPUTE_64F = 70,
	adjoint_GEMM_DEFAULT = -1,        // cublasGemmAlgo_t
	adjoint_MATH_DISALLOW_REDUCED = 16, // cublasMath_t: CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION, with CUBLAS_DEFAULT_MATH
};

int adjoint_blas_new(void *ctx, adjoint_blas *h);
int adjoint_blas_on(void *ctx, adjoint_blas h, void *stream, uint64_t space, size_t bytes);
void adjoint_blas_off(void *ctx, adjoint_blas h);
int adjoint_gemm(void *ctx, adjoint_blas h, int type, int ta, int tb, int m, int n, int k,
	uint64_t a, int lda, long long sa, uint64_t b, int ldb, long long sb, uint64_t c, int ldc, long long sc, int batch, int tf32);
