// Package x86 encodes the AVX2 and AVX-512 instructions of generated code, and prints them as Go's
// assembler reads them. It imports nothing of ours.
package x86

import "encoding/binary"

// Reg is a register's number in its class: vector 0–31, mask 0–7, general 0–15.
type Reg uint8

// General registers.
const (
	AX Reg = iota
	CX
	DX
	BX
	SP
	BP
	SI
	DI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	NoReg Reg = 255
)

// VL is the length of a vector.
type VL uint8

const (
	V128 VL = iota
	V256
	V512
)

// Bytes is 16, 32 or 64.
func (l VL) Bytes() int { return 16 << l }

// Mem is base + index·scale + disp, or, where Pool is set, disp bytes into the pool behind the code.
type Mem struct {
	Base, Index Reg
	Scale       uint8
	Disp        int32
	Pool        bool
}

// Inst is an instruction. Dst is what it writes, A its second operand (in Intel's order) if it has three,
// B its last one, a register or, with IsMem, memory; for a store Dst is memory and B the register.
type Inst struct {
	Op         Op
	Dst, A, B  Reg
	C          Reg // the selector of VBLENDV, the mask of AVX2's gather
	IsMem      bool
	Mem        Mem
	Mask       Reg // 0 for none; AVX-512
	Zero, Bcst bool
	VL         VL
	Imm        uint8
}

// shape is how an instruction's operands are encoded.
type shape uint8

const (
	rvm  shape = iota // dst in reg, A in vvvv, B in r/m
	rm                // dst in reg, B in r/m
	mr                // B in reg, dst in r/m
	mvr               // B in reg, A in vvvv, dst in r/m
	vmi               // dst in vvvv, B in r/m, an opcode extension in reg
	rvmr              // dst in reg, A in vvvv, B in r/m, C in the last byte
	rv                // dst in reg, memory indexed by vector A
)

// tuple is the unit of a compressed displacement.
type tuple uint8

const (
	full tuple = iota // the vector, or an element where that is broadcast
	half
	quarter
	eighth
	bytes4
	bytes8
	bytes16
	bytes32
	bytes2
)

// class is the kind of a register operand.
type class uint8

const (
	vec class = iota
	low       // the lower half of the vector
	xmm
	mask
	gpr
)

type form struct {
	name       string
	shape      shape
	pp, mm, op uint8
	w          uint8 // of EVEX, and of VEX where vexW says so
	vexW       bool
	l          int8 // -1: the vector's length
	imm        bool
	ext        uint8
	tuple      tuple
	dst, b     class
	isVEX      bool // always VEX
	isEVEX     bool // always EVEX
}

// Text is the code of a program under way, and, if Listing is set, its Lines.
type Text struct {
	Code    []byte
	fixup   []fixup
	Listing bool
	Lines   []Line
	Note    string // of the lines to come
}

// fixup is a displacement into the pool.
type fixup struct{ at, end, to int }

