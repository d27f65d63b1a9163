package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/kernels"
)

// nearestBF16 looks for the nearest among the neighbours.
func nearestBF16(x float32) ad.BFloat16 {
	below := ad.BFloat16(math.Float32bits(x) >> 16) // toward zero
	above := below + 1
	size := func(b ad.BFloat16) float64 {
		if b&0x7fff == 0x7f80 {
			return math.Ldexp(1, 128) // where infinity begins
		}
		return math.Abs(float64(b.Float32()))
	}
	down, up := math.Abs(float64(x))-size(below), size(above)-math.Abs(float64(x))
	if up < down || up == down && above&1 == 0 {
		return above
	}
	return below
}

// Rounding and widening, on every level, as code and as tiles: all upper halves with the lower ones that matter.
func TestConvertBF16(t *testing.T) {
	var x []float32
	for high := range uint32(1 << 16) {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			x = append(x, math.Float32frombits(high<<16|low))
		}
	}
	want := make([]ad.BFloat16, len(x))
	for i, v := range x {
		want[i] = ad.ToBFloat16(v)
		switch {
		case v != v:
			if b := want[i]; b.Float32() == b.Float32() || b&0x40 == 0 {
				t.Fatalf("%x becomes %x, not a quiet NaN", math.Float32bits(v), b)
			}
		case !math.IsInf(float64(v), 0) && want[i] != nearestBF16(v):
			t.Fatalf("%g becomes %v, not %v", v, want[i].Float32(), nearestBF16(v).Float32())
		}
	}
	type both struct{ Half, Back ad.Value }
	f := func(x ad.Value) both {
		h := x.Convert(ad.BF16)
		return both{h, h.Convert(ad.F32)}
	}
	for _, level := range kernels.Levels() {
		for _, tiles := range []bool{false, true} {
			p, err := ad.Compile(f, ad.From(x), ad.Options{Level: level.Name, NoCode: tiles})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Run(context.Background(), ad.From(x))
			if err != nil {
				t.Fatal(err)
			}
			half, back := ad.Data[ad.BFloat16](got.Half), ad.Data[float32](got.Back)
			for i := range x {
				if half[i] != want[i] || math.Float32bits(back[i]) != uint32(want[i])<<16 {
					t.Fatalf("%s: %x becomes %x and %x, not %x", level.Name, math.Float32bits(x[i]), half[i], back[i], want[i])
				}
			}
		}
	}
	h := ad.From(want[:1000])
	if got := h.Convert(ad.F64).Float64s(); got[999] != float64(want[999].Float32()) {
		t.Error(got[999])
	}
	if got := ad.From([]float64{3.7, -2.5, 300.9}).Convert(ad.BF16).Convert(ad.I32).String(); got != "int32[3] 3 -2 300" {
		t.Error(got)
	}
}

