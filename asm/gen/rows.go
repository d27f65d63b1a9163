package main

import (
	"bytes"
	"fmt"
)

// genRows returns the assembly of internal/linalg's steps along the rows of one matrix, by file name.
func genRows() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	d.WriteString(gemmHead + "\npackage asm\n\nimport \"unsafe\"\n")
	s.WriteByte('\n')
	for i := range 32 {
		fmt.Fprintf(&s, "DATA upTo32<>+%d(SB)/8, $%d\n", 8*i, i)
	}
	s.WriteString("DATA one<>+0(SB)/8, $0x3ff0000000000000\nGLOBL one<>(SB), RODATA|NOPTR, $8\n")
	s.WriteString("GLOBL upTo32<>(SB), RODATA|NOPTR, $256\n")
	for i := range 16 {
		fmt.Fprintf(&s, "DATA upTo16<>+%d(SB)/4, $%d\n", 4*i, i)
	}
	s.WriteString("GLOBL upTo16<>(SB), RODATA|NOPTR, $64\n")
	wide, single := &rows{lanes{w: &s, reg: "Y", suffix: "D"}}, &rows{lanes{w: &s, reg: "Y", suffix: "S"}}
	const combined, ranked = "is y += Σ a[i]·x[i], in order", "is x[i] -= a[i]·y"
	const eliminateArgs, lessArgs = "x unsafe.Pointer, j, rows, stride int) (next int", "y, a unsafe.Pointer, most, rows, cols, stride, aStride int"
	const eliminated = "is step j of LU in 64 bytes of each row, of rows rows below x, the pivot's; next is the first of these whose element j+1 is largest"
	const largestArgs, largest = "x unsafe.Pointer, n int) (at int", "is where the first of the largest magnitudes is, of 32 bytes of elements at least, or -1 where one is a NaN"
	const factored = "makes column j of a positive definite matrix, row j of c from element j on, that of its Cholesky factor, or reports false; it writes up to a whole vector beside them"
	const lessened = "is y[i] -= Σ a[i, p]·y[p], over p < min(i, most), in order, for row 1 and those after it"
	const polesArgs, poles = "y, d, z unsafe.Pointer, at, x float64, squares bool, n int) (sum, slope float64", "is y = z/(p - x), where y is not nil, Σ z·y and Σ y², for p = d - at or d² - at²"
	const weighArgs = "w, d, at, far, own unsafe.Pointer, count int, squares bool, n int"
	const weighed = "multiplies w by all quotients of p - far, for p = d - at or d² - at², and the same with own in the place of at, where that is not 0"
	for _, f := range []struct {
		name, args, doc string
		frame           int
		body            func()
	}{
		{"RotateRowsF64AVX2", "x unsafe.Pointer, step, count int, cs unsafe.Pointer, cols int", "turns x's row and the one step bytes on by the first cosine and sine of cs, then that and the next …; cols is a multiple of 4", 40, func() { wide.rotate(false) }},
		{"RotateRowsF64AVX512", "x unsafe.Pointer, step, count int, cs unsafe.Pointer, cols int", "is RotateRowsF64AVX2 with wider vectors", 40, func() { wide.rotate(true) }},
		{"ReflectRowsF64AVX2", "x, v unsafe.Pointer, beta float64, rows, cols, stride int", "is x[i] -= (beta·(v·x[i]))·v for rows stride bytes apart", 48, wide.reflect},
		{"MatVecRowsF64AVX2", "y, x, v unsafe.Pointer, beta float64, rows, cols, stride int", "is y[i] = beta·(v·x[i])", 56, wide.matVec},
		{"CombineRowsF64AVX2", "y, a, x unsafe.Pointer, rows, cols, stride int", combined, 48, wide.combine},
		{"Rank1RowsF64AVX2", "x, a, y unsafe.Pointer, rows, cols, stride int", ranked, 48, func() { wide.rank1(false) }},
		{"Rank1RowsF64AVX512", "x, a, y unsafe.Pointer, rows, cols, stride int", ranked, 48, func() { wide.rank1(true) }},
		{"EliminateRowsF64AVX2", eliminateArgs, eliminated, 40, func() { wide.eliminate("Y") }},
		{"EliminateRowsF64AVX512", eliminateArgs, eliminated, 40, func() { wide.eliminate("Z") }},
		{"LargestRowsF64AVX2", largestArgs, largest, 24, wide.largest},
		{"LessRowsF64AVX2", lessArgs, lessened, 56, func() { wide.less(false) }},
		{"LessRowsF64AVX512", lessArgs, lessened, 56, func() { wide.less(true) }},
		{"MatVecRowsF32AVX2", "y, x, v unsafe.Pointer, beta float64, rows, cols, stride int", "is y[i] = beta·(v·x[i])", 56, single.matVec},
		{"CombineRowsF32AVX2", "y, a, x unsafe.Pointer, rows, cols, stride int", combined, 48, single.combine},
		{"Rank1RowsF32AVX2", "x, a, y unsafe.Pointer, rows, cols, stride int", ranked, 48, func() { single.rank1(false) }},
		{"Rank1RowsF32AVX512", "x, a, y unsafe.Pointer, rows, cols, stride int", ranked, 48, func() { single.rank1(true) }},
		{"EliminateRowsF32AVX2", eliminateArgs, eliminated, 40, func() { single.eliminate("Y") }},
		{"EliminateRowsF32AVX512", eliminateArgs, eliminated, 40, func() { single.eliminate("Z") }},
		{"LargestRowsF32AVX2", largestArgs, largest, 24, single.largest},
		{"LessRowsF32AVX2", lessArgs, lessened, 56, func() { single.less(false) }},
		{"LessRowsF32AVX512", lessArgs, lessened, 56, func() { single.less(true) }},
		{"CholeskyRowsF64AVX2", "c unsafe.Pointer, n, stride int) (ok bool", factored, 25, func() { wide.cholesky("Y") }},
		{"CholeskyRowsF64AVX512", "c unsafe.Pointer, n, stride int) (ok bool", factored, 25, func() { wide.cholesky("Z") }},
		{"CholeskyRowsF32AVX2", "c unsafe.Pointer, n, stride int) (ok bool", factored, 25, func() { single.cholesky("Y") }},
		{"CholeskyRowsF32AVX512", "c unsafe.Pointer, n, stride int) (ok bool", factored, 25, func() { single.cholesky("Z") }},
		{"PolesRowsF64AVX2", polesArgs, poles, 72, func() { wide.poles("Y") }},
		{"PolesRowsF64AVX512", polesArgs, poles, 72, func() { wide.poles("Z") }},
		{"WeighRowsF64AVX2", weighArgs, weighed, 64, func() { wide.weigh("Y") }},
		{"WeighRowsF64AVX512", weighArgs, weighed, 64, func() { wide.weigh("Z") }},
	} {
		fmt.Fprintf(&d, "\n// %s %s.\n//\n//go:noescape\nfunc %[1]s(%[3]s)\n", f.name, f.doc, f.args)
		fmt.Fprintf(&s, "\n// func %s(%s)\nTEXT ·%[1]s(SB), NOSPLIT, $0-%[3]d\n", f.name, f.args, f.frame)
		f.body()
	}
	return map[string][]byte{"rows_amd64.s": s.Bytes(), "rows_amd64.go": d.Bytes()}
}

