package runtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// scalarSketch is a random graph of single elements, or of arrays of three: loops, branches, and arrays that are read
// by index.
type scalarSketch struct {
	*sketch
	arrays []*ir.Node // of 6 elements, or 6 by 3
	depth  int
	triple bool // there are arrays of three
}

// three returns an array of three floats.
func (s *scalarSketch) three(t dtype.Type) *ir.Node {
	var have []*ir.Node
	for _, n := range s.nodes {
		if n.Type == t && n.Rank() == 1 {
			have = append(have, n)
		}
	}
	if len(have) > 0 && s.IntN(6) > 0 {
		return have[s.IntN(len(have))]
	}
	n := s.param(t, ir.Static(3), 5)
	s.nodes = append(s.nodes, n)
	return n
}

// addThree adds a node that has to do with arrays of three.
func (s *scalarSketch) addThree() {
	g, t := s.g, []dtype.Type{dtype.F64, dtype.F64, dtype.F32}[s.IntN(3)]
	x := s.three(t)
	var y *ir.Node
	switch s.IntN(11) {
	case 0, 1, 2:
		y = g.Apply([]ops.ID{ops.Add, ops.Sub, ops.Mul, ops.Max}[s.IntN(4)], x, s.three(t))
	case 3:
		y = g.Broadcast(g.Reshape(s.one(t), ir.Static(1)), ir.Static(3))
	case 4:
		y = g.Reduce([]ir.Reduction{ir.Sum, ir.Prod, ir.Max, ir.Min}[s.IntN(4)], g.Apply(ops.Mul, x, s.three(t)), 0)
	case 5:
		y = g.Reduce([]ir.Reduction{ir.Sum, ir.Max}[s.IntN(2)], g.Reshape(g.Apply(ops.Mul, x, s.three(t)), ir.Static(3, 1)), s.IntN(2))
		if y.Shape.Equal(ir.Static(1)) {
			y = g.Reshape(y, nil)
		}
	case 6:
		y = g.Reshape(g.Slice(x, []ir.Dim{ir.D(s.IntN(3))}, []int{1}, ir.Static(1)), nil)
	case 7:
		a, b := g.Slice(x, []ir.Dim{ir.D(1)}, []int{1}, ir.Static(2)), g.Reshape(s.one(t), ir.Static(1))
		y = g.Concat(0, a, b)
	case 8:
		y = g.Reverse(x, 0)
	case 9: // a product of three by three
		outer := g.MatMul(g.Reshape(x, ir.Static(3, 1)), g.Reshape(s.three(t), ir.Static(1, 3)))
		y = g.Reshape(g.MatMul(outer, g.Reshape(x, ir.Static(3, 1))), ir.Static(3))
	default: // a dot product
		y = g.Reshape(g.MatMul(g.Reshape(x, ir.Static(1, 3)), g.Reshape(s.three(t), ir.Static(3, 1))), nil)
	}
	s.nodes = append(s.nodes, y)
}

var scalarTypes = []dtype.Type{dtype.F64, dtype.F64, dtype.F32, dtype.I64, dtype.I32, dtype.Bool}

// one returns a single element of type t.
func (s *scalarSketch) one(t dtype.Type) *ir.Node {
	var have []*ir.Node
	for _, n := range s.nodes {
		if n.Type == t && n.Rank() == 0 {
			have = append(have, n)
		}
	}
	if len(have) > 0 && s.IntN(6) > 0 {
		return have[s.IntN(len(have))]
	}
	if s.IntN(2) == 0 {
		return s.g.Const(t, nil, []float64{0, 1, 0.5, 2, -3}[s.IntN(5)])
	}
	n := s.param(t, nil, 5)
	s.nodes = append(s.nodes, n)
	return n
}

// element is one of an array's, at an index that is computed.
func (s *scalarSketch) element(index *ir.Node) *ir.Node {
	g, x := s.g, s.arrays[s.IntN(len(s.arrays))]
	zero, last := g.Const(index.Type, nil, 0), g.Const(index.Type, nil, 5)
	y := g.Take(x, g.Apply(ops.Min, g.Apply(ops.Max, index, zero), last), 0, "")
	if y.Rank() == 1 {
		y = g.Slice(y, []ir.Dim{ir.D(s.IntN(3))}, []int{1}, ir.Static(1))
		y = g.Reshape(y, nil)
	}
	return y
}

