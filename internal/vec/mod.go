package vec

import (
	"math"

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
}
