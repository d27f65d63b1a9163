package autodiff_test

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Exact values and derivatives of functions of an order, made by testdata/orders.py.
//
//go:embed testdata/orders.txt
var exactOrders string

// Functions of a real order against exact values: the value, both modes, the second derivative. Where the function
// passes 0 the error is measured by the size of what it and its derivatives are made of.
func TestOrders(t *testing.T) {
	type line struct {
		n, x float64
		want [3]float64
	}
	byName := map[string][]line{}
	for l := range strings.Lines(exactOrders) {
		words := strings.Fields(l)
		var v [5]float64
		for i := range v {
			v[i], _ = strconv.ParseFloat(words[1+i], 64)
		}
		byName[words[0]] = append(byName[words[0]], line{v[0], v[1], [3]float64(v[2:])})
	}
	for name, lines := range byName {
		m, ok := reflect.TypeFor[ad.Value]().MethodByName(name)
		if !ok {
			t.Fatal("no method ", name)
		}
		for _, typ := range []ad.DType{ad.F64, ad.F32} {
			var n, x []float64
			for _, l := range lines {
				n, x = append(n, l.n), append(x, l.x)
			}
			order := ad.From(n).Convert(typ)
			f := func(x ad.Value) ad.Value {
				return m.Func.Call([]reflect.Value{reflect.ValueOf(order), reflect.ValueOf(x)})[0].Interface().(ad.Value)
			}
			at := ad.From(x).Convert(typ)
			ones := at.FullLike(1)
			grad := ad.Grad(func(x ad.Value) ad.Value { return f(x).Sum() })
			tols := [3]float64{4e-14, 1e-12, 1e-10}
			if typ == ad.F32 {
				tols = [3]float64{2e-6, 5e-4, 5e-4}
			}
			for k, got := range []ad.Value{f(at), grad(at), ad.JVP(grad)(at, ones).Tangent, ad.JVP(f)(at, ones).Tangent} {
				k := map[int]int{3: 1}[k] + k%3
				for i, l := range lines {
					// Neighbours' sizes: f and, for derivatives, n/x times what is derived.
					size := math.Abs(l.want[k])
					if name == "BesselJ" || name == "BesselY" {
						size = math.Max(size, math.Sqrt(1/l.x))
						if k > 0 && l.x < 3 {
							size = math.Max(math.Abs(l.want[k]), math.Abs(l.want[0])*math.Abs(l.n)/l.x)
						}
					}
					if strings.HasSuffix(name, "x") { // cancellation between the scale's derivative and the function's
						size = math.Max(size, l.want[0])
					}
					if typ == ad.F32 && size > 1e30 || size < 1e-30 { // not of the type's range
						continue
					}
					if g := got.At(i); !(math.Abs(g-l.want[k]) <= tols[k]*size) {
						t.Errorf("%v, %s(%v, %v), derivative %d: %v, not %v", typ, name, l.n, l.x, k, g, l.want[k])
					}
				}
			}
		}
	}
}

