// Functions with parameters: incomplete gamma and beta functions with their derivatives, Bessel functions of real order,
// Airy functions, exponential integrals. Package ops has them in Go (incomplete.go, jet.go, bessel.go), with their sources: these are the
// same steps. special.cuh stands before this text.
#ifndef ADJ_ORDERS
#define ADJ_ORDERS

enum { o_terms = 5000 };
#define O_PI 3.141592653589793

// The Taylor series of 1/Γ(1+z).
static __device__ const double o_overgamma[24] = {1.0, 0.57721566490153286061, -0.65587807152025388108, -0.042002635034095235529, 0.1665386113822914895,
	-0.042197734555544336748, -0.0096219715278769735621, 0.0072189432466630995424, -0.0011651675918590651121,
	-0.00021524167411495097282, 0.00012805028238811618615, -0.000020134854780788238656, -1.2504934821426706573e-6,
	1.1330272319816958824e-6, -2.0563384169776071035e-7, 6.1160951044814158179e-9, 5.0020076444692229301e-9,
	-1.1812745704870201446e-9, 1.0434267116911005105e-10, 7.782263439905071254e-12, -3.6968056186422057082e-12,
	5.100370287454475979e-13, -2.0583260535665067832e-14, -5.3481225394230179824e-15};

// A number with its derivatives by two parameters, to the second order.
struct o_jet { double v, a, b, aa, ab, bb; };

ADJ o_jet o_plain(double v) { return o_jet{v, 0, 0, 0, 0, 0}; }
static __device__ __noinline__ o_jet o_add(const o_jet &x, const o_jet &y) {
	return o_jet{x.v + y.v, x.a + y.a, x.b + y.b, x.aa + y.aa, x.ab + y.ab, x.bb + y.bb};
}
ADJ o_jet o_scale(const o_jet &x, double c) { return o_jet{c * x.v, c * x.a, c * x.b, c * x.aa, c * x.ab, c * x.bb}; }
ADJ o_jet o_sub(const o_jet &x, const o_jet &y) { return o_add(x, o_scale(y, -1)); }
static __device__ __noinline__ o_jet o_mul(const o_jet &x, const o_jet &y) {
	return o_jet{x.v * y.v, x.a * y.v + x.v * y.a, x.b * y.v + x.v * y.b, x.aa * y.v + 2 * x.a * y.a + x.v * y.aa,
		x.ab * y.v + x.a * y.b + x.b * y.a + x.v * y.ab, x.bb * y.v + 2 * x.b * y.b + x.v * y.bb};
}
static __device__ __noinline__ o_jet o_of(const o_jet &x, double f, double d, double dd) {
	return o_jet{f, d * x.a, d * x.b, dd * x.a * x.a + d * x.aa, dd * x.a * x.b + d * x.ab, dd * x.b * x.b + d * x.bb};
}
ADJ o_jet o_reciprocal(const o_jet &x) {
	const double r = 1 / x.v;
	return o_of(x, r, -r * r, 2 * r * r * r);
}
ADJ o_jet o_exp(const o_jet &x) {
	const double e = exp(x.v);
	return o_of(x, e, e, e);
}
static __device__ __noinline__ o_jet o_lgamma(const o_jet &x) { return o_of(x, lgamma(x.v), s_digamma(x.v), s_polygamma(1, x.v)); }
ADJ bool o_little(double p, double q, double size) { return fabs(p) <= 1e-17 * (fabs(q) + size); }
static __device__ __noinline__ bool o_small(const o_jet &x, const o_jet &y) {
	const double s = 1e-3 * fabs(y.v);
	return o_little(x.v, y.v, 0) && o_little(x.a, y.a, s) && o_little(x.b, y.b, s) && o_little(x.aa, y.aa, s) && o_little(x.ab, y.ab, s) &&
		o_little(x.bb, y.bb, s);
}

