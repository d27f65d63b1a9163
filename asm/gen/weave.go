package main

import (
	"bytes"
	"fmt"
)

// steps lists the steps between elements that there is a way for, by the elements' bytes.
var steps = map[int][]int{1: {2}, 2: {2}, 4: {2, 3, 4}, 8: {2, 3, 4}}

const (
	everyDoc = `
// Every%dx%dAVX2 is dst[i] = src[%[1]d·i], i < n, for elements of bytes: %[2]d; n is a multiple of %[3]d and not 0. All %[1]d·n of src are read.
//
//go:noescape
func Every%[1]dx%[2]dAVX2(dst, src unsafe.Pointer, n int)
`
	weaveDoc = `
// Weave%dx%dAVX2 is dst[%[1]d·i+j] = src[j][i], i < n, j < %[1]d, for elements of bytes: %[2]d; n is a multiple of %[3]d and not 0.
//
//go:noescape
func Weave%[1]dx%[2]dAVX2(dst unsafe.Pointer, src *[4]unsafe.Pointer, n int)
`
)

// weaves writes the moves of elements that lie 2, 3 or 4 apart, and returns their declarations.
func weaves(w *bytes.Buffer) string {
	var decls bytes.Buffer
	for i, order := range [][]int{{0, 3, 6, 1, 4, 7, 2, 5}, {5, 0, 3, 6, 1, 4, 7, 2}, {2, 5, 0, 3, 6, 1, 4, 7}, {0, 4, 1, 5, 2, 6, 3, 7}} {
		fmt.Fprintln(w)
		for k, x := range order {
			fmt.Fprintf(w, "DATA weave%d<>+%d(SB)/4, $%d\n", i, 4*k, x)
		}
		fmt.Fprintf(w, "GLOBL weave%d<>(SB), RODATA|NOPTR, $32\n", i)
	}
	for _, size := range []int{1, 2, 4, 8} {
		for _, k := range steps[size] {
			every(w, k, size)
			fmt.Fprintf(&decls, everyDoc, k, size, 32/size)
			weave(w, k, size)
			fmt.Fprintf(&decls, weaveDoc, k, size, 32/size)
		}
	}
	return decls.String()
}

// every takes one vector's elements from k.
func every(w *bytes.Buffer, k, size int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func Every%dx%dAVX2(dst, src unsafe.Pointer, n int)\nTEXT ·Every%[1]dx%[2]dAVX2(SB), NOSPLIT, $0-24\n", k, size)
	p("MOVQ dst+0(FP), DI")
	p("MOVQ src+8(FP), SI")
	p("MOVQ n+16(FP), CX")
	switch {
	case size < 4: // the low halves of words of twice the size
		p("VPCMPEQD Y15, Y15, Y15")
		p("VPSRL%s $%d, Y15, Y15", map[int]string{1: "W", 2: "D"}[size], 8*size)
	case size == 4 && k > 2:
		p("VMOVUPS weave%d<>(SB), Y15", 3*(k-3))
	}
	p("PCALIGN $32")
	fmt.Fprintf(w, "loop:\n")
	load := func(from, to int) { p("VMOVUPS %d(SI), Y%d", 32*from, to) }
	switch {
	case size < 4:
		p("VPAND (SI), Y15, Y0")
		p("VPAND 32(SI), Y15, Y1")
		p("VPACKUS%s Y1, Y0, Y0", map[int]string{1: "WB", 2: "DW"}[size])
		p("VPERMQ $0xd8, Y0, Y0")
	case k == 2 && size == 4:
		load(0, 0)
		p("VSHUFPS $0x88, 32(SI), Y0, Y0")
		p("VPERMPD $0xd8, Y0, Y0")
	case k == 2:
		load(0, 0)
		p("VUNPCKLPD 32(SI), Y0, Y0")
		p("VPERMPD $0xd8, Y0, Y0")
	case k == 3 && size == 4:
		load(0, 0)
		p("VBLENDPS $0x92, 32(SI), Y0, Y0")
		p("VBLENDPS $0x24, 64(SI), Y0, Y0")
		p("VPERMPS Y0, Y15, Y0")
	case k == 3:
		load(0, 0)
		p("VBLENDPD $4, 32(SI), Y0, Y0")
		p("VBLENDPD $2, 64(SI), Y0, Y0")
		p("VPERMPD $0x6c, Y0, Y0")
	case size == 4:
		load(0, 0)
		load(2, 1)
		p("VUNPCKLPS 32(SI), Y0, Y0")
		p("VUNPCKLPS 96(SI), Y1, Y1")
		p("VUNPCKLPD Y1, Y0, Y0")
		p("VPERMPS Y0, Y15, Y0")
	default:
		load(0, 0)
		load(2, 1)
		p("VUNPCKLPD 32(SI), Y0, Y0")
		p("VUNPCKLPD 96(SI), Y1, Y1")
		p("VPERM2F128 $0x20, Y1, Y0, Y0")
	}
	p("VMOVUPS Y0, (DI)")
	p("ADDQ $%d, SI", 32*k)
	p("ADDQ $32, DI")
	p("SUBQ $%d, CX", 32/size)
	p("JGT loop")
	p("VZEROUPPER")
	p("RET")
}

