// Package kernels holds what a CPU level is: tables of tile functions, reductions, moves and GEMM,
// with the pure-Go level that every other level is laid over. It imports asm and, of internal, dtype, fft,
// ops and vec.
package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/fft"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Tile computes n elements of one pointwise op: dst[i] = op(a[i], b[i], c[i]). n is a multiple of
// Pad; arguments beyond the op's arity are ignored; dst may be any of the arguments of its element
// size, exactly, but may not overlap one otherwise. No alignment is assumed.
type Tile func(dst, a, b, c unsafe.Pointer, n int)

// Pad is the granule of a tile's length, in elements of any type.
const Pad = 8

// Level is a table of kernels. A missing row means the pure-Go kernel.
type Level struct {
	Name string
	Base string // the level whose generated code it shares, if not its own
	// Tiles by op and by the type of the op's arguments (of the last one for where).
	Tiles [ops.Count][dtype.Count]Tile
	// Outside reports whether any of n elements is below lo or above hi; F32 and F64, n a multiple of Pad.
	Outside [dtype.Count]func(a unsafe.Pointer, n int, lo, hi float64) bool
	// Convert by the type from and the type to.
	Convert [dtype.Count][dtype.Count]Tile
	// Gemm by the type of the elements, a float.
	Gemm [dtype.Count]GemmKernel
	// Reductions by what they do and the type of the elements.
	Reductions [NumReductions][dtype.Count]ReductionKernel
	// First by the type of the elements, of integers and floats.
	First [dtype.Count]First
	// Extremes, the least and the greatest, by the type of the elements, of integers and floats.
	Extremes [2][dtype.Count]Extremes
	// SoFar, the least and the greatest, by the type of the elements, of integers and floats.
	SoFar [2][dtype.Count]SoFar
	// Above, by the type of x, finds the elements that are more than the largest of their segment: into at go the numbers, int32s, of those of
	// n that are not x[i] <= y[ids[i]]; at has room for as many and a vector. It returns how many, -1 if some of ids, int32s, is not one of m.
	// n is a multiple of 16; nil where there is none.
	Above [dtype.Count]func(at, x, y, ids unsafe.Pointer, n, m int) int
	// FFT's passes by the type of the rows, F32 and F64.
	FFT [dtype.Count]fft.Passes
	// Winograd has the maps of products of windows.
	Winograd WinogradMaps
	// Lanes of small matrices, by the type of their elements; nil where there are none.
	Lanes [dtype.Count]*Lanes
	// Rows of a matrix, by the type of its elements; nil where there are none.
	Rows [dtype.Count]*Rows
}

// Rows are steps of internal/linalg's functions along the rows of one matrix, stride or step bytes apart, of which
// there is one at least. Each does what the loops there do, to the bit; one that is nil is the loop.
type Rows struct {
	// Rotate turns x's row and the next one by the first of count cosines and sines, then that and the one after it; cols is
	// a multiple of 4.
	Rotate func(x unsafe.Pointer, step, count int, cs unsafe.Pointer, cols int)
	// Reflect is x[i] -= (beta·(v·x[i]))·v.
	Reflect func(x, v unsafe.Pointer, beta float64, rows, cols, stride int)
	// MatVec is y[i] = beta·(v·x[i]), with products in four sums.
	MatVec func(y, x, v unsafe.Pointer, beta float64, rows, cols, stride int)
	// Combine is y += Σ a[i]·x[i], in order, and Rank1 x[i] -= a[i]·y.
	Combine func(y, a, x unsafe.Pointer, rows, cols, stride int)
	Rank1   func(x, a, y unsafe.Pointer, rows, cols, stride int)
	// Eliminate is step j of LU in columns that are 64 bytes of a row: of rows rows below x, the pivot's. The next pivot's row is
	// the first of these whose element j+1 is largest, if there is one.
	Eliminate func(x unsafe.Pointer, j, rows, stride int) (next int)
	// Largest is where of n elements, 32 bytes at least, the first of the largest magnitudes is, -1 where one is a NaN.
	Largest func(x unsafe.Pointer, n int) (at int)
	// Cholesky makes row j of c from element j on, column j of a positive definite matrix of n > 0 rows, that of its factor, with products in
	// four sums, or reports false. Up to 64 bytes beside these elements, from a multiple of those in the row, are written.
	Cholesky func(c unsafe.Pointer, n, stride int) (ok bool)
	// Less is y[i] -= Σ a[i, p]·y[p], over p < min(i, most), in order, for y's row 1 and those after it; most and cols are not 0.
	Less func(y, a unsafe.Pointer, most, rows, cols, stride, aStride int)
	// Both is y[r] += a[r]·x for all rows r, and y[j] += Σ a[r, j]·x[r] for columns j that are no row, with the bits of GemmKernel's Dot
	// and Row: no more rows than columns, of which there are DotBlock at most. s is room for a row.
	Both func(y, s, a, x unsafe.Pointer, rows, cols, stride int)
	// Poles is y = z/(p - x), where y is not nil, Σ z·y and Σ y², in eight sums, for n elements p = d - at or, where squares is set, d² - at² as
	// (d - at)·(d + at). Of 32 elements each four that are eight apart have one quotient together.
	Poles func(y, d, z unsafe.Pointer, at, x float64, squares bool, n int) (sum, slope float64)
	// Weigh multiplies w by the product, over count > 0 roots, of all p - far over that of the same p with own in the place of at, where that is not 0.
	Weigh func(w, d, at, far, own unsafe.Pointer, count int, squares bool, n int)
}

