package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The inverse trigonometric functions, the cube root and the hypotenuse.
func init() {
	register(ops.Asin, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		f := func(x ...Value) Value { // π/2 - 2·asin(√((1-a)/2)) beyond 1/2
			big := b.GT(x[0], b.F(F64, 0.5))
			q := arc(b, t, x[0], big)
			return q.finish(b, b.Blend(big, b.Neg(q.u), q.u), b.And(b.F(F64, halfPi1), big), b.And(b.F(F64, halfPiLow), big))
		}
		var y Value
		if t == F32 {
			y = b.inFloat64(f, a)
		} else {
			y = f(a)
		}
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Acos, func(b *Builder, t Type, x []Value) Value {
		f := func(x ...Value) Value { // π/2 - asin(x); beyond 1/2 that of asin, beyond -1/2 π less it
			a := b.Abs(x[0])
			big := b.GT(a, b.F(F64, 0.5))
			q := arc(b, t, a, big)
			minus := b.LT(x[0], b.F(F64, 0))
			u := b.Xor(q.u, b.signOf(b.Xor(x[0], b.AndNot(b.F(F64, math.Copysign(0, -1)), big))))
			base := func(half, whole float64) Value {
				return b.Blend(big, b.And(b.F(F64, whole), minus), b.F(F64, half))
			}
			return q.finish(b, u, base(halfPi1, 2*halfPi1), base(halfPiLow, 2*halfPiLow))
		}
		if t == F32 {
			return b.inFloat64(f, x...)
		}
		return f(x...)
	})
	register(ops.Atan, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		var y Value
		if t == F32 {
			y = b.inFloat64(func(x ...Value) Value { return angleShort(b, x[0], b.F(F64, 1), None) }, a)
		} else {
			y = anglePair(b, b.Min(b.F(F64, 0x1p600), a), b.F(F64, 1), None)
		}
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Atan2, func(b *Builder, t Type, x []Value) Value {
		num, den := b.Abs(x[0]), b.Abs(x[1])
		var y Value
		if t == F32 {
			y = b.inFloat64(func(z ...Value) Value { return angleShort(b, z[0], z[1], z[2]) }, num, den, x[1])
		} else {
			// Away from the ends of the exponents, where 1/den or num+den would leave them.
			top := greatest(b, num, den)
			one := b.F(F64, 1)
			s := b.Blend(b.GT(top, b.F(F64, 0x1p960)), b.F(F64, 0x1p-120), b.Blend(b.LT(top, b.F(F64, 0x1p-900)), b.F(F64, 0x1p120), one))
			y = anglePair(b, b.Mul(num, s), b.Mul(den, s), x[1])
		}
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Cbrt, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		var y Value
		if t == F32 {
			y = b.inFloat64(func(x ...Value) Value {
				q := cubeRoot(b, x[0])
				return b.Bitcast(F64, b.Add(b.Bitcast(I64, q.y), b.Shl(q.k, 52)))
			}, a)
		} else {
			tiny := b.LT(a, b.F(F64, 0x1p-1022))
			q := cubeRoot(b, b.Blend(tiny, b.Mul(a, b.F(F64, 0x1p54)), a))
			// One more step, on the exact y³.
			s, sl := b.product(q.y, q.y)
			rest := b.FNMA(sl, q.y, b.FNMA(s, q.y, q.m))
			r := b.FMA(rest, b.Mul(b.Mul(q.c, q.c), b.F(F64, 1./3)), q.y)
			k := b.Sub(q.k, b.And(b.I(I64, 18), tiny))
			y = b.Bitcast(F64, b.Add(b.Bitcast(I64, r), b.Shl(k, 52)))
		}
		// 0, Inf and NaN give themselves.
		ok := b.And(b.GT(a, b.F(t, 0)), b.LT(a, b.F(t, math.Inf(1))))
		return b.Or(b.Blend(ok, y, a), b.signOf(x[0]))
	})
	register(ops.Hypot, func(b *Builder, t Type, x []Value) Value {
		p, q := b.Abs(x[0]), b.Abs(x[1])
		inf := b.F(t, math.Inf(1))
		var y Value
		if t == F32 {
			y = b.inFloat64(func(x ...Value) Value { return b.Sqrt(b.FMA(x[0], x[0], b.Mul(x[1], x[1]))) }, p, q)
		} else {
			// The smaller one's square is the one that is rounded.
			hi, lo := greatest(b, p, q), b.Min(p, q)
			one := b.F(F64, 1)
			up, down := b.LT(hi, b.F(F64, 0x1p-500)), b.GT(hi, b.F(F64, 0x1p500))
			s := b.Blend(up, b.F(F64, 0x1p600), b.Blend(down, b.F(F64, 0x1p-600), one))
			back := b.Blend(up, b.F(F64, 0x1p-600), b.Blend(down, b.F(F64, 0x1p600), one))
			hi, lo = b.Mul(hi, s), b.Mul(lo, s)
			y = b.Mul(b.Sqrt(b.FMA(hi, hi, b.Mul(lo, lo))), back)
		}
		return b.Blend(b.Or(b.EQ(p, inf), b.EQ(q, inf)), inf, y)
	})
}

