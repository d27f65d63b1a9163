package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

// genBF16 returns what products of BF16 and F16 need beside those of F32. Go's assembler does not know VDPBF16PS: its
// bytes are left zero, for asm2plan9s to fill in.
func genBF16() map[string][]byte {
	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"funcdata.h\"\n#include \"textflag.h\"\n")
	d.WriteString(gemmHead + "\npackage asm\n\nimport \"unsafe\"\n")
	for _, i := range isas {
		g := &gemm{isa: i, t: gemmTypes[0], perVec: i.bytes / 4, w: &s}
		g.flushed("GemmBF16"+i.name, "GemmF32"+i.name)
		fmt.Fprintf(&d, bf16Decls, i.name, i.mr, i.vecs*g.perVec)
		g.splitPairs("A", i.mr)
		g.splitPairs("B", i.vecs*g.perVec)
		g.widenPairs("A", i.mr)
		g.widenPairs("B", i.vecs*g.perVec)
		g.zip("B", i.vecs*g.perVec)
		if i.masks {
			g.zip("A", i.mr)
			g.t.name, g.pairs = "BF16Pairs", true
			g.flushed("GemmBF16Dot"+i.name, "GemmBF16Pairs"+i.name)
			g.stripMasked(false)
			fmt.Fprintf(&d, bf16DotDecls, i.name, i.mr)
		}
	}
	return map[string][]byte{bf16File: s.Bytes(), "gemm_bf16_amd64.go": d.Bytes()}
}

const bf16File = "gemm_bf16_amd64.s"

// An instruction that Go's assembler does not know has a line with its bytes, which are zeros at first: of six
// bytes, or of five.
const (
	zeroBytes = "LONG $0x00000000; WORD $0x0000 // "
	zeroFive  = "LONG $0x00000000; BYTE $0x00 // "
)

var (
	sixBytes  = regexp.MustCompile(`LONG \$0x[0-9a-f]{8}; WORD \$0x[0-9a-f]{4} // `)
	fiveBytes = regexp.MustCompile(`LONG \$0x[0-9a-f]{8}; BYTE \$0x[0-9a-f]{2} // `)
)

// unassembled reports whether such a line of s has its zeros yet.
func unassembled(s []byte) bool {
	return bytes.Contains(s, []byte(zeroBytes)) || bytes.Contains(s, []byte(zeroFive))
}

// blank is a file with all such bytes zero.
func blank(s []byte) []byte {
	return fiveBytes.ReplaceAllLiteral(sixBytes.ReplaceAllLiteral(s, []byte(zeroBytes)), []byte(zeroFive))
}

// assemble fills in the bytes of the file at path.
func assemble(path string) error {
	if out, err := exec.Command("go", "tool", "asm2plan9s", path).CombinedOutput(); err != nil {
		return fmt.Errorf("asm2plan9s: %w\n%s", err, out)
	}
	s, err := os.ReadFile(path)
	if err == nil && unassembled(s) {
		err = fmt.Errorf("asm2plan9s left zeros in %s", path)
	}
	return err
}

const bf16Decls = `
// GemmBF16%[1]s is kernels.GemmKernel's Strip with MR %[2]d and NR %[3]d, of panels that are split.
//
//go:noescape
func GemmBF16%[1]s(k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int, c unsafe.Pointer, cRow int, m, n int, add bool, next unsafe.Pointer, step, steps int)

// SplitA%[1]s is kernels.GemmKernel's SplitA.
//
//go:noescape
func SplitA%[1]s(dst unsafe.Pointer, pairs int)

// SplitB%[1]s is kernels.GemmKernel's SplitB.
//
//go:noescape
func SplitB%[1]s(dst unsafe.Pointer, pairs int)

// WidenA%[1]s is kernels.GemmKernel's SplitA for F16.
//
//go:noescape
func WidenA%[1]s(dst unsafe.Pointer, pairs int)

// WidenB%[1]s is kernels.GemmKernel's SplitB for F16.
//
//go:noescape
func WidenB%[1]s(dst unsafe.Pointer, pairs int)

// ZipB%[1]s is kernels.GemmKernel's ZipB.
//
//go:noescape
func ZipB%[1]s(dst, src unsafe.Pointer, step, pairs int)
`

const bf16DotDecls = `
// ZipA%[1]s is kernels.GemmKernel's ZipA.
//
//go:noescape
func ZipA%[1]s(dst, src unsafe.Pointer, step, pairs int)

// GemmBF16Dot%[1]s is kernels.GemmKernel's Strip with MR %[2]d, of panels of pairs: by VDPBF16PS.
//
//go:noescape
func GemmBF16Dot%[1]s(k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int, c unsafe.Pointer, cRow int, m, n int, add bool, next unsafe.Pointer, step, steps int)

// GemmBF16Pairs%[1]s is GemmBF16Dot%[1]s but for denormal sums of blocks.
//
//go:noescape
func GemmBF16Pairs%[1]s(k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int, c unsafe.Pointer, cRow int, m, n int, add bool, next unsafe.Pointer, step, steps int)
`

