package autodiff_test

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/kernels"
)

// Exact values and derivatives, made by testdata/functions.py, which says how.
//
//go:embed testdata/functions.txt
var exactFunctions string

type exactFunction struct {
	name string
	args [][]float64 // by argument, then point
	want [][]float64 // the value, then first and second derivatives by each argument
}

func exactTable(t *testing.T) (fs []exactFunction) {
	for line := range strings.Lines(exactFunctions) {
		words := strings.Fields(line)
		if len(fs) == 0 || fs[len(fs)-1].name != words[0] {
			fs = append(fs, exactFunction{name: words[0]})
		}
		f := &fs[len(fs)-1]
		var row []float64
		for _, w := range words[1:] {
			x, err := strconv.ParseFloat(w, 64)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, x)
		}
		arity := (len(row) - 1) / 3
		f.args = append(f.args, row[:arity])
		f.want = append(f.want, row[arity:])
	}
	return fs
}

func (f *exactFunction) call(x []ad.Value) ad.Value {
	in := make([]reflect.Value, len(x))
	for i, v := range x {
		in[i] = reflect.ValueOf(v)
	}
	m, ok := reflect.TypeFor[ad.Value]().MethodByName(f.name)
	if !ok {
		panic("no method " + f.name)
	}
	return m.Func.Call(in)[0].Interface().(ad.Value)
}

// Every function of the file against exact values, in both float types and on every level: the value, both modes,
// the second derivative forward over reverse, reverse over forward and under Vmap.
func TestFunctions(t *testing.T) {
	for _, f := range exactTable(t) {
		t.Run(f.name, func(t *testing.T) {
			for _, typ := range []ad.DType{ad.F32, ad.F64} {
				var first []byte
				for _, level := range kernels.Levels() {
					all := f.check(t, typ, level.Name)
					if first == nil {
						first = all
					}
					if !bytes.Equal(first, all) {
						t.Errorf("%v: the bits of %s are not those of %s", typ, level.Name, kernels.Levels()[0].Name)
					}
				}
			}
		})
	}
}

