package autodiff_test

import (
	"context"
	"fmt"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The derivative of x³ + 2x at 3.
func ExampleDerivative() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Add(x.Scale(2)) }
	y, dy, err := ad.ValueAndDerivative(f, 3)
	fmt.Println(y, dy, err)
	// Output: 33 29 <nil>
}

func ExampleGradient() {
	rosenbrock := func(x ad.Value) ad.Value {
		a, b := x.Index(0), x.Index(1)
		return ad.Const(1).Sub(a).Square().Add(b.Sub(a.Square()).Square().Scale(100))
	}
	g, err := ad.Gradient(rosenbrock, []float64{1, 2})
	fmt.Println(g, err)
	// Output: [-400 200] <nil>
}

// One program for every batch size: a value and its derivatives for each row.
func ExampleVmap() {
	type Option struct{ Spot, Strike ad.Value }
	payoff := func(o Option) ad.Value { return o.Spot.Sub(o.Strike).Softplus() }
	rows := ad.F64.Spec(ad.AnyBatch)
	p, err := ad.Compile(ad.Vmap(ad.ValueAndGrad(payoff)), Option{rows, rows})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := p.Run(context.Background(), Option{ad.From([]float64{1, 2, 3}), ad.From([]float64{2, 2, 2})})
	fmt.Println(r.Value, err)
	fmt.Println(r.Grad.Spot)
	// Output:
	// float64[3] 0.313262 0.693147 1.31326 <nil>
	// float64[3] 0.268941 0.5 0.731059
}

// A model is a struct, its loss a function, a step of training one program that updates the weights where
// they are.
func ExampleCompile2() {
	type Model struct{ W, B ad.Value }
	type Batch struct{ X, Y ad.Value }
	type Result struct {
		Loss  ad.Value
		Model Model
	}
	loss := func(m Model, b Batch) ad.Value { return b.X.MatMul(m.W).Add(m.B).Sub(b.Y).Square().Mean() }
	step := func(m Model, b Batch) Result {
		r := ad.ValueAndGrad2(loss)(m, b)
		descend := func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(0.1)) }
		return Result{r.Value, ad.TreeMap(descend, m, r.Grad)}
	}
	m := Model{ad.F32.Zeros(2), ad.F32.Zeros()}
	p, err := ad.Compile2(step, m, Batch{ad.F32.Spec(ad.AnyBatch, 2), ad.F32.Spec(ad.AnyBatch)})
	if err != nil {
		fmt.Println(err)
		return
	}
	data := Batch{ad.From([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2), ad.From([]float32{1, 3, 2, 4})}
	out := Result{Model: m}
	for range 400 {
		if err := p.RunInto(context.Background(), &out, m, data); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%.3f %.3f %.3f\n", m.W.At(0), m.W.At(1), m.B.Item())
	// Output: 1.000 2.000 1.000
}

func ExampleHessian() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Sum().Add(x.Prod()) }
	fmt.Println(ad.Hessian(f)(ad.From([]float64{1, 2})))
	// Output: float64[2 2] 6 1 1 12
}

func ExampleJVP() {
	r := ad.JVP(ad.Value.Sin)(ad.Scalar(0.0), ad.Scalar(2.0))
	fmt.Println(r.Value, r.Tangent)
	// Output: float64[] 0 float64[] 2
}

// A Hessian-vector product is forward mode over reverse mode.
func ExampleJVP_hessianVector() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Sum() }
	r := ad.JVP(ad.Grad(f))(ad.From([]float64{1, 2}), ad.From([]float64{1, 1}))
	fmt.Println(r.Tangent)
	// Output: float64[2] 6 12
}

func ExampleVJP() {
	r := ad.VJP(ad.Value.Exp)(ad.Scalar(0.0), ad.Scalar(3.0))
	fmt.Println(r.Grad)
	// Output: float64[] 3
}

func ExampleValue_Slice() {
	x := ad.F64.Iota(0, 6).Reshape(2, 3)
	fmt.Println(x.Slice(ad.Range{}, ad.Range{Lo: 1}))
	fmt.Println(x.Slice(ad.Range{Lo: -1}, ad.Range{Step: -1}))
	// Output:
	// float64[2 2] 1 2 4 5
	// float64[1 3] 5 4 3
}

func ExampleEinsum() {
	x := ad.F64.Iota(0, 6).Reshape(2, 3)
	fmt.Println(ad.Einsum("ij,kj->ik", x, x))
	// Output: float64[2 2] 5 14 14 50
}

