package autodiff

import (
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// apply is an operation on values: recorded where one of them is, computed at once where all are arrays.
// Bare numbers take the type of the first value that is none.
func apply(op string, f func(g *ir.Graph, x []*ir.Node) *ir.Node, xs ...Value) Value {
	return applyTyped(op, recipe{}, f, xs, xs)
}

// applyAs is apply of an f that the recipe tells from all others.
func applyAs(op string, as recipe, f func(g *ir.Graph, x []*ir.Node) *ir.Node, xs ...Value) Value {
	return applyTyped(op, as, f, xs, xs)
}

// applyTyped is applyAs where only the values of like decide about the type of bare numbers.
func applyTyped(op string, as recipe, f func(g *ir.Graph, x []*ir.Node) *ir.Node, like, xs []Value) Value {
	t := dtype.Invalid
	for _, v := range like {
		if v.IsValid() && (v.n != nil || !v.a.weak) {
			t = v.DType().t
			break
		}
	}
	g := graphOf(xs)
	if g == nil {
		y := eager(op, as, f, t, xs)
		if t == dtype.Invalid && len(xs) > 0 && y.a.t == dtype.F64 && len(y.a.dims) == 0 {
			return Const(y.Item()) // of bare numbers
		}
		return y
	}
	in := make([]*ir.Node, len(xs))
	for i, v := range xs {
		in[i] = v.node(g, op, t)
	}
	return Value{n: f(g, in)}
}

// graphOf is the graph of the first recorded value.
func graphOf(xs []Value) *ir.Graph {
	for _, v := range xs {
		if v.n != nil {
			return v.n.Graph
		}
	}
	return nil
}

func pointwise(op ops.ID, xs ...Value) Value {
	return applyAs(ir.PublicName(op), recipe{name: "Map", variant: int(op)}, func(g *ir.Graph, x []*ir.Node) *ir.Node { return g.Map(op, x...) }, xs...)
}

// Add is x + y. Shapes broadcast by NumPy's rule here and in all operations of several arguments: aligned
// at the right, an axis of size 1 repeats.
func (x Value) Add(y Value) Value { return pointwise(ops.Add, x, y) }

// Sub is x - y.
func (x Value) Sub(y Value) Value { return pointwise(ops.Sub, x, y) }

// Mul is x·y, element by element; see MatMul for matrices.
func (x Value) Mul(y Value) Value { return pointwise(ops.Mul, x, y) }

// Div is x/y. Integers are cut toward zero; an integer divided by 0 is 0.
func (x Value) Div(y Value) Value { return pointwise(ops.Div, x, y) }

// Scale is c·x.
func (x Value) Scale(c float64) Value { return x.Mul(Const(c)) }

// Shift is x + c.
func (x Value) Shift(c float64) Value { return x.Add(Const(c)) }

// Neg is -x.
func (x Value) Neg() Value { return pointwise(ops.Neg, x) }

// Abs is |x|; its derivative at 0 is 0.
func (x Value) Abs() Value { return pointwise(ops.Abs, x) }

// Sign is -1, 0 or 1; ±0 and NaN stay what they are.
func (x Value) Sign() Value { return pointwise(ops.Sign, x) }

// Square is x².
func (x Value) Square() Value { return pointwise(ops.Square, x) }

// Sqrt is √x, NaN for negative x.
func (x Value) Sqrt() Value { return pointwise(ops.Sqrt, x) }

// Rsqrt is 1/√x.
func (x Value) Rsqrt() Value { return pointwise(ops.Rsqrt, x) }

// Cbrt is the cube root.
func (x Value) Cbrt() Value { return pointwise(ops.Cbrt, x) }

// Reciprocal is 1/x.
func (x Value) Reciprocal() Value { return pointwise(ops.Reciprocal, x) }

// Exp is eˣ.
func (x Value) Exp() Value { return pointwise(ops.Exp, x) }

// Exp2 is 2ˣ.
func (x Value) Exp2() Value { return pointwise(ops.Exp2, x) }

// Expm1 is eˣ - 1, accurate near 0; within 1.25 ULP.
func (x Value) Expm1() Value { return pointwise(ops.Expm1, x) }

// Log is the natural logarithm.
func (x Value) Log() Value { return pointwise(ops.Log, x) }

// Log2 is the logarithm to base 2.
func (x Value) Log2() Value { return pointwise(ops.Log2, x) }

// Log10 is the logarithm to base 10.
func (x Value) Log10() Value { return pointwise(ops.Log10, x) }

// Log1p is log(1 + x), accurate near 0.
func (x Value) Log1p() Value { return pointwise(ops.Log1p, x) }

// Sin is the sine of x radians.
func (x Value) Sin() Value { return pointwise(ops.Sin, x) }

// Cos is the cosine of x radians.
func (x Value) Cos() Value { return pointwise(ops.Cos, x) }

// Tan is the tangent of x radians; within 1.3 ULP.
func (x Value) Tan() Value { return pointwise(ops.Tan, x) }

// Asin is the arc sine, NaN outside [-1, 1].
func (x Value) Asin() Value { return pointwise(ops.Asin, x) }

// Acos is the arc cosine, NaN outside [-1, 1].
func (x Value) Acos() Value { return pointwise(ops.Acos, x) }

// Atan is the arc tangent.
func (x Value) Atan() Value { return pointwise(ops.Atan, x) }

// Atan2 is the angle of the point (c, x), as math.Atan2(x, c).
func (x Value) Atan2(c Value) Value { return pointwise(ops.Atan2, x, c) }

// Sinh is the hyperbolic sine.
func (x Value) Sinh() Value { return pointwise(ops.Sinh, x) }

// Cosh is the hyperbolic cosine.
func (x Value) Cosh() Value { return pointwise(ops.Cosh, x) }

// Tanh is the hyperbolic tangent.
func (x Value) Tanh() Value { return pointwise(ops.Tanh, x) }

// Asinh is the inverse hyperbolic sine.
func (x Value) Asinh() Value { return pointwise(ops.Asinh, x) }

// Acosh is the inverse hyperbolic cosine, NaN below 1.
func (x Value) Acosh() Value { return pointwise(ops.Acosh, x) }

// Atanh is the inverse hyperbolic tangent, NaN outside [-1, 1].
func (x Value) Atanh() Value { return pointwise(ops.Atanh, x) }

// Sigmoid is 1/(1 + e⁻ˣ).
func (x Value) Sigmoid() Value { return pointwise(ops.Sigmoid, x) }

// Softplus is log(1 + eˣ), without overflow.
func (x Value) Softplus() Value { return pointwise(ops.Softplus, x) }

// ReLU is max(x, 0); its derivative at 0 is 0.
func (x Value) ReLU() Value { return pointwise(ops.Relu, x) }

// LeakyReLU is x where that is positive, slope·x elsewhere.
func (x Value) LeakyReLU(slope Value) Value { return pointwise(ops.LeakyRelu, x, slope) }

// ELU is x where that is positive, alpha·(eˣ - 1) elsewhere; within 2 ULP.
func (x Value) ELU(alpha Value) Value { return pointwise(ops.Elu, x, alpha) }

// GELU is x·Φ(x), Φ the normal distribution function; within 2 ULP.
func (x Value) GELU() Value { return pointwise(ops.Gelu, x) }

// GELUTanh is the tanh form of GELU: x·σ(2·√(2/π)·(x + 0.044715·x³)); within 2 ULP.
func (x Value) GELUTanh() Value { return pointwise(ops.GeluTanh, x) }

// SiLU is x·σ(x), also called swish.
func (x Value) SiLU() Value { return pointwise(ops.Silu, x) }

// Erf is the error function.
func (x Value) Erf() Value { return pointwise(ops.Erf, x) }

// Erfc is 1 - erf(x), accurate for large x.
func (x Value) Erfc() Value { return pointwise(ops.Erfc, x) }

// Erfinv is the inverse of erf: ±Inf at ±1, NaN beyond; within 4 ULP.
func (x Value) Erfinv() Value { return pointwise(ops.Erfinv, x) }

// Lgamma is log |Γ(x)|; within 4 ULP for positive x.
func (x Value) Lgamma() Value { return pointwise(ops.Lgamma, x) }

// Digamma is the derivative of log Γ; within 16 ULP away from its zeros.
func (x Value) Digamma() Value { return pointwise(ops.Digamma, x) }

// Polygamma is the n-th derivative of digamma at x; NaN at 0, the negative whole numbers and, n > 0, below -1000.
func (x Value) Polygamma(n int) Value { return pointwise(ops.Polygamma, Const(float64(n)), x) }

// Pow is xʸ, as math.Pow; within 1.25 ULP. The derivative by y at x = 0 is that of 0ʸ.
func (x Value) Pow(y Value) Value { return pointwise(ops.Pow, x, y) }

// PowInt is xⁿ by repeated squaring, of integers too where n is not negative.
func (x Value) PowInt(n int) Value {
	return applyAs("PowInt", recipe{name: "PowInt", variant: n}, func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.PowInt(in[0], n) }, x)
}

