package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The registers are 16 or 32 vectors', then, from firstMask, the masks'.
const (
	firstMask = 32
	numRegs   = firstMask + 8
)

// allocator turns a lowered program into lines on machine registers, in one walk. A value that must
// leave its register is the one needed last (Belady's rule, optimal but for the cost of stores). What
// has a place in memory anyway, a constant or an input, leaves for free, and is a memory operand where
// the instruction takes one.
type allocator struct {
	lowered
	lines  []string
	spills int // stores to the stack for want of registers
	slots  int // of a vector's size on the stack

	uses   [][]int // by virtual register: the instructions that are yet to read it
	where  []int   // by virtual register: its register, -1 when in none
	holder [numRegs]int
	pinned [numRegs]bool
	free   []int       // stack slots
	freed  []int       // those that the current instruction may still read
	slot   map[int]int // of the values that were spilled
}

func allocate(l *lowered) *allocator {
	a := &allocator{lowered: *l, slot: map[int]int{}}
	a.home = slices.Clone(l.home)
	a.uses = make([][]int, len(l.home))
	a.where = make([]int, len(l.home))
	for i := range a.where {
		a.where[i] = -1
	}
	for i := range a.holder {
		a.holder[i] = -1
	}
	for i, in := range l.code {
		for _, v := range in.args {
			a.uses[v] = append(a.uses[v], i)
		}
	}
	for i, in := range l.code {
		clear(a.pinned[:])
		a.free, a.freed = append(a.free, a.freed...), a.freed[:0]
		a.settle(i, in.args)
		if in.fma[0] != "" {
			a.fma(i, in)
		} else if in.over {
			a.over(i, in)
		} else if in.rows != "" {
			a.rows(i, in)
		} else {
			a.inst(i, in)
		}
	}
	return a
}

func (a *allocator) emit(format string, args ...any) {
	a.lines = append(a.lines, fmt.Sprintf(format, args...))
}

// last reports whether v has no use after instruction i.
func (a *allocator) last(v, i int) bool {
	u := a.uses[v]
	return len(u) == 0 || u[len(u)-1] <= i
}

// done takes instruction i off the uses of its operands; those without any other give up their
// registers and slots.
func (a *allocator) done(i int, vs []int) {
	for _, v := range vs {
		for len(a.uses[v]) > 0 && a.uses[v][0] <= i {
			a.uses[v] = a.uses[v][1:]
		}
		if len(a.uses[v]) > 0 {
			continue
		}
		if r := a.where[v]; r >= 0 {
			a.holder[r], a.where[v] = -1, -1
		}
		if s, ok := a.slot[v]; ok {
			a.freed = append(a.freed, s)
			delete(a.slot, v)
		}
	}
}

// take gives v a register, making room if need be.
func (a *allocator) take(v int) int {
	from, to := 0, a.count()
	if a.mask[v] {
		from, to = firstMask+1, numRegs // K0 does not mask
	}
	best, far := -1, -1.0
	for r := from; r < to; r++ {
		u := a.holder[r]
		next := math.Inf(1)
		if u >= 0 {
			next = float64(a.uses[u][0])
			if a.home[u] == "" {
				next /= 2 // leaving costs a store as well
			}
		}
		if !a.pinned[r] && next > far {
			best, far = r, next
		}
	}
	if u := a.holder[best]; u >= 0 {
		if a.home[u] == "" {
			a.spill(u)
			a.spills++
		}
		a.where[u] = -1
	}
	a.holder[best], a.where[v], a.pinned[best] = v, best, true
	return best
}

func (a *allocator) spill(v int) {
	s := a.slots
	if k := len(a.free); k > 0 {
		s, a.free = a.free[k-1], a.free[:k-1]
	} else {
		a.slots++
	}
	a.slot[v], a.home[v] = s, fmt.Sprintf("%d(SP)", a.bytes*s)
	a.move(v, a.name(a.where[v]), a.home[v])
}

// name is that of a register.
func (a *allocator) name(r int) string {
	if r >= firstMask {
		return fmt.Sprintf("K%d", r-firstMask)
	}
	return fmt.Sprintf("%c%d", a.reg, r)
}

// move copies v.
func (a *allocator) move(v int, from, to string) {
	switch {
	case a.mask[v]:
		a.emit("KMOVW %s, %s", from, to)
	case a.spread(from):
		a.emit("VBROADCASTS%c %s, %s", map[bool]byte{true: 'S', false: 'D'}[strings.HasPrefix(from, "k32")], from, to)
	default:
		a.emit("VMOVUPS %s, %s", from, to)
	}
}

// spread reports whether the operand is a constant that is in memory once, not as a vector.
func (a *allocator) spread(operand string) bool {
	return a.masks && operand[0] == 'k' && strings.HasSuffix(operand, "(SB)")
}

// load sees that v is in a register, and returns its name.
func (a *allocator) load(v int) string {
	r := a.where[v]
	if r < 0 {
		r = a.take(v)
		a.move(v, a.home[v], a.name(r))
	}
	a.pinned[r] = true
	return a.name(r)
}

