//go:build amd64 && !purego

package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/adjoint-go/adjoint/asm"
)

// AVX2 and AVX512 are nil where the machine lacks them.
var (
	AVX2   = avx2()
	AVX512 = avx512()
)

// avx512 is laid over AVX2.
func avx512() *Level {
	if AVX2 == nil || !cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		return nil
	}
	l := *AVX2
	l.Name, l.Gemm = "avx512", gemmAVX512
	return &l
}

func avx2() *Level {
	if !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		return nil
	}
	l := &Level{Name: "avx2", Gemm: gemmAVX2}
	for id := range l.Tiles {
		for t := range l.Tiles[id] {
			l.Tiles[id][t] = asm.TilesAVX2[id][t]
		}
	}
	for from := range l.Convert {
		for to := range l.Convert[from] {
			l.Convert[from][to] = asm.ConvertAVX2[from][to]
		}
	}
	for r := range l.Reductions {
		for t := range l.Reductions[r] {
			if k := asm.ReductionsAVX2[r][t]; k.Fold != nil {
				l.Reductions[r][t] = ReductionKernel{k.Fold, k.FoldRows, k.Accumulate}
			}
		}
	}
	return l
}
