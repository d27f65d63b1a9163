package main

import (
	"bytes"
	"fmt"
	"strings"
)

// genAbove returns AVX-512's searches for elements that are more than the largest of their segment so far; AVX2 has nothing that
// puts what it finds side by side.
func genAbove() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, ids string
		lanes        int
	}{{"F32", "PS", "Z", 16}, {"F64", "PD", "Y", 8}} {
		name := "Above" + t.name + "AVX512"
		const args = "at, x, y, ids unsafe.Pointer, n, m int"
		fmt.Fprintf(&d, "\n// %s puts the numbers, int32s, of those of n elements into at that are not x[i] <= y[ids[i]], and returns how many there are, -1 if\n"+
			"// some of ids, int32s, is not one of m. n is a multiple of %d; at has room for as many more.\n//\n//go:noescape\nfunc %[1]s(%[3]s) int\n", name, t.lanes, args)
		put := func(format string, args ...any) {
			fmt.Fprintf(&s, "\t"+strings.NewReplacer("#", t.p, "~", t.ids).Replace(format)+"\n", args...)
		}
		fmt.Fprintf(&s, "\n// func %s(%s) int\nTEXT ·%[1]s(SB), NOSPLIT, $0-56\n", name, args)
		put("MOVQ at+0(FP), DI")
		put("MOVQ x+8(FP), SI")
		put("MOVQ y+16(FP), DX")
		put("MOVQ ids+24(FP), R8")
		put("MOVQ n+32(FP), CX")
		put("VPBROADCASTD m+40(FP), ~3")
		put("VMOVDQU32 aboveLanes<>(SB), ~6")
		put("MOVL $%d, AX", t.lanes)
		put("VPBROADCASTD AX, ~7")
		put("XORL R9, R9")
		put("XORL BX, BX")
		put("TESTQ CX, CX")
		put("JLE done")
		put("PCALIGN $32")
		fmt.Fprintln(&s, "loop:")
		put("VMOVDQU32 (R8)(BX*4), ~1")
		put("VPCMPUD $5, ~3, ~1, K1")
		put("KORTESTW K1, K1")
		put("JNE bad")
		put("KXNORW K2, K2, K2")
		put("VPXORD Z4, Z4, Z4")
		put("VGATHERD# (DX)(~1*%d), K2, Z4", 64/t.lanes)
		put("VMOVU# (SI)(BX*%d), Z2", 64/t.lanes)
		put("VCMP# $0x16, Z4, Z2, K1")
		put("VPCOMPRESSD.Z ~6, K1, ~5")
		put("VMOVDQU32 ~5, (DI)(R9*4)")
		put("KMOVW K1, AX")
		put("POPCNTL AX, AX")
		put("ADDQ AX, R9")
		put("VPADDD ~7, ~6, ~6")
		put("ADDQ $%d, BX", t.lanes)
		put("CMPQ BX, CX")
		put("JLT loop")
		fmt.Fprintln(&s, "done:")
		put("MOVQ R9, ret+48(FP)")
		put("VZEROUPPER")
		put("RET")
		fmt.Fprintln(&s, "bad:")
		put("MOVQ $-1, ret+48(FP)")
		put("VZEROUPPER")
		put("RET")
	}
	fmt.Fprintln(&s)
	for i := range 16 {
		fmt.Fprintf(&s, "DATA aboveLanes<>+%d(SB)/4, $%d\n", 4*i, i)
	}
	s.WriteString("GLOBL aboveLanes<>(SB), RODATA|NOPTR, $64\n")
	return map[string][]byte{"above_avx512_amd64.s": s.Bytes(), "above_avx512_amd64.go": d.Bytes()}
}
