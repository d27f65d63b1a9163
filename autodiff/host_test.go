package autodiff_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A gradient that is turned around on its way back, as in domain-adversarial training.
func ExampleCustom_reversal() {
	reverse := ad.Custom(func(x ad.Value) ad.Value { return x }, ad.Rule[ad.Value, ad.Value]{
		Name: "ReverseGradient",
		VJP:  func(x, y, ct ad.Value) ad.Value { return ct.Neg() },
	})
	f := func(x ad.Value) ad.Value { return reverse(x).Square().Sum() }
	fmt.Println(ad.Grad(f)(ad.From([]float64{1, -3})))
	// Output: float64[2] -2 6
}

// An operation that ordinary Go computes, with its derivative.
func ExampleHost() {
	cube := ad.Host(ad.HostOp[ad.Value, ad.Value]{
		Name: "Cube",
		Run: func(x, y ad.Value) error {
			out := ad.Data[float64](y)
			for i, v := range ad.Data[float64](x) {
				out[i] = v * v * v
			}
			return nil
		},
		JVP: func(x, y, t ad.Value) ad.Value { return x.Square().Scale(3).Mul(t) },
	})
	f := func(x ad.Value) ad.Value { return cube(x).Sum() }
	x := ad.From([]float64{1, 2})
	fmt.Println(f(x), ad.Grad(f)(x), ad.Vmap(ad.Grad(f))(ad.From([]float64{1, 2, 3, 4}, 2, 2)))
	// Output: float64[] 9 float64[2] 3 12 float64[2 2] 3 12 27 48
}

type hostIn struct {
	X, W ad.Value
	K    int
}

type hostOut struct {
	Y   ad.Value // Σ x·w per row, to the power K
	Arg ad.Value // int64: the index of the largest x
	Sum ad.Value // []: of x
}

var errHost = errors.New("negative weight")

// hostOp is an operation of several results and types, and the same of operations; hosts are its kinds.
func hostRun(a hostIn, r hostOut) error {
	x, w, y := ad.Data[float64](a.X), ad.Data[float64](a.W), ad.Data[float64](r.Y)
	n := len(w)
	best := 0
	for i, v := range x {
		if w[i%n] < 0 {
			return errHost
		}
		y[i/n] += v * w[i%n]
		ad.Data[float64](r.Sum)[0] += v
		if v > x[best] {
			best = i
		}
	}
	for i := range y {
		y[i] = math.Pow(y[i], float64(a.K))
	}
	ad.Data[int64](r.Arg)[0] = int64(best)
	return nil
}

func hostSame(a hostIn) hostOut {
	n := a.X.Dim(0) * a.X.Dim(1)
	return hostOut{a.X.Mul(a.W).Sum(1).PowInt(a.K), a.X.Reshape(n).ArgMax(0), a.X.Sum()}
}

func hostBatch(a hostIn, r hostOut) error {
	b, m, n := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, w := ad.Data[float64](a.X), ad.Data[float64](a.W)
	for i := range b {
		err := hostRun(hostIn{ad.From(x[i*m*n:(i+1)*m*n], m, n), ad.From(w[i*n : (i+1)*n]), a.K},
			hostOut{ad.From(ad.Data[float64](r.Y)[i*m : (i+1)*m]), ad.From(ad.Data[int64](r.Arg)[i : i+1]), ad.From(ad.Data[float64](r.Sum)[i : i+1])})
		if err != nil {
			return err
		}
	}
	return nil
}

func hostShape(a hostIn) hostOut {
	return hostOut{ad.F64.Spec(a.X.Dim(0)), ad.I64.Spec(), ad.F64.Spec()}
}

func hostVJP(a hostIn, r, ct hostOut) hostIn {
	s := a.X.Mul(a.W).Sum(1)
	d := ct.Y.Mul(s.PowInt(a.K - 1)).Scale(float64(a.K)).ExpandDims(1)
	return hostIn{X: d.Mul(a.W).Add(ct.Sum), W: d.Mul(a.X).Sum(0)}
}

func hostJVP(a hostIn, r hostOut, t hostIn) hostOut {
	s := a.X.Mul(a.W).Sum(1)
	ds := t.X.Mul(a.W).Sum(1).Add(a.X.Mul(t.W).Sum(1))
	return hostOut{Y: s.PowInt(a.K - 1).Scale(float64(a.K)).Mul(ds), Sum: t.X.Sum()}
}

