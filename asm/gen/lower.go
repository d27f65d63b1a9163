package main

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// inst is one machine instruction on virtual registers.
type inst struct {
	// form is the text, operands in Go's order: @0 @1 @2 and @d stand for YMM registers, %0 … %d for
	// the XMM halves of them.
	form string
	args []int
	mem  int  // the argument that may be a memory operand, -1 when none may
	swap bool // arguments 0 and 1 may change places
	dst  int  // -1 for a store
	// fma is the mnemonic before and after the operand order ("VFMADD", "PS"), for args a, b, c.
	fma [2]string
}

// lowered is a program on virtual registers: groups of elements side by side in one order.
type lowered struct {
	code []inst
	home []string // by virtual register: its place in memory before it was ever computed, or ""
	keep []bool   // the home is a constant, which is as good an operand as a register
}

var argRegs = [...]string{"SI", "DX", "R8"}

// lower expands a program into groups of e elements each, interleaved instruction by instruction so
// that their latencies overlap. e is 8, or 4 where every value has 64 bits. A value of 64 bits in a
// group of 8 takes two registers, called its parts.
func lower(p *vec.Program, groups, e int, consts map[string]bool) *lowered {
	l := &lowered{}
	reg := make([][][]int, len(p.Code)) // value, group, part
	newReg := func() int {
		l.home = append(l.home, "")
		l.keep = append(l.keep, false)
		return len(l.home) - 1
	}
	at := func(home string, keep bool) int {
		r := newReg()
		l.home[r], l.keep[r] = home, keep
		return r
	}
	emit := func(form string, mem int, args ...int) int {
		d := newReg()
		l.code = append(l.code, inst{form: form, args: args, mem: mem, dst: d})
		return d
	}
	input := func(i uint64, group, byteOff int) string {
		return fmt.Sprintf("%d(%s)", group*e*p.In[i].Size()+byteOff, argRegs[i])
	}
	zero := func() int { return at(constant(0, 32, consts), true) }

	one := func(in vec.Instr, g, part int) int {
		arg := func(v vec.Value) int {
			return reg[v][g][part]
		}
		s := "S"
		if in.T.Bits() == 64 {
			s = "D"
		}
		d := map[vec.Type]string{vec.I32: "D", vec.I64: "Q"}[in.T]
		bin := func(mnemonic string, swap bool) int {
			r := emit(mnemonic+" @1, @0, @d", 1, arg(in.A), arg(in.B))
			l.code[len(l.code)-1].swap = swap
			return r
		}
		un := func(mnemonic string) int { return emit(mnemonic+" @0, @d", 0, arg(in.A)) }
		fma := func(mnemonic string) int {
			r := newReg()
			l.code = append(l.code, inst{args: []int{arg(in.A), arg(in.B), arg(in.C)}, mem: -1, dst: r,
				fma: [2]string{mnemonic, "P" + s}})
			return r
		}
		cmp := func(pred int, ints string) int {
			t := p.Code[in.A].T
			if !t.IsFloat() {
				if ints == "" {
					panic(fmt.Sprintf("gen: %v of %v", in.Op, t))
				}
				return bin(ints+d, ints == "VPCMPEQ")
			}
			r := emit(fmt.Sprintf("VCMPP%s $%d, @1, @0, @d", s, pred), 1, arg(in.A), arg(in.B))
			l.code[len(l.code)-1].swap = pred == 0 || pred == 4
			return r
		}
		logic := func(float, int string, swap bool) int {
			if in.T.IsFloat() {
				return bin(float+"P"+s, swap)
			}
			return bin(int, swap)
		}
		arith := func(float, int string, swap bool) int {
			if in.T.IsFloat() {
				return bin(float+"P"+s, swap)
			}
			return bin(int+d, swap)
		}

		switch in.Op {
		case vec.Load:
			if p.In[in.Imm] != dtype.Bool {
				return at(input(in.Imm, g, part*32), false)
			}
			// Bytes 0 and 1 become masks: any byte but 0 does.
			lanes := 256 / in.T.Bits()
			bytes := emit("VPMOVZXB"+d+" "+input(in.Imm, g, part*lanes)+", @d", -1)
			return emit("VPCMPGT"+d+" @1, @0, @d", 1, bytes, zero())
		case vec.Const:
			return at(constant(in.Imm, in.T.Bits(), consts), true)
		case vec.Bitcast:
			return arg(in.A)
		case vec.Add:
			return arith("VADD", "VPADD", true)
		case vec.Sub:
			return arith("VSUB", "VPSUB", false)
		case vec.Mul:
			return arith("VMUL", "VPMULL", true)
		case vec.Div:
			return bin("VDIVP"+s, false)
		case vec.Sqrt:
			return un("VSQRTP" + s)
		case vec.FMA:
			return fma("VFMADD")
		case vec.FNMA:
			return fma("VFNMADD")
		case vec.FMS:
			return fma("VFMSUB")
		case vec.Min:
			return bin("VMINP"+s, false) // the second operand where unordered, so the order stays
		case vec.Max:
			return bin("VMAXP"+s, false)
		case vec.And:
			return logic("VAND", "VPAND", true)
		case vec.Or:
			return logic("VOR", "VPOR", true)
		case vec.Xor:
			return logic("VXOR", "VPXOR", true)
		case vec.AndNot: // the machine inverts its first operand
			in.A, in.B = in.B, in.A
			return logic("VANDN", "VPANDN", false)
		case vec.Shl:
			return emit(fmt.Sprintf("VPSLL%s $%d, @0, @d", d, in.Imm), -1, arg(in.A))
		case vec.Shr:
			return emit(fmt.Sprintf("VPSRL%s $%d, @0, @d", d, in.Imm), -1, arg(in.A))
		case vec.Sar:
			return emit(fmt.Sprintf("VPSRAD $%d, @0, @d", in.Imm), -1, arg(in.A))
		case vec.ShlV:
			return bin("VPSLLV"+d, false)
		case vec.ShrV:
			return bin("VPSRLV"+d, false)
		case vec.CmpEQ:
			return cmp(0, "VPCMPEQ")
		case vec.CmpNE:
			return cmp(4, "")
		case vec.CmpLT:
			return cmp(17, "")
		case vec.CmpLE:
			return cmp(18, "")
		case vec.CmpGT:
			return cmp(30, "VPCMPGT")
		case vec.CmpGE:
			return cmp(29, "")
		case vec.Blend:
			return emit("VBLENDVP"+s+" @0, @1, @2, @d", 1, arg(in.A), arg(in.B), arg(in.C))
		case vec.Floor:
			return un("VROUNDP" + s + " $9,")
		case vec.Ceil:
			return un("VROUNDP" + s + " $10,")
		case vec.Trunc:
			return un("VROUNDP" + s + " $11,")
		case vec.Nearest:
			return un("VROUNDP" + s + " $8,")
		case vec.ToInt:
			return un("VCVTPS2DQ")
		case vec.ToFloat:
			return un("VCVTDQ2PS")
		case vec.Widen:
			mnemonic, half := "VCVTPS2PD", "VEXTRACTF128"
			if in.T == vec.I64 {
				mnemonic, half = "VPMOVSXDQ", "VEXTRACTI128"
			}
			a := reg[in.A][g][0]
			if part == 0 {
				return emit(mnemonic+" %0, @d", 0, a)
			}
			if l.home[a] != "" && !l.keep[a] { // an input: its upper half is there to be read
				return emit(mnemonic+" %0, @d", 0, at(input(p.Code[in.A].Imm, g, 16), false))
			}
			return emit(mnemonic+" %0, @d", 0, emit(half+" $1, @0, %d", -1, a))
		case vec.Narrow:
			a := reg[in.A][g]
			if in.T == vec.F32 {
				lo := emit("VCVTPD2PSY @0, %d", 0, a[0])
				hi := emit("VCVTPD2PSY @0, %d", 0, a[1])
				return emit("VINSERTF128 $1, %1, @0, @d", -1, lo, hi)
			}
			return emit("VPERMQ $216, @0, @d", -1, emit("VSHUFPS $136, @1, @0, @d", -1, a[0], a[1]))
		}
		panic(fmt.Sprintf("gen: no instruction for %v", in.Op))
	}

	for i, in := range p.Code {
		parts := in.T.Bits() * e / 256
		reg[i] = make([][]int, groups)
		for g := range groups {
			for part := range parts {
				if in.Op == vec.Const && g+part > 0 { // one for all
					reg[i][g] = append(reg[i][g], reg[i][0][0])
					continue
				}
				reg[i][g] = append(reg[i][g], one(in, g, part))
			}
		}
	}
	for g := range groups {
		r := reg[p.Result][g]
		out := func(form string, byteOff int, arg int) {
			to := fmt.Sprintf("%d(DI)", g*e*p.Out.Size()+byteOff)
			l.code = append(l.code, inst{form: form + ", " + to, args: []int{arg}, mem: -1, dst: -1})
		}
		if p.Out != dtype.Bool {
			for part, v := range r {
				out("VMOVUPS @0", part*32, v)
			}
			continue
		}
		// Masks are packed to bytes 0 and -1, of which the absolute value is stored.
		var words int
		switch {
		case len(r) == 2:
			words = emit("VPERMQ $216, @0, @d", -1, emit("VSHUFPS $136, @1, @0, @d", -1, r[0], r[1]))
			words = emit("VPACKSSDW %1, %0, %d", -1, words, emit("VEXTRACTI128 $1, @0, %d", -1, words))
		case e == 8:
			words = emit("VPACKSSDW %1, %0, %d", -1, r[0], emit("VEXTRACTI128 $1, @0, %d", -1, r[0]))
		default:
			words = emit("VPACKSSDW %1, %0, %d", -1, r[0], emit("VEXTRACTI128 $1, @0, %d", -1, r[0]))
			words = emit("VPACKSSDW %0, %0, %d", -1, words)
		}
		bytes := emit("VPABSB %0, %d", -1, emit("VPACKSSWB %0, %0, %d", -1, words))
		if e == 8 {
			out("VMOVQ %0", 0, bytes)
		} else {
			out("VMOVD %0", 0, bytes)
		}
	}
	return l
}

// constant returns the address of 32 bytes filled with the constant, and notes that it is wanted.
func constant(bits uint64, width int, consts map[string]bool) string {
	name := fmt.Sprintf("k%d_%0*x", width, width/4, bits)
	if bits == 0 || width == 64 && bits>>32 == bits&0xffff_ffff {
		name = fmt.Sprintf("k32_%08x", bits&0xffff_ffff)
	}
	consts[name] = true
	return name + "<>(SB)"
}

// wide reports whether every value has 64 bits.
func wide(p *vec.Program) bool {
	for _, in := range p.Code {
		if in.T.Bits() != 64 {
			return false
		}
	}
	return true
}

func operands(form string, y func(i int) string) string {
	var s strings.Builder
	for i := 0; i < len(form); i++ {
		if c := form[i]; (c == '@' || c == '%') && i+1 < len(form) {
			k := -1
			if form[i+1] != 'd' {
				k = int(form[i+1] - '0')
			}
			r := y(k)
			if c == '%' && r[0] == 'Y' {
				r = "X" + r[1:]
			}
			s.WriteString(r)
			i++
			continue
		}
		s.WriteByte(form[i])
	}
	return s.String()
}