type rows struct{ lanes }

// rotate: R9 is the block's first row, AX the row that register 0 and those after it hold, DX the next one.
func (r *rows) rotate(wide bool) {
	r.p("MOVQ x+0(FP), R9")
	r.p("MOVQ step+8(FP), R8")
	r.p("MOVQ count+16(FP), R10")
	r.p("MOVQ cs+24(FP), DI")
	r.p("MOVQ cols+32(FP), CX")
	blocks := []block{{"Y", 4}, {"Y", 1}}
	if wide {
		blocks = []block{{"Z", 4}, {"Z", 2}, {"Z", 1}, {"Y", 1}}
	}
	for _, b := range blocks {
		r.reg = b.reg
		bytes := map[string]int{"Y": 32, "Z": 64}[b.reg]
		name := fmt.Sprintf("by%d", b.vectors*bytes/8)
		r.label(name)
		r.p("CMPQ CX, $%d", b.vectors*bytes/8)
		r.p("JLT %sEnd", name)
		r.p("MOVQ R9, AX")
		r.p("MOVQ DI, SI")
		r.p("MOVQ R10, R11")
		for v := range b.vectors {
			r.load(v, fmt.Sprintf("%d(AX)", bytes*v))
		}
		r.label(name + "Loop")
		r.p("LEAQ (AX)(R8*1), DX")
		r.p("VBROADCASTSD (SI), %s8", r.reg)
		r.p("VBROADCASTSD 8(SI), %s9", r.reg)
		for v := range b.vectors {
			r.load(4, fmt.Sprintf("%d(DX)", bytes*v))
			r.op("MUL", 5, 9, 4)
			r.op("MUL", 6, 8, v)
			r.op("ADD", 5, 5, 6)
			r.store(5, fmt.Sprintf("%d(AX)", bytes*v))
			r.op("MUL", 4, 8, 4)
			r.op("MUL", 5, 9, v)
			r.op("SUB", v, 4, 5)
		}
		r.p("MOVQ DX, AX")
		r.p("ADDQ $16, SI")
		r.p("DECQ R11")
		r.p("JNZ %sLoop", name)
		for v := range b.vectors {
			r.store(v, fmt.Sprintf("%d(AX)", bytes*v))
		}
		r.p("ADDQ $%d, R9", b.vectors*bytes)
		r.p("SUBQ $%d, CX", b.vectors*bytes/8)
		r.p("JMP %s", name)
		r.label(name + "End")
	}
	r.reg = "Y"
	r.end()
}

// block is a number of columns that go together: so many vectors in registers of so many bytes.
type block struct {
	reg     string
	vectors int
}

// subtract takes register 0 times the CX elements at DI from those at SI, by vectors, then single ones.
func (r *rows) subtract() {
	per := 32 / r.size()
	r.p("XORQ R11, R11")
	r.p("MOVQ CX, R12")
	r.p("SUBQ $%d, R12", per)
	r.p("JLT subFew")
	r.label("subMany")
	r.difference("P", "Y")
	r.p("ADDQ $32, R11")
	r.p("SUBQ $%d, R12", per)
	r.p("JGE subMany")
	r.label("subFew")
	r.p("ADDQ $%d, R12", per)
	r.p("JEQ subEnd")
	r.p("SUBQ $%d, R12", per/2)
	r.p("JLT subSingle")
	r.difference("P", "X")
	r.p("ADDQ $16, R11")
	r.p("SUBQ $%d, R12", per/2)
	r.label("subSingle")
	r.p("ADDQ $%d, R12", per/2)
	r.p("JEQ subEnd")
	r.label("subOne")
	r.difference("S", "X")
	r.p("ADDQ $%d, R11", r.size())
	r.p("DECQ R12")
	r.p("JNZ subOne")
	r.label("subEnd")
}

