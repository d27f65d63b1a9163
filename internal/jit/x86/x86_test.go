package x86

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// assemble returns the bytes that Go's assembler makes of each line.
func assemble(t *testing.T, lines []string) [][]byte {
	t.Helper()
	dir := t.TempDir()
	src := "TEXT ·f(SB), 4, $0-0\n" + strings.Join(lines, "\n") + "\nRET\n"
	file := filepath.Join(dir, "x.s")
	if err := os.WriteFile(file, []byte(src), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "tool", "asm", "-S", "-p", "x", "-o", filepath.Join(dir, "x.o"), file)
	cmd.Env = append(os.Environ(), "GOARCH=amd64", "GOOS=linux")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	at := regexp.MustCompile(`(?m)^\t0x[0-9a-f]+ (\d+) \(.*x\.s:(\d+)\)`)
	start := make([]int, len(lines)+2)
	for _, m := range at.FindAllSubmatch(out, -1) {
		pc, _ := strconv.Atoi(string(m[1]))
		line, _ := strconv.Atoi(string(m[2]))
		if line >= 2 && line-2 < len(start) {
			start[line-2] = pc
		}
	}
	var code []byte
	dump := regexp.MustCompile(`(?m)^\t0x[0-9a-f]{4,} ((?:[0-9a-f]{2} )+)`)
	for _, m := range dump.FindAllSubmatch(out, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(string(m[1]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, b...)
	}
	var all [][]byte
	for i := range lines {
		all = append(all, code[start[i]:start[i+1]])
	}
	return all
}

// general is the rest of the instructions.
func general(r *rand.Rand) func(t *Text) {
	reg := Reg(r.IntN(16))
	if reg == SP {
		reg = DI
	}
	small := Reg([]Reg{AX, CX, DX, SI, DI}[r.IntN(5)])
	m := Mem{Base: []Reg{DI, R13, AX, R12, BP}[r.IntN(5)], Index: NoReg, Disp: []int32{0, 8, 120, 128, 4096, -128}[r.IntN(6)]}
	n := []int32{1, -1, 127, 128, -128, -129, 65536}[r.IntN(7)]
	switch r.IntN(30) {
	case 0:
		return func(t *Text) { t.Load(reg, m) }
	case 1:
		return func(t *Text) { t.Store(m, reg) }
	case 2:
		return func(t *Text) { t.AddMem(reg, m) }
	case 3:
		return func(t *Text) { t.AddTo(m, reg) }
	case 4:
		return func(t *Text) { t.DecMem(m) }
	case 5:
		if n == 128 {
			n = 129 // of which Go's assembler makes the subtraction of -128
		}
		return func(t *Text) { t.AddImm(reg, n) }
	case 6:
		if n == 128 {
			n = 129
		}
		return func(t *Text) { t.SubImm(reg, n) }
	case 7:
		return func(t *Text) { t.Zero(small) }
	case 8:
		return func(t *Text) { t.Ones(small) }
	case 9:
		return func(t *Text) { t.SubMem(reg, m) }
	case 10:
		return func(t *Text) { t.CmpMem(reg, m) }
	case 11:
		return func(t *Text) { t.MulMem(reg, m) }
	case 12:
		return func(t *Text) { t.Load4(reg, m) }
	case 13:
		return func(t *Text) { t.Load4Signed(reg, m) }
	case 14:
		return func(t *Text) { t.Load1(reg, m) }
	case 15:
		return func(t *Text) { t.Store4(m, reg) }
	case 16:
		return func(t *Text) { t.Store1(m, AX) }
	case 17:
		return func(t *Text) { t.JmpMem(m) }
	case 18:
		return func(t *Text) { t.StoreImm(m, n) }
	case 19:
		return func(t *Text) { t.CmpMemImm(m, n) }
	case 20:
		return func(t *Text) { t.Mul(reg, n) }
	case 21:
		return func(t *Text) { t.Neg(reg) }
	case 26:
		return func(t *Text) { t.MulTo(reg, small, n) }
	case 27:
		return func(t *Text) { t.Add(reg, small) }
	case 22:
		return func(t *Text) { t.AndImm(reg, n) }
	case 23:
		return func(t *Text) { t.CmpImm(reg, n) }
	case 24:
		if n == 128 {
			n = 129
		}
		return func(t *Text) { t.SubImm(reg, n) }
	case 25:
		if n == 128 {
			n = 129
		}
		return func(t *Text) { t.AddMemImm(m, n) }
	case 28:
		if r.IntN(2) == 0 {
			m.Index, m.Scale = small, 8
		}
		return func(t *Text) { t.Prefetch(m) }
	}
	return func(t *Text) { t.Bzhi(small, reg) }
}

// random is an instruction that f has a form for.
func random(r *rand.Rand, op Op) Inst {
	f := &forms[op]
	lens := []VL{V128, V256, V512}
	switch {
	case f.l >= 0:
		lens = []VL{VL(f.l)}
	case f.isVEX && f.dst != mask:
		lens = []VL{V128, V256}
	case op == PMovQD || op == PMovZXWD || op == PMovDW || op == CvtPS2PH || op == PermQ || op == PermPS || op == BroadcastD:
		lens = []VL{V256, V512}
	}
	if f.name[0] == 'K' {
		lens = []VL{V128}
	}
	in := Inst{Op: op, VL: lens[r.IntN(len(lens))]}
	noMask := op == MovQStore || op == MovDStore || op == MovSSLoad || op == MovSDLoad || op == InsertPS || op == MovHPD || op == PMovM2D || op == PMovM2Q || op == PMovD2M || op == PMovQ2M || f.name[0] == 'K'
	vex := f.isVEX || noMask && !f.isEVEX
	pick := func(c class) Reg {
		switch {
		case c == mask:
			return Reg(r.IntN(8))
		case c == gpr || vex || in.VL < V512 && r.IntN(2) == 0:
			if n := Reg(r.IntN(16)); c != gpr || n != SP && n != BP {
				return n
			}
			return AX
		}
		return Reg(r.IntN(32))
	}
	plain := vec
	if f.dst == mask && f.b == mask {
		plain = mask
	}
	in.Dst, in.A, in.B, in.C = pick(f.dst), pick(plain), pick(f.b), pick(vec)
	if f.shape == mr && op != PMovQD && op != CvtPS2PH && op != ExtractF64x4 && op != ExtractF128 && op != Mov && op != MovD || op == MovSSLoad || op == MovSDLoad || op == MovHPD || op == KMovLoad && r.IntN(2) == 0 || op == MovU8Load || op == MovLoad || op == MovLoadD {
		in.IsMem = true
	} else if f.b == gpr || f.shape == mr || f.shape == vmi || op == KNotW || op == KShiftRW || f.b == mask || op == PMovD2M || op == PMovQ2M {
	} else {
		in.IsMem = r.IntN(2) == 0
	}
	if op == Mov || op == MovD {
		in.IsMem = false
	}
	if op >= MaskLoadS && op <= MaskStoreD {
		in.IsMem = true
	}
	if f.shape == rv {
		in.IsMem = true
		if f.isVEX { // three registers apart
			in.A, in.C = (in.Dst+1+Reg(r.IntN(7)))%16, (in.Dst+8+Reg(r.IntN(7)))%16
		} else {
			in.Mask = Reg(1 + r.IntN(7))
			in.A = (in.Dst + 1 + Reg(r.IntN(31))) % 32
		}
	}
	if in.IsMem {
		in.Mem = Mem{Base: Reg(r.IntN(16)), Index: Reg(r.IntN(16)), Scale: []uint8{1, 2, 4, 8}[r.IntN(4)]}
		if in.Mem.Base == SP {
			in.Mem.Base = R12
		}
		if in.Mem.Index == SP || r.IntN(3) == 0 {
			in.Mem.Index = NoReg
		}
		in.Mem.Disp = []int32{0, 8, 32, 64, 120, 128, -64, 1024, 8192, -8192, 4, 12, 8128, 100000}[r.IntN(14)]
	}
	high := in.VL == V512 || f.isEVEX
	if high && !noMask && f.shape != rv {
		if r.IntN(2) == 0 {
			in.Mask = Reg(1 + r.IntN(7))
			in.Zero = f.dst != mask && r.IntN(2) == 0 && !(f.shape == mr && in.IsMem)
		}
		if in.IsMem && in.VL == V512 && f.tuple == full && f.b == vec && f.shape != mr && op != MovLoad && op != MovLoadD && op != MovU8Load &&
			f.name[0] == 'V' && op != PackSSDW && op != PackSSWB && op != PAbsB && op != PermQ {
			in.Bcst = r.IntN(2) == 0
		}
	}
	if (op == BlendMPS || op == BlendMPD) && in.Mask == 0 {
		in.Mask = 3
	}
	if f.imm {
		in.Imm = uint8(r.IntN(4))
	}
	return in
}

// Every form, with registers and addresses of all kinds, is what Go's assembler makes of its text.
func TestForms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var text []string
	var got [][]byte
	for op := range NumOps {
		for range 60 {
			in := random(r, op)
			var x Text
			x.Emit(&in)
			text, got = append(text, in.String()), append(got, x.Code)
		}
	}
	for range 800 {
		x := Text{Listing: true}
		general(r)(&x)
		if len(x.Lines) != 1 || x.Lines[0].At != 0 {
			t.Fatal(x.Lines)
		}
		text, got = append(text, x.Lines[0].Text), append(got, x.Code)
	}
	bad := 0
	for i, want := range assemble(t, text) {
		if !bytes.Equal(got[i], want) {
			t.Errorf("%s: % x, want % x", text[i], got[i], want)
			if bad++; bad > 40 {
				t.FailNow()
			}
		}
	}
}
