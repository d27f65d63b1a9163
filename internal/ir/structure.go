package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Axis is axis counted from the end where negative.
func Axis(op string, s Shape, axis int) int {
	a := axis
	if a < 0 {
		a += len(s)
	}
	if a < 0 || a >= len(s) {
		Fail(op, "%v: axis %d is not in %d … %d", s, axis, -len(s), len(s)-1)
	}
	return a
}

// Axes is axes, each counted from the end where negative, sorted; none means all.
func Axes(op string, s Shape, axes []int) []int {
	if len(axes) == 0 {
		return axisRange(0, len(s))
	}
	res := make([]int, len(axes))
	for i, a := range axes {
		res[i] = Axis(op, s, a)
	}
	slices.Sort(res)
	for i := range res[1:] {
		if res[i] == res[i+1] {
			Fail(op, "%v: axis %d is named twice", s, res[i])
		}
	}
	return res
}

// BroadcastShapes is the shape that s and t broadcast to by NumPy's rule: aligned at the right, an axis
// of 1 or none repeats.
func BroadcastShapes(op string, s, t Shape) Shape {
	if len(s) < len(t) {
		s, t = t, s
	}
	res := slices.Clone(s)
	off := len(s) - len(t)
	for i, d := range t {
		switch e := s[off+i]; {
		case e.Is(1):
			res[off+i] = d
		case d != e && !d.Is(1):
			Fail(op, "%v, %v: axes of %v and %v do not broadcast", s, t, e, d)
		}
	}
	return res
}

// BroadcastTo repeats x to shape s by NumPy's rule.
func (g *Graph) BroadcastTo(op string, x *Node, s Shape) *Node {
	up := len(s) - x.Rank()
	if up < 0 {
		Fail(op, "%v to %v: the rank falls", x.Shape, s)
	}
	for i, d := range x.Shape {
		if d != s[up+i] && !d.Is(1) {
			Fail(op, "%v to %v: axis %d of %v is not 1", x.Shape, s, i, d)
		}
	}
	return g.Broadcast(g.Reshape(x, slices.Concat(ones(up), x.Shape)), s)
}

func ones(n int) Shape {
	s := make(Shape, n)
	for i := range s {
		s[i] = D(1)
	}
	return s
}

// Broadcast2 brings x and y to one shape.
func (g *Graph) Broadcast2(op string, x, y *Node) (*Node, *Node) {
	if x.Shape.Equal(y.Shape) {
		return x, y
	}
	s := BroadcastShapes(op, x.Shape, y.Shape)
	return g.BroadcastTo(op, x, s), g.BroadcastTo(op, y, s)
}

// Map is the pointwise op on arguments that broadcast.
func (g *Graph) Map(op ops.ID, in ...*Node) *Node {
	s := in[0].Shape
	for _, x := range in[1:] {
		s = BroadcastShapes(PublicName(op), s, x.Shape)
	}
	wide := make([]*Node, len(in))
	for i, x := range in {
		wide[i] = g.BroadcastTo(PublicName(op), x, s)
	}
	return g.Apply(op, wide...)
}

// like is the number c in x's type and shape.
func (g *Graph) like(x *Node, c float64) *Node { return g.Const(x.Type, x.Shape, c) }

// Concat joins xs along axis.
func (g *Graph) Concat(axis int, xs ...*Node) *Node {
	if len(xs) == 0 {
		Fail("Concat", "of nothing")
	}
	s := slices.Clone(xs[0].Shape)
	axis = Axis("Concat", s, axis)
	at := D(0)
	ps := make([]Piece, len(xs))
	for i, x := range xs {
		if x.Type != xs[0].Type {
			Fail("Concat", "%v, %v: types %v and %v differ", xs[0].Shape, x.Shape, xs[0].Type, x.Type)
		}
		if x.Rank() != len(s) || !x.Shape.Drop(axis, axis+1).Equal(s.Drop(axis, axis+1)) {
			Fail("Concat", "%v, %v: the shapes differ beside axis %d", xs[0].Shape, x.Shape, axis)
		}
		start := make([]Dim, len(s))
		start[axis] = at
		ps[i] = Piece{X: x, Start: start}
		at = at.Add(x.Shape[axis])
	}
	s[axis] = at
	return g.Place(xs[0].Type, s, 0, false, ps...)
}

