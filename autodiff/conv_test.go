package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// sequence is whole numbers of -o … m-o-1, as the program that made the values below had them.
func sequence(a, b, m, o int, dims []int) ad.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = float64((a*i+b)%m - o)
	}
	return ad.From(x, dims...)
}

func convX(dims ...int) ad.Value { return sequence(7, 3, 11, 5, dims) }
func convW(dims ...int) ad.Value { return sequence(5, 2, 7, 3, dims) }

// The values are those of PyTorch 2 (conv1d … 3d, conv_transpose, the pools, interpolate).
func TestConvValues(t *testing.T) {
	type C = ad.ConvOptions
	type P = ad.PoolOptions
	line := convX(1, 7, 1)
	for _, c := range []struct {
		name string
		got  ad.Value
		want string
	}{
		{"1-D", convX(1, 6, 2).Conv(convW(3, 2, 2), C{}), "[1 4 2] [-5 20 -3 -5 10 -19 1 22]"},
		{"no batch", convX(6, 2).Conv(convW(3, 2, 2), C{}), "[4 2] [-5 20 -3 -5 10 -19 1 22]"},
		{"strides", line.Conv(convW(3, 1, 2), C{Stride: []int{2}, Dilation: []int{2}, Padding: ad.Pad(1)}), "[1 3 2] [16 -9 -11 -15 3 9]"},
		{"2-D", convX(1, 4, 4, 2).Conv(convW(3, 2, 2, 1), C{Stride: []int{2, 1}, Padding: ad.Pad(1, 0)}), "[1 2 3 1] [20 -19 -36 3 -20 23]"},
		{"groups", convX(1, 2, 3, 4).Conv(convW(2, 2, 2, 2), C{Groups: 2}), "[1 1 2 2] [-7 -26 -24 11]"},
		{"same", convX(1, 2, 3, 1).Conv(convW(2, 3, 1, 1), C{Padding: ad.Same}), "[1 2 3 1] [34 -19 -8 17 -9 -4]"},
		{"3-D", convX(1, 2, 2, 3, 1).Conv(convW(2, 1, 2, 1, 1), C{}), "[1 1 2 2 1] [-21 -2 -19 0]"},
		{"transposed", convX(1, 3, 2).ConvTranspose(convW(3, 1, 2), C{Stride: []int{2}, Padding: ad.Pad(1), OutputPadding: []int{1}}), "[1 6 1] [-4 27 2 -15 8 -8]"},
		{"transposed, 2-D", convX(1, 2, 2, 1).ConvTranspose(convW(2, 3, 1, 1), C{Stride: []int{2}}),
			"[1 4 5 1] [2 6 -9 -15 10 0 4 -6 -10 15 -1 -3 5 9 -6 0 -2 3 6 -9]"},
		{"transposed, groups", convX(1, 2, 2, 2).ConvTranspose(convW(2, 2, 1, 2), C{Groups: 2}),
			"[1 3 3 2] [2 -15 -5 9 2 0 0 15 8 -23 -7 3 -8 0 12 9 -4 -3]"},
		{"max", convX(1, 4, 5, 1).MaxPool(P{}, 2, 2), "[1 2 2 1] [5 3 4 5]"},
		{"max, padded", line.MaxPool(P{Stride: []int{2}, Padding: ad.Pad(1)}, 3), "[1 4 1] [5 5 4 0]"},
		{"max, same", line.MaxPool(P{Stride: []int{2}, Padding: ad.Same}, 3), "[1 4 1] [5 5 4 0]"},
		{"mean", line.Scale(3).AvgPool(P{Stride: []int{2}, Padding: ad.Pad(1)}, 3), "[1 4 1] [3 3 1 -4]"},
		{"mean, edge ignored", line.Scale(6).AvgPool(P{Stride: []int{2}, Padding: ad.Pad(1), IgnoreEdge: true}, 3), "[1 4 1] [9 6 2 -12]"},
		{"mean of all", convX(2, 3, 1).Scale(3).GlobalAvgPool(1), "[2 1] [4 1]"},
		{"adaptive", line.Scale(3).AdaptiveAvgPool(3).Round(), "[1 3 1] [4 2 0]"},
		{"adaptive, whole", convX(1, 6, 1).Scale(2).AdaptiveAvgPool(3), "[1 3 1] [3 -2 4]"},
		{"adaptive, more", convX(1, 2, 1).Scale(2).AdaptiveAvgPool(3), "[1 3 1] [-4 3 10]"},
		{"nearest", convX(1, 4, 1).Resize(ad.Nearest, 6), "[1 6 1] [-2 5 5 1 -3 -3]"},
		{"nearest, less", convX(1, 5, 1).Resize(ad.Nearest, 2), "[1 2 1] [5 -3]"},
		{"nearest, floor", convX(1, 4, 1).Resize(ad.NearestFloor, 6), "[1 6 1] [-2 -2 5 1 1 -3]"},
		{"linear", convX(1, 4, 1).Scale(30).Resize(ad.Linear, 6).Round(), "[1 6 1] [-60 45 130 50 -30 -90]"},
		{"linear, less", convX(1, 5, 1).Scale(30).Resize(ad.Linear, 2), "[1 2 1] [97.5 -37.5]"},
		{"linear, corners", convX(1, 4, 1).Scale(30).Resize(ad.LinearCorners, 6).Round(), "[1 6 1] [-60 66 126 54 -18 -90]"},
		{"linear, corners, less", convX(1, 5, 1).Scale(30).Resize(ad.LinearCorners, 2), "[1 2 1] [-60 120]"},
		{"bilinear", convX(1, 2, 2, 1).Scale(16).Resize(ad.Linear, 4, 3).Round(), "[1 4 3 1] [-32 24 80 -20 14 48 4 -6 -16 16 -16 -48]"},
		// Two of a window's three tied: half each. A NaN is the largest.
		{"ties", ad.Grad(func(x ad.Value) ad.Value { return x.MaxPool(P{}, 3).Sum() })(ad.From([]float64{2, 1, 2, 0, 5, 4}, 6, 1)), "[6 1] [0.5 0 0.5 0 1 0]"},
		{"NaN", ad.From([]float64{2, math.NaN(), 1, 0}, 4, 1).MaxPool(P{}, 2), "[2 1] [NaN 1]"},
		{"float32", convX(1, 6, 2).Convert(ad.F32).Conv(convW(3, 2, 2).Convert(ad.F32), C{}), "[1 4 2] [-5 20 -3 -5 10 -19 1 22]"},
	} {
		if got := strings.ReplaceAll(fmt.Sprintf("%v %v", c.got.Shape(), c.got.Float64s()), "-0 ", "0 "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// filtered are functions of an array and filters.
var filtered = map[string]struct {
	x, w []int
	f    func(x, w ad.Value) ad.Value
}{
	"conv":         {[]int{2, 6, 5, 2}, []int{3, 2, 2, 3}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Padding: ad.Same}) }},
	"conv, stride": {[]int{2, 7, 6, 2}, []int{3, 3, 2, 2}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Stride: []int{2}, Padding: ad.Same}) }},
	"conv, 1-D":    {[]int{2, 9, 2}, []int{3, 2, 2}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Dilation: []int{2}}) }},
	"conv, groups": {[]int{5, 5, 4}, []int{3, 3, 2, 4}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Groups: 2}) }},
	"depthwise":    {[]int{5, 5, 3}, []int{3, 3, 1, 3}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Groups: 3}) }},
	"transposed": {[]int{1, 3, 3, 2}, []int{3, 3, 2, 2}, func(x, w ad.Value) ad.Value {
		return x.ConvTranspose(w, ad.ConvOptions{Stride: []int{2}, Padding: ad.Pad(1)})
	}},
	"max pool": {[]int{2, 6, 4, 2}, []int{1, 2, 2}, func(x, w ad.Value) ad.Value {
		return x.Add(convX(2, 6, 4, 2).Convert(x.DType()).Scale(10)).MaxPool(ad.PoolOptions{}, 2, 2).Mul(w)
	}},
	"avg pool": {[]int{2, 5, 2}, []int{3, 2}, func(x, w ad.Value) ad.Value {
		return x.AvgPool(ad.PoolOptions{Padding: ad.Same, IgnoreEdge: true}, 2).Mul(w)
	}},
	"max pool, overlaps": {[]int{2, 6, 4, 16}, []int{2, 3, 2, 16}, func(x, w ad.Value) ad.Value {
		return x.Add(convX(2, 6, 4, 16).Convert(x.DType()).Scale(10)).MaxPool(ad.PoolOptions{Stride: []int{2}, Padding: ad.Pad(1)}, 3, 3).Mul(w)
	}},
	"adaptive":     {[]int{2, 5, 2}, []int{3, 2}, func(x, w ad.Value) ad.Value { return x.AdaptiveAvgPool(3).Mul(w) }},
	"resize":       {[]int{3, 2, 1}, []int{5, 4, 1}, func(x, w ad.Value) ad.Value { return x.Resize(ad.Linear, 5, 4).Mul(w) }},
	"bilinear":     {[]int{2, 3, 2, 16}, []int{2, 5, 4, 16}, func(x, w ad.Value) ad.Value { return x.Resize(ad.Linear, 5, 4).Mul(w) }},
	"corners":      {[]int{4, 3, 17}, []int{2, 7, 17}, func(x, w ad.Value) ad.Value { return x.Resize(ad.LinearCorners, 2, 7).Mul(w) }},
	"many to one":  {[]int{2, 1}, []int{70, 1}, func(x, w ad.Value) ad.Value { return x.Resize(ad.Linear, 70).Mul(w) }},
	"global":       {[]int{3, 2, 2}, []int{2}, func(x, w ad.Value) ad.Value { return x.GlobalAvgPool(2).Mul(w) }},
	"cubic":        {[]int{3, 2, 1}, []int{5, 4, 1}, func(x, w ad.Value) ad.Value { return x.Resize(ad.Cubic, 5, 4).Mul(w) }},
	"cubic keys":   {[]int{3, 2}, []int{5, 2}, func(x, w ad.Value) ad.Value { return x.Resize(ad.CubicKeys, 5).Mul(w) }},
	"nearest":      {[]int{3, 2}, []int{5, 2}, func(x, w ad.Value) ad.Value { return x.Resize(ad.Nearest, 5).Mul(w) }},
	"many strides": {[]int{1, 12, 12, 1}, []int{4, 4, 1, 2}, func(x, w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Stride: []int{4}}) }},
}