// Limits, and orders and arguments that there is nothing at.
func TestSpecialLimits(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	c := ad.Scalar[float64]
	for i, g := range []struct {
		got  ad.Value
		want float64
	}{
		{c(2).GammaInc(c(0)), 0}, {c(2).GammaInc(c(inf)), 1}, {c(0).GammaInc(c(1)), nan}, {c(1).GammaInc(c(-1)), nan},
		{c(2).GammaIncc(c(0)), 1}, {c(2).GammaIncc(c(inf)), 0}, {c(1).GammaIncc(c(50)), math.Exp(-50)},
		{c(2).BetaInc(c(3), c(0)), 0}, {c(2).BetaInc(c(3), c(1)), 1}, {c(2).BetaInc(c(3), c(1.1)), nan}, {c(-2).BetaInc(c(3), c(0.5)), nan},
		{c(0).BesselJ(c(0)), 1}, {c(2).BesselJ(c(0)), 0}, {c(3).BesselJ(c(-1)), -0.019563353982668406}, {c(0.5).BesselJ(c(-1)), nan},
		{c(1).BesselJ(c(inf)), 0}, {c(1000).BesselJ(c(1)), nan}, {c(1).BesselY(c(0)), -inf}, {c(1).BesselY(c(-1)), nan},
		{c(1).BesselI(c(-1)), -0.565159103992485}, {c(1).BesselI(c(inf)), inf}, {c(1).BesselK(c(0)), inf}, {c(1).BesselK(c(inf)), 0},
		{c(0).AiryAi(), nan}, {c(1).ExpintN(c(0)), inf}, {c(3).ExpintN(c(0)), 0.5}, {c(2).ExpintN(c(-1)), nan},
		{c(inf).InvDigamma(), inf}, {c(-inf).InvDigamma(), 0}, {c(1e22).Rem2Pi(), math.Atan2(math.Sin(1e22), math.Cos(1e22))},
		{c(0).Mod2Pi(), 0}, {c(-1e-20).Rem2Pi(), -1e-20}, {c(0.75).Ldexp(c(-1060)), math.Ldexp(0.75, -1060)}, {c(0.75).Ldexp(c(1023)), math.Ldexp(0.75, 1023)},
		{c(0).Log1pmx(), 0}, {c(-1).Log1pmx(), -inf}, {c(1).Logmxp1(), 0}, {c(30).ErfTo(c(40)), math.Erfc(30)},
		{ad.Grad(func(x ad.Value) ad.Value { return ad.Const(1).GammaInc(x) })(c(0)), 1},
		{ad.Grad(func(n ad.Value) ad.Value { return n.BesselJ(ad.Const(1)) })(c(2)), nan},
		{ad.Grad(func(n ad.Value) ad.Value { return n.BesselY(ad.Const(1)) })(c(2)), nan},
		{ad.Grad(func(n ad.Value) ad.Value { return n.BesselI(ad.Const(1)) })(c(2)), nan},
		{ad.Grad(func(n ad.Value) ad.Value { return n.BesselK(ad.Const(1)) })(c(2)), nan},
		{ad.Grad(func(n ad.Value) ad.Value { return n.ExpintN(ad.Const(1)) })(c(2)), nan},
		{ad.Grad(func(x ad.Value) ad.Value { return x.Ldexp(c(3)) })(c(2)), 8},
		{c(0).Erfcinv(), inf}, {c(2).Erfcinv(), -inf}, {c(-0.1).Erfcinv(), nan}, {c(2.1).Erfcinv(), nan}, {c(nan).Erfcinv(), nan},
		{c(1.1).Erfc().Erfcinv(), 1.1}, {c(1.2).Erfc().Erfcinv(), 1.2}, {c(6).Erfc().Erfcinv(), 6}, {c(26).Erfc().Erfcinv(), 26},
		{ad.Grad(ad.Value.Erfcinv)(c(3).Erfc()), -math.Sqrt(math.Pi) / 2 * math.Exp(9)},
	} {
		if i == 23 { // Ai(0), not one of the limits
			g.want = 0.3550280538878172
		}
		if v := g.got.Item(); !(v == g.want || v != v && g.want != g.want || math.Abs(v-g.want) <= 4e-15*math.Abs(g.want)) {
			t.Errorf("%d: %v, want %v", i, v, g.want)
		}
	}
}

