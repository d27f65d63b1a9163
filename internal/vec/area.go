package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The inverse hyperbolic functions, all by log(1+z) with z as a sum of two parts.
func init() {
	one := func(id ops.ID, f func(b *Builder, t Type, x Value) Value) {
		register(id, func(b *Builder, t Type, x []Value) Value { return f(b, t, x[0]) })
	}
	one(ops.Asinh, asinh)
	one(ops.Acosh, acosh)
	one(ops.Atanh, atanh)
}

// areaLarge is where asinh x and acosh x are log(2x): the next term, 1/(4x²), is lost in either type.
const areaLarge = 1 << 28

// asinh a = log(1 + a + a²/(1 + √(1+a²))) for a = |x|.
func asinh(b *Builder, t Type, x Value) Value {
	one := b.F(t, 1)
	a := b.Abs(x)
	a2 := b.Mul(a, a)
	v := b.FMA(a, a, one)
	s := b.Sqrt(v)
	rest := b.Add(b.FNMA(s, s, v), b.FMA(a, a, b.Sub(one, v))) // what the root and v lost, twice over s
	d, dl := fastSum(b, s, one)
	// 1/2s by 1/d, well enough for a rest: 1/(1-i) for i up to 1/2.
	inv := b.Div(one, d)
	dl = b.FMA(b.Mul(rest, inv), b.Poly(inv, 0.5, 1./3, 4./3), dl)
	q, ql := divideBy(b, a2, b.FMS(a, a, a2), d, dl, inv)
	z, zl := fastSum(b, a, q)
	zl = b.Add(zl, ql)
	large := b.GT(a, b.F(t, areaLarge))
	y := b.Add(plusParts(b, t, b.Blend(large, a, z), zl, large))
	y = b.Blend(b.LT(a, b.F(t, math.Inf(1))), y, a) // +Inf and NaN
	return b.Or(y, b.And(x, b.sign(x)))
}

// acosh x = log(1 + d + √(d·(d+2))) for d = x - 1.
func acosh(b *Builder, t Type, x Value) Value {
	one := b.F(t, 1)
	d := b.Sub(x, one)
	d2 := b.Add(d, d)
	v := b.FMA(d, d, d2)
	vl := b.FMS(d, d, b.Sub(v, d2)) // for d > 2 not all that v lost, but it has no weight there
	s := b.Sqrt(v)
	sl := b.Mul(b.Add(b.FNMA(s, s, v), vl), b.Mul(b.rough(s), b.F(t, 0.5)))
	z, zl := fastSum(b, s, d)
	large := b.GT(x, b.F(t, areaLarge))
	y := b.Add(plusParts(b, t, b.Blend(large, x, z), b.Add(zl, sl), large))
	y = b.Blend(b.LT(x, b.F(t, math.Inf(1))), y, x) // +Inf and NaN
	return b.Or(y, b.LT(x, one))
}

// atanh a = ½·log(1 + 2a/(1-a)) for a = |x|.
func atanh(b *Builder, t Type, x Value) Value {
	one := b.F(t, 1)
	a := b.Abs(x)
	d, dl := fastSum(b, one, b.Neg(a))
	q, ql := divide(b, t, b.Add(a, a), None, d, dl)
	z, zl := fastSum(b, q, ql)
	y := b.Mul(b.Add(plusParts(b, t, z, zl, None)), b.F(t, 0.5))
	y = b.Blend(b.EQ(a, one), b.F(t, math.Inf(1)), y)
	if !b.Wide { // whose significand of a negative number is NaN
		y = b.Or(y, b.NE(b.And(a, b.LE(a, one)), a)) // beyond 1, and NaN
	}
	return b.Or(y, b.And(x, b.sign(x)))
}
