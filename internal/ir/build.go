package ir

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Param is input i of the program.
func (g *Graph) Param(i int, t dtype.Type, s Shape) *Node {
	s.Check("input")
	return g.add(Node{Kind: Param, Type: t, Shape: s, Bits: uint64(i)})
}

// Hole is a fresh stand-in.
func (g *Graph) Hole(t dtype.Type, s Shape) *Node {
	g.holes++
	return g.add(Node{Kind: Hole, Type: t, Shape: s, Bits: g.holes})
}

// Bits is the array whose every element has the given bits.
func (g *Graph) Bits(t dtype.Type, s Shape, bits uint64) *Node {
	s.Check("Full")
	return g.add(Node{Kind: Const, Type: t, Shape: s, Bits: bits})
}

// Const is the array whose every element is x.
func (g *Graph) Const(t dtype.Type, s Shape, x float64) *Node {
	if t.IsHalf() { // operations on it use the number itself
		return g.rounded(g.Const(dtype.F32, s, x), t)
	}
	return g.Bits(t, s, FloatBits(t, x))
}

// arrayKey is what equal arrays have in common.
type arrayKey struct {
	t    dtype.Type
	hash uint64
}

var arraySeed = maphash.MakeSeed()

// Captured is a constant array; arrays of equal bytes are one. The caller never changes a afterwards.
func (g *Graph) Captured(t dtype.Type, s Shape, a *Array) *Node {
	k := arrayKey{t, maphash.Bytes(arraySeed, a.Bytes)}
	i := slices.IndexFunc(g.arrays[k], func(old *Array) bool { return bytes.Equal(old.Bytes, a.Bytes) })
	if i >= 0 {
		a = g.arrays[k][i]
	} else {
		if g.arrays == nil {
			g.arrays = map[arrayKey][]*Array{}
		}
		g.arrays[k] = append(g.arrays[k], a)
	}
	return g.add(Node{Kind: Data, Type: t, Shape: s, Data: a})
}

// Iota counts 0, 1, … along axis: the node is a line of all axes, broadcast.
func (g *Graph) Iota(t dtype.Type, s Shape, axis int) *Node {
	s.Check("Iota")
	checkAxis("Iota", s, axis)
	if t == dtype.Bool {
		Fail("Iota", "of bool: a number type is needed")
	}
	if t.IsHalf() {
		return g.rounded(g.Iota(dtype.F32, s, axis), t)
	}
	line := ones(len(s))
	line[axis] = s[axis]
	return g.Broadcast(g.add(Node{Kind: Iota, Type: t, Shape: line, Axes: []int{axis}}), s)
}

// DimSize is the size d as a scalar of type t.
func (g *Graph) DimSize(t dtype.Type, d Dim) *Node {
	if d.Static() {
		return g.Const(t, nil, float64(d.C))
	}
	if t.IsHalf() {
		return g.rounded(g.DimSize(dtype.F32, d), t)
	}
	return g.add(Node{Kind: DimSize, Type: t, Size: d})
}

func checkAxis(op string, s Shape, axis int) {
	if axis < 0 || axis >= len(s) {
		Fail(op, "%v: axis %d is not in 0 … %d", s, axis, len(s)-1)
	}
}

// ResultType checks the argument types of a pointwise op and gives that of its result.
func ResultType(op ops.ID, in ...dtype.Type) dtype.Type {
	row := op.Row()
	if len(in) != row.Arity {
		Fail(PublicName(op), "takes %d arguments, not %d", row.Arity, len(in))
	}
	args := in
	if row.Class == ops.Select {
		if in[0] != dtype.Bool {
			Fail(PublicName(op), "%v: the condition must be bool", in)
		}
		args = in[1:]
	}
	t := args[0]
	for _, u := range args {
		if u != t {
			Fail(PublicName(op), "%v: the types differ (use Convert)", in)
		}
	}
	ok := true
	out := t
	switch row.Class {
	case ops.Float:
		ok = t.IsFloat()
	case ops.Arith:
		ok = t.IsFloat() || t.IsInt()
	case ops.Compare:
		ok = t != dtype.Bool || op == ops.Eq || op == ops.Ne
		out = dtype.Bool
	case ops.Test:
		ok, out = t.IsFloat(), dtype.Bool
	case ops.Logic:
		ok = t == dtype.Bool
	case ops.Bitwise:
		ok = t.IsInt()
	}
	if !ok {
		Fail(PublicName(op), "of %v is not defined", t)
	}
	return out
}

