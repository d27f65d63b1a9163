//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"

	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// These are nil where the machine lacks them.
var (
	AVX2       = avx2()
	AVX512     = avx512()
	AVX512BF16 = avx512bf16()
)

func avx2() *Level {
	if !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		return nil
	}
	l := &Level{Name: "avx2", Gemm: gemmAVX2, FFT: fftAVX2, Lanes: lanesAVX2, Rows: rowsAVX2, Winograd: winogradAVX2}
	l.Outside[dtype.F32], l.Outside[dtype.F64] = asm.OutsideF32AVX2, asm.OutsideF64AVX2
	l.First = [dtype.Count]First{dtype.I32: asm.FirstI32AVX2, dtype.I64: asm.FirstI64AVX2, dtype.F32: asm.FirstF32AVX2, dtype.F64: asm.FirstF64AVX2}
	l.Extremes = [2][dtype.Count]Extremes{
		{dtype.I32: asm.LeastI32AVX2, dtype.I64: asm.LeastI64AVX2, dtype.F32: asm.LeastF32AVX2, dtype.F64: asm.LeastF64AVX2},
		{dtype.I32: asm.GreatestI32AVX2, dtype.I64: asm.GreatestI64AVX2, dtype.F32: asm.GreatestF32AVX2, dtype.F64: asm.GreatestF64AVX2},
	}
	l.SoFar = [2][dtype.Count]SoFar{
		{dtype.F32: {asm.LeastRowsF32AVX2, asm.LeastNextF32AVX2}, dtype.F64: {asm.LeastRowsF64AVX2, asm.LeastNextF64AVX2}},
		{dtype.F32: {asm.GreatestRowsF32AVX2, asm.GreatestNextF32AVX2}, dtype.F64: {asm.GreatestRowsF64AVX2, asm.GreatestNextF64AVX2}},
	}
	l.lay(&asm.TilesAVX2, &asm.ConvertAVX2, asm.ReductionsAVX2[:])
	return l
}

// avx512 is laid over AVX2. x/sys/cpu knows the kernels of macOS that lose mask registers when they deliver a
// signal (go.dev/issue/49233).
func avx512() *Level {
	if AVX2 == nil || !cpu.X86.HasAVX512F || !cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		return nil
	}
	l := *AVX2
	l.Name, l.Gemm, l.FFT, l.Lanes, l.Rows, l.Winograd = "avx512", gemmAVX512, fftAVX512, lanesAVX512, rowsAVX512, winogradAVX512
	l.Outside[dtype.F32], l.Outside[dtype.F64] = asm.OutsideF32AVX512, asm.OutsideF64AVX512
	l.First = [dtype.Count]First{dtype.I32: asm.FirstI32AVX512, dtype.I64: asm.FirstI64AVX512, dtype.F32: asm.FirstF32AVX512, dtype.F64: asm.FirstF64AVX512}
	l.Extremes = [2][dtype.Count]Extremes{
		{dtype.I32: asm.LeastI32AVX512, dtype.I64: asm.LeastI64AVX512, dtype.F32: asm.LeastF32AVX512, dtype.F64: asm.LeastF64AVX512},
		{dtype.I32: asm.GreatestI32AVX512, dtype.I64: asm.GreatestI64AVX512, dtype.F32: asm.GreatestF32AVX512, dtype.F64: asm.GreatestF64AVX512},
	}
	l.SoFar = [2][dtype.Count]SoFar{
		{dtype.F32: {asm.LeastRowsF32AVX512, asm.LeastNextF32AVX512}, dtype.F64: {asm.LeastRowsF64AVX512, asm.LeastNextF64AVX512}},
		{dtype.F32: {asm.GreatestRowsF32AVX512, asm.GreatestNextF32AVX512}, dtype.F64: {asm.GreatestRowsF64AVX512, asm.GreatestNextF64AVX512}},
	}
	l.Above[dtype.F32], l.Above[dtype.F64] = asm.AboveF32AVX512, asm.AboveF64AVX512
	l.lay(&asm.TilesAVX512, &asm.ConvertAVX512, asm.ReductionsAVX512[:])
	return &l
}

// avx512bf16 is AVX512 with VDPBF16PS, which gives the bits of two fused multiply-adds.
func avx512bf16() *Level {
	if AVX512 == nil || !cpuid.CPU.Supports(cpuid.AVX512BF16) {
		return nil
	}
	l := *AVX512
	l.Name, l.Base, l.Gemm[dtype.BF16] = "avx512bf16", l.Name, gemmBF16
	return &l
}

// slowPairs reports whether VDPBF16PS takes longer than the multiply-adds that it stands for: on Intel's cores it
// starts every other cycle, on AMD's every cycle.
func slowPairs() bool { return cpuid.CPU.VendorID != cpuid.AMD }

// lay puts the rows that there are over l's.
func (l *Level) lay(tiles *[ops.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int),
	convert *[dtype.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int), reductions [][dtype.Count]asm.Reduction) {
	for id, row := range tiles {
		for t, f := range row {
			if f != nil {
				l.Tiles[id][t] = f
			}
		}
	}
	for from, row := range convert {
		for to, f := range row {
			if f != nil {
				l.Convert[from][to] = f
			}
		}
	}
	for r, row := range reductions {
		for t, k := range row {
			to := &l.Reductions[r][t]
			if k.Fold != nil {
				to.Fold = k.Fold
			}
			if k.FoldRows != nil {
				to.FoldRows, to.AccumulateRows = k.FoldRows, k.Accumulate
			}
		}
	}
}
