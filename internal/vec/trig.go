package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// π/2 in three parts, of which the first two have few enough bits that n·part is exact where it must
// be for |n| < 2²²; and in two.
const (
	halfPi1, halfPi2, halfPi3 = 0x1.921fb54442d18p+0, 0x1.1a62633p-54, 0x1.45c06e0e68948p-86
	halfPiLow                 = 0x1.1a62633145c07p-54
	trig64, trig32            = 1 << 22, 1 << 40 // the bodies' reach
)

// The trigonometric functions and their inverses. Those of float32 are computed in float64.
func init() {
	for id, f := range map[ops.ID]func(x float64) float64{ops.Sin: sinBeyond, ops.Cos: cosBeyond, ops.Tan: tanBeyond} {
		limits[id][F64] = &Limits{-trig64, trig64, f}
		limits[id][F32] = &Limits{-trig32, trig32, f}
	}
	register(ops.Sin, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		if t == F32 { // sin(r + nπ) = ±sin(r)
			y := b.inFloat64(func(x ...Value) Value {
				n, bits := b.integer(x[0], 1/math.Pi)
				return b.Xor(sinShort(b, x[0], n), b.Shl(bits, 63))
			}, a)
			return b.Xor(y, b.signOf(x[0]))
		}
		q := reduce(b, a)
		y := b.Blend(q.odd(b), q.cos(b), q.sin(b))
		return b.Xor(y, b.signOf(b.Xor(b.Bitcast(F64, b.Shl(q.bits, 62)), x[0])))
	})
	register(ops.Cos, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		if t == F32 { // cos(r + (n-1/2)π) = ±sin(r)
			return b.inFloat64(func(x ...Value) Value {
				m, half := b.F(F64, anchor), b.F(F64, 0.5)
				t := b.Add(b.FMA(x[0], b.F(F64, 1/math.Pi), half), m)
				n := b.Sub(b.Sub(t, m), half)
				return b.Xor(sinShort(b, x[0], n), b.Shl(b.Bitcast(I64, t), 63))
			}, a)
		}
		q := reduce(b, a)
		y := b.Blend(q.odd(b), q.sin(b), q.cos(b))
		return b.Xor(y, b.signOf(b.Bitcast(F64, b.Shl(b.Add(q.bits, b.I(I64, 1)), 62))))
	})
	register(ops.Tan, func(b *Builder, t Type, x []Value) Value {
		a := b.Abs(x[0])
		if t == F32 {
			y := b.inFloat64(func(x ...Value) Value {
				n, bits := b.integer(x[0], 2/math.Pi)
				r := b.FNMA(n, b.F(F64, halfPiLow), b.FNMA(n, b.F(F64, halfPi1), x[0]))
				z := b.Mul(r, r)
				y := b.FMA(b.Mul(z, r), b.Poly(z, tan32Coef...), r)
				odd := b.GT(b.I(I64, 0), b.Shl(bits, 63))
				return b.Div(b.Blend(odd, b.F(F64, -1), y), b.Blend(odd, y, b.F(F64, 1)))
			}, a)
			return b.Xor(y, b.signOf(x[0]))
		}
		q := reduce(b, a)
		one := b.F(F64, 1)
		// lo counts as often as tan rises: 1 + r² + 2/3 r⁴.
		w := b.FMA(q.lo, b.Mul(q.z, b.FMA(q.z, b.F(F64, 2./3), one)), q.lo)
		hi, lo := fastSum(b, q.r, b.FMA(b.Mul(q.z, q.r), b.Poly(q.z, tan64Coef...), w))
		y := b.Div(b.F(F64, -1), hi)
		y = b.FMA(b.FMA(y, lo, b.FMA(y, hi, one)), y, y)
		return b.Xor(b.Blend(q.odd(b), y, hi), b.signOf(x[0]))
	})
}

// sinShort is sin(a - nπ) to 35 bits, for a that is a float32.
func sinShort(b *Builder, a, n Value) Value {
	r := b.FNMA(n, b.F(F64, 2*halfPiLow), b.FNMA(n, b.F(F64, 2*halfPi1), a)) // the first is exact
	z := b.Mul(r, r)
	return b.FMA(b.Mul(z, r), b.Poly(z, sin32Coef...), r)
}

// quadrant is a = r + lo + n·π/2 with |r| ≤ π/4, and z = r².
type quadrant struct{ r, lo, z, bits Value }

// reduce takes 0 ≤ a ≤ 2²². Every step but the last is exact: n·halfPi1 is taken off with an fma, and
// what is left is a multiple of the units of both below 1; n·halfPi2 has 53 bits.
func reduce(b *Builder, a Value) quadrant {
	n, bits := b.integer(a, 2/math.Pi)
	r0 := b.FNMA(n, b.F(F64, halfPi1), a)
	p2 := b.F(F64, halfPi2)
	r := b.FNMA(n, p2, r0)
	lo := b.FNMA(n, b.F(F64, halfPi3), b.FNMA(n, p2, b.Sub(r0, r)))
	return quadrant{r, lo, b.Mul(r, r), bits}
}

// odd is the mask of an odd n.
func (q quadrant) odd(b *Builder) Value { return b.GT(b.I(I64, 0), b.Shl(q.bits, 63)) }

func (q quadrant) sin(b *Builder) Value {
	lo := b.FNMA(b.Mul(q.z, b.F(F64, 0.5)), q.lo, q.lo)
	return b.Add(q.r, b.FMA(b.Mul(q.z, q.r), b.Poly(q.z, sin64Coef...), lo))
}

func (q quadrant) cos(b *Builder) Value {
	one, h := b.F(F64, 1), b.Mul(q.z, b.F(F64, 0.5))
	w := b.Sub(one, h)
	lo := b.FNMA(q.r, q.lo, b.Sub(b.Sub(one, w), h))
	return b.Add(w, b.FMA(b.Mul(q.z, q.z), b.Poly(q.z, cos64Coef...), lo))
}