func (s *scalarSketch) add() {
	if s.triple && s.IntN(2) == 0 {
		s.addThree()
		return
	}
	g, t := s.g, scalarTypes[s.IntN(len(scalarTypes))]
	var y *ir.Node
	k := s.IntN(14)
	if s.depth > 2 && k < 3 {
		k = 5
	}
	switch k {
	case 0, 1:
		s.loop()
		return
	case 2:
		x, w := s.one(t), s.one(dtype.F64)
		s.depth++
		outs := g.Branch("Switch", s.one(dtype.I64), 2+s.IntN(2), func(int) []*ir.Node { return s.some(x, w) })
		s.depth--
		s.nodes = append(s.nodes, outs...)
		return
	case 3, 4:
		y = s.element(s.one([]dtype.Type{dtype.I64, dtype.I32}[s.IntN(2)]))
	case 5:
		y = g.Convert(s.one(t), scalarTypes[s.IntN(len(scalarTypes))])
	case 6:
		y = g.Apply(ops.Where, s.one(dtype.Bool), s.one(t), s.one(t))
	case 7:
		y = g.Apply([]ops.ID{ops.Lt, ops.Ge, ops.Eq}[s.IntN(3)], s.one(dtype.F64), s.one(dtype.F64))
	case 8:
		y = g.Apply([]ops.ID{ops.Exp, ops.Tanh, ops.Sin, ops.Abs, ops.Sqrt, ops.Floor, ops.Log, ops.Erf}[s.IntN(8)], s.one([]dtype.Type{dtype.F64, dtype.F32}[s.IntN(2)]))
	default:
		if t == dtype.Bool {
			y = g.Apply([]ops.ID{ops.And, ops.Xor}[s.IntN(2)], s.one(t), s.one(t))
		} else {
			y = g.Apply([]ops.ID{ops.Add, ops.Sub, ops.Mul, ops.Max, ops.Min}[s.IntN(5)], s.one(t), s.one(t))
		}
	}
	s.nodes = append(s.nodes, y)
}

// some adds nodes that are not seen outside, and returns one like each of want.
func (s *scalarSketch) some(want ...*ir.Node) []*ir.Node {
	outer := s.nodes
	defer func() { s.nodes = outer }()
	s.nodes = slices.Clone(outer)
	for range 1 + s.IntN(6) {
		s.add()
	}
	var res []*ir.Node
	for _, w := range want {
		if w.Rank() == 1 {
			res = append(res, s.three(w.Type))
		} else {
			res = append(res, s.one(w.Type))
		}
	}
	return res
}

func (s *scalarSketch) loop() {
	g, outer := s.g, s.nodes
	s.depth++
	o := ir.LoopOptions{Length: ir.D(6), Backward: s.IntN(3) == 0}
	if s.IntN(4) == 0 {
		o.Count = s.one(dtype.I64)
	}
	var init []*ir.Node
	for range 1 + s.IntN(4) {
		init = append(init, s.one(scalarTypes[s.IntN(len(scalarTypes))]))
	}
	if s.triple {
		init = append(init, s.three(dtype.F64))
	}
	xs := []*ir.Node{s.arrays[s.IntN(len(s.arrays))]}
	if s.IntN(3) == 0 {
		xs = nil
	}
	finals, ys, n := g.Loop("Scan", o, init, xs, func(index *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
		s.nodes = append(append(slices.Clone(outer), c...), index)
		for _, e := range x {
			if e.Rank() == 1 && !(s.triple && e.Type != dtype.Bool && s.IntN(2) == 0) {
				e = g.Reshape(g.Slice(e, []ir.Dim{ir.D(s.IntN(3))}, []int{1}, ir.Static(1)), nil)
			}
			s.nodes = append(s.nodes, e)
		}
		if s.IntN(2) == 0 {
			goOn = g.Apply(ops.Lt, s.one(dtype.F64), s.one(dtype.F64))
		}
		f := s.one(dtype.F64)
		res := s.some(append(slices.Clone(c), f)...)
		if s.IntN(3) == 0 { // one carry is another one's old value
			for i := range c {
				if c[i].Type == c[0].Type && c[i].Rank() == 0 {
					res[i] = c[0]
				}
			}
		}
		return res[:len(c)], append(res[len(c):], c[0], c[len(c)-1]), goOn
	})
	s.depth--
	s.nodes = append(slices.Clone(outer), finals...)
	s.nodes = append(s.nodes, g.Out(n, len(finals)+len(ys)))
	for _, y := range ys {
		if y.Type.IsFloat() && s.depth == 0 || s.IntN(2) == 0 {
			s.arrays = append(slices.Clone(s.arrays), y)
		}
	}
	if s.depth > 0 {
		s.arrays = slices.DeleteFunc(slices.Clone(s.arrays), func(y *ir.Node) bool { return y.Kind == ir.Out })
	}
}

