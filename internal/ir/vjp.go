package ir

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// VJP pulls the cotangents cts of outs back to wrt: result[i] = Σ cts·∂outs/∂wrt[i], nil where no
// differentiable path leads from wrt[i] to an out that has a cotangent. A nil cotangent is zero.
//
// It is one sweep from the outs down. A node's cotangent is complete when the sweep reaches it,
// because operands stand before their users.
func (g *Graph) VJP(outs, cts, wrt []*Node) []*Node {
	flows := make([]flow, len(cts))
	for i, o := range outs {
		ct := cts[i]
		if ct != nil && (!ct.Shape.Equal(o.Shape) || ct.Type != o.Type) {
			Fail("VJP", "%v %v: cotangent %v %v", o.Type, o.Shape, ct.Type, ct.Shape)
		}
		flows[i].n = ct
	}
	result := make([]*Node, len(wrt))
	for i, f := range g.vjp(outs, flows, wrt) {
		result[i] = f.n
	}
	return result
}

func (g *Graph) vjp(outs []*Node, cts []flow, wrt []*Node) []flow {
	s := sweep{Graph: g, active: g.active(outs, wrt)}
	s.at = make([]pending, len(s.active))
	for i, o := range outs {
		if cts[i].n != nil && s.active[o.ID] {
			s.give(o, cts[i])
		}
	}
	nodes := g.Nodes // the sweep appends to g.Nodes
	follow := g.follow()
	defer g.derive()()
	for id := len(s.active) - 1; id >= 0; id-- {
		n := nodes[id]
		follow(n)
		g.deriving = n
		if !s.active[id] || !s.below(n) {
			if s.active[id] {
				s.finish(n)
			}
			continue
		}
		if n.Several() {
			if cts := s.results[n]; cts != nil {
				several[n.Kind](&s, n, cts)
			}
			continue
		}
		ct := s.finish(n)
		if ct.n == nil {
			continue
		}
		rule := vjpRules[n.Kind]
		if rule == nil {
			Fail("VJP", "%v: no rule for %s", n.Shape, n.Name())
		}
		rule(&s, n, ct)
	}
	result := make([]flow, len(wrt))
	for i, w := range wrt {
		if w.ID < len(s.at) {
			result[i] = s.at[w.ID].sum
		}
	}
	return result
}

// several holds the rules of the kinds of several results: cts has a cotangent for each.
var several [NumKinds]func(s *sweep, n *Node, cts []flow)

func init() { // these rules use the sweep that uses them
	several = [NumKinds]func(s *sweep, n *Node, cts []flow){Loop: vjpLoop, Branch: vjpBranch, Rewind: vjpRewind}
}

// active marks the nodes, up to the last of outs, that depend on wrt by a path of floats.
func (g *Graph) active(outs, wrt []*Node) []bool {
	end := 0
	for _, o := range outs {
		end = max(end, o.ID+1)
	}
	active := make([]bool, end)
	first := end
	for _, w := range wrt {
		if w.ID < end && w.Type.IsFloat() {
			active[w.ID] = true
			first = min(first, w.ID)
		}
	}
	for id := first; id < end; id++ {
		n := g.Nodes[id]
		if !active[id] && (n.Type.IsFloat() || n.Several()) && n.Kind != Stop {
			active[id] = slices.ContainsFunc(n.In, func(x *Node) bool { return active[x.ID] })
		}
	}
	return active
}

// flow is a cotangent or a tangent on its way; no node is zero.
//
// A masked one has come through a select, so that its zeros stand for "not taken": it is multiplied by
// mulz, which keeps such a zero 0 whatever the other factor is. That is what makes a branch not taken
// contribute exactly 0 where its own derivative is Inf or NaN. relu, min, max and clamp are selects
// like any other. A matrix product carries the mask on, but is itself an ordinary sum of products.
type flow struct {
	n      *Node
	masked bool
}

func (g *Graph) addFlow(a, b flow) flow {
	switch {
	case a.n == nil:
		return b
	case b.n == nil:
		return a
	}
	return flow{g.Apply(ops.Add, a.n, b.n), a.masked || b.masked}
}

// mulFlow is f·p.
func (g *Graph) mulFlow(f flow, p *Node) flow {
	switch {
	case f.n == nil:
	case f.masked:
		f.n = g.mulZ(f.n, p)
	default:
		f.n = g.Apply(ops.Mul, f.n, p)
	}
	return f
}

