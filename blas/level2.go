package blas

import (
	"unsafe"

	"gonum.org/v1/gonum/blas"
)

// In float32 gonum's own zeroes elements beyond the end of y where beta is 0: small calls are ours there.
func gemv[T float](tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) bool {
	if !isTranspose(tA) || m <= 0 || n <= 0 || m*n < smallGemv && sizeOf[T]() == 8 || alpha == 0 || !fits(a, lda, m, n) {
		return false
	}
	trans := tA != blas.NoTrans
	rows, cols := m, n
	if trans {
		rows, cols = n, m
	}
	if !fitsVector(x, cols, incX) || !fitsVector(y, rows, incY) {
		return false
	}
	j := begin()
	defer j.end()
	A, X, Y := dense(a, lda), column(x, cols, incX), column(y, rows, incY)
	switch {
	case !trans:
		product(j, all, m, 1, n, alpha, A, X, beta, Y)
	case incY == 1: // as a row times a matrix, both of which are read along their rows
		product(j, all, 1, n, m, alpha, X.t(), A, beta, Y.t())
	default:
		row := matrix[T]{aligned(&j.scratch, n*sizeOf[T]()), n, 1}
		to := row.contiguous(n)
		for i := range to {
			if beta != 0 {
				to[i] = Y.at(i, 0).value()
			}
		}
		product(j, all, 1, n, m, alpha, X.t(), A, beta, row)
		for i := range to {
			*(*T)(Y.at(i, 0).p) = to[i]
		}
	}
	return true
}

// With a negative increment gonum's own assembly reads x or y from the wrong place.
func ger[T float](m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) bool {
	if m <= 0 || n <= 0 || n < shortVector && incX > 0 && incY > 0 || alpha == 0 || !fits(a, lda, m, n) || !fitsVector(x, m, incX) || !fitsVector(y, n, incY) {
		return false
	}
	j := begin()
	defer j.end()
	X, Y, A := column(x, m, incX), column(y, n, incY), dense(a, lda)
	if incY != 1 {
		Y = scaled(j, n, 1, 1, Y)
	}
	k := level().Kernel(typeOf[T]())
	for i := range m {
		*(*T)(unsafe.Pointer(&j.number)) = alpha * X.at(i, 0).value()
		addRow[T](k, unsafe.Pointer(&j.number), Y.p, A.at(i, 0).p, n)
	}
	return true
}

// symvBlock is the number of rows of a symmetric matrix that are read once for both of their products.
const symvBlock = 64

func symv[T float](ul blas.Uplo, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) bool {
	if !isUplo(ul) || n <= symvBlock || alpha == 0 || !fits(a, lda, n, n) || !fitsVector(x, n, incX) || !fitsVector(y, n, incY) {
		return false
	}
	j := begin()
	defer j.end()
	p := aligned(&j.scratch, (symvBlock*symvBlock+2*n)*sizeOf[T]())
	d := matrix[T]{p, symvBlock, 1}
	A, X, Y := dense(a, lda), d.at(symvBlock, 0), d.at(symvBlock, n)
	X.row, Y.row = 1, 1
	from, to := column(x, n, incX), column(y, n, incY)
	xs, ys := X.contiguous(n), Y.contiguous(n)
	for i := range n {
		xs[i] = alpha * from.at(i, 0).value()
	}
	for i := range n {
		ys[i] = 0
		if beta != 0 {
			ys[i] = beta * to.at(i, 0).value()
		}
	}
	for i := 0; i < n; i += symvBlock {
		h := min(symvBlock, n-i)
		mirror(d, A.at(i, i).transposed(ul == blas.Upper), h)
		product(j, 1, h, 1, h, 1, d, X.at(i, 0), 1, Y.at(i, 0))
		first, count := 0, i
		if ul == blas.Upper {
			first, count = i+h, n-i-h
		}
		if count == 0 {
			continue
		}
		beside := A.at(i, first)
		product(j, 1, h, 1, count, 1, beside, X.at(first, 0), 1, Y.at(i, 0))
		product(j, 1, 1, count, h, 1, X.at(i, 0).t(), beside, 1, Y.at(first, 0))
	}
	for i, v := range ys {
		*(*T)(to.at(i, 0).p) = v
	}
	return true
}
