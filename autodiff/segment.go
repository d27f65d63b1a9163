package autodiff

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// A segment is the slices of x along its first axis that ids, an integer for each of them, gives one number: results
// have n segments along that axis, numbers from 0. They need not stand side by side. A number out of range is an
// error of the run.

// segments calls f on x and ids, checked.
func segments(op string, x, ids Value, n int, f func(x, ids Value) Value) Value {
	return recorded(op, [2]Value{x, ids}, func(g *ir.Graph, in [2]Value) Value {
		onGraph(g, op, &in[0], &in[1])
		x, ids := in[0].n, in[1].n
		switch {
		case n < 0:
			ir.Fail(op, "%d segments", n)
		case !ids.Type.IsInt() || ids.Rank() != 1 || x.Rank() == 0 || x.Shape[0] != ids.Shape[0]:
			ir.Fail(op, "%v by %v of %v: an integer for each slice of the first axis is needed", x.Shape, ids.Shape, ids.Type)
		case x.Type == dtype.Bool:
			ir.Fail(op, "%v of bool is not defined (use Convert)", x.Shape)
		}
		return f(in[0], in[1])
	})
}

// onGraph makes nodes of those that are arrays.
func onGraph(g *ir.Graph, op string, vs ...*Value) {
	for _, v := range vs {
		*v = Value{n: v.node(g, op, dtype.Invalid)}
	}
}

// spread is v, of the segments, for each slice.
func spread(v, ids Value) Value { return v.Take(ids, 0) }

func segmentSum(x, ids Value, n int) Value {
	return one("SegmentSum", x, func(g *ir.Graph, x *ir.Node) *ir.Node {
		s := append(ir.Static(n), x.Shape[1:]...)
		return g.Scatter(s, ids.n, x, 0, ir.UserLine())
	})
}

// SegmentSum is the sum of each of n segments; that of an empty one is 0.
func (x Value) SegmentSum(ids Value, n int) Value {
	return segments("SegmentSum", x, ids, n, func(x, ids Value) Value { return segmentSum(x, ids, n) })
}

// counts is how many slices each segment has, of type t, with the axes of x.
func segmentCounts(x, ids Value, n int, t DType) Value {
	return beside(x, segmentSum(ids.FullLike(1).Convert(t), ids, n))
}

// beside is v, of one axis, with axes of 1 for x's others.
func beside(x, v Value) Value {
	for range x.Rank() - 1 {
		v = v.ExpandDims(-1)
	}
	return v
}

// SegmentMean is the mean of each of n segments, of floats; that of an empty one is 0.
func (x Value) SegmentMean(ids Value, n int) Value {
	return segments("SegmentMean", floating("SegmentMean", x), ids, n, func(x, ids Value) Value {
		return segmentSum(x, ids, n).Div(segmentCounts(x, ids, n, x.DType()).Max(Const(1)))
	})
}

func floating(op string, x Value) Value {
	if !x.DType().t.IsFloat() {
		ir.Fail(op, "%v of %v is not defined (use Convert)", x.Shape(), x.DType())
	}
	return x
}

// ScatterSet is x with the slices along axis at the indices replaced by those of upd, which has the shape that x.Take(idx, axis) has; of
// equal indices the last counts. Indices out of range are as in Take, the axis' size does not depend on the batch.
func (x Value) ScatterSet(idx, upd Value, axis int) Value {
	const op = "ScatterSet"
	return recorded(op, [3]Value{x, idx, upd}, func(g *ir.Graph, in [3]Value) Value {
		onGraph(g, op, &in[0], &in[1], &in[2])
		x, idx, upd := in[0].n, in[1].n, in[2].n
		a := ir.Axis(op, x.Shape, axis)
		before, behind := x.Shape[:a], x.Shape[a+1:]
		switch want := slices.Concat(before, idx.Shape, behind); {
		case !x.Shape[a].Static():
			ir.Fail(op, "%v: the size of axis %d depends on the batch", x.Shape, a)
		case !idx.Type.IsInt():
			ir.Fail(op, "%v at %v: indices of type %v, not int32 or int64", x.Shape, idx.Shape, idx.Type)
		case !upd.Shape.Equal(want) || upd.Type != x.Type:
			ir.Fail(op, "%v%v at %v: %v%v are needed, not %v%v", x.Type, x.Shape, idx.Shape, x.Type, want, upd.Type, upd.Shape)
		}
		n := x.Shape[a].C
		at := Value{n: idx}.Flatten()
		last := at.Convert(F64).IotaLike(0).SegmentMax(at, n) // -Inf where no index is
		from := Where(last.Ge(Const(0)), last.Shift(float64(n)), F64.Iota(0, n)).Convert(I64)
		flat := g.Reshape(upd, slices.Concat(before, at.n.Shape, behind))
		return Concat(a, Value{n: x}, Value{n: flat}).Take(from, a)
	})
}