// Apply is the pointwise op on arguments of one shape.
func (g *Graph) Apply(op ops.ID, in ...*Node) *Node {
	var types [3]dtype.Type
	for i, x := range in {
		types[i] = x.Type
		if !x.Shape.Equal(in[0].Shape) {
			Fail(PublicName(op), "%v, %v: the shapes differ", in[0].Shape, x.Shape)
		}
	}
	t := ResultType(op, types[:len(in)]...)
	if types[len(in)-1].IsHalf() {
		wide := make([]*Node, len(in))
		for i, x := range in {
			if wide[i] = x; x.Type.IsHalf() {
				wide[i] = g.single(x)
			}
		}
		if y := g.Apply(op, wide...); !t.IsHalf() {
			return y
		} else {
			return g.rounded(y, t)
		}
	}
	if y := g.foldPointwise(op, t, in); y != nil {
		return y
	}
	return g.add(Node{Kind: Pointwise, Op: op, Type: t, Shape: in[0].Shape, In: slices.Clone(in)})
}

// Convert gives x's elements as type t. Floats to integers truncate toward zero. BF16s and F16s go through F32.
func (g *Graph) Convert(x *Node, t dtype.Type) *Node {
	switch {
	case x.Type == t:
		return x
	case x.Type.IsHalf():
		return g.Convert(g.single(x), t)
	case t.IsHalf():
		return g.round(g.Convert(x, dtype.F32), t, false)
	case x.Kind == Const:
		return g.foldConvert(x, t)
	case x.Kind == Broadcast:
		return g.Broadcast(g.Convert(x.In[0], t), x.Shape)
	}
	return g.add(Node{Kind: Convert, Type: t, Shape: x.Shape, In: []*Node{x}})
}

// Broadcast repeats x's axes of size 1 to shape s of the same rank.
func (g *Graph) Broadcast(x *Node, s Shape) *Node {
	s.Check("Broadcast")
	if len(s) != x.Rank() {
		Fail("Broadcast", "%v to %v: the ranks differ", x.Shape, s)
	}
	for i, d := range x.Shape {
		if d != s[i] && !d.Is(1) {
			Fail("Broadcast", "%v to %v: axis %d of size %v is not 1", x.Shape, s, i, d)
		}
	}
	switch {
	case x.Shape.Equal(s):
		return x
	case x.Kind == Const:
		return g.Bits(x.Type, s, x.Bits)
	case x.Kind == Broadcast:
		return g.Broadcast(x.In[0], s)
	}
	return g.add(Node{Kind: Broadcast, Type: x.Type, Shape: s, In: []*Node{x}})
}

// Reshape gives x's elements, in row-major order, shape s.
func (g *Graph) Reshape(x *Node, s Shape) *Node {
	s.Check("Reshape")
	if !sameSize(x.Shape, s) {
		Fail("Reshape", "%v to %v: the numbers of elements differ", x.Shape, s)
	}
	switch {
	case x.Shape.Equal(s):
		return x
	case x.Kind == Const:
		return g.Bits(x.Type, s, x.Bits)
	case x.Kind == Reshape:
		return g.Reshape(x.In[0], s)
	}
	return g.add(Node{Kind: Reshape, Type: x.Type, Shape: s, In: []*Node{x}})
}

// sameSize compares the element counts as polynomials in the batch, so that it holds for every batch.
func sameSize(s, t Shape) bool {
	if sameButOnes(s, t) {
		return true
	}
	poly := func(s Shape) []int {
		p := []int{1}
		for _, d := range s {
			q := make([]int, len(p)+1)
			for i, c := range p {
				q[i] += c * d.C
				q[i+1] += c * d.B
			}
			for len(q) > 1 && q[len(q)-1] == 0 {
				q = q[:len(q)-1]
			}
			p = q
		}
		return p
	}
	return slices.Equal(poly(s), poly(t))
}

