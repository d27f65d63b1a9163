package jit

import (
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/jit/x86"
)

// The general registers of generated code. A pointer without a register of its own is loaded into
// tempReg each time.
const (
	tempReg  = x86.AX
	leftReg  = x86.CX // elements left of the row
	indexReg = x86.DX // elements done
	spillReg = x86.SI
	argsReg  = x86.DI
)

var pointerRegs = [...]x86.Reg{x86.BX, x86.R8, x86.R9, x86.R10, x86.R11, x86.R12, x86.R13, x86.R14, x86.R15}

// pairsReg, where there are pairs of tables, is the constants' address.
const pairsReg = x86.R15

// The words of a call's arguments: n, the spill's address, rows, the tail; then of each array, inputs before outputs,
// its address and the bytes from one row to the next, or the address of the list of the next rows' addresses.
const (
	ArgN = iota
	ArgSpill
	ArgRows
	ArgTail // 0, or as Step says
	ArgArrays
)

// apartMask is for the gathers of tails, which clear it.
const apartMask = 7

func argMem(word int) x86.Mem {
	return x86.Mem{Base: argsReg, Index: x86.NoReg, Disp: int32(8 * word)}
}

// emitter encodes an allocated program.
type emitter struct {
	*allocator
	p    *Program
	text x86.Text
	list func(src int, line string) // nil, or told what is encoded
	held x86.Mem                    // AVX2: the mask in the tail's register
	near int32                      // the input of elements apart whose first one's address in the iteration tempReg holds, -1 for none
}

func (e *emitter) arrays() int { return len(e.p.In) + len(e.p.Out) }

func (e *emitter) typeOf(io int32) dtype.Type {
	if int(io) < len(e.p.In) {
		return e.p.In[io].T
	}
	return e.p.Out[int(io)-len(e.p.In)].T
}

// listed reports whether array i is an input whose rows lie anywhere.
func (e *emitter) listed(i int) bool { return i < len(e.p.In) && e.p.In[i].Listed }

// still reports whether array i is an input that is the same in every row.
func (e *emitter) still(i int) bool { return i < len(e.p.In) && e.p.In[i].Still }

// pointer is array i's own register for its address: the first arrays that move have one.
func (e *emitter) pointer(i int) (x86.Reg, bool) {
	if e.still(i) {
		return 0, false
	}
	for k := range min(i, len(e.p.In)) {
		if e.still(k) {
			i--
		}
	}
	if i >= len(pointerRegs) || e.pairs && pointerRegs[i] == pairsReg {
		return 0, false
	}
	return pointerRegs[i], true
}

// base is the register that holds array io's address.
func (e *emitter) base(io int32) x86.Reg {
	if r, ok := e.pointer(int(io)); ok {
		return r
	}
	e.text.Load(tempReg, argMem(ArgArrays+2*int(io)))
	e.near = -1
	return tempReg
}

// apartAt is where elements of input io are, off bytes from the iteration's first one, in the group.
func (e *emitter) apartAt(io, off int32, group int) x86.Mem {
	x := &e.p.In[io]
	step := x.Stride * int32(x.T.Size())
	if t := &e.text; e.near != io {
		t.MulTo(tempReg, indexReg, step)
		if r, ok := e.pointer(int(io)); ok {
			t.Add(tempReg, r)
		} else {
			t.AddMem(tempReg, argMem(ArgArrays+2*int(io)))
		}
		e.near = io
	}
	return x86.Mem{Base: tempReg, Index: x86.NoReg, Disp: off + int32(group*e.e)*step}
}