// lastFew has K1 be those of CX elements that are no whole vector of 64 bytes.
func (r *rows) lastFew() {
	r.p("MOVQ CX, R11")
	r.p("ANDQ $%d, R11", 64/r.size()-1)
	r.p("MOVL $1, AX")
	r.p("SHLXL R11, AX, AX")
	r.p("DECL AX")
	r.p("KMOVW AX, K1")
}

// subtractWide is subtract by vectors of 64 bytes, of which K1 says what the last one has.
func (r *rows) subtractWide() {
	per := 64 / r.size()
	r.p("XORQ R11, R11")
	r.p("MOVQ CX, R12")
	r.p("SUBQ $%d, R12", per)
	r.p("JLT subFew")
	r.label("subMany")
	r.difference("P", "Z")
	r.p("ADDQ $64, R11")
	r.p("SUBQ $%d, R12", per)
	r.p("JGE subMany")
	r.label("subFew")
	r.p("ADDQ $%d, R12", per)
	r.p("JEQ subEnd")
	r.p("VMULP%s.Z (DI)(R11*1), Z0, K1, Z1", r.suffix)
	r.p("VMOVUP%s.Z (SI)(R11*1), K1, Z2", r.suffix)
	r.p("VSUBP%s Z1, Z2, Z2", r.suffix)
	r.p("VMOVUP%s Z2, K1, (SI)(R11*1)", r.suffix)
	r.label("subEnd")
}

// difference is of a packed vector, P, or of a single element, S.
func (r *rows) difference(many, reg string) {
	suffix := many + r.suffix
	r.p("VMUL%s (DI)(R11*1), %s0, %s1", suffix, reg, reg)
	r.move(suffix, reg, "(SI)(R11*1)", 2, false)
	r.p("VSUB%s %s1, %s2, %s2", suffix, reg, reg, reg)
	r.move(suffix, reg, "(SI)(R11*1)", 2, true)
}

// product puts the product of the CX elements at SI and DI into X0, in four partial sums.
func (r *rows) product() {
	one := func(op string, args string) { r.p("V%sS%s %s", op, r.suffix, args) }
	part := func(from, to string) { r.p("VPERMILP%s $1, %s, %s", r.suffix, from, to) } // the second element
	reg := r.reg
	if r.suffix == "S" {
		r.reg = "X"
	}
	r.zero(0)
	r.p("XORQ R11, R11")
	r.p("MOVQ CX, R12")
	r.p("SUBQ $4, R12")
	r.p("JLT few")
	r.label("four")
	r.load(1, "(SI)(R11*1)")
	r.op("MUL", 1, 1, "(DI)(R11*1)")
	r.op("ADD", 0, 0, 1)
	r.p("ADDQ $%d, R11", 4*r.size())
	r.p("SUBQ $4, R12")
	r.p("JGE four")
	r.label("few")
	if r.suffix == "S" { // the sums 2 and 3
		r.p("VPERMILPS $14, X0, X2")
	} else {
		r.p("VEXTRACTF128 $1, Y0, X2")
	}
	part("X0", "X3") // 1
	r.p("ADDQ $4, R12")
	r.p("JEQ sum")
	r.label("one")
	r.p("VMOVS%s (SI)(R11*1), X1", r.suffix)
	one("MUL", "(DI)(R11*1), X1, X1")
	one("ADD", "X1, X0, X0")
	r.p("ADDQ $%d, R11", r.size())
	r.p("DECQ R12")
	r.p("JNZ one")
	r.label("sum")
	one("ADD", "X3, X0, X0")
	part("X2", "X3")
	one("ADD", "X3, X2, X2")
	one("ADD", "X2, X0, X0")
	r.reg = reg
}

func (r *rows) reflect() {
	r.p("MOVQ x+0(FP), SI")
	r.p("MOVQ v+8(FP), DI")
	r.p("VMOVSD beta+16(FP), X8")
	r.p("MOVQ rows+24(FP), R10")
	r.p("MOVQ cols+32(FP), CX")
	r.p("MOVQ stride+40(FP), R8")
	r.label("row")
	r.product()
	r.p("VMULSD X8, X0, X0")
	r.p("VBROADCASTSD X0, Y0")
	r.subtract()
	r.p("ADDQ R8, SI")
	r.p("DECQ R10")
	r.p("JNZ row")
	r.end()
}

// move loads or stores a vector or an element.
func (r *rows) move(suffix, reg, where string, v int, store bool) {
	op := map[byte]string{'P': "VMOVU", 'S': "VMOV"}[suffix[0]] + suffix
	if store {
		r.p("%s %s%d, %s", op, reg, v, where)
	} else {
		r.p("%s %s, %s%d", op, where, reg, v)
	}
}

func (r *rows) matVec() {
	r.p("MOVQ y+0(FP), BX")
	r.p("MOVQ x+8(FP), SI")
	r.p("MOVQ v+16(FP), DI")
	r.p("VMOVSD beta+24(FP), X8")
	if r.suffix == "S" {
		r.p("VCVTSD2SS X8, X8, X8")
	}
	r.p("MOVQ rows+32(FP), R10")
	r.p("MOVQ cols+40(FP), CX")
	r.p("MOVQ stride+48(FP), R8")
	r.label("row")
	r.product()
	r.p("VMULS%s X8, X0, X0", r.suffix)
	r.p("VMOVS%s X0, (BX)", r.suffix)
	r.p("ADDQ $%d, BX", r.size())
	r.p("ADDQ R8, SI")
	r.p("DECQ R10")
	r.p("JNZ row")
	r.end()
}

