package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The traps that users of other systems fall into, one test each.

var background = context.Background()

func TestBranchNotTakenContributesZero(t *testing.T) {
	f := func(x ad.Value) ad.Value {
		return ad.Where(x.Gt(ad.Const(0)), x.Sqrt(), ad.Const(0)).Sum()
	}
	x := ad.From([]float64{0, 4, -1})
	want := []float64{0, 0.25, 0}
	second := []float64{0, -1.0 / 32, 0}
	ones := ad.F64.Ones(3)
	grad := ad.Grad(f)
	for name, got := range map[string]ad.Value{
		"reverse": grad(x),
		"forward": ad.Jacobian(f)(x),
	} {
		for i := range want {
			if got.At(i) != want[i] {
				t.Error(name, got)
			}
		}
	}
	hvp := ad.JVP(grad)(x, ones).Tangent
	twice := ad.Grad(func(x ad.Value) ad.Value { return grad(x).Sum() })(x)
	for i := range second {
		if hvp.At(i) != second[i] || twice.At(i) != second[i] {
			t.Error("second", hvp, twice)
		}
	}
}

func TestTiesShareTheDerivative(t *testing.T) {
	x := ad.From([]float64{3, 1, 3, 3})
	g := ad.Grad(func(x ad.Value) ad.Value { return x.ReduceMax() })(x)
	third := 1.0 / 3
	for i, want := range []float64{third, 0, third, third} {
		if g.At(i) != want {
			t.Error(g)
		}
	}
	half := ad.Grad(func(x ad.Value) ad.Value { return x.Max(ad.Const(3)).Sum() })(x)
	if half.At(0) != 0.5 || half.At(1) != 0 {
		t.Error(half)
	}
}

// Reading single elements is O(1) each in reverse mode: their cotangents are placed by one step.
func TestElementReads(t *testing.T) {
	steps := func(n int) int {
		p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value {
			y := ad.Const(0)
			for i := range n {
				y = y.Add(x.Index(i).Mul(x.Index(n - 1 - i)))
			}
			return y
		}), ad.F64.Spec(n))
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		g, err := p.Run(background, ad.From(x))
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if g.At(i) != 2*x[n-1-i] {
				t.Fatal(n, i, g)
			}
		}
		return strings.Count(p.String(), "\nstep ")
	}
	if few, many := steps(10), steps(1000); many > few {
		t.Error(few, many, "steps")
	}
}

// A weight's gradient is a product of matrices however it was written.
func TestSumOfProductsIsMatMul(t *testing.T) {
	p, err := ad.Compile2(ad.Grad2(func(w, x ad.Value) ad.Value {
		return x.ExpandDims(-1).Mul(w).Sum(1).Tanh().Sum() // [B k 1]·[k n] over k
	}), ad.F32.Spec(30, 20), ad.F32.Spec(ad.AnyBatch, 30))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(p.String(), "= matmul"); n != 2 {
		t.Errorf("%d products\n%v", n, p)
	}
}

func TestUnusedParameters(t *testing.T) {
	type params struct{ Used, Unused, Stopped, Count ad.Value }
	g := ad.Grad(func(p params) ad.Value {
		return p.Used.Mul(p.Stopped.StopGradient()).Mul(p.Count.Convert(ad.F64)).Sum()
	})(params{ad.F64.Ones(2), ad.F64.Ones(3), ad.F64.Full(5, 2), ad.I32.Full(2, 2)})
	if !g.Used.Connected() || g.Used.At(0) != 10 {
		t.Error("used", g.Used)
	}
	for name, v := range map[string]ad.Value{"unused": g.Unused, "stopped": g.Stopped} {
		if v.Connected() || v.At(1) != 0 {
			t.Error(name, v)
		}
	}
	if g.Count.IsValid() {
		t.Error("an integer has a derivative", g.Count)
	}
	p, err := ad.Compile(ad.Grad(func(p params) ad.Value { return p.Used.Sum() }),
		params{ad.F64.Spec(2), ad.F64.Spec(3), ad.F64.Spec(2), ad.I32.Spec(2)})
	if err != nil {
		t.Fatal(err)
	}
	g, err = p.Run(background, params{ad.F64.Ones(2), ad.F64.Ones(3), ad.F64.Full(5, 2), ad.I32.Full(2, 2)})
	if err != nil || !g.Used.Connected() || g.Unused.Connected() || g.Count.IsValid() {
		t.Error("compiled", g, err)
	}
	each := ad.Vmap(ad.Grad(func(p [2]ad.Value) ad.Value { return p[0].Sum() }))([2]ad.Value{ad.F64.Ones(2, 3), ad.F64.Ones(2)})
	if !each[0].Connected() || each[1].Connected() {
		t.Error("of each example", each)
	}
}

