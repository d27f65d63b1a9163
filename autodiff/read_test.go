package autodiff_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

// root is √x by Newton's method, as many steps as it takes.
func root(x ad.Value) ad.Value {
	y := x
	for range 100 {
		next := y.Add(x.Div(y)).Scale(0.5)
		if math.Abs(next.Sub(y).Item()) <= 1e-15*math.Abs(y.Item()) {
			return next
		}
		y = next
	}
	return y
}

func TestReadLoop(t *testing.T) {
	g := ad.Grad(root)
	gg := ad.Grad(g)
	for _, x := range []float64{2, 3, 1e-3, 1e6} {
		near(t, "value", root(ad.Scalar(x)).Item(), math.Sqrt(x))
		near(t, "gradient", g(ad.Scalar(x)).Item(), 0.5/math.Sqrt(x))
		near(t, "second", gg(ad.Scalar(x)).Item(), -0.25*math.Pow(x, -1.5))
		near(t, "third", ad.Grad(gg)(ad.Scalar(x)).Item(), 0.375*math.Pow(x, -2.5))
		near(t, "forward", ad.JVP(root)(ad.Scalar(x), ad.Scalar(1.0)).Tangent.Item(), 0.5/math.Sqrt(x))
		near(t, "forward over reverse", ad.JVP(g)(ad.Scalar(x), ad.Scalar(1.0)).Tangent.Item(), -0.25*math.Pow(x, -1.5))
	}
}

// positives is the sum of the squares of the positive elements.
func positives(x ad.Value) ad.Value {
	s := x.Index(0).Scale(0)
	for i := range x.Dim(0) {
		if y := x.Index(i); y.Item() > 0 {
			s = s.Add(y.Square())
		}
	}
	return s
}

// power is xⁿ by recursion on n, which is a value.
func power(x, n ad.Value) ad.Value {
	switch k := int(n.Item()); {
	case k == 0:
		return x.FullLike(1)
	case k%2 == 1:
		return x.Mul(power(x, n.Shift(-1)))
	default:
		return power(x.Square(), n.Scale(0.5))
	}
}

func TestReadBranches(t *testing.T) {
	for _, x := range [][]float64{{1, -2, 3, 0.5, -7}, {-1, 2, 3, -4, 5}, {-1, -1}} {
		v := ad.From(x)
		want := 0.0
		for _, e := range x {
			want += max(0, e) * max(0, e)
		}
		near(t, "sum", positives(v).Item(), want)
		r := ad.ValueAndGrad(positives)(v)
		near(t, "value", r.Value.Item(), want)
		h := ad.Hessian(positives)(v)
		for i, e := range x {
			near(t, "gradient", r.Grad.At(i), 2*max(0, e))
			for k := range x {
				second := 0.0
				if i == k && e > 0 {
					second = 2
				}
				near(t, "Hessian", h.At(i, k), second)
			}
		}
	}
	for n := range 12 {
		f := func(x ad.Value) ad.Value { return power(x, ad.Scalar(float64(n))) }
		_, d, err := ad.ValueAndDerivative(f, 1.25)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "power", d, float64(n)*math.Pow(1.25, float64(n-1)))
		// The exponent as part of what is derived, though nothing leads there.
		g := ad.Grad(func(p [2]ad.Value) ad.Value { return power(p[0], p[1]) })([2]ad.Value{ad.Scalar(1.25), ad.Scalar(float64(n))})
		near(t, "power", g[0].Item(), d)
		if g[1].Connected() || g[1].Item() != 0 {
			t.Error("exponent", g[1])
		}
	}
}

