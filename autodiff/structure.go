package autodiff

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// In this file and in reduce.go axes are counted from the end where negative.

func one(op string, x Value, f func(g *ir.Graph, x *ir.Node) *ir.Node) Value {
	return oneAs(op, recipe{}, x, f)
}

func oneAs(op string, as recipe, x Value, f func(g *ir.Graph, x *ir.Node) *ir.Node) Value {
	return applyAs(op, as, func(g *ir.Graph, in []*ir.Node) *ir.Node { return f(g, in[0]) }, x)
}

// Reshape gives x's elements, row by row, the shape dims. One size may be AnyBatch: it follows from the
// others.
func (x Value) Reshape(dims ...int) Value {
	return oneAs("Reshape", recipe{name: "Reshape", numbers: dims}, x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.Reshape(n, inferred("Reshape", n.Shape, dims)) })
}

// inferred is dims as a shape of as many elements as s has.
func inferred(op string, s ir.Shape, dims []int) ir.Shape {
	checkDims(op, dims)
	at := slices.Index(dims, AnyBatch)
	if at < 0 {
		return ir.Static(dims...)
	}
	if slices.Contains(dims[at+1:], AnyBatch) {
		ir.Fail(op, "%v to %v: only one size can follow from the others", s, dims)
	}
	rest := 1
	for i, d := range dims {
		if i != at {
			rest *= d
		}
	}
	n, ok := s.Size()
	switch {
	case !ok:
		ir.Fail(op, "%v to %v: the sizes are a product of two that depend on the batch", s, dims)
	case rest == 0 || n.C%rest != 0 || n.B%rest != 0:
		ir.Fail(op, "%v to %v: %v elements are no multiple of %d", s, dims, n, rest)
	}
	t := ir.Static(dims...)
	t[at] = ir.Dim{C: n.C / rest, B: n.B / rest}
	return t
}

// Flatten is x with one axis.
func (x Value) Flatten() Value { return x.Reshape(AnyBatch) }

// ExpandDims gives x a new axis of size 1, which becomes axis.
func (x Value) ExpandDims(axis int) Value {
	return one("ExpandDims", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		wide := append(slices.Clone(n.Shape), ir.D(1))
		a := ir.Axis("ExpandDims", wide, axis)
		return g.Reshape(n, slices.Insert(slices.Clone(n.Shape), a, ir.D(1)))
	})
}

// Squeeze drops axes of size 1; none named means all such.
func (x Value) Squeeze(axes ...int) Value {
	return one("Squeeze", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		var drop []int
		if len(axes) > 0 {
			drop = ir.Axes("Squeeze", n.Shape, axes)
		}
		var s ir.Shape
		for a, d := range n.Shape {
			switch {
			case d.Is(1) && (drop == nil || slices.Contains(drop, a)):
			case slices.Contains(drop, a):
				ir.Fail("Squeeze", "%v: axis %d of size %v is not 1", n.Shape, a, d)
			default:
				s = append(s, d)
			}
		}
		return g.Reshape(n, s)
	})
}

// Transpose permutes the axes: axis i of the result is axis perm[i] of x. Without perm it turns their order
// around.
func (x Value) Transpose(perm ...int) Value {
	return one("Transpose", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		p := make([]int, n.Rank())
		for i := range p {
			p[i] = len(p) - 1 - i
		}
		if len(perm) > 0 {
			p = p[:0]
			for _, a := range perm {
				p = append(p, ir.Axis("Transpose", n.Shape, a))
			}
		}
		return g.Transpose(n, p)
	})
}

// T exchanges the last two axes.
func (x Value) T() Value {
	return one("T", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		r := n.Rank()
		if r < 2 {
			ir.Fail("T", "%v: two axes are needed", n.Shape)
		}
		p := make([]int, r)
		for i := range p {
			p[i] = i
		}
		p[r-1], p[r-2] = r-2, r-1
		return g.Transpose(n, p)
	})
}

// BroadcastTo repeats x to shape dims by NumPy's rule. AnyBatch in dims is the batch.
func (x Value) BroadcastTo(dims ...int) Value {
	checkDims("BroadcastTo", dims)
	return one("BroadcastTo", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.BroadcastTo("BroadcastTo", n, (&array{dims: dims}).shape())
	})
}

// BroadcastLike repeats x to y's shape by NumPy's rule.
func (x Value) BroadcastLike(y Value) Value {
	return apply("BroadcastLike", func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return g.BroadcastTo("BroadcastLike", in[0], in[1].Shape)
	}, x, y)
}

