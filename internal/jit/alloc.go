package jit

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/jit/x86"
)

// minst is an instruction on machine registers. An address in an array is completed when it is encoded.
type minst struct {
	x86.Inst
	place   place // of the memory operand: inPool and inSlot are in Mem already
	io      int32
	part    int32
	store   bool
	accum   bool
	next    uint8 // into the register of a carry: bytes of its elements
	gathers bool  // it completes elements of input io, which are apart, from off bytes behind the iteration's first one on
	off     int32
	group   int32 // of iterations side by side, the how manieth
	shared  bool  // by all of them
	leaves  bool  // a value of group's leaves its register
	src     int32
}

// A register from accReg on is lanes: for 2 vectors per fold that of fold (r-accReg)/2, for part (r-accReg)%2 of a value.
const accReg = 64

// allocator turns virtual registers into machine registers, in one walk. A value that must leave its
// register is the one needed last (Belady's rule, optimal but for the cost of stores). What has a place in
// memory anyway, a constant or an input, leaves for free.
type allocator struct {
	*code
	out   []minst
	slots int32
	short bool // of registers: there are slots besides those of indices

	next   []int32 // by instruction and operand: the instruction after it that reads the same value
	use    []int32 // by virtual register: the next instruction that reads it
	where  []int16 // by virtual register: its machine register, -1 for none
	vector file
	masks  file
	free   []int32   // slots
	freed  []int32   // those that the instruction under way may still read
	accs   []x86.Reg // by fold: the first of its registers of lanes
	spare  x86.Reg
	tail   x86.Reg // AVX2: which lanes count
	fixed  []minst // before the loop: constants and splats that keep their registers
}

// file is a class of machine registers, first … first+len(holder)-1.
type file struct {
	first  int
	holder []vreg
	pinned []bool
}

const never = math.MaxInt32

// operands lists what in reads.
func (in *vinst) operands() [4]vreg { return [4]vreg{in.a, in.b, in.c, in.mask} }

func allocate(c *code) *allocator {
	a := &allocator{code: c}
	a.use, a.where = make([]int32, len(c.homes)), make([]int16, len(c.homes))
	for i := range a.use {
		a.use[i], a.where[i] = never, -1
	}
	a.next = make([]int32, 4*len(c.insts))
	for i := len(c.insts) - 1; i >= 0; i-- {
		args := c.insts[i].operands()
		for k, v := range args {
			if v != none {
				a.next[4*i+k] = a.use[v]
			}
		}
		for _, v := range args {
			if v != none {
				a.use[v] = int32(i)
			}
		}
	}
	n := 16
	if c.isa == AVX512 {
		n = 32
	}
	n -= c.held
	for i := range c.folds {
		n -= c.isa.vectors()
		a.accs = append(a.accs, x86.Reg(n))
		for part := range c.folds[i].parts {
			a.where[c.folds[i].acc[part]] = int16(accReg + c.isa.vectors()*i + part)
		}
	}
	for _, x := range c.carries {
		n--
		a.where[x.reg] = int16(n)
	}
	if len(c.folds) > 0 || len(c.steps) > 0 {
		n-- // to exchange a fold's vectors of lanes, or for what tails gather by
		a.spare = x86.Reg(n)
	}
	if c.masked || c.isa == AVX2 && len(c.folds) > 0 {
		n--
		a.tail = x86.Reg(n)
	}
	if c.isa != scalar { // whose code runs once
		n = a.hoist(n)
	}
	a.vector = file{0, make([]vreg, n), make([]bool, n)}
	masks := 5
	if len(c.steps) > 0 {
		masks-- // a gather clears its mask
	}
	a.masks = file{3, make([]vreg, masks), make([]bool, masks)} // the first ones are the loop's
	for _, f := range []file{a.vector, a.masks} {
		for i := range f.holder {
			f.holder[i] = none
		}
	}
	a.out = make([]minst, 0, len(c.insts)+len(c.insts)/4)
	for i := range c.insts {
		from := len(a.out)
		clear(a.vector.pinned)
		clear(a.masks.pinned)
		a.free, a.freed = append(a.free, a.freed...), a.freed[:0]
		if in := &c.insts[i]; in.kind == fused {
			a.fma(i, in)
		} else if in.kind == over {
			a.over(i, in)
		} else if in.kind == rows {
			a.rows(i, in)
		} else {
			a.inst(i, in)
		}
		for k := from; k < len(a.out); k++ {
			m := &a.out[k]
			if m.src = c.insts[i].src; m.leaves {
				continue
			}
			m.group = c.insts[i].group
			if m.shared {
				m.group = 0
			}
		}
		if in := &c.insts[i]; in.gathers {
			m := &a.out[len(a.out)-1]
			m.gathers, m.io, m.off, m.part = true, in.io, in.off, in.part
		}
	}
	return a
}

