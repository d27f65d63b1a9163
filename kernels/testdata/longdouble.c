// longdouble NAME ARITY reads blocks of 4096 arguments (a, then b where there are two) and of what was made of them, all
// float64, and prints the greatest error in units of the last place and where it was. It is held to long double (64 bits of
// fraction: a unit of its last place is 2^-11 of a float64's), in which glibc's functions are a few units off at most. What equals
// glibc's float64 function, where that is within 0.62 of a unit (the IBM Accurate Mathematical Library's and the newer exp, log,
// pow), is not looked at further: it is a third of the time.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096
typedef long double real;

static real rsqrt_(real a) { return 1 / sqrtl(a); }
static real sigmoid(real a) { return 1 / (1 + expl(-a)); }
static real silu(real a) { return a == -INFINITY ? -0.0L : a / (1 + expl(-a)); }
static real softplus(real a) { return a > 0 ? a + log1pl(expl(-a)) : log1pl(expl(a)); }
static real elu(real a, real b) { return a > 0 ? a : b * expm1l(a); }

// Far out erfc takes a relative error of its argument times its square, and exp one times its argument: both get what rounding
// took off the argument as a second term.
static real gelu(real a) {
	if (a < -60) return -0.0L;
	__float128 exact = -(__float128)a * 0.707106781186547524400844362104849039Q;
	real h = exact, l = exact - h;
	return a * (erfcl(h) - 1.128379167095512573896158903121545172L * expl(-h * h) * l) / 2;
}
static real gelutanh(real a) {
	if (a < -60) return -0.0L;
	__float128 q = a, exact = -1.595769121605730711759542302513838565Q * (q + 0.044715Q * q * q * q);
	if (exact < -20000) return a;
	if (exact > 11000) return -0.0L;
	real h = exact, l = exact - h, e = expl(h);
	return a / (1 + (e + e * l));
}
static real lgamma_(real a) { return lgammal(a); }

static const struct { const char *name; real (*f)(real); double (*near)(double); } one[] = {
	{"rsqrt", rsqrt_}, {"cbrt", cbrtl}, {"exp", expl, exp}, {"exp2", exp2l, exp2}, {"expm1", expm1l}, {"log", logl, log}, {"log2", log2l, log2},
	{"log10", log10l}, {"log1p", log1pl}, {"sin", sinl, sin}, {"cos", cosl, cos}, {"tan", tanl, tan}, {"asin", asinl, asin}, {"acos", acosl, acos},
	{"atan", atanl, atan}, {"sinh", sinhl}, {"cosh", coshl}, {"tanh", tanhl}, {"asinh", asinhl}, {"acosh", acoshl}, {"atanh", atanhl},
	{"sigmoid", sigmoid}, {"softplus", softplus}, {"gelu", gelu}, {"gelutanh", gelutanh}, {"silu", silu}, {"erf", erfl},
	{"erfc", erfcl}, {"lgamma", lgamma_},
};
static const struct { const char *name; real (*f)(real, real); double (*near)(double, double); } two[] = {
	{"atan2", atan2l, atan2}, {"pow", powl, pow}, {"hypot", hypotl}, {"elu", elu},
};

// error of got in units of the last place of want as a float64.
static real error_of(double got, real want) {
	if (isnan(want)) return isnan(got) ? 0 : INFINITY;
	if ((real)got == want || got == (double)want) return 0;
	if (!isfinite(got)) return INFINITY;
	int e = want == 0 ? -1022 : ilogbl(want);
	return fabsl(got - want) / ldexpl(1, (e < -1022 ? -1022 : e) - 52);
}

int main(int argc, char **argv) {
	static double a[BLOCK], b[BLOCK], y[BLOCK];
	real (*f)(real) = NULL, (*g)(real, real) = NULL;
	double (*near)(double) = NULL, (*near2)(double, double) = NULL;
	for (size_t i = 0; i < sizeof one / sizeof *one; i++)
		if (argc > 1 && !strcmp(one[i].name, argv[1])) f = one[i].f, near = one[i].near;
	for (size_t i = 0; i < sizeof two / sizeof *two; i++)
		if (argc > 1 && !strcmp(two[i].name, argv[1])) g = two[i].f, near2 = two[i].near;
	if (!f && !g) {
		fprintf(stderr, "longdouble: no function %s\n", argc > 1 ? argv[1] : "");
		return 1;
	}
	real worst = 0;
	double at = 0, and = 0;
	while (fread(a, sizeof a, 1, stdin) == 1) {
		if ((g && fread(b, sizeof b, 1, stdin) != 1) || fread(y, sizeof y, 1, stdin) != 1) return 1;
		for (int i = 0; i < BLOCK; i++) {
			if (near ? near(a[i]) == y[i] : near2 && near2(a[i], b[i]) == y[i]) continue;
			real e = error_of(y[i], f ? f(a[i]) : g(a[i], b[i]));
			if (e > worst) worst = e, at = a[i], and = b[i];
		}
	}
	printf("%.6Lf %a %a\n", worst, at, and);
	return 0;
}
