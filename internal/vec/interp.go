package vec

import (
	"fmt"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/kept"
)

// block is the number of elements that the interpreter takes through a program at a time: enough to
// make an instruction's dispatch negligible, and few enough that all registers stay in L1.
const block = 64

// reg is a register of the interpreter: block lanes of any type.
type reg [block]uint64

// place is where an operand lies: a register (n ≥ 0), input ^n, or dst.
type place int32

const dstPlace place = -100

type step struct {
	do            kernel
	dst, a, b, c  place
	wa, wb, wc, w uint8 // bytes per lane, for operands in memory
}

type interp struct {
	steps []step
	in    []uint8 // bytes per element of each input
	out   uint8
	regs  kept.List[[]reg] // with the constants filled in
	fresh func() *[]reg
}

// Compile returns the program as a function in pure Go: dst[i] = program(a[i], b[i], c[i]) for i < n,
// n a multiple of 8. dst may be any of the inputs of the same element size, exactly.
func (p *Program) Compile() func(dst, a, b, c unsafe.Pointer, n int) {
	x := &interp{out: uint8(p.Out.Size())}
	for _, t := range p.In {
		x.in = append(x.in, uint8(t.Size()))
	}
	n := len(p.Code)

	// A Bitcast is its operand under another name; the life of the value includes the life of the name.
	name := make([]Value, n)
	for i, in := range p.Code {
		name[i] = Value(i)
		if in.Op == Bitcast {
			name[i] = name[in.A]
		}
	}
	last := make([]int, n)
	for i, in := range p.Code {
		for _, v := range [...]Value{in.A, in.B, in.C} {
			if v != None {
				last[name[v]] = i
			}
		}
	}
	last[name[p.Result]] = n

	at := make([]place, n)
	var free []place
	count := 0
	take := func() place {
		if k := len(free); k > 0 {
			r := free[k-1]
			free = free[:k-1]
			return r
		}
		count++
		return place(count - 1)
	}
	release := func(i int, vs ...Value) {
		for j, v := range vs {
			if v == None || last[name[v]] != i || at[name[v]] < 0 || p.Code[name[v]].Op == Const {
				continue
			}
			if !has(vs[:j], v, name) {
				free = append(free, at[name[v]])
			}
		}
	}
	of := func(v Value) (place, uint8) {
		if v == None {
			return 0, 0
		}
		return at[name[v]], uint8(p.Code[name[v]].T.Bits() / 8)
	}

	type fill struct {
		at place
		in Instr
	}
	var consts []fill
	for i, in := range p.Code {
		switch {
		case in.Op == Bitcast:
			continue
		case in.Op == Const:
			at[i] = place(count) // a register of its own: constants are filled in once
			count++
			consts = append(consts, fill{at[i], in})
			continue
		case in.Op == Load && p.In[in.Imm] != dtype.Bool && !p.In[in.Imm].IsHalf():
			at[i] = ^place(in.Imm)
			continue
		}
		s := step{do: kernelOf(p, in), w: uint8(in.T.Bits() / 8)}
		s.a, s.wa = of(in.A)
		s.b, s.wb = of(in.B)
		s.c, s.wc = of(in.C)
		if in.Op == Load {
			s.a, s.wa = ^place(in.Imm), uint8(p.In[in.Imm].Size())
		}
		// The result takes its register before the operands give up theirs, since lanes that change
		// their width cannot do so in place.
		if Value(i) == p.Result && p.Out != dtype.Bool && !p.Out.IsHalf() {
			s.dst = dstPlace
		} else {
			s.dst = take()
		}
		at[i] = s.dst
		release(i, in.A, in.B, in.C)
		x.steps = append(x.steps, s)
	}
	// What is not yet in dst is copied there, a mask as bytes.
	if r, w := of(p.Result); r != dstPlace {
		s := step{dst: dstPlace, a: r, wa: w, w: x.out}
		switch {
		case p.Out == dtype.Bool && w == 4:
			s.do = storeMask[uint32]
		case p.Out == dtype.Bool:
			s.do = storeMask[uint64]
		case p.Out == dtype.BF16:
			s.do = storeBF16
		case p.Out == dtype.F16:
			s.do = storeF16
		case w == 4:
			s.do = move[uint32]
		default:
			s.do = move[uint64]
		}
		x.steps = append(x.steps, s)
	}

	x.fresh = func() *[]reg {
		regs := make([]reg, count)
		for _, f := range consts {
			r := &regs[f.at]
			for i := range r {
				if f.in.T.Bits() == 64 {
					r[i] = f.in.Imm
				} else {
					r[i] = f.in.Imm<<32 | f.in.Imm
				}
			}
		}
		return &regs
	}
	return x.run
}

func has(vs []Value, v Value, name []Value) bool {
	for _, o := range vs {
		if o != None && name[o] == name[v] {
			return true
		}
	}
	return false
}

func (x *interp) run(dst, a, b, c unsafe.Pointer, n int) {
	pool := x.regs.Take()
	if pool == nil {
		pool = x.fresh()
	}
	regs := *pool
	in := [3]unsafe.Pointer{a, b, c}
	for i := 0; i < n; i += block {
		m := min(block, n-i)
		find := func(p place, w uint8) unsafe.Pointer {
			switch {
			case w == 0:
				return nil
			case p >= 0:
				return unsafe.Pointer(&regs[p])
			case p == dstPlace:
				return unsafe.Add(dst, i*int(w))
			}
			return unsafe.Add(in[^p], i*int(w))
		}
		for k := range x.steps {
			s := &x.steps[k]
			s.do(find(s.dst, s.w), find(s.a, s.wa), find(s.b, s.wb), find(s.c, s.wc), m)
		}
	}
	x.regs.Put(pool)
}

// kernelOf finds the loop of an instruction.
func kernelOf(p *Program, in Instr) kernel {
	t := in.T
	switch in.Op {
	case Load:
		switch p.In[in.Imm] {
		case dtype.BF16:
			return loadBF16
		case dtype.F16:
			return loadF16
		}
	case CmpEQ, CmpNE, CmpLT, CmpLE, CmpGT, CmpGE, Ends, Narrow, Widen:
		t = p.Code[in.A].T // these go by what they read
	case Table:
		if t == F32 {
			return lookUp[uint32](in.Imm)
		}
		return lookUp[uint64](in.Imm)
	case Shl, Shr, Sar:
		return shift(in.Op, t, uint(in.Imm))
	}
	k := loops[in.Op][t]
	if k == nil {
		panic(fmt.Sprintf("vec: no loop for %v of %v in %s", in.Op, t, p.Name))
	}
	return k
}