// gatherTail has m's register be the tail's elements of an input whose elements are apart.
func (e *emitter) gatherTail(m *minst, group int) {
	t, size := &e.text, e.p.In[m.io].T.Size()
	in := x86.Inst{Op: bySize(size, x86.GatherPS), VL: e.isa.vl(), Dst: m.Dst, A: e.spare, IsMem: true, Mem: e.apartAt(m.io, m.off, group)}
	in.Mem.Scale = uint8(size)
	t.Emit(&x86.Inst{Op: x86.MovLoad, VL: in.VL - x86.VL(size/8), Dst: e.spare, IsMem: true, Mem: x86.Mem{Pool: true, Disp: e.steps[m.io]}})
	clear := x86.PXorD
	if e.isa == AVX512 {
		in.Mask = apartMask
		t.Emit(&x86.Inst{Op: x86.KMovLoad, Dst: in.Mask, B: 1 + x86.Reg(m.part)})
	} else {
		in.Op, in.C, clear = bySize(size, x86.VGatherPS), e.tail, x86.PXor
		e.hold(m.part, size == 8)
		e.held = x86.Mem{}
	}
	t.Emit(&x86.Inst{Op: clear, VL: in.VL, Dst: in.Dst, A: in.Dst, B: in.Dst})
	t.Emit(&in)
}

// inst encodes m for the elements that start group iterations further on. In the tail, what it reads
// and writes of arrays is masked.
func (e *emitter) inst(m *minst, group int, tail bool) {
	in := m.Inst
	if tail && m.gathers {
		e.gatherTail(m, group)
		return
	}
	if tail && m.place == inApart { // which the gather brings
		return
	}
	if len(e.folds) > 0 {
		in.Dst, in.A, in.B = e.lanes(in.Dst, group), e.lanes(in.A, group), e.lanes(in.B, group)
		switch {
		case !m.accum || !tail:
		case e.isa == AVX512:
			in.Mask = 1 + x86.Reg(m.part)
		default:
			e.some(m, in)
			return
		}
	}
	if tail && e.masked && (m.next > 0 || m.place == inArray) {
		e.under(m, in, group)
		return
	}
	tail = tail && e.isa == AVX512
	if m.next > 0 && tail { // the lanes behind stay 0
		in.Mask, in.Zero = 1+x86.Reg(m.part), true
		if m.next == 8 && (in.Op == x86.Mov || in.Op == x86.MovLoad) {
			in.Op++
		}
	}
	switch m.place {
	case allLanes:
		if tail {
			k := 1 + x86.Reg(m.part)
			in.Op, in.A, in.B = x86.KAndW, k, k
		}
	case inGather:
		in.Mem = x86.Mem{Base: e.base(m.io), Scale: uint8(e.typeOf(m.io).Size())}
	case inSplat:
		in.Mem = x86.Mem{Base: e.base(m.io), Index: x86.NoReg}
	case inRow:
		lane := e.slotMemory(m.io)
		lane.Disp += 8 * m.part
		e.text.Load(tempReg, lane)
		e.near = -1
		in.Mem.Base, in.Mem.Index, in.Mem.Scale = pairsReg, tempReg, 1
	case inApart:
		in.Mem = e.apartAt(m.io, in.Mem.Disp, group)
	case inArray:
		t := e.typeOf(m.io)
		in.Mem = e.elements(m, group)
		if tail {
			in.Mask = 1 + x86.Reg(m.part)
			in.Zero = !m.store
			switch {
			case m.store && t == dtype.Bool:
				in.Op = x86.MovU8Store
			case t.Size() == 8 && (in.Op == x86.MovLoad || in.Op == x86.MovStore):
				in.Op++
			}
		}
	}
	e.add(m, &in)
}

// add encodes in for m.
func (e *emitter) add(m *minst, in *x86.Inst) {
	e.text.Emit(in)
	if e.list != nil {
		e.list(int(m.src), in.String())
	}
}

// elements is where m has elements of an array.
func (e *emitter) elements(m *minst, group int) x86.Mem {
	size := e.typeOf(m.io).Size()
	return x86.Mem{Base: e.base(m.io), Index: indexReg, Scale: uint8(size), Disp: m.Mem.Disp + int32(group*e.e*size)}
}

// under is in, which moves a part of an array or of a carry, under AVX2's masks; a carry's lanes behind stay 0.
func (e *emitter) under(m *minst, in x86.Inst, group int) {
	if m.next > 0 {
		e.hold(m.part, m.next == 8)
		in.Op, in.A = x86.AndPS, e.tail
		e.add(m, &in)
		return
	}
	wide := e.typeOf(m.io).Size() == 8
	e.hold(m.part, wide)
	in.Mem, in.A, in.Op = e.elements(m, group), e.tail, x86.MaskLoadS
	if m.store {
		in.Op = x86.MaskStoreS
	}
	if wide {
		in.Op++
	}
	e.add(m, &in)
}

