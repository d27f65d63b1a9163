package autodiff_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/optimize"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// How the minimum that an optimizer found follows a parameter.
func ExampleImplicitMinimum() {
	loss := func(x, p ad.Value) ad.Value {
		a, b := x.Index(0), x.Index(1)
		return p.Sub(a).Square().Add(b.Sub(a.Square()).Square().Scale(100))
	}
	p := ad.Scalar(2.0)
	gradient := ad.Grad2(func(x, p ad.Value) ad.Value { return loss(x, p) })
	found, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { return loss(ad.From(x), p).Item() },
		Grad: func(g, x []float64) { copy(g, ad.Data[float64](gradient(ad.From(x), p))) },
	}, []float64{0, 0}, nil, &optimize.BFGS{})
	if err != nil {
		panic(err)
	}
	x := func(p ad.Value) ad.Value { return ad.ImplicitMinimum(loss, ad.From(found.X), p) } // (p, p²)
	d := ad.Jacobian(x)(p)
	fmt.Printf("%.4f %.4f\n", d.At(0), d.At(1))
	// Output: 1.0000 4.0000
}

// newton finds the root of x³ + x = p in the graph.
func newton(p ad.Value) ad.Value {
	x := ad.ForI(30, func(_, x ad.Value) ad.Value {
		return x.Sub(x.PowInt(3).Add(x).Sub(p).Div(x.Square().Scale(3).Shift(1)))
	}, p)
	return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return x.PowInt(3).Add(x).Sub(p) }, x, p)
}

func TestImplicit(t *testing.T) {
	type params struct{ A, B ad.Value }
	contraction := func(x ad.Value, p params) ad.Value { return p.A.MatMul(x.Sin()).Scale(0.3).Add(p.B) }
	a, b := random(1, 3, 3), random(2, 3)
	solve := func(p params) ad.Value {
		x := p.B
		for range 200 {
			x = contraction(x, p)
		}
		return x
	}
	// That of the matrix and the vector, against the loop's own derivative.
	w := random(3, 3)
	direct := func(p params) ad.Value {
		x := ad.ForI(200, func(_, x ad.Value) ad.Value { return contraction(x, p) }, p.B)
		return x.Mul(w).Sum()
	}
	x := solve(params{a, b})
	f := func(p params) ad.Value { return ad.ImplicitFixedPoint(contraction, x, p).Mul(w).Sum() }
	got, want := ad.Grad(f)(params{a, b}), ad.Grad(direct)(params{a, b})
	if got.A.Sub(want.A).NormInf().Item() > 1e-12 || got.B.Sub(want.B).NormInf().Item() > 1e-12 {
		t.Error(got, want)
	}
	dir := params{random(4, 3, 3), random(5, 3)}
	fw := ad.JVP(f)(params{a, b}, dir).Tangent.Item()
	if rv := got.A.Mul(dir.A).Sum().Add(got.B.Mul(dir.B).Sum()).Item(); math.Abs(fw-rv) > 1e-12 {
		t.Error(fw, rv)
	}

	// Of every order, found within the graph, over a batch: x = 1 solves p = 2 and x = 2 solves p = 10.
	first := func(x float64) float64 { return 1 / (3*x*x + 1) }
	second := func(x float64) float64 { return -6 * x * math.Pow(3*x*x+1, -3) }
	for p, x := range map[float64]float64{2: 1, 10: 2} {
		g := ad.Grad(newton)
		h := func(p ad.Value) ad.Value { return ad.JVP(newton)(p, p.FullLike(1)).Tangent }
		at := ad.Scalar(p)
		for what, c := range map[string]struct {
			got  ad.Value
			want float64
		}{
			"value":                {newton(at), x},
			"reverse":              {g(at), first(x)},
			"forward":              {h(at), first(x)},
			"reverse over reverse": {ad.Grad(g)(at), second(x)},
			"forward over reverse": {ad.JVP(g)(at, ad.Scalar(1.0)).Tangent, second(x)},
			"forward over forward": {ad.JVP(h)(at, ad.Scalar(1.0)).Tangent, second(x)},
			"reverse over forward": {ad.Grad(h)(at), second(x)},
			"a batch":              {ad.Vmap(g)(ad.From([]float64{p, 2})).Index(0), first(x)},
			"a batch, forward":     {ad.Vmap(h)(ad.From([]float64{p, 2})).Index(0), first(x)},
		} {
			if math.Abs(c.got.Item()-c.want) > 1e-12 {
				t.Errorf("%s at %v: %v, not %v", what, p, c.got, c.want)
			}
		}
	}
}

func TestImplicitErrors(t *testing.T) {
	for want, run := range map[string]func(p ad.Value) ad.Value{
		"Solve [1 1]: the matrix is singular": func(p ad.Value) ad.Value {
			return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return x.Square().Sub(p) }, ad.Scalar(0.0), p)
		},
		"ImplicitRoot the function gives [2] for x of []": func(p ad.Value) ad.Value {
			return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return ad.Stack(0, x, p) }, ad.Scalar(0.0), p)
		},
	} {
		if _, err := ad.Derivative(run, 1); err == nil || !strings.HasPrefix(err.Error(), "autodiff: "+want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}
