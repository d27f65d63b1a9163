package main

import (
	"bytes"
	"fmt"
	"strings"
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
		for _, t := range []struct {
			name, suffix string
			size         int
		}{{"F32", "S", 4}, {"F64", "D", 8}} {
			p := &fftPass{w: &s, reg: isa.reg, bytes: isa.bytes, suffix: t.suffix, size: t.size}
			declare := func(name, doc, args string, body func()) {
				name += t.name + isa.name
				args = "(yr, yi, xr, xi, " + args + " int)"
				fmt.Fprintf(&d, "\n// %s is internal/fft's %s is a multiple of %d.\n//\n//go:noescape\nfunc %[1]s%[4]s\n", name, doc, 64/t.size, args)
				fmt.Fprintf(&s, "\n// func %s%s\nTEXT ·%[1]s(SB), NOSPLIT, $0-%[3]d\n", name, args, 8*(1+strings.Count(args, ",")))
				body()
			}
			for radix := 2; radix <= 5; radix++ {
				declare(fmt.Sprintf("Radix%d", radix), "pass of that radix; s", "tw unsafe.Pointer, m, s", func() { p.side(radix) })
			}
			declare("Along", "pass of radix 4 along a row; m", "tw unsafe.Pointer, m, ys", p.along)
			declare("TimesSide", "product of m numbers with s of x each; s", "cr, ci unsafe.Pointer, m, s", p.timesSide)
			declare("TimesAlong", "product of rows; m", "cr, ci unsafe.Pointer, m", p.timesAlong)
		}
	}
	return map[string][]byte{"fft_amd64.s": s.Bytes(), "fft_amd64.go": d.Bytes()}
}

// fftPass prints passes. Registers 14 and 15 are between operations.
type fftPass struct {
	w           *bytes.Buffer
	reg, suffix string
	bytes, size int
	twiddle     func(dst, a, k int) // dst = a times number k of the twiddles, whose real and imaginary parts take turns
	fetch       func(dst, k int)    // in the place of twiddle where a number is read once for both of its products: it alone
	between     [4]int              // registers of times with fetch
}

func (f *fftPass) p(format string, args ...any) { fmt.Fprintf(f.w, "\t"+format+"\n", args...) }

// op prints an operation on vectors by number: dst = a op b.
func (f *fftPass) op(name string, dst, a, b int) {
	f.p("V%sP%s %s%d, %s%d, %s%d", name, f.suffix, f.reg, b, f.reg, a, f.reg, dst)
}

func (f *fftPass) load(v int, from string) { f.p("VMOVUP%s %s, %s%d", f.suffix, from, f.reg, v) }
func (f *fftPass) store(v int, where string) {
	f.p("VMOVUP%s %s%d, %s", f.suffix, f.reg, v, where)
}
func (f *fftPass) broadcast(v, at int, from string) {
	f.p("VBROADCASTS%s %d(%s), %s%d", f.suffix, at*f.size, from, f.reg, v)
}

// times stores (re, im) times the twiddle number k.
func (f *fftPass) times(re, im, k int, toRe, toIm string) {
	if f.fetch != nil {
		c, s, a, b := f.between[0], f.between[1], f.between[2], f.between[3]
		f.fetch(c, 2*k)
		f.fetch(s, 2*k+1)
		f.op("MUL", a, re, c)
		f.op("MUL", b, im, s)
		f.op("SUB", a, a, b)
		f.store(a, toRe)
		f.op("MUL", s, re, s)
		f.op("MUL", c, im, c)
		f.op("ADD", s, s, c)
		f.store(s, toIm)
		return
	}
	f.twiddle(14, re, 2*k)
	f.twiddle(15, im, 2*k+1)
	f.op("SUB", 14, 14, 15)
	f.store(14, toRe)
	f.twiddle(14, re, 2*k+1)
	f.twiddle(15, im, 2*k)
	f.op("ADD", 14, 14, 15)
	f.store(14, toIm)
}