// Each is a function that reads its values and the same one without, for the arguments at hand.
var readCases = []struct {
	name        string
	reads, same func(x ad.Value) ad.Value
	x           []float64
}{
	{"branch", func(x ad.Value) ad.Value {
		if x.Sum().Item() > 1 {
			return x.Square().Sum()
		}
		return x.Sin().Sum()
	}, func(x ad.Value) ad.Value { return x.Square().Sum() }, []float64{1, 2, -0.5}},
	{"captured matrix", func(x ad.Value) ad.Value {
		for range 4 {
			if x = readMatrix.MatMul(x.ExpandDims(1)).Squeeze(1).Tanh(); x.At(1) < 0 {
				x = x.Neg()
			}
		}
		return x.Square().Sum()
	}, func(x ad.Value) ad.Value {
		for range 4 {
			y := readMatrix.MatMul(x.ExpandDims(1)).Squeeze(1).Tanh()
			x = y.Mul(ad.Where(y.Index(1).Lt(ad.Const(0)), ad.F64.Full(-1), ad.F64.Full(1)))
		}
		return x.Square().Sum()
	}, []float64{0.3, -0.6}},
	{"scan between reads", func(x ad.Value) ad.Value {
		for x.Sum().Item() < 20 {
			x, _ = ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) { return c.Add(e.Square()), c }, x, x)
			x = ad.Custom(ad.Value.Exp, ad.Rule[ad.Value, ad.Value]{VJP: func(x, y, ct ad.Value) ad.Value { return ct.Mul(y) }})(x.Scale(0.3))
		}
		return x.Sum()
	}, func(x ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Sum().Lt(ad.Const(20)) }, func(x ad.Value) ad.Value {
			x, _ = ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) { return c.Add(e.Square()), c }, x, x)
			return x.Scale(0.3).Exp()
		}, x, ad.WhileOptions{MaxSteps: 10}).Sum()
	}, []float64{0.5, 1, 1.5}},
	{"checkpoint and linear algebra", func(x ad.Value) ad.Value {
		return ad.Checkpoint(func(x ad.Value) ad.Value {
			a := x.ExpandDims(1).Mul(x).Add(ad.F64.Ones(3, 3)).Add(readEye)
			for a.Det().Item() > 1 {
				a = a.Scale(0.5)
			}
			return a.Cholesky().Sum()
		})(x)
	}, func(x ad.Value) ad.Value {
		return x.ExpandDims(1).Mul(x).Add(ad.F64.Ones(3, 3)).Add(readEye).Scale(0.25).Cholesky().Sum()
	}, []float64{0.5, 1, 1.5}},
	{"views over reads", func(x ad.Value) ad.Value {
		m := x.Reshape(2, 3).Exp()
		t := m.T()
		if m.At(0, 0) > 0 && t.Index(2).At(1) > 0 {
			t = t.Reverse(0)
		}
		s := t.Slice(ad.Range{Lo: 1, Hi: 3})
		for i := range 2 {
			if s.Index(i).Sum().Item() > 0 {
				s = s.Mul(t.Index(i).ExpandDims(0))
			}
		}
		return s.Sum()
	}, func(x ad.Value) ad.Value {
		t := x.Reshape(2, 3).Exp().T().Reverse(0)
		s := t.Slice(ad.Range{Lo: 1, Hi: 3})
		for i := range 2 {
			s = s.Mul(t.Index(i).ExpandDims(0))
		}
		return s.Sum()
	}, []float64{0.1, 0.2, -0.3, 0.4, 0.5, -0.6}},
	{"a derivative is read", func(x ad.Value) ad.Value {
		f := func(x ad.Value) ad.Value { return x.Square().Mul(x).Sum() }
		g := ad.Grad(f)(x)
		if g.At(0) > 0 {
			return g.Mul(x).Sum()
		}
		return f(x)
	}, func(x ad.Value) ad.Value { return x.Square().Mul(x).Scale(3).Sum() }, []float64{1, 2}},
	{"an outer value is read", func(x ad.Value) ad.Value {
		y := x.Square()
		return ad.Grad(func(z ad.Value) ad.Value {
			if y.At(0) > 1 && z.Item() > 0 {
				return z.Square().Mul(y.Sum())
			}
			return z
		})(ad.Scalar(3.0))
	}, func(x ad.Value) ad.Value { return x.Square().Sum().Scale(6) }, []float64{1.5, 2}},
	{"nothing else", func(x ad.Value) ad.Value {
		if len(ad.Data[float64](x)) != 2 || x.Float64s()[1] < 1 || x.Clone().At(0) > 2 {
			return x.Sum()
		}
		return x.Prod()
	}, func(x ad.Value) ad.Value { return x.Prod() }, []float64{1.5, 2}},
}

