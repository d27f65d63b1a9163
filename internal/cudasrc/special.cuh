// Functions that have no vector program, or beyond its limits: the pure-Go level's, in the same steps. What they take from CUDA's
// library (exp, log, pow, erfc, sincos, gamma and Bessel functions) is not Go's to the last bit.
#ifndef ADJ_SPECIAL
#define ADJ_SPECIAL

ADJ double s_nan() { return v_f64(0x7ff8000000000000ll); }
ADJ double s_inf() { return v_f64(0x7ff0000000000000ll); }

// Division by zero gives 0, and the least integer divided by -1 wraps.
ADJ int s_div(int a, int b) { return b == 0 ? 0 : b == -1 ? v_sub(0, a) : a / b; }
ADJ i64 s_div(i64 a, i64 b) { return b == 0 ? 0 : b == -1 ? v_sub((i64)0, a) : a / b; }
ADJ int s_mod(int a, int b) { return b == 0 || b == -1 ? 0 : a % b; }
ADJ i64 s_mod(i64 a, i64 b) { return b == 0 || b == -1 ? 0 : a % b; }
ADJ float s_mod(float a, float b) { return fmodf(a, b); }
ADJ double s_mod(double a, double b) { return fmod(a, b); }

// Conversions to int64 saturate, and NaN gives 0; from int64 they round to nearest even.
ADJ i64 s_toi64(double a) {
	return a != a ? 0 : a >= 9223372036854775808.0 ? 0x7fffffffffffffffll
		: a < -9223372036854775808.0 ? (i64)0x8000000000000000ull : (i64)a;
}
ADJ float s_tof32(i64 a) { return __ll2float_rn(a); }

ADJ double s_lgamma(double a) { return a == -s_inf() ? a : lgamma(a); }
ADJ double s_gamma(double a) { return tgamma(a); }
ADJ double s_besselj0(double a) { return j0(a); }
ADJ double s_besselj1(double a) { return j1(a); }
ADJ double s_bessely0(double a) { return a < 0 ? s_nan() : y0(a); }
ADJ double s_bessely1(double a) { return a < 0 ? s_nan() : y1(a); }

// B₂ₖ, k from 1 to 8.
ADJ double s_bernoulli(int k) {
	const double b[8] = {1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730, 7. / 6, -3617. / 510};
	return b[k - 1];
}

static __device__ __noinline__ double s_digamma(double x) {
	double mirror = 0;
	bool mirrored = false;
	if (x == s_inf()) return x;
	if (x <= 0) {
		if (x == floor(x)) return s_nan();
		mirrored = true;
		mirror = 3.141592653589793 / tan(3.141592653589793 * x);
		x = 1 - x;
	}
	double sum = 0;
	for (; x < 10; x++) sum -= 1 / x;
	const double z = 1 / (x * x);
	double series = 0;
	for (int k = 8; k > 0; k--) series = z * (series + s_bernoulli(k) / (2 * k));
	const double y = sum + log(x) - 0.5 / x - series;
	return mirrored ? y - mirror : y;
}

static __device__ __noinline__ double s_polygamma(double nf, double x) {
	if (!(nf >= 0 && nf <= 100) || nf != floor(nf) || x != x) return s_nan();
	if (nf == 0) return s_digamma(x);
	if ((x <= 0 && x == floor(x)) || x < -1000) return s_nan();
	const double fact = tgamma(nf);
	double sum = 0;
	for (; x < 10 + nf; x++) sum += fact * nf * pow(x, -nf - 1);
	sum += fact * pow(x, -nf) + fact * nf / 2 * pow(x, -nf - 1);
	double c = fact * pow(x, -nf);
	for (int k = 1; k <= 8; k++) {
		const double k2 = 2 * k;
		c *= (k2 + nf - 2) * (k2 + nf - 1) / (k2 * (k2 - 1) * x * x);
		sum += s_bernoulli(k) * c;
	}
	return fmod(nf, 2.0) == 0 ? -sum : sum;
}

ADJ double s_trigamma(double x) { return s_polygamma(1, x); }

static __device__ __noinline__ double s_sincosint(double x, bool cosine) {
	if (!(x >= 0)) return s_nan();
	if (x == 0) return cosine ? -s_inf() : 0;
	if (x == s_inf()) return cosine ? 0 : 1.5707963267948966;
	if (x <= 4) {
		double s = 0, c = 0, term = 1;
		for (int k = 1; k < 50; k++) {
			term *= x / k;
			const double d = term / k;
			if (k % 2 == 0) c += k % 4 == 0 ? d : -d;
			else s += k % 4 == 1 ? d : -d;
		}
		return cosine ? 0.57721566490153286 + log(x) + c : s;
	}
	double re = 0, im = 0; // f
	for (int k = 20 + (int)(400 / x); k > 0; k--) {
		const double a = 2 * k + 1 - re, b = x - im, kk = (double)k * k / (a * a + b * b);
		re = a * kk;
		im = -b * kk;
	}
	const double a = 1 - re, b = x - im, d = a * a + b * b, er = a / d, ei = -b / d;
	const double sn = sin(x), cs = cos(x);
	return cosine ? -(er * cs + ei * sn) : 1.5707963267948966 + (ei * cs - er * sn);
}
ADJ double s_sinint(double a) { return copysign(s_sincosint(fabs(a), false), a); }
ADJ double s_cosint(double a) { return s_sincosint(a, true); }

static __device__ __noinline__ double s_zeta(double s, double q) {
	if (!(s > 1) || !(q > 0)) return s_nan();
	if (s == s_inf() || q == s_inf()) return pow(q, -s);
	double sum = 0;
	for (; q < 10 + (s < 100 ? s : 100); q++) sum += pow(q, -s);
	const double power = pow(q, -s);
	sum += power * q / (s - 1) + power / 2;
	double c = power * q;
	for (int k = 1; k <= 8; k++) {
		const double k2 = 2 * k;
		c *= k == 1 ? s / (2 * q * q) : (s + k2 - 3) * (s + k2 - 2) / (k2 * (k2 - 1) * q * q);
		sum += s_bernoulli(k) * c;
	}
	return sum;
}

#endif