// sameButOnes reports whether s and t differ by axes of size 1 only.
func sameButOnes(s, t Shape) bool {
	for len(s) > 0 || len(t) > 0 {
		switch {
		case len(s) > 0 && s[0].Is(1):
			s = s[1:]
		case len(t) > 0 && t[0].Is(1):
			t = t[1:]
		case len(s) == 0 || len(t) == 0 || s[0] != t[0]:
			return false
		default:
			s, t = s[1:], t[1:]
		}
	}
	return true
}

// Transpose permutes axes: axis i of the result is axis perm[i] of x.
func (g *Graph) Transpose(x *Node, perm []int) *Node {
	if len(perm) != x.Rank() {
		Fail("Transpose", "%v by %v: %d axes are needed", x.Shape, perm, x.Rank())
	}
	seen := make([]bool, len(perm))
	s := make(Shape, len(perm))
	identity, moved := true, 0
	for i, a := range perm {
		if a < 0 || a >= len(perm) || seen[a] {
			Fail("Transpose", "%v by %v: not a permutation of the axes", x.Shape, perm)
		}
		seen[a] = true
		s[i] = x.Shape[a]
		identity = identity && i == a
		// An axis of size 1 moves for free; if the others keep their order it is a reshape.
		if !s[i].Is(1) {
			if a < moved {
				moved = len(perm)
			} else if moved < len(perm) {
				moved = a
			}
		}
	}
	switch {
	case identity:
		return x
	case moved < len(perm):
		return g.Reshape(x, s)
	case x.Kind == Const:
		return g.Bits(x.Type, s, x.Bits)
	case x.Kind == Transpose:
		p := make([]int, len(perm))
		for i, a := range perm {
			p[i] = x.Axes[a]
		}
		return g.Transpose(x.In[0], p)
	}
	return g.add(Node{Kind: Transpose, Type: x.Type, Shape: s, In: []*Node{x}, Axes: slices.Clone(perm)})
}

// Slice takes size[a] elements of axis a from start[a] in steps of step[a] ≥ 1.
func (g *Graph) Slice(x *Node, start []Dim, step []int, size Shape) *Node {
	r := x.Rank()
	if len(start) != r || len(step) != r || len(size) != r {
		Fail("Slice", "%v: %d axes are needed", x.Shape, r)
	}
	whole := true
	for a, d := range x.Shape {
		if step[a] < 1 {
			Fail("Slice", "%v: step %d of axis %d is not positive", x.Shape, step[a], a)
		}
		checkSpan("Slice", x.Shape, a, start[a], step[a], size[a])
		whole = whole && start[a].Is(0) && step[a] == 1 && size[a] == d
	}
	switch {
	case whole:
		return x
	case x.Kind == Const:
		return g.Bits(x.Type, size, x.Bits)
	case x.Kind == Slice:
		at, by := make([]Dim, r), make([]int, r)
		for a := range r {
			at[a] = x.Start[a].Add(Dim{start[a].C * x.Step[a], start[a].B * x.Step[a]})
			by[a] = step[a] * x.Step[a]
		}
		return g.Slice(x.In[0], at, by, size)
	case x.Kind == Place && !x.Flag:
		for p, piece := range x.In { // reading back what was placed
			if piece.Shape.Equal(size) && slices.Equal(x.Start[p*r:(p+1)*r], start) && slices.Equal(x.Step[p*r:(p+1)*r], step) {
				return piece
			}
		}
		if apart(x, start, step, size) {
			return g.Bits(x.Type, size, x.Bits)
		}
	}
	return g.add(Node{Kind: Slice, Type: x.Type, Shape: slices.Clone(size), In: []*Node{x}, Start: slices.Clone(start), Step: slices.Clone(step)})
}