// SegmentMax is the largest element of each of n segments, of floats; that of an empty one is -Inf, NaN is the
// largest. The derivative is shared equally by the elements that are tied.
func (x Value) SegmentMax(ids Value, n int) Value {
	return segments("SegmentMax", floating("SegmentMax", x), ids, n, func(x, ids Value) Value { return segmentMax(x, ids, n) })
}

// SegmentMin is the smallest element of each of n segments, of floats; that of an empty one is +Inf, NaN is the
// smallest. The derivative is shared equally by the elements that are tied.
func (x Value) SegmentMin(ids Value, n int) Value {
	return segments("SegmentMin", floating("SegmentMin", x), ids, n, func(x, ids Value) Value { return segmentMax(x.Neg(), ids, n).Neg() })
}

func segmentMax(x, ids Value, n int) Value {
	g := x.n.Graph
	tied := func(x, ids, y Value) (is, share Value) {
		is = x.Eq(spread(y, ids))
		count := segmentSum(is.Convert(x.DType()), ids, n)
		return is, count.Max(Const(1)).Reciprocal()
	}
	r := &ir.Rule{Name: "SegmentMax",
		VJP: func(_ *ir.Graph, in, y, cts []*ir.Node) []*ir.Node {
			x, ids, y0, ct := Value{n: in[0]}, Value{n: in[1]}, Value{n: y[0]}, Value{n: cts[0]}
			is, share := tied(x, ids, y0)
			return []*ir.Node{Where(is, spread(ct.Mul(share), ids), x.FullLike(0)).n, nil}
		},
		JVP: func(_ *ir.Graph, in, y, ts []*ir.Node) []*ir.Node {
			if ts[0] == nil {
				return []*ir.Node{nil}
			}
			x, ids, y0, t := Value{n: in[0]}, Value{n: in[1]}, Value{n: y[0]}, Value{n: ts[0]}
			is, share := tied(x, ids, y0)
			return []*ir.Node{segmentSum(Where(is, t, t.FullLike(0)), ids, n).Mul(share).n}
		}}
	return Value{n: g.Custom(r, []*ir.Node{x.n, ids.n}, func(in []*ir.Node) []*ir.Node {
		return []*ir.Node{segmentMaxBody(Value{n: in[0]}, Value{n: in[1]}, n).n}
	})[0]}
}

// segmentMaxBody is the largest element of each segment, without a derivative.
func segmentMaxBody(x, ids Value, n int) Value {
	s := x.n.Shape
	rest := s[1:]
	if s[0].Is(0) || n == 0 {
		return Value{n: x.n.Graph.Const(x.n.Type, append(ir.Static(n), rest...), math.Inf(-1))}
	}
	width, ok := rest.Size()
	if !ok {
		ir.Fail("SegmentMax", "%v: two axes depend on the batch", s)
	}
	g := x.n.Graph
	cols := Value{n: g.Reshape(x.n, ir.Shape{s[0], width})}.T()
	y := Value{n: g.SegmentMax(cols.n, g.BroadcastTo("SegmentMax", ids.n, cols.n.Shape), n, ir.UserLine())}
	return Value{n: g.Reshape(y.T().n, append(ir.Static(n), rest...))}
}

// SegmentProd is the product of each of n segments; that of an empty one is 1. The derivatives are right at zeros. The first
// axis' size does not depend on the batch.
func (x Value) SegmentProd(ids Value, n int) Value {
	return segments("SegmentProd", x, ids, n, func(x, ids Value) Value {
		s := x.n.Shape
		if !s[0].Static() {
			ir.Fail("SegmentProd", "%v: the size of axis 0 depends on the batch", s)
		}
		one := Value{n: x.n.Graph.Const(x.n.Type, append(ir.Static(n), s[1:]...), 1)}
		size := s[0].C
		if size == 0 || n == 0 {
			return one
		}
		// By segments, elements are multiplied with those 1, 2, 4, … before them.
		order := ids.ArgSort(0)
		y, ids0 := x.Take(order, 0), ids.Take(order, 0)
		for d := 1; d < size; d *= 2 {
			before, here := y.Narrow(0, 0, size-d), y.Narrow(0, d, size-d)
			same := beside(x, ids0.Narrow(0, 0, size-d).Eq(ids0.Narrow(0, d, size-d)))
			y = Concat(0, y.Narrow(0, 0, d), Where(same, before.Mul(here), here))
		}
		counts := segmentSum(ids.FullLike(1).Convert(I64), ids, n)
		last := y.Take(counts.CumSum(0).Shift(-1).Max(Const(0)), 0)
		return Where(beside(x, counts.Gt(Const(0))), last, one)
	})
}