// b(0) + a(1)/(b(1) + a(2)/(b(2) + …): term gives a(i) and b(i).
template <class F> ADJ o_jet o_fraction(o_jet b0, F term) {
	if (b0.v == 0) b0.v = 1e-300;
	o_jet f = b0, c = b0, d = o_plain(0);
	for (int i = 1; i < o_terms; i++) {
		o_jet a, b;
		term(i, a, b);
		d = o_add(b, o_mul(a, d));
		if (d.v == 0) d.v = 1e-300;
		c = o_add(b, o_mul(a, o_reciprocal(c)));
		if (c.v == 0) c.v = 1e-300;
		d = o_reciprocal(d);
		o_jet by = o_mul(c, d);
		f = o_mul(f, by);
		by.v--;
		if (o_small(by, o_plain(1)) && i > 3) break;
	}
	return f;
}

// P(a, x) with its derivatives by a.
static __device__ __noinline__ o_jet o_gammap(double a, double x) {
	if (!(a > 0) || !(x >= 0) || a == s_inf()) return o_jet{s_nan(), s_nan(), 0, s_nan(), 0, 0};
	if (x == 0) return o_plain(0);
	if (x == s_inf()) return o_plain(1);
	const o_jet A = {a, 1, 0, 0, 0, 0};
	const o_jet front = o_sub(o_scale(A, log(x)), o_plain(x));
	if (x < a + 1) {
		o_jet sum = o_plain(1), term = sum;
		for (int n = 1; n < o_terms; n++) {
			term = o_mul(o_scale(term, x), o_reciprocal(o_add(A, o_plain(n))));
			sum = o_add(sum, term);
			if (o_small(term, sum)) break;
		}
		return o_mul(sum, o_exp(o_sub(front, o_lgamma(o_add(A, o_plain(1))))));
	}
	const o_jet f = o_fraction(o_sub(o_plain(x + 1), A), [&](int i, o_jet &p, o_jet &q) {
		const double n = i;
		p = o_scale(o_sub(A, o_plain(n)), n);
		q = o_sub(o_plain(x + 2 * n + 1), A);
	});
	return o_sub(o_plain(1), o_mul(o_reciprocal(f), o_exp(o_sub(front, o_lgamma(A)))));
}
ADJ double s_gammaincda(double a, double x) { return o_gammap(a, x).a; }
ADJ double s_gammaincdaa(double a, double x) { return o_gammap(a, x).aa; }

// x^a·e^-x/Γ(a+1).
static __device__ __noinline__ double o_gammafront(double a, double x) {
	if (a < 60) return pow(x, a) * exp(-x / 2) / tgamma(a + 1) * exp(-x / 2);
	const double d = (x - a) / a, l = fabs(d) < 0.5 ? log1p(d) : log(x / a), r = 1 / a, z = r * r;
	const double series = r * (1. / 12 + z * (-1. / 360 + z * (1. / 1260 + z * (-1. / 1680 + z * (1. / 1188 + z * (-691. / 360360 + z * (1. / 156 + z * (-3617. / 122400 + z * 43867 / 244188))))))));
	return exp(a * l + (a - x) - series) / sqrt(2 * O_PI * a);
}

// P(a, x), or 1 - P.
static __device__ __noinline__ double o_gammapq(double a, double x, bool rest) {
	if (!(a > 0) || !(x >= 0) || a == s_inf()) return s_nan();
	if (x == 0) return rest;
	if (x == s_inf()) return !rest;
	const double most = 200000;
	if (x < fmax(a + 1, 1.3)) {
		if (rest && a < 0.3) {
			double sum = 0, power = 1, over = 0;
			for (int k = 23; k > 0; k--) over = (over + o_overgamma[k]) * a;
			for (double n = 1; n < 60; n++) {
				power *= -x / n;
				sum += power / (a + n);
			}
			const double e = expm1(a * log(x)) * (1 + over) + over;
			return -e - (1 + e) * a * sum;
		}
		double sum = 1, term = 1;
		for (double n = a + 1; n < a + most && term > 1e-17 * sum; n++) {
			term *= x / n;
			sum += term;
		}
		const double p = fmin(o_gammafront(a, x) * sum, 1.);
		return rest ? 1 - p : p;
	}
	double b = x + 1 - a, n0 = 1, n1 = 0, d0 = b, d1 = 1, y = n0 / d0;
	for (double k = 1; k < most; k++) {
		const double by = k * (a - k), n = n0, d = d0, last = y;
		b += 2;
		n0 = b * n0 + by * n1;
		d0 = b * d0 + by * d1;
		n1 = n;
		d1 = d;
		if (d0 > 1e250) {
			n0 *= 1e-250;
			n1 *= 1e-250;
			d0 *= 1e-250;
			d1 *= 1e-250;
		}
		y = n0 / d0;
		if (fabs(y - last) <= 1e-17 * y) break;
	}
	const double q = fmin(1., o_gammafront(a, x) * a * y);
	return rest ? q : 1 - q;
}
ADJ double s_gammainc(double a, double x) { return o_gammapq(a, x, false); }
ADJ double s_gammaincc(double a, double x) { return o_gammapq(a, x, true); }

