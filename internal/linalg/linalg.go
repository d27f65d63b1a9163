// Package linalg computes functions of one matrix, or of one row, in float64 and without allocating: by loops of
// its own, whose large products are package blas', and by gonum's LAPACK where that is faster: Cholesky and LU of
// 33 to 64 rows, singular values of more than 12 columns. Smaller matrices of a batch go side by side (Together). It
// imports blas, kernels and gonum.
//
// Matrices are row-major, without gaps. A product and the sum it goes into are rounded one by one, on every
// processor, but in blas, where they are fused on all. Not so in gonum's LAPACK, on gonum's own BLAS.
package linalg

import (
	"errors"
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/lapack"
	lapackimpl "gonum.org/v1/gonum/lapack/gonum"

	ours "github.com/adjoint-go/adjoint/blas"
)

// What a matrix may be wrong with.
var (
	ErrDefinite = errors.New("the matrix is not positive definite")
	ErrSingular = errors.New("the matrix is singular")
	ErrSteps    = errors.New("the iteration does not converge")
)

// Small is the largest size for which the loops here serve Cholesky, LU and triangles; for singular values it is jacobi, in
// products smallProduct. Cholesky and LU are gonum's up to middle and in blocks of our own beyond.
const (
	Small        = 32
	jacobi       = 12
	middle       = 64
	smallProduct = 16
)

var (
	lap    lapackimpl.Implementation
	blas64 ours.Implementation
)

// Solving says what of a matrix solves.
type Solving struct{ Upper, Transposed, Unit bool }

