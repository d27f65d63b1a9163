package main

import (
	"bytes"
	"fmt"
)

// genMove returns the assembly of moves by file name.
func genMove() map[string][]byte {
	var s bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	for _, size := range []int{1, 4, 8} {
		spread(&s, size)
	}
	for _, t := range gemmTypes {
		g := &gemm{isa: avx2, t: t, perVec: avx2.bytes / t.size, w: &s}
		g.transpose()
	}
	reverse(&s, 4)
	reverse(&s, 8)
	stream(&s)
	touch(&s)
	ask(&s)
	decls := weaves(&s)
	return map[string][]byte{"move_avx2_amd64.s": s.Bytes(), "move_avx2_amd64.go": []byte(gemmHead + moveDecls + decls)}
}

const moveDecls = `
package asm

import "unsafe"

// Spread1AVX2 fills rows of dst, one behind the other, with n elements of one byte each: row i with
// the element at src + i·step bytes.
//
//go:noescape
func Spread1AVX2(dst, src unsafe.Pointer, step, rows, n int)

// Spread4AVX2 is Spread1AVX2 for elements of four bytes.
//
//go:noescape
func Spread4AVX2(dst, src unsafe.Pointer, step, rows, n int)

// Spread8AVX2 is Spread1AVX2 for elements of eight bytes.
//
//go:noescape
func Spread8AVX2(dst, src unsafe.Pointer, step, rows, n int)

// TransposeF32AVX2 is dst[i, j] = src[j, i], i < m, j < n, for elements of four bytes in rows dstRow
// and srcRow bytes apart; m and n are 8 at least, and dst does not overlap src.
//
//go:noescape
func TransposeF32AVX2(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, m, n int)

// TransposeF64AVX2 is TransposeF32AVX2 for elements of eight bytes; m and n are 4 at least.
//
//go:noescape
func TransposeF64AVX2(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, m, n int)

// Reverse4AVX2 is dst[i] = src[-i], i < n, for elements of four bytes, n a multiple of 8 and not 0.
//
//go:noescape
func Reverse4AVX2(dst, src unsafe.Pointer, n int)

// Reverse8AVX2 is Reverse4AVX2 for elements of eight bytes, n a multiple of 4.
//
//go:noescape
func Reverse8AVX2(dst, src unsafe.Pointer, n int)

// StreamAVX2 copies rows of n bytes, one behind the other in src, past the caches, n a multiple of 128 and not 0, to dst, a multiple
// of 32, and step bytes on. Its stores are in no order with others before StreamEnd.
//
//go:noescape
func StreamAVX2(dst unsafe.Pointer, step int, src unsafe.Pointer, rows, n int)

// StreamEnd waits for what StreamAVX2 stored.
func StreamEnd()

// Ask asks for the lines of rows of n bytes, neither 0, step bytes apart.
//
//go:noescape
func Ask(p unsafe.Pointer, step, rows, n int)

// Touch stores to each line of the n bytes at p, a multiple of 4 and not 0, what is there.
//
//go:noescape
func Touch(p unsafe.Pointer, n int)
`

// reverse turns the words of eight bytes around, and the halves of each.
func reverse(w *bytes.Buffer, size int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func Reverse%dAVX2(dst, src unsafe.Pointer, n int)\nTEXT ·Reverse%[1]dAVX2(SB), NOSPLIT, $0-24\n", size)
	p("MOVQ dst+0(FP), DI")
	p("MOVQ src+8(FP), SI")
	p("MOVQ n+16(FP), CX")
	p("PCALIGN $32")
	fmt.Fprintf(w, "loop:\n")
	p("VPERMQ $27, %d(SI), Y0", size-32)
	if size == 4 {
		p("VPSHUFD $177, Y0, Y0")
	}
	p("VMOVUPS Y0, (DI)")
	p("ADDQ $32, DI")
	p("SUBQ $32, SI")
	p("SUBQ $%d, CX", 32/size)
	p("JGT loop")
	p("VZEROUPPER")
	p("RET")
}

