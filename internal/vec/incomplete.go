package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The incomplete gamma functions for orders and arguments of usual size: the power series below the middle, the continued
// fraction beyond, of as many terms as the worst argument takes, both as one quotient and with what xᵃ·e⁻ˣ/Γ(a+1) is in two parts.
func init() {
	for _, id := range []ops.ID{ops.GammaInc, ops.GammaIncc, ops.GammaIncDA} {
		partials[id] = &Partial{
			body: func(b *Builder, t Type, x []Value) Value {
				if t == F32 {
					return b.inFloat64(func(x ...Value) Value {
						return gammaInc{id, 54, 20, 2, 1e-6}.of(b, x[0], x[1])
					}, x...)
				}
				if id == ops.GammaIncc {
					return gammaInc{id, 79, 78, 1.3, 0.2}.of(b, x[0], x[1])
				}
				return gammaInc{id, 79, 53, 2, 0}.of(b, x[0], x[1])
			},
			Rest: id.Row().Eval,
		}
	}
}

const (
	gammaIncOrder    = 60
	gammaIncArgument = 700
	gammaIncStirling = 7 // from this order on Stirling's series stands for log Γ
)

// gammaInc is one of them: P, 1 - P, or P's derivative by the order, with terms of the series and levels of the fraction.
type gammaInc struct {
	id            ops.ID
	terms, levels int
	start         float64 // the fraction serves from a + 1 on, and from here on
	least         float64 // 1 less the series serves from this order on: below, too little is left
}

func (p gammaInc) of(b *Builder, a, x Value) Value {
	f := func(x float64) Value { return b.F(F64, x) }
	one, zero := f(1), f(0)
	next := b.Add(a, one)
	series := b.LT(x, b.Max(next, f(p.start)))
	slopes := p.id == ops.GammaIncDA

	// 1 + x/(a+1)·(1 + x/(a+2)·(…)) = num/den, and derivatives by a
	num, den, dnum, dden := one, one, zero, zero
	for k := p.terms; k > 0; k-- {
		by := b.Add(a, f(float64(k)))
		if slopes {
			dden = b.FMA(by, dden, den)
			dnum = b.FMA(x, dnum, dden)
		}
		den = b.Mul(by, den)
		num = b.FMA(x, num, den)
	}
	// x+1-a + 1·(a-1)/(x+3-a + 2·(a-2)/(x+5-a + …)) = low/up
	z := b.Sub(x, a)
	low, up := b.Add(z, f(float64(2*p.levels+1))), one
	dlow, dup := f(-1), zero
	for k := float64(p.levels); k > 0; k-- {
		at, over := b.Add(z, f(2*k-1)), b.FMA(a, f(k), f(-k*k))
		if slopes {
			d := b.Sub(b.FMA(f(k), up, b.Mul(at, dlow)), low)
			dlow, dup = b.FMA(over, dup, d), dlow
		}
		low, up = b.FMA(over, up, b.Mul(at, low)), low
	}
	hi, lo, n, factor := gammaFront(b, a, next, x)
	y := b.Div(b.Blend(series, num, up), b.Blend(series, den, low))
	if slopes {
		// (u/v)' = (u' - u/v·v')/v; P is y, or 1 - a·y, times the front, whose logarithm has the slope below.
		d := b.Div(b.FNMA(y, b.Blend(series, dden, dlow), b.Blend(series, dnum, dup)), b.Blend(series, den, low))
		l, g, rest := logParts(b, F64, x)
		slope := b.Sub(b.Add(l, b.Add(g, rest)), digamma(b, next))
		y = b.Blend(series, b.FMA(y, slope, d), b.Neg(b.FMA(a, b.FMA(y, slope, d), y)))
	} else {
		y = b.Blend(series, y, b.Mul(a, y))
	}
	y = b.Mul(y, factor)
	y = b.scale(b.FMA(hi, y, b.Mul(lo, y)), n)
	inside := b.And(b.And(b.GT(a, zero), b.LE(a, f(gammaIncOrder))), b.And(b.GT(x, zero), b.LE(x, f(gammaIncArgument))))
	switch p.id {
	case ops.GammaInc:
		y = b.Min(one, y)
		y = b.Blend(series, y, b.Sub(one, y))
	case ops.GammaIncc:
		y = b.Min(one, y)
		y = b.Blend(series, b.Sub(one, y), y)
		inside = b.AndNot(inside, b.And(series, b.LT(a, f(p.least))))
	}
	return b.Blend(inside, y, f(math.Inf(1)))
}

// gammaFront is xᵃ·e⁻ˣ/Γ(a+1) = (hi + lo)·2ⁿ·factor, next being a + 1: the exponential of a·log(x/c) + (c - x) - less, where from
// the start of Stirling's series on c is a, less that series, and factor 1/√(2πa).
func gammaFront(b *Builder, a, next, x Value) (hi, lo, n, factor Value) {
	f := func(x float64) Value { return b.F(F64, x) }
	one := f(1)
	large := b.GE(a, f(gammaIncStirling))
	c := b.Blend(large, a, one)
	q := b.Div(x, c)
	l, g, rest := logParts(b, F64, q)
	h, hl := fastSum(b, l, g)
	hl = b.Add(hl, b.Add(rest, b.Div(b.FNMA(q, c, x), x)))
	p, pl := b.product(a, h)
	s, sl := b.sum(b.And(c, large), b.Neg(x))
	e, el := b.sum(p, s)
	r := b.Div(one, a)
	gamma, _, _ := lgamma64Pieces.middle(b, next)
	less := b.Blend(large, b.Mul(r, b.Poly(b.Mul(r, r), stirling...)), gamma)
	e, ml := b.sum(e, b.Neg(less))
	e, el = b.sum(e, b.Add(b.Add(el, ml), b.Add(sl, b.FMA(a, hl, pl))))
	hi, lo, n = exponential(b, F64, b.Max(f(-800), e), el, false)
	return hi, lo, n, b.Div(one, b.Blend(large, b.Sqrt(b.Mul(a, f(2*math.Pi))), one))
}
