package main

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// inst is one machine instruction on virtual registers.
type inst struct {
	// form is the text, operands in Go's order: @0 @1 @2 and @d stand for registers, %0 … %d for the lower
	// halves of vectors, ^0 … ^d for their XMM parts.
	form  string
	args  []int
	mem   int  // the argument that may be a memory operand, -1 when none may
	whole bool // and may not be one that is spread over the lanes
	swap  bool // arguments 0 and 1 may change places
	dst   int  // -1 for a store
	// fma is the mnemonic before and after the operand order ("VFMADD", "PS"), for args a, b, c.
	fma [2]string
	// rows are two tables side by side, of which the result is what lanes lane and lane+2 of the argument, bytes, say.
	rows string
	lane int
	// over says that args are an index and two tables, the second of which the result takes the place of.
	over bool
}

// lowered is a program on virtual registers: groups of elements side by side in one order.
type lowered struct {
	isa
	code []inst
	side []vec.Value    // by instruction that looks up one of a pair of tables, the other one
	have map[[3]int]int // of a pair, by instruction, group and part, what has been looked up before it is lowered
	home []string       // by virtual register: its place in memory before it was ever computed, or ""
	keep []bool         // the home is a constant, which is as good an operand as a register
	mask []bool         // it is a mask register
	once map[string]int
}

var argRegs = [...]string{"SI", "DX", "R8"}

