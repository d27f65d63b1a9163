package ir

// Copy makes n's counterpart in g with operands in, through n's constructor, so that it is checked
// and folded again.
func (g *Graph) Copy(n *Node, in []*Node) *Node {
	start := len(g.Nodes)
	c := g.copy(n, in)
	g.inherit(start, n)
	return c
}

func (g *Graph) copy(n *Node, in []*Node) *Node {
	switch n.Kind {
	case Param, Hole, Const, Data, Iota, DimSize:
		c := *n
		return g.add(c)
	case Pointwise:
		return g.Apply(n.Op, in...)
	case Convert:
		if n.Flag {
			return g.rounded(in[0], n.Type)
		}
		return g.Convert(in[0], n.Type)
	case Broadcast:
		return g.Broadcast(in[0], n.Shape)
	case Reshape:
		return g.Reshape(in[0], n.Shape)
	case Transpose:
		return g.Transpose(in[0], n.Axes)
	case Slice:
		return g.Slice(in[0], n.Start, n.Step, n.Shape)
	case Reverse:
		return g.Reverse(in[0], n.Axes...)
	case Windows:
		return g.overWindows(n, in[0], 0)
	case Fold:
		return g.foldWindows(n, in[0], n.Shape, 0)
	case Place:
		r := n.Rank()
		ps := make([]Piece, len(in))
		for i, x := range in {
			ps[i] = Piece{x, n.Start[i*r : (i+1)*r], n.Step[i*r : (i+1)*r]}
		}
		return g.Place(n.Type, n.Shape, n.Bits, n.Flag, ps...)
	case Take:
		if g.apart[n] {
			return g.takeApart(n, in[0], in[1])
		}
		return g.takeAs(n, in[0], in[1])
	case Scatter:
		var x *Node
		if len(in) > 2 {
			x = in[2]
		}
		return g.scatterAs(n, n.Shape, in[0], in[1], x)
	case Reduce:
		return g.reduceRun(n.Reduction, in[0], n.Axes[0], n.Axes[1])
	case Cumulate:
		return g.cumulate(n.Reduction, n.Axes[0], n.Flag, in...)
	case MatMul:
		return g.productBy(in[0], in[1], n.Step, n.Flag)
	case Call:
		return g.Call(n.Call, n.Bits, n.Pos, in...)
	case Hosted:
		return g.HostCall(n.Host, int(n.Bits), n.Axes, n.Pos, in...)
	case Stop:
		return g.Stop(in[0])
	case Alias:
		return g.Alias(in[0])
	case Loop, Branch, Rewind:
		c := *n
		c.In = in
		return g.add(c)
	case Out:
		return g.Out(in[0], int(n.Bits))
	}
	panic("ir: no constructor for " + n.Kind.String())
}

// Strip copies what outs need into a fresh graph without Stop and Alias, which matter to derivatives
// only; expressions that differed by them become one.
func Strip(outs []*Node) []*Node {
	return rebuild(outs, func(*Graph, *Node) *Node { return nil })
}

// rebuild is Strip; where other gives a node of the new graph, that takes the old one's place.
func rebuild(outs []*Node, other func(g *Graph, n *Node) *Node) []*Node {
	res, again := rebuildIn(New(), outs, other)
	for again { // what gave an operand that a loop no longer has may not be needed either
		res, again = rebuildIn(New(), res, func(*Graph, *Node) *Node { return nil })
	}
	return res
}

// rebuildIn is rebuild in g, once. It reports whether a loop or branch lost an operand.
func rebuildIn(g *Graph, outs []*Node, other func(g *Graph, n *Node) *Node) (res []*Node, dropped bool) {
	return rebuildOf(g, Reachable(outs), outs, other)
}

// rebuildOf is rebuildIn of nodes, operands first, that outs need.
func rebuildOf(g *Graph, nodes, outs []*Node, other func(g *Graph, n *Node) *Node) (res []*Node, dropped bool) {
	var at []*Node // by ID
	if len(outs) > 0 {
		at = make([]*Node, len(outs[0].Graph.Nodes))
	}
	p := newPruning(nodes)
	var few []*Node
	for _, n := range nodes {
		if o := other(g, n); o != nil {
			at[n.ID] = o
			continue
		}
		switch n.Kind {
		case Rewind:
			p.rewind(g, n, at)
			continue
		case Loop, Branch:
			if n.Rule == nil {
				p.add(g, p.standIn(n), at)
			} else { // only derivatives need the rule
				p.inline(g, n, at)
			}
			continue
		case Out:
			at[n.ID] = p.out(g, n)
			continue
		}
		var in []*Node
		if n.Kind == Pointwise { // Apply copies them
			few = append(few[:0], n.In...)
			in = few
		} else {
			in = make([]*Node, len(n.In))
		}
		for i, x := range n.In {
			in[i] = at[x.ID]
		}
		if n.Kind == Stop || n.Kind == Alias {
			at[n.ID] = in[0]
		} else {
			at[n.ID] = g.Copy(n, in)
		}
	}
	res = make([]*Node, len(outs))
	for i, o := range outs {
		res[i] = at[o.ID]
	}
	return res, p.dropped
}

// Reachable lists what outs need, operands before users.
func Reachable(outs []*Node) []*Node {
	if len(outs) == 0 {
		return nil
	}
	g := outs[0].Graph
	need := make([]bool, len(g.Nodes))
	for _, o := range outs {
		need[o.ID] = true
	}
	count := 0
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if need[i] {
			count++
			for _, x := range g.Nodes[i].In {
				need[x.ID] = true
			}
		}
	}
	list := make([]*Node, 0, count)
	for i, n := range g.Nodes {
		if need[i] {
			list = append(list, n)
		}
	}
	return list
}
