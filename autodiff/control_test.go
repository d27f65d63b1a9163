package autodiff_test

import (
	"context"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A recurrent cell, stepped by Go's for and by Scan under each policy: values, gradients, second derivatives
// and their batches agree.
func TestScan(t *testing.T) {
	const steps = 7
	type cell struct{ W, H ad.Value }
	next := func(c cell, x ad.Value) (cell, ad.Value) {
		h := c.H.MatMul(c.W).Add(x).Tanh()
		return cell{c.W, h}, h.Mul(x)
	}
	type args struct{ W, H, X ad.Value }
	unrolled := func(back bool) func(a args) ad.Value {
		return func(a args) ad.Value {
			c := cell{a.W, a.H}
			ys := make([]ad.Value, steps)
			for k := range steps {
				if back {
					k = steps - 1 - k
				}
				c, ys[k] = next(c, a.X.Index(k))
			}
			return c.H.Square().Sum().Add(ad.Stack(0, ys...).Sin().Sum())
		}
	}
	scanned := func(o ad.ScanOptions) func(a args) ad.Value {
		return func(a args) ad.Value {
			c, ys := ad.Scan(next, cell{a.W, a.H}, a.X, o)
			return c.H.Square().Sum().Add(ys.Sin().Sum())
		}
	}
	series := func(n int, k float64) ad.Value {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Sin(k * float64(i+1))
		}
		return ad.From(x)
	}
	at := args{series(4, 1).Reshape(2, 2), series(2, 2), series(2*steps, 3).Reshape(steps, 2)}
	hvp := func(f func(args) ad.Value) func(args) ad.Tangents[args] {
		return func(a args) ad.Tangents[args] { return ad.JVP(ad.Grad(f))(a, a) }
	}
	batch := args{ad.Stack(0, at.W, at.W.T()), ad.Stack(0, at.H, at.H.Neg()), ad.Stack(0, at.X, at.X.Scale(0.5))}
	for _, back := range []bool{false, true} {
		want := unrolled(back)
		for _, every := range []int{0, 1, 2, 3, 5, 7, 100, ad.EverySqrt} {
			got := scanned(ad.ScanOptions{Backward: back, Every: every})
			matching(t, "gradient", ad.ValueAndGrad(got)(at), ad.ValueAndGrad(want)(at), 1e-12)
			matching(t, "Hessian times vector", hvp(got)(at), hvp(want)(at), 1e-12)
			matching(t, "batch", ad.Vmap(ad.ValueAndGrad(got))(batch), ad.Vmap(ad.ValueAndGrad(want))(batch), 1e-12)
		}
	}
}

// A wide cell with two states, of which one is stacked, and a linear system in each step: what reverse mode keeps of products and
// factorizations changes no derivative.
func TestScanOfProducts(t *testing.T) {
	const steps, rows, width = 3, 2, 36
	type state struct{ H, C ad.Value }
	type args struct{ W, U, X ad.Value }
	numbers := func(k float64, shape ...int) ad.Value {
		n := 1
		for _, d := range shape {
			n *= d
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = 0.2 * math.Sin(k*float64(i+1))
		}
		return ad.From(x, shape...)
	}
	at := args{numbers(1, width, 2*width), numbers(2, 2, 2), numbers(3, steps, rows, width)}
	cell := func(a args) func(s state, x ad.Value) (state, ad.Value) {
		return func(s state, x ad.Value) (state, ad.Value) {
			z := s.H.MatMul(a.W)
			gate, cand := z.Narrow(1, 0, width).Sigmoid(), z.Narrow(1, width, width).Add(x).Tanh()
			m := a.U.Add(ad.F64.Eye(2).Scale(2)).Mul(s.C.Mean().Shift(1))
			c := m.Solve(gate.Mul(s.C).Add(cand))
			return state{c.Tanh().Mul(gate), c}, s.C
		}
	}
	loss := func(c state, ys ad.Value) ad.Value { return c.H.Add(c.C).Square().Sum().Add(ys.Sin().Sum()) }
	for _, back := range []bool{false, true} {
		want := func(a args) ad.Value {
			s := state{numbers(4, rows, width), numbers(5, rows, width)}
			ys := make([]ad.Value, steps)
			for k := range steps {
				if back {
					k = steps - 1 - k
				}
				s, ys[k] = cell(a)(s, a.X.Index(k))
			}
			return loss(s, ad.Stack(0, ys...))
		}
		for _, every := range []int{0, 2} {
			got := func(a args) ad.Value {
				return loss(ad.Scan(cell(a), state{numbers(4, rows, width), numbers(5, rows, width)}, a.X, ad.ScanOptions{Backward: back, Every: every}))
			}
			matching(t, "gradient", ad.ValueAndGrad(got)(at), ad.ValueAndGrad(want)(at), 1e-12)
			twice := func(f func(args) ad.Value) func(args) ad.Value {
				return func(a args) ad.Value {
					g := ad.Grad(f)(a)
					return g.W.Square().Sum().Add(g.X.Mul(a.X).Sum())
				}
			}
			matching(t, "gradient of a gradient", ad.Grad(twice(got))(at), ad.Grad(twice(want))(at), 1e-12)
			matching(t, "Hessian times vector", ad.JVP(ad.Grad(got))(at, at), ad.JVP(ad.Grad(want))(at, at), 1e-12)
			batch := args{ad.Stack(0, at.W, at.W.Neg()), ad.Stack(0, at.U, at.U.T()), ad.Stack(0, at.X, at.X.Scale(0.5))}
			matching(t, "batch", ad.Vmap(ad.ValueAndGrad(got))(batch), ad.Vmap(ad.ValueAndGrad(want))(batch), 1e-12)
		}
	}
}

