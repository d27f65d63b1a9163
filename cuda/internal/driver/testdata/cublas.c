// Fails to compile where ../products.h differs from NVIDIA's header.
#include <cublas_v2.h>
#include "../products.h"

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #theirs)
SAME(adjoint_R_32F, CUDA_R_32F);
SAME(adjoint_R_64F, CUDA_R_64F);
SAME(adjoint_R_16F, CUDA_R_16F);
SAME(adjoint_R_16BF, CUDA_R_16BF);
SAME(adjoint_OP_N, CUBLAS_OP_N);
SAME(adjoint_OP_T, CUBLAS_OP_T);
SAME(adjoint_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(adjoint_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_TF32);
SAME(adjoint_COMPUTE_64F, CUBLAS_COMPUTE_64F);
SAME(adjoint_GEMM_DEFAULT, CUBLAS_GEMM_DEFAULT);
SAME(adjoint_MATH_DISALLOW_REDUCED, CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);

// Enums are passed as ints, pointers as pointers: the prototypes that cublas.c declares by hand fit these.
_Static_assert(sizeof(cublasStatus_t) == sizeof(int) && sizeof(cublasOperation_t) == sizeof(int) && sizeof(cudaDataType) == sizeof(int) &&
	sizeof(cublasComputeType_t) == sizeof(int) && sizeof(cublasGemmAlgo_t) == sizeof(int) && sizeof(cublasMath_t) == sizeof(int), "enums");
cublasStatus_t (*create)(cublasHandle_t *) = cublasCreate_v2;
cublasStatus_t (*set_stream)(cublasHandle_t, cudaStream_t) = cublasSetStream_v2;
cublasStatus_t (*set_workspace)(cublasHandle_t, void *, size_t) = cublasSetWorkspace_v2;
cublasStatus_t (*set_mode)(cublasHandle_t, cublasMath_t) = cublasSetMathMode;
cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void *, const void *, cudaDataType, int, long long,
	const void *, cudaDataType, int, long long, const void *, void *, cudaDataType, int, long long, int, cublasComputeType_t, cublasGemmAlgo_t) =
	cublasGemmStridedBatchedEx;
