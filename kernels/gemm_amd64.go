//go:build amd64 && !purego

package kernels

import (
	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Six rows by two vectors: twelve sums hide an fma's latency and leave registers for b and a.
var gemmAVX2 = [dtype.Count]GemmKernel{
	dtype.F32: {MR: 6, NR: 16, Strip: asm.GemmF32AVX2, Row: asm.RowF32AVX2, Dot: asm.DotF32AVX2, PackA: asm.PackAF32AVX2, PackB: asm.PackBF32AVX2},
	dtype.F64: {MR: 6, NR: 8, Strip: asm.GemmF64AVX2, Row: asm.RowF64AVX2, Dot: asm.DotF64AVX2, PackA: asm.PackAF64AVX2, PackB: asm.PackBF64AVX2},
}
