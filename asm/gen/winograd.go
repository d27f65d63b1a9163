package main

import (
	"bytes"
	"fmt"
)

// A fold is one of the linear maps that Winograd's algorithm applies to rows and to columns of a small square of vectors: steps over the
// values, of which the first ones are from the square, and the values that it gives. kernels/winograd.go has the same ones in Go.
type fold struct {
	name, doc string
	in        int
	steps     []foldStep
	out       []int
}

// foldStep is the next value: a + b, a - b or a/2.
type foldStep struct {
	op   string
	a, b int
}

var folds = []fold{
	{"Patch", "4×4 of a picture", 4, []foldStep{{"ADD", 1, 2}, {"SUB", 0, 2}, {"SUB", 2, 1}, {"SUB", 3, 1}}, []int{5, 4, 6, 7}},
	{"Filter", "a filter's 3×3", 3, []foldStep{{"ADD", 0, 2}, {"ADD", 3, 1}, {"HALF", 4, 0}, {"SUB", 3, 1}, {"HALF", 6, 0}}, []int{0, 5, 7, 2}},
	{"Result", "4×4 sums", 4, []foldStep{{"ADD", 0, 1}, {"ADD", 4, 2}, {"SUB", 1, 2}, {"ADD", 6, 3}}, []int{5, 7}},
	{"Cotangent", "2×2 of a result's cotangent", 2, []foldStep{{"ADD", 0, 1}, {"SUB", 0, 1}}, []int{0, 2, 3, 1}},
	{"FilterGrad", "4×4 sums of a filter's gradient", 4, []foldStep{{"ADD", 1, 2}, {"HALF", 4, 0}, {"SUB", 1, 2}, {"HALF", 6, 0}, {"ADD", 0, 5}, {"ADD", 5, 3}}, []int{8, 7, 9}},
}

// genWinograd returns the assembly of the maps of Winograd's algorithm by file name.
func genWinograd() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n\nDATA half<>+0(SB)/4, $0x3f000000\nGLOBL half<>(SB), RODATA|NOPTR, $4\n")
	d.WriteString(gemmHead + "\npackage asm\n\nimport \"unsafe\"\n")
	const args = "dst unsafe.Pointer, dstRow, dstCol, dstNext int, src unsafe.Pointer, srcRow, srcCol, srcNext, n, count int"
	for _, i := range isas {
		for _, f := range folds {
			name := "Winograd" + f.name + i.name
			fmt.Fprintf(&d, "\n// %s maps %s, count times, of n float32s each, n a multiple of 16.\n//\n//go:noescape\nfunc %[1]s(%[3]s)\n", name, f.doc, args)
			a := allocate(f.lower(i))
			flags, frame := "NOSPLIT", i.bytes*a.slots
			if frame > 256 {
				flags = "0"
			}
			fmt.Fprintf(&s, "\n// func %s(%s)\nTEXT ·%[1]s(SB), %[3]s, $%d-80\n", name, args, flags, frame)
			f.write(&s, i, a)
		}
	}
	return map[string][]byte{"winograd_amd64.s": s.Bytes(), "winograd_amd64.go": d.Bytes()}
}

// Rows of the source and of the result begin at these registers; their columns are R12, R13 apart, AX and BX are three times that.
var foldFrom, foldTo = [4]string{"SI", "R8", "R9", "R10"}, [4]string{"DI", "DX", "R11", "CX"}

func foldPlace(row, step, triple string, col int) string {
	return fmt.Sprintf([]string{"(%s)", "(%s)(%s*1)", "(%s)(%s*2)", "(%s)(%s*1)"}[col], []any{row, map[bool]string{true: triple, false: step}[col == 3]}[:min(col, 1)+1]...)
}

// lower is the map of columns, then of rows, of one vector of each place.
func (f *fold) lower(i isa) *lowered {
	l := &lowered{isa: i}
	value := func(home string) int {
		l.home, l.keep, l.mask = append(l.home, home), append(l.keep, false), append(l.mask, false)
		return len(l.home) - 1
	}
	emit := func(form string, mem int, swap bool, args ...int) int {
		v := value("")
		l.code = append(l.code, inst{form: form, args: args, mem: mem, swap: swap, dst: v})
		return v
	}
	half := -1
	along := func(x []int) []int {
		x = append([]int(nil), x...)
		for _, s := range f.steps {
			switch s.op {
			case "HALF":
				if half < 0 {
					v := value("half<>(SB)")
					half = emit("VBROADCASTSS @0, @d", 0, false, v)
				}
				x = append(x, emit("VMULPS @1, @0, @d", 1, true, x[s.a], half))
			default:
				x = append(x, emit("V"+s.op+"PS @1, @0, @d", 1, s.op == "ADD", x[s.a], x[s.b]))
			}
		}
		res := make([]int, len(f.out))
		for k, v := range f.out {
			res[k] = x[v]
		}
		return res
	}
	across := make([][]int, len(f.out)) // by row
	for c := range f.in {
		col := make([]int, f.in)
		for r := range col {
			col[r] = value(foldPlace(foldFrom[r], "R12", "AX", c))
		}
		for r, v := range along(col) {
			across[r] = append(across[r], v)
		}
	}
	for r, row := range across {
		for c, v := range along(row) {
			l.code = append(l.code, inst{form: "VMOVUPS @0, " + foldPlace(foldTo[r], "R13", "BX", c), args: []int{v}, mem: -1, dst: -1})
		}
	}
	return l
}

func (f *fold) write(w *bytes.Buffer, i isa, a *allocator) {
	put := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	rows := func(first, step, row string, n int, to [4]string) {
		put("MOVQ %s, %s", first, to[0])
		put("MOVQ %s, %s", step, row)
		for r := 1; r < n; r++ {
			put("LEAQ (%s)(%s*1), %s", to[r-1], row, to[r])
		}
	}
	fmt.Fprintln(w, "next:")
	rows("src+32(FP)", "srcRow+40(FP)", "R12", f.in, foldFrom)
	rows("dst+0(FP)", "dstRow+8(FP)", "R13", len(f.out), foldTo)
	put("MOVQ srcCol+48(FP), R12")
	put("MOVQ dstCol+16(FP), R13")
	put("LEAQ (R12)(R12*2), AX")
	put("LEAQ (R13)(R13*2), BX")
	put("MOVQ n+64(FP), R15")
	put("PCALIGN $32")
	fmt.Fprintln(w, "loop:")
	for _, l := range a.lines {
		put("%s", l)
	}
	for _, r := range append(foldFrom[:f.in:f.in], foldTo[:len(f.out)]...) {
		put("ADDQ $%d, %s", i.bytes, r)
	}
	put("SUBQ $%d, R15", i.bytes/4)
	put("JGT loop")
	for _, x := range []string{"src+32(FP)", "dst+0(FP)"} {
		next := map[string]string{"src+32(FP)": "srcNext+56(FP)", "dst+0(FP)": "dstNext+24(FP)"}[x]
		put("MOVQ %s, AX", next)
		put("ADDQ AX, %s", x)
	}
	put("DECQ count+72(FP)")
	put("JNZ next")
	put("VZEROUPPER")
	put("RET")
}