// A loop that data ends before its bound leaves the slices of the steps that it did not take at 0, of the carries that it stacks in
// place, too: a product over all steps reads them.
func TestWhileOfProducts(t *testing.T) {
	const rows, width = 2, 80
	type state struct{ H, N ad.Value }
	x := make([]float64, width*width)
	for i := range x {
		x[i] = 0.2 * math.Sin(float64(i+1))
	}
	w, h := ad.From(x, width, width), ad.From(x[:rows*width], rows, width)
	step := func(w, h ad.Value) ad.Value { return h.MatMul(w).Tanh().Add(h.Scale(0.5)) }
	for _, steps := range []int{0, 1, 4, 6} {
		want := ad.ValueAndGrad(func(w ad.Value) ad.Value {
			y := h
			for range steps {
				y = step(w, y)
			}
			return y.Square().Sum()
		})(w)
		f := ad.ValueAndGrad(func(w ad.Value) ad.Value {
			return ad.While(func(s state) ad.Value { return s.N.Lt(ad.Const(float64(steps))) },
				func(s state) state { return state{step(w, s.H), s.N.Shift(1)} }, state{h, ad.Scalar(0.0)}, ad.WhileOptions{MaxSteps: 6}).H.Square().Sum()
		})
		matching(t, "gradient", f(w), want, 1e-12)
		p, err := ad.Compile(f, w, ad.Options{Poison: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Run(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		matching(t, "gradient in one program", got, want, 1e-12)
	}
}

// Memory in reverse follows the policy, the graph does not grow with the number of steps.
func TestScanMemory(t *testing.T) {
	size := func(n, every int) (lines int, bytes int) {
		p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value {
			return ad.ForI(n, func(i ad.Value, c ad.Value) ad.Value { return c.Sin().Mul(x) }, x, ad.ScanOptions{Every: every}).Sum()
		}), ad.F64.Spec(100))
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.PeakBytes(1)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(p.String(), "\n"), b
	}
	short, few := size(1000, 0)
	long, all := size(10000, 0)
	if short != long {
		t.Errorf("%d lines for 1000 steps, %d for 10000", short, long)
	}
	if all < 8*few || all < 8*100*10000 {
		t.Errorf("%d bytes for 1000 steps, %d for 10000", few, all)
	}
	if _, root := size(10000, ad.EverySqrt); root > all/20 {
		t.Errorf("%d bytes with every √n-th step kept, %d with all", root, all)
	}
	if lines, root := size(1_000_000, ad.EverySqrt); lines > 2*short || root > 8*100*5*1000 {
		t.Errorf("%d lines and %d bytes for 1000000 steps, every √n-th kept", lines, root)
	}
}

func TestWhile(t *testing.T) {
	// Newton's iteration for √a: a loop that ends on data.
	root := func(a ad.Value) ad.Value {
		type state struct{ X, Old, A ad.Value }
		s := ad.While(func(s state) ad.Value { return s.X.Sub(s.Old).Abs().Gt(ad.Const(1e-13)) },
			func(s state) state { return state{s.X.Add(s.A.Div(s.X)).Scale(0.5), s.X, s.A} },
			state{a, a.FullLike(0), a}, ad.WhileOptions{MaxSteps: 60})
		return s.X
	}
	for _, x := range []float64{2, 10, 0.3} {
		y, dy, err := ad.ValueAndDerivative(root, x)
		if err != nil || math.Abs(y-math.Sqrt(x)) > 1e-12 || math.Abs(dy-0.5/math.Sqrt(x)) > 1e-9 {
			t.Error(x, y, dy, err)
		}
	}
	r := ad.Vmap(ad.ValueAndGrad(root))(ad.From([]float64{2, 1e6, 0.3}))
	for i, x := range []float64{2, 1e6, 0.3} {
		if math.Abs(r.Value.At(i)/math.Sqrt(x)-1) > 1e-12 || math.Abs(r.Grad.At(i)*2*math.Sqrt(x)-1) > 1e-9 {
			t.Error(i, r)
		}
	}
	forever := func(x ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Lt(ad.Const(100)) }, func(x ad.Value) ad.Value { return x.Scale(2) }, x)
	}
	d := ad.JVP(forever)(ad.Scalar(3.0), ad.Scalar(1.0))
	if d.Value.Item() != 192 || d.Tangent.Item() != 64 {
		t.Error(d)
	}
	if _, err := ad.Derivative(forever, 3); err == nil || !strings.Contains(err.Error(), "While has no derivative in reverse mode without a bound") {
		t.Error(err)
	}
}

