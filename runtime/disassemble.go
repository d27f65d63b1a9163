package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
)

// Disassemble lists the code of every cluster and loop, as it is for a batch: one iteration of a cluster's loop, a
// routine from its beginning to its end, each instruction with the operation that it serves. Operations that several
// share go by the first of them.
func (p *Program) Disassemble(batch int) (string, error) {
	x, err := p.binding(batch)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	x.list(&b, "")
	return b.String(), nil
}

func label(n *ir.Node) string { return fmt.Sprintf("%%%d %s", n.ID, n.Name()) }

func instruction(w *strings.Builder, text, label string) {
	fmt.Fprintf(w, "\t%-60s // %s\n", text, label)
}

// list lists the units' code; within says what they are in.
func (b *binding) list(w *strings.Builder, within string) {
	for i, u := range b.units {
		where := fmt.Sprintf("%sunit %d", within, i)
		if c, ok := u.(*rowsUnit); ok {
			for k, p := range c.parts {
				p.list(w, fmt.Sprintf("%sunit %d", within, c.units[k]), b.isa)
			}
			continue
		}
		switch u := u.(type) {
		case *mapUnit:
			u.list(w, where, b.isa)
		case *nearUnit:
			u.mapUnit.list(w, where, b.isa)
		case *sieveUnit:
			u.mapUnit.list(w, where, b.isa)
		case *productUnit:
			if u.epilogue != nil {
				u.epilogue.list(w, where, b.isa)
			}
		case *nestedUnit:
			u.list(w, where, b)
		case *strandUnit:
			for k, p := range u.parts {
				at := fmt.Sprintf("%sunit %d", within, u.units[k])
				switch p := p.(type) {
				case *mapUnit:
					p.list(w, at, b.isa)
				case *nestedUnit:
					p.list(w, at, b)
				}
			}
		}
	}
}

func (u *nestedUnit) list(w *strings.Builder, where string, b *binding) {
	if u.routine != nil {
		r := jit.NewRoutine()
		r.List()
		b.newRoutine(u, r)
		fmt.Fprintf(w, "%s: a routine of %d bytes for %s\n", where, u.routine.f.Size(), label(u.n))
		for _, l := range r.Lines() {
			instruction(w, fmt.Sprintf("%#05x %s", l.At, l.Text), l.Note)
		}
		return
	}
	if u.code != nil {
		feeds, _ := u.code.body.structure(*b.isa)
		a, _ := u.code.write(*b.isa, feeds)
		fmt.Fprintf(w, "%s: %d bytes of %v code for the steps of %s on %d elements\n", where, u.code.code.size, *b.isa, label(u.n), u.code.elems)
		a.list(w, 0, *b.isa)
		return
	}
	if u.until != nil {
		for _, m := range u.until.before {
			m.list(w, fmt.Sprintf("%s, before each block of %s", where, label(u.n)), b.isa)
		}
	}
	for i, body := range u.bodies {
		body.list(w, fmt.Sprintf("%s, body %d of %s, ", where, i, label(u.n)))
	}
	if u.cond != nil {
		u.cond.list(w, fmt.Sprintf("%s, condition of %s, ", where, label(u.n)))
	}
}

func (u *mapUnit) list(w *strings.Builder, where string, isa *jit.ISA) {
	if u.code == nil {
		return
	}
	feeds, key := u.structure(*isa)
	a, c := u.write(*isa, feeds, keyFolds(key))
	for s := range c.segs {
		if f := u.code.segs[s].f; f == nil {
			fmt.Fprintf(w, "%s, part %d: a tile of %s\n", where, s, label(u.ops[c.segs[s].op].node))
		} else {
			fmt.Fprintf(w, "%s, part %d: %d bytes of %v code for rows of %d of %d elements\n", where, s, f.Size(), *isa, u.cols, u.elems)
			a.list(w, s, *isa)
		}
	}
}

// list lists the code of segment s.
func (a *assembler) list(w *strings.Builder, s int, isa jit.ISA) {
	var made []*mapOp // by the index of their last instruction
	for i := range a.ops {
		if op := &a.ops[i]; op.f != nil && a.seg[op.dst] == s {
			made = append(made, op)
		}
	}
	a.segs[s].p.List(isa, func(src int, line string) {
		name := "all rows"
		if src >= 0 {
			name = "fold"
			k, _ := slices.BinarySearchFunc(made, src, func(op *mapOp, src int) int {
				if a.result[op.dst].At <= src {
					return -1
				}
				return 1
			})
			if k < len(made) {
				name = label(made[k].node)
			}
		}
		instruction(w, line, name)
	})
}