static __device__ __noinline__ o_jet o_betai(double a, double b, double x) {
	if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || a == s_inf() || b == s_inf()) {
		const double n = s_nan();
		return o_jet{n, n, n, n, n, n};
	}
	if (x == 0 || x == 1) return o_plain(x);
	o_jet A = {a, 1, 0, 0, 0, 0}, B = {b, 0, 1, 0, 0, 0};
	double lx = log(x), ly = log1p(-x);
	const bool swapped = x > (a + 1) / (a + b + 2);
	if (swapped) {
		const o_jet C = A;
		A = B;
		B = C;
		const double l = lx;
		lx = ly;
		ly = l;
		x = 1 - x;
	}
	const o_jet front = o_exp(o_add(o_sub(o_sub(o_add(o_scale(A, lx), o_scale(B, ly)), o_lgamma(A)), o_lgamma(B)), o_lgamma(o_add(A, B))));
	const o_jet f = o_fraction(o_plain(1), [&](int i, o_jet &p, o_jet &q) {
		const double m = i / 2;
		q = o_plain(1);
		if (i % 2 == 0) {
			const o_jet den = o_reciprocal(o_mul(o_add(A, o_plain(2 * m - 1)), o_add(A, o_plain(2 * m))));
			p = o_mul(o_scale(o_sub(B, o_plain(m)), m * x), den);
			return;
		}
		const o_jet den = o_reciprocal(o_mul(o_add(A, o_plain(2 * m)), o_add(A, o_plain(2 * m + 1))));
		p = o_mul(o_scale(o_mul(o_add(A, o_plain(m)), o_add(o_add(A, B), o_plain(m))), -x), den);
	});
	const o_jet y = o_mul(front, o_reciprocal(o_mul(f, A)));
	return swapped ? o_sub(o_plain(1), y) : y;
}
static __device__ __noinline__ double s_betainc(double a, double b, double x) {
	if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || a == s_inf() || b == s_inf()) return s_nan();
	if (x == 0 || x == 1) return x;
	double lx = log(x), ly = log1p(-x);
	const bool swapped = x > (a + 1) / (a + b + 2);
	if (swapped) {
		const double c = a, l = lx;
		a = b;
		b = c;
		lx = ly;
		ly = l;
		x = 1 - x;
	}
	double n1 = 1, d1 = 0, n0 = 1, d0 = 1, last = 0;
	for (double m = 0; m < o_terms; m++) {
		double by = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		n1 = n0 + by * n1;
		d1 = d0 + by * d1;
		by = (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2));
		n0 = n1 + by * n0;
		d0 = d1 + by * d0;
		const double r = 1 / d0;
		n1 *= r;
		d1 *= r;
		n0 *= r;
		d0 = 1;
		if (fabs(n0 - last) <= 1e-16 * fabs(n0)) break;
		last = n0;
	}
	const double y = exp(a * lx + b * ly - lgamma(a) - lgamma(b) + lgamma(a + b)) / (a * n0);
	return swapped ? 1 - y : y;
}
ADJ double s_betaincda(double a, double b, double x) { return o_betai(a, b, x).a; }
ADJ double s_betaincdaa(double a, double b, double x) { return o_betai(a, b, x).aa; }
ADJ double s_betaincdab(double a, double b, double x) { return o_betai(a, b, x).ab; }