func (f *exactFunction) check(t *testing.T, typ ad.DType, level string) (all []byte) {
	t.Helper()
	arity := len(f.args[0])
	var args []ad.Value
	for k := range arity {
		var col []float64
		for _, p := range f.args {
			col = append(col, p[k])
		}
		args = append(args, ad.From(col).Convert(typ))
	}
	type results struct {
		Y                                   ad.Value
		Forward, Reverse, Over, Under, Rows []ad.Value // by argument
	}
	p, err := ad.Compile(func(x []ad.Value) results {
		r := results{Y: f.call(x)}
		for k := range x {
			by := func(v ad.Value) ad.Value {
				with := append([]ad.Value{}, x...)
				with[k] = v
				return f.call(with)
			}
			sum := func(v ad.Value) ad.Value { return by(v).Sum() }
			ones := x[k].FullLike(1)
			r.Forward = append(r.Forward, ad.JVP(by)(x[k], ones).Tangent)
			r.Reverse = append(r.Reverse, ad.Grad(sum)(x[k]))
			r.Over = append(r.Over, ad.JVP(ad.Grad(sum))(x[k], ones).Tangent)
			r.Under = append(r.Under, ad.Grad(func(v ad.Value) ad.Value { return ad.JVP(by)(v, ones).Tangent.Sum() })(x[k]))
			r.Rows = append(r.Rows, ad.Vmap(func(x []ad.Value) ad.Value {
				return ad.Grad(func(v ad.Value) ad.Value {
					return ad.Grad(func(v ad.Value) ad.Value {
						with := append([]ad.Value{}, x...)
						with[k] = v
						return f.call(with)
					})(v)
				})(x[k])
			})(x))
		}
		return r
	}, args, ad.Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(context.Background(), args)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range f.want {
		check := func(what string, got ad.Value, want, tol float64) {
			t.Helper()
			if g := got.At(i); !(math.Abs(g-want) <= tol*math.Max(1e-3, math.Abs(want))) {
				t.Errorf("%v, %s, %s at %v is %v, not %v", typ, level, what, f.args[i], g, want)
			}
		}
		value, first, second := 1e-13, 1e-11, 1e-9
		if typ == ad.F32 {
			value, first, second = 2e-5, 5e-4, 5e-4
		}
		check("value", r.Y, want[0], value)
		for k := range arity {
			check(fmt.Sprint("forward by ", k), r.Forward[k], want[1+2*k], first)
			check(fmt.Sprint("reverse by ", k), r.Reverse[k], want[1+2*k], first)
			check(fmt.Sprint("forward over reverse by ", k), r.Over[k], want[2+2*k], second)
			check(fmt.Sprint("reverse over forward by ", k), r.Under[k], want[2+2*k], second)
			check(fmt.Sprint("reverse twice, a row at a time, by ", k), r.Rows[k], want[2+2*k], second)
		}
	}
	for _, v := range ad.TreeLeaves(r) {
		all = append(all, raw(v)...)
	}
	return all
}

// At the ends of their ranges, at zeros and beyond, functions and first derivatives, in both modes, are the limits.
// Where a formula has 0/0, higher derivatives, too, are those of the series.
func TestDerivativesAtZero(t *testing.T) {
	half := math.Pi / 2
	for name, c := range map[string]struct {
		f    func(x ad.Value) ad.Value
		want []float64
	}{
		"BesselJ1":  {ad.Value.BesselJ1, []float64{0, 0.5, 0, -0.375, 0}},
		"BesselI1":  {ad.Value.BesselI1, []float64{0, 0.5, 0, 0.375, 0}},
		"Sinint":    {ad.Value.Sinint, []float64{0, 1, 0, -1. / 3, 0}},
		"Sinc":      {ad.Value.Sinc, []float64{1, 0, -math.Pi * math.Pi / 3, 0, math.Pow(math.Pi, 4) / 5}},
		"Ellipk":    {ad.Value.Ellipk, []float64{half, half / 4, half * 9 / 32, half * 75 / 128}},
		"Ellipe":    {ad.Value.Ellipe, []float64{half, -half / 4, -half * 3 / 32, -half * 15 / 128}},
		"GammaInc":  {func(x ad.Value) ad.Value { return ad.Const(2).GammaInc(x) }, []float64{0, 0, 1, -2, 3}},
		"GammaIncc": {func(x ad.Value) ad.Value { return ad.Const(2).GammaIncc(x) }, []float64{1, 0, -1, 2, -3}},
		"BetaInc":   {func(x ad.Value) ad.Value { return ad.Const(2).BetaInc(ad.Const(2), x) }, []float64{0, 0, 6, -12, 0}},
		"BetaInc 1": {func(x ad.Value) ad.Value { return ad.Const(2).BetaInc(ad.Const(2), x.Shift(1)) }, []float64{1, 0, -6, -12, 0}},
		"Cbrt":      {ad.Value.Cbrt, []float64{0, math.Inf(1)}},
	} {
		// At 0 and a little beside it, where the formula cancels.
		for _, x := range []float64{0, 1e-9} {
			if x != 0 && (name == "Cbrt" || strings.Contains(name, "Inc")) {
				continue
			}
			nested, at := c.f, ad.Scalar(x)
			series := ad.Derivatives(c.f, len(c.want)-1)(at)
			for k, want := range c.want {
				for how, got := range map[string]float64{"nested": nested(at).Item(), "in one pass": series[k].Item()} {
					if got != want && !(math.Abs(got-want) <= 1e-7) {
						t.Errorf("%s, derivative %d at %v, %s: %v, not %v", name, k, x, how, got, want)
					}
				}
				nested = ad.Grad(nested)
			}
		}
	}
	h := ad.Hessian(func(p ad.Value) ad.Value { return p.Index(0).Pow(p.Index(1)) })(ad.From([]float64{2, 0}))
	for i, want := range []float64{0, 0.5, 0.5, math.Ln2 * math.Ln2} {
		if math.Abs(h.Float64s()[i]-want) > 1e-15 {
			t.Errorf("Hessian of x⁰: %v", h)
		}
	}
}

func TestFunctionLimits(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	deg := math.Pi / 180
	one := func(f func(ad.Value) ad.Value) func(x []ad.Value) ad.Value {
		return func(x []ad.Value) ad.Value { return f(x[0]) }
	}
	two := func(f func(x, y ad.Value) ad.Value) func(x []ad.Value) ad.Value {
		return func(x []ad.Value) ad.Value { return f(x[0], x[1]) }
	}
	V := ad.Value.Sech
	for _, c := range []struct {
		name string
		f    func(x []ad.Value) ad.Value
		x    []float64
		y    float64
		d    []float64
	}{
		{"Sech", one(V), []float64{800}, 0, []float64{0}},
		{"Sech", one(V), []float64{-800}, 0, []float64{0}},
		{"Csch", one(ad.Value.Csch), []float64{800}, 0, []float64{0}},
		{"Csch", one(ad.Value.Csch), []float64{0}, inf, []float64{-inf}},
		{"Coth", one(ad.Value.Coth), []float64{800}, 1, []float64{0}},
		{"Coth", one(ad.Value.Coth), []float64{inf}, 1, []float64{0}},
		{"Asec", one(ad.Value.Asec), []float64{1}, 0, []float64{inf}},
		{"Asec", one(ad.Value.Asec), []float64{1e200}, math.Pi / 2, []float64{0}},
		{"Asec", one(ad.Value.Asec), []float64{0.5}, nan, []float64{nan}},
		{"Acsc", one(ad.Value.Acsc), []float64{-1}, -math.Pi / 2, []float64{-inf}},
		{"Acot", one(ad.Value.Acot), []float64{0}, math.Pi / 2, []float64{-1}},
		{"Asech", one(ad.Value.Asech), []float64{0}, inf, []float64{-inf}},
		{"Asech", one(ad.Value.Asech), []float64{1}, 0, []float64{-inf}},
		{"Acoth", one(ad.Value.Acoth), []float64{1}, inf, []float64{inf}},
		{"Acoth", one(ad.Value.Acoth), []float64{0.5}, nan, []float64{4. / 3}},
		{"Sinc", one(ad.Value.Sinc), []float64{0}, 1, []float64{0}},
		{"Sinc", one(ad.Value.Sinc), []float64{3}, 0, []float64{-1. / 3}},
		{"SinPi", one(ad.Value.SinPi), []float64{1e9}, 0, []float64{math.Pi}},
		{"SinPi", one(ad.Value.SinPi), []float64{2.5}, 1, []float64{0}},
		{"SinPi", one(ad.Value.SinPi), []float64{inf}, nan, []float64{nan}},
		{"CosPi", one(ad.Value.CosPi), []float64{1e9 + 1}, -1, []float64{0}},
		{"CosPi", one(ad.Value.CosPi), []float64{-3.5}, 0, []float64{-math.Pi}},
		{"Sind", one(ad.Value.Sind), []float64{180}, 0, []float64{-deg}},
		{"Cosd", one(ad.Value.Cosd), []float64{-90}, 0, []float64{deg}},
		{"Cosd", one(ad.Value.Cosd), []float64{360e6}, 1, []float64{0}},
		{"Tand", one(ad.Value.Tand), []float64{360}, 0, []float64{deg}},
		{"Logit", one(ad.Value.Logit), []float64{0}, -inf, []float64{inf}},
		{"Logit", one(ad.Value.Logit), []float64{1}, inf, []float64{inf}},
		{"Logit", one(ad.Value.Logit), []float64{0.5}, 0, []float64{4}},
		{"Log1pSquare", one(ad.Value.Log1pSquare), []float64{1e300}, 2 * math.Log(1e300), []float64{2e-300}},
		{"Log1pSquare", one(ad.Value.Log1pSquare), []float64{0}, 0, []float64{0}},
		{"Log1mExp", one(ad.Value.Log1mExp), []float64{0}, -inf, []float64{-inf}},
		{"Log1mExp", one(ad.Value.Log1mExp), []float64{-inf}, 0, []float64{0}},
		{"Log1mExp", one(ad.Value.Log1mExp), []float64{-800}, 0, []float64{0}},
		{"Log1mExp", one(ad.Value.Log1mExp), []float64{1}, nan, []float64{1 / -math.Expm1(-1)}},
		{"LogExpm1", one(ad.Value.LogExpm1), []float64{0}, -inf, []float64{inf}},
		{"LogExpm1", one(ad.Value.LogExpm1), []float64{1000}, 1000, []float64{1}},
		{"XLogX", one(ad.Value.XLogX), []float64{0}, 0, []float64{-inf}},
		{"XLogX", one(ad.Value.XLogX), []float64{-1}, nan, []float64{nan}},
		{"XExpX", one(ad.Value.XExpX), []float64{-inf}, 0, []float64{0}},
		{"XLogY", two(ad.Value.XLogY), []float64{0, 0}, 0, []float64{-inf, 0}},
		{"XLogY", two(ad.Value.XLogY), []float64{0, inf}, 0, []float64{inf, 0}},
		{"XLogY", two(ad.Value.XLogY), []float64{0, nan}, nan, []float64{nan, nan}},
		{"XLog1pY", two(ad.Value.XLog1pY), []float64{0, -1}, 0, []float64{-inf, 0}},
		{"LogAddExp", two(ad.Value.LogAddExp), []float64{1000, 1000}, 1000 + math.Ln2, []float64{0.5, 0.5}},
		{"LogAddExp", two(ad.Value.LogAddExp), []float64{-inf, -inf}, -inf, []float64{0.5, 0.5}},
		{"LogAddExp", two(ad.Value.LogAddExp), []float64{-inf, 3}, 3, []float64{0, 1}},
		{"LogAddExp", two(ad.Value.LogAddExp), []float64{inf, 3}, inf, []float64{1, 0}},
		{"LogAddExp", two(ad.Value.LogAddExp), []float64{nan, 3}, nan, []float64{nan, nan}},
		{"LogSubExp", two(ad.Value.LogSubExp), []float64{3, 3}, -inf, []float64{-inf, -inf}},
		{"LogSubExp", two(ad.Value.LogSubExp), []float64{1000, 0}, 1000, []float64{1, 0}},
		{"FloorMod", two(ad.Value.FloorMod), []float64{-6, 3}, 0, nil},
		{"LogErfc", one(ad.Value.LogErfc), []float64{100}, -10000 + math.Log(0.005641613782989433), nil},
		{"LogErfc", one(ad.Value.LogErfc), []float64{-50}, math.Ln2, []float64{0}},
		{"Erfinv", one(ad.Value.Erfinv), []float64{1}, inf, []float64{inf}},
		{"BesselI0", one(ad.Value.BesselI0), []float64{0}, 1, []float64{0}},
		{"BesselI1", one(ad.Value.BesselI1), []float64{0}, 0, []float64{0.5}},
		{"BesselJ1", one(ad.Value.BesselJ1), []float64{0}, 0, []float64{0.5}},
		{"Expint", one(ad.Value.Expint), []float64{0}, inf, []float64{-inf}},
		{"Sinint", one(ad.Value.Sinint), []float64{0}, 0, []float64{1}},
		{"Ellipk", one(ad.Value.Ellipk), []float64{0}, math.Pi / 2, []float64{math.Pi / 8}},
		{"Ellipe", one(ad.Value.Ellipe), []float64{1}, 1, []float64{-inf}},
		{"Zeta", two(ad.Value.Zeta), []float64{2, 1}, math.Pi * math.Pi / 6, []float64{0, -2 * 1.2020569031595942}},
		{"Zeta", two(ad.Value.Zeta), []float64{1, 1}, nan, nil},
	} {
		var x []ad.Value
		for _, v := range c.x {
			x = append(x, ad.Scalar(v))
		}
		same := func(what string, got ad.Value, want float64) {
			t.Helper()
			g := got.Item()
			if !(g == want || g != g && want != want || math.Abs(g-want) <= 1e-13*math.Abs(want)) {
				t.Errorf("%s%v: %s is %v, not %v", c.name, c.x, what, g, want)
			}
		}
		same("the value", c.f(x), c.y)
		if c.d == nil {
			continue
		}
		g := ad.Grad(c.f)(x)
		for k, want := range c.d {
			same(fmt.Sprint("reverse by ", k), g[k], want)
			along := make([]ad.Value, len(x))
			along[k] = ad.Scalar(1.0)
			same(fmt.Sprint("forward by ", k), ad.JVP(c.f)(x, along).Tangent, want)
		}
		// Not taken, it contributes exactly 0.
		off := ad.Grad(func(x []ad.Value) ad.Value {
			return ad.Where(x[0].IsNaN().Or(x[0].Lt(ad.Const(inf))).Or(x[0].Eq(ad.Const(inf))), x[0].FullLike(0), c.f(x))
		})(x)
		same("not taken", off[0], 0)
	}
}
