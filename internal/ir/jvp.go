package ir

import (
	"github.com/adjoint-go/adjoint/internal/ops"
)

// JVP pushes the tangents of wrt forward to outs: result[i] = Σ ∂outs[i]/∂wrt·tangents, nil where it is
// zero because nothing leads there. A nil tangent is zero. A wrt that depends on another wrt has its
// own tangent and what comes from the other, as VJP's transpose has it.
func (g *Graph) JVP(outs, wrt, tangents []*Node) []*Node {
	flows := make([]flow, len(wrt))
	for i, w := range wrt {
		t := tangents[i]
		if t != nil && (!t.Shape.Equal(w.Shape) || t.Type != w.Type) {
			Fail("JVP", "%v %v: tangent %v %v", w.Type, w.Shape, t.Type, t.Shape)
		}
		flows[i].n = t
	}
	result := make([]*Node, len(outs))
	for i, f := range g.jvp(outs, wrt, flows) {
		result[i] = f.n
	}
	return result
}

func (g *Graph) jvp(outs, wrt []*Node, tangents []flow) []flow {
	active := g.active(outs, wrt)
	at := make([]flow, len(active))
	results := map[*Node][]flow{} // of Loops and Branches
	for i, w := range wrt {
		if t := tangents[i]; t.n != nil && w.ID < len(at) && active[w.ID] {
			at[w.ID] = g.addFlow(at[w.ID], t)
		}
	}
	var in []flow
	follow := g.follow()
	defer g.derive()()
	for _, n := range Reachable(outs) {
		follow(n)
		g.deriving = n
		if !active[n.ID] || n.Kind == Stop {
			continue
		}
		if n.Kind == Out {
			if res := results[n.In[0]]; res != nil && int(n.Bits) < len(res) {
				at[n.ID] = g.addFlow(at[n.ID], res[n.Bits])
			}
			continue
		}
		in = in[:0]
		moved := false
		for _, x := range n.In {
			in = append(in, at[x.ID])
			moved = moved || at[x.ID].n != nil
		}
		if !moved {
			continue
		}
		switch n.Kind {
		case Loop:
			results[n] = jvpLoop(g, n, in)
			continue
		case Branch:
			results[n] = jvpBranch(g, n, in)
			continue
		case Rewind:
			results[n] = jvpRewind(g, n, in)
			continue
		}
		rule := jvpRules[n.Kind]
		if rule == nil {
			Fail("JVP", "%v: no rule for %s", n.Shape, n.Name())
		}
		at[n.ID] = g.addFlow(at[n.ID], rule(g, n, in))
	}
	result := make([]flow, len(outs))
	for i, o := range outs {
		if o.ID < len(at) {
			result[i] = at[o.ID]
		}
	}
	return result
}

// jvpRules holds one rule per kind: the node's tangent from its operands'. At least one of them is
// not zero.
var jvpRules = [NumKinds]func(g *Graph, n *Node, in []flow) flow{
	Pointwise: jvpPointwise,
	Convert:   jvpLinear,
	Broadcast: jvpLinear,
	Reshape:   jvpLinear,
	Transpose: jvpLinear,
	Slice:     jvpLinear,
	Reverse:   jvpLinear,
	Windows:   jvpLinear,
	Fold:      jvpLinear,
	Cumulate:  jvpCumulate,
	Alias:     func(g *Graph, n *Node, in []flow) flow { return in[0] },
	Place: func(g *Graph, n *Node, in []flow) flow {
		var ps []Piece
		masked := false
		r := n.Rank()
		for i, t := range in {
			if t.n != nil {
				ps = append(ps, Piece{t.n, n.Start[i*r : (i+1)*r], n.Step[i*r : (i+1)*r]})
				masked = masked || t.masked
			}
		}
		return flow{g.Place(n.Type, n.Shape, 0, n.Flag, ps...), masked}
	},
	Take: func(g *Graph, n *Node, in []flow) flow {
		return flow{g.takeAs(n, in[0].n, n.In[1]), in[0].masked}
	},
	Scatter: func(g *Graph, n *Node, in []flow) flow {
		var x flow
		if len(in) > 2 {
			x = in[2]
		}
		if in[1].n == nil {
			return x
		}
		return flow{g.scatterAs(n, n.Shape, n.In[0], in[1].n, x.n), in[1].masked || x.masked}
	},
	Hosted: func(g *Graph, n *Node, in []flow) flow {
		noHostRule(n.Host)
		return flow{}
	},
	Reduce: jvpReduce,
	Call:   jvpCall,
	MatMul: func(g *Graph, n *Node, in []flow) (t flow) {
		if in[0].n != nil {
			t = flow{g.product(in[0].n, n.In[1]), in[0].masked}
		}
		if in[1].n != nil {
			t = g.addFlow(t, flow{g.product(n.In[0], in[1].n), in[1].masked})
		}
		return t
	},
}

// jvpLinear is the rule of a linear kind of one operand: the kind itself.
func jvpLinear(g *Graph, n *Node, in []flow) flow {
	return flow{g.Copy(n, []*Node{in[0].n}), in[0].masked}
}

func jvpPointwise(g *Graph, n *Node, in []flow) (t flow) {
	switch n.Op {
	case ops.Where:
		return g.selectFlow(n.In[0], in[1], in[2])
	case ops.MulZ:
		if in[0].n != nil {
			t = flow{g.mulZ(in[0].n, n.In[1]), true}
		}
		if in[1].n != nil {
			t = g.addFlow(t, g.behindZ(n.In[0], in[1]))
		}
		return t
	}
	for i, f := range in {
		t = g.addFlow(t, g.partialFlow(f, n.Op.Row().Partial(i), n))
	}
	return t
}

func jvpReduce(g *Graph, n *Node, in []flow) flow {
	axes := axisRange(n.Axes[0], n.Axes[1])
	t := in[0]
	switch n.Reduction {
	case Sum:
	case Prod:
		t = g.mulFlow(t, g.othersProduct(n))
	case Max, Min:
		tied, count := g.ties(n)
		t = g.selectFlow(tied, t, flow{})
		return flow{g.Apply(ops.Div, g.Reduce(Sum, t.n, axes...), count), true}
	default:
		Fail("JVP", "%v: no rule for %s", n.Shape, n.Name())
	}
	return flow{g.Reduce(Sum, t.n, axes...), t.masked}
}
