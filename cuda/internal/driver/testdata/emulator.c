// A driver with two devices that are this machine's memory, cuBLAS and NVRTC, for tests: what a GPU is asked to do is done when
// somebody waits, and refused where NVIDIA's libraries would refuse it or go astray. When a kernel is to run, g++ compiles all that
// were loaded until then to one library in the folder EMULATOR_DIR, which has shim.h; they are there for other processes, too.
// A kernel's "code" is its text and what a launch has to know. EMULATOR_BYTES is the size of a device, EMULATOR_DRIVER the driver's
// version, EMULATOR_ARCH the devices' architecture, as 75: of 8.0 and newer ones cuBLAS multiplies bfloat16s. Launch number EMULATOR_FAULT on
// device 0 faults, and cuBLAS finds no room for its first EMULATOR_BLAS_FAILS handles.
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, INVALID = 1, MEMORY = 2, CONTEXT = 201, NOT_FOUND = 500, ADDRESS = 700, LAUNCH_FAILED = 719, CAPTURE = 900, INVALIDATED = 901, DEVICES = 2 };

typedef struct { int device, lost; } ctx; // lost: the error of work that failed, which all calls return from then on
static ctx contexts[DEVICES] = {{0}, {1}};
// A thread's context. Go goes on on another thread whenever it likes, so after each function of the bindings it is gone: by the
// call that comes last in one.
static __thread ctx *current;
static int last(int r) {
	current = NULL;
	return r;
}
static int in(ctx *of) { return current == NULL || of != NULL && of != current ? CONTEXT : current->lost; }

static void complain(const char *what) {
	fprintf(stderr, "emulator: %s\n", what);
	abort();
}
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Ranges of memory.
static struct range { char *p; size_t n; ctx *of; } ranges[1 << 16]; // of NULL: pinned
enum { guard = 256 }; // bytes on each side
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
	*p = (char *)aligned_alloc(512, (n + 2 * guard + 511) / 512 * 512) + guard; // a multiple of 256, no more
	memset(*p - guard, 0xa5, n + 2 * guard);
	ranges[i] = (struct range){*p, n, of};
	if (of != NULL) in_use += n;
	return OK;
}

static int give(uint64_t p, ctx *of) {
	struct range *r = find(p, 0, of);
	if (r == NULL || (uint64_t)r->p != p) return INVALID;
	for (int i = 0; i < guard; i++) {
		if ((unsigned char)r->p[-1 - i] != 0xa5 || (unsigned char)r->p[r->n + i] != 0xa5) complain("bytes beside an array were written");
	}
	memset(r->p, 0x5a, r->n);
	free(r->p - guard);
	r->p = NULL;
	if (of != NULL) in_use -= r->n;
	return OK;
}

// Work.
typedef struct { char name[128]; int params, block, waits; } code; // its text is behind it
typedef struct { code code; const void *row; ctx *of; int shared; } function; // row: NULL before the first launch is done
void shim_launch(const void *row, uint64_t grid, const uint64_t *args);
static void wait_for(const code *c);
static void ready(function *f);
typedef struct { int type, ta, tb, m, n, k; uint64_t a, b, c; int lda, ldb, ldc; long long sa, sb, sc; int batch; } gemm;
typedef struct stream stream;
typedef struct { enum { TO_DEVICE, TO_HOST, COPY, SET, LAUNCH, GEMM, AFTER } kind; uint64_t to, from, n; function *f; uint64_t *args; gemm g; stream *other; uint64_t sum; } op;
typedef struct { op *ops; int n; } graph;
struct stream { ctx *of; graph todo; int before, done, capturing, invalid; graph captured; }; // before: what is no longer in todo
typedef struct { ctx *of; stream *s; int end; } event;

static int put(graph *g, const op *o) {
	g->ops = realloc(g->ops, (g->n + 1) * sizeof *o);
	g->ops[g->n++] = *o;
	return OK;
}