// Float16s and what they are made of, on every level, as code and as tiles: all of them, and between each and the next
// the float32s that a rounding could get wrong.
func TestConvertF16(t *testing.T) {
	var x []float32
	var all []ad.Float16
	for h := range uint32(1 << 16) {
		all = append(all, ad.Float16(h))
		v := ad.Float16(h).Float32()
		u := math.Float32bits(v)
		half := uint32(0x1000)                // between it and the next
		if size := h & 0x7fff; size < 0x400 { // a denormal's float32 has another exponent
			half = math.Float32bits((float32(size)+0.5)*0x1p-24)&0x7fffffff - u&0x7fffffff
		}
		for _, w := range []uint32{u, u + 1, u - 1, u + half - 1, u + half, u + half + 1} {
			x = append(x, math.Float32frombits(w))
		}
	}
	for e := range uint32(256) { // every exponent
		for _, f := range []uint32{0, 1, 0x1000, 0x3fffff, 0x400000, 0x7fffff} {
			x = append(x, math.Float32frombits(e<<23|f), math.Float32frombits(1<<31|e<<23|f))
		}
	}
	want := ad.ToFloat16s(x)
	type in struct{ X, H ad.Value }
	type out struct{ Half, Back, Wide, Kept ad.Value }
	f := func(a in) out {
		h := a.X.Convert(ad.F16)
		return out{h, h.Convert(ad.F32), a.H.Convert(ad.F32), a.H.Neg()}
	}
	args := in{ad.From(x), ad.From(all)}
	for _, level := range kernels.Levels() {
		for _, tiles := range []bool{false, true} {
			p, err := ad.Compile(f, args, ad.Options{Level: level.Name, NoCode: tiles})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Run(context.Background(), args)
			if err != nil {
				t.Fatal(err)
			}
			half, back := ad.Data[ad.Float16](got.Half), ad.Data[float32](got.Back)
			for i, v := range want {
				if w := v.Float32(); w != w && p.Device() != "cpu" { // a device may make another NaN
					if h := half[i].Float32(); h == h || back[i] == back[i] {
						t.Fatalf("%x becomes %x and %x", math.Float32bits(x[i]), half[i], math.Float32bits(back[i]))
					}
					continue
				}
				if half[i] != v || math.Float32bits(back[i]) != math.Float32bits(v.Float32()) {
					t.Fatalf("%s: %x becomes %x and %x, not %x", level.Name, math.Float32bits(x[i]), half[i], math.Float32bits(back[i]), v)
				}
			}
			wide, kept := ad.Data[float32](got.Wide), ad.Data[ad.Float16](got.Kept)
			for i, h := range all {
				v := h.Float32()
				if v != v && p.Device() != "cpu" && wide[i] != wide[i] {
					continue
				}
				if math.Float32bits(wide[i]) != math.Float32bits(v) || kept[i] != h^0x8000 && v == v {
					t.Fatalf("%s: %x is %x and negated %x", level.Name, h, math.Float32bits(wide[i]), kept[i])
				}
			}
		}
	}
	if got := ad.From([]float64{3.7, -2.5, 300.9, 1e6}).Convert(ad.F16).String(); got != "float16[4] 3.69922 -2.5 301 +Inf" {
		t.Error(got)
	}
	if got := ad.BF16.Ones(2).Scale(1.0 / 3).Convert(ad.F16).Convert(ad.BF16); got.String() != ad.BF16.Ones(2).Scale(1.0/3).String() {
		t.Error(got)
	}
}

var halves = []ad.DType{ad.BF16, ad.F16}

func randomHalf(typ ad.DType, r *rand.Rand, dims ...int) ad.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return ad.From(s, dims...).Convert(typ)
}

// A function on halves is the function on their float32s, rounded once; so is its gradient.
func TestHalfIsRoundedWhereStored(t *testing.T) {
	for _, typ := range halves {
		t.Run(typ.String(), func(t *testing.T) { testHalfIsRoundedWhereStored(t, typ) })
	}
}

func testHalfIsRoundedWhereStored(t *testing.T, typ ad.DType) {
	r := rand.New(rand.NewPCG(1, 2))
	x := randomHalf(typ, r, 7, 37)
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"chain":     func(x ad.Value) ad.Value { return x.Exp().Add(x).Mul(ad.Const(0.1)).Tanh().Scale(1001) },
		"softmax":   func(x ad.Value) ad.Value { return x.Softmax(-1) },
		"sum":       func(x ad.Value) ad.Value { return x.Sum(0) },
		"mean":      func(x ad.Value) ad.Value { return x.Mean() },
		"variance":  func(x ad.Value) ad.Value { return x.Var(1) },
		"product":   func(x ad.Value) ad.Value { return x.Narrow(1, 0, 5).Prod(1) },
		"max":       func(x ad.Value) ad.Value { return x.ReduceMax(0) },
		"views":     func(x ad.Value) ad.Value { return x.Exp().Transpose().Reshape(7, 37).Reverse(1).Sqrt() },
		"cumsum":    func(x ad.Value) ad.Value { return x.CumSum(1) },
		"relu":      func(x ad.Value) ad.Value { return x.ReLU().Sub(x.Min(x.Scale(0.5))) },
		"where":     func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(0)), x.Square(), x.Sin()) },
		"logsumexp": func(x ad.Value) ad.Value { return x.LogSumExp(-1) },
	} {
		wide := x.Convert(ad.F32)
		run := func(f func(ad.Value) ad.Value, x ad.Value) ad.Value {
			p, err := ad.Compile(f, x)
			if err != nil {
				t.Fatal(name, err)
			}
			y, err := p.Run(context.Background(), x)
			if err != nil {
				t.Fatal(name, err)
			}
			return y
		}
		got, want := run(f, x), run(f, wide).Convert(typ)
		if got.DType() != typ || !bytes.Equal(raw(got), raw(want)) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		loss := func(x ad.Value) ad.Value { return f(x).Square().Sum() }
		got, want = run(ad.Grad(loss), x), run(ad.Grad(loss), wide).Convert(typ)
		if got.DType() != typ || !bytes.Equal(raw(got), raw(want)) {
			t.Errorf("%s: gradient %v, want %v", name, got, want)
		}
	}
	// Convert rounds, whatever is around it.
	f := func(x ad.Value) ad.Value {
		return x.Exp().Convert(ad.F32).Convert(typ).Convert(ad.F32).Sub(x.Exp().Convert(ad.F32))
	}
	p, err := ad.Compile(f, x)
	if err != nil {
		t.Fatal(err)
	}
	y, err := p.Run(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if y.Abs().Sum().Item() == 0 {
		t.Error("Convert does not round")
	}
}

