package linalg

import (
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"

	"github.com/adjoint-go/adjoint/kernels"
)

// This file has the factors of large matrices of float64s or float32s. Columns are halved
// until leaf of them are left (S. Toledo, "Locality of reference in LU decomposition with partial pivoting", 1997; E. Elmroth,
// F. Gustavson, "Applying recursion to serial and parallel QR factorization", 2000), so that nearly all work is in products of
// package blas. A leaf is turned, for its columns to be rows: its steps are then products of a row and a matrix, in blas, too.

type float interface{ float32 | float64 }

// leaf is the number of columns that are factored one after the other.
const leaf = 16

// apart is what rows of a turned leaf have beyond their elements, so that they do not start at equal places of a cache.
const apart = 8

func gemm[T float](ta, tb blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	switch a := any(a).(type) {
	case []float64:
		blas64.Dgemm(ta, tb, m, n, k, float64(alpha), a, lda, any(b).([]float64), ldb, float64(beta), any(c).([]float64), ldc)
	case []float32:
		blas64.Sgemm(ta, tb, m, n, k, float32(alpha), a, lda, any(b).([]float32), ldb, float32(beta), any(c).([]float32), ldc)
	}
}

// trsm makes b, of n rows and m columns, op(a)⁻¹·b.
func trsm[T float](s Solving, n, m int, a []T, lda int, b []T, ldb int) {
	ul, ta, d := blas.Lower, blas.NoTrans, blas.NonUnit
	if s.Upper {
		ul = blas.Upper
	}
	if s.Transposed {
		ta = blas.Trans
	}
	if s.Unit {
		d = blas.Unit
	}
	switch a := any(a).(type) {
	case []float64:
		blas64.Dtrsm(blas.Left, ul, ta, d, n, m, 1, a, lda, any(b).([]float64), ldb)
	case []float32:
		blas64.Strsm(blas.Left, ul, ta, d, n, m, 1, a, lda, any(b).([]float32), ldb)
	}
}

// unit makes y, of n rows and m columns, l⁻¹·y for the unit triangle below a's diagonal.
func (r Rows[T]) unit(y, a []T, n, m, stride, aStride int) {
	switch {
	case n <= leaf:
		r.less(y, a, n, n, m, stride, aStride)
		return
	case n > 64: // as fast
		trsm(Solving{Unit: true}, n, m, a, aStride, y, stride)
		return
	}
	h := halved(n)
	r.unit(y, a, h, m, stride, aStride)
	gemm(blas.NoTrans, blas.NoTrans, n-h, m, h, -1, a[h*aStride:], aStride, y, stride, 1, y[h*stride:], stride)
	r.unit(y[h*stride:], a[h*aStride+h:], n-h, m, stride, aStride)
}

// less is the lower triangle of c less that of a·aᵀ, for a of n rows and k columns.
func less[T float](n, k int, a []T, lda int, c []T, ldc int) {
	switch a := any(a).(type) {
	case []float64:
		blas64.Dsyrk(blas.Lower, blas.NoTrans, n, k, -1, a, lda, 1, any(c).([]float64), ldc)
	case []float32:
		blas64.Ssyrk(blas.Lower, blas.NoTrans, n, k, -1, a, lda, 1, any(c).([]float32), ldc)
	}
}

// gemv is y = alpha·op(a)·x + beta·y.
func gemv[T float](t blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, inc int, beta T, y []T) {
	if m == 0 || n == 0 {
		return
	}
	switch a := any(a).(type) {
	case []float64:
		blas64.Dgemv(t, m, n, float64(alpha), a, lda, any(x).([]float64), inc, float64(beta), any(y).([]float64), 1)
	case []float32:
		blas64.Sgemv(t, m, n, float32(alpha), a, lda, any(x).([]float32), inc, float32(beta), any(y).([]float32), 1)
	}
}

// lessRows is y less Σ x[p·inc]·a[p·lda:], p < m.
func lessRows[T float](y []T, m int, a []T, lda int, x []T, inc int) {
	gemv(blas.Trans, m, len(y), -1, a, lda, x, inc, 1, y)
}

// dots is y[p] = a[p·lda:]·x for all p.
func dots[T float](y, a []T, lda int, x []T) {
	gemv(blas.NoTrans, len(y), len(x), 1, a, lda, x, 1, 0, y)
}

