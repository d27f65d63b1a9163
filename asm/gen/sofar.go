package main

import (
	"bytes"
	"fmt"
	"strings"
)

// genSoFar returns the extremes of what came so far.
func genSoFar() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		i.soFar(files)
	}
	return files
}

// soFar: the machine's maximum of an element and what came before it is the latter where they are equal or one is NaN, so that only a NaN
// among the elements wants more. Along rows a vector's extremes so far are made in steps of 1, 2, 4 and 8 elements, each by lanes
// moved up, those that nothing comes to being repeated, and then joined with the extreme of all before, which is in all lanes of vector 0.
func (i isa) soFar(files map[string][]byte) {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	for _, size := range []int{4, 8} {
		i.soFarLanes(&s, size)
	}
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport \"unsafe\"\n", gemmHead)
	for _, t := range []struct {
		name, p, one string
		size         int
	}{{"F32", "PS", "SS", 4}, {"F64", "PD", "SD", 8}} {
		for _, kind := range []struct {
			name, op, what string
			start          uint64
		}{{"Least", "VMIN", "least", 0x7ff0 << 48}, {"Greatest", "VMAX", "greatest", 0xfff0 << 48}} {
			put := func(format string, args ...any) {
				fmt.Fprintf(&s, "\t"+strings.NewReplacer("EXTREME", kind.op, "#", t.p, "@", t.one, "~", string(i.reg)).Replace(format)+"\n", args...)
			}
			label := func(l string) { fmt.Fprintln(&s, l+":") }
			function := func(name, args, doc string, frame int) {
				name = kind.name + name + t.name + i.name
				fmt.Fprintf(&d, "\n// %s %s\n//\n//go:noescape\nfunc %[1]s(%[3]s)\n", name, doc, args)
				fmt.Fprintf(&s, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-%[3]d\n", name, args, frame)
			}
			shift := map[int]int{4: 2, 8: 3}[t.size]

			function("Rows", "y, x unsafe.Pointer, rows, n int", "makes y[k], in each of rows of n elements, the first of the "+kind.what+" of x[0] … x[k], NaN if one of them is.", 32)
			put("MOVQ y+0(FP), DI")
			put("MOVQ x+8(FP), SI")
			put("MOVQ rows+16(FP), CX")
			put("MOVQ n+24(FP), BX")
			put("SHLQ $%d, BX", shift)
			put("MOVQ BX, R10")
			put("ANDQ $-%d, R10 // bytes of a row's whole vectors", i.bytes)
			put("MOVQ $0x%x, AX", kind.start)
			put("VMOVQ AX, X15")
			if t.size == 4 {
				put("VCVTSD2SS X15, X15, X15")
			}
			lanes := i.soFarSteps(t.size)
			for k, l := range lanes {
				if l.table != "" {
					put("VMOVDQU%s soFar%s%d%s<>(SB), ~%d", map[bool]string{true: "32"}[i.masks], i.name, t.size, l.table, 8+k)
				}
			}
			put("TESTQ CX, CX")
			put("JLE done")
			label("row")
			put("VBROADCAST@ X15, ~0")
			put("XORL R11, R11")
			put("CMPQ R11, R10")
			put("JGE rest")
			put("PCALIGN $32")
			label("whole")
			put("VMOVU# (SI)(R11*1), ~1")
			if i.masks {
				put("VCMP# $3, ~1, ~1, K1")
				put("KORTESTW K1, K1")
			} else {
				put("VCMP# $3, Y1, Y1, Y2")
				put("VPTEST Y2, Y2")
			}
			put("JNE rest // a NaN comes")
			for k, l := range lanes[:len(lanes)-1] {
				put(l.text, 8+k, 1, 2)
				put("EXTREME# ~2, ~1, ~1")
			}
			put(lanes[len(lanes)-1].text, 8+len(lanes)-1, 1, 2)
			put("EXTREME# ~0, ~1, ~1")
			put("VMOVU# ~1, (DI)(R11*1)")
			put("EXTREME# ~0, ~2, ~0")
			put("ADDQ $%d, R11", i.bytes)
			put("CMPQ R11, R10")
			put("JLT whole")
			label("rest")
			put("CMPQ R11, BX")
			put("JGE next")
			put("VMOV@ (SI)(R11*1), X1")
			put("VUCOMI@ X1, X1")
			put("JPS fill")
			put("EXTREME@ X0, X1, X0")
			put("VMOV@ X0, (DI)(R11*1)")
			put("ADDQ $%d, R11", t.size)
			put("JMP rest")
			label("fill")
			put("VMOV@ X1, (DI)(R11*1)")
			put("ADDQ $%d, R11", t.size)
			put("CMPQ R11, BX")
			put("JLT fill")
			label("next")
			put("ADDQ BX, SI")
			put("ADDQ BX, DI")
			put("DECQ CX")
			put("JNZ row")
			label("done")
			put("VZEROUPPER")
			put("RET")

			function("Next", "y, last, x unsafe.Pointer, n int", "makes y[k] the "+kind.what+" of last[k] and x[k], the former if they are equal, NaN if one of them is.", 32)
			put("MOVQ y+0(FP), DI")
			put("MOVQ last+8(FP), DX")
			put("MOVQ x+16(FP), SI")
			put("MOVQ n+24(FP), BX")
			put("SHLQ $%d, BX", shift)
			put("MOVQ BX, R10")
			put("ANDQ $-%d, R10", i.bytes)
			put("XORL R11, R11")
			put("CMPQ R11, R10")
			put("JGE rest")
			put("PCALIGN $32")
			label("whole")
			put("VMOVU# (SI)(R11*1), ~1")
			put("EXTREME# (DX)(R11*1), ~1, ~2")
			if i.masks {
				put("VCMP# $3, ~1, ~1, K1")
				put("VMOVU# ~1, K1, ~2")
			} else {
				put("VCMP# $3, Y1, Y1, Y3")
				put("VBLENDV# Y3, Y1, Y2, Y2")
			}
			put("VMOVU# ~2, (DI)(R11*1)")
			put("ADDQ $%d, R11", i.bytes)
			put("CMPQ R11, R10")
			put("JLT whole")
			label("rest")
			put("CMPQ R11, BX")
			put("JGE done")
			put("VMOV@ (SI)(R11*1), X1")
			put("EXTREME@ (DX)(R11*1), X1, X2")
			put("VUCOMI@ X1, X1")
			put("JPC number")
			put("VMOVAPS X1, X2")
			label("number")
			put("VMOV@ X2, (DI)(R11*1)")
			put("ADDQ $%d, R11", t.size)
			put("JMP rest")
			label("done")
			put("VZEROUPPER")
			put("RET")
		}
	}
	files["sofar_"+i.file()+".s"], files["sofar_"+i.file()+".go"] = s.Bytes(), formatted(d.Bytes())
}

