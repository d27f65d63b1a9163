package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The incomplete gamma functions for orders and arguments of usual size: the power series below the middle, the continued
// fraction beyond, of as many terms as the worst argument takes, both as one quotient and with what xᵃ·e⁻ˣ/Γ(a+1) is in two parts.
func init() {
	for _, upper := range []bool{false, true} {
		id := ops.GammaInc
		if upper {
			id = ops.GammaIncc
		}
		scalar := id.Row().Eval
		partials[id] = &Partial{
			body: func(b *Builder, t Type, x []Value) Value {
				if t == F32 {
					return b.inFloat64(func(x ...Value) Value { return gammaInc(b, x[0], x[1], upper, 54, 20, 2, 1e-6) }, x...)
				}
				start := 2.
				if upper {
					start = 1.3 // so that 1 less the other one is accurate enough
				}
				return gammaInc(b, x[0], x[1], upper, 79, int(52+37*(2-start)), start, 0.2)
			},
			Rest: func(a, x float64) float64 { return scalar(a, x, 0) },
		}
	}
}

const (
	gammaIncOrder    = 60
	gammaIncArgument = 700
	gammaIncStirling = 7 // from this order on Stirling's series stands for log Γ
)

// gammaInc has terms of the series and of the fraction, which serves from a + 1 on, and from start on; 1 less the series
// serves from a = least on, below which too little is left of 1.
func gammaInc(b *Builder, a, x Value, upper bool, terms, levels int, start, least float64) Value {
	f := func(x float64) Value { return b.F(F64, x) }
	one := f(1)
	next := b.Add(a, one)
	series := b.LT(x, b.Max(next, f(start)))

	// 1 + x/(a+1)·(1 + x/(a+2)·(…)) = num/den
	num, den := one, one
	for k := terms; k > 0; k-- {
		den = b.Mul(b.Add(a, f(float64(k))), den)
		num = b.FMA(x, num, den)
	}
	// x+1-a + 1·(a-1)/(x+3-a + 2·(a-2)/(x+5-a + …)) = low/up
	z := b.Sub(x, a)
	low, up := b.Add(z, f(float64(2*levels+1))), one
	for k := float64(levels); k > 0; k-- {
		low, up = b.FMA(b.FMA(a, f(k), f(-k*k)), up, b.Mul(b.Add(z, f(2*k-1)), low)), low
	}
	y := b.Div(b.Blend(series, num, b.Mul(a, up)), b.Blend(series, den, low))

	// a·log(x/c) + (c - x) - less, c and root are a and √(2πa) in Stirling's series
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
	e = b.Max(f(-800), e)
	hi, lo, n := exponential(b, F64, e, el, false)
	y = b.Mul(y, b.Div(one, b.Blend(large, b.Sqrt(b.Mul(a, f(2*math.Pi))), one)))
	y = b.Min(one, b.scale(b.FMA(hi, y, b.Mul(lo, y)), n))
	other := series
	if !upper {
		other = not(b, series)
	}
	y = b.Blend(other, b.Sub(one, y), y)
	inside := b.And(b.And(b.GT(a, f(0)), b.LE(a, f(gammaIncOrder))), b.And(b.GT(x, f(0)), b.LE(x, f(gammaIncArgument))))
	if upper {
		inside = b.AndNot(inside, b.And(series, b.LT(a, f(least))))
	}
	return b.Blend(inside, y, f(math.Inf(1)))
}