// combine: a block of columns at a time, down all the rows.
func (r *rows) combine() {
	r.p("MOVQ y+0(FP), DI")
	r.p("MOVQ a+8(FP), BX")
	r.p("MOVQ x+16(FP), SI")
	r.p("MOVQ rows+24(FP), R10")
	r.p("MOVQ cols+32(FP), CX")
	r.p("MOVQ stride+40(FP), R8")
	size := r.size()
	for _, cols := range []int{128 / size, 32 / size, 16 / size, 1} {
		name := fmt.Sprintf("by%d", cols)
		suffix, reg, each, vectors := "P"+r.suffix, "Y", 32, cols*size/32
		broadcast := "VBROADCASTS" + r.suffix
		switch cols {
		case 16 / size:
			reg, each, vectors = "X", 16, 1
			broadcast = map[string]string{"S": "VBROADCASTSS", "D": "VMOVDDUP"}[r.suffix]
		case 1:
			suffix, reg, each, vectors = "S"+r.suffix, "X", size, 1
			broadcast = "VMOVS" + r.suffix
		}
		r.label(name)
		r.p("CMPQ CX, $%d", cols)
		r.p("JLT %sEnd", name)
		for v := range vectors {
			r.move(suffix, reg, fmt.Sprintf("%d(DI)", each*v), v, false)
		}
		r.p("MOVQ SI, AX")
		r.p("MOVQ BX, DX")
		r.p("MOVQ R10, R11")
		r.label(name + "Loop")
		r.p("%s (DX), %s4", broadcast, reg)
		for v := range vectors {
			r.p("VMUL%s %d(AX), %s4, %s5", suffix, each*v, reg, reg)
			r.p("VADD%s %s5, %s%d, %s%d", suffix, reg, reg, v, reg, v)
		}
		r.p("ADDQ $%d, DX", size)
		r.p("ADDQ R8, AX")
		r.p("DECQ R11")
		r.p("JNZ %sLoop", name)
		for v := range vectors {
			r.move(suffix, reg, fmt.Sprintf("%d(DI)", each*v), v, true)
		}
		r.p("ADDQ $%d, DI", size*cols)
		r.p("ADDQ $%d, SI", size*cols)
		r.p("SUBQ $%d, CX", cols)
		r.p("JMP %s", name)
		r.label(name + "End")
	}
	r.end()
}

func (r *rows) rank1(wide bool) {
	r.p("MOVQ x+0(FP), SI")
	r.p("MOVQ a+8(FP), BX")
	r.p("MOVQ y+16(FP), DI")
	r.p("MOVQ rows+24(FP), R10")
	r.p("MOVQ cols+32(FP), CX")
	r.p("MOVQ stride+40(FP), R8")
	if wide {
		r.lastFew()
	}
	r.label("row")
	if wide {
		r.p("VBROADCASTS%s (BX), Z0", r.suffix)
		r.subtractWide()
	} else {
		r.p("VBROADCASTS%s (BX), Y0", r.suffix)
		r.subtract()
	}
	r.p("ADDQ $%d, BX", r.size())
	r.p("ADDQ R8, SI")
	r.p("DECQ R10")
	r.p("JNZ row")
	r.end()
}

// eliminate: SI is row number CX, R9 the bytes of column j, R13 those of the next one; BX is the best row, X6 its element, and
// registers 8 and after it are x.
func (r *rows) eliminate(reg string) {
	one := func(op string, args string) { r.p("V%sS%s %s", op, r.suffix, args) }
	size := r.size()
	r.p("MOVQ x+0(FP), SI")
	r.p("MOVQ j+8(FP), R9")
	r.p("MOVQ rows+16(FP), R10")
	r.p("MOVQ stride+24(FP), R8")
	vectors := 1
	if r.reg = reg; reg == "Z" {
		r.p("MOVQ R9, CX")
		r.p("MOVL $1, AX")
		r.p("SHLL CX, AX")
		r.p("KMOVW AX, K2") // column j
		r.p("NEGL AX")
		r.p("ADDL AX, AX")
		r.p("KMOVW AX, K1") // those right of it
	} else {
		vectors = 2
		word, table := map[int]string{8: "Q", 4: "D"}[size], map[int]string{8: "upTo32", 4: "upTo16"}[size]
		r.p("VMOVQ R9, X0")
		r.p("VPBROADCAST%s X0, Y0", word)
		for v := range 2 {
			r.p("VMOVDQU %s<>+%d(SB), Y%d", table, 32*v, 10+v)
			r.p("VPCMPEQ%s Y%d, Y0, Y%d", word, 10+v, 12+v)
			r.p("VPCMPGT%s Y0, Y%d, Y%[2]d", word, 10+v)
		}
	}
	for v := range vectors {
		r.load(8+v, fmt.Sprintf("%d(SI)", 32*v))
	}
	r.p("SHLQ $%d, R9", map[int]int{8: 3, 4: 2}[size])
	r.p("LEAQ %d(R9), R13", size)
	r.p("ANDQ $63, R13")
	one("MOV", "(SI)(R9*1), X7")
	r.sign(5)
	r.p("XORQ BX, BX")
	r.p("XORQ CX, CX")
	row := func() {
		r.p("ADDQ R8, SI")
		r.p("INCQ CX")
		one("MOV", "(SI)(R9*1), X0")
		one("DIV", "X7, X0, X0")
		r.p("VBROADCASTS%s X0, %s0", r.suffix, reg)
		for v := range vectors {
			where := fmt.Sprintf("%d(SI)", 32*v)
			r.load(2, where)
			r.op("MUL", 1, 0, 8+v)
			if reg == "Z" {
				r.p("VSUBP%s Z1, Z2, K1, Z2", r.suffix)
				r.p("VMOVAP%s Z0, K2, Z2", r.suffix)
			} else {
				r.op("SUB", 1, 2, 1)
				r.p("VBLENDVP%s Y%d, Y1, Y2, Y2", r.suffix, 10+v)
				r.p("VBLENDVP%s Y%d, Y0, Y2, Y2", r.suffix, 12+v)
			}
			r.store(2, where)
		}
		one("MOV", "(SI)(R13*1), X1")
		r.p("VANDNP%s X1, X5, X1", r.suffix)
	}
	row()
	r.p("MOVQ CX, BX")
	r.p("VMOVAP%s X1, X6", r.suffix)
	r.p("DECQ R10")
	r.p("JZ done")
	r.label("row")
	row()
	r.p("VUCOMIS%s X6, X1", r.suffix)
	r.p("CMOVQHI CX, BX")
	one("MAX", "X6, X1, X6")
	r.p("DECQ R10")
	r.p("JNZ row")
	r.label("done")
	r.p("MOVQ BX, next+32(FP)")
	r.reg = "Y"
	r.end()
}