// greatest is the greater of two magnitudes, or a NaN.
func greatest(b *Builder, x, y Value) Value { return b.Or(b.Max(x, y), b.And(x, b.NE(x, x))) }

// arcs is asin(u) = u + ul + u·rest, u = a up to 1/2 and twice that of √((1-a)/2) beyond.
type arcs struct {
	t           Type
	u, ul, rest Value
}

func arc(b *Builder, t Type, a, big Value) arcs {
	half := b.F(F64, 0.5)
	z := b.Blend(big, b.FNMA(a, half, half), b.Mul(a, a))
	s := b.Sqrt(z)
	u := b.Blend(big, b.Add(s, s), a)
	if t == F32 {
		return arcs{t, u, None, b.Mul(z, b.Poly(z, asin32Coef...))}
	}
	// √z = s + (z - s²)/2s.
	rest := b.FNMA(s, s, z)
	ul := b.Div(rest, s)
	ul = b.AndNot(b.And(ul, big), b.EQ(s, b.F(F64, 0)))
	return arcs{t, u, ul, b.Mul(z, b.Poly(z, asin64Coef...))}
}

// finish is base + low ± asin, u being ±q.u, for |base| ≥ |u| or 0.
func (q arcs) finish(b *Builder, u, base, low Value) Value {
	if q.t == F32 {
		return b.Add(base, b.FMA(u, q.rest, u))
	}
	hi, lo := fastSum(b, base, u)
	ul := b.Xor(q.ul, b.signOf(b.Xor(u, q.u)))
	return b.Add(hi, b.FMA(u, q.rest, b.Add(ul, b.Add(lo, low))))
}

// octant reduces the angle of num ≥ 0 over den ≥ 0: it is base + atan(n/d) with |n/d| ≤ tan(π/8), base
// 0, π/4 or π/2. The masks say which.
type octant struct{ n, d, mid, big Value }

// reduceAngle takes any two numbers ≥ 0, but for finite a finite num and a den that is not 0.
func reduceAngle(b *Builder, num, den Value, finite bool) (o octant) {
	o.big = b.GT(num, b.Mul(den, b.F(F64, math.Sqrt2+1)))
	o.mid = b.AndNot(b.GT(num, b.Mul(den, b.F(F64, math.Sqrt2-1))), o.big)
	o.n = b.Blend(o.big, b.Neg(den), b.Blend(o.mid, b.Sub(num, den), num))
	o.d = b.Blend(o.big, num, b.Blend(o.mid, b.Add(num, den), den))
	if finite {
		return o
	}
	equal := b.EQ(num, den)
	zero := b.EQ(b.Add(num, den), b.F(F64, 0))
	o.n = b.AndNot(o.n, equal)
	o.d = b.Add(o.d, b.And(b.F(F64, 1), zero))
	o.mid = b.Or(o.mid, b.AndNot(equal, zero)) // two infinities are at π/4
	return o
}