// Hypot is √(x² + y²) without overflow; its derivatives at the origin are 0; within 1.25 ULP.
func (x Value) Hypot(y Value) Value { return pointwise(ops.Hypot, x, y) }

// FMA is x·y + z, rounded once.
func (x Value) FMA(y, z Value) Value { return pointwise(ops.Fma, x, y, z) }

// Min is the smaller of x and y, NaN if one is; equal arguments share the derivative. See ReduceMin for
// the minimum over axes.
func (x Value) Min(y Value) Value { return pointwise(ops.Min, x, y) }

// Max is the larger of x and y, NaN if one is; equal arguments share the derivative. See ReduceMax for the
// maximum over axes.
func (x Value) Max(y Value) Value { return pointwise(ops.Max, x, y) }

// Clamp is min(max(x, lo), hi); at the bounds the derivative passes.
func (x Value) Clamp(lo, hi Value) Value { return pointwise(ops.Clamp, x, lo, hi) }

// Floor is the largest integer not above x.
func (x Value) Floor() Value { return pointwise(ops.Floor, x) }

// Ceil is the smallest integer not below x.
func (x Value) Ceil() Value { return pointwise(ops.Ceil, x) }

// Round is the nearest integer, ties to even.
func (x Value) Round() Value { return pointwise(ops.Round, x) }