// Functions of orders 0 and 1 are those of one argument, with their published values (Abramowitz & Stegun, tables 5.1, 9.1, 9.8,
// 10.11, 17.1), however they are written.
func TestSpecialOrders(t *testing.T) {
	at := func(f func(x ad.Value) ad.Value, x float64) float64 { return f(ad.Scalar(x)).Item() }
	order := func(n float64, f func(n, x ad.Value) ad.Value) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return f(ad.Const(n), x) }
	}
	for i, c := range []struct {
		f    func(x ad.Value) ad.Value
		same func(x ad.Value) ad.Value // nil for none
		x    float64
		want float64
	}{
		{ad.Value.BesselJ0, order(0, ad.Value.BesselJ), 2, 0.223890779141235668}, {ad.Value.BesselJ1, order(1, ad.Value.BesselJ), 2, 0.576724807756873387},
		{ad.Value.BesselY0, order(0, ad.Value.BesselY), 2, 0.510375672649745119}, {ad.Value.BesselY1, order(1, ad.Value.BesselY), 2, -0.107032431540937547},
		{ad.Value.BesselI0, order(0, ad.Value.BesselI), 2, 2.27958530233606727}, {ad.Value.BesselI1, order(1, ad.Value.BesselI), 2, 1.59063685463732906},
		{ad.Value.BesselK0, order(0, ad.Value.BesselK), 1, 0.421024438240708333}, {ad.Value.BesselK1, order(1, ad.Value.BesselK), 1, 0.601907230197234574},
		{ad.Value.BesselK0, order(0, ad.Value.BesselK), 2, 0.113893872749533436}, {ad.Value.BesselK1, order(1, ad.Value.BesselK), 2, 0.139865881816522427},
		{ad.Value.BesselJ0, order(0, ad.Value.BesselJ), 50, 0.0558123276692518007}, {ad.Value.BesselK0, order(0, ad.Value.BesselK), 0, math.Inf(1)},
		{ad.Value.BesselK1, order(1, ad.Value.BesselK), 0, math.Inf(1)}, {ad.Value.BesselK1, order(1, ad.Value.BesselK), -1, math.NaN()},
		{ad.Value.Expint, order(1, ad.Value.ExpintN), 1, 0.219383934395520274}, {ad.Value.Expint, order(1, ad.Value.ExpintN), 10, 4.15696892968532428e-06},
		{ad.Value.Sinint, nil, 10, 1.65834759421887405}, {ad.Value.Cosint, nil, 10, -0.0454564330044553726},
		{ad.Value.Ellipk, nil, 0.5, 1.85407467730137192}, {ad.Value.Ellipe, nil, 0.5, 1.35064388104767550},
		{ad.Value.AiryAi, nil, 1, 0.135292416312881416}, {ad.Value.AiryBi, nil, 1, 1.20742359495287126},
		{ad.Value.BesselI0x, order(0, ad.Value.BesselIx), 2, 0.30850832255367104}, {ad.Value.BesselI1x, order(1, ad.Value.BesselIx), 2, 0.215269289248937659},
		{ad.Value.BesselK0x, order(0, ad.Value.BesselKx), 2, 0.841568215070771418}, {ad.Value.BesselK1x, order(1, ad.Value.BesselKx), 1, 1.63615348626325825},
		{ad.Value.BesselK0x, order(0, ad.Value.BesselKx), 900, 0.0417713391525487929}, {ad.Value.BesselI1x, order(1, ad.Value.BesselIx), 900, 0.0132925332225906552},
		{ad.Value.BesselK0x, order(0, ad.Value.BesselKx), 0, math.Inf(1)}, {ad.Value.BesselK1x, order(1, ad.Value.BesselKx), -1, math.NaN()},
		{ad.Value.Trigamma, func(x ad.Value) ad.Value { return x.Polygamma(1) }, 2.5, 0.490357756100234865},
		{ad.Value.Digamma, func(x ad.Value) ad.Value { return x.Polygamma(0) }, 1, -0.577215664901532861},
		{ad.Value.AiryAix, nil, 2, 0.230164918652511606}, {ad.Value.AiryBix, nil, 2, 0.500437254304094965},
		{ad.Value.AiryAiPrimex, nil, 1, -0.309976888960514847}, {ad.Value.AiryBiPrimex, nil, 1, 0.478728570604984738},
	} {
		near := func(got float64) bool {
			return got == c.want || got != got && c.want != c.want || math.Abs(got-c.want) <= 4e-16*math.Abs(c.want)+1e-16
		}
		if got := at(c.f, c.x); !near(got) {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
		if c.same != nil && math.Float64bits(at(c.same, c.x)) != math.Float64bits(at(c.f, c.x)) && c.want == c.want {
			t.Errorf("%d: by its order: %v, want %v", i, at(c.same, c.x), at(c.f, c.x))
		}
	}
	k := ad.Grad(func(x ad.Value) ad.Value { return ad.Const(1).BesselK(x) })
	if got, want := at(k, 2), -0.113893872749533436-0.139865881816522427/2; math.Abs(got-want) > 1e-15 {
		t.Errorf("K1'(2) = %v, want %v", got, want)
	}
}

