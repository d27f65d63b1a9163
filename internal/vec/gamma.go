package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// log Γ and its first two derivatives: pieces from 1/2 to 8, Stirling's series beyond, the recurrence below.
func init() {
	for id, f := range map[ops.ID]func(b *Builder, x Value) Value{ops.Lgamma: lgamma, ops.Digamma: digamma, ops.Trigamma: trigamma} {
		scalar := id.Row().Eval
		beyond := func(a float64) float64 { return scalar(a, 0, 0) }
		limits[id][F64] = &Limits{math.SmallestNonzeroFloat64, 1e300, beyond}
		limits[id][F32] = &Limits{math.SmallestNonzeroFloat32, math.MaxFloat32, beyond}
		if id == ops.Trigamma { // the square of 1/x
			limits[id][F64].Lo = 0x1p-500
		}
		register(id, func(b *Builder, t Type, x []Value) Value {
			if t == F32 {
				return b.inFloat64(func(x ...Value) Value { return f(b, x[0]) }, x...)
			}
			return f(b, x[0])
		})
	}
}

// Γ of float32s is e^log Γ of float64s, which is too far off for float64s themselves.
func init() {
	scalar := ops.Gamma.Row().Eval
	limits[ops.Gamma][F32] = &Limits{0x1p-126, 36, func(a float64) float64 { return scalar(a, 0, 0) }}
	register(ops.Gamma, func(b *Builder, t Type, x []Value) Value {
		if t != F32 {
			return None
		}
		return b.inFloat64(func(x ...Value) Value { return exp(b, F64, lgamma(b, x[0])) }, x...)
	})
}

// The series' coefficients, by 1/x² (Abramowitz & Stegun 6.1.41, 6.3.18, 6.4.12).
var (
	stirling      = []float64{1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156, -3617. / 122400, 43867. / 244188}
	stirlingSlope = []float64{1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12, -3617. / 8160, 43867. / 14364}
	trigammaFar   = []float64{1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730, 7. / 6, -3617. / 510, 43867. / 798}
)

// middle is a piece for x, or x + 1 where x is small; where it is large there is none.
func (p pieces) middle(b *Builder, x Value) (y, small, large Value) {
	one, half, top := b.F(F64, 1), b.F(F64, 0.5), b.F(F64, 8)
	small, large = b.LT(x, half), b.GE(x, top)
	a := b.Min(b.F(F64, math.Nextafter(8, 0)), b.Add(x, b.And(one, small)))
	c0, s, q := p.of(b, a, a, 2)
	return b.FMA(s, q, c0), small, large
}

func lgamma(b *Builder, x Value) Value {
	y, small, large := lgamma64Pieces.middle(b, x)
	one := b.F(F64, 1)
	l, f, rest := logParts(b, F64, x)
	// (x - 1/2)·(log x - 1) + log √(2π/e) + series
	h, hl := fastSum(b, l, f)
	h, l1 := fastSum(b, h, b.Neg(one))
	hl = b.Add(l1, b.Add(hl, rest))
	m := b.Sub(x, b.F(F64, 0.5))
	p, pl := b.product(m, h)
	r := b.Div(one, x)
	s := b.FMA(r, b.Poly(b.Mul(r, r), stirling...), b.F(F64, 0.41893853320467274178))
	far := b.Add(p, b.Add(s, b.FMA(m, hl, pl)))
	return b.Blend(large, far, b.Blend(small, b.Sub(y, b.Add(l, b.Add(f, rest))), y))
}

func digamma(b *Builder, x Value) Value {
	y, small, large := digamma64Pieces.middle(b, x)
	l, f, rest := logParts(b, F64, x)
	r := b.Div(b.F(F64, 1), x)
	z := b.Mul(r, r)
	far := b.Add(l, b.Add(f, b.FNMA(b.F(F64, 0.5), r, b.FNMA(z, b.Poly(z, stirlingSlope...), rest))))
	return b.Blend(large, far, b.Blend(small, b.Sub(y, r), y))
}

func trigamma(b *Builder, x Value) Value {
	y, small, large := trigamma64Pieces.middle(b, x)
	r := b.Div(b.F(F64, 1), x)
	z := b.Mul(r, r)
	far := b.FMA(r, b.FMA(b.F(F64, 0.5), r, b.Mul(z, b.Poly(z, trigammaFar...))), r)
	return b.Blend(large, far, b.Add(y, b.And(z, small)))
}
