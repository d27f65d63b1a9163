package autodiff_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A rule that forgets the chain rule's factor is found.
func ExampleCheckGrads() {
	square := ad.Custom(func(x ad.Value) ad.Value { return x.Square() }, ad.Rule[ad.Value, ad.Value]{
		Name: "Square",
		VJP:  func(x, y, ct ad.Value) ad.Value { return x.Scale(2) }, // and not times ct
	})
	f := func(x ad.Value) ad.Value { return square(x).Scale(3) }
	err := ad.CheckGrads(f, ad.Scalar(0.5))
	fmt.Println(strings.Contains(err.Error(), "the derivative by the argument is"), err != nil)
	fmt.Println(ad.CheckGrads(ad.Value.Square, ad.Scalar(0.5)))
	// Output:
	// true true
	// <nil>
}

type checkModel struct {
	W, B ad.Value
	N    ad.Value // an integer
	Rest map[string]ad.Value
}

func aModel(t ad.DType) checkModel {
	k := ad.NewKey(1)
	return checkModel{k.Normal(t, 3, 4), k.FoldIn(ad.Const(1)).Normal(t, 4), ad.Scalar(int32(3)),
		map[string]ad.Value{"scale": t.Full(0.7, 2, 1)}}
}

func TestCheckGradsPasses(t *testing.T) {
	for _, typ := range []ad.DType{ad.F32, ad.F64} {
		x := ad.NewKey(2).Uniform(typ, 2, 3).Shift(0.5)
		loss := func(m checkModel) []ad.Value {
			h := x.MatMul(m.W).Add(m.B).Tanh().Mul(m.Rest["scale"])
			return []ad.Value{h.LogSumExp(-1), h.Softmax(-1).Square().Sum().Mul(m.N.Convert(typ)), h.ArgMax(0)}
		}
		if err := ad.CheckGrads(loss, aModel(typ), ad.CheckOptions{Order: 3, Directions: 1}); err != nil {
			t.Error(err)
		}
		type pair struct{ X, Y ad.Value }
		for name, f := range map[string]func(p pair) ad.Value{
			"mul":     func(p pair) ad.Value { return p.X.Mul(p.Y) },
			"pow":     func(p pair) ad.Value { return p.X.Pow(p.Y) },
			"where":   func(p pair) ad.Value { return ad.Where(p.X.Gt(ad.Const(1)), p.X.Mul(p.Y).Exp(), p.Y.Sin()) },
			"xlogy":   func(p pair) ad.Value { return p.X.XLogY(p.Y) },
			"special": func(p pair) ad.Value { return p.X.Gamma().Mul(p.Y.BesselI0()).Add(p.X.Erfcx()) },
			"scan": func(p pair) ad.Value {
				return ad.ForI(4, func(_ ad.Value, c ad.Value) ad.Value { return c.Sin().Mul(p.Y) }, p.X)
			},
			"unused": func(p pair) ad.Value { return p.X.Square() },
		} {
			if err := ad.CheckGrads(f, pair{x, x.T().Reshape(2, 3)}); err != nil {
				t.Errorf("%v, %s: %v", typ, name, err)
			}
		}
	}
	// At zeros, at large and small numbers.
	for _, x := range []float64{0, 1e-12, 1e9} {
		if err := ad.CheckGrads(func(x ad.Value) ad.Value { return x.Square().Mul(x).Add(x.Scale(1e-3)) }, ad.Scalar(x)); err != nil {
			t.Error(x, err)
		}
	}
	if err := ad.CheckGrads(ad.Value.Log, ad.Scalar(1e-30)); err != nil {
		t.Error(err)
	}
	// A derivative that is nothing but roundings.
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"x/x": func(x ad.Value) ad.Value { return x.Div(x) },
		"Q":   func(x ad.Value) ad.Value { q, _ := x.Sin().Reshape(1, 1).QR(); return q },
		"L":   func(x ad.Value) ad.Value { _, l, _ := x.Exp().Reshape(1, 1).LU(); return l },
	} {
		for _, x := range []float64{1.3, 1e6 / 3} {
			if err := ad.CheckGrads(f, ad.Scalar(math.Log(x)), ad.CheckOptions{Order: 3}); err != nil {
				t.Error(name, x, err)
			}
		}
	}
	// Several parameters of integers between.
	if err := ad.CheckGrads(func(m checkModel) ad.Value { return m.B.Exp().Dot(m.B) }, aModel(ad.F64)); err != nil {
		t.Error(err)
	}
}