static __device__ __noinline__ double s_invdigamma(double y) {
	if (y == s_inf()) return y;
	if (y == -s_inf()) return 0;
	if (y > 700) return exp(y);
	double x = y < -2.22 ? -1 / (y + 0.5772156649015329) : exp(y) + 0.5;
	for (int i = 0; i < 8; i++) {
		const double next = x - (s_digamma(x) - y) / s_polygamma(1, x);
		if (next == x) break;
		x = next;
	}
	return x;
}

static __device__ __noinline__ double s_expintn(double n, double x) {
	if (n != n || x != x || x < 0 || fabs(n) > 200) return s_nan();
	if (x == 0) return n > 1 ? 1 / (n - 1) : s_inf();
	if (x == s_inf()) return 0;
	const bool whole = n == floor(n);
	const double order = n; // that is asked for: others below -1 go through one above it
	if (!(x >= 1 && n > -1)) {
		if (whole && n <= 0) {
			double e = exp(-x) / x;
			for (double k = 1; k <= -n; k++) e = (exp(-x) + k * e) / x;
			return e;
		}
		if (n <= -1) n = n + ceil(-1 - n) + 1;
	}
	double e;
	if (x >= 1 && n > -1) {
		double k = floor(12 + 85 / x), f = x + n + 2 * k;
		for (; k > 0; k--) f = x + n + 2 * (k - 1) - k * (n + k - 1) / f;
		e = exp(-x) / f;
	} else {
		double sum = 0, power = 1;
		for (int i = 0; i < o_terms; i++) {
			const double k = i;
			if (i > 0) power *= -x / k;
			if (whole && k == n - 1) {
				sum += power * (s_digamma(n) - log(x));
				continue;
			}
			const double next = sum - power / (k - n + 1);
			if (next == sum && k > n) break;
			sum = next;
		}
		e = whole ? sum : sum + tgamma(1 - n) * pow(x, n - 1);
	}
	for (double k = n - 1; k >= order; k--) e = (exp(-x) - k * e) / x;
	return e;
}

// Bessel functions.
struct o_pair { double x, y; };

// f₀, p₀, q₀ of Temme's series.
static __device__ __noinline__ double o_temme(double m, double x, double &p, double &q) {
	double g1 = 0, g2 = 0;
	for (int k = 22; k >= 0; k -= 2) {
		g1 = g1 * m * m - o_overgamma[k + 1];
		g2 = g2 * m * m + o_overgamma[k];
	}
	const double plus = g2 - m * g1, minus = g2 + m * g1;
	const double l = log(2 / x), s = m * l, a = O_PI * m;
	const double round = fabs(a) > 1e-9 ? a / sin(a) : 1, over = fabs(s) > 1e-9 ? sinh(s) / s : 1;
	const double e = exp(s);
	p = e / plus;
	q = 1 / (e * minus);
	return round * (cosh(s) * g1 + over * l * g2);
}

static __device__ __noinline__ double o_powerseries(double n, double x, double sign, double more) {
	const double z = sign * x * x / 4;
	double sum = 1, term = 1;
	for (double k = 1; k < 400; k++) {
		term *= z / (k * (n + k));
		if (sum + term == sum) break;
		sum += term;
	}
	if (n < 20 && more == 0) return sum * pow(x / 2, n) / tgamma(n + 1);
	return sum * exp(n * log(x / 2) - lgamma(n + 1) + more);
}

static __device__ __noinline__ o_pair o_hankel(double n, double x) {
	const double m = 4 * n * n;
	double term = 1, p = 1, q = 0;
	for (int k = 1; k < 400; k++) {
		const double odd = 2 * k - 1, next = term * (m - odd * odd) / (k * 8 * x);
		if (fabs(next) < 1e-18 || (k > 2 * (int)n && fabs(next) > fabs(term))) break;
		term = next;
		switch (k % 4) {
		case 1: q += term; break;
		case 2: p -= term; break;
		case 3: q -= term; break;
		default: p += term;
		}
	}
	return o_pair{p, q};
}