// apart reports whether a slice of the Place x is seen to hold nothing but what is between its pieces.
func apart(x *Node, start []Dim, step []int, size Shape) bool {
	s, r := Piece{&Node{Shape: size}, start, step}, len(size)
	for p, piece := range x.In {
		q, clear := Piece{piece, x.Start[p*r : (p+1)*r], x.Step[p*r : (p+1)*r]}, false
		for a := range r {
			clear = clear || s.before(q, a) || q.before(s, a)
		}
		if !clear {
			return false
		}
	}
	return true
}

// checkSpan checks start + (size-1)·step < s[axis] for every batch ≥ 1.
func checkSpan(op string, s Shape, axis int, start Dim, step int, size Dim) {
	last := start.Add(Dim{(size.C - 1) * step, size.B * step})
	room := s[axis].Sub(last) // must be ≥ 1 for every batch ≥ 1
	bad := func(d Dim, min int) bool { return d.B < 0 || d.C+d.B < min }
	if size.Is(0) {
		room = s[axis].Sub(start).Add(D(1))
	}
	if bad(start, 0) || bad(size, 0) || bad(room, 1) {
		Fail(op, "%v: start %v, step %d, size %v leaves axis %d of size %v", s, start, step, size, axis, s[axis])
	}
}

// Reverse turns axes around.
func (g *Graph) Reverse(x *Node, axes ...int) *Node {
	axes = slices.Clone(axes)
	slices.Sort(axes)
	for i, a := range axes {
		checkAxis("Reverse", x.Shape, a)
		if i > 0 && axes[i-1] == a {
			Fail("Reverse", "%v: axis %d is named twice", x.Shape, a)
		}
	}
	axes = slices.DeleteFunc(axes, func(a int) bool { return x.Shape[a].Is(1) })
	switch {
	case len(axes) == 0 || x.Kind == Const:
		return x
	case x.Kind == Reverse && slices.Equal(x.Axes, axes):
		return x.In[0]
	}
	return g.add(Node{Kind: Reverse, Type: x.Type, Shape: x.Shape, In: []*Node{x}, Axes: axes})
}

// Piece is one operand of Place.
type Piece struct {
	X     *Node
	Start []Dim
	Step  []int // nil: ones
}

// Place makes an array of shape s: zeros (or fill), then every piece at its place. With add the
// pieces are added, in order, and may overlap; else they may not.
func (g *Graph) Place(t dtype.Type, s Shape, fill uint64, add bool, pieces ...Piece) *Node {
	s.Check("Place")
	r := len(s)
	if add && t.IsHalf() {
		wide := slices.Clone(pieces)
		for i, p := range pieces {
			wide[i].X = g.Convert(p.X, dtype.F32)
		}
		return g.rounded(g.Place(dtype.F32, s, FloatBits(dtype.F32, BitsFloat(t, fill)), true, wide...), t)
	}
	n := Node{Kind: Place, Type: t, Shape: s, Bits: fill, Flag: add}
	for _, p := range pieces {
		if p.X.Rank() != r || p.X.Type != t || len(p.Start) != r {
			Fail("Place", "%v %v into %v %v: rank or type differs", p.X.Shape, p.X.Type, s, t)
		}
		step := p.Step
		if step == nil {
			step = make([]int, r)
			for a := range step {
				step[a] = 1
			}
		}
		empty := false
		for a := range r {
			checkSpan("Place", s, a, p.Start[a], step[a], p.X.Shape[a])
			empty = empty || p.X.Shape[a].Is(0)
		}
		if empty {
			continue
		}
		n.In = append(n.In, p.X)
		n.Start = append(n.Start, p.Start...)
		n.Step = append(n.Step, step...)
	}
	if len(n.In) == 0 {
		return g.Bits(t, s, fill)
	}
	if len(n.In) == 1 && n.In[0].Shape.Equal(s) {
		return n.In[0]
	}
	if g.rowSums != nil {
		if axis := n.overlaps(); axis >= 0 {
			return g.apartAlong(axis, &n)
		}
	}
	return g.add(n)
}

// Indexed says for what a Take or Scatter has indices of their own; it is such a node's Bits.
type Indexed uint64

