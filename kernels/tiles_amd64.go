//go:build amd64 && !purego

package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/adjoint-go/adjoint/asm"
)

// AVX2 is nil where the machine lacks it.
var AVX2 = avx2()

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
