package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// rowCall is a call on the rows along axis.
func (g *Graph) rowCall(c CallID, flags uint64, x *Node, axis int, pos string) *Node {
	last := x.Rank() - 1
	return g.MoveAxis(g.Call(c, flags, pos, g.MoveAxis(x, axis, last)), last, axis)
}

// ArgSort is the indices (int64) that sort x along axis: stably, NaN last.
func (g *Graph) ArgSort(x *Node, axis int, descending bool, pos string) *Node {
	flags := uint64(0)
	if descending {
		flags = Descending
	}
	return g.rowCall(ArgSort, flags, x, Axis("ArgSort", x.Shape, axis), pos)
}

// Sort is x in ascending order along axis.
func (g *Graph) Sort(x *Node, axis int, pos string) *Node {
	axis = Axis("Sort", x.Shape, axis)
	return g.along(x, g.rowCall(ArgSort, 0, x, axis, pos), axis, pos)
}

// TopK is the k largest elements along axis, in order, and their indices.
func (g *Graph) TopK(x *Node, k, axis int, pos string) (y, at *Node) {
	axis = Axis("TopK", x.Shape, axis)
	if d := x.Shape[axis]; k < 0 || d.B < 0 || d.C+d.B < k {
		Fail("TopK", "%v: %d of the %v elements of axis %d", x.Shape, k, d, axis)
	}
	at = g.Narrow(g.rowCall(ArgSort, Descending|uint64(k)<<TopShift, x, axis, pos), axis, D(0), D(k))
	return g.along(x, at, axis, pos), at
}

// SegmentMax is the largest elements of n segments of rows [… m] of floats, by ids, int32s or int64s of the same shape; NaN is the
// largest, that of an empty segment is -Inf. Numbers out of range are an error of the run. There is no derivative.
func (g *Graph) SegmentMax(x, ids *Node, n int, pos string) *Node {
	return g.Call(SegmentMax, uint64(n), pos, x, ids)
}

// CumMax is the largest element so far along axis, the first of equal ones; from a NaN on it is NaN.
func (g *Graph) CumMax(x *Node, axis int) *Node {
	return g.cumulate(Max, Axis("CumMax", x.Shape, axis), false, x)
}

// CumMin is the least one.
func (g *Graph) CumMin(x *Node, axis int) *Node {
	return g.cumulate(Min, Axis("CumMin", x.Shape, axis), false, x)
}

// firsts says where the extremes so far n are first found: at the first element, and where they change.
func (g *Graph) firsts(n *Node) *Node {
	a := n.Axes[0]
	start, step, size := wholeSpan(n.Shape)
	if !size[a].Static() {
		before, at := g.shift(n, a, 1, 0), g.Iota(dtype.I64, n.Shape, a)
		same := g.Apply(ops.Or, g.Apply(ops.Eq, n, before), g.Apply(ops.IsNaN, before))
		return g.Apply(ops.Or, g.Apply(ops.Not, same), g.Apply(ops.Eq, at, g.like(at, 0)))
	}
	size[a] = size[a].Sub(D(1))
	before := g.Slice(n, start, step, size)
	start[a] = D(1)
	same := g.Apply(ops.Or, g.Apply(ops.Eq, g.Slice(n, start, step, size), before), g.Apply(ops.IsNaN, before))
	return g.Place(dtype.Bool, n.Shape, 1, false, Piece{g.Apply(ops.Not, same), start, step})
}

// An extreme's tangent is that of where it is first found, which is the sum since then; that of products is a recurrence by the same x.
func jvpCumulate(g *Graph, n *Node, in []flow) flow {
	t, a := in[0], n.Axes[0]
	if n.Reduction == Sum {
		return flow{g.cumulate(Sum, a, n.Flag, append([]*Node{t.n}, n.In[1:]...)...), t.masked}
	}
	if n.Reduction == Prod {
		return flow{g.recurrence(n.In[0], g.byLast(t.n, n, a, true), a), t.masked}
	}
	first := g.firsts(n)
	t = g.selectFlow(first, t, flow{})
	return flow{g.cumulate(Sum, a, false, t.n, first), true}
}

func vjpCumulate(s *sweep, n *Node, ct flow) {
	a, anew := n.Axes[0], n.In[1:]
	switch {
	case n.Reduction == Prod:
		ct.n = s.byLast(s.backwards(n.In[0], ct.n, a), n, a, true)
	case n.Reduction != Sum:
		first := s.firsts(n)
		ct = s.selectFlow(first, flow{s.cumulate(Sum, a, true, ct.n, s.ends(first, a, false)), ct.masked}, flow{})
	case len(anew) > 0:
		ct.n = s.cumulate(Sum, a, !n.Flag, ct.n, s.ends(anew[0], a, n.Flag))
	default:
		ct.n = s.CumSum(ct.n, a, !n.Flag)
	}
	s.give(n.In[0], ct)
}