// mulZ is a·b, 0 where a is 0. Where b is a finite constant or a a constant an ordinary product does it
// (up to the sign of the zero).
func (g *Graph) mulZ(a, b *Node) *Node {
	if a.IsConst(0) {
		return a
	}
	if b.Kind == Const && !math.IsInf(BitsFloat(b.Type, b.Bits), 0) && !b.isNaN() || a.Kind == Const && !a.IsConst(0) {
		return g.Apply(ops.Mul, a, b)
	}
	return g.Apply(ops.MulZ, a, b)
}

// behindZ is a·f for the second factor of mulz(a, ·): 0 where a is 0 and, if f is masked, where f is.
func (g *Graph) behindZ(a *Node, f flow) flow {
	if !f.masked {
		return flow{g.mulZ(a, f.n), true}
	}
	return g.selectFlow(g.Apply(ops.Eq, a, g.like(a, 0)), flow{}, g.mulFlow(f, a))
}

func (n *Node) isNaN() bool { return math.IsNaN(BitsFloat(n.Type, n.Bits)) }

// selectFlow is c ? a : b.
func (g *Graph) selectFlow(c *Node, a, b flow) flow {
	if a.n == nil && b.n == nil {
		return flow{}
	}
	masked := a.masked || b.masked || a.n == nil || b.n == nil
	if a.n == nil {
		a.n = g.Const(b.n.Type, b.n.Shape, 0)
	}
	if b.n == nil {
		b.n = g.Const(a.n.Type, a.n.Shape, 0)
	}
	return flow{g.Apply(ops.Where, c, a.n, b.n), masked}
}

// partialFlow is f times the partial derivative e of the pointwise node n. A conditional becomes a
// select of products, never a product with a mask.
func (g *Graph) partialFlow(f flow, e *ops.Expr, n *Node) flow {
	switch {
	case f.n == nil || e == nil || e.IsNum(0):
		return flow{}
	case e.IsNum(1):
		return f
	case e.IsNum(-1):
		f.n = g.Apply(ops.Neg, f.n)
		return f
	case e.Op == ops.Neg:
		f = g.partialFlow(f, e.Args[0], n)
		f.n = g.Apply(ops.Neg, f.n)
		return f
	case e.Op == ops.Where:
		return g.selectFlow(g.expr(e.Args[0], n), g.partialFlow(f, e.Args[1], n), g.partialFlow(f, e.Args[2], n))
	case e.Op == ops.Div && isNumber(e.Args[0]) && !f.masked: // f·(2/x) = 2·f/x: one rounding less
		f = g.partialFlow(f, e.Args[0], n)
		f.n = g.Apply(ops.Div, f.n, g.expr(e.Args[1], n))
		return f
	}
	return g.mulFlow(f, g.expr(e, n))
}

func isNumber(e *ops.Expr) bool { return e.Op == ops.Count && e.Var == 0 }

// expr is e as nodes; its variables are n's operands and n.
func (g *Graph) expr(e *ops.Expr, n *Node) *Node {
	switch {
	case e.Var == 'y':
		return n
	case e.Var != 0:
		return n.In[e.Var-'a']
	case e.Op == ops.Count:
		return g.Const(n.Type, n.Shape, e.Num)
	}
	in := make([]*Node, len(e.Args))
	for i, a := range e.Args {
		in[i] = g.expr(a, n)
	}
	return g.Apply(e.Op, in...)
}

// sweep is the state of one VJP.
type sweep struct {
	*Graph
	active  []bool
	at      []pending
	results map[*Node][]flow // by Loop and Branch: the cotangents of their results
}

// pending is what has arrived at a node so far: a sum, and what slices and takes of the node were
// given, which become one Place and one Scatter, so that reading one element costs O(1).
type pending struct {
	sum    flow
	pieces []Piece
	takes  []take
	masked bool // of pieces and takes
}

type take struct {
	idx, ct *Node
	axis    int
	pos     string
}

// below reports whether the sweep goes on below n.
func (s *sweep) below(n *Node) bool {
	return n.Kind != Stop && slices.ContainsFunc(n.In, func(x *Node) bool { return s.active[x.ID] })
}

func (s *sweep) give(x *Node, ct flow) {
	if s.active[x.ID] && ct.n != nil {
		p := &s.at[x.ID]
		p.sum = s.addFlow(p.sum, ct)
	}
}

