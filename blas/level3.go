package blas

import (
	"runtime"

	"gonum.org/v1/gonum/blas"

	"github.com/adjoint-go/adjoint/kernels"
)

// The functions of this file and of level2.go report whether they did the work. What they leave is
// gonum's: calls that it panics on, those without anything to do, those too small to gain.

func isTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

func isUplo(ul blas.Uplo) bool { return ul == blas.Lower || ul == blas.Upper }

// fits reports whether an m×n matrix is one that a holds; both are 1 at least.
func fits[T float](a []T, ld, m, n int) bool { return ld >= n && len(a) >= (m-1)*ld+n }

// fitsT is fits for a matrix that is transposed if trans.
func fitsT[T float](trans bool, a []T, ld, m, n int) bool {
	if trans {
		m, n = n, m
	}
	return fits(a, ld, m, n)
}

func gemm[T float](tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	if !isTranspose(tA) || !isTranspose(tB) || m <= 0 || n <= 0 || k <= 0 || n*n*k < smallRankK || alpha == 0 {
		return false
	}
	ta, tb := tA != blas.NoTrans, tB != blas.NoTrans
	if !fitsT(ta, a, lda, m, k) || !fitsT(tb, b, ldb, k, n) || !fits(c, ldc, m, n) {
		return false
	}
	j := begin()
	product(j, all, m, n, k, alpha, dense(a, lda).transposed(ta), dense(b, ldb).transposed(tb), beta, dense(c, ldc))
	j.end()
	return true
}

// symmBlock is the size of the blocks on a symmetric matrix's diagonal that are written out.
const symmBlock = 256

func symm[T float](s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	left, size := s == blas.Left, n
	if left {
		size = m
	}
	if !left && s != blas.Right || !isUplo(ul) || m <= 0 || n <= 0 || alpha == 0 ||
		!fits(a, lda, size, size) || !fits(b, ldb, m, n) || !fits(c, ldc, m, n) {
		return false
	}
	j := begin()
	defer j.end()
	A, B, C := dense(a, lda).transposed(ul == blas.Upper), dense(b, ldb), dense(c, ldc) // A's lower triangle
	d := matrix[T]{aligned(&j.scratch, symmBlock*symmBlock*sizeOf[T]()), symmBlock, 1}
	for i := 0; i < size; i += symmBlock {
		h := min(symmBlock, size-i)
		mirror(d, A.at(i, i), h)
		add := func(k0, k int, a matrix[T], beta T) {
			if k == 0 {
				return
			}
			if left {
				product(j, all, h, n, k, alpha, a, B.at(k0, 0), beta, C.at(i, 0))
			} else {
				product(j, all, m, h, k, alpha, B.at(0, k0), a.t(), beta, C.at(0, i))
			}
		}
		add(i, h, d, beta)
		add(0, i, A.at(i, 0), 1)
		if rest := size - i - h; rest > 0 {
			add(i+h, rest, A.at(i+h, i).t(), 1)
		}
	}
	return true
}

// mirror writes all of a symmetric matrix of size n, of which a has the lower triangle, to d.
func mirror[T float](d, a matrix[T], n int) {
	to := d.contiguous((n-1)*d.row + n)
	for i := range n {
		for j := range i + 1 {
			x := a.at(i, j).value()
			to[i*d.row+j], to[j*d.row+i] = x, x
		}
	}
}

// syrkBlock is the size of the blocks on the diagonal of syrk's and syr2k's results. Those are computed
// whole, of which half is used.
const syrkBlock = 64

// rankK is syrk's and syr2k's work: alpha·(A·Bᵀ, or A·Bᵀ + B·Aᵀ if both) is added to beta times the
// lower triangle of C, or to the upper one.
type rankK[T float] struct {
	both        bool
	upper       bool
	n, k        int
	alpha, beta T
	a, b, c     matrix[T]
}

// rankOf and triangleOf are where a job keeps its work, which must not be on the stack.
func rankOf[T float](j *job) *rankK[T] {
	if u, ok := any(&j.rank32).(*rankK[T]); ok {
		return u
	}
	return any(&j.rank64).(*rankK[T])
}

func triangleOf[T float](j *job) *triangle[T] {
	if u, ok := any(&j.tri32).(*triangle[T]); ok {
		return u
	}
	return any(&j.tri64).(*triangle[T])
}

func (u rankK[T]) run() {
	j := begin()
	to := rankOf[T](j)
	*to = u
	to.runOn(j)
	*to = rankK[T]{}
	j.end()
}

func (u *rankK[T]) runOn(j *job) {
	u.beside(j, 0, u.n)
	workers := 1
	if u.n*syrkBlock*u.k >= parallelWork {
		workers = runtime.GOMAXPROCS(0)
	}
	j.team.run(u, workers)
}

