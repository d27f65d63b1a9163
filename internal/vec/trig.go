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
	short1, short2, short3    = 0x1.921fb60000000p+0, -0x1.777a5c0000000p-25, -0x1.ee59da0000000p-50 // float32s
)

// The trigonometric functions, for arguments up to so large that a few parts of π do.
func init() {
	for id, f := range map[ops.ID]func(x float64) float64{ops.Sin: sinBeyond, ops.Cos: cosBeyond, ops.Tan: tanBeyond} {
		limits[id][F64] = &Limits{-1 << 22, 1 << 22, f}
		limits[id][F32] = &Limits{-1 << 17, 1 << 17, f}
	}
	limits[ops.Tan][F32] = &Limits{-1 << 40, 1 << 40, tanBeyond} // computed in float64
	register(ops.Sin, func(b *Builder, t Type, x []Value) Value {
		q := reduce(b, b.Abs(x[0]))
		y := b.Blend(q.odd(b), q.cos(b), q.sin(b))
		return b.Xor(y, b.signOf(b.Xor(b.Bitcast(t, b.Shl(q.bits, t.Bits()-2)), x[0])))
	})
	register(ops.Cos, func(b *Builder, t Type, x []Value) Value {
		q := reduce(b, b.Abs(x[0]))
		y := b.Blend(q.odd(b), q.sin(b), q.cos(b))
		return b.Xor(y, b.signOf(b.Bitcast(t, b.Shl(b.Add(q.bits, b.I(t.Int(), 1)), t.Bits()-2))))
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

// quadrant is a = r + lo + n·π/2 with |r| ≤ π/4, z = (r + lo)², for float64 r².
type quadrant struct{ r, lo, z, bits Value }

// reduce takes |a| within the limits. n·halfPi1 is taken off with an fma, exactly: what is left is a
// multiple of the units of both, and below 1.
func reduce(b *Builder, a Value) quadrant {
	if b.TypeOf(a) == F64 {
		n, bits := b.integer(a, 2/math.Pi)
		r0 := b.FNMA(n, b.F(F64, halfPi1), a)
		p2 := b.F(F64, halfPi2) // n·halfPi2 has 53 bits, so r and what it lost are exact
		r := b.FNMA(n, p2, r0)
		lo := b.FNMA(n, b.F(F64, halfPi3), b.FNMA(n, p2, b.Sub(r0, r)))
		return quadrant{r, lo, b.Mul(r, r), bits}
	}
	m := b.F(F32, 1<<23+1<<22)
	t := b.FMA(a, b.F(F32, 2/math.Pi), m)
	n := b.Sub(t, m)
	r0 := b.FNMA(n, b.F(F32, short1), a)
	w, wl := b.product(n, b.F(F32, short2))
	r := b.Sub(r0, w)
	lo := b.FNMA(n, b.F(F32, short3), b.Sub(b.Sub(b.Sub(r0, r), w), wl))
	return quadrant{r, lo, b.FMA(r, r, b.Mul(r, b.Add(lo, lo))), b.Bitcast(I32, t)}
}

// odd is the mask of an odd n.
func (q quadrant) odd(b *Builder) Value {
	t := b.TypeOf(q.bits)
	return b.GT(b.I(t, 0), b.Shl(q.bits, t.Bits()-1))
}

func (q quadrant) sin(b *Builder) Value {
	lo, coef := q.lo, sin32Coef
	if b.TypeOf(q.r) == F64 {
		lo, coef = b.FNMA(b.Mul(q.z, b.F(F64, 0.5)), lo, lo), sin64Coef
	}
	return b.Add(q.r, b.FMA(b.Mul(q.z, q.r), b.Poly(q.z, coef...), lo))
}

func (q quadrant) cos(b *Builder) Value {
	if b.TypeOf(q.r) == F32 {
		return b.Poly(q.z, append([]float64{1, -0.5}, cos32Coef...)...)
	}
	one, h := b.F(F64, 1), b.Mul(q.z, b.F(F64, 0.5))
	w := b.Sub(one, h)
	lo := b.FNMA(q.r, q.lo, b.Sub(b.Sub(one, w), h))
	return b.Add(w, b.FMA(b.Mul(q.z, q.z), b.Poly(q.z, cos64Coef...), lo))
}
