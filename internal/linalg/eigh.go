package linalg

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
)

// EighBlocks is Eigh of a's symmetric part, of more than Small rows: a reduction whose panels of reflections go to the rest of the matrix in products (J. Dongarra,
// S. Hammarling, D. Sorensen, "Block reduction of matrices to condensed forms for eigenvalue computations", 1989), divide and
// conquer, and the reflections of the eigenvectors in products.
func EighBlocks[T float](y, a []T, n int, work []T, r Rows[T], wide Rows[float64]) error {
	top := T(0)
	for i := range n {
		row := a[i*n : (i+1)*n]
		at := r.largest(row)
		if at < 0 || row[at]-row[at] != 0 {
			return ErrSteps
		}
		top = max(top, abs(row[at]))
	}
	exp, ld := exponent(float64(top)), n+apart
	f, rest := doubles(work, conquestWork*n), work[(2*conquestWork*n+line-1)&^(line-1):]
	x, rest := rest[:n*ld], rest[n*ld:] // rows begin where lines do if n allows it
	c := conquest[T]{n: n, r: wide, d: f[:n], e: f[n : 2*n], order: ints(f[2*n:], n), more: f[3*n:], vectors: rest[:n*n]}
	rest = rest[n*n:]
	c.rows, rest = rest[:eighRows(n)], rest[eighRows(n):]
	tau := rest[:n]
	half := -exp / 2 // all at once may be beyond what a float32 holds
	symmetrized(x, ld, a, n, true, T(math.Ldexp(1, half)), T(math.Ldexp(0.5, -exp-half)), c.rows)
	tridiagonalBlocks(x, n, ld, c.d, c.e, tau, c.rows, r)
	c.grouped = y[:n*n]
	clear(c.rows[:n*n])
	if err := c.divide(0, n); err != nil {
		return err
	}
	for i, at := range c.order {
		y[n*n+i] = T(math.Ldexp(c.d[at], exp))
		copy(c.vectors[i*n:(i+1)*n], c.rows[at*n:])
	}
	turned(y, n, c.vectors, n, n, n)
	reflected(y[n:n*n], n-1, n, x[1:], ld, tau, c.rows)
	return nil
}

// eighRows is the size of the place of eigenvectors, in which the reductions and reflections have theirs, too.
func eighRows(n int) int {
	ld := n + apart
	return max(n*n, 5*panel*ld, reflectedWork(n))
}

// line is the number of float32s that make rows begin where lines of the cache do.
const line = 16

// blocksWork is the work of EighBlocks, of float32s.
func blocksWork(n int) int {
	return 2*conquestWork*n + line + n*n + eighRows(n) + n + n*(n+apart)
}

// tridiagonalBlocks makes the symmetric x tridiagonal, of diagonal d and off-diagonal e, by reflections I - tau·v·vᵀ; row k of x from k+1 on
// becomes v.
func tridiagonalBlocks[T float](x []T, n, ld int, d, e []float64, tau, work []T, r Rows[T]) {
	// Rows of u are v, w, v, w …, of s w, v, w, v …: a reflection takes v·wᵀ + w·vᵀ from x.
	u, work := work[:2*panel*ld], work[2*panel*ld:]
	s, work := work[:2*panel*ld], work[2*panel*ld:]
	dot, by, g, room := work[:2*panel], work[2*panel:4*panel], work[4*panel:6*panel], work[6*panel:6*panel+n]
	back := false
	for k := 0; k < n; k += panel {
		w := min(panel, n-k)
		for j := range w {
			i := k + j
			row := x[i*ld+i : i*ld+n]
			for p := range 2 * j {
				by[p] = -s[p*ld+i]
			}
			gemv(blas.Trans, 2*j, len(row), 1, u[i:], ld, by, 1, 1, row)
			d[i], e[i], tau[i] = float64(row[0]), 0, 0
			clear(x[i*ld+1 : i*ld+i+1])
			if i == n-1 {
				break
			}
			v := row[1:]
			head, t := mirror(v, dot[:1])
			e[i], tau[i] = float64(head), t
			uv, uw := u[2*j*ld+i+1:][:len(v)], u[(2*j+1)*ld+i+1:][:len(v)]
			copy(uv, v)
			if t == 0 {
				clear(uw)
			} else {
				upperTimes(uw, x, i+1, n, ld, v, room, r, back)
				back = !back
				dots(g[:2*j], u[i+1:], ld, v)
				for p := range 2 * j {
					by[p] = -g[p^1]
				}
				gemv(blas.Trans, 2*j, len(uw), 1, u[i+1:], ld, by, 1, 1, uw)
				dots(dot[:1], uw, len(v), v)
				scale(t, uw)
				half := T(t * t * dot[0] / 2)
				for q, v := range v {
					uw[q] -= T(half * v)
				}
			}
			copy(s[2*j*ld+i+1:], uw)
			copy(s[(2*j+1)*ld+i+1:][:len(v)], uv)
		}
		for i, end := range strips(k+w, n, strip, back) {
			gemm(blas.Trans, blas.NoTrans, end-i, n-i, 2*w, -1, u[i:], ld, s[i:], ld, 1, x[i*ld+i:], ld)
		}
		back = !back
	}
}

