package autodiff

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// The functions of this file are composed of operations. They hold their accuracy, a few ULP of the result unless
// something else is said, over their whole range, and so do their derivatives, of any order: those whose
// composition would lose digits, overflow or give NaN on the way have a rule of their own. NaN gives NaN.

// ruled is f of values of one shape after broadcasting, with d its derivatives by each of them. A derivative that
// meets a zero contributes exactly 0, even where it is infinite.
func ruled(op string, f func(x []Value) Value, d func(x []Value, y Value) []Value, xs ...Value) Value {
	return apply(op, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		s := in[0].Shape
		for _, x := range in[1:] {
			s = ir.BroadcastShapes(op, s, x.Shape)
		}
		wide := make([]*ir.Node, len(in))
		for i, x := range in {
			if !x.Type.IsFloat() || x.Type != in[0].Type {
				ir.Fail(op, "of %v: floats of one type are needed", x.Type)
			}
			wide[i] = g.BroadcastTo(op, x, s)
		}
		times := func(g *ir.Graph, ct *ir.Node, d Value) *ir.Node {
			return g.Map(ops.MulZ, ct, d.node(g, op, ct.Type))
		}
		r := &ir.Rule{Name: op,
			VJP: func(g *ir.Graph, x, y, cts []*ir.Node) []*ir.Node {
				back := make([]*ir.Node, len(x))
				for i, d := range d(values(x), Value{n: y[0]}) {
					back[i] = times(g, cts[0], d)
				}
				return back
			},
			JVP: func(g *ir.Graph, x, y, ts []*ir.Node) []*ir.Node {
				var sum *ir.Node
				for i, d := range d(values(x), Value{n: y[0]}) {
					if ts[i] == nil {
						continue
					}
					if t := times(g, ts[i], d); sum == nil {
						sum = t
					} else {
						sum = g.Apply(ops.Add, sum, t)
					}
				}
				return []*ir.Node{sum}
			}}
		return g.Custom(r, wide, func(x []*ir.Node) []*ir.Node { return []*ir.Node{f(values(x)).n} })[0]
	}, xs...)
}

// ruled1 is ruled of one argument.
func ruled1(op string, x Value, f func(x Value) Value, d func(x, y Value) Value) Value {
	return ruled(op, func(x []Value) Value { return f(x[0]) },
		func(x []Value, y Value) []Value { return []Value{d(x[0], y)} }, x)
}

// ruled2 is ruled of two arguments.
func ruled2(op string, x, y Value, f func(x, y Value) Value, d func(x, y Value) (dx, dy Value)) Value {
	return ruled(op, func(x []Value) Value { return f(x[0], x[1]) },
		func(x []Value, _ Value) []Value { dx, dy := d(x[0], x[1]); return []Value{dx, dy} }, x, y)
}

// Trigonometry.

// Sec is 1/cos x.
func (x Value) Sec() Value { return x.Cos().Reciprocal() }

// Csc is 1/sin x.
func (x Value) Csc() Value { return x.Sin().Reciprocal() }

// Cot is 1/tan x.
func (x Value) Cot() Value { return x.Cos().Div(x.Sin()) }

// Asec is the arc secant, acos(1/x), NaN inside (-1, 1).
func (x Value) Asec() Value {
	return ruled1("Asec", x,
		func(x Value) Value { return beyondOne(x).Atan2(x.Sign()) },
		func(x, _ Value) Value { return beyondOne(x).Mul(x.Abs()).Reciprocal() })
}

// Acsc is the arc cosecant, asin(1/x), NaN inside (-1, 1).
func (x Value) Acsc() Value {
	return ruled1("Acsc", x,
		func(x Value) Value { return x.Sign().Mul(x.FullLike(1).Atan2(beyondOne(x))) },
		func(x, _ Value) Value { return beyondOne(x).Mul(x.Abs()).Reciprocal().Neg() })
}

