package runtime

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// String lists the program's graph and its steps.
func (p *Program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "level %s, %d threads, %d inputs, %d steps\n", p.level.Name, p.threads, len(p.inputs), len(p.low.steps))
	b.WriteString(ir.Print(p.low.outs))
	for i, s := range p.low.steps {
		fmt.Fprintf(&b, "step %d: %s\n", i, p.describe(i, s))
	}
	return b.String()
}

func (p *Program) describe(i int, s step) string {
	switch s.kind {
	case checkStep:
		return fmt.Sprintf("check indices %%%d", indices(s.node).ID)
	case nodeStep:
		return fmt.Sprintf("%s -> %%%d%v", s.node.Name(), s.node.ID, s.node.Shape)
	}
	m := p.code[i].cluster
	var b strings.Builder
	if s.kind == fusedStep {
		fmt.Fprintf(&b, "%s -> %%%d%v with ", s.node.Name(), s.node.ID, s.node.Shape)
	}
	fmt.Fprintf(&b, "map %v, %d operations, %d slots:", s.cluster.shape, len(m.ops)-len(m.leaves), m.slots)
	for _, l := range m.leaves {
		fmt.Fprintf(&b, " %%%d", l.node.ID)
	}
	b.WriteString(" ->")
	for _, n := range append(s.cluster.nodes[:len(s.cluster.nodes):len(s.cluster.nodes)], s.cluster.reduces...) {
		if p.low.root[n.ID] >= 0 {
			fmt.Fprintf(&b, " %%%d", n.ID)
		}
	}
	return b.String()
}

// Dot draws the program in Graphviz' language: nodes as boxes, those of one step in a frame.
func (p *Program) Dot() string {
	var b strings.Builder
	b.WriteString("digraph program {\n\tnode [shape=box, fontname=\"monospace\", fontsize=10];\n")
	drawn := map[*ir.Node]bool{}
	node := func(indent string, n *ir.Node) {
		if !drawn[n] {
			drawn[n] = true
			fmt.Fprintf(&b, "%s%d [label=%q];\n", indent, n.ID, n.Name()+n.Attrs()+"\n"+n.Type.String()+n.Shape.String())
		}
	}
	for i, s := range p.low.steps {
		if s.cluster == nil {
			continue
		}
		fmt.Fprintf(&b, "\tsubgraph cluster_%d {\n\t\tlabel=\"step %d\"; style=rounded; color=gray;\n", i, i)
		for _, n := range s.cluster.nodes {
			node("\t\t", n)
		}
		for _, n := range s.cluster.reduces {
			node("\t\t", n)
		}
		b.WriteString("\t}\n")
	}
	for _, n := range p.low.nodes {
		node("\t", n)
		for _, x := range n.In {
			fmt.Fprintf(&b, "\t%d -> %d;\n", x.ID, n.ID)
		}
	}
	for i, o := range p.low.outs {
		fmt.Fprintf(&b, "\tout%d [label=\"output %d\", shape=ellipse];\n\t%d -> out%d;\n", i, i, o.ID, i)
	}
	b.WriteString("}\n")
	return b.String()
}