// hoist gives registers that the loop does not need to the constants and splats that are read most, and
// returns the number of the others.
func (a *allocator) hoist(n int) int {
	live, most := 0, 0
	alive := make([]bool, len(a.homes))
	reads := make([]int32, len(a.homes))
	for i := len(a.insts) - 1; i >= 0; i-- {
		in := &a.insts[i]
		if in.dst != none && alive[in.dst] {
			alive[in.dst] = false
			live--
		}
		for _, v := range in.operands() {
			if v == none || a.isMask[v] || a.where[v] >= 0 {
				continue
			}
			reads[v]++
			if !alive[v] && !a.steady(v) {
				alive[v] = true
				live++
			}
		}
		most = max(most, live)
	}
	spare := 4 // results, copies, and what has no memory operand
	if len(a.folds) > 0 {
		spare = 6 // which finish uses
	}
	for room := n - most - spare; room > 0; room-- {
		best := none
		for v, r := range reads {
			if r > 0 && a.steady(vreg(v)) && a.where[v] < 0 && (best == none || r > reads[best]) {
				best = vreg(v)
			}
		}
		if best == none {
			break
		}
		n--
		a.where[best] = int16(n)
		a.fixed = append(a.fixed, a.fetch(best, x86.Reg(n)))
	}
	return n
}

// steady reports whether v is the same for all elements.
func (c *code) steady(v vreg) bool {
	p := c.homes[v].place
	return p == inPool || p == inSplat
}

func (a *allocator) file(v vreg) *file {
	if a.isMask[v] {
		return &a.masks
	}
	return &a.vector
}

// fetch is the instruction that loads v from its home.
func (a *allocator) fetch(v vreg, r x86.Reg) minst {
	h := &a.homes[v]
	m := minst{Inst: x86.Inst{Op: x86.MovLoad, Dst: r, IsMem: true, VL: a.isa.vl()}, place: h.place, io: h.at, part: h.part}
	switch h.place {
	case inPool:
		m.Mem = x86.Mem{Pool: true, Disp: h.at}
		if a.isa == AVX512 && h.width != wholeVector {
			m.Op = broadcast(h.width)
		}
	case inSplat:
		m.Op = broadcast(h.width)
	case inArray:
		m.Mem.Disp = h.part * int32(a.isa.vl().Bytes())
	case inSlot:
		m.Mem = a.slotMemory(h.at)
		if a.isMask[v] {
			m.Op, m.VL = x86.KMovLoad, 0
		}
	case inFrame:
		m.Mem = frameMemory(Slot(h.at), 0)
	}
	return m
}

func broadcast(width uint8) x86.Op {
	if width == 8 {
		return x86.BroadcastD
	}
	return x86.BroadcastS
}

// slotMemory is spill slot i: those of a routine lie below its frame.
func (c *code) slotMemory(i int32) x86.Mem {
	if c.isa == scalar {
		i = -1 - i
	}
	return x86.Mem{Base: spillReg, Index: x86.NoReg, Disp: c.isa.slotBytes() * i}
}

// take gives v a register, making room if need be.
func (a *allocator) take(v vreg) x86.Reg {
	f := a.file(v)
	best, far := -1, int32(-1)
	for r, u := range f.holder {
		if f.pinned[r] {
			continue
		}
		next := int32(never)
		if u != none {
			next = a.use[u]
			if a.homes[u].place == nowhere {
				next /= 2 // leaving costs a store as well
			}
		}
		if next > far {
			best, far = r, next
			if u == none {
				break
			}
		}
	}
	if u := f.holder[best]; u != none {
		if a.homes[u].place == nowhere {
			a.short = true
			a.spill(u, x86.Reg(f.first+best))
		}
		a.where[u] = -1
	}
	f.holder[best], f.pinned[best] = v, true
	a.where[v] = int16(f.first + best)
	return x86.Reg(f.first + best)
}

func (a *allocator) spill(v vreg, r x86.Reg) {
	s := a.slots
	if k := len(a.free); k > 0 {
		s, a.free = a.free[k-1], a.free[:k-1]
	} else {
		a.slots++
	}
	a.homes[v] = home{place: inSlot, at: s}
	m := minst{Inst: x86.Inst{Op: x86.MovStore, B: r, IsMem: true, VL: a.isa.vl(), Mem: a.slotMemory(s)}, place: inSlot, leaves: true}
	m.group = v / int32(len(a.homes)/a.groups) // which another one may have asked for its register
	if a.isMask[v] {
		m.Op, m.VL = x86.KMovStore, 0
	}
	a.out = append(a.out, m)
}

