package ir

import (
	"os"
	"strings"
)

// KeepLines reports whether all graphs keep the user's lines, to name the operation that made a NaN.
func KeepLines() bool {
	s := os.Getenv("ADJOINT_NAN")
	return s != "" && s != "off" && s != "0"
}

// note gives a new node its line: of a derivative's node that of the operation which is derived.
func (g *Graph) note(n *Node) {
	switch d := g.deriving; {
	case n.Line != "":
	case d != nil && d.Line != "":
		n.Line, n.Of = d.Line, d.Of
		if n.Of == "" {
			n.Of = d.PublicName()
		}
	default:
		n.Line = UserLine()
	}
}

// inherit gives the nodes from number start on, which stand for n, its line.
func (g *Graph) inherit(start int, n *Node) {
	if n.Line != "" {
		for _, m := range g.Nodes[start:] {
			m.Line, m.Of = n.Line, n.Of
		}
	}
}

// derive has the nodes that are made until the function it returns is called be those of derivatives, of what
// g.deriving says.
func (g *Graph) derive() func() {
	outer := g.deriving
	return func() { g.deriving = outer }
}

// PublicName is the node's operation as users call it, for errors.
func (n *Node) PublicName() string {
	switch n.Kind {
	case Pointwise:
		return PublicName(n.Op)
	case Reduce:
		return n.Reduction.PublicName()
	case Call, Hosted:
		return n.Name()
	case MatMul:
		return "MatMul"
	case Cumulate:
		return cumulateNames[n.Reduction]
	case Scatter:
		return "ScatterAdd"
	case Loop:
		return "a loop"
	case Branch:
		if n.Rule != nil {
			return n.Rule.Name
		}
		return "a branch"
	}
	s := n.Kind.String()
	return strings.ToUpper(s[:1]) + s[1:]
}
