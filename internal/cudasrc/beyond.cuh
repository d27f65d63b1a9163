// Sine, cosine and tangent beyond the limits of their vector programs: vec's beyond.go, step by step. The tables
// c_sin, c_cos, c_tan and c_twooverpi stand before this text.
#ifndef ADJ_BEYOND
#define ADJ_BEYOND

struct b_reduced {
	double hi, lo;
	u64 q;
};

// x = hi + lo + q·π/2 mod 2π for x ≥ 2¹⁷.
static __device__ __noinline__ b_reduced b_reduce(double x) {
	const double nan = v_f64(0x7ff8000000000000ll);
	if (!(x < v_f64(0x7ff0000000000000ll))) return b_reduced{nan, 0, 0};
	const u64 u = (u64)v_bits(x), m = (u & 0xfffffffffffffull) | 0x10000000000000ull;
	int e = (int)(u >> 52) - 1075;
	const int first = e > 2 ? e - 2 : 0;
	u64 w[4], p[4], carry = 0;
	for (int i = 0; i < 4; i++) {
		const int at = first + 64 * i, s = at % 64;
		w[i] = c_twooverpi[at / 64] << s;
		if (s != 0) w[i] |= c_twooverpi[at / 64 + 1] >> (64 - s);
	}
	for (int i = 3; i >= 0; i--) {
		p[i] = w[i] * m + carry;
		carry = __umul64hi(w[i], m) + (p[i] < carry);
	}
	const u32 shift = (u32)(2 - (e - first));
	if (shift > 0) {
		for (int i = 3; i > 0; i--) p[i] = shift < 64 ? p[i] >> shift | p[i - 1] << (64 - shift) : p[i - 1];
		p[0] = shift < 64 ? p[0] >> shift | carry << (64 - shift) : carry;
	}
	u64 q = p[0] >> 62, f0 = p[0] << 2 | p[1] >> 62, f1 = p[1] << 2 | p[2] >> 62, f2 = p[2] << 2 | p[3] >> 62;
	const bool negative = f0 >> 63 != 0;
	if (negative) {
		q++;
		f2 = ~f2 + 1;
		const u64 c = f2 == 0;
		f1 = ~f1 + c;
		f0 = ~f0 + (c && f1 == 0);
	}
	e = -64;
	while (f0 >> 63 == 0 && e > -192) {
		f0 = f0 << 1 | f1 >> 63;
		f1 = f1 << 1 | f2 >> 63;
		f2 <<= 1;
		e--;
	}
	const double a = ldexp((double)(f0 >> 11), e + 11), c = ldexp((double)(f0 << 53 >> 1 | f1 >> 12), e - 52);
	const double half = 0x1.921fb54442d18p+0, low = 0x1.1a62633145c07p-54;
	double hi = a * half, lo = v_add(v_fma(a, half, -hi), v_fma(a, low, v_mul(c, half)));
	const double sum = hi + lo;
	lo = lo - (sum - hi);
	hi = sum;
	return negative ? b_reduced{-hi, -lo, q} : b_reduced{hi, lo, q};
}

template <int N> ADJ double b_horner(double z, const double (&c)[N]) {
	double y = c[N - 1];
	for (int i = N - 2; i >= 0; i--) y = v_fma(y, z, c[i]);
	return y;
}

static __device__ __noinline__ double b_sincos(double hi, double lo, u64 q) {
	const double z = hi * hi, h = 0.5 * z;
	double y;
	if ((q & 1) == 0) {
		y = hi + v_fma(z * hi, b_horner(z, c_sin), v_fma(-h, lo, lo));
	} else {
		const double w = 1 - h;
		y = w + v_fma(z * z, b_horner(z, c_cos), v_fma(-hi, lo, (1 - w) - h));
	}
	return q & 2 ? -y : y;
}

ADJ double b_sin(double x) {
	const b_reduced r = b_reduce(fabs(x));
	const double y = b_sincos(r.hi, r.lo, r.q);
	return x < 0 ? -y : y;
}

ADJ double b_cos(double x) {
	const b_reduced r = b_reduce(fabs(x));
	return b_sincos(r.hi, r.lo, r.q + 1);
}

ADJ double b_tan(double x) {
	const b_reduced r = b_reduce(fabs(x));
	const double z = r.hi * r.hi;
	const double w = v_fma(r.lo, z * v_fma(z, 2. / 3, 1), r.lo);
	const double c = v_fma(z * r.hi, b_horner(z, c_tan), w);
	double y = r.hi + c;
	if (r.q & 1) {
		const double l = c - (y - r.hi), v = -1 / y;
		y = v_fma(v_fma(v, l, v_fma(v, y, 1)), v, v);
	}
	return x < 0 ? -y : y;
}

#endif