const (
	ForAll      Indexed = iota // the same for every place before and behind the axis
	ForRows                    // theirs for each place before it: they begin with the axes there
	ForElements                // for each place behind it, too: one axis in the place of that axis
)

// with is s with the axes of indices in the place of axis, and whether they may be so indexed.
func (k Indexed) with(s, idx Shape, axis int) (Shape, bool) {
	switch k {
	case ForRows:
		return slices.Concat(idx, s[axis+1:]), len(idx) >= axis && idx[:axis].Equal(s[:axis])
	case ForElements:
		return idx, len(idx) == len(s) && idx.Drop(axis, axis+1).Equal(s.Drop(axis, axis+1))
	}
	return slices.Concat(s[:axis], idx, s[axis+1:]), true
}

// Indices is how the indices of a Take or Scatter lie: that of place o before and i behind the axis, number j of Count, is number
// Before·o + Next·j + Behind·i.
type Indices struct{ Count, Before, Next, Behind int }

// At is the number of an index.
func (x Indices) At(o, j, i int) int { return x.Before*o + x.Next*j + x.Behind*i }

// Indices are those of n, all of them, for outer places before the axis and inner ones behind it.
func (n *Node) Indices(all, outer, inner int) Indices {
	switch Indexed(n.Bits) {
	case ForRows:
		count := all / max(outer, 1)
		return Indices{count, count, 1, 0}
	case ForElements:
		count := all / max(outer*inner, 1)
		return Indices{count, count * inner, inner, 1}
	}
	return Indices{all, 0, 1, 0}
}

// Take gathers x's slices along axis at the indices idx (I32 or I64): the result has shape
// x[:axis] + idx + x[axis+1:]. An index out of range is an error of the run.
func (g *Graph) Take(x, idx *Node, axis int, pos string) *Node {
	return g.take(x, idx, axis, ForAll, pos)
}

func (g *Graph) take(x, idx *Node, axis int, of Indexed, pos string) *Node {
	checkAxis("Take", x.Shape, axis)
	s, ok := of.with(x.Shape, idx.Shape, axis)
	if !idx.Type.IsInt() {
		Fail("Take", "%v at %v: indices of type %v, not int32 or int64", x.Shape, idx.Shape, idx.Type)
	}
	if !ok {
		Fail("Take", "%v at %v: indices of the same shape beside axis %d are needed", x.Shape, idx.Shape, axis)
	}
	s.Check("Take")
	return g.add(Node{Kind: Take, Type: x.Type, Shape: s, In: []*Node{x, idx}, Axes: []int{axis}, Bits: uint64(of), Pos: pos})
}

// takeAs is the Take of x at idx as the Take or Scatter n has its indices.
func (g *Graph) takeAs(n, x, idx *Node) *Node {
	return g.take(x, idx, n.Axes[0], Indexed(n.Bits), n.Pos)
}

// Scatter is Take's transpose: an array of shape s, zeros, to which upd's slices (shape
// s[:axis] + idx + s[axis+1:]) are added along axis at the indices, in the order of the indices.
func (g *Graph) Scatter(s Shape, idx, upd *Node, axis int, pos string) *Node {
	s.Check("Scatter")
	return g.scatter(s, idx, upd, nil, axis, ForAll, pos)
}

// scatter adds to x in the place of zeros where that is not nil.
func (g *Graph) scatter(s Shape, idx, upd, x *Node, axis int, of Indexed, pos string) *Node {
	checkAxis("Scatter", s, axis)
	want, ok := of.with(s, idx.Shape, axis)
	if !ok || !upd.Shape.Equal(want) || !idx.Type.IsInt() || upd.Type == dtype.Bool {
		Fail("ScatterAdd", "%v at %v %v into %v: updates of shape %v and a number type, integer indices are needed", upd.Shape, idx.Type, idx.Shape, s, want)
	}
	if upd.Type.IsHalf() {
		return g.inSingle(upd, func(upd *Node) *Node {
			if x != nil {
				x = g.single(x)
			}
			return g.scatter(s, idx, upd, x, axis, of, pos)
		})
	}
	n := Node{Kind: Scatter, Type: upd.Type, Shape: s, In: []*Node{idx, upd}, Axes: []int{axis}, Bits: uint64(of), Pos: pos}
	if x != nil && !(x.Kind == Const && x.Bits == 0) {
		n.In = append(n.In, x)
	}
	return g.add(n)
}