func alike(x, y ad.Value) bool {
	return fmt.Sprint(x.Shape()) == fmt.Sprint(y.Shape()) && x.Sub(y).Abs().ReduceMax().Item() < 1e-12
}

func TestHost(t *testing.T) {
	base := ad.HostOp[hostIn, hostOut]{Name: "Rows", Shape: hostShape, Run: hostRun}
	for name, rules := range map[string]func(o *ad.HostOp[hostIn, hostOut]){
		"VJP":   func(o *ad.HostOp[hostIn, hostOut]) { o.VJP = hostVJP },
		"JVP":   func(o *ad.HostOp[hostIn, hostOut]) { o.JVP = hostJVP },
		"both":  func(o *ad.HostOp[hostIn, hostOut]) { o.VJP, o.JVP = hostVJP, hostJVP },
		"Batch": func(o *ad.HostOp[hostIn, hostOut]) { o.VJP, o.Batch = hostVJP, hostBatch },
	} {
		op := base
		rules(&op)
		rows := ad.Host(op)
		w := ad.From([]float64{1, 0.5, 2})
		x := ad.From([]float64{1, 2, 3, -1, 0.5, 0.25}, 2, 3)
		xs := ad.From([]float64{1, 2, 3, -1, 0.5, 0.25, 3, 2, 1, 0.1, 0.2, -0.3, 0.5, 4, -2, 1, 1, 0.7, 1, 0, 2, -0.1, -0.6, 0.9}, 2, 2, 2, 3)
		f := func(rows func(hostIn) hostOut, k int) func(ad.Value) ad.Value {
			return func(x ad.Value) ad.Value {
				r := rows(hostIn{x, w.Add(x.Index(0).Square().Scale(0.1)), k})
				return r.Y.Mul(r.Sum).Sum().Add(r.Arg.Convert(ad.F64)).Sin()
			}
		}
		results := func(f func(ad.Value) ad.Value) map[string]ad.Value {
			g := ad.Grad(f)
			scan := func(x ad.Value) ad.Value {
				y, all := ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) {
					v := f(e.Add(c))
					return c.Add(v.Scale(0.1)), v
				}, ad.Scalar(0.0), ad.Stack(0, x.Scale(0.2), x.Scale(0.3), x.Scale(0.1)))
				return y.Add(all.Sum())
			}
			compiled, err := ad.Compile(ad.Vmap(ad.ValueAndGrad(f)), ad.F64.Spec(ad.AnyBatch, 2, 3))
			if err != nil {
				t.Fatal(err)
			}
			r, err := compiled.Run(background, xs.Index(0))
			if err != nil {
				t.Fatal(err)
			}
			empty, err := compiled.Run(background, ad.F64.Zeros(0, 2, 3))
			if err != nil || empty.Value.Dim(0) != 0 {
				t.Error(name, "a batch of none", err)
			}
			return map[string]ad.Value{
				"value": f(x), "gradient": g(x), "forward": ad.JVP(f)(x, x).Tangent, "batch": ad.Vmap(ad.Vmap(f))(xs),
				"gradients": ad.Vmap(ad.Vmap(g))(xs), "compiled": r.Value, "compiled gradients": r.Grad,
				"reverse over reverse": ad.Grad(func(x ad.Value) ad.Value { return g(x).Mul(x).Sum() })(x),
				"forward over reverse": ad.HVP(f)(x, x).Tangent, "Hessian": ad.Hessian(f)(x),
				"scan": scan(x), "gradient of scan": ad.Grad(scan)(x),
				"third": ad.Grad(func(x ad.Value) ad.Value { return ad.HVP(f)(x, x).Tangent.Sum() })(x),
			}
		}
		for _, k := range []int{2, 3} { // what a tree holds beside values is its own
			got, want := results(f(rows, k)), results(f(hostSame, k))
			for what, v := range want {
				g := got[what].Float64s()
				for i, w := range v.Float64s() {
					if !(math.Abs(g[i]-w) <= 1e-9*max(1, math.Abs(w))) {
						t.Errorf("%s, K = %d: %s[%d] is %v, not %v", name, k, what, i, g[i], w)
					}
				}
			}
		}
		if err := ad.CheckGrads(f(rows, 2), x.Scale(0.5)); err != nil {
			t.Error(name, err)
		}
		before := ad.Cache()
		ad.Grad(f(rows, 2))(x)
		if c := ad.Cache(); c.Misses != before.Misses {
			t.Error(name, "compiled again")
		}
		// What does not differ in the batch is not repeated for it, nor lost.
		shared := ad.Vmap(func(x ad.Value) ad.Value { return rows(hostIn{x, w, 1}).Y })(xs.Index(0))
		if want := xs.Index(0).Mul(w).Sum(2); !alike(shared, want) {
			t.Error(name, shared, want)
		}
		matrix := ad.Vmap(func(w ad.Value) ad.Value {
			return ad.Vmap(func(x ad.Value) ad.Value { return rows(hostIn{x, w, 1}).Y })(xs.Index(0))
		})(ad.Stack(0, w, w.Scale(2)))
		if want := ad.Stack(0, shared, shared.Scale(2)); !alike(matrix, want) {
			t.Error(name, matrix, want)
		}
	}
}