// Trunc is x without its fraction.
func (x Value) Trunc() Value { return pointwise(ops.Trunc, x) }

// Mod is the remainder of x/y, with x's sign, as math.Mod and Go's %. An integer mod 0 is 0.
func (x Value) Mod(y Value) Value { return pointwise(ops.Mod, x, y) }

// Eq tells where x = y.
func (x Value) Eq(y Value) Value { return pointwise(ops.Eq, x, y) }

// Ne tells where x ≠ y.
func (x Value) Ne(y Value) Value { return pointwise(ops.Ne, x, y) }

// Lt tells where x < y.
func (x Value) Lt(y Value) Value { return pointwise(ops.Lt, x, y) }

// Le tells where x ≤ y.
func (x Value) Le(y Value) Value { return pointwise(ops.Le, x, y) }

// Gt tells where x > y.
func (x Value) Gt(y Value) Value { return pointwise(ops.Gt, x, y) }

// Ge tells where x ≥ y.
func (x Value) Ge(y Value) Value { return pointwise(ops.Ge, x, y) }

// And is the conjunction of bools.
func (x Value) And(y Value) Value { return pointwise(ops.And, x, y) }

// Or is the disjunction of bools.
func (x Value) Or(y Value) Value { return pointwise(ops.Or, x, y) }

// Xor tells where just one of two bools holds.
func (x Value) Xor(y Value) Value { return pointwise(ops.Xor, x, y) }

// Not is the negation of bools.
func (x Value) Not() Value { return pointwise(ops.Not, x) }

// BitAnd is the bits that two integers share.
func (x Value) BitAnd(y Value) Value { return pointwise(ops.BitAnd, x, y) }

// BitOr is the bits that either of two integers has.
func (x Value) BitOr(y Value) Value { return pointwise(ops.BitOr, x, y) }

// BitXor is the bits that just one of two integers has.
func (x Value) BitXor(y Value) Value { return pointwise(ops.BitXor, x, y) }

// BitNot is the bits that an integer has not.
func (x Value) BitNot() Value { return pointwise(ops.BitNot, x) }

// Shl moves an integer's bits to the left by n, an integer of x's type, zeros following. It is 0 where n is
// the width or more, or negative.
func (x Value) Shl(n Value) Value { return pointwise(ops.Shl, x, n) }

// Shr moves an integer's bits to the right by n, an integer of x's type, zeros following, whatever x's sign.
// It is 0 where n is the width or more, or negative.
func (x Value) Shr(n Value) Value { return pointwise(ops.Shr, x, n) }

// IsNaN tells where x is NaN.
func (x Value) IsNaN() Value { return pointwise(ops.IsNaN, x) }

// IsFinite tells where x is neither infinite nor NaN.
func (x Value) IsFinite() Value { return pointwise(ops.IsFinite, x) }

// Where is a where cond holds, b elsewhere. What is not chosen contributes exactly 0 to derivatives, even
// where it is infinite or NaN.
func Where(cond, a, b Value) Value {
	return applyTyped("Where", recipe{name: "Map", variant: int(ops.Where)}, func(g *ir.Graph, x []*ir.Node) *ir.Node { return g.Map(ops.Where, x...) },
		[]Value{a, b}, []Value{cond, a, b})
}

// Convert gives the elements as type t. Floats to integers are cut toward zero and saturate, NaN gives 0;
// to bool, all but 0 is true; a BF16 or F16 is converted through float32, to the nearest, ties to even. The derivative passes between floats.
func (x Value) Convert(t DType) Value {
	return applyAs("Convert", recipe{name: "Convert", variant: int(t.t)}, func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Convert(in[0], t.t) }, x)
}

// StopGradient is x, with derivative zero.
func (x Value) StopGradient() Value {
	return apply("StopGradient", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Stop(in[0]) }, x)
}

// FullLike is the number c in x's type and shape.
func (x Value) FullLike(c float64) Value {
	return apply("FullLike", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Const(in[0].Type, in[0].Shape, c) }, x)
}