static int add(stream *s, const op *o) {
	int r = s == NULL ? CONTEXT : in(s->of);
	return r != OK ? r : put(s->capturing ? &s->captured : &s->todo, o);
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

// within reports whether a matrix of columns, ld apart, is in one array.
static int within(uint64_t p, int rows, int cols, long long ld, int size, ctx *of) { return find(p, ((cols - 1) * ld + rows) * size, of) != NULL; }

static int multiply(const gemm *g, ctx *of) {
	const int size = g->type == 1 ? 8 : g->type == 14 || g->type == 2 ? 2 : 4, sums = g->type == 1 ? 8 : 4;
	for (int e = 0; e < g->batch; e++) {
		const uint64_t a = g->a + e * g->sa * size, b = g->b + e * g->sb * size, c = g->c + e * g->sc * sums;
		if (!within(a, g->ta ? g->k : g->m, g->ta ? g->m : g->k, g->lda, size, of) || !within(b, g->tb ? g->n : g->k, g->tb ? g->k : g->n, g->ldb, size, of) ||
			!within(c, g->m, g->n, g->ldc, sums, of)) return ADDRESS;
		for (int i = 0; i < g->m; i++) {
			for (int j = 0; j < g->n; j++) {
				double s = 0;
				for (int k = 0; k < g->k; k++) {
					s += element(g->type, a, g->ta ? k + (long long)i * g->lda : i + (long long)k * g->lda) *
						element(g->type, b, g->tb ? j + (long long)k * g->ldb : k + (long long)j * g->ldb);
				}
				const long long z = i + (long long)j * g->ldc;
				if (g->type == 1) ((double *)c)[z] = s;
				else ((float *)c)[z] = (float)s;
			}
		}
	}
	return OK;
}

// What a copy is from may not change before it is done.
static uint64_t sum(uint64_t p, size_t n) {
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < n; i++) h = (h ^ ((unsigned char *)p)[i]) * 1099511628211u;
	return h;
}

static int run(stream *s, int end);
static int all(stream *s) { return s->before + s->todo.n; }

static int perform(op *o, ctx *of) {
	static int launches;
	switch (o->kind) {
	case TO_DEVICE:
		if (!find(o->to, o->n, of) || !find(o->from, o->n, NULL)) return ADDRESS;
		if (sum(o->from, o->n) != o->sum) complain("pinned memory has changed before it was copied");
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
		if (of->device == 0 && getenv("EMULATOR_FAULT") != NULL && ++launches == atoi(getenv("EMULATOR_FAULT"))) return ADDRESS;
		for (int i = 0; i < o->f->code.params; i++) { // no pointer to where this device cannot read
			for (int k = 0; k < ranges_used; k++) {
				if (ranges[k].p != NULL && ranges[k].of != of && o->args[i] - (uint64_t)ranges[k].p < ranges[k].n) return ADDRESS;
			}
		}
		ready(o->f);
		shim_launch(o->f->row, o->n, o->args);
		break;
	case GEMM:
		return multiply(&o->g, of);
	case AFTER:
		return run(o->other, (int)o->n);
	}
	return OK;
}

static int run(stream *s, int end) { // until there are end things done
	while (s->before + s->done < end && s->done < s->todo.n) {
		int r = perform(&s->todo.ops[s->done++], s->of);
		if (r != OK) return s->of->lost = r;
	}
	if (s->done == s->todo.n) {
		s->before += s->done;
		s->done = s->todo.n = 0;
	}
	return OK;
}

