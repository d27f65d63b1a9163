package vec

import (
	"math"
	"math/bits"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The remainder of float32s is exact: float64s take 50 bits of the quotient, which has 277 at most, off a step. A quotient's
// product is exact in an fma; it may be one too large or small, which leaves a rest a little beyond its limits, negative too.
func init() {
	register(ops.Mod, func(b *Builder, t Type, x []Value) Value {
		if t != F32 { // a quotient of float64s has 2098 bits, and AVX2 does not divide integers
			return None
		}
		p, q := b.Abs(x[0]), b.Abs(x[1])
		y := b.inFloat64(func(x ...Value) Value {
			rest, by := x[0], x[1]
			inv := b.Div(b.F(F64, 1), by)
			for k := 5; k >= 0; k-- {
				up := math.Ldexp(1, 50*k)
				n := b.Trunc(b.Mul(rest, b.Mul(inv, b.F(F64, 1/up))))
				rest = b.FNMA(n, b.Mul(by, b.F(F64, up)), rest)
			}
			rest = b.Add(rest, b.And(by, b.LT(rest, b.F(F64, 0))))
			return b.Sub(rest, b.And(by, b.GE(rest, by)))
		}, p, q)
		return b.Blend(b.LT(p, q), x[0], b.Or(y, b.signOf(x[0]))) // q may be infinite
	})
	partials[ops.Mod] = &Partial{shortMod, func(a, by, _ float64) float64 { return remainderOf(a, by) }}
}

// shortMod is for quotients that a float holds: rounded, it may have become the next integer, and then the rest, exact
// either way, is negative.
func shortMod(b *Builder, t Type, x []Value) Value {
	p, q := b.Abs(x[0]), b.Abs(x[1])
	n := b.Trunc(b.Div(p, q))
	rest := b.FNMA(n, q, p)
	rest = b.Add(rest, b.And(q, b.LT(rest, b.F(t, 0))))
	y := b.Or(b.Blend(b.LT(p, q), p, rest), b.signOf(x[0])) // q may be infinite
	return b.Blend(b.GE(n, b.F(t, math.Exp2(float64(floatTypes[t].fraction+1)))), b.F(t, math.Inf(1)), y)
}

// remainderOf is math.Mod by integers: 64 bits of the quotient a step.
func remainderOf(a, by float64) float64 {
	p, q := math.Float64bits(math.Abs(a)), math.Float64bits(math.Abs(by))
	const inf = 0x7ff << 52
	switch {
	case q == 0 || p >= inf || q > inf:
		return math.NaN()
	case p < q:
		return a
	}
	parts := func(x uint64) (m uint64, e int) { // x is m·2ᵉ, but for a factor
		if x>>52 == 0 {
			return x, 1
		}
		return x&(1<<52-1) | 1<<52, int(x >> 52)
	}
	m, e := parts(p)
	d, f := parts(q)
	m %= d
	for n := e - f; n > 0; n -= 64 {
		m = bits.Rem64(m>>(64-min(n, 64)), m<<min(n, 64), d)
	}
	return math.Copysign(math.Ldexp(float64(m), f-1075), a)
}
