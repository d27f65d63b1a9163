package main

import (
	"bytes"
	"fmt"
	"math"
)

// genLanes returns the assembly of functions of matrices that lie side by side, element by element 64 bytes
// apart, by file name. Each follows a loop of internal/linalg, operation by operation.
func genLanes() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	d.WriteString(gemmHead + "\npackage asm\n\nimport \"unsafe\"\n")
	for _, isa := range []struct {
		name, reg string
		bytes     int
	}{{"AVX2", "Y", 32}, {"AVX512", "Z", 64}} {
		for _, t := range []struct{ name, suffix string }{{"F32", "S"}, {"F64", "D"}} {
			l := &lanes{w: &s, reg: isa.reg, suffix: t.suffix}
			type function struct {
				name, args, doc string
				body            func()
			}
			functions := []function{
				{"Cholesky", "l unsafe.Pointer, n int) (ok bool", "makes the lower triangle of l its Cholesky factor, or reports false where a pivot is not positive", l.cholesky},
				{"Pivot", "f unsafe.Pointer, n, j int, at unsafe.Pointer", "finds at, as elements, the first of the rows from j on whose element of column j is largest", l.pivot},
				{"Eliminate", "f unsafe.Pointer, n, j int", "is step j of an LU factorization, with the pivot in its place and not 0", l.eliminate},
				{"Row", "a, x, y, d unsafe.Pointer, k, m int", "is y = (y - Σ a[p]·x[p, …]) / d, over k rows x of m; d nil is 1", l.row},
				{"Dot", "a, x, y, d unsafe.Pointer, k int", "is Row of one column, in four partial sums", l.dot},
				{"Column", "a, x, y, d unsafe.Pointer, k, m int", "is y /= d, then x[p, …] -= a[p]·y, for k rows x of m; d nil is 1", l.column},
				{"Reflector", "q, v, tau unsafe.Pointer, rows, stride int) (ok bool", "makes the reflection that takes the column at q, of rows elements below the first, stride bytes apart, to its first element: there, v, whose first element is 1, below it and in v, and tau; or reports false where all below are 0", l.reflector},
				{"Mirror", "x, v, tau unsafe.Pointer, rows, cols, stride int", "is w = tau·(x[0] + Σ v[p]·x[1+p]), x[0] -= w, x[1+p] -= v[p]·w, for cols columns", l.mirror},
				{"Product", "y, a, b unsafe.Pointer, n int", "is y += a·b, of n rows and columns", l.product},
				{"Norm", "y, a unsafe.Pointer, n int", "is y, the largest sum of the magnitudes in a column of a, or NaN where it or that of all is not finite", l.norm},
			}
			if t.name == "F64" {
				functions = append(functions, []function{
					{"Tridiagonal", "x, p, head, beta unsafe.Pointer, rows, stride int) (ok bool", "makes the reflection I - beta·v·vᵀ that takes row x, of rows elements, to its first element, head: v in its place; and applies it to rows and columns of the symmetric matrix of as many below, stride bytes apart. p is room for a row. It reports false where all but the first are negligible", l.tridiagonal},
					{"Reflect", "x, v, beta unsafe.Pointer, rows, cols, stride int", "takes beta·(v·row)·v from each of rows rows of x, of cols elements, stride bytes apart", l.reflect},
					{"Householder", "v, head, beta unsafe.Pointer, n int) (ok bool", "makes the reflection I - beta·v·vᵀ that takes v, of n > 1 elements, to its first element, head, of it; or reports false where all but the first are negligible", l.reflection},
					{"Fold", "x, v, beta unsafe.Pointer, rows, cols, stride int", "takes v[i]·beta·Σ v[i]·x[i] from x[i], over rows of cols elements, stride bytes apart", l.fold},
					{"QL", "d, e, room unsafe.Pointer, n, l int) (top int", "is a step that makes e[l] of a tridiagonal matrix, of diagonal d, smaller, by rotations of row l+top and the one before it, and so on down to l, which go to room, 192 bytes each; 0 where it is negligible in all matrices, -1 where a step is another", l.ql},
					{"QR", "d, e, room, tiny unsafe.Pointer, n, k int) (top int", "is a step that makes e[k] of a bidiagonal matrix, of diagonal d above which it lies, smaller, by rotations of row k-top and the next, and so on up to k, which go to room, V's and 192·n bytes further U's; 0 where it is at most tiny in all matrices, -1 where a step is another", l.qr},
					{"Turn", "x, room unsafe.Pointer, cols, stride, count int", "applies count rotations in room to row x and the next, stride bytes further, that one and the next, …, of cols elements", l.turn},
					{"Largest", "y, a unsafe.Pointer, n int", "is y, the largest magnitude of n elements of a, or NaN where one is not finite", l.largest},
					{"Scale", "y, a, x unsafe.Pointer, n int", "is y = a·x, of n elements", l.scale},
				}...)
			}
			for _, f := range functions {
				name := f.name + "Lanes" + t.name + isa.name
				fmt.Fprintf(&d, "\n// %s %s, for %d matrices.\n//\n//go:noescape\nfunc %[1]s(%[4]s)\n", name, f.doc, isa.bytes/l.size(), f.args)
				fmt.Fprintf(&s, "\n// func %s(%s)\n", name, f.args)
				fmt.Fprintf(&s, "TEXT ·%s(SB), NOSPLIT, $0-%d\n", name, map[string]int{"Cholesky": 17, "Pivot": 32, "Eliminate": 24, "Row": 48, "Dot": 40, "Column": 48, "Reflector": 41, "Mirror": 48, "Product": 32, "Norm": 24, "Tridiagonal": 49, "Reflect": 48, "Householder": 33, "Fold": 48,
					"QL": 48, "QR": 56, "Turn": 40, "Largest": 24, "Scale": 32}[f.name])
				f.body()
			}
		}
	}
	return map[string][]byte{"lanes_amd64.s": s.Bytes(), "lanes_amd64.go": d.Bytes()}
}

type lanes struct {
	w           *bytes.Buffer
	reg, suffix string // of registers, and of a type's instructions: S or D
}

// size is that of an element.
func (l *lanes) size() int { return map[string]int{"S": 4, "D": 8}[l.suffix] }

func (l *lanes) p(format string, args ...any) { fmt.Fprintf(l.w, "\t"+format+"\n", args...) }
func (l *lanes) label(name string)            { fmt.Fprintf(l.w, "%s:\n", name) }

func (l *lanes) load(v int, from string)   { l.p("VMOVUP%s %s, %s%d", l.suffix, from, l.reg, v) }
func (l *lanes) store(v int, where string) { l.p("VMOVUP%s %s%d, %s", l.suffix, l.reg, v, where) }

// op is dst = a op b, where b is a register or memory.
func (l *lanes) op(name string, dst, a int, b any) {
	if n, ok := b.(int); ok {
		b = fmt.Sprintf("%s%d", l.reg, n)
	}
	l.p("V%sP%s %v, %s%d, %s%d", name, l.suffix, b, l.reg, a, l.reg, dst)
}

