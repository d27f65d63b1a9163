package ir

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Cut ends a segment of the graph: nodes made before are computed apart from those made later, so that a
// function that reads values as it is recorded is run in pieces, and equal pieces are one program. Transforms
// cut what they append where the nodes that they follow are cut.
func (g *Graph) Cut() {
	if n := len(g.Nodes); len(g.cuts) == 0 || g.cuts[len(g.cuts)-1] < n {
		g.cuts = append(g.cuts, n)
	}
}

// Segment is the number of n's segment. The results of a node of several are in its own.
func (n *Node) Segment() int {
	if n.Kind == Out {
		n = n.In[0]
	}
	s, found := slices.BinarySearch(n.Graph.cuts, n.ID)
	if found {
		s++
	}
	return s
}

// follow is told the nodes that a walk comes by and cuts where they are of another segment than the last.
func (g *Graph) follow() func(n *Node) {
	if len(g.cuts) == 0 {
		return func(*Node) {}
	}
	cuts, at := g.cuts, -1
	return func(n *Node) {
		s, found := slices.BinarySearch(cuts, n.ID)
		if found {
			s++
		}
		if at >= 0 && s != at {
			g.Cut()
		}
		at = s
	}
}

// Usual reports whether a constant belongs to a segment's structure. Others are parameters of its program, so that a step of
// a loop of Go's does not differ from the next by a number.
func (n *Node) Usual() bool {
	if n.Type == dtype.Bool {
		return true
	}
	return UsualNumber(BitsFloat(n.Type, n.Bits))
}

// UsualNumber is Usual of the number itself.
func UsualNumber(x float64) bool {
	switch x {
	case 0, 1, -1, 2, -2, 0.5:
		return true
	default:
		return math.IsNaN(x) || math.IsInf(x, 0)
	}
}

// Detach copies nodes, operands first, into a graph of their own, as Strip does. What other gives for a node
// takes its place; such nodes come without operands.
func Detach(nodes, outs []*Node, other func(g *Graph, n *Node) *Node) []*Node {
	res, _ := rebuildOf(New(), nodes, outs, other)
	return res
}

// AppendStructure adds to k what tells what n computes of its operands, numbered by id, and the line that its
// errors name.
func (n *Node) AppendStructure(k []byte, id func(*Node) int) []byte {
	k = n.appendKey(k, id, true)
	k = append(k, n.Pos...)
	k = append(k, n.Line...)
	return append(k, 0)
}

// computes is b's key without the rules, which are functions, made at each recording.
func (b *Body) computes() string {
	if b.plain != "" {
		return b.plain
	}
	nodes := Reachable(b.all())
	if !slices.ContainsFunc(nodes, func(n *Node) bool { return len(n.Body) > 0 }) {
		b.plain = b.key
		return b.plain
	}
	at := make(map[*Node]int, len(nodes))
	var k []byte
	for i, n := range nodes {
		at[n] = i
		k = n.AppendStructure(k, func(x *Node) int { return at[x] })
	}
	for _, o := range b.all() {
		k = binary.AppendUvarint(k, uint64(at[o]))
	}
	k = binary.AppendVarint(binary.AppendVarint(k, int64(b.Carry)), int64(b.Xs))
	for _, p := range b.Params {
		k = p.appendKey(k, nil, true)
	}
	if b.Cond != nil {
		k = append(k, "while"...)
	}
	b.plain = string(k)
	return b.plain
}
