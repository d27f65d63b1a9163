package runtime

import (
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Elements that go on until they are done, a few by themselves, have the reference's bits; loops in which something else is read
// are left as they are.
func TestUntil(t *testing.T) {
	batches := []int{0, 1, 64, 65, 300, 9000}
	if testing.Short() {
		batches = []int{65, 2500}
	}
	flat := ir.Shape{ir.Batch}
	cases := []struct {
		name  string
		until bool
		rooms bool
		sieve bool
		shape ir.Shape
		build func(s *sketch, x *ir.Node) []*ir.Node
	}{
		{"frozen", true, true, false, flat, func(s *sketch, x *ir.Node) []*ir.Node { return untilDone(s, x, 1<<20, true, 1, 3) }},
		{"to a bound", true, true, false, flat, func(s *sketch, x *ir.Node) []*ir.Node { return untilDone(s, x, 3, true, 1, 3) }},
		{"beside a row", true, false, false, ir.Shape{ir.Batch, ir.D(3)}, func(s *sketch, x *ir.Node) []*ir.Node { return untilDone(s, x, 1<<20, true, 1, 3) }},
		{"what goes on is read", false, false, false, flat, func(s *sketch, x *ir.Node) []*ir.Node { return untilDone(s, x, 1<<20, true, 0, 1) }},
		{"some are done no more", false, false, false, flat, func(s *sketch, x *ir.Node) []*ir.Node { return untilDone(s, x, 50, false, 1) }},
		{"with a number of all", false, false, true, flat, func(s *sketch, x *ir.Node) []*ir.Node { return untilShared(s, x) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSketch()
			outs := c.build(s, s.param(dtype.F32, c.shape, 0))
			s.check(t, outs, rand.New(rand.NewPCG(8, 31)), batches...)
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(2500)
			if err != nil {
				t.Fatal(err)
			}
			if is := b.loops[0].until != nil; is != c.until {
				t.Errorf("elements go on by themselves: %v\n%s", is, p)
			}
			if u := b.loops[0].until; u != nil && u.rooms != nil != c.rooms {
				t.Errorf("those that are left are brought together: %v\n%s", !c.rooms, p)
			} else if u != nil && len(u.before) > 0 != c.rooms {
				t.Errorf("%d clusters before the loop go with its blocks\n%s", len(u.before), p)
			}
			sieves := 0
			for _, u := range b.loops[0].bodies[0].units {
				if _, ok := u.(*sieveUnit); ok {
					sieves++
				}
			}
			if sieves > 0 != c.sieve {
				t.Errorf("%d clusters go without those that are done\n%s", sieves, p)
			}
		})
	}
}

// untilDone is the carries that are read of a loop: two numbers that change places and grow to a bound of the element's, a sum of as many
// equal terms as it was looked at until it was done, and whether it is.
func untilDone(s *sketch, x *ir.Node, most int, frozen bool, read ...int) (outs []*ir.Node) {
	g, sh := s.g, x.Shape
	zero, four := g.Const(dtype.F32, sh, 0), g.Const(dtype.F32, sh, 4)
	bound := g.Apply(ops.Add, g.Apply(ops.Min, g.Apply(ops.Abs, x), four), four)
	term := g.BroadcastTo("", s.param(dtype.F32, sh[1:], 0), sh)
	finals, _, _ := g.Loop("While", ir.LoopOptions{Length: ir.D(most)}, []*ir.Node{x, zero, g.Const(dtype.F32, sh, 0.75), g.Const(dtype.Bool, sh, 0)}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			a := g.Apply(ops.Add, g.Apply(ops.Abs, c[2]), g.Const(dtype.F32, sh, 0.5))
			far := g.Apply(ops.Not, g.Apply(ops.Lt, a, bound)) // NaN is
			done := g.Apply(ops.Or, c[3], far)
			if !frozen {
				done = far
			}
			count := g.Apply(ops.Where, c[3], c[1], g.Apply(ops.Add, c[1], term))
			all := g.Reduce(ir.Min, c[3], []int{0, 1}[:len(sh)]...)
			return []*ir.Node{a, count, c[0], done}, nil, g.Apply(ops.Not, all)
		})
	for _, k := range read {
		outs = append(outs, finals[k])
	}
	return outs
}

// untilShared is a loop whose steps have a number for all elements, which is summed until it is large enough for each.
func untilShared(s *sketch, x *ir.Node) []*ir.Node {
	g, sh := s.g, x.Shape
	carries := []*ir.Node{g.Const(dtype.F32, nil, 0.25), g.Const(dtype.F32, sh, 0), g.Const(dtype.Bool, sh, 0), x}
	finals, _, _ := g.Loop("While", ir.LoopOptions{Length: ir.D(1 << 20)}, carries, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			number := g.Apply(ops.Add, g.Apply(ops.Mul, c[0], g.Const(dtype.F32, nil, 1.25)), g.Const(dtype.F32, nil, 0.5))
			sum := g.Apply(ops.Add, c[1], g.BroadcastTo("", number, sh))
			done := g.Apply(ops.Not, g.Apply(ops.Lt, sum, g.Apply(ops.Mul, c[3], g.Const(dtype.F32, sh, 9)))) // NaN is, infinities when the sum is
			enough := g.Apply(ops.Or, c[2], done)
			return []*ir.Node{number, g.Apply(ops.Where, c[2], c[1], sum), enough, c[3]}, nil, g.Apply(ops.Not, g.Reduce(ir.Min, c[2], 0))
		})
	return []*ir.Node{finals[1], finals[2]}
}