int cuInit(unsigned flags) { // kernels find shim_yield and the like here
	return dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD) != NULL ? OK : INVALID;
}
int cuDriverGetVersion(int *v) {
	const char *version = getenv("EMULATOR_DRIVER");
	*v = version != NULL ? atoi(version) : 13000;
	return OK;
}
int cuDeviceGetCount(int *n) { *n = DEVICES; return OK; }
int cuDeviceGet(int *d, int i) { *d = i; return i < DEVICES ? OK : INVALID; }
int cuDeviceGetName(char *name, int n, int d) { snprintf(name, n, "Emulated %d", d); return OK; }
static int arch(void) { return getenv("EMULATOR_ARCH") != NULL ? atoi(getenv("EMULATOR_ARCH")) : 90; }
int cuDeviceGetAttribute(int *v, int attribute, int d) { *v = attribute == 75 ? arch() / 10 : attribute == 76 ? arch() % 10 : 0; return OK; } // compute capability
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = 8000000000; return OK; }
int cuDevicePrimaryCtxRetain(ctx **c, int d) { *c = &contexts[d]; return OK; }
int cuCtxSetCurrent(ctx *c) { current = c; return OK; }
int cuGetErrorName(int code, const char **s) { *s = code == MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER"; return OK; }

// IN is a call in a context, that of an object if there is one; LAST, one that comes last.
#define IN(of, body) do { pthread_mutex_lock(&lock); int r_ = in(of); if (r_ == OK) r_ = (body); pthread_mutex_unlock(&lock); return r_; } while (0)
#define LAST(of, body) do { pthread_mutex_lock(&lock); int r_ = in(of); if (r_ == OK) r_ = (body); pthread_mutex_unlock(&lock); return last(r_); } while (0)

int cuMemAlloc_v2(char **p, size_t n) { LAST(NULL, take(p, n, current)); }
int cuMemFree_v2(uint64_t p) { LAST(NULL, give(p, current)); }
static int info(size_t *free, size_t *total) {
	const char *limit = getenv("EMULATOR_BYTES");
	*total = limit != NULL ? strtoull(limit, NULL, 10) : 8000000000;
	*free = *total - in_use;
	return OK;
}
int cuMemGetInfo_v2(size_t *free, size_t *total) { LAST(NULL, info(free, total)); }
int cuMemHostAlloc(char **p, size_t n, unsigned flags) { LAST(NULL, take(p, n, NULL)); }
int cuMemFreeHost(void *p) { LAST(NULL, give((uint64_t)p, NULL)); }

static int new_stream(stream **s) {
	*s = calloc(1, sizeof **s);
	(*s)->of = current;
	return OK;
}
int cuStreamCreate(stream **s, unsigned flags) { LAST(NULL, flags == 1 ? new_stream(s) : INVALID); } // not one that waits for the default stream
static int end_stream(stream *s) { // its work goes on
	int r = run(s, all(s));
	free(s->todo.ops);
	free(s);
	return r;
}
int cuStreamDestroy_v2(stream *s) { LAST(s->of, s->capturing ? CAPTURE : end_stream(s)); }
static int invalid(stream *s, int r) { // what is not to be done during a capture ends it
	s->invalid = s->capturing;
	return s->capturing ? CAPTURE : r;
}
int cuStreamSynchronize(stream *s) { LAST(s->of, invalid(s, OK) != OK ? CAPTURE : run(s, all(s))); }
static int new_event(event **e) {
	*e = calloc(1, sizeof **e);
	(*e)->of = current;
	return OK;
}
int cuEventCreate(event **e, unsigned flags) { LAST(NULL, new_event(e)); }
static int end_event(event *e) { free(e); return OK; }
int cuEventDestroy_v2(event *e) { LAST(e->of, end_event(e)); }
static int record(event *e, stream *s) {
	if (e->of != s->of || invalid(s, OK) != OK) return INVALID;
	e->s = s, e->end = all(s);
	return OK;
}
int cuEventRecord(event *e, stream *s) { IN(s->of, record(e, s)); }
int cuStreamWaitEvent(stream *s, event *e, unsigned flags) {
	op o = {.kind = AFTER, .other = e->s, .n = e->end};
	LAST(s->of, e->s == NULL ? INVALID : add(s, &o));
}
static int copy(int kind, uint64_t to, uint64_t from, size_t n, stream *s) {
	op o = {.kind = kind, .to = to, .from = from, .n = n, .sum = kind == TO_DEVICE && find(from, n, NULL) ? sum(from, n) : 0};
	return n == 0 ? INVALID : add(s, &o);
}
int cuMemcpyHtoDAsync_v2(uint64_t d, uint64_t h, size_t n, stream *s) { LAST(s->of, copy(TO_DEVICE, d, h, n, s)); }
int cuMemcpyDtoHAsync_v2(uint64_t h, uint64_t d, size_t n, stream *s) { LAST(s->of, copy(TO_HOST, h, d, n, s)); }
int cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t e, size_t n, stream *s) { LAST(s->of, copy(COPY, d, e, n, s)); }
int cuMemsetD8Async(uint64_t d, unsigned char b, size_t n, stream *s) { LAST(s->of, copy(SET, d, b, n, s)); }

