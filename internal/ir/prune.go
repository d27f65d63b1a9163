package ir

import "slices"

// pruning leaves of Loops and Branches what is used of their results. A loop gives way to the one that also
// saves its carries, where that is there, too.
type pruning struct {
	there map[*Node]bool
	used  map[*Node][]bool // by the node that stays: its results, of a loop also the number of steps
	made  map[*Node]pruned
	// dropped reports whether a node that stays lost an operand.
	dropped bool
	// inlined has the results of what is no node any more.
	inlined map[*Node][]*Node
}

// pruned is what a node became, and which of its results each of the old ones is.
type pruned struct {
	n  *Node
	at []int
}

func newPruning(nodes []*Node) *pruning {
	p := &pruning{there: map[*Node]bool{}, used: map[*Node][]bool{}, made: map[*Node]pruned{}, inlined: map[*Node][]*Node{}}
	for _, n := range nodes {
		if n.Kind == Loop {
			p.there[n] = true
		}
	}
	for _, n := range nodes {
		if n.Kind == Out {
			s, k := p.result(n)
			if p.used[s] == nil {
				p.used[s] = make([]bool, len(s.Body[0].Outs)+1)
			}
			p.used[s][k] = true
		}
	}
	return p
}

// standIn is the node that stays for n.
func (p *pruning) standIn(n *Node) *Node {
	for {
		s := n.Graph.savings[n]
		if s == nil || !p.there[s] {
			return n
		}
		n = s
	}
}

// result is the node and the number of its result that Out n stands for: those of a saving loop come behind
// the others, the number of steps last.
func (p *pruning) result(n *Node) (s *Node, k int) {
	s, k = p.standIn(n.In[0]), int(n.Bits)
	if k == len(n.In[0].Body[0].Outs) {
		k = len(s.Body[0].Outs)
	}
	return s, k
}

// inline copies a body into g, in the place of its node.
func (p *pruning) inline(g *Graph, n *Node, at []*Node) {
	params := make([]*Node, len(n.In)-1)
	for i, x := range n.In[1:] {
		params[i] = at[x.ID]
	}
	p.inlined[n] = copied(g, n.Body[0], params)
}

// copied is b's results in g for operands there.
func copied(g *Graph, b *Body, operands []*Node) []*Node {
	outs, _ := rebuildIn(g, b.Outs, func(_ *Graph, x *Node) *Node {
		if x.Kind == Param {
			return operands[x.Bits]
		}
		return nil
	})
	return outs
}

// choose puts the results that are used, outs, in the place of branch n.
func (p *pruning) choose(n *Node, used []bool, outs []*Node) {
	all := make([]*Node, len(used))
	for k := range all {
		if used[k] {
			all[k], outs = outs[0], outs[1:]
		}
	}
	p.inlined[n] = all
}

func (p *pruning) out(g *Graph, n *Node) *Node {
	s, k := p.result(n)
	if outs := p.inlined[s]; outs != nil {
		return outs[k]
	}
	m := p.made[s]
	return g.Out(m.n, m.at[k])
}

