//go:build amd64 && !purego

package kernels

import (
	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Six rows by two vectors: twelve sums hide an fma's latency and leave registers for b and a.
var gemmAVX2 = [dtype.Count]GemmKernel{
	dtype.F32: {MR: 6, NR: 16, Strip: asm.GemmF32AVX2, Lines: asm.LinesF32AVX2, LinesN: 128, Batch: asm.BatchF32AVX2, BatchRows: 12, BatchTiles: 3, Row: asm.RowF32AVX2, Dot: asm.DotF32AVX2, PackA: asm.PackAF32AVX2, PackB: asm.PackBF32AVX2},
	dtype.F64: {MR: 6, NR: 8, Strip: asm.GemmF64AVX2, Lines: asm.LinesF64AVX2, LinesN: 64, Batch: asm.BatchF64AVX2, BatchRows: 12, BatchTiles: 3, Row: asm.RowF64AVX2, Dot: asm.DotF64AVX2, PackA: asm.PackAF64AVX2, PackB: asm.PackBF64AVX2},
	dtype.BF16: {MR: 6, NR: 16, Strip: asm.GemmBF16AVX2, PackA: asm.PackAF32AVX2, PackB: asm.PackBF32AVX2,
		pairing: pairing{SplitA: asm.SplitAAVX2, SplitB: asm.SplitBAVX2, ZipB: asm.ZipBAVX2}},
	dtype.F16: {MR: 6, NR: 16, Strip: asm.GemmF32AVX2, PackA: asm.PackAF32AVX2, PackB: asm.PackBF32AVX2,
		pairing: pairing{SplitA: asm.WidenAAVX2, SplitB: asm.WidenBAVX2, ZipB: asm.ZipBAVX2}},
}

// Fourteen rows by two vectors: the most that leave a register for what is broadcast, so that an fma wants
// the fewest loads.
var gemmAVX512 = [dtype.Count]GemmKernel{
	dtype.F32: {MR: 14, NR: 32, Strip: asm.GemmF32AVX512, Lines: asm.LinesF32AVX512, Batch: asm.BatchF32AVX512, BatchRows: 16, BatchTiles: 5, Narrow: asm.BatchF32AVX2, Row: asm.RowF32AVX512, Dot: asm.DotF32AVX512, PackA: asm.PackAF32AVX512, PackB: asm.PackBF32AVX512, Lanes: asm.LanesAVX512},
	dtype.F64: {MR: 14, NR: 16, Strip: asm.GemmF64AVX512, Lines: asm.LinesF64AVX512, Batch: asm.BatchF64AVX512, BatchRows: 16, BatchTiles: 5, Narrow: asm.BatchF64AVX2, Row: asm.RowF64AVX512, Dot: asm.DotF64AVX512, PackA: asm.PackAF64AVX512, PackB: asm.PackBF64AVX512, Lanes: asm.LanesAVX512},
	dtype.BF16: {MR: 14, NR: 32, Strip: asm.GemmBF16AVX512, PackA: asm.PackAF32AVX512, PackB: asm.PackBF32AVX512,
		pairing: pairing{SplitA: asm.SplitAAVX512, SplitB: asm.SplitBAVX512, ZipA: asm.ZipAAVX512, ZipB: asm.ZipBAVX512}},
	dtype.F16: {MR: 14, NR: 32, Strip: asm.GemmF32AVX512, PackA: asm.PackAF32AVX512, PackB: asm.PackBF32AVX512,
		pairing: pairing{SplitA: asm.WidenAAVX512, SplitB: asm.WidenBAVX512, ZipA: asm.ZipAAVX512, ZipB: asm.ZipBAVX512}},
}

// gemmBF16 multiplies pairs by VDPBF16PS.
var gemmBF16 = GemmKernel{MR: 14, NR: 32, Strip: asm.GemmBF16DotAVX512, PackA: asm.PackAF32AVX512, PackB: asm.PackBF32AVX512,
	pairing: pairing{ZipA: asm.ZipAAVX512, ZipB: asm.ZipBAVX512}}