// rows are AX, BX, CX, DX: where xr, xi, yr, yi are read and written.
func (f *fftPass) rows() {
	f.p("MOVQ yr+0(FP), CX")
	f.p("MOVQ yi+8(FP), DX")
	f.p("MOVQ xr+16(FP), AX")
	f.p("MOVQ xi+24(FP), BX")
}

// add moves registers on.
func (f *fftPass) add(bytes int, registers ...string) {
	for _, r := range registers {
		f.p("ADDQ $%d, %s", bytes, r)
	}
}

// bytesOf makes an argument's elements bytes.
func (f *fftPass) bytesOf(argument, r string) {
	f.p("MOVQ %s, %s", argument, r)
	f.p("SHLQ $%d, %s", map[int]int{4: 2, 8: 3}[f.size], r)
}

// arguments: x's parts are R8 bytes apart, y's R10; R9 and R11 are three times that. SI are the twiddles, R12 the
// argument m.
func (f *fftPass) arguments(last string) {
	f.rows()
	f.p("MOVQ tw+32(FP), SI")
	f.p("MOVQ m+40(FP), R12")
	f.bytesOf(last+"+48(FP)", "R10")
}

// numbers of a product: SI are their real parts, DI the imaginary ones.
func (f *fftPass) numbers() {
	f.rows()
	f.p("MOVQ cr+32(FP), SI")
	f.p("MOVQ ci+40(FP), DI")
}

