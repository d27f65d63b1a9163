// Package ops is the table of pointwise operations: one row each. Derivatives, kernels' oracles,
// CUDA text and the tests of all of them come from the row. It imports nothing of ours.
package ops

import "math"

// ID numbers a row.
type ID uint8

// Class says which element types an op takes and gives.
type Class uint8

const (
	Float   Class = iota // floats to the same float
	Arith                // floats and integers to the same type
	Compare              // two numbers of one type to Bool (eq and ne take Bool too)
	Test                 // a float to Bool
	Logic                // Bool to Bool
	Bitwise              // integers to the same integer
	Select               // Bool, then two of any one type, to that type
)

// Domain is the interval that tests draw an argument from; derivatives are tested inside it, so it
// keeps clear of kinks and poles.
type Domain struct{ Lo, Hi float64 }

// Op is one row.
type Op struct {
	ID    ID
	Name  string
	Arity int
	Class Class
	// D holds one partial derivative per argument, as an expression (see Parse) in the arguments
	// a, b, c and the result y. "" means that the argument has no derivative.
	D []string
	// Eval is the meaning in float64; booleans are 0 and 1. Where no vector body exists for a type,
	// it is the kernel, too.
	Eval func(a, b, c float64) float64
	// C is the meaning as C text for f64 with arguments a, b, c; "" where devices have none.
	C string
	// Dom holds a test domain per argument.
	Dom []Domain
	// Known is the order of derivatives up to which all are known, 0 where there is no limit; the others are NaN.
	Known int
	// ULP bounds the error of the kernels: 0 means correctly rounded.
	ULP float64

	partial []*Expr
}

const (
	Add ID = iota
	Sub
	Mul
	Div
	Neg
	Abs
	Sign
	Square
	Sqrt
	Rsqrt
	Cbrt
	Reciprocal
	Exp
	Exp2
	Expm1
	Log
	Log2
	Log10
	Log1p
	Sin
	Cos
	Tan
	Asin
	Acos
	Atan
	Atan2
	Sinh
	Cosh
	Tanh
	Asinh
	Acosh
	Atanh
	Sigmoid
	Softplus
	Relu
	LeakyRelu
	Elu
	Gelu
	GeluTanh
	Silu
	Erf
	Erfc
	Lgamma
	Digamma
	Polygamma
	Pow
	Hypot
	Fma
	Min
	Max
	Clamp
	Floor
	Ceil
	Round
	Trunc
	Mod
	MulZ
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	And
	Or
	Xor
	Not
	IsNaN
	IsFinite
	Where
	BitAnd
	BitOr
	BitXor
	BitNot
	Shl
	Shr
	Erfinv
	Gamma
	Erfcx
	Erfi
	Dawson
	BesselJ0
	BesselJ1
	BesselY0
	BesselY1
	BesselI0
	BesselI1
	Expint
	Sinint
	Cosint
	Ellipk
	Ellipe
	Zeta
	GammaInc
	GammaIncc
	GammaIncDA
	GammaIncDAA
	BetaInc
	BetaIncDA
	BetaIncDAA
	BetaIncDAB
	InvDigamma
	ExpintN
	BesselJ
	BesselY
	BesselI
	BesselK
	BesselIx
	BesselKx
	AiryAi
	AiryAiPrime
	AiryBi
	AiryBiPrime
	AiryAix
	AiryAiPrimex
	AiryBix
	AiryBiPrimex
	BesselK0
	BesselK1
	BesselI0x
	BesselI1x
	BesselK0x
	BesselK1x
	Trigamma
	Count
)

var (
	all  = Domain{-4, 4}
	pos  = Domain{0.1, 6}
	unit = Domain{-0.9, 0.9}
	over = Domain{1.1, 6}
	bit  = Domain{0, 1}
	word = Domain{-1 << 30, 1 << 30}
	by   = Domain{0, 33}
)

func d(ds ...Domain) []Domain { return ds }
func p(ps ...string) []string { return ps }

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func u(f func(float64) float64) func(a, b, c float64) float64 {
	return func(a, _, _ float64) float64 { return f(a) }
}

func bi(f func(a, b float64) float64) func(a, b, c float64) float64 {
	return func(a, b, _ float64) float64 { return f(a, b) }
}

// i32 is a function of int32s, by way of float64.
func i32(f func(a, b int32) int32) func(a, b, c float64) float64 {
	return func(a, b, _ float64) float64 { return float64(f(int32(a), int32(b))) }
}

func cmp(f func(a, b float64) bool) func(a, b, c float64) float64 {
	return func(a, b, _ float64) float64 { return b2f(f(a, b)) }
}