func TestConvGrads(t *testing.T) {
	for name, c := range filtered {
		f := func(p [2]ad.Value) ad.Value { return c.f(p[0], p[1]).Sin() }
		for _, dt := range []ad.DType{ad.F64, ad.F32} {
			x := [2]ad.Value{random(1, c.x...).Convert(dt), random(2, c.w...).Convert(dt)}
			if err := ad.CheckGrads(f, x); err != nil {
				t.Errorf("%s, %v: %v", name, dt, err)
			}
		}
	}
}

// A product of tiles of 3×3 windows and its derivatives, and the same under Vmap, are those of the windows themselves, up to rounding.
func TestConvTiles(t *testing.T) {
	x, w := random(1, 2, 6, 7, 32).Convert(ad.F32), random(2, 3, 3, 32, 48).Convert(ad.F32)
	f := func(direct bool) func(p [2]ad.Value) ad.Value {
		return func(p [2]ad.Value) ad.Value {
			return p[0].Conv(p[1], ad.ConvOptions{Padding: ad.Same, Direct: direct}).Sin()
		}
	}
	p := [2]ad.Value{x, w}
	if err := ad.CheckGrads(f(false), p); err != nil {
		t.Error(err)
	}
	loss := func(direct bool) func(p [2]ad.Value) ad.Value {
		return func(p [2]ad.Value) ad.Value { return f(direct)(p).Sum() }
	}
	got, want := ad.ValueAndGrad(loss(false))(p), ad.ValueAndGrad(loss(true))(p)
	each := func(direct bool) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return ad.Grad(loss(direct))([2]ad.Value{x, w})[1] }
	}
	for name, pair := range map[string][2]ad.Value{
		"value":                {f(false)(p), f(true)(p)},
		"gradient by x":        {got.Grad[0], want.Grad[0]},
		"gradient by w":        {got.Grad[1], want.Grad[1]},
		"value under Vmap":     {ad.Vmap(func(x ad.Value) ad.Value { return f(false)([2]ad.Value{x, w}) })(x), f(true)(p)},
		"gradients one by one": {ad.Vmap(each(false))(x), ad.Vmap(each(true))(x)},
	} {
		scale := pair[1].NormInf().Item()
		if d := pair[0].Sub(pair[1]).NormInf().Item(); !(d <= 1e-5*max(scale, 10)) || d == 0 && name != "gradients one by one" {
			t.Errorf("%s: off by %v of %v", name, d, scale)
		}
	}
}

