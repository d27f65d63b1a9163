package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// A sum of a few long rows, as the gradient of what repeats them is, reads memory faster as a part of a cluster: a sum of views, element by element.
// Sums of such sums are one then. This is for graphs that are lowered: the derivative of a reduction is the better one.

// mostRows is how many rows are few, leastRow the elements of a long one, leastSum those of an array that is worth it.
const (
	mostRows = 4
	leastRow = 256
	leastSum = 1 << 14
)

// rowSum is the sum of k slices of x along an axis, which goes.
type rowSum struct {
	x       *Node
	axis, k int
}

// SumRows is outs, which are stripped, with sums of a few long rows of arrays, and of pieces that overlap, as sums of views, in the same order.
func SumRows(outs []*Node) []*Node {
	if !slices.ContainsFunc(Reachable(outs), func(n *Node) bool {
		return n.Kind == Reduce && n.Reduction == Sum && n.Graph.fewRows(n.In[0], n.Axes[0], n.Axes[1]) || n.Kind == Place && n.overlaps() >= 0
	}) {
		return outs
	}
	g := New()
	g.rowSums = map[*Node]rowSum{}
	res, _ := rebuildIn(g, outs, func(*Graph, *Node) *Node { return nil })
	return res
}

// fewRows reports whether a sum over x's axes lo … hi-1 is of few long rows of an array, or of a sum of such.
func (g *Graph) fewRows(x *Node, lo, hi int) bool {
	if hi != lo+1 || x.Type.IsHalf() || !x.Shape[lo].Static() || x.Shape[lo].C < 2 || x.Shape[lo].C > mostRows {
		return false
	}
	row, known := x.Shape[hi:].Size()
	all, alike := x.Shape.Size()
	if !known || !row.Static() || row.C < leastRow || alike && all.Static() && all.C < leastSum {
		return false
	}
	if _, ok := g.rowSums[x]; ok {
		return true
	}
	for x.Kind == Reshape || x.Kind == Slice {
		x = x.In[0]
	}
	return x.isArray()
}

// sumRows is the sum s, element by element: 0, of which -0 is not one, and each row in order.
func (g *Graph) sumRows(s rowSum) *Node {
	var y *Node
	for i := range s.k {
		row := g.rowOf(s.x, s.axis, i)
		if y == nil {
			y = g.like(row, 0)
		}
		y = g.Apply(ops.Add, y, row)
	}
	g.rowSums[y] = s
	return y
}

// rowOf is slice i of x along an axis, which goes: of a sum of rows that of what it sums.
func (g *Graph) rowOf(x *Node, axis, i int) *Node {
	s, ok := g.rowSums[x]
	if !ok {
		row := g.Narrow(x, axis, D(i), D(1))
		return g.Reshape(row, row.Shape.Drop(axis, axis+1))
	}
	if axis < s.axis {
		s.axis--
	} else {
		axis++
	}
	return g.sumRows(rowSum{g.rowOf(s.x, axis, i), s.axis, s.k})
}
