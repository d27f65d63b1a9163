package main

import (
	"bytes"
	"fmt"
)

// genFFT returns the assembly of the passes of Fourier transforms by file name.
func genFFT() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	d.WriteString(gemmHead + "\npackage asm\n\nimport \"unsafe\"\n")
	for _, isa := range []struct {
		name, reg string
		bytes     int
	}{{"AVX2", "Y", 32}, {"AVX512", "Z", 64}} {
		for _, radix := range []int{2, 4} {
			p := &fftPass{w: &s, reg: isa.reg, bytes: isa.bytes}
			name := fmt.Sprintf("Radix%d%s", radix, isa.name)
			fmt.Fprintf(&d, "\n// %s is internal/fft's pass of that radix; s is a multiple of %d.\n//\n//go:noescape\nfunc %[1]s(yr, yi, xr, xi, tw unsafe.Pointer, m, s int)\n", name, isa.bytes/8)
			fmt.Fprintf(&s, "\n// func %s(yr, yi, xr, xi, tw unsafe.Pointer, m, s int)\nTEXT ·%[1]s(SB), NOSPLIT, $0-56\n", name)
			p.pass(radix)
		}
	}
	return map[string][]byte{"fft_amd64.s": s.Bytes(), "fft_amd64.go": d.Bytes()}
}

type fftPass struct {
	w     *bytes.Buffer
	reg   string
	bytes int
}

func (f *fftPass) p(format string, args ...any) { fmt.Fprintf(f.w, "\t"+format+"\n", args...) }

// op prints an operation on vectors by number: dst = a op b.
func (f *fftPass) op(name string, dst, a, b int) {
	f.p("V%sPD %s%d, %s%d, %s%d", name, f.reg, b, f.reg, a, f.reg, dst)
}

func (f *fftPass) load(v int, from string)   { f.p("VMOVUPD %s, %s%d", from, f.reg, v) }
func (f *fftPass) store(v int, where string) { f.p("VMOVUPD %s%d, %s", f.reg, v, where) }

// times stores (re, im) times the twiddle number k, which are in registers beyond 15 or are fetched.
func (f *fftPass) times(re, im, k int, toRe, toIm string) {
	wr, wi := 16+2*k, 17+2*k
	if f.reg == "Y" {
		wr, wi = 12, 13
		f.p("VBROADCASTSD %d(SI), Y12", 16*k)
		f.p("VBROADCASTSD %d(SI), Y13", 16*k+8)
	}
	f.op("MUL", 14, re, wr)
	f.op("MUL", 15, im, wi)
	f.op("SUB", 14, 14, 15)
	f.store(14, toRe)
	f.op("MUL", 14, re, wi)
	f.op("MUL", 15, im, wr)
	f.op("ADD", 14, 14, 15)
	f.store(14, toIm)
}

// pass: x's parts are R8 bytes apart, y's R10; R9 and R11 are three times that. AX, BX, CX, DX are where xr, xi, yr, yi
// are read and written, SI the twiddles of row j, of which R12 counts down, and R13 counts what is left of it.
func (f *fftPass) pass(radix int) {
	f.p("MOVQ yr+0(FP), CX")
	f.p("MOVQ yi+8(FP), DX")
	f.p("MOVQ xr+16(FP), AX")
	f.p("MOVQ xi+24(FP), BX")
	f.p("MOVQ tw+32(FP), SI")
	f.p("MOVQ m+40(FP), R12")
	f.p("MOVQ s+48(FP), R10")
	f.p("SHLQ $3, R10")
	f.p("MOVQ R12, R8")
	f.p("IMULQ R10, R8")
	f.p("LEAQ (R8)(R8*2), R9")
	f.p("LEAQ (R10)(R10*2), R11")
	fmt.Fprintf(f.w, "row:\n")
	if f.reg == "Z" {
		for k := range 2 * (radix - 1) {
			f.p("VBROADCASTSD %d(SI), Z%d", 8*k, 16+k)
		}
	}
	f.p("MOVQ R10, R13")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	if radix == 2 {
		f.load(0, "(AX)")
		f.load(1, "(BX)")
		f.load(2, "(AX)(R8*1)")
		f.load(3, "(BX)(R8*1)")
		f.op("ADD", 4, 0, 2)
		f.op("ADD", 5, 1, 3)
		f.store(4, "(CX)")
		f.store(5, "(DX)")
		f.op("SUB", 0, 0, 2)
		f.op("SUB", 1, 1, 3)
		f.times(0, 1, 0, "(CX)(R10*1)", "(DX)(R10*1)")
	} else {
		for k, at := range []string{"", "(R8*1)", "(R8*2)", "(R9*1)"} {
			f.load(2*k, "(AX)"+at)
			f.load(2*k+1, "(BX)"+at)
		}
		f.op("ADD", 8, 0, 4) // ac+
		f.op("SUB", 0, 0, 4) // ac-
		f.op("ADD", 9, 1, 5)
		f.op("SUB", 1, 1, 5)
		f.op("ADD", 4, 2, 6)  // bd+
		f.op("SUB", 10, 6, 2) // -i·(b - d): its imaginary part
		f.op("ADD", 5, 3, 7)
		f.op("SUB", 11, 3, 7) // and its real one
		f.op("ADD", 2, 8, 4)
		f.op("ADD", 3, 9, 5)
		f.store(2, "(CX)")
		f.store(3, "(DX)")
		f.op("ADD", 2, 0, 11)
		f.op("ADD", 3, 1, 10)
		f.times(2, 3, 0, "(CX)(R10*1)", "(DX)(R10*1)")
		f.op("SUB", 2, 8, 4)
		f.op("SUB", 3, 9, 5)
		f.times(2, 3, 1, "(CX)(R10*2)", "(DX)(R10*2)")
		f.op("SUB", 2, 0, 11)
		f.op("SUB", 3, 1, 10)
		f.times(2, 3, 2, "(CX)(R11*1)", "(DX)(R11*1)")
	}
	for _, r := range []string{"AX", "BX", "CX", "DX"} {
		f.p("ADDQ $%d, %s", f.bytes, r)
	}
	f.p("SUBQ $%d, R13", f.bytes)
	f.p("JGT loop")
	f.p("ADDQ $%d, SI", 16*(radix-1))
	step := map[int]string{2: "R10", 4: "R11"}[radix]
	f.p("ADDQ %s, CX", step)
	f.p("ADDQ %s, DX", step)
	f.p("DECQ R12")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}