// SegmentSoftmax is eˣ over the sum of those of its segment, without overflow.
func (x Value) SegmentSoftmax(ids Value, n int) Value {
	return segments("SegmentSoftmax", floating("SegmentSoftmax", x), ids, n, func(x, ids Value) Value {
		top := segmentMaxBody(x.StopGradient(), ids, n).StopGradient()
		top = Where(top.IsFinite(), top, top.FullLike(0))
		e := x.Sub(spread(top, ids)).Exp()
		return e.Div(spread(segmentSum(e, ids, n), ids))
	})
}

// Bincount is how often each of 0 … n-1 occurs among integers, int64. Another integer is an error of the run. Sums of
// weights are SegmentSum.
func (x Value) Bincount(n int) Value {
	return recorded("Bincount", x, func(_ *ir.Graph, x Value) Value {
		if !x.n.Type.IsInt() || n < 0 {
			ir.Fail("Bincount", "%v of %v into %d: integers are needed", x.n.Shape, x.n.Type, n)
		}
		x = x.Flatten()
		return segmentSum(x.FullLike(1).Convert(I64), x, n)
	})
}

// SearchSorted is where the elements of v would go into x, ascending, of shape [n] and v's type: the number (int64)
// of elements of x that are less or, with right, not greater. NaN is greater than any number.
func (x Value) SearchSorted(v Value, right bool) Value {
	const op = "SearchSorted"
	return recorded(op, [2]Value{x, v}, func(g *ir.Graph, in [2]Value) Value {
		onGraph(g, op, &in[0], &in[1])
		x, v := in[0], in[1]
		if x.n.Rank() != 1 || !x.n.Shape[0].Static() || x.n.Type != v.n.Type || x.n.Type == dtype.Bool {
			ir.Fail(op, "%v%v in %v%v: one axis, of a size that does not depend on the batch, and numbers of one type are needed",
				v.n.Type, v.n.Shape, x.n.Type, x.n.Shape)
		}
		n := x.n.Shape[0].C
		pos := Value{n: g.Const(dtype.I64, v.n.Shape, 0)}
		if n == 0 {
			return pos
		}
		less := func(a, b Value) Value {
			if !a.n.Type.IsFloat() {
				return a.Lt(b)
			}
			return a.Lt(b).Or(b.IsNaN().And(a.IsNaN().Not()))
		}
		step := 1
		for step*2 <= n {
			step *= 2
		}
		for ; step > 0; step /= 2 { // pos elements are known to stand before
			next := pos.Shift(float64(step))
			e := x.Take(next.Min(Const(float64(n))).Shift(-1), 0)
			before := less(e, v)
			if right {
				before = less(v, e).Not()
			}
			pos = Where(before.And(next.Le(Const(float64(n)))), next, pos)
		}
		return pos
	})
}