func (l *lanes) zero(v int) { l.op("XOR", v, v, v) }

// sign makes register v the sign bit of each lane.
func (l *lanes) sign(v int) {
	if l.reg == "Z" {
		l.p("VPTERNLOGD $255, Z%d, Z%d, Z%d", v, v, v)
	} else {
		l.p("VPCMPEQD Y%d, Y%d, Y%d", v, v, v)
	}
	l.p("VPSLL%s $%d, %s%d, %s%d", map[string]string{"S": "D", "D": "Q"}[l.suffix], 8*l.size()-1, l.reg, v, l.reg, v)
}

// compare puts in AX a bit for each lane: whether b is to a as the predicate says. Register t is lost.
func (l *lanes) compare(predicate string, a, b, t int) {
	if l.reg == "Z" {
		l.p("VCMPP%s %s, Z%d, Z%d, K1", l.suffix, predicate, a, b)
		l.p("KMOVW K1, AX")
		return
	}
	l.p("VCMPP%s %s, Y%d, Y%d, Y%d", l.suffix, predicate, a, b, t)
	l.p("VMOVMSKP%s Y%d, AX", l.suffix, t)
}

func (l *lanes) end() {
	l.p("VZEROUPPER")
	l.p("RET")
}

// fourSums adds the products of R10/64 elements at AX and BX, which move on, to registers 0 to 3, and those into 0.
func (l *lanes) fourSums(name string) {
	for v := range 4 {
		l.zero(v)
	}
	l.p("SUBQ $256, R10")
	l.p("JLT %sFew", name)
	l.label(name + "Four")
	for v := range 4 {
		l.load(4+v, fmt.Sprintf("%d(AX)", 64*v))
		l.op("MUL", 4+v, 4+v, fmt.Sprintf("%d(BX)", 64*v))
		l.op("ADD", v, v, 4+v)
	}
	l.p("ADDQ $256, AX")
	l.p("ADDQ $256, BX")
	l.p("SUBQ $256, R10")
	l.p("JGE %sFour", name)
	l.label(name + "Few")
	l.p("ADDQ $256, R10")
	l.p("JEQ %sSum", name)
	l.label(name + "One")
	l.load(4, "(AX)")
	l.op("MUL", 4, 4, "(BX)")
	l.op("ADD", 0, 0, 4)
	l.p("ADDQ $64, AX")
	l.p("ADDQ $64, BX")
	l.p("SUBQ $64, R10")
	l.p("JGT %sOne", name)
	l.label(name + "Sum")
	l.op("ADD", 0, 0, 1)
	l.op("ADD", 2, 2, 3)
	l.op("ADD", 0, 0, 2)
}

// cholesky: DI is row j, SI row i, R8 a row's bytes, R9 64·j, CX the rows that are left.
func (l *lanes) cholesky() {
	l.p("MOVQ l+0(FP), DI")
	l.p("MOVQ n+8(FP), DX")
	l.p("MOVQ DX, R8")
	l.p("SHLQ $6, R8")
	l.p("XORQ R9, R9")
	l.zero(9)
	l.label("column")
	l.p("MOVQ DI, SI")
	l.p("MOVQ DX, CX")
	l.label("row")
	l.p("MOVQ SI, AX")
	l.p("MOVQ DI, BX")
	l.p("MOVQ R9, R10")
	l.fourSums("dot")
	l.load(1, "(SI)(R9*1)")
	l.op("SUB", 0, 1, 0)
	l.p("CMPQ SI, DI")
	l.p("JNE below")
	l.compare("$30", 9, 0, 1)
	l.p("CMPL AX, $%d", 1<<(map[string]int{"Y": 32, "Z": 64}[l.reg]/l.size())-1)
	l.p("JNE bad")
	l.p("VSQRTP%s %s0, %s8", l.suffix, l.reg, l.reg)
	l.store(8, "(SI)(R9*1)")
	l.p("JMP next")
	l.label("below")
	l.op("DIV", 0, 0, 8)
	l.store(0, "(SI)(R9*1)")
	l.label("next")
	l.p("ADDQ R8, SI")
	l.p("DECQ CX")
	l.p("JNZ row")
	l.p("ADDQ R8, DI")
	l.p("ADDQ $64, R9")
	l.p("DECQ DX")
	l.p("JNZ column")
	l.p("MOVB $1, ok+16(FP)")
	l.end()
	l.label("bad")
	l.p("MOVB $0, ok+16(FP)")
	l.end()
}

// step puts f[j, j] in SI, a row's bytes in R8, the rows below j in CX.
func (l *lanes) step() {
	l.p("MOVQ f+0(FP), SI")
	l.p("MOVQ n+8(FP), CX")
	l.p("MOVQ j+16(FP), DX")
	l.p("MOVQ CX, R8")
	l.p("SHLQ $6, R8")
	l.p("LEAQ 64(R8), AX")
	l.p("IMULQ DX, AX")
	l.p("ADDQ AX, SI")
	l.p("SUBQ DX, CX")
	l.p("DECQ CX")
}

func (l *lanes) pivot() {
	l.step()
	l.sign(3)
	l.load(0, "(SI)")
	l.op("ANDN", 0, 3, 0)
	l.p("VCVTSI2S%sQ DX, X1, X1", l.suffix)
	l.p("VBROADCASTS%s X1, %s1", l.suffix, l.reg) // the best row
	l.p("MOVQ $1, AX")
	l.p("VCVTSI2S%sQ AX, X5, X5", l.suffix)
	l.p("VBROADCASTS%s X5, %s5", l.suffix, l.reg)
	l.p("VMOVAP%s %s1, %s2", l.suffix, l.reg, l.reg) // the row
	l.p("TESTQ CX, CX")
	l.p("JLE done")
	l.label("row")
	l.p("ADDQ R8, SI")
	l.op("ADD", 2, 2, 5)
	l.load(4, "(SI)")
	l.op("ANDN", 4, 3, 4)
	if l.reg == "Z" {
		l.p("VCMPP%s $30, Z0, Z4, K1", l.suffix)
		l.p("VMOVAP%s Z4, K1, Z0", l.suffix)
		l.p("VMOVAP%s Z2, K1, Z1", l.suffix)
	} else {
		l.p("VCMPP%s $30, Y0, Y4, Y6", l.suffix)
		l.p("VBLENDVP%s Y6, Y4, Y0, Y0", l.suffix)
		l.p("VBLENDVP%s Y6, Y2, Y1, Y1", l.suffix)
	}
	l.p("DECQ CX")
	l.p("JNZ row")
	l.label("done")
	l.p("MOVQ at+24(FP), DI")
	l.store(1, "(DI)")
	l.end()
}