// Range selects elements of an axis, as Go's x[Lo:Hi], every Step-th of them. Negative bounds count from
// the end; Hi = 0 means the end and Step = 0 means 1, so that the zero Range is the whole axis. A negative
// Step selects the same elements as its absolute value and then turns their order around.
type Range struct{ Lo, Hi, Step int }

// Slice selects a range of each axis; axes that are not named stay whole.
func (x Value) Slice(ranges ...Range) Value {
	return one("Slice", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		if len(ranges) > n.Rank() {
			ir.Fail("Slice", "%v: %d ranges for %d axes", n.Shape, len(ranges), n.Rank())
		}
		start, step, size := make([]ir.Dim, n.Rank()), make([]int, n.Rank()), slices.Clone(n.Shape)
		var turned []int
		for a, d := range n.Shape {
			step[a] = 1
			if a >= len(ranges) {
				continue
			}
			r := ranges[a]
			lo, hi := bound(r.Lo, d), bound(r.Hi, d)
			if r.Hi == 0 {
				hi = d
			}
			if r.Step < 0 {
				turned = append(turned, a)
				r.Step = -r.Step
			}
			step[a] = max(1, r.Step)
			count := hi.Sub(lo)
			if count.Static() {
				if count.C < 0 {
					ir.Fail("Slice", "%v: %d:%d of axis %d is negative", n.Shape, r.Lo, r.Hi, a)
				}
				count.C = (count.C + step[a] - 1) / step[a]
			} else if count.B%step[a] == 0 && (count.C+step[a]-1)%step[a] == step[a]-1 {
				count = ir.Dim{C: count.C / step[a], B: count.B / step[a]}
			} else if step[a] > 1 {
				ir.Fail("Slice", "%v: steps of %d along axis %d of %v: the count depends on the batch", n.Shape, step[a], a, d)
			}
			start[a], size[a] = lo, count
		}
		return g.Reverse(g.Slice(n, start, step, size), turned...)
	})
}

// bound is i, counted from the end of d where negative.
func bound(i int, d ir.Dim) ir.Dim {
	if i < 0 {
		return d.Add(ir.D(i))
	}
	return ir.D(i)
}

// Index picks one element of each of the leading axes, which go; an index counts from the end where
// negative.
func (x Value) Index(index ...int) Value {
	return one("Index", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		if len(index) > n.Rank() {
			ir.Fail("Index", "%v: %d indices for %d axes", n.Shape, len(index), n.Rank())
		}
		start, step, size := make([]ir.Dim, n.Rank()), make([]int, n.Rank()), slices.Clone(n.Shape)
		for a := range step {
			step[a] = 1
		}
		for a, i := range index {
			start[a], size[a] = bound(i, n.Shape[a]), ir.D(1)
		}
		return g.Reshape(g.Slice(n, start, step, size), n.Shape[len(index):])
	})
}

// Narrow is the n elements from start along axis.
func (x Value) Narrow(axis, start, n int) Value {
	return one("Narrow", x, func(g *ir.Graph, y *ir.Node) *ir.Node {
		a := ir.Axis("Narrow", y.Shape, axis)
		return g.Narrow(y, a, bound(start, y.Shape[a]), ir.D(n))
	})
}

// Reverse turns axes around; none named means all.
func (x Value) Reverse(axes ...int) Value {
	return one("Reverse", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.Reverse(n, ir.Axes("Reverse", n.Shape, axes)...)
	})
}

// Concat joins values along an axis; their other sizes agree.
func Concat(axis int, xs ...Value) Value {
	if len(xs) == 0 {
		ir.Fail("Concat", "of nothing")
	}
	return apply("Concat", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Concat(axis, in...) }, xs...)
}

// Stack joins values of one shape along a new axis.
func Stack(axis int, xs ...Value) Value {
	if len(xs) == 0 {
		ir.Fail("Stack", "of nothing")
	}
	return apply("Stack", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Stack(axis, in...) }, xs...)
}

// Split cuts an axis into parts of equal size.
func (x Value) Split(axis, parts int) []Value {
	a := axis
	if a < 0 {
		a += x.Rank()
	}
	if a < 0 || a >= x.Rank() || parts < 1 {
		ir.Fail("Split", "%v: axis %d into %d parts", x.Shape(), axis, parts)
	}
	res := make([]Value, parts)
	for i := range res {
		res[i] = one("Split", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.Split(n, a, parts)[i] })
	}
	return res
}

// Pad puts lo[a] elements before and hi[a] after each axis a, all of the number fill.
func (x Value) Pad(lo, hi []int, fill float64) Value {
	return one("Pad", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.Pad(n, lo, hi, fill) })
}

