package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// mlpStep is a 784-512-256-10 network's step of SGD: loss, and the new weights.
func mlpStep() (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	param := func(t dtype.Type, s ir.Shape) *ir.Node {
		inputs = append(inputs, Input{t, s})
		return g.Param(len(inputs)-1, t, s)
	}
	sizes := []int{784, 512, 256, 10}
	var weights []*ir.Node
	for i := range 3 {
		weights = append(weights, param(dtype.F32, ir.Static(sizes[i], sizes[i+1])), param(dtype.F32, ir.Static(sizes[i+1])))
	}
	h := param(dtype.F32, ir.Shape{ir.Batch, ir.D(784)})
	labels := param(dtype.I32, ir.Shape{ir.Batch})
	for i := range 3 {
		h = g.Map(ops.Add, g.MatMulND(h, weights[2*i]), weights[2*i+1])
		if i < 2 {
			h = g.Apply(ops.Relu, h)
		}
	}
	logp := g.LogSoftmax(h, 1)
	loss := g.Apply(ops.Neg, g.Mean(g.TakeAlong(logp, g.Reshape(labels, ir.Shape{ir.Batch, ir.D(1)}), 1, "")))
	grads := g.VJP([]*ir.Node{loss}, []*ir.Node{g.Const(dtype.F32, nil, 1)}, weights)
	outs = []*ir.Node{loss}
	for i, w := range weights {
		outs = append(outs, g.Apply(ops.Sub, w, g.Apply(ops.Mul, grads[i], g.Const(dtype.F32, w.Shape, 0.01))))
	}
	return outs, inputs
}