// Results of several types come from one call, exactly, one by one and a batch at a time.
func TestHostSeveralTypes(t *testing.T) {
	type out struct{ F32, BF16, F16, Bool, I32, I64, F64 ad.Value }
	ints := []int64{0, -1, 1<<53 + 1, math.MaxInt64, math.MinInt64, -1 << 32, 1<<31 + 7}
	floats := []float64{math.Pi, math.Inf(-1), math.SmallestNonzeroFloat64, math.Copysign(0, -1), math.NaN(), 1e300, math.MaxFloat64}
	for _, batch := range []bool{false, true} {
		for _, few := range []bool{false, true} { // without those that need 64 bits
			var calls atomic.Int64
			run := func(x ad.Value, y out) error {
				calls.Add(1)
				for i, v := range ad.Data[float64](x) {
					at := int(v)
					ad.Data[float32](y.F32)[i] = float32(floats[at])
					ad.Data[ad.BFloat16](y.BF16)[i] = ad.ToBFloat16(float32(floats[at]))
					ad.Data[ad.Float16](y.F16)[i] = ad.ToFloat16(float32(floats[at]))
					ad.Data[bool](y.Bool)[i] = at%2 == 1
					if !few {
						ad.Data[int32](y.I32)[i] = int32(ints[at])
						ad.Data[int64](y.I64)[i] = ints[at]
						ad.Data[float64](y.F64)[i] = floats[at]
					}
				}
				return nil
			}
			op := ad.HostOp[ad.Value, out]{Name: "Mixed", Run: run, Shape: func(x ad.Value) out {
				s := x.Shape()
				y := out{F32: ad.F32.Spec(s...), BF16: ad.BF16.Spec(s...), F16: ad.F16.Spec(s...), Bool: ad.Bool.Spec(s...)}
				if !few {
					y.I32, y.I64, y.F64 = ad.I32.Spec(s...), ad.I64.Spec(s...), ad.F64.Spec(s...)
				}
				return y
			}}
			if batch {
				op.Batch = run
			}
			check := func(y out, n int64) {
				t.Helper()
				if c := calls.Swap(0); c != n {
					t.Errorf("batch %v: %d calls, not %d", batch, c, n)
				}
				for i, w := range floats {
					same := func(got, want float64) {
						t.Helper()
						if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
							t.Errorf("batch %v, element %d: %v, not %v", batch, i, got, want)
						}
					}
					same(float64(ad.Data[float32](y.F32)[i]), float64(float32(w)))
					same(float64(ad.Data[ad.BFloat16](y.BF16)[i].Float32()), float64(ad.ToBFloat16(float32(w)).Float32()))
					same(float64(ad.Data[ad.Float16](y.F16)[i].Float32()), float64(ad.ToFloat16(float32(w)).Float32()))
					if ad.Data[bool](y.Bool)[i] != (i%2 == 1) {
						t.Errorf("element %d: %v", i, y.Bool)
					}
					if !few {
						same(ad.Data[float64](y.F64)[i], w)
						if a, b := ad.Data[int32](y.I32)[i], ad.Data[int64](y.I64)[i]; a != int32(ints[i]) || b != ints[i] {
							t.Errorf("batch %v, element %d: %d and %d, not %d", batch, i, a, b, ints[i])
						}
					}
				}
			}
			x := ad.F64.Iota(0, len(floats))
			check(ad.Host(op)(x), 1)
			n := int64(len(floats))
			if batch {
				n = 1
			}
			check(ad.Vmap(ad.Host(op))(x), n)
		}
	}
}