// turned is y = xᵀ for x of m rows and n columns.
func turned[T float](y []T, ldy int, x []T, ldx, m, n int) {
	size := int(unsafe.Sizeof(x[0]))
	kernels.Transpose(unsafe.Pointer(&y[0]), ldy*size, unsafe.Pointer(&x[0]), ldx*size, n, m, size)
}

// by is x / a: times the reciprocal where that is a normal number.
func by[T float](x []T, a T) {
	if r := 1 / a; r-r == 0 && r*r != 0 {
		scale(r, x)
		return
	}
	for i := range x {
		x[i] /= a
	}
}

func root[T float](x T) T { return T(math.Sqrt(float64(x))) }

func abs[T float](x T) T { return T(math.Abs(float64(x))) }

// CholeskyWork is the work of Cholesky, CholeskyBlocks and Symmetrize.
func CholeskyWork(n int) int { return max(symmetricBlock, min(n, Middle)+15) * n }

// LUWork is the work of LU and LUBlocks.
func LUWork(n int) int { return leaf * (n + apart) }

// CholeskyBlocks is Cholesky of more than Small rows.
func CholeskyBlocks[T float](l []T, n int, work []T) error {
	if err := choleskyColumns(l, n, 0, n, work); err != nil {
		return err
	}
	for i := range n {
		clear(l[i*n+i+1 : (i+1)*n])
	}
	return nil
}

// symmetricBlock is the number of columns that are turned at once, so that their rows, and those that are added, are read one after the other.
const symmetricBlock = 32

// Symmetrize makes the lower triangle of y that of (x + xᵀ)/2, and some of what is above undefined. y may be x. work holds CholeskyWork.
func Symmetrize[T float](y, x []T, n int, work []T) { symmetrized(y, n, x, n, false, 0.5, 1, work) }

// symmetrized is b·(a·x + a·xᵀ) on the diagonal and below it, or in strips' squares on it and above. work holds symmetricBlock·n.
func symmetrized[T float](y []T, ld int, x []T, n int, upper bool, a, b T, work []T) {
	for i := 0; i < n; i += symmetricBlock {
		h, from, to := min(symmetricBlock, n-i), 0, min(i+symmetricBlock, n)
		if upper {
			from, to = i/strip*strip, n
		}
		w := to - from
		turned(work, w, x[from*n+i:], n, w, h)
		for r := range h {
			along, across, sum := x[(i+r)*n+from:][:w], work[r*w:][:w], y[(i+r)*ld+from:][:w]
			for c, v := range across {
				sum[c] = T(T(along[c]*a)+T(v*a)) * b
			}
		}
	}
}

// whole is the number of columns up to which what is above Cholesky's diagonal, and not used, is computed with the rest.
const whole = 64

// choleskyColumns factors w columns from k on, with all rows from k on, from which what is to the left has been taken.
func choleskyColumns[T float](l []T, n, k, w int, work []T) error {
	if w > leaf {
		h := halved(w)
		if err := choleskyColumns(l, n, k, h, work); err != nil {
			return err
		}
		mid, end := k+h, k+w
		left, from := l[mid*n+k:], mid
		if w-h > whole {
			less(w-h, h, left, n, l[mid*n+mid:], n)
			from = end
		}
		if from < n {
			gemm(blas.NoTrans, blas.Trans, n-from, w-h, h, -1, l[from*n+k:], n, left, n, 1, l[from*n+mid:], n)
		}
		return choleskyColumns(l, n, mid, w-h, work)
	}
	m := n - k
	ld := m + apart
	turned(work, ld, l[k*n+k:], n, m, w)
	for j := range w {
		row := work[j*ld+j : j*ld+m]
		lessRows(row, j, work[j:], ld, work[j:], ld)
		if !(row[0] > 0) {
			return ErrDefinite
		}
		row[0] = root(row[0])
		by(row[1:], row[0])
	}
	turned(l[k*n+k:], n, work, ld, w, m)
	return nil
}

// halved is where w columns are halved.
func halved(w int) int { return (w/2 + leaf - 1) / leaf * leaf }

// unpermuted makes the permutation of f that of no exchange of rows.
func unpermuted[T float](f []T, n int) {
	for i := range n {
		f[n*n+i], f[n*n+n+i] = T(i), 1
	}
}

// exchanged notes in the permutation of f that rows i and j changed places, and in the first element of its sign.
func exchanged[T float](f []T, n, i, j int) {
	if i != j {
		perm := f[n*n:]
		perm[i], perm[j] = perm[j], perm[i]
		perm[n] = -perm[n]
	}
}