// ends is where sums that begin where anew says so end, in the order of axis a or from its end; what comes last need not say so.
func (g *Graph) ends(anew *Node, a int, reverse bool) *Node {
	start, step, size := wholeSpan(anew.Shape)
	if !size[a].Static() {
		if reverse {
			return g.shift(anew, a, 1, 0)
		}
		return g.Reverse(g.shift(g.Reverse(anew, a), a, 1, 0), a)
	}
	from, to := slices.Clone(start), start
	size[a] = size[a].Sub(D(1))
	if reverse {
		to[a] = D(1)
	} else {
		from[a] = D(1)
	}
	return g.Place(dtype.Bool, anew.Shape, 0, false, Piece{g.Slice(anew, from, step, size), to, step})
}

// scan combines elements along axis with those 1, 2, 4, … before them; what comes in is fill.
func (g *Graph) scan(op string, x *Node, axis int, fill float64, combine func(x, y *Node) *Node) *Node {
	axis = Axis(op, x.Shape, axis)
	if !x.Shape[axis].Static() {
		Fail(op, "%v: the size of axis %d depends on the batch", x.Shape, axis)
	}
	for d := 1; d < x.Shape[axis].C; d *= 2 {
		x = combine(g.shift(x, axis, d, fill), x)
	}
	return x
}

// CumProd is the product so far along axis.
func (g *Graph) CumProd(x *Node, axis int) *Node {
	return g.cumulate(Prod, Axis("CumProd", x.Shape, axis), false, x)
}

// recurrence is Recurrence along axis a.
func (g *Graph) recurrence(x, b *Node, a int) *Node {
	last := x.Rank() - 1
	return g.MoveAxis(g.Call(Recurrence, 0, "", g.MoveAxis(x, a, last), g.MoveAxis(b, a, last)), last, a)
}

// The tangents and, from the end, the cotangents of a recurrence are recurrences by the same a, which is not asked for where they
// are 0.
func jvpRecurrence(g *Graph, n *Node, t []*Node) []*Node {
	b := t[1]
	if t[0] != nil {
		d := g.byLast(t[0], n, n.Rank()-1, false)
		if b != nil {
			d = g.Apply(ops.Add, d, b)
		}
		b = d
	}
	if b == nil {
		return []*Node{nil}
	}
	return []*Node{g.recurrence(n.In[0], b, n.Rank()-1)}
}

func vjpRecurrence(g *Graph, n, ct *Node) []*Node {
	last := n.Rank() - 1
	s := g.backwards(n.In[0], ct, last)
	return []*Node{g.byLast(s, n, last, false), s}
}

// backwards is the transpose of the recurrence by x along axis a.
func (g *Graph) backwards(x, ct *Node, a int) *Node {
	return g.Reverse(g.recurrence(g.shift(g.Reverse(x, a), a, 1, 0), g.Reverse(ct, a), a), a)
}

// byLast is t[k] times the element before k's along axis a of n, a recurrence or products so far; at the first it is 0, or with first
// t's.
func (g *Graph) byLast(t, n *Node, a int, first bool) *Node {
	start, step, size := wholeSpan(n.Shape)
	size[a] = size[a].Sub(D(1))
	before := g.Slice(n, start, step, size)
	behind := slices.Clone(start)
	behind[a] = D(1)
	d := g.Apply(ops.MulZ, g.Slice(t, behind, step, size), before)
	if n.Kind == Call {
		d = g.Apply(ops.Where, g.Apply(ops.Eq, before, g.like(before, 0)), g.like(before, 0), d)
	}
	pieces := []Piece{{d, behind, step}}
	if first {
		size[a] = D(1)
		pieces = append(pieces, Piece{g.Slice(t, start, step, size), start, step})
	}
	return g.Place(n.Type, n.Shape, 0, false, pieces...)
}

// LogCumSumExp is log Σ eˣ so far along axis; where the largest is ±Inf it is that, with derivative 0.
func (g *Graph) LogCumSumExp(x *Node, axis int) *Node {
	if !x.Type.IsFloat() {
		Fail("LogCumSumExp", "%v of %v is not defined (use Convert)", x.Shape, x.Type)
	}
	return g.scan("LogCumSumExp", x, axis, -infinity, func(x, y *Node) *Node {
		top := g.Stop(g.Apply(ops.Max, x, y))
		is := g.Apply(ops.IsFinite, top)
		top0 := g.Apply(ops.Where, is, top, g.like(top, 0))
		sum := g.Apply(ops.Add, g.Apply(ops.Exp, g.sub(x, top0)), g.Apply(ops.Exp, g.sub(y, top0)))
		return g.Apply(ops.Where, is, g.Apply(ops.Add, g.Apply(ops.Log, sum), top0), top)
	})
}