// inMemory reports whether v is best read from memory by instruction i. An input that is needed again
// is worth a register; a constant or a spilled value gave way to something that is worth more.
func (a *allocator) inMemory(v, i int) bool {
	_, spilled := a.slot[v]
	return a.where[v] < 0 && (a.keep[v] || spilled || a.last(v, i))
}

// settle loads the constants that instruction i and one of the next few read into registers that nothing is in.
func (a *allocator) settle(i int, vs []int) {
	const soon = 4
	for _, v := range vs {
		if u := a.uses[v]; a.keep[v] && a.where[v] < 0 && len(u) > 1 && u[1] <= i+soon && slices.Index(a.holder[:a.count()], -1) >= 0 {
			a.load(v)
		}
	}
	clear(a.pinned[:])
}

func (a *allocator) pin(vs []int) {
	for _, v := range vs {
		if r := a.where[v]; r >= 0 {
			a.pinned[r] = true
		}
	}
}

func (a *allocator) inst(i int, in inst) {
	args := slices.Clone(in.args)
	if in.swap && !a.inMemory(args[1], i) && a.inMemory(args[0], i) {
		args[0], args[1] = args[1], args[0]
	}
	a.pin(args)
	text := make([]string, len(args))
	for k, v := range args {
		if k == in.mem && a.inMemory(v, i) && !(in.whole && a.spread(a.home[v])) {
			text[k] = a.home[v]
		} else {
			text[k] = a.load(v)
		}
	}
	a.done(i, args)
	dst := ""
	if in.dst >= 0 {
		clear(a.pinned[:]) // the result may take the register of an operand, which is read before
		dst = a.name(a.take(in.dst))
	}
	if in.mem >= 0 && a.spread(text[in.mem]) {
		in.form = strings.Replace(in.form, " ", ".BCST ", 1)
	}
	a.emit("%s", operands(in.form, func(k int) string {
		if k < 0 {
			return dst
		}
		return text[k]
	}))
}

// over writes its result over a copy of the last operand.
func (a *allocator) over(i int, in inst) {
	a.pin(in.args)
	text := []string{a.load(in.args[0]), a.home[in.args[1]]}
	if a.where[in.args[1]] >= 0 {
		text[1] = a.load(in.args[1])
	}
	from := a.home[in.args[2]]
	if r := a.where[in.args[2]]; r >= 0 {
		from = a.name(r)
	}
	dst := a.name(a.take(in.dst))
	a.emit("VMOVUPS %s, %s", from, dst)
	a.emit("%s", operands(in.form, func(k int) string {
		if k < 0 {
			return dst
		}
		return text[k]
	}))
	a.done(i, in.args)
}

// rows has the index on the stack, from which general registers take it.
func (a *allocator) rows(i int, in inst) {
	index := in.args[0]
	if _, ok := a.slot[index]; !ok {
		a.load(index)
		a.spill(index)
		a.holder[a.where[index]], a.where[index] = -1, -1
	}
	at := a.bytes*a.slot[index] + 8*in.lane
	a.done(i, in.args)
	clear(a.pinned[:])
	dst := a.name(a.take(in.dst))
	a.emit("LEAQ %s<>(SB), BX", in.rows)
	a.emit("MOVQ %d(SP), AX", at)
	a.emit("VMOVUPS (BX)(AX*1), X%s", dst[1:])
	a.emit("MOVQ %d(SP), AX", at+16)
	a.emit("VINSERTF128 $1, (BX)(AX*1), %s, %[1]s", dst)
}

// fma writes its result over one of its operands; the choice of the order is free. That operand is one
// that is not needed again, or else a copy, of one that has to be loaded anyway if there is one.
func (a *allocator) fma(i int, in inst) {
	x, y, z := in.args[0], in.args[1], in.args[2] // x·y + z
	a.pin(in.args)
	dies := func(v int) bool { return a.where[v] >= 0 && a.last(v, i) }
	absent := func(v int) bool { return a.where[v] < 0 }
	over := z
	switch {
	case dies(z):
	case dies(x):
		over = x
	case dies(y):
		over = y
	case absent(z):
	case absent(x):
		over = x
	case absent(y):
		over = y
	}
	order, second, third := "231", x, y
	if over == y && over != z {
		x, y = y, x
	}
	if over != z {
		order, second, third = "213", y, z
		if a.inMemory(y, i) && !a.inMemory(z, i) {
			order, second, third = "132", z, y
		}
	} else if a.inMemory(x, i) && !a.inMemory(y, i) {
		second, third = y, x
	}
	s2, s3 := "", ""
	s2 = a.load(second)
	if a.inMemory(third, i) {
		s3 = a.home[third]
	} else {
		s3 = a.load(third)
	}
	if dies(over) {
		r := a.where[over]
		a.where[over], a.where[in.dst], a.holder[r] = -1, r, in.dst
	} else {
		from := a.home[over]
		if r := a.where[over]; r >= 0 {
			from = a.name(r)
		}
		a.move(over, from, a.name(a.take(in.dst)))
	}
	suffix := in.fma[1]
	if a.spread(s3) {
		suffix += ".BCST"
	}
	a.emit("%s%s%s %s, %s, %s", in.fma[0], order, suffix, s3, s2, a.name(a.where[in.dst]))
	a.done(i, in.args)
}