// Whatever moves elements keeps them, and its transpose adds them up in float32.
func TestMoveHalf(t *testing.T) {
	for _, typ := range halves {
		t.Run(typ.String(), func(t *testing.T) { testMoveHalf(t, typ) })
	}
}

func testMoveHalf(t *testing.T, typ ad.DType) {
	r := rand.New(rand.NewPCG(3, 4))
	x := randomHalf(typ, r, 5, 9)
	at := ad.From([]int32{4, 0, 0, 3, 4, 4})
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"take":      func(x ad.Value) ad.Value { return x.Take(at, 0) },
		"columns":   func(x ad.Value) ad.Value { return x.Take(at, 1) },
		"concat":    func(x ad.Value) ad.Value { return ad.Concat(1, x, x.Reverse(1), x) },
		"pad":       func(x ad.Value) ad.Value { return x.Pad([]int{1, 0}, []int{0, 3}, 1.5) },
		"transpose": func(x ad.Value) ad.Value { return x.Transpose() },
		"slice":     func(x ad.Value) ad.Value { return x.Narrow(1, 2, 5).Reshape(25) },
		"broadcast": func(x ad.Value) ad.Value { return x.Reshape(1, 5, 9).BroadcastTo(3, 5, 9) },
		"scatter":   func(x ad.Value) ad.Value { return x.ScatterAdd(at, x.Take(at, 0), 0) },
	} {
		for _, v := range []struct {
			how string
			f   func(ad.Value) ad.Value
		}{{"value", f}, {"gradient", ad.Grad(func(x ad.Value) ad.Value { return f(x).Mul(f(x)).Sum() })}} {
			got, want := v.f(x), v.f(x.Convert(ad.F32))
			if got.DType() != typ || v.how == "value" && name != "scatter" && !bytes.Equal(raw(got.Convert(ad.F32)), raw(want)) {
				t.Errorf("%s, %s: %v, want %v", name, v.how, got, want)
			}
			if d := got.Convert(ad.F32).Sub(want).Abs().Sub(want.Abs().Scale(0x1p-7)).ReduceMax().Item(); !(d <= 0) {
				t.Errorf("%s, %s: %v, want %v", name, v.how, got, want)
			}
		}
	}
}

// Products are near the exact ones and, like everything on halves, have the same bits on all levels, threads and
// batches.
func TestProductHalf(t *testing.T) {
	for _, typ := range halves {
		t.Run(typ.String(), func(t *testing.T) { testProductHalf(t, typ) })
	}
}