func TestCond(t *testing.T) {
	f := func(x ad.Value) ad.Value {
		return ad.Cond(x.Gt(ad.Const(0)), func() ad.Value { return x.Log() }, func() ad.Value { return x.Square().Neg() })
	}
	for x, want := range map[float64][2]float64{2: {math.Log(2), 0.5}, -3: {-9, 6}, 0: {0, 0}} {
		y, dy, err := ad.ValueAndDerivative(f, x)
		if err != nil || y != want[0] && math.Abs(y-want[0]) > 1e-15 || dy != want[1] {
			t.Error(x, y, dy, err)
		}
	}
	r := ad.Vmap(ad.ValueAndGrad(f))(ad.From([]float64{2, -3, 0}))
	if r.Grad.At(0) != 0.5 || r.Grad.At(1) != 6 || r.Grad.At(2) != 0 {
		t.Error(r)
	}
	g := func(x ad.Value, i int32) ad.Value {
		return ad.Switch(ad.Scalar(i), func() ad.Value { return x }, func() ad.Value { return x.Square() }, func() ad.Value { return x.Exp() })
	}
	for i, want := range map[int32]float64{-5: 3, 0: 3, 1: 9, 2: math.Exp(3), 7: math.Exp(3)} {
		if y := g(ad.Scalar(3.0), i).Item(); math.Abs(y-want) > 1e-14 {
			t.Error(i, y)
		}
	}
}

// Branches that are cheaper than choosing are computed and selected from: their derivatives are those of the one that
// is taken all the same, beside infinities, too.
func TestCheapBranches(t *testing.T) {
	inf := math.Inf(1)
	type pair struct{ X, Y ad.Value }
	for name, c := range map[string]struct {
		f func(x ad.Value) ad.Value
		g func(x float64) [3]float64 // with derivatives
	}{
		"sqrt": {func(x ad.Value) ad.Value {
			return ad.Cond(x.Gt(ad.Const(0)), func() ad.Value { return x.Sqrt() }, func() ad.Value { return x.Scale(2) })
		}, func(x float64) [3]float64 {
			if x > 0 {
				return [3]float64{math.Sqrt(x), 0.5 / math.Sqrt(x), -0.25 / math.Pow(x, 1.5)}
			}
			return [3]float64{2 * x, 2, 0}
		}},
		"pair": {func(x ad.Value) ad.Value {
			p := ad.Cond(x.Lt(ad.Const(1)), func() pair { return pair{x.Square(), x.Neg()} }, func() pair { return pair{x, ad.Const(1).Div(x)} })
			return p.X.Add(p.Y)
		}, func(x float64) [3]float64 {
			if x < 1 {
				return [3]float64{x*x - x, 2*x - 1, 2}
			}
			return [3]float64{x + 1/x, 1 - 1/x/x, 2 / x / x / x}
		}},
		"switch within": {func(x ad.Value) ad.Value {
			return ad.Switch(x.Convert(ad.I64), func() ad.Value { return x.Reciprocal() }, func() ad.Value {
				return ad.Cond(x.Gt(ad.Const(1)), func() ad.Value { return x.Square() }, func() ad.Value { return x.Reciprocal().Sqrt() })
			}, func() ad.Value { return x.Scale(3) })
		}, func(x float64) [3]float64 {
			switch {
			case x < 1:
				return [3]float64{1 / x, -1 / x / x, 2 / x / x / x}
			case x == 1:
				return [3]float64{1, -0.5, 0.75}
			case x < 2:
				return [3]float64{x * x, 2 * x, 2}
			}
			return [3]float64{3 * x, 3, 0}
		}},
	} {
		second := func(x ad.Value) [3]ad.Value {
			r := ad.JVP(func(x ad.Value) ad.Valued[ad.Value] { return ad.ValueAndGrad(c.f)(x) })(x, ad.Const(1))
			return [3]ad.Value{r.Value.Value, r.Value.Grad, r.Tangent.Grad}
		}
		p, err := ad.Compile(second, ad.F64.Spec())
		if err != nil {
			t.Fatal(name, err)
		}
		if p, err := ad.Compile(c.f, ad.F64.Spec()); err != nil || strings.Contains(p.String(), "branch") {
			t.Errorf("%s: %v, a branch in\n%v", name, err, p)
		}
		for _, x := range []float64{-inf, -2, -1, 0, math.Copysign(0, -1), 0.5, 1, 1.5, 2, 7, inf} {
			if name == "switch within" && (math.IsInf(x, 0) || x == 0) {
				continue // no integer; no derivative
			}
			y, err := p.Run(context.Background(), ad.Scalar(x))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.g(x) {
				if got := y[i].Item(); got != want && !(math.Abs(got-want) <= 1e-14*math.Abs(want)) && !(got != got && want != want) {
					t.Errorf("%s at %g: derivative %d is %g, want %g", name, x, i, got, want)
				}
			}
		}
	}
	// What is dear, large or of any size is not computed in vain.
	for _, c := range []struct {
		f  func(x ad.Value) ad.Value
		in ad.Value
	}{{ad.Value.Exp, ad.F64.Spec()}, {ad.Value.Neg, ad.F64.Spec(1000)}, {ad.Value.Neg, ad.F64.Spec(ad.AnyBatch)}} {
		p, err := ad.Compile(func(x ad.Value) ad.Value {
			return ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value { return c.f(x).Square() }, func() ad.Value { return c.f(x) })
		}, c.in)
		if err != nil || !strings.Contains(p.String(), "branch") {
			t.Error(p, err)
		}
	}
}