// add makes n in g with what is used of it; at has the new nodes by the old ones' IDs.
func (p *pruning) add(g *Graph, n *Node, at []*Node) {
	if p.made[n].n != nil || p.inlined[n] != nil {
		return
	}
	used := p.used[n]
	if used == nil {
		return // nothing of it is
	}
	first := n.Body[0]
	carry := 0
	if n.Kind == Loop {
		carry = first.Carry
		p.keepCarries(first, used)
	}
	// What bodies read of their parameters.
	reads := make([]bool, len(first.Params))
	for _, b := range n.Body {
		for _, x := range Reachable(b.live(used)) {
			if x.Kind == Param {
				reads[x.Bits] = true
			}
		}
	}
	for i := range carry {
		reads[i] = used[i]
	}
	index := -1
	if n.Kind == Loop {
		index = first.Carry + first.Xs
		reads[index] = true
	}
	number := make([]int, len(reads)) // of the parameters that stay
	var operands []*Node
	count := 0
	bodyCarry, bodyXs := 0, 0
	old := n.In[n.firstOperand():]
	for i, r := range reads {
		number[i] = count
		if !r {
			p.dropped = true
			continue
		}
		count++
		if i == index {
			continue
		}
		k := i
		if index >= 0 && i > index {
			k--
		}
		operands = append(operands, at[old[k].ID])
		switch {
		case i < carry:
			bodyCarry++
		case i < index:
			bodyXs++
		}
	}
	c := *n
	c.Body = nil
	for _, b := range n.Body {
		live := b.live(used)
		rebuilt := rebuild(live, func(g *Graph, x *Node) *Node {
			if x.Kind != Param {
				return nil
			}
			return g.Param(number[x.Bits], x.Type, x.Shape)
		})
		nb := &Body{Carry: bodyCarry, Xs: bodyXs, Outs: rebuilt}
		if b.Cond != nil {
			nb.Cond = rebuilt[len(rebuilt)-1]
			nb.Outs = rebuilt[:len(rebuilt)-1]
		}
		graph := New()
		if len(rebuilt) > 0 {
			graph = rebuilt[0].Graph
		}
		for i, x := range b.Params {
			if reads[i] {
				nb.Params = append(nb.Params, graph.Param(number[i], x.Type, x.Shape))
			}
		}
		c.Body = append(c.Body, nb.finish())
	}
	if n.Kind == Branch && selectable(c.Body) {
		p.choose(n, used, g.selected(at[n.In[0].ID], c.Body, operands))
		return
	}
	if n.Kind == Branch {
		operands = slices.Concat([]*Node{at[n.In[0].ID]}, operands)
	} else if n.Bits == 1 {
		operands = append(operands, at[n.In[len(n.In)-1].ID])
	}
	c.In = operands
	res := pruned{at: make([]int, len(used))}
	count = 0
	for k := range first.Outs {
		res.at[k] = count
		if used[k] {
			count++
		}
	}
	res.at[len(first.Outs)] = count
	res.n = g.add(c)
	p.made[n] = res
}

// rewind makes n in g, with bodies that are stripped.
func (p *pruning) rewind(g *Graph, n *Node, at []*Node) {
	c := *n
	c.Body, c.In = nil, make([]*Node, len(n.In))
	for i, x := range n.In {
		c.In[i] = at[x.ID]
	}
	for _, b := range n.Body {
		nb := &Body{Carry: b.Carry, Xs: b.Xs, Outs: Strip(b.Outs)}
		h := New()
		if len(nb.Outs) > 0 {
			h = nb.Outs[0].Graph
		}
		for i, x := range b.Params {
			nb.Params = append(nb.Params, h.Param(i, x.Type, x.Shape))
		}
		c.Body = append(c.Body, nb.finish())
	}
	res := pruned{n: g.add(c)}
	for k := range len(n.Body[0].Outs) + 1 {
		res.at = append(res.at, k)
	}
	p.made[n] = res
}

// firstOperand is the place of the first parameter's operand.
func (n *Node) firstOperand() int {
	if n.Kind == Branch {
		return 1
	}
	return 0
}

// live is the outs that are used, and the condition.
func (b *Body) live(used []bool) []*Node {
	var live []*Node
	for k, o := range b.Outs {
		if used[k] {
			live = append(live, o)
		}
	}
	if b.Cond != nil {
		live = append(live, b.Cond)
	}
	return live
}

// keepCarries adds to used the carries that others need.
func (p *pruning) keepCarries(b *Body, used []bool) {
	for again := true; again; {
		again = false
		for _, x := range Reachable(b.live(used)) {
			if x.Kind == Param && int(x.Bits) < b.Carry && !used[x.Bits] {
				used[x.Bits], again = true, true
			}
		}
	}
}