// largest: R9 is the last vector, which the one before it may overlap. Y0 to Y3 are the largest magnitudes, Y6 and Y7 say where
// there was a NaN.
func (r *rows) largest() {
	shift := map[int]int{8: 3, 4: 2}[r.size()]
	r.p("MOVQ x+0(FP), SI")
	r.p("MOVQ n+8(FP), R9")
	r.p("SHLQ $%d, R9", shift)
	r.p("LEAQ -32(SI)(R9*1), R9")
	r.sign(5)
	for v := range 4 {
		r.zero(v)
	}
	r.zero(6)
	r.zero(7)
	r.p("MOVQ SI, DI")
	magnitude := func(v int, where string) {
		r.load(8+v, where)
		r.op("ANDN", 8+v, 5, 8+v)
		r.op("MAX", v, v, 8+v)
	}
	unordered := func(a, b, to int) {
		r.p("VCMPP%s $3, Y%d, Y%d, Y%d", r.suffix, a, b, a)
		r.op("OR", to, to, a)
	}
	r.label("four")
	r.p("LEAQ 96(DI), AX")
	r.p("CMPQ AX, R9")
	r.p("JHI one")
	for v := range 4 {
		magnitude(v, fmt.Sprintf("%d(DI)", 32*v))
	}
	unordered(8, 9, 6)
	unordered(10, 11, 7)
	r.p("ADDQ $128, DI")
	r.p("JMP four")
	r.label("one")
	r.p("CMPQ DI, R9")
	r.p("JCC last")
	magnitude(0, "(DI)")
	unordered(8, 8, 6)
	r.p("ADDQ $32, DI")
	r.p("JMP one")
	r.label("last")
	magnitude(0, "(R9)")
	unordered(8, 8, 6)
	r.op("OR", 6, 6, 7)
	r.p("MOVQ $-1, DX")
	r.p("VMOVMSKP%s Y6, AX", r.suffix)
	r.p("TESTL AX, AX")
	r.p("JNE done")
	r.op("MAX", 0, 0, 1)
	r.op("MAX", 2, 2, 3)
	r.op("MAX", 0, 0, 2)
	r.p("VEXTRACTF128 $1, Y0, X1")
	r.p("VMAXP%s X1, X0, X0", r.suffix)
	if r.size() == 4 {
		r.p("VPERMILPS $14, X0, X1")
		r.p("VMAXPS X1, X0, X0")
	}
	r.p("VPERMILP%s $1, X0, X1", r.suffix)
	r.p("VMAXP%s X1, X0, X0", r.suffix)
	r.p("VBROADCASTS%s X0, Y0", r.suffix)
	r.p("MOVQ SI, DI")
	r.label("find")
	r.p("CMPQ DI, R9")
	r.p("CMOVQHI R9, DI")
	r.load(1, "(DI)")
	r.op("ANDN", 1, 5, 1)
	r.p("VCMPP%s $0, Y0, Y1, Y1", r.suffix)
	r.p("VMOVMSKP%s Y1, AX", r.suffix)
	r.p("ADDQ $32, DI")
	r.p("TESTL AX, AX")
	r.p("JEQ find")
	r.p("BSFL AX, AX")
	r.p("LEAQ -32(DI), DX")
	r.p("SUBQ SI, DX")
	r.p("SHRQ $%d, DX", shift)
	r.p("ADDQ AX, DX")
	r.label("done")
	r.p("MOVQ DX, at+16(FP)")
	r.end()
}

