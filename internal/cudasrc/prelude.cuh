// What every kernel stands on. Arithmetic rounds once, to nearest even, and is never contracted.
#ifndef ADJ_PRELUDE
#define ADJ_PRELUDE

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define ADJ_INLINE __device__ __forceinline__
#define ADJ static ADJ_INLINE

ADJ int v_bits(float a) { return __float_as_int(a); }
ADJ i64 v_bits(double a) { return __double_as_longlong(a); }
ADJ int v_bits(int a) { return a; }
ADJ i64 v_bits(i64 a) { return a; }
ADJ float v_f32(int a) { return __int_as_float(a); }
ADJ double v_f64(i64 a) { return __longlong_as_double(a); }

// The bits of a float16, of a type that a bfloat16's do not have. cuda_fp16.h is not everywhere that this is compiled.
typedef short f16;
#ifdef ADJ_SHIM
ADJ float v_f32(f16 a) { return shim_from_half(a); }
ADJ f16 v_f16(float a) { return shim_to_half(a); }
#else
ADJ float v_f32(f16 a) {
	float x;
	asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(a));
	return x;
}
ADJ f16 v_f16(float a) {
	f16 h;
	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(a));
	return h;
}
#endif
ADJ float v_half(float a) { return v_f32(v_f16(a)); }

// A mask's lane: all ones where p holds.
ADJ int v_mask32(bool p) { return -(int)p; }
ADJ i64 v_mask64(bool p) { return -(i64)p; }

ADJ float v_add(float a, float b) { return __fadd_rn(a, b); }
ADJ double v_add(double a, double b) { return __dadd_rn(a, b); }
ADJ int v_add(int a, int b) { return (int)((u32)a + (u32)b); }
ADJ i64 v_add(i64 a, i64 b) { return (i64)((u64)a + (u64)b); }
ADJ float v_sub(float a, float b) { return __fsub_rn(a, b); }
ADJ double v_sub(double a, double b) { return __dsub_rn(a, b); }
ADJ int v_sub(int a, int b) { return (int)((u32)a - (u32)b); }
ADJ i64 v_sub(i64 a, i64 b) { return (i64)((u64)a - (u64)b); }
ADJ float v_mul(float a, float b) { return __fmul_rn(a, b); }
ADJ double v_mul(double a, double b) { return __dmul_rn(a, b); }
ADJ int v_mul(int a, int b) { return (int)((u32)a * (u32)b); }
ADJ i64 v_mul(i64 a, i64 b) { return (i64)((u64)a * (u64)b); }
ADJ float v_div(float a, float b) { return __fdiv_rn(a, b); }
ADJ double v_div(double a, double b) { return __ddiv_rn(a, b); }
ADJ float v_sqrt(float a) { return __fsqrt_rn(a); }
ADJ double v_sqrt(double a) { return __dsqrt_rn(a); }
ADJ float v_fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
ADJ double v_fma(double a, double b, double c) { return __fma_rn(a, b, c); }
ADJ float v_floor(float a) { return floorf(a); }
ADJ double v_floor(double a) { return floor(a); }
ADJ float v_ceil(float a) { return ceilf(a); }
ADJ double v_ceil(double a) { return ceil(a); }
ADJ float v_trunc(float a) { return truncf(a); }
ADJ double v_trunc(double a) { return trunc(a); }
ADJ float v_nearest(float a) { return rintf(a); }
ADJ double v_nearest(double a) { return rint(a); }

// A shift by the width or more leaves nothing.
ADJ int v_shl(int a, int b) { return (u32)b < 32 ? (int)((u32)a << b) : 0; }
ADJ i64 v_shl(i64 a, i64 b) { return (u64)b < 64 ? (i64)((u64)a << b) : 0; }
ADJ int v_shr(int a, int b) { return (u32)b < 32 ? (int)((u32)a >> b) : 0; }
ADJ i64 v_shr(i64 a, i64 b) { return (u64)b < 64 ? (i64)((u64)a >> b) : 0; }

// To nearest even; -2³¹ where that is no int, and for NaN.
ADJ int v_toint(float a) { return a >= -2147483648.0f && a < 2147483648.0f ? __float2int_rn(a) : (int)0x80000000u; }

