package main

import (
	"bytes"
	"fmt"
	"strings"
)

// genExtreme returns the searches for columns' extremes.
func genExtreme() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		i.extreme(files)
	}
	return files
}

// extreme: four rows at a time, or one, along the columns, whose extremes and rows so far lie in memory that is padded to whole
// vectors. Vector 0 is the extremes, 1 their rows, 2 and 3 a row's elements and AVX2's mask, 4 its other one; from 8 on are the rows' numbers.
func (i isa) extreme(files map[string][]byte) {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	if !i.masks {
		s.WriteString(strings.ReplaceAll(maskTable, "gemmMask", "extremeMask"))
	}
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, bits string
		size          int
	}{{"F32", "PS", "D", 4}, {"F64", "PD", "Q", 8}, {"I32", "PS", "D", 4}, {"I64", "PD", "Q", 8}} {
		for _, most := range []bool{false, true} {
			kind, pred := "Least", "0x19" // not ≥, as NaNs are
			if most {
				kind, pred = "Greatest", "0x16" // not ≤
			}
			const args = "best, at, x unsafe.Pointer, rows, n, stride, from int"
			name := kind + t.name + i.name
			fmt.Fprintf(&d, "\n// %s makes best[j] the extreme of it and of column j of rows of n elements, stride bytes apart, and where that changes at[j], an\n"+
				"// integer of the same size, the row's number, which count from from on. best and at have room for whole vectors.\n"+
				"//\n//go:noescape\nfunc %[1]s(%[2]s)\n", name, args)
			put := func(format string, args ...any) {
				fmt.Fprintf(&s, "\t"+strings.NewReplacer("#", t.p, "~", string(i.reg), "@", t.bits).Replace(format)+"\n", args...)
			}
			label := func(l string) { fmt.Fprintln(&s, l+":") }
			fmt.Fprintf(&s, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-56\n", name, args)
			put("MOVQ best+0(FP), DI")
			put("MOVQ at+8(FP), DX")
			put("MOVQ x+16(FP), SI")
			put("MOVQ rows+24(FP), CX")
			put("MOVQ n+32(FP), BX")
			put("MOVQ stride+40(FP), R8")
			put("MOVQ from+48(FP), R10")
			put("SHLQ $%d, BX", map[int]int{4: 2, 8: 3}[t.size])
			put("MOVQ BX, R9")
			put("ANDQ $%d, R9 // bytes of a row's last, unfinished vector", i.bytes-1)
			put("SUBQ R9, BX")
			if i.masks {
				put("MOVQ R9, R11")
				put("SHRQ $%d, R11", map[int]int{4: 2, 8: 3}[t.size])
				put("MOVL $-1, AX")
				put("BZHIL R11, AX, AX")
				put("KMOVW AX, K3")
			} else {
				put("LEAQ extremeMask<>+128(SB), R11")
				put("SUBQ R9, R11")
				put("VMOVUPS (R11), Y5")
			}
			take := func(k int) { // row k's elements, in vector 2, where they are more extreme
				switch index := 8 + k; {
				case i.masks && t.name[0] == 'F':
					put("VCMP# $%s, ~0, ~2, K1", pred)
					put("VCMP# $7, ~0, ~0, K1, K1 // a NaN stays")
					put("VMOVU# ~2, K1, ~0")
					put("VMOVU# ~%d, K1, ~1", index)
				case i.masks:
					if most {
						put("VPCMPGT@ ~0, ~2, K1")
					} else {
						put("VPCMPGT@ ~2, ~0, K1")
					}
					put("VMOVU# ~2, K1, ~0")
					put("VMOVU# ~%d, K1, ~1", index)
				default:
					switch {
					case t.name[0] == 'F':
						put("VCMP# $%s, Y0, Y2, Y3", pred)
						put("VCMP# $7, Y0, Y0, Y4 // a NaN stays")
						put("VAND# Y4, Y3, Y3")
					case most:
						put("VPCMPGT@ Y0, Y2, Y3")
					default:
						put("VPCMPGT@ Y2, Y0, Y3")
					}
					put("VBLENDV# Y3, Y2, Y0, Y0")
					put("VBLENDV# Y3, Y%d, Y1, Y1", index)
				}
			}
			rows := func(n int) {
				at := []string{"SI", "R11", "R12", "R13"}[:n]
				l := fmt.Sprint("rows", n)
				label(l)
				for k := range at {
					if k > 0 {
						put("LEAQ (%s)(R8*1), %s", at[k-1], at[k])
					}
					put("VMOVQ R10, X%d", 8+k)
					put("VPBROADCAST@ X%d, ~%[1]d", 8+k)
					put("INCQ R10")
				}
				columns := func(masked bool) {
					put("VMOVU# (DI)(AX*1), ~0")
					put("VMOVU# (DX)(AX*1), ~1")
					for k, reg := range at {
						switch {
						case !masked:
							put("VMOVU# (%s)(AX*1), ~2", reg)
						case i.masks:
							put("VMOVU#.Z (%s)(AX*1), K3, ~2", reg)
						default:
							put("VMASKMOV# (%s)(AX*1), Y5, Y2", reg)
						}
						take(k)
					}
					put("VMOVU# ~0, (DI)(AX*1)")
					put("VMOVU# ~1, (DX)(AX*1)")
				}
				put("XORL AX, AX")
				put("TESTQ BX, BX")
				put("JEQ %srest", l)
				put("PCALIGN $32")
				label(l + "columns")
				columns(false)
				put("ADDQ $%d, AX", i.bytes)
				put("CMPQ AX, BX")
				put("JLT %scolumns", l)
				label(l + "rest")
				put("TESTQ R9, R9")
				put("JEQ %snext", l)
				columns(true)
				label(l + "next")
				put("LEAQ (%s)(R8*1), SI", at[n-1])
				put("SUBQ $%d, CX", n)
			}
			put("SUBQ $4, CX")
			put("JLT few")
			rows(4)
			put("JGE rows4")
			label("few")
			put("ADDQ $4, CX")
			put("JLE done")
			rows(1)
			put("JGT rows1")
			label("done")
			put("VZEROUPPER")
			put("RET")
		}
	}
	files["extreme_"+i.file()+".s"], files["extreme_"+i.file()+".go"] = s.Bytes(), d.Bytes()
}
