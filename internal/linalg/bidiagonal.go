package linalg

import (
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"
)

// This file has the singular value decomposition of large matrices of float64s or float32s: to a bidiagonal matrix by blocks of
// reflections, that one's vectors (divide.go), and the reflections of these. All but half of the first step is in products.

// panel is the number of rows and columns that are reflected before what is behind them is.
const panel = 12

// tall reports whether there are so many rows that R is decomposed.
func tall(m, n int) bool { return m >= 2*n+64 }

// SVDBlocks is SVD of more than Small columns; wide is r for float64s.
func SVDBlocks[T float](y, a []T, m, n int, work []T, r Rows[T], wide Rows[float64]) error {
	u, v, s := y[:m*n], y[m*n:m*n+n*n], y[m*n+n*n:m*n+n*n+n]
	if m < n { // an empty batch
		return nil
	}
	top := largest(a[:m*n])
	if top-top != 0 {
		return ErrSteps
	}
	exp := exponent(float64(top))
	if unsafe.Sizeof(top) == 4 {
		exp = max(-120, min(120, exp))
	}
	if !tall(m, n) {
		x := work[:m*(n+apart)]
		for i := range m {
			copy(x[i*(n+apart):][:n], a[i*n:])
			scale(T(math.Ldexp(1, -exp)), x[i*(n+apart):][:n])
		}
		if err := svdBlocks(u, v, s, m, n, work, r, wide); err != nil {
			return err
		}
	} else {
		qr, work := work[:m*n+n*n], work[m*n+n*n:]
		ur, work := work[:n*n], work[n*n:]
		x := work[:m*n]
		copy(x, a)
		scale(T(math.Ldexp(1, -exp)), x)
		QRBlocks(qr, x, m, n, work[m*n:])
		for i := range n {
			copy(work[i*(n+apart):][:n], qr[m*n+i*n:])
		}
		if err := svdBlocks(ur, v, s, n, n, work, r, wide); err != nil {
			return err
		}
		gemm(blas.NoTrans, blas.NoTrans, m, n, n, 1, qr, n, ur, n, 0, u, n)
	}
	scale(T(math.Ldexp(1, exp)), s)
	return nil
}

// svdBlocksWork is the work of svdBlocks.
func svdBlocksWork(m, n int) int {
	return m*(n+apart) + n*(m+apart) + n*(n+apart) + 2*panel*(m+n+2*apart) + reflectedWork(n) + n*n + 2*n + 2*divideWork(n)
}

// SVDBlocksWork is the work of SVDBlocks.
func SVDBlocksWork(m, n int) int {
	if !tall(m, n) {
		return svdBlocksWork(m, n)
	}
	return m*n + 2*n*n + max(svdBlocksWork(n, n), m*n+QRWork(m, n))
}

// svdBlocks is the decomposition of the matrix that work begins with, of rows that are apart.
func svdBlocks[T float](u, v, s []T, m, n int, work []T, r Rows[T], wide Rows[float64]) error {
	take := func(n int) (x []T) {
		x, work = work[:n:n], work[n:]
		return x
	}
	ldm, ldn := m+apart, n+apart
	x, left, right := take(m*ldn), take(n*ldm), take(n*ldn)
	w, z := take(2*panel*ldm), take(2*panel*ldn)
	t, ut, taus := take(reflectedWork(n)), take(n*n), take(2*n)
	f := doubles(work, divideWork(n))
	d, e, f := f[:n], f[n:2*n], f[2*n:]
	bidiagonalBlocks(x, left, right, taus, w, z, d, e, m, n, r)
	b := divided[T]{n: n, u: ut, v: x[:n*n], packed: u, q: v, d: d, e: e, rows: wide}
	b.take(f)
	if err := b.all(); err != nil {
		return err
	}
	// The vectors, rows in any order, become columns.
	for i := range n {
		k := b.index[n-1-i]
		s[i] = T(d[k])
		copy(v[i*n:(i+1)*n], b.u[k*n:])
	}
	turned(u, n, v, n, n, n)
	clear(u[n*n:])
	for i := range n {
		copy(ut[i*n:(i+1)*n], b.v[b.index[n-1-i]*n:])
	}
	turned(v, n, ut, n, n, n)
	reflected(u, m, n, left, ldm, taus[:n], t)
	reflected(v, n, n, right, ldn, taus[n:], t)
	return nil
}

