package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// airyFunction is one of Airy's functions and their derivatives: pieces of width 1 from -8 to 8; beyond, by ζ = ⅔|x|^(3/2), a series in
// 1/ζ and e^±ζ where x > 0, an amplitude and a sine where x < 0. Those that are scaled have e^∓ζ up to 8, and nothing beyond.
type airyFunction struct {
	pieces     pieces
	far        []float64
	wave       wave
	turn       int64
	grows      bool // as e^ζ
	derivative bool
	scaled     bool
}

// twoThirdsLow is ⅔ less what a float64 has of it.
const twoThirdsLow = 0x1.5555555555555p-55

func init() {
	value, slope := wave{airyAiAmplitude, airyAiPhase, nil}, wave{airyAiPrimeAmplitude, airyAiPrimePhase, nil}
	for id, f := range map[ops.ID]airyFunction{
		ops.AiryAi:       {airyAiPieces, airyAiFar, value, 4, false, false, false},
		ops.AiryAiPrime:  {airyAiPrimePieces, airyAiPrimeFar, slope, -4, false, true, false},
		ops.AiryBi:       {airyBiPieces, airyBiFar, value, 12, true, false, false},
		ops.AiryBiPrime:  {airyBiPrimePieces, airyBiPrimeFar, slope, 4, true, true, false},
		ops.AiryAix:      {airyAiPieces, airyAiFar, value, 4, false, false, true},
		ops.AiryAiPrimex: {airyAiPrimePieces, airyAiPrimeFar, slope, -4, false, true, true},
		ops.AiryBix:      {airyBiPieces, airyBiFar, value, 12, true, false, true},
		ops.AiryBiPrimex: {airyBiPrimePieces, airyBiPrimeFar, slope, 4, true, true, true},
	} {
		scalar := id.Row().Eval
		beyond := func(a float64) float64 { return scalar(a, 0, 0) }
		limits[id][F32], limits[id][F64] = &Limits{-1 << 14, 1 << 14, beyond}, &Limits{-1 << 14, 1 << 14, beyond} // ζ is within turnsEnd
		if f.scaled {
			limits[id][F32].Hi, limits[id][F64].Hi = math.MaxFloat32, 0x1p600 // and has an inverse
		}
		registerWide(id, f.of)
	}
}

func (f *airyFunction) of(b *Builder, x Value) Value {
	a := b.Max(b.F(F64, 0x1p-200), b.Abs(x)) // for ζ's inverse
	near := f.pieces.slice(b, x, -8)
	// ζ in two parts: a root of as many, times a, times ⅔.
	s := b.Sqrt(a)
	p, pl := b.product(a, s)
	z, zl := b.product(p, b.F(F64, 2./3))
	w := b.Div(b.F(F64, 1), z)
	sl := b.Mul(b.FNMA(s, s, a), b.Mul(w, b.Mul(a, b.F(F64, 1./3)))) // what the root lost: half the rest over it, and 1/√a = ⅔·a·w
	pl = b.FMA(a, sl, pl)
	zl = b.FMA(p, b.F(F64, twoThirdsLow), b.FMA(pl, b.F(F64, 2./3), zl))
	size := s
	if !f.derivative {
		size = b.Mul(w, b.Mul(a, b.F(F64, 2./3)))
	}
	size = b.Sqrt(size) // a^±¼
	right := b.Mul(size, b.Poly(w, f.far...))
	e, el := b.Min(b.F(F64, 760), z), zl
	if f.grows == f.scaled {
		e, el = b.Neg(e), b.Neg(zl)
	}
	if f.scaled {
		near = b.Blend(b.GT(x, b.F(F64, 0)), growing(b, near, e, el), near)
	} else {
		right = growing(b, right, e, el)
	}
	w2 := b.Mul(w, w)
	hi, lo := fastSum(b, z, b.Mul(w, b.Poly(w2, f.wave.phase...)))
	left := b.Mul(b.Mul(size, b.Poly(w2, f.wave.amplitude...)), sineOf(b, hi, b.Add(lo, zl), f.turn))
	if f.scaled && !f.grows {
		left = b.F(F64, math.NaN())
		near = b.Or(near, b.LT(x, b.F(F64, 0)))
	}
	eight := b.F(F64, 8)
	return b.Blend(b.GT(a, eight), b.Blend(b.GT(x, eight), right, left), near)
}