// buildScalars makes a graph that ends in a loop, and its outputs: of every other one with derivatives, of those
// every other one with those of derivatives.
func buildScalars(src source, n int) (*scalarSketch, []*ir.Node) {
	s := &scalarSketch{sketch: &sketch{source: src, g: ir.New()}}
	s.triple = s.IntN(2) == 0
	g := s.g
	s.arrays = []*ir.Node{s.param(dtype.F64, ir.Static(6), 0), s.param(dtype.F64, ir.Static(6, 3), 0), s.param(dtype.F32, ir.Static(6), 0),
		s.param(dtype.I64, ir.Static(6), 5), s.param(dtype.Bool, ir.Static(6), 0)}
	x, y := s.param(dtype.F64, nil, 0), s.param(dtype.F64, nil, 0)
	s.nodes = append(s.nodes, x, y)
	for range n {
		s.add()
	}
	s.loop()
	outs := []*ir.Node{s.one(dtype.F64), s.nodes[len(s.nodes)-1], s.nodes[len(s.nodes)-2], s.arrays[len(s.arrays)-1]}
	z := outs[0]
	for _, n := range slices.Backward(s.nodes) {
		if n.Type == dtype.F64 && n.Rank() == 0 {
			z = g.Apply(ops.Add, z, n)
		}
	}
	for range s.IntN(3) {
		if s.IntN(2) == 0 {
			z = g.VJP([]*ir.Node{z}, []*ir.Node{g.Const(dtype.F64, nil, 1)}, []*ir.Node{x})[0]
		} else {
			z = g.JVP([]*ir.Node{z}, []*ir.Node{x}, []*ir.Node{g.Const(dtype.F64, nil, 1)})[0]
		}
		if z == nil {
			break
		}
		outs = append(outs, z)
	}
	return s, outs
}

// Loops of single elements are routines, and give what the reference gives.
func TestRandomScalarLoops(t *testing.T) {
	n := uint64(400)
	if testing.Short() {
		n = 80
	}
	defer func(n int) { unitBytes = n }(unitBytes)
	unitBytes = 1 << 20
	loops, routines := 0, 0
	for seed := range n {
		rng := rand.New(rand.NewPCG(seed, 8))
		s, outs := buildScalars(rng, rng.IntN(6))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { s.check(t, outs, rng, 1) })
		p, err := Compile(outs, s.inputs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.binding(1)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := p.Disassemble(1); err != nil || strings.Contains(s, "?") {
			t.Errorf("%d: %v\n%s", seed, err, s)
		}
		for _, u := range b.loops {
			if u.n.Kind == ir.Loop && p.isa != nil {
				loops++
				if u.routine != nil {
					routines++
				}
			}
		}
	}
	t.Logf("%d of %d loops are routines", routines, loops)
	if routines < loops*3/4 {
		t.Errorf("%d of %d loops are routines", routines, loops)
	}
}

func FuzzScalarLoops(f *testing.F) {
	f.Add([]byte("adjoint"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint8) {
		s, outs := buildScalars(&byteSource{b}, min(8, len(b)/8))
		s.check(t, outs, rand.New(rand.NewPCG(uint64(seed), 1)), 1)
	})
}

// An index out of range is an error of the step that has it, and no error in a step that is not taken.
func TestRoutineIndex(t *testing.T) {
	for _, narrow := range []bool{false, true} {
		for _, o := range []Options{{}, {NoCode: true}} {
			s := newSketch()
			g, x := s.g, s.param(dtype.F64, ir.Static(5), 0)
			finals, _, _ := g.Loop("ForI", ir.LoopOptions{Length: ir.D(9), Count: s.param(dtype.I64, nil, 0)}, []*ir.Node{g.Const(dtype.F64, nil, 0)}, nil,
				func(i *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
					at := g.Apply(ops.Sub, i, g.Const(dtype.I64, nil, 0))
					if narrow {
						at = g.Convert(at, dtype.I32)
					}
					return []*ir.Node{g.Apply(ops.Add, c[0], g.Take(x, at, 0, "loop.go:7"))}, nil, nil
				})
			p, err := Compile(finals, s.inputs, o)
			if err != nil {
				t.Fatal(err)
			}
			for count, want := range []string{0: "", 5: "", 6: "autodiff: Take index 5 is not in 0 … 4 (loop.go:7)"} {
				data, n, y := []float64{1, 2, 3, 4, 5}, int64(count), -1.0
				err := p.Run(context.Background(), 1, []unsafe.Pointer{unsafe.Pointer(&data[0]), unsafe.Pointer(&n)}, []unsafe.Pointer{unsafe.Pointer(&y)})
				if got := fmt.Sprint(err); want != "" && got != want || want == "" && err != nil {
					t.Errorf("%d steps: %v, want %q", count, err, want)
				}
				if sum := float64(count*(count+1)) / 2; err == nil && y != sum || err != nil && y != -1 {
					t.Errorf("%d steps: %v", count, y)
				}
			}
		}
	}
}

