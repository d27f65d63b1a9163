package main

import (
	"bytes"
	"fmt"
)

// genOutside returns the scans for elements outside an interval.
func genOutside() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, bits string
		size          int
	}{{"F32", "PS", "SS", 4}, {"F64", "PD", "SD", 8}} {
		name := "Outside" + t.name + "AVX2"
		fmt.Fprintf(&d, "\n// %s reports whether any of n elements is below lo or above hi; n is a multiple of 8. NaN is neither.\n"+
			"//\n//go:noescape\nfunc %[1]s(a unsafe.Pointer, n int, lo, hi float64) bool\n", name)
		put := func(format string, args ...any) { fmt.Fprintf(&s, "\t"+format+"\n", args...) }
		fmt.Fprintf(&s, "\n// func %s(a unsafe.Pointer, n int, lo, hi float64) bool\nTEXT ·%[1]s(SB), NOSPLIT, $0-33\n", name)
		put("MOVQ a+0(FP), SI")
		put("MOVQ n+8(FP), CX")
		put("VMOVSD lo+16(FP), X0")
		put("VMOVSD hi+24(FP), X1")
		if t.size == 4 {
			put("VCVTSD2SS X0, X0, X0")
			put("VCVTSD2SS X1, X1, X1")
		}
		put("VBROADCAST%s X0, Y0", t.bits)
		put("VBROADCAST%s X1, Y1", t.bits)
		// The least and greatest so far, four of each; the machine's min and max pass the second operand
		// over where the first is NaN.
		const chains = 4
		for c := range chains {
			put("VMOVAPS Y0, Y%d", 2+c)
			put("VMOVAPS Y1, Y%d", 6+c)
		}
		loop := func(label string, vectors int) {
			elems := vectors * 32 / t.size
			put("SUBQ $%d, CX", elems)
			put("JLT %sEnd", label)
			fmt.Fprintf(&s, "%s:\n", label)
			for v := range vectors {
				put("VMOVUPS %d(SI), Y%d", 32*v, 10+v)
				put("VMIN%s Y%d, Y%d, Y%[2]d", t.p, 2+v, 10+v)
				put("VMAX%s Y%d, Y%d, Y%[2]d", t.p, 6+v, 10+v)
			}
			put("ADDQ $%d, SI", 32*vectors)
			put("SUBQ $%d, CX", elems)
			put("JGE %s", label)
			fmt.Fprintf(&s, "%sEnd:\n", label)
			put("ADDQ $%d, CX", elems)
		}
		loop("many", chains)
		loop("few", t.size/4)
		for c := 1; c < chains; c++ {
			put("VMIN%s Y%d, Y2, Y2", t.p, 2+c)
			put("VMAX%s Y%d, Y6, Y6", t.p, 6+c)
		}
		put("VCMP%s $17, Y0, Y2, Y2", t.p) // least < lo
		put("VCMP%s $17, Y6, Y1, Y6", t.p) // hi < greatest
		put("VORPS Y2, Y6, Y2")
		put("VMOVMSKPS Y2, AX")
		put("TESTL AX, AX")
		put("SETNE ret+32(FP)")
		put("VZEROUPPER")
		put("RET")
	}
	return map[string][]byte{"outside_avx2_amd64.s": s.Bytes(), "outside_avx2_amd64.go": formatted(d.Bytes())}
}