// lower expands a program into groups of e elements each, interleaved instruction by instruction so
// that their latencies overlap. e elements of 32 bits are a vector, or those of 64 bits are where every
// value has as many. A value of 64 bits in a group of the former takes two registers, called its parts.
//
// Where there are mask registers, a value that is a mask by its making is in one, and in a vector as well
// once a use of its bits asks for that.
func lower(p *vec.Program, i isa, groups, e int, consts map[string]bool) *lowered {
	l := &lowered{isa: i, once: map[string]int{}, have: map[[3]int]int{}}
	if !i.masks {
		l.side = vec.TablePairs(p.Code) // found by addresses, a table takes Zen 3 two cycles, by permutations of its words six
	}
	reg := make([][][]int, len(p.Code))    // value, group, part; -1: only in a mask register
	inMask := make([][][]int, len(p.Code)) // the same for mask registers; -1: only in a vector
	newReg := func() int {
		l.home = append(l.home, "")
		l.keep = append(l.keep, false)
		l.mask = append(l.mask, false)
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
	emitMask := func(form string, mem int, args ...int) int {
		d := emit(form, mem, args...)
		l.mask[d] = true
		return d
	}
	input := func(i uint64, group, byteOff int) string {
		return fmt.Sprintf("%d(%s)", group*e*p.In[i].Size()+byteOff, argRegs[i])
	}
	zero := func() int { return at(constant(0, 32, consts), true) }
	narrower := func(a []int) int { // two vectors of 64-bit integers' low halves
		if i.masks {
			return emit(i.insert("I")+" $1, %1, @0, @d", -1, emit("VPMOVQD @0, %d", -1, a[0]), emit("VPMOVQD @0, %d", -1, a[1]))
		}
		return emit("VPERMQ $216, @0, @d", -1, emit("VSHUFPS $136, @1, @0, @d", -1, a[0], a[1]))
	}
	isMask := func(v vec.Value) bool { return inMask[v] != nil && inMask[v][0][0] >= 0 }
	letter := func(t vec.Type) string { return map[int]string{32: "D", 64: "Q"}[t.Bits()] }
	vector := func(v vec.Value, g, part int) int {
		r := &reg[v][g][part]
		if *r < 0 {
			*r = emit("VPMOVM2"+letter(p.Code[v].T)+" @0, @d", -1, inMask[v][g][part])
		}
		return *r
	}
	masked := func(v vec.Value, g, part int) int {
		r := &inMask[v][g][part]
		if *r < 0 {
			*r = emitMask("VPMOV"+letter(p.Code[v].T)+"2M @0, @d", -1, vector(v, g, part))
		}
		return *r
	}

	// mask returns in as a mask register, -1 where it is no mask by its making.
	mask := func(in vec.Instr, g, part int) int {
		logic := func(form string) int {
			if !isMask(in.A) || !isMask(in.B) {
				return -1
			}
			return emitMask(form+", @d", -1, masked(in.A, g, part), masked(in.B, g, part))
		}
		switch in.Op {
		case vec.Load:
			if p.In[in.Imm] != dtype.Bool {
				return -1
			}
			lanes := i.bytes * 8 / in.T.Bits()
			load := map[int]string{4: "VMOVD ", 8: "VMOVQ ", 16: "VMOVUPS "}[lanes]
			return emitMask("VPTESTMB ^0, ^0, @d", -1, emit(load+input(in.Imm, g, part*lanes)+", ^d", -1))
		case vec.Bitcast:
			if isMask(in.A) {
				return masked(in.A, g, part)
			}
		case vec.And:
			return logic("KANDW @1, @0")
		case vec.Or:
			return logic("KORW @1, @0")
		case vec.AndNot:
			return logic("KANDNW @0, @1")
		case vec.Xor:
			for _, ab := range [][2]vec.Value{{in.A, in.B}, {in.B, in.A}} {
				if c := p.Code[ab[1]]; isMask(ab[0]) && c.Op == vec.Const && int64(c.Imm<<(64-c.T.Bits())) == -1<<(64-c.T.Bits()) {
					return emitMask("KNOTW @0, @d", -1, masked(ab[0], g, part))
				}
			}
			return logic("KXORW @1, @0")
		}
		return -1
	}

	// pair looks up the tables of v and of the instruction beside it, whose entries lie side by side: 16 bytes are both's for a lane.
	pair := func(v vec.Value, g, part int) int {
		in, other := p.Code[v], l.side[v]
		name := fmt.Sprintf("p64_%s_%s", vec.TableName(in.Imm), vec.TableName(p.Code[other].Imm))
		consts[name] = true
		index := l.shared(emit, "VPSRLQ $56, @0, @d", -1, l.shared(emit, "VPSLLQ $60, @0, @d", -1, vector(in.A, g, part))) // in bytes
		row := func(lane int) int {
			r := newReg()
			l.code = append(l.code, inst{args: []int{index}, mem: -1, dst: r, rows: name, lane: lane})
			return r
		}
		even, odd := row(0), row(1)
		r := emit("VUNPCKLPD @1, @0, @d", -1, even, odd)
		if other != v {
			l.have[[3]int{int(other), g, part}] = emit("VUNPCKHPD @1, @0, @d", -1, even, odd)
		}
		return r
	}

	one := func(in vec.Instr, g, part int) int {
		arg := func(v vec.Value) int { return vector(v, g, part) }
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
			t, r := p.Code[in.A].T, 0
			switch {
			case t.IsFloat():
				r = emit(fmt.Sprintf("VCMPP%s $%d, @1, @0, @d", s, pred), 1, arg(in.A), arg(in.B))
				l.code[len(l.code)-1].swap = pred == 0 || pred == 4
			case ints == "":
				panic(fmt.Sprintf("gen: %v of %v", in.Op, t))
			default:
				r = bin(ints+d, ints == "VPCMPEQ")
			}
			l.mask[r] = i.masks
			return r
		}
		logic := func(float, int string, swap bool) int {
			if in.T.IsFloat() {
				return bin(float+"P"+s, swap)
			}
			if i.masks {
				int += d
			}
			return bin(int, swap)
		}
		// under is x where the mask m is set, else 0.
		under := func(x, m vec.Value) int {
			r := emit("VMOVUP"+s+".Z @0, @1, @d", 0, arg(x), masked(m, g, part))
			l.code[len(l.code)-1].whole = true
			return r
		}
		round := func(how int) int {
			mnemonic := "VROUNDP"
			if i.masks {
				mnemonic = "VRNDSCALEP"
			}
			return un(fmt.Sprintf("%s%s $%d,", mnemonic, s, how))
		}
		arith := func(float, int string, swap bool) int {
			if in.T.IsFloat() {
				return bin(float+"P"+s, swap)
			}
			return bin(int+d, swap)
		}

		switch in.Op {
		case vec.Load:
			if p.In[in.Imm] == dtype.BF16 {
				return emit("VPSLLD $16, @0, @d", -1, emit("VPMOVZXWD "+input(in.Imm, g, part*i.bytes/2)+", @d", -1))
			}
			if p.In[in.Imm] == dtype.F16 {
				return emit("VCVTPH2PS "+input(in.Imm, g, part*i.bytes/2)+", @d", -1)
			}
			if p.In[in.Imm] != dtype.Bool {
				return at(input(in.Imm, g, part*i.bytes), false)
			}
			// Bytes 0 and 1 become masks: any byte but 0 does.
			lanes := i.bytes * 8 / in.T.Bits()
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
			switch {
			case isMask(in.B):
				return under(in.A, in.B)
			case isMask(in.A):
				return under(in.B, in.A)
			}
			return logic("VAND", "VPAND", true)
		case vec.Or:
			return logic("VOR", "VPOR", true)
		case vec.Xor:
			return logic("VXOR", "VPXOR", true)
		case vec.AndNot: // the machine inverts its first operand
			if isMask(in.B) {
				return emit("VBLENDMP"+s+" @1, @2, @0, @d", 1, masked(in.B, g, part), zero(), arg(in.A))
			}
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
			if i.masks {
				return emit("VBLENDMP"+s+" @1, @2, @0, @d", 1, masked(in.A, g, part), arg(in.B), arg(in.C))
			}
			return emit("VBLENDVP"+s+" @0, @1, @2, @d", 1, arg(in.A), arg(in.B), arg(in.C))
		case vec.Floor:
			return round(9)
		case vec.Ceil:
			return round(10)
		case vec.Trunc:
			return round(11)
		case vec.Nearest:
			return round(8)
		case vec.ToInt:
			return un("VCVTPS2DQ")
		case vec.ToFloat:
			return un("VCVTDQ2PS")
		case vec.Half:
			return emit("VCVTPH2PS %0, @d", -1, emit("VCVTPS2PH $0, @0, %d", -1, arg(in.A)))
		case vec.Table:
			return l.table(in, arg(in.A), at, emit, consts)
		case vec.Scale:
			return bin("VSCALEFP"+s, false)
		case vec.Exponent:
			return un("VGETEXPP" + s)
		case vec.Significand:
			return un(fmt.Sprintf("VGETMANTP%s $%d,", s, vec.SignificandImm))
		case vec.Ends:
			return emitMask(fmt.Sprintf("VFPCLASSP%s%c $%d, @0, @d", s, i.reg, vec.EndsImm), 0, arg(in.A))
		case vec.Widen:
			mnemonic, kind := "VCVTPS2PD", "F"
			if in.T == vec.I64 {
				mnemonic, kind = "VPMOVSXDQ", "I"
			}
			widen := func(from int) int {
				r := emit(mnemonic+" %0, @d", 0, from)
				l.code[len(l.code)-1].whole = true
				return r
			}
			a := vector(in.A, g, 0)
			switch {
			case part == 0:
				return widen(a)
			case l.home[a] != "" && !l.keep[a]: // an input: its upper half is there to be read
				return widen(at(input(p.Code[in.A].Imm, g, i.bytes/2), false))
			}
			return widen(emit(i.extract(kind)+" $1, @0, %d", -1, a))
		case vec.Narrow:
			a := []int{vector(in.A, g, 0), vector(in.A, g, 1)}
			if in.T != vec.F32 {
				return narrower(a)
			}
			mnemonic := "VCVTPD2PSY"
			if i.bytes == 64 {
				mnemonic = "VCVTPD2PS"
			}
			lo := emit(mnemonic+" @0, %d", 0, a[0])
			hi := emit(mnemonic+" @0, %d", 0, a[1])
			return emit(i.insert("F")+" $1, %1, @0, @d", -1, lo, hi)
		}
		panic(fmt.Sprintf("gen: no instruction for %v", in.Op))
	}

	for v, in := range p.Code {
		parts := in.T.Bits() * e / (i.bytes * 8)
		reg[v], inMask[v] = make([][]int, groups), make([][]int, groups)
		for g := range groups {
			for part := range parts {
				r, m := -1, -1
				if i.masks {
					m = mask(in, g, part)
				}
				switch {
				case in.Op == vec.Const && g+part > 0: // one for all
					r = reg[v][0][0]
				case l.side != nil && l.side[v] != vec.None:
					var ok bool
					if r, ok = l.have[[3]int{v, g, part}]; !ok {
						r = pair(vec.Value(v), g, part)
					}
				case m < 0:
					r = one(in, g, part)
					if l.mask[r] {
						r, m = -1, r
					}
				}
				reg[v][g], inMask[v][g] = append(reg[v][g], r), append(inMask[v][g], m)
			}
		}
	}
	for g := range groups {
		parts := len(reg[p.Result][g])
		out := func(form string, byteOff int, arg int) {
			to := fmt.Sprintf("%d(DI)", g*e*p.Out.Size()+byteOff)
			l.code = append(l.code, inst{form: form + ", " + to, args: []int{arg}, mem: -1, dst: -1})
		}
		// Masks become bytes 0 and -1, of which the absolute value is stored.
		store := func(byteOff, bytes int, x int) {
			out(map[int]string{4: "VMOVD ^0", 8: "VMOVQ ^0", 16: "VMOVUPS ^0"}[bytes], byteOff, emit("VPABSB ^0, ^d", -1, x))
		}
		switch {
		case p.Out == dtype.BF16 && i.masks:
			out("VPMOVDW @0", 0, vector(p.Result, g, 0))
		case p.Out == dtype.BF16:
			x := vector(p.Result, g, 0)
			out("VMOVUPS ^0", 0, emit("VPERMQ $8, @0, @d", -1, emit("VPACKUSDW @0, @0, @d", -1, x)))
		case p.Out == dtype.F16:
			out("VCVTPS2PH $0, @0", 0, vector(p.Result, g, 0))
		case p.Out != dtype.Bool:
			for part := range parts {
				out("VMOVUPS @0", part*i.bytes, vector(p.Result, g, part))
			}
		case i.masks:
			for part := range parts {
				store(part*e/parts, e/parts, emit("VPMOVM2B @0, ^d", -1, masked(p.Result, g, part)))
			}
		default:
			words := vector(p.Result, g, 0)
			if parts == 2 {
				words = narrower([]int{words, vector(p.Result, g, 1)})
			}
			words = emit("VPACKSSDW %1, %0, %d", -1, words, emit("VEXTRACTI128 $1, @0, %d", -1, words))
			if e == 4 {
				words = emit("VPACKSSDW %0, %0, %d", -1, words)
			}
			store(0, e, emit("VPACKSSWB %0, %0, %d", -1, words))
		}
	}
	return l
}

