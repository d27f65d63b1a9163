package jit

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/jit/x86"
)

// A chain of instructions on one vector waits for each result, some four cycles, and a processor looks
// ahead at the chains of few iterations. So a short program's iterations go side by side, instruction by
// instruction, where their values all have registers. Not four where there are divisions, which take turns
// in one unit: what else there is to do should come between them. Where there are four units for vectors, four iterations in
// order of their chains are best all the same, and some stores cost little, as they do between two on AVX2, but for those that
// pairs of tables ask for. Rows of few elements, n, are whole.
func allocateBeside(c *code, n int) *allocator {
	if c.atOnce {
		g := ceil(n, c.e)
		a := allocate(c.interleaved(g).scheduled())
		if a.short && g == 4 { // two pairs, one after the other
			if b := allocate(c.interleaved(2).scheduled().repeated(2)); len(b.out) < len(a.out) {
				return b
			}
		}
		return a
	}
	if len(c.insts) > mostBeside {
		return c.allocateLong()
	}
	single := allocate(c)
	ordered := fourPipes && c.isa == AVX512
	for groups := 4; groups > 1; groups /= 2 {
		if len(c.insts) < 8 || groups > 2 && !ordered && slices.ContainsFunc(c.insts, divides) {
			continue
		}
		w, most := c.interleaved(groups), 9*groups*len(single.out)
		if ordered {
			w, most = w.scheduled(), 10*groups*len(single.out)
		}
		if a := allocate(w); (ordered || !a.short) && 8*len(a.out) <= most {
			return a
		}
	}
	if c.isa == AVX2 && !c.pairs {
		if a := allocate(c.interleaved(2).scheduled()); 4*len(a.out) <= 5*2*len(single.out) {
			return a
		}
	}
	return single
}

// Up to so many instructions are interleaved as they are, and up to the other number put in order, two iterations of
// them, if there are registers.
const mostBeside, mostBesideInOrder = 128, 256

// allocateLong puts the instructions in order, unless that costs registers.
func (c *code) allocateLong() *allocator {
	a := allocate(c.scheduled())
	if len(c.insts) <= mostBesideInOrder {
		if b := allocate(c.interleaved(2).scheduled()); !b.short || c.isa == AVX2 && 8*len(b.out) <= 9*2*len(a.out) {
			return b
		}
	}
	if !a.short {
		return a
	}
	if single := allocate(c); 8*len(a.out) > 9*len(single.out) {
		return single
	}
	return a
}

func divides(in vinst) bool {
	switch in.op {
	case x86.DivPS, x86.DivPD, x86.SqrtPS, x86.SqrtPD:
		return true
	}
	return false
}

// interleaved is c for several iterations at once. What is the same for all elements they share.
func (c *code) interleaved(groups int) *code {
	return c.several(groups, func(i int) int {
		n := 1
		if in := &c.insts[i]; in.a != none && c.isLane(in.a) || in.b != none && c.isLane(in.b) {
			for c.insts[i+n-1].kind != accum { // a fold's lanes are changed before they are read again
				n++
			}
		}
		return n
	})
}

// repeated is c for several iterations, or times as many as c is for, one behind the other.
func (c *code) repeated(times int) *code {
	return c.several(times, func(int) int { return len(c.insts) })
}

// isLane reports whether v is a fold's lanes.
func (c *code) isLane(v vreg) bool {
	return slices.ContainsFunc(c.folds, func(f fold) bool { return v == f.acc[0] || f.parts > 1 && v == f.acc[1] })
}

// several is c several times; together says how many instructions from one on stay together.
func (c *code) several(groups int, together func(i int) int) *code {
	w := *c
	w.groups = groups * c.groups
	w.insts = make([]vinst, 0, groups*len(c.insts))
	w.homes, w.isMask = slices.Repeat(c.homes, groups), slices.Repeat(c.isMask, groups)
	shared := make([]bool, len(c.homes))
	for v := range shared {
		shared[v] = c.isLane(vreg(v)) || c.steady(vreg(v))
	}
	w.carries = nil
	for _, x := range c.carries {
		for g := range groups {
			y := x
			y.group, y.reg = x.group+int32(g*c.groups), x.reg+vreg(g*len(c.homes))
			w.carries = append(w.carries, y)
		}
	}
	for i, n := 0, 1; i < len(c.insts); i += n {
		n = together(i)
		for g := range groups {
			for _, in := range c.insts[i : i+n] {
				in.group += int32(g * c.groups)
				for _, v := range []*vreg{&in.a, &in.b, &in.c, &in.mask, &in.dst} {
					if *v != none && !shared[*v] {
						*v += vreg(g * len(c.homes))
					}
				}
				w.insts = append(w.insts, in)
			}
		}
	}
	return &w
}