// Stack joins xs, of one shape, along a new axis.
func (g *Graph) Stack(axis int, xs ...*Node) *Node {
	if len(xs) == 0 {
		Fail("Stack", "of nothing")
	}
	wide := slices.Insert(slices.Clone(xs[0].Shape), 0, D(1))
	axis = Axis("Stack", wide, axis)
	wide = slices.Insert(slices.Clone(xs[0].Shape), axis, D(1))
	in := make([]*Node, len(xs))
	for i, x := range xs {
		if !x.Shape.Equal(xs[0].Shape) {
			Fail("Stack", "%v, %v: the shapes differ", xs[0].Shape, x.Shape)
		}
		in[i] = g.Reshape(x, wide)
	}
	return g.Concat(axis, in...)
}

// Pad puts lo[a] before and hi[a] after axis a, filled with fill.
func (g *Graph) Pad(x *Node, lo, hi []int, fill float64) *Node {
	if len(lo) != x.Rank() || len(hi) != x.Rank() {
		Fail("Pad", "%v by %v, %v: %d numbers each are needed", x.Shape, lo, hi, x.Rank())
	}
	start, _, size := wholeSpan(x.Shape)
	for a := range size {
		if lo[a] < 0 || hi[a] < 0 {
			Fail("Pad", "%v by %v, %v: negative (use Slice)", x.Shape, lo, hi)
		}
		start[a] = D(lo[a])
		size[a] = size[a].Add(D(lo[a] + hi[a]))
	}
	return g.Place(x.Type, size, FloatBits(x.Type, fill), false, Piece{X: x, Start: start})
}

// Narrow is x's n elements from from along axis.
func (g *Graph) Narrow(x *Node, axis int, from, n Dim) *Node {
	start, step, size := wholeSpan(x.Shape)
	start[axis], size[axis] = from, n
	return g.Slice(x, start, step, size)
}

// Split cuts axis into parts of equal size.
func (g *Graph) Split(x *Node, axis, parts int) []*Node {
	axis = Axis("Split", x.Shape, axis)
	d := x.Shape[axis]
	if parts < 1 || d.C%parts != 0 || d.B%parts != 0 {
		Fail("Split", "%v: axis %d of %v is not %d equal parts", x.Shape, axis, d, parts)
	}
	each := Dim{d.C / parts, d.B / parts}
	res := make([]*Node, parts)
	for i := range res {
		res[i] = g.Narrow(x, axis, Dim{each.C * i, each.B * i}, each)
	}
	return res
}

// OneHot has 1 at idx[…] along a new last axis of size n, 0 elsewhere; an index out of range gives
// zeros.
func (g *Graph) OneHot(idx *Node, n int, t dtype.Type) *Node {
	if !idx.Type.IsInt() {
		Fail("OneHot", "%v of type %v: int32 or int64 indices are needed", idx.Shape, idx.Type)
	}
	s := slices.Concat(idx.Shape, Static(n))
	wide := g.Broadcast(g.Reshape(idx, slices.Concat(idx.Shape, ones(1))), s)
	return g.Convert(g.Apply(ops.Eq, wide, g.Iota(idx.Type, s, len(idx.Shape))), t)
}