func testProductHalf(t *testing.T, typ ad.DType) {
	r := rand.New(rand.NewPCG(5, 6))
	type in struct{ X, W, V ad.Value }
	type out struct{ Y, Wide, Column, X, W ad.Value }
	f := func(a in) out {
		g := ad.Grad(func(a in) ad.Value {
			h := a.X.MatMul(a.W).Tanh()
			return h.MatMul(a.W.Transpose()).Mul(a.X).Sum()
		})(in{a.X, a.W, ad.Value{}})
		y := a.X.MatMul(a.W)
		return out{y, y.Convert(ad.F32), a.X.MatMul(a.V), g.X, g.W}
	}
	const rows, k, n = 71, 300, 45
	args := in{randomHalf(typ, r, rows, k), randomHalf(typ, r, k, n), randomHalf(typ, r, k)}
	var first out
	for _, level := range kernels.Levels() {
		for _, o := range []ad.Options{{Threads: 1}, {Threads: 3}, {Threads: 2, NoCode: true}} {
			o.Level = level.Name
			p, err := ad.Compile(f, in{typ.Spec(ad.AnyBatch, k), args.W, args.V}, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []int{rows, 1, 30} {
				got, err := p.Run(context.Background(), in{args.X.Narrow(0, 0, m), args.W, args.V})
				if err != nil {
					t.Fatal(err)
				}
				if !first.Y.IsValid() {
					first = got
				}
				what := []struct {
					name      string
					got, want ad.Value
				}{{"product", got.Y, first.Y.Narrow(0, 0, m)}, {"in float32", got.Wide, first.Wide.Narrow(0, 0, m)},
					{"column", got.Column, first.Column.Narrow(0, 0, m)}, {"gradient of X", got.X, first.X.Narrow(0, 0, m)}}
				if m == rows {
					what = append(what, struct {
						name      string
						got, want ad.Value
					}{"gradient of W", got.W, first.W})
				}
				for _, w := range what {
					if !bytes.Equal(raw(w.got), raw(w.want)) {
						t.Errorf("%s, %d threads, %d rows, %s: other bits", level.Name, o.Threads, m, w.name)
					}
				}
			}
		}
	}
	x, w := args.X.Convert(ad.F64), args.W.Convert(ad.F64)
	bound := x.Abs().MatMul(w.Abs()).Scale(k * 0x1p-24)
	if d := first.Wide.Convert(ad.F64).Sub(x.MatMul(w)).Abs().Div(bound).ReduceMax().Item(); !(d <= 1) {
		t.Errorf("a product is off by %g of its bound", d)
	}
	if first.Wide.DType() != ad.F32 || first.Y.DType() != typ || first.W.DType() != typ {
		t.Error(first)
	}
	wide := ad.Grad(func(a in) ad.Value { return a.X.MatMul(a.W).Tanh().MatMul(a.W.Transpose()).Mul(a.X).Sum() })
	g := wide(in{X: x, W: w})
	for i, v := range []struct{ got, want ad.Value }{{first.X, g.X}, {first.W, g.W}} {
		d := v.got.Convert(ad.F64).Sub(v.want)
		if e := d.Square().Mean().Sqrt().Item() / v.want.Square().Mean().Sqrt().Item(); !(e < 0.01) {
			t.Errorf("gradient %d is off by %g of its size", i, e)
		}
	}
}

// Forward mode, batching and loops keep the type.
func TestTransformsOfHalf(t *testing.T) {
	for _, typ := range halves {
		t.Run(typ.String(), func(t *testing.T) { testTransformsOfHalf(t, typ) })
	}
}

func testTransformsOfHalf(t *testing.T, typ ad.DType) {
	r := rand.New(rand.NewPCG(7, 8))
	x, w := randomHalf(typ, r, 4, 6), randomHalf(typ, r, 6, 6)
	f := func(x ad.Value) ad.Value { return x.MatMul(w).Tanh().MatMul(w) }
	tangent := ad.JVP(f)(x, x)
	back := ad.VJP(f)(x, tangent.Value)
	left := tangent.Tangent.Mul(tangent.Value).Convert(ad.F32).Sum().Item()
	right := back.Grad.Mul(x).Convert(ad.F32).Sum().Item()
	if tangent.Tangent.DType() != typ || back.Grad.DType() != typ || math.Abs(left-right) > 0.02*math.Abs(left) {
		t.Errorf("%v, %v: %g and %g", tangent.Tangent, back.Grad, left, right)
	}
	rows := ad.Vmap(func(v ad.Value) ad.Value { return f(v.Reshape(1, 6)).Reshape(6) })(x)
	if !bytes.Equal(raw(rows), raw(ad.Vmap(func(v ad.Value) ad.Value { return f(v.Reshape(1, 6)).Reshape(6) })(x))) || rows.DType() != typ {
		t.Error(rows)
	}
	sum := func(w ad.Value) ad.Value {
		last, ys := ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) {
			c = c.Reshape(1, 6).MatMul(w).Reshape(6).Tanh().Add(x)
			return c, c
		}, typ.Zeros(6), x)
		return last.Sum().Add(ys.Square().Mean())
	}
	g := ad.Grad(sum)(w)
	scan := func(w ad.Value) ad.Value { // the same in float64
		c, ys := ad.F64.Zeros(6), ad.F64.Zeros()
		for i := range 4 {
			c = c.Reshape(1, 6).MatMul(w).Reshape(6).Tanh().Add(x.Index(i).Convert(ad.F64))
			ys = ys.Add(c.Square().Sum())
		}
		return c.Sum().Add(ys.Scale(1. / 24))
	}
	want := ad.Grad(scan)(w.Convert(ad.F64))
	if d := g.Convert(ad.F64).Sub(want).Abs().ReduceMax().Item(); g.DType() != typ || d > 0.05*want.Abs().ReduceMax().Item() {
		t.Errorf("%v, want %v", g, want)
	}
}

