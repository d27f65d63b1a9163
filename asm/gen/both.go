package main

import "fmt"

const bothDecl = `
// Both%[1]s%[2]s is kernels.Rows' Both.
//
//go:noescape
func Both%[1]s%[2]s(y, s, a, x unsafe.Pointer, rows, cols, stride int)
`

// both: eight rows of a at a time, four or one, are read once for their products with x, each in 128 bytes of lanes as dot's, and their sum,
// in s. R10 is the first row's offset in x and y, R12 that row, along which go AX, BX four rows further, and CX. K1 and K2 are the last 128 bytes, of which
// there may be none, K3 is none for the first rows, whose s is 0.
func (g *gemm) both() {
	size := g.t.size
	g.p("")
	g.p("TEXT ·Both%s%s(SB), NOSPLIT, $0-56", g.t.name, g.name)
	g.p("MOVQ cols+40(FP), CX")
	g.p("ANDQ $%d, CX", 128/size-1)
	g.mask("CX", 2)
	g.p("KXORW K3, K3, K3")
	g.p("MOVQ y+0(FP), DX")
	g.p("MOVQ s+8(FP), R13")
	g.p("MOVQ a+16(FP), R12")
	g.p("MOVQ x+24(FP), R8")
	g.p("MOVQ rows+32(FP), R11")
	g.p("MOVQ stride+48(FP), SI")
	g.p("MOVQ cols+40(FP), DI")
	g.p("SHLQ $%d, DI", size/4+1)
	g.p("ANDQ $-128, DI")
	g.p("XORQ R10, R10")
	for n, rows := range []int{8, 4, 1} {
		loop, rest, sum, next := g.newLabel("loop"), g.newLabel("rest"), g.newLabel("sum"), fmt.Sprint("rows", []int{4, 1, 0}[n])
		g.p("")
		g.p("rows%d:", rows)
		g.p("CMPQ R11, $%d", rows)
		g.p("JLT %s", next)
		g.p("MOVQ R12, AX")
		g.p("LEAQ (R12)(SI*4), BX")
		g.p("LEAQ (SI)(SI*2), R9")
		row := func(i int) string {
			return []string{"AX", "BX"}[i/4] + []string{")", ")(SI*1)", ")(SI*2)", ")(R9*1)"}[i%4]
		}
		for i := range rows {
			g.p("VBROADCAST@ %d(R8)(R10*1), Z%d", size*i, 22+i)
		}
		for i := range 2 * rows {
			g.p("VXORPS Z%d, Z%[1]d, Z%[1]d", i)
		}
		part := func(tail bool) {
			mask := func(k int) string {
				if tail {
					return fmt.Sprintf("K%d, ", k)
				}
				return ""
			}
			zero := map[bool]string{true: ".Z"}[tail]
			for v := range 2 {
				was := 3
				if tail {
					was = 4 + v
				}
				g.p("VMOVU#%s %d(R8)(CX*1), %sZ%d", zero, 64*v, mask(1+v), 16+v)
				g.p("VMOVU#.Z %d(R13)(CX*1), K%d, Z%d", 64*v, was, 18+v)
			}
			for i := range rows {
				for v := range 2 {
					g.p("VMOVU#%s %d(%s, %sZ%d", zero, 64*v, row(i), mask(1+v), 20+v)
					g.p("VFMADD231# Z%d, Z%d, Z%d", 20+v, 16+v, 2*i+v)
					g.p("VFMADD231# Z%d, Z%d, Z%d", 20+v, 22+i, 18+v)
				}
			}
			for v := range 2 {
				g.p("VMOVU# Z%d, %s%d(R13)(CX*1)", 18+v, mask(1+v), 64*v)
			}
		}
		g.p("XORQ CX, CX")
		g.p("CMPQ CX, DI")
		g.p("JEQ %s", rest)
		g.p("PCALIGN $32")
		g.p("%s:", loop)
		part(false)
		g.p("ADDQ $128, CX")
		g.p("ADDQ $128, AX")
		if rows == 8 {
			g.p("ADDQ $128, BX")
		}
		g.p("CMPQ CX, DI")
		g.p("JNE %s", loop)
		g.p("%s:", rest)
		g.p("KORTESTW K1, K1")
		g.p("JEQ %s", sum)
		g.p("KANDW K1, K3, K4")
		g.p("KANDW K2, K3, K5")
		part(true)
		g.p("%s:", sum)
		for i := range rows {
			g.halve(2 * i)
			g.p("VADD@ %d(DX)(R10*1), X%d, X%[2]d", size*i, 2*i)
			g.p("VMOV@ X%d, %d(DX)(R10*1)", 2*i, size*i)
		}
		g.p("KXNORW K3, K3, K3")
		g.p("ADDQ $%d, R10", size*rows)
		g.p("LEAQ (R12)(SI*%d), R12", rows)
		g.p("SUBQ $%d, R11", rows)
		g.p("JMP rows%d", rows)
	}
	g.p("")
	g.p("rows0: // y[j] += s[j] for what is right of the rows' own columns")
	g.p("MOVQ cols+40(FP), R9")
	g.p("SUBQ rows+32(FP), R9")
	g.p("JMP more")
	g.p("whole:")
	g.p("VMOVU# (R13)(R10*1), Z0")
	g.p("VADD# (DX)(R10*1), Z0, Z0")
	g.p("VMOVU# Z0, (DX)(R10*1)")
	g.p("ADDQ $64, R10")
	g.p("more:")
	g.p("SUBQ $%d, R9", g.perVec)
	g.p("JGE whole")
	g.p("ADDQ $%d, R9", g.perVec)
	g.p("MOVQ R9, CX")
	g.mask("CX", 1)
	g.p("VMOVU#.Z (R13)(R10*1), K1, Z0")
	g.p("VMOVU#.Z (DX)(R10*1), K1, Z1")
	g.p("VADD# Z1, Z0, Z0")
	g.p("VMOVU# Z0, K1, (DX)(R10*1)")
	g.p("VZEROUPPER")
	g.p("RET")
}