// Emit appends in.
func (t *Text) Emit(in *Inst) {
	if t.Listing {
		t.line(in.String())
	}
	f := &forms[in.Op]
	evex := f.isEVEX || !f.isVEX && (in.VL == V512 || in.Mask != 0 || in.Bcst || high(in, f))
	var reg, v Reg
	switch f.shape {
	case rvm, rvmr:
		reg, v = in.Dst, in.A
	case rm:
		reg = in.Dst
	case mr:
		reg = in.B
	case mvr:
		reg, v = in.B, in.A
	case vmi:
		reg, v = Reg(f.ext), in.Dst
	case rv:
		indexed := *in
		indexed.Mem.Index = in.A
		in, reg, v = &indexed, in.Dst, in.A&16
		if f.isVEX {
			v = in.C
		}
	}
	rmReg := in.B
	if f.shape == mr {
		rmReg = in.Dst
	}
	l := uint8(in.VL)
	if f.l >= 0 {
		l = uint8(f.l)
	}
	var r, x, b, x16 uint8 // bits 3 of reg, index, base; bit 4 of a register in r/m
	r = uint8(reg) >> 3 & 1
	if in.IsMem {
		if !in.Mem.Pool {
			b = uint8(in.Mem.Base) >> 3 & 1
			if in.Mem.Index != NoReg {
				x = uint8(in.Mem.Index) >> 3 & 1
			}
		}
	} else {
		b = uint8(rmReg) >> 3 & 1
		x16 = uint8(rmReg) >> 4 & 1
	}
	c := t.Code
	if evex {
		p2 := l<<5 | (^uint8(v)>>4&1)<<3 | uint8(in.Mask)
		if in.Zero {
			p2 |= 0x80
		}
		if in.Bcst {
			p2 |= 0x10
		}
		c = append(c, 0x62,
			(^r&1)<<7|(^(x|x16)&1)<<6|(^b&1)<<5|(^uint8(reg)>>4&1)<<4|f.mm,
			f.w<<7|(^uint8(v)&15)<<3|4|f.pp,
			p2)
	} else {
		w := uint8(0)
		if f.vexW {
			w = f.w
		}
		last := w<<7 | (^uint8(v)&15)<<3 | (l&1)<<2 | f.pp
		if x|b|w == 0 && f.mm == 1 {
			c = append(c, 0xc5, last&0x7f|(^r&1)<<7)
		} else {
			c = append(c, 0xc4, (^r&1)<<7|(^x&1)<<6|(^b&1)<<5|f.mm, last)
		}
	}
	c = append(c, f.op)
	tail := 0
	if f.imm || f.shape == rvmr {
		tail = 1
	}
	if in.IsMem {
		unit := int32(1)
		if evex {
			unit = f.unit(in)
		}
		c = t.modrm(c, reg&7, in.Mem, unit, tail)
	} else {
		c = append(c, 0xc0|uint8(reg&7)<<3|uint8(rmReg&7))
	}
	switch {
	case f.shape == rvmr:
		c = append(c, uint8(in.C)<<4)
	case f.imm:
		c = append(c, in.Imm)
	}
	t.Code = c
}

// high reports whether a register is one that only EVEX can name.
func high(in *Inst, f *form) bool {
	h := in.Dst
	if f.shape == mr && in.IsMem {
		h = 0
	}
	if f.shape == rvm || f.shape == rvmr {
		h |= in.A
	}
	if f.shape == mr || !in.IsMem {
		h |= in.B
	}
	return h&16 != 0
}

func (f *form) unit(in *Inst) int32 {
	n := int32(in.VL.Bytes())
	switch f.tuple {
	case full:
		if in.Bcst {
			return 4 << f.w
		}
		return n
	case half:
		return n / 2
	case quarter:
		return n / 4
	case eighth:
		return n / 8
	case bytes4:
		return 4
	case bytes8:
		return 8
	case bytes16:
		return 16
	case bytes2:
		return 2
	}
	return 32
}

// modrm appends the bytes of a memory operand, of which tail bytes of the instruction follow.
func (t *Text) modrm(c []byte, reg Reg, m Mem, unit int32, tail int) []byte {
	r := uint8(reg) << 3
	if m.Pool {
		c = append(c, r|5)
		t.fixup = append(t.fixup, fixup{len(c), len(c) + 4 + tail, int(m.Disp)})
		return append(c, 0, 0, 0, 0)
	}
	mod, short := uint8(0x80), m.Disp%unit == 0 && m.Disp/unit >= -128 && m.Disp/unit < 128
	switch {
	case m.Disp == 0 && m.Base&7 != BP:
		mod = 0
	case short:
		mod = 0x40
	}
	if m.Index == NoReg && m.Base&7 != SP {
		c = append(c, mod|r|uint8(m.Base&7))
	} else {
		index, scale := uint8(SP), uint8(0)
		if m.Index != NoReg {
			index = uint8(m.Index & 7)
			for s := m.Scale; s > 1; s >>= 1 {
				scale++
			}
		}
		c = append(c, mod|r|4, scale<<6|index<<3|uint8(m.Base&7))
	}
	switch mod {
	case 0x40:
		c = append(c, uint8(m.Disp/unit))
	case 0x80:
		c = binary.LittleEndian.AppendUint32(c, uint32(m.Disp))
	}
	return c
}