// cholesky: DI is row j, R9, of c, R10 the offset of a vector in it, R11 that of element j, R12 the row's bytes; AX and BX go down the vector's and
// element j's column. Register 8 is the element of the factor's diagonal.
func (r *rows) cholesky(reg string) {
	one := func(op string, args string) { r.p("V%sS%s %s", op, r.suffix, args) }
	r.reg = reg
	bytes, size := map[string]int{"Y": 32, "Z": 64}[reg], r.size()
	shift := map[int]int{8: 3, 4: 2}[size]
	r.p("MOVQ c+0(FP), SI")
	r.p("MOVQ n+8(FP), R12")
	r.p("SHLQ $%d, R12", shift)
	r.p("MOVQ stride+16(FP), R8")
	r.p("MOVQ SI, DI")
	r.p("XORQ R9, R9")
	r.label("column")
	r.p("MOVQ R9, R11")
	r.p("SHLQ $%d, R11", shift)
	r.p("MOVQ R11, R10")
	r.p("ANDQ $-%d, R10", bytes)
	vector := func(name string) {
		r.p("LEAQ (SI)(R10*1), AX")
		r.p("LEAQ (SI)(R11*1), BX")
		for v := range 4 {
			r.zero(v)
		}
		r.p("MOVQ R9, CX")
		r.p("SUBQ $4, CX")
		r.p("JLT %sFew", name)
		r.label(name + "Four")
		for v := range 4 {
			r.p("VBROADCASTS%s (BX), %s%d", r.suffix, reg, 4+v)
			r.op("MUL", 4+v, 4+v, "(AX)")
			r.op("ADD", v, v, 4+v)
			r.p("ADDQ R8, AX")
			r.p("ADDQ R8, BX")
		}
		r.p("SUBQ $4, CX")
		r.p("JGE %sFour", name)
		r.label(name + "Few")
		r.p("ADDQ $4, CX")
		r.p("JEQ %sSum", name)
		r.label(name + "One")
		r.p("VBROADCASTS%s (BX), %s4", r.suffix, reg)
		r.op("MUL", 4, 4, "(AX)")
		r.op("ADD", 0, 0, 4)
		r.p("ADDQ R8, AX")
		r.p("ADDQ R8, BX")
		r.p("DECQ CX")
		r.p("JNZ %sOne", name)
		r.label(name + "Sum")
		r.op("ADD", 0, 0, 1)
		r.op("ADD", 2, 2, 3)
		r.op("ADD", 0, 0, 2)
		r.load(6, "(DI)(R10*1)")
		r.op("SUB", 6, 6, 0)
	}
	vector("first")
	r.store(6, "(DI)(R10*1)")
	one("MOV", "(DI)(R11*1), X8")
	r.p("VXORPS X9, X9, X9")
	one("UCOMI", "X9, X8")
	r.p("JLS failed")
	one("SQRT", "X8, X8, X8")
	r.p("VBROADCASTS%s X8, %s8", r.suffix, reg)
	r.op("DIV", 6, 6, 8)
	r.store(6, "(DI)(R10*1)")
	one("MOV", "X8, (DI)(R11*1)")
	r.p("JMP next")
	r.label("right")
	vector("right")
	r.op("DIV", 6, 6, 8)
	r.store(6, "(DI)(R10*1)")
	r.label("next")
	r.p("ADDQ $%d, R10", bytes)
	r.p("CMPQ R10, R12")
	r.p("JLT right")
	r.p("ADDQ R8, DI")
	r.p("INCQ R9")
	r.p("CMPQ R9, n+8(FP)")
	r.p("JLT column")
	r.p("MOVB $1, ok+24(FP)")
	r.p("JMP done")
	r.label("failed")
	r.p("MOVB $0, ok+24(FP)")
	r.label("done")
	r.reg = "Y"
	r.end()
}

// less: DI and BX are rows number R13 of y and a, R12 the bytes of the columns that are done, of CX the rest; AX goes down y, DX along a.
func (r *rows) less(wide bool) {
	size := r.size()
	r.p("MOVQ y+0(FP), DI")
	r.p("MOVQ DI, SI")
	r.p("MOVQ a+8(FP), BX")
	r.p("MOVQ stride+40(FP), R8")
	r.p("MOVQ aStride+48(FP), R9")
	r.p("MOVQ $1, R13")
	blocks := []block{{"Y", 4}, {"Y", 1}, {"X", 1}, {"", 1}}
	if wide {
		blocks = []block{{"Z", 4}, {"Z", 2}, {"Z", 1}, {"", 1}}
		r.p("MOVQ cols+32(FP), CX")
		r.p("ANDQ $%d, CX", 64/size-1)
		r.p("MOVL $1, AX")
		r.p("SHLL CX, AX")
		r.p("DECL AX")
		r.p("KMOVW AX, K1")
	}
	r.label("row")
	r.p("ADDQ R8, DI")
	r.p("ADDQ R9, BX")
	r.p("MOVQ most+16(FP), R10")
	r.p("CMPQ R13, R10")
	r.p("CMOVQLT R13, R10")
	r.p("MOVQ cols+32(FP), CX")
	r.p("XORQ R12, R12")
	for _, b := range blocks {
		suffix, reg, each, mask := "P"+r.suffix, b.reg, map[string]int{"X": 16, "Y": 32, "Z": 64}[b.reg], ""
		broadcast := "VBROADCASTS" + r.suffix
		switch {
		case b.reg == "" && wide: // the last few
			reg, each, mask = "Z", 64, "K1"
		case b.reg == "": // one
			reg, each, suffix = "X", size, "S"+r.suffix
			broadcast = "VMOVS" + r.suffix
		case b.reg == "X" && size == 8:
			broadcast = "VMOVDDUP"
		}
		cols := b.vectors * each / size
		name := fmt.Sprintf("by%d%s", cols, mask)
		r.label(name)
		if mask == "" {
			r.p("CMPQ CX, $%d", cols)
			r.p("JLT %sEnd", name)
		} else {
			r.p("TESTQ CX, CX")
			r.p("JEQ %sEnd", name)
		}
		for v := range b.vectors {
			where := fmt.Sprintf("%d(DI)(R12*1)", each*v)
			if mask != "" {
				r.p("VMOVU%s.Z %s, K1, Z0", suffix, where)
			} else {
				r.move(suffix, reg, where, v, false)
			}
		}
		r.p("LEAQ (SI)(R12*1), AX")
		r.p("MOVQ BX, DX")
		r.p("MOVQ R10, R11")
		r.label(name + "Loop")
		r.p("%s (DX), %s4", broadcast, reg)
		for v := range b.vectors {
			if mask != "" {
				r.p("VMUL%s.Z (AX), Z4, K1, Z5", suffix)
			} else {
				r.p("VMUL%s %d(AX), %s4, %s5", suffix, each*v, reg, reg)
			}
			r.p("VSUB%s %s5, %s%d, %s%d", suffix, reg, reg, v, reg, v)
		}
		r.p("ADDQ $%d, DX", size)
		r.p("ADDQ R8, AX")
		r.p("DECQ R11")
		r.p("JNZ %sLoop", name)
		if mask != "" {
			r.p("VMOVU%s Z0, K1, (DI)(R12*1)", suffix)
		} else {
			for v := range b.vectors {
				r.move(suffix, reg, fmt.Sprintf("%d(DI)(R12*1)", each*v), v, true)
			}
			r.p("ADDQ $%d, R12", each*b.vectors)
			r.p("SUBQ $%d, CX", cols)
			r.p("JMP %s", name)
		}
		r.label(name + "End")
	}
	r.p("INCQ R13")
	r.p("CMPQ R13, rows+24(FP)")
	r.p("JLT row")
	r.end()
}