func TestHostErrors(t *testing.T) {
	op := ad.HostOp[hostIn, hostOut]{Name: "Rows", Shape: hostShape, Run: hostRun}
	x, bad := ad.F64.Ones(2, 3), ad.From([]float64{1, -1, 1})
	value := func(op ad.HostOp[hostIn, hostOut]) func(w ad.Value) ad.Value {
		f := ad.Host(op)
		return func(w ad.Value) ad.Value { return f(hostIn{x, w, 2}).Y.Sum() }
	}
	run := func(f func(ad.Value) ad.Value) error {
		p, err := ad.Compile(f, ad.F64.Spec(3))
		if err == nil {
			out := ad.Scalar(-1.0)
			if err = p.RunInto(background, &out, bad); out.Item() != -1 {
				t.Error("written on an error")
			}
		}
		return err
	}
	eager := func(f func(ad.Value) ad.Value) (err error) {
		defer func() { err, _ = recover().(error) }()
		f(bad)
		return nil
	}
	with := func(f func(o *ad.HostOp[hostIn, hostOut])) func(ad.Value) ad.Value {
		o := op
		f(&o)
		return value(o)
	}
	panics := with(func(o *ad.HostOp[hostIn, hostOut]) {
		o.Run = func(a hostIn, r hostOut) error { return fmt.Errorf("%v", []int{}[len(ad.Data[float64](a.W))]) }
	})
	wrongType := with(func(o *ad.HostOp[hostIn, hostOut]) {
		o.Run = func(a hostIn, r hostOut) error { ad.Data[float32](a.W)[0] = 1; return nil }
	})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"compiled":   {run(value(op)), "Rows negative weight"},
		"at once":    {eager(value(op)), "Rows negative weight"},
		"in a batch": {eager(func(w ad.Value) ad.Value { return ad.Vmap(value(op))(ad.Stack(0, ad.F64.Ones(3), w)) }), "Rows negative weight, element 1 of the batch"},
		"panic":      {run(panics), "Rows panic: runtime error: index out of range"},
		"wrong type": {run(wrongType), "Rows Data [3]: the elements are float64, not float32"},
		"no rule":    {run(ad.Grad(value(op))), "Rows has no derivative: neither a VJP nor a JVP was given"},
		"no rule, forward": {run(func(w ad.Value) ad.Value { return ad.JVP(value(op))(w, w).Tangent }),
			"Rows has no derivative: neither a VJP nor a JVP was given"},
		"no Run":   {run(with(func(o *ad.HostOp[hostIn, hostOut]) { o.Run = nil })), "Rows has no Run"},
		"no Shape": {run(with(func(o *ad.HostOp[hostIn, hostOut]) { o.Shape = nil })), "Rows has no Shape"},
		"a rule of another shape": {run(ad.Grad(with(func(o *ad.HostOp[hostIn, hostOut]) {
			o.VJP = func(a hostIn, r, ct hostOut) hostIn { return hostIn{X: a.X, W: a.X} }
		}))), "Rows the rule's cotangents 1 is float64[2 3], not float64[3]"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), "(host_test.go:") {
			t.Errorf("%s: %v, not %q", name, c.err, c.want)
		}
	}
	if err := run(value(op)); !errors.Is(err, errHost) {
		t.Error("the function's own error is lost", err)
	}
	// A value that nothing is derived of needs no rule.
	if g := ad.Grad(func(w ad.Value) ad.Value { return value(op)(w.StopGradient()).Mul(w.Sum()) })(ad.F64.Ones(3)); g.At(0) != 18 {
		t.Error(g)
	}
}

// A JVP alone serves reverse mode, too.
func TestCustomJVPAlone(t *testing.T) {
	f := ad.Custom(func(x ad.Value) ad.Value { return x.Sqrt() }, ad.Rule[ad.Value, ad.Value]{
		JVP: func(x, y, d ad.Value) ad.Value { return d.Div(y.Scale(2).Shift(1)) },
	})
	x := ad.From([]float64{0, 4})
	for name, g := range map[string]ad.Value{"reverse": ad.Grad(func(x ad.Value) ad.Value { return f(x).Sum() })(x),
		"forward": ad.JVP(f)(x, ad.F64.Ones(2)).Tangent} {
		if g.At(0) != 1 || g.At(1) != 0.2 {
			t.Error(name, g)
		}
	}
}