func TestNestedDerivativesDoNotMix(t *testing.T) {
	at := func(x float64) ad.Value { return ad.Scalar(x) }
	d := func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value { return ad.Grad(f) }
	forward := func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return ad.JVP(f)(x, x.FullLike(1)).Tangent }
	}
	for name, d := range map[string]func(func(ad.Value) ad.Value) func(ad.Value) ad.Value{"reverse": d, "forward": forward} {
		// d/dx x·(d/dy (x + y) at x) = 1
		got := d(func(x ad.Value) ad.Value {
			return x.Mul(d(func(y ad.Value) ad.Value { return x.Add(y) })(x))
		})(at(1))
		if got.Item() != 1 {
			t.Error(name, got)
		}
		// The same at order 3: d/dx x·d/dy(y²·d/dz(x·y·z)) = d/dx x·3x·x² = 12x³... at y = x
		got = d(func(x ad.Value) ad.Value {
			return x.Mul(d(func(y ad.Value) ad.Value {
				return y.Square().Mul(d(func(z ad.Value) ad.Value { return x.Mul(y).Mul(z) })(x))
			})(x))
		})(at(2))
		if want := 12 * 8.0; got.Item() != want {
			t.Error(name, got, want)
		}
		third := d(d(d(func(x ad.Value) ad.Value { return x.PowInt(5) })))(at(2))
		if third.Item() != 240 {
			t.Error(name, third)
		}
	}
}

func TestOneProgramServesEveryBatch(t *testing.T) {
	p, err := ad.Compile(ad.Vmap(ad.ValueAndGrad(func(x ad.Value) ad.Value { return x.Sin().Mul(x).Sum() })), ad.F32.Spec(ad.AnyBatch, 5))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 5*1000)
	for i := range x {
		x[i] = float32(i%97) / 10
	}
	all, err := p.Run(background, ad.From(x, 1000, 5))
	if err != nil {
		t.Fatal(err)
	}
	whole := raw(all.Grad)
	for _, n := range []int{1, 2, 3, 17, 999, 0} {
		some, err := p.Run(background, ad.From(x[:5*n], n, 5))
		if err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(raw(some.Grad), whole[:len(raw(some.Grad))]) {
			t.Error(n, "rows depend on their batch")
		}
	}
	if _, err := p.Run(background, ad.F32.Zeros(3, 4)); err == nil || !strings.Contains(err.Error(), "float32[3 4], not float32[B 5]") {
		t.Error(err)
	}
}

func TestTypesAreNeverMixedSilently(t *testing.T) {
	_, err := ad.Compile(func(x [2]ad.Value) ad.Value { return x[0].Add(x[1]) }, [2]ad.Value{ad.F32.Spec(3), ad.F64.Spec(3)})
	if err == nil || !strings.Contains(err.Error(), "Add") || !strings.Contains(err.Error(), "traps_test.go:") {
		t.Error(err)
	}
	if y := ad.F32.Ones(2).Add(ad.Const(1)); y.DType() != ad.F32 {
		t.Error(y)
	}
	if y := ad.Const(2).Sqrt().Add(ad.Const(1)).Mul(ad.F32.Ones(2)); y.DType() != ad.F32 {
		t.Error(y)
	}
	if y := ad.Const(1).Sub(ad.F64.Ones(2)); y.DType() != ad.F64 {
		t.Error(y)
	}
	if _, err := ad.Compile(func(x ad.Value) ad.Value { return x.Add(ad.Const(0.5)) }, ad.I32.Spec(3)); err == nil {
		t.Error("half an integer was added")
	}
}

