// Package jit turns a vector program of many inputs and outputs into machine code, a loop whose
// intermediate values stay in registers, and runs it. It imports dtype, vec and its own encoder.
package jit

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/jit/x86"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// ISA is the set of instructions that code is made of.
type ISA uint8

const (
	AVX2   ISA = iota // 256 bits, with FMA
	AVX512            // F, BW, DQ, VL
	scalar            // AVX2 on 128 bits, whose lanes are all the same number: that of Routines
)

func (i ISA) String() string { return [...]string{"avx2", "avx512", "scalar"}[i] }

func (i ISA) vl() x86.VL { return [...]x86.VL{x86.V256, x86.V512, x86.V128}[i] }

// VectorBytes is the size of a vector.
func (i ISA) VectorBytes() int { return i.vl().Bytes() }

// slotBytes is the size of a spilled register.
func (i ISA) slotBytes() int32 {
	if i == scalar {
		return 16
	}
	return 64
}

// In is an input: an array, or one element for all.
type In struct {
	T     dtype.Type
	Splat bool // not of a Bool, BF16 or F16
	// Index is 0 or the number of another input, an array of integers, and one more: element i is that
	// Stride·index[i] elements behind the first, which is less than 2³¹. Not of a Bool.
	Index int
	// Stride is, without Index, 0 or the elements from one to the next, MaxStride at most, each of 4 bytes and more. AVX2's
	// code has to mask its tail then.
	Stride int32
	// Still says that the elements are the same in every row: they stay in registers where rows are done at once and there is room.
	Still bool
	// Listed says that its rows lie anywhere: the word behind its address is the address of a list, of the addresses of the rows after
	// the first.
	Listed bool
	// Ahead says that elements of the next row, which are far from those of this one, are asked for beside these.
	Ahead bool
}

// MaxStride bounds how far apart the elements of an input without indices are.
const MaxStride = 1 << 20

// apart reports whether x's elements lie evenly, but not one behind the other.
func (x In) apart() bool { return x.Index == 0 && x.Stride != 0 && x.Stride != 1 }

// Out is an output: V is stored once Code[:At] is done, so that it may lie where an input does that
// nothing reads from there on.
type Out struct {
	T  dtype.Type // Bool stores a mask as bytes 0 and 1, BF16 the low halves of an I32, F16 an F32 rounded
	V  vec.Value
	At int
	// Carry is 0 or the number of an input, an array of the type, and one more: that takes each row's V in the next one,
	// from a register where the code can, and both lie in the same place, whose step is 0. At is the end, and V not an
	// input as it comes. Not a Bool, BF16 or F16.
	Carry int
	// Fold reduces each row to one element, in the kernels' lanes: element i goes to lane i mod L of 128 bytes
	// of lanes, which are then halved.
	Fold Fold
}

// Fold is what an output does to its row.
type Fold uint8

const (
	NoFold Fold = iota
	Sum
	Prod
	Max // NaN if any element is; max(-0, 0) = 0
	Min // NaN if any element is; min(-0, 0) = -0
)

// MaxFolds bounds a program's folds: their lanes stay in registers.
func (i ISA) MaxFolds() int { return [...]int{AVX2: 2, AVX512: 5}[i] }

// laneBytes are a fold's lanes.
const laneBytes = 128

// vectors is how many hold a fold's lanes.
func (i ISA) vectors() int { return laneBytes / i.vl().Bytes() }

// Folds reports whether there is code for fold f of elements of type t.
func Folds(f Fold, t dtype.Type) bool {
	return t.IsFloat() || t == dtype.I32 || t == dtype.I64 && f == Sum
}

// Program is a vector program; its Loads name inputs.
type Program struct {
	In   []In
	Code []vec.Instr
	Out  []Out // by At
	N    int   // the elements of every row, if that is known
	// Masks has AVX2's code, too, do the last elements of a row under masks, which costs a register: where all inputs and
	// outputs are of 4 bytes and more and no input has an Index.
	Masks bool
}

// masks reports whether a register of AVX2's code holds the masks of tails.
func (p *Program) masks(isa ISA) bool {
	return p.Masks && isa == AVX2 && !slices.ContainsFunc(p.In, func(x In) bool { return x.Index > 0 || x.T.Size() < 4 }) &&
		!slices.ContainsFunc(p.Out, func(o Out) bool { return o.T.Size() < 4 })
}

// Assembles reports whether there is code for p: AVX2's reads elements that are apart only where it masks its tail.
func (p *Program) Assembles(isa ISA) bool {
	return isa != AVX2 || p.masks(isa) || !slices.ContainsFunc(p.In, func(x In) bool { return x.apart() })
}

