package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// genReduce returns the assembly of the reductions by file name.
func genReduce() map[string][]byte {
	var s, d, table bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n" + strings.ReplaceAll(maskTable, "gemmMask", "foldMask"))
	for _, row := range reductions {
		var cells []string
		for _, f := range row.of {
			r := &reduce{reduction: f, name: row.name + "_" + f.t.String(), w: &s}
			r.fold()
			r.foldRows()
			r.accumulate()
			cells = append(cells, fmt.Sprintf("%s: {%s}", typeNames[f.t], strings.Join(r.names, ", ")))
			fmt.Fprintf(&d, reduceDecls, r.names[0], r.names[1], r.names[2])
		}
		fmt.Fprintf(&table, "\t{%s}, // %s\n", strings.Join(cells, ", "), row.name)
	}
	head := fmt.Sprintf(reduceHead, gemmHead, modulePath+"/internal/dtype", table.Bytes())
	return map[string][]byte{"reduce_avx2_amd64.s": s.Bytes(), "reduce_avx2_amd64.go": formatted(append([]byte(head), d.Bytes()...))}
}

const reduceHead = `%s
package asm

import (
	"unsafe"

	%q
)

// Reduction is what package kernels wants of a level for one reduction in one type.
type Reduction struct {
	Fold       func(lanes, src unsafe.Pointer, n int)
	FoldRows   func(dst, src unsafe.Pointer, rows, n int)
	Accumulate func(acc, src unsafe.Pointer, rows, n int)
}

// ReductionsAVX2 holds the reductions by what they do and the type of the elements.
var ReductionsAVX2 = [...][dtype.Count]Reduction{
%s}
`

const reduceDecls = `
//go:noescape
func %s(lanes, src unsafe.Pointer, n int)

//go:noescape
func %s(dst, src unsafe.Pointer, rows, n int)

//go:noescape
func %s(acc, src unsafe.Pointer, rows, n int)
`

// reduction is one in one type: the bits it starts from, and its instruction with b, a, a: a = a ∘ b.
type reduction struct {
	t     dtype.Type
	start uint64
	inst  string
}

// The least of floats is min(a, b) | min(b, a): the machine's gives b where there is no order, so that
// this is -0 if one of two zeros is, and NaN if either is. The greatest is that of the opposites.
const leastF, greatestF, greatestI64, leastI64 = "least", "greatest", "greatest int64", "least int64"

var reductions = []struct {
	name string
	of   []reduction
}{
	{"sum", []reduction{{dtype.I32, 0, "VPADDD"}, {dtype.I64, 0, "VPADDQ"}, {dtype.F32, 0, "VADDPS"}, {dtype.F64, 0, "VADDPD"}}},
	{"prod", []reduction{{dtype.I32, 1, "VPMULLD"}, {dtype.F32, 0x3f800000, "VMULPS"}, {dtype.F64, 0x3ff0000000000000, "VMULPD"}}},
	{"max", []reduction{{dtype.I32, 0x80000000, "VPMAXSD"}, {dtype.I64, 0x8000000000000000, greatestI64},
		{dtype.F32, 0xff800000, greatestF}, {dtype.F64, 0xfff0000000000000, greatestF}}},
	{"min", []reduction{{dtype.I32, 0x7fffffff, "VPMINSD"}, {dtype.I64, 0x7fffffffffffffff, leastI64},
		{dtype.F32, 0x7f800000, leastF}, {dtype.F64, 0x7ff0000000000000, leastF}}},
}

// reduce writes one reduction's functions. Y0…Y3 are the lanes or four vectors of an accumulator, of
// opposites for the greatest; Y13 is the sign bit for that, Y12 a mask.
type reduce struct {
	reduction
	name  string
	names []string // of the functions so far
	w     *bytes.Buffer
}

// p prints a line: in it # is PS or PD.
func (r *reduce) p(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "#", r.by("PS", "PD"))
	if !strings.HasSuffix(line, ":") && !strings.HasPrefix(line, "TEXT") && line != "" {
		line = "\t" + line
	}
	r.w.WriteString(line + "\n")
}

// by chooses by the size of the elements.
func (r *reduce) by(four, eight string) string {
	if r.t.Size() == 4 {
		return four
	}
	return eight
}

