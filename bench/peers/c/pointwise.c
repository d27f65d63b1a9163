// glibc's vector functions: plain loops that the C compiler turns into calls of libmvec, or into its own
// instructions, with -O3 -ffast-math -march=native.
#include "serve.h"
#include <gnu/libc-version.h>
#include <math.h>

static void *x[3], *y;
static int size;
static long n;
static void (*loop32)(void), (*loop64)(void);

#define LOOP(name, expr32, expr64) \
	static void name##32(void) { \
		const float *restrict A = x[0], *restrict B = x[1], *restrict C = x[2]; \
		float *restrict Y = y; \
		for (long i = 0; i < n; i++) { \
			float a = A[i], b = x[1] ? B[i] : 0, c = x[2] ? C[i] : 0; \
			(void)b, (void)c; \
			Y[i] = expr32; \
		} \
	} \
	static void name##64(void) { \
		const double *restrict A = x[0], *restrict B = x[1], *restrict C = x[2]; \
		double *restrict Y = y; \
		for (long i = 0; i < n; i++) { \
			double a = A[i], b = x[1] ? B[i] : 0, c = x[2] ? C[i] : 0; \
			(void)b, (void)c; \
			Y[i] = expr64; \
		} \
	}
#define UNARY(name) LOOP(name, name##f(a), name(a))

LOOP(add, a + b, a + b)
LOOP(sub, a - b, a - b)
LOOP(mul, a * b, a * b)
LOOP(div, a / b, a / b)
LOOP(square, a * a, a * a)
LOOP(pow, powf(a, b), pow(a, b))
LOOP(atan2, atan2f(a, b), atan2(a, b))
LOOP(hypot, hypotf(a, b), hypot(a, b))
LOOP(sigmoid, 1 / (1 + expf(-a)), 1 / (1 + exp(-a)))
LOOP(silu, a / (1 + expf(-a)), a / (1 + exp(-a)))
LOOP(gelu, 0.5f * a * erfcf(-0.70710678f * a), 0.5 * a * erfc(-0.7071067811865476 * a))
// Eight cheap operations, rounded one by one as ours are.
__attribute__((optimize("fp-contract=off", "no-associative-math")))
LOOP(chain8, (((a * b + c) * c + b) * b + c) * c + b, (((a * b + c) * c + b) * b + c) * c + b)
UNARY(sqrt)
UNARY(exp)
UNARY(exp2)
UNARY(expm1)
UNARY(log)
UNARY(log2)
UNARY(log10)
UNARY(log1p)
UNARY(sin)
UNARY(cos)
UNARY(tan)
UNARY(asin)
UNARY(acos)
UNARY(atan)
UNARY(sinh)
UNARY(cosh)
UNARY(tanh)
UNARY(asinh)
UNARY(acosh)
UNARY(atanh)
UNARY(erf)
UNARY(erfc)
UNARY(cbrt)

#define ROW(name) {#name, name##32, name##64}
static const struct {
	const char *name;
	void (*f32)(void), (*f64)(void);
} rows[] = {
	ROW(add), ROW(sub), ROW(mul), ROW(div), ROW(square), ROW(pow), ROW(atan2), ROW(hypot), ROW(sigmoid), ROW(silu),
	ROW(gelu), ROW(sqrt), ROW(exp), ROW(exp2), ROW(expm1), ROW(log), ROW(log2), ROW(log10), ROW(log1p), ROW(sin),
	ROW(cos), ROW(tan), ROW(asin), ROW(acos), ROW(atan), ROW(sinh), ROW(cosh), ROW(tanh), ROW(asinh), ROW(acosh),
	ROW(atanh), ROW(erf), ROW(erfc), ROW(cbrt), ROW(chain8),
};

static const char *prepare(const char *q) {
	for (int i = 0; i < 3; i++)
		free(x[i]), x[i] = 0;
	free(y), y = 0;
	loop32 = loop64 = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is(q, "kind", "pointwise") && is(q, "op", rows[i].name))
			loop32 = rows[i].f32, loop64 = rows[i].f64;
	if (!loop32)
		return "has no such function";
	size = is(q, "dtype", "f32") ? 4 : 8;
	n = integer(q, "n");
	char *lo = (char *)field(q, "lo"), *hi = (char *)field(q, "hi");
	for (int i = 0; i < 3 && (*lo == '[' || *lo == ','); i++) {
		double from = strtod(lo + 1, &lo), to = strtod(hi + 1, &hi);
		if (!(x[i] = numbers(size, i + 1, n, from, to)))
			return "out of memory";
	}
	return (y = make(size * n)) ? 0 : "out of memory";
}

static void run(void) { size == 4 ? loop32() : loop64(); }

static double at(long i) { return size == 4 ? ((float *)y)[i] : ((double *)y)[i]; }

int main(void) { serve("libmvec", gnu_get_libc_version()); }
