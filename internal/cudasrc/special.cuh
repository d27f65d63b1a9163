// Functions that have no vector program: the pure-Go level's, in the same steps. What they take from CUDA's
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

ADJ double s_expsquare(double x, double sign) {
	const double hi = x * x;
	const double e = exp(sign * hi);
	return hi == s_inf() || e == s_inf() ? e : e + e * sign * fma(x, x, -hi);
}

static __device__ __noinline__ double s_asymptotic(double x, double sign) {
	const double z = sign / (2 * x * x);
	double sum = 1, term = 1;
	for (int k = 1; k < 60; k++) {
		const double next = term * z * (2 * k - 1);
		if (fabs(next) >= fabs(term) || sum + next == sum) break;
		term = next;
		sum += term;
	}
	return sum;
}

static __device__ __noinline__ double s_imaginaryerf(double x) {
	double sum = x, power = x;
	for (int k = 1; k < 400; k++) {
		power *= x * x / k;
		const double next = sum + power / (2 * k + 1);
		if (next == sum) break;
		sum = next;
	}
	return sum;
}

ADJ double s_erfcx(double x) {
	const double a = fabs(x);
	const double y = a > 6.5 ? s_asymptotic(a, -1) / (a * 1.772453850905516) : s_expsquare(a, 1) * erfc(a);
	return x < 0 ? 2 * s_expsquare(x, 1) - y : y;
}

ADJ double s_dawson(double x) {
	if (fabs(x) > 6.5) return s_asymptotic(x, 1) / (2 * x);
	return s_expsquare(x, -1) * s_imaginaryerf(x);
}

ADJ double s_erfi(double x) {
	if (fabs(x) > 6.5) {
		const double e = s_expsquare(x, 0.5);
		if (e == s_inf()) return copysign(e, x);
		return e * s_asymptotic(x, 1) / (x * 1.772453850905516) * e;
	}
	return 1.1283791670955126 * s_imaginaryerf(x);
}

static __device__ __noinline__ double s_besseli01(double n, double x) {
	const double a = fabs(x);
	if (a > 30) {
		const double mu = 4 * n * n;
		double sum = 1, term = 1;
		for (double k = 1; k < 60; k++) {
			const double next = -term * (mu - (2 * k - 1) * (2 * k - 1)) / (k * 8 * a);
			if (sum + next == sum) break;
			term = next;
			sum += term;
		}
		double y = exp(a / 2) / sqrt(6.283185307179586 * a) * sum * exp(a / 2);
		if (a == s_inf()) y = a;
		return n == 1 ? copysign(y, x) : y;
	}
	const double q = x * x / 4;
	double sum = 1, term = 1;
	for (double k = 1; k < 200; k++) {
		term *= q / (k * (k + n));
		const double next = sum + term;
		if (next == sum) break;
		sum = next;
	}
	return n == 1 ? x / 2 * sum : sum;
}
ADJ double s_besseli0(double a) { return s_besseli01(0, a); }
ADJ double s_besseli1(double a) { return s_besseli01(1, a); }

static __device__ __noinline__ double s_expint(double x) {
	if (!(x >= 0)) return s_nan();
	if (x == 0) return s_inf();
	if (x <= 1) {
		double sum = 0, term = -1;
		for (double k = 1; k < 40; k++) {
			term *= -x / k;
			sum += term / k;
		}
		return sum - log(x) - 0.57721566490153286;
	}
	double f = 0;
	for (double k = trunc(20 + 120 / x); k > 0; k--) f = k / (1 + k / (x + f));
	return exp(-x) / (x + f);
}

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

static __device__ __noinline__ double s_elliptic(double m, bool second) {
	if (!(m <= 1) || m == -s_inf()) return s_nan();
	if (m == 1) return second ? 1 : s_inf();
	double a = 1, b = sqrt(1 - m), sum = m / 2, weight = 0.5;
	for (int i = 0; i < 40; i++) {
		const double c = (a - b) / 2;
		if (fabs(c) <= 1e-17 * a) break;
		const double g = sqrt(a * b);
		a = (a + b) / 2;
		b = g;
		weight *= 2;
		sum += weight * c * c;
	}
	const double k = 3.141592653589793 / (2 * a);
	return second ? k * (1 - sum) : k;
}
ADJ double s_ellipk(double a) { return s_elliptic(a, false); }
ADJ double s_ellipe(double a) { return s_elliptic(a, true); }

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
