package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A million steps backwards, with the memory of thirty.
func ExampleScanOptions_binomial() {
	const steps = 1_000_000
	f := func(x ad.Value) ad.Value {
		return ad.ForI(steps, func(_, c ad.Value) ad.Value { return c.Sub(c.Sin().Scale(1e-6)) }, x, ad.ScanOptions{Binomial: 30})
	}
	p, err := ad.Compile(ad.Grad(f), ad.F64.Spec())
	if err != nil {
		panic(err)
	}
	bytes, err := p.PeakBytes(1)
	fmt.Println(bytes < 200_000, err) // all kept: 8 MB
	// Output: true <nil>
}

func binomialCell(o ad.ScanOptions) func(a binomialArgs) ad.Value {
	return func(a binomialArgs) ad.Value {
		type cell struct{ W, H, N ad.Value }
		c, ys := ad.Scan(func(c cell, x ad.Value) (cell, ad.Value) {
			h := c.H.MatMul(c.W).Add(x).Tanh()
			return cell{c.W, h, c.N.Shift(1)}, h.Mul(x).Mul(c.N.Convert(ad.F64))
		}, cell{a.W, a.H, ad.Scalar(int64(1))}, a.X, o)
		return c.H.Square().Sum().Add(ys.Sin().Sum())
	}
}

type binomialArgs struct{ W, H, X ad.Value }

// Values, gradients, second derivatives and batches with few carries kept are those with all kept.
func TestScanBinomial(t *testing.T) {
	for _, steps := range []int{0, 1, 2, 3, 7, 20} {
		at := binomialArgs{random(1, 2, 2), random(2, 2), random(3, steps, 2)}
		batch := binomialArgs{random(1, 3, 2, 2), random(2, 3, 2), random(3, 3, steps, 2)}
		hvp := func(f func(binomialArgs) ad.Value) func(binomialArgs) ad.Tangents[binomialArgs] {
			return func(a binomialArgs) ad.Tangents[binomialArgs] { return ad.HVP(f)(a, a) }
		}
		for _, back := range []bool{false, true} {
			want := binomialCell(ad.ScanOptions{Backward: back})
			for _, n := range []int{1, 2, 3, 50} {
				got := binomialCell(ad.ScanOptions{Backward: back, Binomial: n})
				name := fmt.Sprint(steps, " steps, ", n, " kept, backwards ", back)
				sameTrees(t, name+" gradient", ad.ValueAndGrad(got)(at), ad.ValueAndGrad(want)(at), 1e-12)
				if steps == 7 {
					sameTrees(t, name+" Hessian", hvp(got)(at), hvp(want)(at), 1e-12)
					sameTrees(t, name+" batch", ad.Vmap(ad.ValueAndGrad(got))(batch), ad.Vmap(ad.ValueAndGrad(want))(batch), 1e-12)
					sameTrees(t, name+" batch inside", ad.Grad(func(a binomialArgs) ad.Value { return ad.Vmap(got)(a).Sum() })(batch), ad.Vmap(ad.Grad(want))(batch), 1e-12)
				}
			}
		}
	}
	third := func(o ad.ScanOptions) ad.Value {
		f := func(x ad.Value) ad.Value {
			return ad.ForI(5, func(_, c ad.Value) ad.Value { return c.Sin().Mul(x) }, x, o)
		}
		return ad.Grad(ad.Grad(ad.Grad(f)))(ad.Scalar(0.7))
	}
	closeTo(t, "third, all in reverse", third(ad.ScanOptions{Binomial: 2}).Float64s(), third(ad.ScanOptions{}).Float64s(), 1e-11)
	// A batch whose size is known at the run, and as many steps.
	loss := func(x ad.Value, o ad.ScanOptions) ad.Value {
		c, ys := ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return c.Add(x).Sin(), c.Mul(x) }, ad.Const(1).Convert(ad.F64), x, o)
		return c.Add(ys.Square().Sum())
	}
	p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value { return loss(x, ad.ScanOptions{Binomial: 3}) }), ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 30} {
		x := random(4, n)
		y, err := p.Run(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, fmt.Sprint(n, " steps"), y.Float64s(), ad.Grad(func(x ad.Value) ad.Value { return loss(x, ad.ScanOptions{}) })(x).Float64s(), 1e-12)
	}
}

