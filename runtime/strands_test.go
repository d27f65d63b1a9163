package runtime

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// strandAnything has elements of all loops go in blocks.
func strandAnything() (restore func()) {
	old := strandBytes
	strandBytes = 0
	return func() { strandBytes = old }
}

const walkSteps = 20

// walk is B paths by two carries from x on, driven by noise, and what they give at each step.
func walk(s *sketch, x, noise *ir.Node) (finals, ys []*ir.Node) {
	g, typ, sh := s.g, x.Type, x.Shape
	drift := g.BroadcastTo("", s.param(typ, nil, 0), sh)
	finals, ys, _ = g.Loop("Scan", ir.LoopOptions{Length: ir.D(walkSteps)}, []*ir.Node{x, g.Const(typ, sh, 0.5)}, []*ir.Node{noise},
		func(_ *ir.Node, c, e []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			a := g.Apply(ops.Tanh, g.Apply(ops.Add, g.Apply(ops.Mul, c[0], drift), e[0]))
			b := g.Apply(ops.Add, g.Apply(ops.Mul, c[1], g.Apply(ops.Sigmoid, a)), e[0])
			return []*ir.Node{a, b}, []*ir.Node{g.Apply(ops.Mul, a, b)}, nil
		})
	return finals, ys
}

// Loops forwards and backwards, and what stands between them, have the reference's bits when blocks of elements go through all of
// them, and what makes that impossible leaves them as they are.
func TestStrands(t *testing.T) {
	defer strandAnything()()
	rng := rand.New(rand.NewPCG(8, 30))
	batches := []int{1, 256, 300, 1300}
	if testing.Short() {
		batches = []int{300}
	}
	mean := func(s *sketch, x *ir.Node) *ir.Node { return s.g.Reduce(ir.Sum, s.g.Apply(ops.Relu, x), 0) }
	cases := []struct {
		name  string
		units int // that are joined, 0 for none
		value func(s *sketch, x, noise *ir.Node) (y *ir.Node, also []*ir.Node)
	}{
		{"payoff", 3, func(s *sketch, x, noise *ir.Node) (*ir.Node, []*ir.Node) {
			finals, _ := walk(s, x, noise)
			return mean(s, s.g.Apply(ops.Mul, finals[0], finals[1])), nil
		}},
		{"steps that are read by others", 3, func(s *sketch, x, noise *ir.Node) (*ir.Node, []*ir.Node) {
			finals, ys := walk(s, x, noise)
			total := s.g.Reduce(ir.Sum, ys[0], 0)
			return mean(s, s.g.Apply(ops.Mul, finals[0], finals[1])), []*ir.Node{total, ys[0]}
		}},
		{"loop after loop", 5, func(s *sketch, x, noise *ir.Node) (*ir.Node, []*ir.Node) {
			finals, ys := walk(s, x, noise)
			finals, _ = walk(s, finals[0], ys[0])
			return mean(s, s.g.Apply(ops.Mul, finals[0], finals[1])), nil
		}},
		{"of all paths", 0, func(s *sketch, x, noise *ir.Node) (*ir.Node, []*ir.Node) {
			finals, _ := walk(s, x, noise)
			y := mean(s, finals[0])
			return s.g.Apply(ops.Mul, y, y), nil
		}},
		{"paths that meet", 0, func(s *sketch, x, noise *ir.Node) (*ir.Node, []*ir.Node) {
			finals, _ := walk(s, x, noise)
			return mean(s, s.g.Apply(ops.Mul, finals[0], s.g.Reverse(finals[1], 0))), nil
		}},
	}
	for _, c := range cases {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
			t.Run(fmt.Sprint(c.name, " ", typ), func(t *testing.T) {
				s := newSketch()
				x, noise := s.param(typ, ir.Shape{ir.Batch}, 0), s.param(typ, ir.Shape{ir.D(walkSteps), ir.Batch}, 0)
				y, also := c.value(s, x, noise)
				var wrt []*ir.Node
				for _, n := range ir.Reachable([]*ir.Node{y}) {
					if n.Kind == ir.Param {
						wrt = append(wrt, n)
					}
				}
				outs := append(append(s.g.VJP([]*ir.Node{y}, []*ir.Node{s.g.Const(typ, nil, 1)}, wrt), y), also...)
				s.check(t, outs, rng, batches...)
				p, err := Compile(outs, s.inputs, Options{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := p.binding(5000)
				if err != nil {
					t.Fatal(err)
				}
				units := 0
				for _, u := range b.units {
					if u, ok := u.(*strandUnit); ok {
						units += len(u.parts)
					}
				}
				if p.isa != nil && units != c.units {
					t.Errorf("%d units are joined, not %d\n%s", units, c.units, p)
				}
			})
		}
	}
}