// A soFarStep moves a vector's lanes: its text takes the numbers of a vector of lanes' numbers, of the source and of the result. table is
// that vector's name; "": it needs none.
type soFarStep struct{ text, table string }

// soFarSteps moves elements up by 1, 2, 4 and 8 lanes, as far as a vector has them, and at last the last one to all lanes.
func (i isa) soFarSteps(size int) []soFarStep {
	across := "VPERMPS ~%[2]d, ~%[1]d, ~%[3]d"
	steps := []soFarStep{{"VPERMILPS $0x90, ~%[2]d, ~%[3]d", ""}, {"VPERMILPS $0x44, ~%[2]d, ~%[3]d", ""}}
	if size == 8 {
		steps = []soFarStep{{"VMOVDDUP ~%[2]d, ~%[3]d", ""}}
	}
	steps = append(steps, soFarStep{across, "Quarter"})
	if i.masks {
		steps[len(steps)-1].table = "Quarters"
		steps = append(steps, soFarStep{across, "Half"})
	}
	return append(steps, soFarStep{across, "Last"})
}

// soFarLanes writes the tables of lanes, of 32 bits: where elements of 128 bits come from those before, and of 256.
func (i isa) soFarLanes(s *bytes.Buffer, size int) {
	per, lanes := size/4, i.bytes/4
	table := func(name string, from func(elem int) int) {
		full := fmt.Sprintf("soFar%s%d%s<>", i.name, size, name)
		fmt.Fprintln(s)
		for k := 0; k < lanes; k += 2 {
			lane := func(k int) uint64 { return uint64(from(k/per)*per + k%per) }
			fmt.Fprintf(s, "DATA %s+%d(SB)/8, $%#x\n", full, 4*k, lane(k)|lane(k+1)<<32)
		}
		fmt.Fprintf(s, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", full, i.bytes)
	}
	four, all := 4/per, lanes/per
	joined := func(width int) func(int) int { // the second half of each width elements is the first half's last one
		return func(k int) int {
			if k%width < width/2 {
				return k
			}
			return k - k%width + width/2 - 1
		}
	}
	if i.masks {
		table("Quarters", joined(2*four))
		table("Half", joined(all))
	} else {
		table("Quarter", joined(all))
	}
	table("Last", func(int) int { return all - 1 })
}
