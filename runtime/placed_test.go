package runtime

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// placeAnything has arrays of all sizes filled by who makes their pieces, and go past the caches.
func placeAnything() (restore func()) {
	bytes, elems := streamBytes, placeLeast
	streamBytes, placeLeast = 0, 0
	return func() { streamBytes, placeLeast = bytes, elems }
}

// Columns side by side, one of them twice, constants and an argument among them, go to their array from the cluster
// that makes them, as do rows; so do pieces that are views, and large results that are nobody's pieces.
func TestPlaced(t *testing.T) {
	defer placeAnything()()
	for name, build := range map[string]func(s *sketch) (outs []*ir.Node, placed int){
		"columns": func(s *sketch) ([]*ir.Node, int) {
			var x [3]*ir.Node
			for i := range x {
				x[i] = s.param(dtype.F64, ir.Shape{ir.Batch}, 0)
			}
			var c []*ir.Node
			for i := range 9 {
				c = append(c, s.g.Apply(ops.Mul, x[i%3], s.g.Apply(ops.Sin, s.g.Apply(ops.Add, x[(i+1)%3], s.g.Const(dtype.F64, ir.Shape{ir.Batch}, float64(i))))))
			}
			c = append(c, s.g.Const(dtype.F64, ir.Shape{ir.Batch}, 7), c[2], x[1], c[0])
			return []*ir.Node{s.g.Stack(1, c...), s.g.Apply(ops.Add, c[5], x[2])}, 13 + 1
		},
		"rows": func(s *sketch) ([]*ir.Node, int) {
			x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(20)}, 0)
			y := s.g.Apply(ops.Exp, x)
			return []*ir.Node{s.g.Concat(1, y, x, s.g.Apply(ops.Neg, x), s.g.Apply(ops.Square, y)), s.g.Concat(0, s.g.Apply(ops.Abs, x), s.g.Apply(ops.Sqrt, x))}, 4 + 2
		},
		"views": func(s *sketch) ([]*ir.Node, int) {
			x := s.param(dtype.F32, ir.Shape{ir.D(12), ir.Batch}, 0)
			turned := s.g.Transpose(x, []int{1, 0})
			return []*ir.Node{s.g.Concat(1, turned, s.g.Reverse(turned, 0), s.g.Const(dtype.F32, ir.Shape{ir.Batch, ir.D(2)}, 3)), turned}, 0
		},
		"lines": func(s *sketch) ([]*ir.Node, int) {
			x, y := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(32)}, 0), s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(32)}, 0)
			e := s.g.Apply(ops.Add, x, y)
			return []*ir.Node{s.g.Concat(1, e, s.g.Apply(ops.Neg, y), e)}, 3
		},
		"in place": func(s *sketch) ([]*ir.Node, int) {
			x, y := s.param(dtype.F32, ir.Shape{ir.Batch}, 0), s.param(dtype.F32, ir.Shape{ir.Batch}, 0)
			return []*ir.Node{s.g.Apply(ops.Add, x, y)}, 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSketch()
			outs, want := build(s)
			s.check(t, outs, rand.New(rand.NewPCG(5, 6)), 1, 2, 15, 700, 5001)
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(700)
			if err != nil {
				t.Fatal(err)
			}
			placed := 0
			for _, u := range b.units {
				if m, ok := u.(*mapUnit); ok {
					placed += len(m.placed)
					if name == "lines" && b.isa != nil && !(m.arrays[0].lined && m.roomy > 1) {
						t.Error("rows of whole lines do not go past the caches, or by small tiles")
					}
				}
			}
			if placed != want && b.isa != nil {
				t.Errorf("%d values are placed, not %d\n%s", placed, want, p)
			}
			if name == "in place" && !b.outs[0].in[0] {
				t.Error("an argument may not be the result")
			}
		})
	}
}

