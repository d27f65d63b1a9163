package runtime

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// What has no kernel is a step that the host computes: a program of its own, of what the step reads and writes.

// hostStep is a unit that has no kernel.
type hostStep struct{ why *cudasrc.Unsupported }

func (u *hostStep) phases() int            { return 0 }
func (u *hostStep) tasks(int) int          { return 0 }
func (u *hostStep) do(*run, int, int, int) {}

// host has the host compute step s.
func (d *planner) host(s *step, why *cudasrc.Unsupported) error {
	b, l := d.b, d.b.p.low
	own := l.made(s)
	g := ir.New()
	q := &Program{level: b.p.level, threads: b.p.threads, poison: b.p.poison, isa: b.p.isa}
	c := &cudasrc.Control{Why: why.Error()}
	var in, out []cudasrc.Span
	span := func(n *ir.Node) cudasrc.Span {
		k := b.root(n)
		c.At = append(c.At, cudasrc.Arg{Pointer: true, Buffer: k})
		return cudasrc.Span{Place: len(c.At) - 1, Bytes: n.Type.Size() * n.Shape.SizeAt(b.batch)}
	}
	at := map[*ir.Node]*ir.Node{}
	var copied func(n *ir.Node) *ir.Node
	copied = func(n *ir.Node) *ir.Node {
		if x := at[n]; x != nil {
			return x
		}
		var x *ir.Node
		if l.root[n.ID] >= 0 && !own[n] && n.Kind != ir.Data {
			x = g.Param(len(q.inputs), n.Type, n.Shape)
			q.inputs = append(q.inputs, Input{n.Type, n.Shape})
			in = append(in, span(n))
		} else {
			operands := make([]*ir.Node, len(n.In))
			for i, y := range n.In {
				operands[i] = copied(y)
			}
			x = g.Copy(n, operands)
		}
		at[n] = x
		return x
	}
	var outs []*ir.Node
	for _, n := range l.nodes {
		if own[n] && l.root[n.ID] >= 0 && b.buffers[b.root(n)].bytes > 0 {
			outs = append(outs, copied(n))
			out = append(out, span(n))
		}
	}
	if len(outs) == 0 {
		return nil
	}
	q.compile(outs)
	batch := b.batch
	c.Do = func(ctx context.Context, m cudasrc.Machine) error {
		return m.Host(in, out, func(in, out []unsafe.Pointer) error { return q.Run(ctx, batch, in, out) })
	}
	name := why.Step
	if s.node != nil {
		name = fmt.Sprintf("%s %%%d", s.node.Name(), s.node.ID)
	}
	d.plan.Steps = append(d.plan.Steps, cudasrc.Step{Name: name, Control: c})
	return nil
}

// made is the nodes that step s computes.
func (l *lowering) made(s *step) map[*ir.Node]bool {
	own := map[*ir.Node]bool{}
	if s.node != nil {
		own[s.node] = true
	}
	if s.cluster != nil {
		for _, n := range s.cluster.nodes {
			own[n] = true
		}
		for _, n := range s.cluster.reduces {
			own[n] = true
		}
	}
	for _, n := range l.nodes {
		if n.Kind == ir.Out && own[n.In[0]] || l.parts[n.ID] && own[n.In[0].In[0]] {
			own[n] = true
		}
	}
	return own
}

// onHost tells why nothing of steps is done by a device: "" where something is, or nothing is to be done.
func onHost(steps []cudasrc.Step) (why string) {
	launches := false
	everyStep(steps, func(s *cudasrc.Step) {
		launches = launches || len(s.Launches) > 0
		if s.Control != nil && why == "" {
			why = s.Control.Why
		}
	})
	if launches {
		return ""
	}
	return why
}

// directed reports whether the host takes part in steps.
func directed(steps []cudasrc.Step) bool {
	return slices.ContainsFunc(steps, func(s cudasrc.Step) bool { return s.Control != nil })
}
