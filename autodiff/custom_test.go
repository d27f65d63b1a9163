package autodiff_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A gradient that is clipped on its way back.
func ExampleCustom() {
	clip := ad.Custom(func(x ad.Value) ad.Value { return x }, ad.Rule[ad.Value, ad.Value]{
		Name: "ClipGradient",
		VJP:  func(x, y, ct ad.Value) ad.Value { return ct.Clamp(ad.Const(-1), ad.Const(1)) },
	})
	f := func(x ad.Value) ad.Value { return clip(x).Square().Sum() }
	fmt.Println(ad.Grad(f)(ad.From([]float64{0.25, 3, -7})))
	// Output: float64[3] 0.5 1 -1
}

func TestCustom(t *testing.T) {
	type pair struct {
		X ad.Value
		K ad.Value // an integer
	}
	// log(1 + eˣ)·k with the derivative that is known, in both modes.
	soft := ad.Custom(func(p pair) ad.Value { return p.X.Exp().Log1p().Mul(p.K.Convert(ad.F64)) }, ad.Rule[pair, ad.Value]{
		VJP: func(p pair, y, ct ad.Value) pair { return pair{X: ct.Mul(p.X.Sigmoid()).Mul(p.K.Convert(ad.F64))} },
		JVP: func(p pair, y ad.Value, d pair) ad.Value { return d.X.Mul(p.X.Sigmoid()).Mul(p.K.Convert(ad.F64)) },
	})
	k := ad.Scalar(int32(3))
	f := func(x ad.Value) ad.Value { return soft(pair{x, k}).Sum() }
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, x := range []float64{-1, 0.5, 800} { // where eˣ overflows its own derivative is NaN
		s := sigmoid(x)
		first, second := 3*s, 3*s*(1-s)
		g := ad.Grad(f)
		for name, got := range map[string]ad.Value{
			"reverse": g(ad.Scalar(x)),
			"forward": ad.JVP(f)(ad.Scalar(x), ad.Scalar(1.0)).Tangent,
			"batch":   ad.Vmap(g)(ad.From([]float64{x})).Index(0),
			"forward, batch": ad.Vmap(func(x ad.Value) ad.Value {
				return ad.JVP(f)(x, x.FullLike(1)).Tangent
			})(ad.From([]float64{x})).Index(0),
		} {
			if math.Abs(got.Item()-first) > 1e-14 {
				t.Error(name, x, got, first)
			}
		}
		for name, got := range map[string]ad.Value{
			"forward over reverse": ad.JVP(g)(ad.Scalar(x), ad.Scalar(1.0)).Tangent,
			"reverse over reverse": ad.Grad(g)(ad.Scalar(x)),
			"batch of seconds":     ad.Vmap(ad.Grad(g))(ad.From([]float64{x})).Index(0),
		} {
			if math.Abs(got.Item()-second) > 1e-14 {
				t.Error(name, x, got, second)
			}
		}
	}
	p, err := ad.Compile(ad.Grad(f), ad.F64.Spec())
	if err != nil || strings.Contains(p.String(), "branch") {
		t.Error("the function is not part of the program's clusters", err)
	}

	// Forward mode without a rule follows the function.
	half := ad.Custom(func(x ad.Value) ad.Value { return x.Sin() }, ad.Rule[ad.Value, ad.Value]{
		VJP: func(x, y, ct ad.Value) ad.Value { return ct.Scale(0.5) },
	})
	if d := ad.JVP(half)(ad.Scalar(0.0), ad.Scalar(1.0)).Tangent.Item(); d != 1 {
		t.Error(d)
	}
	if d := ad.Grad(half)(ad.Scalar(0.0)).Item(); d != 0.5 {
		t.Error(d)
	}
}

// What has no derivative need not be an argument: numbers, noise, arrays, what is stopped.
func TestCustomUsesConstants(t *testing.T) {
	k, eye := ad.NewKey(1), ad.F64.Eye(2)
	f := func(x ad.Value) ad.Value {
		noise := k.NormalLike(x)
		stopped := x.Square().StopGradient()
		return ad.Custom(func(x ad.Value) ad.Value { return eye.MatMul(x).Mul(noise).Add(x.FullLike(0.3).Tanh()).Add(stopped) },
			ad.Rule[ad.Value, ad.Value]{VJP: func(_, _, ct ad.Value) ad.Value { return ct.Mul(noise) }})(x)
	}
	x := ad.From([]float64{1, 2})
	noise := k.NormalLike(x)
	want := x.Mul(noise).Shift(math.Tanh(0.3)).Add(x.Square())
	if y := ad.VJP(f)(x, x).Value; y.Sub(want).Abs().ReduceMax().Item() > 1e-15 {
		t.Errorf("%v, not %v", y, want)
	}
	for _, d := range []ad.Value{ad.VJP(f)(x, x.FullLike(1)).Grad, ad.JVP(f)(x, x.FullLike(1)).Tangent} {
		if d.Sub(noise).Abs().ReduceMax().Item() > 1e-15 {
			t.Errorf("derivative %v, not %v", d, noise)
		}
	}
}

func TestCustomErrors(t *testing.T) {
	w := func(x ad.Value) ad.Value {
		c := x.Scale(2)
		return ad.Custom(func(y ad.Value) ad.Value { return y.Mul(c) }, ad.Rule[ad.Value, ad.Value]{Name: "Mine"})(x.Sin())
	}
	if _, err := ad.Derivative(w, 1); err == nil || !strings.Contains(err.Error(), "Mine the function uses a value of float64 []") {
		t.Error(err)
	}
	bad := ad.Custom(ad.Value.Sin, ad.Rule[ad.Value, ad.Value]{Name: "Mine", VJP: func(x, y, ct ad.Value) ad.Value { return ad.F64.Ones(2) }})
	if _, err := ad.Derivative(bad, 1); err == nil || !strings.Contains(err.Error(), "Mine the rule's cotangents 0 is float64[2], not float64[]") {
		t.Error(err)
	}
}
