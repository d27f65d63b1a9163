package x86

import (
	"fmt"
	"strings"
)

var gprs = [...]string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

func (m Mem) String() string {
	if m.Pool {
		return fmt.Sprintf("pool<>+%d(SB)", m.Disp)
	}
	s := fmt.Sprintf("(%s)", gprs[m.Base])
	if m.Disp != 0 {
		s = fmt.Sprint(m.Disp) + s
	}
	if m.Index != NoReg {
		s += fmt.Sprintf("(%s*%d)", gprs[m.Index], m.Scale)
	}
	return s
}

// String is the instruction as Go's assembler reads it.
func (in *Inst) String() string {
	f := &forms[in.Op]
	reg := func(r Reg, c class) string {
		l := in.VL
		if f.l > 0 {
			l = VL(f.l)
		}
		switch c {
		case low:
			l = max(l, 1) - 1
		case xmm:
			l = V128
		case mask:
			return fmt.Sprintf("K%d", r)
		case gpr:
			return gprs[r]
		}
		return fmt.Sprintf("%c%d", "XYZ"[l], r)
	}
	vector := vec
	if f.dst == mask && f.b == mask {
		vector = mask
	}
	mem, dst, b := in.Mem.String(), reg(in.Dst, f.dst), reg(in.B, f.b)
	if in.IsMem && (f.shape == mr || f.shape == mvr) {
		dst = mem
	} else if in.IsMem {
		b = mem
	}
	if f.shape == rv {
		m := in.Mem
		m.Index = NoReg
		b = fmt.Sprintf("%v(%s*%d)", m, reg(in.A, f.b), in.Mem.Scale)
	}
	name := f.name
	if in.Op == CvtPD2PS && in.VL < V512 {
		name += "XY"[in.VL : in.VL+1]
	}
	if in.Op == FPClassPS || in.Op == FPClassPD {
		name += "XYZ"[in.VL : in.VL+1]
	}
	if in.Bcst {
		name += ".BCST"
	}
	if in.Zero {
		name += ".Z"
	}
	var ops []string
	if f.imm {
		ops = append(ops, fmt.Sprintf("$%d", in.Imm))
	}
	if f.shape == rvmr || f.shape == rv && f.isVEX {
		ops = append(ops, reg(in.C, vec))
	}
	ops = append(ops, b)
	if f.shape == rvm || f.shape == rvmr || f.shape == mvr {
		ops = append(ops, reg(in.A, vector))
	}
	if in.Mask != 0 {
		ops = append(ops, fmt.Sprintf("K%d", in.Mask))
	}
	return name + " " + strings.Join(append(ops, dst), ", ")
}

// Line is an instruction in a listing.
type Line struct {
	At   int    // the place in the code
	Text string // as Go's assembler reads it, but that jumps name places
	Note string
}

func (t *Text) line(text string) { t.Lines = append(t.Lines, Line{len(t.Code), text, t.Note}) }

// arg is an operand of an instruction on general registers.
type arg struct {
	kind argKind
	reg  Reg
	n    int32
	mem  Mem
}

type argKind uint8

const (
	regArg argKind = iota
	memArg
	immArg
	placeArg // in the code, known when a jump lands
)

func ofReg(r Reg) arg   { return arg{kind: regArg, reg: r} }
func ofMem(m Mem) arg   { return arg{kind: memArg, mem: m} }
func ofImm(n int32) arg { return arg{kind: immArg, n: n} }

func (a arg) String() string {
	switch a.kind {
	case regArg:
		return gprs[a.reg]
	case memArg:
		return a.mem.String()
	case immArg:
		return fmt.Sprintf("$%d", a.n)
	}
	return somewhere
}

const somewhere = "?"

// say lists the instruction that is encoded next.
func (t *Text) say(name string, args ...arg) {
	if !t.Listing {
		return
	}
	var ops []string
	for _, a := range args {
		ops = append(ops, a.String())
	}
	t.line(strings.TrimSuffix(name+" "+strings.Join(ops, ", "), " "))
}

// landed lists where the jump that ends at end goes.
func (t *Text) landed(end, to int) {
	for i := len(t.Lines) - 1; i >= 0; i-- {
		if l := &t.Lines[i]; l.At < end {
			l.Text = strings.Replace(l.Text, somewhere, fmt.Sprintf("%#x", to), 1)
			return
		}
	}
}

var jumps = [...]string{Below: "JCS", NotBelow: "JCC", Equal: "JEQ", NotEqual: "JNE", Less: "JLT", AtLeast: "JGE", AtMost: "JLE", Greater: "JGT"}
