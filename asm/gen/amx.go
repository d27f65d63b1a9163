package main

import (
	"bytes"
	"fmt"
)

const amxFile = "gemm_amx_amd64.s"

const amxDecl = `
// StripAMX is C = A·B, or C += A·B if add, for panels of 32 rows of A, whose rows are aRow bytes apart, and 32
// columns: 32 k for each of steps. A row of B is 32 pairs. It leaves the tiles unused, as it found them.
//
//go:noescape
func StripAMX(steps int, a unsafe.Pointer, aRow int, b, c unsafe.Pointer, cRow, panels int, add bool)
`

// genAMX returns the product of BF16s on tiles: four tiles of C, two of A and two of B.
func genAMX() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	fmt.Fprint(&d, gemmHead, "\npackage asm\n\nimport \"unsafe\"\n", amxDecl)
	put := func(format string, args ...any) { fmt.Fprintf(&s, "\t"+format+"\n", args...) }
	five := func(format string, args ...any) { put(zeroFive+format, args...) }
	six := func(format string, args ...any) { put(zeroBytes+format, args...) }
	label := func(name string) { fmt.Fprintf(&s, "%s:\n", name) }

	// Eight tiles of 16 rows of 64 bytes.
	s.WriteString("\nDATA amxTiles<>+0(SB)/8, $1\nDATA amxTiles<>+8(SB)/8, $0\n")
	for at, x := range []uint64{0x0040004000400040, 0x0040004000400040, 0, 0, 0x1010101010101010, 0} {
		fmt.Fprintf(&s, "DATA amxTiles<>+%d(SB)/8, $%#x\n", 16+8*at, x)
	}
	s.WriteString("GLOBL amxTiles<>(SB), RODATA|NOPTR, $64\n")

	s.WriteString("\nTEXT ·StripAMX(SB), NOSPLIT, $0-57\n")
	put("LEAQ amxTiles<>(SB), AX")
	five("LDTILECFG [RAX]")
	put("MOVQ a+8(FP), SI")
	put("MOVQ aRow+16(FP), DX")
	put("MOVQ c+32(FP), R10")
	put("MOVQ cRow+40(FP), R11")
	put("MOVQ panels+48(FP), R12")
	put("MOVL $128, R9")
	label("panel")
	// The tiles of C begin at R10, R14, R8 and R15. (A base of R13 would have an instruction of seven bytes.)
	c := []string{"R10", "R14", "R8", "R15"}
	tiles := func() {
		put("LEAQ 64(R10), R14")
		put("MOVQ R11, R8")
		put("SHLQ $4, R8")
		put("ADDQ R10, R8")
		put("LEAQ 64(R8), R15")
	}
	tiles()
	put("CMPB add+56(FP), $0")
	put("JEQ zero")
	for t, r := range c {
		six("TILELOADD TMM%d, [%s+R11*1]", t, r)
	}
	put("JMP begin")
	label("zero")
	for t := range c {
		five("TILEZERO TMM%d", t)
	}
	label("begin")
	put("MOVQ DX, DI")
	put("SHLQ $4, DI")
	put("ADDQ SI, DI // row 16 of A")
	put("MOVQ SI, AX")
	put("MOVQ b+24(FP), R8")
	put("LEAQ 64(R8), BX")
	put("MOVQ steps+0(FP), CX")
	label("loop")
	six("TILELOADD TMM4, [RAX+RDX*1]")
	six("TILELOADD TMM6, [R8+R9*1]")
	six("TILELOADD TMM7, [RBX+R9*1]")
	five("TDPBF16PS TMM0, TMM4, TMM6")
	six("TILELOADD TMM5, [RDI+RDX*1]")
	five("TDPBF16PS TMM1, TMM4, TMM7")
	put("ADDQ $64, AX")
	put("ADDQ $64, DI")
	five("TDPBF16PS TMM2, TMM5, TMM6")
	put("ADDQ $2048, R8")
	put("ADDQ $2048, BX")
	five("TDPBF16PS TMM3, TMM5, TMM7")
	put("DECQ CX")
	put("JNZ loop")
	tiles()
	for t, r := range c {
		six("TILESTORED [%s+R11*1], TMM%d", r, t)
	}
	put("MOVQ R11, AX")
	put("SHLQ $5, AX")
	put("ADDQ AX, R10")
	put("MOVQ DX, AX")
	put("SHLQ $5, AX")
	put("ADDQ AX, SI")
	put("DECQ R12")
	put("JNZ panel")
	five("TILERELEASE")
	put("RET")
	return map[string][]byte{amxFile: s.Bytes(), "gemm_amx_amd64.go": d.Bytes()}
}
