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

// ratios are by sixteenths of an octave of a quotient r: ½·log r = k·ln2/2 + t + atanh s, s = (r·c/2ᵏ-1)/(r·c/2ᵏ+1); atanh s is
// s + s³·poly(s²).
type ratios struct{ c, t, poly []float64 }

// atanh a = ½·log((1+a)/(1-a)) for a = |x|. The difference of the bits of 1+a and 1-a is the quotient's logarithm to a tenth of an
// octave, k and the piece.
func atanh(b *Builder, t Type, x Value) Value {
	tab, ft, i, one := &ratios32, floatTypes[t], t.Int(), b.F(t, 1)
	if t == F64 {
		tab = &ratios64
	}
	a := b.Abs(x)
	m := b.Sub(one, a)
	ml := b.Sub(b.Sub(one, m), a) // what m has too much
	key := b.Sub(b.Bitcast(i, b.Add(a, one)), b.Bitcast(i, m))
	at := b.Shr(key, ft.fraction-4)
	c := b.Bitcast(t, b.Sub(b.Bitcast(i, b.Table(t, at, tab.c...)), b.And(key, b.I(i, -1<<ft.fraction)))) // over 2ᵏ
	num := b.FMA(a, c, b.Sub(b.Sub(c, m), ml))
	s := b.Div(num, b.FMA(a, c, b.Add(c, m)))
	s = b.Blend(b.GT(b.I(i, 3<<(ft.fraction-4)), key), a, s) // exactly, in the pieces around 1
	k := b.Shr(key, ft.fraction)
	var n Value
	if t == F32 {
		n = b.ToFloat(k)
	} else {
		n = b.Sub(b.Bitcast(t, b.Or(k, b.Bitcast(i, b.F(t, 1<<52)))), b.F(t, 1<<52))
	}
	z := b.Mul(s, s)
	y := b.FMA(n, b.F(t, ft.cut[0]/2), b.Table(t, at, tab.t...)) // exact
	rest := b.FMA(b.Mul(s, z), b.Poly(z, tab.poly...), b.Mul(n, b.F(t, ft.cut[1]/2)))
	y = b.Add(y, b.Add(s, rest))
	end := b.Blend(b.EQ(a, one), b.F(t, math.Inf(1)), b.F(t, math.NaN()))
	return b.Or(b.Blend(b.LT(a, one), y, end), b.signOf(x))
}