// Lanes are steps of internal/linalg's functions of eight float64 or sixteen float32 matrices side by side: element k of matrix l
// is number 8·k+l or 16·k+l. Each does what the loops there do with every matrix, to the bit. Matrices have n columns; y and x are rows of m.
type Lanes struct {
	// Cholesky makes l's lower triangle the factor; it stops and reports false where a pivot is not positive.
	Cholesky func(l unsafe.Pointer, n int) bool
	// Pivot is, as elements, the first row from j on whose element of column j is the largest.
	Pivot func(f unsafe.Pointer, n, j int, at unsafe.Pointer)
	// Eliminate is step j of LU after the exchange of rows, with pivots that are not 0.
	Eliminate func(f unsafe.Pointer, n, j int)
	// Row is y = (y - Σ a[p]·x[p]) / d over k rows x, Dot the same for m = 1, in four sums. A d of nil is 1.
	Row func(a, x, y, d unsafe.Pointer, k, m int)
	Dot func(a, x, y, d unsafe.Pointer, k int)
	// Column is y /= d and then x[p] -= a[p]·y.
	Column func(a, x, y, d unsafe.Pointer, k, m int)
	// Reflector is a step of QR: the reflection that takes a column, whose first element is at q with rows > 0 below it, stride
	// bytes apart, to its first element. It leaves that there, the vector below it and in v, and tau, or reports false
	// where all of a matrix's below are 0.
	Reflector func(q, v, tau unsafe.Pointer, rows, stride int) bool
	// Mirror reflects cols columns of x: w = tau·(x[0] + Σ v[p]·x[1+p]), x[0] -= w, x[1+p] -= v[p]·w, for rows > 0 of p.
	Mirror func(x, v, tau unsafe.Pointer, rows, cols, stride int)
	// Product is y += a·b, sums in order.
	Product func(y, a, b unsafe.Pointer, n int)
	// Norm is y, the largest sum of the magnitudes in a column of a, or NaN where it or that of all elements is not finite.
	Norm func(y, a unsafe.Pointer, n int)

	// Those below are of float64s. Householder makes the reflection I - beta·v·vᵀ that takes v, of n > 1 elements, to its first element,
	// head, of it, or reports false where all others are negligible. Reflect takes beta·(v·row)·v from each of rows rows of x, Fold
	// v[i]·beta·Σ v[i]·x[i] from x[i], of cols elements, stride bytes apart.
	Householder   func(v, head, beta unsafe.Pointer, n int) bool
	Reflect, Fold func(x, v, beta unsafe.Pointer, rows, cols, stride int)
	// Tridiagonal is Householder of row x, of rows > 1 elements, and applies that to both sides of the symmetric matrix of as many rows
	// below, stride bytes apart; p is room for a row.
	Tridiagonal func(x, p, head, beta unsafe.Pointer, rows, stride int) bool
	// QL makes e[l] of the tridiagonal matrix of diagonal d negligible, in up to steps steps, and applies the rotations to q's rows, of n; room
	// is three rows. QR is that for e[k] of the bidiagonal matrix of diagonal d and e above it and the rows of u and v, of m and n; room is
	// six rows of n. They report false where a step is another than one of all, or one more is needed.
	QL func(q, d, e, room unsafe.Pointer, n, l, steps int) bool
	QR func(u, v, d, e, room, tiny unsafe.Pointer, m, n, k, steps int) bool
	// Largest is y, the largest magnitude of n > 0 elements of a, or NaN where one is not finite; Scale is y = a·x, of n > 0.
	Largest func(y, a unsafe.Pointer, n int)
	Scale   func(y, a, x unsafe.Pointer, n int)
}