// scatterAs is the Scatter of upd to an array of shape s at idx as the Take or Scatter n has its indices, to x where that is not nil.
func (g *Graph) scatterAs(n *Node, s Shape, idx, upd, x *Node) *Node {
	return g.scatter(s, idx, upd, x, n.Axes[0], Indexed(n.Bits), n.Pos)
}

// Reduce folds the given axes, which go; of bools they may be empty. Axes that are not neighbours are folded run by run, the
// last first. ArgMax and ArgMin take one axis.
func (g *Graph) Reduce(r Reduction, x *Node, axes ...int) *Node {
	name := r.PublicName()
	arg := r >= ArgMax
	switch {
	case x.Type == dtype.Bool && r != Max && r != Min:
		Fail(name, "%v of bool is not defined (use Convert)", x.Shape)
	case arg && len(axes) != 1:
		Fail(name, "%v: one axis is needed, not %d", x.Shape, len(axes))
	}
	if x.Type.IsHalf() {
		return g.inSingle(x, func(x *Node) *Node { return g.Reduce(r, x, axes...) })
	}
	axes = slices.Clone(axes)
	slices.Sort(axes)
	for i, a := range axes {
		checkAxis(name, x.Shape, a)
		if i > 0 && axes[i-1] == a {
			Fail(name, "%v: axis %d is named twice", x.Shape, a)
		}
		if x.Shape[a].Is(0) && r != Sum && r != Prod && x.Type != dtype.Bool {
			Fail(name, "%v: axis %d is empty", x.Shape, a)
		}
	}
	for hi := len(axes); hi > 0; {
		lo := hi - 1
		for lo > 0 && axes[lo-1] == axes[lo]-1 {
			lo--
		}
		x = g.reduceRun(r, x, axes[lo], axes[hi-1]+1)
		hi = lo
	}
	return x
}

func (g *Graph) reduceRun(r Reduction, x *Node, lo, hi int) *Node {
	s := x.Shape.Drop(lo, hi)
	one := true
	for _, d := range x.Shape[lo:hi] {
		one = one && d.Is(1)
		if d.Is(0) && x.Type == dtype.Bool { // all of none are true, any is not
			all := 0.0
			if r == Min {
				all = 1
			}
			return g.Const(dtype.Bool, s, all)
		}
	}
	t := x.Type
	if r >= ArgMax {
		t = dtype.I64
		if one {
			return g.Const(t, s, 0)
		}
	} else if one {
		return g.Reshape(x, s)
	}
	if r == Sum && g.rowSums != nil && g.fewRows(x, lo, hi) {
		return g.sumRows(rowSum{x, lo, x.Shape[lo].C})
	}
	if x.Kind == Const && (r == Max || r == Min) {
		return g.Bits(t, s, x.Bits)
	}
	if y := g.sumOfProducts(r, x, lo, hi); y != nil {
		return y
	}
	return g.add(Node{Kind: Reduce, Reduction: r, Type: t, Shape: s, In: []*Node{x}, Axes: []int{lo, hi}})
}

// CumSum adds up along axis, from the end when reverse.
func (g *Graph) CumSum(x *Node, axis int, reverse bool) *Node {
	return g.cumulate(Sum, axis, reverse, x)
}

func (g *Graph) cumulate(r Reduction, axis int, reverse bool, in ...*Node) *Node {
	op, x := cumulateNames[r], in[0]
	checkAxis(op, x.Shape, axis)
	if x.Type == dtype.Bool {
		Fail(op, "%v of bool is not defined (use Convert)", x.Shape)
	}
	if x.Shape[axis].Is(1) || x.Shape[axis].Is(0) {
		return x
	}
	if x.Type.IsHalf() {
		return g.inSingle(x, func(x *Node) *Node { return g.cumulate(r, axis, reverse, append([]*Node{x}, in[1:]...)...) })
	}
	return g.add(Node{Kind: Cumulate, Reduction: r, Type: x.Type, Shape: x.Shape, In: slices.Clone(in), Axes: []int{axis}, Flag: reverse})
}