// hold has the tail's register say which lanes of a part count.
func (e *emitter) hold(part int32, wide bool) {
	at := x86.Mem{Base: leftReg, Index: x86.NoReg}
	if wide {
		at.Disp = 32 + 32*part
	}
	if at != e.held {
		e.text.Emit(&x86.Inst{Op: x86.MovLoad, VL: x86.V256, Dst: e.tail, IsMem: true, Mem: at})
		e.held = at
	}
}

// some is in, which makes lanes of a fold, for the tail's lanes alone.
func (e *emitter) some(m *minst, in x86.Inst) {
	t, acc := &e.text, in.Dst
	op, f := x86.BlendVPS, e.folds[int(m.Dst-accReg)/e.isa.vectors()]
	if f.t.Bits() == 64 {
		op = x86.BlendVPD
	}
	in.Dst = e.spare
	t.Emit(&in)
	e.hold(m.part, f.t.Bits() == 64)
	t.Emit(&x86.Inst{Op: op, VL: in.VL, Dst: acc, A: acc, B: e.spare, C: e.tail})
}

// lanes is r, or the lanes that stand for it in the group: those of a fold whose values have one part take
// turns.
func (e *emitter) lanes(r x86.Reg, group int) x86.Reg {
	if r < accReg {
		return r
	}
	n := e.isa.vectors()
	i, part := int(r-accReg)/n, int(r-accReg)%n
	return e.accs[i] + x86.Reg((group*e.folds[i].parts+part)%n)
}

// exchange lets the next iteration have the lanes that are its own after so many.
func (e *emitter) exchange(iterations int) {
	move := func(dst, src x86.Reg) {
		e.text.Emit(&x86.Inst{Op: x86.Mov, VL: e.isa.vl(), Dst: dst, B: src})
	}
	n := e.isa.vectors()
	for i := range e.folds {
		for range iterations * e.folds[i].parts % n {
			move(e.spare, e.accs[i])
			for k := range x86.Reg(n - 1) {
				move(e.accs[i]+k, e.accs[i]+k+1)
			}
			move(e.accs[i]+x86.Reg(n-1), e.spare)
		}
	}
}

// begin fills the lanes.
func (e *emitter) begin() {
	for i := range e.folds {
		for k := range x86.Reg(e.isa.vectors()) {
			m := e.fetch(e.folds[i].start, e.accs[i]+k)
			e.inst(&m, 0, false)
		}
	}
}

// finish halves the lanes to one, and stores it. That vectors may have changed places is no matter: each has the one
// half of all away, and the operations commute.
func (e *emitter) finish() {
	for i := range e.folds {
		f := &e.folds[i]
		combine := func(vl x86.VL, a, b x86.Reg) { // to register 0
			r := [6]x86.Reg{a, b, 2, 3, 4, 5}
			steps := e.combine(f.kind, f.t)
			for k, s := range steps {
				dst := x86.Reg(0)
				if k < len(steps)-1 {
					dst = r[2+k]
				}
				e.text.Emit(&x86.Inst{Op: s.op, VL: vl, Dst: dst, A: r[s.a], B: r[s.b]})
			}
		}
		half := func(op x86.Op, vl x86.VL) {
			e.text.Emit(&x86.Inst{Op: op, VL: vl, Dst: 1, B: 0, Imm: 1})
		}
		if acc := e.accs[i]; e.isa == AVX512 {
			combine(x86.V512, acc, acc+1)
			half(x86.ExtractF64x4, x86.V512)
		} else {
			combine(x86.V256, acc+1, acc+3)
			e.text.Emit(&x86.Inst{Op: x86.Mov, VL: x86.V256, Dst: acc + 1, B: 0})
			combine(x86.V256, acc, acc+2)
			e.text.Emit(&x86.Inst{Op: x86.Mov, VL: x86.V256, Dst: 1, B: acc + 1})
		}
		combine(x86.V256, 0, 1)
		half(x86.ExtractF128, x86.V256)
		combine(x86.V128, 0, 1)
		turn := func(imm uint8) {
			e.text.Emit(&x86.Inst{Op: x86.ShufPS, VL: x86.V128, Dst: 1, A: 0, B: 0, Imm: imm})
			combine(x86.V128, 0, 1)
		}
		turn(0x0e)
		op := x86.MovQStore
		if f.t.Bits() == 32 {
			turn(0x01)
			op = x86.MovDStore
		}
		e.text.Emit(&x86.Inst{Op: op, VL: x86.V128, B: 0, IsMem: true, Mem: x86.Mem{Base: e.base(f.io), Index: x86.NoReg}})
	}
}