func (o octant) base(b *Builder, half float64) Value {
	return b.Or(b.And(b.F(F64, half/2), o.mid), b.And(b.F(F64, half), o.big))
}

// angleShort is the angle of num over den to 30 bits; π less that where x is negative, unless None.
func angleShort(b *Builder, num, den, x Value) Value {
	o := reduceAngle(b, num, den, x == None)
	t := b.Div(o.n, o.d)
	z := b.Mul(t, t)
	y := b.Add(o.base(b, halfPi1), b.FMA(b.Mul(t, z), b.Poly(z, atan32Coef...), t))
	if x == None {
		return y
	}
	minus := b.Xor(y, b.signOf(x))
	return b.Add(minus, b.And(b.F(F64, 2*halfPi1), negativeMask(b, x)))
}

// negativeMask has all bits where x has a minus sign, that of 0 too.
func negativeMask(b *Builder, x Value) Value { return b.GT(b.I(I64, 0), b.Bitcast(I64, x)) }

// anglePair is the same within 1 ULP.
func anglePair(b *Builder, num, den, x Value) Value {
	o := reduceAngle(b, num, den, x == None)
	_, nl := b.sum(num, b.Neg(den))
	_, dl := b.sum(num, den)
	nl, dl = b.And(nl, o.mid), b.And(dl, o.mid)
	y := b.Div(b.F(F64, 1), o.d)
	t := b.Mul(o.n, y)
	tl := b.Mul(b.FNMA(t, dl, b.Add(b.FNMA(t, o.d, o.n), nl)), y)
	base, low := o.base(b, halfPi1), o.base(b, halfPiLow)
	if x != None { // π less all that
		tl = b.AndNot(tl, b.NE(tl, tl)) // of an infinite d
		s := b.signOf(x)
		m := negativeMask(b, x)
		t, tl = b.Xor(t, s), b.Xor(tl, s)
		hi, l := fastSum(b, b.And(b.F(F64, 2*halfPi1), m), b.Xor(base, s))
		base, low = hi, b.Add(l, b.Add(b.Xor(low, s), b.And(b.F(F64, 2*halfPiLow), m)))
	}
	hi, lo := fastSum(b, base, t)
	z := b.Mul(t, t)
	return b.Add(hi, b.FMA(b.Mul(t, z), b.Poly(z, atan64Coef...), b.Add(lo, b.Add(tl, low))))
}

// cube is a = m·8ᵏ with 1/2 ≤ m < 4, c = 1/∛m and y = ∛m, to 29 bits.
type cube struct{ m, k, c, y Value }

func cubeRoot(b *Builder, a Value) cube {
	bits := b.Bitcast(I64, a)
	// The exponent as a number, its third, to the nearest.
	e := b.Sub(b.Bitcast(F64, b.Or(b.Shr(bits, 52), b.I(I64, 0x433<<52))), b.F(F64, 1<<52+1023))
	_, kb := b.integer(e, 1./3)
	k := b.Sub(kb, b.Bitcast(I64, b.F(F64, anchor)))
	m := b.Bitcast(F64, b.Sub(bits, b.Shl(b.Add(k, b.Add(k, k)), 52)))
	c := b.Poly(m, cbrtCoef...)
	// c³·m = 1 - r, so 1/∛m = c·(1-r)^(-1/3).
	r := b.FNMA(b.Mul(b.Mul(c, c), c), m, b.F(F64, 1))
	c = b.FMA(c, b.Mul(r, b.Poly(r, 1./3, 2./9, 14./81)), c)
	return cube{m, k, c, b.Mul(m, b.Mul(c, c))}
}
