package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The derivative of what reads an array's neighbours, differences along an axis say, is a sum of pieces that overlap but at the ends. Where
// the pieces are little to compute, the sum is one function of slices, that no piece is an array for: each is computed for its own slice, in one
// pass over memory. This is for graphs that are lowered.

// mostOverlapping bounds the pieces, mostAgain what their computation costs, in sums.
const (
	mostOverlapping = 4
	mostAgain       = 64
)

// overlaps is the axis along which the pieces of n, a Place that adds, overlap for the most part, -1 where they do otherwise or are too much to
// compute.
func (n *Node) overlaps() int {
	r, axis := n.Rank(), -1
	if !n.Flag || len(n.In) < 2 || len(n.In) > mostOverlapping || !n.Type.IsFloat() || n.Type.IsHalf() || n.Bits != 0 {
		return -1
	}
	if all, ok := n.Shape.Size(); !ok || all.Static() && all.C < leastSum {
		return -1
	}
	for i := range n.Start {
		p, a := i/r, i%r
		d := n.In[p].Shape[a]
		if n.Step[i] != 1 && !d.Is(1) {
			return -1
		}
		if d == n.Shape[a] {
			continue
		}
		if axis >= 0 && a != axis || !d.Static() || !n.Start[i].Static() || !n.Shape[a].Static() {
			return -1
		}
		axis = a
	}
	if axis < 0 {
		return -1
	}
	lo, hi := 0, n.Shape[axis].C
	cost, seen := 0, map[*Node]bool{}
	for p, x := range n.In {
		start := n.Start[p*r+axis].C
		lo, hi = max(lo, start), min(hi, start+x.Shape[axis].C)
		if !x.again(axis, seen, &cost) {
			return -1
		}
	}
	if 4*(hi-lo) < 3*n.Shape[axis].C {
		return -1
	}
	return axis
}

// again reports whether x is little to compute once more for a slice along an axis, and adds what that costs.
func (x *Node) again(axis int, seen map[*Node]bool, cost *int) bool {
	if seen[x] {
		return true
	}
	seen[x] = true
	switch x.Kind {
	case Pointwise:
		c := cheapness(x.Op)
		if *cost += c; c == 0 || *cost > mostAgain {
			return false
		}
		for _, y := range x.In {
			if !y.again(axis, seen, cost) {
				return false
			}
		}
		return true
	case Broadcast:
		return x.In[0].Shape[axis] != x.Shape[axis] || x.In[0].again(axis, seen, cost)
	case Const:
		return true
	}
	for x.Kind == Reshape || x.Kind == Slice || x.Kind == Transpose || x.Kind == Broadcast {
		x = x.In[0]
	}
	return x.isArray()
}

// isArray reports whether x is elements in memory whatever reads it.
func (x *Node) isArray() bool {
	switch x.Kind {
	case Param, Data, Place, Take, Scatter, MatMul, Call, Hosted, Out:
		return true
	}
	return false
}

// apartAlong is n as pieces side by side along an axis: sums of slices of its own, in order.
func (g *Graph) apartAlong(axis int, n *Node) *Node {
	r := n.Rank()
	ends := []int{0, n.Shape[axis].C}
	span := func(p int) (from, to int) {
		from = n.Start[p*r+axis].C
		return from, from + n.In[p].Shape[axis].C
	}
	for p := range n.In {
		from, to := span(p)
		ends = append(ends, from, to)
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	var pieces []Piece
	for i, end := range ends[1:] {
		var sum *Node
		for p, x := range n.In {
			from, to := span(p)
			if from > ends[i] || to < end {
				continue
			}
			x = g.sliced(map[*Node]*Node{}, x, axis, ends[i]-from, end-ends[i])
			if sum == nil {
				sum = g.like(x, 0)
			}
			sum = g.Apply(ops.Add, sum, x)
		}
		if sum != nil {
			start, _, _ := wholeSpan(n.Shape)
			start[axis] = D(ends[i])
			pieces = append(pieces, Piece{X: sum, Start: start})
		}
	}
	return g.Place(n.Type, n.Shape, 0, false, pieces...)
}

// sliced is a slice of x, computed for itself as far as again goes.
func (g *Graph) sliced(have map[*Node]*Node, x *Node, axis, start, size int) *Node {
	if y := have[x]; y != nil {
		return y
	}
	y := x
	switch shape := slices.Clone(x.Shape); {
	case x.Kind == Pointwise:
		in := make([]*Node, len(x.In))
		for i, z := range x.In {
			in[i] = g.sliced(have, z, axis, start, size)
		}
		y = g.Apply(x.Op, in...)
	case x.Kind == Broadcast:
		if y = x.In[0]; y.Shape[axis] == x.Shape[axis] {
			y = g.sliced(have, y, axis, start, size)
		}
		shape[axis] = D(size)
		y = g.Broadcast(y, shape)
	default:
		y = g.Narrow(x, axis, D(start), D(size))
	}
	have[x] = y
	return y
}