// pin keeps v's register, if it is in one, until the end of the instruction.
func (a *allocator) pin(v vreg) {
	if v == none {
		return
	}
	f := a.file(v)
	if r := int(a.where[v]) - f.first; r >= 0 && r < len(f.holder) {
		f.pinned[r] = true
	}
}

// load sees that v is in a register.
func (a *allocator) load(v vreg) x86.Reg {
	if a.where[v] < 0 {
		h := a.homes[v]
		r := a.take(v)
		if h.place == nowhere {
			panic("jit: a value is nowhere")
		}
		m := a.fetch(v, r)
		m.shared = a.steady(v)
		a.out = append(a.out, m)
	}
	a.pin(v)
	return x86.Reg(a.where[v])
}

// inMemory reports whether v is best read from memory where an instruction allows m. A constant or a
// spilled value gave way to something that is worth more.
func (a *allocator) inMemory(v vreg, m memory) bool {
	if a.where[v] >= 0 || m == noMem || a.isMask[v] {
		return false
	}
	switch h := &a.homes[v]; h.place {
	case inSlot, inFrame:
		return true
	case inPool:
		return m == anyMem
	case inSplat:
		return m == anyMem && a.isa == AVX512
	}
	return false
}

// operand makes v the memory operand of m.
func (a *allocator) operand(m *minst, v vreg) {
	h := &a.homes[v]
	m.IsMem, m.place, m.io = true, h.place, h.at
	switch h.place {
	case inPool:
		m.Mem, m.Bcst = x86.Mem{Pool: true, Disp: h.at}, a.isa == AVX512 && h.width != wholeVector
	case inSplat:
		m.Bcst = true
	case inSlot:
		m.Mem = a.slotMemory(h.at)
	case inFrame:
		m.Mem = frameMemory(Slot(h.at), 0)
	}
	if m.Op == x86.Mov || m.Op == x86.MovD { // which have no memory form of their own
		m.Op -= x86.Mov - x86.MovLoad
		if m.Bcst {
			m.Op, m.Bcst = broadcast(h.width), false
		}
	}
}

// done moves the uses of i's operands on; those without any other give up their registers and slots.
func (a *allocator) done(i int, in *vinst) {
	args := in.operands()
	for k, v := range args {
		if v != none {
			a.use[v] = a.next[4*i+k]
		}
	}
	for _, v := range args {
		if v == none || a.use[v] != never {
			continue
		}
		f := a.file(v)
		if r := int(a.where[v]) - f.first; r >= 0 && r < len(f.holder) && f.holder[r] == v {
			f.holder[r], a.where[v] = none, -1
		}
		if h := &a.homes[v]; h.place == inSlot {
			a.freed = append(a.freed, h.at)
			h.place = nowhere
		}
	}
}

func (a *allocator) inst(i int, in *vinst) {
	x, y := in.a, in.b
	if in.swap && !a.inMemory(y, in.mem) && a.inMemory(x, in.mem) {
		x, y = y, x
	}
	a.pin(x)
	a.pin(y)
	a.pin(in.c)
	a.pin(in.mask)
	if in.kind == gather {
		a.gather(i, in)
		return
	}
	m := minst{Inst: x86.Inst{Op: in.op, VL: in.vl, Imm: in.imm, Zero: in.zero}, part: in.part}
	if x != none {
		m.A = a.load(x)
	}
	if in.c != none {
		m.C = a.load(in.c)
	}
	if in.mask != none {
		m.Mask = a.load(in.mask)
	}
	if y != none {
		if a.inMemory(y, in.mem) {
			a.operand(&m, y)
		} else {
			m.B = a.load(y)
		}
	}
	if in.kind == load || in.kind == store {
		m.IsMem, m.place, m.io, m.Mem.Disp, m.store = true, inArray, in.io, in.off, in.kind == store
		switch {
		case in.io < 0:
			m.place, m.Mem = inPool, x86.Mem{Pool: true, Disp: in.off}
		case a.isApart(in.io):
			m.place = inApart
		case a.isa == scalar:
			m.place, m.Mem = inFrame, frameMemory(Slot(in.io), 0)
		}
	}
	a.done(i, in)
	if in.kind == accum || in.kind == carried {
		m.Dst, m.accum = x86.Reg(a.where[in.dst]), in.kind == accum
		if in.kind == carried {
			m.next = uint8(in.off)
		}
	} else if in.dst != none {
		// The result may take the register of an operand, which is read before.
		clear(a.vector.pinned)
		clear(a.masks.pinned)
		m.Dst = a.take(in.dst)
	}
	if in.kind == ones {
		m.A, m.B, m.place = m.Dst, m.Dst, allLanes
	}
	a.out = append(a.out, m)
}