// Take gathers x's slices along axis at the indices (int32 or int64): the result has idx's axes in the
// place of axis. An index outside 0 … size-1 is an error of the run, or of the call where x and idx are
// arrays.
func (x Value) Take(idx Value, axis int) Value {
	pos := ir.UserLine()
	return applyTyped("Take", recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return g.Take(in[0], in[1], ir.Axis("Take", in[0].Shape, axis), pos)
	}, []Value{x}, []Value{x, idx})
}

// TakeAlong is x[…, idx[…, j, …], …]: idx has x's shape but for axis. Indices out of range are as in Take.
func (x Value) TakeAlong(idx Value, axis int) Value {
	pos := ir.UserLine()
	return applyTyped("TakeAlong", recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return g.TakeAlong(in[0], in[1], axis, pos)
	}, []Value{x}, []Value{x, idx})
}

// ScatterAdd is x with the slices of upd added along axis at the indices, in their order: upd has the
// shape that x.Take(idx, axis) has. Indices out of range are as in Take.
func (x Value) ScatterAdd(idx, upd Value, axis int) Value {
	pos := ir.UserLine()
	return applyTyped("ScatterAdd", recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return g.ScatterAdd(in[0], in[1], in[2], axis, pos)
	}, []Value{x}, []Value{x, idx, upd})
}

// OneHot has 1 at the index along a new last axis of size n, 0 elsewhere; an index out of range gives
// zeros.
func (x Value) OneHot(n int, t DType) Value {
	return one("OneHot", x, func(g *ir.Graph, idx *ir.Node) *ir.Node { return g.OneHot(idx, n, t.t) })
}

// Iota counts 0, 1, … along an axis of an array of shape dims.
func (t DType) Iota(axis int, dims ...int) Value {
	return eager("Iota", recipe{}, func(g *ir.Graph, _ []*ir.Node) *ir.Node {
		s := ir.Static(dims...)
		return g.Iota(t.t, s, ir.Axis("Iota", s, axis))
	}, dtype.Invalid, nil)
}

// IotaLike counts 0, 1, … along an axis of x's shape, in x's type: for functions whose sizes depend on
// the batch.
func (x Value) IotaLike(axis int) Value {
	return one("IotaLike", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.Iota(n.Type, n.Shape, ir.Axis("IotaLike", n.Shape, axis))
	})
}

// SizeOf is the size of an axis as a number of type t, batch included.
func (x Value) SizeOf(axis int, t DType) Value {
	return one("SizeOf", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.DimSize(t.t, n.Shape[ir.Axis("SizeOf", n.Shape, axis)])
	})
}

// MatMul is the product of matrices [… m k] and [… k n], batches of them broadcasting; a vector is a row at
// the left and a column at the right.
func (x Value) MatMul(y Value) Value {
	return applyAs("MatMul", recipe{name: "MatMul"}, func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.MatMulND(in[0], in[1]) }, x, y)
}

// Dot is Σ x·y of two vectors.
func (x Value) Dot(y Value) Value {
	return applyAs("Dot", recipe{name: "Dot"}, func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Dot(in[0], in[1]) }, x, y)
}

// Outer is x[i]·y[j] of two vectors.
func (x Value) Outer(y Value) Value {
	return applyAs("Outer", recipe{name: "Outer"}, func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Outer(in[0], in[1]) }, x, y)
}

// Einsum sums products over indices, as NumPy's: "ij,jk->ik". Without "->" the result has the indices that
// occur once, in alphabetical order; an index twice in one operand takes the diagonal; "..." stands for
// leading axes that broadcast.
func Einsum(spec string, xs ...Value) Value {
	return apply("Einsum", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Einsum(spec, in...) }, xs...)
}

// CrossEntropy is the mean over all rows of -log softmax(logits)[label]: logits [… classes], labels […]
// int32 or int64.
func CrossEntropy(logits, labels Value) Value {
	pos := ir.UserLine()
	return applyTyped("CrossEntropy", recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		x, y := in[0], in[1]
		if x.Rank() < 1 || !y.Type.IsInt() || !y.Shape.Equal(x.Shape[:x.Rank()-1]) {
			ir.Fail("CrossEntropy", "%v, %v of %v: integer labels of the logits' shape without its last axis are needed", x.Shape, y.Shape, y.Type)
		}
		at := g.Reshape(y, append(slices.Clone(y.Shape), ir.D(1)))
		return g.Apply(ops.Neg, g.Mean(g.TakeAlong(g.LogSoftmax(x, -1), at, -1, pos)))
	}, []Value{logits}, []Value{logits, labels})
}