// dot is x·y, in four partial sums.
func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float64
	for len(x) >= 4 && len(y) >= 4 {
		s0 += float64(x[0] * y[0])
		s1 += float64(x[1] * y[1])
		s2 += float64(x[2] * y[2])
		s3 += float64(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s0 += float64(v * y[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy is y += a·x.
func axpy(a float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float64(a * v)
	}
}

// combine is y += Σ a[p]·x[p·stride:], in order.
func combine(y, a, x []float64, stride int) {
	for len(a) >= 4 {
		x0, x1, x2, x3 := x[:len(y)], x[stride:][:len(y)], x[2*stride:][:len(y)], x[3*stride:][:len(y)]
		a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
		for i, v := range y {
			v += float64(a0 * x0[i])
			v += float64(a1 * x1[i])
			v += float64(a2 * x2[i])
			y[i] = v + float64(a3*x3[i])
		}
		if a = a[4:]; len(a) > 0 {
			x = x[4*stride:]
		}
	}
	for p, v := range a {
		axpy(v, x[p*stride:][:len(y)], y)
	}
}

func scale(a float64, x []float64) {
	for i := range x {
		x[i] *= a
	}
}

// rotate is (x, y) = (c·x - s·y, s·x + c·y).
func rotate(c, s float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		w := y[i]
		x[i] = float64(c*v) - float64(s*w)
		y[i] = float64(s*v) + float64(c*w)
	}
}

// MatMul is y = a·b, [m k] × [k n].
func MatMul(y, a, b []float64, m, k, n int) {
	if max(m, k, n) > smallProduct {
		blas64.Dgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 0, y, n)
		return
	}
	for i := range m {
		row := y[i*n : (i+1)*n]
		clear(row)
		combine(row, a[i*k:(i+1)*k], b, n)
	}
}

func transpose(y, x []float64, m, n int) {
	for i := range m {
		for j := range n {
			y[j*m+i] = x[i*n+j]
		}
	}
}

func identity(y []float64, n int) {
	clear(y[:n*n])
	for i := range n {
		y[i*n+i] = 1
	}
}

// panel is the width of the blocks in which Cholesky and LU go through the columns.
const panel = 48

func ints(work []float64, n int) []int { return unsafe.Slice((*int)(unsafe.Pointer(&work[0])), n) }

// Cholesky makes the lower triangle of l the factor of that of l; the rest becomes 0.
func Cholesky(l []float64, n int) error {
	middle := Small < n && n <= middle
	if middle && !lap.Dpotrf(blas.Lower, n, l, n) {
		return ErrDefinite
	}
	for k := 0; k < n && !middle; k += panel {
		end := min(k+panel, n)
		for i := k; i < end; i++ {
			row := l[i*n+k : i*n+end]
			for j := range i - k {
				row[j] = (row[j] - dot(row[:j], l[(k+j)*n+k:])) / l[(k+j)*n+k+j]
			}
			d := row[i-k] - dot(row[:i-k], row)
			if !(d > 0) {
				return ErrDefinite
			}
			row[i-k] = math.Sqrt(d)
		}
		if end < n {
			below := l[end*n+k:]
			blas64.Dtrsm(blas.Right, blas.Lower, blas.Trans, blas.NonUnit, n-end, end-k, 1, l[k*n+k:], n, below, n)
			blas64.Dsyrk(blas.Lower, blas.NoTrans, n-end, end-k, -1, below, n, 1, l[end*n+end:], n)
		}
	}
	for i := range n {
		clear(l[i*n+i+1 : (i+1)*n])
	}
	return nil
}

// SolveTriangular makes b, [n m], op(a)⁻¹·b for a triangle of a.
func SolveTriangular(a, b []float64, n, m int, s Solving) error {
	if !s.Unit {
		for i := range n {
			if a[i*n+i] == 0 {
				return ErrSingular
			}
		}
	}
	if n > Small && m > 4 {
		uplo, trans, diag := blas.Lower, blas.NoTrans, blas.NonUnit
		if s.Upper {
			uplo = blas.Upper
		}
		if s.Transposed {
			trans = blas.Trans
		}
		if s.Unit {
			diag = blas.Unit
		}
		blas64.Dtrsm(blas.Left, uplo, trans, diag, n, m, 1, a, n, b, m)
		return nil
	}
	for k := range n {
		i := k
		if s.Upper != s.Transposed { // from the last equation up
			i = n - 1 - k
		}
		lo, hi := 0, i // the rest of row i of the triangle
		if s.Upper {
			lo, hi = i+1, n
		}
		row := b[i*m : (i+1)*m]
		if !s.Transposed {
			if m == 1 {
				row[0] -= dot(a[i*n+lo:i*n+hi], b[lo:])
			} else {
				for j := range row {
					row[j] = -row[j]
				}
				combine(row, a[i*n+lo:i*n+hi], b[min(lo*m, len(b)):], m)
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
				for j := lo; j < hi; j++ {
					axpy(-a[i*n+j], row, b[j*m:(j+1)*m])
				}
			}
		}
	}
	return nil
}

// LU packs the factors of f, its first n rows, with the permutation and its sign in two more rows. Pivots that
// are 0 are no error. work holds n.
func LU(f []float64, n int, work []float64) {
	perm, sign := f[n*n:n*n+n], f[n*n+n:n*n+2*n]
	for i := range perm {
		perm[i] = float64(i)
	}
	parity := 1.0
	middle := Small < n && n <= middle
	if middle {
		pivots := ints(work, n)
		lap.Dgetrf(n, n, f, n, pivots)
		for i, p := range pivots {
			if p != i {
				perm[i], perm[p] = perm[p], perm[i]
				parity = -parity
			}
		}
	}
	for k := 0; k < n && !middle; k += panel {
		end := min(k+panel, n)
		for j := k; j < end; j++ {
			p := j
			for i := j + 1; i < n; i++ {
				if math.Abs(f[i*n+j]) > math.Abs(f[p*n+j]) {
					p = i
				}
			}
			if p != j {
				swap(f[j*n:(j+1)*n], f[p*n:])
				perm[j], perm[p] = perm[p], perm[j]
				parity = -parity
			}
			if f[j*n+j] == 0 {
				continue
			}
			for i := j + 1; i < n; i++ {
				f[i*n+j] /= f[j*n+j]
				axpy(-f[i*n+j], f[j*n+j+1:j*n+end], f[i*n+j+1:])
			}
		}
		if rest := n - end; rest > 0 {
			right, below := f[k*n+end:], f[end*n+k:]
			blas64.Dtrsm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, end-k, rest, 1, f[k*n+k:], n, right, n)
			blas64.Dgemm(blas.NoTrans, blas.NoTrans, rest, rest, end-k, -1, below, n, right, n, 1, f[end*n+end:], n)
		}
	}
	for i := range sign {
		sign[i] = parity
	}
}