// spreadSign has all elements of f's sign be as the first one.
func spreadSign[T float](f []T, n int) {
	for i := range n {
		f[n*n+n+i] = f[n*n+n]
	}
}

// LUBlocks is LU of more than Small rows.
func LUBlocks[T float](f []T, n int, work []T, r Rows[T]) {
	unpermuted(f, n)
	luColumns(f, n, 0, n, work, r)
	spreadSign(f, n)
}

// luColumns factors w columns from k on, with all rows from k on. A column with a NaN has no pivot but the element on the diagonal.
func luColumns[T float](f []T, n, k, w int, work []T, r Rows[T]) {
	if w > leaf {
		h := halved(w)
		mid := k + h
		luColumns(f, n, k, h, work, r)
		right := f[k*n+mid:]
		r.unit(right, f[k*n+k:], h, w-h, n, n)
		gemm(blas.NoTrans, blas.NoTrans, n-mid, w-h, h, -1, f[mid*n+k:], n, right, n, 1, f[mid*n+mid:], n)
		luColumns(f, n, mid, w-h, work, r)
		return
	}
	m := n - k
	ld := m + apart
	turned(work, ld, f[k*n+k:], n, m, w)
	for j := range w {
		row := work[j*ld : j*ld+m]
		for q := range j { // the rows above
			a, x := row[q], work[q*ld:q*ld+j]
			for p := q + 1; p < j; p++ {
				row[p] -= T(a * x[p])
			}
		}
		lessRows(row[j:], j, work[j:], ld, row, 1)
		if p := j + max(0, r.largest(row[j:])); p != j {
			for q := range w {
				work[q*ld+j], work[q*ld+p] = work[q*ld+p], work[q*ld+j]
			}
			x, y := f[(k+j)*n:(k+j+1)*n], f[(k+p)*n:]
			swap(x[:k], y)
			swap(x[k+w:], y[k+w:])
			exchanged(f, n, k+j, k+p)
		}
		if row[j] != 0 {
			by(row[j+1:], row[j])
		}
	}
	turned(f[k*n+k:], n, work, ld, w, m)
}

// qrBlock is the number of reflections that are applied at once to the columns to their right.
const qrBlock = 64

// QRBlocks is QR of more than Small columns. The reflections of a block are I - V·T·Vᵀ with an upper triangle T (R. Schreiber, C. Van
// Loan, "A storage-efficient WY representation for products of Householder transformations", 1989); rows of v are V's columns.
// work holds QRWork.
func QRBlocks[T float](y, a []T, m, n int, work []T) {
	q, upper := y[:m*n], y[m*n:m*n+n*n]
	copy(q, a[:m*n])
	clear(upper)
	if m < n { // an empty batch
		return
	}
	ld := m + apart
	v, work := work[:n*ld], work[n*ld:]
	t, work := work[:n*qrBlock], work[n*qrBlock:]
	w1, w2 := work[:qrBlock*n], work[qrBlock*n:2*qrBlock*n]
	clear(t)
	for k := 0; k < n; k += qrBlock {
		w := min(qrBlock, n-k)
		v, t := v[k*ld+k:], t[k*qrBlock:]
		turned(v, ld, q[k*n+k:], n, m-k, w)
		reflections(v, ld, m-k, w, t, upper[k*n+k:], n, w1, w2)
		if rest := n - k - w; rest > 0 {
			c := q[k*n+k+w:]
			gemm(blas.NoTrans, blas.NoTrans, w, rest, m-k, 1, v, ld, c, n, 0, w1, rest)
			gemm(blas.Trans, blas.NoTrans, w, rest, w, 1, t, qrBlock, w1, rest, 0, w2, rest)
			gemm(blas.Trans, blas.NoTrans, m-k, rest, w, -1, v, ld, w2, rest, 1, c, n)
			for i := range w {
				copy(upper[(k+i)*n+k+w:(k+i+1)*n], c[i*n:])
			}
		}
	}
	for k := (n - 1) / qrBlock * qrBlock; k >= 0; k -= qrBlock { // the product of all reflections, from the last on
		w, cols := min(qrBlock, n-k), n-k
		v, t, c := v[k*ld+k:], t[k*qrBlock:], q[k*n+k:]
		for i := range k {
			clear(q[i*n+k : i*n+k+w])
		}
		for i := range m - k {
			if i < w {
				clear(c[i*n : i*n+cols])
				c[i*n+i] = 1
			} else {
				clear(c[i*n : i*n+w])
			}
		}
		gemm(blas.NoTrans, blas.NoTrans, w, cols, m-k, 1, v, ld, c, n, 0, w1, cols)
		gemm(blas.NoTrans, blas.NoTrans, w, cols, w, 1, t, qrBlock, w1, cols, 0, w2, cols)
		gemm(blas.Trans, blas.NoTrans, m-k, cols, w, -1, v, ld, w2, cols, 1, c, n)
	}
}