func TestResultsAreTheCallers(t *testing.T) {
	p, err := ad.Compile(func(x ad.Value) [2]ad.Value { return [2]ad.Value{x, x.Scale(2)} }, ad.F64.Spec(4))
	if err != nil {
		t.Fatal(err)
	}
	x := ad.F64.Ones(4)
	first, err := p.Run(background, x)
	if err != nil {
		t.Fatal(err)
	}
	ad.Data[float64](x)[0] = 7
	if _, err := p.Run(background, x); err != nil {
		t.Fatal(err)
	}
	if first[0].At(0) != 1 || first[1].At(0) != 2 {
		t.Error("a later run changed an earlier result", first)
	}
}

func TestBadRunsWriteNothing(t *testing.T) {
	type args struct{ X, I ad.Value }
	p, err := ad.Compile(func(a args) ad.Value { return a.X.Exp().Take(a.I, 0).Add(a.X.Sum()) }, args{ad.F64.Spec(4), ad.I32.Spec(2)})
	if err != nil {
		t.Fatal(err)
	}
	out := ad.F64.Full(-1, 2)
	bad := args{ad.F64.Ones(4), ad.From([]int32{3, 4})}
	err = p.RunInto(background, &out, bad)
	if err == nil || !strings.Contains(err.Error(), "Take index 4 is not in 0 … 3 (traps_test.go:") {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(background)
	cancel()
	bad.I = ad.From([]int32{3, 0})
	if err := p.RunInto(gone, &out, bad); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Error(err)
	}
	if out.At(0) != -1 || out.At(1) != -1 {
		t.Error("written on an error", out)
	}
	if err := p.RunInto(background, &out, bad); err != nil || math.Abs(out.At(0)-math.E-4) > 1e-12 {
		t.Error("unusable after an error", out, err)
	}
}

func TestInPlace(t *testing.T) {
	p, err := ad.Compile2(func(w, g ad.Value) ad.Value { return w.Sub(g.Scale(0.5)).MatMul(w.T()) }, ad.F32.Spec(3, 3), ad.F32.Spec(3, 3))
	if err != nil {
		t.Fatal(err)
	}
	w := ad.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 3)
	g := ad.F32.Ones(3, 3)
	want, err := p.Run(background, w, g)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RunInto(background, &w, w, g); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw(w), raw(want)) {
		t.Error(w, want)
	}
}

func TestBitsDoNotDependOnThreads(t *testing.T) {
	var want []byte
	for _, threads := range []int{1, 2, 3, 8} {
		p, err := ad.Compile2(trainStep, newMLP(5, 40, 3), batch{ad.F32.Spec(ad.AnyBatch, 5), ad.I32.Spec(ad.AnyBatch)}, ad.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Run(background, newMLP(5, 40, 3), batchOf(3000))
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, v := range ad.TreeLeaves(r) {
			got = append(got, raw(v)...)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Error(threads, "threads give other bits")
		}
	}
}

func TestStructureOfArguments(t *testing.T) {
	p, err := ad.Compile(func(m *mlp) ad.Value { return m.Layers[1].w.Sum() }, newMLP(2, 3, 4))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*mlp{nil, newMLP(2, 3), {Layers: []*dense{nil, nil}}} {
		if _, err := p.Run(background, bad); err == nil || !strings.Contains(err.Error(), "built differently") {
			t.Error(bad, err)
		}
	}
	m := newMLP(2, 3, 4)
	m.Layers[1].w = ad.Value{}
	if _, err := p.Run(background, m); err == nil || !strings.Contains(err.Error(), "argument.Layers[1].w is no value, not float32[3 4]") {
		t.Error(err)
	}
}

// A program never takes the branch of its recording for other arguments: Go's if is refused when it would have to, and
// those of the graph choose at each run. On arrays Go's if goes by the arrays.
func TestNoBranchIsReplayed(t *testing.T) {
	byGo := func(x ad.Value) ad.Value {
		if x.Item() > 0 {
			return x.Square()
		}
		return x.Scale(-3)
	}
	inGraph := func(x ad.Value) ad.Value {
		return ad.Cond(x.Gt(ad.Const(0)), func() ad.Value { return x.Square() }, func() ad.Value { return x.Scale(-3) })
	}
	if _, err := ad.Compile(ad.Grad(byGo), ad.Scalar(2.0)); err == nil || !strings.Contains(err.Error(), "Cond") {
		t.Error("recorded once for all", err)
	}
	p, err := ad.Compile(ad.Grad(inGraph), ad.Scalar(2.0))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []float64{2, -2, 5, -1, 2} {
		want := -3.0
		if x > 0 {
			want = 2 * x
		}
		got, err := p.Run(background, ad.Scalar(x))
		if err != nil || got.Item() != want {
			t.Error("compiled", x, got, want, err)
		}
		if got := ad.Grad(byGo)(ad.Scalar(x)); got.Item() != want {
			t.Error("at once", x, got, want)
		}
	}
}

// An array that a function referred to when it was compiled may change later: the program has its own.
func TestCapturedArraysAreCopied(t *testing.T) {
	w := []float64{1, 2}
	p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value { return x.Mul(ad.From(w)).Sum() }), ad.F64.Spec(2))
	if err != nil {
		t.Fatal(err)
	}
	w[0] = 7
	g, err := p.Run(background, ad.F64.Ones(2))
	if err != nil || g.At(0) != 1 || g.At(1) != 2 {
		t.Error(g, err)
	}
}

