// What of CUDA C++ the kernels use, for a compiler of C++17: blocks run one after the other, forwards or backwards. The threads of
// a block do so, too, where nothing makes them wait; else each has a stack of its own and gives way at barriers and shuffles. In
// which direction threads go on from a barrier is a matter of luck, so that where one is missing some run has other results.
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define ADJ_SHIM
#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(n)
#define __align__(n) __attribute__((aligned(n)))

struct shim_dim { unsigned x; };
static shim_dim threadIdx, blockIdx, blockDim, gridDim;

[[noreturn]] static void shim_die(const char *what) {
	fprintf(stderr, "shim: %s (block %u, thread %u)\n", what, blockIdx.x, threadIdx.x);
	exit(3);
}

enum shim_state { shim_runs, shim_at_barrier, shim_at_shuffle, shim_done };

struct shim_fiber {
	ucontext_t context;
	char *stack;
	shim_state state;
};

static std::vector<shim_fiber> shim_fibers;
static ucontext_t shim_scheduler;
static bool shim_sequential;
static void (*shim_entry)(const uint64_t *);
static const uint64_t *shim_args;
static uint64_t shim_slots[2][1024];
static unsigned shim_turn[1024];

static unsigned shim_seed = 1;
static bool shim_luck() { return (shim_seed = shim_seed * 1664525u + 1013904223u) >> 31; }

static void shim_yield(shim_state s) {
	if (shim_sequential) shim_die("a barrier in a kernel that is said to have none");
	const unsigned t = threadIdx.x;
	shim_fibers[t].state = s;
	swapcontext(&shim_fibers[t].context, &shim_scheduler);
	threadIdx.x = t;
}

static void shim_start(unsigned t) {
	threadIdx.x = t;
	shim_entry(shim_args);
	shim_fibers[t].state = shim_done;
	setcontext(&shim_scheduler);
}

static void shim_block(unsigned threads) {
	const size_t stack = 256 << 10;
	while (shim_fibers.size() < threads) {
		shim_fiber f{};
		f.stack = (char *)malloc(stack);
		shim_fibers.push_back(f);
	}
	for (unsigned t = 0; t < threads; t++) {
		shim_fiber &f = shim_fibers[t];
		getcontext(&f.context);
		f.context.uc_stack.ss_sp = f.stack;
		f.context.uc_stack.ss_size = stack;
		f.context.uc_link = 0;
		makecontext(&f.context, (void (*)())shim_start, 1, t);
		f.state = shim_runs;
		shim_turn[t] = 0;
	}
	for (bool more = true; more;) {
		bool shuffles = false, barrier = false, done = false;
		const bool backwards = shim_luck();
		for (unsigned i = 0; i < threads; i++) {
			const unsigned t = backwards ? threads - 1 - i : i;
			if (shim_fibers[t].state != shim_done && shim_fibers[t].state != shim_at_barrier)
				swapcontext(&shim_scheduler, &shim_fibers[t].context);
		}
		for (unsigned t = 0; t < threads; t++) {
			const shim_state s = shim_fibers[t].state;
			shuffles = shuffles || s == shim_at_shuffle;
			barrier = barrier || s == shim_at_barrier;
			done = done || s == shim_done;
			if (s != shim_fibers[t / 32 * 32].state) shim_die("threads of a warp wait at different places");
		}
		more = shuffles || barrier;
		if (shuffles || !barrier) continue; // who is at the barrier waits for warps that are not
		if (done) shim_die("not all threads of a block come to a barrier");
		for (unsigned t = 0; t < threads; t++) shim_fibers[t].state = shim_runs;
	}
}

static inline void __syncthreads() { shim_yield(shim_at_barrier); }
static inline void __syncwarp() { shim_yield(shim_at_shuffle); }

// A thread writes its value, waits for the warp, and reads another's. The next shuffle has other slots, so that
// nobody waits for those that still read.
template <class T> static T shim_shuffle(T v, unsigned from) {
	const unsigned t = threadIdx.x, turn = shim_turn[t]++ & 1;
	memcpy(&shim_slots[turn][t], &v, sizeof v);
	shim_yield(shim_at_shuffle);
	memcpy(&v, &shim_slots[turn][from], sizeof v);
	return v;
}
template <class T> static T __shfl_down_sync(unsigned, T v, unsigned h, int width = 32) {
	const unsigned t = threadIdx.x, lane = t % width;
	return shim_shuffle(v, lane + h < (unsigned)width ? t + h : t);
}
static unsigned __ballot_sync(unsigned, int p) {
	const unsigned t = threadIdx.x, turn = shim_turn[t]++ & 1;
	uint64_t v = p != 0;
	memcpy(&shim_slots[turn][t], &v, sizeof v);
	shim_yield(shim_at_shuffle);
	unsigned m = 0;
	for (unsigned l = 0; l < 32; l++) m |= (unsigned)(shim_slots[turn][t / 32 * 32 + l] & 1) << l;
	return m;
}
template <class T> static T __shfl_sync(unsigned, T v, unsigned lane, int width = 32) {
	return shim_shuffle(v, threadIdx.x / width * width + lane % width);
}
template <class T> static T __shfl_up_sync(unsigned, T v, unsigned h, int width = 32) {
	const unsigned t = threadIdx.x, lane = t % width;
	return shim_shuffle(v, lane >= h ? t - h : t);
}

template <class To, class From> static To shim_cast(From x) {
	static_assert(sizeof(To) == sizeof(From), "");
	To y;
	memcpy(&y, &x, sizeof y);
	return y;
}

