package main

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// genReduce returns the assembly of the reductions by file name.
func genReduce() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		var s, d, table bytes.Buffer
		s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
		if !i.masks {
			s.WriteString(strings.ReplaceAll(maskTable, "gemmMask", "foldMask"))
		} else {
			for k, x := range []int{0, 2, 4, 6, 1, 3, 5, 7} {
				fmt.Fprintf(&s, "DATA pairOrder<>+%d(SB)/8, $%d\n", 8*k, x)
			}
			s.WriteString("GLOBL pairOrder<>(SB), RODATA|NOPTR, $64\n")
		}
		for _, row := range reductions {
			var cells []string
			for _, f := range row.of {
				if i.masks && native[f.inst] != "" {
					f.inst = native[f.inst]
				}
				// Four sums of 32 bytes each overlap, two of 64 have a longer latency as well: for floats, whose
				// folds are bound by that, lanes stay in narrow registers, and only their masks are new.
				narrow := i.masks && f.t.IsFloat()
				lanes := i
				if narrow {
					lanes.reg, lanes.bytes = 'Y', avx2.bytes
				}
				r := &reduce{isa: lanes, reduction: f, of: row.name + "_" + f.t.String(), vecs: 128 / lanes.bytes, ranges: narrow && strings.HasSuffix(f.inst, "st"), w: &s, d: &d}
				if !narrow {
					r.fold()
				}
				r.foldRows(i)
				r.isa = i
				r.accumulate()
				cells = append(cells, fmt.Sprintf("%s: {%s}", typeNames[f.t], strings.Join(r.cell, ", ")))
			}
			fmt.Fprintf(&table, "\t{%s}, // %s\n", strings.Join(cells, ", "), row.name)
		}
		fmt.Fprintf(&d, "\n// Reductions%s holds the reductions by what they do and the type of the elements.\n"+
			"var Reductions%[1]s = [...][dtype.Count]Reduction{\n%s}\n", i.name, table.Bytes())
		head := fmt.Sprintf(reduceHead, gemmHead, modulePath+"/internal/dtype")
		files["reduce_"+i.file()+".s"], files["reduce_"+i.file()+".go"] = s.Bytes(), formatted(append([]byte(head), d.Bytes()...))
	}
	return files
}

