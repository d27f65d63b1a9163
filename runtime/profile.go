package runtime

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
)

// Go's profiler cannot unwind generated code: it books what that takes as runtime._ExternalCode. A goroutine's labels
// are noted all the same, so that programs which are to be profiled set one for each step.

// labelKey is the label that tells the steps.
const labelKey = "adjoint"

// profiles reports whether ADJOINT_PROFILE asks for names in profiles.
func profiles() (bool, error) {
	switch s := os.Getenv("ADJOINT_PROFILE"); s {
	case "", "off":
		return false, nil
	case "on":
		return true, nil
	default:
		return false, &ir.Error{Op: "Compile", Msg: fmt.Sprintf("ADJOINT_PROFILE=%s is neither on nor off", s)}
	}
}

// label names step i in profiles, as String does.
func (p *Program) label(i int) pprof.LabelSet {
	s := &p.low.steps[i]
	name := fmt.Sprintf("%sstep %d: ", p.within, i)
	if s.node != nil {
		name += label(s.node)
	}
	if s.cluster != nil {
		name = strings.TrimSuffix(name, " ") + " " + p.code[i].cluster.name()
	}
	return pprof.Labels(labelKey, name)
}

// name is the number of m's operations and the first few of their kinds.
func (m *mapCode) name() string {
	const most = 6
	var kinds []string
	count := 0
	add := func(n *ir.Node) {
		if count++; !slices.Contains(kinds, n.Name()) {
			kinds = append(kinds, n.Name())
		}
	}
	for i := range m.ops {
		if m.ops[i].f != nil {
			add(m.ops[i].node)
		}
	}
	for _, n := range m.cluster.reduces {
		add(n)
	}
	if len(kinds) > most {
		kinds = append(kinds[:most], "…")
	}
	return fmt.Sprintf("map of %d (%s)", count, strings.Join(kinds, " "))
}

// labelStep has what this goroutine does from here on be step i's, and lets the run's helpers know.
func (r *run) labelStep(ctx context.Context, i int) {
	r.team.labels = pprof.WithLabels(ctx, r.b.p.labels[i])
	pprof.SetGoroutineLabels(r.team.labels)
}

// named gives the pending code its names in perf's map.
func (b *binding) named() error {
	var names []string
	var fs []*jit.Func
	for _, c := range b.pending {
		for i := range c.segs {
			if f := c.segs[i].f; f != nil {
				fs, names = append(fs, f), append(names, "adjoint: "+c.name)
			}
		}
	}
	if err := jit.WritePerfMap(fs, names); err != nil {
		return &ir.Error{Op: "Compile", Msg: fmt.Sprintf("ADJOINT_PROFILE: %v", err)}
	}
	return nil
}