var (
	readMatrix = ad.From([]float64{1, -2, 0.5, 1}, 2, 2)
	readEye    = ad.From([]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3)
)

func TestReads(t *testing.T) {
	for _, c := range readCases {
		x := ad.From(c.x)
		dir := ad.From([]float64{1, -1, 2, 0.5, 0.25, -3}[:len(c.x)])
		every := func(f func(ad.Value) ad.Value) map[string]ad.Value {
			r := ad.ValueAndGrad(f)(x)
			j := ad.JVP(f)(x, dir)
			third := ad.Grad(func(x ad.Value) ad.Value { return ad.HVP(f)(x, dir).Tangent.Mul(dir).Sum() })
			aux := ad.ValueAndGradAux(func(x ad.Value) (ad.Value, ad.Value) { return f(x), f(x.Scale(1)) })
			return map[string]ad.Value{"value": r.Value, "gradient": r.Grad, "value forward": j.Value, "forward": j.Tangent,
				"second": ad.HVP(f)(x, dir).Tangent, "Hessian": ad.Hessian(f)(x), "third": third(x), "aux": aux(x).Aux}
		}
		if err := ad.CheckGrads(c.reads, x); err != nil {
			t.Error(c.name, err)
		}
		got, want := every(c.reads), every(c.same)
		for name, v := range want {
			for i, w := range v.Float64s() {
				near(t, c.name+", "+name, got[name].Float64s()[i], w)
			}
		}
	}
}

// A step of a loop that depends on data is one program forwards and one backwards, whatever the number of steps and
// the numbers that it holds; nothing of an earlier step is computed again.
func TestReadPrograms(t *testing.T) {
	f := func(steps int) func(ad.Value) ad.Value {
		return func(x ad.Value) ad.Value {
			for n := 0; x.Item() < 1e9 && n < steps; n++ {
				x = x.Add(x.Sin().Scale(0.01)).Shift(1e-3 * float64(n))
				if n%3 == 0 {
					x = x.Scale(1 + 1/float64(n+10))
				}
			}
			return x
		}
	}
	run := func(n int) (hits, misses int) {
		before := ad.Cache()
		x, d := 1.0, 1.0
		for i := 0; i < n && x < 1e9; i++ {
			x, d = x+math.Sin(x)*0.01+1e-3*float64(i), d*(1+0.01*math.Cos(x))
			if i%3 == 0 {
				x, d = x*(1+1/float64(i+10)), d*(1+1/float64(i+10))
			}
		}
		r := ad.ValueAndGrad(f(n))(ad.Scalar(1.0))
		if math.Abs(r.Value.Item()-x) > 1e-9*x || math.Abs(r.Grad.Item()-d) > 1e-9*math.Abs(d) {
			t.Error(n, r, x, d)
		}
		after := ad.Cache()
		return after.Hits - before.Hits, after.Misses - before.Misses
	}
	_, first := run(30)
	if first > 40 {
		t.Error(first, "programs for a loop of two kinds of steps")
	}
	few, _ := run(100)
	many, misses := run(1000)
	if misses > 3 || many > 11*few || many > 2200 {
		t.Errorf("100 steps run %d programs, 1000 steps %d; %d are new", few, many, misses)
	}
	jet := func(n int) int {
		before := ad.Cache().Misses
		ad.Derivatives(f(n), 3)(ad.Scalar(1.0))
		return ad.Cache().Misses - before
	}
	jet(30)
	if misses := jet(100); misses > 3 {
		t.Error(misses, "new programs for a Taylor series of more steps")
	}
	// Which elements are used is data, too.
	x := make([]float64, 300)
	for k := range 4 {
		for i := range x {
			x[i] = math.Sin(float64(i*(k+3) + k))
		}
		before := ad.Cache()
		ad.Grad(positives)(ad.From(x))
		if after := ad.Cache(); k > 1 && after.Misses > before.Misses+2 {
			t.Error(after.Misses-before.Misses, "new programs for other elements")
		}
	}
}