static float shim_from_half(short h) {
	const unsigned size = h & 0x7fff, sign = (unsigned)(h & 0x8000) << 16;
	return shim_cast<float>(sign | (size < 0x7c00 ? shim_cast<unsigned>(shim_cast<float>(size << 13) * 0x1p112f) : size << 13 | 0x7f800000));
}
static short shim_to_half(float a) {
	const unsigned u = shim_cast<unsigned>(a), size = u & 0x7fffffff, sign = u >> 16 & 0x8000;
	if (size > 0x7f800000) return (short)(sign | 0x7e00);
	if (size >= 0x477ff000) return (short)(sign | 0x7c00);
	if (size < 0x38800000) return (short)(sign | (shim_cast<unsigned>(shim_cast<float>(size) + 0.5f) & 0x7ff)); // the sum's last bit is worth 2⁻²⁴
	return (short)(sign | ((size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13));
}

static inline float __int_as_float(int a) { return shim_cast<float>(a); }
static inline int __float_as_int(float a) { return shim_cast<int>(a); }
static inline double __longlong_as_double(long long a) { return shim_cast<double>(a); }
static inline long long __double_as_longlong(double a) { return shim_cast<long long>(a); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return sqrt(a); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline double __dadd_rd(double a, double b) {
	fesetround(FE_DOWNWARD);
	const volatile double x = a, y = b, s = x + y;
	fesetround(FE_TONEAREST);
	return s;
}
static inline double __dadd_ru(double a, double b) { return -__dadd_rd(-a, -b); }
static inline int __float2int_rn(float a) { return (int)rintf(a); }
static inline float __ll2float_rn(long long a) { return (float)a; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
	return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline int __popc(unsigned a) { return __builtin_popcount(a); }
static inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz((unsigned)a); }
static inline unsigned long long atomicCAS(unsigned long long *p, unsigned long long old, unsigned long long v) {
	const unsigned long long was = *p;
	if (was == old) *p = v;
	return was;
}
// A kernel's parameters are words of 8 bytes.
template <class P> static P shim_param(uint64_t w) {
	P p;
	memcpy(&p, &w, sizeof p);
	return p;
}
template <class... P, size_t... I> static void shim_apply(void (*f)(P...), const uint64_t *a, std::index_sequence<I...>) {
	f(shim_param<P>(a[I])...);
}
template <auto F> struct shim_kernel;
template <class... P, void (*F)(P...)> struct shim_kernel<F> {
	static void call(const uint64_t *a) { shim_apply(F, a, std::index_sequence_for<P...>{}); }
};

struct shim_row {
	void (*call)(const uint64_t *);
	unsigned block;
	bool waits; // it has barriers or shuffles
};

static void shim_launch(const shim_row &k, uint64_t grid, const uint64_t *args) {
	shim_entry = k.call;
	shim_args = args;
	shim_sequential = !k.waits;
	blockDim.x = k.block;
	gridDim.x = (unsigned)grid;
	const bool backwards = shim_luck();
	for (uint64_t b = 0; b < grid; b++) {
		blockIdx.x = (unsigned)(backwards ? grid - 1 - b : b);
		if (k.waits) {
			shim_block(k.block);
			continue;
		}
		for (unsigned t = 0; t < k.block; t++) {
			threadIdx.x = backwards ? k.block - 1 - t : t;
			k.call(args);
		}
	}
}

// A kernel as a library that the emulated driver loads.
template <class... P> static constexpr int shim_count(void (*)(P...)) { return sizeof...(P); }
#define SHIM_LIBRARY(f, block, waits) \
	extern "C" { \
	const char *emulated_name = #f; \
	int emulated_params = shim_count(f), emulated_block = block; \
	void emulated_run(uint64_t grid, const uint64_t *args) { \
		static const shim_row row = {shim_kernel<f>::call, block, waits}; \
		shim_launch(row, grid, args); \
	} \
	}

static uint64_t shim_word() {
	uint64_t w;
	if (fread(&w, sizeof w, 1, stdin) != 1) exit(0);
	return w;
}

// Requests: buffers, then launches; the answer is the buffers. What lies around a buffer may not change.
static int shim_serve(const shim_row *kernels, size_t count) {
	const size_t guard = 4096;
	for (;;) {
		const uint64_t n = shim_word();
		std::vector<uint64_t> size(n);
		std::vector<unsigned char *> room(n);
		for (uint64_t i = 0; i < n; i++) {
			size[i] = shim_word();
			room[i] = (unsigned char *)aligned_alloc(guard, (size[i] + 3 * guard - 1) / guard * guard);
			memset(room[i], 0xa5, (size[i] + 3 * guard - 1) / guard * guard);
			if (size[i] > 0 && fread(room[i] + guard, size[i], 1, stdin) != 1) exit(0);
		}
		for (uint64_t left = shim_word(); left > 0; left--) {
			const uint64_t k = shim_word(), grid = shim_word(), params = shim_word();
			std::vector<uint64_t> args(params + 1);
			for (uint64_t i = 0; i < params; i++) {
				const uint64_t buffer = shim_word(), w = shim_word();
				args[i] = buffer == ~0ull ? w : (uint64_t)(uintptr_t)(room[buffer] + guard) + w;
			}
			if (k >= count) shim_die("no such kernel");
			shim_launch(kernels[k], grid, args.data());
		}
		for (uint64_t i = 0; i < n; i++) {
			for (size_t j = 0; j < guard; j++)
				if (room[i][j] != 0xa5 || room[i][guard + size[i] + j] != 0xa5) {
					fprintf(stderr, "shim: bytes around buffer %lu were written\n", (unsigned long)i);
					exit(4);
				}
			fwrite(room[i] + guard, size[i], 1, stdout);
			free(room[i]);
		}
		fflush(stdout);
	}
}
