// Package vec holds vector programs: straight-line SSA over lanes, the one description of every
// pointwise kernel. The pure-Go level interprets it, asm's generator prints it as Go assembly, and
// a run-time code generator can allocate registers for it; all three give the same bits. It imports
// dtype, kept and ops.
//
// A program describes what happens to one element. Its users run it over n elements, 8 at a time.
package vec

import (
	"fmt"
	"math"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// What VGETMANT and VFPCLASS are told: [1, 2) and NaN below 0; both zeros and +Inf.
const (
	SignificandImm = 8
	EndsImm        = 2 | 4 | 8
)

// Type is the lane type of a value. A mask is an I32 or I64 value whose lanes are all ones or zero;
// masks of 32 bits go with F32 and I32, masks of 64 bits with F64 and I64.
type Type uint8

const (
	F32 Type = iota
	F64
	I32
	I64
)

// Bits returns the width of a lane.
func (t Type) Bits() int {
	if t == F32 || t == I32 {
		return 32
	}
	return 64
}

// Int returns the integer type of the same width, which is also the type of t's masks.
func (t Type) Int() Type {
	if t.Bits() == 32 {
		return I32
	}
	return I64
}

// IsFloat reports whether t is F32 or F64.
func (t Type) IsFloat() bool { return t <= F64 }

func (t Type) String() string { return [...]string{"f32", "f64", "i32", "i64"}[t] }

// Op is the operation of an instruction.
type Op uint8

// Every operation rounds once, to nearest even, in the type of its result. Denormals are kept.
// Bitwise operations, Blend and Bitcast look at bits only, of whatever type.
const (
	Load        Op = iota // element of input Imm; a Bool input gives a mask of type T, one of BF16 or F16 its F32
	Const                 // Imm: the bits of the lane
	Add                   // a+b (floats and integers; integers wrap)
	Sub                   // a-b (floats and integers; integers wrap)
	Mul                   // a*b (floats, I32)
	Div                   // a/b
	Sqrt                  // √a
	FMA                   // a*b+c, rounded once
	FNMA                  // c-a*b, rounded once
	FMS                   // a*b-c, rounded once
	Min                   // a<b ? a : b (so b when either is NaN, and when both are zeros)
	Max                   // a>b ? a : b
	And                   // a&b
	AndNot                // a&^b
	Or                    // a|b
	Xor                   // a^b
	Shl                   // a<<Imm
	Shr                   // a>>Imm, zeros enter
	Sar                   // a>>Imm, the sign enters (I32 only)
	ShlV                  // a<<b per lane, 0 ≤ b < bits (integers)
	ShrV                  // a>>b per lane, zeros enter, 0 ≤ b < bits (integers)
	CmpEQ                 // a==b: mask; floats: false on NaN. Integers too
	CmpNE                 // a!=b: mask; floats: true on NaN
	CmpLT                 // a<b: mask; false on NaN (floats only)
	CmpLE                 // a<=b: mask; false on NaN (floats only)
	CmpGT                 // a>b: mask; false on NaN. Integers too (signed)
	CmpGE                 // a>=b: mask; false on NaN (floats only)
	Blend                 // a's lane all ones ? b : c (a is a mask of b's width)
	Floor                 // ⌊a⌋
	Ceil                  // ⌈a⌉
	Trunc                 // toward zero
	Nearest               // to nearest integer, ties to even
	Widen                 // F32→F64, I32→I64 (sign extends; masks too)
	Narrow                // F64→F32 (rounds), I64→I32 (low half; masks too)
	ToInt                 // F32→I32, to nearest even; |a| < 2³¹
	ToFloat               // I32→F32 (rounds)
	Half                  // a rounded to an F16 (F32 only)
	Bitcast               // a's bits as type T of the same width
	Table                 // entry a mod 16 of table Imm (a an integer of its width)
	Scale                 // a·2^⌊b⌋ rounded once (floats); for b = NaN it is NaN
	Exponent              // ⌊log2 |a|⌋, of a denormal too; -Inf for 0, +Inf for ±Inf, NaN for NaN
	Significand           // a·2^-Exponent(a), in [1, 2); NaN below 0, no meaning at Ends
	Ends                  // a is a zero or +Inf: mask
	NumOps
)

// Scale, Exponent, Significand and Ends are single instructions of AVX-512, and only a Builder that is
// Wide may write them.

var names = [NumOps]string{"load", "const", "add", "sub", "mul", "div", "sqrt", "fma", "fnma", "fms",
	"min", "max", "and", "andnot", "or", "xor", "shl", "shr", "sar", "shlv", "shrv", "cmpeq", "cmpne",
	"cmplt", "cmple", "cmpgt", "cmpge", "blend", "floor", "ceil", "trunc", "nearest", "widen", "narrow",
	"toint", "tofloat", "half", "bitcast", "table", "scale", "exponent", "significand", "ends"}

func (o Op) String() string { return names[o] }

// Value is the index of the instruction that computes it.
type Value int32

// None is the absent operand.
const None Value = -1

// Instr is one instruction; T is the type of its result.
type Instr struct {
	Op      Op
	T       Type
	A, B, C Value
	Imm     uint64
}

// Program is a vector program of up to three inputs and one output.
type Program struct {
	Name   string
	In     []dtype.Type // in memory
	Out    dtype.Type   // in memory; Bool stores a mask as bytes 0 and 1, BF16 the low halves of an I32, F16 an F32 rounded
	Code   []Instr      // in order: operands come before their users, no dead code
	Result Value
}

// Builder writes a program. Equal instructions are one value; operand types are checked, and a
// mistake panics: a program is written by us, never by a user.
type Builder struct {
	// Wide lets bodies use what only AVX-512 has an instruction for. The bits are the same.
	Wide bool
	in   []dtype.Type
	code []Instr
	seen []Value // a table by hash of the instructions so far: their numbers and one more, 0 for none
}

// NewBuilder starts a program with inputs of the given element types.
func NewBuilder(in ...dtype.Type) *Builder {
	return &Builder{in: in}
}

// AddInput adds an input of element type t and returns its number.
func (b *Builder) AddInput(t dtype.Type) int {
	b.in = append(b.in, t)
	return len(b.in) - 1
}

// Code returns the instructions so far, dead ones included.
func (b *Builder) Code() []Instr { return b.code }

// TypeOf returns the lane type of v.
func (b *Builder) TypeOf(v Value) Type { return b.code[v].T }

func (b *Builder) emit(in Instr) Value {
	if 2*len(b.code) >= len(b.seen) {
		b.seen = make([]Value, max(64, 4*len(b.code)))
		for i := range b.code {
			*b.place(&b.code[i]) = Value(i + 1)
		}
	}
	at := b.place(&in)
	if *at == 0 {
		b.code = append(b.code, in)
		*at = Value(len(b.code))
	}
	return *at - 1
}

// place is where an instruction is in seen, or belongs.
func (b *Builder) place(in *Instr) *Value {
	h := (uint64(uint32(in.A))<<32 | uint64(uint32(in.B))) * 0x9e3779b97f4a7c15
	h = (h ^ h>>29 ^ in.Imm ^ uint64(uint32(in.C))<<16 ^ uint64(in.Op)<<8 ^ uint64(in.T)) * 0xbf58476d1ce4e5b9
	for i := int(h >> 32 % uint64(len(b.seen))); ; i++ {
		if i == len(b.seen) {
			i = 0
		}
		if v := &b.seen[i]; *v == 0 || b.code[*v-1] == *in {
			return v
		}
	}
}

func (b *Builder) same(op Op, vs ...Value) Type {
	t := b.TypeOf(vs[0])
	for _, v := range vs[1:] {
		if b.TypeOf(v) != t {
			panic(fmt.Sprintf("vec: %v of %v and %v", op, t, b.TypeOf(v)))
		}
	}
	return t
}

func (b *Builder) float(op Op, vs ...Value) Type {
	t := b.same(op, vs...)
	if !t.IsFloat() {
		panic(fmt.Sprintf("vec: %v of %v", op, t))
	}
	return t
}

// Lane returns the lane type of an element type; a Bool has the width of its company, so none here. A BF16 or F16 is
// loaded as an F32.
func Lane(t dtype.Type) Type {
	switch t {
	case dtype.F32, dtype.BF16, dtype.F16:
		return F32
	case dtype.F64:
		return F64
	case dtype.I32:
		return I32
	case dtype.I64:
		return I64
	}
	panic("vec: no lane type for " + t.String())
}

// Input loads input i.
func (b *Builder) Input(i int) Value {
	return b.emit(Instr{Load, Lane(b.in[i]), None, None, None, uint64(i)})
}

// InputMask loads the Bool input i as a mask of type t (I32 or I64).
func (b *Builder) InputMask(i int, t Type) Value {
	if b.in[i] != dtype.Bool || t.IsFloat() {
		panic("vec: InputMask of " + b.in[i].String())
	}
	return b.emit(Instr{Load, t, None, None, None, uint64(i)})
}

// F is the constant x in float type t, rounded.
func (b *Builder) F(t Type, x float64) Value {
	if t == F32 {
		return b.emit(Instr{Const, t, None, None, None, uint64(math.Float32bits(float32(x)))})
	}
	return b.emit(Instr{Const, F64, None, None, None, math.Float64bits(x)})
}

// Bits is the constant with the given bits in type t.
func (b *Builder) Bits(t Type, bits uint64) Value {
	if t.Bits() == 32 {
		bits &= math.MaxUint32
	}
	return b.emit(Instr{Const, t, None, None, None, bits})
}

// I is the integer constant x in type t.
func (b *Builder) I(t Type, x int64) Value { return b.Bits(t, uint64(x)) }

func (b *Builder) bin(op Op, x, y Value) Value {
	return b.emit(Instr{op, b.same(op, x, y), x, y, None, 0})
}

func (b *Builder) Add(x, y Value) Value { return b.bin(Add, x, y) }
func (b *Builder) Sub(x, y Value) Value { return b.bin(Sub, x, y) }
func (b *Builder) Mul(x, y Value) Value {
	if b.TypeOf(x) == I64 {
		panic("vec: mul of i64")
	}
	return b.bin(Mul, x, y)
}
func (b *Builder) Div(x, y Value) Value { b.float(Div, x, y); return b.bin(Div, x, y) }
func (b *Builder) Min(x, y Value) Value { b.float(Min, x, y); return b.bin(Min, x, y) }
func (b *Builder) Max(x, y Value) Value { b.float(Max, x, y); return b.bin(Max, x, y) }

// FMA is x*y+z rounded once; FNMA is z-x*y; FMS is x*y-z.
func (b *Builder) FMA(x, y, z Value) Value {
	return b.emit(Instr{FMA, b.float(FMA, x, y, z), x, y, z, 0})
}
func (b *Builder) FNMA(x, y, z Value) Value {
	return b.emit(Instr{FNMA, b.float(FNMA, x, y, z), x, y, z, 0})
}
func (b *Builder) FMS(x, y, z Value) Value {
	return b.emit(Instr{FMS, b.float(FMS, x, y, z), x, y, z, 0})
}

func (b *Builder) un(op Op, x Value) Value {
	return b.emit(Instr{op, b.float(op, x), x, None, None, 0})
}

func (b *Builder) Sqrt(x Value) Value    { return b.un(Sqrt, x) }
func (b *Builder) Floor(x Value) Value   { return b.un(Floor, x) }
func (b *Builder) Ceil(x Value) Value    { return b.un(Ceil, x) }
func (b *Builder) Trunc(x Value) Value   { return b.un(Trunc, x) }
func (b *Builder) Nearest(x Value) Value { return b.un(Nearest, x) }

// Bitwise operations take any two values of one width; the result has x's type.
func (b *Builder) bits(op Op, x, y Value) Value {
	if b.TypeOf(x).Bits() != b.TypeOf(y).Bits() {
		panic(fmt.Sprintf("vec: %v of %v and %v", op, b.TypeOf(x), b.TypeOf(y)))
	}
	return b.emit(Instr{op, b.TypeOf(x), x, y, None, 0})
}

func (b *Builder) And(x, y Value) Value    { return b.bits(And, x, y) }
func (b *Builder) AndNot(x, y Value) Value { return b.bits(AndNot, x, y) } // x &^ y
func (b *Builder) Or(x, y Value) Value     { return b.bits(Or, x, y) }
func (b *Builder) Xor(x, y Value) Value    { return b.bits(Xor, x, y) }

func (b *Builder) shift(op Op, x Value, n int) Value {
	t := b.TypeOf(x)
	if t.IsFloat() || n < 0 || n >= t.Bits() || op == Sar && t == I64 {
		panic(fmt.Sprintf("vec: %v of %v by %d", op, t, n))
	}
	return b.emit(Instr{op, t, x, None, None, uint64(n)})
}

func (b *Builder) Shl(x Value, n int) Value { return b.shift(Shl, x, n) }
func (b *Builder) Shr(x Value, n int) Value { return b.shift(Shr, x, n) }
func (b *Builder) Sar(x Value, n int) Value { return b.shift(Sar, x, n) }
func (b *Builder) ShlV(x, n Value) Value    { return b.bin(ShlV, x, n) }
func (b *Builder) ShrV(x, n Value) Value    { return b.bin(ShrV, x, n) }

// Cmp compares with one of the Cmp operations and gives a mask.
func (b *Builder) Cmp(op Op, x, y Value) Value {
	t := b.same(op, x, y)
	if op < CmpEQ || op > CmpGE || !t.IsFloat() && op != CmpEQ && op != CmpGT {
		panic(fmt.Sprintf("vec: %v of %v", op, t))
	}
	return b.emit(Instr{op, t.Int(), x, y, None, 0})
}

func (b *Builder) EQ(x, y Value) Value { return b.Cmp(CmpEQ, x, y) }
func (b *Builder) NE(x, y Value) Value { return b.Cmp(CmpNE, x, y) }
func (b *Builder) LT(x, y Value) Value { return b.Cmp(CmpLT, x, y) }
func (b *Builder) LE(x, y Value) Value { return b.Cmp(CmpLE, x, y) }
func (b *Builder) GT(x, y Value) Value { return b.Cmp(CmpGT, x, y) }
func (b *Builder) GE(x, y Value) Value { return b.Cmp(CmpGE, x, y) }

// Blend is m ? x : y, lane by lane; m is a mask of x's width.
func (b *Builder) Blend(m, x, y Value) Value {
	t := b.same(Blend, x, y)
	if b.TypeOf(m) != t.Int() {
		panic(fmt.Sprintf("vec: blend of %v by %v", t, b.TypeOf(m)))
	}
	return b.emit(Instr{Blend, t, m, x, y, 0})
}

// Widen doubles the width: F32→F64 exactly, I32→I64 by sign.
func (b *Builder) Widen(x Value) Value {
	return b.emit(Instr{Widen, b.conv(Widen, x, 32) + 1, x, None, None, 0})
}

// Narrow halves the width: F64→F32 rounding, I64→I32 keeping the low half.
func (b *Builder) Narrow(x Value) Value {
	return b.emit(Instr{Narrow, b.conv(Narrow, x, 64) - 1, x, None, None, 0})
}

func (b *Builder) conv(op Op, x Value, bits int) Type {
	t := b.TypeOf(x)
	if t.Bits() != bits {
		panic(fmt.Sprintf("vec: %v of %v", op, t))
	}
	return t
}

// ToInt is F32→I32 to nearest even; lanes of 2³¹ and beyond, and NaN, give -2³¹.
func (b *Builder) ToInt(x Value) Value {
	if b.TypeOf(x) != F32 {
		panic("vec: toint of " + b.TypeOf(x).String())
	}
	return b.emit(Instr{ToInt, I32, x, None, None, 0})
}

// ToFloat is I32→F32.
func (b *Builder) ToFloat(x Value) Value {
	if b.TypeOf(x) != I32 {
		panic("vec: tofloat of " + b.TypeOf(x).String())
	}
	return b.emit(Instr{ToFloat, F32, x, None, None, 0})
}

// Half is x rounded to an F16.
func (b *Builder) Half(x Value) Value {
	if b.TypeOf(x) != F32 {
		panic("vec: half of " + b.TypeOf(x).String())
	}
	return b.emit(Instr{Half, F32, x, None, None, 0})
}

// Stored is what an output of type t stores for r: storing an F16 rounds, so that the rounding before is not needed.
func (b *Builder) Stored(t dtype.Type, r Value) Value {
	if in := b.code[r]; t == dtype.F16 && in.Op == Half {
		return in.A
	}
	return r
}

// Bitcast reads x's bits as type t of the same width.
func (b *Builder) Bitcast(t Type, x Value) Value {
	if b.TypeOf(x) == t {
		return x
	}
	if b.TypeOf(x).Bits() != t.Bits() {
		panic("vec: bitcast changes the width")
	}
	return b.emit(Instr{Bitcast, t, x, None, None, 0})
}

// Table looks up 16 entries of a float type by the last four bits of i, an integer of its width.
func (b *Builder) Table(t Type, i Value, entries ...float64) Value {
	if !t.IsFloat() || b.TypeOf(i) != t.Int() {
		panic(fmt.Sprintf("vec: table of %v by %v", t, b.TypeOf(i)))
	}
	return b.emit(Instr{Table, t, i, None, None, tableOf(t, entries)})
}

// Scale is x·2^⌊n⌋, rounded once.
func (b *Builder) Scale(x, n Value) Value { b.float(Scale, x, n); return b.bin(Scale, x, n) }

// Exponent and Significand take x apart; Ends tells where that gives nothing.
func (b *Builder) Exponent(x Value) Value    { return b.un(Exponent, x) }
func (b *Builder) Significand(x Value) Value { return b.un(Significand, x) }
func (b *Builder) Ends(x Value) Value {
	return b.emit(Instr{Ends, b.float(Ends, x).Int(), x, None, None, 0})
}

// Neg flips the sign bit; Abs clears it.
func (b *Builder) Neg(x Value) Value { return b.Xor(x, b.sign(x)) }
func (b *Builder) Abs(x Value) Value { return b.AndNot(x, b.sign(x)) }

// CopySign gives |x| the sign of y.
func (b *Builder) CopySign(x, y Value) Value {
	return b.Or(b.Abs(x), b.And(y, b.sign(x)))
}

func (b *Builder) sign(x Value) Value {
	t := b.TypeOf(x)
	return b.Bits(t, 1<<(t.Bits()-1))
}

// Poly evaluates c[0] + c[1]·x + … by Horner's rule, one fma per coefficient.
func (b *Builder) Poly(x Value, c ...float64) Value {
	t := b.TypeOf(x)
	y := b.F(t, c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		y = b.FMA(y, x, b.F(t, c[i]))
	}
	return y
}

// Program finishes the program: dead code is dropped, r is stored as type out (Bool wants a mask).
func (b *Builder) Program(name string, out dtype.Type, r Value) *Program {
	want := I32 // of BF16
	switch out {
	case dtype.Bool:
		want = b.TypeOf(r).Int()
	case dtype.BF16:
	default:
		want = Lane(out)
	}
	if b.TypeOf(r) != want {
		panic(fmt.Sprintf("vec: %s stores %v as %v", name, b.TypeOf(r), out))
	}
	r = b.Stored(out, r)
	live := make([]bool, len(b.code))
	live[r] = true
	for i := len(b.code) - 1; i >= 0; i-- {
		if in := b.code[i]; live[i] {
			for _, v := range [...]Value{in.A, in.B, in.C} {
				if v != None {
					live[v] = true
				}
			}
		}
	}
	p := &Program{Name: name, In: b.in, Out: out}
	at := make([]Value, len(b.code))
	move := func(v Value) Value {
		if v == None {
			return None
		}
		return at[v]
	}
	for i, in := range b.code {
		if live[i] {
			in.A, in.B, in.C = move(in.A), move(in.B), move(in.C)
			at[i] = Value(len(p.Code))
			p.Code = append(p.Code, in)
		}
	}
	p.Result = at[r]
	return p
}
