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
			framed := func(name, doc, args string, frame int, body func()) {
				name += t.name + isa.name
				args = "(yr, yi, xr, xi, " + args + " int)"
				fmt.Fprintf(&d, "\n// %s is internal/fft's %s %d.\n//\n//go:noescape\nfunc %[1]s%[4]s\n", name, doc, 64/t.size, args)
				fmt.Fprintf(&s, "\n// func %s%s\nTEXT ·%[1]s(SB), %[3]s, $%d-%d\n", name, args, map[bool]string{true: "NOSPLIT", false: "0"}[frame == 0], frame, 8*(1+strings.Count(args, ",")))
				body()
			}
			declare := func(name, doc, args string, body func()) { framed(name, doc, args, 0, body) }
			for _, radix := range []int{2, 3, 4, 5, 7, 8, 11, 13} {
				framed(fmt.Sprintf("Radix%d", radix), "pass of that radix; s is at least", "tw, ask unsafe.Pointer, m, s", p.frame(radix), func() { p.side(radix) })
				framed(fmt.Sprintf("Along%d", radix), "pass of that radix along a row; m is at least", "tw, ask unsafe.Pointer, m, ys", p.frame(radix), func() { p.along(radix) })
			}
			declare("TimesSide", "product of m numbers with s of x each; s is a multiple of", "cr, ci unsafe.Pointer, m, s", p.timesSide)
			declare("TimesAlong", "product of rows; m is a multiple of", "cr, ci unsafe.Pointer, m", p.timesAlong)
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
	plain       bool                // there are no twiddles: all are 1
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

// times stores (re, im) times the twiddle number k as part y of what CX and DX point to.
func (f *fftPass) times(re, im, k, y, at int) {
	if f.plain {
		f.store(re, f.far("CX", y, at))
		f.store(im, f.far("DX", y, at))
		return
	}
	if f.fetch != nil {
		c, s, a, b := f.between[0], f.between[1], f.between[2], f.between[3]
		f.fetch(c, 2*k)
		f.fetch(s, 2*k+1)
		f.op("MUL", a, re, c)
		f.op("MUL", b, im, s)
		f.op("SUB", a, a, b)
		f.store(a, f.far("CX", y, at))
		f.op("MUL", s, re, s)
		f.op("MUL", c, im, c)
		f.op("ADD", s, s, c)
		f.store(s, f.far("DX", y, at))
		return
	}
	f.twiddle(14, re, 2*k)
	f.twiddle(15, im, 2*k+1)
	f.op("SUB", 14, 14, 15)
	f.store(14, f.far("CX", y, at))
	f.twiddle(14, re, 2*k+1)
	f.twiddle(15, im, 2*k)
	f.op("ADD", 14, 14, 15)
	f.store(14, f.far("DX", y, at))
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
// argument m, R15 what is asked for; the argument becomes by how much that moves on.
func (f *fftPass) arguments(radix int, last string) {
	f.rows()
	f.p("MOVQ tw+32(FP), SI")
	f.p("MOVQ m+48(FP), R12")
	f.bytesOf(last, "R10")
	f.p("MOVQ ask+40(FP), R15")
	f.p("TESTQ R15, R15")
	f.p("JEQ nothing")
	f.p("MOVQ $%d, ask+40(FP)", radix*f.bytes)
	f.p("JMP asked")
	fmt.Fprintf(f.w, "nothing:\n")
	f.p("MOVQ AX, R15")
	fmt.Fprintf(f.w, "asked:\n")
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
	f.times(0, 1, 0, 0, 0)
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
		f.times(0, 1, 0, 0, at)
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
	twiddles, odd := 2*(radix-1), radix%2 != 0
	f.twiddle = func(dst, a, k int) { f.op("MUL", dst, a, 16+k) }
	few := f.reg == "Y" || odd || radix == 8 // numbers are read where they are used
	if few {
		f.fetch, f.between = func(dst, k int) { f.broadcast(dst, k, "SI") }, [4]int{12, 13, 14, 15}
		defer func() { f.fetch = nil }()
	}
	f.arguments(radix, "s+56(FP)")
	f.p("MOVQ R12, R8")
	f.p("IMULQ R10, R8")
	f.triple()
	f.roots(radix)
	f.p("CMPQ R12, $1")
	f.p("JEQ last")
	fmt.Fprintf(f.w, "row:\n")
	for k := 0; !few && k < twiddles; k++ {
		f.broadcast(16+k, k, "SI")
	}
	f.p("MOVQ R10, R13")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	f.butterfly(radix)
	f.again("loop", "R13", f.bytes, "next")
	f.p("ADDQ $%d, SI", twiddles*f.size)
	for _, r := range []string{"CX", "DX"} {
		f.p("LEAQ %s, %s", f.far(r, radix-1, 0), r)
	}
	f.p("DECQ R12")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
	fmt.Fprintf(f.w, "last:\n")
	f.p("MOVQ R10, R13")
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "plain:\n")
	f.plain = true
	f.butterfly(radix)
	f.plain = false
	f.again("plain", "R13", f.bytes, "end")
	f.p("VZEROUPPER")
	f.p("RET")
}

