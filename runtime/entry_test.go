package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Small programs are Entries, and have the reference's bits.
func TestEntry(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	for name, c := range map[string]struct {
		build   func(s *sketch, f dtype.Type) []*ir.Node
		batches []int
	}{
		"map": {func(s *sketch, f dtype.Type) []*ir.Node {
			x, y := s.param(f, ir.Shape{ir.Batch}, 0), s.param(f, ir.Shape{ir.Batch}, 0)
			z := s.g.Apply(ops.Add, s.g.Apply(ops.Mul, x, y), x)
			return []*ir.Node{z, s.g.Apply(ops.Exp, z)}
		}, []int{1, 2, 3, 7, 8, 9, 31, 64, 67}},
		"spilled": {func(s *sketch, f dtype.Type) []*ir.Node {
			x := s.param(f, ir.Shape{ir.Batch}, 0)
			var all []*ir.Node
			for i := range 40 {
				all = append(all, s.g.Apply(ops.Mul, x, s.g.Const(f, ir.Shape{ir.Batch}, float64(i)+0.5)))
			}
			y := all[0]
			for i := range all {
				y = s.g.Apply(ops.Sub, s.g.Apply(ops.Mul, y, all[len(all)-1-i]), all[i])
			}
			return []*ir.Node{y}
		}, []int{1, 16, 67}},
		"products": {func(s *sketch, f dtype.Type) []*ir.Node {
			x, w := s.param(f, ir.Shape{ir.Batch, ir.D(12)}, 0), s.param(f, ir.Static(12, 9), 0)
			y := s.g.MatMul(x, w)
			return []*ir.Node{y, s.g.MatMul(s.g.Transpose(x, []int{1, 0}), y), s.g.MatMul(y, s.g.Transpose(w, []int{1, 0}))}
		}, []int{1, 2, 8, 17}},
		"layers": {func(s *sketch, f dtype.Type) []*ir.Node {
			x, w, v := s.param(f, ir.Shape{ir.Batch, ir.D(8)}, 0), s.param(f, ir.Static(8, 16), 0), s.param(f, ir.Static(16, 16), 0)
			h := s.g.Apply(ops.Relu, s.g.MatMul(x, w))
			return []*ir.Node{s.g.Apply(ops.Add, s.g.MatMul(h, v), h)}
		}, []int{1, 5, 16}},
		"folds": {func(s *sketch, f dtype.Type) []*ir.Node {
			x := s.param(f, ir.Shape{ir.Batch, ir.D(67)}, 0)
			return []*ir.Node{s.g.Reduce(ir.Sum, x, 1), s.g.Reduce(ir.Max, x, 1), s.g.Reduce(ir.Sum, s.g.Apply(ops.Abs, x), 1)}
		}, []int{1, 3, 8}},
		"softmax": {func(s *sketch, f dtype.Type) []*ir.Node {
			return []*ir.Node{s.g.Softmax(s.param(f, ir.Shape{ir.Batch, ir.D(32)}, 0), 1)}
		}, []int{1, 8}},
	} {
		for _, f := range []dtype.Type{dtype.F32, dtype.F64} {
			t.Run(fmt.Sprint(name, " ", f), func(t *testing.T) {
				s := newSketch()
				outs := c.build(s, f)
				s.check(t, outs, rng, c.batches...)
				call := newCall(t, s, outs, Options{}, c.batches[0])
				if err := call.run(context.Background(), c.batches[0]); err != nil {
					t.Fatal(err)
				}
				if call.p.isa != nil && call.p.Entry() == nil {
					t.Errorf("no Entry:\n%s", call.p)
				}
			})
		}
	}
}

// The steps of a recurrence of products are lists of calls, which have the reference's bits.
func TestBodyCalls(t *testing.T) {
	for _, f := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{5, 17, 64} {
			s := newSketch()
			w, xs := s.param(f, ir.Static(n, 2*n), 0), s.param(f, ir.Shape{ir.Batch, ir.D(1), ir.D(2 * n)}, 0)
			h := s.param(f, ir.Static(1, n), 0)
			finals, stacked, _ := s.g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{h}, []*ir.Node{xs}, func(_ *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
				z := s.g.Apply(ops.Add, s.g.MatMul(c[0], w), x[0])
				part := func(k int) *ir.Node {
					return s.g.Slice(z, []ir.Dim{ir.D(0), ir.D(k * n)}, []int{1, 1}, ir.Static(1, n))
				}
				h := s.g.Softmax(s.g.Apply(ops.Mul, s.g.Apply(ops.Sigmoid, part(0)), s.g.Apply(ops.Tanh, part(1))), 1)
				return []*ir.Node{h}, []*ir.Node{h}, nil
			})
			outs := append(finals, stacked...)
			s.check(t, outs, rand.New(rand.NewPCG(8, uint64(n))), 0, 1, 6)
			call := newCall(t, s, outs, Options{}, 3)
			if err := call.run(context.Background(), 3); err != nil {
				t.Fatal(err)
			}
			if b, _ := call.p.binding(3); b.isa != nil && n == 64 && b.loops[0].bodies[0].calls == nil {
				t.Errorf("width %d: a step is more than calls\n%s", n, call.p)
			}
		}
	}
}

// A product that is made where the result goes may not overwrite what its epilogue reads, nor its operands; what overlaps
// goes another way.
func TestEntryInPlace(t *testing.T) {
	s := newSketch()
	x, w, y := s.param(dtype.F32, ir.Static(4, 4), 0), s.param(dtype.F32, ir.Static(4, 4), 0), s.param(dtype.F32, ir.Static(4, 4), 0)
	outs := []*ir.Node{s.g.Apply(ops.Add, s.g.MatMul(x, w), y)}
	var in [3][16]float32
	for k := range in {
		for i := range in[k] {
			in[k][i] = float32(3*k + i%5)
		}
	}
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want [16]float32
	run := func(out *float32, in ...*float32) {
		t.Helper()
		var at []unsafe.Pointer
		for _, x := range in {
			at = append(at, unsafe.Pointer(x))
		}
		if err := p.Run(context.Background(), 1, at, []unsafe.Pointer{unsafe.Pointer(out)}); err != nil {
			t.Fatal(err)
		}
	}
	run(&want[0], &in[0][0], &in[1][0], &in[2][0])
	for k := range in {
		for _, shift := range []int{0, 1, 15, 16} {
			var all [3][32]float32
			for j := range in {
				copy(all[j][:], in[j][:])
			}
			out := all[k][shift : shift+16]
			run(&out[0], &all[0][0], &all[1][0], &all[2][0])
			if *(*[16]float32)(out) != want {
				t.Errorf("result %d elements into input %d: %v, not %v", shift, k, out, want)
			}
		}
	}
}

// Callers at the same time have arrays, and an Entry's memory, of their own.
func TestEntryShared(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F64, ir.Static(3, 32), 0)
	p, err := Compile([]*ir.Node{s.g.Softmax(s.g.MatMul(x, s.g.Transpose(x, []int{1, 0})), 1)}, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			var in [96]float64
			for i := range in {
				in[i] = float64((k+i)%7) / 9
			}
			var want [9]float64
			for round := range 2000 {
				var out [9]float64
				if err := p.Run(context.Background(), 1, []unsafe.Pointer{unsafe.Pointer(&in)}, []unsafe.Pointer{unsafe.Pointer(&out)}); err != nil {
					t.Error(err)
				}
				if round == 0 {
					want = out
				} else if out != want {
					t.Errorf("%v, then %v", want, out)
					return
				}
			}
		})
	}
	all.Wait()
}
