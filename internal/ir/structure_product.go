package ir

import (
	"math"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/ops"
)

var infinity = math.Inf(1)

// sumOfProducts writes Σ p·q over axes lo … hi-1 as a MatMul where p and q are repeated over axes of
// the other, so that the product of the two would be larger than either; nil where it is not that.
// A weight's gradient, written by broadcasting, becomes a Gemm.
func (g *Graph) sumOfProducts(r Reduction, x *Node, lo, hi int) *Node {
	if r != Sum || x.Kind != Pointwise || x.Op != ops.Mul && x.Op != ops.MulZ || !x.Type.IsFloat() {
		return nil
	}
	p, q := x.In[0], x.In[1]
	if p.Kind != Broadcast || q.Kind != Broadcast {
		return nil
	}
	p, q = p.In[0], q.In[0]
	var batch, m, n, k []int
	for a := range x.Shape {
		inP, inQ := !p.Shape[a].Is(1), !q.Shape[a].Is(1)
		reduced := a >= lo && a < hi
		switch {
		case !inP && !inQ && !x.Shape[a].Is(1):
			return nil
		case reduced && inP == inQ:
			k = append(k, a)
		case reduced:
			return nil
		case inP && inQ:
			batch = append(batch, a)
		case inP:
			m = append(m, a)
		case inQ:
			n = append(n, a)
		}
	}
	if len(m) == 0 || len(n) == 0 {
		return nil
	}
	y := g.contract(p, q, batch, m, n, k)
	if y == nil {
		return nil
	}
	// y's axes are batch, m, n; those of 1 were left out.
	order := slices.Concat(batch, m, n)
	perm := axisRange(0, len(order))
	slices.SortFunc(perm, func(i, j int) int { return order[i] - order[j] })
	return g.Reshape(g.Transpose(y, perm), x.Shape.Drop(lo, hi))
}

// contract is the product of p and q summed over axes k, which both have; the result's axes are
// those named batch (of both), m (of p), n (of q), in order. The axes of p and q that are not named
// are 1. It is nil where a group's size is not affine in the batch.
func (g *Graph) contract(p, q *Node, batch, m, n, k []int) *Node {
	pick := func(x *Node, axes []int) Shape {
		s := make(Shape, len(axes))
		for i, a := range axes {
			s[i] = x.Shape[a]
		}
		return s
	}
	sb, sm, sn, sk := pick(p, batch), pick(p, m), pick(q, n), pick(p, k)
	M, okM := sm.Size()
	N, okN := sn.Size()
	K, okK := sk.Size()
	if !okM || !okN || !okK {
		return nil
	}
	left := g.Reshape(g.ordered(p, slices.Concat(batch, m, k)), slices.Concat(sb, Shape{M, K}))
	right := g.Reshape(g.ordered(q, slices.Concat(batch, k, n)), slices.Concat(sb, Shape{K, N}))
	return g.Reshape(g.MatMul(left, right), slices.Concat(sb, sm, sn))
}

// ordered has the named axes of x in that order; the others, of 1, go.
func (g *Graph) ordered(x *Node, axes []int) *Node {
	perm := slices.Clone(axes)
	for a := range x.Shape {
		if !slices.Contains(axes, a) {
			perm = append(perm, a)
		}
	}
	y := g.Transpose(x, perm)
	return g.Reshape(y, y.Shape[:len(axes)])
}

// MatMulND is NumPy's matmul: vectors are a row at the left and a column at the right, batch axes
// broadcast. A matrix at the right takes the rows of the whole batch in one product.
func (g *Graph) MatMulND(x, y *Node) *Node {
	bad := func() {
		Fail("MatMul", "%v × %v: at least one axis each is needed", x.Shape, y.Shape)
	}
	if x.Rank() == 0 || y.Rank() == 0 {
		bad()
	}
	kx, ky := x.Shape[x.Rank()-1], y.Shape[max(0, y.Rank()-2)]
	if kx != ky {
		Fail("MatMul", "%v × %v: inner sizes %v and %v differ", x.Shape, y.Shape, kx, ky)
	}
	if x.Type != y.Type || !x.Type.IsFloat() {
		Fail("MatMul", "%v × %v: types %v and %v, not one float type", x.Shape, y.Shape, x.Type, y.Type)
	}
	a, b := x, y
	if x.Rank() == 1 {
		a = g.Reshape(x, Shape{D(1), kx})
	}
	if y.Rank() == 1 {
		b = g.Reshape(y, Shape{ky, D(1)})
	}
	z := g.matMulBatch(a, b)
	s := slices.Clone(z.Shape)
	if y.Rank() == 1 {
		s = s[:len(s)-1]
	}
	if x.Rank() == 1 {
		s = slices.Delete(s, z.Rank()-2, z.Rank()-1)
	}
	return g.Reshape(z, s)
}