// along: blocks of 64 bytes of each array and of each part of the twiddles.
func (f *fftPass) along(radix int) {
	f.arguments(radix, "ys+56(FP)")
	f.bytesOf("m+48(FP)", "R8")
	f.p("MOVQ R8, R12")
	f.triple()
	f.roots(radix)
	f.p("PCALIGN $32")
	fmt.Fprintf(f.w, "loop:\n")
	for at := 0; at < 64; at += f.bytes {
		f.fetch = func(dst, k int) { f.load(dst, fmt.Sprintf("%d(SI)", 64*k+at)) }
		f.between = [4]int{12, 13, 14, 15}
		f.butterfly(radix)
	}
	f.fetch = nil
	f.add(128*(radix-1), "SI")
	f.again("loop", "R12", 64, "end")
	f.p("VZEROUPPER")
	f.p("RET")
}

// roots: DI are those of an odd radix, the first one of 8, and SI the twiddles behind them.
func (f *fftPass) roots(radix int) {
	numbers := radix - 1
	switch {
	case radix == 8:
		numbers = 2
	case radix%2 == 0:
		return
	}
	f.p("MOVQ SI, DI")
	f.p("ADDQ $%d, SI", numbers*f.size)
}

// butterfly is a vector of each part, and asks for as many bytes.
func (f *fftPass) butterfly(radix int) {
	for at := 0; at < radix*f.bytes; at += 64 {
		f.p("PREFETCHT1 %d(R15)", at)
	}
	f.p("ADDQ ask+40(FP), R15")
	switch radix {
	case 2:
		f.two()
	case 4:
		f.four()
	case 8:
		f.eight()
	default:
		f.odd(radix)
	}
	f.add(f.bytes, "AX", "BX", "CX", "DX")
}

// again loops while there are bytes in left; what is fewer is done with some of what is done. The end is behind it.
func (f *fftPass) again(loop, left string, bytes int, end string) {
	f.p("SUBQ $%d, %s", bytes, left)
	f.p("CMPQ %s, $%d", left, bytes)
	f.p("JGE %s", loop)
	f.p("TESTQ %s, %s", left, left)
	f.p("JEQ %s", end)
	f.p("SUBQ $%d, %s", bytes, left)
	for _, r := range []string{"AX", "BX", "CX", "DX"} {
		f.p("ADDQ %s, %s", left, r)
	}
	f.p("MOVQ $%d, %s", bytes, left)
	f.p("JMP %s", loop)
	fmt.Fprintf(f.w, "%s:\n", end)
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
	f.times(0, 1, 0, 1, 0)
}