// beside does what of rows and columns i to i1 is not in a block on the diagonal, by halves.
func (u *rankK[T]) beside(j *job, i, i1 int) {
	if i1-i <= syrkBlock {
		return
	}
	mid := i + half(i1-i, syrkBlock)
	if u.upper {
		u.part(j, all, i, mid, mid, i1, u.beta, u.c.at(i, mid))
	} else {
		u.part(j, all, mid, i1, i, mid, u.beta, u.c.at(mid, i))
	}
	u.beside(j, i, mid)
	u.beside(j, mid, i1)
}

// part is rows i to i1 and columns k to k1 of the result, to c.
func (u *rankK[T]) part(j *job, workers, i, i1, k, k1 int, beta T, c matrix[T]) {
	product(j, workers, i1-i, k1-k, u.k, u.alpha, u.a.at(i, 0), u.b.at(k, 0).t(), beta, c)
	if u.both {
		product(j, workers, i1-i, k1-k, u.k, u.alpha, u.b.at(i, 0), u.a.at(k, 0).t(), 1, c)
	}
}

func (u *rankK[T]) tasks(phase int) int {
	if phase > 0 {
		return 0
	}
	return (u.n + syrkBlock - 1) / syrkBlock
}

// do is one block on the diagonal.
func (u *rankK[T]) do(phase, worker, task int) {
	j := begin()
	defer j.end()
	i := task * syrkBlock
	i1 := min(i+syrkBlock, u.n)
	n := i1 - i
	d := matrix[T]{aligned(&j.scratch, n*n*sizeOf[T]()), n, 1}
	u.part(j, 1, i, i1, i, i1, 0, d)
	for r := range n {
		first, count := 0, r+1
		if u.upper {
			first, count = r, n-r
		}
		x, y := u.c.at(i+r, i+first).contiguous(count), d.at(r, first).contiguous(count)
		switch u.beta {
		case 0:
			copy(x, y)
		case 1:
			for i := range x {
				x[i] += y[i]
			}
		default:
			for i := range x {
				x[i] = T(u.beta*x[i]) + y[i] // rounded twice wherever it runs
			}
		}
	}
}

func syrk[T float](ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) bool {
	trans := t != blas.NoTrans
	if !isUplo(ul) || !isTranspose(t) || n <= 0 || k <= 0 || n*n*k < smallRankK || alpha == 0 || !fitsT(trans, a, lda, n, k) || !fits(c, ldc, n, n) {
		return false
	}
	A := dense(a, lda).transposed(trans)
	rankK[T]{false, ul == blas.Upper, n, k, alpha, beta, A, A, dense(c, ldc)}.run()
	return true
}

func syr2k[T float](ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	trans := t != blas.NoTrans
	if !isUplo(ul) || !isTranspose(t) || n <= 0 || k <= 0 || n*n*k < smallRankK || alpha == 0 ||
		!fitsT(trans, a, lda, n, k) || !fitsT(trans, b, ldb, n, k) || !fits(c, ldc, n, n) {
		return false
	}
	rankK[T]{true, ul == blas.Upper, n, k, alpha, beta, dense(a, lda).transposed(trans), dense(b, ldb).transposed(trans), dense(c, ldc)}.run()
	return true
}

// half is where n is halved: a multiple of unit below n, or n/2 where that is less.
func half(n, unit int) int {
	h := (n + 1) / 2
	if up := (h + unit - 1) / unit * unit; up < n {
		return up
	}
	return h
}

// triangle is trmm's and trsm's work: B = alpha·A·B or alpha·B·A, or the solution X of A·X = alpha·B or
// X·A = alpha·B in B's place, where A is what it is after having been transposed.
type triangle[T float] struct {
	solve, left, lower, unit bool
	m, n                     int // of B
	alpha                    T
	a, b                     matrix[T]
}

func trxm[T float](solve bool, s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) bool {
	left, size := s == blas.Left, n
	if left {
		size = m
	}
	if !left && s != blas.Right || !isUplo(ul) || !isTranspose(tA) || d != blas.NonUnit && d != blas.Unit ||
		m <= 0 || n <= 0 || m*n*size < smallTriangle || alpha == 0 || !fits(a, lda, size, size) || !fits(b, ldb, m, n) {
		return false
	}
	trans := tA != blas.NoTrans
	j := begin()
	u := triangleOf[T](j)
	*u = triangle[T]{solve, left, ul == blas.Lower != trans, d == blas.Unit, m, n, alpha, dense(a, lda).transposed(trans), dense(b, ldb)}
	workers := 1
	if m*n*size >= 2*parallelWork && u.tasks(0) > 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	j.team.run(u, workers)
	*u = triangle[T]{}
	j.end()
	return true
}

