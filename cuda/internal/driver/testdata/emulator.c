// A driver with two devices that are this machine's memory, for tests: what the driver of a GPU is asked to do is done
// when somebody waits, and refused where NVIDIA's would refuse it or go astray. Kernels are shared libraries, whose file
// name is the "code" that is loaded.
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 1, MEMORY = 2, CONTEXT = 201, HANDLE = 400, NOT_FOUND = 500, ADDRESS = 700, CAPTURE = 900, DEVICES = 2 };

typedef struct { int device; } ctx;
static ctx contexts[DEVICES] = {{0}, {1}};
static __thread ctx *current;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define LOCKED(body) do { pthread_mutex_lock(&lock); int r_ = (body); pthread_mutex_unlock(&lock); return r_; } while (0)

// Ranges of memory.
static struct range { char *p; size_t n; ctx *of; } ranges[1 << 16]; // of NULL: pinned
static int ranges_used;
static size_t in_use;

static struct range *find(uint64_t p, size_t n, ctx *of) {
	for (int i = 0; i < ranges_used; i++) {
		struct range *r = &ranges[i];
		if (r->p != NULL && r->of == of && p >= (uint64_t)r->p && p + n <= (uint64_t)r->p + r->n) return r;
	}
	return NULL;
}

static int take(char **p, size_t n, ctx *of) {
	const char *limit = getenv("EMULATOR_BYTES");
	if (n == 0) return INVALID;
	if (of != NULL && limit != NULL && in_use + n > strtoull(limit, NULL, 10)) return MEMORY;
	int i = 0;
	while (i < ranges_used && ranges[i].p != NULL) i++;
	if (i == 1 << 16) return MEMORY;
	if (i == ranges_used) ranges_used++;
	*p = aligned_alloc(512, (n + 511) / 512 * 512);
	memset(*p, 0xa5, n);
	ranges[i] = (struct range){*p, n, of};
	if (of != NULL) in_use += n;
	return OK;
}

static int give(uint64_t p, ctx *of) {
	struct range *r = find(p, 0, of);
	if (r == NULL || (uint64_t)r->p != p) return INVALID;
	memset(r->p, 0x5a, r->n);
	free(r->p);
	r->p = NULL;
	if (of != NULL) in_use -= r->n;
	return OK;
}

// Work.
typedef struct { void (*run)(uint64_t, const uint64_t *); int params, block; } function;
typedef struct { int type, ta, tb, m, n, k; uint64_t a, b, c; int lda, ldb, ldc; long long sa, sb, sc; int batch; } gemm;
typedef struct stream stream;
typedef struct { enum { TO_DEVICE, TO_HOST, COPY, SET, LAUNCH, GEMM, AFTER } kind; uint64_t to, from, n; function *f; uint64_t args[64]; gemm g; stream *other; } op;
typedef struct { op *ops; int n; } graph;
struct stream { ctx *of; graph todo; int done, capturing; graph captured; };
typedef struct { stream *s; int end; } event;

static int put(graph *g, const op *o) {
	g->ops = realloc(g->ops, (g->n + 1) * sizeof *o);
	g->ops[g->n++] = *o;
	return OK;
}

static int add(stream *s, const op *o) {
	if (current == NULL || s == NULL || s->of != current) return CONTEXT;
	return put(s->capturing ? &s->captured : &s->todo, o);
}

static double element(int type, uint64_t p, long long i) {
	if (type == 14) { // bfloat16
		uint32_t u = (uint32_t)((uint16_t *)p)[i] << 16;
		float f;
		memcpy(&f, &u, sizeof f);
		return f;
	}
	if (type == 2) { // float16
		uint32_t h = ((uint16_t *)p)[i], u = (h & 0x7fff) << 13;
		float f;
		memcpy(&f, &u, sizeof f);
		f = (h & 0x7c00) == 0x7c00 ? (h & 0x3ff ? NAN : INFINITY) : f * 0x1p112f;
		return h & 0x8000 ? -f : f;
	}
	return type == 1 ? ((double *)p)[i] : ((float *)p)[i];
}