func stream(w *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func StreamAVX2(dst unsafe.Pointer, step int, src unsafe.Pointer, rows, n int)\nTEXT ·StreamAVX2(SB), NOSPLIT, $0-40\n")
	p("MOVQ dst+0(FP), DI")
	p("MOVQ step+8(FP), DX")
	p("MOVQ src+16(FP), SI")
	p("MOVQ rows+24(FP), R8")
	p("MOVQ n+32(FP), R9")
	fmt.Fprintf(w, "row:\n")
	p("MOVQ DI, AX")
	p("MOVQ R9, CX")
	p("PCALIGN $32")
	fmt.Fprintf(w, "loop:\n")
	for v := range 4 {
		p("VMOVUPS %d(SI), Y%d", 32*v, v)
	}
	for v := range 4 {
		p("VMOVNTDQ Y%d, %d(AX)", v, 32*v)
	}
	p("ADDQ $128, SI")
	p("ADDQ $128, AX")
	p("SUBQ $128, CX")
	p("JGT loop")
	p("ADDQ DX, DI")
	p("DECQ R8")
	p("JGT row")
	p("VZEROUPPER")
	p("RET")
	fmt.Fprintf(w, "\n// func StreamEnd()\nTEXT ·StreamEnd(SB), NOSPLIT, $0\n")
	p("SFENCE")
	p("RET")
}

func touch(w *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func Touch(p unsafe.Pointer, n int)\nTEXT ·Touch(SB), NOSPLIT, $0-16\n")
	p("MOVQ p+0(FP), AX")
	p("MOVQ n+8(FP), CX")
	p("ADDQ AX, CX")
	fmt.Fprintf(w, "loop:\n")
	p("ORL $0, (AX)")
	p("ADDQ $64, AX")
	p("CMPQ AX, CX")
	p("JLT loop")
	p("RET")
}

// spread stores no byte beyond a row: a row's last vector overlaps the one before it. Rows of less than
// a vector are two stores that overlap.
func spread(w *bytes.Buffer, size int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	label := func(name string) { fmt.Fprintf(w, "%s:\n", name) }
	broadcast := map[int]string{1: "VPBROADCASTB", 4: "VPBROADCASTD", 8: "VPBROADCASTQ"}[size]
	fmt.Fprintf(w, "\n// func Spread%dAVX2(dst, src unsafe.Pointer, step, rows, n int)\nTEXT ·Spread%[1]dAVX2(SB), NOSPLIT, $0-40\n", size)
	p("MOVQ dst+0(FP), DI")
	p("MOVQ src+8(FP), SI")
	p("MOVQ step+16(FP), DX")
	p("MOVQ rows+24(FP), R8")
	p("MOVQ n+32(FP), CX")
	if size > 1 {
		p("SHLQ $%d, CX", map[int]int{4: 2, 8: 3}[size])
	}
	p("TESTQ CX, CX")
	p("JLE done")
	p("TESTQ R8, R8")
	p("JLE done")
	p("LEAQ -32(CX), R9")
	p("TESTQ R9, R9")
	p("JGE long")
	for _, b := range []struct {
		bytes int
		store string
	}{{16, "VMOVUPS X0"}, {8, "VMOVQ X0"}, {4, "VMOVD X0"}, {1, "MOVB AX"}} {
		if b.bytes < size {
			break
		}
		loop, next := fmt.Sprint("row", b.bytes), fmt.Sprint("below", b.bytes)
		if b.bytes > size {
			p("CMPQ CX, $%d", b.bytes)
			p("JLT %s", next)
		}
		label(loop)
		if b.bytes > 1 {
			p("%s (SI), X0", broadcast)
			p("%s, (DI)", b.store)
			p("%s, -%d(DI)(CX*1)", b.store, b.bytes)
		} else { // one to three bytes
			p("MOVBLZX (SI), AX")
			p("MOVB AX, (DI)")
			p("MOVB AX, -1(DI)(CX*1)")
			p("MOVQ CX, BX")
			p("SHRQ $1, BX")
			p("MOVB AX, (DI)(BX*1)")
		}
		p("ADDQ DX, SI")
		p("ADDQ CX, DI")
		p("DECQ R8")
		p("JNZ %s", loop)
		p("JMP done")
		if b.bytes > size {
			label(next)
		}
	}
	label("long")
	p("%s (SI), Y0", broadcast)
	p("MOVQ R9, BX // so many bytes are before the last vector")
	p("MOVQ DI, AX")
	p("SUBQ $128, BX")
	p("JLT few")
	p("PCALIGN $32")
	label("four")
	for v := range 4 {
		p("VMOVUPS Y0, %d(AX)", 32*v)
	}
	p("ADDQ $128, AX")
	p("SUBQ $128, BX")
	p("JGE four")
	label("few")
	p("ADDQ $128, BX")
	p("JEQ last")
	label("one")
	p("VMOVUPS Y0, (AX)")
	p("ADDQ $32, AX")
	p("SUBQ $32, BX")
	p("JGT one")
	label("last")
	p("VMOVUPS Y0, (DI)(R9*1)")
	p("ADDQ DX, SI")
	p("ADDQ CX, DI")
	p("DECQ R8")
	p("JNZ long")
	label("done")
	p("VZEROUPPER")
	p("RET")
}