// timesSide: R12 counts the numbers down, and R13 what is left of one's elements.
func (f *fftPass) timesSide() {
	f.twiddle = func(dst, a, k int) { f.op("MUL", dst, a, 2+k) }
	f.numbers()
	f.p("MOVQ m+48(FP), R12")
	f.bytesOf("s+56(FP)", "R10")
	fmt.Fprintf(f.w, "row:\n")
	f.broadcast(2, 0, "SI")
	f.broadcast(3, 0, "DI")
	f.p("MOVQ R10, R13")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	f.load(0, "(AX)")
	f.load(1, "(BX)")
	f.times(0, 1, 0, "(CX)", "(DX)")
	f.add(f.bytes, "AX", "BX", "CX", "DX")
	f.p("SUBQ $%d, R13", f.bytes)
	f.p("JGT loop")
	f.add(f.size, "SI", "DI")
	f.p("DECQ R12")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

func (f *fftPass) timesAlong() {
	f.twiddle = func(dst, a, k int) { f.op("MUL", dst, a, 2+k) }
	f.numbers()
	f.bytesOf("m+48(FP)", "R12")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	for at := 0; at < 64; at += f.bytes {
		f.load(2, part("SI", 0, at))
		f.load(3, part("DI", 0, at))
		f.load(0, part("AX", 0, at))
		f.load(1, part("BX", 0, at))
		f.times(0, 1, 0, part("CX", 0, at), part("DX", 0, at))
	}
	f.add(64, "AX", "BX", "CX", "DX", "SI", "DI")
	f.p("SUBQ $64, R12")
	f.p("JGT loop")
	f.p("VZEROUPPER")
	f.p("RET")
}

func (f *fftPass) triple() {
	f.p("LEAQ (R8)(R8*2), R9")
	f.p("LEAQ (R10)(R10*2), R11")
}

// side: R12 counts the rows of twiddles down, and R13 what is left of one's transforms.
func (f *fftPass) side(radix int) {
	twiddles, roots := 2*(radix-1), 0
	if radix%2 != 0 {
		roots = radix - 1
	}
	f.twiddle = func(dst, a, k int) { f.op("MUL", dst, a, 16+k) }
	if f.reg == "Y" {
		f.fetch, f.between = func(dst, k int) { f.broadcast(dst, k, "SI") }, [4]int{12, 13, 14, 15}
		defer func() { f.fetch = nil }()
	}
	f.arguments("s")
	f.p("MOVQ R12, R8")
	f.p("IMULQ R10, R8")
	f.triple()
	if roots > 0 {
		f.p("MOVQ SI, DI")
		f.p("ADDQ $%d, SI", roots*f.size)
		for k := 0; f.reg == "Z" && k < roots; k++ {
			f.broadcast(24+k, k, "DI")
		}
	}
	fmt.Fprintf(f.w, "row:\n")
	for k := 0; f.reg == "Z" && k < twiddles; k++ {
		f.broadcast(16+k, k, "SI")
	}
	f.p("MOVQ R10, R13")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	switch radix {
	case 2:
		f.two()
	case 4:
		f.four(0)
	default:
		if f.reg == "Y" {
			f.oddFew(radix)
		} else {
			f.odd(radix)
		}
	}
	f.add(f.bytes, "AX", "BX", "CX", "DX")
	f.p("SUBQ $%d, R13", f.bytes)
	f.p("JGT loop")
	f.p("ADDQ $%d, SI", twiddles*f.size)
	switch radix {
	case 2:
		f.p("ADDQ R10, CX")
		f.p("ADDQ R10, DX")
	case 3:
		f.p("LEAQ (CX)(R10*2), CX")
		f.p("LEAQ (DX)(R10*2), DX")
	case 4:
		f.p("ADDQ R11, CX")
		f.p("ADDQ R11, DX")
	default:
		f.p("LEAQ (CX)(R10*4), CX")
		f.p("LEAQ (DX)(R10*4), DX")
	}
	f.p("DECQ R12")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

// along: blocks of 64 bytes of each array and of each of the twiddles' six parts.
func (f *fftPass) along() {
	f.arguments("ys")
	f.p("SHLQ $%d, R12", map[int]int{4: 2, 8: 3}[f.size])
	f.p("MOVQ R12, R8")
	f.triple()
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	for at := 0; at < 64; at += f.bytes {
		f.twiddle = func(dst, a, k int) {
			f.p("VMULP%s %d(SI), %s%d, %s%d", f.suffix, 64*k+at, f.reg, a, f.reg, dst)
		}
		if f.reg == "Y" {
			f.fetch = func(dst, k int) { f.load(dst, fmt.Sprintf("%d(SI)", 64*k+at)) }
			f.between = [4]int{12, 13, 14, 15}
		}
		f.four(at)
	}
	f.fetch = nil
	f.add(64, "AX", "BX", "CX", "DX")
	f.p("ADDQ $%d, SI", 6*64)
	f.p("SUBQ $64, R12")
	f.p("JGT loop")
	f.p("VZEROUPPER")
	f.p("RET")
}

func (f *fftPass) two() {
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
}

// part is number k of a radix' parts of what r points to.
func part(r string, k, at int) string {
	step, triple := "R8", "R9"
	if r == "CX" || r == "DX" {
		step, triple = "R10", "R11"
	}
	index := []string{"", "(" + step + "*1)", "(" + step + "*2)", "(" + triple + "*1)", "(" + step + "*4)"}[k]
	if at == 0 {
		return "(" + r + ")" + index
	}
	return fmt.Sprintf("%d(%s)%s", at, r, index)
}

func (f *fftPass) four(at int) {
	for k := range 4 {
		f.load(2*k, part("AX", k, at))
		f.load(2*k+1, part("BX", k, at))
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
	f.store(2, part("CX", 0, at))
	f.store(3, part("DX", 0, at))
	f.op("ADD", 2, 0, 11)
	f.op("ADD", 3, 1, 10)
	f.times(2, 3, 0, part("CX", 1, at), part("DX", 1, at))
	f.op("SUB", 2, 8, 4)
	f.op("SUB", 3, 9, 5)
	f.times(2, 3, 1, part("CX", 2, at), part("DX", 2, at))
	f.op("SUB", 2, 0, 11)
	f.op("SUB", 3, 1, 10)
	f.times(2, 3, 2, part("CX", 3, at), part("DX", 3, at))
}

// odd is radixOdd with 32 registers: the sums of parts k and p-k are in the registers of k, the differences in those of p-k.
func (f *fftPass) odd(p int) {
	half := p / 2
	for k := range p {
		f.load(2*k, part("AX", k, 0))
		f.load(2*k+1, part("BX", k, 0))
	}
	for k := 1; k <= half; k++ {
		for i := range 2 {
			a, b := 2*k+i, 2*(p-k)+i
			f.op("SUB", 14, a, b)
			f.op("ADD", a, a, b)
			f.p("VMOVAP%s %s14, %s%d", f.suffix, f.reg, f.reg, b)
		}
	}
	for i := range 2 {
		f.op("ADD", 14, i, 2+i)
		for k := 2; k <= half; k++ {
			f.op("ADD", 14, 14, 2*k+i)
		}
		f.store(14, part([]string{"CX", "DX"}[i], 0, 0))
	}
	root := func(dst, a, k int) { f.op("MUL", dst, a, 24+k) }
	const cr, ci, er, ei = 10, 11, 12, 13
	for r := 1; r <= half; r++ {
		for k := 1; k <= half; k++ {
			at, sign := k*r%p, "ADD"
			if at > half {
				at, sign = p-at, "SUB"
			}
			for i := range 2 {
				from := cr + i
				if k == 1 {
					from = i
				}
				root(14, 2*k+i, 2*at-2)
				f.op("ADD", cr+i, from, 14)
				diff := 2*(p-k) + 1 - i // the other part's
				if k == 1 {
					root(er+i, diff, 2*at-1)
				} else {
					root(14, diff, 2*at-1)
					f.op(sign, er+i, er+i, 14)
				}
			}
		}
		f.op("SUB", 14, cr, er)
		f.op("ADD", er, cr, er)
		f.op("ADD", 15, ci, ei)
		f.op("SUB", ei, ci, ei)
		f.p("VMOVAP%s %s14, %s%d", f.suffix, f.reg, f.reg, cr)
		f.p("VMOVAP%s %s15, %s%d", f.suffix, f.reg, f.reg, ci)
		f.times(cr, ci, r-1, part("CX", r, 0), part("DX", r, 0))
		f.times(er, ei, p-r-1, part("CX", p-r, 0), part("DX", p-r, 0))
	}
}

// oddFew is odd with 16 registers: part 0 is read where it is added, each root once for both products.
func (f *fftPass) oddFew(p int) {
	half := p / 2
	from := []string{"AX", "BX"}
	for k := 1; k <= half; k++ {
		for i := range 2 {
			f.load(14, part(from[i], k, 0))
			f.load(15, part(from[i], p-k, 0))
			f.op("ADD", 2*k+i, 14, 15)
			f.op("SUB", 2*(p-k)+i, 14, 15)
		}
	}
	addFirst := func(dst, a, i int) { f.p("VADDP%s (%s), %s%d, %s%d", f.suffix, from[i], f.reg, a, f.reg, dst) }
	for i := range 2 {
		addFirst(14, 2+i, i)
		for k := 2; k <= half; k++ {
			f.op("ADD", 14, 14, 2*k+i)
		}
		f.store(14, part([]string{"CX", "DX"}[i], 0, 0))
	}
	const cr, er = 10, 12 // and the imaginary parts behind them
	f.between = [4]int{0, 1, cr, cr + 1}
	for r := 1; r <= half; r++ {
		for k := 1; k <= half; k++ {
			at, sign := k*r%p, "ADD"
			if at > half {
				at, sign = p-at, "SUB"
			}
			f.broadcast(0, 2*at-2, "DI")
			f.broadcast(1, 2*at-1, "DI")
			for i := range 2 {
				diff := 2*(p-k) + 1 - i // the other part's
				f.op("MUL", 14, 2*k+i, 0)
				if k == 1 {
					addFirst(cr+i, 14, i)
					f.op("MUL", er+i, diff, 1)
					continue
				}
				f.op("ADD", cr+i, cr+i, 14)
				f.op("MUL", 15, diff, 1)
				f.op(sign, er+i, er+i, 15)
			}
		}
		f.op("SUB", 14, cr, er)
		f.op("ADD", er, cr, er)
		f.op("ADD", 15, cr+1, er+1)
		f.op("SUB", er+1, cr+1, er+1)
		f.times(14, 15, r-1, part("CX", r, 0), part("DX", r, 0))
		f.times(er, er+1, p-r-1, part("CX", p-r, 0), part("DX", p-r, 0))
	}
}