func TestHalfRefused(t *testing.T) {
	for _, typ := range halves {
		t.Run(typ.String(), func(t *testing.T) { testHalfRefused(t, typ) })
	}
}

func testHalfRefused(t *testing.T, typ ad.DType) {
	x := typ.Ones(3, 3)
	for name, f := range map[string]func(){
		"inverse": func() { x.Inverse() },
		"sort":    func() { x.Sort(0) },
		"mixed":   func() { x.Add(ad.F32.Ones(3, 3)) },
		"product": func() { x.MatMul(ad.F32.Ones(3, 3)) },
		"uniform": func() { ad.NewKey(1).Uniform(typ, 3) },
	} {
		func() {
			defer func() {
				if e, ok := recover().(*ad.Error); !ok || !strings.Contains(e.Error(), typ.String()) {
					t.Errorf("%s: %v", name, e)
				}
			}()
			f()
		}()
	}
	err := ad.CheckGrads(func(x ad.Value) ad.Value { return x.Sum() }, x)
	if err == nil || !strings.Contains(err.Error(), typ.String()) {
		t.Error(err)
	}
}

func ExampleFloat16() {
	x := ad.From(ad.ToFloat16s([]float32{1, 1.0 / 3, 1000.4, 65519}))
	fmt.Println(x)
	fmt.Println(x.Scale(3))
	fmt.Println(ad.Data[ad.Float16](x)[1].Float32())
	// Output:
	// float16[4] 1 0.333252 1000.5 65504
	// float16[4] 3 1 3002 +Inf
	// 0.33325195
}

func ExampleBFloat16() {
	x := ad.From(ad.ToBFloat16s([]float32{1, 1.0 / 3, 1000.4}))
	y := x.Scale(3)
	fmt.Println(x)
	fmt.Println(y)
	fmt.Println(ad.Data[ad.BFloat16](y)[1].Float32())
	// Output:
	// bfloat16[3] 1 0.333984 1000
	// bfloat16[3] 3 1 3008
	// 1
}

// Level amx has bits of its own: near the others', and the same with any number of threads and rows.
func TestLevelAMX(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	type in struct{ X, W ad.Value }
	f := func(a in) in {
		return ad.Grad(func(a in) ad.Value { return a.X.MatMul(a.W).Tanh().MatMul(a.W.T()).Mul(a.X).Sum() })(a)
	}
	args := in{randomHalf(ad.BF16, r, 71, 300), randomHalf(ad.BF16, r, 300, 45)}
	spec := in{ad.BF16.Spec(ad.AnyBatch, 300), args.W}
	run := func(o ad.Options, rows int) in {
		p, err := ad.Compile(f, spec, o)
		if err != nil {
			t.Skip(err)
		}
		y, err := p.Run(context.Background(), in{args.X.Narrow(0, 0, rows), args.W})
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	got, other := run(ad.Options{Level: "amx", Threads: 1}, 71), run(ad.Options{Threads: 1}, 71)
	for _, v := range []struct{ a, b ad.Value }{{got.X, other.X}, {got.W, other.W}} {
		a, b := v.a.Convert(ad.F64), v.b.Convert(ad.F64)
		if e := a.Sub(b).Square().Sum().Sqrt().Item() / b.Square().Sum().Sqrt().Item(); e > 0.005 {
			t.Errorf("level amx is off by %g", e)
		}
	}
	for _, threads := range []int{2, 3} {
		if y := run(ad.Options{Level: "amx", Threads: threads}, 71); !bytes.Equal(raw(y.X), raw(got.X)) || !bytes.Equal(raw(y.W), raw(got.W)) {
			t.Errorf("%d threads: other bits", threads)
		}
		if y := run(ad.Options{Level: "amx", Threads: threads}, 33); !bytes.Equal(raw(y.X), raw(got.X.Narrow(0, 0, 33))) {
			t.Errorf("33 rows on %d threads: other bits", threads)
		}
	}
}