// beyondOne is √(x² - 1).
func beyondOne(x Value) Value {
	a := x.Abs()
	return a.Shift(-1).Sqrt().Mul(a.Shift(1).Sqrt())
}

// Acot is the arc cotangent, atan(1/x): odd, with a jump at 0.
func (x Value) Acot() Value {
	return ruled1("Acot", x,
		func(x Value) Value { return x.Reciprocal().Atan() },
		func(x, _ Value) Value { return x.Hypot(Const(1)).Reciprocal().Square().Neg() })
}

const degree = math.Pi / 180

// Deg2Rad is x degrees in radians.
func (x Value) Deg2Rad() Value { return x.Scale(degree) }

// Rad2Deg is x radians in degrees.
func (x Value) Rad2Deg() Value { return x.Scale(1 / degree) }

// turned is what is left of x after n, a whole number, half turns of size half, and 1 or -1 as n is even or odd.
func turned(x Value, half float64) (rest, sign Value) {
	n := x.Scale(1 / half).Round()
	odd := n.Sub(n.Scale(0.5).Floor().Scale(2))
	return n.FMA(x.FullLike(-half), x), Const(1).Sub(odd.Scale(2))
}

// sinOf and cosOf are sine and cosine of x in units of which half make half a turn.
func sinOf(x Value, half float64) Value {
	rest, sign := turned(x, half)
	return rest.Scale(math.Pi / half).Sin().Mul(sign)
}

func cosOf(x Value, half float64) Value {
	rest, sign := turned(x, half)
	a := rest.Abs()
	c := Where(a.Lt(Const(half/4)), a.Scale(math.Pi/half).Cos(), a.Neg().Shift(half/2).Scale(math.Pi/half).Sin())
	return c.Mul(sign)
}

func sinRuled(op string, x Value, half float64) Value {
	return ruled1(op, x, func(x Value) Value { return sinOf(x, half) },
		func(x, _ Value) Value { return cosRuled(op, x, half).Scale(math.Pi / half) })
}

func cosRuled(op string, x Value, half float64) Value {
	return ruled1(op, x, func(x Value) Value { return cosOf(x, half) },
		func(x, _ Value) Value { return sinRuled(op, x, half).Scale(-math.Pi / half) })
}

// SinPi is sin(πx), exact at whole and half numbers; NaN at ±Inf.
func (x Value) SinPi() Value { return sinRuled("SinPi", x, 1) }

// CosPi is cos(πx), exact at whole and half numbers; NaN at ±Inf.
func (x Value) CosPi() Value { return cosRuled("CosPi", x, 1) }

// Sind is the sine of x degrees, exact at multiples of 90; NaN at ±Inf.
func (x Value) Sind() Value { return sinRuled("Sind", x, 180) }

// Cosd is the cosine of x degrees, exact at multiples of 90; NaN at ±Inf.
func (x Value) Cosd() Value { return cosRuled("Cosd", x, 180) }

// Tand is the tangent of x degrees.
func (x Value) Tand() Value { return x.Sind().Div(x.Cosd()) }

// Secd is 1/Cosd.
func (x Value) Secd() Value { return x.Cosd().Reciprocal() }

// Cscd is 1/Sind.
func (x Value) Cscd() Value { return x.Sind().Reciprocal() }

// Cotd is 1/Tand.
func (x Value) Cotd() Value { return x.Cosd().Div(x.Sind()) }

// Asind is the arc sine in degrees.
func (x Value) Asind() Value { return x.Asin().Rad2Deg() }

// Acosd is the arc cosine in degrees.
func (x Value) Acosd() Value { return x.Acos().Rad2Deg() }

// Atand is the arc tangent in degrees.
func (x Value) Atand() Value { return x.Atan().Rad2Deg() }

// Asecd is the arc secant in degrees.
func (x Value) Asecd() Value { return x.Asec().Rad2Deg() }

// Acscd is the arc cosecant in degrees.
func (x Value) Acscd() Value { return x.Acsc().Rad2Deg() }