// body encodes an iteration, or all that are side by side, which start group iterations further on.
func (e *emitter) body(group int, all, tail bool) {
	e.near = -1
	for i := range e.out {
		if m := &e.out[i]; all || m.group == 0 {
			e.inst(m, group+int(m.group), tail)
		}
	}
}

// ahead asks for the elements of the next row at the same places, of the iterations that are side by side.
func (e *emitter) ahead(group int) {
	t := &e.text
	for i := range e.p.In {
		if !e.p.In[i].Ahead {
			continue
		}
		t.Load(tempReg, argMem(ArgArrays+2*i+1))
		if r, ok := e.pointer(i); ok {
			t.Add(tempReg, r)
		} else {
			t.AddMem(tempReg, argMem(ArgArrays+2*i))
		}
		size := e.p.In[i].T.Size()
		for k := range max(1, e.groups*e.e*size/lineBytes) {
			t.Prefetch(x86.Mem{Base: tempReg, Index: indexReg, Scale: uint8(size), Disp: int32(group*e.e*size + k*lineBytes)})
		}
	}
}

// lineBytes are a line of the cache's.
const lineBytes = 64

// mask has leftReg lanes in the masks of a tail.
func (e *emitter) mask() {
	t := &e.text
	t.Ones(tempReg)
	t.Bzhi(tempReg, leftReg)
	op := x86.KMovW
	if e.e == 8 {
		op = x86.KMovB
	}
	t.Emit(&x86.Inst{Op: op, Dst: 1, B: tempReg})
	if e.e == 16 {
		t.Emit(&x86.Inst{Op: x86.KShiftRW, Dst: 2, B: 1, Imm: 8})
	}
}

// ragged reports whether an iteration of rows that are whole is a tail: the last one of AVX-512, where it is
// not full.
func (e *emitter) ragged(group int32) bool { return int(group) == e.groups-1 && e.p.N%e.e != 0 }

// carry moves the carries between their registers and the arrays.
func (e *emitter) carry(stores bool) {
	for _, x := range e.carries {
		if stores && e.p.In[x.in].Still {
			continue
		}
		m := minst{Inst: x86.Inst{Op: x86.MovLoad, Dst: x86.Reg(e.where[x.reg]), IsMem: true, VL: e.isa.vl()}, place: inArray, io: x.in, part: x.part}
		if m.Mem.Disp = x.part * int32(e.isa.vl().Bytes()); stores {
			m.Op, m.B, m.io, m.store = x86.MovStore, m.Dst, x.out, true
		}
		e.inst(&m, int(x.group), e.ragged(x.group))
	}
}