// The cosine and sine of πx.
static __device__ __noinline__ o_pair o_cossinpi(double x) {
	const double r = x - 2 * round(x / 2);
	if (r == 0 || r == 1 || r == -1) return o_pair{1 - 2 * fabs(r), 0};
	if (r == 0.5 || r == -0.5) return o_pair{0, 2 * r};
	return o_pair{cos(O_PI * r), sin(O_PI * r)};
}

static __device__ __noinline__ double o_up(double low, double next, double m, double x, int steps, double sign) {
	for (int k = 1; k <= steps; k++) {
		const double after = 2 * (m + k) / x * next - sign * low;
		low = next;
		next = after;
		if (fabs(low) == s_inf()) break;
	}
	return low;
}

static __device__ __noinline__ o_pair o_temmey(double m, double x) {
	double p, q, f = o_temme(m, x, p, q);
	f = f * 2 / O_PI;
	p /= O_PI;
	q /= O_PI;
	const double s = sin(O_PI * m / 2), r = fabs(m) > 1e-9 ? 2 / m * s * s : O_PI * O_PI * m / 2;
	double c = 1, low = 0, next = 0;
	for (int i = 0; i < o_terms; i++) {
		const double k = i;
		if (i > 0) {
			f = (k * f + p + q) / (k * k - m * m);
			c *= -x * x / 4 / k;
			p /= k - m;
			q /= k + m;
		}
		const double a = c * (f + r * q), b = c * p - k * a;
		low -= a;
		next -= b;
		if (i > 0 && fabs(a) < 1e-17 * fabs(low) && fabs(b) < 1e-17 * fabs(next)) break;
	}
	return o_pair{low, next * 2 / x};
}

// The sign of J, and J'/J.
static __device__ __noinline__ o_pair o_ratioj(double n, double x) {
	double sign = 1, f = n / x;
	if (f == 0) f = 1e-300;
	double b = 2 * n / x, d = 0, c = f;
	for (int i = 0; i < 1 << 16; i++) {
		b += 2 / x;
		d = b - d;
		if (d == 0) d = 1e-300;
		c = b - 1 / c;
		if (c == 0) c = 1e-300;
		d = 1 / d;
		const double by = c * d;
		f *= by;
		if (d < 0) sign = -sign;
		if (fabs(by - 1) < 1e-16) break;
	}
	return o_pair{sign, f};
}

// Complex numbers.
ADJ o_pair o_cmul(o_pair a, o_pair b) { return o_pair{a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x}; }
static __device__ __noinline__ o_pair o_cdiv(o_pair a, o_pair b) {
	if (fabs(b.x) >= fabs(b.y)) {
		const double r = b.y / b.x, d = b.x + r * b.y;
		return o_pair{(a.x + a.y * r) / d, (a.y - a.x * r) / d};
	}
	const double r = b.x / b.y, d = b.y + r * b.x;
	return o_pair{(a.x * r + a.y) / d, (a.y * r - a.x) / d};
}

static __device__ __noinline__ o_pair o_steed(double m, double x) {
	const o_pair a = {0.25 - m * m, 0};
	o_pair b = {2 * x, 2}, f = b, c = b, d = {0, 0};
	for (int i = 2; i < o_terms; i++) {
		const double k = i - 0.5, ak = k * k - m * m;
		b = o_pair{2 * x, 2. * i};
		d = o_cdiv(o_pair{1, 0}, o_pair{b.x + ak * d.x, b.y + ak * d.y});
		const o_pair over = o_cdiv(o_pair{ak, 0}, c);
		c = o_pair{b.x + over.x, b.y + over.y};
		const o_pair by = o_cmul(c, d);
		f = o_cmul(f, by);
		if (fabs(by.x - 1) + fabs(by.y) < 1e-16) break;
	}
	const o_pair r = o_cmul(o_pair{0, 1 / x}, o_cdiv(a, f));
	return o_pair{-1 / (2 * x) + r.x, 1 + r.y};
}