// Table is indexed by ID.
//
// Ties and kinks: the derivative of abs, sign, relu, leakyrelu and elu at 0 is that of the left side
// for the relu family and 0 for abs; max and min of equal arguments give each half; clamp passes the
// derivative through at its bounds. NaN: min and max give NaN if either argument is NaN (as Go's
// built-in min), comparisons with NaN are false but ne. min(-0, 0) is -0 and max(-0, 0) is 0.
var Table = [Count]Op{
	Add: {Name: "add", Arity: 2, Class: Arith, D: p("1", "1"), C: "a + b", Dom: d(all, all),
		Eval: bi(func(a, b float64) float64 { return a + b })},
	Sub: {Name: "sub", Arity: 2, Class: Arith, D: p("1", "-1"), C: "a - b", Dom: d(all, all),
		Eval: bi(func(a, b float64) float64 { return a - b })},
	Mul: {Name: "mul", Arity: 2, Class: Arith, D: p("b", "a"), C: "a * b", Dom: d(all, all),
		Eval: bi(func(a, b float64) float64 { return a * b })},
	// Integer division truncates toward zero as Go's does; by zero it gives 0.
	Div: {Name: "div", Arity: 2, Class: Arith, D: p("1 / b", "-(y / b)"), C: "a / b", Dom: d(all, pos),
		Eval: bi(func(a, b float64) float64 { return a / b })},
	Neg: {Name: "neg", Arity: 1, Class: Arith, D: p("-1"), C: "-a", Dom: d(all),
		Eval: u(func(a float64) float64 { return -a })},
	Abs: {Name: "abs", Arity: 1, Class: Arith, D: p("sign(a)"), C: "fabs(a)", Dom: d(pos),
		Eval: u(math.Abs)},
	// sign(NaN) is NaN, sign(±0) is ±0.
	Sign: {Name: "sign", Arity: 1, Class: Arith, D: p("0"), C: "a > 0 ? 1 : a < 0 ? -1 : a", Dom: d(pos),
		Eval: u(func(a float64) float64 {
			switch {
			case a > 0:
				return 1
			case a < 0:
				return -1
			}
			return a
		})},
	Square: {Name: "square", Arity: 1, Class: Arith, D: p("2 * a"), C: "a * a", Dom: d(all),
		Eval: u(func(a float64) float64 { return a * a })},
	Sqrt: {Name: "sqrt", Arity: 1, Class: Float, D: p("0.5 / y"), C: "sqrt(a)", Dom: d(pos),
		Eval: u(math.Sqrt)},
	Rsqrt: {Name: "rsqrt", Arity: 1, Class: Float, D: p("-0.5 * y / a"), C: "1 / sqrt(a)", Dom: d(pos), ULP: 1,
		Eval: u(func(a float64) float64 { return 1 / math.Sqrt(a) })},
	Cbrt: {Name: "cbrt", Arity: 1, Class: Float, D: p("1 / (3 * y * y)"), C: "cbrt(a)", Dom: d(pos), ULP: 1,
		Eval: u(math.Cbrt)},
	Reciprocal: {Name: "reciprocal", Arity: 1, Class: Float, D: p("-(y * y)"), C: "1 / a", Dom: d(pos),
		Eval: u(func(a float64) float64 { return 1 / a })},
	Exp: {Name: "exp", Arity: 1, Class: Float, D: p("y"), C: "exp(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Exp)},
	Exp2: {Name: "exp2", Arity: 1, Class: Float, D: p("ln2 * y"), C: "exp2(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Exp2)},
	// The derivative is exp(a), not y + 1, which would lose every digit at large negative a.
	Expm1: {Name: "expm1", Arity: 1, Class: Float, D: p("exp(a)"), C: "expm1(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Expm1)},
	Log: {Name: "log", Arity: 1, Class: Float, D: p("1 / a"), C: "log(a)", Dom: d(pos), ULP: 1,
		Eval: u(math.Log)},
	Log2: {Name: "log2", Arity: 1, Class: Float, D: p("1 / (ln2 * a)"), C: "log2(a)", Dom: d(pos), ULP: 1,
		Eval: u(math.Log2)},
	Log10: {Name: "log10", Arity: 1, Class: Float, D: p("1 / (ln10 * a)"), C: "log10(a)", Dom: d(pos), ULP: 1,
		Eval: u(math.Log10)},
	Log1p: {Name: "log1p", Arity: 1, Class: Float, D: p("1 / (1 + a)"), C: "log1p(a)", Dom: d(Domain{-0.9, 4}), ULP: 1,
		Eval: u(math.Log1p)},
	Sin: {Name: "sin", Arity: 1, Class: Float, D: p("cos(a)"), C: "sin(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Sin)},
	Cos: {Name: "cos", Arity: 1, Class: Float, D: p("-sin(a)"), C: "cos(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Cos)},
	Tan: {Name: "tan", Arity: 1, Class: Float, D: p("1 + y * y"), C: "tan(a)", Dom: d(Domain{-1.2, 1.2}), ULP: 1,
		Eval: u(math.Tan)},
	Asin: {Name: "asin", Arity: 1, Class: Float, D: p("rsqrt((1 - a) * (1 + a))"), C: "asin(a)", Dom: d(unit), ULP: 1,
		Eval: u(math.Asin)},
	Acos: {Name: "acos", Arity: 1, Class: Float, D: p("-rsqrt((1 - a) * (1 + a))"), C: "acos(a)", Dom: d(unit), ULP: 1,
		Eval: u(math.Acos)},
	Atan: {Name: "atan", Arity: 1, Class: Float, D: p("1 / (1 + a * a)"), C: "atan(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Atan)},
	Atan2: {Name: "atan2", Arity: 2, Class: Float, D: p("b / (a * a + b * b)", "-a / (a * a + b * b)"), C: "atan2(a, b)",
		Dom: d(all, pos), ULP: 1, Eval: bi(math.Atan2)},
	Sinh: {Name: "sinh", Arity: 1, Class: Float, D: p("cosh(a)"), C: "sinh(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Sinh)},
	Cosh: {Name: "cosh", Arity: 1, Class: Float, D: p("sinh(a)"), C: "cosh(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Cosh)},
	Tanh: {Name: "tanh", Arity: 1, Class: Float, D: p("1 - y * y"), C: "tanh(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Tanh)},
	Asinh: {Name: "asinh", Arity: 1, Class: Float, D: p("1 / hypot(a, 1)"), C: "asinh(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Asinh)},
	Acosh: {Name: "acosh", Arity: 1, Class: Float, D: p("1 / (sqrt(a - 1) * sqrt(a + 1))"), C: "acosh(a)", Dom: d(over), ULP: 1,
		Eval: u(math.Acosh)},
	Atanh: {Name: "atanh", Arity: 1, Class: Float, D: p("1 / ((1 - a) * (1 + a))"), C: "atanh(a)", Dom: d(unit), ULP: 1,
		Eval: u(math.Atanh)},
	Sigmoid: {Name: "sigmoid", Arity: 1, Class: Float, D: p("y * (1 - y)"), C: "1 / (1 + exp(-a))", Dom: d(all), ULP: 1,
		Eval: u(sigmoid)},
	// softplus(a) = log(1 + exp(a)), without overflow.
	Softplus: {Name: "softplus", Arity: 1, Class: Float, D: p("sigmoid(a)"), C: "fmax(a, 0) + log1p(exp(-fabs(a)))", Dom: d(all), ULP: 1,
		Eval: u(func(a float64) float64 {
			if a > 0 {
				return a + math.Log1p(math.Exp(-a))
			}
			return math.Log1p(math.Exp(a)) // NaN too
		})},
	Relu: {Name: "relu", Arity: 1, Class: Arith, D: p("y > 0 ? 1 : 0"), C: "a > 0 ? a : a != a ? a : 0", Dom: d(pos),
		Eval: u(func(a float64) float64 {
			if a <= 0 {
				return 0
			}
			return a
		})},
	// leakyrelu(a, b) = a > 0 ? a : b·a.
	LeakyRelu: {Name: "leakyrelu", Arity: 2, Class: Float, D: p("a > 0 ? 1 : b", "a > 0 ? 0 : a"), C: "a > 0 ? a : b * a",
		Dom: d(pos, pos), Eval: bi(func(a, b float64) float64 {
			if a > 0 {
				return a
			}
			return b * a
		})},
	// elu(a, b) = a > 0 ? a : b·(exp(a) - 1).
	Elu: {Name: "elu", Arity: 2, Class: Float, D: p("a > 0 ? 1 : b * exp(a)", "a > 0 ? 0 : expm1(a)"), C: "a > 0 ? a : b * expm1(a)",
		Dom: d(Domain{-4, -0.1}, pos), ULP: 1.5, Eval: bi(func(a, b float64) float64 {
			if a > 0 {
				return a
			}
			return b * math.Expm1(a)
		})},
	// gelu(a) = a·Φ(a), Φ the normal distribution function; -0 at -Inf.
	Gelu: {Name: "gelu", Arity: 1, Class: Float, D: p("0.5 * erfc(-0.7071067811865476 * a) + a * 0.3989422804014327 * exp(-0.5 * a * a)"),
		C: "0.5 * fmax_nan(a, -40.0) * erfc(-0.7071067811865476 * a)", Dom: d(all), ULP: 2,
		Eval: u(func(a float64) float64 { return 0.5 * max(a, -40) * math.Erfc(-a*math.Sqrt2/2) })},
	// The tanh form: a·σ(2·√(2/π)·(a + 0.044715·a³)); -0 at -Inf.
	GeluTanh: {Name: "gelutanh", Arity: 1, Class: Float,
		D: p("sigmoid(1.5957691216057308 * (a + 0.044715 * a * a * a)) + a * sigmoid(1.5957691216057308 * (a + 0.044715 * a * a * a)) * " +
			"sigmoid(-1.5957691216057308 * (a + 0.044715 * a * a * a)) * 1.5957691216057308 * (1 + 0.134145 * a * a)"),
		C:   "fmax_nan(a, -40.0) / (1 + exp(-1.5957691216057308 * (a + 0.044715 * a * a * a)))",
		Dom: d(all), ULP: 2, Eval: u(func(a float64) float64 {
			return max(a, -40) * sigmoid(1.5957691216057308*(a+0.044715*a*a*a))
		})},
	// silu(-Inf) is -0, its limit.
	Silu: {Name: "silu", Arity: 1, Class: Float, D: p("sigmoid(a) * (1 + a * sigmoid(-a))"), C: "(a < -1000 ? -1000 : a) / (1 + exp(-a))", Dom: d(all), ULP: 1,
		Eval: u(func(a float64) float64 {
			if a < -1000 {
				a = -1000
			}
			return a * sigmoid(a)
		})},
	Erf: {Name: "erf", Arity: 1, Class: Float, D: p("1.1283791670955126 * exp(-(a * a))"), C: "erf(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Erf)},
	Erfc: {Name: "erfc", Arity: 1, Class: Float, D: p("-1.1283791670955126 * exp(-(a * a))"), C: "erfc(a)", Dom: d(all), ULP: 1,
		Eval: u(math.Erfc)},
	// lgamma(a) = log |Γ(a)|.
	Lgamma: {Name: "lgamma", Arity: 1, Class: Float, D: p("digamma(a)"), C: "lgamma(a)", Dom: d(Domain{0.3, 8}), ULP: 4,
		Eval: u(func(a float64) float64 { v, _ := math.Lgamma(a); return v })},
	Digamma: {Name: "digamma", Arity: 1, Class: Float, D: p("trigamma(a)"), C: "adj_digamma(a)", Dom: d(Domain{0.3, 8}), ULP: 16,
		Eval: u(digamma)},
	// polygamma(a, b) is the a-th derivative of digamma at b, a a non-negative integer.
	Polygamma: {Name: "polygamma", Arity: 2, Class: Float, D: p("", "polygamma(a + 1, b)"), C: "adj_polygamma(a, b)",
		Dom: d(Domain{1, 1}, Domain{0.3, 8}), ULP: 32, Eval: bi(polygamma)},
	// pow follows math.Pow. Its second partial is 0 where a is 0 and b ≥ 0, as that of 0^b, and its first is 0 for b = 0.
	Pow: {Name: "pow", Arity: 2, Class: Float, D: p("b == 0 ? (a == 0 ? 0 : b / a) : b * pow(a, b - 1)", "a == 0 ? (b >= 0 ? 0 : y * log(a)) : y * log(a)"), C: "pow(a, b)",
		Dom: d(pos, all), ULP: 1, Eval: bi(math.Pow)},
	// The partials at the origin are 0.
	Hypot: {Name: "hypot", Arity: 2, Class: Float, D: p("y == 0 ? 0 : a / y", "y == 0 ? 0 : b / y"), C: "hypot(a, b)", Dom: d(all, pos), ULP: 1,
		Eval: bi(math.Hypot)},
	// fma(a, b, c) = a·b + c, rounded once.
	Fma: {Name: "fma", Arity: 3, Class: Float, D: p("b", "a", "1"), C: "fma(a, b, c)", Dom: d(all, all, all),
		Eval: math.FMA},
	Min: {Name: "min", Arity: 2, Class: Arith, D: p("a < b ? 1 : (a == b ? 0.5 : 0)", "b < a ? 1 : (a == b ? 0.5 : 0)"), C: "fmin_nan(a, b)",
		Dom: d(Domain{-4, -1}, Domain{-0.5, 3}), Eval: bi(func(a, b float64) float64 { return min(a, b) })},
	Max: {Name: "max", Arity: 2, Class: Arith, D: p("a > b ? 1 : (a == b ? 0.5 : 0)", "b > a ? 1 : (a == b ? 0.5 : 0)"), C: "fmax_nan(a, b)",
		Dom: d(Domain{-4, -1}, Domain{-0.5, 3}), Eval: bi(func(a, b float64) float64 { return max(a, b) })},
	// clamp(a, lo, hi) = min(max(a, lo), hi); NaN stays NaN.
	Clamp: {Name: "clamp", Arity: 3, Class: Arith, D: p("a < b ? 0 : (a > c ? 0 : 1)", "b > c ? 0 : (a < b ? 1 : 0)", "b > c ? 1 : (a > c ? 1 : 0)"), C: "fmin_nan(fmax_nan(a, b), c)",
		Dom: d(Domain{-0.9, 0.9}, Domain{-3, -1}, Domain{1, 3}), Eval: func(a, b, c float64) float64 { return min(max(a, b), c) }},
	Floor: {Name: "floor", Arity: 1, Class: Float, D: p("0"), C: "floor(a)", Dom: d(Domain{1.1, 1.9}), Eval: u(math.Floor)},
	Ceil:  {Name: "ceil", Arity: 1, Class: Float, D: p("0"), C: "ceil(a)", Dom: d(Domain{1.1, 1.9}), Eval: u(math.Ceil)},
	// round goes to the nearest integer, ties to even, as NumPy's.
	Round: {Name: "round", Arity: 1, Class: Float, D: p("0"), C: "rint(a)", Dom: d(Domain{1.6, 2.4}), Eval: u(math.RoundToEven)},
	Trunc: {Name: "trunc", Arity: 1, Class: Float, D: p("0"), C: "trunc(a)", Dom: d(Domain{1.1, 1.9}), Eval: u(math.Trunc)},
	// mod has the sign of the dividend and is exact, as math.Mod and Go's %; for integers mod by 0 is 0.
	Mod: {Name: "mod", Arity: 2, Class: Arith, D: p("1", "-trunc(a / b)"), C: "fmod(a, b)", Dom: d(Domain{2.2, 2.8}, Domain{1.6, 1.9}),
		Eval: bi(math.Mod)},
	// mulz(a, b) = a·b, but 0 where a is ±0, whatever b. The reverse sweep multiplies with it behind a
	// select, so that a branch not taken contributes exactly 0. Its derivative rules are code, in autodiff.
	MulZ: {Name: "mulz", Arity: 2, Class: Float, D: p("", ""), C: "a == 0 ? 0 : a * b", Dom: d(pos, pos),
		Eval: bi(func(a, b float64) float64 {
			if a == 0 {
				return 0
			}
			return a * b
		})},
	Eq: {Name: "eq", Arity: 2, Class: Compare, D: p("", ""), C: "a == b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a == b })},
	Ne: {Name: "ne", Arity: 2, Class: Compare, D: p("", ""), C: "a != b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a != b })},
	Lt: {Name: "lt", Arity: 2, Class: Compare, D: p("", ""), C: "a < b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a < b })},
	Le: {Name: "le", Arity: 2, Class: Compare, D: p("", ""), C: "a <= b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a <= b })},
	Gt: {Name: "gt", Arity: 2, Class: Compare, D: p("", ""), C: "a > b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a > b })},
	Ge: {Name: "ge", Arity: 2, Class: Compare, D: p("", ""), C: "a >= b", Dom: d(all, all),
		Eval: cmp(func(a, b float64) bool { return a >= b })},
	And: {Name: "and", Arity: 2, Class: Logic, D: p("", ""), C: "a & b", Dom: d(bit, bit),
		Eval: cmp(func(a, b float64) bool { return a != 0 && b != 0 })},
	Or: {Name: "or", Arity: 2, Class: Logic, D: p("", ""), C: "a | b", Dom: d(bit, bit),
		Eval: cmp(func(a, b float64) bool { return a != 0 || b != 0 })},
	Xor: {Name: "xor", Arity: 2, Class: Logic, D: p("", ""), C: "a ^ b", Dom: d(bit, bit),
		Eval: cmp(func(a, b float64) bool { return a != b })},
	Not: {Name: "not", Arity: 1, Class: Logic, D: p(""), C: "!a", Dom: d(bit),
		Eval: u(func(a float64) float64 { return b2f(a == 0) })},
	IsNaN: {Name: "isnan", Arity: 1, Class: Test, D: p(""), C: "a != a", Dom: d(all),
		Eval: u(func(a float64) float64 { return b2f(a != a) })},
	IsFinite: {Name: "isfinite", Arity: 1, Class: Test, D: p(""), C: "a - a == 0", Dom: d(all),
		Eval: u(func(a float64) float64 { return b2f(a-a == 0) })},
	// where(a, b, c) = a ? b : c. Its derivative rule is code: a branch not taken contributes exactly 0.
	Where: {Name: "where", Arity: 3, Class: Select, D: p("", "a ? 1 : 0", "a ? 0 : 1"), C: "a ? b : c", Dom: d(bit, all, all),
		Eval: func(a, b, c float64) float64 {
			if a != 0 {
				return b
			}
			return c
		}},
	// The bitwise ones: Eval and C are their meaning for int32. Shifts move zeros in, by a count that is read
	// without sign: from the width on nothing is left. A right shift is logical, whatever the sign.
	BitAnd: {Name: "bitand", Arity: 2, Class: Bitwise, D: p("", ""), C: "a & b", Dom: d(word, word),
		Eval: i32(func(a, b int32) int32 { return a & b })},
	BitOr: {Name: "bitor", Arity: 2, Class: Bitwise, D: p("", ""), C: "a | b", Dom: d(word, word),
		Eval: i32(func(a, b int32) int32 { return a | b })},
	BitXor: {Name: "bitxor", Arity: 2, Class: Bitwise, D: p("", ""), C: "a ^ b", Dom: d(word, word),
		Eval: i32(func(a, b int32) int32 { return a ^ b })},
	BitNot: {Name: "bitnot", Arity: 1, Class: Bitwise, D: p(""), C: "~a", Dom: d(word),
		Eval: i32(func(a, _ int32) int32 { return ^a })},
	Shl: {Name: "shl", Arity: 2, Class: Bitwise, D: p("", ""), C: "(unsigned)b < 32 ? (int)((unsigned)a << b) : 0", Dom: d(word, by),
		Eval: i32(func(a, b int32) int32 { return int32(uint32(a) << uint32(b)) })},
	Shr: {Name: "shr", Arity: 2, Class: Bitwise, D: p("", ""), C: "(unsigned)b < 32 ? (int)((unsigned)a >> b) : 0", Dom: d(word, by),
		Eval: i32(func(a, b int32) int32 { return int32(uint32(a) >> uint32(b)) })},
	// erfinv(±1) is ±Inf, NaN beyond.
	Erfinv: {Name: "erfinv", Arity: 1, Class: Float, D: p("0.886226925452758 * exp(y * y)"), C: "erfinv(a)", Dom: d(unit), ULP: 4,
		Eval: u(math.Erfinv)},
	// gamma is Γ, NaN at negative integers.
	Gamma: {Name: "gamma", Arity: 1, Class: Float, D: p("y * digamma(a)"), C: "tgamma(a)", Dom: d(Domain{0.3, 8}), ULP: 16,
		Eval: u(math.Gamma)},
	// erfcx(a) = exp(a²)·erfc(a).
	Erfcx: {Name: "erfcx", Arity: 1, Class: Float, D: p("2 * a * y - 1.1283791670955126"), C: "erfcx(a)", Dom: d(all), ULP: 16,
		Eval: u(erfcx)},
	// erfi(a) = erf(i·a)/i.
	Erfi: {Name: "erfi", Arity: 1, Class: Float, D: p("1.1283791670955126 * exp(a * a)"), C: "adj_erfi(a)", Dom: d(Domain{-2, 2}), ULP: 32,
		Eval: u(erfi)},
	// dawson(a) = exp(-a²)·∫ exp(t²) dt from 0 to a.
	Dawson: {Name: "dawson", Arity: 1, Class: Float, D: p("1 - 2 * a * y"), C: "adj_dawson(a)", Dom: d(all), ULP: 32,
		Eval: u(dawson)},
	// Near the zeros of these and of cosint the error is a few units of the amplitude's last place, not of the result's; those up to
	// 16 are nearer.
	BesselJ0: {Name: "besselj0", Arity: 1, Class: Float, D: p("-besselj1(a)"), C: "j0(a)", Dom: d(Domain{0.5, 6}), ULP: 64,
		Eval: u(math.J0)},
	BesselJ1: {Name: "besselj1", Arity: 1, Class: Float, D: p("a * a < 0.0625 ? 0.5 + a * a * (-0.1875 + a * a * (0.013020833333333334 + a * a * (-0.00037977430555555556 + a * a * (0.000006103515625 + a * a * (-0.00000006216543692129629 + a * a * (0.00000000043731097401344796 + a * a * (-0.000000000002252632077679162))))))) : besselj0(a) - y / a"), C: "j1(a)", Dom: d(Domain{0.5, 6}), ULP: 64,
		Eval: u(besselJ1)},
	BesselY0: {Name: "bessely0", Arity: 1, Class: Float, D: p("-bessely1(a)"), C: "y0(a)", Dom: d(Domain{0.5, 6}), ULP: 64,
		Eval: u(math.Y0)},
	BesselY1: {Name: "bessely1", Arity: 1, Class: Float, D: p("bessely0(a) - y / a"), C: "y1(a)", Dom: d(Domain{0.5, 6}), ULP: 64,
		Eval: u(math.Y1)},
	BesselI0: {Name: "besseli0", Arity: 1, Class: Float, D: p("besseli1(a)"), C: "cyl_bessel_i0(a)", Dom: d(Domain{0.5, 4}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselI(0, a) })},
	BesselI1: {Name: "besseli1", Arity: 1, Class: Float, D: p("a * a < 0.0625 ? 0.5 + a * a * (0.1875 + a * a * (0.013020833333333334 + a * a * (0.00037977430555555556 + a * a * (0.000006103515625 + a * a * (0.00000006216543692129629 + a * a * (0.00000000043731097401344796 + a * a * (0.000000000002252632077679162))))))) : besseli0(a) - y / a"), C: "cyl_bessel_i1(a)", Dom: d(Domain{0.5, 4}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselI(1, a) })},
	// expint(a) = E₁(a) = ∫ exp(-t)/t dt from a to ∞; +Inf at 0, NaN below.
	Expint: {Name: "expint", Arity: 1, Class: Float, D: p("-exp(-a) / a"), C: "adj_expint(a)", Dom: d(Domain{0.3, 6}), ULP: 16,
		Eval: u(expint)},
	// sinint(a) = ∫ sin(t)/t dt from 0 to a.
	Sinint: {Name: "sinint", Arity: 1, Class: Float, D: p("a * a < 0.0625 ? 1.0 + a * a * (-0.16666666666666666 + a * a * (0.008333333333333333 + a * a * (-0.0001984126984126984 + a * a * (0.0000027557319223985893 + a * a * (-0.00000002505210838544172 + a * a * (0.00000000016059043836821613 + a * a * (-0.0000000000007647163731819816))))))) : sin(a) / a"), C: "adj_sinint(a)", Dom: d(Domain{0.3, 6}), ULP: 16,
		Eval: u(func(a float64) float64 { si, _ := sinCosInt(math.Abs(a)); return math.Copysign(si, a) })},
	// cosint(a) = γ + log a + ∫ (cos(t) - 1)/t dt from 0 to a; -Inf at 0, NaN below.
	Cosint: {Name: "cosint", Arity: 1, Class: Float, D: p("cos(a) / a"), C: "adj_cosint(a)", Dom: d(Domain{0.8, 3}), ULP: 64,
		Eval: u(func(a float64) float64 { _, ci := sinCosInt(a); return ci })},
	// The complete elliptic integrals of parameter a = m = k² ≤ 1.
	Ellipk: {Name: "ellipk", Arity: 1, Class: Float, D: p("a * a < 0.000244140625 ? 0.39269908169872414 + a * (0.44178646691106466 + a * (0.46019423636569234 + a * (0.4697816162899776 + a * (0.47565388649360235 + a * (0.479617668881049 + a * (0.48247253595772194 + a * (0.4846264312075332 + a * (0.48630916187144824 + a * (0.4876600206544245))))))))) : (ellipe(a) / (1 - a) - y) / (2 * a)"), C: "adj_ellipk(a)",
		Dom: d(Domain{0.1, 0.8}), ULP: 16, Eval: u(func(a float64) float64 { k, _ := elliptic(a); return k })},
	Ellipe: {Name: "ellipe", Arity: 1, Class: Float, D: p("a * a < 0.000244140625 ? -0.39269908169872414 + a * (-0.14726215563702155 + a * (-0.09203884727313846 + a * (-0.0671116594699968 + a * (-0.05285043183262248 + a * (-0.04360160626191355 + a * (-0.03711327199674784 + a * (-0.032308428747168876 + a * (-0.02860642128655578 + a * (-0.025666316876548658))))))))) : (y - ellipk(a)) / (2 * a)"), C: "adj_ellipe(a)",
		Dom: d(Domain{0.1, 0.8}), ULP: 16, Eval: u(func(a float64) float64 { _, e := elliptic(a); return e })},
	// zeta(a, b) = Σ (b + k)^-a over k ≥ 0 for a > 1, b > 0, else NaN; Riemann's at b = 1.
	Zeta: {Name: "zeta", Arity: 2, Class: Float, D: p("", "-a * zeta(a + 1, b)"), C: "adj_zeta(a, b)", Dom: d(Domain{2, 2}, Domain{0.3, 8}), ULP: 32,
		Eval: bi(zeta)},
	// The regularized incomplete gamma functions P(a, b), b the bound of the integral, and 1 - P, with derivatives by a.
	// Here and below a derivative that is not known is NaN.
	GammaInc: {Name: "gammainc", Arity: 2, Class: Float, Known: 2, D: p("gammaincda(a, b)", "b == 0 ? pow(b, a - 1) * exp(-b - lgamma(a)) : exp((a - 1) * log(b) - b - lgamma(a))"),
		Dom: d(Domain{0.3, 6}, Domain{0.3, 8}), ULP: 64, Eval: bi(func(a, b float64) float64 { p, _ := gammaPQ(a, b); return p })},
	GammaIncc: {Name: "gammaincc", Arity: 2, Class: Float, Known: 2, D: p("-gammaincda(a, b)", "b == 0 ? -(pow(b, a - 1) * exp(-b - lgamma(a))) : -exp((a - 1) * log(b) - b - lgamma(a))"),
		Dom: d(Domain{0.3, 6}, Domain{0.3, 8}), ULP: 64, Eval: bi(func(a, b float64) float64 { _, q := gammaPQ(a, b); return q })},
	GammaIncDA: {Name: "gammaincda", Arity: 2, Class: Float, Known: 1, D: p("gammaincdaa(a, b)", "b == 0 ? 0 : exp((a - 1) * log(b) - b - lgamma(a)) * (log(b) - digamma(a))"),
		Dom: d(Domain{0.3, 6}, Domain{0.3, 8}), ULP: 512, Eval: bi(gammaPSlope)},
	GammaIncDAA: {Name: "gammaincdaa", Arity: 2, Class: Float,
		D:   p("y * nan", "b == 0 ? 0 : exp((a - 1) * log(b) - b - lgamma(a)) * ((log(b) - digamma(a)) * (log(b) - digamma(a)) - polygamma(1, a))"),
		Dom: d(Domain{1, 6}, Domain{0.3, 8}), ULP: 4096, Eval: bi(func(a, b float64) float64 { return gammaP(a, b).aa })},
	// The regularized incomplete beta function: I_c(a, b).
	BetaInc: {Name: "betainc", Arity: 3, Class: Float, Known: 2,
		D: p("betaincda(a, b, c)", "-betaincda(b, a, 1 - c)", "c == 0 ? pow(c, a - 1) * exp((b - 1) * log1p(-c) + lgamma(a + b) - lgamma(a) - lgamma(b)) : "+
			"(c == 1 ? pow(1 - c, b - 1) * exp((a - 1) * log(c) + lgamma(a + b) - lgamma(a) - lgamma(b)) : exp((a - 1) * log(c) + (b - 1) * log1p(-c) + lgamma(a + b) - lgamma(a) - lgamma(b)))"),
		Dom: d(Domain{0.3, 6}, Domain{0.3, 6}, Domain{0.1, 0.9}), ULP: 64, Eval: betaValue},
	BetaIncDA: {Name: "betaincda", Arity: 3, Class: Float, Known: 1,
		D:   p("betaincdaa(a, b, c)", "betaincdab(a, b, c)", "c <= 0 ? 0 : (c >= 1 ? 0 : exp((a - 1) * log(c) + (b - 1) * log1p(-c) + lgamma(a + b) - lgamma(a) - lgamma(b)) * (log(c) - digamma(a) + digamma(a + b)))"),
		Dom: d(Domain{0.3, 6}, Domain{0.3, 6}, Domain{0.1, 0.9}), ULP: 512, Eval: func(a, b, c float64) float64 { return betaI(a, b, c).a }},
	BetaIncDAA: {Name: "betaincdaa", Arity: 3, Class: Float,
		D: p("y * nan", "y * nan", "c <= 0 ? 0 : (c >= 1 ? 0 : exp((a - 1) * log(c) + (b - 1) * log1p(-c) + lgamma(a + b) - lgamma(a) - lgamma(b)) * "+
			"((log(c) - digamma(a) + digamma(a + b)) * (log(c) - digamma(a) + digamma(a + b)) - polygamma(1, a) + polygamma(1, a + b)))"),
		Dom: d(Domain{1, 6}, Domain{1, 6}, Domain{0.1, 0.9}), ULP: 4096, Eval: func(a, b, c float64) float64 { return betaI(a, b, c).aa }},
	BetaIncDAB: {Name: "betaincdab", Arity: 3, Class: Float,
		D: p("y * nan", "y * nan", "c <= 0 ? 0 : (c >= 1 ? 0 : exp((a - 1) * log(c) + (b - 1) * log1p(-c) + lgamma(a + b) - lgamma(a) - lgamma(b)) * "+
			"((log(c) - digamma(a) + digamma(a + b)) * (log1p(-c) - digamma(b) + digamma(a + b)) + polygamma(1, a + b)))"),
		Dom: d(Domain{1, 6}, Domain{1, 6}, Domain{0.1, 0.9}), ULP: 4096, Eval: func(a, b, c float64) float64 { return betaI(a, b, c).ab }},
	// invdigamma is the positive inverse of digamma.
	InvDigamma: {Name: "invdigamma", Arity: 1, Class: Float, D: p("1 / polygamma(1, y)"), Dom: d(all), ULP: 64, Eval: u(invDigamma)},
	// expintn(a, b) is the exponential integral of order a; the Bessel functions, too, take the order first.
	ExpintN: {Name: "expintn", Arity: 2, Class: Float, D: p("y * nan", "-expintn(a - 1, b)"),
		Dom: d(Domain{1.2, 4.8}, Domain{0.3, 6}), ULP: 256, Eval: bi(expintN)},
	BesselJ: {Name: "besselj", Arity: 2, Class: Float, D: p("y * nan", "0.5 * (besselj(a - 1, b) - besselj(a + 1, b))"),
		Dom: d(Domain{0, 6}, Domain{0.5, 12}), ULP: 256, Eval: bi(besselJn)},
	BesselY: {Name: "bessely", Arity: 2, Class: Float, D: p("y * nan", "0.5 * (bessely(a - 1, b) - bessely(a + 1, b))"),
		Dom: d(Domain{0, 3}, Domain{1.5, 12}), ULP: 256, Eval: bi(besselYn)},
	BesselI: {Name: "besseli", Arity: 2, Class: Float, D: p("y * nan", "0.5 * (besseli(a - 1, b) + besseli(a + 1, b))"),
		Dom: d(Domain{0, 6}, Domain{0.5, 6}), ULP: 256, Eval: bi(besselIn)},
	BesselK: {Name: "besselk", Arity: 2, Class: Float, D: p("y * nan", "-0.5 * (besselk(a - 1, b) + besselk(a + 1, b))"),
		Dom: d(Domain{0, 2}, Domain{1.5, 6}), ULP: 256, Eval: bi(besselKn)},
	// besselix(a, b) = besseli(a, b)·exp(-|b|), besselkx(a, b) = besselk(a, b)·exp(b).
	BesselIx: {Name: "besselix", Arity: 2, Class: Float, D: p("y * nan", "0.5 * (besselix(a - 1, b) + besselix(a + 1, b)) - sign(b) * y"),
		Dom: d(Domain{0, 6}, Domain{0.5, 12}), ULP: 256, Eval: bi(besselIx)},
	BesselKx: {Name: "besselkx", Arity: 2, Class: Float, D: p("y * nan", "y - 0.5 * (besselkx(a - 1, b) + besselkx(a + 1, b))"),
		Dom: d(Domain{0, 2}, Domain{1.5, 12}), ULP: 256, Eval: bi(besselKx)},
	AiryAi:      {Name: "airyai", Arity: 1, Class: Float, D: p("airyaiprime(a)"), Dom: d(all), ULP: 512, Eval: airyOf(0, false)},
	AiryAiPrime: {Name: "airyaiprime", Arity: 1, Class: Float, D: p("a * airyai(a)"), Dom: d(all), ULP: 512, Eval: airyOf(1, false)},
	AiryBi:      {Name: "airybi", Arity: 1, Class: Float, D: p("airybiprime(a)"), Dom: d(Domain{-4, 2}), ULP: 512, Eval: airyOf(2, false)},
	AiryBiPrime: {Name: "airybiprime", Arity: 1, Class: Float, D: p("a * airybi(a)"), Dom: d(Domain{-4, 2}), ULP: 512, Eval: airyOf(3, false)},
	// Those scaled for positive a: Ai by exp(⅔a^(3/2)), NaN below 0, Bi by its reciprocal.
	AiryAix:      {Name: "airyaix", Arity: 1, Class: Float, D: p("airyaiprimex(a) + sqrt(a) * y"), Dom: d(pos), ULP: 512, Eval: airyOf(0, true)},
	AiryAiPrimex: {Name: "airyaiprimex", Arity: 1, Class: Float, D: p("a * airyaix(a) + sqrt(a) * y"), Dom: d(pos), ULP: 512, Eval: airyOf(1, true)},
	AiryBix:      {Name: "airybix", Arity: 1, Class: Float, D: p("airybiprimex(a) - sqrt(max(a, 0)) * y"), Dom: d(pos), ULP: 512, Eval: airyOf(2, true)},
	AiryBiPrimex: {Name: "airybiprimex", Arity: 1, Class: Float, D: p("a * airybix(a) - sqrt(max(a, 0)) * y"), Dom: d(pos), ULP: 512, Eval: airyOf(3, true)},
	BesselK0: {Name: "besselk0", Arity: 1, Class: Float, D: p("-besselk1(a)"), Dom: d(Domain{0.5, 6}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselKn(0, a) })},
	BesselK1: {Name: "besselk1", Arity: 1, Class: Float, D: p("-besselk0(a) - y / a"), Dom: d(Domain{0.5, 6}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselKn(1, a) })},
	// Times exp(-|a|) and exp(a), as besselix and besselkx.
	BesselI0x: {Name: "besseli0x", Arity: 1, Class: Float, D: p("besseli1x(a) - sign(a) * y"), Dom: d(Domain{0.5, 12}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselIScaled(0, a) })},
	BesselI1x: {Name: "besseli1x", Arity: 1, Class: Float, D: p("(a * a < 0.0625 ? exp(-abs(a)) * (0.5 + a * a * (0.1875 + a * a * (0.013020833333333334 + a * a * (0.00037977430555555556 + a * a * (0.000006103515625 + a * a * (0.00000006216543692129629 + a * a * (0.00000000043731097401344796 + a * a * (0.000000000002252632077679162)))))))) : besseli0x(a) - y / a) - sign(a) * y"), Dom: d(Domain{0.5, 12}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselIScaled(1, a) })},
	BesselK0x: {Name: "besselk0x", Arity: 1, Class: Float, D: p("y - besselk1x(a)"), Dom: d(Domain{0.5, 12}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselKx(0, a) })},
	BesselK1x: {Name: "besselk1x", Arity: 1, Class: Float, D: p("y - besselk0x(a) - y / a"), Dom: d(Domain{0.5, 12}), ULP: 16,
		Eval: u(func(a float64) float64 { return besselKx(1, a) })},
	// The second derivative of lgamma.
	Trigamma: {Name: "trigamma", Arity: 1, Class: Float, D: p("polygamma(2, a)"), C: "adj_polygamma(1, a)", Dom: d(Domain{0.3, 8}), ULP: 16,
		Eval: u(func(a float64) float64 { return polygamma(1, a) })},
}

// ByName finds a row by its name.
var ByName = map[string]ID{}

func init() {
	for i := range Table {
		op := &Table[i]
		op.ID = ID(i)
		ByName[op.Name] = op.ID
	}
	for i := range Table {
		op := &Table[i]
		op.partial = make([]*Expr, op.Arity)
		for j, text := range op.D {
			if text != "" {
				op.partial[j] = mustParse(op.Name, text)
			}
		}
	}
}

func (id ID) String() string { return Table[id].Name }

// Row returns the op's row.
func (id ID) Row() *Op { return &Table[id] }

// Partial returns the derivative of the op's result by argument i, nil when it has none.
func (op *Op) Partial(i int) *Expr { return op.partial[i] }

// Held reports whether argument i has no derivative, or none that is known.
func (op *Op) Held(i int) bool { return op.partial[i] == nil || op.partial[i].isNaN() }
