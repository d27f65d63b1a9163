// MKL's vector functions, at their highest accuracy, below 1 ULP.
#include "serve.h"
#include <mkl.h>

static void *x[3], *y;
static int size;
static long n;

#define UNARY(name, mkl) {name, 1, {.s1 = vs##mkl}, {.d1 = vd##mkl}}
#define BINARY(name, mkl) {name, 2, {.s2 = vs##mkl}, {.d2 = vd##mkl}}
static const struct row {
	const char *name;
	int arity;
	union {
		void (*s1)(MKL_INT, const float *, float *);
		void (*s2)(MKL_INT, const float *, const float *, float *);
	} f32;
	union {
		void (*d1)(MKL_INT, const double *, double *);
		void (*d2)(MKL_INT, const double *, const double *, double *);
	} f64;
} rows[] = {
	UNARY("exp", Exp), UNARY("exp2", Exp2), UNARY("expm1", Expm1), UNARY("log", Ln), UNARY("log2", Log2),
	UNARY("log10", Log10), UNARY("log1p", Log1p), UNARY("sin", Sin), UNARY("cos", Cos), UNARY("tan", Tan),
	UNARY("asin", Asin), UNARY("acos", Acos), UNARY("atan", Atan), UNARY("sinh", Sinh), UNARY("cosh", Cosh),
	UNARY("tanh", Tanh), UNARY("asinh", Asinh), UNARY("acosh", Acosh), UNARY("atanh", Atanh), UNARY("erf", Erf),
	UNARY("erfc", Erfc), UNARY("erfinv", ErfInv), UNARY("lgamma", LGamma), UNARY("sqrt", Sqrt), UNARY("rsqrt", InvSqrt),
	UNARY("cbrt", Cbrt), UNARY("square", Sqr), UNARY("reciprocal", Inv), UNARY("abs", Abs), UNARY("floor", Floor),
	UNARY("ceil", Ceil), UNARY("trunc", Trunc), UNARY("round", NearbyInt), BINARY("add", Add), BINARY("sub", Sub),
	BINARY("mul", Mul), BINARY("div", Div), BINARY("pow", Pow), BINARY("atan2", Atan2), BINARY("hypot", Hypot),
	BINARY("max", Fmax), BINARY("min", Fmin), BINARY("mod", Fmod),
};
static const struct row *row;

static const char *prepare(const char *q) {
	for (int i = 0; i < 3; i++)
		free(x[i]), x[i] = 0;
	free(y), y = 0, row = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is(q, "kind", "pointwise") && is(q, "op", rows[i].name))
			row = &rows[i];
	if (!row)
		return "has no such function";
	size = is(q, "dtype", "f32") ? 4 : 8;
	n = integer(q, "n");
	char *lo = (char *)field(q, "lo"), *hi = (char *)field(q, "hi");
	for (int i = 0; i < row->arity; i++) {
		double from = strtod(lo + 1, &lo), to = strtod(hi + 1, &hi);
		if (!(x[i] = numbers(size, i + 1, n, from, to)))
			return "out of memory";
	}
	vmlSetMode(VML_HA | VML_FTZDAZ_OFF | VML_ERRMODE_IGNORE);
	return (y = make(size * n)) ? 0 : "out of memory";
}

static void run(void) {
	if (row->arity == 1)
		size == 4 ? row->f32.s1(n, x[0], y) : row->f64.d1(n, x[0], y);
	else
		size == 4 ? row->f32.s2(n, x[0], x[1], y) : row->f64.d2(n, x[0], x[1], y);
}

static double at(long i) { return size == 4 ? ((float *)y)[i] : ((double *)y)[i]; }

int main(void) {
	char text[64];
	MKLVersion v;
	mkl_get_version(&v);
	snprintf(text, sizeof text, "%d.%d.%d", v.MajorVersion, v.MinorVersion, v.UpdateVersion);
	serve("vml", text);
}