// J and Y of order n ≥ 0 at x > 0.
static __device__ __noinline__ o_pair o_besseljy(double n, double x) {
	if (x > 25 + n * n / 2) {
		const o_pair h = o_hankel(n, x), phase = o_cossinpi(n / 2 + 0.25);
		const double s = sin(x), c = cos(x), sn = s * phase.x - c * phase.y, cs = c * phase.x + s * phase.y, w = sqrt(2 / (O_PI * x));
		return o_pair{w * (h.x * cs - h.y * sn), w * (h.x * sn + h.y * cs)};
	}
	int steps = (int)(n + 0.5);
	if (x >= 2) {
		const int k = (int)(n - x + 1.5);
		steps = k > 0 ? k : 0;
	}
	const double m = n - steps;
	const bool early = x * x < 4 * (n + 1);
	double j = early ? o_powerseries(n, x, -1, 0) : 0;
	if (x < 2) {
		const o_pair t = o_temmey(m, x);
		return o_pair{j, o_up(t.x, t.y, m, x, steps, 1)};
	}
	const o_pair ratio = o_ratioj(n, x);
	double jl = ratio.x, jp = ratio.x * ratio.y, scale = 1, order = n;
	for (int i = 0; i < steps; i++) {
		const double l = order / x * jl + jp;
		jp = jl;
		jl = l;
		order--;
		jp = order / x * jl - jp;
		if (fabs(jl) > 1e200) {
			jl *= 1e-200;
			jp *= 1e-200;
			scale *= 1e-200;
		}
	}
	const double f = jp / jl;
	const o_pair t = o_steed(m, x);
	const double w = 2 / (O_PI * x), g = (t.x - f) / t.y;
	const double jm = copysign(sqrt(w / ((t.x - f) * g + t.y)), jl);
	if (!early) j = jm / jl * ratio.x * scale;
	const double ym = jm * g;
	return o_pair{j, o_up(ym, m / x * ym - (ym * t.x + jm * t.y), m, x, steps, 1)};
}

static __device__ __noinline__ o_pair o_temmek(double m, double x) {
	double p, q, f = o_temme(m, x, p, q);
	p /= 2;
	q /= 2;
	double c = 1, low = 0, next = 0;
	for (int i = 0; i < o_terms; i++) {
		const double k = i;
		if (i > 0) {
			f = (k * f + p + q) / (k * k - m * m);
			c *= x * x / 4 / k;
			p /= k - m;
			q /= k + m;
		}
		low += c * f;
		next += c * (p - k * f);
		if (i > 0 && c * f < 1e-17 * low && fabs(c * (p - k * f)) < 1e-17 * next) break;
	}
	return o_pair{low, next * 2 / x};
}

static __device__ __noinline__ o_pair o_steedk(double m, double x) {
	double b = 2 * (1 + x), d = 1 / b, h = d, delta = d, q1 = 0, q2 = 1;
	const double a1 = 0.25 - m * m;
	double q = a1, c = a1, a = -a1, s = 1 + q * delta;
	for (int i = 2; i < o_terms; i++) {
		a -= 2 * (double)(i - 1);
		c = -a * c / i;
		const double qn = (q1 - b * q2) / a;
		q1 = q2;
		q2 = qn;
		q += c * qn;
		b += 2;
		d = 1 / (b + a * d);
		delta *= b * d - 1;
		h += delta;
		const double ds = q * delta;
		s += ds;
		if (fabs(ds) < 1e-17 * fabs(s)) break;
	}
	const double low = sqrt(O_PI / (2 * x)) / s;
	return o_pair{low, low * (m + x + 0.5 - a1 * h) / x};
}

