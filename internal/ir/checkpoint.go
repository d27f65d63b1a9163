package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Checkpoint is what f gives, of whose inner values reverse mode keeps those that are marked and, with products, those
// that are products of matrices. The others it computes again.
func (g *Graph) Checkpoint(f func() []*Node, products bool) []*Node {
	own, start := 0, len(g.Nodes)
	outs := g.branch("Checkpoint", g.Const(dtype.I64, nil, 0), 1, func(int) []*Node {
		y := f()
		own = len(y)
		var kept []*Node
		for _, n := range Reachable(y) {
			if n.ID >= start && n.Type.IsFloat() && len(n.In) > 0 && (g.marked[n] || products && n.Kind == MatMul) {
				kept = append(kept, n)
			}
		}
		return slices.Concat(y, kept)
	}, &own)
	return outs[:own]
}

// Mark has the Checkpoint around it keep n.
func (g *Graph) Mark(n *Node) {
	if g.marked == nil {
		g.marked = map[*Node]bool{}
	}
	g.marked[n] = true
}

// pullKept is reverse mode of a Checkpoint that keeps values: from the results back to these and the operands, then from
// each of these, the last first, to those before it. outs are the values that were kept.
func (g *Graph) pullKept(n *Node, outs, params []*Node, cts []flow) []flow {
	b, own := n.Body[0], n.Axes[0]
	kept := b.Outs[own:]
	saved := make([]*Node, len(kept))
	for j, o := range outs {
		saved[j] = g.Alias(o)
	}
	sums, at := make([]flow, len(params)), slices.Clone(cts[own:])
	pull := func(want []*Node, cts []flow, k int) { // with the first k saved
		from, to := slices.Concat(b.Params, kept[:k]), slices.Concat(params, saved[:k])
		for i, ct := range g.vjp(g.Replay(want, from, to), cts, to) {
			if i < len(params) {
				sums[i] = g.addFlow(sums[i], ct)
			} else {
				at[i-len(params)] = g.addFlow(at[i-len(params)], ct)
			}
		}
	}
	pull(b.Outs[:own], cts[:own], len(kept))
	for j := len(kept) - 1; j >= 0; j-- {
		if at[j].n != nil {
			pull(kept[j:j+1], at[j:j+1], j)
		}
	}
	return sums
}
