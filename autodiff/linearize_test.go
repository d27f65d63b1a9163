package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/optimize"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func ExampleLinearize() {
	f := func(x ad.Value) ad.Value { return x.Exp() }
	l := ad.Linearize(f)(ad.From([]float64{0, 1}))
	for _, t := range [][]float64{{1, 0}, {0, 1}} { // the exponentials are not computed again
		fmt.Printf("%.4f\n", l.JVP(ad.From(t)).Float64s())
	}
	// Output:
	// [1.0000 0.0000]
	// [0.0000 2.7183]
}

func ExampleGNVP() {
	x := ad.From([]float64{1, 2})
	residuals := func(p ad.Value) ad.Value { return p.Square().Sub(x) }
	loss := func(r ad.Value) ad.Value { return r.Square().Sum().Scale(0.5) }
	p := ad.GNVP(residuals, loss)(ad.From([]float64{3, 1}), ad.F64.Ones(2))
	fmt.Println(p.Value.Float64s(), p.Tangent.Float64s()) // JᵀJ·v: (2·3)², (2·1)²
	// Output: [48 -2] [36 4]
}

// A gradient is looked at and clipped on its way back.
func ExampleValue_Hook() {
	f := func(x ad.Value) ad.Value {
		y := x.Square().Hook(func(ct ad.Value) ad.Value {
			fmt.Println("cotangent", ct.Float64s())
			return ct.Clamp(ad.Const(-1), ad.Const(1))
		})
		return y.Square().Sum()
	}
	fmt.Println(ad.Grad(f)(ad.From([]float64{0.5, 2})).Float64s())
	// Output:
	// cotangent [0.5 8]
	// [0.5 4]
}

// In a program, a cotangent that a hook keeps is returned beside the gradient.
func ExampleValue_Hook_compiled() {
	type out struct{ Grad, Watched ad.Value }
	p, err := ad.Compile(func(x ad.Value) (o out) {
		o.Grad = ad.Grad(func(x ad.Value) ad.Value {
			h := x.Sin().Hook(func(ct ad.Value) ad.Value {
				o.Watched = ct
				return ct
			})
			return h.Scale(3).Sum()
		})(x)
		return o
	}, ad.F64.Spec(2))
	if err != nil {
		panic(err)
	}
	o, err := p.Run(context.Background(), ad.F64.Zeros(2))
	fmt.Println(o.Grad.Float64s(), o.Watched.Float64s(), err)
	// Output: [3 3] [3 3] <nil>
}

// A gradient for gonum's optimizers.
func ExampleGradientInto() {
	rosenbrock := func(x ad.Value) ad.Value {
		a, b := x.Index(0), x.Index(1)
		return ad.Const(1).Sub(a).Square().Add(b.Sub(a.Square()).Square().Scale(100))
	}
	r, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { return rosenbrock(ad.From(x)).Item() },
		Grad: func(grad, x []float64) {
			if _, err := ad.GradientInto(grad, rosenbrock, x); err != nil {
				panic(err)
			}
		},
	}, []float64{-1.2, 1}, nil, &optimize.BFGS{})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.6f\n", r.X)
	// Output: [1.000000 1.000000]
}

type lineArgument struct {
	A ad.Value
	N ad.Value // an integer
	B []ad.Value
}

func lineCase(t ad.DType) (f func(lineArgument) map[string]ad.Value, x, dir lineArgument) {
	v := func(k float64, dims ...int) ad.Value {
		n := 1
		for _, d := range dims {
			n *= d
		}
		s := make([]float64, n)
		for i := range s {
			s[i] = math.Sin(k * float64(i+1))
		}
		return ad.From(s, dims...).Convert(t)
	}
	f = func(x lineArgument) map[string]ad.Value {
		h := x.A.MatMul(x.B[0]).Tanh().Add(x.B[1].Exp())
		_, ys := ad.Scan(func(c, r ad.Value) (ad.Value, ad.Value) { return c.Mul(r).Sin(), c.Add(r) }, x.B[1], h)
		return map[string]ad.Value{"h": h.Softmax(1), "n": x.N, "s": ys.Sum(), "z": h.StopGradient()}
	}
	x = lineArgument{v(1, 2, 3), ad.Scalar(int32(4)), []ad.Value{v(2, 3, 4), v(3, 4)}}
	dir = lineArgument{v(4, 2, 3), ad.Value{}, []ad.Value{v(5, 3, 4), v(6, 4)}}
	return f, x, dir
}