// TakeAlong is x[…, idx[…, j, …], …]: idx has x's shape but for axis.
func (g *Graph) TakeAlong(x, idx *Node, axis int, pos string) *Node {
	axis = Axis("TakeAlong", x.Shape, axis)
	if !idx.Type.IsInt() || idx.Rank() != x.Rank() || !idx.Shape.Drop(axis, axis+1).Equal(x.Shape.Drop(axis, axis+1)) {
		Fail("TakeAlong", "%v at %v %v: indices of an integer type and of the same shape beside axis %d are needed", x.Shape, idx.Type, idx.Shape, axis)
	}
	if axis == x.Rank()-1 {
		return g.take(x, idx, axis, ForRows, pos)
	}
	return g.take(x, idx, axis, ForElements, pos)
}

// along is TakeAlong at indices of whole rows, which are ready where axis is the last one.
func (g *Graph) along(x, idx *Node, axis int, pos string) *Node {
	last := x.Rank() - 1
	y := g.take(g.MoveAxis(x, axis, last), g.MoveAxis(idx, axis, last), last, ForRows, pos)
	return g.MoveAxis(y, last, axis)
}

// flatSize is the number of elements; it fails where it is not affine in the batch.
func flatSize(op string, s Shape) Dim {
	n, ok := s.Size()
	if !ok {
		Fail(op, "%v: more than one axis depends on the batch", s)
	}
	return n
}

// MoveAxis moves one axis; the others keep their order.
func (g *Graph) MoveAxis(x *Node, from, to int) *Node {
	p := axisRange(0, x.Rank())
	p = slices.Delete(p, from, from+1)
	return g.Transpose(x, slices.Insert(p, to, from))
}

// ScatterAdd is x with upd's slices (shape x[:axis] + idx + x[axis+1:]) added along axis at idx.
func (g *Graph) ScatterAdd(x, idx, upd *Node, axis int, pos string) *Node {
	axis = Axis("ScatterAdd", x.Shape, axis)
	if upd.Type != x.Type {
		Fail("ScatterAdd", "%v, %v: types %v and %v differ", x.Shape, upd.Shape, x.Type, upd.Type)
	}
	return g.scatter(x.Shape, idx, upd, x, axis, ForAll, pos)
}

// Keep is Reduce with the folded axes kept as 1.
func (g *Graph) Keep(r Reduction, x *Node, axes ...int) *Node {
	axes = Axes(r.PublicName(), x.Shape, axes)
	return g.Reshape(g.Reduce(r, x, axes...), keepShape(x.Shape, axes))
}

func keepShape(s Shape, axes []int) Shape {
	s = slices.Clone(s)
	for _, a := range axes {
		s[a] = D(1)
	}
	return s
}

// MeanKeep is the mean over axes, kept as 1. The mean of nothing is NaN.
func (g *Graph) MeanKeep(x *Node, axes ...int) *Node {
	if !x.Type.IsFloat() {
		Fail("Mean", "%v of %v is not defined (use Convert)", x.Shape, x.Type)
	}
	axes = Axes("Mean", x.Shape, axes)
	count := g.Const(x.Type, nil, 1)
	for _, a := range axes {
		count = g.Apply(ops.Mul, count, g.DimSize(x.Type, x.Shape[a]))
	}
	return g.Map(ops.Div, g.Keep(Sum, x, axes...), count)
}

// Mean is the mean over axes.
func (g *Graph) Mean(x *Node, axes ...int) *Node { return g.dropped(g.MeanKeep, "Mean", x, axes) }

// VarKeep is the population variance over axes, kept as 1.
func (g *Graph) VarKeep(x *Node, axes ...int) *Node {
	centred := g.Map(ops.Sub, x, g.MeanKeep(x, axes...))
	return g.MeanKeep(g.Apply(ops.Square, centred), axes...)
}

// Var is the population variance over axes.
func (g *Graph) Var(x *Node, axes ...int) *Node { return g.dropped(g.VarKeep, "Var", x, axes) }

// dropped is a reduction that keeps axes with those axes gone.
func (g *Graph) dropped(keep func(x *Node, axes ...int) *Node, op string, x *Node, axes []int) *Node {
	axes = Axes(op, x.Shape, axes)
	s := slices.Clone(x.Shape)
	for i := len(axes) - 1; i >= 0; i-- {
		s = s.Drop(axes[i], axes[i]+1)
	}
	return g.Reshape(keep(x, axes...), s)
}