// part is number k of a radix' parts of what r points to.
func part(r string, k, at int) string {
	step, triple := "R8", "R9"
	if r == "CX" || r == "DX" {
		step, triple = "R10", "R11"
	}
	index := map[int]string{1: "(" + step + "*1)", 2: "(" + step + "*2)", 3: "(" + triple + "*1)", 4: "(" + step + "*4)", 6: "(" + triple + "*2)", 8: "(" + step + "*8)",
		12: "(" + triple + "*4)"}[k]
	if at == 0 {
		return "(" + r + ")" + index
	}
	return fmt.Sprintf("%d(%s)%s", at, r, index)
}

// far is part, of up to 13 parts; R14 may be on the way.
func (f *fftPass) far(r string, k, at int) string {
	by := 0
	switch k {
	case 5, 7:
		by = 4
	case 9, 10, 11:
		by = 8
	default:
		return part(r, k, at)
	}
	f.p("LEAQ %s, R14", part(r, by, 0))
	return strings.Replace(part(r, k-by, at), r, "R14", 1)
}

func (f *fftPass) four() {
	for k := range 4 {
		f.load(2*k, part("AX", k, 0))
		f.load(2*k+1, part("BX", k, 0))
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
	f.store(2, part("CX", 0, 0))
	f.store(3, part("DX", 0, 0))
	f.op("ADD", 2, 0, 11)
	f.op("ADD", 3, 1, 10)
	f.times(2, 3, 0, 1, 0)
	f.op("SUB", 2, 8, 4)
	f.op("SUB", 3, 9, 5)
	f.times(2, 3, 1, 2, 0)
	f.op("SUB", 2, 0, 11)
	f.op("SUB", 3, 1, 10)
	f.times(2, 3, 2, 3, 0)
}

// eight is radix8: the differences are on the stack where there are no registers for them.
func (f *fftPass) eight() {
	framed := f.frame(8) > 0
	f.between = [4]int{12, 13, 14, 15}
	for k := range 4 {
		for i, r := range []string{"AX", "BX"} {
			v := 2*k + i
			f.load(8, f.far(r, k, 0))
			f.load(9, f.far(r, k+4, 0))
			f.op("ADD", v, 8, 9)
			if framed {
				f.op("SUB", 9, 8, 9)
				f.store(9, fmt.Sprintf("%d(SP)", v*f.bytes))
			} else {
				f.op("SUB", 16+v, 8, 9)
			}
		}
	}
	f.op("ADD", 8, 0, 4)
	f.op("ADD", 9, 1, 5)
	f.op("SUB", 0, 0, 4)
	f.op("SUB", 1, 1, 5)
	f.op("ADD", 4, 2, 6)
	f.op("ADD", 5, 3, 7)
	f.op("SUB", 2, 2, 6)
	f.op("SUB", 3, 3, 7)
	f.op("ADD", 6, 8, 4)
	f.op("ADD", 7, 9, 5)
	f.store(6, "(CX)")
	f.store(7, "(DX)")
	f.op("SUB", 8, 8, 4)
	f.op("SUB", 9, 9, 5)
	f.rest(2)
	b := func(v int) int { return 16 + v }
	if framed {
		for v := range 8 {
			f.load(v, fmt.Sprintf("%d(SP)", v*f.bytes))
		}
		b = func(v int) int { return v }
	}
	f.broadcast(10, 0, "DI")
	f.op("ADD", 8, b(0), b(5))
	f.op("SUB", 9, b(1), b(4))
	f.op("SUB", 0, b(0), b(5))
	f.op("ADD", 1, b(1), b(4))
	f.op("ADD", 4, b(2), b(3))
	f.op("SUB", 5, b(3), b(2))
	f.op("SUB", 2, b(7), b(6))
	f.op("ADD", 3, b(6), b(7))
	for v := 2; v < 6; v++ {
		f.op("MUL", v, v, 10)
	}
	f.op("ADD", 6, 4, 2)
	f.op("SUB", 2, 4, 2)
	f.op("SUB", 7, 5, 3)
	f.op("ADD", 3, 5, 3)
	f.op("ADD", 4, 8, 6)
	f.op("ADD", 5, 9, 7)
	f.times(4, 5, 0, 1, 0)
	f.op("SUB", 8, 8, 6)
	f.op("SUB", 9, 9, 7)
	f.rest(3)
}

// rest is three results of a transform of 4 within one of 8, from result k on, two apart: p - u is in 8 and 9, q in 0 and 1, d in 2 and 3.
func (f *fftPass) rest(k int) {
	f.op("ADD", 4, 0, 3)
	f.op("SUB", 5, 1, 2)
	f.times(4, 5, k-1, k, 0)
	f.times(8, 9, k+1, k+2, 0)
	f.op("SUB", 0, 0, 3)
	f.op("ADD", 1, 1, 2)
	f.times(0, 1, k+3, k+4, 0)
}

// frame is the bytes of stack that a radix needs: its sums and differences, where there are no registers for them.
func (f *fftPass) frame(radix int) int {
	if radix <= 5 || f.reg == "Z" {
		return 0
	}
	if radix == 8 {
		return 8 * f.bytes
	}
	return 2 * (radix - 1) * f.bytes
}

// odd is radixOdd: part 0 is read where it is added, each root once for both of its products.
func (f *fftPass) odd(p int) {
	half := p / 2
	from := []string{"AX", "BX"}
	const c, s, cr, er, a, b = 0, 1, 2, 4, 6, 7 // cr and er with the imaginary parts behind them
	framed := f.frame(p) > 0
	// The sum of parts k and p-k is the former's, the difference the latter's.
	place := func(k, i int) int { return 8 + 2*(k-1) + i }
	stack := func(place int) string { return fmt.Sprintf("%d(SP)", (place-8)*f.bytes) }
	addFirst := func(dst, a, i int) { f.p("VADDP%s (%s), %s%d, %s%d", f.suffix, from[i], f.reg, a, f.reg, dst) }
	times := func(dst, k, i, by int) {
		if framed {
			f.p("VMULP%s %s, %s%d, %s%d", f.suffix, stack(place(k, i)), f.reg, by, f.reg, dst)
		} else {
			f.op("MUL", dst, place(k, i), by)
		}
	}
	for i := range 2 {
		for k := 1; k <= half; k++ {
			f.load(a, f.far(from[i], k, 0))
			f.load(b, f.far(from[i], p-k, 0))
			sum, diff := place(k, i), place(p-k, i)
			if framed {
				sum, diff = c, s
			}
			f.op("ADD", sum, a, b)
			f.op("SUB", diff, a, b)
			if framed {
				f.store(sum, stack(place(k, i)))
				f.store(diff, stack(place(p-k, i)))
			}
			if k == 1 {
				addFirst(cr, sum, i)
			} else {
				f.op("ADD", cr, cr, sum)
			}
		}
		f.store(cr, part([]string{"CX", "DX"}[i], 0, 0))
	}
	f.between = [4]int{c, s, cr, cr + 1}
	for r := 1; r <= half; r++ {
		for k := 1; k <= half; k++ {
			at, sign := k*r%p, "ADD"
			if at > half {
				at, sign = p-at, "SUB"
			}
			f.broadcast(c, 2*at-2, "DI")
			f.broadcast(s, 2*at-1, "DI")
			for i := range 2 {
				times(a, k, i, c)
				if k == 1 {
					addFirst(cr+i, a, i)
					times(er+i, p-k, 1-i, s) // the other part's
					continue
				}
				f.op("ADD", cr+i, cr+i, a)
				times(b, p-k, 1-i, s)
				f.op(sign, er+i, er+i, b)
			}
		}
		f.op("SUB", a, cr, er)
		f.op("ADD", er, cr, er)
		f.op("ADD", b, cr+1, er+1)
		f.op("SUB", er+1, cr+1, er+1)
		f.times(a, b, r-1, r, 0)
		f.times(er, er+1, p-r-1, p-r, 0)
	}
}