// What recording, deriving and compiling cost grows with the number of operations and not with its square, and the
// batch has no part in it. Allocations count the work, whatever else the machine does.
func TestCompilingIsLinear(t *testing.T) {
	work := func(layers int) float64 {
		return testing.AllocsPerRun(1, func() {
			_, err := ad.Compile(ad.ValueAndGrad(func(x ad.Value) ad.Value {
				for range layers {
					x = x.MatMul(x.T()).Scale(0.1).Tanh().Add(x.Sin()).Softmax(1)
				}
				return x.Sum()
			}), ad.F64.Spec(8, 8))
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := work(10), work(80); many > 10*few {
		t.Errorf("%v allocations for 10 layers, %v for 80", few, many)
	}
}

// Memory follows from the plan: not from the depth of what is done in place, nor from the number of runs.
func TestMemoryIsPlanned(t *testing.T) {
	peak := func(layers int) int {
		p, err := ad.Compile(func(x ad.Value) ad.Value {
			for i := range layers {
				x = x.MatMul(x).Scale(0.1 + float64(i)).Sin()
			}
			return x
		}, ad.F32.Spec(64, 64))
		if err != nil {
			t.Fatal(err)
		}
		n, err := p.PeakBytes(1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if few, many := peak(4), peak(40); many > few {
		t.Errorf("%d bytes for 4 layers, %d for 40", few, many)
	}
}

// A panic in a task of a user's function is the run's error, the process goes on and so does the program.
func TestPanicInATask(t *testing.T) {
	f := ad.Host(ad.HostOp[ad.Value, ad.Value]{Name: "Fragile", Run: func(x, y ad.Value) error {
		if v := ad.Data[float64](x)[0]; v < 0 {
			panic(fmt.Sprint("negative ", v))
		}
		copy(ad.Data[float64](y), ad.Data[float64](x))
		return nil
	}})
	p, err := ad.Compile(ad.Vmap(f), ad.F64.Spec(ad.AnyBatch), ad.Options{Threads: 4})
	if err != nil {
		t.Fatal(err)
	}
	x := ad.F64.Ones(100)
	ad.Data[float64](x)[63] = -2
	if _, err := p.Run(background, x); err == nil || !strings.Contains(err.Error(), "Fragile panic: negative -2") || !strings.Contains(err.Error(), "element 63 of the batch (traps_test.go:") {
		t.Error(err)
	}
	if y, err := p.Run(background, x.Abs()); err != nil || y.At(63) != 2 {
		t.Error(y, err)
	}
}

// The operations whose rules others found missing when it was too late: both modes, second order, batched.
func TestRulesThatOthersMiss(t *testing.T) {
	x := ad.From([]float64{0.3, -1.2, 2.1, 0.7})
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"CumSum":  func(x ad.Value) ad.Value { return x.CumSum(0).Square() },
		"CumProd": func(x ad.Value) ad.Value { return x.CumProd(0) },
		"CumMax":  func(x ad.Value) ad.Value { return x.CumMax(0).Square() },
		"CumMin":  func(x ad.Value) ad.Value { return x.CumMin(0).Square() },
		"Pad":     func(x ad.Value) ad.Value { return x.Pad([]int{1}, []int{2}, 1).Square() },
		"Sort":    func(x ad.Value) ad.Value { return x.Sort(0).Square().Mul(ad.From([]float64{1, 2, 3, 4})) },
		"Expm1":   ad.Value.Expm1,
		"Log1p":   func(x ad.Value) ad.Value { return x.Square().Log1p() },
		"Rsqrt":   func(x ad.Value) ad.Value { return x.Square().Rsqrt() },
		"Atan2":   func(x ad.Value) ad.Value { return x.Atan2(x.Shift(3)) },
		"Prod":    func(x ad.Value) ad.Value { return x.Prod() },
		"Clamp":   func(x ad.Value) ad.Value { return x.Clamp(ad.Const(-1), ad.Const(1)).Square() },
		"Norm":    func(x ad.Value) ad.Value { return x.Square().Sum().Sqrt() },
		"Scatter": func(x ad.Value) ad.Value {
			return x.ScatterAdd(ad.From([]int64{1, 1}), x.Narrow(0, 2, 2).Square(), 0).Square()
		},
		"Var": func(x ad.Value) ad.Value { return x.Sub(x.Mean()).Square().Mean() },
	} {
		if err := ad.CheckGrads(f, x); err != nil {
			t.Error(name, err)
		}
		batch := ad.Vmap(func(x ad.Value) ad.Value { return ad.Hessian(func(x ad.Value) ad.Value { return f(x).Sum() })(x) })(ad.Stack(0, x, x.Scale(1.5)))
		one := ad.Hessian(func(x ad.Value) ad.Value { return f(x).Sum() })(x.Scale(1.5))
		if d := batch.Index(1).Sub(one).Abs().ReduceMax().Item(); !(d < 1e-12) {
			t.Error(name, "batched", d)
		}
	}
}

// A rule that is wrong by 1e-8 is found with what tolerances are when nobody says otherwise.
func TestTolerancesHideNothing(t *testing.T) {
	off := ad.Custom(ad.Value.Exp, ad.Rule[ad.Value, ad.Value]{
		VJP: func(x, y, ct ad.Value) ad.Value { return ct.Mul(y).Scale(1 + 1e-8) },
	})
	if err := ad.CheckGrads(off, ad.F64.Ones(3)); err == nil {
		t.Error("not found")
	}
	single := ad.Custom(ad.Value.Exp, ad.Rule[ad.Value, ad.Value]{
		VJP: func(x, y, ct ad.Value) ad.Value { return ct.Mul(y).Scale(1 + 1e-3) },
	})
	if err := ad.CheckGrads(single, ad.F32.Ones(3)); err == nil {
		t.Error("not found in float32")
	}
}

// A reverse pass through a loop whose number of steps is data: bounded in the graph, free on arrays.
func TestReverseThroughWhile(t *testing.T) {
	inGraph := func(x ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Lt(ad.Const(100)) }, func(x ad.Value) ad.Value { return x.Square().Shift(1) }, x, ad.WhileOptions{MaxSteps: 50})
	}
	byGo := func(x ad.Value) ad.Value {
		for x.Item() < 100 {
			x = x.Square().Shift(1)
		}
		return x
	}
	for _, x := range []float64{0.5, 1, 3, 200} {
		v, d := x, 1.0
		for v < 100 {
			v, d = v*v+1, d*2*v
		}
		for name, f := range map[string]func(ad.Value) ad.Value{"graph": inGraph, "Go": byGo} {
			y, dy, err := ad.ValueAndDerivative(f, x)
			if err != nil || y != v || !(dy/d-1 < 1e-14 && 1-dy/d < 1e-14) {
				t.Error(name, x, y, dy, v, d, err)
			}
		}
	}
	unbounded := func(x ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Lt(ad.Const(100)) }, func(x ad.Value) ad.Value { return x.Scale(2) }, x)
	}
	if _, err := ad.Derivative(unbounded, 1); err == nil || !strings.Contains(err.Error(), "MaxSteps") {
		t.Error("no bound, no word of it:", err)
	}
}
