package jit

import (
	"math"
	"runtime"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/jit/x86"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// Routine is code with loops and branches on single elements, under construction. Its values are slots of a
// frame in memory, in which a number stands in every lane of 16 bytes, a Bool as zeros or ones. It can be left
// at any loop's end and wherever something else has to be done, and goes on from there when it is entered again.
type Routine struct {
	text   x86.Text
	pool   []byte
	pooled map[poolKey]int32
	slots  Slot
	spills int32
	start  int
	held   []Slot // of the loop being written: number i in vector register heldReg-i as well
}

// heldReg and those below it are registers of held slots, up to maxHeld: what is read in one step and stored in the next does not wait
// for memory. Blocks need the others.
const (
	heldReg   = 15
	maxHeld   = 6
	budgetReg = x86.BX // instructions until the routine is left
)

// Slot is a place in a routine's frame: 16 bytes.
type Slot int32

// The frame's first slots: where to go on and why it was left; what is left to do before it is left; scratch.
const (
	resumeSlot Slot = iota
	budgetSlot
	scratchSlot
	firstSlot
)

// What Run returns: that the routine is done, that it wants to go on, or, from Exit0 on, the number of an exit.
const (
	Done = iota
	Yield
	Exit0
)

// frameMemory is slot s, off bytes from its start.
func frameMemory(s Slot, off int32) x86.Mem {
	return x86.Mem{Base: spillReg, Index: x86.NoReg, Disp: 16*int32(s) + off}
}

// NewRoutine begins a routine.
func NewRoutine() *Routine {
	r := &Routine{pooled: map[poolKey]int32{}, slots: firstSlot}
	r.text.Code = append(r.text.Code, 0x48, 0x89, 0xfe) // MOVQ DI, SI
	r.text.Load(budgetReg, frameMemory(budgetSlot, 0))
	r.text.JmpMem(x86.Mem{Base: argsReg, Index: x86.NoReg})
	r.start = r.text.Here(1)
	return r
}

// Line is an instruction in a listing.
type Line = x86.Line

// List begins a listing.
func (r *Routine) List() { r.text.Listing = true }

// Listing reports whether there is one.
func (r *Routine) Listing() bool { return r.text.Listing }

// Note is what the lines to come serve.
func (r *Routine) Note(s string) { r.text.Note = s }

// Lines is the listing.
func (r *Routine) Lines() []Line { return r.text.Lines }

// Slot is a new slot.
func (r *Routine) Slot() Slot {
	r.slots++
	return r.slots - 1
}

// Block computes p, whose inputs and outputs are slots. An output may be the slot of an input where it is not
// that input unchanged: all are stored at the end. A listing notes what note says of the index in p's code.
func (r *Routine) Block(p *Program, in, out []Slot, note func(src int) string) {
	l := &lowering{p: p, nots: map[vreg]vreg{}, once: map[sharedKey]vreg{}, in: in, outs: out}
	l.isa, l.groups, l.consts, l.pool, l.pooled = scalar, 1, map[poolKey]vreg{}, r.pool, r.pooled
	l.run()
	r.pool = l.pool
	l.held = len(r.held)
	a := allocate(&l.code)
	r.spills = max(r.spills, a.slots)
	for i := range a.out {
		if r.text.Listing {
			r.Note(note(int(a.out[i].src)))
		}
		r.emit(&a.out[i].Inst)
	}
}

// emit has an instruction take a held slot from its register, and one that stores a slot fill that, too.
func (r *Routine) emit(in *x86.Inst) {
	k := -1
	if in.IsMem {
		k = slices.IndexFunc(r.held, func(s Slot) bool { return in.Mem == frameMemory(s, 0) })
	}
	switch {
	case k < 0:
		r.text.Emit(in)
	case in.Op == x86.MovStore:
		r.text.Emit(in)
		r.text.Emit(&x86.Inst{Op: x86.Mov, Dst: heldReg - x86.Reg(k), B: in.B})
	default:
		x := *in
		x.IsMem, x.Mem, x.B = false, x86.Mem{}, heldReg-x86.Reg(k)
		if x.Op == x86.MovLoad {
			x.Op = x86.Mov
		}
		r.text.Emit(&x)
	}
}

// hold loads the registers of held slots, which other code has used.
func (r *Routine) hold() {
	for k, s := range r.held {
		r.text.Emit(&x86.Inst{Op: x86.MovLoad, Dst: heldReg - x86.Reg(k), IsMem: true, Mem: frameMemory(s, 0)})
	}
}

// Address is Offset bytes behind the address in slot Base, and Stride bytes for each of the integers Index.
type Address struct {
	Base   Slot
	Offset int32
	Terms  []Term
}

// Term is a part of an address.
type Term struct {
	Index  Slot
	Stride int32
	Narrow bool // an int32
}

func (r *Routine) integer(to x86.Reg, s Slot, narrow bool) {
	if narrow {
		r.text.Load4Signed(to, frameMemory(s, 0))
	} else {
		r.text.Load(to, frameMemory(s, 0))
	}
}

// address leaves the address but for its offset in tempReg.
func (r *Routine) address(a Address) x86.Mem {
	t, sum := &r.text, a.Base
	for _, x := range a.Terms {
		r.integer(tempReg, x.Index, x.Narrow)
		t.Mul(tempReg, x.Stride)
		t.AddMem(tempReg, frameMemory(sum, 0))
		if sum = scratchSlot; len(a.Terms) > 1 {
			t.Store(frameMemory(sum, 0), tempReg)
		}
	}
	if len(a.Terms) == 0 {
		t.Load(tempReg, frameMemory(sum, 0))
	}
	return x86.Mem{Base: tempReg, Index: x86.NoReg, Disp: a.Offset}
}

// Load puts the element at a in slot to.
func (r *Routine) Load(to Slot, t dtype.Type, a Address) {
	m := r.address(a)
	op := x86.BroadcastS
	switch t.Size() {
	case 8:
		op = x86.MovDDup
	case 1:
		r.text.Load1(tempReg, m)
		r.text.Neg(tempReg)
		r.fill(to)
		return
	}
	r.text.Emit(&x86.Inst{Op: op, Dst: 0, IsMem: true, Mem: m})
	r.store(to, 0)
}

// Store puts slot from in the element at a.
func (r *Routine) Store(a Address, t dtype.Type, from Slot) {
	m := r.address(a)
	r.text.Load(leftReg, frameMemory(from, 0))
	switch t.Size() {
	case 8:
		r.text.Store(m, leftReg)
	case 4:
		r.text.Store4(m, leftReg)
	default:
		r.text.AndImm(leftReg, 1)
		r.text.Store1(m, leftReg)
	}
}

// fill puts tempReg in both halves of a slot.
func (r *Routine) fill(to Slot) {
	r.text.Store(frameMemory(scratchSlot, 0), tempReg)
	r.text.Emit(&x86.Inst{Op: x86.MovDDup, Dst: 0, IsMem: true, Mem: frameMemory(scratchSlot, 0)})
	r.store(to, 0)
}

func (r *Routine) store(to Slot, from x86.Reg) {
	r.emit(&x86.Inst{Op: x86.MovStore, B: from, IsMem: true, Mem: frameMemory(to, 0)})
}

func (r *Routine) load(to x86.Reg, from Slot) {
	r.emit(&x86.Inst{Op: x86.MovLoad, Dst: to, IsMem: true, Mem: frameMemory(from, 0)})
}

// Move copies slots, all at once.
func (r *Routine) Move(to, from []Slot) {
	regs := heldReg + 1 - len(r.held)
	if len(to) > regs {
		aside := make([]Slot, len(from))
		for i := range aside {
			aside[i] = r.Slot()
		}
		for _, m := range [2][2][]Slot{{aside, from}, {to, aside}} {
			for i := 0; i < len(to); i += regs {
				j := min(len(to), i+regs)
				r.Move(m[0][i:j], m[1][i:j])
			}
		}
		return
	}
	for i, s := range from {
		r.load(x86.Reg(i), s)
	}
	for i, s := range to {
		r.store(s, x86.Reg(i))
	}
}

// Mul is the product of two int64.
func (r *Routine) Mul(to, a, b Slot) {
	r.text.Load(tempReg, frameMemory(a, 0))
	r.text.MulMem(tempReg, frameMemory(b, 0))
	r.fill(to)
}

// Zero clears words of 8 bytes from the address in slot base on.
func (r *Routine) Zero(base Slot, words int) {
	r.text.Load(x86.DI, frameMemory(base, 0))
	r.text.StoreImm(frameMemory(scratchSlot, 0), int32(words))
	r.text.Load(x86.CX, frameMemory(scratchSlot, 0))
	r.text.Zero(x86.AX)
	r.text.Fill()
}

// Exit leaves the routine with exit number n.
func (r *Routine) Exit(n int) { r.leave(int32(Exit0+n), r.text.Address(tempReg)) }

// leave stores in tempReg's place where to go on, behind this or wherever resume is completed.
func (r *Routine) leave(status int32, resume int) {
	t := &r.text
	t.Store(frameMemory(resumeSlot, 0), tempReg)
	t.StoreImm(frameMemory(resumeSlot, 8), status)
	t.Return()
	t.Land(resume, t.Here(1))
	r.hold()
}

// Unless leaves with exit number n where the Bool is false.
func (r *Routine) Unless(truth Slot, n int) {
	r.text.CmpMemImm(frameMemory(truth, 0), 0)
	ok := r.text.Jump(x86.NotEqual)
	r.Exit(n)
	r.text.Land(ok, r.text.Here(1))
}

// Check leaves with exit number n where an index is not in 0 … size-1.
func (r *Routine) Check(index Slot, narrow bool, size int32, n int) {
	r.integer(tempReg, index, narrow)
	r.text.CmpImm(tempReg, size)
	ok := r.text.Jump(x86.Below)
	r.Exit(n)
	r.text.Land(ok, r.text.Here(1))
}

// Steps says how a loop counts.
type Steps struct {
	Most     int32 // steps; -1 for no bound
	Count    Slot  // the number of steps, at most Most; 0 for Most
	Backward bool
	Index    Slot   // int64
	Taken    Slot   // gets the number of steps taken, if not 0
	Carries  []Slot // what steps read and store
}

// Loop runs body for each step for which cond, where there is one, gives a Bool that is true.
func (r *Routine) Loop(s Steps, cond func() Slot, body func()) {
	t, index := &r.text, frameMemory(s.Index, 0)
	limit := Slot(0)
	if s.Count != 0 {
		limit = r.Slot()
		t.Load(tempReg, frameMemory(s.Count, 0))
		if s.Most >= 0 {
			t.CmpImm(tempReg, s.Most)
			fits := t.Jump(x86.AtMost)
			t.StoreImm(frameMemory(scratchSlot, 0), s.Most)
			t.Load(tempReg, frameMemory(scratchSlot, 0))
			t.Land(fits, t.Here(1))
		}
		t.CmpImm(tempReg, 0)
		some := t.Jump(x86.AtLeast)
		t.Zero(tempReg)
		t.Land(some, t.Here(1))
		t.Store(frameMemory(limit, 0), tempReg)
	}
	switch {
	case !s.Backward:
		t.Zero(tempReg)
	case limit != 0:
		t.SubImm(tempReg, 1)
	default:
		t.StoreImm(frameMemory(scratchSlot, 0), s.Most-1)
		t.Load(tempReg, frameMemory(scratchSlot, 0))
	}
	r.fill(s.Index)
	around := r.held
	r.held = append(slices.Clone(s.Carries[:min(len(s.Carries), maxHeld-1)]), s.Index)
	r.hold()
	top := t.Here(32)
	var ends []int
	switch {
	case s.Backward:
		t.CmpMemImm(index, 0)
		ends = append(ends, t.Jump(x86.Less))
	case limit != 0:
		t.Load(tempReg, index)
		t.CmpMem(tempReg, frameMemory(limit, 0))
		ends = append(ends, t.Jump(x86.AtLeast))
	case s.Most >= 0:
		t.CmpMemImm(index, s.Most)
		ends = append(ends, t.Jump(x86.AtLeast))
	}
	if cond != nil {
		t.CmpMemImm(frameMemory(cond(), 0), 0)
		ends = append(ends, t.Jump(x86.Equal))
	}
	body()
	r.load(0, s.Index)
	step := uint64(1)
	if s.Backward {
		step = math.MaxUint64
	}
	t.Emit(&x86.Inst{Op: x86.PAddQ, Dst: 0, A: 0, IsMem: true, Mem: x86.Mem{Pool: true, Disp: r.constant(step)}})
	r.store(s.Index, 0)
	const bytes = 5 // of an instruction
	t.SubImm(budgetReg, int32((len(t.Code)-top)/bytes))
	t.Land(t.Jump(x86.Greater), top)
	r.leave(Yield, t.Address(tempReg))
	t.Land(t.Jmp(), top)
	for _, e := range ends {
		t.Land(e, t.Here(1))
	}
	r.held = around
	r.hold()
	if s.Taken == 0 {
		return
	}
	t.Load(tempReg, index)
	if s.Backward { // from limit-1 down
		t.Neg(tempReg)
		t.SubImm(tempReg, 1)
		if limit != 0 {
			t.AddMem(tempReg, frameMemory(limit, 0))
		} else {
			t.AddImm(tempReg, s.Most)
		}
	}
	r.fill(s.Taken)
}

// constant is an int64 in both halves of 16 bytes of the pool.
func (r *Routine) constant(bits uint64) int32 {
	l := &lowering{}
	l.isa, l.groups, l.consts, l.pool, l.pooled = scalar, 1, map[poolKey]vreg{}, r.pool, r.pooled
	v := l.constant(bits, vec.I64)
	r.pool = l.pool
	return l.homes[v].at
}

// Const puts a constant in a slot: bits in each lane of t, a Bool's 1 as ones.
func (r *Routine) Const(to Slot, t dtype.Type, bits uint64) {
	switch t.Size() {
	case 4:
		bits = bits&math.MaxUint32 | bits<<32
	case 1:
		bits = -(bits & 1)
	}
	r.text.Emit(&x86.Inst{Op: x86.MovLoad, Dst: 0, IsMem: true, Mem: x86.Mem{Pool: true, Disp: r.constant(bits)}})
	r.store(to, 0)
}

// Branch runs body i for the integer i that is nearest to which, of 0 … n-1.
func (r *Routine) Branch(which Slot, n int, body func(i int)) {
	t := &r.text
	t.Load(tempReg, frameMemory(which, 0))
	var ends []int
	for i := range n - 1 {
		t.CmpImm(tempReg, int32(i))
		next := t.Jump(x86.Greater)
		body(i)
		ends = append(ends, t.Jmp())
		t.Land(next, t.Here(1))
	}
	body(n - 1)
	for _, e := range ends {
		t.Land(e, t.Here(1))
	}
}

// Assemble ends the routine: it is machine code that Map must make executable.
func (r *Routine) Assemble() *Func {
	t := &r.text
	t.StoreImm(frameMemory(resumeSlot, 8), Done)
	t.Return()
	return &Func{code: t.Finish(r.pool), isa: scalar, spill: int(r.spills) * 16, frame: int(r.slots) * 16, start: r.start}
}

// Frame is the memory of a routine that runs.
type Frame struct {
	f    *Func
	base unsafe.Pointer
}

// FrameBytes is the size of the memory of a routine's frame, which is aligned to 16 bytes.
func (f *Func) FrameBytes() int { return f.spill + f.frame }

// Frame makes memory the frame of a routine that begins.
func (f *Func) Frame(memory unsafe.Pointer) Frame {
	fr := Frame{f, unsafe.Add(memory, f.spill)}
	*(*uintptr)(fr.base) = f.entry + uintptr(f.start)
	return fr
}

// Set puts a number in slot s: its bits as those of a lane, a Bool as 0 or 1.
func (f Frame) Set(s Slot, t dtype.Type, bits uint64) {
	switch t.Size() {
	case 4:
		bits = bits&math.MaxUint32 | bits<<32
	case 1:
		bits = -(bits & 1)
	}
	p := (*[2]uint64)(unsafe.Add(f.base, 16*int(s)))
	p[0], p[1] = bits, bits
}

// At is slot s.
func (f Frame) At(s Slot) unsafe.Pointer { return unsafe.Add(f.base, 16*int(s)) }

// Run goes on until the routine is left, after about budget instructions or one step more. Addresses in the
// frame must be kept alive by other means.
func (f Frame) Run(budget int) (status int) {
	*(*int64)(f.At(budgetSlot)) = int64(budget)
	enter(f.f.entry, f.base)
	runtime.KeepAlive(f.f)
	return int(*(*int64)(unsafe.Add(f.base, 8)))
}
