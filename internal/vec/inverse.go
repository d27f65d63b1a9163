package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The inverse trigonometric functions, roots and the hypotenuse.
func init() {
	register(ops.Asin, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		big := b.GT(a, b.F(t, 0.5)) // π/2 - 2·asin(√((1-a)/2)) beyond 1/2
		q := arc(b, t, a, big)
		half, low := twoParts(t, halfPi1, halfPiLow)
		y := q.finish(b, b.Blend(big, b.Neg(q.u), q.u), b.And(b.F(t, half), big), b.And(b.F(t, low), big))
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Acos, func(b *Builder, t Type, x []Value) Value {
		// π/2 - asin(x); beyond 1/2 that of asin, beyond -1/2 π less it
		a := b.Abs(x[0])
		big := b.GT(a, b.F(t, 0.5))
		q := arc(b, t, a, big)
		minus := b.LT(x[0], b.F(t, 0))
		u := b.Xor(q.u, b.signOf(b.Xor(x[0], b.AndNot(b.F(t, math.Copysign(0, -1)), big))))
		base := func(half float64) Value { return b.Blend(big, b.And(b.F(t, 2*half), minus), b.F(t, half)) }
		half, low := twoParts(t, halfPi1, halfPiLow)
		return q.finish(b, u, base(half), base(low))
	})
	register(ops.Atan, func(b *Builder, t Type, x []Value) Value {
		y := anglePair(b, t, b.Min(b.F(t, 0x1p100), b.Abs(x[0])), b.F(t, 1), None)
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Atan2, func(b *Builder, t Type, x []Value) Value {
		num, den := b.Abs(x[0]), b.Abs(x[1])
		// Away from the ends of the exponents, where 1/den or num+den or a quotient's rest would leave them.
		large, down, small, up := 0x1p960, 0x1p-120, 0x1p-900, 0x1p120
		if t == F32 {
			large, down, small, up = 0x1p100, 0x1p-40, 0x1p20, 0x1p60
		}
		top := greatest(b, num, den)
		s := b.Blend(b.GT(top, b.F(t, large)), b.F(t, down), b.Blend(b.LT(top, b.F(t, small)), b.F(t, up), b.F(t, 1)))
		return b.Or(anglePair(b, t, b.Mul(num, s), b.Mul(den, s), x[1]), b.signOf(x[0]))
	})
	register(ops.Rsqrt, func(b *Builder, t Type, x []Value) Value { return rsqrt(b, t, x[0]) })
	register(ops.Cbrt, func(b *Builder, t Type, x []Value) Value { return b.Or(cubeRoot(b, t, b.Abs(x[0])), b.signOf(x[0])) })
	register(ops.Hypot, func(b *Builder, t Type, x []Value) Value {
		p, q := b.Abs(x[0]), b.Abs(x[1])
		inf := b.F(t, math.Inf(1))
		// The smaller one's square is the one that is rounded.
		hi, lo := greatest(b, p, q), b.Min(p, q)
		far, by := 0x1p500, 0x1p600
		if t == F32 {
			far, by = 0x1p50, 0x1p90
		}
		one := b.F(t, 1)
		up, down := b.LT(hi, b.F(t, 1/far)), b.GT(hi, b.F(t, far))
		s := b.Blend(up, b.F(t, by), b.Blend(down, b.F(t, 1/by), one))
		back := b.Blend(up, b.F(t, 1/by), b.Blend(down, b.F(t, by), one))
		hi, lo = b.Mul(hi, s), b.Mul(lo, s)
		y := b.Mul(b.Sqrt(b.FMA(hi, hi, b.Mul(lo, lo))), back)
		return b.Blend(b.Or(b.EQ(p, inf), b.EQ(q, inf)), inf, y)
	})
}

// rsqrt is 1/√x by Newton's iteration: with e = 1 - x·y², it is y·(1 + e/2 + 3/8 e² + …), and e loses nothing but its own rounding.
// A root and a quotient of float32s take less than an estimate for y; those of float64s take up to 50 cycles. The estimate is
// nearly a constant less half of x's bits.
func rsqrt(b *Builder, t Type, x Value) Value {
	one, half, zero, inf := b.F(t, 1), b.F(t, 0.5), b.F(t, 0), b.F(t, math.Inf(1))
	rest := func(a, y Value) Value {
		s, sl := b.product(a, y)
		return b.FNMA(sl, y, b.FNMA(s, y, one))
	}
	if t == F32 {
		y := b.Div(one, b.Sqrt(x))
		better := b.FMA(b.Mul(y, half), rest(x, y), y)
		return b.Blend(b.EQ(better, better), better, y) // of 0 and infinity
	}
	small := b.LT(x, b.F(t, floatTypes[t].tiny))
	a := b.Blend(small, b.Mul(x, b.F(t, 0x1p54)), x)
	y := b.Bitcast(t, b.Sub(b.I(I64, 0x5fe6eb50c7b537a9), b.Shr(b.Bitcast(I64, a), 1)))
	e := b.FNMA(b.Mul(a, y), y, one)
	y = b.FMA(b.Mul(y, e), b.Poly(e, 1./2, 3./8, 5./16, 35./128), y) // to 20 bits
	e = rest(a, y)
	y = b.FMA(b.Mul(y, e), b.FMA(e, b.F(t, 3./8), half), y)
	y = b.Blend(small, b.Mul(y, b.F(t, 0x1p27)), y)
	negative := b.LT(x, zero)
	if b.Wide {
		y = b.Blend(negative, b.Bits(t, math.MaxUint64), y)
		return b.Blend(b.Ends(x), b.Xor(x, inf), y)
	}
	return b.Blend(b.Or(b.EQ(x, zero), b.EQ(x, inf)), b.Xor(x, inf), b.Or(y, negative))
}

// greatest is the greater of two magnitudes, or a NaN.
func greatest(b *Builder, x, y Value) Value { return b.Or(b.Max(x, y), b.And(x, b.NE(x, x))) }

// twoParts is hi + lo, of float64s, in two numbers of type t.
func twoParts(t Type, hi, lo float64) (float64, float64) {
	if t == F64 {
		return hi, lo
	}
	h := float64(float32(hi))
	return h, hi - h
}

// arcs is asin(u) = u + ul + u·rest, u = a up to 1/2 and twice that of √((1-a)/2) beyond.
type arcs struct{ u, ul, rest Value }

func arc(b *Builder, t Type, a, big Value) arcs {
	coef := asin64Coef
	if t == F32 {
		coef = asin32Coef
	}
	half := b.F(t, 0.5)
	z := b.Blend(big, b.FNMA(a, half, half), b.Mul(a, a))
	s := b.Sqrt(z)
	u := b.Blend(big, b.Add(s, s), a)
	// √z = s + (z - s²)/2s.
	rest := b.FNMA(s, s, z)
	ul := b.And(b.Mul(rest, b.rough(s)), big)
	return arcs{u, ul, b.Mul(z, b.Poly(z, coef...))}
}

// finish is base + low ± asin, u being ±q.u, for |base| ≥ |u| or 0.
func (q arcs) finish(b *Builder, u, base, low Value) Value {
	hi, lo := fastSum(b, base, u)
	ul := b.Xor(q.ul, b.signOf(b.Xor(u, q.u)))
	return b.Add(hi, b.FMA(u, q.rest, b.Add(ul, b.Add(lo, low))))
}

// octant reduces the angle of num ≥ 0 over den ≥ 0: it is base + atan(n/d) with |n/d| ≤ tan(π/8), base
// 0, π/4 or π/2. The masks say which.
type octant struct{ n, d, mid, big Value }

// reduceAngle takes any two numbers ≥ 0, but for finite a finite num and a den that is not 0.
func reduceAngle(b *Builder, t Type, num, den Value, finite bool) (o octant) {
	o.big = b.GT(num, b.Mul(den, b.F(t, math.Sqrt2+1)))
	o.mid = b.AndNot(b.GT(num, b.Mul(den, b.F(t, math.Sqrt2-1))), o.big)
	o.n = b.Blend(o.big, b.Neg(den), b.Blend(o.mid, b.Sub(num, den), num))
	o.d = b.Blend(o.big, num, b.Blend(o.mid, b.Add(num, den), den))
	if finite {
		return o
	}
	equal := b.EQ(num, den)
	zero := b.EQ(b.Add(num, den), b.F(t, 0))
	o.n = b.AndNot(o.n, equal)
	o.d = b.Add(o.d, b.And(b.F(t, 1), zero))
	o.mid = b.Or(o.mid, b.AndNot(equal, zero)) // two infinities are at π/4
	return o
}

func (o octant) base(b *Builder, t Type, half float64) Value {
	return b.Or(b.And(b.F(t, half/2), o.mid), b.And(b.F(t, half), o.big))
}

// negativeMask has all bits where x has a minus sign, that of 0 too.
func negativeMask(b *Builder, x Value) Value {
	t := b.TypeOf(x).Int()
	return b.GT(b.I(t, 0), b.Bitcast(t, x))
}

// anglePair is the angle of num over den; π less that where x is negative, unless None.
func anglePair(b *Builder, t Type, num, den, x Value) Value {
	coef := atan64Coef
	if t == F32 {
		coef = atan32Coef
	}
	half, halfLow := twoParts(t, halfPi1, halfPiLow)
	o := reduceAngle(b, t, num, den, x == None)
	_, nl := b.sum(num, b.Neg(den))
	_, dl := b.sum(num, den)
	nl, dl = b.And(nl, o.mid), b.And(dl, o.mid)
	y := b.Div(b.F(t, 1), o.d)
	q := b.Mul(o.n, y)
	ql := b.Mul(b.FNMA(q, dl, b.Add(b.FNMA(q, o.d, o.n), nl)), y)
	base, low := o.base(b, t, half), o.base(b, t, halfLow)
	if x != None { // π less all that
		ql = b.AndNot(ql, b.NE(ql, ql)) // of an infinite d
		s := b.signOf(x)
		m := negativeMask(b, x)
		q, ql = b.Xor(q, s), b.Xor(ql, s)
		hi, l := fastSum(b, b.And(b.F(t, 2*half), m), b.Xor(base, s))
		base, low = hi, b.Add(l, b.Add(b.Xor(low, s), b.And(b.F(t, 2*halfLow), m)))
	}
	hi, lo := fastSum(b, base, q)
	z := b.Mul(q, q)
	return b.Add(hi, b.FMA(b.Mul(q, z), b.Poly(z, coef...), b.Add(lo, b.Add(ql, low))))
}

// cubeRoot takes a = m·8ᵏ apart, 1/2 ≤ m < 4. 0, Inf and NaN give themselves.
func cubeRoot(b *Builder, t Type, a Value) Value {
	ft, i, third := floatTypes[t], t.Int(), b.F(t, 1./3)
	if b.Wide {
		k := b.Nearest(b.Mul(b.Exponent(a), third))
		y := cubeRootOf(b, t, b.Scale(a, b.Mul(k, b.F(t, -3))))
		return b.Blend(b.Ends(a), a, b.Scale(y, k))
	}
	up := int64(18)
	if t == F32 {
		up = 8
	}
	tiny := b.LT(a, b.F(t, ft.tiny))
	bits := b.Bitcast(i, b.Blend(tiny, b.Mul(a, b.F(t, math.Exp2(float64(3*up)))), a))
	// The exponent as a number, its third, to the nearest.
	whole := math.Exp2(float64(ft.fraction))
	e := b.Sub(b.Bitcast(t, b.Or(b.Shr(bits, ft.fraction), b.Bitcast(i, b.F(t, whole)))), b.F(t, whole+float64(ft.bias)))
	magic := b.F(t, ft.magic)
	k := b.Sub(b.Bitcast(i, b.FMA(e, third, magic)), b.Bitcast(i, magic))
	y := cubeRootOf(b, t, b.Bitcast(t, b.Sub(bits, b.Shl(b.Add(k, b.Add(k, k)), ft.fraction))))
	k = b.Sub(k, b.And(b.I(i, up), tiny))
	y = b.Bitcast(t, b.Add(b.Bitcast(i, y), b.Shl(k, ft.fraction)))
	ok := b.And(b.GT(a, b.F(t, 0)), b.LT(a, b.F(t, math.Inf(1))))
	return b.Blend(ok, y, a)
}

// cubeRootOf is ∛m by 1/∛m = c·(1-r)^(-1/3), r = 1 - c³·m.
func cubeRootOf(b *Builder, t Type, m Value) Value {
	c := b.Poly(m, cbrtCoef...)
	r := b.FNMA(b.Mul(b.Mul(c, c), c), m, b.F(t, 1))
	c = b.FMA(c, b.Mul(r, b.Poly(r, 1./3, 2./9, 14./81)), c) // to 29 bits
	c2 := b.Mul(c, c)
	y := b.Mul(m, c2)
	// One more step, on y³, of float64 the exact one.
	s := b.Mul(y, y)
	rest := b.FNMA(s, y, m)
	if t == F64 {
		rest = b.FNMA(b.FMS(y, y, s), y, rest)
	}
	return b.FMA(rest, b.Mul(c2, b.F(t, 1./3)), y)
}