// doubles is n float64s where x, which holds twice as many numbers, lies.
func doubles[T float](x []T, n int) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(&x[:2*n][0])), n)
}

// bidiagonalBlocks finds the reflections, whose vectors are rows of left and right and 0 before their heads, that leave of x an upper
// bidiagonal matrix, d and above it e[1:] (J. Dongarra, S. Hammarling, D. Sorensen, "Block reduction of matrices to condensed forms for
// eigenvalue computations", 1989). Within a panel x stays as it was; what it would be is x - wᵀ·z: rows 2p and 2p+1 of w and z are what
// the p-th reflections from the left and right do. Rows of x, right and z have n elements, of the others m, and apart more.
func bidiagonalBlocks[T float](x, left, right, taus, w, z []T, d, e []float64, m, n int, rows Rows[T]) {
	ldm, ldn := m+apart, n+apart
	var room [2 * panel]T
	e[0] = 0
	block := max(64, 1<<20/(ldn*int(unsafe.Sizeof(T(0)))))
	for k := 0; k < n; k += panel {
		if n-k <= few {
			bidiagonalRows(x, left, right, taus, w, z, d, e, m, n, k, rows)
			return
		}
		size := min(panel, n-k)
		for p := range size {
			g, before := k+p, 2*p
			u := w[before*ldm+g : before*ldm+m]
			for i := range u {
				u[i] = x[(g+i)*ldn+g]
			}
			lessRows(u, before, w[g:], ldm, z[g:], ldn)
			head, tau := mirror(u, room[:1])
			d[g], taus[g], taus[n+g] = float64(head), tau, 0
			l, r := left[g*ldm:g*ldm+m], right[g*ldn:g*ldn+n]
			clear(l[:g])
			copy(l[g:], u)
			clear(r[:g+1])
			if g == n-1 {
				break
			}
			y := z[before*ldn+g+1 : before*ldn+n]
			dots(room[:before], w[g:], ldm, u)
			for i, end := range strips(g, m, block, false) {
				beta := T(1)
				if i == g {
					beta = 0
				}
				gemv(blas.Trans, end-i, len(y), 1, x[i*ldn+g+1:], ldn, u[i-g:], 1, beta, y)
			}
			lessRows(y, before, z[g+1:], ldn, room[:], 1)
			scale(tau, y)
			v := z[(before+1)*ldn+g+1 : (before+1)*ldn+n]
			copy(v, x[g*ldn+g+1:])
			lessRows(v, before+1, z[g+1:], ldn, w[g:], ldm)
			head, tau = mirror(v, room[:1])
			e[g+1], taus[n+g] = float64(head), tau
			copy(r[g+1:], v)
			if g+1 < m {
				y := w[(before+1)*ldm+g+1 : (before+1)*ldm+m]
				dots(room[:before+1], z[g+1:], ldn, v)
				for i, end := range strips(g+1, m, block, true) {
					dots(y[i-g-1:end-g-1], x[i*ldn+g+1:], ldn, v)
				}
				lessRows(y, before+1, w[g+1:], ldm, room[:], 1)
				scale(tau, y)
			}
		}
		if next := k + size; next < n {
			gemm(blas.Trans, blas.NoTrans, m-next, n-next, 2*size, -1, w[next:], ldm, z[next:], ldn, 1, x[next*ldn+next:], ldn)
		}
	}
}

// few is the number of columns that are not put into panels.
const few = 80