// isApart reports whether array io is an input whose elements are apart.
func (c *code) isApart(io int32) bool {
	_, ok := c.steps[io]
	return ok
}

// gather may not put its result where the indices are, or AVX2's mask. What is there would be merged, and waited for.
func (a *allocator) gather(i int, in *vinst) {
	m := minst{Inst: x86.Inst{Op: in.op, VL: in.vl, A: a.load(in.a), IsMem: true}, place: inGather, io: in.io, part: in.part}
	clear := x86.PXorD
	if k := a.load(in.mask); a.isMask[in.mask] {
		m.Mask = k
	} else {
		m.C, clear = k, x86.PXor
	}
	m.Dst = a.take(in.dst)
	a.out = append(a.out, minst{Inst: x86.Inst{Op: clear, VL: in.vl, Dst: m.Dst, A: m.Dst, B: m.Dst}})
	a.done(i, in)
	a.out = append(a.out, m)
}

// fma writes its result over one of its operands; the choice of the order is free. That operand is one
// that is not needed again, or else a copy, of one that has to be loaded anyway if there is one.
func (a *allocator) fma(i int, in *vinst) {
	x, y, z := in.a, in.b, in.c // x·y + z
	a.pin(x)
	a.pin(y)
	a.pin(z)
	last := func(v vreg) bool { // no other use after this instruction
		for k, o := range in.operands() {
			if o == v {
				return a.next[4*i+k] == never
			}
		}
		return false
	}
	dies := func(v vreg) bool {
		r := int(a.where[v])
		return r >= 0 && r < len(a.vector.holder) && last(v)
	}
	absent := func(v vreg) bool { return a.where[v] < 0 }
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
	const o132, o213, o231 = 0, 2, 4
	order, second, third := x86.Op(o231), x, y
	if over == y && over != z {
		x, y = y, x
	}
	if over != z {
		order, second, third = o213, y, z
		if a.inMemory(y, anyMem) && !a.inMemory(z, anyMem) {
			order, second, third = o132, z, y
		}
	} else if a.inMemory(x, anyMem) && !a.inMemory(y, anyMem) {
		second, third = y, x
	}
	m := minst{Inst: x86.Inst{Op: in.op + order, VL: in.vl}}
	m.A = a.load(second)
	if a.inMemory(third, anyMem) {
		a.operand(&m, third)
	} else {
		m.B = a.load(third)
	}
	if dies(over) {
		r := a.where[over]
		a.where[over], a.where[in.dst], a.vector.holder[r] = -1, r, in.dst
	} else if r := a.where[over]; r >= 0 {
		to := a.take(in.dst)
		a.out = append(a.out, minst{Inst: x86.Inst{Op: x86.Mov, VL: in.vl, Dst: to, B: x86.Reg(r)}})
	} else {
		to := a.take(in.dst)
		a.out = append(a.out, a.fetch(over, to))
	}
	m.Dst = x86.Reg(a.where[in.dst])
	a.out = append(a.out, m)
	a.done(i, in)
}

// over writes its result over a copy of c.
func (a *allocator) over(i int, in *vinst) {
	a.pin(in.a)
	a.pin(in.b)
	a.pin(in.c)
	m := minst{Inst: x86.Inst{Op: in.op, VL: in.vl}}
	m.A = a.load(in.a)
	if a.inMemory(in.b, in.mem) {
		a.operand(&m, in.b)
	} else {
		m.B = a.load(in.b)
	}
	to := a.take(in.dst)
	if r := a.where[in.c]; r >= 0 {
		a.out = append(a.out, minst{Inst: x86.Inst{Op: x86.Mov, VL: in.vl, Dst: to, B: x86.Reg(r)}})
	} else {
		a.out = append(a.out, a.fetch(in.c, to))
	}
	m.Dst = to
	a.out = append(a.out, m)
	a.done(i, in)
}

// rows has the index in a slot, from which general registers take it.
func (a *allocator) rows(i int, in *vinst) {
	h := &a.homes[in.a]
	if h.place != inSlot {
		r := a.load(in.a)
		a.spill(in.a, r)
		a.vector.holder[r], a.where[in.a] = none, -1
	}
	slot := h.at
	a.done(i, in)
	clear(a.vector.pinned)
	to := a.take(in.dst)
	m := minst{Inst: x86.Inst{Op: x86.MovLoad, VL: x86.V128, Dst: to, IsMem: true, Mem: x86.Mem{Disp: in.off}}, place: inRow, io: slot, part: in.part}
	a.out = append(a.out, m)
	m.Op, m.VL, m.A, m.Imm = in.op, in.vl, to, in.imm
	m.part += 2
	a.out = append(a.out, m)
}