// Acotd is the arc cotangent in degrees.
func (x Value) Acotd() Value { return x.Acot().Rad2Deg() }

// Sinc is sin(πx)/(πx), 1 at 0.
func (x Value) Sinc() Value {
	near := x.Abs().Lt(Const(0.5))
	z := x.Scale(math.Pi).Square()
	series := z.FullLike(0)
	c := 1.0 // 1/(2k+1)!
	var cs []float64
	for k := range 13 {
		cs = append(cs, c)
		c /= -float64((2*k + 2) * (2*k + 3))
	}
	for k := len(cs) - 1; k >= 0; k-- {
		series = series.FMA(z, z.FullLike(cs[k]))
	}
	return Where(near, series, x.SinPi().Div(x.Scale(math.Pi)))
}

// Hyperbolic functions.

// Sech is 1/cosh x.
func (x Value) Sech() Value {
	return ruled1("Sech", x,
		func(x Value) Value {
			e := x.Abs().Neg().Exp()
			return e.Scale(2).Div(e.Square().Shift(1))
		},
		func(x, y Value) Value { return y.Mul(x.Tanh()).Neg() })
}

// Csch is 1/sinh x, ±Inf at ±0.
func (x Value) Csch() Value {
	return ruled1("Csch", x,
		func(x Value) Value {
			a := x.Abs().Neg()
			y := a.Exp().Scale(-2).Div(a.Scale(2).Expm1())
			return Where(x.Eq(Const(0)), x.Reciprocal(), y.Mul(x.Sign()))
		},
		func(x, y Value) Value { return y.Mul(x.Coth()).Neg() })
}

// Coth is 1/tanh x, ±Inf at ±0.
func (x Value) Coth() Value {
	return ruled1("Coth", x,
		func(x Value) Value { return x.Tanh().Reciprocal() },
		func(x, _ Value) Value { return x.Csch().Square().Neg() })
}

// Asech is the inverse of Sech, acosh(1/x), NaN outside [0, 1].
func (x Value) Asech() Value {
	return ruled1("Asech", x,
		func(x Value) Value {
			u := Const(1).Sub(x)
			v := x.Shift(1)
			return Where(x.Gt(Const(0.5)), u.Div(v).Sqrt().Atanh().Scale(2), u.Mul(v).Sqrt().Shift(1).Div(x).Log())
		},
		func(x, _ Value) Value { return Const(1).Sub(x).Mul(x.Shift(1)).Rsqrt().Div(x).Neg() })
}

// Acsch is the inverse of Csch, asinh(1/x), ±Inf at ±0.
func (x Value) Acsch() Value {
	return ruled1("Acsch", x,
		func(x Value) Value { return x.Reciprocal().Asinh() },
		func(x, _ Value) Value { return x.Abs().Mul(x.Hypot(Const(1))).Reciprocal().Neg() })
}

// Acoth is the inverse of Coth, atanh(1/x), NaN inside (-1, 1).
func (x Value) Acoth() Value {
	return ruled1("Acoth", x,
		func(x Value) Value {
			return Const(2).Div(x.Abs().Shift(-1)).Log1p().Scale(0.5).Mul(x.Sign())
		},
		func(x, _ Value) Value { return Const(1).Sub(x).Mul(x.Shift(1)).Reciprocal() })
}

// Logarithms, exponentials and their family.

// Exp10 is 10ˣ.
func (x Value) Exp10() Value { return x.FullLike(10).Pow(x) }

// LogBase is the logarithm of x to base b.
func (x Value) LogBase(b Value) Value { return x.Log().Div(b.Log()) }

// Log1pExp is log(1 + eˣ): Softplus.
func (x Value) Log1pExp() Value { return x.Softplus() }

// Logistic is 1/(1 + e⁻ˣ): Sigmoid.
func (x Value) Logistic() Value { return x.Sigmoid() }