func sameTrees(t *testing.T, name string, got, want any, tol float64) {
	t.Helper()
	g, w := ad.TreeLeaves(got), ad.TreeLeaves(want)
	if len(g) != len(w) {
		t.Errorf("%s: %d values, not %d", name, len(g), len(w))
		return
	}
	for i := range w {
		if g[i].IsValid() != w[i].IsValid() || g[i].Connected() != w[i].Connected() {
			t.Errorf("%s: value %d is %v (%v), not %v (%v)", name, i, g[i], g[i].Connected(), w[i], w[i].Connected())
		} else if w[i].IsValid() {
			closeTo(t, fmt.Sprint(name, " value ", i), g[i].Float64s(), w[i].Float64s(), tol)
		}
	}
}

// Both directions of a linearization, on arrays, recorded, compiled and over batches, against JVP and VJP.
func TestLinearize(t *testing.T) {
	for _, typ := range []ad.DType{ad.F64, ad.F32} {
		tol := map[ad.DType]float64{ad.F64: 1e-14, ad.F32: 1e-6}[typ]
		f, x, dir := lineCase(typ)
		want := ad.JVP(f)(x, dir)
		ct := ad.TreeMap(func(v ...ad.Value) ad.Value {
			if v[0].DType() != typ {
				return ad.Value{}
			}
			return v[0].Cos()
		}, want.Value)
		back := ad.VJP(f)(x, ct)
		l := ad.Linearize(f)(x)
		sameTrees(t, "value", l.Value, want.Value, tol)
		for range 2 {
			sameTrees(t, "tangent", l.JVP(dir), want.Tangent, tol)
			sameTrees(t, "cotangent", l.VJP(ct), back.Grad, tol)
		}
		sameTrees(t, "part", l.JVP(lineArgument{A: dir.A, B: make([]ad.Value, 2)}), ad.JVP(f)(x, lineArgument{A: dir.A, B: make([]ad.Value, 2)}).Tangent, tol)
		two := func(v ...ad.Value) ad.Value { return ad.Stack(0, v[0], v[0].Scale(-2)) }
		tangents := ad.Vmap(func(s ad.Value) map[string]ad.Value {
			return ad.JVP(f)(x, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Mul(s) }, dir)).Tangent
		})(ad.From([]float64{1, -2}).Convert(typ))
		sameTrees(t, "tangents", ad.Vmap(l.JVP)(ad.TreeMap(two, dir)), tangents, tol)
		sameTrees(t, "cotangents", ad.Vmap(l.VJP)(ad.TreeMap(two, ct)), ad.TreeMap(two, back.Grad), tol)
		sameTrees(t, "JVPs", ad.JVPs(f)(x, ad.TreeMap(two, dir)).Tangent, tangents, tol)
		sameTrees(t, "VJPs", ad.VJPs(f)(x, ad.TreeMap(two, ct)).Grad, ad.TreeMap(two, back.Grad), tol)
		p, err := ad.Compile2(func(x, dir lineArgument) map[string]ad.Value {
			l := ad.Linearize(f)(x)
			return l.JVP(l.VJP(l.JVP(dir)))
		}, x, lineArgument{dir.A, x.N, dir.B})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Run(context.Background(), x, lineArgument{dir.A, x.N, dir.B})
		if err != nil {
			t.Fatal(err)
		}
		sameTrees(t, "compiled", got, l.JVP(l.VJP(l.JVP(dir))), tol)
		// The function captures values of a recording around it.
		outer := ad.Grad(func(w ad.Value) ad.Value {
			return ad.Linearize(func(x ad.Value) ad.Value { return x.Mul(w).Sin() })(dir.A).JVP(x.A).Square().Sum()
		})
		inner := ad.Grad(func(w ad.Value) ad.Value {
			return ad.JVP(func(x ad.Value) ad.Value { return x.Mul(w).Sin() })(dir.A, x.A).Tangent.Square().Sum()
		})
		closeTo(t, "around", outer(x.A).Float64s(), inner(x.A).Float64s(), 10*tol)
		// The linear function is derived.
		lin := ad.Linearize(func(x ad.Value) ad.Value { return x.Square().Sin() })(x.A)
		closeTo(t, "transposed", ad.Grad(func(v ad.Value) ad.Value { return lin.JVP(v).Mul(dir.A).Sum() })(x.A).Float64s(), lin.VJP(dir.A).Float64s(), tol)
	}
}