// Interp is at each element of x the piecewise linear function through the points (xp, fp), of shape [n] and x's
// type, xp ascending; left of the first point its value, right of the last one that one's (numpy.interp). At a point
// the derivative is that of the piece to its right; of points at the same place the last counts.
func (x Value) Interp(xp, fp Value) Value {
	const op = "Interp"
	return recorded(op, [3]Value{x, xp, fp}, func(g *ir.Graph, in [3]Value) Value {
		onGraph(g, op, &in[0], &in[1], &in[2])
		x, xp, fp := floating(op, in[0]), in[1], in[2]
		if xp.n.Rank() != 1 || !xp.n.Shape[0].Static() || xp.n.Shape[0].Is(0) || !xp.n.Shape.Equal(fp.n.Shape) ||
			xp.n.Type != x.n.Type || fp.n.Type != x.n.Type {
			ir.Fail(op, "%v through points at %v%v and %v%v: both of one axis, of a size above 0 that does not depend on the batch, and of x's type are needed",
				x.n.Type, xp.n.Type, xp.n.Shape, fp.n.Type, fp.n.Shape)
		}
		n := xp.n.Shape[0].C
		if n == 1 {
			return Where(x.IsNaN(), x, fp.Index(0))
		}
		first, last := xp.Index(0), xp.Index(-1)
		x = Where(x.Lt(first), first, Where(x.Gt(last), last, x))
		i := xp.SearchSorted(x, true).Min(Const(float64(n - 1))).Shift(-1).Max(Const(0))
		j := i.Shift(1)
		x0, f0 := xp.Take(i, 0), fp.Take(i, 0)
		h := xp.Take(j, 0).Sub(x0)
		none := h.Eq(Const(0)) // the last points are at one place
		t := Where(none.And(x.Eq(x0)), Const(1), x.Sub(x0).Div(Where(none, Const(1), h)))
		return f0.Add(t.Mul(fp.Take(j, 0).Sub(f0)))
	})
}

// Histogram is how many elements of x lie between each two neighbours of edges, ascending and of x's type: int64,
// one less than edges. An element equal to an edge counts above it, but below the last one; what lies outside, and
// NaN, does not count.
func (x Value) Histogram(edges Value) Value {
	return recorded("Histogram", [2]Value{x, edges}, func(g *ir.Graph, in [2]Value) Value {
		onGraph(g, "Histogram", &in[0], &in[1])
		x, edges := in[0].Flatten(), in[1]
		if edges.n.Rank() != 1 || !edges.n.Shape[0].Static() || edges.n.Shape[0].C < 2 {
			ir.Fail("Histogram", "edges of %v: two at least are needed", edges.n.Shape)
		}
		bins := edges.n.Shape[0].C - 1
		first, last := edges.Index(0), edges.Index(-1)
		at := edges.SearchSorted(x, true).Shift(-1)
		at = at.Min(Const(float64(bins - 1))).Max(Const(0))
		inside := x.Ge(first).And(x.Le(last))
		return segmentSum(inside.Convert(I64), at, bins)
	})
}

// Distinct is what Unique gives.
type Distinct struct {
	Values  Value // ascending, [size]
	Counts  Value // how often each occurs, int64 [size]; 0 behind the last
	Inverse Value // int64, of the array's shape: which of Values each element is; size where it is none of them
	Len     Value // how many there are, int64: more than size where some were left out
}

// Unique is the distinct elements of x, ascending: the first size of them, for programs have results of fixed sizes.
// Where there are fewer the smallest fills up. All NaN are one, the last. The derivative goes to the first of equal
// elements.
func (x Value) Unique(size int) Distinct {
	return recorded("Unique", x, func(g *ir.Graph, x Value) Distinct {
		n, ok := x.n.Shape.Size()
		if size < 1 || !ok || n.Is(0) || x.n.Type == dtype.Bool {
			ir.Fail("Unique", "%v%v, %d: numbers, some of them, and a size above 0 are needed", x.n.Type, x.n.Shape, size)
		}
		flat := Value{n: g.Reshape(x.n, ir.Shape{n})}
		order := flat.ArgSort(0)
		s := flat.Take(order, 0)
		// first tells where an element differs from the one before it.
		before := Value{n: g.Concat(0, g.Narrow(s.n, 0, ir.D(0), ir.D(1)), g.Narrow(s.n, 0, ir.D(0), n.Sub(ir.D(1))))}
		first := s.Ne(before)
		if x.n.Type.IsFloat() {
			first = first.And(s.IsNaN().And(before.IsNaN()).Not())
		}
		group := first.Convert(I64).CumSum(0)
		at := group.Min(Const(float64(size)))
		head := first.Or(group.IotaLike(0).Eq(Const(0)))
		// Others add 0, to the place that goes.
		values := segmentSum(Where(head, s, s.FullLike(0)), Where(head, at, at.FullLike(float64(size))), size+1)
		counts := segmentSum(at.FullLike(1), at, size+1).Narrow(0, 0, size)
		values = Where(counts.Gt(Const(0)), values.Narrow(0, 0, size), s.Index(0))
		inverse := Value{n: g.Scatter(ir.Shape{n}, order.n, at.n, 0, "")}
		return Distinct{values, counts, Value{n: g.Reshape(inverse.n, x.n.Shape)}, group.ReduceMax().Shift(1)}
	})
}