var cumulateNames = [NumReductions]string{Sum: "CumSum", Prod: "CumProd", Max: "CumMax", Min: "CumMin"}

// outerRow is the length from which on rows of a batch of outer products are written by a cluster, one after the
// other and fused with what reads them, sooner than tile by tile by a product.
const outerRow = 32

// MatMul is [batch… m k] × [batch… k n], floats.
func (g *Graph) MatMul(x, y *Node) *Node {
	z := g.product(x, y)
	if x.Type.IsHalf() {
		return g.rounded(z, x.Type)
	}
	return z
}

// product is MatMul; of BF16s and F16s it gives F32s. With one column that is the product of the operands as F32s:
// nothing is to be gained where every element is used once.
func (g *Graph) product(x, y *Node) *Node { return g.productBy(x, y, nil, false) }

// productBy is product with what a MatMul of windows has as Step and Flag.
func (g *Graph) productBy(x, y *Node, step []int, flag bool) *Node {
	r := x.Rank()
	if r < 2 || y.Rank() != r || !x.Shape[:r-2].Equal(y.Shape[:r-2]) {
		Fail("MatMul", "%v × %v: the batch axes differ", x.Shape, y.Shape)
	}
	if x.Shape[r-1] != y.Shape[r-2] {
		Fail("MatMul", "%v × %v: inner sizes %v and %v differ", x.Shape, y.Shape, x.Shape[r-1], y.Shape[r-2])
	}
	if x.Type != y.Type || !x.Type.IsFloat() {
		Fail("MatMul", "%v × %v: types %v and %v, not one float type", x.Shape, y.Shape, x.Type, y.Type)
	}
	t := x.Type
	if t.IsHalf() {
		if t = dtype.F32; y.Shape[r-1].Is(1) {
			return g.product(g.single(x), g.single(y))
		}
	}
	s := slices.Clone(x.Shape)
	s[r-1] = y.Shape[r-1]
	s.Check("MatMul")
	if n := s[r-1]; t == x.Type && r > 2 && x.Shape[r-1].Is(1) && n.Static() && n.C >= outerRow {
		return g.Map(ops.Mul, x, y)
	}
	return g.add(Node{Kind: MatMul, Type: t, Shape: s, In: []*Node{x, y}, Step: step, Flag: flag})
}

// Stop is x with derivative zero.
func (g *Graph) Stop(x *Node) *Node {
	if x.Kind == Stop || x.Kind == Const {
		return x
	}
	return g.add(Node{Kind: Stop, Type: x.Type, Shape: x.Shape, In: []*Node{x}})
}

// Alias is x as a variable of its own, equal to no other alias.
func (g *Graph) Alias(x *Node) *Node {
	g.holes++
	return g.add(Node{Kind: Alias, Type: x.Type, Shape: x.Shape, In: []*Node{x}, Bits: g.holes})
}

// ofOrder are functions of an order as those of orders 0 and 1, which have vector programs.
var ofOrder = map[ops.ID][2]ops.ID{ops.BesselJ: {ops.BesselJ0, ops.BesselJ1}, ops.BesselY: {ops.BesselY0, ops.BesselY1},
	ops.BesselI: {ops.BesselI0, ops.BesselI1}, ops.BesselK: {ops.BesselK0, ops.BesselK1}, ops.ExpintN: {1: ops.Expint},
	ops.BesselIx: {ops.BesselI0x, ops.BesselI1x}, ops.BesselKx: {ops.BesselK0x, ops.BesselK1x}, ops.Polygamma: {ops.Digamma, ops.Trigamma}}

