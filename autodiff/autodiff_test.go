package autodiff_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func cubic(x ad.Value) ad.Value { return x.PowInt(3).Add(x.Scale(2)) }

func TestOneCall(t *testing.T) {
	y, dy, err := ad.ValueAndDerivative(cubic, 3)
	if err != nil || y != 33 || dy != 29 {
		t.Error(y, dy, err)
	}
	rosenbrock := func(x ad.Value) ad.Value {
		a, b := x.Index(0), x.Index(1)
		return ad.Const(1).Sub(a).Square().Add(b.Sub(a.Square()).Square().Scale(100))
	}
	g, err := ad.Gradient(rosenbrock, []float64{-1.2, 1})
	if err != nil || math.Abs(g[0]+215.6) > 1e-12 || math.Abs(g[1]+88) > 1e-12 {
		t.Error(g, err)
	}
	h := ad.Hessian(rosenbrock)(ad.From([]float64{-1.2, 1}))
	for i, want := range []float64{1330, 480, 480, 200} {
		if got := h.At(i/2, i%2); math.Abs(got-want) > 1e-9 {
			t.Error(i, got, want)
		}
	}
}

type mlp struct {
	Layers []*dense
	Extra  map[string]ad.Value
	Name   string
}

type dense struct{ w, b ad.Value }

type batch struct{ X, Y ad.Value }

func (m *mlp) logits(x ad.Value) ad.Value {
	for i, l := range m.Layers {
		x = x.MatMul(l.w).Add(l.b)
		if i < len(m.Layers)-1 {
			x = x.ReLU()
		}
	}
	return x.Mul(m.Extra["scale"])
}

func newMLP(sizes ...int) *mlp {
	r := rand.New(rand.NewPCG(1, 2))
	m := &mlp{Extra: map[string]ad.Value{"scale": ad.F32.Ones(), "unused": ad.F32.Ones(3)}, Name: "test"}
	for i := range len(sizes) - 1 {
		w := make([]float32, sizes[i]*sizes[i+1])
		for k := range w {
			w[k] = float32(r.NormFloat64()) / 4
		}
		m.Layers = append(m.Layers, &dense{ad.From(w, sizes[i], sizes[i+1]), ad.F32.Zeros(sizes[i+1])})
	}
	return m
}

type stepResult struct {
	Loss  ad.Value
	Model *mlp
}

func trainStep(m *mlp, b batch) stepResult {
	r := ad.ValueAndGrad2(func(m *mlp, b batch) ad.Value { return ad.CrossEntropy(m.logits(b.X), b.Y) })(m, b)
	return stepResult{r.Value, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(0.1)) }, m, r.Grad)}
}