// Logit is log(x/(1 - x)), the inverse of Logistic: ±Inf at 1 and 0, NaN beyond.
func (x Value) Logit() Value {
	return ruled1("Logit", x,
		func(x Value) Value {
			u := x.Scale(2).Shift(-1)
			return Where(u.Abs().Lt(Const(0.5)), u.Atanh().Scale(2), x.Log().Sub(x.Neg().Log1p()))
		},
		func(x, _ Value) Value { return x.Mul(Const(1).Sub(x)).Reciprocal() })
}

// Log1pSquare is log(1 + x²), without overflow.
func (x Value) Log1pSquare() Value {
	const large = 1 << 27 // beyond it 1 + x² is x²
	return ruled1("Log1pSquare", x,
		func(x Value) Value {
			return Where(x.Abs().Gt(Const(large)), x.Abs().Log().Scale(2), x.Square().Log1p())
		},
		func(x, _ Value) Value {
			return Where(x.Abs().Gt(Const(large)), Const(2).Div(x), x.Scale(2).Div(x.Square().Shift(1)))
		})
}

// Log1mExp is log(1 - eˣ) of x ≤ 0: -Inf at 0, NaN above.
func (x Value) Log1mExp() Value {
	return ruled1("Log1mExp", x,
		func(x Value) Value {
			return Where(x.Gt(Const(-math.Ln2)), x.Expm1().Neg().Log(), x.Exp().Neg().Log1p())
		},
		func(x, _ Value) Value { return x.Neg().Expm1().Reciprocal().Neg() })
}

// Log2mExp is log(2 - eˣ) of x ≤ log 2: -Inf there, NaN above.
func (x Value) Log2mExp() Value { return x.Expm1().Neg().Log1p() }

// LogExpm1 is log(eˣ - 1) of x ≥ 0, the inverse of Softplus, without overflow: -Inf at 0, NaN below.
func (x Value) LogExpm1() Value {
	return ruled1("LogExpm1", x,
		func(x Value) Value {
			return Where(x.Lt(Const(1)), x.Expm1().Log(), x.Add(x.Neg().Exp().Neg().Log1p()))
		},
		func(x, _ Value) Value { return x.Neg().Expm1().Reciprocal().Neg() })
}

// XLogX is x·log x, 0 at 0, where its derivative is -Inf.
func (x Value) XLogX() Value {
	return ruled1("XLogX", x,
		func(x Value) Value { return x.xTimes(x.Log(), x) },
		func(x, _ Value) Value { return x.Log().Shift(1) })
}

// XExpX is x·eˣ, 0 at -Inf.
func (x Value) XExpX() Value {
	return ruled1("XExpX", x,
		func(x Value) Value { return Where(x.Eq(Const(math.Inf(-1))), x.FullLike(0), x.Mul(x.Exp())) },
		func(x, y Value) Value { return x.Exp().Add(y) })
}

// xTimes is x·z, z a function of y: 0 where x is, unless y is NaN.
func (x Value) xTimes(z, y Value) Value {
	return Where(x.Eq(Const(0)).And(y.IsNaN().Not()), x.FullLike(0), x.Mul(z))
}

// XLogY is x·log y, 0 where x is 0 unless y is NaN; there its derivative by y is 0.
func (x Value) XLogY(y Value) Value {
	return ruled2("XLogY", x, y,
		func(x, y Value) Value { return x.xTimes(y.Log(), y) },
		func(x, y Value) (dx, dy Value) { return y.Log(), x.xTimes(y.Reciprocal(), y) })
}

// XLog1pY is x·log(1 + y), 0 where x is 0 unless y is NaN; there its derivative by y is 0.
func (x Value) XLog1pY(y Value) Value {
	return ruled2("XLog1pY", x, y,
		func(x, y Value) Value { return x.xTimes(y.Log1p(), y) },
		func(x, y Value) (dx, dy Value) { return y.Log1p(), x.xTimes(y.Shift(1).Reciprocal(), y) })
}