// Cond is the condition of a jump.
type Cond uint8

const (
	Below    Cond = 2 // without a sign, as NotBelow
	NotBelow Cond = 3
	Equal    Cond = 4
	NotEqual Cond = 5
	Less     Cond = 12
	AtLeast  Cond = 13
	AtMost   Cond = 14
	Greater  Cond = 15
)

func rex(reg, index, base Reg) uint8 {
	return 0x48 | uint8(reg)>>3&1<<2 | uint8(index)>>3&1<<1 | uint8(base)>>3&1
}

// gprMem is an instruction of a register and memory without an index; bit 1 of op says that the register is last.
func (t *Text) gprMem(name string, op uint8, r Reg, m Mem) { t.general(name, 0x48, r, m, op) }

// Load is MOVQ m, r; Store is MOVQ r, m; AddMem is ADDQ m, r; AddTo is ADDQ r, m. m has no index.
func (t *Text) Load(r Reg, m Mem)   { t.gprMem("MOVQ", 0x8b, r, m) }
func (t *Text) Store(m Mem, r Reg)  { t.gprMem("MOVQ", 0x89, r, m) }
func (t *Text) AddMem(r Reg, m Mem) { t.gprMem("ADDQ", 0x03, r, m) }
func (t *Text) AddTo(m Mem, r Reg)  { t.gprMem("ADDQ", 0x01, r, m) }

// DecMem is DECQ m.
func (t *Text) DecMem(m Mem) {
	t.say("DECQ", ofMem(m))
	t.encode(0x48, 1, m, 0, 0xff)
}

// Of m without an index: SubMem is SUBQ m, r; CmpMem is CMPQ r, m; MulMem is IMULQ m, r; Load4 is MOVL m, r;
// Load4Signed is MOVLQSX m, r; Load1 is MOVBLZX m, r; Store4 is MOVL r, m.
func (t *Text) SubMem(r Reg, m Mem) { t.gprMem("SUBQ", 0x2b, r, m) }
func (t *Text) CmpMem(r Reg, m Mem) {
	t.say("CMPQ", ofReg(r), ofMem(m))
	t.encode(0x48, r, m, 0, 0x3b)
}
func (t *Text) MulMem(r Reg, m Mem)      { t.general("IMULQ", 0x48, r, m, 0x0f, 0xaf) }
func (t *Text) Load4(r Reg, m Mem)       { t.general("MOVL", 0, r, m, 0x8b) }
func (t *Text) Load4Signed(r Reg, m Mem) { t.gprMem("MOVLQSX", 0x63, r, m) }
func (t *Text) Load1(r Reg, m Mem)       { t.general("MOVBLZX", 0, r, m, 0x0f, 0xb6) }
func (t *Text) Store4(m Mem, r Reg)      { t.general("MOVL", 0, r, m, 0x89) }

// Store1 is MOVB r, m for r below SP.
func (t *Text) Store1(m Mem, r Reg) { t.general("MOVB", 0, r, m, 0x88) }

// Prefetch is PREFETCHT0 m.
func (t *Text) Prefetch(m Mem) {
	t.say("PREFETCHT0", ofMem(m))
	t.encode(0, 1, m, 0, 0x0f, 0x18)
}

// JmpMem is JMP m.
func (t *Text) JmpMem(m Mem) {
	t.say("JMP", ofMem(m))
	t.encode(0, 4, m, 0, 0xff)
}

// StoreImm is MOVQ $n, m; AddMemImm is ADDQ $n, m; CmpMemImm is CMPQ m, $n.
func (t *Text) StoreImm(m Mem, n int32) {
	t.say("MOVQ", ofImm(n), ofMem(m))
	t.encode(0x48, 0, m, 4, 0xc7)
	t.Code = binary.LittleEndian.AppendUint32(t.Code, uint32(n))
}
func (t *Text) AddMemImm(m Mem, n int32) {
	t.say("ADDQ", ofImm(n), ofMem(m))
	t.immediateMem(0, m, n)
}
func (t *Text) CmpMemImm(m Mem, n int32) {
	t.say("CMPQ", ofMem(m), ofImm(n))
	t.immediateMem(7, m, n)
}