// upperTimes is y = a·x for a's rows and columns from k to n. In a row is what is above the diagonal, or in the square of strip rows
// on it: as much as stays in the second cache from one product to the other.
func upperTimes[T float](y, a []T, k, n, ld int, x, room []T, r Rows[T], back bool) {
	clear(y)
	for i, end := range strips(k, n, strip, back) {
		if !r.both(y[i-k:], room, a[i*ld+i:], x[i-k:], end-i, n-i, ld) {
			gemv(blas.NoTrans, end-i, n-i, 1, a[i*ld+i:], ld, x[i-k:], 1, 1, y[i-k:])
			gemv(blas.Trans, end-i, n-end, 1, a[i*ld+min(end, n-1):], ld, x[i-k:], 1, 1, y[end-k:])
		}
	}
}

// strips are the rows from k to n in strips of size rows, each from and to, from the last one on if back is set: what goes over a matrix forwards and backwards
// by turns finds in the second cache what it has read last.
func strips(k, n, size int, back bool) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		first, last := k/size, (n-1)/size
		for s := first; s <= last && k < n; s++ {
			at := s
			if back {
				at = first + last - s
			}
			if !yield(max(k, at*size), min((at+1)*size, n)) {
				return
			}
		}
	}
}

// strip is the number of rows of a symmetric matrix that are read once for both of their products.
const strip = 64

// A conquest finds the eigenvalues d and eigenvectors of a tridiagonal matrix of diagonal d and off-diagonal e by halves (J. Cuppen, "A divide and
// conquer method for the symmetric tridiagonal eigenproblem", 1981): the matrix is two halves and a matrix of rank 1.
type conquest[T float] struct {
	n       int
	r       Rows[float64]
	d, e    []float64
	rows    []T // the eigenvectors
	order   []int
	vectors []T // of the secular equation
	grouped []T
	more    []float64
}

const conquestWork = 12

// divide makes rows and columns lo to lo+n diagonal: rows are the eigenvectors, of eigenvalues d, and order[lo:] has their
// numbers, from lo, in ascending order of those.
func (c *conquest[T]) divide(lo, n int) error {
	if n <= divideLeaf {
		return c.leaf(lo, n)
	}
	m := n / 2
	e := c.e[lo+m-1]
	c.d[lo+m-1] -= math.Abs(e)
	c.d[lo+m] -= math.Abs(e)
	if err := c.divide(lo, m); err != nil {
		return err
	}
	if err := c.divide(lo+m, n-m); err != nil {
		return err
	}
	return c.merge(lo, m, n, e)
}

func (c *conquest[T]) leaf(lo, n int) error {
	qn := padded(n)
	q := doubles(c.vectors, n*qn+3*n)
	q, work := q[:n*qn], q[n*qn:]
	e, work := work[:n], work[n:]
	copy(e, c.e[lo:])
	e[n-1] = 0
	d := c.d[lo : lo+n]
	exp := exponent(max(largest(d), largest(e)))
	scale(math.Ldexp(1, -exp), d)
	scale(math.Ldexp(1, -exp), e)
	clear(q)
	for i := range n {
		q[i*qn+i] = 1
	}
	if err := implicitQL(q, d, e, n, work[:2*n], c.r); err != nil {
		return err
	}
	scale(math.Ldexp(1, exp), d)
	for i := range n {
		convert(c.rows[(lo+i)*c.n+lo:][:n], q[i*qn:])
	}
	order := c.order[lo : lo+n]
	for i := range order {
		order[i] = lo + i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(c.d[i], c.d[j]), i-j) })
	return nil
}

// ascending is the rows of both sorted parts of order, the first of m, in ascending order of d.
func (c *conquest[T]) ascending(order []int, m int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, j := 0, m; i < m || j < len(order); {
			at := &i
			if i == m || j < len(order) && c.d[order[j]] < c.d[order[i]] {
				at = &j
			}
			*at++
			if !yield(order[*at-1]) {
				return
			}
		}
	}
}

// What of a row of eigenvectors is not 0.
const (
	leftHalf = iota
	both
	rightHalf
	deflated
)

