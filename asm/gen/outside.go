package main

import (
	"bytes"
	"fmt"
)

// genOutside returns the scans for elements outside an interval.
func genOutside() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		i.outside(files)
	}
	return files
}

func (i isa) outside(files map[string][]byte) {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, bits string
		size          int
	}{{"F32", "PS", "SS", 4}, {"F64", "PD", "SD", 8}} {
		name := "Outside" + t.name + i.name
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
		put("VBROADCAST%s X0, %c0", t.bits, i.reg)
		put("VBROADCAST%s X1, %c1", t.bits, i.reg)
		// The least and greatest so far, four of each; the machine's min and max pass the second operand
		// over where the first is NaN.
		const chains = 4
		for c := range chains {
			put("VMOVAPS %c0, %[1]c%d", i.reg, 2+c)
			put("VMOVAPS %c1, %[1]c%d", i.reg, 6+c)
		}
		loop := func(label string, reg byte, bytes, vectors int) {
			elems := vectors * bytes / t.size
			put("SUBQ $%d, CX", elems)
			put("JLT %sEnd", label)
			fmt.Fprintf(&s, "%s:\n", label)
			for v := range vectors {
				put("VMOVUPS %d(SI), %c%d", bytes*v, reg, 10+v)
				put("VMIN%s %c%d, %[2]c%[4]d, %[2]c%[3]d", t.p, reg, 2+v, 10+v)
				put("VMAX%s %c%d, %[2]c%[4]d, %[2]c%[3]d", t.p, reg, 6+v, 10+v)
			}
			put("ADDQ $%d, SI", bytes*vectors)
			put("SUBQ $%d, CX", elems)
			put("JGE %s", label)
			fmt.Fprintf(&s, "%sEnd:\n", label)
			put("ADDQ $%d, CX", elems)
		}
		loop("many", i.reg, i.bytes, chains)
		join := func(reg byte, least, greatest string) {
			put("VMIN%s %s, %c2, %[3]c2", t.p, least, reg)
			put("VMAX%s %s, %c6, %[3]c6", t.p, greatest, reg)
		}
		for c := 1; c < chains; c++ {
			join(i.reg, fmt.Sprintf("%c%d", i.reg, 2+c), fmt.Sprintf("%c%d", i.reg, 6+c))
		}
		if i.masks {
			put("VEXTRACTF64X4 $1, Z2, Y10")
			put("VEXTRACTF64X4 $1, Z6, Y11")
			join('Y', "Y10", "Y11")
		}
		loop("few", 'Y', 32, t.size/4)
		if t.size == 8 { // eight elements are two vectors
			join('Y', "Y3", "Y7")
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
	files["outside_"+i.file()+".s"], files["outside_"+i.file()+".go"] = s.Bytes(), formatted(d.Bytes())
}