// remaining makes register 15 the CX elements that are left.
func (r *rows) remaining() {
	r.p("VMOVQ CX, X15")
	r.p("VPBROADCASTQ X15, %s15", r.reg)
}

// few is register dst from memory, as far as it is not beyond the elements that are left, which K(k), or Y14, then tells. from is an element's
// number.
func (r *rows) few(dst, k, from int, base string) {
	if r.reg == "Z" {
		r.p("VPCMPGTQ upTo32<>+%d(SB), Z15, K%d", 8*from, k)
		r.p("VMOVUPD.Z %d(%s)(R11*1), K%d, Z%d", 8*from, base, k, dst)
		return
	}
	r.p("VPCMPGTQ upTo32<>+%d(SB), Y15, Y14", 8*from)
	r.p("VMASKMOVPD %d(%s)(R11*1), Y14, Y%d", 8*from, base, dst)
}

// pole makes register dst the p, of d there, for a root whose pole is in register at; t is lost.
func (r *rows) pole(dst, at, t int, squares bool) {
	if squares {
		r.op("ADD", t, dst, at)
	}
	r.op("SUB", dst, dst, at)
	if squares {
		r.op("MUL", dst, dst, t)
	}
}

// poles: four elements that are eight apart have one quotient together, and each its own by products: 1 is in the place of those that are beyond the last.
// Registers before 4 are the sums, 4 to 7 the four elements, 8 and 9 at and x, 10 is 1.
func (r *rows) poles(reg string) {
	r.reg = reg
	halves := map[string]int{"Y": 2, "Z": 1}[reg]
	r.p("MOVQ y+0(FP), DI")
	r.p("MOVQ d+8(FP), SI")
	r.p("MOVQ z+16(FP), DX")
	r.p("VBROADCASTSD at+24(FP), %s8", reg)
	r.p("VBROADCASTSD x+32(FP), %s9", reg)
	r.p("VBROADCASTSD one<>+0(SB), %s10", reg)
	r.p("MOVQ n+48(FP), CX")
	for v := range 2 * halves {
		r.zero(v)
	}
	r.p("XORQ R11, R11")
	r.p("CMPB squares+40(FP), $0")
	r.p("JNE squares")
	for _, squares := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "squares"}[squares]
		part := func(half int, last bool) {
			for g := range 4 {
				from := 8*g + 4*half
				if last {
					r.few(4+g, 1+g, from, "SI")
				} else {
					r.load(4+g, fmt.Sprintf("%d(SI)(R11*1)", 8*from))
				}
				r.pole(4+g, 8, 11, squares)
				r.op("SUB", 4+g, 4+g, 9)
				switch {
				case last && reg == "Z":
					r.p("VBLENDMPD Z%d, Z10, K%d, Z%[1]d", 4+g, 1+g)
				case last:
					r.p("VBLENDVPD Y14, Y%d, Y10, Y%[1]d", 4+g)
				}
			}
			r.op("MUL", 11, 4, 5)
			r.op("MUL", 12, 6, 7)
			r.op("MUL", 13, 11, 12)
			r.op("DIV", 13, 10, 13)
			r.op("MUL", 12, 13, 12)
			r.op("MUL", 13, 13, 11)
			r.op("MUL", 11, 12, 5)
			r.op("MUL", 5, 12, 4)
			r.op("MUL", 4, 13, 7)
			r.op("MUL", 7, 13, 6)
			for g, v := range []int{11, 5, 4, 7} {
				from := 8*g + 4*half
				skip := fmt.Sprintf("%s%d%d%t", name, half, g, last)
				if last {
					r.few(6, 1+g, from, "DX")
				} else {
					r.load(6, fmt.Sprintf("%d(DX)(R11*1)", 8*from))
				}
				switch {
				case last && reg == "Z":
					r.p("VMULPD.Z Z%d, Z6, K%d, Z%[1]d", v, 1+g)
				default:
					r.op("MUL", v, 6, v)
					if last { // 0 times what is not finite may not be 0
						r.op("AND", v, v, 14)
					}
				}
				r.p("TESTQ DI, DI")
				r.p("JEQ %s", skip)
				switch {
				case last && reg == "Z":
					r.p("VMOVUPD Z%d, K%d, %d(DI)(R11*1)", v, 1+g, 8*from)
				case last:
					r.p("VMASKMOVPD Y%d, Y14, %d(DI)(R11*1)", v, 8*from)
				default:
					r.store(v, fmt.Sprintf("%d(DI)(R11*1)", 8*from))
				}
				r.label(skip)
				r.op("MUL", 6, 6, v)
				r.op("MUL", v, v, v)
				r.op("ADD", half, half, 6)
				r.op("ADD", halves+half, halves+half, v)
			}
		}
		r.label(name)
		r.p("SUBQ $32, CX")
		r.p("JLT %sRest", name)
		r.label(name + "Loop")
		for half := range halves {
			part(half, false)
		}
		r.p("ADDQ $256, R11")
		r.p("SUBQ $32, CX")
		r.p("JGE %sLoop", name)
		r.label(name + "Rest")
		r.p("ADDQ $32, CX")
		r.p("JEQ done")
		r.remaining()
		for half := range halves {
			part(half, true)
		}
		r.p("JMP done")
	}
	r.label("done")
	for i, result := range []string{"sum+56(FP)", "slope+64(FP)"} {
		v := halves * i
		if reg == "Z" {
			r.p("VEXTRACTF64X4 $1, Z%d, Y5", v)
			r.p("VADDPD Y5, Y%d, Y%[1]d", v)
		} else {
			r.op("ADD", v, v, v+1)
		}
		r.p("VEXTRACTF128 $1, Y%d, X5", v)
		r.p("VADDPD X5, X%d, X%[1]d", v)
		r.p("VPERMILPD $1, X%d, X5", v)
		r.p("VADDSD X5, X%d, X%[1]d", v)
		r.p("VMOVSD X%d, %s", v, result)
	}
	r.end()
	r.reg = "Y"
}