// A loop without an end is given up with its context, and the collector does not wait for it.
func TestRoutineIsInterrupted(t *testing.T) {
	s := newSketch()
	g := s.g
	one := g.Const(dtype.F64, nil, 1)
	finals, _, _ := g.Loop("While", ir.LoopOptions{Forever: true}, []*ir.Node{s.param(dtype.F64, nil, 0)}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{g.Apply(ops.Sqrt, g.Apply(ops.Add, c[0], one))}, nil, g.Apply(ops.Ge, c[0], one)
		})
	p, err := Compile(finals, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	x, y := 2.0, 0.0
	if err := p.Run(ctx, 1, []unsafe.Pointer{unsafe.Pointer(&x)}, []unsafe.Pointer{unsafe.Pointer(&y)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if y != 0 {
		t.Error("written")
	}
	if _, err := p.binding(1); err != nil {
		t.Fatal(err)
	}
	if s := p.String(); p.isa != nil && !strings.Contains(s, "routine") {
		t.Error(s)
	}
}

// More carries than registers change places at once.
func TestRoutineExchange(t *testing.T) {
	s := newSketch()
	var init []*ir.Node
	for range 37 {
		init = append(init, s.param(dtype.F32, nil, 0))
	}
	finals, _, n := s.g.Loop("Scan", ir.LoopOptions{Length: ir.Batch, Backward: true}, init, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return append(slices.Clone(c[1:]), c[0]), nil, nil
		})
	s.check(t, append(finals, s.g.Out(n, len(finals))), rand.New(rand.NewPCG(3, 9)), 0, 1, 2, 38)
}

// Operations that hold within limits are computed once more beyond them, whatever their argument's place becomes.
func TestRoutineBeyondLimits(t *testing.T) {
	s := newSketch()
	outs := beyondLimits(s)
	defer func(n int) { unitBytes = n }(unitBytes)
	unitBytes = 1 << 20
	s.check(t, outs, rand.New(rand.NewPCG(3, 9)), 1)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := p.binding(1); err != nil || p.isa != nil && b.loops[0].routine == nil {
		t.Error(err, p)
	}
}

// Branches in loops are jumps within one routine.
func TestRoutineBranches(t *testing.T) {
	s := newSketch()
	g := s.g
	x := s.param(dtype.F64, nil, 0)
	finals, _, _ := g.Loop("ForI", ir.LoopOptions{Length: ir.D(50)}, []*ir.Node{x, x}, nil,
		func(i *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			which := g.Convert(g.Apply(ops.Gt, c[0], c[1]), dtype.I64)
			y := g.Branch("Cond", which, 2, func(k int) []*ir.Node {
				return []*ir.Node{g.Apply([]ops.ID{ops.Tanh, ops.Exp}[k], g.Apply(ops.Sub, c[1], c[0])), c[k]}
			})
			z := g.Branch("Switch", g.Apply(ops.Sub, i, g.Const(dtype.I64, nil, 20)), 3, func(k int) []*ir.Node {
				return []*ir.Node{g.Apply([]ops.ID{ops.Sin, ops.Cos, ops.Atan}[k], y[0])}
			})
			return []*ir.Node{g.Apply(ops.Add, y[1], z[0]), y[0]}, nil, nil
		})
	s.check(t, finals, rand.New(rand.NewPCG(3, 9)), 1)
	p, err := Compile(finals, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := p.binding(1); err != nil || p.isa != nil && b.loops[0].routine == nil {
		t.Error(err, p)
	}
}

func beyondLimits(s *sketch) []*ir.Node {
	g := s.g
	x, y := s.param(dtype.F64, nil, 0), s.param(dtype.F32, ir.Static(3), 0)
	finals, ys, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(40)}, []*ir.Node{x, y, x}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			far := g.Apply(ops.Mul, c[0], g.Const(dtype.F64, nil, -3))
			wide := g.Apply(ops.Mul, c[1], g.Const(dtype.F32, ir.Static(3), 2.5))
			return []*ir.Node{far, wide, g.Apply(ops.Cos, c[0])}, []*ir.Node{g.Apply(ops.Tan, g.Apply(ops.Sin, far)), g.Apply(ops.Sin, wide)}, nil
		})
	return append(finals, ys...)
}