// eliminate: SI is f[j, j], DI f[i, j], R9 the bytes right of column j.
func (l *lanes) eliminate() {
	l.step()
	l.sign(9)
	l.p("MOVQ CX, R9")
	l.p("SHLQ $6, R9")
	l.p("JEQ done")
	l.load(8, "(SI)")
	l.p("LEAQ (SI)(R8*1), DI")
	l.label("row")
	l.load(0, "(DI)")
	l.op("DIV", 0, 0, 8)
	l.store(0, "(DI)")
	l.op("XOR", 0, 0, 9)
	l.p("MOVQ R9, BX")
	l.label("column")
	l.op("MUL", 1, 0, "(SI)(BX*1)")
	l.op("ADD", 1, 1, "(DI)(BX*1)")
	l.store(1, "(DI)(BX*1)")
	l.p("SUBQ $64, BX")
	l.p("JGT column")
	l.p("ADDQ R8, DI")
	l.p("DECQ CX")
	l.p("JNZ row")
	l.label("done")
	l.end()
}

// triangle reads the arguments of row, dot and column: R8 is a row's bytes, register 8 the divisor, where R9 is not nil.
func (l *lanes) triangle(m bool) {
	l.p("MOVQ a+0(FP), SI")
	l.p("MOVQ x+8(FP), BX")
	l.p("MOVQ y+16(FP), DI")
	l.p("MOVQ d+24(FP), R9")
	l.p("MOVQ k+32(FP), R10")
	if m {
		l.p("MOVQ m+40(FP), R8")
		l.p("SHLQ $6, R8")
		l.sign(9)
	}
	l.p("TESTQ R9, R9")
	l.p("JEQ plain")
	l.load(8, "(R9)")
	l.label("plain")
}

// row: four columns at a time and then single ones; AX goes along a, DX down x, of R11 and R10 the rest counts.
func (l *lanes) row() {
	l.triangle(true)
	l.p("MOVQ R8, R12") // bytes of columns that are left
	for _, cols := range []int{4, 1} {
		name := fmt.Sprintf("by%d", cols)
		l.label(name)
		l.p("CMPQ R12, $%d", 64*cols)
		l.p("JLT %sEnd", name)
		for v := range cols {
			l.load(v, fmt.Sprintf("%d(DI)", 64*v))
			l.op("XOR", v, v, 9)
		}
		l.p("MOVQ SI, AX")
		l.p("MOVQ BX, DX")
		l.p("MOVQ R10, R11")
		l.p("TESTQ R11, R11")
		l.p("JEQ %sSum", name)
		l.label(name + "Loop")
		l.load(4, "(AX)")
		for v := range cols {
			l.op("MUL", 5, 4, fmt.Sprintf("%d(DX)", 64*v))
			l.op("ADD", v, v, 5)
		}
		l.p("ADDQ $64, AX")
		l.p("ADDQ R8, DX")
		l.p("DECQ R11")
		l.p("JNZ %sLoop", name)
		l.label(name + "Sum")
		for v := range cols {
			l.op("XOR", v, v, 9)
		}
		l.p("TESTQ R9, R9")
		l.p("JEQ %sStore", name)
		for v := range cols {
			l.op("DIV", v, v, 8)
		}
		l.label(name + "Store")
		for v := range cols {
			l.store(v, fmt.Sprintf("%d(DI)", 64*v))
		}
		l.p("ADDQ $%d, DI", 64*cols)
		l.p("ADDQ $%d, BX", 64*cols)
		l.p("SUBQ $%d, R12", 64*cols)
		l.p("JMP %s", name)
		l.label(name + "End")
	}
	l.end()
}

func (l *lanes) dot() {
	l.triangle(false)
	l.p("MOVQ SI, AX")
	l.p("SHLQ $6, R10")
	l.fourSums("dot")
	l.load(1, "(DI)")
	l.op("SUB", 0, 1, 0)
	l.p("TESTQ R9, R9")
	l.p("JEQ store")
	l.op("DIV", 0, 0, 8)
	l.label("store")
	l.store(0, "(DI)")
	l.end()
}

// column: AX goes along y and DX along x's row.
func (l *lanes) column() {
	l.triangle(true)
	l.p("TESTQ R9, R9")
	l.p("JEQ rows")
	l.p("XORQ AX, AX")
	l.label("divide")
	l.load(0, "(DI)(AX*1)")
	l.op("DIV", 0, 0, 8)
	l.store(0, "(DI)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R8")
	l.p("JLT divide")
	l.label("rows")
	l.p("TESTQ R10, R10")
	l.p("JEQ done")
	l.label("row")
	l.load(0, "(SI)")
	l.op("XOR", 0, 0, 9)
	l.p("XORQ AX, AX")
	l.label("next")
	l.op("MUL", 1, 0, "(DI)(AX*1)")
	l.op("ADD", 1, 1, "(BX)(AX*1)")
	l.store(1, "(BX)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R8")
	l.p("JLT next")
	l.p("ADDQ $64, SI")
	l.p("ADDQ R8, BX")
	l.p("DECQ R10")
	l.p("JNZ row")
	l.label("done")
	l.end()
}

// reflector: AX goes down the column, DX counts; register 1 is the largest below the first, 2 a sum.
func (l *lanes) reflector() {
	l.p("MOVQ q+0(FP), DI")
	l.p("MOVQ v+8(FP), SI")
	l.p("MOVQ tau+16(FP), R9")
	l.p("MOVQ rows+24(FP), CX")
	l.p("MOVQ stride+32(FP), R8")
	l.sign(9)
	l.zero(1)
	l.zero(2)
	l.p("MOVQ DI, AX")
	l.p("MOVQ CX, DX")
	l.label("largest")
	l.p("ADDQ R8, AX")
	l.load(0, "(AX)")
	l.op("ANDN", 0, 9, 0)
	l.op("MAX", 1, 1, 0)
	l.p("DECQ DX")
	l.p("JNZ largest")
	l.compare("$0", 2, 1, 3)
	l.p("TESTL AX, AX")
	l.p("JNE bad")
	l.load(8, "(DI)")
	l.op("ANDN", 0, 9, 8)
	l.op("MAX", 1, 1, 0)
	l.p("MOVQ DI, AX")
	l.p("LEAQ 1(CX), DX")
	l.label("sum")
	l.load(0, "(AX)")
	l.op("DIV", 0, 0, 1)
	l.op("MUL", 0, 0, 0)
	l.op("ADD", 2, 2, 0)
	l.p("ADDQ R8, AX")
	l.p("DECQ DX")
	l.p("JNZ sum")
	l.p("VSQRTP%s %s2, %s2", l.suffix, l.reg, l.reg)
	l.op("MUL", 2, 1, 2)
	l.op("AND", 3, 8, 9)
	l.op("XOR", 3, 3, 9)
	l.op("ANDN", 2, 9, 2)
	l.op("OR", 2, 2, 3)
	l.store(2, "(DI)")
	l.op("SUB", 3, 2, 8)
	l.op("DIV", 3, 3, 2)
	l.store(3, "(R9)")
	l.op("SUB", 8, 8, 2)
	l.label("scale")
	l.p("ADDQ R8, DI")
	l.load(0, "(DI)")
	l.op("DIV", 0, 0, 8)
	l.store(0, "(DI)")
	l.store(0, "(SI)")
	l.p("ADDQ $64, SI")
	l.p("DECQ CX")
	l.p("JNZ scale")
	l.p("MOVB $1, ok+40(FP)")
	l.end()
	l.label("bad")
	l.p("MOVB $0, ok+40(FP)")
	l.end()
}