typedef struct { code c; ctx *of; } module;
static int load(module **m, const code *c) {
	*m = malloc(sizeof **m);
	**m = (module){*c, current};
	wait_for(c);
	return OK;
}
int cuModuleLoadData(module **m, const code *c) { LAST(NULL, load(m, c)); }
static int unload(module *m) { free(m); return OK; }
int cuModuleUnload(module *m) { LAST(m->of, unload(m)); }
static int get(function **f, module *m, const char *name) {
	if (strcmp(m->c.name, name) != 0) return NOT_FOUND;
	*f = calloc(1, sizeof **f);
	**f = (function){m->c, NULL, m->of};
	return OK;
}
int cuModuleGetFunction(function **f, module *m, const char *name) { IN(m->of, get(f, m, name)); }
static int attribute(function *f, int which, int v) {
	if (which != 8 || v > 227 << 10) return INVALID; // the most dynamic shared memory
	f->shared = v;
	return OK;
}
int cuFuncSetAttribute(function *f, int which, int v) { LAST(f->of, attribute(f, which, v)); }
static int launch(function *f, unsigned blocks, unsigned shared, stream *s, void **args) {
	op o = {.kind = LAUNCH, .n = blocks, .f = f, .args = calloc(f->code.params + 1, 8)};
	if (f->of != s->of || shared > (unsigned)(f->shared > 48 << 10 ? f->shared : 48 << 10)) return INVALID;
	for (int i = 0; i < f->code.params; i++) memcpy(&o.args[i], args[i], 8);
	return add(s, &o);
}
int cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, stream *s, void **args, void **extra) {
	int can = gx > 0 && gx <= 0x7fffffff && gy == 1 && gz == 1 && bx == (unsigned)f->code.block && bx <= 1024 && by == 1 && bz == 1 && extra == NULL;
	LAST(s->of, can ? launch(f, gx, shared, s, args) : INVALID);
}

static int begin(stream *s, int mode) {
	if (s->capturing) return CAPTURE;
	if (mode != 2) return INVALID; // relaxed: others would hinder this thread, or it them
	s->capturing = 1;
	s->invalid = 0;
	s->captured = (graph){0};
	return OK;
}
int cuStreamBeginCapture_v2(stream *s, int mode) { LAST(s->of, begin(s, mode)); }
static int end(stream *s, graph **g) {
	if (!s->capturing) return CAPTURE;
	s->capturing = 0;
	if (s->invalid) return INVALIDATED;
	*g = malloc(sizeof **g);
	**g = s->captured;
	return OK;
}
int cuStreamEndCapture(stream *s, graph **g) { IN(s->of, end(s, g)); }
typedef struct { graph g; ctx *of; } exec;
static int instantiate(exec **x, graph *g) {
	*x = calloc(1, sizeof **x);
	(*x)->of = current;
	for (int i = 0; i < g->n; i++) put(&(*x)->g, &g->ops[i]);
	return OK;
}
int cuGraphInstantiateWithFlags(exec **x, graph *g, unsigned long long flags) { IN(NULL, instantiate(x, g)); }
int cuGraphDestroy(graph *g) { free(g->ops); free(g); return last(OK); }
static int drop(exec *x) { free(x->g.ops); free(x); return OK; }
int cuGraphExecDestroy(exec *x) { LAST(x->of, drop(x)); }
static int replay(exec *x, stream *s) {
	int r = x->of != s->of ? INVALID : s->capturing ? CAPTURE : OK;
	for (int i = 0; r == OK && i < x->g.n; i++) r = add(s, &x->g.ops[i]);
	return r;
}
int cuGraphLaunch(exec *x, stream *s) { LAST(s->of, replay(x, s)); }

