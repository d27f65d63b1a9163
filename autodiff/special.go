package autodiff

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Functions of several arguments are methods of the first one, in the order that SciPy and SpecialFunctions.jl have
// them. A number as the first argument is [Const]: ad.Const(2.5).BesselJ(x); the orders 0 and 1, so given, are BesselJ0
// and the like and as fast. A derivative that is not known, as that by an order of a Bessel function, is NaN; that by a
// number is never asked for.

// GammaInc is the regularized lower incomplete gamma function P(a, x) of a > 0 and x ≥ 0, NaN elsewhere, with first and
// second derivatives by both. Its error is at most 6·2⁻⁵² for a ≤ 60 and x ≤ 700, and grows to about a·2⁻⁵³ beyond.
func (a Value) GammaInc(x Value) Value { return pointwise(ops.GammaInc, a, x) }

// GammaIncc is 1 - GammaInc, accurate where that is close to 1.
func (a Value) GammaIncc(x Value) Value { return pointwise(ops.GammaIncc, a, x) }

// BetaInc is the regularized incomplete beta function I_x(a, b) of a, b > 0 and 0 ≤ x ≤ 1, NaN elsewhere, with first and
// second derivatives by all three. For a and b from 2⁻¹⁰ to 40 its error is at most about 10·2⁻⁵³, of the result up to x = (a+1)/(a+b+2) and of
// 1 beyond; it grows with larger a and b, to about (a+b)·2⁻⁵² of it.
func (a Value) BetaInc(b, x Value) Value { return pointwise(ops.BetaInc, a, b, x) }

// InvDigamma is the positive inverse of Digamma.
func (x Value) InvDigamma() Value { return pointwise(ops.InvDigamma, x) }

// ExpintN is the exponential integral ∫ e^(-xt)/tⁿ dt from 1 to ∞, for real n, |n| ≤ 200, and x ≥ 0; Expint is that of
// n = 1. Close to a whole n, but not at it, and below x = 1 it loses digits.
func (n Value) ExpintN(x Value) Value { return pointwise(ops.ExpintN, n, x) }

// BesselJ is the Bessel function of the first kind of real order n, |n| ≤ 200, at x; of negative x it is NaN unless n is
// whole. Near its zeros the error is some 10⁻¹⁵, not relative to the result. The derivative by the order is not known, here
// and of the other functions of an order: it is NaN, as in DiffRules.jl, where it is asked for.
func (n Value) BesselJ(x Value) Value { return pointwise(ops.BesselJ, n, x) }

// BesselY is the Bessel function of the second kind of real order n, |n| ≤ 200: -Inf at 0, NaN below. Near its zeros the
// error is some 10⁻¹⁵.
func (n Value) BesselY(x Value) Value { return pointwise(ops.BesselY, n, x) }

// BesselI is the modified Bessel function of the first kind of real order n, |n| ≤ 200; of negative x it is NaN unless
// n is whole.
func (n Value) BesselI(x Value) Value { return pointwise(ops.BesselI, n, x) }

// BesselIx is BesselI times e^-|x|, without overflow. Each order of derivatives of it, and of the other functions that
// are scaled, loses digits where x is large, by a factor of about that of the scale's own derivative.
func (n Value) BesselIx(x Value) Value { return pointwise(ops.BesselIx, n, x) }

// BesselK is the modified Bessel function of the second kind of real order n, |n| ≤ 200: Inf at 0, NaN below.
func (n Value) BesselK(x Value) Value { return pointwise(ops.BesselK, n, x) }

// BesselKx is BesselK times eˣ, without underflow.
func (n Value) BesselKx(x Value) Value { return pointwise(ops.BesselKx, n, x) }

// AiryAi is Airy's function Ai. For negative x the errors of it and its kin are some 10⁻¹⁵ of their amplitude.
func (x Value) AiryAi() Value { return pointwise(ops.AiryAi, x) }

// AiryAiPrime is the derivative of AiryAi.
func (x Value) AiryAiPrime() Value { return pointwise(ops.AiryAiPrime, x) }

