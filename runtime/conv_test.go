package runtime

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/ops"
)

type convCase struct {
	name string
	t    dtype.Type
	x, w ir.Shape
	c    ir.Convolution
}

func convCases() []convCase {
	conv := func(stride, dilation, lo, hi []int, groups int) ir.Convolution {
		return ir.Convolution{Stride: stride, Dilation: dilation, Lo: lo, Hi: hi, Groups: groups}
	}
	return []convCase{
		{"deep", dtype.F32, ir.Shape{ir.Batch, ir.D(5), ir.D(6), ir.D(40)}, ir.Static(3, 3, 40, 33), conv([]int{1, 1}, []int{1, 1}, []int{1, 1}, []int{1, 1}, 1)},
		{"wide rows", dtype.F64, ir.Shape{ir.Batch, ir.D(3), ir.D(29), ir.D(8)}, ir.Static(3, 3, 8, 20), conv([]int{1, 1}, []int{1, 1}, []int{1, 1}, []int{1, 1}, 1)},
		{"strides", dtype.F32, ir.Shape{ir.Batch, ir.D(9), ir.D(11), ir.D(3)}, ir.Static(3, 5, 3, 12), conv([]int{2, 2}, []int{1, 2}, []int{1, 0}, []int{1, 1}, 1)},
		{"strides, wide rows", dtype.F32, ir.Shape{ir.Batch, ir.D(9), ir.D(34), ir.D(8)}, ir.Static(4, 4, 8, 20), conv([]int{2, 2}, []int{1, 1}, []int{1, 1}, []int{2, 1}, 1)},
		{"few channels", dtype.F32, ir.Shape{ir.Batch, ir.D(9), ir.D(11), ir.D(3)}, ir.Static(5, 7, 3, 20), conv([]int{2, 2}, []int{1, 1}, []int{2, 3}, []int{2, 3}, 1)},
		{"few channels, dilated", dtype.F64, ir.Shape{ir.Batch, ir.D(9), ir.D(11), ir.D(2)}, ir.Static(3, 3, 2, 16), conv([]int{1, 1}, []int{1, 2}, []int{1, 1}, []int{1, 1}, 1)},
		{"groups", dtype.F32, ir.Shape{ir.Batch, ir.D(6), ir.D(7), ir.D(24)}, ir.Static(3, 2, 12, 10), conv([]int{1, 1}, []int{2, 1}, []int{1, 1}, []int{1, 0}, 2)},
		{"1-D along the batch", dtype.F64, ir.Shape{{C: 4, B: 1}, ir.D(5)}, ir.Static(4, 5, 7), conv([]int{1}, []int{1}, []int{0}, []int{0}, 1)},
		{"depthwise", dtype.F32, ir.Shape{ir.Batch, ir.D(6), ir.D(9), ir.D(64)}, ir.Static(3, 3, 1, 64), conv([]int{1, 1}, []int{1, 1}, []int{1, 1}, []int{1, 1}, 64)},
		{"depthwise, narrow strips", dtype.F32, ir.Shape{ir.Batch, ir.D(7), ir.D(20), ir.D(48)}, ir.Static(3, 3, 1, 48), conv([]int{1, 2}, []int{1, 1}, []int{1, 0}, []int{1, 1}, 48)},
		{"3-D", dtype.F32, ir.Shape{ir.Batch, ir.D(3), ir.D(4), ir.D(5), ir.D(4)}, ir.Static(2, 2, 2, 4, 6), conv([]int{1, 1, 1}, []int{1, 1, 1}, []int{0, 1, 1}, []int{1, 0, 1}, 1)},
	}
}

// outs is the map and both gradients.
func (c *convCase) outs(s *sketch) []*ir.Node {
	x, w := s.param(c.t, c.x, 0), s.param(c.t, c.w, 0)
	y := s.g.Conv("Conv", c.c, x, w)
	ct := s.param(c.t, y.Shape, 0)
	return append([]*ir.Node{y}, s.g.VJP([]*ir.Node{y}, []*ir.Node{ct}, []*ir.Node{x, w})...)
}