// Functions that loop over constants only, but refer to a recorded value, are recorded with it.
func TestLoopOverConstants(t *testing.T) {
	p, err := ad.Compile(ad.Grad(func(w ad.Value) ad.Value {
		return ad.ForI(5, func(_, c ad.Value) ad.Value { return c.Mul(w).Shift(1) }, ad.Scalar(1.0))
	}), ad.F64.Spec())
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Run(background, ad.Scalar(2.0))
	if want := 5*16.0 + 4*8 + 3*4 + 2*2 + 1; err != nil || d.Item() != want { // w⁵+w⁴+…+1
		t.Error(d, want, err)
	}
}

func TestCheckpoint(t *testing.T) {
	f := func(x ad.Value) ad.Value { return x.Sin().Exp().Square().Tanh() }
	g := func(wrap func(func(ad.Value) ad.Value) func(ad.Value) ad.Value) func(x ad.Value) ad.Value {
		h := wrap(f)
		return func(x ad.Value) ad.Value { return h(h(h(x))).Sum() }
	}
	plain := g(func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value { return f })
	kept := g(func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value { return ad.Checkpoint(f) })
	x := ad.From([]float64{0.1, 0.5, -2})
	for name, pair := range map[string][2]ad.Value{
		"gradient": {ad.Grad(plain)(x), ad.Grad(kept)(x)},
		"Hessian":  {ad.Hessian(plain)(x), ad.Hessian(kept)(x)},
	} {
		for i, want := range pair[0].Float64s() {
			if got := pair[1].Float64s()[i]; math.Abs(got-want) > 1e-14*math.Max(1, math.Abs(want)) {
				t.Error(name, pair)
			}
		}
	}
}

func TestControlErrors(t *testing.T) {
	x := ad.F64.Ones(3)
	for want, f := range map[string]func(){
		"Scan nothing to step over":             func() { ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return c, c }, x, ad.Value{}) },
		"Scan []: an axis to step over":         func() { ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return c, c }, x, x.Sum()) },
		"Scan the step makes carried value 0 f": func() { ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return x, c }, x, x) },
		"ForI -1 steps":                         func() { ad.ForI(-1, func(_, c ad.Value) ad.Value { return c }, x) },
		"Cond [3] of float64: one bool":         func() { ad.Cond(x, func() ad.Value { return x }, func() ad.Value { return x }) },
		"Cond the branches give float64": func() {
			ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value { return x }, func() ad.Value { return x.Sum() })
		},
		"While the condition is float64[3], no": func() { ad.While(func(c ad.Value) ad.Value { return c }, func(c ad.Value) ad.Value { return c }, x) },
	} {
		wantPanic(t, want, "control_test.go", f)
	}
}