// finish sums what has arrived at n.
func (s *sweep) finish(n *Node) flow {
	p := &s.at[n.ID]
	if len(p.pieces) > 0 {
		add := len(p.pieces) > 1 && !disjoint(p.pieces)
		p.sum = s.addFlow(p.sum, flow{s.Place(n.Type, n.Shape, 0, add, p.pieces...), p.masked})
	}
	for len(p.takes) > 0 {
		var same []take
		t := p.takes[0]
		p.takes = slices.DeleteFunc(p.takes, func(u take) bool {
			ok := u.axis == t.axis && u.idx.Type == t.idx.Type
			if ok {
				same = append(same, u)
			}
			return ok
		})
		p.sum = s.scatterAll(n.Shape, same, p.sum, p.masked)
	}
	p.pieces = nil
	return p.sum
}

// scatterAll adds the takes' transposes to a sum, as one Scatter where their sizes allow.
func (s *sweep) scatterAll(shape Shape, ts []take, sum flow, masked bool) flow {
	axis := ts[0].axis
	if len(ts) > 1 {
		var idx, ct []*Node
		for _, t := range ts {
			n, ok := t.idx.Shape.Size()
			if !ok {
				break
			}
			idx = append(idx, s.Reshape(t.idx, Shape{n}))
			ct = append(ct, s.Reshape(t.ct, slices.Concat(shape[:axis], Shape{n}, shape[axis+1:])))
		}
		if len(idx) == len(ts) {
			ts = []take{{s.Concat(0, idx...), s.Concat(axis, ct...), axis, ts[0].pos}}
		}
	}
	for _, t := range ts {
		sum = s.scattered(sum, flow{t.ct, masked}, func(x *Node) *Node { return s.scatter(shape, t.idx, t.ct, x, axis, ForAll, t.pos) })
	}
	return sum
}

// scattered is a sum with what f scatters of ct: to the sum itself where that is of ct's type.
func (s *sweep) scattered(sum, ct flow, f func(x *Node) *Node) flow {
	if sum.n != nil && sum.n.Type == ct.n.Type {
		return flow{f(sum.n), sum.masked || ct.masked}
	}
	return s.addFlow(sum, flow{f(nil), ct.masked})
}

// disjoint reports whether no two pieces are seen to overlap; it gives up on many.
func disjoint(ps []Piece) bool {
	if len(ps) > 32 {
		return false
	}
	for i, p := range ps {
		for _, q := range ps[:i] {
			apart := false
			for a := range p.Start {
				apart = apart || p.before(q, a) || q.before(p, a) || p.interleaves(q, a)
			}
			if !apart {
				return false
			}
		}
	}
	return true
}

// before reports whether p ends before q starts along axis a, for every batch ≥ 1.
func (p Piece) before(q Piece, a int) bool {
	n := p.X.Shape[a]
	last := p.Start[a].Add(Dim{(n.C - 1) * p.Step[a], n.B * p.Step[a]})
	gap := q.Start[a].Sub(last)
	return gap.B >= 0 && gap.C+gap.B > 0
}

// interleaves reports whether p and q have the same step along axis a and never meet.
func (p Piece) interleaves(q Piece, a int) bool {
	gap := q.Start[a].Sub(p.Start[a])
	return p.Step[a] == q.Step[a] && gap.Static() && gap.C%p.Step[a] != 0
}