// SolveLU makes x, [n m], op(a)⁻¹·b for the packed factors f of a. work holds n·m.
func SolveLU(f, b, x []float64, n, m int, transposed bool, work []float64) error {
	for i := range n {
		if f[i*n+i] == 0 {
			return ErrSingular
		}
	}
	perm := f[n*n : n*n+n]
	if !transposed {
		for i, p := range perm {
			copy(x[i*m:(i+1)*m], b[int(p)*m:])
		}
		SolveTriangular(f, x, n, m, Solving{Unit: true})
		return SolveTriangular(f, x, n, m, Solving{Upper: true})
	}
	y := work[:n*m]
	copy(y, b)
	SolveTriangular(f, y, n, m, Solving{Upper: true, Transposed: true})
	SolveTriangular(f, y, n, m, Solving{Unit: true, Transposed: true})
	for i, p := range perm {
		copy(x[int(p)*m:(int(p)+1)*m], y[i*m:])
	}
	return nil
}

// LogDet is log |det| of packed factors.
func LogDet(f []float64, n int) float64 {
	sum := 0.0
	for i := range n {
		sum += math.Log(math.Abs(f[i*n+i]))
	}
	return sum
}

// Det is det a. work holds n·n + 3n.
func Det(a []float64, n int, work []float64) float64 {
	f, work := work[:n*n+2*n], work[n*n+2*n:]
	copy(f, a[:n*n])
	LU(f, n, work)
	return det(f, n)
}

func det(f []float64, n int) float64 {
	p := 1.0
	for i := range n {
		p *= f[i*n+i]
	}
	if n > 0 {
		p *= f[n*n+n]
	}
	return p
}

// Cofactor is det a·a⁻ᵀ. A singular matrix has one, too: from the singular values, with the product of all
// others in the place of each. work holds CofactorWork(n).
func Cofactor(y, a []float64, n int, work []float64) error {
	if n == 0 {
		return nil
	}
	f, rest := work[:n*n+2*n], work[n*n+2*n:]
	copy(f, a[:n*n])
	LU(f, n, rest)
	smallest, largest := math.Inf(1), 0.0
	for i := range n {
		smallest = min(smallest, math.Abs(f[i*n+i]))
		largest = max(largest, math.Abs(f[i*n+i]))
	}
	if smallest > 1e-8*largest {
		e, rest := rest[:n*n], rest[n*n:]
		identity(e, n)
		scale(det(f, n), e)
		return SolveLU(f, e, y, n, n, true, rest)
	}
	// a = U·S·Vᵀ: det U·det V·U·(others of S)·Vᵀ.
	size := 2*n*n + n
	svd, rest := rest[:size], rest[size:]
	if err := SVD(svd, a, n, n, rest); err != nil {
		return err
	}
	u, v, s := svd[:n*n], svd[n*n:2*n*n], svd[2*n*n:]
	sign := Det(u, n, rest) * Det(v, n, rest)
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
	MatMul(y, u, vt, n, n, n)
	return nil
}

// CofactorWork is the work of Cofactor.
func CofactorWork(n int) int { return n*n + 2*n + 2*n*n + n + SVDWork(n, n) + 2*n*n + 3*n }