// mirror: AX goes along v, DX down x; registers 0 to 7 are w of as many columns, 8 tau.
func (l *lanes) mirror() {
	l.p("MOVQ x+0(FP), DI")
	l.p("MOVQ v+8(FP), BX")
	l.p("MOVQ tau+16(FP), R9")
	l.p("MOVQ rows+24(FP), R10")
	l.p("MOVQ cols+32(FP), R12")
	l.p("MOVQ stride+40(FP), R8")
	l.load(8, "(R9)")
	for _, cols := range []int{8, 4, 2, 1} {
		name := fmt.Sprintf("by%d", cols)
		down := func(pass string, step func(v int)) {
			l.p("LEAQ (DI)(R8*1), DX")
			l.p("MOVQ BX, AX")
			l.p("MOVQ R10, R11")
			l.label(name + pass)
			l.load(9, "(AX)")
			for v := range cols {
				step(v)
			}
			l.p("ADDQ $64, AX")
			l.p("ADDQ R8, DX")
			l.p("DECQ R11")
			l.p("JNZ %s%s", name, pass)
		}
		l.label(name)
		l.p("CMPQ R12, $%d", cols)
		l.p("JLT %sEnd", name)
		for v := range cols {
			l.load(v, fmt.Sprintf("%d(DI)", 64*v))
		}
		down("Sum", func(v int) {
			l.op("MUL", 10, 9, fmt.Sprintf("%d(DX)", 64*v))
			l.op("ADD", v, v, 10)
		})
		for v := range cols {
			l.op("MUL", v, v, 8)
			l.load(10, fmt.Sprintf("%d(DI)", 64*v))
			l.op("SUB", 10, 10, v)
			l.store(10, fmt.Sprintf("%d(DI)", 64*v))
		}
		down("Take", func(v int) {
			l.op("MUL", 10, 9, v)
			l.load(11, fmt.Sprintf("%d(DX)", 64*v))
			l.op("SUB", 11, 11, 10)
			l.store(11, fmt.Sprintf("%d(DX)", 64*v))
		})
		l.p("ADDQ $%d, DI", 64*cols)
		l.p("SUBQ $%d, R12", cols)
		l.p("JMP %s", name)
		l.label(name + "End")
	}
	l.end()
}

// product: a block of columns at a time, of R12 that are left, and of these a block of rows, of R13. SI and BX are where a's rows and
// b's columns begin, DI y's block, R14 its columns; AX goes along a, DX down b.
func (l *lanes) product() {
	l.p("MOVQ y+0(FP), R14")
	l.p("MOVQ b+16(FP), BX")
	l.p("MOVQ n+24(FP), R12")
	l.p("MOVQ R12, R8")
	l.p("SHLQ $6, R8")
	l.p("LEAQ (R8)(R8*2), R9")
	down := [4]string{"", "(R8*1)", "(R8*2)", "(R9*1)"}
	most := map[string]int{"Y": 2, "Z": 4}[l.reg]
	for _, cols := range []int{4, 1} {
		name := fmt.Sprintf("by%d", cols)
		l.label(name)
		l.p("CMPQ R12, $%d", cols)
		l.p("JLT %sEnd", name)
		l.p("MOVQ a+8(FP), SI")
		l.p("MOVQ R14, DI")
		l.p("MOVQ n+24(FP), R13")
		for _, rows := range []int{most, 1} {
			block := fmt.Sprintf("%sRows%d", name, rows)
			b := rows * cols // where b's elements are, a's, a product
			each := func(step func(where string, v int)) {
				for r := range rows {
					for c := range cols {
						step(fmt.Sprintf("%d(DI)%s", 64*c, down[r]), r*cols+c)
					}
				}
			}
			l.label(block)
			l.p("CMPQ R13, $%d", rows)
			l.p("JLT %sEnd", block)
			each(func(where string, v int) { l.load(v, where) })
			l.p("MOVQ SI, AX")
			l.p("MOVQ BX, DX")
			l.p("MOVQ n+24(FP), R11")
			l.label(block + "Loop")
			for c := range cols {
				l.load(b+c, fmt.Sprintf("%d(DX)", 64*c))
			}
			for r := range rows {
				l.load(b+cols, "(AX)"+down[r])
				for c := range cols {
					l.op("MUL", b+cols+1, b+cols, b+c)
					l.op("ADD", r*cols+c, r*cols+c, b+cols+1)
				}
			}
			l.p("ADDQ $64, AX")
			l.p("ADDQ R8, DX")
			l.p("DECQ R11")
			l.p("JNZ %sLoop", block)
			each(func(where string, v int) { l.store(v, where) })
			l.p("LEAQ (SI)%s, SI", map[int]string{1: "(R8*1)", 2: "(R8*2)", 4: "(R8*4)"}[rows])
			l.p("LEAQ (DI)%s, DI", map[int]string{1: "(R8*1)", 2: "(R8*2)", 4: "(R8*4)"}[rows])
			l.p("SUBQ $%d, R13", rows)
			l.p("JMP %s", block)
			l.label(block + "End")
		}
		l.p("ADDQ $%d, BX", 64*cols)
		l.p("ADDQ $%d, R14", 64*cols)
		l.p("SUBQ $%d, R12", cols)
		l.p("JMP %s", name)
		l.label(name + "End")
	}
	l.end()
}

// norm: register 0 is the largest sum, 1 that of all, 2 a column's.
func (l *lanes) norm() {
	l.p("MOVQ y+0(FP), DI")
	l.p("MOVQ a+8(FP), SI")
	l.p("MOVQ n+16(FP), R12")
	l.p("MOVQ R12, R8")
	l.p("MOVQ R12, R13")
	l.p("SHLQ $6, R8")
	l.sign(9)
	l.zero(0)
	l.zero(1)
	l.label("column")
	l.zero(2)
	l.p("MOVQ SI, AX")
	l.p("MOVQ R12, R11")
	l.label("row")
	l.load(3, "(AX)")
	l.op("ANDN", 3, 9, 3)
	l.op("ADD", 2, 2, 3)
	l.p("ADDQ R8, AX")
	l.p("DECQ R11")
	l.p("JNZ row")
	l.op("MAX", 0, 0, 2)
	l.op("ADD", 1, 1, 2)
	l.p("ADDQ $64, SI")
	l.p("DECQ R13")
	l.p("JNZ column")
	l.op("SUB", 1, 1, 1)
	l.op("ADD", 0, 0, 1)
	l.store(0, "(DI)")
	l.end()
}