// What was linearized stays, whatever becomes of x; calls allocate nothing and may be many at once.
func TestLinearizeReuse(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	x, v := ad.From([]float64{1, 2, 3}), ad.F64.Ones(3)
	l := ad.Linearize(func(x ad.Value) ad.Value { return x.Exp().Sin() })(x)
	clear(ad.Data[float64](x))
	want := make([]float64, 3)
	for i := range want {
		e := math.Exp(float64(i + 1))
		want[i] = e * math.Cos(e)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				closeTo(t, "tangent", l.JVP(v).Float64s(), want, 1e-14)
				closeTo(t, "cotangent", l.VJP(v).Float64s(), want, 1e-14)
			}
		})
	}
	wg.Wait()
	var y ad.Value
	l.JVPInto(&y, v)
	if n := testing.AllocsPerRun(20, func() { l.JVPInto(&y, v); l.VJPInto(&y, v) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	closeTo(t, "in place", y.Float64s(), want, 1e-14)
}

func TestGNVP(t *testing.T) {
	f, x, dir := lineCase(ad.F64)
	loss := func(y map[string]ad.Value) ad.Value { return y["h"].Log().Sum().Neg().Add(y["s"].Square()) }
	got := ad.GNVP(f, loss)(x, dir)
	y := ad.JVP(f)(x, dir)
	h := ad.HVP(loss)(y.Value, y.Tangent)
	sameTrees(t, "product", got.Tangent, ad.VJP(f)(x, h.Tangent).Grad, 1e-12)
	sameTrees(t, "gradient", got.Value, ad.Grad(func(x lineArgument) ad.Value { return loss(f(x)) })(x), 1e-12)
}

func TestJacobianChunks(t *testing.T) {
	w, x := ad.NewKey(1).Normal(ad.F64, 5, 7), ad.NewKey(2).Normal(ad.F64, 5)
	f := func(x ad.Value) ad.Value { return x.MatMul(w).Sin() }
	want := ad.Jacobian(f)(x).Float64s()
	sum := func(x ad.Value) ad.Value { return f(x).Square().Sum() }
	for _, m := range []ad.Mode{ad.Auto, ad.Forward, ad.Reverse} {
		for _, chunk := range []int{0, 1, 2, 3, 5, 100} {
			o := ad.JacobianOptions{Mode: m, Chunk: chunk}
			j := ad.Jacobian(f, o)
			closeTo(t, fmt.Sprint(o), j(x).Float64s(), want, 1e-14)
			closeTo(t, fmt.Sprint(o, " batch"), ad.Vmap(j)(ad.Stack(0, x, x.Neg())).Index(0).Float64s(), want, 1e-14)
			closeTo(t, fmt.Sprint(o, " Hessian"), ad.Hessian(sum, o)(x).Float64s(), ad.Hessian(sum)(x).Float64s(), 1e-13)
		}
	}
	// Memory follows the chunk: 512 tangents of a wide layer, all at once or 8 at a time.
	big := func(x ad.Value) ad.Value {
		return x.MatMul(ad.F64.Ones(512, 2048)).Sin().MatMul(ad.F64.Ones(2048, 4))
	}
	bytes := func(o ad.JacobianOptions) int {
		p, err := ad.Compile(ad.Jacobian(big, o), ad.F64.Spec(512))
		if err != nil {
			t.Fatal(err)
		}
		n, err := p.PeakBytes(1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	all, some := bytes(ad.JacobianOptions{Mode: ad.Forward}), bytes(ad.JacobianOptions{Mode: ad.Forward, Chunk: 8})
	if all < 512*2048*8 || some > all/16 {
		t.Errorf("%d bytes at once, %d by 8", all, some)
	}
}

// A hook changes the cotangent in reverse mode, of any order, under Vmap, in loops and compiled; forward mode does not see it.
func TestHook(t *testing.T) {
	double := func(x ad.Value) ad.Value { return x.Hook(func(ct ad.Value) ad.Value { return ct.Scale(2) }) }
	f := func(x ad.Value) ad.Value { return double(x.Square()).Mul(x).Sum() } // derivative 2·2x·x + x²
	x := ad.From([]float64{1, -2, 3})
	want := []float64{5, 20, 45}
	closeTo(t, "gradient", ad.Grad(f)(x).Float64s(), want, 0)
	closeTo(t, "forward", ad.JVP(f)(x, ad.F64.Ones(3)).Tangent.Float64s(), []float64{3 * (1 + 4 + 9)}, 0)
	closeTo(t, "batch", ad.Vmap(ad.Grad(f))(x.Reshape(3, 1)).Float64s(), want, 0)
	closeTo(t, "second", ad.HVP(f)(x, ad.F64.Ones(3)).Tangent.Float64s(), []float64{10, -20, 30}, 0)
	loop := func(x ad.Value) ad.Value {
		return ad.ForI(3, func(_, c ad.Value) ad.Value { return double(c) }, x).Sum()
	}
	closeTo(t, "loop", ad.Grad(loop)(x).Float64s(), []float64{8, 8, 8}, 0)
	calls := 0
	seen := func(x ad.Value) ad.Value {
		return x.Hook(func(ct ad.Value) ad.Value { calls++; return ad.Value{} }).Sin().Sum()
	}
	closeTo(t, "nothing changed", ad.Grad(seen)(x).Float64s(), x.Cos().Float64s(), 0)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	if y := double(x); &ad.Data[float64](y)[0] != &ad.Data[float64](x)[0] {
		t.Error("an array's hook copies it")
	}
}

func TestGradientInto(t *testing.T) {
	f := func(x ad.Value) ad.Value { return x.Square().Sum() }
	x := []float64{1, 2}
	if y, err := ad.GradientInto(x, f, x); err != nil || y != 5 || x[0] != 2 || x[1] != 4 {
		t.Error(y, x, err)
	}
	if _, err := ad.GradientInto(x[:1], f, x); err == nil || x[0] != 2 {
		t.Error(x, err)
	}
}

func TestLinearizeErrors(t *testing.T) {
	l := ad.Linearize(ad.Value.Sin)(ad.F64.Ones(3))
	forever := ad.Linearize(func(x ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Lt(ad.Const(9)) }, func(x ad.Value) ad.Value { return x.Scale(2) }, x)
	})(ad.Scalar(1.0))
	for name, c := range map[string]struct {
		want string
		run  func()
	}{
		"shape":    {"second argument is float64[2], not float64[3]", func() { l.JVP(ad.F64.Ones(2)) }},
		"type":     {"float32", func() { l.VJP(ad.F32.Ones(3)) }},
		"recorded": {"a direction is float64[2], not float64[3]", func() { ad.Grad(func(v ad.Value) ad.Value { return l.JVP(v).Sum() })(ad.F64.Ones(2)) }},
		"no float": {"holds no float", func() { ad.Linearize(ad.Value.Neg)(ad.Scalar(int32(1))) }},
		"no rule":  {"without a bound", func() { forever.VJP(ad.Scalar(1.0)) }},
		"again":    {"without a bound", func() { forever.VJP(ad.Scalar(1.0)) }},
		"hook": {"cotangents 0 is float64[]", func() {
			ad.Grad(func(x ad.Value) ad.Value { return x.Hook(func(ct ad.Value) ad.Value { return ct.Sum() }).Sum() })(ad.F64.Ones(2))
		}},
		"chunk": {"chunks of -1", func() { ad.Jacobian(ad.Value.Sin, ad.JacobianOptions{Chunk: -1})(ad.F64.Ones(2)) }},
		"chunk of a batch": {"depends on the batch", func() {
			_, err := ad.Compile(ad.Jacobian(func(x ad.Value) ad.Value { return x.Sum() }, ad.JacobianOptions{Chunk: 1, Mode: ad.Forward}), ad.F64.Spec(ad.AnyBatch))
			panic(err)
		}},
	} {
		func() {
			defer func() {
				err, ok := recover().(error)
				if !ok || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, not %q", name, err, c.want)
				}
			}()
			c.run()
			t.Errorf("%s: no panic", name)
		}()
	}
	if y := forever.JVP(ad.Scalar(1.0)); y.Item() != 16 {
		t.Errorf("forward: %v", y)
	}
}
