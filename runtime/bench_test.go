package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
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
	for b.Loop() {
		if err := p.Run(context.Background(), 1, in, out); err != nil {
			b.Fatal(err)
		}
	}
	if w != 33 || dw != 29 {
		b.Fatal(w, dw)
	}
}