// constant makes every lane of v the float64 x.
func (l *lanes) constant(v int, x float64) {
	l.p("MOVQ $0x%x, AX", math.Float64bits(x))
	l.p("VMOVQ AX, X%d", v)
	l.p("VBROADCASTSD X%d, %s%d", v, l.reg, v)
}

// negligible is that of internal/linalg.
const negligible = 0x1p-450

// householder makes R9/64 elements at SI a reflection, register 0 its head, 8 beta, or goes to bad.
func (l *lanes) householder() {
	l.zero(2)
	l.p("MOVQ $64, AX")
	l.label("square")
	l.load(0, "(SI)(AX*1)")
	l.op("MUL", 0, 0, 0)
	l.op("ADD", 2, 2, 0)
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R9")
	l.p("JLT square")
	l.constant(3, negligible*negligible)
	l.compare("$17", 3, 2, 4)
	l.p("TESTL AX, AX")
	l.p("JNE bad")
	l.load(8, "(SI)")
	l.op("MUL", 0, 8, 8)
	l.op("ADD", 0, 0, 2)
	l.p("VSQRTPD %s0, %[1]s0", l.reg)
	l.sign(9)
	l.op("AND", 3, 8, 9)
	l.op("XOR", 3, 3, 9)
	l.op("OR", 0, 0, 3)
	l.op("SUB", 8, 8, 0)
	l.store(8, "(SI)")
	l.op("MUL", 1, 8, 8)
	l.op("ADD", 1, 1, 2)
	l.constant(8, 2)
	l.op("DIV", 8, 8, 1)
}

func (l *lanes) reflection() {
	l.p("MOVQ v+0(FP), SI")
	l.p("MOVQ n+24(FP), R9")
	l.p("SHLQ $6, R9")
	l.householder()
	l.p("MOVQ head+8(FP), AX")
	l.store(0, "(AX)")
	l.p("MOVQ beta+16(FP), AX")
	l.store(8, "(AX)")
	l.p("MOVB $1, ok+32(FP)")
	l.end()
	l.label("bad")
	l.p("MOVB $0, ok+32(FP)")
	l.end()
}

// tridiagonal: SI is v, R13 the rows below, R8 their distance, R9 the bytes of a row, DI p.
func (l *lanes) tridiagonal() {
	l.p("MOVQ x+0(FP), SI")
	l.p("MOVQ p+8(FP), DI")
	l.p("MOVQ rows+32(FP), CX")
	l.p("MOVQ stride+40(FP), R8")
	l.p("MOVQ CX, R9")
	l.p("SHLQ $6, R9")
	l.p("LEAQ (SI)(R8*1), R13")
	l.householder()
	l.p("MOVQ head+16(FP), AX")
	l.store(0, "(AX)")
	l.p("MOVQ beta+24(FP), AX")
	l.store(8, "(AX)")
	// p is beta·x·v, and then p - beta/2·(p·v)·v.
	l.p("MOVQ R13, DX")
	l.p("XORQ R12, R12")
	l.label("row")
	l.p("MOVQ SI, AX")
	l.p("MOVQ DX, BX")
	l.p("MOVQ R9, R10")
	l.fourSums("times")
	l.op("MUL", 0, 0, 8)
	l.store(0, "(DI)(R12*1)")
	l.p("ADDQ R8, DX")
	l.p("ADDQ $64, R12")
	l.p("CMPQ R12, R9")
	l.p("JLT row")
	l.p("MOVQ SI, AX")
	l.p("MOVQ DI, BX")
	l.p("MOVQ R9, R10")
	l.fourSums("dot")
	l.constant(1, 0.5)
	l.op("MUL", 8, 8, 1)
	l.op("MUL", 8, 8, 0)
	l.p("XORQ AX, AX")
	l.label("less")
	l.load(0, "(DI)(AX*1)")
	l.op("MUL", 1, 8, "(SI)(AX*1)")
	l.op("SUB", 0, 0, 1)
	l.store(0, "(DI)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R9")
	l.p("JLT less")
	l.p("XORQ R12, R12")
	l.label("below")
	l.load(0, "(SI)(R12*1)")
	l.load(1, "(DI)(R12*1)")
	l.p("XORQ AX, AX")
	l.label("rank2")
	l.op("MUL", 2, 0, "(DI)(AX*1)")
	l.load(3, "(R13)(AX*1)")
	l.op("SUB", 3, 3, 2)
	l.op("MUL", 2, 1, "(SI)(AX*1)")
	l.op("SUB", 3, 3, 2)
	l.store(3, "(R13)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R9")
	l.p("JLT rank2")
	l.p("ADDQ R8, R13")
	l.p("ADDQ $64, R12")
	l.p("CMPQ R12, R9")
	l.p("JLT below")
	l.p("MOVB $1, ok+48(FP)")
	l.end()
	l.label("bad")
	l.p("MOVB $0, ok+48(FP)")
	l.end()
}

// reflect: DX is a row, SI v, CX the rows that are left.
func (l *lanes) reflect() {
	l.p("MOVQ x+0(FP), DX")
	l.p("MOVQ v+8(FP), SI")
	l.p("MOVQ beta+16(FP), AX")
	l.p("MOVQ rows+24(FP), CX")
	l.p("MOVQ cols+32(FP), R9")
	l.p("MOVQ stride+40(FP), R8")
	l.p("SHLQ $6, R9")
	l.load(8, "(AX)")
	l.label("row")
	l.p("MOVQ SI, AX")
	l.p("MOVQ DX, BX")
	l.p("MOVQ R9, R10")
	l.fourSums("dot")
	l.op("MUL", 0, 0, 8)
	l.p("XORQ AX, AX")
	l.label("less")
	l.load(1, "(DX)(AX*1)")
	l.op("MUL", 2, 0, "(SI)(AX*1)")
	l.op("SUB", 1, 1, 2)
	l.store(1, "(DX)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, R9")
	l.p("JLT less")
	l.p("ADDQ R8, DX")
	l.p("DECQ CX")
	l.p("JNZ row")
	l.end()
}

// A mask says something of each lane: register k, where that is a mask register, v where it is a vector.
type mask struct{ k, v int }

// is makes m say whether a is to b as the predicate says.
func (l *lanes) is(m mask, predicate string, a, b int) {
	if l.reg == "Z" {
		l.p("VCMPPD %s, Z%d, Z%d, K%d", predicate, b, a, m.k)
	} else {
		l.p("VCMPPD %s, Y%d, Y%d, Y%d", predicate, b, a, m.v)
	}
}

// bits puts a bit for each lane of m, and of those of and, into AX. Register t is lost.
func (l *lanes) bits(m, and mask, t int) {
	if l.reg == "Z" {
		l.p("KANDW K%d, K%d, K3", m.k, and.k)
		l.p("KMOVW K3, AX")
	} else {
		l.op("AND", t, m.v, and.v)
		l.p("VMOVMSKPD Y%d, AX", t)
	}
}