func (t *Text) immediateMem(ext Reg, m Mem, n int32) {
	if n >= -128 && n < 128 {
		t.encode(0x48, ext, m, 1, 0x83)
		t.Code = append(t.Code, uint8(n))
		return
	}
	t.encode(0x48, ext, m, 4, 0x81)
	t.Code = binary.LittleEndian.AppendUint32(t.Code, uint32(n))
}

// general lists and encodes an instruction whose opcode's bit 1 says that the register is last.
func (t *Text) general(name string, w uint8, r Reg, m Mem, op ...uint8) {
	if op[len(op)-1]&2 != 0 {
		t.say(name, ofMem(m), ofReg(r))
	} else {
		t.say(name, ofReg(r), ofMem(m))
	}
	t.encode(w, r, m, 0, op...)
}

// encode appends an instruction of op with a REX prefix that has w's bits, left out where it says nothing; tail bytes
// of it follow.
func (t *Text) encode(w uint8, r Reg, m Mem, tail int, op ...uint8) {
	if p := rex(r, 0, m.Base)&^0x08 | w; p != 0x40 {
		t.Code = append(t.Code, p)
	}
	t.Code = append(t.Code, op...)
	t.Code = t.modrm(t.Code, r&7, m, 1, tail)
}

// Mul is IMUL3Q $n, r, r.
func (t *Text) Mul(r Reg, n int32) { t.MulTo(r, r, n) }

// MulTo is IMUL3Q $n, x, r; Add is ADDQ x, r.
func (t *Text) MulTo(r, x Reg, n int32) {
	t.say("IMUL3Q", ofImm(n), ofReg(x), ofReg(r))
	t.Code = append(t.Code, rex(r, 0, x))
	if n >= -128 && n < 128 {
		t.Code = append(t.Code, 0x6b, 0xc0|uint8(r&7)<<3|uint8(x&7), uint8(n))
		return
	}
	t.Code = append(t.Code, 0x69, 0xc0|uint8(r&7)<<3|uint8(x&7))
	t.Code = binary.LittleEndian.AppendUint32(t.Code, uint32(n))
}
func (t *Text) Add(r, x Reg) {
	t.say("ADDQ", ofReg(x), ofReg(r))
	t.Code = append(t.Code, rex(x, 0, r), 0x01, 0xc0|uint8(x&7)<<3|uint8(r&7))
}

// Neg is NEGQ r.
func (t *Text) Neg(r Reg) {
	t.say("NEGQ", ofReg(r))
	t.Code = append(t.Code, rex(0, 0, r), 0xf7, 0xd8|uint8(r&7))
}

// AndImm is ANDQ $n, r; CmpImm is CMPQ r, $n.
func (t *Text) AndImm(r Reg, n int32) {
	t.say("ANDQ", ofImm(n), ofReg(r))
	t.immediate(4, r, n)
}
func (t *Text) CmpImm(r Reg, n int32) {
	t.say("CMPQ", ofReg(r), ofImm(n))
	t.immediate(7, r, n)
}

// Address is LEAQ of a place in the code, which Land completes, to r.
func (t *Text) Address(r Reg) int {
	t.say("LEAQ", arg{kind: placeArg}, ofReg(r))
	t.Code = append(t.Code, rex(r, 0, 0), 0x8d, 0x05|uint8(r&7)<<3, 0, 0, 0, 0)
	return len(t.Code)
}

// Fill is REP; STOSQ.
func (t *Text) Fill() {
	t.say("REP; STOSQ")
	t.Code = append(t.Code, 0xf3, 0x48, 0xab)
}

// AddImm is ADDQ $n, r.
func (t *Text) AddImm(r Reg, n int32) {
	t.say("ADDQ", ofImm(n), ofReg(r))
	t.immediate(0, r, n)
}