// weigh: two registers of elements at a time, 0 and 1. 2 and 3 are the products of numerators, 4 and 5 those of denominators, 6 is 1, 7 is 0, 8 to 10
// are a root's. R8, R9 and R10 go along at, far and own.
func (r *rows) weigh(reg string) {
	r.reg = reg
	lanes := map[string]int{"Y": 4, "Z": 8}[reg]
	r.p("MOVQ w+0(FP), DI")
	r.p("MOVQ d+8(FP), SI")
	r.p("VBROADCASTSD one<>+0(SB), %s6", reg)
	r.zero(7)
	r.p("MOVQ n+56(FP), CX")
	r.p("XORQ R11, R11")
	r.p("CMPB squares+48(FP), $0")
	r.p("JNE squares")
	for _, squares := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "squares"}[squares]
		part := func(last bool) {
			for v := range 2 {
				if last {
					r.few(v, 1+v, lanes*v, "SI")
				} else {
					r.load(v, fmt.Sprintf("%d(SI)(R11*1)", 8*lanes*v))
				}
				for _, one := range []int{2 + v, 4 + v} {
					r.p("VMOVAPD %s6, %[1]s%d", reg, one)
				}
			}
			r.p("MOVQ at+16(FP), R8")
			r.p("MOVQ far+24(FP), R9")
			r.p("MOVQ own+32(FP), R10")
			r.p("MOVQ count+40(FP), DX")
			root := fmt.Sprintf("%sRoot%t", name, last)
			r.label(root)
			for i, from := range []string{"R8", "R9", "R10"} {
				r.p("VBROADCASTSD (%s), %s%d", from, reg, 8+i)
			}
			for v := range 2 {
				r.p("VMOVAPD %s%d, %[1]s11", reg, v)
				r.pole(11, 8, 12, squares)
				r.op("SUB", 11, 11, 9)
				r.op("MUL", 2+v, 2+v, 11)
				r.p("VMOVAPD %s%d, %[1]s11", reg, v)
				r.pole(11, 10, 12, squares)
				if reg == "Z" {
					r.p("VCMPPD $0, Z11, Z7, K3")
					r.p("VMOVAPD Z6, K3, Z11")
				} else {
					r.p("VCMPPD $0, Y11, Y7, Y12")
					r.p("VBLENDVPD Y12, Y6, Y11, Y11")
				}
				r.op("MUL", 4+v, 4+v, 11)
			}
			for _, from := range []string{"R8", "R9", "R10"} {
				r.p("ADDQ $8, %s", from)
			}
			r.p("DECQ DX")
			r.p("JNZ %s", root)
			for v := range 2 {
				r.op("DIV", 2+v, 2+v, 4+v)
				switch where := fmt.Sprintf("%d(DI)(R11*1)", 8*lanes*v); {
				case !last:
					r.op("MUL", 2+v, 2+v, where)
					r.store(2+v, where)
				default:
					r.few(0, 1+v, lanes*v, "DI")
					r.op("MUL", 2+v, 0, 2+v)
					if reg == "Z" {
						r.p("VMOVUPD Z%d, K%d, %s", 2+v, 1+v, where)
					} else {
						r.p("VMASKMOVPD Y%d, Y14, %s", 2+v, where)
					}
				}
			}
		}
		r.label(name)
		r.p("SUBQ $%d, CX", 2*lanes)
		r.p("JLT %sRest", name)
		r.label(name + "Loop")
		part(false)
		r.p("ADDQ $%d, R11", 16*lanes)
		r.p("SUBQ $%d, CX", 2*lanes)
		r.p("JGE %sLoop", name)
		r.label(name + "Rest")
		r.p("ADDQ $%d, CX", 2*lanes)
		r.p("JEQ done")
		r.remaining()
		part(true)
		r.p("JMP done")
	}
	r.label("done")
	r.end()
	r.reg = "Y"
}