// merge puts the eigenvectors of two halves, the first of m of n rows, together: diag(d) + |e|·z·zᵀ in their basis. Where an element of z
// is as good as 0, or poles are as good as equal, which a rotation makes one of two elements 0, the vector is one
// already (Gu and Eisenstat). The others are products with those of the secular equation, for each half by itself.
func (c *conquest[T]) merge(lo, m, n int, e float64) error {
	more := c.more
	take := func() []float64 {
		x := more[:n:n]
		more = more[c.n:]
		return x
	}
	z, poles, weights, product, origin, far := take(), take(), take(), take(), take(), take()
	kind, at, place := ints(take(), n), ints(take(), n), ints(take(), n)
	d, rows := c.d[lo:lo+n], func(i int) []T { return c.rows[(lo+i)*c.n+lo:][:n] }
	top := math.Abs(e)
	for i := range n {
		kind[i] = leftHalf
		if i < m {
			z[i] = float64(rows(i)[m-1])
		} else {
			z[i] = math.Copysign(1, e) * float64(rows(i)[m])
			kind[i] = rightHalf
		}
		top = max(top, math.Abs(d[i]))
	}
	exp := exponent(top)
	down := math.Ldexp(1, -exp)
	rho := math.Abs(e) * down
	tiny := 8 * roundoff[T]() * top * down

	// Poles that stay, ascending.
	order, k, last, settled := c.order[lo:lo+n], 0, -1, n
	keep := func(i int) {
		at[k], poles[k], weights[k] = i, d[i]*down, z[i]
		k++
	}
	settle := func(i int) {
		kind[i] = deflated
		settled--
		at[settled] = i
	}
	for i := range c.ascending(order, m) {
		i -= lo
		if rho*math.Abs(z[i]) <= tiny {
			settle(i)
			continue
		}
		if last < 0 {
			last = i
			continue
		}
		h := length(z[i], z[last])
		cos, sin, gap := z[i]/h, -z[last]/h, (d[i]-d[last])*down
		if math.Abs(gap*cos*sin) > tiny {
			keep(last)
			last = i
			continue
		}
		rotate(T(cos), T(-sin), rows(last), rows(i))
		if kind[last] != kind[i] {
			kind[i] = both
		}
		settle(last)
		z[i] = h
		dl, di := d[last], d[i]
		d[last] = float64(dl*float64(cos*cos)) + float64(di*float64(sin*sin))
		d[i] = float64(dl*float64(sin*sin)) + float64(di*float64(cos*cos))
		last = i
	}
	if last >= 0 {
		keep(last)
	}
	for i := k + 1; i < n; i++ { // a rotation may have left a greater one later
		for j := i; j > k && d[at[j]] > d[at[j-1]]; j-- {
			at[j], at[j-1] = at[j-1], at[j]
		}
	}
	if k == 0 {
		for i, a := range at {
			order[n-1-i] = lo + a
		}
		return nil
	}

	s := secular{d: poles[:k], z: weights[:k], rho: rho, rows: c.r, eps: max(0x1p-53, roundoff[T]()/256)}
	product = product[:k]
	if !s.roots(origin, far, product) {
		return ErrSteps
	}

	// The vectors' places: by kind, so that zeros are not multiplied.
	var count, next [deflated + 1]int
	for _, x := range kind {
		count[x]++
	}
	for x := leftHalf; x < deflated; x++ {
		next[x+1] = next[x] + count[x]
	}
	lefts, inner := count[leftHalf]+count[both], count[leftHalf]
	rights := count[both] + count[rightHalf]
	left := c.grouped
	right := left[lefts*m:]
	still := right[rights*(n-m):]
	for i, a := range at[:k] {
		p := next[kind[a]]
		next[kind[a]]++
		place[i] = p
		if kind[a] != rightHalf {
			copy(left[p*m:(p+1)*m], rows(a))
		}
		if kind[a] != leftHalf {
			copy(right[(p-inner)*(n-m):(p-inner+1)*(n-m)], rows(a)[m:])
		}
	}
	for p, i := range at[k:] {
		copy(still[p*n:(p+1)*n], rows(i))
		z[p] = d[i]
	}
	for _, x := range [2][]float64{s.d, s.z} {
		for j, v := range x {
			product[place[j]] = v
		}
		copy(x, product)
	}
	for i := range k {
		vector(&s, c.vectors[i*k:(i+1)*k], product, origin[i], far[i])
	}
	to := c.rows[lo*c.n+lo:]
	gemm(blas.NoTrans, blas.NoTrans, k, m, lefts, 1, c.vectors, k, left, m, 0, to, c.n)
	gemm(blas.NoTrans, blas.NoTrans, k, n-m, rights, 1, c.vectors[inner:], k, right, n-m, 0, to[m:], c.n)
	for i := k; i < n; i++ {
		copy(rows(i), still[(i-k)*n:(i-k+1)*n])
	}
	up := math.Ldexp(1, exp)
	for i := range k {
		d[i] = (origin[i] + far[i]) * up
	}
	copy(d[k:], z[:n-k])
	for i := range order {
		order[i] = lo + i
	}
	slices.Reverse(order[k:])
	copy(place, order)
	i := 0
	for row := range c.ascending(place, k) {
		order[i] = row
		i++
	}
	return nil
}
