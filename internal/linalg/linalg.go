// Package linalg computes functions of one matrix, or of one row, without allocating: of small matrices by loops of its own;
// Cholesky, LU, solves, QR, Eigh and SVD of large ones in blocks, whose products are package blas'. Sums are of the elements' type, but
// in functions that have float64s only. Small matrices of a batch go side by side (Together), the rows of others through a level's
// kernels (Rows). It imports blas, kernels and gonum.
//
// Matrices are row-major, without gaps. A product and the sum it goes into are rounded one by one, on every
// processor, but in blas, where they are fused on all.
package linalg

import (
	"errors"
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"

	ours "github.com/adjoint-go/adjoint/blas"
)

// What a matrix may be wrong with.
var (
	ErrDefinite = errors.New("the matrix is not positive definite")
	ErrSingular = errors.New("the matrix is singular")
	ErrSteps    = errors.New("the iteration does not converge (are all elements finite?)")
)

// Small is the largest size for which the loops here serve triangles, products and Eigh, in Cholesky and LU Middle, in QR smallQR
// columns or Middle rows, in SVD smallSVD; beyond they go in blocks.
const (
	Small    = 32
	smallSVD = 40
	smallQR  = 48
	Middle   = 64
)

var blas64 ours.Implementation

// single reports whether T is float32.
func single[T float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// Solving says what of a matrix solves.
type Solving struct{ Upper, Transposed, Unit bool }

// row is the row i that is solved k-th of n, with what the triangle has of it besides the diagonal.
func (s Solving) row(k, n int) (i, lo, hi int) {
	i = k
	if s.Upper != s.Transposed { // from the last equation up
		i = n - 1 - k
	}
	if s.Upper {
		return i, i + 1, n
	}
	return i, 0, i
}

// dot is x·y, in four partial sums.
func dot[T float](x, y []T) T {
	y = y[:len(x)]
	var s0, s1, s2, s3 T
	for len(x) >= 4 && len(y) >= 4 {
		s0 += T(x[0] * y[0])
		s1 += T(x[1] * y[1])
		s2 += T(x[2] * y[2])
		s3 += T(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s0 += T(v * y[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy is y += a·x.
func axpy[T float](a T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += T(a * v)
	}
}

// combine is y += Σ a[p]·x[p·stride:], in order.
func combine[T float](y, a, x []T, stride int) {
	for len(a) >= 4 {
		x0, x1, x2, x3 := x[:len(y)], x[stride:][:len(y)], x[2*stride:][:len(y)], x[3*stride:][:len(y)]
		a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
		for i, v := range y {
			v += T(a0 * x0[i])
			v += T(a1 * x1[i])
			v += T(a2 * x2[i])
			y[i] = v + T(a3*x3[i])
		}
		if a = a[4:]; len(a) > 0 {
			x = x[4*stride:]
		}
	}
	for p, v := range a {
		axpy(v, x[p*stride:][:len(y)], y)
	}
}

func scale[T float](a T, x []T) {
	for i := range x {
		x[i] *= a
	}
}

// rotate is (x, y) = (c·x - s·y, s·x + c·y).
func rotate[T float](c, s T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		w := y[i]
		x[i] = T(c*v) - T(s*w)
		y[i] = T(s*v) + T(c*w)
	}
}

// product is y = a·b, [m k] × [k n], and plus y += a·b.
func (r Rows[T]) product(y, a, b []T, m, k, n int) {
	if max(m, k, n) > Small {
		gemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 0, y, n)
		return
	}
	clear(y[:m*n])
	r.plus(y, a, b, m, k, n)
}

func (r Rows[T]) plus(y, a, b []T, m, k, n int) {
	if max(m, k, n) > Small {
		gemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 1, y, n)
		return
	}
	for i := range m {
		r.combine(y[i*n:(i+1)*n], a[i*k:(i+1)*k], b, n)
	}
}

func transpose[T float](y, x []T, m, n int) { turn(y, x, m, n, n) }

// turn is transpose for rows of x that are stride apart.
func turn[T float](y, x []T, m, n, stride int) {
	for i := range m {
		for j, v := range x[i*stride:][:n] {
			y[j*m+i] = v
		}
	}
}

func identity[T float](y []T, n int) {
	clear(y[:n*n])
	for i := range n {
		y[i*n+i] = 1
	}
}

func ints(work []float64, n int) []int { return unsafe.Slice((*int)(unsafe.Pointer(&work[0])), n) }

// Cholesky makes the lower triangle of l the factor of that of l; the rest becomes 0. work holds CholeskyWork.
func Cholesky[T float](l []T, n int, work []T, r Rows[T]) error {
	if n > Middle {
		return CholeskyBlocks(l, n, work)
	}
	if n >= choleskyTurned && r.Rows != nil {
		return r.cholesky(l, n, work)
	}
	for j := range n {
		column := work[:n-j] // from the diagonal down
		r.times(column, l[j*n:], l[j*n:j*n+j], 1, n)
		for i, v := range column {
			column[i] = l[(j+i)*n+j] - v
		}
		if !(column[0] > 0) {
			return ErrDefinite
		}
		d := root(column[0])
		for i, v := range column {
			l[(j+i)*n+j] = v / d
		}
		l[j*n+j] = d
	}
	for i := range n {
		clear(l[i*n+i+1 : (i+1)*n])
	}
	return nil
}

// choleskyTurned is the number of rows from which on columns, turned to rows, go by a kernel.
const choleskyTurned = 12

// cholesky is Cholesky by a kernel.
func (r Rows[T]) cholesky(l []T, n int, work []T) error {
	ld := (n + 15) &^ 15
	for j := range n {
		clear(work[j*ld+n : (j+1)*ld])
	}
	turned(work, ld, l, n, n, n)
	if !r.Cholesky(first(work), n, r.bytes(ld)) {
		return ErrDefinite
	}
	turned(l, n, work, ld, n, n)
	for i := range n {
		clear(l[i*n+i+1 : (i+1)*n])
	}
	return nil
}

// SolveTriangular makes b, [n m], op(a)⁻¹·b for a triangle of a.
func SolveTriangular[T float](a, b []T, n, m int, s Solving, r Rows[T]) error {
	if !s.Unit && Singular(a, n) {
		return ErrSingular
	}
	if n > Small && (m > 4 || single[T]()) {
		if s == (Solving{Unit: true}) && n <= Middle {
			r.less(b, a, n, n, m, m, n)
			return nil
		}
		trsm(s, n, m, a, n, b, m)
		return nil
	}
	for k := range n {
		i, lo, hi := s.row(k, n)
		row := b[i*m : (i+1)*m]
		if !s.Transposed {
			if m == 1 {
				row[0] -= dot(a[i*n+lo:i*n+hi], b[lo:])
			} else {
				for j := range row {
					row[j] = -row[j]
				}
				r.combine(row, a[i*n+lo:i*n+hi], b[min(lo*m, len(b)):], m)
				for j := range row {
					row[j] = -row[j]
				}
			}
		}
		if !s.Unit {
			for j := range row {
				row[j] /= a[i*n+i]
			}
		}
		if s.Transposed { // row i is a column of the equations
			if m == 1 {
				axpy(-row[0], a[i*n+lo:i*n+hi], b[lo:])
			} else {
				r.rank1(b[min(lo*m, len(b)):], a[i*n+lo:i*n+hi], row, m)
			}
		}
	}
	return nil
}

// singular reports whether there is a 0 on a's diagonal.
// Singular reports whether a has a 0 on its diagonal.
func Singular[T float](a []T, n int) bool {
	for i := range n {
		if a[i*n+i] == 0 {
			return true
		}
	}
	return false
}

// LU packs the factors of f, its first n rows, with the permutation and its sign in two more rows. Pivots that
// are 0 are no error. work holds LUWork.
func LU[T float](f []T, n int, work []T, r Rows[T]) {
	if n > Middle {
		LUBlocks(f, n, work, r)
		return
	}
	unpermuted(f, n)
	for k := 0; k < n; {
		w := min(perLine[T](), n-k)
		done := luPanel(f, n, k, w, r)
		if right := k + w; right < n {
			r.less(f[k*n+right:], f[k*n+k:], done, n-k, n-right, n, n)
		}
		k += min(done+1, w)
	}
	spreadSign(f, n)
}

// luPanel factors w columns of f from k on, with all rows from k on, or those left of one without a pivot. It returns how many.
func luPanel[T float](f []T, n, k, w int, r Rows[T]) int {
	p := k
	for i := k + 1; i < n; i++ {
		if abs(f[i*n+k]) > abs(f[p*n+k]) {
			p = i
		}
	}
	for j := range w {
		d := k + j
		if p != d {
			swap(f[d*n:(d+1)*n], f[p*n:])
			exchanged(f, n, d, p)
		}
		if f[d*n+d] == 0 {
			return j
		}
		p = d + r.eliminate(f[d*n+k:], j, n-1-d, w, n)
	}
	return w
}

// SolveLU makes x, [n m], op(a)⁻¹·b for the packed factors f of a. work holds n·m.
func SolveLU[T float](f, b, x []T, n, m int, transposed bool, work []T, r Rows[T]) error {
	if Singular(f, n) {
		return ErrSingular
	}
	perm := f[n*n : n*n+n]
	if !transposed {
		for i, p := range perm {
			copy(x[i*m:(i+1)*m], b[int(p)*m:])
		}
		SolveTriangular(f, x, n, m, Solving{Unit: true}, r)
		return SolveTriangular(f, x, n, m, Solving{Upper: true}, r)
	}
	y := work[:n*m]
	copy(y, b)
	SolveTriangular(f, y, n, m, Solving{Upper: true, Transposed: true}, r)
	SolveTriangular(f, y, n, m, Solving{Unit: true, Transposed: true}, r)
	for i, p := range perm {
		copy(x[int(p)*m:(int(p)+1)*m], y[i*m:])
	}
	return nil
}

// DetWork is the work of Det.
func DetWork(n int) int { return n*n + 2*n + LUWork(n) }

// Det is det a. work holds DetWork.
func Det[T float](a []T, n int, work []T, r Rows[T]) T {
	f, work := work[:n*n+2*n], work[n*n+2*n:]
	copy(f, a[:n*n])
	LU(f, n, work, r)
	return T(det(f, n))
}

// det is the determinant of packed factors; products may be beyond what a float32 holds before the last.
func det[T float](f []T, n int) float64 {
	p := 1.0
	for i := range n {
		p *= float64(f[i*n+i])
	}
	if n > 0 {
		p *= float64(f[n*n+n])
	}
	return p
}

// Cofactor is det a·a⁻ᵀ. A singular matrix has one, too: from the singular values, with the product of all
// others in the place of each. work holds CofactorWork(n).
func Cofactor(y, a []float64, n int, work []float64, r Rows[float64]) error {
	if n == 0 {
		return nil
	}
	f, rest := work[:n*n+2*n], work[n*n+2*n:]
	copy(f, a[:n*n])
	LU(f, n, rest, r)
	smallest, largest := math.Inf(1), 0.0
	for i := range n {
		smallest = min(smallest, math.Abs(f[i*n+i]))
		largest = max(largest, math.Abs(f[i*n+i]))
	}
	if smallest > 1e-8*largest {
		e, rest := rest[:n*n], rest[n*n:]
		identity(e, n)
		scale(det(f, n), e)
		return SolveLU(f, e, y, n, n, true, rest, r)
	}
	// a = U·S·Vᵀ: det U·det V·U·(others of S)·Vᵀ.
	size := 2*n*n + n
	svd, rest := rest[:size], rest[size:]
	if err := SVD(svd, a, n, n, rest, r); err != nil {
		return err
	}
	u, v, s := svd[:n*n], svd[n*n:2*n*n], svd[2*n*n:]
	sign := Det(u, n, rest, r) * Det(v, n, rest, r)
	vt := rest[:n*n]
	transpose(vt, v, n, n)
	for i := range n {
		p := math.Copysign(1, sign)
		for j := range n {
			if j != i {
				p *= s[j]
			}
		}
		scale(p, vt[i*n:(i+1)*n])
	}
	r.product(y, u, vt, n, n, n)
	return nil
}

// CofactorWork is the work of Cofactor.
func CofactorWork(n int) int { return n*n + 2*n + 2*n*n + n + SVDWork(n, n) + n*n + DetWork(n) }

// QR packs Q, [m n], and R, [n n], of a, m ≥ n. work holds QRWork.
func QR[T float](y, a []T, m, n int, work []T, r Rows[T]) {
	if n > smallQR && m > Middle {
		QRBlocks(y, a, m, n, work)
		return
	}
	q, upper := y[:m*n], y[m*n:m*n+n*n]
	copy(q, a[:m*n])
	clear(upper)
	if m < n { // an empty batch
		return
	}
	tau, work := work[:n], work[n:]
	w, v := work[:n], work[n:n+m]
	// column has v be column k of q, below row k.
	column := func(k int) []T {
		v := v[k+1:]
		for i := range v {
			v[i] = q[(k+1+i)*n+k]
		}
		return v
	}
	// reflect applies I - tau·v·vᵀ to columns j … of q, for v = 1 in row k.
	reflect := func(k, j int, tau T) {
		w := w[:n-j]
		copy(w, q[k*n+j:(k+1)*n])
		if k+1 < m && len(w) > 0 {
			r.combine(w, v[k+1:], q[(k+1)*n+j:], n)
		}
		scale(tau, w)
		axpy(-1, w, q[k*n+j:])
		if k+1 < m && len(w) > 0 {
			r.rank1(q[(k+1)*n+j:], v[k+1:], w, n)
		}
	}
	for k := range n {
		alpha, v, top := q[k*n+k], column(k), T(0)
		if len(v) > 0 {
			if at := r.largest(v); at >= 0 {
				top = abs(v[at])
			} else {
				top = T(math.NaN())
			}
		}
		tau[k] = 0
		if top != 0 {
			top = max(top, abs(alpha))
			x := alpha / top
			sum := T(x * x)
			for _, x := range v {
				x /= top
				sum += T(x * x)
			}
			beta := T(-math.Copysign(float64(top*root(sum)), float64(alpha)))
			tau[k] = (beta - alpha) / beta
			for i := range v {
				v[i] /= alpha - beta
				q[(k+1+i)*n+k] = v[i]
			}
			reflect(k, k+1, tau[k])
			q[k*n+k] = beta
		}
		copy(upper[k*n+k:(k+1)*n], q[k*n+k:])
	}
	for k := n - 1; k >= 0; k-- {
		clear(q[k*n+k+1 : (k+1)*n])
		v := column(k)
		reflect(k, k+1, tau[k])
		for i, x := range v {
			q[(k+1+i)*n+k] = x * -tau[k]
		}
		q[k*n+k] = 1 - tau[k]
		for i := range k {
			q[i*n+k] = 0
		}
	}
}

// QRWork is the work of QR.
func QRWork(m, n int) int {
	if n > Small {
		return n*(m+apart) + 3*qrBlock*n
	}
	if n%lineup == 0 && m <= Middle {
		return 2*n + m + m*(n+1)
	}
	return 2*n + m
}

// Eigh packs the eigenvectors, columns, and the eigenvalues, ascending, of the symmetric a. work holds
// EighWork.
func Eigh(y, a []float64, n int, work []float64, r Rows[float64]) error {
	if n > Small {
		return EighBlocks(y, a, n, work, r, r)
	}
	v, w := y[:n*n], y[n*n:n*n+n]
	top := largest(a[:n*n])
	switch {
	case n == 0:
		return nil
	case top-top != 0:
		return ErrSteps
	}
	exp, vn := exponent(top), padded(n)
	x, work := work[:n*n], work[n*n:]
	vt, work := work[:n*vn], work[n*vn:]
	e, work := work[:n], work[n:]
	copy(x, a[:n*n])
	scale(math.Ldexp(1, -exp), x)
	tridiagonal(x, vt, w, e, n, work, r)
	if err := implicitQL(vt, w, e, n, work, r); err != nil {
		return err
	}
	scale(math.Ldexp(1, exp), w)
	order(w, vt, nil, n, vn, 0, false)
	turn(v, vt, n, n, vn)
	return nil
}

// EighWork is the work of Eigh and EighBlocks.
func EighWork(n int) int {
	if n > Small {
		return blocksWork(n)
	}
	return 3*n*n + n*padded(n) + 8*n // see Narrow
}

func largest[T float](x []T) T {
	var a, b, c, d T
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d = max(a, abs(x[0])), max(b, abs(x[1])), max(c, abs(x[2])), max(d, abs(x[3]))
	}
	for _, v := range x {
		a = max(a, abs(v))
	}
	return max(a, b, c, d)
}

// exponent is that of a power of two to divide by, so that squares neither overflow nor vanish.
func exponent(x float64) int {
	_, e := math.Frexp(x)
	return max(-1000, min(1000, e))
}

const sweeps = 60

// negligible is an element of no weight beside ones of about 1, whose square is a normal number.
const negligible = 0x1p-450

// tridiagonal finds Q and a matrix of diagonal d and off-diagonal e with Q·x·Qᵀ equal to that, by Householder's
// reflections, which take x's place. Rows of q are padded. work holds 2n.
func tridiagonal(x, q, d, e []float64, n int, work []float64, r Rows[float64]) {
	beta, p := work[:n], work[n:2*n]
	for k := range n {
		d[k] = x[k*n+k]
		if k == n-1 {
			e[k], beta[k] = 0, 0
			break
		}
		v := x[k*n+k+1 : (k+1)*n]
		e[k], beta[k] = householder(v)
		if beta[k] == 0 {
			continue
		}
		p, rest := p[:len(v)], x[(k+1)*n+k+1:]
		r.times(p, rest, v, beta[k], n)
		axpy(-beta[k]/2*dot(p, v), v, p)
		r.rank1(rest, v, p, n)
		r.rank1(rest, p, v, n)
	}
	qn := padded(n)
	clear(q)
	for k := n - 1; k >= 0; k-- {
		q[k*qn+k] = 1
		if beta[k] != 0 {
			r.reflect(q[(k+1)*qn+k+1:], x[k*n+k+1:(k+1)*n], beta[k], n-k-1, qn)
		}
	}
}

// implicitQL makes a tridiagonal matrix diagonal by the QL algorithm with implicit shifts (A. Dubrulle,
// R. Martin, J. Wilkinson, 1968), and applies its rotations to q's rows, which are padded. work holds 2n.
func implicitQL(q, d, e []float64, n int, work []float64, r Rows[float64]) error {
	for l := range n {
		for step := 0; ; step++ {
			m := l
			for m < n-1 && math.Abs(e[m]) > max(0x1p-53*(math.Abs(d[m])+math.Abs(d[m+1])), negligible) {
				m++
			}
			if m == l {
				break
			}
			if step == sweeps {
				return ErrSteps
			}
			theta := (d[l+1] - d[l]) / (2 * e[l])
			g := d[m] - d[l] + e[l]/(theta+math.Copysign(math.Sqrt(float64(theta*theta)+1), theta))
			c, s, shift := 1.0, 1.0, 0.0
			i, count := m-1, 0
			for ; i >= l; i-- {
				f, b := s*e[i], c*e[i]
				ff, gg := float64(f*f), float64(g*g)
				h := ff + gg
				if h < negligible*negligible {
					d[i+1] -= shift
					e[i+1] = 0
					break
				}
				// c², c·s and s² by a quotient are there before c and s, for which there is a root first.
				e[i+1] = math.Sqrt(h)
				by, inv := 1/h, 1/e[i+1]
				cc, cs, ss := float64(gg*by), f*g*by, float64(ff*by)
				s, c = f*inv, g*inv
				at := d[i+1] - shift
				gap := d[i] - at
				shift = float64(gap*ss) + float64(2*b*cs)
				d[i+1] = at + shift
				g = float64(gap*cs) + float64(b*(cc-ss))
				work[2*count], work[2*count+1] = c, s
				count++
			}
			r.rotate(q, padded(n), m, -1, count, work)
			e[m] = 0
			if i < l {
				d[l] -= shift
				e[l] = g
			}
		}
	}
	return nil
}

// order sorts w, with rows of v and u along: of n and m elements.
func order(w, v, u []float64, k, n, m int, descending bool) {
	for i := range k {
		best := i
		for j := i + 1; j < k; j++ {
			if descending && w[j] > w[best] || !descending && w[j] < w[best] {
				best = j
			}
		}
		if best == i {
			continue
		}
		w[i], w[best] = w[best], w[i]
		swap(v[i*n:(i+1)*n], v[best*n:])
		if u != nil {
			swap(u[i*m:(i+1)*m], u[best*m:])
		}
	}
}

func swap[T float](x, y []T) {
	var room [64]T
	for len(x) > 0 {
		n := copy(room[:], x)
		copy(x, y[:n])
		copy(y, room[:n])
		x, y = x[n:], y[n:]
	}
}