static int multiply(const gemm *g, ctx *of) {
	for (int e = 0; e < g->batch; e++) {
		for (int i = 0; i < g->m; i++) {
			for (int j = 0; j < g->n; j++) {
				double s = 0;
				for (int k = 0; k < g->k; k++) {
					long long x = e * g->sa + (g->ta ? k + (long long)i * g->lda : i + (long long)k * g->lda);
					long long y = e * g->sb + (g->tb ? j + (long long)k * g->ldb : k + (long long)j * g->ldb);
					int size = g->type == 1 ? 8 : g->type == 14 || g->type == 2 ? 2 : 4;
					if (!find(g->a + x * size, size, of) || !find(g->b + y * size, size, of)) return ADDRESS;
					s += element(g->type, g->a, x) * element(g->type, g->b, y);
				}
				long long z = e * g->sc + i + (long long)j * g->ldc;
				if (!find(g->c + z * (g->type == 1 ? 8 : 4), 4, of)) return ADDRESS;
				if (g->type == 1) ((double *)g->c)[z] = s;
				else ((float *)g->c)[z] = (float)s;
			}
		}
	}
	return OK;
}

static int run(stream *s, int end);

static int perform(op *o, ctx *of) {
	switch (o->kind) {
	case TO_DEVICE:
		if (!find(o->to, o->n, of) || !find(o->from, o->n, NULL)) return ADDRESS;
		memcpy((void *)o->to, (void *)o->from, o->n);
		break;
	case TO_HOST:
		if (!find(o->to, o->n, NULL) || !find(o->from, o->n, of)) return ADDRESS;
		memcpy((void *)o->to, (void *)o->from, o->n);
		break;
	case COPY:
		if (!find(o->to, o->n, of) || !find(o->from, o->n, of)) return ADDRESS;
		memcpy((void *)o->to, (void *)o->from, o->n);
		break;
	case SET:
		if (!find(o->to, o->n, of)) return ADDRESS;
		memset((void *)o->to, (int)o->from, o->n);
		break;
	case LAUNCH:
		o->f->run(o->n, o->args);
		break;
	case GEMM:
		return multiply(&o->g, of);
	case AFTER:
		return run(o->other, (int)o->n);
	}
	return OK;
}

static int run(stream *s, int end) {
	while (s->done < end && s->done < s->todo.n) {
		int r = perform(&s->todo.ops[s->done++], s->of);
		if (r != OK) return r;
	}
	return OK;
}

int cuInit(unsigned flags) { return OK; }
int cuDriverGetVersion(int *v) { *v = 12000; return OK; }
int cuDeviceGetCount(int *n) { *n = DEVICES; return OK; }
int cuDeviceGet(int *d, int i) { *d = i; return i < DEVICES ? OK : INVALID; }
int cuDeviceGetName(char *name, int n, int d) { snprintf(name, n, "Emulated %d", d); return OK; }
int cuDeviceGetAttribute(int *v, int attribute, int d) { *v = attribute == 75 ? 9 : 0; return OK; } // compute capability 9.0
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = 8000000000; return OK; }
int cuDevicePrimaryCtxRetain(ctx **c, int d) { *c = &contexts[d]; return OK; }
int cuCtxSetCurrent(ctx *c) { current = c; return OK; }
int cuGetErrorName(int code, const char **s) { *s = code == MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER"; return OK; }

int cuMemAlloc_v2(char **p, size_t n) { LOCKED(current == NULL ? CONTEXT : take(p, n, current)); }
int cuMemFree_v2(uint64_t p) { LOCKED(current == NULL ? CONTEXT : give(p, current)); }
int cuMemHostAlloc(char **p, size_t n, unsigned flags) { LOCKED(current == NULL ? CONTEXT : take(p, n, NULL)); }
int cuMemFreeHost(void *p) { LOCKED(current == NULL ? CONTEXT : give((uint64_t)p, NULL)); }

int cuStreamCreate(stream **s, unsigned flags) {
	if (current == NULL) return CONTEXT;
	*s = calloc(1, sizeof **s);
	(*s)->of = current;
	return OK;
}
int cuStreamDestroy_v2(stream *s) { free(s->todo.ops); free(s); return OK; }
int cuStreamSynchronize(stream *s) { LOCKED(s->of != current ? CONTEXT : s->capturing ? CAPTURE : run(s, s->todo.n)); }
int cuEventCreate(event **e, unsigned flags) { *e = calloc(1, sizeof **e); return OK; }
int cuEventDestroy_v2(event *e) { free(e); return OK; }
static int record(event *e, stream *s) {
	if (s->capturing) return CAPTURE;
	*e = (event){s, s->todo.n};
	return OK;
}
int cuEventRecord(event *e, stream *s) { LOCKED(record(e, s)); }
int cuStreamWaitEvent(stream *s, event *e, unsigned flags) {
	op o = {.kind = AFTER, .other = e->s, .n = e->end};
	LOCKED(add(s, &o));
}
static int copy(int kind, uint64_t to, uint64_t from, size_t n, stream *s) {
	op o = {.kind = kind, .to = to, .from = from, .n = n};
	LOCKED(add(s, &o));
}
int cuMemcpyHtoDAsync_v2(uint64_t d, uint64_t h, size_t n, stream *s) { return copy(TO_DEVICE, d, h, n, s); }
int cuMemcpyDtoHAsync_v2(uint64_t h, uint64_t d, size_t n, stream *s) { return copy(TO_HOST, h, d, n, s); }
int cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t e, size_t n, stream *s) { return copy(COPY, d, e, n, s); }
int cuMemsetD8Async(uint64_t d, unsigned char b, size_t n, stream *s) { return copy(SET, d, b, n, s); }