const reduceHead = `%s
package asm

import (
	"unsafe"

	%q
)

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

// native are those that are one instruction where there are mask registers.
var native = map[string]string{greatestI64: "VPMAXSQ", leastI64: "VPMINSQ"}

// reduce writes one reduction's functions. Vectors 0 to 3 are the lanes or a part of an accumulator, of
// opposites for the greatest; vector 13 is the sign bit for that, Y12 a mask.
type reduce struct {
	isa
	reduction
	of     string
	vecs   int      // of lanes
	ranges bool     // there is an instruction for extremes of floats
	cell   []string // of the functions so far
	w, d   *bytes.Buffer
}

// p prints a line: in it # is PS or PD, ~ the letter of the registers.
func (r *reduce) p(format string, args ...any) {
	line := strings.NewReplacer("#", r.by("PS", "PD"), "~", string(r.reg)).Replace(fmt.Sprintf(format, args...))
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
func (r *reduce) begin(field, args string, bytes int) {
	name := r.funcName(strings.ToLower(field[:1]) + field[1:] + "_" + r.of)
	r.cell = append(r.cell, field+": "+name)
	fmt.Fprintf(r.d, "\n//go:noescape\nfunc %s(%s)\n", name, args)
	fmt.Fprintf(r.w, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-%[3]d\n", name, args, bytes)
	if r.inst == greatestF {
		if r.masks {
			r.p("VPTERNLOGD $0xff, ~13, ~13, ~13")
		} else {
			r.p("VPCMPEQD ~13, ~13, ~13")
		}
		r.p("VPSLL%s, ~13, ~13", r.by("D $31", "Q $63"))
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

// combine is acc = acc ∘ src, whether these are lanes (src an opposite, too, if kept) of a vector or a part
// of it, under a mask register if one is named. t, t+1 are registers to use.
func (r *reduce) combine(acc, src string, t int, mask string) {
	x, y := fmt.Sprint(acc[:1], t), fmt.Sprint(acc[:1], t+1)
	if mask != "" {
		mask += ", "
	}
	switch r.inst {
	case leastF, greatestF:
		r.p("VMIN# %s, %s, %s", src, acc, x)
		r.p("VMIN# %s, %s, %s", acc, src, y)
		r.p("VOR# %s, %s, %s%s", x, y, mask, acc)
	case greatestI64:
		r.p("VPCMPGTQ %s, %s, %s", src, acc, x)
		r.p("VBLENDVPD %s, %s, %s, %s", x, acc, src, acc)
	case leastI64:
		r.p("VPCMPGTQ %s, %s, %s", src, acc, x)
		r.p("VBLENDVPD %s, %s, %s, %s", x, src, acc, acc)
	default:
		r.p("%s %s, %s, %s%[3]s", r.inst, src, acc, mask)
	}
}

// add is vector v of the accumulator, acc = acc ∘ memory; only what is under the mask if there is one.
func (r *reduce) add(v int, addr, mask string) {
	acc, src := r.vector(v), r.vector(4+v)
	if mask != "" && !r.masks {
		r.p("VMASKMOV# %s, %s, %s", addr, mask, src)
		r.flip(src, src)
		r.p("VMOVAPS %s, Y8", acc)
		r.combine("Y8", src, 9, "")
		r.p("VBLENDV# %s, Y8, %s, %[2]s", mask, acc)
		return
	}
	switch {
	case r.t.IsFloat() && !strings.HasSuffix(r.inst, "st") || strings.HasPrefix(r.inst, "VP"):
		src = addr // as an operand
	case mask != "":
		r.p("VMOVU#.Z %s, %s, %s", addr, mask, src)
		r.flip(src, src)
	default:
		r.flip(addr, src)
	}
	r.combine(acc, src, 8+2*(v%2), mask)
}

func (r *reduce) vector(v int) string { return fmt.Sprintf("%c%d", r.reg, v) }

// at is the address of vector v from a register.
func (r *reduce) at(v int, reg string) string { return fmt.Sprintf("%d(%s)", r.bytes*v, reg) }

// maskOf makes K1 … those of so many vectors of which CX bytes are in use. It uses AX.
func (r *reduce) maskOf(cx string, vecs int) {
	r.p("SHRQ $%s, %s", r.by("2", "3"), cx)
	(&gemm{isa: r.isa, perVec: r.bytes / r.t.Size(), w: r.w}).mask(cx, vecs)
}

// tail prepares run: K1 and K2 are the masks of what is left behind whole lanes. It uses AX, CX.
func (r *reduce) tail() {
	if r.masks {
		r.p("MOVQ BX, CX")
		r.p("ANDQ $127, CX")
		r.maskOf("CX", r.vecs)
	}
}

// run folds the run of BX bytes at SI into the lanes. It uses AX, CX, R13.
func (r *reduce) run() {
	r.p("MOVQ SI, AX")
	r.p("MOVQ BX, CX")
	r.p("SUBQ $128, CX")
	r.p("JLT rest")
	if r.ranges {
		r.wholeLanes()
	} else {
		r.p("PCALIGN $32")
		r.p("loop:")
		r.p("PREFETCHT0 2048(AX)")
		r.p("PREFETCHT0 2112(AX)")
		for v := range r.vecs {
			r.add(v, r.at(v, "AX"), "")
		}
		r.p("ADDQ $128, AX")
		r.p("SUBQ $128, CX")
		r.p("JGE loop")
	}
	r.p("rest:")
	r.p("ADDQ $128, CX // what is left, a part of the lanes")
	r.p("JEQ whole")
	if !r.masks {
		r.p("LEAQ foldMask<>+128(SB), R13")
		r.p("SUBQ CX, R13")
	}
	for v := range r.vecs {
		if v > 0 {
			r.p("CMPQ CX, $%d", r.bytes*v)
			r.p("JLE whole")
		}
		mask := fmt.Sprint("K", 1+v)
		if !r.masks {
			mask = "Y12"
			r.p("VMOVUPS %s, Y12", r.at(v, "R13"))
		}
		r.add(v, r.at(v, "AX"), mask)
	}
	r.p("whole:")
}

// wholeLanes is run's loop for extremes of floats from their start on: AVX-512's own order the zeros, but give a number rather than a NaN, which
// is remembered apart. What whole vectors have becomes the four of the lanes.
func (r *reduce) wholeLanes() {
	imm := map[string]int{leastF: 4, greatestF: 5}[r.inst]
	r.p("VMOVU# (AX), Z0")
	r.p("VMOVU# 64(AX), Z1")
	r.p("VCMP# $3, Z0, Z1, K6")
	r.p("ADDQ $128, AX")
	r.p("SUBQ $128, CX")
	r.p("JLT folded")
	r.p("PCALIGN $32")
	r.p("loop:")
	r.p("PREFETCHT0 2048(AX)")
	r.p("PREFETCHT0 2112(AX)")
	r.p("VMOVU# (AX), Z2")
	r.p("VMOVU# 64(AX), Z3")
	r.p("VCMP# $3, Z2, Z3, K7")
	r.p("KORW K7, K6, K6")
	r.p("VRANGE# $%d, Z2, Z0, Z0", imm)
	r.p("VRANGE# $%d, Z3, Z1, Z1", imm)
	r.p("ADDQ $128, AX")
	r.p("SUBQ $128, CX")
	r.p("JGE loop")
	r.p("folded:")
	r.p("VEXTRACTF64X4 $1, Z1, Y3")
	r.p("VMOVAPS Y1, Y2")
	r.p("VEXTRACTF64X4 $1, Z0, Y1")
	for v := range 4 {
		r.flip(r.vector(v), r.vector(v))
	}
	r.p("KORTESTW K6, K6")
	r.p("JEQ rest")
	r.p("VPCMPEQD Y0, Y0, Y0 // a NaN")
}

func (r *reduce) toBytes(reg string) {
	r.p("SHLQ $%s, %s", r.by("2", "3"), reg)
}

func (r *reduce) fold() {
	r.begin("Fold", "lanes, src unsafe.Pointer, n int", 24)
	r.p("MOVQ lanes+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ n+16(FP), BX")
	r.toBytes("BX")
	r.tail()
	for v := range r.vecs {
		r.flip(r.at(v, "DI"), r.vector(v))
	}
	r.run()
	for v := range r.vecs {
		r.flip(r.vector(v), r.vector(v))
		r.p("VMOVU# %s, %s", r.vector(v), r.at(v, "DI"))
	}
	r.p("VZEROUPPER")
	r.p("RET")
}

// foldRows: short rows side by side; else, lanes that start afresh for each row and are halved at its end. Whole vectors are i's.
func (r *reduce) foldRows(i isa) {
	r.begin("FoldRows", "dst, src unsafe.Pointer, rows, n int", 32)
	r.p("MOVQ dst+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ rows+16(FP), DX")
	r.p("MOVQ n+24(FP), BX")
	r.toBytes("BX")
	r.p("MOVQ $%#x, AX", r.start)
	r.p("VMOVQ AX, X14")
	r.p("VPBROADCAST%s X14, ~14", r.by("D", "Q"))
	r.flip(r.vector(14), r.vector(14))
	whole := *r
	whole.isa = i
	whole.shortRows()
	r.tail()
	r.p("TESTQ DX, DX")
	r.p("JLE done")
	r.p("row:")
	for v := range r.vecs {
		r.p("VMOVAPS ~14, ~%d", v)
	}
	r.run()
	for n := r.vecs / 2; n > 0; n /= 2 {
		for v := range n {
			r.combine(r.vector(v), r.vector(n+v), 8+2*v, "")
		}
	}
	if r.bytes == 64 {
		r.p("VEXTRACTF64X4 $1, Z0, Y1")
		r.combine("Y0", "Y1", 8, "")
	}
	r.p("VEXTRACTF128 $1, Y0, X1")
	r.combine("X0", "X1", 8, "")
	if r.t.Size() == 4 {
		r.p("VMOVHLPS X0, X0, X1")
		r.combine("X0", "X1", 8, "")
		r.p("VMOVSHDUP X0, X1")
	} else {
		r.p("VUNPCKHPD X0, X0, X1")
	}
	r.combine("X0", "X1", 8, "")
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

// shortRows does as many rows side by side as a vector has elements, as often as it can, if a row is no longer than the lanes: of
// two rows' vectors the halves that meet make two vectors, these one, and so on. It uses AX, CX, R8, R9, R13.
func (r *reduce) shortRows() {
	size := r.t.Size()
	each := r.bytes / size
	r.p("CMPQ DX, $%d", each)
	r.p("JLT single")
	if r.masks {
		r.p("VPBROADCAST%s X14, ~14", r.by("D", "Q"))
		if r.inst == greatestF {
			r.p("VPBROADCAST%s X13, ~13", r.by("D", "Q"))
		}
	}
	r.pairs(each)
	// Of rows 16/size apart come the parts of 16 bytes, of rows side by side the elements in these.
	r.p("MOVQ BX, R8")
	r.p("SHLQ $%d, R8", bits.Len(uint(16/size))-1)
	r.p("LEAQ (R8)(R8*2), R9")
	for vecs := 1; vecs*r.bytes <= 128; vecs++ {
		r.p("CMPQ BX, $%d", vecs*r.bytes)
		r.p("JGT over%d", vecs)
		r.p("LEAQ %d(BX), CX // bytes of the last vector", (1-vecs)*r.bytes)
		if r.masks {
			r.maskOf("CX", 1)
		} else {
			r.p("LEAQ foldMask<>+128(SB), R13")
			r.p("SUBQ CX, R13")
			r.p("VMOVUPS (R13), Y12")
		}
		r.p("SUBQ $%d, DX", each)
		r.p("PCALIGN $32")
		r.p("rows%d:", vecs)
		r.p("MOVQ SI, AX")
		r.merged(0, 1, vecs)
		r.flip(r.vector(0), r.vector(0))
		r.p("VMOVU# ~0, (DI)")
		r.p("ADDQ $%d, DI", r.bytes)
		r.p("LEAQ (AX)(R%d*1), SI", map[int]int{2: 8, 4: 9}[r.bytes/16])
		r.p("SUBQ $%d, DX", each)
		r.p("JGE rows%d", vecs)
		r.p("ADDQ $%d, DX", each)
		r.p("JMP single")
		r.p("over%d:", vecs)
	}
	r.p("single:")
}

// pairs does rows of two elements, each of them by two vectors that lie side by side.
func (r *reduce) pairs(each int) {
	r.p("CMPQ BX, $%d", 2*r.t.Size())
	r.p("JNE longer")
	if r.masks {
		r.p("VMOVUPS pairOrder<>(SB), ~15")
	}
	r.p("SUBQ $%d, DX", each)
	r.p("PCALIGN $32")
	r.p("pairs:")
	r.begun(r.vector(0), "(SI)", false)
	r.begun(r.vector(1), fmt.Sprintf("%d(SI)", r.bytes), false)
	if r.t.Size() == 4 {
		r.merge(0, "VSHUFPS $0x88", "VSHUFPS $0xDD")
	} else {
		r.merge(0, "VUNPCKLPD", "VUNPCKHPD")
	}
	r.flip(r.vector(0), r.vector(0))
	if r.masks {
		r.p("VPERMPD ~0, ~15, ~0")
	} else {
		r.p("VPERMPD $0xd8, ~0, ~0")
	}
	r.p("VMOVU# ~0, (DI)")
	r.p("ADDQ $%d, DI", r.bytes)
	r.p("ADDQ $%d, SI", 2*r.bytes)
	r.p("SUBQ $%d, DX", each)
	r.p("JGE pairs")
	r.p("ADDQ $%d, DX", each)
	r.p("JMP single")
	r.p("longer:")
}

// merged leaves the rows from AX on in vector v, folded until h elements of each are left; AX becomes the row behind those
// whose elements lie in the first part of 16 bytes.
func (r *reduce) merged(v, h, vecs int) {
	if h*r.t.Size() == 16 {
		at := [...]string{"(AX)", "(AX)(R8*1)", "(AX)(R8*2)", "(AX)(R9*1)"}
		r.row(v, at[0], vecs)
		r.row(v+1, at[1], vecs)
		if r.bytes == 32 {
			r.merge(v, "VPERM2F128 $0x20", "VPERM2F128 $0x31")
		} else {
			r.merge(v, "VSHUFF64X2 $0x44", "VSHUFF64X2 $0xEE")
			r.row(v+1, at[2], vecs)
			r.row(v+2, at[3], vecs)
			r.merge(v+1, "VSHUFF64X2 $0x44", "VSHUFF64X2 $0xEE")
			r.merge(v, "VSHUFF64X2 $0x88", "VSHUFF64X2 $0xDD")
		}
		r.p("ADDQ BX, AX")
		return
	}
	r.merged(v, 2*h, vecs)
	r.merged(v+1, 2*h, vecs)
	switch {
	case r.t.Size() == 8:
		r.merge(v, "VUNPCKLPD", "VUNPCKHPD")
	case h == 2:
		r.merge(v, "VSHUFPS $0x44", "VSHUFPS $0xEE")
	default:
		r.merge(v, "VSHUFPS $0x88", "VSHUFPS $0xDD")
	}
}

// merge makes vectors v and v+1 one, of the elements that low takes from them folded with those that high takes.
func (r *reduce) merge(v int, low, high string) {
	comma := func(s string) string {
		if strings.Contains(s, "$") {
			return s + ","
		}
		return s
	}
	x, y := r.vector(v), r.vector(v+1)
	r.p("%s %s, %s, ~5", comma(high), y, x)
	r.p("%s %s, %s, %[3]s", comma(low), y, x)
	r.combine(x, r.vector(5), 7, "")
}

// row is vector v, folded from the row at an address, which has so many vectors, the last of them masked.
func (r *reduce) row(v int, at string, vecs int) {
	x := [...]string{r.vector(v), r.vector(9), r.vector(10), r.vector(6)}
	for k := range vecs {
		addr := at
		if k > 0 {
			addr = fmt.Sprint(k*r.bytes, at)
		}
		if k*r.bytes%64 == 0 && (r.inst == greatestF || r.inst == leastF) {
			r.p("PREFETCHT0 %d%s", 2048+k*r.bytes, at)
		}
		r.begun(x[k], addr, k == vecs-1)
	}
	if vecs > 2 {
		r.combine(x[0], x[2], 7, "")
	}
	if vecs > 3 {
		r.combine(x[1], x[3], 7, "")
	}
	if vecs > 1 {
		r.combine(x[0], x[1], 7, "")
	}
}

// begun is x = start ∘ memory, start where the last vector's mask is not set.
func (r *reduce) begun(x, at string, last bool) {
	plus := r.t.IsFloat() && r.start == 0 // else start ∘ memory is what is there; here -0 becomes 0
	switch {
	case !last && plus:
		r.p("%s %s, ~14, %s", r.inst, at, x)
	case !last:
		r.flip(at, x)
	case r.masks:
		r.p("VMOVAPS ~14, %s", x)
		switch {
		case r.inst == greatestF:
			r.p("VXOR# %s, ~13, K1, %s", at, x)
		case plus:
			r.combine(x, at, 7, "K1")
		default:
			r.p("VMOVU# %s, K1, %s", at, x)
		}
	default:
		r.p("VMASKMOV# %s, Y12, %s", at, x)
		r.flip(x, x)
		if r.start != 0 {
			r.p("VBLENDV# Y12, %s, ~14, %[1]s", x)
		}
		if plus {
			r.p("%s ~14, %s, %[2]s", r.inst, x)
		}
	}
}

// accumulate: columns of four vectors, then of one, then what is left, each down all rows.
func (r *reduce) accumulate() {
	r.begin("Accumulate", "acc, src unsafe.Pointer, rows, n int", 32)
	r.p("MOVQ acc+0(FP), DI")
	r.p("MOVQ src+8(FP), SI")
	r.p("MOVQ rows+16(FP), DX")
	r.p("MOVQ n+24(FP), BX")
	r.toBytes("BX")
	r.p("MOVQ BX, CX")
	r.p("TESTQ DX, DX")
	r.p("JLE done")
	down := func(vecs int, masked bool) {
		load := func(addr, to string) {
			if r.masks {
				r.p("VMOVU#.Z %s, K1, %s", addr, to)
			} else {
				r.p("VMASKMOV# %s, Y12, %s", addr, to)
			}
			r.flip(to, to)
		}
		for v := range vecs {
			if masked {
				load("(DI)", r.vector(0))
			} else {
				r.flip(r.at(v, "DI"), r.vector(v))
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
			if masked { // what lies beyond the mask is zeros, and not stored
				load(r.at(v, "AX"), r.vector(4))
				r.combine(r.vector(0), r.vector(4), 8, "")
			} else {
				r.add(v, r.at(v, "AX"), "")
			}
		}
		r.p("ADDQ BX, AX")
		r.p("DECQ R8")
		r.p("JNZ %s", label)
		for v := range vecs {
			r.flip(r.vector(v), r.vector(v))
			if !masked {
				r.p("VMOVU# %s, %s", r.vector(v), r.at(v, "DI"))
			}
		}
		if !masked {
			r.p("ADDQ $%d, SI", r.bytes*vecs)
			r.p("ADDQ $%d, DI", r.bytes*vecs)
			r.p("SUBQ $%d, CX", r.bytes*vecs)
		}
	}
	r.byBlocks()
	r.p("SUBQ $%d, CX", 4*r.bytes)
	r.p("JLT few")
	r.p("four:")
	down(4, false)
	r.p("JGE four")
	r.p("few:")
	r.p("ADDQ $%d, CX", 3*r.bytes)
	r.p("JLT rest")
	r.p("one:")
	down(1, false)
	r.p("JGE one")
	r.p("rest:")
	r.p("ADDQ $%d, CX", r.bytes)
	r.p("JEQ done")
	if r.masks {
		r.maskOf("CX", 1)
		down(1, true)
		r.p("VMOVU# ~0, K1, (DI)")
	} else {
		r.p("LEAQ foldMask<>+128(SB), R13")
		r.p("SUBQ CX, R13")
		r.p("VMOVUPS (R13), Y12")
		down(1, true)
		r.putTail()
	}
	r.p("done:")
	r.p("VZEROUPPER")
	r.p("RET")
}

// byBlocks does the columns of long rows, but for the last few of CX bytes, by blocks that stay in the first cache: of four rows at
// a time, as they lie in memory, where columns from top to bottom would touch another page with every row.
func (r *reduce) byBlocks() {
	const block = 4096
	r.p("CMPQ DX, $4")
	r.p("JLT blocksdone")
	r.p("CMPQ CX, $1024")
	r.p("JLT blocksdone")
	r.p("MOVQ BX, AX")
	r.p("IMULQ DX, AX")
	r.p("CMPQ AX, $%d // in the first cache", 1<<15)
	r.p("JLE blocksdone")
	r.p("block:")
	r.p("MOVQ CX, R10")
	r.p("ANDQ $-%d, R10", 2*r.bytes)
	r.p("MOVQ $%d, R11", block)
	r.p("CMPQ R10, R11")
	r.p("CMOVQGT R11, R10")
	r.p("SUBQ R10, CX")
	r.p("ADDQ R10, DI")
	r.p("ADDQ R10, SI")
	r.p("NEGQ R10")
	r.p("MOVQ SI, AX")
	r.p("MOVQ DX, R8")
	rows := func(label string, n int) {
		at := []string{"AX", "R12", "R13", "R9"}[:n]
		r.p("%s:", label)
		for k := 1; k < n; k++ {
			r.p("LEAQ (%s)(BX*1), %s", at[k-1], at[k])
		}
		r.p("MOVQ R10, R11")
		r.p("PCALIGN $32")
		r.p("%scolumns:", label)
		for v := range 2 {
			r.flip(r.at(v, "DI")+"(R11*1)", r.vector(v))
		}
		r.p("LEAQ (R11)(BX*4), R14")
		for _, reg := range at {
			for line := range r.bytes / 32 {
				r.p("PREFETCHT0 %d(%s)(R14*1)", 64*line, reg)
			}
			for v := range 2 {
				r.add(v, r.at(v, reg)+"(R11*1)", "")
			}
		}
		for v := range 2 {
			r.flip(r.vector(v), r.vector(v))
			r.p("VMOVU# %s, %s(R11*1)", r.vector(v), r.at(v, "DI"))
		}
		r.p("ADDQ $%d, R11", 2*r.bytes)
		r.p("JLT %scolumns", label)
		r.p("LEAQ (%s)(BX*1), AX", at[n-1])
		r.p("SUBQ $%d, R8", n)
		r.p("CMPQ R8, $%d", n)
		r.p("JGE %s", label)
	}
	rows("rows4", 4)
	r.p("TESTQ R8, R8")
	r.p("JEQ blockend")
	rows("rows1", 1)
	r.p("blockend:")
	r.p("CMPQ CX, $%d", 2*r.bytes)
	r.p("JGE block")
	r.p("TESTQ CX, CX")
	r.p("JEQ done")
	r.p("blocksdone:")
}

// putTail stores the first CX bytes of Y0.
func (r *reduce) putTail() {
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
}