func TestCheckGradsCatches(t *testing.T) {
	type rule = ad.Rule[ad.Value, ad.Value]
	sin := func(r rule) func(m checkModel) ad.Value {
		f := ad.Custom(func(x ad.Value) ad.Value { return x.Sin() }, r)
		return func(m checkModel) ad.Value { return f(m.B).Mul(m.W).Sum() }
	}
	scaled := func(c float64) func(x, y, d ad.Value) ad.Value {
		return func(x, _, d ad.Value) ad.Value { return d.Mul(x.Cos()).Scale(c) }
	}
	blind := func(x, _, d ad.Value) ad.Value { return d.Mul(x.Cos().StopGradient()) }
	// The right sum along one axis, of the wrong element.
	shifted := func(x, _, d ad.Value) ad.Value { return d.Mul(x.Cos()).Reverse() }
	for name, c := range map[string]struct {
		f     func(m checkModel) ad.Value
		order int
		want  string // "" for none
	}{
		"right":                     {sin(rule{VJP: scaled(1), JVP: scaled(1)}), 3, ""},
		"reverse a little wrong":    {sin(rule{VJP: scaled(1.0001)}), 1, "the derivative by .B is"},
		"forward a little wrong":    {sin(rule{JVP: scaled(1.0001)}), 1, "the derivative by .B is"},
		"both wrong":                {sin(rule{VJP: scaled(-1), JVP: scaled(-1)}), 1, "the derivative by .B is"},
		"both a little wrong":       {sin(rule{VJP: scaled(1.0001), JVP: scaled(1.0001)}), 1, "the derivative by .B is"},
		"of the wrong element":      {sin(rule{VJP: shifted, JVP: shifted}), 1, "the derivative by .B is"},
		"blind, first order":        {sin(rule{VJP: blind, JVP: blind}), 1, ""},
		"blind, second order":       {sin(rule{VJP: blind, JVP: blind}), 2, "the derivative by .B of the derivative in reverse mode is"},
		"blind in forward mode":     {sin(rule{VJP: scaled(1), JVP: blind}), 2, "of the derivative in "},
		"right, where not smooth":   {func(m checkModel) ad.Value { return m.B.Abs().Sum() }, 3, ""},
		"a gradient that is lost":   {func(m checkModel) ad.Value { return m.B.StopGradient().Mul(m.W).Sum() }, 1, "the derivative by .B is 0 in forward mode, 0 in reverse mode"},
		"by what is beyond a map":   {func(m checkModel) ad.Value { return m.Rest["scale"].StopGradient().Exp().Sum() }, 1, "by .Rest[scale] is 0"},
		"an infinite derivative":    {func(m checkModel) ad.Value { return m.W.Sub(m.W).Sqrt().Sum() }, 1, "the derivative by .W is NaN"},
		"a kink within reach":       {func(m checkModel) ad.Value { return m.B.Sub(m.B.StopGradient()).Abs().Sum() }, 1, ""},
		"nothing but integers":      {func(m checkModel) ad.Value { return m.N }, 1, "a float is needed"},
		"an error in the recording": {func(m checkModel) ad.Value { return m.W.Add(m.N) }, 1, "the types differ"},
	} {
		err := ad.CheckGrads(c.f, aModel(ad.F64), ad.CheckOptions{Order: c.order})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for want, f := range map[string]func() error{
		"a negative number":                 func() error { return ad.CheckGrads(ad.Value.Sin, ad.Scalar(1.0), ad.CheckOptions{Order: -1}) },
		"NaN":                               func() error { return ad.CheckGrads(ad.Value.Sin, ad.Scalar(1.0), ad.CheckOptions{Step: math.NaN()}) },
		"a Spec has no elements":            func() error { return ad.CheckGrads(ad.Value.Sin, ad.F64.Spec(2)) },
		"in the argument and in the result": func() error { return ad.CheckGrads(ad.Value.BitNot, ad.Scalar(int32(1))) },
		"differences (check_test.go:":       func() error { return ad.CheckGrads(ad.Value.StopGradient, ad.Scalar(1.0)) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