// LogAddExp is log(eˣ + eʸ), without overflow.
func (x Value) LogAddExp(y Value) Value {
	return ruled2("LogAddExp", x, y,
		func(x, y Value) Value {
			// Equal ones apart, so that infinite ones do not meet.
			return Where(x.Eq(y), x.Shift(math.Ln2), x.Max(y).Add(x.Sub(y).Abs().Neg().Exp().Log1p()))
		},
		func(x, y Value) (dx, dy Value) {
			d := Where(x.Eq(y), x.FullLike(0), x.Sub(y))
			return d.Sigmoid(), d.Neg().Sigmoid()
		})
}

// LogSubExp is log |eˣ - eʸ|, without overflow: -Inf where x = y.
func (x Value) LogSubExp(y Value) Value {
	return ruled2("LogSubExp", x, y,
		func(x, y Value) Value {
			return Where(x.Eq(y), x.FullLike(math.Inf(-1)), x.Max(y).Add(x.Sub(y).Abs().Neg().Log1mExp()))
		},
		func(x, y Value) (dx, dy Value) {
			return y.Sub(x).Expm1().Reciprocal().Neg(), x.Sub(y).Expm1().Reciprocal().Neg()
		})
}

// FloorMod is x - y·⌊x/y⌋, the remainder with y's sign; Mod has x's.
func (x Value) FloorMod(y Value) Value {
	m := x.Mod(y)
	apart := m.Ne(Const(0)).And(m.Lt(Const(0)).Xor(y.Lt(Const(0))))
	return Where(apart, m.Add(y), m)
}

// Special functions.

// Gamma is Γ(x). It is NaN at negative whole numbers and ±Inf at ±0, with derivatives NaN there.
func (x Value) Gamma() Value { return pointwise(ops.Gamma, x) }

// LogBeta is log B(x, y) = log Γ(x) + log Γ(y) - log Γ(x+y), for positive numbers; its error is that of the
// largest term.
func (x Value) LogBeta(y Value) Value { return x.Lgamma().Add(y.Lgamma()).Sub(x.Add(y).Lgamma()) }

// Beta is B(x, y) = Γ(x)·Γ(y)/Γ(x+y), for positive numbers: the exponential of LogBeta.
func (x Value) Beta(y Value) Value { return x.LogBeta(y).Exp() }

// Trigamma is the second derivative of log Γ.
func (x Value) Trigamma() Value { return pointwise(ops.Trigamma, x) }

// Erfcinv is the inverse of Erfc: erfinv(1 - x), below 0.1 by Newton's method for log erfc.
func (x Value) Erfcinv() Value {
	return ruled1("Erfcinv", x,
		func(x Value) Value {
			small := x.Gt(Const(0)).And(x.Lt(Const(0.1)))
			log := Where(small, x, x.FullLike(0.05)).Log()
			y := log.Neg().Sub(log.Scale(-math.Pi).Log().Scale(0.5)).Sqrt()
			for range 3 { // erfc's logarithm is nearly a parabola
				y = y.Add(y.LogErfc().Sub(log).Mul(y.Erfcx()).Scale(math.Sqrt(math.Pi) / 2))
			}
			return Where(small, y, Const(1).Sub(x).Erfinv())
		},
		func(_, y Value) Value { return y.Square().Exp().Scale(-math.Sqrt(math.Pi) / 2) })
}

// Erfcx is e^(x²)·erfc(x), without overflow for positive x. Each order of its derivatives loses digits there, by a
// factor of about 2x².
func (x Value) Erfcx() Value { return pointwise(ops.Erfcx, x) }

// LogErfcx is log erfcx(x), with Erfcx's loss in derivatives.
func (x Value) LogErfcx() Value { return x.Erfcx().Log() }

// LogErfc is log erfc(x), without underflow.
func (x Value) LogErfc() Value {
	return ruled1("LogErfc", x,
		func(x Value) Value {
			return Where(x.Gt(Const(1)), x.LogErfcx().Sub(x.Square()), x.Erf().Neg().Log1p())
		},
		func(x, _ Value) Value {
			low := x.Square().Neg().Exp().Div(x.Erfc()) // for negative x, where erfcx overflows
			return Where(x.Gt(Const(0)), x.Erfcx().Reciprocal(), low).Scale(-2 / math.SqrtPi)
		})
}

