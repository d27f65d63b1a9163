//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

// AVX2's registers hold half of the matrices, so that it does everything twice.
var (
	lanesAVX2 = [dtype.Count]*Lanes{
		dtype.F32: twice(Lanes{asm.CholeskyLanesF32AVX2, asm.PivotLanesF32AVX2, asm.EliminateLanesF32AVX2, asm.RowLanesF32AVX2, asm.DotLanesF32AVX2,
			asm.ColumnLanesF32AVX2, asm.ReflectorLanesF32AVX2, asm.MirrorLanesF32AVX2, asm.ProductLanesF32AVX2, asm.NormLanesF32AVX2, nil, nil, nil, nil, nil, nil, nil, nil}),
		dtype.F64: twice(Lanes{asm.CholeskyLanesF64AVX2, asm.PivotLanesF64AVX2, asm.EliminateLanesF64AVX2, asm.RowLanesF64AVX2, asm.DotLanesF64AVX2,
			asm.ColumnLanesF64AVX2, asm.ReflectorLanesF64AVX2, asm.MirrorLanesF64AVX2, asm.ProductLanesF64AVX2, asm.NormLanesF64AVX2,
			asm.HouseholderLanesF64AVX2, asm.ReflectLanesF64AVX2, asm.FoldLanesF64AVX2, asm.TridiagonalLanesF64AVX2,
			stepsQL(asm.QLLanesF64AVX2, asm.TurnLanesF64AVX2), stepsQR(asm.QRLanesF64AVX2, asm.TurnLanesF64AVX2), asm.LargestLanesF64AVX2, asm.ScaleLanesF64AVX2}),
	}
	lanesAVX512 = [dtype.Count]*Lanes{
		dtype.F32: {asm.CholeskyLanesF32AVX512, asm.PivotLanesF32AVX512, asm.EliminateLanesF32AVX512, asm.RowLanesF32AVX512, asm.DotLanesF32AVX512,
			asm.ColumnLanesF32AVX512, asm.ReflectorLanesF32AVX512, asm.MirrorLanesF32AVX512, asm.ProductLanesF32AVX512, asm.NormLanesF32AVX512, nil, nil, nil, nil, nil, nil, nil, nil},
		dtype.F64: {asm.CholeskyLanesF64AVX512, asm.PivotLanesF64AVX512, asm.EliminateLanesF64AVX512, asm.RowLanesF64AVX512, asm.DotLanesF64AVX512,
			asm.ColumnLanesF64AVX512, asm.ReflectorLanesF64AVX512, asm.MirrorLanesF64AVX512, asm.ProductLanesF64AVX512, asm.NormLanesF64AVX512,
			asm.HouseholderLanesF64AVX512, asm.ReflectLanesF64AVX512, asm.FoldLanesF64AVX512, asm.TridiagonalLanesF64AVX512,
			stepsQL(asm.QLLanesF64AVX512, asm.TurnLanesF64AVX512), stepsQR(asm.QRLanesF64AVX512, asm.TurnLanesF64AVX512), asm.LargestLanesF64AVX512, asm.ScaleLanesF64AVX512},
	}
)

type turn = func(x, room unsafe.Pointer, cols, stride, count int)

// stepsQL is Lanes' QL by single steps, of rotations from row l+top down.
func stepsQL(step func(d, e, room unsafe.Pointer, n, l int) int, turn turn) func(q, d, e, room unsafe.Pointer, n, l, steps int) bool {
	return func(q, d, e, room unsafe.Pointer, n, l, steps int) bool {
		for ; ; steps-- {
			top := step(d, e, room, n, l)
			if top <= 0 || steps == 0 {
				return top == 0
			}
			turn(unsafe.Add(q, 64*n*(l+top)), room, n, -64*n, top)
		}
	}
}

// stepsQR is Lanes' QR by single steps, of rotations from row k-top up.
func stepsQR(step func(d, e, room, tiny unsafe.Pointer, n, k int) int, turn turn) func(u, v, d, e, room, tiny unsafe.Pointer, m, n, k, steps int) bool {
	return func(u, v, d, e, room, tiny unsafe.Pointer, m, n, k, steps int) bool {
		for ; ; steps-- {
			top := step(d, e, room, tiny, n, k)
			if top <= 0 || steps == 0 {
				return top == 0
			}
			turn(unsafe.Add(v, 64*n*(k-top)), room, n, 64*n, top)
			turn(unsafe.Add(u, 64*m*(k-top)), unsafe.Add(room, 192*n), m, 64*m, top)
		}
	}
}