// reflections makes w rows of m elements the vectors of the reflections that leave an upper triangle of them as columns, which
// goes to r, and t what they are together. Each of g1 and g2 holds qrBlock².
func reflections[T float](v []T, ld, m, w int, t, r []T, ldr int, g1, g2 []T) {
	if w > leaf {
		h := halved(w)
		rest := w - h
		reflections(v, ld, m, h, t, r, ldr, g1, g2)
		c := v[h*ld:]
		gemm(blas.NoTrans, blas.Trans, rest, h, m, 1, c, ld, v, ld, 0, g1, h)
		gemm(blas.NoTrans, blas.NoTrans, rest, h, h, 1, g1, h, t, qrBlock, 0, g2, h)
		gemm(blas.NoTrans, blas.NoTrans, rest, m, h, -1, g2, h, v, ld, 1, c, ld)
		for i := range rest {
			for p, x := range c[i*ld : i*ld+h] {
				r[p*ldr+h+i] = x
			}
			clear(c[i*ld : i*ld+h])
		}
		c, t2 := c[h:], t[h*qrBlock+h:]
		reflections(c, ld, m-h, rest, t2, r[h*ldr+h:], ldr, g1, g2)
		gemm(blas.NoTrans, blas.Trans, h, rest, m-h, 1, v[h:], ld, c, ld, 0, g1, rest)
		gemm(blas.NoTrans, blas.NoTrans, h, rest, h, -1, t, qrBlock, g1, rest, 0, g2, rest)
		gemm(blas.NoTrans, blas.NoTrans, h, rest, rest, 1, g2, rest, t2, qrBlock, 0, t[h:], qrBlock)
		return
	}
	z, u := g1[:leaf], g1[leaf:2*leaf]
	for j := range w {
		row := v[j*ld : j*ld+m]
		dots(z[:j], v, ld, row)
		for i := range j {
			u[i] = 0
			for p := range i + 1 {
				u[i] += T(t[p*qrBlock+i] * z[p])
			}
		}
		lessRows(row, j, v, ld, u, 1)
		for p, x := range row[:j] {
			r[p*ldr+j] = x
		}
		clear(row[:j])
		head, tau := reflection(row[j:], z[:1])
		r[j*ldr+j], row[j] = head, 1
		t[j*qrBlock+j] = tau
		dots(z[:j], v[j:], ld, row[j:])
		for i := range j {
			sum := T(0)
			for p := i; p < j; p++ {
				sum += T(t[i*qrBlock+p] * z[p])
			}
			t[i*qrBlock+j] = -tau * sum
		}
	}
}

// reflection makes x the vector, whose first element of 1 is not written, and tau the number of the reflection
// I - tau·x·xᵀ that takes x to its first element, head. work holds 1.
func reflection[T float](x, work []T) (head, tau T) {
	alpha, rest := x[0], x[1:]
	if len(rest) == 0 {
		return alpha, 0
	}
	if len(rest) < 48 { // less than a call takes
		work[0] = dot(rest, rest)
	} else {
		dots(work, rest, len(rest), rest)
	}
	tiny, huge, up := T(0x1p-100), T(0x1p100), T(1)
	square := T(alpha*alpha) + work[0]
	if !(work[0] > tiny && square < huge) { // squares that overflow or vanish
		if largest(rest) == 0 {
			return alpha, 0
		}
		most := 1000
		if unsafe.Sizeof(up) == 4 {
			most = 100
		}
		exp := exponent(float64(largest(x)))
		up = T(math.Ldexp(1, max(-most, min(most, -exp))))
		scale(up, x)
		alpha, square = x[0], 0
		for _, v := range x {
			square += T(v * v)
		}
	}
	head = root(square)
	head = T(-math.Copysign(float64(head), float64(alpha)))
	by(rest, alpha-head)
	return head / up, (head - alpha) / head
}