// transpose: squares of a vector's side, along m, then along n; the last ones overlap those before.
func (g *gemm) transpose() {
	side := g.perVec
	g.p("")
	g.p("TEXT ·Transpose%sAVX2(SB), NOSPLIT, $0-48", g.t.name)
	g.p("MOVQ dstRow+8(FP), R9")
	g.p("MOVQ srcRow+24(FP), SI")
	g.p("MOVQ n+40(FP), R11")
	g.p("LEAQ -%d(R11), R11", side)
	g.p("MOVQ R11, R12 // j counts down to 0")
	g.p("")
	g.p("down: // n - %d - R12 is j", side)
	g.p("MOVQ R11, DI")
	g.p("SUBQ R12, DI")
	g.p("MOVQ DI, AX")
	g.p("SHLQ $%d, DI", g.t.size/4+1)
	g.p("ADDQ dst+0(FP), DI")
	g.p("IMULQ SI, AX")
	g.p("ADDQ src+16(FP), AX")
	g.p("MOVQ m+32(FP), CX")
	g.p("SUBQ $%d, CX", side)
	g.p("square:")
	g.p("LEAQ (AX)(SI*2), BX")
	g.p("ADDQ SI, BX")
	g.p("LEAQ (BX)(SI*2), DX")
	g.p("ADDQ SI, DX")
	g.p("LEAQ (DI)(R9*2), R10")
	g.p("ADDQ R9, R10")
	g.p("LEAQ (R10)(R9*2), R8")
	g.p("ADDQ R9, R8")
	g.square(side, func(k int) string {
		if k >= 6 {
			return row(k-6, "R8", "", "R9")
		}
		return row(k, "DI", "R10", "R9")
	})
	g.p("TESTQ CX, CX")
	g.p("JEQ next")
	g.p("MOVQ $%d, BX", side)
	g.p("CMPQ CX, BX")
	g.p("CMOVQLT CX, BX")
	g.p("SUBQ BX, CX")
	g.p("LEAQ (AX)(BX*%d), AX", g.t.size)
	g.p("IMULQ R9, BX")
	g.p("ADDQ BX, DI")
	g.p("JMP square")
	g.p("next:")
	g.p("TESTQ R12, R12")
	g.p("JEQ done")
	g.p("SUBQ $%d, R12", side)
	g.p("JGE down")
	g.p("XORL R12, R12")
	g.p("JMP down")
	g.p("done:")
	g.p("VZEROUPPER")
	g.p("RET")
}

// ask goes along each row by lines.
func ask(w *bytes.Buffer) {
	fmt.Fprint(w, `
// func Ask(p unsafe.Pointer, step, rows, n int)
TEXT ·Ask(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ step+8(FP), DX
	MOVQ rows+16(FP), CX
	MOVQ n+24(FP), BX
row:
	XORQ AX, AX
line:
	PREFETCHT0 (SI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, BX
	JLT line
	ADDQ DX, SI
	DECQ CX
	JNZ row
	RET
`)
}
