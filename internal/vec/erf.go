package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Erf, erfc and the two gelus; polynomials are gen/minimax.py's and gen/pieces.py's.
func init() {
	register(ops.Erf, func(b *Builder, t Type, x []Value) Value {
		if t == F32 {
			return erfFloat32(b, x[0])
		}
		return erf64Pieces.odd(b, x[0], 0, 0.5, 5.99, 2)
	})
	register(ops.Erfc, func(b *Builder, t Type, x []Value) Value {
		p, top, add := erfcx64Pieces, 28., 2.
		if t == F32 {
			p, top, add = erfcx32Pieces, 10.5, 1
		}
		hi, lo, n := p.tail(b, b.Min(b.F(t, top), b.Abs(x[0])), 1, add)
		y := b.scale(b.Add(hi, lo), n)
		return b.Blend(b.LT(x[0], b.F(t, 0)), b.Sub(b.F(t, 2), y), y)
	})
	// x·Φ(x) = max(x, 0) - a·Φ(-a), a = |x|.
	register(ops.Gelu, func(b *Builder, t Type, x []Value) Value {
		p, top, add := tail64Pieces, 40., 3.
		if t == F32 {
			p, top, add = tail32Pieces, 14.875, 1
		}
		a := b.Min(b.F(t, top), b.Abs(x[0]))
		hi, lo, n := p.tail(b, a, 0.5, add)
		// The product comes before the scaling, which may leave the normal range.
		y, yl := b.product(a, hi)
		y = b.scale(b.Add(y, b.FMA(a, lo, yl)), n)
		return b.Sub(b.Max(b.F(t, math.Copysign(0, -1)), x[0]), y)
	})
	register(ops.GeluTanh, func(b *Builder, t Type, x []Value) Value {
		if t == F64 {
			return geluTanhPair(b, x[0])
		}
		return b.inFloat64(func(x ...Value) Value {
			y := b.Max(b.F(F64, -40), x[0])
			c := b.Min(b.F(F64, 40), y)
			u := b.FMA(b.Mul(c, c), b.F(F64, 0.044715), b.F(F64, 1))
			arg := b.Mul(b.Mul(c, b.F(F64, -1.5957691216057308)), u)
			arg = b.Max(b.F(F64, -600), b.Min(b.F(F64, 600), arg))
			return b.Div(y, b.Add(b.F(F64, 1), b.expShort(arg)))
		}, x...)
	})
}

// geluTanhPair is x/(1 + e^-w), w = 2√(2/π)·x·(1 + 0.044715·x²) in two parts.
func geluTanhPair(b *Builder, x Value) Value {
	const high = 9 // from where on it is x
	f := clamp(b, F64, x, -22, high)
	u, ul := b.product(f, f)
	k := b.F(F64, 0x1.6e4e26d4801f7p-5)
	p, pl := b.product(u, k)
	pl = b.Add(pl, b.FMA(u, b.F(F64, 0x1.441355475a31ap-59), b.Mul(ul, k)))
	s, sl := b.sum(b.F(F64, 1), p)
	sl = b.Add(sl, pl)
	v, vl := b.product(f, b.F(F64, 0x1.9884533d43651p+0))
	vl = b.FMA(f, b.F(F64, -0x1.cbc0d30ebfd15p-54), vl)
	w, wl := b.product(v, s)
	y := logistic(b, F64, w, b.Add(wl, b.FMA(v, sl, b.Mul(vl, s))), f)
	return b.Blend(b.GT(x, b.F(F64, high)), x, b.Or(y, b.signOf(x)))
}

// erfFloat32 is in float32 throughout: a polynomial near 0, then 1 - 2^-q, q = 1.625·a + a²·s(a); the
// integer is taken off q before what is left of it is rounded.
func erfFloat32(b *Builder, x Value) Value {
	one := b.F(F32, 1)
	a := b.Min(b.F(F32, 3.95), b.Abs(x)) // erf(3.95) rounds to 1
	u := b.Mul(a, a)
	small := b.FMA(a, b.Poly(u, erf32Coef...), a)
	c, s := b.F(F32, 1.625), b.Poly(a, erfq32Coef...)
	anchor := b.F(F32, 1<<23+1<<22)
	t := b.FNMA(a, b.FMA(a, s, c), anchor)
	r := b.FNMA(u, s, b.FNMA(a, c, b.Sub(anchor, t))) // round(q) - q
	e := b.Bitcast(F32, b.Add(b.Bitcast(I32, b.Poly(r, exp2f32Coef...)), b.Shl(b.Bitcast(I32, t), 23)))
	return b.Or(b.Blend(b.GE(a, b.F(F32, 0.875)), b.Sub(one, e), small), b.signOf(x))
}
