package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Rule is a user's derivatives of a function. Each works on the function's operands x and results y, in the
// order of the function's own; a nil node is zero. One of the two may be missing: forward mode then follows
// the function itself, and so does reverse mode.
type Rule struct {
	Name string
	VJP  func(g *Graph, x, y, cts []*Node) []*Node      // the cotangents of x
	JVP  func(g *Graph, x, y, tangents []*Node) []*Node // the tangents of y

	// Batch, where not nil, is the function of a batch of operands, one axis before their own; nil are those that are the same for all. Where it
	// gives nil, these are repeated.
	Batch func(x, batch []*Node) []*Node
}

// Custom is f(x) with the derivatives that the rule says. What f and the rule use must be among x, but for what has no
// derivative anyway.
func (g *Graph) Custom(r *Rule, x []*Node, f func(x []*Node) []*Node) []*Node {
	params := make([]*Node, len(x))
	for i, v := range x {
		params[i] = g.Hole(v.Type, v.Shape)
	}
	within := map[*Node]bool{}
	for _, h := range params {
		within[h] = true
	}
	b, captured := g.enclose(params, f(params), nil, func(n *Node) bool {
		return slices.ContainsFunc(n.In, func(x *Node) bool { return within[x] })
	}, within, false)
	known := map[*Node]bool{}
	for _, c := range captured {
		if !c.constant(known) {
			Fail(r.Name, "the function uses a value of %v %v that is not its argument: its derivative would be lost", c.Type, c.Shape)
		}
	}
	n := g.add(Node{Kind: Branch, Body: []*Body{b.finish()}, Rule: r, Bits: uint64(len(x)),
		In: slices.Concat([]*Node{g.Const(dtype.I64, nil, 0)}, x, captured)})
	return g.outs(n)
}

// constant reports whether no variable leads to n by way of floats, beside nodes of which that is known.
func (n *Node) constant(known map[*Node]bool) bool {
	switch n.Kind {
	case Const, Iota, DimSize, Stop, Param, Data: // arrays are no variables: those are aliases
		return true
	case Hole, Alias:
		return !n.Type.IsFloat()
	}
	if known[n] || !n.Type.IsFloat() && n.Type != dtype.Invalid {
		return true
	}
	known[n] = len(n.In) > 0 && !slices.ContainsFunc(n.In, func(x *Node) bool { return !x.constant(known) })
	return known[n]
}

func (r *Rule) check(n *Node, what string, got []*Node, like []*Node) {
	if len(got) != len(like) {
		Fail(n.Rule.Name, "the rule gives %d %s, not %d", len(got), what, len(like))
	}
	for i, v := range got {
		if v != nil && (v.Type != like[i].Type || !v.Shape.Equal(like[i].Shape)) {
			Fail(n.Rule.Name, "the rule's %s %d is %v%v, not %v%v", what, i, v.Type, v.Shape, like[i].Type, like[i].Shape)
		}
	}
}

func bare(fs []flow) (ns []*Node, masked bool) {
	for _, f := range fs {
		ns = append(ns, f.n)
		masked = masked || f.masked
	}
	return ns, masked
}

func (r *Rule) pull(s *sweep, n *Node, cts []flow) {
	x := n.In[1 : 1+n.Bits]
	ns, masked := bare(cts)
	back := r.VJP(s.Graph, x, s.outs(n), ns)
	r.check(n, "cotangents", back, x)
	for i, ct := range back {
		if ct != nil && x[i].Type.IsFloat() {
			s.give(x[i], flow{ct, masked})
		}
	}
}

// push is the rule's forward mode, the function's own where it has none.
func (r *Rule) push(g *Graph, n *Node, in []flow) []flow {
	ys := g.outs(n)
	ts, masked := bare(in[1 : 1+n.Bits])
	if r.JVP != nil {
		x := n.In[1 : 1+n.Bits]
		out := r.JVP(g, x, ys, ts)
		r.check(n, "tangents", out, ys)
		res := make([]flow, len(out))
		for i, t := range out {
			res[i] = flow{t, masked}
		}
		return res
	}
	params := make([]*Node, len(n.In)-1)
	for i, v := range n.In[1:] {
		params[i] = g.Alias(v)
	}
	outs, _ := g.inline(n.Body[0], params)
	return g.jvp(outs, params, in[1:])
}

// batched is the function over a batch, whose rule is the rule over that batch.
func (r *Rule) batched(v *vmap, n *Node) []*Node {
	g := v.Graph
	if r.Batch != nil {
		batch := make([]*Node, n.Bits)
		for i, u := range n.In[1 : 1+n.Bits] {
			batch[i] = v.at[u]
		}
		if ys := r.Batch(n.In[1:1+n.Bits], batch); ys != nil {
			return ys
		}
	}
	x := make([]*Node, len(n.In)-1)
	for i, u := range n.In[1:] {
		if x[i] = v.at[u]; x[i] == nil {
			if x[i] = u; i < int(n.Bits) { // what was captured may stay one for all
				x[i] = v.repeat(u)
			}
		}
	}
	// d are cotangents of y or tangents of x; what was captured comes behind x, and has none.
	over := func(f func(g *Graph, x, y, d []*Node) []*Node, tangents bool) func(g *Graph, x, y, d []*Node) []*Node {
		if f == nil {
			return nil
		}
		return func(g *Graph, x, y, d []*Node) []*Node {
			if tangents {
				d = d[:n.Bits]
			}
			var holes, all []*Node
			hole := func(list []*Node) []*Node {
				hs := make([]*Node, len(list))
				for i, u := range list {
					if u != nil {
						hs[i] = g.Hole(u.Type, u.Shape[1:])
						holes, all = append(holes, hs[i]), append(all, u)
					}
				}
				return hs
			}
			res := f(g, hole(x[:n.Bits]), hole(y), hole(d))
			var outs []*Node
			var at []int
			for i, o := range res {
				if o != nil {
					outs, at = append(outs, o), append(at, i)
				}
			}
			back := make([]*Node, len(res), len(x)+len(y))
			if !tangents {
				back = back[:len(x)]
			}
			for i, o := range g.Vmap(outs, holes, all, v.n) {
				back[at[i]] = o
			}
			return back
		}
	}
	rule := &Rule{Name: r.Name, VJP: over(r.VJP, false), JVP: over(r.JVP, true)}
	return g.Custom(rule, x, func(x []*Node) []*Node {
		inner := newVmap(g, v.n)
		holes := make([]*Node, len(x))
		for i, u := range x {
			if holes[i] = u; i >= int(n.Bits) && v.at[n.In[1+i]] == nil {
				continue
			}
			holes[i] = g.Hole(u.Type, u.Shape[1:])
			inner.at[holes[i]] = u
		}
		outs, _ := g.inline(n.Body[0], holes)
		inner.run(outs)
		for k, o := range outs {
			outs[k] = inner.lift(o)
		}
		return outs
	})
}