// Func is machine code.
type Func struct {
	entry  uintptr
	pages  *pages
	code   []byte // until it is mapped
	isa    ISA
	arrays int
	spill  int
	step   int
	masks  bool
	frame  int // of a routine: bytes above the spilled registers, and the offset of its beginning
	start  int
}

// Assemble makes p's machine code, which Map must make executable before it runs.
func (p *Program) Assemble(isa ISA) *Func {
	if !p.Assembles(isa) {
		panic("jit: elements apart without masks")
	}
	c := lower(p, isa)
	e := emitter{allocator: allocateBeside(c, p.N), p: p}
	f := &Func{code: e.emit(), isa: isa, arrays: e.arrays(), spill: int(e.slots * isa.slotBytes()), step: c.e, masks: isa == AVX512 || c.masked}
	return f
}

// List tells line the instructions of one iteration, and before them those that fill registers for all, each
// with the index in Code that it serves, or -1.
func (p *Program) List(isa ISA, line func(src int, text string)) {
	e := emitter{allocator: allocateBeside(lower(p, isa), p.N), p: p, list: line}
	for i := range e.fixed {
		e.fixed[i].src = -1
		e.inst(&e.fixed[i], 0, false)
	}
	e.body(0, false, false)
}

// Unchanged reports whether v is an input as it comes.
func (p *Program) Unchanged(v vec.Value) bool {
	in := &p.Code[v]
	for in.Op == vec.Bitcast {
		in = &p.Code[in.A]
	}
	return in.Op == vec.Load
}

// SpillBytes is the size of the scratch that a call needs.
func (f *Func) SpillBytes() int { return f.spill }

// Step is what n must be a multiple of: 1 where the code masks its tail, as Split says. Else, where there are folds the rest of a row, of one at
// a time, comes from copies: args says at ArgTail which lanes count (TailLanes), and has the copies' addresses, those of
// splats and folds as they are, where the bytes from one row to the next are otherwise.
func (f *Func) Step() int {
	if f.masks {
		return 1
	}
	return f.step
}

// Split is what args says at ArgN and at ArgTail of rows of n elements, for code that masks its tail.
func (f *Func) Split(n int) (whole, tail uintptr) {
	if f.isa == AVX2 {
		if last := n & (f.step - 1); last > 0 {
			return uintptr(n - last), TailLanes(last)
		}
	}
	return uintptr(n), 0
}

// Size is the bytes of the code and its constants.
func (f *Func) Size() int { return len(f.code) }

// Words is the length of a call's arguments.
func (f *Func) Words() int { return ArgArrays + 2*f.arrays }

// Run computes rows of n elements; args is laid out as the Arg constants say. The addresses in it must
// be kept alive by other means, and args is used up.
func (f *Func) Run(args []uintptr) {
	if len(args) < f.Words() {
		panic(fmt.Sprintf("jit: %d words of arguments for %d arrays", len(args), f.arrays))
	}
	enter(f.entry, unsafe.Pointer(&args[0]))
	runtime.KeepAlive(f)
}

// Map makes the code of fs executable, all of it in pages of its own, which are freed when none of fs is
// in use.
func Map(fs ...*Func) error {
	size := 0
	for _, f := range fs {
		size = align(size) + len(f.code)
	}
	if size == 0 {
		return nil
	}
	m, err := newPages(size)
	if err != nil {
		return err
	}
	at := 0
	for _, f := range fs {
		at = align(at)
		copy(m.bytes[at:], f.code)
		at += len(f.code)
	}
	if err := m.seal(); err != nil {
		return err
	}
	at = 0
	for _, f := range fs {
		at = align(at)
		f.entry, f.pages = uintptr(unsafe.Pointer(&m.bytes[at])), m
		f.code = m.bytes[at : at+len(f.code)]
		at += len(f.code)
	}
	return nil
}

func align(n int) int { return (n + 63) &^ 63 }

// TailLanes is what ArgTail holds for a rest of n elements, fewer than an iteration's.
func TailLanes(n int) uintptr { return uintptr(unsafe.Pointer(&tailLanes[n])) }

// tailLanes are ones in the first lanes: eight of 32 bits, then eight of 64.
var tailLanes = func() (all [8]struct {
	narrow [8]int32
	wide   [8]int64
}) {
	for n := range all {
		for i := range n {
			all[n].narrow[i], all[n].wide[i] = -1, -1
		}
	}
	return all
}()