func BenchmarkMLP(b *testing.B) {
	outs, inputs := mlpStep()
	for _, threads := range []int{1, 2} {
		for _, batch := range []int{32, 256, 1024} {
			b.Run(fmt.Sprintf("threads=%d/batch=%d", threads, batch), func(b *testing.B) {
				p, err := Compile(outs, inputs, Options{Threads: threads})
				if err != nil {
					b.Fatal(err)
				}
				rng := rand.New(rand.NewPCG(1, 2))
				var in, out []unsafe.Pointer
				for _, x := range inputs {
					a := newArray(x.Type, x.Shape.At(batch))
					for i := range a.len() {
						if x.Type == dtype.I32 {
							a.setBits(i, uint64(rng.IntN(10)))
						} else {
							a.setBits(i, ir.FloatBits(x.Type, rng.NormFloat64()*0.05))
						}
					}
					in = append(in, a.ptr())
				}
				loss := newArray(dtype.F32, nil)
				out = append([]unsafe.Pointer{loss.ptr()}, in[:6]...)
				for b.Loop() {
					if err := p.Run(context.Background(), batch, in, out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
			})
		}
	}
}

// BenchmarkChain is Σ tanh(a·x + b)·sigmoid(c·x) and its derivatives by a, b, c, over a million x.
func BenchmarkChain(b *testing.B) {
	const n = 1_000_000
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Shape{ir.Batch})
	inputs := []Input{{dtype.F32, x.Shape}, {dtype.F32, nil}, {dtype.F32, nil}, {dtype.F32, nil}}
	var k, all [3]*ir.Node
	for i := range k {
		k[i] = g.Param(1+i, dtype.F32, nil)
		all[i] = g.BroadcastTo("", k[i], x.Shape)
	}
	y := g.Apply(ops.Mul, g.Apply(ops.Tanh, g.Apply(ops.Add, g.Apply(ops.Mul, all[0], x), all[1])),
		g.Apply(ops.Sigmoid, g.Apply(ops.Mul, all[2], x)))
	sum := g.Reduce(ir.Sum, y, 0)
	outs := append([]*ir.Node{sum}, g.VJP([]*ir.Node{sum}, []*ir.Node{g.Const(dtype.F32, nil, 1)}, k[:])...)
	xs := newArray(dtype.F32, []int{n})
	for i := range n {
		xs.setBits(i, ir.FloatBits(dtype.F32, float64(i)/n-0.5))
	}
	k1, k2, k3 := float32(0.5), float32(0.25), float32(-1)
	in := []unsafe.Pointer{xs.ptr(), unsafe.Pointer(&k1), unsafe.Pointer(&k2), unsafe.Pointer(&k3)}
	var out []unsafe.Pointer
	for range outs {
		out = append(out, newArray(dtype.F32, nil).ptr())
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			p, err := Compile(outs, inputs, Options{Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := p.Run(context.Background(), n, in, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}

func BenchmarkCompileMLP(b *testing.B) {
	outs, inputs := mlpStep()
	for b.Loop() {
		p, err := Compile(outs, inputs, Options{})
		if err == nil {
			_, err = p.binding(256)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompileLong is a chain of operations of which every fourth is a step of its own: time per
// operation stays the same.
func BenchmarkCompileLong(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := ir.New()
			x := g.Param(0, dtype.F32, ir.Static(8))
			y := x
			for range n / 4 {
				y = g.Apply(ops.Add, g.BroadcastTo("", g.Reshape(g.Reduce(ir.Sum, y, 0), ir.Static(1)), x.Shape), x)
			}
			for b.Loop() {
				p, err := Compile([]*ir.Node{y}, []Input{{dtype.F32, x.Shape}}, Options{})
				if err == nil {
					_, err = p.binding(1)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/operation")
		})
	}
}

// BenchmarkLoop is the cost of a step of a loop.
func BenchmarkLoop(b *testing.B) {
	const steps = 1000
	g := ir.New()
	x := g.Param(0, dtype.F64, nil)
	finals, _, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(steps)}, []*ir.Node{x}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{g.Apply(ops.Mul, c[0], g.Const(dtype.F64, nil, 0.5))}, nil, nil
		})
	p, err := Compile(finals, []Input{{dtype.F64, nil}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	v, w := 3.0, 0.0
	in, out := []unsafe.Pointer{unsafe.Pointer(&v)}, []unsafe.Pointer{unsafe.Pointer(&w)}
	for b.Loop() {
		if err := p.Run(context.Background(), 1, in, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
}

// BenchmarkScalar is the derivative of x³+2x: the cost of a call.
func BenchmarkScalar(b *testing.B) {
	g := ir.New()
	x := g.Param(0, dtype.F64, nil)
	y := g.Apply(ops.Add, g.PowInt(x, 3), g.Apply(ops.Mul, x, g.Const(dtype.F64, nil, 2)))
	dy := g.VJP([]*ir.Node{y}, []*ir.Node{g.Const(dtype.F64, nil, 1)}, []*ir.Node{x})
	p, err := Compile([]*ir.Node{y, dy[0]}, []Input{{dtype.F64, nil}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	v, w, dw := 3.0, 0.0, 0.0
	in, out := []unsafe.Pointer{unsafe.Pointer(&v)}, []unsafe.Pointer{unsafe.Pointer(&w), unsafe.Pointer(&dw)}
	best := time.Duration(1 << 60)
	for b.Loop() {
		start := time.Now()
		for range 100 {
			if err := p.Run(context.Background(), 1, in, out); err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/op")
	b.ReportMetric(float64(best.Nanoseconds())/100, "best-ns")
	if w != 33 || dw != 29 {
		b.Fatal(w, dw)
	}
}

// chainStep is eight cheap operations over three inputs, and, with grad, the sum's gradients.
func chainStep(grad bool) (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch}
	var x []*ir.Node
	for i := range 3 {
		inputs = append(inputs, Input{dtype.F32, sh})
		x = append(x, g.Param(i, dtype.F32, sh))
	}
	y := x[0]
	for i := range 4 {
		y = g.Apply(ops.Add, g.Apply(ops.Mul, y, x[1+i%2]), x[2-i%2])
	}
	if !grad {
		return []*ir.Node{y}, inputs
	}
	loss := g.Reduce(ir.Sum, g.Apply(ops.Square, y), 0)
	return append(g.VJP([]*ir.Node{loss}, []*ir.Node{g.Const(dtype.F32, nil, 1)}, x), loss), inputs
}

// benchCode runs a program as code and as tiles by turns, and reports the fastest run of each.
func benchCode(b *testing.B, outs []*ir.Node, inputs []Input, batch int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var in, out []unsafe.Pointer
	for _, x := range inputs {
		a := newArray(x.Type, x.Shape.At(batch))
		for i := range a.len() {
			a.setBits(i, ir.FloatBits(x.Type, 0.5+rng.Float64()))
		}
		in = append(in, a.ptr())
	}
	for _, o := range outs {
		out = append(out, newArray(o.Type, o.Shape.At(batch)).ptr())
	}
	var programs [2]*Program
	best := [2]time.Duration{1 << 60, 1 << 60}
	for i := range programs {
		var err error
		if programs[i], err = Compile(outs, inputs, Options{Threads: 1, NoCode: i == 1}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for i, p := range programs {
			for range 2 {
				start := time.Now()
				if err := p.Run(context.Background(), batch, in, out); err != nil {
					b.Fatal(err)
				}
				best[i] = min(best[i], time.Since(start))
			}
		}
	}
	for i, name := range []string{"code", "tiles"} {
		b.ReportMetric(float64(best[i].Nanoseconds())/float64(batch)*1000, name+"-ps/elem")
	}
	b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
}

func BenchmarkCode(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func() ([]*ir.Node, []Input)
		batch int
	}{
		{"chain of 8/1k", func() ([]*ir.Node, []Input) { return chainStep(false) }, 1024},
		{"chain of 8/4096", func() ([]*ir.Node, []Input) { return chainStep(false) }, 4096},
		{"chain of 8/1M", func() ([]*ir.Node, []Input) { return chainStep(false) }, 1 << 20},
		{"chain's gradient/4096", func() ([]*ir.Node, []Input) { return chainStep(true) }, 4096},
		{"chain's gradient/1M", func() ([]*ir.Node, []Input) { return chainStep(true) }, 1 << 20},
		{"tanh·sigmoid, 3 derivatives/1M", curveStep, 1 << 20},
		{"greeks/10k", greeksStep, 10_000},
		{"softmax of 10/10k", func() ([]*ir.Node, []Input) { return softmaxStep(10) }, 10_000},
		{"softmax of 1000/100", func() ([]*ir.Node, []Input) { return softmaxStep(1000) }, 100},
		{"layer norm of 512/256", layerNormStep, 256},
		{"column sums of 16/1k", func() ([]*ir.Node, []Input) { return columnsStep(16) }, 1000},
		{"column sums of 256/100", func() ([]*ir.Node, []Input) { return columnsStep(256) }, 100},
		{"column sums of 256/10k", func() ([]*ir.Node, []Input) { return columnsStep(256) }, 10_000},
		{"MLP/32", mlpStep, 32},
		{"MLP/256", mlpStep, 256},
	} {
		b.Run(c.name, func(b *testing.B) {
			outs, inputs := c.build()
			benchCode(b, outs, inputs, c.batch)
		})
	}
}

// stridedStep is eight cheap operations over three arrays, of which the first is read through strides.
func stridedStep(how string, n int) (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch, ir.D(n)}
	param := func(sh ir.Shape) *ir.Node {
		inputs = append(inputs, Input{dtype.F32, sh})
		return g.Param(len(inputs)-1, dtype.F32, sh)
	}
	var x *ir.Node
	every := func(k int) *ir.Node {
		return g.Slice(param(ir.Shape{ir.Batch, ir.D(k * n)}), []ir.Dim{{}, {}}, []int{1, k}, sh)
	}
	switch how {
	case "contiguous":
		x = param(sh)
	case "transposed":
		x = g.Transpose(param(ir.Shape{ir.D(n), ir.Batch}), []int{1, 0})
	case "every 2nd":
		x = every(2)
	case "every 3rd":
		x = every(3)
	case "every 4th":
		x = every(4)
	case "reversed":
		x = g.Reverse(param(sh), 1)
	case "columns":
		x = g.Slice(param(ir.Shape{ir.Batch, ir.D(n + 8)}), []ir.Dim{{}, ir.D(3)}, []int{1, 1}, sh)
	case "middle": // axes 1 and 2 of three change places
		x = g.Reshape(g.Transpose(param(ir.Shape{ir.Batch, ir.D(16), ir.D(n / 16)}), []int{0, 2, 1}), sh)
	}
	y, other := x, []*ir.Node{param(sh), param(sh)}
	for i := range 4 {
		y = g.Apply(ops.Add, g.Apply(ops.Mul, y, other[i%2]), other[1-i%2])
	}
	return []*ir.Node{y}, inputs
}

// BenchmarkStrided is the time of an element of cheap operations of which one operand lies elsewhere than in a row.
func BenchmarkStrided(b *testing.B) {
	for _, how := range []string{"contiguous", "transposed", "every 2nd", "every 3rd", "every 4th", "reversed", "columns", "middle"} {
		for _, n := range []int{32, 64, 1024} {
			b.Run(fmt.Sprintf("%s/%d", how, n), func(b *testing.B) {
				outs, inputs := stridedStep(how, n)
				benchCode(b, outs, inputs, n)
			})
		}
	}
}

// curveStep is Σ tanh(a·x + b)·sigmoid(c·x) and its derivatives by a, b, c.
func curveStep() (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Shape{ir.Batch})
	inputs = []Input{{dtype.F32, x.Shape}, {dtype.F32, nil}, {dtype.F32, nil}, {dtype.F32, nil}}
	var k, all [3]*ir.Node
	for i := range k {
		k[i] = g.Param(1+i, dtype.F32, nil)
		all[i] = g.BroadcastTo("", k[i], x.Shape)
	}
	y := g.Apply(ops.Mul, g.Apply(ops.Tanh, g.Apply(ops.Add, g.Apply(ops.Mul, all[0], x), all[1])),
		g.Apply(ops.Sigmoid, g.Apply(ops.Mul, all[2], x)))
	sum := g.Reduce(ir.Sum, y, 0)
	return append(g.VJP([]*ir.Node{sum}, []*ir.Node{g.Const(dtype.F32, nil, 1)}, k[:]), sum), inputs
}

// greeksStep is Black-Scholes' price of a call and its five derivatives, in float64.
func greeksStep() (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch}
	var x []*ir.Node
	for i := range 5 {
		inputs = append(inputs, Input{dtype.F64, sh})
		x = append(x, g.Param(i, dtype.F64, sh))
	}
	c := func(v float64) *ir.Node { return g.Const(dtype.F64, sh, v) }
	ap := g.Apply
	spot, strike, rate, vol, expiry := x[0], x[1], x[2], x[3], x[4]
	cdf := func(x *ir.Node) *ir.Node {
		return ap(ops.Mul, ap(ops.Erfc, ap(ops.Mul, x, c(-0.7071067811865476))), c(0.5))
	}
	root := ap(ops.Mul, vol, ap(ops.Sqrt, expiry))
	drift := ap(ops.Mul, ap(ops.Add, rate, ap(ops.Mul, ap(ops.Square, vol), c(0.5))), expiry)
	d1 := ap(ops.Div, ap(ops.Add, ap(ops.Log, ap(ops.Div, spot, strike)), drift), root)
	d2 := ap(ops.Sub, d1, root)
	price := ap(ops.Sub, ap(ops.Mul, spot, cdf(d1)), ap(ops.Mul, ap(ops.Mul, strike, ap(ops.Exp, ap(ops.Neg, ap(ops.Mul, rate, expiry)))), cdf(d2)))
	return append(g.VJP([]*ir.Node{price}, []*ir.Node{c(1)}, x), price), inputs
}

func softmaxStep(n int) (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Shape{ir.Batch, ir.D(n)})
	return []*ir.Node{g.Softmax(x, 1)}, []Input{{dtype.F32, x.Shape}}
}

// layerNormStep is a normalisation of rows with a scale and a shift per column.
func layerNormStep() (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch, ir.D(512)}
	x, scale, shift := g.Param(0, dtype.F32, sh), g.Param(1, dtype.F32, ir.Static(512)), g.Param(2, dtype.F32, ir.Static(512))
	row := func(v *ir.Node) *ir.Node { return g.BroadcastTo("", g.Reshape(v, ir.Shape{ir.Batch, ir.D(1)}), sh) }
	mean := func(v *ir.Node) *ir.Node {
		s := g.Reduce(ir.Sum, v, 1)
		return g.Apply(ops.Mul, s, g.Const(dtype.F32, s.Shape, 1.0/512))
	}
	d := g.Apply(ops.Sub, x, row(mean(x)))
	v := mean(g.Apply(ops.Square, d))
	y := g.Apply(ops.Mul, d, row(g.Apply(ops.Rsqrt, g.Apply(ops.Add, v, g.Const(dtype.F32, v.Shape, 1e-5)))))
	y = g.Apply(ops.Add, g.Apply(ops.Mul, y, g.BroadcastTo("", scale, sh)), g.BroadcastTo("", shift, sh))
	return []*ir.Node{y}, []Input{{dtype.F32, sh}, {dtype.F32, scale.Shape}, {dtype.F32, shift.Shape}}
}

// columnsStep is the sums over the rows of three products, of which none is stored.
func columnsStep(n int) (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch, ir.D(n)}
	x, y := g.Param(0, dtype.F32, sh), g.Param(1, dtype.F32, sh)
	d := g.Apply(ops.Sub, x, y)
	for _, z := range []*ir.Node{g.Apply(ops.Mul, d, x), g.Apply(ops.Mul, d, y), g.Apply(ops.Mul, d, d)} {
		outs = append(outs, g.Reduce(ir.Sum, z, 0))
	}
	return outs, []Input{{dtype.F32, sh}, {dtype.F32, sh}}
}

// BenchmarkGenerate is the time from a cluster to its machine code: that of cheap operations, of the
// option prices' 5 derivatives, and of all clusters of the network's step of training.
func BenchmarkGenerate(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func() ([]*ir.Node, []Input)
	}{{"1000 operations", func() ([]*ir.Node, []Input) { return longStep(1000) }},
		{"10000 operations", func() ([]*ir.Node, []Input) { return longStep(10_000) }}, {"greeks", greeksStep}, {"MLP", mlpStep}} {
		b.Run(c.name, func(b *testing.B) {
			outs, inputs := c.build()
			p, err := Compile(outs, inputs, Options{})
			if err != nil {
				b.Fatal(err)
			}
			bytes, best := 0, time.Duration(1<<60)
			for b.Loop() {
				codes.by, codes.queue, codes.bytes = nil, nil, 0
				start := time.Now()
				if _, err := p.newBinding(256); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(start))
				bytes = codes.bytes
			}
			b.ReportMetric(float64(bytes), "code-bytes")
			b.ReportMetric(float64(best.Microseconds()), "best-µs")
		})
	}
}

// longStep is n operations on 12 arrays.
func longStep(n int) (outs []*ir.Node, inputs []Input) {
	g := ir.New()
	sh := ir.Shape{ir.Batch}
	var keep []*ir.Node
	for i := range 12 {
		inputs = append(inputs, Input{dtype.F32, sh})
		keep = append(keep, g.Param(i, dtype.F32, sh))
	}
	for i := range n {
		keep[i%12] = g.Apply([]ops.ID{ops.Mul, ops.Sub, ops.Add}[i%3], keep[i%12], keep[(i*7+3)%12])
	}
	return keep, inputs
}

// BenchmarkGather is arithmetic on elements of tables, by indices.
func BenchmarkGather(b *testing.B) {
	for _, t := range []dtype.Type{dtype.F32, dtype.F64} {
		b.Run(t.String(), func(b *testing.B) {
			s := newSketch()
			outs := gathers(s, t, dtype.I32)
			benchCode(b, outs[1:3], s.inputs, 4096)
		})
	}
}

// BenchmarkRecurrence is the time of a step of a cell of 14 float64.
func BenchmarkRecurrence(b *testing.B) {
	s := newSketch()
	outs := recurrence(s, false)
	benchCode(b, outs, s.inputs, 1000)
}

// BenchmarkPaths is a simulation of 100 steps per path.
func BenchmarkPaths(b *testing.B) {
	s := newSketch()
	outs := paths(s)
	benchCode(b, outs, s.inputs, 10_000)
}

// BenchmarkRoutine is the time of a step of a loop of single elements, and of small arrays.
func BenchmarkRoutine(b *testing.B) {
	f64 := func(g *ir.Graph, x float64, sh ir.Shape) *ir.Node { return g.Const(dtype.F64, sh, x) }
	b.Run("pendulum", func(b *testing.B) {
		s := newSketch()
		g := s.g
		x, v := s.param(dtype.F64, nil, 0), s.param(dtype.F64, nil, 0)
		finals, _, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{x, v}, nil, func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			v := g.Apply(ops.Sub, c[1], g.Apply(ops.Mul, f64(g, 0.01, nil), g.Apply(ops.Sin, c[0])))
			return []*ir.Node{g.Apply(ops.Add, c[0], g.Apply(ops.Mul, f64(g, 0.01, nil), v)), v}, nil, nil
		})
		benchCode(b, finals, s.inputs, 1000)
	})
	b.Run("lorenz", func(b *testing.B) { // a step of Euler's of three numbers: a product, a difference and their sum
		s := newSketch()
		g, sh := s.g, ir.Static(3)
		x := s.param(dtype.F64, sh, 0)
		finals, ys, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{x}, nil, func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			at := func(i int) *ir.Node { return g.Slice(c[0], []ir.Dim{ir.D(i)}, []int{1}, ir.Static(1)) }
			one := ir.Static(1)
			mul := func(k float64, a *ir.Node) *ir.Node { return g.Apply(ops.Mul, f64(g, k, one), a) }
			dx := mul(10, g.Apply(ops.Sub, at(1), at(0)))
			dy := g.Apply(ops.Sub, g.Apply(ops.Mul, at(0), g.Apply(ops.Sub, f64(g, 28, one), at(2))), at(1))
			dz := g.Apply(ops.Sub, g.Apply(ops.Mul, at(0), at(1)), mul(8./3, at(2)))
			next = []*ir.Node{g.Apply(ops.Add, c[0], g.Apply(ops.Mul, f64(g, 0.01, sh), g.Concat(0, dx, dy, dz)))}
			return next, next, nil
		})
		benchCode(b, append(finals, ys...), s.inputs, 1000)
	})
}