// AiryBi is Airy's function Bi.
func (x Value) AiryBi() Value { return pointwise(ops.AiryBi, x) }

// AiryBiPrime is the derivative of AiryBi.
func (x Value) AiryBiPrime() Value { return pointwise(ops.AiryBiPrime, x) }

// AiryAix is AiryAi times e^(⅔x^(3/2)), without underflow; NaN below 0.
func (x Value) AiryAix() Value { return pointwise(ops.AiryAix, x) }

// AiryAiPrimex is AiryAiPrime times e^(⅔x^(3/2)); NaN below 0.
func (x Value) AiryAiPrimex() Value { return pointwise(ops.AiryAiPrimex, x) }

// AiryBix is AiryBi times e^(-⅔x^(3/2)), without overflow; AiryBi itself below 0.
func (x Value) AiryBix() Value { return pointwise(ops.AiryBix, x) }

// AiryBiPrimex is AiryBiPrime times e^(-⅔x^(3/2)); AiryBiPrime itself below 0.
func (x Value) AiryBiPrimex() Value { return pointwise(ops.AiryBiPrimex, x) }

// ErfTo is erf y - erf x, the integral from x to y, accurate where both are large.
func (x Value) ErfTo(y Value) Value {
	density := func(x Value) Value { return x.Square().Neg().Exp().Scale(2 / math.SqrtPi) }
	return ruled2("ErfTo", x, y,
		func(x, y Value) Value {
			zero := Const(0)
			up := x.Erfc().Sub(y.Erfc())
			down := y.Neg().Erfc().Sub(x.Neg().Erfc())
			return Where(x.Gt(zero).And(y.Gt(zero)), up, Where(x.Lt(zero).And(y.Lt(zero)), down, y.Erf().Sub(x.Erf())))
		},
		func(x, y Value) (dx, dy Value) { return density(x).Neg(), density(y) })
}

// Rem2Pi is x less the nearest multiple of 2π, itself not rounded: the angle of x in [-π, π].
func (x Value) Rem2Pi() Value {
	return ruled1("Rem2Pi", x,
		func(x Value) Value { return x.Sin().Atan2(x.Cos()) },
		func(x, _ Value) Value { return x.FullLike(1) })
}

// Mod2Pi is x less the multiple of 2π below it, itself not rounded: the angle of x in [0, 2π).
func (x Value) Mod2Pi() Value {
	return ruled1("Mod2Pi", x,
		func(x Value) Value {
			r := x.Sin().Atan2(x.Cos())
			return Where(r.Lt(Const(0)), r.Shift(2*math.Pi), r)
		},
		func(x, _ Value) Value { return x.FullLike(1) })
}

// Ldexp is x·2ⁿ, for whole n of x's type.
func (x Value) Ldexp(n Value) Value {
	n = n.StopGradient()
	half := n.Scale(0.5).Floor()
	return x.Mul(half.Exp2()).Mul(n.Sub(half).Exp2())
}

// Log1pmx is log(1 + x) - x, accurate near 0.
func (x Value) Log1pmx() Value {
	return ruled1("Log1pmx", x, log1pmx, func(x, _ Value) Value { return x.Div(x.Shift(1)).Neg() })
}

// Logmxp1 is log x - x + 1, accurate near 1.
func (x Value) Logmxp1() Value {
	return ruled1("Logmxp1", x, func(x Value) Value { return log1pmx(x.Shift(-1)) },
		func(x, _ Value) Value { return Const(1).Sub(x).Div(x) })
}

// log1pmx is -x·r + 2r³·(1/3 + r²/5 + …) with r = x/(2 + x) near 0, which is 2·artanh r less x.
func log1pmx(x Value) Value {
	r := x.Div(x.Shift(2))
	z := r.Square()
	const terms = 18
	series := z.FullLike(1.0 / (2*terms + 3))
	for k := terms - 1; k >= 0; k-- {
		series = series.FMA(z, z.FullLike(1/float64(2*k+3)))
	}
	near := r.Mul(z.Mul(series).Scale(2).Sub(x))
	return Where(x.Abs().Lt(Const(0.5)), near, x.Log1p().Sub(x))
}
