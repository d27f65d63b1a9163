// What of CUDA C++ the kernels use, for a compiler of C++17: blocks run one after the other, forwards or backwards. The threads of
// a block do so, too, where nothing makes them wait; else each has a stack of its own and gives way at barriers and shuffles. In
// which direction threads go on from a barrier is a matter of luck, so that where one is missing some run has other results.
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define ADJ_SHIM
#define __global__
#define __device__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(n)
#define __align__(n) __attribute__((aligned(n)))

// What machine.h has.
struct shim_dim { unsigned x; };
extern shim_dim threadIdx, blockIdx, blockDim, gridDim;
enum shim_state { shim_runs, shim_at_barrier, shim_at_shuffle, shim_done };
void shim_yield(shim_state);
extern uint64_t shim_slots[2][1024];
extern unsigned shim_turn[1024];

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
static inline unsigned long long atomicMax(unsigned long long *p, unsigned long long v) {
	const unsigned long long was = *p;
	if (was < v) *p = v;
	return was;
}
// A kernel's parameters are words of 8 bytes.
template <class P> static P shim_param(uint64_t w) {
	P p;
	memcpy(&p, &w, sizeof p);
	return p;
}
template <size_t...> struct shim_places {};
template <class... P, size_t... I> static void shim_apply(void (*f)(P...), const uint64_t *a, shim_places<I...>) {
	f(shim_param<P>(a[I])...);
}
template <auto F> struct shim_kernel;
template <class... P, void (*F)(P...)> struct shim_kernel<F> {
	static void call(const uint64_t *a) { shim_apply(F, a, shim_places<__integer_pack(sizeof...(P))...>{}); }
};

// What machine.h has to know of a kernel, behind its text. In front of it __shared__ is defined as "static" with a section of the
// kernel's own, shared_<name>, which is there if the kernel has shared memory.
struct shim_row {
	void (*call)(const uint64_t *);
	char *shared, *shared_end;
	unsigned params, block, waits; // waits: it has barriers or shuffles
};
template <class... P> static constexpr unsigned shim_count(void (*)(P...)) { return sizeof...(P); }
#define SHIM_KERNEL(f, block, waits) \
	extern "C" __attribute__((weak)) char __start_shared_##f[], __stop_shared_##f[]; \
	extern "C" const shim_row row_##f = {shim_kernel<f>::call, __start_shared_##f, __stop_shared_##f, shim_count(f), block, waits};
