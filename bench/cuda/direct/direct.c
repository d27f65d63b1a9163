// What bench/cuda's figures are held against, of NVIDIA's own: a copy within the GPU by the driver, and products by cuBLAS,
// called without anything between. gcc -O2 direct.c -ldl; it needs no headers of CUDA.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *library(const char *const *names) {
	for (; *names != NULL; names++) {
		void *l = dlopen(*names, RTLD_NOW | RTLD_GLOBAL);
		if (l != NULL) return l;
	}
	return NULL;
}

static void *symbol(void *l, const char *name) {
	void *f = dlsym(l, name);
	if (f == NULL) {
		fprintf(stderr, "direct: there is no %s\n", name);
		exit(1);
	}
	return f;
}

static void must(const char *what, int r) {
	if (r == 0) return;
	fprintf(stderr, "direct: %s: error %d\n", what, r);
	exit(1);
}

static int (*sync_)(void);
static int (*copy)(uint64_t, uint64_t, size_t, void *);
static int (*gemm)(void *, int, int, int, int, int, const void *, const void *, int, int, const void *, int, int, const void *, void *, int, int,
	int, int);
static void *blas;
static uint64_t a, b, c;
static const int n = 8192;

enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_TF32 = 77 };

typedef struct { const char *name; int type, to, compute; } product;
static const product products[] = {{"product f32", R_32F, R_32F, COMPUTE_32F}, {"product tf32", R_32F, R_32F, COMPUTE_TF32},
	{"product f64", R_64F, R_64F, COMPUTE_64F}, {"product bf16", R_16BF, R_32F, COMPUTE_32F}, {"product f16", R_16F, R_32F, COMPUTE_32F}};

static void multiply(const product *p) {
	static const double one64 = 1, zero64 = 0;
	static const float one = 1, zero = 0;
	const int wide = p->type == R_64F;
	must("cublasGemmEx", gemm(blas, 0, 0, n, n, n, wide ? (const void *)&one64 : &one, (const void *)b, p->type, n, (const void *)a,
		p->type, n, wide ? (const void *)&zero64 : &zero, (void *)c, p->to, n, p->compute, -1));
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int ascending(const void *x, const void *y) { return *(const double *)x < *(const double *)y ? -1 : 1; }

// time_ prints the median of at least 5 calls and a second, after two others.
static void time_(const char *name, const product *p, double units, const char *unit) {
	static double times[1000];
	int k = 0;
	double total = 0;
	for (int i = -2; i < 5 || (total < 1 && i < 1000); i++) {
		must("cuCtxSynchronize", sync_());
		const double begin = now();
		if (p != NULL) multiply(p);
		else must("cuMemcpyDtoDAsync", copy(b, a, (size_t)4 << 26, NULL));
		must("cuCtxSynchronize", sync_());
		if (i < 0) continue;
		times[k++] = now() - begin;
		total += times[i];
	}
	qsort(times, k, sizeof *times, ascending);
	printf("%-32s direct          %10.4f ms %10.4g %s\n", name, 1e3 * times[k / 2], units / times[k / 2], unit);
}

int main(void) {
	void *cuda = library((const char *const[]){"libcuda.so.1", NULL});
	if (cuda == NULL) {
		printf("NOT RUN: copies and cuBLAS directly: %s\n", dlerror());
		return 0;
	}
	int count = 0, device = 0;
	const int status = ((int (*)(unsigned))symbol(cuda, "cuInit"))(0);
	if (status == 0) must("cuDeviceGetCount", ((int (*)(int *))symbol(cuda, "cuDeviceGetCount"))(&count));
	if (count == 0) {
		printf("NOT RUN: copies and cuBLAS directly: the NVIDIA driver finds no device (%d)\n", status);
		return 0;
	}
	void *context;
	must("cuDeviceGet", ((int (*)(int *, int))symbol(cuda, "cuDeviceGet"))(&device, 0));
	must("cuDevicePrimaryCtxRetain", ((int (*)(void **, int))symbol(cuda, "cuDevicePrimaryCtxRetain"))(&context, device));
	must("cuCtxSetCurrent", ((int (*)(void *))symbol(cuda, "cuCtxSetCurrent"))(context));
	int (*alloc)(uint64_t *, size_t) = symbol(cuda, "cuMemAlloc_v2");
	int (*fill)(uint64_t, unsigned short, size_t) = symbol(cuda, "cuMemsetD16_v2");
	uint64_t *const places[] = {&a, &b, &c};
	const size_t bytes = (size_t)8 * n * n;
	for (int i = 0; i < 3; i++) {
		must("cuMemAlloc", alloc(places[i], bytes));
		must("cuMemsetD16", fill(*places[i], 0x3c00, bytes / 2)); // 1 of float16, some small number of the others
	}
	sync_ = symbol(cuda, "cuCtxSynchronize");
	copy = symbol(cuda, "cuMemcpyDtoDAsync_v2");
	time_("copy f32", NULL, 8e-9 * (1 << 26), "GB/s");
	void *cublas = library((const char *const[]){"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so", NULL});
	if (cublas == NULL) {
		printf("NOT RUN: cuBLAS directly: %s\n", dlerror());
		return 0;
	}
	must("cublasCreate", ((int (*)(void **))symbol(cublas, "cublasCreate_v2"))(&blas));
	gemm = symbol(cublas, "cublasGemmEx");
	for (size_t i = 0; i < sizeof products / sizeof *products; i++) time_(products[i].name, &products[i], 2e-12 * n * n * n, "TFLOP/s");
	return 0;
}