// bidiagonalRows is bidiagonalBlocks from column k on, one reflection after the other. Rows of x and right are used up to a multiple
// of eight elements, 0 there, since single ones take kernels long.
func bidiagonalRows[T float](x, left, right, taus, w, z []T, d, e []float64, m, n, k int, rows Rows[T]) {
	ldm, ldn := m+apart, n+apart
	var room [1]T
	for i := k; i < m; i++ {
		clear(x[i*ldn+n : (i+1)*ldn])
	}
	for g := k; g < n; g++ {
		l, r := left[g*ldm:g*ldm+m], right[g*ldn:(g+1)*ldn]
		clear(l[:g])
		clear(r[:g+1])
		clear(r[n:])
		u := l[g:]
		for i := range u {
			u[i] = x[(g+i)*ldn+g]
		}
		head, tau := mirror(u, room[:])
		d[g], taus[g], taus[n+g] = float64(head), tau, 0
		if g == n-1 {
			break
		}
		rest, width := x[g*ldn+g+1:], (n-g-1+7)&^7
		if tau != 0 {
			y := z[:width]
			clear(y)
			rows.combine(y, u, rest, ldn)
			scale(tau, y)
			rows.rank1(rest, u, y, ldn)
		}
		v := r[g+1 : n]
		copy(v, rest)
		head, tau = mirror(v, room[:])
		e[g+1], taus[n+g] = float64(head), tau
		if tau != 0 && g+1 < m {
			y := w[:m-g-1]
			dots(y, rest[ldn:], ldn, v)
			scale(tau, y)
			rows.rank1(rest[ldn:], y, r[g+1:][:width], ldn)
		}
	}
}

// mirror is reflection with all of the vector written: of zeros where nothing is reflected.
func mirror[T float](x, work []T) (head, tau T) {
	head, tau = reflection(x, work)
	if tau == 0 {
		clear(x)
	} else {
		x[0] = 1
	}
	return head, tau
}

// reflected makes c, of m rows and n columns, the product of n reflections and it. Their vectors are rows of v, 0 before the element
// of their number. Those of a block are I - Vᵀ·T·V with an upper triangle T (see QRBlocks). All blocks go to some columns of c before
// the next ones, since these stay in the second cache from one block to the other. work holds reflectedWork.
func reflected[T float](c []T, m, n int, v []T, ldv int, taus, work []T) {
	size := 16
	if n > 400 {
		size = mostWY
	}
	last := (n - 1) / size * size
	g, t, work := work[:size*size], work[size*size:][:n*size], work[size*size+n*size:]
	for k := 0; k <= last; k += size {
		w := min(size, n-k)
		triangle(t[k*size:][:w*w], v[k*ldv+k:], w, m-k, ldv, taus[k:], g)
	}
	width := stripColumns[T](m)
	for j := 0; j < n; j += width {
		cols := min(width, n-j)
		for k := last; k >= 0; k -= size {
			w, rows := min(size, n-k), m-k
			v, c, y, z := v[k*ldv+k:], c[k*n+j:], work[:w*cols], work[w*cols:2*w*cols]
			gemm(blas.NoTrans, blas.NoTrans, w, cols, rows, 1, v, ldv, c, n, 0, y, cols)
			gemm(blas.NoTrans, blas.NoTrans, w, cols, w, 1, t[k*size:], w, y, cols, 0, z, cols)
			gemm(blas.Trans, blas.NoTrans, rows, cols, w, -1, v, ldv, z, cols, 1, c, n)
		}
	}
}

// triangle makes t that of w reflections, rows of m elements of v. g holds as much.
func triangle[T float](t, v []T, w, m, ldv int, taus, g []T) {
	gemm(blas.NoTrans, blas.Trans, w, w, m, 1, v, ldv, v, ldv, 0, g, w)
	clear(t)
	for j, tau := range taus[:w] {
		t[j*w+j] = tau
		for i := range j {
			sum := T(0)
			for p := i; p < j; p++ {
				sum += T(t[i*w+p] * g[p*w+j])
			}
			t[i*w+j] = -tau * sum
		}
	}
}

// stripColumns is how many columns of m rows stay in the second cache.
func stripColumns[T float](m int) int {
	const bytes = 768 << 10
	return max(64, bytes/int(unsafe.Sizeof(T(0)))/m&^31)
}

// mostWY is the largest number of reflections that are applied at once.
const mostWY = 32

func reflectedWork(n int) int { return (3*n + mostWY) * mostWY }