// Erfi is erf(ix)/i.
func (x Value) Erfi() Value { return pointwise(ops.Erfi, x) }

// Dawson is Dawson's function, √π/2·e^(-x²)·erfi(x). Each order of its derivatives loses digits for large x, by a
// factor of about 2x².
func (x Value) Dawson() Value { return pointwise(ops.Dawson, x) }

// BesselJ0 is the Bessel function of the first kind of order 0. Near zeros of it and its kin the error is some
// 10⁻¹⁶, not relative to the result.
func (x Value) BesselJ0() Value { return pointwise(ops.BesselJ0, x) }

// BesselJ1 is the Bessel function of the first kind of order 1.
func (x Value) BesselJ1() Value { return pointwise(ops.BesselJ1, x) }

// BesselY0 is the Bessel function of the second kind of order 0: -Inf at 0, NaN below.
func (x Value) BesselY0() Value { return pointwise(ops.BesselY0, x) }

// BesselY1 is the Bessel function of the second kind of order 1: -Inf at 0, NaN below.
func (x Value) BesselY1() Value { return pointwise(ops.BesselY1, x) }

// BesselI0 is the modified Bessel function of the first kind of order 0.
func (x Value) BesselI0() Value { return pointwise(ops.BesselI0, x) }

// BesselI1 is the modified Bessel function of the first kind of order 1.
func (x Value) BesselI1() Value { return pointwise(ops.BesselI1, x) }

// BesselK0 is the modified Bessel function of the second kind of order 0: Inf at 0, NaN below.
func (x Value) BesselK0() Value { return pointwise(ops.BesselK0, x) }

// BesselK1 is the modified Bessel function of the second kind of order 1: Inf at 0, NaN below.
func (x Value) BesselK1() Value { return pointwise(ops.BesselK1, x) }

// BesselI0x is BesselI0 times e^-|x|, without overflow; see BesselIx.
func (x Value) BesselI0x() Value { return pointwise(ops.BesselI0x, x) }

// BesselI1x is BesselI1 times e^-|x|, without overflow; its second derivative at 0, where it has none, is 0.
func (x Value) BesselI1x() Value { return pointwise(ops.BesselI1x, x) }

// BesselK0x is BesselK0 times eˣ, without underflow.
func (x Value) BesselK0x() Value { return pointwise(ops.BesselK0x, x) }

// BesselK1x is BesselK1 times eˣ, without underflow.
func (x Value) BesselK1x() Value { return pointwise(ops.BesselK1x, x) }

// Expint is the exponential integral E₁(x) = ∫ e⁻ᵗ/t dt from x to ∞: Inf at 0, NaN below.
func (x Value) Expint() Value { return pointwise(ops.Expint, x) }

// Sinint is the sine integral, ∫ sin(t)/t dt from 0 to x.
func (x Value) Sinint() Value { return pointwise(ops.Sinint, x) }

// Cosint is the cosine integral, γ + log x + ∫ (cos t - 1)/t dt from 0 to x: -Inf at 0, NaN below.
func (x Value) Cosint() Value { return pointwise(ops.Cosint, x) }

// Ellipk is the complete elliptic integral K of parameter x = k²: Inf at 1, NaN above.
func (x Value) Ellipk() Value { return pointwise(ops.Ellipk, x) }

// Ellipe is the complete elliptic integral E of parameter x = k²; NaN above 1.
func (x Value) Ellipe() Value { return pointwise(ops.Ellipe, x) }

// Zeta is Hurwitz's zeta function Σ (q + k)⁻ˣ over k ≥ 0 for x > 1 and q > 0, else NaN; Riemann's at q = 1. It has
// no derivative by x.
func (x Value) Zeta(q Value) Value { return pointwise(ops.Zeta, x, q) }
