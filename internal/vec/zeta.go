package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Hurwitz's zeta function by the sum of Euler and Maclaurin for s ≤ 60, and digamma's derivatives by it.
func init() {
	partials[ops.Zeta] = &Partial{
		body: func(b *Builder, t Type, x []Value) Value {
			if t == F32 {
				return b.inFloat64(func(x ...Value) Value { return zeta(b, x[0], x[1], power32, 4, 5) }, x...)
			}
			return zeta(b, x[0], x[1], power64, 8, 8)
		},
		Rest: ops.Zeta.Row().Eval,
	}
	partials[ops.Polygamma] = &Partial{
		body: func(b *Builder, t Type, x []Value) Value {
			if t == F32 {
				return b.inFloat64(func(x ...Value) Value {
					return polygamma(b, x[0], x[1], func(s, q Value) Value { return zeta(b, s, q, power32, 4, 5) })
				}, x...)
			}
			return polygamma(b, x[0], x[1], func(s, q Value) Value { return zeta(b, s, q, power64, 8, 8) })
		},
		Rest: ops.Polygamma.Row().Eval,
	}
}

// bernoulli holds B₂ₖ/(2k)!.
var bernoulli = []float64{1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160, -691. / 1307674368000, 1. / 74724249600, -3617. / 10670622842880000}

// zeta is Σ (q + k)^-s for k from 0 to n-1 and the sum's rest, s from 1 to 60 and q > 0 (Abramowitz & Stegun 23.1.30).
func zeta(b *Builder, s, q Value, power func(b *Builder, a, y Value) Value, n, terms int) Value {
	f := func(x float64) Value { return b.F(F64, x) }
	down := b.Neg(s)
	top := b.Add(q, f(float64(n)))
	r := b.Div(f(1), top)
	z := b.Mul(r, r)
	h := f(bernoulli[terms-1])
	for k := terms - 2; k >= 0; k-- {
		by := b.Mul(b.Add(s, f(float64(2*k+1))), b.Add(s, f(float64(2*k+2))))
		h = b.FMA(b.Mul(by, z), h, f(bernoulli[k]))
	}
	h = b.FMA(b.Mul(s, r), h, f(0.5))
	y := b.Mul(power(b, top, down), b.Add(b.Div(top, b.Sub(s, f(1))), h))
	for k := n - 1; k > 0; k-- {
		y = b.Add(y, power(b, b.Add(q, f(float64(k))), down))
	}
	y = b.Add(y, power(b, q, down))
	inside := b.And(b.And(b.GT(s, f(1)), b.LE(s, f(60))), b.And(b.GT(q, f(0)), b.LE(q, f(1e10))))
	return b.Blend(inside, y, f(math.Inf(1)))
}

// polygamma is (-1)^(n+1)·n!·ζ(n+1, x), for n from 1 to 15, whose factorials are exact.
func polygamma(b *Builder, n, x Value, zeta func(s, q Value) Value) Value {
	whole, bits := b.integer(n, 1)
	z, none := zeta(b.Add(n, b.F(F64, 1)), x), b.F(F64, math.Inf(1))
	inside := b.And(b.And(b.EQ(n, whole), b.LT(z, none)), b.And(b.GE(n, b.F(F64, 1)), b.LE(n, b.F(F64, 15))))
	return b.Blend(inside, b.Mul(z, b.Table(F64, bits, factorials[:]...)), none)
}

// factorials holds (-1)^(n+1)·n!.
var factorials = func() (f [16]float64) {
	f[0] = -1
	for n := 1; n < len(f); n++ {
		f[n] = -float64(n) * f[n-1]
	}
	return f
}()