// Mixed second derivatives of functions of several arguments, in both modes.
func TestSpecialGrads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	draw := func(lo, hi float64) ad.Value {
		x := make([]float64, 6)
		for i := range x {
			x[i] = lo + (hi-lo)*r.Float64()
		}
		return ad.From(x)
	}
	args := [3]ad.Value{draw(0.5, 5), draw(0.5, 5), draw(0.1, 0.9)}
	for name, f := range map[string]func(p [3]ad.Value) ad.Value{
		"GammaInc":  func(p [3]ad.Value) ad.Value { return p[0].GammaInc(p[1]) },
		"GammaIncc": func(p [3]ad.Value) ad.Value { return p[0].GammaIncc(p[1]) },
		"BetaInc":   func(p [3]ad.Value) ad.Value { return p[0].BetaInc(p[1], p[2]) },
		"ErfTo":     func(p [3]ad.Value) ad.Value { return p[0].ErfTo(p[1]) },
	} {
		if err := ad.CheckGrads(f, args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// diffRules lists the rules of DiffRules.jl, and what serves here: a method, or why there is none.
var diffRules = map[string]string{
	// Base, of one argument.
	"+": "self", "-": "Neg", "sqrt": "Sqrt", "cbrt": "Cbrt", "abs2": "Square", "inv": "Reciprocal", "log": "Log", "log10": "Log10",
	"log2": "Log2", "log1p": "Log1p", "exp": "Exp", "exp2": "Exp2", "exp10": "Exp10", "expm1": "Expm1", "sin": "Sin", "cos": "Cos",
	"tan": "Tan", "sec": "Sec", "csc": "Csc", "cot": "Cot", "sind": "Sind", "cosd": "Cosd", "tand": "Tand", "secd": "Secd",
	"cscd": "Cscd", "cotd": "Cotd", "sinpi": "SinPi", "cospi": "CosPi", "asin": "Asin", "acos": "Acos", "atan": "Atan",
	"asec": "Asec", "acsc": "Acsc", "acot": "Acot", "asind": "Asind", "acosd": "Acosd", "atand": "Atand", "asecd": "Asecd",
	"acscd": "Acscd", "acotd": "Acotd", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "sech": "Sech", "csch": "Csch",
	"coth": "Coth", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "asech": "Asech", "acsch": "Acsch", "acoth": "Acoth",
	"sinc": "Sinc", "deg2rad": "Deg2Rad", "mod2pi": "Mod2Pi", "rad2deg": "Rad2Deg", "abs": "Abs",
	// Base, of two.
	"+ of two": "Add", "- of two": "Sub", "*": "Mul", "/": "Div", "\\": "Div", "^": "Pow", "atan of two": "Atan2", "hypot": "Hypot",
	"log of two": "LogBase", "ldexp": "Ldexp", "mod": "FloorMod", "rem": "Mod", "rem2pi": "Rem2Pi", "max": "Max", "min": "Min",
	// SpecialFunctions, of one.
	"gamma": "Gamma", "loggamma": "Lgamma", "erf": "Erf", "erfinv": "Erfinv", "erfc": "Erfc", "logerfc": "LogErfc",
	"erfcinv": "Erfcinv", "erfi": "Erfi", "erfcx": "Erfcx", "logerfcx": "LogErfcx", "dawson": "Dawson", "digamma": "Digamma",
	"invdigamma": "InvDigamma", "trigamma": "Trigamma", "airyai": "AiryAi", "airyaiprime": "AiryAiPrime", "airyaix": "AiryAix",
	"airyaiprimex": "AiryAiPrimex", "airybi": "AiryBi", "airybiprime": "AiryBiPrime", "airybix": "AiryBix",
	"airybiprimex": "AiryBiPrimex", "besselj0": "BesselJ0", "besselj1": "BesselJ1", "bessely0": "BesselY0", "bessely1": "BesselY1",
	"sinint": "Sinint", "cosint": "Cosint", "ellipk": "Ellipk", "ellipe": "Ellipe", "expint": "Expint",
	// SpecialFunctions, of two. The scaled functions of the first two kinds are themselves on the real line.
	"erf of two": "ErfTo", "besselj": "BesselJ", "besseljx": "BesselJ", "besseli": "BesselI", "besselix": "BesselIx",
	"bessely": "BesselY", "besselyx": "BesselY", "besselk": "BesselK", "besselkx": "BesselKx", "besselh": "complex",
	"besselhx": "complex", "hankelh1": "complex", "hankelh1x": "complex", "hankelh2": "complex", "hankelh2x": "complex",
	"polygamma": "Polygamma", "beta": "Beta", "logbeta": "LogBeta", "expint of two": "ExpintN", "zeta": "Zeta",
	// NaNMath: NaN beyond the domain is what these give.
	"NaNMath.sqrt": "Sqrt", "NaNMath.sin": "Sin", "NaNMath.cos": "Cos", "NaNMath.tan": "Tan", "NaNMath.asin": "Asin",
	"NaNMath.acos": "Acos", "NaNMath.acosh": "Acosh", "NaNMath.atanh": "Atanh", "NaNMath.log": "Log", "NaNMath.log2": "Log2",
	"NaNMath.log10": "Log10", "NaNMath.log1p": "Log1p", "NaNMath.lgamma": "Lgamma", "NaNMath.pow": "Pow", "NaNMath.max": "Max",
	"NaNMath.min": "Min",
	// LogExpFunctions.
	"xlogx": "XLogX", "logistic": "Logistic", "logit": "Logit", "log1psq": "Log1pSquare", "log1pexp": "Log1pExp",
	"log1mexp": "Log1mExp", "log2mexp": "Log2mExp", "logexpm1": "LogExpm1", "log1pmx": "Log1pmx", "logmxp1": "Logmxp1",
	"xlogy": "XLogY", "logaddexp": "LogAddExp", "logsubexp": "LogSubExp", "xlog1py": "XLog1pY",
}

// Each of the 153 rules has its method, with both derivatives at some point, or is complex.
func TestDiffRules(t *testing.T) {
	if len(diffRules) != 153 {
		t.Errorf("%d rules, not 153", len(diffRules))
	}
	exact := exactFunctions + exactOrders
	for rule, name := range diffRules {
		if name == "self" || name == "complex" {
			continue
		}
		m, ok := reflect.TypeFor[ad.Value]().MethodByName(name)
		if !ok {
			t.Errorf("%s: no method %s", rule, name)
			continue
		}
		if strings.Contains(exact, name+" ") {
			continue // TestFunctions, TestOrders
		}
		// The others are rows of the table of operations, whose tests hold them to exact values. Here: both modes
		// against each other and differences, twice.
		f := func(x ad.Value) ad.Value {
			in := []reflect.Value{reflect.ValueOf(x)}
			for i := 1; i < m.Type.NumIn(); i++ {
				if m.Type.In(i) == reflect.TypeFor[int]() {
					in = append(in, reflect.ValueOf(2))
				} else {
					in = append(in, reflect.ValueOf(x.FullLike(3)))
				}
			}
			return m.Func.Call(in)[0].Interface().(ad.Value)
		}
		if name == "Zeta" { // by its second argument
			f = func(q ad.Value) ad.Value { return ad.Const(3).Zeta(q) }
		}
		x := ad.From([]float64{0.3, 0.55})
		if strings.HasSuffix(name, "Acosh") {
			x = x.Shift(1)
		}
		if err := ad.CheckGrads(f, x); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func ExampleValue_GammaInc() {
	// The derivative of the distribution function of a gamma variable by its shape.
	p := func(shape ad.Value) ad.Value { return shape.GammaInc(ad.Const(2)) }
	fmt.Printf("%.6f %.6f\n", p(ad.Scalar(1.5)).Item(), ad.Grad(p)(ad.Scalar(1.5)).Item())
	// Output: 0.738536 -0.277434
}
