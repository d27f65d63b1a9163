package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Bessel functions of orders 0 and 1 and the integrals of sine, cosine and exponential over their argument: pieces of width 1 up to 16,
// beyond them an amplitude and a sine; what has a logarithm in it is a sum with it below 2. Near zeros behind the first few the error is
// a unit of the amplitude's.
func init() {
	oscillating := func(id ops.ID, lo float64, f func(b *Builder, x Value) Value) {
		scalar := id.Row().Eval
		beyond := func(a float64) float64 { return scalar(a, 0, 0) }
		limits[id][F64] = &Limits{max(lo, math.SmallestNonzeroFloat64), turnsEnd, beyond}
		limits[id][F32] = &Limits{max(lo, math.SmallestNonzeroFloat32), turnsEnd, beyond}
		if lo < 0 {
			limits[id][F64], limits[id][F32] = &Limits{lo, turnsEnd, beyond}, &Limits{lo, turnsEnd, beyond}
		}
		registerWide(id, f)
	}
	oscillating(ops.BesselJ0, -turnsEnd, func(b *Builder, x Value) Value {
		a := b.Abs(x)
		return bessel0.of(b, a, besselJ0Pieces.slice(b, a, 0), 16, 4)
	})
	oscillating(ops.BesselJ1, -turnsEnd, func(b *Builder, x Value) Value {
		a := b.Abs(x)
		y := bessel1.of(b, a, besselJ1Pieces.slice(b, a, 0), 16, -4)
		return b.Xor(y, b.signOf(x))
	})
	oscillating(ops.BesselY0, 0, func(b *Builder, x Value) Value {
		u := b.Mul(x, x)
		near := b.FMA(logOf(b, x), b.Poly(u, besselY0Log...), b.Poly(u, besselY0Near...))
		return bessel0.of(b, x, b.Blend(b.LT(x, b.F(F64, 2)), near, besselY0Pieces.slice(b, x, 2)), 18, -4)
	})
	oscillating(ops.BesselY1, 0, func(b *Builder, x Value) Value {
		u := b.Mul(x, x)
		near := b.FMA(logOf(b, x), b.Poly(u, besselY1Log...), b.Poly(u, besselY1Near...))
		near = b.FMS(x, near, b.Div(b.F(F64, 2/math.Pi), x))
		return bessel1.of(b, x, b.Blend(b.LT(x, b.F(F64, 2)), near, besselY1Pieces.slice(b, x, 2)), 18, -12)
	})
	oscillating(ops.Sinint, -turnsEnd, func(b *Builder, x Value) Value {
		a := b.Abs(x)
		far := b.Sub(b.F(F64, math.Pi/2), integral.at(b, a, 8))
		y := b.Blend(b.GT(a, b.F(F64, 16)), far, sinintPieces.slice(b, a, 0))
		return b.Or(y, b.signOf(x))
	})
	oscillating(ops.Cosint, 0, func(b *Builder, x Value) Value {
		near := b.Add(logOf(b, x), b.Poly(b.Mul(x, x), cosintNear...))
		return integral.of(b, x, b.Blend(b.LT(x, b.F(F64, 2)), near, cosintPieces.slice(b, x, 2)), 18, 0)
	})
	registerWide(ops.BesselK0, besselK0)
	registerWide(ops.BesselK1, besselK1)
	registerWide(ops.BesselK0x, besselK0x)
	registerWide(ops.BesselK1x, besselK1x)
	registerWide(ops.Expint, expint)
	registerWide(ops.Ellipk, ellipk)
	registerWide(ops.Ellipe, ellipe)
}

// registerWide registers a function of one float64, which float32s take, too.
func registerWide(id ops.ID, f func(b *Builder, x Value) Value) {
	register(id, func(b *Builder, t Type, x []Value) Value {
		if t == F32 {
			return b.inFloat64(func(x ...Value) Value { return f(b, x[0]) }, x...)
		}
		return f(b, x[0])
	})
}

// slice is a's piece of those of width 1 from lo on.
func (p pieces) slice(b *Builder, a Value, lo float64) Value {
	c0, s, q := p.of(b, a, b.Add(a, b.F(F64, 16-lo)), 4)
	return b.FMA(s, q, c0)
}

// logOf is log x of a positive number.
func logOf(b *Builder, x Value) Value {
	y, f, rest := logParts(b, F64, x)
	return b.Add(y, b.Add(f, rest))
}

// wave is a function far from 0: amplitude(1/x²)·size(1/x)·sin(x + phase(1/x²)/x + some sixteenths of π).
type wave struct {
	amplitude, phase []float64
	size             func(b *Builder, r Value) Value
}

var (
	bessel0  = wave{bessel0Amplitude, bessel0Phase, (*Builder).Sqrt}
	bessel1  = wave{bessel1Amplitude, bessel1Phase, (*Builder).Sqrt}
	integral = wave{sinintAmplitude, sinintPhase, func(_ *Builder, r Value) Value { return r }}
)

func (w *wave) at(b *Builder, x Value, turn int64) Value {
	r := b.Div(b.F(F64, 1), x)
	z := b.Mul(r, r)
	hi, lo := fastSum(b, x, b.Mul(r, b.Poly(z, w.phase...)))
	return b.Mul(b.Mul(w.size(b, r), b.Poly(z, w.amplitude...)), sineOf(b, hi, lo, turn))
}

