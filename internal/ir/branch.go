package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Branch is the results of one of n functions, which (int64, shape []) says of which one; beyond their
// range it is the nearest. Their results have the same types and shapes. Only the one chosen is run.
func (g *Graph) Branch(op string, which *Node, n int, f func(i int) []*Node) []*Node {
	return g.branch(op, which, n, f, nil)
}

// branch is Branch; if own is not nil, the results behind the first *own are what a Checkpoint keeps.
func (g *Graph) branch(op string, which *Node, n int, f func(i int) []*Node, own *int) []*Node {
	if which.Type != dtype.I64 || which.Rank() != 0 {
		Fail(op, "the choice is %v%v, not one int64", which.Type, which.Shape)
	}
	start := len(g.Nodes)
	outs := make([][]*Node, n)
	for i := range outs {
		outs[i] = f(i)
		if len(outs[i]) != len(outs[0]) {
			Fail(op, "the branches give %d and %d values", len(outs[0]), len(outs[i]))
		}
		for k, o := range outs[i] {
			if p := outs[0][k]; o.Type != p.Type || !o.Shape.Equal(p.Shape) {
				Fail(op, "the branches give %v%v and %v%v", p.Type, p.Shape, o.Type, o.Shape)
			}
		}
	}
	if len(outs[0]) == 0 {
		return nil
	}
	inside := func(n *Node) bool { return n.ID >= start }
	// Each body has parameters of its own at first, then those of all.
	bodies, captured := make([]*Body, n), make([][]*Node, n)
	var all []*Node
	for i := range outs {
		bodies[i], captured[i] = g.enclose(nil, outs[i], nil, inside, map[*Node]bool{}, false)
		for _, c := range captured[i] {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	for i, b := range bodies {
		c := &Body{}
		h := New()
		for k, x := range all {
			c.Params = append(c.Params, h.Param(k, x.Type, x.Shape))
		}
		own := make([]*Node, len(b.Params))
		for k, x := range captured[i] {
			own[k] = c.Params[slices.Index(all, x)]
		}
		c.Outs, _ = h.inline(b, own)
		bodies[i] = c.finish()
	}
	node := Node{Kind: Branch, Body: bodies, In: slices.Concat([]*Node{which}, all)}
	if own != nil && *own < len(outs[0]) {
		node.Axes = []int{*own}
	}
	return g.outs(g.add(node))
}

// derived is a Branch of bodies that are n's, rewritten: f gets the inlined results of body i for aliases of
// the operands.
func (g *Graph) derived(op string, n *Node, f func(outs, params []*Node) []*Node) []*Node {
	return g.Branch(op, n.In[0], len(n.Body), func(i int) []*Node {
		params := make([]*Node, len(n.In)-1)
		for k, x := range n.In[1:] {
			params[k] = g.Alias(x)
		}
		outs, _ := g.inline(n.Body[i], params)
		return f(outs, params)
	})
}

func vjpBranch(s *sweep, n *Node, cts []flow) {
	g := s.Graph
	if n.Rule != nil && n.Rule.VJP != nil {
		n.Rule.pull(s, n, cts)
		return
	}
	masked := slices.ContainsFunc(cts, func(f flow) bool { return f.masked })
	pull := func(outs, params []*Node) []flow { return g.vjp(outs, cts, params) }
	if len(n.Axes) > 0 {
		kept := g.outs(n)[n.Axes[0]:] // outside the branch that is to be
		pull = func(_, params []*Node) []flow { return g.pullKept(n, kept, params, cts) }
	}
	var wrt []int
	for k, x := range n.In[1:] {
		if x.Type.IsFloat() && s.active[x.ID] {
			wrt = append(wrt, k)
		}
	}
	back := g.derived("VJP", n, func(outs, params []*Node) []*Node {
		res := make([]*Node, len(wrt))
		all := pull(outs, params)
		for j, k := range wrt {
			f := all[k]
			masked = masked || f.masked
			if f.n == nil {
				f.n = g.like(params[k], 0)
			}
			res[j] = f.n
		}
		return res
	})
	for j, k := range wrt {
		s.give(n.In[1+k], flow{back[j], masked || len(n.Body) > 1})
	}
}

func jvpBranch(g *Graph, n *Node, in []flow) []flow {
	b := n.Body[0]
	if n.Rule != nil {
		return n.Rule.push(g, n, in)
	}
	masked := slices.ContainsFunc(in, func(f flow) bool { return f.masked })
	var moves []int
	for k, o := range b.Outs {
		if o.Type.IsFloat() {
			moves = append(moves, k)
		}
	}
	ts := g.derived("JVP", n, func(outs, params []*Node) []*Node {
		res := make([]*Node, len(moves))
		all := g.jvp(outs, params, in[1:])
		for j, k := range moves {
			f := all[k]
			masked = masked || f.masked
			if f.n == nil {
				f.n = g.like(outs[k], 0)
			}
			res[j] = f.n
		}
		return res
	})
	res := make([]flow, len(b.Outs))
	for j, k := range moves {
		res[k] = flow{ts[j], masked || len(n.Body) > 1}
	}
	return res
}

// vmapBranch stays a branch where the whole batch takes one; else all are computed and selected from.
func vmapBranch(v *vmap, n *Node) {
	g := v.Graph
	body := func(i int) []*Node {
		inner := newVmap(g, v.n)
		holes := slices.Clone(n.In[1:])
		for k, x := range n.In[1:] {
			if b := v.at[x]; b != nil {
				holes[k] = g.Hole(x.Type, x.Shape)
				inner.at[holes[k]] = b
			}
		}
		outs, _ := g.inline(n.Body[i], holes)
		inner.run(outs)
		for k, o := range outs {
			outs[k] = inner.lift(o)
		}
		return outs
	}
	which := v.at[n.In[0]]
	switch {
	case n.Rule != nil:
		v.results[n] = n.Rule.batched(v, n)
		return
	case which == nil:
		var own *int
		if len(n.Axes) > 0 {
			own = &n.Axes[0]
		}
		v.results[n] = g.branch("Vmap", n.In[0], len(n.Body), body, own)
		return
	}
	res := body(len(n.Body) - 1)
	for i := len(n.Body) - 2; i >= 0; i-- {
		for k, o := range body(i) {
			here := g.Apply(ops.Le, which, g.like(which, float64(i)))
			res[k] = g.Map(ops.Where, g.Reshape(here, slices.Concat(Shape{v.n}, ones(o.Rank()-1))), o, res[k])
		}
	}
	v.results[n] = res
}

// selectable reports whether all of some bodies, computed and selected from, take less than choosing does: the calls of
// a chosen body's steps or, in code of its own, what goes through memory there and a jump that the processor did not foresee.
// Selections have other derivatives where what is not selected is not finite, so that this is for stripped graphs.
func selectable(bodies []*Body) bool {
	const most = 32
	cost := 0
	for _, b := range bodies {
		for _, n := range Reachable(b.Outs) {
			size := 1
			for _, d := range n.Shape {
				if d.B != 0 {
					return false
				}
				size *= d.C
			}
			switch n.Kind {
			case Param, Const, Broadcast, Reshape, Transpose, Slice, Reverse:
				continue
			case Convert:
				cost += (size + 3) / 4
			case Pointwise:
				c := cheapness(n.Op)
				if c == 0 {
					return false
				}
				cost += c * ((size + 3) / 4)
			default:
				return false
			}
		}
	}
	return len(bodies) > 1 && cost <= most
}

// cheapness is about how many sums take as long as op, 0 where it is no matter of a few instructions.
func cheapness(op ops.ID) int {
	switch op {
	case ops.Div, ops.Sqrt, ops.Reciprocal:
		return 8
	case ops.Mod:
		return 0
	case ops.Fma, ops.Floor, ops.Ceil, ops.Round, ops.Trunc, ops.MulZ:
		return 1
	}
	if ops.Table[op].Class == ops.Float {
		return 0
	}
	return 1
}

// selected is Branch of bodies, all of which are computed and the chosen one's results selected.
func (g *Graph) selected(which *Node, bodies []*Body, operands []*Node) []*Node {
	res := copied(g, bodies[0], operands)
	for i, b := range bodies[1:] {
		beyond := g.Apply(ops.Gt, which, g.like(which, float64(i)))
		if which.Kind == Convert && which.In[0].Type == dtype.Bool && i == 0 {
			beyond = which.In[0]
		}
		for k, o := range copied(g, b, operands) {
			res[k] = g.Apply(ops.Where, g.BroadcastTo("Branch", beyond, o.Shape), o, res[k])
		}
	}
	return res
}
