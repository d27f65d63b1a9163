package autodiff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func ExampleJacobianAt() {
	f := func(x ad.Value) ad.Value { return ad.Stack(0, x.Prod(), x.Sum()) }
	j, err := ad.JacobianAt(f, []float64{2, 3, 4})
	fmt.Println(mat.Formatted(j), err)
	// Output:
	// ⎡12   8   6⎤
	// ⎣ 1   1   1⎦ <nil>
}

func ExampleHessianAt() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Sum().Add(x.Prod()) }
	h, err := ad.HessianAt(f, []float64{1, 2})
	fmt.Println(mat.Formatted(h), err)
	// Output:
	// ⎡ 6   1⎤
	// ⎣ 1  12⎦ <nil>
}

func ExampleHVPAt() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Sum() }
	fmt.Println(ad.HVPAt(f, []float64{1, 2}, []float64{1, 1}))
	// Output: [3 12] [6 12] <nil>
}

func ExampleVJPAt() {
	f := func(x ad.Value) ad.Value { return x.CumSum(0).Square() }
	fmt.Println(ad.VJPAt(f, []float64{1, 2}, []float64{0, 1}))
	// Output: [1 9] [6 6] <nil>
}

// The forms at plain numbers agree with one another and with gonum's differences.
func TestPlain(t *testing.T) {
	const n, m = 5, 3
	r := rand.New(rand.NewPCG(1, 2))
	vector := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	w, x, tangent, cotangent := ad.From(vector(n*m), m, n), vector(n), vector(n), vector(m)
	f := func(x ad.Value) ad.Value { return w.MatMul(x.Sin()).Tanh() }

	j, err := ad.JacobianAt(f, x)
	if err != nil {
		t.Fatal(err)
	}
	want := mat.NewDense(m, n, nil)
	fd.Jacobian(want, func(y, x []float64) { copy(y, f(ad.From(x)).Float64s()) }, x, &fd.JacobianSettings{Formula: fd.Central})
	if !mat.EqualApprox(j, want, 1e-8) {
		t.Errorf("JacobianAt\n%v\ndifferences\n%v", mat.Formatted(j), mat.Formatted(want))
	}

	y, dy, err := ad.JVPAt(f, x, tangent)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "JVPAt's value", y, f(ad.From(x)).Float64s(), 0)
	var product mat.VecDense
	product.MulVec(j, mat.NewVecDense(n, tangent))
	closeTo(t, "JVPAt", dy, product.RawVector().Data, 1e-14)

	y, dx, err := ad.VJPAt(f, x, cotangent)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "VJPAt's value", y, f(ad.From(x)).Float64s(), 0)
	var pulled mat.VecDense
	pulled.MulVec(j.T(), mat.NewVecDense(m, cotangent))
	closeTo(t, "VJPAt", dx, pulled.RawVector().Data, 1e-14)

	scalar := func(x ad.Value) ad.Value { return f(x).Square().Sum() }
	h, err := ad.HessianAt(scalar, x)
	if err != nil {
		t.Fatal(err)
	}
	wantH := mat.NewSymDense(n, nil)
	fd.Hessian(wantH, func(x []float64) float64 { return scalar(ad.From(x)).Item() }, x, &fd.Settings{Formula: fd.Central, Step: 1e-4})
	if !mat.EqualApprox(h, wantH, 1e-4) {
		t.Errorf("HessianAt\n%v\ndifferences\n%v", mat.Formatted(h), mat.Formatted(wantH))
	}
	grad, hv, err := ad.HVPAt(scalar, x, tangent)
	if err != nil {
		t.Fatal(err)
	}
	wantGrad, err := ad.Gradient(scalar, x)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "HVPAt's gradient", grad, wantGrad, 1e-14)
	product.Reset()
	product.MulVec(h, mat.NewVecDense(n, tangent))
	closeTo(t, "HVPAt", hv, product.RawVector().Data, 1e-13)
}

// A scalar's Jacobian is one row; other mistakes are errors that name the operation and the caller's line.
func TestPlainErrors(t *testing.T) {
	sum := func(x ad.Value) ad.Value { return x.Square().Sum() }
	j, err := ad.JacobianAt(sum, []float64{1, 2})
	if err != nil || !mat.Equal(j, mat.NewDense(1, 2, []float64{2, 4})) {
		t.Errorf("%v, %v", j, err)
	}
	_, empty := ad.JacobianAt(sum, nil)
	_, none := ad.HessianAt(sum, nil)
	_, vector := ad.HessianAt(ad.Value.Square, []float64{1, 2})
	_, _, short := ad.JVPAt(sum, []float64{1, 2}, []float64{1})
	_, _, long := ad.VJPAt(ad.Value.Square, []float64{1, 2}, []float64{1, 2, 3})
	for op, err := range map[string]error{"JacobianAt": empty, "HessianAt": none, "Grad": vector, "JVP": short, "VJP": long} {
		if err == nil || !strings.Contains(err.Error(), op) || !strings.Contains(err.Error(), "plain_test.go:") {
			t.Errorf("%s: %v", op, err)
		}
	}
}