// I·e⁻ˣ and K·eˣ of order n ≥ 0 at x > 0.
static __device__ __noinline__ o_pair o_besselik(double n, double x) {
	if (x > 25 + n * n / 2) {
		const double m = 4 * n * n;
		double term = 1, i = 1, k = 1, sign = 1;
		for (int j = 1; j < 400; j++) {
			const double odd = 2 * j - 1, next = term * (m - odd * odd) / (j * 8 * x);
			if (fabs(next) < 1e-18 || (j > 2 * (int)n && fabs(next) > fabs(term))) break;
			term = next;
			sign = -sign;
			i += sign * term;
			k += term;
		}
		return o_pair{i * sqrt(0.5 / O_PI / x), k * sqrt(O_PI / 2 / x)};
	}
	const int steps = (int)(n + 0.5);
	const double m = n - steps;
	o_pair t;
	if (x < 2) {
		t = o_temmek(m, x);
		const double e = exp(x);
		t.x *= e;
		t.y *= e;
	} else {
		t = o_steedk(m, x);
	}
	const double k = o_up(t.x, t.y, m, x, steps, -1);
	if (x * x < 4 * (n + 1)) return o_pair{o_powerseries(n, x, 1, -x), k};
	const double above = o_up(t.x, t.y, m, x, steps + 1, -1);
	double f = 1e-300, c = f, d = 0; // the ratio of I of the next order and this
	for (int i = 1; i < 1 << 16; i++) {
		const double b = 2 * (n + i) / x;
		d = 1 / (b + d);
		c = b + 1 / c;
		const double by = c * d;
		f *= by;
		if (fabs(by - 1) < 1e-16) break;
	}
	return o_pair{1 / (x * (above + f * k)), k};
}

// Order and argument with n ≥ 0 and x ≥ 0; false where the function is NaN.
ADJ bool o_ordered(double &n, double &x, double &sign) {
	sign = 1;
	if (n != n || x != x || fabs(n) > 200) return false;
	if (x < 0) {
		if (n != floor(n)) return false;
		if (fmod(n, 2.0) != 0) sign = -1;
		x = -x;
	}
	n = fabs(n);
	return true;
}

ADJ double o_atzero(double n) {
	if (n == 0) return 1;
	if (n > 0 || n == floor(n)) return 0;
	return copysign(s_inf(), tgamma(n + 1));
}

static __device__ __noinline__ double s_besselj(double n, double x) {
	double order = n, a = x, sign;
	if (!o_ordered(order, a, sign)) return s_nan();
	if (a == 0) return o_atzero(n);
	if (a == s_inf()) return 0;
	const o_pair r = o_besseljy(order, a);
	double j = r.x;
	if (n < 0) {
		const o_pair p = o_cossinpi(order);
		j = p.y == 0 ? j * p.x : p.x * j - p.y * r.y;
	}
	return sign * j;
}

static __device__ __noinline__ double s_bessely(double n, double x) {
	double order = n, a = x, sign;
	if (!o_ordered(order, a, sign) || x < 0) return s_nan();
	if (a == 0) return -s_inf();
	if (a == s_inf()) return 0;
	const o_pair r = o_besseljy(order, a);
	if (n >= 0) return r.y;
	const o_pair p = o_cossinpi(order);
	return p.y == 0 ? r.y * p.x : p.y * r.x + p.x * r.y;
}

static __device__ __noinline__ double s_besselix(double n, double x) {
	double order = n, a = x, sign;
	if (!o_ordered(order, a, sign)) return s_nan();
	if (a == 0) return o_atzero(n);
	if (a == s_inf()) return sign * 0;
	const o_pair r = o_besselik(order, a);
	double i = r.x;
	if (n < 0) {
		const o_pair p = o_cossinpi(order);
		if (p.y != 0) i += 2 / O_PI * p.y * r.y * exp(-2 * a);
	}
	return sign * i;
}

static __device__ __noinline__ double s_besselkx(double n, double x) {
	double order = n, a = x, sign;
	if (!o_ordered(order, a, sign) || x < 0) return s_nan();
	if (a == 0) return s_inf();
	if (a == s_inf()) return 0;
	return o_besselik(order, a).y;
}