// vjpRules holds one rule per kind: give the operands their cotangents.
var vjpRules = [NumKinds]func(s *sweep, n *Node, ct flow){
	Pointwise: vjpPointwise,
	Convert:   vjpOne(func(s *sweep, n, ct *Node) *Node { return s.cast(ct, n.In[0].Type) }),
	Broadcast: vjpOne(func(s *sweep, n, ct *Node) *Node { return s.unbroadcast(ct, n.In[0].Shape) }),
	Reshape:   vjpOne(func(s *sweep, n, ct *Node) *Node { return s.Reshape(ct, n.In[0].Shape) }),
	Transpose: vjpOne(func(s *sweep, n, ct *Node) *Node { return s.Transpose(ct, inverse(n.Axes)) }),
	Reverse:   vjpOne(func(s *sweep, n, ct *Node) *Node { return s.Reverse(ct, n.Axes...) }),
	Windows:   vjpOne(func(s *sweep, n, ct *Node) *Node { return s.foldWindows(n, ct, n.In[0].Shape, 0) }),
	Fold:      vjpOne(func(s *sweep, n, ct *Node) *Node { return s.overWindows(n, ct, 0) }),
	Cumulate:  vjpCumulate,
	Alias:     vjpOne(func(s *sweep, n, ct *Node) *Node { return ct }),
	Slice: func(s *sweep, n *Node, ct flow) {
		p := &s.at[n.In[0].ID]
		p.pieces = append(p.pieces, Piece{ct.n, n.Start, n.Step})
		p.masked = p.masked || ct.masked
	},
	Place: func(s *sweep, n *Node, ct flow) {
		r := n.Rank()
		for i, x := range n.In {
			s.give(x, flow{s.Slice(ct.n, n.Start[i*r:(i+1)*r], n.Step[i*r:(i+1)*r], x.Shape), ct.masked})
		}
	},
	Take: func(s *sweep, n *Node, ct flow) {
		p := &s.at[n.In[0].ID]
		if Indexed(n.Bits) != ForAll {
			p.sum = s.scattered(p.sum, ct, func(x *Node) *Node { return s.scatterAs(n, n.In[0].Shape, n.In[1], ct.n, x) })
			return
		}
		p.takes = append(p.takes, take{n.In[1], ct.n, n.Axes[0], n.Pos})
		p.masked = p.masked || ct.masked
	},
	Scatter: func(s *sweep, n *Node, ct flow) {
		s.give(n.In[1], flow{s.takeAs(n, ct.n, n.In[0]), ct.masked})
		if len(n.In) > 2 {
			s.give(n.In[2], ct)
		}
	},
	Hosted: func(s *sweep, n *Node, ct flow) { noHostRule(n.Host) },
	Reduce: vjpReduce,
	Out: func(s *sweep, n *Node, ct flow) {
		of := n.In[0]
		if s.results == nil {
			s.results = map[*Node][]flow{}
		}
		if s.results[of] == nil {
			s.results[of] = make([]flow, len(of.Body[0].Outs))
		}
		s.results[of][n.Bits] = ct
	},
	MatMul: func(s *sweep, n *Node, ct flow) {
		x, y := n.In[0], n.In[1]
		ct.n = s.cast(ct.n, x.Type)
		if s.active[x.ID] {
			s.give(x, flow{s.MatMul(ct.n, s.swapLast(y)), ct.masked})
		}
		if s.active[y.ID] {
			s.give(y, flow{s.MatMul(s.swapLast(x), ct.n), ct.masked})
		}
	},
}

// vjpOne is the rule of a linear kind of one operand.
func vjpOne(f func(s *sweep, n, ct *Node) *Node) func(s *sweep, n *Node, ct flow) {
	return func(s *sweep, n *Node, ct flow) {
		s.give(n.In[0], flow{f(s, n, ct.n), ct.masked})
	}
}

func vjpPointwise(s *sweep, n *Node, ct flow) {
	in := n.In
	switch n.Op {
	case ops.Where:
		s.give(in[1], s.selectFlow(in[0], ct, flow{}))
		s.give(in[2], s.selectFlow(in[0], flow{}, ct))
		return
	case ops.MulZ:
		s.give(in[0], s.mulFlow(ct, in[1]))
		s.give(in[1], s.behindZ(in[0], ct))
		return
	}
	for i, x := range in {
		if s.active[x.ID] {
			s.give(x, s.partialFlow(ct, n.Op.Row().Partial(i), n))
		}
	}
}

func vjpReduce(s *sweep, n *Node, ct flow) {
	x := n.In[0]
	switch n.Reduction {
	case Sum:
		s.give(x, flow{s.unreduce(ct.n, n), ct.masked})
	case Prod:
		s.give(x, s.mulFlow(flow{s.unreduce(ct.n, n), ct.masked}, s.othersProduct(n)))
	case Max, Min:
		tied, count := s.ties(n)
		ct.n = s.unreduce(s.Apply(ops.Div, ct.n, count), n)
		s.give(x, s.selectFlow(tied, ct, flow{}))
	default:
		Fail("VJP", "%v: no rule for %s", n.Shape, n.Name())
	}
}

// unbroadcast sums x over the axes that s has 1 of.
func (g *Graph) unbroadcast(x *Node, s Shape) *Node {
	var axes []int
	for a, d := range s {
		if d != x.Shape[a] {
			axes = append(axes, a)
		}
	}
	return g.Reshape(g.Reduce(Sum, x, axes...), s)
}

// unreduce repeats y, of the shape of the reduction n, over the axes that went.
func (g *Graph) unreduce(y, n *Node) *Node {
	full := n.In[0].Shape
	keep := slices.Clone(full)
	for a := n.Axes[0]; a < n.Axes[1]; a++ {
		keep[a] = D(1)
	}
	return g.Broadcast(g.Reshape(y, keep), full)
}