func TestReadErrors(t *testing.T) {
	reads := func(x ad.Value) ad.Value {
		if x.Sum().Item() > 0 {
			return x.Sum()
		}
		return x.Prod()
	}
	fails := func(f func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		f()
		return nil
	}
	compile := func(f func(ad.Value) ad.Value, s ad.Value) error {
		_, err := ad.Compile(f, s)
		return err
	}
	x := ad.From([]float64{1, 2, 3})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"Compile":              {compile(ad.Grad(reads), ad.F64.Spec(3)), "Item []: the value is not known while Compile records the function"},
		"a batch that is open": {compile(reads, ad.F64.Spec(ad.AnyBatch)), "Item []: the value is not known"},
		"Vmap":                 {fails(func() { ad.Vmap(reads)(ad.F64.Ones(2, 3)) }), "Item the value belongs to what is recorded once"},
		"Scan": {fails(func() {
			ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) { return c, ad.Scalar(e.At()) }, x, x)
		}), "At the value belongs to"},
		"bad index": {fails(func() {
			ad.Grad(func(x ad.Value) ad.Value { return ad.Scalar(x.Exp().At(3)) })(x)
		}), "At [3]: index [3] is out of range"},
		"not one": {fails(func() {
			ad.Grad(func(x ad.Value) ad.Value { return ad.Scalar(x.Exp().Item()) })(x)
		}), "Item [3]: 3 elements, not one"},
		"not positive definite": {fails(func() {
			ad.Grad(func(x ad.Value) ad.Value {
				return ad.Scalar(x.Mul(x.ExpandDims(1)).Neg().Cholesky().At(0, 0))
			})(x)
		}), "Cholesky [3 3]"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), "(read_test.go:") {
			t.Errorf("%s: %v, not %q", name, c.err, c.want)
		}
	}
}

// Reading changes nothing: the bits are those of the function without reads.
func TestReadsKeepBits(t *testing.T) {
	f := func(read bool) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value {
			for i := range 7 {
				x = x.Sin().Add(x.Scale(0.3 + float64(i)/7)).Div(x.Exp().Shift(1.7))
				if read && x.At(3) > 1e9 {
					return x.Sum()
				}
			}
			return x.Mul(x).Sum()
		}
	}
	x := make([]float64, 1000)
	for i := range x {
		x[i] = math.Sin(float64(i))
	}
	with, without := ad.ValueAndGrad(f(true))(ad.From(x)), ad.ValueAndGrad(f(false))(ad.From(x))
	if !bytes.Equal(raw(with.Value), raw(without.Value)) || !bytes.Equal(raw(with.Grad), raw(without.Grad)) {
		t.Error("reading changed bits")
	}
}