// QR packs Q, [m n], and R, [n n], of a, m ≥ n. work holds QRWork.
func QR(y, a []float64, m, n int, work []float64) {
	q, r := y[:m*n], y[m*n:m*n+n*n]
	copy(q, a[:m*n])
	clear(r)
	if m < n { // an empty batch
		return
	}
	tau, work := work[:n], work[n:]
	w, v := work[:n], work[n:n+m]
	// reflect applies I - tau·v·vᵀ to columns j … of q, for v = 1 and column k below row k.
	reflect := func(k, j int, tau float64) {
		w := w[:n-j]
		copy(w, q[k*n+j:(k+1)*n])
		for i := k + 1; i < m; i++ {
			v[i] = q[i*n+k]
		}
		if k+1 < m && len(w) > 0 {
			combine(w, v[k+1:], q[(k+1)*n+j:], n)
		}
		scale(tau, w)
		axpy(-1, w, q[k*n+j:])
		for i := k + 1; i < m; i++ {
			axpy(-q[i*n+k], w, q[i*n+j:])
		}
	}
	for k := range n {
		alpha, top := q[k*n+k], 0.0
		for i := k + 1; i < m; i++ {
			top = max(top, math.Abs(q[i*n+k]))
		}
		tau[k] = 0
		if top != 0 {
			top = max(top, math.Abs(alpha))
			sum := 0.0
			for i := k; i < m; i++ {
				v := q[i*n+k] / top
				sum += float64(v * v)
			}
			beta := -math.Copysign(top*math.Sqrt(sum), alpha)
			tau[k] = (beta - alpha) / beta
			for i := k + 1; i < m; i++ {
				q[i*n+k] /= alpha - beta
			}
			reflect(k, k+1, tau[k])
			q[k*n+k] = beta
		}
		copy(r[k*n+k:(k+1)*n], q[k*n+k:])
	}
	for k := n - 1; k >= 0; k-- {
		clear(q[k*n+k+1 : (k+1)*n])
		reflect(k, k+1, tau[k])
		for i := k + 1; i < m; i++ {
			q[i*n+k] *= -tau[k]
		}
		q[k*n+k] = 1 - tau[k]
		for i := range k {
			q[i*n+k] = 0
		}
	}
}

// QRWork is the work of QR.
func QRWork(m, n int) int {
	return 2*n + m
}

// Eigh packs the eigenvectors, columns, and the eigenvalues, ascending, of the symmetric a. work holds
// EighWork.
func Eigh(y, a []float64, n int, work []float64) error {
	v, w := y[:n*n], y[n*n:n*n+n]
	top := largest(a[:n*n])
	switch {
	case n == 0:
		return nil
	case top-top != 0:
		return ErrSteps
	}
	exp := exponent(top)
	x, work := work[:n*n], work[n*n:]
	vt, e := work[:n*n], work[n*n:n*n+n]
	copy(x, a[:n*n])
	scale(math.Ldexp(1, -exp), x)
	tridiagonal(x, vt, w, e, n, work[n*n+n:])
	if err := implicitQL(vt, w, e, n); err != nil {
		return err
	}
	scale(math.Ldexp(1, exp), w)
	order(w, vt, nil, n, n, 0, false)
	transpose(v, vt, n, n)
	return nil
}

// EighWork is the work of Eigh.
func EighWork(n int) int { return 2*n*n + 3*n }

func largest(x []float64) float64 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	return top
}

// exponent is that of a power of two to divide by, so that squares neither overflow nor vanish.
func exponent(x float64) int {
	_, e := math.Frexp(x)
	return max(-1000, min(1000, e))
}

const sweeps = 60

// tridiagonal finds Q and a matrix of diagonal d and off-diagonal e with Q·x·Qᵀ equal to that, by Householder's
// reflections, which take x's place. work holds 2n.
func tridiagonal(x, q, d, e []float64, n int, work []float64) {
	beta, p := work[:n], work[n:2*n]
	for k := range n {
		d[k] = x[k*n+k]
		e[k], beta[k] = 0, 0
		if k == n-1 {
			break
		}
		v, rest := x[k*n+k+1:(k+1)*n], 0.0
		for _, u := range v[1:] {
			rest += float64(u * u)
		}
		if rest == 0 {
			e[k] = v[0]
			continue
		}
		e[k] = -math.Copysign(math.Sqrt(float64(v[0]*v[0])+rest), v[0])
		v[0] -= e[k]
		beta[k] = 2 / (float64(v[0]*v[0]) + rest)
		p := p[:len(v)]
		for i := range p {
			at := (k+1+i)*n + k + 1
			p[i] = beta[k] * dot(v, x[at:])
		}
		axpy(-beta[k]/2*dot(p, v), v, p)
		for i := range p {
			row := x[(k+1+i)*n+k+1 : (k+2+i)*n]
			axpy(-v[i], p, row)
			axpy(-p[i], v, row)
		}
	}
	identity(q, n)
	for k := n - 2; k >= 0; k-- {
		if beta[k] == 0 {
			continue
		}
		v := x[k*n+k+1 : (k+1)*n]
		for i := k + 1; i < n; i++ {
			row := q[i*n+k+1 : (i+1)*n]
			axpy(-beta[k]*dot(v, row), v, row)
		}
	}
}

