package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

func init() {
	register(ops.Pow, func(b *Builder, t Type, x []Value) Value {
		y := b.Abs(x[0])
		if t == F32 {
			y = b.inFloat64(func(x ...Value) Value { return power32(b, x[0], x[1]) }, y, x[1])
		} else {
			y = power64(b, y, x[1])
		}
		return powSign(b, t, x[0], x[1], y)
	})
}

// powSign makes |x|^y x^y: negative for negative x and odd y, NaN for negative x and y no integer, but
// for infinite x. Of 1^y and x^0, r may be NaN.
func powSign(b *Builder, t Type, x, y, r Value) Value {
	zero, one := b.F(t, 0), b.F(t, 1)
	r = b.Blend(b.Or(b.EQ(b.Abs(x), one), b.EQ(y, zero)), one, r)
	half := b.Mul(y, b.F(t, 0.5))
	whole := b.EQ(b.Floor(y), y)
	odd := b.And(whole, b.NE(b.Floor(half), half))
	r = b.Or(r, b.And(b.And(x, odd), b.sign(x)))
	finite := b.And(b.LT(x, zero), b.GT(x, b.F(t, math.Inf(-1))))
	return b.Blend(b.AndNot(finite, whole), b.F(t, math.NaN()), r)
}

// power32 is a^y for float32s a ≥ 0 and y: log2 a to 2^-39 of its size, and 2^r by sixteenths.
func power32(b *Builder, a, y Value) Value {
	tab := &log2s64
	e, _, m := significand2(b, F64, a, true)
	i := b.Shr(b.Bitcast(I64, m), 48)
	f := b.FMS(m, b.Table(F64, i, tab.c...), b.F(F64, 1))
	l := logEnds(b, F64, a, b.FMA(f, b.Poly(f, pow32Log...), b.Add(e, b.Table(F64, i, tab.t...))))
	p := clamp(b, F64, b.Mul(y, l), -200, 200)
	magic := b.F(F64, floatTypes[F64].magic/16)
	at := b.Add(p, magic)
	n := b.Sub(at, magic) // a multiple of 1/16
	r := b.Sub(p, n)
	j := b.Bitcast(I64, at)
	two := b.Table(F64, j, exps64.up[0]...)
	two = b.FMA(two, b.Mul(r, b.Poly(r, pow32Exp...)), two)
	if b.Wide {
		return b.Scale(two, n)
	}
	return b.Bitcast(F64, b.Add(b.Bitcast(I64, two), b.Shl(b.AndNot(j, b.I(I64, 15)), 48)))
}

// powers are of the logarithm by pieces around 1 + j/16: log m = t + log(m·c), t in two parts, the first of them exact beside
// multiples of ln2's; poly is (log(1+f) - f + f²/2)/f³ for f = m·c - 1.
type powers struct {
	c    []float64
	t    [2][]float64
	poly []float64
}

// power64 is a^y, a ≥ 0, by log a as a sum of two parts, which is good to 2^-64 of its size.
func power64(b *Builder, a, y Value) Value {
	ft, tab, one := floatTypes[F64], &powers64, b.F(F64, 1)
	k, _, m := significand2(b, F64, a, false)
	next := b.GE(m, b.F(F64, 2-1./32)) // these are of the piece around 1
	k = b.Add(k, b.And(one, next))
	m = b.Blend(next, b.Mul(m, b.F(F64, 0.5)), m)
	i := b.Shr(b.Add(b.Bitcast(I64, m), b.I(I64, 1<<47)), 48)
	c := b.Table(F64, i, tab.c...)
	p := b.Mul(m, c)
	f, fl := fastSum(b, b.Sub(p, one), b.FMS(m, c, p))
	t := b.FMA(k, b.F(F64, ft.cut[0]), b.Table(F64, i, tab.t[0]...)) // exact
	h, hl := fastSum(b, t, f)
	// less f²/2, and what counts once only
	f2 := b.Mul(f, f)
	half := b.F(F64, 0.5)
	l := b.FNMA(half, f2, h)
	ll := b.FNMA(half, f2, b.Sub(h, l))
	ll = b.FNMA(half, b.FMS(f, f, f2), ll)
	low := b.FMA(k, b.F(F64, ft.cut[1]), b.Table(F64, i, tab.t[1]...))
	low = b.Add(b.Add(low, hl), b.FNMA(f, fl, fl))
	ll = b.FMA(b.Mul(f, f2), polyPair(b, f, f2, tab.poly), b.Add(low, ll))
	l, ll = fastSum(b, l, ll)
	l = logEnds(b, F64, a, l)

	e := b.Mul(y, l)
	el := b.FMA(y, ll, b.FMS(y, l, e))
	el = b.And(el, b.LT(b.Abs(e), b.F(F64, 800))) // beyond, it may be no number
	e, el, n := exponential(b, F64, clamp(b, F64, e, ft.expLow, ft.expHigh), el, false)
	return b.scale(b.Add(e, el), n)
}
