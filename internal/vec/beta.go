package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The incomplete beta function for orders of usual size: its continued fraction, as one quotient of as many levels as the worst
// arguments take, below the middle, and that of the other side beyond.
func init() {
	partials[ops.BetaInc] = &Partial{
		body: func(b *Builder, t Type, x []Value) Value {
			if t == F32 {
				return b.inFloat64(func(x ...Value) Value { return betaInc(b, x[0], x[1], x[2], 20) }, x...)
			}
			return betaInc(b, x[0], x[1], x[2], 46)
		},
		Rest: ops.BetaInc.Row().Eval,
	}
}

// Orders of which the program holds: below the least, one less what is nearly 1 may leave too little.
const betaIncLeast, betaIncOrder = 0x1p-10, 40

func betaInc(b *Builder, a, c, x Value, levels int) Value {
	f := func(x float64) Value { return b.F(F64, x) }
	one, zero, two := f(1), f(0), f(2)
	rest, restLow := b.sum(one, b.Neg(x))
	front, low, n, factor := betaFront(b, a, c, x, rest, restLow)

	// p, q and u are a, c and x, or c, a and 1 - x.
	swapped := b.GT(b.Mul(x, b.Add(b.Add(a, c), two)), b.Add(a, one))
	p, q, u := b.Blend(swapped, c, a), b.Blend(swapped, a, c), b.Blend(swapped, rest, x)
	num, den := fractionBeta(b, p, q, u, levels)
	y := b.Div(b.Mul(factor[0], b.Mul(den, b.Add(p, one))), b.Mul(factor[1], num))
	y = b.scale(b.FMA(front, y, b.Mul(low, y)), n)
	y = b.Min(one, y)
	y = b.Blend(swapped, b.Sub(one, y), y)
	inside := b.And(b.GT(x, zero), b.LT(x, one))
	for _, order := range []Value{a, c} {
		inside = b.And(inside, b.And(b.GE(order, f(betaIncLeast)), b.LE(order, f(betaIncOrder))))
	}
	return b.Blend(inside, y, f(math.Inf(1)))
}

// fractionBeta is β₀ + α₁/(β₁ + α₂/(β₂ + …)) times p + 1 as num/den (A. R. DiDonato and A. H. Morris, ACM TOMS 18, 1992, section 5), with
//
//	αₖ = (p+k-1)(p+q+k-1)k(q-k)u²/rₖ², βₖ = k + k(q-k)u/rₖ + (p+k)(p+1-(p+q)u + k(2-u))/rₖ₊₁, rₖ = p+2k-1,
//
// level k of which is multiplied by rₖ·rₖ₊₁, and level 0 by r₁.
func fractionBeta(b *Builder, p, q, u Value, levels int) (num, den Value) {
	f := func(k int) Value { return b.F(F64, float64(k)) }
	total := b.Add(p, q)
	r := func(k int) Value { return b.Add(p, f(2*k-1)) }
	by := func(k int) Value { return b.Mul(b.Sub(q, f(k)), u) }
	start, step := b.FNMA(total, u, r(1)), b.Sub(f(2), u)
	beta := func(k int) Value {
		side := b.Mul(b.Add(p, f(k)), b.FMA(f(k), step, start))
		return b.FMA(f(k), b.Mul(r(k+1), b.Add(r(k), by(k))), b.Mul(side, r(k)))
	}
	alpha := func(k int) Value {
		y := b.Mul(b.Mul(b.Add(p, f(k-1)), b.Add(total, f(k-1))), b.Mul(b.Mul(by(k), u), b.Mul(f(k), r(k+1))))
		if k == 1 {
			return y
		}
		return b.Mul(y, r(k-1))
	}
	num, den = beta(levels), f(1)
	for k := levels - 1; k > 0; k-- {
		num, den = b.FMA(beta(k), num, b.Mul(alpha(k+1), den)), num
	}
	return b.FMA(b.Mul(p, start), num, b.Mul(alpha(1), den)), num
}

// betaFront is xᵃ·yᶜ/B(a, c) = (hi + lo)·2ⁿ·factor[0]/factor[1], y + yl being 1 - x: the exponential of what Stirling's series makes of
// log Γ, of orders below 8 with 8 more, which the factors take off again.
func betaFront(b *Builder, a, c, x, y, yl Value) (hi, lo, n Value, factor [2]Value) {
	f := func(x float64) Value { return b.F(F64, x) }
	logOfTwo := func(x Value) (h, hl Value) {
		l, g, rest := logParts(b, F64, x)
		h, hl = fastSum(b, l, g)
		return h, b.Add(hl, rest)
	}
	// e + el is the exponent.
	hx, hxl := logOfTwo(x)
	e, el := b.product(a, hx)
	el = b.FMA(a, hxl, el)
	add := func(v, low Value) {
		var lost Value
		e, lost = b.sum(e, v)
		el = b.Add(el, b.Add(lost, low))
	}
	hy, hyl := logOfTwo(y)
	hyl = b.Add(hyl, b.Div(yl, y))
	p, pl := b.product(c, hy)
	add(p, b.FMA(c, hyl, pl))
	// log Γ of z + zl is (s-½)·log s - s + log √2π + series, s being z or z + 8, times sign.
	gamma := func(z, zl Value, sign func(v Value) Value) (steps Value) {
		small := b.LT(z, f(8))
		s, sl := b.sum(z, b.And(f(8), small))
		sl = b.Add(sl, zl)
		h, hl := logOfTwo(s)
		m, r := b.Sub(s, f(0.5)), b.Div(f(1), s)
		p, pl := b.product(m, h)
		slope := b.FNMA(f(0.5), r, h) // of (s-½)·log s - s
		pl = b.FMA(m, hl, b.FMA(sl, slope, b.FMA(r, b.Poly(b.Mul(r, r), stirling...), pl)))
		add(sign(p), sign(pl))
		add(sign(b.Neg(s)), f(0))
		u := b.Mul(z, b.Add(z, f(7))) // z(z+1)…(z+7)
		return b.Blend(small, b.Mul(b.Mul(u, b.Add(u, f(6))), b.Mul(b.Add(u, f(10)), b.Add(u, f(12)))), f(1))
	}
	t, tl := b.sum(a, c)
	factor[1] = gamma(t, tl, func(v Value) Value { return v })
	factor[0] = b.Mul(gamma(a, f(0), b.Neg), gamma(c, f(0), b.Neg))
	add(f(-0.91893853320467274178), f(-0x1.65b5a1b7ff5dfp-55))
	e, el = b.sum(e, el)
	hi, lo, n = exponential(b, F64, b.Max(f(-800), e), el, false)
	return hi, lo, n, factor
}