func (g *Graph) matMulBatch(x, y *Node) *Node {
	rx, ry := x.Rank(), y.Rank()
	if ry == 2 && rx > 2 {
		if rows, ok := x.Shape[:rx-1].Size(); ok {
			z := g.MatMul(g.Reshape(x, Shape{rows, x.Shape[rx-1]}), y)
			return g.Reshape(z, slices.Concat(x.Shape[:rx-1], y.Shape[1:]))
		}
	}
	batch := BroadcastShapes("MatMul", x.Shape[:rx-2], y.Shape[:ry-2])
	x = g.BroadcastTo("MatMul", x, slices.Concat(batch, x.Shape[rx-2:]))
	y = g.BroadcastTo("MatMul", y, slices.Concat(batch, y.Shape[ry-2:]))
	return g.MatMul(x, y)
}

// Dot is Σ x·y of two vectors.
func (g *Graph) Dot(x, y *Node) *Node {
	if x.Rank() != 1 || y.Rank() != 1 || !x.Shape.Equal(y.Shape) {
		Fail("Dot", "%v · %v: two vectors of one size are needed", x.Shape, y.Shape)
	}
	return g.MatMulND(x, y)
}

// Outer is x[i]·y[j].
func (g *Graph) Outer(x, y *Node) *Node {
	if x.Rank() != 1 || y.Rank() != 1 {
		Fail("Outer", "%v, %v: two vectors are needed", x.Shape, y.Shape)
	}
	return g.Map(ops.Mul, g.Reshape(x, Shape{x.Shape[0], D(1)}), g.Reshape(y, Shape{D(1), y.Shape[0]}))
}

// Einsum sums products over indices: "ij,jk->ik". Without "->" the result has the indices that occur
// once, in alphabetical order. An index twice in one operand takes the diagonal. "..." stands for
// leading axes, aligned at the right, broadcasting. Operands are contracted from left to right, each
// pair as a matrix product.
func (g *Graph) Einsum(spec string, xs ...*Node) *Node {
	e := einsum{Graph: g, spec: spec, size: map[rune]Dim{}}
	in, out := e.parse(xs)
	terms := make([]term, len(xs))
	for i, x := range xs {
		terms[i] = e.diagonal(term{x, in[i]})
	}
	t := terms[0]
	for i, u := range terms[1:] {
		keep := slices.Clone(out)
		for _, v := range terms[i+2:] {
			keep = append(keep, v.index...)
		}
		t = e.pair(t, u, keep)
	}
	t = e.sumOut(t, out)
	perm := make([]int, len(out))
	for i, c := range out {
		perm[i] = slices.Index(t.index, c)
	}
	return g.Transpose(t.x, perm)
}

type einsum struct {
	*Graph
	spec string
	size map[rune]Dim
}

// term is an operand and the index of each of its axes.
type term struct {
	x     *Node
	index []rune
}

func (e *einsum) fail(format string, args ...any) {
	Fail("Einsum", "%q: "+format, append([]any{e.spec}, args...)...)
}

// dots is the first of the indices that an ellipsis stands for, counted from the right.
const dots = rune(0x110000)

func (e *einsum) parse(xs []*Node) (in [][]rune, out []rune) {
	left, right, explicit := strings.Cut(strings.ReplaceAll(e.spec, " ", ""), "->")
	specs := strings.Split(left, ",")
	if len(specs) != len(xs) || len(xs) == 0 {
		e.fail("%d operands, not %d", len(specs), len(xs))
	}
	count := map[rune]int{}
	wide := 0
	for i, s := range specs {
		index := e.indices(s, xs[i].Rank(), -1)
		if len(index) != xs[i].Rank() {
			e.fail("operand %d, %v, has %d axes, not %d", i+1, xs[i].Shape, xs[i].Rank(), len(index))
		}
		for a, c := range index {
			d := xs[i].Shape[a]
			old, seen := e.size[c]
			if c >= dots {
				wide = max(wide, int(c-dots)+1)
				if !seen || old.Is(1) {
					old = d
				}
				if d.Is(1) {
					d = old
				}
				seen = true
			}
			if seen && old != d {
				e.fail("operand %d, %v: index %c has sizes %v and %v", i+1, xs[i].Shape, c, old, d)
			}
			e.size[c] = d
			count[c]++
		}
		in = append(in, index)
	}
	if explicit {
		out = e.indices(right, 0, wide)
		for i, c := range out {
			if count[c] == 0 || slices.Contains(out[:i], c) {
				e.fail("result index %c occurs in no operand, or twice in the result", c)
			}
		}
		return in, out
	}
	for i := wide - 1; i >= 0; i-- {
		out = append(out, dots+rune(i))
	}
	var once []rune
	for c, n := range count {
		if n == 1 && c < dots {
			once = append(once, c)
		}
	}
	slices.Sort(once)
	return in, append(out, once...)
}