// Memory is that of the sets that are kept, for any number of steps, also of second derivatives and batches: the CPU's, where
// programs of a device would run loops as small as these, too.
func TestScanBinomialMemory(t *testing.T) {
	const width = 100
	size := func(f func(ad.Value) ad.Value, s ad.Value) int {
		p, err := ad.Compile(f, s, ad.Options{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.PeakBytes(1)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	loss := func(n int, o ad.ScanOptions) func(ad.Value) ad.Value {
		return func(x ad.Value) ad.Value {
			return ad.ForI(n, func(_, c ad.Value) ad.Value { return c.Sin().Mul(x) }, x, o).Sum()
		}
	}
	all := size(ad.Grad(loss(10_000, ad.ScanOptions{})), ad.F64.Spec(width))
	for name, f := range map[string]func(f func(ad.Value) ad.Value) int{
		"gradient": func(f func(ad.Value) ad.Value) int { return size(ad.Grad(f), ad.F64.Spec(width)) },
		"Hessian times vector": func(f func(ad.Value) ad.Value) int {
			return size(func(x ad.Value) ad.Value { return ad.HVP(f)(x, x).Tangent }, ad.F64.Spec(width))
		},
		"batch": func(f func(ad.Value) ad.Value) int { return size(ad.Vmap(ad.Grad(f)), ad.F64.Spec(1, width)) },
	} {
		short, long := f(loss(1000, ad.ScanOptions{Binomial: 20})), f(loss(10_000, ad.ScanOptions{Binomial: 20}))
		if all < 8*10_000*width || long != short || long > all/40 {
			t.Errorf("%s: %d bytes for 1000 steps with 20 kept, %d for 10000, %d with all kept", name, short, long, all)
		}
		set := 832 // bytes, of the only float
		if name == "Hessian times vector" {
			set *= 2
		}
		if less := f(loss(1000, ad.ScanOptions{Binomial: 10})); short-less != 10*set {
			t.Errorf("%s: 10 more sets take %d bytes", name, short-less)
		}
	}
}

// Reverse mode through a loop that ends on data needs no bound on its steps.
func TestWhileBinomial(t *testing.T) {
	root := func(o ad.WhileOptions) func(a ad.Value) ad.Value {
		return func(a ad.Value) ad.Value {
			type state struct{ X, Old, A ad.Value }
			return ad.While(func(s state) ad.Value { return s.X.Sub(s.Old).Abs().Gt(ad.Const(1e-13)) },
				func(s state) state { return state{s.X.Add(s.A.Div(s.X)).Scale(0.5), s.X, s.A} },
				state{a, a.FullLike(0), a}, o).X
		}
	}
	for _, kept := range []int{1, 3} {
		f := root(ad.WhileOptions{Binomial: kept})
		for _, x := range []float64{2, 1e6, 0.3} {
			y, dy, err := ad.ValueAndDerivative(f, x)
			if err != nil || math.Abs(y/math.Sqrt(x)-1) > 1e-12 || math.Abs(dy*2*math.Sqrt(x)-1) > 1e-9 {
				t.Error(x, y, dy, err)
			}
			second := ad.JVP(ad.Grad(f))(ad.Scalar(x), ad.Const(1).Convert(ad.F64)).Tangent.Item()
			if want := -0.25 * math.Pow(x, -1.5); math.Abs(second/want-1) > 1e-9 {
				t.Errorf("second derivative at %v: %v, not %v", x, second, want)
			}
		}
	}
	// A batch, whose elements step differently often; both modes over it.
	for _, o := range []ad.WhileOptions{{Binomial: 2, MaxSteps: 60}, {Binomial: 2}} {
		each := func(x ad.Value) ad.Tangents[ad.Value] { return ad.HVP(root(o))(x, x.FullLike(1)) }
		if none := ad.Vmap(each)(ad.F64.Zeros(0)).Tangent; none.String() != "float64[0]" {
			t.Errorf("%+v: %v", o, none)
		}
		p, err := ad.Compile(ad.Vmap(each), ad.F64.Spec(ad.AnyBatch))
		if err != nil {
			t.Fatal(err)
		}
		for _, xs := range [][]float64{{}, {2}, {2, 1e6, 0.3}} {
			r, err := p.Run(background, ad.From(xs))
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range xs {
				if math.Abs(r.Value.At(i)*2*math.Sqrt(x)-1) > 1e-9 || math.Abs(r.Tangent.At(i)*-4*math.Pow(x, 1.5)-1) > 1e-9 {
					t.Errorf("%+v, batch: %v, %v at %v", o, r.Value.At(i), r.Tangent.At(i), x)
				}
			}
		}
	}
	for want, run := range map[string]func(){
		"one policy is needed": func() {
			ad.Grad(binomialCell(ad.ScanOptions{Binomial: 2, Every: 3}))(binomialArgs{random(1, 2, 2), random(2, 2), random(3, 5, 2)})
		},
		"-1 kept":         func() { ad.Grad(root(ad.WhileOptions{Binomial: -1}))(ad.Scalar(2.0)) },
		"without a bound": func() { ad.Grad(ad.Grad(root(ad.WhileOptions{Binomial: 2})))(ad.Scalar(2.0)) },
	} {
		func() {
			defer func() {
				if err, ok := recover().(*ad.Error); !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, not %q", err, want)
				}
			}()
			run()
			t.Errorf("no panic: %s", want)
		}()
	}
}