int cuModuleLoadData(void **m, const char *file) {
	if (current == NULL) return CONTEXT;
	*m = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	return *m != NULL ? OK : NOT_FOUND;
}
int cuModuleUnload(void *m) { dlclose(m); return OK; }
int cuModuleGetFunction(function **f, void *m, const char *name) {
	*f = calloc(1, sizeof **f);
	(*f)->run = (void (*)(uint64_t, const uint64_t *))dlsym(m, "emulated_run");
	int *params = dlsym(m, "emulated_params"), *block = dlsym(m, "emulated_block");
	if ((*f)->run == NULL || params == NULL || block == NULL || *params > 64) return NOT_FOUND;
	(*f)->params = *params;
	(*f)->block = *block;
	return OK;
}
int cuFuncSetAttribute(function *f, int attribute, int v) { return OK; }
int cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, stream *s, void **args, void **extra) {
	if (gx == 0 || gy != 1 || gz != 1 || bx != (unsigned)f->block || by != 1 || bz != 1 || extra != NULL) return INVALID;
	op o = {.kind = LAUNCH, .n = gx, .f = f};
	for (int i = 0; i < f->params; i++) memcpy(&o.args[i], args[i], 8);
	LOCKED(add(s, &o));
}

static int begin(stream *s) {
	if (s->capturing) return CAPTURE;
	s->capturing = 1;
	s->captured = (graph){0};
	return OK;
}
int cuStreamBeginCapture_v2(stream *s, int mode) { LOCKED(s->of != current ? CONTEXT : begin(s)); }
int cuStreamEndCapture(stream *s, graph **g) {
	if (!s->capturing) return CAPTURE;
	*g = malloc(sizeof **g);
	**g = s->captured;
	s->capturing = 0;
	return OK;
}
int cuGraphInstantiateWithFlags(graph **x, graph *g, unsigned long long flags) {
	*x = calloc(1, sizeof **x);
	for (int i = 0; i < g->n; i++) put(*x, &g->ops[i]);
	return OK;
}
int cuGraphDestroy(graph *g) { free(g->ops); free(g); return OK; }
int cuGraphExecDestroy(graph *g) { return cuGraphDestroy(g); }
static int replay(graph *g, stream *s) {
	int r = s->capturing ? CAPTURE : OK;
	for (int i = 0; r == OK && i < g->n; i++) r = add(s, &g->ops[i]);
	return r;
}
int cuGraphLaunch(graph *g, stream *s) { LOCKED(replay(g, s)); }

// cuBLAS, of which one function computes.
typedef struct { stream *s; uint64_t space; } blas;
int cublasCreate_v2(blas **h) { *h = calloc(1, sizeof **h); return current == NULL ? 1 : OK; }
int cublasDestroy_v2(blas *h) { free(h); return OK; }
int cublasSetStream_v2(blas *h, stream *s) { h->s = s; h->space = 0; return OK; }
int cublasSetWorkspace_v2(blas *h, uint64_t p, size_t n) { h->space = p; return find(p, n, current) ? OK : 7; }
int cublasSetMathMode(blas *h, int mode) { return mode == 16 ? OK : 7; }
int cublasGemmStridedBatchedEx(blas *h, int ta, int tb, int m, int n, int k, const void *alpha, uint64_t a, int at, int lda, long long sa,
	uint64_t b, int bt, int ldb, long long sb, const void *beta, uint64_t c, int ct, int ldc, long long sc, int batch, int compute, int algo) {
	int wide = at == 1;
	double one = wide ? *(const double *)alpha : *(const float *)alpha, zero = wide ? *(const double *)beta : *(const float *)beta;
	if (h->space == 0 || one != 1 || zero != 0 || at != bt || ct != wide || (at < 0 || at > 2 && at != 14) || compute != (wide ? 70 : 68) || algo != -1 ||
		lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m || m < 1 || n < 1 || k < 1 || batch < 1) return 7;
	op o = {.kind = GEMM, .g = {at, ta, tb, m, n, k, a, b, c, lda, ldb, ldc, sa, sb, sc, batch}};
	LOCKED(add(h->s, &o));
}