ADJ double s_besseli(double n, double x) {
	const double a = fabs(x);
	if (a == s_inf() && fabs(n) <= 200) return a;
	if (a > 700) return s_besselix(n, x) * exp(a / 2) * exp(a / 2);
	return s_besselix(n, x) * exp(a);
}

ADJ double s_besselk(double n, double x) { return s_besselkx(n, x) * exp(-x); }

// Number which of Ai, Ai', Bi, Bi', for x > 0 scaled by exp(±ζ).
static __device__ __noinline__ double o_airy(double x, int which, bool scaled) {
	const bool bi = which >= 2;
	if (fabs(x) == s_inf()) {
		if (x > 0 && !scaled) return bi ? x : 0;
		if (which % 2 == 0 && (x > 0 || bi || !scaled)) return 0;
		return s_nan();
	}
	if (x != x || (scaled && x < 0 && !bi)) return s_nan();
	const double z = fabs(x), root = sqrt(z), p = z * root, zeta = 2. / 3 * p, root3 = sqrt(3.0);
	double y; // scaled for x > 0
	if (z <= 1) {
		const double c1 = 0.35502805388781723926, c2 = 0.25881940379280679841;
		double f = 1, fp = 0, g = x, gp = 1, tf = 1, tg = x;
		for (double k = 1; k < 20; k++) {
			fp += tf * x * x / (3 * k - 1);
			tf *= x * x * x / ((3 * k - 1) * 3 * k);
			gp += tg * x * x / (3 * k);
			tg *= x * x * x / (3 * k * (3 * k + 1));
			f += tf;
			g += tg;
		}
		if (which % 2 == 1) f = fp, g = gp;
		y = bi ? root3 * (c1 * f + c2 * g) : c1 * f - c2 * g;
		if (x > 0) y = bi ? y / exp(zeta) : y * exp(zeta);
	} else if (x > 0) {
		const o_pair r = o_besselik(which % 2 == 0 ? 1. / 3 : 2. / 3, zeta);
		const double s = sin(O_PI / 3) * 2 / O_PI * exp(-2 * zeta), third = sqrt(x / 3);
		switch (which) {
		case 0: y = third / O_PI * r.y; break;
		case 1: y = -x / (O_PI * root3) * r.y; break;
		case 2: y = third * (2 * r.x + s * r.y); break;
		default: y = x / root3 * (2 * r.x + s * r.y);
		}
	} else {
		o_pair r = o_besseljy(which % 2 == 0 ? 1. / 3 : 2. / 3, zeta);
		if (z < 1e9) { // what ζ has lost to roundings turns the pair
			const double pl = fma(z, root, -p) + z * fma(-root, root, z) / (2 * root);
			const double d = fma(2. / 3, p, -zeta) + 2. / 3 * pl + 3.7007434154171886e-17 * p;
			r = o_pair{r.x - d * r.y, r.y + d * r.x};
		}
		const double half = root / 2;
		switch (which) {
		case 0: y = half * (r.x - r.y / root3); break;
		case 1: y = z / 2 * (r.x + r.y / root3); break;
		case 2: y = -half * (r.x / root3 + r.y); break;
		default: y = z / 2 * (r.x / root3 - r.y);
		}
	}
	if (scaled || x <= 0) return y;
	return y * exp(bi ? zeta : -zeta);
}
ADJ double s_airyai(double x) { return o_airy(x, 0, false); }
ADJ double s_airyaiprime(double x) { return o_airy(x, 1, false); }
ADJ double s_airybi(double x) { return o_airy(x, 2, false); }
ADJ double s_airybiprime(double x) { return o_airy(x, 3, false); }
ADJ double s_airyaix(double x) { return o_airy(x, 0, true); }
ADJ double s_airyaiprimex(double x) { return o_airy(x, 1, true); }
ADJ double s_airybix(double x) { return o_airy(x, 2, true); }
ADJ double s_airybiprimex(double x) { return o_airy(x, 3, true); }

#endif