// ties tells which elements of the operand of a Max or Min attain it, and how many do: the derivative
// is shared evenly among them. Where the result is NaN there are none.
func (g *Graph) ties(n *Node) (tied, count *Node) {
	tied = g.Apply(ops.Eq, n.In[0], g.unreduce(n, n))
	return tied, g.Reduce(Sum, g.Convert(tied, n.Type), axisRange(n.Axes[0], n.Axes[1])...)
}

// othersProduct is, for each operand element of the Prod n, the product of all the others.
//
// Where the number of elements is static it is the product of those before and those after, two
// running products: no division, so that it is right at zeros, at any order. Where it is symbolic it is a
// quotient with the zeros told apart by selects: right at zeros too, but a further derivative at an
// element that is exactly 0 is taken as 0.
func (g *Graph) othersProduct(n *Node) *Node {
	x, lo, hi := n.In[0], n.Axes[0], n.Axes[1]
	size, ok := x.Shape[lo:hi].Size()
	if !ok || !size.Static() {
		return g.othersQuotient(n)
	}
	run := g.Reshape(x, slices.Concat(x.Shape[:lo], Shape{size}, x.Shape[hi:]))
	others := g.Apply(ops.Mul, g.productBefore(run, lo), g.Reverse(g.productBefore(g.Reverse(run, lo), lo), lo))
	return g.Reshape(others, x.Shape)
}

// productBefore is the exclusive running product of floats along axis a.
func (g *Graph) productBefore(x *Node, a int) *Node {
	return g.cumulate(Prod, a, false, g.shift(x, a, 1, 1))
}

// shift moves x by d along axis a; what comes in is fill.
func (g *Graph) shift(x *Node, a, d int, fill float64) *Node {
	start, step, size := wholeSpan(x.Shape)
	if size[a].Static() && size[a].C <= d {
		return g.Const(x.Type, x.Shape, fill)
	}
	if !size[a].Static() { // and may be less than d
		wide := slices.Clone(x.Shape)
		wide[a] = size[a].Add(D(d))
		at := slices.Clone(start)
		at[a] = D(d)
		return g.Slice(g.Place(x.Type, wide, FloatBits(x.Type, fill), false, Piece{x, at, step}), start, step, size)
	}
	size[a] = size[a].Sub(D(d))
	piece := g.Slice(x, start, step, size)
	start[a] = D(d)
	return g.Place(x.Type, x.Shape, FloatBits(x.Type, fill), false, Piece{piece, start, step})
}

func (g *Graph) othersQuotient(n *Node) *Node {
	x := n.In[0]
	axes := axisRange(n.Axes[0], n.Axes[1])
	zero, one := g.Const(x.Type, x.Shape, 0), g.Const(x.Type, x.Shape, 1)
	isZero := g.Apply(ops.Eq, x, zero)
	zeros := g.unreduce(g.Reduce(Sum, g.Convert(isZero, x.Type), axes...), n)
	safe := g.Apply(ops.Where, isZero, one, x)
	product := g.unreduce(g.Reduce(Prod, safe, axes...), n)
	atZero := g.Apply(ops.Where, g.Apply(ops.Eq, zeros, one), product, zero)
	elsewhere := g.Apply(ops.Where, g.Apply(ops.Eq, zeros, zero), g.Apply(ops.Div, product, safe), zero)
	return g.Apply(ops.Where, isZero, atZero, elsewhere)
}

// swapLast transposes the last two axes.
func (g *Graph) swapLast(x *Node) *Node {
	p := axisRange(0, x.Rank())
	slices.Reverse(p[x.Rank()-2:])
	return g.Transpose(x, p)
}

func inverse(perm []int) []int {
	inv := make([]int, len(perm))
	for i, a := range perm {
		inv[a] = i
	}
	return inv
}

// axisRange is lo … hi-1.
func axisRange(lo, hi int) []int {
	axes := make([]int, hi-lo)
	for i := range axes {
		axes[i] = lo + i
	}
	return axes
}

// wholeSpan is the span of Slice and Place that covers s.
func wholeSpan(s Shape) (start []Dim, step []int, size Shape) {
	start, step = make([]Dim, len(s)), make([]int, len(s))
	for a := range step {
		step[a] = 1
	}
	return start, step, slices.Clone(s)
}