// Convolutions with both gradients, on every level, against the reference: one step for each product, none for
// the windows.
func TestConvPrograms(t *testing.T) {
	for _, c := range convCases() {
		t.Run(c.name, func(t *testing.T) {
			s := &sketch{g: ir.New()}
			outs := c.outs(s)
			s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 3)
			low := lower(ir.Strip(outs))
			for _, n := range low.nodes {
				if n.Kind == ir.Windows && (low.force[n.ID] || low.cluster[n.ID] != nil) {
					t.Errorf("%v is an array", n)
				}
				folded := c.w[2].C <= 4 && c.w[3].C >= 16 // the product that is laid over one another reads none
				if n.Kind == ir.MatMul && low.grid(n) == nil && !folded {
					t.Errorf("%v reads no grid", n)
				}
			}
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(3)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range b.gemms {
				n := b.buffers[u.c].node
				if ps := p.low.placed[n]; b.isa != nil && u.plan.InPlace() && len(ps) > 0 && b.covered(ps[0].at) {
					t.Errorf("%v is not made where it belongs", n)
				}
			}
		})
	}
}

// Products of windows in tiles: with a cluster on their blocks, of windows that are an array, too, since something else reads them, and of none.
func TestConvTiles(t *testing.T) {
	s := &sketch{g: ir.New()}
	c := ir.Convolution{Stride: []int{1, 1}, Dilation: []int{1, 1}, Lo: []int{0, 1}, Hi: []int{0, 1}, Groups: 1}
	x, w := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(6), ir.D(7), ir.D(32)}, 0), s.param(dtype.F32, ir.Static(3, 3, 32, 32), 0)
	y := s.g.Conv("Conv", c, x, w)
	all := ir.Reachable(ir.Strip([]*ir.Node{y}))
	i := slices.IndexFunc(all, func(n *ir.Node) bool { return n.Kind == ir.MatMul && n.Step != nil })
	if i < 0 {
		t.Fatal("the product is not made in tiles")
	}
	outs := []*ir.Node{s.g.Apply(ops.Tanh, y)}
	low := lower(ir.Strip(outs))
	if !slices.ContainsFunc(low.steps, func(s step) bool { return s.kind == fusedStep }) {
		t.Error("nothing runs on the product's blocks")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	s.check(t, outs, rng, 0, 1, 3)
	s.check(t, s.g.VJP([]*ir.Node{y}, []*ir.Node{s.param(dtype.F32, y.Shape, 0)}, []*ir.Node{x, w}), rng, 0, 1, 3)
	s = &sketch{g: all[i].Graph, inputs: s.inputs[:2]}
	s.check(t, []*ir.Node{all[i], all[i].In[0]}, rng, 1, 3)
}

// Code reads the taps of a depthwise convolution where they are, row by row, in strips whose filters stay in registers: nothing is copied to tiles.
func TestTapsInPlace(t *testing.T) {
	s := &sketch{g: ir.New()}
	c := ir.Convolution{Stride: []int{1, 2}, Dilation: []int{1, 1}, Lo: []int{0, 0}, Hi: []int{0, 0}, Groups: 64}
	x, w := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(6), ir.D(33), ir.D(64)}, 0), s.param(dtype.F64, ir.Static(3, 3, 1, 64), 0)
	outs := []*ir.Node{s.g.Conv("Conv", c, x, w)}
	s.check(t, outs, rand.New(rand.NewPCG(3, 4)), 1, 3)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range b.units {
		if m, ok := u.(*mapUnit); ok && m.code != nil && (m.code.tiles > 0 || m.cols != 64 || m.even != 16) {
			t.Errorf("%d tiles, rows of %d, evenly in groups of %d", m.code.tiles, m.cols, m.even)
		} else if ok && m.code != nil && m.tile%(m.cols*m.even) != 0 {
			t.Errorf("%d elements at once are not whole groups of rows", m.tile)
		} else if ok && m.code != nil && *b.isa == jit.AVX512 && m.strip != 16 {
			t.Errorf("strips of %d", m.strip)
		}
	}
}
