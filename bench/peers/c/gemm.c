// A C library's side of the products, through its cblas interface: OpenBLAS, BLIS with -DBLIS, or MKL with -DMKL. A
// batch is a loop of calls, of MKL one call.
#include "serve.h"
#ifdef MKL
#include <mkl.h>
#else
#include <cblas.h>
#endif
#ifdef MKL
#define NAME "mkl"
static const char *version(void) {
	static char text[64];
	MKLVersion v;
	mkl_get_version(&v);
	snprintf(text, sizeof text, "%d.%d.%d", v.MajorVersion, v.MinorVersion, v.UpdateVersion);
	return text;
}
#define VERSION version()
#elif defined BLIS
#include <blis.h>
#define NAME "blis"
#define VERSION bli_info_get_version_str()
#else
#define NAME "openblas"
#define VERSION openblas_get_config()
#endif

static void *a, *b, *c;
static int size, ta, tb;
static long batch, m, n, k;

static const char *prepare(const char *q) {
	free(a), free(b), free(c);
	a = b = c = 0;
	if (!is(q, "kind", "gemm"))
		return "has no such case";
	size = is(q, "dtype", "bf16") ? 2 : is(q, "dtype", "f32") ? 4 : 8;
#ifndef MKL
	if (size == 2)
		return "has no bfloat16";
#endif
	batch = integer(q, "batch"), m = integer(q, "m"), n = integer(q, "n"), k = integer(q, "k");
	ta = truth(q, "ta"), tb = truth(q, "tb");
	a = numbers(size, 1, batch * m * k, -1, 1);
	b = numbers(size, 2, batch * k * n, -1, 1);
	c = make((size == 8 ? 8 : 4) * batch * m * n);
	return a && b && c ? 0 : "out of memory";
}

static void run(void) {
	enum CBLAS_TRANSPOSE A = ta ? CblasTrans : CblasNoTrans, B = tb ? CblasTrans : CblasNoTrans;
	long lda = ta ? m : k, ldb = tb ? k : n;
#ifdef MKL
	if (size == 2) {
		for (long i = 0; i < batch; i++)
			cblas_gemm_bf16bf16f32(CblasRowMajor, A, B, m, n, k, 1, (MKL_BF16 *)a + i * m * k, lda, (MKL_BF16 *)b + i * k * n, ldb, 0,
				(float *)c + i * m * n, n);
		return;
	}
	if (batch > 1) {
		if (size == 4)
			cblas_sgemm_batch_strided(CblasRowMajor, A, B, m, n, k, 1, a, lda, m * k, b, ldb, k * n, 0, c, n, m * n, batch);
		else
			cblas_dgemm_batch_strided(CblasRowMajor, A, B, m, n, k, 1, a, lda, m * k, b, ldb, k * n, 0, c, n, m * n, batch);
		return;
	}
#endif
	for (long i = 0; i < batch; i++)
		if (size == 4)
			cblas_sgemm(CblasRowMajor, A, B, m, n, k, 1, (float *)a + i * m * k, lda, (float *)b + i * k * n, ldb, 0,
				(float *)c + i * m * n, n);
		else
			cblas_dgemm(CblasRowMajor, A, B, m, n, k, 1, (double *)a + i * m * k, lda, (double *)b + i * k * n, ldb, 0,
				(double *)c + i * m * n, n);
}

static double at(long i) { return size == 8 ? ((double *)c)[i] : ((float *)c)[i]; }

int main(void) { serve(NAME, VERSION); }