// Per-example gradients of filters: Vmap over examples is the gradient of each.
func TestConvPerExample(t *testing.T) {
	w := random(1, 3, 3, 2, 4)
	x := random(2, 5, 6, 6, 2)
	loss := func(w, x ad.Value) ad.Value {
		return x.Conv(w, ad.ConvOptions{Padding: ad.Same}).Tanh().MaxPool(ad.PoolOptions{}, 2, 2).Sum()
	}
	grad := func(x ad.Value) ad.Value { return ad.Grad(func(w ad.Value) ad.Value { return loss(w, x) })(w) }
	all := ad.Vmap(grad)(x)
	for i := range 5 {
		one := grad(x.Index(i))
		if d := all.Index(i).Sub(one).NormInf().Item(); !(d < 1e-12) {
			t.Errorf("example %d: off by %v", i, d)
		}
	}
}

// One program serves every batch, and a run allocates nothing.
func TestConvPrograms(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	w := random(1, 3, 3, 2, 4).Convert(ad.F32)
	f := func(x ad.Value) ad.Value {
		return x.Conv(w, ad.ConvOptions{Padding: ad.Same}).MaxPool(ad.PoolOptions{}, 2, 2)
	}
	p, err := ad.Compile(ad.ValueAndGrad(func(x ad.Value) ad.Value { return f(x).Square().Sum() }), ad.F32.Spec(ad.AnyBatch, 6, 6, 2), ad.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3, 8} {
		x := random(3, n, 6, 6, 2).Convert(ad.F32)
		out := ad.Valued[ad.Value]{Value: ad.F32.Zeros(), Grad: ad.F32.Zeros(n, 6, 6, 2)}
		if err := p.RunInto(context.Background(), &out, x); err != nil {
			t.Fatal(err)
		}
		want := f(x).Square().Sum().Item()
		if got := out.Value.Item(); math.Abs(got-want) > 1e-4*want {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
		if n := testing.AllocsPerRun(5, func() { _ = p.RunInto(context.Background(), &out, x) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestConvErrors(t *testing.T) {
	x, w := ad.F32.Ones(1, 5, 5, 2), ad.F32.Ones(3, 3, 2, 4)
	for want, f := range map[string]func(){
		"Conv [1 5 5 3], [3 3 2 4]: 1 groups of 2 channels are not 3": func() { ad.F32.Ones(1, 5, 5, 3).Conv(w, ad.ConvOptions{}) },
		"Conv 3 numbers of stride for 2 spatial axes":                 func() { x.Conv(w, ad.ConvOptions{Stride: []int{1, 1, 1}}) },
		"Conv stride [0 0], dilation [1 1]: positive numbers are needed": func() {
			x.Conv(w, ad.ConvOptions{Stride: []int{0}})
		},
		"Conv [5], [3 3 2 4]: a filter of [spatial… channels filters] and an input of [… spatial… channels] are needed": func() {
			ad.F32.Ones(5).Conv(w, ad.ConvOptions{})
		},
		"ConvTranspose output padding [2 2] is not below the stride [2 2]": func() {
			ad.F32.Ones(1, 5, 5, 4).ConvTranspose(w, ad.ConvOptions{Stride: []int{2}, OutputPadding: []int{2}})
		},
		"MaxPool [1 5 5 2]: padding of [2 2] and [2 2] leaves nothing but it in a window of [2 2]": func() {
			x.MaxPool(ad.PoolOptions{Padding: ad.Pad(2)}, 2, 2)
		},
		"AvgPool [1 5 5 2]: a window of [] needs 1 axes at least": func() { x.AvgPool(ad.PoolOptions{}) },
		"Resize [1 5 5 2] to [0]: axis 2 of 5 to 0":               func() { x.Resize(ad.Linear, 0) },
	} {
		wantPanic(t, want, "conv_test.go", f)
	}
}

// A layer of a network for signals, trained by its gradient: [examples, time, channels].
func ExampleValue_Conv() {
	x := ad.From([]float32{0, 0, 1, 1, 0, 0}, 1, 6, 1)
	edges := ad.From([]float32{-1, 0, 1}, 3, 1, 1)
	f := func(w ad.Value) ad.Value { return x.Conv(w, ad.ConvOptions{Padding: ad.Same}).Square().Sum() }
	fmt.Println(x.Conv(edges, ad.ConvOptions{Padding: ad.Same}).Flatten())
	fmt.Println(ad.Grad(f)(edges).Flatten())
	// Output:
	// float32[6] 0 1 1 -1 -1 0
	// float32[3] -4 0 4
}

func ExampleValue_MaxPool() {
	x := ad.From([]float64{1, 5, 2, 8, 3, 4}, 6, 1)
	fmt.Println(x.MaxPool(ad.PoolOptions{}, 2).Flatten())
	fmt.Println(x.MaxPool(ad.PoolOptions{Stride: []int{1}}, 2).Flatten())
	// Output:
	// float64[3] 5 8 4
	// float64[5] 5 5 8 8 4
}

func ExampleValue_Resize() {
	x := ad.From([]float64{0, 10}, 2, 1)
	fmt.Println(x.Resize(ad.Linear, 4).Flatten(), x.Resize(ad.Nearest, 4).Flatten())
	// Output: float64[4] 0 2.5 7.5 10 float64[4] 0 0 10 10
}

// The derivative of windows that overlap, by the windows that each element is in, is that by places in the window, which few channels have:
// ties, elements that no window has, and what is not finite.
func TestPoolOverlaps(t *testing.T) {
	for _, c := range []struct {
		dims, size, stride, pad []int
	}{
		{[]int{7, 8}, []int{3, 3}, []int{2, 2}, []int{0}},
		{[]int{7, 8}, []int{3, 3}, []int{1, 2}, []int{1, 1}},
		{[]int{9, 6}, []int{2, 3}, []int{3, 1}, []int{0}},
		{[]int{20}, []int{4}, []int{3}, []int{0}},
		{[]int{20}, []int{3}, []int{1}, []int{2}},
		{[]int{5, 6, 5}, []int{2, 2, 2}, []int{1, 2, 1}, []int{0}},
	} {
		x := random(1, append([]int{2, 5}, append(slices.Clone(c.dims), 1)...)...).Scale(3).Round() // with ties
		grad := func(channels int) ad.Value {
			x := x.BroadcastTo(append([]int{2, 5}, append(slices.Clone(c.dims), channels)...)...)
			return ad.Grad(func(x ad.Value) ad.Value {
				y := x.MaxPool(ad.PoolOptions{Stride: c.stride, Padding: ad.Pad(c.pad...)}, c.size...)
				return y.Mul(y.Sin()).Sum()
			})(x).Sum(-1).Scale(1 / float64(channels))
		}
		few, many := grad(2).Float64s(), grad(16).Float64s()
		for i, d := range few {
			if !(math.Abs(d-many[i]) <= 1e-15*math.Abs(d)) {
				t.Fatalf("%v: element %d of the gradient is %v, %v by windows", c, i, d, many[i])
			}
		}
	}
	up := ad.F64.Iota(0, 8).Reshape(8, 1).BroadcastTo(8, 16)
	ct := ad.F64.Iota(0, 3).Reciprocal().Reshape(3, 1).BroadcastTo(3, 16)
	dx := ad.VJP(func(x ad.Value) ad.Value { return x.MaxPool(ad.PoolOptions{Stride: []int{2}}, 3) })(up, ct).Grad
	if got := fmt.Sprint(dx.T().Index(5).Float64s()); got != "[0 0 +Inf 0 1 0 0.5 0]" {
		t.Error(got)
	}
}

// Two axes at once are one after the other, for each of a batch, too, and what is not weighed is not read: an infinity stays where it is.
func TestResizeBilinear(t *testing.T) {
	x := random(1, 3, 5, 6, 16)
	both := func(x ad.Value) ad.Value { return x.Resize(ad.Linear, 9, 4) }
	y := both(x)
	apart := x.Reshape(3, 5, 96).Resize(ad.Linear, 9).Reshape(27, 6, 16).Resize(ad.Linear, 4).Reshape(3, 9, 4, 16)
	if d := y.Sub(apart).NormInf().Item(); !(d < 1e-15) {
		t.Errorf("off by %v", d)
	}
	if d := y.Sub(ad.Vmap(both)(x)).NormInf().Item(); d != 0 {
		t.Errorf("each of the batch: off by %v", d)
	}
	grad := ad.Grad(func(x ad.Value) ad.Value { return both(x).Square().Sum() })
	if d := grad(x).Sub(ad.Vmap(grad)(x)).NormInf().Item(); d != 0 {
		t.Errorf("gradient of each of the batch: off by %v", d)
	}
	for _, m := range []ad.ResizeMethod{ad.Nearest, ad.Linear, ad.LinearCorners, ad.CubicKeys} {
		data := make([]float64, 7)
		data[3] = math.Inf(1)
		for _, size := range []int{2, 3, 4, 7, 9, 20} {
			f := func(x ad.Value) ad.Value { return x.Reshape(1, 7, 1).Resize(m, size).Flatten() }
			y, j := f(ad.From(data)).Float64s(), ad.Jacobian(f)(ad.From(make([]float64, 7)))
			ct := make([]float64, size)
			ct[size/2] = math.Inf(1)
			dx := ad.VJP(f)(ad.From(make([]float64, 7)), ad.From(ct)).Grad.Float64s()
			for i := range size {
				if w := j.At(i, 3); w == 0 && y[i] != 0 {
					t.Errorf("%d, to %d: element %d is %v", m, size, i, y[i])
				}
			}
			for k := range 7 {
				if w := j.At(size/2, k); (w == 0) != (dx[k] == 0) {
					t.Errorf("%d, to %d: derivative by element %d is %v, of %v", m, size, k, dx[k], w)
				}
			}
		}
	}
}

// What PyTorch 2.15's bicubic and jax.image.resize (0.10, antialias=False) give.
func TestResizeCubic(t *testing.T) {
	x := ad.From([]float64{1, 4, 2, -3, 5}, 1, 5, 1)
	for _, c := range []struct {
		method ad.ResizeMethod
		want   []float64
	}{
		{ad.Cubic, []float64{2.0555555555555554, 2, 2.2037037037037077}},
		{ad.CubicKeys, []float64{1.8965517241379313, 2, 2.6206896551724164}},
		{ad.Cubic, []float64{1, 4, 2, -3, 5}},
		{ad.CubicKeys, []float64{1, 4, 2, -3, 5}},
		{ad.Cubic, []float64{0.72149658203125, 2.450927734375, 4.0379638671875, 3.2896728515625, -0.086181640625, -3.086669921875, 1.15777587890625, 5.74267578125}},
		{ad.CubicKeys, []float64{0.7841328413284133, 2.2850782052745746, 4.017822265625, 3.014404296875, 0.22265625, -3.0390625, 1.5899075236899192, 5.575645756457565}},
	} {
		y := x.Resize(c.method, len(c.want)).Float64s()
		for i, w := range c.want {
			if math.Abs(y[i]-w) > 1e-14 {
				t.Errorf("%d, to %d: element %d is %v, want %v", c.method, len(c.want), i, y[i], w)
			}
		}
	}
	// Squares are kept by Keys' parameter, away from the ends.
	squares := ad.F64.Iota(0, 8).Square().Reshape(1, 8, 1).Resize(ad.CubicKeys, 16)
	for i := 5; i < 11; i++ {
		if p := (float64(i)+0.5)/2 - 0.5; math.Abs(squares.At(0, i, 0)-p*p) > 1e-13 {
			t.Errorf("%v², not %v", p, squares.At(0, i, 0))
		}
	}
}
