package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Functions that are an exponential times a smooth one: pieces by a + 2 for a = |x| below 29, a series in 1/a beyond.
func init() {
	for id, f := range map[ops.ID]func(b *Builder, x Value) Value{ops.Erfcx: erfcx, ops.Dawson: dawson, ops.Erfi: erfi, ops.BesselI0: besselI0, ops.BesselI1: besselI1,
		ops.BesselI0x: besselI0x, ops.BesselI1x: besselI1x} {
		register(id, func(b *Builder, t Type, x []Value) Value {
			if t == F32 {
				return b.inFloat64(func(x ...Value) Value { return f(b, x[0]) }, x...)
			}
			return f(b, x[0])
		})
	}
}

const smoothTop = 29

// smooth is the piece of a, 0 ≤ a, and whether that is beyond the pieces.
func (p pieces) smooth(b *Builder, a Value) (y, beyond Value) {
	top := b.F(F64, smoothTop)
	near := b.Min(top, a)
	c0, s, q := p.of(b, near, b.Add(near, b.F(F64, 2)), 2)
	return b.FMA(s, q, c0), b.GT(a, top)
}

// growing is y·e^(x+xl), xl may be None.
func growing(b *Builder, y, x, xl Value) Value {
	hi, lo, n := exponential(b, F64, x, xl, false)
	return b.scale(b.FMA(hi, y, b.Mul(lo, y)), n)
}

// erfcxFar is √π·a·erfcx(a) by 1/a² (Abramowitz & Stegun 7.1.23).
var erfcxFar = []float64{1, -1. / 2, 3. / 4, -15. / 8, 105. / 16, -945. / 32, 10395. / 64, -135135. / 128}

func erfcx(b *Builder, x Value) Value {
	a := b.Abs(x)
	y, beyond := erfcx64Pieces.smooth(b, a)
	r := b.Div(b.F(F64, 1), a)
	far := b.Mul(b.Mul(r, b.F(F64, 1/math.SqrtPi)), b.Poly(b.Mul(r, r), erfcxFar...))
	y = b.Blend(beyond, far, y)
	c := b.Min(b.F(F64, 27), a) // from there on it is infinite
	sq, sl := b.product(c, c)
	return b.Blend(b.LT(x, b.F(F64, 0)), b.Sub(growing(b, b.F(F64, 2), sq, sl), y), y)
}

func dawson(b *Builder, x Value) Value {
	a := b.Abs(x)
	y, beyond := dawson64Pieces.smooth(b, a)
	r := b.Div(b.F(F64, 1), a)
	far := b.Mul(b.Mul(r, b.F(F64, 0.5)), b.Poly(b.Mul(r, r), dawsonFar...))
	return b.Or(b.Blend(beyond, far, b.Mul(a, y)), b.signOf(x))
}

// erfi is 2/√π·e^(x²)·dawson(x).
func erfi(b *Builder, x Value) Value {
	a := b.Min(b.F(F64, 27), b.Abs(x)) // from there on it is infinite
	y, _ := dawson64Pieces.smooth(b, a)
	sq, sl := b.product(a, a)
	return b.Or(growing(b, b.Mul(b.Mul(a, y), b.F(F64, 2/math.SqrtPi)), sq, sl), b.signOf(x))
}

func besselI0(b *Builder, x Value) Value {
	a := b.Min(b.F(F64, 720), b.Abs(x)) // from there on it is infinite
	return growing(b, besselI0Of(b, a), a, None)
}

func besselI1(b *Builder, x Value) Value {
	a := b.Min(b.F(F64, 720), b.Abs(x))
	return b.Or(growing(b, besselI1Of(b, a), a, None), b.signOf(x))
}

func besselI0x(b *Builder, x Value) Value { return besselI0Of(b, b.Abs(x)) }

func besselI1x(b *Builder, x Value) Value { return b.Or(besselI1Of(b, b.Abs(x)), b.signOf(x)) }

// besselI0Of and besselI1Of are the functions of a ≥ 0 times exp(-a).
func besselI0Of(b *Builder, a Value) Value {
	y, beyond := i064Pieces.smooth(b, a)
	return b.Blend(beyond, overRoot(b, a, besselI0Far), y)
}

func besselI1Of(b *Builder, a Value) Value {
	y, beyond := i164Pieces.smooth(b, a)
	return b.Blend(beyond, overRoot(b, a, besselI1Far), b.Mul(a, y))
}

// overRoot is a series by 1/a over √a.
func overRoot(b *Builder, a Value, series []float64) Value {
	r := b.Div(b.F(F64, 1), a)
	return b.Mul(b.Sqrt(r), b.Poly(r, series...))
}