// shifted is x less its maximum over axes, which is a constant to derivatives; finite is that maximum,
// 0 where it is infinite.
func (g *Graph) shifted(op string, x *Node, axes []int) (z, top, finite *Node) {
	if !x.Type.IsFloat() {
		Fail(op, "%v of %v is not defined (use Convert)", x.Shape, x.Type)
	}
	if slices.ContainsFunc(axes, func(a int) bool { return x.Shape[a].Is(0) }) { // as where the batch turns out to be empty
		top = g.Const(x.Type, keepShape(x.Shape, axes), -infinity)
	} else {
		top = g.Stop(g.Keep(Max, x, axes...))
	}
	finite = g.Apply(ops.Where, g.Apply(ops.IsFinite, top), top, g.like(top, 0))
	return g.Map(ops.Sub, x, finite), top, finite
}

// LogSumExpKeep is log Σ exp(x) over axes, kept as 1. A row whose maximum is ±Inf gives that, with
// derivative 0.
func (g *Graph) LogSumExpKeep(x *Node, axes ...int) *Node {
	axes = Axes("LogSumExp", x.Shape, axes)
	z, top, finite := g.shifted("LogSumExp", x, axes)
	sum := g.Apply(ops.Add, g.Apply(ops.Log, g.Keep(Sum, g.Apply(ops.Exp, z), axes...)), finite)
	inf := g.Apply(ops.Eq, g.Apply(ops.Abs, top), g.like(top, infinity))
	return g.Apply(ops.Where, inf, top, sum)
}

// LogSumExp is log Σ exp(x) over axes.
func (g *Graph) LogSumExp(x *Node, axes ...int) *Node {
	return g.dropped(g.LogSumExpKeep, "LogSumExp", x, axes)
}

// Softmax is exp(x) / Σ exp(x) over axes.
func (g *Graph) Softmax(x *Node, axes ...int) *Node {
	axes = Axes("Softmax", x.Shape, axes)
	z, _, _ := g.shifted("Softmax", x, axes)
	e := g.Apply(ops.Exp, z)
	return g.Map(ops.Div, e, g.Keep(Sum, e, axes...))
}

// LogSoftmax is x - log Σ exp(x) over axes.
func (g *Graph) LogSoftmax(x *Node, axes ...int) *Node {
	axes = Axes("LogSoftmax", x.Shape, axes)
	z, _, _ := g.shifted("LogSoftmax", x, axes)
	return g.Map(ops.Sub, z, g.Apply(ops.Log, g.Keep(Sum, g.Apply(ops.Exp, z), axes...)))
}

// Norm2 is the Euclidean norm over axes; its derivative at 0 is 0.
func (g *Graph) Norm2(x *Node, axes ...int) *Node {
	axes = Axes("Norm", x.Shape, axes)
	sum := g.Reduce(Sum, g.Apply(ops.Square, x), axes...)
	return g.Apply(ops.Where, g.Apply(ops.Eq, sum, g.like(sum, 0)), g.like(sum, 0), g.Apply(ops.Sqrt, sum))
}

// PowInt is x to the power n by repeated squaring.
func (g *Graph) PowInt(x *Node, n int) *Node {
	if n < 0 {
		if !x.Type.IsFloat() {
			Fail("PowInt", "%v of %v by %d: negative powers need a float", x.Shape, x.Type, n)
		}
		if n == -n {
			Fail("PowInt", "%v: the power overflows", x.Shape)
		}
		return g.Apply(ops.Reciprocal, g.PowInt(x, -n))
	}
	y := g.like(x, 1)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			y = g.Apply(ops.Mul, y, x)
		}
		if n > 1 {
			x = g.Apply(ops.Square, x)
		}
	}
	return y
}
