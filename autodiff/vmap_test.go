package autodiff_test

import (
	"fmt"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

type affine struct{ W, B, X ad.Value }

func (a affine) apply() ad.Value { return a.W.MatMul(a.X.ExpandDims(1)).Squeeze(1).Add(a.B).Tanh() }

// Every choice of axes gives what the loop over the batch gives, and so do the gradients, also when maps are nested.
func TestVmapAxes(t *testing.T) {
	const n, m, k = 4, 3, 2 // batch, rows, columns
	numbers := func(count int) []float64 {
		x := make([]float64, count)
		for i := range x {
			x[i] = 0.1 * float64((i*7+3)%11)
		}
		return x
	}
	product := func(dims []int) int {
		p := 1
		for _, d := range dims {
			p *= d
		}
		return p
	}
	b := ad.From(numbers(m), m)
	for _, c := range []struct {
		in, out []int
		w, x    []int // dims
	}{
		{nil, nil, nil, []int{n, k}},
		{[]int{ad.Whole, ad.Whole, 0}, nil, []int{m, k}, []int{n, k}},
		{[]int{ad.Whole, ad.Whole, 1}, []int{1}, []int{m, k}, []int{k, n}},
		{[]int{1, ad.Whole, -1}, []int{-1}, []int{m, n, k}, []int{k, n}},
		{[]int{2, ad.Whole, ad.Whole}, []int{0}, []int{m, k, n}, []int{k}},
	} {
		if c.in == nil { // the same for all
			c.in, c.w = []int{0, ad.Whole, 0}, []int{n, m, k}
		}
		in := affine{ad.From(numbers(n * m * k)[:product(c.w)], c.w...), b, ad.From(numbers(product(c.x)), c.x...)}
		o := ad.VmapOptions{In: c.in, Out: c.out}
		var rows []ad.Value
		slice := func(v ad.Value, axis, i int) ad.Value {
			if axis == ad.Whole {
				return v
			}
			return v.Narrow(axis, i, 1).Squeeze(axis)
		}
		for i := range n {
			rows = append(rows, affine{slice(in.W, c.in[0], i), b, slice(in.X, c.in[2], i)}.apply())
		}
		axis := 0
		if len(c.out) > 0 {
			axis = c.out[0]
		}
		name := fmt.Sprint(c.in, c.out)
		want := ad.Stack(axis, rows...)
		got := ad.Vmap(affine.apply, o)(in)
		if fmt.Sprint(got.Shape()) != fmt.Sprint(want.Shape()) {
			t.Fatal(name, got.Shape(), want.Shape())
		}
		closeTo(t, name, got.Float64s(), want.Float64s(), 1e-15)
		p, err := ad.Compile(ad.Vmap(affine.apply, o), in)
		if err != nil {
			t.Fatal(name, err)
		}
		y, err := p.Run(t.Context(), in)
		if err != nil {
			t.Fatal(name, err)
		}
		closeTo(t, name+" compiled", y.Float64s(), want.Float64s(), 1e-15)
		loss := func(a affine) ad.Value { return ad.Vmap(affine.apply, o)(a).Square().Sum() }
		if err := ad.CheckGrads(loss, in); err != nil {
			t.Error(name, err)
		}
	}

	// The outer product of two vectors is one map within another.
	x, y := ad.From([]float64{1, 2, 3}), ad.From([]float64{10, 20})
	type pair struct{ X, Y ad.Value }
	row := ad.Vmap(func(p pair) ad.Value { return p.X.Mul(p.Y) }, ad.VmapOptions{In: []int{ad.Whole, 0}})
	outer := ad.Vmap(row, ad.VmapOptions{In: []int{0, ad.Whole}, Out: []int{1}})(pair{x, y})
	closeTo(t, "outer", outer.Float64s(), []float64{10, 20, 30, 20, 40, 60}, 0)
}

func TestVmapErrors(t *testing.T) {
	x := ad.From([]float64{1, 2, 3, 4}, 2, 2)
	square := func(x ad.Value) ad.Value { return x.Square() }
	for want, o := range map[string]ad.VmapOptions{
		"no value to map over":   {In: []int{ad.Whole}},
		"In has 2 axes for 1":    {In: []int{0, 1}},
		"Out has 3 axes for 1":   {Out: []int{0, 1, 0}},
		"axis 2":                 {In: []int{2}},
		"axis -3":                {Out: []int{-3}},
		"Whole does not go with": {Out: []int{ad.Whole}},
	} {
		err := func() (err error) {
			defer func() { err, _ = recover().(error) }()
			ad.Vmap(square, o)(x)
			return nil
		}()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "vmap_test.go") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A model for all rows, rows that are columns in memory: the argument's values by their own axes.
func ExampleVmap_axes() {
	type args struct{ Weights, Features ad.Value }
	predict := func(a args) ad.Value { return a.Weights.Dot(a.Features) }
	all := ad.Vmap(predict, ad.VmapOptions{In: []int{ad.Whole, 1}})
	fmt.Println(all(args{ad.From([]float64{1, 10}), ad.From([]float64{1, 2, 3, 4, 5, 6}, 2, 3)}))
	// Output: float64[3] 41 52 63
}