// Paddings of rows in every direction, of views and with values of all sizes: one pass over the result.
func TestPad(t *testing.T) {
	s := newSketch()
	d := func(n ...int) []ir.Dim { return ir.Static(n...) }
	pad := func(x *ir.Node, fill float64, shape ir.Shape, start ...int) *ir.Node {
		return s.g.Place(x.Type, shape, ir.FloatBits(x.Type, fill), false, ir.Piece{X: x, Start: d(start...)})
	}
	x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(3), ir.D(5), ir.D(16)}, 0)
	y := s.param(dtype.F64, ir.Shape{ir.D(40), ir.Batch}, 0)
	outs := []*ir.Node{
		pad(x, 0, ir.Shape{ir.Batch, ir.D(5), ir.D(7), ir.D(16)}, 0, 1, 1, 0),
		pad(x, -3, ir.Shape{ir.Batch.Add(ir.D(2)), ir.D(3), ir.D(9), ir.D(16)}, 1, 0, 4, 0),
		pad(x, 2, ir.Shape{ir.Batch, ir.D(4), ir.D(5), ir.D(16)}, 0, 1, 0, 0),
		pad(s.g.Transpose(x, []int{1, 0, 2, 3}), 1, ir.Shape{ir.D(4), ir.Batch, ir.D(8), ir.D(16)}, 0, 0, 3, 0),
		pad(s.g.Slice(x, d(0, 0, 0, 3), []int{1, 2, 1, 1}, ir.Shape{ir.Batch, ir.D(2), ir.D(5), ir.D(10)}), 4, ir.Shape{ir.Batch, ir.D(2), ir.D(5), ir.D(90)}, 0, 0, 0, 80),
		pad(y, 1, ir.Shape{ir.D(40), ir.Batch.Add(ir.D(60))}, 0, 60),
		pad(y, -1, ir.Shape{ir.D(47), ir.Batch}, 7, 0),
		pad(s.g.Transpose(y, []int{1, 0}), 5, ir.Shape{ir.Batch, ir.D(41)}, 0, 0),
	}
	s.check(t, outs, rand.New(rand.NewPCG(5, 7)), 1, 2, 15, 300)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(15)
	if err != nil {
		t.Fatal(err)
	}
	pads := 0
	for _, u := range b.units {
		if _, ok := u.(*padUnit); ok {
			pads++
		}
	}
	if pads != 7 {
		t.Errorf("%d paddings by rows, not 7", pads)
	}
}

// Pieces that lie in their array in turn: all of it, or with the fill between; arrays, views and constants; rows that end with an element of
// some pieces only, or with none; in every size, and past the caches.
func TestWoven(t *testing.T) {
	for _, far := range []bool{false, true} {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.BF16, dtype.Bool} {
			t.Run(fmt.Sprint(typ, far), func(t *testing.T) {
				if far {
					defer placeAnything()()
				}
				s := newSketch()
				param := func(dims ...ir.Dim) *ir.Node {
					if typ == dtype.BF16 || typ == dtype.Bool {
						return s.g.Convert(s.param(dtype.F32, dims, 2), typ)
					}
					return s.param(typ, dims, 5)
				}
				var outs []*ir.Node
				put := func(shape ir.Shape, fill float64, pieces ...ir.Piece) {
					outs = append(outs, s.g.Place(typ, shape, ir.FloatBits(typ, fill), false, pieces...))
				}
				piece := func(x *ir.Node, first, step int) ir.Piece {
					return ir.Piece{X: x, Start: ir.Static(0, first), Step: []int{1, step}}
				}
				x, y, turned := param(ir.Batch, ir.D(70)), param(ir.Batch, ir.D(70)), s.g.Transpose(param(ir.D(70), ir.Batch), []int{1, 0})
				one := s.g.Const(typ, ir.Shape{ir.Batch, ir.D(70)}, 1)
				outs = append(outs, s.g.Stack(2, x, y), s.g.Stack(2, x, turned, y), s.g.Stack(2, x, one, y, x), s.g.Stack(2, turned, x, y, x, y))
				put(ir.Shape{ir.Batch, ir.D(139)}, 0, piece(x, 0, 2))
				put(ir.Shape{ir.Batch, ir.D(140)}, 1, piece(x, 1, 2))
				put(ir.Shape{ir.Batch, ir.D(200)}, 1, piece(turned, 0, 2))
				put(ir.Shape{ir.Batch, ir.D(208)}, 1, piece(y, 0, 3))
				put(ir.Shape{ir.Batch, ir.D(209)}, 0, piece(one, 1, 3), piece(x, 0, 3))
				put(ir.Shape{ir.Batch, ir.D(211)}, 0, piece(turned, 2, 3), piece(x, 0, 3), piece(y, 1, 3))
				put(ir.Shape{ir.Batch, ir.D(277)}, 1, piece(turned, 0, 4))
				put(ir.Shape{ir.D(70), ir.Batch.Add(ir.D(400))}, 1, ir.Piece{X: param(ir.D(70), ir.D(100)), Start: ir.Static(0, 3), Step: []int{1, 4}})
				put(ir.Shape{ir.D(79), ir.D(141)}, 1, ir.Piece{X: param(ir.D(40), ir.D(71)), Start: ir.Static(0, 0), Step: []int{2, 2}})
				s.check(t, outs, rand.New(rand.NewPCG(5, 8)), 1, 2, 15, 300)
				p, err := Compile(outs, s.inputs, Options{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := p.binding(15)
				if err != nil {
					t.Fatal(err)
				}
				woven := 0
				for _, u := range b.units {
					if _, ok := u.(*loop); ok {
						woven++
					}
				}
				if want := 12; woven != want {
					t.Errorf("%d arrays are woven, not %d", woven, want)
				}
			})
		}
	}
}
