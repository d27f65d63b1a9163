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
		tab, a := &arctangents32, b.Min(b.F(t, tiltless), b.Abs(x[0]))
		if t == F64 {
			tab = &arctangents64
		}
		i := b.Shr(b.Bitcast(t.Int(), b.Add(b.Min(b.F(t, 3.5), a), b.F(t, 0.25))), floatTypes[t].fraction-2)
		p := b.Table(t, i, tab.t...)
		q := b.Div(b.Sub(a, p), b.FMA(a, p, b.F(t, 1)))
		y := b.Add(b.Table(t, i, tab.a...), atanRest(b, q, q))
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.Atan2, func(b *Builder, t Type, x []Value) Value {
		num, den := b.Abs(x[0]), b.Abs(x[1])
		// Both times a power of 2 that brings the greater to 2^up, from where a quotient's rest does not leave the exponents. Beside
		// infinity other numbers are 0; C is for infinity itself, two of which are at π/4, and two zeros are 0/2^-100.
		ft, i := floatTypes[t], t.Int()
		up := int64(60)
		if t == F64 {
			up = 500
		}
		c, all := math.Exp2(float64(2*up)), b.Add(num, den)
		d := b.Max(num, den)
		inf := b.F(t, math.Inf(1))
		e := b.Max(b.And(d, inf), b.F(t, math.Exp2(float64(up+1-ft.bias))))
		s := b.AndNot(b.Bitcast(t, b.Sub(b.I(i, (2*ft.bias+1+up)<<ft.fraction), b.Bitcast(i, e))), b.EQ(d, inf))
		n := b.Min(b.Mul(b.Min(num, den), s), b.F(t, c))
		d = b.Max(b.Min(b.Mul(d, s), b.F(t, c)), b.F(t, 0x1p-100))
		y := angle(b, t, n, d, b.GT(num, den), x[1])
		return b.Or(b.Or(y, b.NE(all, all)), b.signOf(x[0]))
	})
	register(ops.Rsqrt, func(b *Builder, t Type, x []Value) Value { return rsqrt(b, t, x[0]) })
	register(ops.Cbrt, func(b *Builder, t Type, x []Value) Value { return b.Or(cubeRoot(b, t, b.Abs(x[0])), b.signOf(x[0])) })
	register(ops.Hypot, func(b *Builder, t Type, x []Value) Value {
		p, q := b.Abs(x[0]), b.Abs(x[1])
		inf, ft := b.F(t, math.Inf(1)), floatTypes[t]
		// Where one is NaN, hi is one of them and lo the other.
		hi, lo := b.Max(p, q), b.Min(q, p)
		// Times 2 over hi's power of 2, and back. The smaller one's square is the one that is rounded.
		e := b.Max(b.And(hi, inf), b.F(t, ft.tiny))
		s := b.Bitcast(t, b.Sub(b.I(t.Int(), (2*ft.bias+1)<<ft.fraction), b.Bitcast(t.Int(), e)))
		hi, lo = b.Mul(hi, s), b.Mul(lo, s)
		y := b.Mul(b.Sqrt(b.FMA(hi, hi, b.Mul(lo, lo))), b.Mul(e, b.F(t, 0.5)))
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

// angle is that of n over d, 0 ≤ n ≤ d; π/2 less it in the lanes of the mask swap; π less all that where x is negative.
func angle(b *Builder, t Type, n, d, swap, x Value) Value {
	tab, i, one := &angles32, t.Int(), b.F(t, 1)
	if t == F64 {
		tab = &angles64
	}
	// The difference of the bits is a logarithm, to a tenth of an octave. Where it is small, there is one piece.
	key := b.Bitcast(i, b.Max(n, b.Mul(d, b.F(t, math.Exp2(-3.5)))))
	at := b.Shr(b.Sub(key, b.Bitcast(i, d)), floatTypes[t].fraction-2)
	p := b.Table(t, at, tab.t...)
	num, den := b.FNMA(p, d, n), b.FMA(p, n, d)
	inv := b.Div(one, den)
	q := b.Mul(num, inv)
	rest := atanRest(b, q, b.Mul(b.FNMA(q, den, num), inv))

	which := b.Or(b.Shr(b.Bitcast(i, x), t.Bits()-1), b.And(b.I(i, 2), swap))
	var tables [2][]float64
	for _, quarters := range [...]float64{0, 2, 1, 1} {
		h, l := twoParts(t, quarters*halfPi1, quarters*halfPiLow)
		tables[0], tables[1] = append(tables[0], h), append(tables[1], l)
	}
	minus := b.Xor(b.And(b.F(t, math.Copysign(0, -1)), swap), b.signOf(x))
	hi, lo := fastSum(b, b.Table(t, which, tables[0]...), b.Xor(b.Table(t, at, tab.a...), minus))
	return b.Add(hi, b.Add(b.Xor(q, minus), b.Add(b.Xor(rest, minus), b.Add(lo, b.Table(t, which, tables[1]...)))))
}

// arctangents are by pieces: atan a = a + atan((a-t)/(1+a·t)).
type arctangents struct{ t, a []float64 }

// From tiltless on an arctangent is π/2.
const tiltless = 1 << 60

// atanRest is atan q for a small q, plus c less q.
func atanRest(b *Builder, q, c Value) Value {
	t, coef := b.TypeOf(q), atan64
	if t == F32 {
		coef = atan32
	}
	z := b.Mul(q, q)
	return b.FMA(b.Mul(q, z), b.Poly(z, coef...), c)
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

// cubeRoots are by pieces of a quarter of an octave: ∛m = d + d·f·poly(f), f = m·g - 1 for g = 1/d³.
type cubeRoots struct{ d, g, poly []float64 }

// cubeRootOf is ∛m, 1/2 ≤ m < 4 and a little.
func cubeRootOf(b *Builder, t Type, m Value) Value {
	tab := &cubeRoots32
	if t == F64 {
		tab = &cubeRoots64
	}
	i := b.Shr(b.Bitcast(t.Int(), m), floatTypes[t].fraction-2)
	d := b.Table(t, i, tab.d...)
	f := b.FMS(m, b.Table(t, i, tab.g...), b.F(t, 1))
	return b.FMA(b.Mul(d, f), poly(b, t, f, tab.poly), d)
}
