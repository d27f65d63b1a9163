package ir

import "slices"

// Residuals are the nodes that outs need and that do not depend on holes, as far as they meet what does: with those
// and the holes given, outs follow ([Graph.Replay]). What merely shows another node is not among them, but that is.
func Residuals(outs, holes []*Node) []*Node {
	var list []*Node
	seen := map[*Node]bool{}
	var add func(n *Node)
	add = func(n *Node) {
		switch {
		case seen[n] || n.Kind == Const || n.Kind == Data || n.Kind == Iota || n.Kind == DimSize:
		case shows(n):
			add(n.In[0])
		default:
			list = append(list, n)
		}
		seen[n] = true
	}
	moved := map[*Node]bool{}
	for _, h := range holes {
		moved[h] = true
	}
	for _, n := range Reachable(outs) {
		if moved[n] || !slices.ContainsFunc(n.In, func(x *Node) bool { return moved[x] }) {
			continue
		}
		moved[n] = true
		for _, x := range n.In {
			if !moved[x] {
				add(x)
			}
		}
	}
	for _, o := range outs {
		if !moved[o] {
			add(o)
		}
	}
	return list
}

// shows reports whether n only shows elements of its operand.
func shows(n *Node) bool {
	switch n.Kind {
	case Broadcast, Reshape, Transpose, Slice, Reverse, Windows:
		return true
	}
	return false
}

// Replay copies into g what outs need above from, with to in the place of from.
func (g *Graph) Replay(outs, from, to []*Node) []*Node {
	at := map[*Node]*Node{}
	for i, n := range from {
		at[n] = to[i]
	}
	var copied func(n *Node) *Node
	copied = func(n *Node) *Node {
		if c := at[n]; c != nil {
			return c
		}
		in := make([]*Node, len(n.In))
		for i, x := range n.In {
			in[i] = copied(x)
		}
		at[n] = g.Copy(n, in)
		return at[n]
	}
	res := make([]*Node, len(outs))
	for i, o := range outs {
		res[i] = copied(o)
	}
	return res
}