// twice is l of both halves.
func twice(l Lanes) *Lanes {
	h := func(p unsafe.Pointer) unsafe.Pointer { // the second half
		if p == nil {
			return nil
		}
		return unsafe.Add(p, 32)
	}
	return &Lanes{
		Cholesky: func(x unsafe.Pointer, n int) bool { return l.Cholesky(x, n) && l.Cholesky(h(x), n) },
		Pivot: func(f unsafe.Pointer, n, j int, at unsafe.Pointer) {
			l.Pivot(f, n, j, at)
			l.Pivot(h(f), n, j, h(at))
		},
		Eliminate: func(f unsafe.Pointer, n, j int) {
			l.Eliminate(f, n, j)
			l.Eliminate(h(f), n, j)
		},
		Row: func(a, x, y, d unsafe.Pointer, k, m int) {
			l.Row(a, x, y, d, k, m)
			l.Row(h(a), h(x), h(y), h(d), k, m)
		},
		Dot: func(a, x, y, d unsafe.Pointer, k int) {
			l.Dot(a, x, y, d, k)
			l.Dot(h(a), h(x), h(y), h(d), k)
		},
		Column: func(a, x, y, d unsafe.Pointer, k, m int) {
			l.Column(a, x, y, d, k, m)
			l.Column(h(a), h(x), h(y), h(d), k, m)
		},
		Reflector: func(q, v, tau unsafe.Pointer, rows, stride int) bool {
			return l.Reflector(q, v, tau, rows, stride) && l.Reflector(h(q), h(v), h(tau), rows, stride)
		},
		Mirror: func(x, v, tau unsafe.Pointer, rows, cols, stride int) {
			l.Mirror(x, v, tau, rows, cols, stride)
			l.Mirror(h(x), h(v), h(tau), rows, cols, stride)
		},
		Product: func(y, a, b unsafe.Pointer, n int) {
			l.Product(y, a, b, n)
			l.Product(h(y), h(a), h(b), n)
		},
		Norm: func(y, a unsafe.Pointer, n int) {
			l.Norm(y, a, n)
			l.Norm(h(y), h(a), n)
		},
		Tridiagonal: func(x, p, head, beta unsafe.Pointer, rows, stride int) bool {
			return l.Tridiagonal(x, p, head, beta, rows, stride) && l.Tridiagonal(h(x), h(p), h(head), h(beta), rows, stride)
		},
		Householder: func(v, head, beta unsafe.Pointer, n int) bool {
			return l.Householder(v, head, beta, n) && l.Householder(h(v), h(head), h(beta), n)
		},
		Reflect: func(x, v, beta unsafe.Pointer, rows, cols, stride int) {
			l.Reflect(x, v, beta, rows, cols, stride)
			l.Reflect(h(x), h(v), h(beta), rows, cols, stride)
		},
		Fold: func(x, v, beta unsafe.Pointer, rows, cols, stride int) {
			l.Fold(x, v, beta, rows, cols, stride)
			l.Fold(h(x), h(v), h(beta), rows, cols, stride)
		},
		QL: func(q, d, e, room unsafe.Pointer, n, i, steps int) bool {
			return l.QL(q, d, e, room, n, i, steps) && l.QL(h(q), h(d), h(e), h(room), n, i, steps)
		},
		QR: func(u, v, d, e, room, tiny unsafe.Pointer, m, n, k, steps int) bool {
			return l.QR(u, v, d, e, room, tiny, m, n, k, steps) && l.QR(h(u), h(v), h(d), h(e), h(room), h(tiny), m, n, k, steps)
		},
		Largest: func(y, a unsafe.Pointer, n int) {
			l.Largest(y, a, n)
			l.Largest(h(y), h(a), n)
		},
		Scale: func(y, a, x unsafe.Pointer, n int) {
			l.Scale(y, a, x, n)
			l.Scale(h(y), h(a), h(x), n)
		},
	}
}

// Rows are too short for wider vectors to gain, but for rotations, what is taken from all rows, and LU, which are bound by how many fit in a cycle.
var (
	rowsAVX2 = [dtype.Count]*Rows{
		dtype.F32: {MatVec: asm.MatVecRowsF32AVX2, Combine: asm.CombineRowsF32AVX2, Rank1: asm.Rank1RowsF32AVX2,
			Eliminate: asm.EliminateRowsF32AVX2, Largest: asm.LargestRowsF32AVX2, Cholesky: asm.CholeskyRowsF32AVX2, Less: asm.LessRowsF32AVX2},
		dtype.F64: {asm.RotateRowsF64AVX2, asm.ReflectRowsF64AVX2, asm.MatVecRowsF64AVX2, asm.CombineRowsF64AVX2, asm.Rank1RowsF64AVX2,
			asm.EliminateRowsF64AVX2, asm.LargestRowsF64AVX2, asm.CholeskyRowsF64AVX2, asm.LessRowsF64AVX2, nil, asm.PolesRowsF64AVX2, asm.WeighRowsF64AVX2},
	}
	rowsAVX512 = [dtype.Count]*Rows{
		dtype.F32: {MatVec: asm.MatVecRowsF32AVX2, Combine: asm.CombineRowsF32AVX2, Rank1: asm.Rank1RowsF32AVX512,
			Eliminate: asm.EliminateRowsF32AVX512, Largest: asm.LargestRowsF32AVX2, Cholesky: asm.CholeskyRowsF32AVX512, Less: asm.LessRowsF32AVX512, Both: asm.BothF32AVX512},
		dtype.F64: {asm.RotateRowsF64AVX512, asm.ReflectRowsF64AVX2, asm.MatVecRowsF64AVX2, asm.CombineRowsF64AVX2, asm.Rank1RowsF64AVX512,
			asm.EliminateRowsF64AVX512, asm.LargestRowsF64AVX2, asm.CholeskyRowsF64AVX512, asm.LessRowsF64AVX512, asm.BothF64AVX512, asm.PolesRowsF64AVX512, asm.WeighRowsF64AVX512},
	}
)
