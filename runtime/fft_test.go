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

// Rows that are transformed side by side, and those left over, on every level against the reference.
func TestFFTRows(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{6, 15, 16, 37, 64, 67} {
			t.Run(fmt.Sprint(typ, n), func(t *testing.T) {
				s := newSketch()
				x := s.param(typ, ir.Shape{ir.Batch, ir.D(2), ir.D(n)}, 0)
				y := s.param(typ, ir.Shape{ir.Batch, ir.D(1), ir.D(n)}, 0)
				outs := []*ir.Node{s.g.Call(ir.FFT, 0, "", x), s.g.Call(ir.FFT, ir.Transposed, "", x), s.g.Call(ir.RFFT, 0, "", y),
					s.g.Call(ir.HalfEven, 0, "", x), s.g.Call(ir.HalfOdd, 0, "", x)}
				s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 8, 21, 700)
			})
		}
	}
}

// Parts that lie in arrays of their own: inputs, results of clusters, one array twice, and those that do not (constants,
// views that are not in order), of pairs that only transforms read and that others read as well.
func TestFFTPairs(t *testing.T) {
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{2, 6, 37, 64, 256} {
			t.Run(fmt.Sprint(typ, n), func(t *testing.T) {
				s := newSketch()
				shape := ir.Shape{ir.Batch, ir.D(n)}
				re, im := s.param(typ, shape, 0), s.param(typ, shape, 0)
				sum, turned := s.g.Apply(ops.Add, re, im), s.g.Transpose(s.param(typ, ir.Shape{ir.D(n), ir.Batch}, 0), []int{1, 0})
				zero := s.g.Const(typ, shape, 0)
				pair := func(re, im *ir.Node) *ir.Node { return s.g.Stack(-2, re, im) }
				twice, read := pair(re, sum), pair(im, sum)
				outs := []*ir.Node{s.g.Call(ir.FFT, 0, "", pair(re, im)), s.g.Call(ir.FFT, 0, "", twice), s.g.Call(ir.HalfOdd, 0, "", twice),
					s.g.Call(ir.FFT, ir.Transposed, "", pair(sum, sum)), s.g.Call(ir.HalfEven, 0, "", pair(sum, re)),
					s.g.Call(ir.FFT, 0, "", pair(im, re)), s.g.Call(ir.FFT, 0, "", pair(re, zero)), s.g.Call(ir.FFT, 0, "", pair(turned, im)),
					s.g.Call(ir.FFT, 0, "", read), read, s.g.Call(ir.FFT, 0, "", s.g.Call(ir.FFT, 0, "", pair(im, im)))}
				rng := rand.New(rand.NewPCG(1, 2))
				s.check(t, outs, rng, 0, 1, 8, 21)
				all = append(all, plans(t, t.Name(), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 0, 3)...)
			})
		}
	}
	runPlans(t, all)
}

// Parts that have to be arrays are written by the transform; elsewhere (one part alone, a transform that is read as well, parts that
// only clusters read) they are views.
func TestFFTParts(t *testing.T) {
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{2, 6, 37, 64, 256} {
			t.Run(fmt.Sprint(typ, n), func(t *testing.T) {
				s := newSketch()
				x, y := s.param(typ, ir.Shape{ir.Batch, ir.D(2), ir.D(n)}, 0), s.param(typ, ir.Shape{ir.Batch, ir.D(1), ir.D(n)}, 0)
				z := s.param(typ, ir.Shape{ir.D(2), ir.Batch, ir.D(2), ir.D(n)}, 0)
				parts := func(y *ir.Node) []*ir.Node {
					r := y.Rank()
					shape := append(y.Shape[:r-2:r-2], y.Shape[r-1])
					return []*ir.Node{s.g.Reshape(s.g.Narrow(y, r-2, ir.D(1), ir.D(1)), shape), s.g.Reshape(s.g.Narrow(y, r-2, ir.D(0), ir.D(1)), shape)}
				}
				once := parts(s.g.Call(ir.FFT, 0, "", x))
				outs := append(once, parts(s.g.Call(ir.RFFT, 0, "", y))...)
				outs = append(outs, parts(s.g.Call(ir.FFT, ir.Transposed, "", z))...)
				outs = append(outs, parts(s.g.Call(ir.FFT, ir.Transposed, "", x))[0], s.g.Apply(ops.Add, once[0], once[1]))
				whole := s.g.Call(ir.FFT, 0, "", s.g.Reverse(x, 2))
				of := parts(s.g.Call(ir.FFT, 0, "", s.g.Stack(-2, once[1], once[0]))) // read by a cluster
				outs = append(append(outs, parts(whole)...), whole, s.g.Apply(ops.Mul, of[0], of[1]))
				rng := rand.New(rand.NewPCG(1, 2))
				s.check(t, outs, rng, 0, 1, 8, 21)
				all = append(all, plans(t, t.Name(), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 0, 3)...)
			})
		}
	}
	runPlans(t, all)
}

// Orders, which cannot fail, are written where the caller wants them.
func TestOrderOutputs(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Shape{ir.D(30)}, 0)
	outs := []*ir.Node{s.g.Call(ir.ArgSort, 0, "", x), s.g.Call(ir.ArgSort, ir.Descending, "", x)}
	outs = append(outs, s.g.Convert(outs[0], dtype.F64), s.g.Convert(outs[1], dtype.F64))
	s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.outs {
		if b.outs[i].copied {
			t.Errorf("output %d is copied", i)
		}
	}
}

// A transform, which cannot fail, writes its parts where the caller wants them, and elsewhere first if that is what it reads.
func TestFFTOutputs(t *testing.T) {
	const rows, n = 19, 30
	s := newSketch()
	re, im := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(n)}, 0), s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(n)}, 0)
	y := s.g.Call(ir.FFT, 0, "", s.g.Stack(1, re, im))
	var outs []*ir.Node
	for k := range 2 {
		outs = append(outs, s.g.Reshape(s.g.Narrow(y, 1, ir.D(k), ir.D(1)), re.Shape))
	}
	in := s.values(rand.New(rand.NewPCG(3, 4)), rows)
	want, err := Reference(ir.Strip(outs), rows, in)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.outs {
		if b.outs[i].copied {
			t.Errorf("part %d is copied", i)
		}
	}
	swapped := []unsafe.Pointer{unsafe.Pointer(&in[1][0]), unsafe.Pointer(&in[0][0])}
	if err := p.Run(context.Background(), rows, []unsafe.Pointer{swapped[1], swapped[0]}, swapped); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if k := sameBits(dtype.F64, in[1-i], want[i]); k >= 0 {
			t.Errorf("part %d where the other one was read: element %d", i, k)
		}
	}
}