// Folds. The extrema of floats are NaN if either operand is, and order the zeros.
ADJ float f_sum(float a, float b) { return __fadd_rn(a, b); }
ADJ double f_sum(double a, double b) { return __dadd_rn(a, b); }
ADJ int f_sum(int a, int b) { return v_add(a, b); }
ADJ i64 f_sum(i64 a, i64 b) { return v_add(a, b); }
ADJ float f_prod(float a, float b) { return __fmul_rn(a, b); }
ADJ double f_prod(double a, double b) { return __dmul_rn(a, b); }
ADJ int f_prod(int a, int b) { return v_mul(a, b); }
ADJ i64 f_prod(i64 a, i64 b) { return v_mul(a, b); }
ADJ float f_max(float a, float b) {
	return a > b ? a : b > a ? b : a == b ? v_f32(v_bits(a) & v_bits(b)) : a + b;
}
ADJ double f_max(double a, double b) {
	return a > b ? a : b > a ? b : a == b ? v_f64(v_bits(a) & v_bits(b)) : a + b;
}
ADJ int f_max(int a, int b) { return a > b ? a : b; }
ADJ i64 f_max(i64 a, i64 b) { return a > b ? a : b; }
ADJ u8 f_max(u8 a, u8 b) { return a | b; }
ADJ float f_min(float a, float b) {
	return a < b ? a : b < a ? b : a == b ? v_f32(v_bits(a) | v_bits(b)) : a + b;
}
ADJ double f_min(double a, double b) {
	return a < b ? a : b < a ? b : a == b ? v_f64(v_bits(a) | v_bits(b)) : a + b;
}
ADJ int f_min(int a, int b) { return a < b ? a : b; }
ADJ i64 f_min(i64 a, i64 b) { return a < b ? a : b; }
ADJ u8 f_min(u8 a, u8 b) { return a & b; }

// The value of the thread h further on, of groups of width.
ADJ float shift_down(float a, int h, int width) { return __shfl_down_sync(0xffffffffu, a, h, width); }
ADJ double shift_down(double a, int h, int width) { return __shfl_down_sync(0xffffffffu, a, h, width); }
ADJ int shift_down(int a, int h, int width) { return __shfl_down_sync(0xffffffffu, a, h, width); }
ADJ i64 shift_down(i64 a, int h, int width) { return __shfl_down_sync(0xffffffffu, a, h, width); }
ADJ u8 shift_down(u8 a, int h, int width) { return (u8)__shfl_down_sync(0xffffffffu, (int)a, h, width); }

// The value of the first thread of groups of width.
template <class T> ADJ T shift_first(T a, int width) { return __shfl_sync(0xffffffffu, a, 0, width); }
ADJ u8 shift_first(u8 a, int width) { return (u8)__shfl_sync(0xffffffffu, (int)a, 0, width); }

// divisor is a size with what dividing by it takes: the size, below 2³¹, in the low half, and in the high half
// ⌊2³²·(2ˢ - size)/size⌋ + 1 with s = ⌈log₂ size⌉. split leaves e/size and returns the remainder, e below 2³¹.
ADJ u32 split(u32 &e, u64 divisor) {
	const u32 n = (u32)divisor, q = (__umulhi(e, (u32)(divisor >> 32)) + e) >> (32 - __clz((int)(n - 1)));
	const u32 rest = e - q * n;
	e = q;
	return rest;
}
ADJ u64 split(u64 &e, u64 size) {
	const u64 q = e / size, rest = e - q * size;
	e = q;
	return rest;
}

// V elements side by side, aligned as a whole.
template <class T, int V> struct alignas(sizeof(T) * V) pack { T at[V]; };

// load reads V elements of an aligned array of which left remain; what is not there is 0.
template <class T, int V> ADJ void load(T (&x)[V], const T *p, u64 left) {
	if (left >= V) {
		const pack<T, V> v = *(const pack<T, V> *)p;
#pragma unroll
		for (int j = 0; j < V; j++) x[j] = v.at[j];
	} else {
#pragma unroll
		for (int j = 0; j < V; j++) x[j] = j < left ? p[j] : T(0);
	}
}

// loads does so element by element, step apart.
template <class T, int V> ADJ void loads(T (&x)[V], const T *p, i64 step, u64 left) {
#pragma unroll
	for (int j = 0; j < V; j++) x[j] = j < left ? p[j * step] : T(0);
}

template <class T, int V> ADJ void stores(T *p, const T (&x)[V], u64 left) {
#pragma unroll
	for (int j = 0; j < V; j++)
		if (j < left) p[j] = x[j];
}

template <class T, int V> ADJ void store(T *p, const T (&x)[V], u64 left) {
	if (left >= V) {
		pack<T, V> v;
#pragma unroll
		for (int j = 0; j < V; j++) v.at[j] = x[j];
		*(pack<T, V> *)p = v;
	} else {
		stores(p, x, left);
	}
}

#endif
