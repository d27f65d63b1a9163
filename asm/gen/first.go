package main

import (
	"bytes"
	"fmt"
	"strings"
)

// genFirst returns the searches for an element that is there.
func genFirst() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		i.first(files)
	}
	return files
}

func (i isa) first(files map[string][]byte) {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	if !i.masks {
		s.WriteString(strings.ReplaceAll(maskTable, "gemmMask", "firstMask"))
	}
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, equal string
		size           int
	}{{"F32", "PS", "VCMPPS $0,", 4}, {"F64", "PD", "VCMPPD $0,", 8}, {"I32", "PS", "VPCMPEQD", 4}, {"I64", "PD", "VPCMPEQQ", 8}} {
		const args = "at, x, want unsafe.Pointer, rows, n int"
		name := "First" + t.name + i.name
		fmt.Fprintf(&d, "\n// %s sets at[r], an int64, to where in row r of n elements the first is that is want[r] or a NaN. One is.\n"+
			"//\n//go:noescape\nfunc %[1]s(%[2]s)\n", name, args)
		put := func(format string, args ...any) {
			fmt.Fprintf(&s, "\t"+strings.NewReplacer("#", t.p, "~", string(i.reg)).Replace(format)+"\n", args...)
		}
		fmt.Fprintf(&s, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-40\n", name, args)
		put("MOVQ at+0(FP), DI")
		put("MOVQ x+8(FP), SI")
		put("MOVQ want+16(FP), DX")
		put("MOVQ rows+24(FP), CX")
		put("MOVQ n+32(FP), BX")
		put("SHLQ $%d, BX", map[int]int{4: 2, 8: 3}[t.size])
		put("MOVQ BX, R8")
		put("ANDQ $%d, R8 // bytes of a row's last, unfinished vector", i.bytes-1)
		put("MOVQ BX, R10")
		put("SUBQ R8, R10")
		if i.masks {
			put("MOVQ R8, R9")
			put("SHRQ $%d, R9", map[int]int{4: 2, 8: 3}[t.size])
			put("MOVL $-1, AX")
			put("BZHIL R9, AX, AX")
			put("KMOVW AX, K3")
		} else {
			put("LEAQ firstMask<>+128(SB), R9")
			put("SUBQ R8, R9")
			put("VMOVUPS (R9), Y3")
		}
		// look leaves in AX a bit for each element of ~1 that is wanted.
		look := func() {
			if i.masks {
				put("%s ~1, ~0, K1", t.equal)
				if t.name[0] == 'F' {
					put("VCMP# $3, ~1, ~1, K2")
					put("KORW K1, K2, K1")
				}
				put("KMOVW K1, AX")
				return
			}
			put("%s Y1, Y0, Y2", t.equal)
			if t.name[0] == 'F' {
				put("VCMP# $3, Y1, Y1, Y1")
				put("VOR# Y1, Y2, Y2")
			}
			put("VMOVMSK# Y2, AX")
		}
		put("LEAQ %d(R10), R12", -4*i.bytes)
		put("TESTQ CX, CX")
		put("JLE done")
		fmt.Fprintln(&s, "row:")
		put("VBROADCAST%s (DX), ~0", strings.Replace(t.p, "P", "S", 1))
		put("XORL R11, R11")
		// Four vectors at a time up to where it is, unless that is a NaN.
		put("TESTQ R12, R12")
		put("JLT few")
		if t.name[0] == 'F' {
			put("VUCOMIS%s X0, X0", t.p[1:])
			put("JPS few")
		}
		put("PCALIGN $32")
		fmt.Fprintln(&s, "four:")
		for v := range 4 {
			if i.masks {
				put("%s %d(SI)(R11*1), ~0, K%d", t.equal, v*i.bytes, []int{1, 2, 4, 5}[v])
			} else {
				put("%s %d(SI)(R11*1), Y0, Y%d", t.equal, v*i.bytes, []int{1, 2, 4, 5}[v])
			}
		}
		if i.masks {
			put("KORW K1, K2, K1")
			put("KORW K4, K5, K4")
			put("KORTESTW K1, K4")
		} else {
			put("VOR# Y1, Y2, Y1")
			put("VOR# Y4, Y5, Y4")
			put("VOR# Y1, Y4, Y1")
			put("VPTEST Y1, Y1")
		}
		put("JNE few")
		put("ADDQ $%d, R11", 4*i.bytes)
		put("CMPQ R11, R12")
		put("JLE four")
		fmt.Fprintln(&s, "few:")
		put("CMPQ R11, R10")
		put("JGE rest")
		fmt.Fprintln(&s, "whole:")
		put("VMOVU# (SI)(R11*1), ~1")
		look()
		put("TESTL AX, AX")
		put("JNE found")
		put("ADDQ $%d, R11", i.bytes)
		put("CMPQ R11, R10")
		put("JLT whole")
		fmt.Fprintln(&s, "rest:")
		if i.masks {
			put("VMOVU#.Z (SI)(R11*1), K3, ~1")
		} else {
			put("VMASKMOV# (SI)(R11*1), Y3, Y1")
		}
		look()
		fmt.Fprintln(&s, "found:")
		put("TZCNTL AX, AX")
		put("SHRQ $%d, R11", map[int]int{4: 2, 8: 3}[t.size])
		put("ADDQ R11, AX")
		put("MOVQ AX, (DI)")
		put("ADDQ $8, DI")
		put("ADDQ $%d, DX", t.size)
		put("ADDQ BX, SI")
		put("DECQ CX")
		put("JNZ row")
		fmt.Fprintln(&s, "done:")
		put("VZEROUPPER")
		put("RET")
	}
	files["first_"+i.file()+".s"], files["first_"+i.file()+".go"] = s.Bytes(), d.Bytes()
}