// shared is an instruction that is made once for equal operands.
func (l *lowered) shared(emit func(string, int, ...int) int, form string, mem int, args ...int) int {
	key := fmt.Sprint(form, args)
	r, ok := l.once[key]
	if !ok {
		r = emit(form, mem, args...)
		l.once[key] = r
	}
	return r
}

// table looks up the entries for index, a register.
func (l *lowered) table(in vec.Instr, index int, at func(string, bool) int, emit func(string, int, ...int) int, consts map[string]bool) int {
	name := fmt.Sprintf("t%d_%s", in.T.Bits(), vec.TableName(in.Imm))
	consts[name] = true
	part := func(byteOff int) int { return at(fmt.Sprintf("%s<>+%d(SB)", name, byteOff), true) }
	once := func(form string, mem int, args ...int) int {
		return l.shared(emit, form, mem, args...)
	}
	// From memory a permutation of 32 bytes takes Zen 3 two cycles, from a register one.
	pick := func(index, byteOff int) int { return emit("VPERMPS @1, @0, @d", -1, index, part(byteOff)) }
	switch {
	case l.masks && in.T == vec.F32 && l.bytes == 64:
		return emit("VPERMPS @1, @0, @d", 1, index, part(0))
	case l.masks && in.T.Bits()/8*16 == 2*l.bytes:
		s := map[vec.Type]string{vec.F32: "S", vec.F64: "D"}[in.T]
		r := emit("VPERMT2P"+s+" @1, @0, @d", 1, index, part(l.bytes), part(0))
		l.code[len(l.code)-1].over = true
		return r
	case l.masks: // of four vectors, by halves
		half := func(byteOff int) int {
			r := emit("VPERMT2PD @1, @0, @d", 1, index, part(byteOff+32), part(byteOff))
			l.code[len(l.code)-1].over = true
			return r
		}
		high := once("VPMOVQ2M @0, @d", -1, once("VPSLLQ $60, @0, @d", -1, index))
		l.mask[high] = true
		return emit("VBLENDMPD @1, @2, @0, @d", -1, high, half(64), half(0))
	case in.T == vec.F32:
		high := once("VPSLLD $28, @0, @d", -1, index)
		return emit("VBLENDVPS @0, @1, @2, @d", -1, high, pick(index, 32), pick(index, 0))
	}
	// The high words of all entries, and the low ones, which may all be 0, as tables of 32 bits.
	index = once("VMOVSLDUP @0, @d", -1, index)
	high := once("VPSLLD $28, @0, @d", -1, index)
	words := func(byteOff int) int {
		return emit("VBLENDVPS @0, @1, @2, @d", -1, high, pick(index, byteOff+32), pick(index, byteOff))
	}
	if vec.TableIsShort(in.Imm) {
		return emit("VANDPS @1, @0, @d", 1, words(64), at(constant(0xffffffff<<32, 64, consts), true))
	}
	return emit("VBLENDPS $0xAA, @1, @0, @d", -1, words(0), words(64))
}

// extract and insert are the instructions of a vector's upper half, of floats (F) or integers (I).
func (i isa) extract(kind string) string { return "VEXTRACT" + kind + i.half() }
func (i isa) insert(kind string) string  { return "VINSERT" + kind + i.half() }

func (i isa) half() string {
	switch {
	case !i.masks:
		return "128"
	case i.bytes == 64:
		return "64X4"
	}
	return "64X2"
}

// constant returns the address of the constant, and notes that it is wanted.
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

// operands puts registers and addresses into a form; y is told which operand, -1 for the result.
func operands(form string, y func(i int) string) string {
	var s strings.Builder
	for i := 0; i < len(form); i++ {
		if c := form[i]; strings.IndexByte("@%^", c) >= 0 && i+1 < len(form) {
			k := -1
			if form[i+1] != 'd' {
				k = int(form[i+1] - '0')
			}
			r := y(k)
			switch {
			case c == '%' && r[0] == 'Z':
				r = "Y" + r[1:]
			case c == '%' && r[0] == 'Y' || c == '^' && (r[0] == 'Y' || r[0] == 'Z'):
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