// of is near up to top, and the wave beyond.
func (w *wave) of(b *Builder, x, near Value, top float64, turn int64) Value {
	return b.Blend(b.GT(x, b.F(F64, top)), w.at(b, x, turn), near)
}

// sineOf is sin(hi + lo + turn·π/16), 0 ≤ hi ≤ turnsEnd.
func sineOf(b *Builder, hi, lo Value, turn int64) Value {
	q := sixteenths(b, F64, hi, lo)
	bits := b.Add(q.bits, b.I(I64, turn))
	return b.Xor(q.sin(b, F64, bits), b.signOf(b.Bitcast(F64, b.Shl(bits, 64-5))))
}

// besselK0 and besselK1 are sums with log x/2 below 2, and from there on e^-x times pieces by x, or a series in 1/x over a root. Those
// that are scaled lack the e^-x, and have an e^x below 2.
func besselK0(b *Builder, x Value) Value {
	return besselK0Pieces.decaying(b, x, nearK0(b, x), besselK0Far)
}

func besselK1(b *Builder, x Value) Value {
	return besselK1Pieces.decaying(b, x, b.Or(nearK1(b, x), b.LT(x, b.F(F64, 0))), besselK1Far)
}

func besselK0x(b *Builder, x Value) Value {
	return besselK0Pieces.level(b, x, nearK0(b, x), besselK0Far)
}

func besselK1x(b *Builder, x Value) Value {
	return besselK1Pieces.level(b, x, nearK1(b, x), besselK1Far)
}

func nearK0(b *Builder, x Value) Value {
	u := b.Mul(x, x)
	l := b.Sub(log(b, F64, x), b.F(F64, math.Ln2))
	return b.FNMA(l, b.Poly(u, besselK0Log...), b.Poly(u, besselK0Near...))
}

func nearK1(b *Builder, x Value) Value {
	u := b.Mul(x, x)
	l := b.Sub(logOf(b, b.Max(b.F(F64, math.SmallestNonzeroFloat64), x)), b.F(F64, math.Ln2))
	near := b.FMA(l, b.Poly(u, besselK1Log...), b.Poly(u, besselK1Near...))
	return b.FMA(x, near, b.Div(b.F(F64, 1), b.Abs(x)))
}

// decaying is near below 2, and from there on e^-x times the pieces, or beyond 32 the series.
func (p pieces) decaying(b *Builder, x, near Value, series []float64) Value {
	a := b.Min(b.F(F64, 760), x) // from there on it is 0
	return b.Blend(b.GE(x, b.F(F64, 2)), growing(b, p.above(b, a, series), b.Neg(a), None), near)
}

// level is e^x times near below 2, and the pieces or the series from there on.
func (p pieces) level(b *Builder, x, near Value, series []float64) Value {
	raised := b.Blend(b.LT(b.Abs(x), b.F(F64, 0x1p-60)), near, growing(b, near, x, None)) // near may be infinite there
	return b.Or(b.Blend(b.GE(x, b.F(F64, 2)), p.above(b, x, series), raised), b.LT(x, b.F(F64, 0)))
}

// above is a's piece from 2 to 32, and the series beyond.
func (p pieces) above(b *Builder, a Value, series []float64) Value {
	c0, s, q := p.of(b, a, a, 2)
	return b.Blend(b.GT(a, b.F(F64, 32)), overRoot(b, a, series), b.FMA(s, q, c0))
}

// expint is a sum with the logarithm below 1, and from there on e^-x times pieces by x + 1, or a series in 1/x.
func expint(b *Builder, x Value) Value {
	one := b.F(F64, 1)
	small := b.Sub(b.Poly(x, expintNear...), log(b, F64, x))
	a := b.Min(b.F(F64, 760), x) // from there on it is 0
	c0, s, q := expintPieces.of(b, a, b.Add(a, one), 2)
	r := b.Div(one, a)
	y := b.Blend(b.GT(a, b.F(F64, 31)), b.Mul(r, b.Poly(r, expintFar...)), b.FMA(s, q, c0))
	return b.Blend(b.GE(x, one), growing(b, y, b.Neg(a), None), small)
}

// The complete elliptic integrals of 1 - m ≤ 1 are P - log(1-m)·Q; those of m < 0 are those of m/(m-1), of which 1 - m is the inverse,
// times a root.
func ellipk(b *Builder, x Value) Value {
	m, u, big := complement(b, x)
	y := b.FNMA(log(b, F64, u), b.Poly(u, ellipkJoint[1]...), b.Poly(u, ellipkJoint[0]...))
	return b.Mul(y, b.Blend(big, b.Div(b.F(F64, 1), b.Sqrt(m)), b.F(F64, 1)))
}

func ellipe(b *Builder, x Value) Value {
	one := b.F(F64, 1)
	m, u, big := complement(b, x)
	y := b.FNMA(log(b, F64, u), b.Poly(u, ellipeJoint[1]...), b.Poly(u, ellipeJoint[0]...))
	y = b.Mul(b.FMA(u, y, one), b.Blend(big, b.Sqrt(m), one))
	return b.Blend(b.EQ(m, b.F(F64, 0)), one, y)
}

// complement is m = 1 - x, and m or its inverse, whichever is at most 1.
func complement(b *Builder, x Value) (m, u, big Value) {
	one := b.F(F64, 1)
	m = b.Sub(one, x)
	big = b.GT(m, one)
	return m, b.Blend(big, b.Div(one, m), m), big
}