// indices reads one operand's indices; an ellipsis stands for wide axes, or for what rank leaves where
// wide < 0.
func (e *einsum) indices(s string, rank, wide int) (index []rune) {
	before, after, ellipsis := strings.Cut(s, "...")
	for _, c := range before + after {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			e.fail("%q is not an index", c)
		}
	}
	index = []rune(before)
	if ellipsis {
		if wide < 0 {
			wide = rank - len(before) - len(after)
		}
		for i := wide - 1; i >= 0; i-- {
			index = append(index, dots+rune(i))
		}
	}
	return append(index, []rune(after)...)
}

// diagonal leaves one axis for each index: the diagonal of a d·d run is every (d+1)-th element.
func (e *einsum) diagonal(t term) term {
	for i := 0; i < len(t.index); i++ {
		j := i + 1 + slices.Index(t.index[i+1:], t.index[i])
		if j == i {
			continue
		}
		r := t.x.Rank()
		d := t.x.Shape[i]
		if !d.Static() {
			e.fail("%v: the diagonal of a symbolic axis", t.x.Shape)
		}
		x := e.MoveAxis(e.MoveAxis(t.x, j, r-1), i, r-2)
		rest := x.Shape[:r-2]
		x = e.Reshape(x, slices.Concat(rest, Static(d.C*d.C)))
		start, step, size := wholeSpan(x.Shape)
		step[r-2], size[r-2] = d.C+1, d
		x = e.Slice(x, start, step, size)
		index := slices.Delete(slices.Clone(t.index), j, j+1)
		c := index[i]
		index = append(slices.Delete(index, i, i+1), c)
		t, i = term{x, index}, -1
	}
	return t
}

// sumOut sums over the indices that are not kept.
func (e *einsum) sumOut(t term, keep []rune) term {
	var axes []int
	var left []rune
	for a, c := range t.index {
		if slices.Contains(keep, c) {
			left = append(left, c)
		} else {
			axes = append(axes, a)
		}
	}
	if axes == nil {
		return t
	}
	return term{e.Reduce(Sum, t.x, axes...), left}
}

// pair contracts t and u over what neither the result nor a later operand needs.
func (e *einsum) pair(t, u term, keep []rune) term {
	t = e.sumOut(t, slices.Concat(keep, u.index))
	u = e.sumOut(u, slices.Concat(keep, t.index))
	all := slices.Clone(t.index)
	for _, c := range u.index {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	x, y := e.spread(t, all), e.spread(u, all)
	var batch, m, n, k []int
	var index []rune
	for _, group := range []struct {
		axes *[]int
		is   func(inT, inU, kept bool) bool
	}{
		{&batch, func(inT, inU, kept bool) bool { return inT && inU && kept }},
		{&m, func(inT, inU, kept bool) bool { return inT && !inU }},
		{&n, func(inT, inU, kept bool) bool { return !inT && inU }},
		{&k, func(inT, inU, kept bool) bool { return inT && inU && !kept }},
	} {
		for a, c := range all {
			if group.is(slices.Contains(t.index, c), slices.Contains(u.index, c), slices.Contains(keep, c)) {
				*group.axes = append(*group.axes, a)
				if group.axes != &k {
					index = append(index, c)
				}
			}
		}
	}
	if len(k) > 0 && x.Type == y.Type && x.Type.IsFloat() {
		// A broadcasting axis (of an ellipsis) must have its full size on both sides.
		for _, a := range slices.Concat(batch, k) {
			s := BroadcastShapes("Einsum", Shape{x.Shape[a]}, Shape{y.Shape[a]})
			x, y = e.widen(x, a, s[0]), e.widen(y, a, s[0])
		}
		if z := e.contract(x, y, batch, m, n, k); z != nil {
			return term{z, index}
		}
	}
	z := e.Map(ops.Mul, x, y)
	return e.sumOut(term{z, all}, keep)
}

// spread gives t all the indices, those it lacks as axes of 1.
func (e *einsum) spread(t term, all []rune) *Node {
	var perm []int
	s := ones(len(all))
	for a, c := range all {
		if i := slices.Index(t.index, c); i >= 0 {
			perm = append(perm, i)
			s[a] = t.x.Shape[i]
		}
	}
	return e.Reshape(e.Transpose(t.x, perm), s)
}

func (g *Graph) widen(x *Node, a int, d Dim) *Node {
	s := slices.Clone(x.Shape)
	s[a] = d
	return g.Broadcast(x, s)
}
