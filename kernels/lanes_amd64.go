//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/asm"
)

// AVX2's registers hold four of the eight, so that it does everything twice.
var (
	lanesAVX2 = Lanes{
		Cholesky: func(l unsafe.Pointer, n int) bool {
			return asm.CholeskyLanesAVX2(l, n) && asm.CholeskyLanesAVX2(unsafe.Add(l, 32), n)
		},
		Pivot: func(f unsafe.Pointer, n, j int, at unsafe.Pointer) {
			asm.PivotLanesAVX2(f, n, j, at)
			asm.PivotLanesAVX2(unsafe.Add(f, 32), n, j, unsafe.Add(at, 32))
		},
		Eliminate: func(f unsafe.Pointer, n, j int) {
			asm.EliminateLanesAVX2(f, n, j)
			asm.EliminateLanesAVX2(unsafe.Add(f, 32), n, j)
		},
		Row: func(a, x, y, d unsafe.Pointer, k, m int) {
			asm.RowLanesAVX2(a, x, y, d, k, m)
			asm.RowLanesAVX2(unsafe.Add(a, 32), unsafe.Add(x, 32), unsafe.Add(y, 32), second(d), k, m)
		},
		Dot: func(a, x, y, d unsafe.Pointer, k int) {
			asm.DotLanesAVX2(a, x, y, d, k)
			asm.DotLanesAVX2(unsafe.Add(a, 32), unsafe.Add(x, 32), unsafe.Add(y, 32), second(d), k)
		},
		Column: func(a, x, y, d unsafe.Pointer, k, m int) {
			asm.ColumnLanesAVX2(a, x, y, d, k, m)
			asm.ColumnLanesAVX2(unsafe.Add(a, 32), unsafe.Add(x, 32), unsafe.Add(y, 32), second(d), k, m)
		},
		Reflector: func(q, v, tau unsafe.Pointer, rows, stride int) bool {
			return asm.ReflectorLanesAVX2(q, v, tau, rows, stride) &&
				asm.ReflectorLanesAVX2(unsafe.Add(q, 32), unsafe.Add(v, 32), unsafe.Add(tau, 32), rows, stride)
		},
		Mirror: func(x, v, tau unsafe.Pointer, rows, cols, stride int) {
			asm.MirrorLanesAVX2(x, v, tau, rows, cols, stride)
			asm.MirrorLanesAVX2(unsafe.Add(x, 32), unsafe.Add(v, 32), unsafe.Add(tau, 32), rows, cols, stride)
		},
	}
	lanesAVX512 = Lanes{asm.CholeskyLanesAVX512, asm.PivotLanesAVX512, asm.EliminateLanesAVX512, asm.RowLanesAVX512, asm.DotLanesAVX512, asm.ColumnLanesAVX512,
		asm.ReflectorLanesAVX512, asm.MirrorLanesAVX512}
)

func second(d unsafe.Pointer) unsafe.Pointer {
	if d == nil {
		return nil
	}
	return unsafe.Add(d, 32)
}

// Rows are too short for wider vectors to gain, but for rotations, which are bound by how many fit in a cycle.
var (
	rowsAVX2   = Rows{asm.RotateRowsAVX2, asm.ReflectRowsAVX2, asm.MatVecRowsAVX2, asm.CombineRowsAVX2, asm.Rank1RowsAVX2}
	rowsAVX512 = Rows{asm.RotateRowsAVX512, asm.ReflectRowsAVX2, asm.MatVecRowsAVX2, asm.CombineRowsAVX2, asm.Rank1RowsAVX2}
)