// narrow leaves of m what by says, too, and its bits in AX and the flags.
func (l *lanes) narrow(m, by mask) {
	if l.reg == "Z" {
		l.p("KANDW K%d, K%d, K%[2]d", by.k, m.k)
		l.p("KMOVW K%d, AX", m.k)
	} else {
		l.op("AND", m.v, m.v, by.v)
		l.p("VMOVMSKPD Y%d, AX", m.v)
	}
	l.p("TESTL AX, AX")
}

// where makes dst a where m says so.
func (l *lanes) where(dst, a int, m mask) {
	if l.reg == "Z" {
		l.p("VMOVAPD Z%d, K%d, Z%d", a, m.k, dst)
	} else {
		l.p("VBLENDVPD Y%d, Y%d, Y%d, Y%d", m.v, a, dst, dst)
	}
}

// but makes dst a, and 0 where m says so.
func (l *lanes) but(dst, a int, m mask) {
	if l.reg == "Z" {
		l.p("KNOTW K%d, K3", m.k)
		l.p("VMOVAPD.Z Z%d, K3, Z%d", a, dst)
	} else {
		l.op("ANDN", dst, m.v, a)
	}
}

// ql: DI and SI are d[l] and e[l], BX where a rotation goes, R11 64·(i-l). A lane's chain of rotations begins at its own m, the first from l on whose
// e is negligible, and goes down to l. Registers 0 to 6: c, s, g, the shift, m-l, e[l] as all first gs have it, i+1-l; 7 and 8: whether the chain
// begins here, whether it has begun.
func (l *lanes) ql() {
	begins, begun := mask{1, 7}, mask{2, 8}
	l.p("MOVQ d+0(FP), DI")
	l.p("MOVQ e+8(FP), SI")
	l.p("MOVQ room+16(FP), BX")
	l.p("MOVQ n+24(FP), DX")
	l.p("MOVQ l+32(FP), AX")
	l.p("SUBQ AX, DX")
	l.p("DECQ DX")
	l.p("SHLQ $6, AX")
	l.p("ADDQ AX, DI")
	l.p("ADDQ AX, SI")
	l.zero(4) // m - l
	l.constant(5, 1)
	l.constant(6, 0x1p-53)
	l.constant(9, negligible)
	l.sign(15)
	l.zero(14)
	l.is(begun, "$0", 14, 14) // all
	l.p("XORQ R11, R11")
	l.label("look")
	l.p("TESTQ DX, DX")
	l.p("JEQ looked")
	l.load(10, "(SI)(R11*1)")
	l.op("ANDN", 10, 15, 10)
	l.load(11, "(DI)(R11*1)")
	l.op("ANDN", 11, 15, 11)
	l.load(12, "64(DI)(R11*1)")
	l.op("ANDN", 12, 15, 12)
	l.op("ADD", 11, 11, 12)
	l.op("MUL", 11, 11, 6)
	l.op("MAX", 11, 11, 9)
	l.is(begins, "$30", 10, 11)
	l.narrow(begun, begins)
	l.p("JEQ looked")
	l.op("ADD", 13, 4, 5)
	l.where(4, 13, begun)
	l.p("ADDQ $64, R11")
	l.p("DECQ DX")
	l.p("JMP look")
	l.label("looked")
	l.p("MOVQ R11, AX")
	l.p("SHRQ $6, AX")
	l.p("MOVQ AX, top+40(FP)")
	l.p("JEQ done")
	l.p("VCVTSI2SDQ AX, X6, X6")
	l.p("VBROADCASTSD X6, %s6", l.reg)
	// theta is 9, and then e[l] over it.
	l.load(9, "64(DI)")
	l.op("SUB", 9, 9, "(DI)")
	l.load(10, "(SI)")
	l.op("ADD", 11, 10, 10)
	l.op("DIV", 9, 9, 11)
	l.op("MUL", 11, 9, 9)
	l.op("ADD", 11, 11, 5)
	l.p("VSQRTPD %s11, %[1]s11", l.reg)
	l.op("AND", 12, 9, 15)
	l.op("OR", 11, 11, 12)
	l.op("ADD", 9, 9, 11)
	l.op("DIV", 5, 10, 9)
	for v := range 4 {
		l.zero(v)
	}
	l.label("chain")
	l.p("SUBQ $64, R11")
	l.is(begins, "$0", 4, 6)
	l.is(begun, "$29", 4, 6)
	l.load(9, "64(DI)(R11*1)")
	l.op("SUB", 9, 9, "(DI)")
	l.op("ADD", 9, 9, 5)
	l.where(2, 9, begins)
	l.constant(15, 1)
	l.where(0, 15, begins)
	l.where(1, 15, begins)
	l.but(3, 3, begins)
	l.op("SUB", 6, 6, 15)
	l.load(9, "(SI)(R11*1)")
	l.op("MUL", 10, 1, 9) // f
	l.op("MUL", 9, 0, 9)  // b
	l.op("MUL", 11, 10, 10)
	l.op("MUL", 12, 2, 2)
	l.op("ADD", 13, 11, 12) // h
	l.constant(14, negligible*negligible)
	vanishes := mask{3, 14}
	l.is(vanishes, "$17", 13, 14)
	l.bits(vanishes, begun, 14)
	l.p("TESTL AX, AX")
	l.p("JNE bad")
	l.p("VSQRTPD %s13, %[1]s14", l.reg)
	l.op("DIV", 1, 15, 14)
	l.op("DIV", 15, 15, 13)
	l.op("MUL", 0, 2, 1)
	l.op("MUL", 1, 10, 1)
	l.but(13, 14, begins)
	l.load(14, "64(SI)(R11*1)")
	l.where(14, 13, begun)
	l.store(14, "64(SI)(R11*1)")
	l.op("MUL", 10, 10, 2)
	l.op("MUL", 10, 10, 15) // cs
	l.op("MUL", 12, 12, 15) // cc
	l.op("MUL", 11, 11, 15) // ss
	l.load(13, "64(DI)(R11*1)")
	l.op("SUB", 14, 13, 3) // at
	l.load(15, "(DI)(R11*1)")
	l.op("SUB", 15, 15, 14) // the gap
	l.op("MUL", 2, 15, 11)
	l.op("ADD", 3, 9, 9)
	l.op("MUL", 3, 3, 10)
	l.op("ADD", 3, 2, 3)
	l.op("ADD", 14, 14, 3)
	l.where(13, 14, begun)
	l.store(13, "64(DI)(R11*1)")
	l.op("SUB", 12, 12, 11)
	l.op("MUL", 12, 9, 12)
	l.op("MUL", 2, 15, 10)
	l.op("ADD", 2, 2, 12)
	l.keep("BX", begun)
	l.p("ADDQ $192, BX")
	l.p("TESTQ R11, R11")
	l.p("JNE chain")
	l.load(9, "(DI)")
	l.op("SUB", 10, 9, 3)
	l.where(9, 10, begun)
	l.store(9, "(DI)")
	l.load(9, "(SI)")
	l.where(9, 2, begun)
	l.store(9, "(SI)")
	l.label("done")
	l.end()
	l.label("bad")
	l.p("MOVQ $-1, top+40(FP)")
	l.end()
}