// implicitQL makes a tridiagonal matrix diagonal by the QL algorithm with implicit shifts (A. Dubrulle,
// R. Martin, J. Wilkinson, 1968), and applies its rotations to q's rows.
func implicitQL(q, d, e []float64, n int) error {
	for l := range n {
		for step := 0; ; step++ {
			m := l
			for m < n-1 && math.Abs(e[m]) > 0x1p-53*(math.Abs(d[m])+math.Abs(d[m+1])) {
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
			i := m - 1
			for ; i >= l; i-- {
				f, b := s*e[i], c*e[i]
				r := math.Sqrt(float64(f*f) + float64(g*g))
				e[i+1] = r
				if r == 0 {
					d[i+1] -= shift
					break
				}
				s, c = f/r, g/r
				g = d[i+1] - shift
				r = float64((d[i]-g)*s) + float64(2*c*b)
				shift = s * r
				d[i+1] = g + shift
				g = float64(c*r) - b
				rotate(c, s, q[i*n:(i+1)*n], q[(i+1)*n:])
			}
			e[m] = 0
			if i < l {
				d[l] -= shift
				e[l] = g
			}
		}
	}
	return nil
}

// rotation makes [[a, h], [h, b]] diagonal.
func rotation(a, b, h float64) (c, s, t float64) {
	theta := (b - a) / (2 * h)
	t = 1 / (math.Abs(theta) + math.Sqrt(float64(theta*theta)+1))
	if theta < 0 {
		t = -t
	}
	c = 1 / math.Sqrt(float64(t*t)+1)
	return c, t * c, t
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

func swap(x, y []float64) {
	for i := range x {
		x[i], y[i] = y[i], x[i]
	}
}

// SVD packs U, [m n], V, [n n], and the singular values, descending, of a, m ≥ n. work holds SVDWork.
func SVD(y, a []float64, m, n int, work []float64) error {
	u, v, s := y[:m*n], y[m*n:m*n+n*n], y[m*n+n*n:m*n+n*n+n]
	if n == 0 || m < n {
		return nil
	}
	x, work := work[:m*n], work[m*n:]
	vt, work := work[:n*n], work[n*n:]
	top := largest(a[:m*n])
	if top-top != 0 {
		return ErrSteps
	}
	if n > jacobi {
		copy(x, a[:m*n])
		if !lap.Dgesvd(lapack.SVDStore, lapack.SVDStore, m, n, x, n, s, u, n, vt, n, work, len(work)) {
			return ErrSteps
		}
		transpose(v, vt, n, n)
		return nil
	}
	// Rotations make the columns of a, here rows, orthogonal.
	exp := exponent(top)
	transpose(x, a, m, n)
	scale(math.Ldexp(1, -exp), x)
	identity(vt, n)
	if err := hestenes(x, vt, s, m, n); err != nil {
		return err
	}
	for i := range n {
		s[i] = norm(x[i*m : (i+1)*m])
	}
	order(s, vt, x, n, n, m, true)
	for i := range n {
		row := x[i*m : (i+1)*m]
		if s[i] > 1e-300 && s[i] > 1e-17*s[0] {
			for j := range row {
				row[j] /= s[i]
			}
		} else {
			complete(x, i, m)
		}
	}
	scale(math.Ldexp(1, exp), s)
	transpose(u, x, n, m)
	transpose(v, vt, n, n)
	return nil
}

// SVDWork is the work of SVD.
func SVDWork(m, n int) int {
	w := m*n + n*n
	if n > jacobi {
		w += 68*(m+n) + m*n + n*n
	}
	return w
}

func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }

// hestenes makes x's rows orthogonal by rotations, which it applies to v's rows, too. square has room for the
// squares of their lengths.
func hestenes(x, v, square []float64, m, n int) error {
	for range sweeps {
		done := true
		for p := range n {
			square[p] = dot(x[p*m:(p+1)*m], x[p*m:])
		}
		for p := range n {
			a := x[p*m : (p+1)*m]
			for q := p + 1; q < n; q++ {
				b := x[q*m : (q+1)*m]
				aa, bb, ab := square[p], square[q], dot(a, b)
				if ab == 0 || math.Abs(ab) <= 0x1p-53*float64(m)*math.Sqrt(aa)*math.Sqrt(bb) {
					continue
				}
				done = false
				c, s, t := rotation(aa, bb, ab)
				rotate(c, s, a, b)
				rotate(c, s, v[p*n:(p+1)*n], v[q*n:])
				square[p], square[q] = max(0, aa-float64(t*ab)), bb+float64(t*ab)
			}
		}
		if done {
			return nil
		}
	}
	return ErrSteps
}

// complete makes row i of x a unit vector that is orthogonal to the rows before it.
func complete(x []float64, i, m int) {
	row := x[i*m : (i+1)*m]
	for k := range m {
		clear(row)
		row[k] = 1
		for range 2 {
			for j := range i {
				other := x[j*m : (j+1)*m]
				axpy(-dot(row, other), other, row)
			}
		}
		if d := norm(row); d > 0.5/math.Sqrt(float64(m)) {
			for j := range row {
				row[j] /= d
			}
			return
		}
	}
}

// Expm is eᵃ by the Padé approximant of degree 13, scaling and squaring (N. Higham, "The scaling and squaring
// method for the matrix exponential revisited", 2005). work holds ExpmWork.
func Expm(y, a []float64, n int, work []float64) error {
	if n == 0 {
		return nil
	}
	size := n * n
	next := func() (w []float64) {
		w, work = work[:size], work[size:]
		return w
	}
	x, a2, a4, a6, u, v, t := next(), next(), next(), next(), next(), next(), next()
	f, rest := work[:size+2*n], work[size+2*n:]
	largest := 0.0
	for j := range n {
		sum := 0.0
		for i := range n {
			sum += math.Abs(a[i*n+j])
		}
		largest = max(largest, sum) // NaN stays
	}
	if largest-largest != 0 {
		for i := range y[:size] {
			y[i] = math.NaN()
		}
		return nil
	}
	squarings := 0
	if largest > 5.371920351148152 {
		_, squarings = math.Frexp(largest / 5.371920351148152)
	}
	copy(x, a[:size])
	scale(math.Ldexp(1, -squarings), x)
	MatMul(a2, x, x, n, n, n)
	MatMul(a4, a2, a2, n, n, n)
	MatMul(a6, a4, a2, n, n, n)
	b := &pade13
	sum := func(y []float64, c6, c4, c2, c0 float64) {
		for i := range y {
			y[i] = float64(c6*a6[i]) + float64(c4*a4[i]) + float64(c2*a2[i])
		}
		for i := range n {
			y[i*n+i] += c0
		}
	}
	add := func(y, x []float64) {
		for i, v := range x {
			y[i] += v
		}
	}
	sum(t, b[13], b[11], b[9], 0)
	MatMul(v, a6, t, n, n, n)
	sum(t, b[7], b[5], b[3], b[1])
	add(t, v)
	MatMul(u, x, t, n, n, n) // odd powers
	sum(t, b[12], b[10], b[8], 0)
	MatMul(v, a6, t, n, n, n)
	sum(t, b[6], b[4], b[2], b[0])
	add(v, t) // even powers
	for i := range size {
		f[i] = v[i] - u[i]
		v[i] += u[i]
	}
	LU(f, n, rest)
	if err := SolveLU(f, v, y, n, n, false, rest); err != nil {
		return err
	}
	for range squarings {
		copy(t, y[:size])
		MatMul(y, t, t, n, n, n)
	}
	return nil
}

// ExpmWork is the work of Expm.
func ExpmWork(n int) int { return 8*n*n + 3*n }

var pade13 = [14]float64{64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
	10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}