// cuBLAS, of which one function computes.
typedef struct { ctx *of; stream *s; uint64_t space; } blas;
int cublasCreate_v2(blas **h) {
	static int created;
	if (in(NULL) != OK || getenv("EMULATOR_BLAS_FAILS") != NULL && created++ < atoi(getenv("EMULATOR_BLAS_FAILS"))) return last(1); // CUBLAS_STATUS_NOT_INITIALIZED
	*h = calloc(1, sizeof **h);
	(*h)->of = current;
	return OK;
}
int cublasSetStream_v2(blas *h, stream *s) {
	h->s = s;
	h->space = 0;
	return s == NULL ? last(OK) : s->of == h->of ? OK : 7;
}
int cublasSetWorkspace_v2(blas *h, uint64_t p, size_t n) { h->space = p; return last(p % 256 == 0 && find(p, n, h->of) ? OK : 7); }
int cublasSetMathMode(blas *h, int mode) { return last(mode == 16 ? OK : 7); }
int cublasGemmStridedBatchedEx(blas *h, int ta, int tb, int m, int n, int k, const void *alpha, uint64_t a, int at, int lda, long long sa,
	uint64_t b, int bt, int ldb, long long sb, const void *beta, uint64_t c, int ct, int ldc, long long sc, int batch, int compute, int algo) {
	int wide = at == 1;
	double one = wide ? *(const double *)alpha : *(const float *)alpha, zero = wide ? *(const double *)beta : *(const float *)beta;
	if (h->space == 0 || one != 1 || zero != 0 || at != bt || ct != wide || (at < 0 || at > 2 && at != 14) || compute != (wide ? 70 : 68) || algo != -1 ||
		lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m || m < 1 || n < 1 || k < 1 || batch < 1 || batch > 65535) return last(7);
	if (at == 14 && arch() < 80) return last(15); // CUBLAS_STATUS_NOT_SUPPORTED
	op o = {.kind = GEMM, .g = {at, ta, tb, m, n, k, a, b, c, lda, ldb, ldc, sa, sb, sc, batch}};
	IN(h->of, add(h->s, &o)); // large batches are several calls
}

// NVRTC.
static code *waiting[1024]; // for g++
static int waiting_used;
static size_t bytes(const code *c) { return sizeof *c + strlen((const char *)(c + 1)) + 1; }

static void file_of(char *file, size_t n, const char *name) { snprintf(file, n, "%s/%s.so", getenv("EMULATOR_DIR"), name); }

// compile makes one library of all kernels that wait, under each one's name.
static void compile(void) {
	static int made_so_far;
	char base[600], text[620], made[620], command[4096], log[4096] = "";
	snprintf(base, sizeof base, "%s/%d-%d", getenv("EMULATOR_DIR"), (int)getpid(), made_so_far++);
	snprintf(text, sizeof text, "%s.cc", base);
	snprintf(made, sizeof made, "%s.so", base);
	FILE *f = fopen(text, "w");
	if (f == NULL) complain("no file for a kernel");
	for (int i = 0; i < waiting_used; i++) {
		const code *c = waiting[i];
		fprintf(f, "#undef __shared__\n#define __shared__ static __attribute__((section(\"shared_%s\")))\n", c->name);
		fprintf(f, "%s\nSHIM_KERNEL(%s, %d, %d)\nstatic_assert(shim_count(%s) == %d, \"parameters\");\n", (const char *)(c + 1), c->name, c->block, c->waits, c->name, c->params);
	}
	fclose(f);
	snprintf(command, sizeof command, "cd '%s' && LD_LIBRARY_PATH= g++ $(cat flags) -nostdlib -shared -fPIC -include shim.h -o %s %s -lm -lgcc 2>&1", getenv("EMULATOR_DIR"), made, text);
	f = popen(command, "r");
	log[fread(log, 1, sizeof log - 1, f)] = 0;
	if (pclose(f) != 0) complain(log);
	remove(text);
	for (int i = 0; i < waiting_used; i++) {
		char file[600];
		file_of(file, sizeof file, waiting[i]->name);
		symlink(made, file); // or another process has made it
		free(waiting[i]);
	}
	waiting_used = 0;
}