// flushed calls a Strip with denormals taken and made as zeros, which VDPBF16PS does of itself.
func (g *gemm) flushed(name, strip string) {
	g.p("")
	g.p("TEXT ·%s(SB), NOSPLIT, $128-120", name)
	g.p("NO_LOCAL_POINTERS")
	for i, arg := range []string{"k", "a", "aRow", "aCol", "aPanel", "b", "bRow", "c", "cRow", "m", "n"} {
		g.p("MOVQ %s+%d(FP), AX", arg, 8*i)
		g.p("MOVQ AX, %d(SP)", 8*i)
	}
	g.p("MOVBLZX add+88(FP), AX")
	g.p("MOVB AX, 88(SP)")
	for i, arg := range []string{"next", "step", "steps"} {
		g.p("MOVQ %s+%d(FP), AX", arg, 96+8*i)
		g.p("MOVQ AX, %d(SP)", 96+8*i)
	}
	g.p("STMXCSR 120(SP)")
	g.p("MOVL 120(SP), AX")
	g.p("ORL $0x8040, AX // FTZ and DAZ")
	g.p("MOVL AX, 124(SP)")
	g.p("LDMXCSR 124(SP)")
	g.p("CALL ·%s(SB)", strip)
	g.p("LDMXCSR 120(SP)")
	g.p("RET")
}

// splitPairs makes rows of float32s of rows of pairs, the second elements before the first ones. Whole vectors are
// stored: what is too much the next row overwrites.
func (g *gemm) splitPairs(which string, lanes int) {
	g.eachPair("Split"+which, lanes, func() {
		if g.masks {
			g.p("VPTERNLOGD $255, Z15, Z15, Z15")
		} else {
			g.p("VPCMPEQD Y15, Y15, Y15")
		}
		g.p("VPSLLD $16, ~15, ~15")
	}, func(v, first, second int) {
		g.p("VAND# ~15, ~%d, ~%d", v, first)
		g.p("VPSLLD $16, ~%d, ~%d", v, second)
	})
}

// widenPairs is splitPairs for F16s, the first elements before the second ones.
func (g *gemm) widenPairs(which string, lanes int) {
	g.eachPair("Widen"+which, lanes, func() {
		if !g.masks {
			g.p("VPXOR Y15, Y15, Y15")
		}
	}, func(v, first, second int) {
		if g.masks {
			g.p("VPMOVDW Z%d, Y%d", v, first)
			g.p("VPSRLD $16, Z%d, Z%d", v, second)
			g.p("VPMOVDW Z%d, Y%[1]d", second)
		} else {
			g.p("VPBLENDW $170, Y15, Y%d, Y%d", v, first)
			g.p("VPSRLD $16, Y%d, Y%d", v, second)
			g.p("VPACKUSDW Y%d, Y%d, Y%[2]d", second, first)
			g.p("VPERMQ $216, Y%d, Y%[1]d", first)
			g.p("VEXTRACTI128 $1, Y%d, X%d", first, second)
		}
		half := map[bool]string{true: "Y", false: "X"}[g.masks]
		for _, r := range []int{first, second} {
			g.p("VCVTPH2PS %s%d, ~%[2]d", half, r)
		}
	})
}

// eachPair goes through a panel's rows of pairs; split makes the two rows of vector v.
func (g *gemm) eachPair(name string, lanes int, begin func(), split func(v, first, second int)) {
	vecs := (lanes + g.perVec - 1) / g.perVec
	g.p("")
	g.p("TEXT ·%s%s(SB), NOSPLIT, $0-16", name, g.name)
	g.p("MOVQ dst+0(FP), DI")
	g.p("MOVQ pairs+8(FP), CX")
	g.p("IMUL3Q $%d, CX, SI", 4*lanes)
	g.p("ADDQ DI, SI")
	begin()
	g.p("loop:")
	for v := range vecs {
		g.p("VMOVUPS %d(SI), ~%d", g.bytes*v, v)
	}
	for v := range vecs {
		split(v, vecs+v, 2*vecs+v)
	}
	for row := range 2 {
		for v := range vecs {
			g.p("VMOVUPS ~%d, %d(DI)", (1+row)*vecs+v, 4*lanes*row+g.bytes*v)
		}
	}
	g.p("ADDQ $%d, SI", 4*lanes)
	g.p("ADDQ $%d, DI", 8*lanes)
	g.p("DECQ CX")
	g.p("JNZ loop")
	g.p("VZEROUPPER")
	g.p("RET")
}

// zip makes rows of pairs of rows of BF16s, two by two.
func (g *gemm) zip(which string, lanes int) {
	vecs := (lanes + g.perVec - 1) / g.perVec
	g.p("")
	g.p("TEXT ·Zip%s%s(SB), NOSPLIT, $0-32", which, g.name)
	g.p("MOVQ dst+0(FP), DI")
	g.p("MOVQ src+8(FP), SI")
	g.p("MOVQ step+16(FP), DX")
	g.p("MOVQ pairs+24(FP), CX")
	g.p("TESTQ CX, CX")
	g.p("JEQ done")
	mask := ""
	if part := lanes % g.perVec; part > 0 {
		g.p("MOVL $%d, AX", 1<<part-1)
		g.p("KMOVW AX, K1")
		mask = ", K1"
	}
	g.p("loop:")
	for k, row := range []string{"(SI)", "(SI)(DX*1)"} {
		for v := range vecs {
			op, m := "VPMOVZXWD", ""
			if mask != "" && v == vecs-1 {
				op, m = "VPMOVZXWD.Z", mask
			}
			g.p("%s %d%s%s, ~%d", op, g.bytes/2*v, row, m, k*vecs+v)
		}
	}
	for v := range vecs {
		g.p("VPSLLD $16, ~%d, ~%[1]d", vecs+v)
		g.p("VOR# ~%d, ~%d, ~%d", v, vecs+v, v)
		g.p("VMOVUPS ~%d, %d(DI)", v, g.bytes*v)
	}
	g.p("ADDQ $%d, DI", 4*lanes)
	g.p("LEAQ (SI)(DX*2), SI")
	g.p("DECQ CX")
	g.p("JNZ loop")
	g.p("done:")
	g.p("VZEROUPPER")
	g.p("RET")
}