// SubImm is SUBQ $n, r.
func (t *Text) SubImm(r Reg, n int32) {
	t.say("SUBQ", ofImm(n), ofReg(r))
	t.immediate(5, r, n)
}

func (t *Text) immediate(ext uint8, r Reg, n int32) {
	t.Code = append(t.Code, rex(0, 0, r))
	if n >= -128 && n < 128 {
		t.Code = append(t.Code, 0x83, 0xc0|ext<<3|uint8(r&7), uint8(n))
	} else if r == AX {
		t.Code = append(t.Code, 0x05|ext<<3)
		t.Code = binary.LittleEndian.AppendUint32(t.Code, uint32(n))
	} else {
		t.Code = append(t.Code, 0x81, 0xc0|ext<<3|uint8(r&7))
		t.Code = binary.LittleEndian.AppendUint32(t.Code, uint32(n))
	}
}

// Zero is XORL r, r for r below R8.
func (t *Text) Zero(r Reg) {
	t.say("XORL", ofReg(r), ofReg(r))
	t.Code = append(t.Code, 0x31, 0xc0|uint8(r)<<3|uint8(r))
}

// Ones sets the 32 bits of r, below R8: MOVL $-1, r.
func (t *Text) Ones(r Reg) {
	t.say("MOVL", ofImm(-1), ofReg(r))
	t.Code = append(t.Code, 0xb8|uint8(r), 0xff, 0xff, 0xff, 0xff)
}

// Bzhi clears r's bits from the n-th on: BZHIL n, r, r.
func (t *Text) Bzhi(r, n Reg) {
	t.say("BZHIL", ofReg(n), ofReg(r), ofReg(r))
	t.Code = append(t.Code, 0xc4, (^uint8(r)>>3&1)<<7|0x40|(^uint8(r)>>3&1)<<5|2, (^uint8(n)&15)<<3, 0xf5, 0xc0|uint8(r&7)<<3|uint8(r&7))
}

// Jump is a jump with a 32-bit distance; it returns what Land or a negative distance completes.
func (t *Text) Jump(c Cond) int {
	t.say(jumps[c], arg{kind: placeArg})
	t.Code = append(t.Code, 0x0f, 0x80|uint8(c), 0, 0, 0, 0)
	return len(t.Code)
}

// Jmp is the jump without a condition.
func (t *Text) Jmp() int {
	t.say("JMP", arg{kind: placeArg})
	t.Code = append(t.Code, 0xe9, 0, 0, 0, 0)
	return len(t.Code)
}

// Land makes jump end at to.
func (t *Text) Land(jump, to int) {
	binary.LittleEndian.PutUint32(t.Code[jump-4:], uint32(int32(to-jump)))
	t.landed(jump, to)
}

// Here is where the next instruction goes, after filling up to a multiple of align.
func (t *Text) Here(align int) int {
	for n := -len(t.Code) & (align - 1); n > 0; {
		k := min(n, len(nops))
		t.Code = append(t.Code, nops[k-1]...)
		n -= k
	}
	return len(t.Code)
}

var nops = [...]string{"\x90", "\x66\x90", "\x0f\x1f\x00", "\x0f\x1f\x40\x00", "\x0f\x1f\x44\x00\x00", "\x66\x0f\x1f\x44\x00\x00",
	"\x0f\x1f\x80\x00\x00\x00\x00", "\x0f\x1f\x84\x00\x00\x00\x00\x00", "\x66\x0f\x1f\x84\x00\x00\x00\x00\x00"}

// Return leaves the code.
func (t *Text) Return() {
	t.say("VZEROUPPER; RET")
	t.Code = append(t.Code, 0xc5, 0xf8, 0x77, 0xc3)
}

// PoolAlign is what the pool, behind the code, is aligned to.
const PoolAlign = 64

// Finish appends the pool, and returns the whole.
func (t *Text) Finish(pool []byte) []byte {
	base := t.Here(PoolAlign)
	for _, f := range t.fixup {
		binary.LittleEndian.PutUint32(t.Code[f.at:], uint32(int32(base+f.to-f.end)))
	}
	return append(t.Code, pool...)
}