func batchOf(n int) batch {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	x, y := make([]float32, n*5), make([]int32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range y {
		for k := range int32(3) {
			if x[i*5+int(k)] > x[i*5+int(y[i])] {
				y[i] = k
			}
		}
	}
	return batch{ad.From(x, n, 5), ad.From(y)}
}

func TestTrainingStep(t *testing.T) {
	step, err := ad.Compile2(trainStep, newMLP(5, 4, 3), batch{ad.F32.Spec(ad.AnyBatch, 5), ad.I32.Spec(ad.AnyBatch)})
	if err != nil {
		t.Fatal(err)
	}
	m := newMLP(5, 4, 3)
	first := math.NaN()
	for i := range 50 {
		n := []int{7, 1, 64}[i%3]
		r, err := step.Run(context.Background(), m, batchOf(n))
		if err != nil {
			t.Fatal(err)
		}
		// The same without compiling.
		e := trainStep(m, batchOf(n))
		if math.Abs(e.Loss.Item()-r.Loss.Item()) > 1e-5 {
			t.Fatal(n, e.Loss, r.Loss)
		}
		if n == 64 && first != first {
			first = r.Loss.Item()
		}
		if r.Model.Name != "test" {
			t.Fatal(r.Model)
		}
		m = r.Model
	}
	r, _ := step.Run(context.Background(), m, batchOf(64))
	if r.Loss.Item() > 0.8*first {
		t.Error("loss", first, r.Loss)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var out stepResult
			for k := range 20 {
				if err := step.RunInto(context.Background(), &out, m, batchOf(1+(i+k)%5)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
}

func TestErrors(t *testing.T) {
	for want, f := range map[string]func() error{
		"autodiff: MatMul [64 784] × [10 784]: inner sizes 784 and 10 differ (autodiff_test.go:": func() error {
			_, err := ad.Compile(func(x [2]ad.Value) ad.Value { return x[0].MatMul(x[1]) },
				[2]ad.Value{ad.F32.Spec(64, 784), ad.F32.Spec(10, 784)})
			return err
		},
		"autodiff: Grad [2] of float64: the function's result must be one float": func() error {
			_, err := ad.Gradient(func(x ad.Value) ad.Value { return x }, []float64{1, 2})
			return err
		},
		"autodiff: Run argument is float32[3], not float64[3] (autodiff_test.go:": func() error {
			p, err := ad.Compile(ad.Value.Exp, ad.F64.Spec(3))
			if err != nil {
				return err
			}
			_, err = p.Run(context.Background(), ad.F32.Zeros(3))
			return err
		},
	} {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func BenchmarkScalar(b *testing.B) {
	p, err := ad.Compile(ad.ValueAndGrad(cubic), ad.F64.Spec())
	if err != nil {
		b.Fatal(err)
	}
	var out ad.Valued[ad.Value]
	ctx := context.Background()
	x := ad.Scalar(3.0)
	for b.Loop() {
		if err := p.RunInto(ctx, &out, x); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOneCall(b *testing.B) {
	for b.Loop() {
		if _, err := ad.Derivative(cubic, 3); err != nil {
			b.Fatal(err)
		}
	}
}

// The derivative of any number of points by a few parameters is one program.
func TestJacobianOverBatch(t *testing.T) {
	p, err := ad.Compile2(func(x, at ad.Value) ad.Value {
		return ad.Jacobian(func(x ad.Value) ad.Value { return x.Index(0).Mul(at.Mul(x.Index(1)).Sin()) })(x)
	}, ad.F64.Spec(2), ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{3, 0.5}
	for _, at := range [][]float64{{1, 2, 3}, {4}} {
		j, err := p.Run(context.Background(), ad.From(x), ad.From(at))
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range at {
			if math.Abs(j.At(i, 0)-math.Sin(u/2)) > 1e-14 || math.Abs(j.At(i, 1)-3*u*math.Cos(u/2)) > 1e-14 {
				t.Error(u, j)
			}
		}
	}
}

func TestScalarAt(t *testing.T) {
	p, err := ad.Compile(ad.Grad(cubic), ad.F64.Spec())
	if err != nil {
		t.Fatal(err)
	}
	x, y := 3.0, 0.0
	out := ad.ScalarAt(&y)
	if err := p.RunInto(context.Background(), &out, ad.ScalarAt(&x)); err != nil || y != 29 {
		t.Error(y, err)
	}
}

func TestTreeClone(t *testing.T) {
	m := newMLP(2, 3)
	c := ad.TreeClone(m)
	ad.Data[float32](m.Layers[0].w)[0] = 77
	if c.Layers[0].w.At(0, 0) == 77 || c.Layers[0].w.Dim(1) != 3 || c.Name != m.Name {
		t.Error(c)
	}
}

// A program tells how long it took to make; each batch size adds to that once.
func TestCompileTimes(t *testing.T) {
	p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value { return x.Exp().Sin().Sum() }), ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	made := p.CompileTimes()
	if made.Record <= 0 || made.Plan <= 0 || made.Bind != 0 {
		t.Error(made)
	}
	var last ad.CompileTimes
	for i, n := range []int{10, 10, 20} {
		if _, err := p.Run(t.Context(), ad.From(make([]float64, n))); err != nil {
			t.Fatal(err)
		}
		now := p.CompileTimes()
		if more := now.Bind > last.Bind; more != (i != 1) || now.Record != made.Record || now.Plan != made.Plan {
			t.Error(n, last, now)
		}
		last = now
	}
}