// keep stores the rotation of cosine 0 and sine 1 and the lanes that are in it.
func (l *lanes) keep(at string, in mask) {
	l.store(0, fmt.Sprintf("(%s)", at))
	l.store(1, fmt.Sprintf("64(%s)", at))
	if l.reg == "Z" {
		l.p("KMOVW K%d, 128(%s)", in.k, at)
	} else {
		l.store(in.v, fmt.Sprintf("128(%s)", at))
	}
}

// beyond goes to bad where a lane in m is not to limit as the predicate, which NaNs fulfil, says. Register t is lost.
func (l *lanes) beyond(predicate string, v int, limit float64, m mask, t int) {
	l.constant(t, limit)
	out := mask{3, t}
	l.is(out, predicate, v, t)
	l.bits(out, m, t)
	l.p("TESTL AX, AX")
	l.p("JNE bad")
}

// turning is internal/linalg's of f and h: c in 0, s in 1, their length in register z. q and t are lost.
func (l *lanes) turning(f, h, q, z, t int, m mask) {
	l.op("MUL", q, f, f)
	l.op("MUL", t, h, h)
	l.op("ADD", q, q, t)
	l.beyond("$26", q, 1e-280, m, t)
	l.beyond("$21", q, 1e300, m, t)
	l.p("VSQRTPD %[1]s%[2]d, %[1]s%[3]d", l.reg, q, z)
	l.constant(t, 1)
	l.op("DIV", t, t, z)
	l.op("MUL", 0, f, t)
	l.op("MUL", 1, h, t)
}

// qr: DI and SI are d[k] and e[k], BX and R9 where rotations go, R11 64·(j-k). A lane's chain begins at its own l, the last up to k above which e is
// at most tiny, and goes up to k. Registers 0 to 6: c, s, f, x, k-l, what all first fs have, k-j; 7 and 8 as in ql.
func (l *lanes) qr() {
	begins, begun := mask{1, 7}, mask{2, 8}
	l.p("MOVQ d+0(FP), DI")
	l.p("MOVQ e+8(FP), SI")
	l.p("MOVQ room+16(FP), BX")
	l.p("MOVQ tiny+24(FP), R8")
	l.p("MOVQ n+32(FP), R9")
	l.p("MOVQ k+40(FP), DX")
	l.p("IMULQ $192, R9")
	l.p("ADDQ BX, R9")
	l.p("MOVQ DX, AX")
	l.p("SHLQ $6, AX")
	l.p("ADDQ AX, DI")
	l.p("ADDQ AX, SI")
	l.zero(4)
	l.constant(5, 1)
	l.load(9, "(R8)")
	l.sign(15)
	l.zero(14)
	l.is(begun, "$0", 14, 14) // all
	l.p("XORQ R11, R11")
	l.label("look")
	l.p("TESTQ DX, DX")
	l.p("JEQ looked")
	l.load(10, "(SI)(R11*1)")
	l.op("ANDN", 10, 15, 10)
	l.is(begins, "$30", 10, 9)
	l.narrow(begins, begun)
	l.p("JEQ looked")
	if l.reg == "Z" {
		l.p("KMOVW K1, K2")
	} else {
		l.p("VMOVAPD Y7, Y8")
	}
	l.load(11, "-64(DI)(R11*1)")
	l.op("ANDN", 11, 15, 11)
	l.is(begins, "$18", 11, 9)
	l.narrow(begins, begun)
	l.p("JNE bad")
	l.op("ADD", 13, 4, 5)
	l.where(4, 13, begun)
	l.p("SUBQ $64, R11")
	l.p("DECQ DX")
	l.p("JMP look")
	l.label("looked")
	l.p("MOVQ R11, AX")
	l.p("NEGQ AX")
	l.p("SHRQ $6, AX")
	l.p("MOVQ AX, top+48(FP)")
	l.p("JEQ done")
	l.p("VCVTSI2SDQ AX, X6, X6")
	l.p("VBROADCASTSD X6, %s6", l.reg)
	l.zero(14)
	l.is(begun, "$30", 4, 14)
	l.load(10, "-64(DI)") // y
	l.load(11, "(DI)")    // z
	l.load(12, "-64(SI)") // g
	l.load(13, "(SI)")    // h
	l.op("SUB", 0, 10, 11)
	l.op("ADD", 1, 10, 11)
	l.op("MUL", 0, 0, 1)
	l.op("SUB", 1, 12, 13)
	l.op("ADD", 2, 12, 13)
	l.op("MUL", 1, 1, 2)
	l.op("ADD", 0, 0, 1)
	l.op("ADD", 1, 13, 13)
	l.op("MUL", 1, 1, 10)
	l.op("DIV", 0, 0, 1)
	l.op("MUL", 1, 0, 0)
	l.op("ADD", 1, 1, 5)
	l.beyond("$21", 1, 1e300, begun, 2)
	l.p("VSQRTPD %s1, %[1]s1", l.reg)
	l.op("AND", 2, 0, 15)
	l.op("OR", 1, 1, 2)
	l.op("ADD", 0, 0, 1)
	l.op("DIV", 10, 10, 0)
	l.op("SUB", 10, 10, 13)
	l.op("MUL", 5, 13, 10)
	for v := range 4 {
		l.zero(v)
	}
	l.label("chain")
	l.is(begins, "$0", 4, 6)
	l.is(begun, "$29", 4, 6)
	l.constant(15, 1)
	l.op("SUB", 6, 6, 15)
	l.bits(begins, begins, 9)
	l.p("TESTL AX, AX")
	l.p("JEQ going")
	l.load(9, "(DI)(R11*1)")
	l.load(10, "(DI)")
	l.op("SUB", 11, 9, 10)
	l.op("ADD", 12, 9, 10)
	l.op("MUL", 11, 11, 12)
	l.op("ADD", 11, 11, 5)
	l.op("DIV", 11, 11, 9)
	l.where(2, 11, begins)
	l.where(3, 9, begins)
	l.where(0, 15, begins)
	l.where(1, 15, begins)
	l.label("going")
	l.load(9, "64(SI)(R11*1)")
	l.op("MUL", 10, 0, 9) // g
	l.op("MUL", 9, 1, 9)  // h
	l.turning(2, 9, 11, 12, 13, begun)
	l.but(14, 12, begins)
	l.load(15, "(SI)(R11*1)")
	l.where(15, 14, begun)
	l.store(15, "(SI)(R11*1)")
	l.keep("BX", begun)
	l.load(11, "64(DI)(R11*1)") // y
	l.op("MUL", 9, 3, 0)
	l.op("MUL", 12, 10, 1)
	l.op("ADD", 9, 9, 12) // f
	l.op("MUL", 12, 10, 0)
	l.op("MUL", 13, 3, 1)
	l.op("SUB", 12, 12, 13) // g
	l.op("MUL", 13, 11, 1)  // h
	l.op("MUL", 11, 11, 0)
	l.turning(9, 13, 10, 14, 15, begun)
	l.load(15, "(DI)(R11*1)")
	l.where(15, 14, begun)
	l.store(15, "(DI)(R11*1)")
	l.keep("R9", begun)
	l.op("MUL", 2, 0, 12)
	l.op("MUL", 14, 1, 11)
	l.op("ADD", 2, 2, 14)
	l.op("MUL", 3, 0, 11)
	l.op("MUL", 14, 1, 12)
	l.op("SUB", 3, 3, 14)
	l.p("ADDQ $192, BX")
	l.p("ADDQ $192, R9")
	l.p("ADDQ $64, R11")
	l.p("JNE chain")
	l.load(9, "(SI)")
	l.where(9, 2, begun)
	l.store(9, "(SI)")
	l.load(9, "(DI)")
	l.where(9, 3, begun)
	l.store(9, "(DI)")
	l.label("done")
	l.end()
	l.label("bad")
	l.p("MOVQ $-1, top+48(FP)")
	l.end()
}