func ExampleWhere() {
	x := ad.From([]float64{0, 4})
	f := func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(0)), x.Sqrt(), ad.Const(0)).Sum() }
	fmt.Println(ad.Grad(f)(x)) // not NaN where √ has none
	// Output: float64[2] 0 0.25
}

// A loss with an accuracy beside it.
func ExampleValueAndGradAux2() {
	f := func(w, x ad.Value) (loss, positive ad.Value) {
		y := x.MatMul(w)
		return y.Square().Mean(), y.Gt(ad.Const(0)).CountTrue()
	}
	r := ad.ValueAndGradAux2(f)(ad.From([]float64{1, 2}), ad.From([]float64{1, 1, 1, -1}, 2, 2))
	fmt.Println(r.Value.Item(), r.Grad, r.Aux.Item())
	// Output: 5 float64[2] 2 4 1
}

func ExampleHVP() {
	f := func(x ad.Value) ad.Value { return x.PowInt(3).Sum() }
	r := ad.HVP(f)(ad.From([]float64{1, 2}), ad.From([]float64{1, 1}))
	fmt.Println(r.Value, r.Tangent) // the gradient, and the product
	// Output: float64[2] 3 12 float64[2] 6 12
}

// Ordinary Go that depends on values: as many steps of Newton's method as it takes, and the derivative of what was done.
func ExampleValue_Item() {
	root := func(x ad.Value) ad.Value {
		y := x
		for y.Square().Sub(x).Abs().Item() > 1e-12 {
			y = y.Add(x.Div(y)).Scale(0.5)
		}
		return y
	}
	y, dy, err := ad.ValueAndDerivative(root, 4)
	fmt.Printf("%.6f %.6f %v\n", y, dy, err)
	// Output: 2.000000 0.250000 <nil>
}

// A mistake is an error.
// A step of gradient descent on a model, a struct of values.
func ExampleTreeMap() {
	type Line struct{ Slope, Offset ad.Value }
	x, y := ad.From([]float64{0, 1, 2}), ad.From([]float64{1, 3, 5})
	loss := func(m Line) ad.Value { return m.Slope.Mul(x).Add(m.Offset).Sub(y).Square().Mean() }
	m := Line{ad.Scalar(0.0), ad.Scalar(0.0)}
	for range 500 {
		m = ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(0.2)) }, m, ad.Grad(loss)(m))
	}
	fmt.Printf("%.3f %.3f\n", m.Slope.Item(), m.Offset.Item())
	// Output: 2.000 1.000
}

func ExampleCall() {
	f := func(x ad.Value) ad.Value { return x.Mul(ad.From([]float64{1, 2})).Square() }
	j, err := ad.Call(ad.Jacobian(f), ad.From([]float64{3, 4}))
	fmt.Println(j, err)
	_, err = ad.Call(ad.Jacobian(f), ad.From([]float64{3, 4, 5}))
	fmt.Println(err != nil)
	// Output:
	// float64[2 2] 6 0 0 32 <nil>
	// true
}

// A model is a struct, and so is its gradient.
func ExampleValueAndGrad() {
	type line struct{ Slope, Shift ad.Value }
	x, y := ad.From([]float64{0, 1, 2}), ad.From([]float64{1, 3, 5})
	loss := func(l line) ad.Value { return x.Mul(l.Slope).Add(l.Shift).Sub(y).Square().Sum() }
	r := ad.ValueAndGrad(loss)(line{ad.Scalar(1.0), ad.Scalar(1.0)})
	fmt.Println(r.Value, r.Grad.Slope, r.Grad.Shift)
	// Output: float64[] 5 float64[] -10 float64[] -6
}

// Columns, four at a time.
func ExampleJacobian() {
	f := func(x ad.Value) ad.Value { return ad.Stack(0, x.Prod(), x.Sum()) }
	j := ad.Jacobian(f, ad.JacobianOptions{Mode: ad.Forward, Chunk: 4})
	fmt.Println(j(ad.From([]float64{2, 3, 4})))
	// Output: float64[2 3] 12 8 6 1 1 1
}

// What is stopped is a constant to derivatives.
func ExampleValue_StopGradient() {
	f := func(x ad.Value) ad.Value { return x.Mul(x.StopGradient()) }
	fmt.Println(ad.Derivative(f, 3))
	// Output: 3 <nil>
}

// Many cotangents at once: rows of the Jacobian.
func ExampleVJPs() {
	f := func(x ad.Value) ad.Value { return x.CumSum(0).Square() }
	r := ad.VJPs(f)(ad.From([]float64{1, 2}), ad.From([]float64{1, 0, 0, 1}, 2, 2))
	fmt.Println(r.Grad)
	// Output: float64[2 2] 2 0 6 6
}