func BenchmarkReadLoop(b *testing.B) {
	const steps = 1000
	f := ad.ValueAndGrad(func(x ad.Value) ad.Value {
		for n := 0; x.Item() < 1e9 && n < steps; n++ {
			x = x.Add(x.Sin().Scale(0.01)).Shift(1e-3 * float64(n))
		}
		return x
	})
	for b.Loop() {
		f(ad.Scalar(1.0))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
}

// The transforms that are not composed of Grad and JVP record functions that read their values, too.
func TestReadsInOtherTransforms(t *testing.T) {
	x := ad.From([]float64{2, 3, 0.5})
	roots := func(x ad.Value) ad.Value {
		return ad.Stack(0, root(x.Index(0)), root(x.Index(1)), root(x.Index(2)))
	}
	sum := func(x ad.Value) ad.Value { return roots(x).Sum() }
	ones := ad.F64.Ones(3)
	l := ad.Linearize(roots)(x)
	r, c := ad.SparseJacobian(roots)(x), ad.SparseHessian(sum)(x)
	jet := ad.Jet(roots)([]ad.Value{x, ones})
	for i, v := range x.Float64s() {
		d, h := 0.5/math.Sqrt(v), -0.25*math.Pow(v, -1.5)
		near(t, "JVP of Linearize", l.JVP(ones).At(i), d)
		near(t, "VJP of Linearize", l.VJP(ones).At(i), d)
		near(t, "JVPs", ad.JVPs(roots)(x, ad.Stack(0, ones, ones)).Tangent.At(1, i), d)
		near(t, "VJPs", ad.VJPs(roots)(x, ad.Stack(0, ones, ones)).Grad.At(1, i), d)
		near(t, "GNVP", ad.GNVP(roots, func(y ad.Value) ad.Value { return y.Square().Sum() })(x, ones).Tangent.At(i), 2*d*d)
		near(t, "HessianDiag", ad.HessianDiag(sum)(x).At(i), h)
		near(t, "SparseJacobian", r.At(i, i), d)
		near(t, "SparseHessian", c.At(i, i), h)
		near(t, "Jet", jet[1].At(i), d)
	}
	for k, want := range []float64{math.Sqrt2, 0.5 / math.Sqrt2, -0.25 * math.Pow(2, -1.5), 0.375 * math.Pow(2, -2.5)} {
		near(t, "Derivatives", ad.Derivatives(root, 3)(ad.Scalar(2.0))[k].Item(), want)
	}
}

// A loop of Go's whose steps are checkpoints, rules, branches or loops of the graph, with a number of their own, is a program for
// a step, however many there are.
func TestReadBodiesShareSteps(t *testing.T) {
	for name, wrap := range map[string]func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value{
		"Checkpoint": func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value { return ad.Checkpoint(f) },
		"Custom": func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
			return ad.Custom(f, ad.Rule[ad.Value, ad.Value]{VJP: func(x, _, ct ad.Value) ad.Value { return ad.VJP(f)(x, ct).Grad }})
		},
		"Cond": func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
			return func(x ad.Value) ad.Value {
				return ad.Cond(x.Sum().Gt(ad.Const(-1)), func() ad.Value { return f(x) }, func() ad.Value { return x })
			}
		},
		"ForI": func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
			return func(x ad.Value) ad.Value { return ad.ForI(3, func(_, x ad.Value) ad.Value { return f(x) }, x) }
		},
	} {
		var steps int
		run := func(f func(func(ad.Value) ad.Value) func(ad.Value) ad.Value) ad.Value {
			return ad.Grad(func(x ad.Value) ad.Value {
				for i := 0; i < steps && x.Sum().Item() < 1e9; i++ {
					c := 1 + 0.013*float64(i+1)
					x = f(func(x ad.Value) ad.Value { return x.Sin().Add(x.Scale(c)).Add(x.FullLike(c / 7).Tanh()) })(x)
				}
				return x.Sum()
			})(ad.From([]float64{0.1, 0.2, 0.3}))
		}
		steps = 4
		run(wrap)
		before := ad.Cache().Misses
		steps = 12
		got := run(wrap)
		if n := ad.Cache().Misses - before; n > 1 {
			t.Errorf("%s: 8 steps more are %d programs more", name, n)
		}
		want := run(func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
			if name == "ForI" {
				return func(x ad.Value) ad.Value { return f(f(f(x))) }
			}
			return f
		})
		if e := got.Div(want).Shift(-1).Abs().ReduceMax().Item(); !(e < 1e-13) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
}