// triangleBlock is how many columns, or rows where A is on the right, a task has.
const triangleBlock = 512

func (u *triangle[T]) across() int {
	if u.left {
		return u.n
	}
	return u.m
}

func (u *triangle[T]) tasks(phase int) int {
	if phase > 0 {
		return 0
	}
	return (u.across() + triangleBlock - 1) / triangleBlock
}

func (u *triangle[T]) do(phase, worker, task int) {
	j := begin()
	defer j.end()
	tasks := u.tasks(0)
	per := (u.across() + tasks - 1) / tasks
	i := task * per
	n := min(per, u.across()-i)
	w := 1
	if tasks == 1 {
		w = all
	}
	if u.left {
		u.fromLeft(j, w, u.lower, u.m, n, u.alpha, u.a, u.b.at(0, i))
	} else {
		u.fromRight(j, w, n, u.n, u.alpha, u.a, u.b.at(i, 0))
	}
}

// fromLeft halves A, m×m, down to its elements.
func (u *triangle[T]) fromLeft(j *job, w int, lower bool, m, n int, alpha T, a, b matrix[T]) {
	if m == 1 {
		u.row(b.contiguous(n), alpha, a)
		return
	}
	h := half(m, 8)
	a2, b2 := a.at(h, h), b.at(h, 0)
	switch {
	case u.solve && lower:
		u.fromLeft(j, w, lower, h, n, alpha, a, b)
		product(j, w, m-h, n, h, -1, a.at(h, 0), b, alpha, b2)
		u.fromLeft(j, w, lower, m-h, n, 1, a2, b2)
	case u.solve:
		u.fromLeft(j, w, lower, m-h, n, alpha, a2, b2)
		product(j, w, h, n, m-h, -1, a.at(0, h), b2, alpha, b)
		u.fromLeft(j, w, lower, h, n, 1, a, b)
	case lower:
		u.fromLeft(j, w, lower, m-h, n, alpha, a2, b2)
		product(j, w, m-h, n, h, alpha, a.at(h, 0), b, 1, b2)
		u.fromLeft(j, w, lower, h, n, alpha, a, b)
	default:
		u.fromLeft(j, w, lower, h, n, alpha, a, b)
		product(j, w, h, n, m-h, alpha, a.at(0, h), b2, 1, b)
		u.fromLeft(j, w, lower, m-h, n, alpha, a2, b2)
	}
}

// row is fromLeft for one element of A.
func (u *triangle[T]) row(x []T, alpha T, a matrix[T]) {
	switch {
	case u.unit:
	case u.solve:
		alpha /= a.value()
	default:
		alpha *= a.value()
	}
	if alpha != 1 {
		scale(x, alpha)
	}
}

// rightBlock is the size of the blocks on A's diagonal that B's columns are turned into rows for, some rows
// at once.
const rightBlock, rightRows = 64, 128

// fromRight halves A, n×n, down to blocks on its diagonal.
func (u *triangle[T]) fromRight(j *job, w, m, n int, alpha T, a, b matrix[T]) {
	if n <= rightBlock {
		size := sizeOf[T]()
		const row = rightRows + 8 // not a power of two, for the caches
		x := matrix[T]{aligned(&j.scratch, rightBlock*row*size), row, 1}
		for i := 0; i < m; i += rightRows {
			rows := min(rightRows, m-i)
			y := b.at(i, 0)
			kernels.Transpose(x.p, row*size, y.p, b.row*size, n, rows, size)
			u.fromLeft(j, 1, !u.lower, n, rows, alpha, a.t(), x)
			kernels.Transpose(y.p, b.row*size, x.p, row*size, rows, n, size)
		}
		return
	}
	h := half(n, rightBlock)
	a2, b2 := a.at(h, h), b.at(0, h)
	switch {
	case u.solve && u.lower:
		u.fromRight(j, w, m, n-h, alpha, a2, b2)
		product(j, w, m, h, n-h, -1, b2, a.at(h, 0), alpha, b)
		u.fromRight(j, w, m, h, 1, a, b)
	case u.solve:
		u.fromRight(j, w, m, h, alpha, a, b)
		product(j, w, m, n-h, h, -1, b, a.at(0, h), alpha, b2)
		u.fromRight(j, w, m, n-h, 1, a2, b2)
	case u.lower:
		u.fromRight(j, w, m, h, alpha, a, b)
		product(j, w, m, h, n-h, alpha, b2, a.at(h, 0), 1, b)
		u.fromRight(j, w, m, n-h, alpha, a2, b2)
	default:
		u.fromRight(j, w, m, n-h, alpha, a2, b2)
		product(j, w, m, n-h, h, alpha, b, a.at(0, h), 1, b2)
		u.fromRight(j, w, m, h, alpha, a, b)
	}
}