// begin is a function's head; CX and BX are n, in bytes.
func (r *reduce) begin(name, args string, bytes int) {
	name = avx2.funcName(name + "_" + r.name)
	r.names = append(r.names, name)
	fmt.Fprintf(r.w, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-%[3]d\n", name, args, bytes)
	if r.inst == greatestF {
		r.p("VPCMPEQD Y13, Y13, Y13")
		r.p("VPSLL%s, Y13, Y13", r.by("D $31", "Q $63"))
	}
}

// flip makes a value its opposite where opposites are what is kept.
func (r *reduce) flip(from, to string) {
	if r.inst == greatestF {
		r.p("VXOR# %s, %c13, %s", from, to[0], to)
	} else if from != to {
		r.p("VMOVU# %s, %s", from, to)
	}
}

// combine is acc = acc ∘ src, whether these are lanes (src an opposite, too, if kept) of 16 or 32 bytes.
// t, t+1 are registers to use.
func (r *reduce) combine(acc, src string, t int) {
	x, y := fmt.Sprint(acc[:1], t), fmt.Sprint(acc[:1], t+1)
	switch r.inst {
	case leastF, greatestF:
		r.p("VMIN# %s, %s, %s", src, acc, x)
		r.p("VMIN# %s, %s, %s", acc, src, y)
		r.p("VOR# %s, %s, %s", x, y, acc)
	case greatestI64:
		r.p("VPCMPGTQ %s, %s, %s", src, acc, x)
		r.p("VBLENDVPD %s, %s, %s, %s", x, acc, src, acc)
	case leastI64:
		r.p("VPCMPGTQ %s, %s, %s", src, acc, x)
		r.p("VBLENDVPD %s, %s, %s, %s", x, src, acc, acc)
	default:
		r.p("%s %s, %s, %[3]s", r.inst, src, acc)
	}
}

// add is vector v of the accumulator, acc = acc ∘ memory; only what is under the mask if masked.
func (r *reduce) add(v int, addr string, masked bool) {
	acc, src := fmt.Sprint("Y", v), fmt.Sprint("Y", 4+v)
	if masked {
		r.p("VMASKMOV# %s, Y12, %s", addr, src)
		r.flip(src, src)
		r.p("VMOVAPS %s, Y8", acc)
		r.combine("Y8", src, 9)
		r.p("VBLENDV# Y12, Y8, %s, %[1]s", acc)
		return
	}
	if r.t.IsFloat() && !strings.HasSuffix(r.inst, "st") || strings.HasPrefix(r.inst, "VP") {
		src = addr // as an operand
	} else {
		r.flip(addr, src)
	}
	r.combine(acc, src, 8+2*(v%2))
}

// run folds the run of BX bytes at SI into Y0…Y3. It uses AX, CX, R13.
func (r *reduce) run() {
	r.p("MOVQ SI, AX")
	r.p("MOVQ BX, CX")
	r.p("SUBQ $128, CX")
	r.p("JLT rest")
	r.p("PCALIGN $32")
	r.p("loop:")
	for v := range 4 {
		r.add(v, fmt.Sprintf("%d(AX)", 32*v), false)
	}
	r.p("ADDQ $128, AX")
	r.p("SUBQ $128, CX")
	r.p("JGE loop")
	r.p("rest:")
	r.p("ADDQ $128, CX // what is left, a part of the lanes")
	r.p("JEQ whole")
	r.p("LEAQ foldMask<>+128(SB), R13")
	r.p("SUBQ CX, R13")
	for v := range 4 {
		if v > 0 {
			r.p("CMPQ CX, $%d", 32*v)
			r.p("JLE whole")
		}
		r.p("VMOVUPS %d(R13), Y12", 32*v)
		r.add(v, fmt.Sprintf("%d(AX)", 32*v), true)
	}
	r.p("whole:")
}

func (r *reduce) bytes(reg string) {
	r.p("SHLQ $%s, %s", r.by("2", "3"), reg)
}

func (r *reduce) fold() {
	r.begin("fold", "lanes, src unsafe.Pointer, n int", 24)
	r.p("MOVQ lanes+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ n+16(FP), BX")
	r.bytes("BX")
	for v := range 4 {
		r.flip(fmt.Sprintf("%d(DI)", 32*v), fmt.Sprint("Y", v))
	}
	r.run()
	for v := range 4 {
		r.flip(fmt.Sprint("Y", v), fmt.Sprint("Y", v))
		r.p("VMOVU# Y%d, %d(DI)", v, 32*v)
	}
	r.p("VZEROUPPER")
	r.p("RET")
}

// foldRows: lanes that start afresh for each row and are halved at its end.
func (r *reduce) foldRows() {
	r.begin("foldRows", "dst, src unsafe.Pointer, rows, n int", 32)
	r.p("MOVQ dst+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ rows+16(FP), DX")
	r.p("MOVQ n+24(FP), BX")
	r.bytes("BX")
	r.p("MOVQ $%#x, AX", r.start)
	r.p("VMOVQ AX, X14")
	r.p("VPBROADCAST%s X14, Y14", r.by("D", "Q"))
	r.flip("Y14", "Y14")
	r.p("TESTQ DX, DX")
	r.p("JLE done")
	r.p("row:")
	for v := range 4 {
		r.p("VMOVAPS Y14, Y%d", v)
	}
	r.run()
	r.combine("Y0", "Y2", 8)
	r.combine("Y1", "Y3", 10)
	r.combine("Y0", "Y1", 8)
	r.p("VEXTRACTF128 $1, Y0, X1")
	r.combine("X0", "X1", 8)
	if r.t.Size() == 4 {
		r.p("VMOVHLPS X0, X0, X1")
		r.combine("X0", "X1", 8)
		r.p("VMOVSHDUP X0, X1")
	} else {
		r.p("VUNPCKHPD X0, X0, X1")
	}
	r.combine("X0", "X1", 8)
	r.flip("X0", "X0")
	r.p("%s X0, (DI)", r.by("VMOVSS", "VMOVSD"))
	r.p("ADDQ $%d, DI", r.t.Size())
	r.p("ADDQ BX, SI")
	r.p("DECQ DX")
	r.p("JNZ row")
	r.p("done:")
	r.p("VZEROUPPER")
	r.p("RET")
}

// accumulate: columns of four vectors, then of one, then what is left, each down all rows.
func (r *reduce) accumulate() {
	r.begin("accumulate", "acc, src unsafe.Pointer, rows, n int", 32)
	r.p("MOVQ acc+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ rows+16(FP), DX")
	r.p("MOVQ n+24(FP), BX")
	r.bytes("BX")
	r.p("MOVQ BX, CX")
	r.p("TESTQ DX, DX")
	r.p("JLE done")
	down := func(vecs int, masked bool) {
		for v := range vecs {
			if masked {
				r.p("VMASKMOV# (DI), Y12, Y0")
				r.flip("Y0", "Y0")
			} else {
				r.flip(fmt.Sprintf("%d(DI)", 32*v), fmt.Sprint("Y", v))
			}
		}
		label := fmt.Sprint("down", vecs)
		if masked {
			label = "downpart"
		}
		r.p("MOVQ SI, AX")
		r.p("MOVQ DX, R8")
		r.p("%s:", label)
		for v := range vecs {
			addr := fmt.Sprintf("%d(AX)", 32*v)
			if masked { // what lies beyond the mask is zeros, and not stored
				r.p("VMASKMOV# %s, Y12, Y4", addr)
				r.flip("Y4", "Y4")
				r.combine("Y0", "Y4", 8)
			} else {
				r.add(v, addr, false)
			}
		}
		r.p("ADDQ BX, AX")
		r.p("DECQ R8")
		r.p("JNZ %s", label)
		for v := range vecs {
			r.flip(fmt.Sprint("Y", v), fmt.Sprint("Y", v))
			if !masked {
				r.p("VMOVU# Y%d, %d(DI)", v, 32*v)
			}
		}
		if !masked {
			r.p("ADDQ $%d, SI", 32*vecs)
			r.p("ADDQ $%d, DI", 32*vecs)
			r.p("SUBQ $%d, CX", 32*vecs)
		}
	}
	r.p("SUBQ $128, CX")
	r.p("JLT few")
	r.p("four:")
	down(4, false)
	r.p("JGE four")
	r.p("few:")
	r.p("ADDQ $96, CX")
	r.p("JLT rest")
	r.p("one:")
	down(1, false)
	r.p("JGE one")
	r.p("rest:")
	r.p("ADDQ $32, CX")
	r.p("JEQ done")
	r.p("LEAQ foldMask<>+128(SB), R13")
	r.p("SUBQ CX, R13")
	r.p("VMOVUPS (R13), Y12")
	down(1, true)
	for part := 16; part >= r.t.Size(); part /= 2 {
		r.p("TESTQ $%d, CX", part)
		r.p("JEQ without%d", part)
		switch part {
		case 16:
			r.p("VMOVU# X0, (DI)")
			r.p("VEXTRACTF128 $1, Y0, X0")
		case 8:
			r.p("VMOVLPS X0, (DI)")
			r.p("VMOVHLPS X0, X0, X0")
		case 4:
			r.p("VMOVSS X0, (DI)")
		}
		r.p("ADDQ $%d, DI", part)
		r.p("without%d:", part)
	}
	r.p("done:")
	r.p("VZEROUPPER")
	r.p("RET")
}