// turn: some columns of the rows go through all rotations at a time: 0 to 3 are those of the row that is in the next rotation, too.
func (l *lanes) turn() {
	begun := mask{2, 8}
	l.p("MOVQ x+0(FP), R12")
	l.p("MOVQ cols+16(FP), R10")
	l.p("MOVQ stride+24(FP), R8")
	for _, cols := range []int{4, 1} {
		name := fmt.Sprintf("by%d", cols)
		l.label(name)
		l.p("CMPQ R10, $%d", cols)
		l.p("JLT %sEnd", name)
		l.p("MOVQ R12, R11")
		l.p("MOVQ room+8(FP), AX")
		l.p("MOVQ count+32(FP), CX")
		for v := range cols {
			l.load(v, fmt.Sprintf("%d(R11)", 64*v))
		}
		l.label(name + "Turn")
		l.load(4, "(AX)")
		l.load(5, "64(AX)")
		if l.reg == "Z" {
			l.p("KMOVW 128(AX), K2")
		} else {
			l.load(8, "128(AX)")
		}
		l.p("MOVQ R11, R13")
		l.p("ADDQ R8, R11")
		for v := range cols {
			l.load(9, fmt.Sprintf("%d(R11)", 64*v))
			l.op("MUL", 10, 4, 9)
			l.op("MUL", 11, 5, v)
			l.op("MUL", 12, 5, 9)
			l.op("MUL", 13, 4, v)
			if l.reg == "Z" {
				l.p("VSUBPD Z11, Z10, K2, Z9")
				l.p("VADDPD Z13, Z12, K2, Z%d", v)
			} else {
				l.op("SUB", 10, 10, 11)
				l.where(9, 10, begun)
				l.op("ADD", 12, 12, 13)
				l.where(v, 12, begun)
			}
			l.store(v, fmt.Sprintf("%d(R13)", 64*v))
			l.p("VMOVAPD %s9, %[1]s%d", l.reg, v)
		}
		l.p("ADDQ $192, AX")
		l.p("DECQ CX")
		l.p("JNE %sTurn", name)
		for v := range cols {
			l.store(v, fmt.Sprintf("%d(R11)", 64*v))
		}
		l.p("ADDQ $%d, R12", 64*cols)
		l.p("SUBQ $%d, R10", cols)
		l.p("JMP %s", name)
		l.label(name + "End")
	}
	l.end()
}

// fold: SI is v, R13 a row, R12 the bytes of v's elements.
func (l *lanes) fold() {
	l.p("MOVQ x+0(FP), BX")
	l.p("MOVQ v+8(FP), SI")
	l.p("MOVQ beta+16(FP), AX")
	l.p("MOVQ rows+24(FP), R12")
	l.p("MOVQ cols+32(FP), R10")
	l.p("MOVQ stride+40(FP), R8")
	l.load(8, "(AX)")
	l.p("SHLQ $6, R12")
	for _, cols := range []int{4, 1} {
		name := fmt.Sprintf("by%d", cols)
		down := func(pass string, step func(v int)) {
			l.p("MOVQ BX, R13")
			l.p("XORQ AX, AX")
			l.label(name + pass)
			l.load(4, "(SI)(AX*1)")
			for v := range cols {
				step(v)
			}
			l.p("ADDQ R8, R13")
			l.p("ADDQ $64, AX")
			l.p("CMPQ AX, R12")
			l.p("JLT %s%s", name, pass)
		}
		l.label(name)
		l.p("CMPQ R10, $%d", cols)
		l.p("JLT %sEnd", name)
		for v := range cols {
			l.zero(v)
		}
		down("Sum", func(v int) {
			l.op("MUL", 5, 4, fmt.Sprintf("%d(R13)", 64*v))
			l.op("ADD", v, v, 5)
		})
		for v := range cols {
			l.op("MUL", v, v, 8)
		}
		down("Less", func(v int) {
			l.op("MUL", 5, 4, v)
			l.load(6, fmt.Sprintf("%d(R13)", 64*v))
			l.op("SUB", 6, 6, 5)
			l.store(6, fmt.Sprintf("%d(R13)", 64*v))
		})
		l.p("ADDQ $%d, BX", 64*cols)
		l.p("SUBQ $%d, R10", cols)
		l.p("JMP %s", name)
		l.label(name + "End")
	}
	l.end()
}

// largest: register 0 is the largest, 1 the sum.
func (l *lanes) largest() {
	l.p("MOVQ y+0(FP), DI")
	l.p("MOVQ a+8(FP), SI")
	l.p("MOVQ n+16(FP), CX")
	l.sign(9)
	l.zero(0)
	l.zero(1)
	l.label("next")
	l.load(2, "(SI)")
	l.op("ANDN", 2, 9, 2)
	l.op("MAX", 0, 0, 2)
	l.op("SUB", 2, 2, 2)
	l.op("ADD", 1, 1, 2)
	l.p("ADDQ $64, SI")
	l.p("DECQ CX")
	l.p("JNZ next")
	l.op("ADD", 0, 0, 1)
	l.store(0, "(DI)")
	l.end()
}

func (l *lanes) scale() {
	l.p("MOVQ y+0(FP), DI")
	l.p("MOVQ a+8(FP), AX")
	l.p("MOVQ x+16(FP), SI")
	l.p("MOVQ n+24(FP), CX")
	l.p("SHLQ $6, CX")
	l.load(0, "(AX)")
	l.p("XORQ AX, AX")
	l.label("next")
	l.op("MUL", 1, 0, "(SI)(AX*1)")
	l.store(1, "(DI)(AX*1)")
	l.p("ADDQ $64, AX")
	l.p("CMPQ AX, CX")
	l.p("JNE next")
	l.end()
}
