package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// String lists the program's graph, its steps with what they read and write, and where that lies for the
// batch that was run last.
func (p *Program) String() string {
	var b strings.Builder
	b.WriteString(p.describeDevice())
	fmt.Fprintf(&b, "level %s, %d threads, %d inputs, %d steps\n", p.level.Name, p.threads, len(p.inputs), len(p.low.steps))
	b.WriteString(ir.Print(p.low.outs))
	for i, s := range p.low.steps {
		fmt.Fprintf(&b, "step %d: %s\n", i, p.describe(i, s))
	}
	if l := p.latest.Load(); l != nil {
		l.describe(&b)
	}
	return b.String()
}

func (p *Program) describe(i int, s step) string {
	var b strings.Builder
	switch s.kind {
	case checkStep:
		fmt.Fprintf(&b, "check indices %%%d < %v", indices(s.node).ID, s.node.Shape)
		return b.String()
	case nodeStep, fusedStep:
		fmt.Fprintf(&b, "%s", s.node.Name())
		for _, in := range s.node.In {
			for _, x := range p.low.arrays(in) {
				fmt.Fprintf(&b, " %%%d", x.ID)
			}
		}
		fmt.Fprintf(&b, " -> %%%d%v", s.node.ID, s.node.Shape)
	}
	if s.kind == nodeStep {
		return b.String()
	}
	if s.kind == fusedStep {
		b.WriteString(" with ")
	}
	m := p.code[i].cluster
	fmt.Fprintf(&b, "map %v, %d operations, ", s.cluster.shape, len(m.ops)-len(m.leaves))
	if p.isa != nil && m.generates() {
		fmt.Fprintf(&b, "%v code:", *p.isa)
	} else {
		fmt.Fprintf(&b, "%d slots:", m.slots)
	}
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

// describe lists the memory plan: by step the arrays that it makes, their places, and until which step they
// live.
func (b *binding) describe(w *strings.Builder) {
	fmt.Fprintf(w, "memory for B = %d: arena %d bytes, scratch %d bytes per thread\n", b.batch, b.arena, b.scratch+b.folds*kernels.LaneBytes)
	if b.isa == nil && b.p.isa != nil {
		fmt.Fprintf(w, "no code: the system refused pages for it, tiles run\n")
	}
	for i, u := range b.units {
		tasks := 0
		for phase := range u.phases() {
			tasks += u.tasks(phase)
		}
		fmt.Fprintf(w, "step %d: %d tasks", i, tasks)
		switch u := u.(type) {
		case *nestedUnit:
			if u.routine != nil {
				fmt.Fprintf(w, ", a routine of %d bytes", u.routine.f.Size())
			}
			if u.until != nil {
				fmt.Fprintf(w, ", %d elements until they are done", u.until.block)
			}
		case *strandUnit:
			fmt.Fprintf(w, ", steps %d to %d by %d elements", u.units[0], i, u.block)
		case *nearUnit:
			fmt.Fprintf(w, ", %%%d by %d of %d lines in each thread's scratch", b.buffers[u.pad.dst].node.ID, u.block, u.count)
		}
		for k := range b.buffers {
			f := &b.buffers[k]
			if f.first != i {
				continue
			}
			name := "temporary"
			if f.node != nil {
				name = fmt.Sprintf("%%%d", f.node.ID)
			}
			switch {
			case f.out >= 0:
				fmt.Fprintf(w, ", %s is output %d", name, f.out)
			case slices.ContainsFunc(b.guests, func(g guest) bool { return g.buffer == k }):
				fmt.Fprintf(w, ", %s where its output is or at %d+%d until step %d", name, f.offset, f.bytes, min(f.last, len(b.units)-1))
			case f.offset >= 0:
				fmt.Fprintf(w, ", %s at %d+%d until step %d", name, f.offset, f.bytes, min(f.last, len(b.units)-1))
			}
		}
		w.WriteByte('\n')
	}
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