// foldPointwise gives the node that op on in simplifies to, nil for none. Every rule but that of
// known orders, whose functions differ by what their rows allow, is exact for all inputs, NaN and −0 included.
func (g *Graph) foldPointwise(op ops.ID, t dtype.Type, in []*Node) *Node {
	consts, spread := 0, -1
	for i, x := range in {
		switch x.Kind {
		case Const:
			consts++
		case Broadcast:
			if spread < 0 || x.In[0].Shape.Equal(in[spread].In[0].Shape) {
				spread = i
			} else {
				return nil
			}
		}
	}
	s := in[0].Shape
	if consts == len(in) {
		if y, ok := evalConst(op, t, in); ok {
			return g.Bits(t, s, y)
		}
	}
	if to, ok := ofOrder[op]; ok {
		for n, f := range to {
			if f != 0 && in[0].IsConst(float64(n)) {
				return g.Apply(f, in[1])
			}
		}
	}
	switch op {
	case ops.Mul:
		for i := range 2 {
			if in[i].IsConst(1) {
				return in[1-i]
			}
			if in[i].IsConst(-1) {
				return g.Apply(ops.Neg, in[1-i])
			}
		}
		if in[0].Kind == Const && in[1].Kind != Const {
			return g.Apply(op, in[1], in[0]) // one order, so that equal products are one node
		}
	case ops.Div:
		if in[1].IsConst(1) {
			return in[0]
		}
		if in[1].Kind == Const && t.IsFloat() {
			c := BitsFloat(t, in[1].Bits)
			if f, e := math.Frexp(math.Abs(c)); f == 0.5 && e > -100 && e < 100 { // a power of two: exact
				return g.Apply(ops.Mul, in[0], g.Const(t, s, 1/c))
			}
		}
	case ops.Sub:
		if in[1].IsConst(0) {
			return in[0]
		}
	case ops.Neg:
		if in[0].Kind == Pointwise && in[0].Op == ops.Neg {
			return in[0].In[0]
		}
	case ops.Not:
		if in[0].Kind == Pointwise && in[0].Op == ops.Not {
			return in[0].In[0]
		}
	case ops.Where:
		if in[0].Kind == Const {
			return in[2-int(in[0].Bits&1)]
		}
		if in[1] == in[2] {
			return in[1]
		}
	}
	// op(broadcast x, broadcast y, constant) = broadcast(op(x, y, constant)): work on the small shape.
	if spread >= 0 {
		small := make([]*Node, len(in))
		for i, x := range in {
			switch {
			case x.Kind == Broadcast:
				small[i] = x.In[0]
			case x.Kind == Const:
				small[i] = g.Bits(x.Type, in[spread].In[0].Shape, x.Bits)
			default:
				return nil
			}
		}
		return g.Broadcast(g.Apply(op, small...), s)
	}
	return nil
}

// evalConst computes op on constants where float64 carries it exactly as the kernels would.
func evalConst(op ops.ID, t dtype.Type, in []*Node) (uint64, bool) {
	row := op.Row()
	if row.ULP != 0 { // the kernel's last bit may differ from Eval's
		return 0, false
	}
	if row.Class == ops.Bitwise && t != dtype.I32 { // what Eval is the meaning for
		return 0, false
	}
	var x [3]float64
	for i, n := range in {
		if n.Type.IsInt() && (op == ops.Div || op == ops.Mod) {
			return 0, false
		}
		x[i] = BitsFloat(n.Type, n.Bits)
		if n.Type == dtype.I64 && math.Abs(x[i]) >= 1<<53 {
			return 0, false
		}
	}
	if op == ops.Fma && t == dtype.F32 {
		return 0, false
	}
	y := row.Eval(x[0], x[1], x[2])
	if t.IsInt() && math.Abs(y) >= 1<<31 && row.Class != ops.Bitwise {
		return 0, false
	}
	return FloatBits(t, y), true
}

// foldConvert converts a constant.
func (g *Graph) foldConvert(x *Node, t dtype.Type) *Node {
	v := BitsFloat(x.Type, x.Bits)
	if t.IsInt() && !(math.Abs(v) < 1<<31) || x.Type == dtype.I64 && math.Abs(v) > 1<<52 {
		return g.add(Node{Kind: Convert, Type: t, Shape: x.Shape, In: []*Node{x}})
	}
	return g.Const(t, x.Shape, v)
}