// weave makes k vectors of one from each source.
func weave(w *bytes.Buffer, k, size int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func Weave%dx%dAVX2(dst unsafe.Pointer, src *[4]unsafe.Pointer, n int)\nTEXT ·Weave%[1]dx%[2]dAVX2(SB), NOSPLIT, $0-24\n", k, size)
	from := []string{"SI", "DX", "R8", "R9"}
	p("MOVQ dst+0(FP), DI")
	p("MOVQ src+8(FP), AX")
	p("MOVQ n+16(FP), CX")
	for j := range k {
		p("MOVQ %d(AX), %s", 8*j, from[j])
	}
	if k == 3 && size == 4 {
		for j := range 3 {
			p("VMOVUPS weave%d<>(SB), Y%d", j, 13+j)
		}
	}
	p("XORL BX, BX")
	p("PCALIGN $32")
	fmt.Fprintf(w, "loop:\n")
	out := make([]int, k) // the registers of what is stored
	if k == 3 {
		// Each source's elements go to lanes where no result has two of them; a result is three of them, blended.
		of, rest := [3][3]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}}, [2]int{0x92, 0x24}
		if size == 8 {
			of, rest = [3][3]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}, [2]int{2, 4}
		}
		for j := range 3 {
			if size == 4 {
				p("VPERMPS (%s)(BX*1), Y%d, Y%d", from[j], 13+j, j)
			} else {
				p("VPERMPD $%#x, (%s)(BX*1), Y%d", []int{0x6c, 0xb1, 0xc6}[j], from[j], j)
			}
		}
		for i, x := range of {
			out[i] = 3 + i
			blend := map[int]string{4: "VBLENDPS", 8: "VBLENDPD"}[size]
			p("%s $%#x, Y%d, Y%d, Y%d", blend, rest[0], x[1], x[0], out[i])
			p("%s $%#x, Y%d, Y%d, Y%[4]d", blend, rest[1], x[2], out[i])
		}
	} else {
		for j := range k {
			p("VMOVUPS (%s)(BX*1), Y%d", from[j], j)
		}
		next := k
		pair := func(size, a, b int) (lo, hi int) { // interleaved within halves of vectors
			lo, hi, next = next, next+1, next+2
			letters := map[int]string{1: "BW", 2: "WD", 4: "DQ", 8: "QDQ"}[size]
			p("VPUNPCKL%s Y%d, Y%d, Y%d", letters, b, a, lo)
			p("VPUNPCKH%s Y%d, Y%d, Y%d", letters, b, a, hi)
			return lo, hi
		}
		var halves []int // neighbours are one result's lower halves and a later one's upper
		lo, hi := pair(size, 0, 1)
		switch {
		case k == 2:
			halves = []int{lo, hi}
		case size == 4:
			lo2, hi2 := pair(size, 2, 3)
			a, b := pair(8, lo, lo2)
			c, d := pair(8, hi, hi2)
			halves = []int{a, b, c, d}
		default:
			lo2, hi2 := pair(size, 2, 3)
			halves = []int{lo, lo2, hi, hi2}
		}
		for i := range out {
			out[i] = i
			p("VPERM2I128 $%#x, Y%d, Y%d, Y%d", 0x20+i/(k/2)*0x11, halves[i%(k/2)*2+1], halves[i%(k/2)*2], i)
		}
	}
	for i, y := range out {
		p("VMOVUPS Y%d, %d(DI)", y, 32*i)
	}
	p("ADDQ $32, BX")
	p("ADDQ $%d, DI", 32*k)
	p("SUBQ $%d, CX", 32/size)
	p("JGT loop")
	p("VZEROUPPER")
	p("RET")
}