static void wait_for(const code *c) {
	char file[600];
	file_of(file, sizeof file, c->name); // names have the text's hash
	if (access(file, R_OK) == 0) return;
	for (int i = 0; i < waiting_used; i++) {
		if (strcmp(waiting[i]->name, c->name) == 0) return;
	}
	if (waiting_used == sizeof waiting / sizeof waiting[0]) compile();
	waiting[waiting_used++] = memcpy(malloc(bytes(c)), c, bytes(c));
}

static void ready(function *f) {
	char file[600], row[200];
	if (f->row != NULL) return;
	file_of(file, sizeof file, f->code.name);
	snprintf(row, sizeof row, "row_%s", f->code.name);
	if (access(file, R_OK) != 0) compile();
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL || (f->row = dlsym(lib, row)) == NULL) complain(dlerror());
}

typedef struct { char *source; code *c; } program; // c: when it is compiled
int nvrtcVersion(int *major, int *minor) { *major = 13; *minor = 0; return OK; }
int nvrtcGetNumSupportedArchs(int *n) { *n = 2; return OK; }
int nvrtcGetSupportedArchs(int *a) { a[0] = 75; a[1] = 90; return OK; }
int nvrtcCreateProgram(program **p, const char *source, const char *name, int headers, const char *const *texts, const char *const *names) {
	*p = calloc(1, sizeof **p);
	(*p)->source = strdup(source);
	return headers == 0 ? OK : 5;
}
int nvrtcDestroyProgram(program **p) {
	free((*p)->source);
	free((*p)->c);
	free(*p);
	return OK;
}
static int has(int n, const char *const *options, const char *option) {
	for (int i = 0; i < n; i++) {
		if (strcmp(options[i], option) == 0) return 1;
	}
	return 0;
}
int nvrtcCompileProgram(program *p, int n, const char *const *options) {
	const char *const wanted[] = {"--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--std=c++17", arch() == 90 ? "--gpu-architecture=sm_90" : "--gpu-architecture=sm_75"};
	for (int i = 0; i < 6; i++) {
		if (!has(n, options, wanted[i])) return 5;
	}
	const char *entry = strstr(p->source, "extern \"C\" __global__ void __launch_bounds__("), *own = strstr(p->source, "#endif"); // behind the prelude
	code *c = p->c = calloc(1, sizeof *c + strlen(p->source) + 1);
	int name_ends = 0;
	if (entry == NULL || sscanf(entry, "extern \"C\" __global__ void __launch_bounds__(%d) %127[a-zA-Z0-9_](%n", &c->block, c->name, &name_ends) != 2 || name_ends == 0) return 6;
	const char *at = entry + name_ends;
	c->params = *at != ')';
	for (int inside = 0; *at != 0 && *at != ')'; at++) { // pack<float, 4> *x is one
		inside += (*at == '<') - (*at == '>');
		c->params += *at == ',' && !inside;
	}
	c->waits = own != NULL && (strstr(own, "shift_down(") || strstr(own, "__sync") || strstr(own, "_sync("));
	strcpy((char *)(c + 1), p->source);
	return OK;
}
int nvrtcGetProgramLogSize(program *p, size_t *n) { *n = 1; return OK; }
int nvrtcGetProgramLog(program *p, char *log) { *log = 0; return OK; }
int nvrtcGetCUBINSize(program *p, size_t *n) { *n = bytes(p->c); return OK; }
int nvrtcGetCUBIN(program *p, code *c) { memcpy(c, p->c, bytes(p->c)); return OK; }