// emit returns the machine code: for each row, groups of iterations side by side, then single ones,
// masked where the machine can. Without masks n is a multiple of an iteration.
func (e *emitter) emit() []byte {
	t := &e.text
	t.Code = make([]byte, 0, 256+16*len(e.out))
	unroll := e.groups
	switch n := len(e.out); {
	case e.groups > 1:
	case n <= 12:
		unroll = 4
	case n <= 40:
		unroll = 2
	}
	for i := range e.arrays() {
		if r, ok := e.pointer(i); ok {
			t.Load(r, argMem(ArgArrays+2*i))
		}
	}
	t.Load(spillReg, argMem(ArgSpill))
	pool := 0
	if e.pairs {
		pool = t.Address(pairsReg)
	}
	fixed := func(p place) {
		for i := range e.fixed {
			if e.fixed[i].place == p {
				e.inst(&e.fixed[i], 0, false)
			}
		}
	}
	fixed(inPool)
	if e.atOnce {
		t.Zero(indexReg)
		t.Load(leftReg, argMem(ArgN))
		t.SubImm(leftReg, int32((e.groups-1)*e.e))
		switch ragged := e.ragged(int32(e.groups - 1)); {
		case ragged && e.masked:
			t.Load(leftReg, argMem(ArgTail))
		case ragged:
			e.mask()
		}
		e.carry(false)
	}
	row := t.Here(1)
	e.held = x86.Mem{}
	fixed(inSplat)
	e.begin()
	if e.near = -1; e.atOnce {
		for i := range e.out {
			m := &e.out[i]
			e.inst(m, int(m.group), e.ragged(m.group))
		}
	} else {
		e.row(unroll)
	}
	e.finish()
	t.DecMem(argMem(ArgRows))
	last := t.Jump(x86.AtMost)
	for i := range e.arrays() {
		if e.still(i) {
			continue
		}
		step := argMem(ArgArrays + 2*i + 1)
		r, ok := e.pointer(i)
		switch {
		case e.listed(i):
			t.Load(tempReg, step)
			next := x86.Mem{Base: tempReg, Index: x86.NoReg}
			if ok {
				t.Load(r, next)
			} else {
				t.Load(tempReg, next)
				t.Store(argMem(ArgArrays+2*i), tempReg)
			}
			t.AddMemImm(step, 8)
		case ok:
			t.AddMem(r, step)
		default:
			t.Load(tempReg, step)
			t.AddTo(argMem(ArgArrays+2*i), tempReg)
		}
	}
	t.Land(t.Jmp(), row)
	t.Land(last, t.Here(1))
	if e.atOnce {
		e.carry(true)
	}
	t.Return()
	if e.pairs {
		t.Land(pool, t.Here(x86.PoolAlign))
	}
	return t.Finish(e.pool)
}

// row encodes the iterations of a row, unroll of them at a time.
func (e *emitter) row(unroll int) {
	t, masked := &e.text, e.isa == AVX512
	t.Load(leftReg, argMem(ArgN))
	t.Zero(indexReg)
	whole := func(unroll int) { // which leaves the flags of what is left
		step := int32(unroll * e.e)
		t.SubImm(leftReg, step)
		rest := t.Jump(x86.Less)
		many := t.Here(32)
		for g := 0; g < unroll; g += e.groups {
			e.ahead(g)
			e.body(g, unroll > 1, false)
		}
		e.exchange(unroll)
		t.AddImm(indexReg, step)
		t.SubImm(leftReg, step)
		t.Land(t.Jump(x86.AtLeast), many)
		t.Land(rest, t.Here(1))
		t.AddImm(leftReg, step)
	}
	whole(unroll)
	if masked && unroll > 1 && len(e.steps) > 0 { // which tails gather
		whole(1)
	}
	if masked || unroll > 1 {
		none := t.Jump(x86.Equal)
		one := t.Here(1)
		if masked {
			e.mask()
		}
		e.body(0, false, masked)
		e.exchange(1)
		t.AddImm(indexReg, int32(e.e))
		t.SubImm(leftReg, int32(e.e))
		t.Land(t.Jump(x86.Greater), one)
		t.Land(none, t.Here(1))
	}
	if e.masked || !masked && len(e.folds) > 0 {
		e.rest()
	}
}

// rest encodes the rest of a row on AVX2, under masks or on copies.
func (e *emitter) rest() {
	t := &e.text
	t.Load(leftReg, argMem(ArgTail))
	t.CmpImm(leftReg, 0)
	none := t.Jump(x86.Equal)
	for i := range e.arrays() {
		r, ok := e.pointer(i)
		switch {
		case e.masked:
		case ok:
			t.Load(r, argMem(ArgArrays+2*i+1))
		default:
			t.Load(tempReg, argMem(ArgArrays+2*i+1))
			t.Store(argMem(ArgArrays+2*i), tempReg)
		}
	}
	if !e.masked {
		t.Zero(indexReg)
	}
	e.held = x86.Mem{}
	e.body(0, false, true)
	t.Land(none, t.Here(1))
}
