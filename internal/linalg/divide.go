package linalg

import (
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"
)

// divided is an upper bidiagonal matrix, d and above it e[1:], of which singular values and vectors are found by halves (M. Gu, S.
// Eisenstat, "A divide-and-conquer algorithm for the bidiagonal SVD", 1995). In the place of d come the values, with index in ascending
// order; rows of u and v are the vectors.
//
// A half has rows lo … lo+n-1 and as many columns, one more if that is not the last: its u and v are the blocks of these rows and
// columns. v's last row is then the vector that the half takes to 0. Row mid between two halves, whose e is left from u and v, is u's own row.
type divided[T float] struct {
	n              int
	u, v           []T // [n n]
	packed, q      []T // room for as many
	d, e           []float64
	z, poles, zs   []float64
	delta, product []float64
	origin, far    []float64 // of roots: see secular
	scale          []float64
	index          []int // rows
	kept, gone     []int
	class, place   []int
	leaf           []float64
	tol            float64
	rows           Rows[float64]
}

// divideLeaf is the number of rows that are not halved.
const divideLeaf = 24

// divideWork is the work of take, and d and e.
func divideWork(n int) int { return 15*n + leafWork }

const leafWork = (divideLeaf + 4) * (2*divideLeaf + 5)

// take has all but matrices be in work.
func (b *divided[T]) take(work []float64) {
	n := b.n
	for _, x := range []*[]float64{&b.z, &b.poles, &b.zs, &b.delta, &b.product, &b.origin, &b.far, &b.scale} {
		*x, work = work[:n], work[n:]
	}
	for _, x := range []*[]int{&b.index, &b.kept, &b.gone, &b.class, &b.place} {
		*x, work = ints(work, n), work[n:]
	}
	b.leaf = work[:leafWork]
}

// all finds all values and vectors.
func (b *divided[T]) all() error {
	clear(b.u)
	clear(b.v)
	top := 0.0
	for i, d := range b.d {
		top = max(top, math.Abs(d), math.Abs(b.e[i]))
	}
	if top == 0 {
		for i := range b.n {
			b.u[i*b.n+i], b.v[i*b.n+i], b.index[i] = 1, 1, i
		}
		return nil
	}
	b.tol = 8 * roundoff[T]() * top
	return b.half(0, b.n)
}

func (b *divided[T]) half(lo, n int) error {
	if n <= divideLeaf {
		return b.undivided(lo, n)
	}
	mid := lo + n/2
	alpha, beta := b.d[mid], b.e[mid+1]
	if err := b.half(lo, mid-lo); err != nil {
		return err
	}
	if err := b.half(mid+1, lo+n-mid-1); err != nil {
		return err
	}
	return b.join(lo, mid, lo+n, alpha, beta)
}

// roundoff is half of the distance from 1 to the next number.
func roundoff[T float]() float64 {
	if unsafe.Sizeof(T(0)) == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// more is 1 if rows up to end have a column more.
func (b *divided[T]) more(end int) int {
	if end < b.n {
		return 1
	}
	return 0
}

// undivided finds the values and vectors of a few rows by the QR algorithm.
func (b *divided[T]) undivided(lo, n int) error {
	end := lo + n
	cols := n + b.more(end)
	un, vn := padded(n), padded(cols)
	u, v, work := b.leaf[:n*un], b.leaf[n*un:n*un+cols*vn], b.leaf[n*un+cols*vn:]
	clear(u)
	clear(v)
	for i := range cols {
		v[i*vn+i] = 1
		if i < n {
			u[i*un+i] = 1
		}
	}
	d, e := b.d[lo:end], b.delta[:n]
	copy(e, b.e[lo:end])
	e[0] = 0
	if cols > n { // rotations of each column and the last one make what is in that 0
		f := b.e[end]
		for i := n - 1; i >= 0 && math.Abs(f) > b.tol/8; i-- {
			var c, s float64
			c, s, d[i] = turning(d[i], f)
			f, e[i] = -s*e[i], c*e[i]
			rotate(c, -s, v[i*vn:(i+1)*vn], v[n*vn:])
		}
	}
	if err := golubReinsch(u, v, d, e, un, vn, n, b.tol/8, work, b.rows); err != nil {
		return err
	}
	order(d, v, u, n, vn, un, false)
	for i := range cols {
		convert(b.v[(lo+i)*b.n+lo:][:cols], v[i*vn:])
		if i < n {
			convert(b.u[(lo+i)*b.n+lo:][:n], u[i*un:])
			b.index[lo+i] = lo + i
		}
	}
	return nil
}

func convert[T float](y []T, x []float64) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = T(v)
	}
}

// join has two halves, and row mid between them, alpha and then beta, be one.
func (b *divided[T]) join(lo, mid, end int, alpha, beta float64) error {
	n, d, z := b.n, b.d, b.z
	// In the coordinates of the vectors row mid is z, and the other rows are d.
	for r := lo; r < end; r++ {
		if r <= mid {
			z[r] = alpha * float64(b.v[r*n+mid])
		} else {
			z[r] = beta * float64(b.v[r*n+mid+1])
		}
	}
	if end < n {
		if far := beta * float64(b.v[end*n+mid+1]); math.Abs(far) > b.tol {
			c, s, l := turning(z[mid], far)
			z[mid] = l
			rotate(T(c), T(-s), b.v[mid*n+lo:mid*n+end+1], b.v[end*n+lo:])
		}
	}
	d[mid], b.u[mid*n+mid] = 0, 1
	if math.Abs(z[mid]) <= b.tol {
		z[mid] = b.tol
	}
	kept, gone := b.deflate(lo, mid, end)
	if err := b.roots(kept); err != nil {
		return err
	}

	// Columns of q, and rows that it is multiplied by, are those of the left half, of both, of the right one.
	var count [3]int
	for _, r := range kept {
		count[b.class[r]]++
	}
	next := [3]int{0, count[0], count[0] + count[1]}
	for j, r := range kept {
		b.place[j] = next[b.class[r]]
		next[b.class[r]]++
	}
	k := len(kept)
	b.group(k)
	b.vectors(k)
	b.multiply(b.v, lo, mid, end+b.more(end), kept, gone, count)
	b.leftVectors(k, b.place[0])
	b.multiply(b.u, lo, mid, end, kept, gone, count)

	// The roots, in ascending order, and what was left of the values between them.
	for j, r := range gone {
		b.product[j] = d[r]
	}
	for j := range k {
		o := b.origin[j]
		d[lo+j] = math.Sqrt(float64(o*o) + b.far[j])
	}
	copy(d[lo+k:end], b.product)
	i, j := lo, lo+k
	for at := lo; at < end; at++ {
		if j == end || i < lo+k && d[i] <= d[j] {
			b.index[at] = i
			i++
		} else {
			b.index[at] = j
			j++
		}
	}
	return nil
}

// The classes of rows: that have elements in the columns of the left half alone, in both, in the right half's.
const (
	ofLeft = iota
	ofBoth
	ofRight
)

// deflate finds the rows whose z is not too small, and whose d differ, in ascending order; of each two others rotations
// leave one, whose z becomes 0. The rest are gone.
func (b *divided[T]) deflate(lo, mid, end int) (kept, gone []int) {
	n, d, z := b.n, b.d, b.z
	kept, gone = append(b.kept[:0], mid), b.gone[:0]
	b.class[mid] = ofBoth
	prev := -1
	i, j := lo, mid+1
	for i < mid || j < end {
		var r int
		if j == end || i < mid && d[b.index[i]] <= d[b.index[j]] {
			r = b.index[i]
			b.class[r] = ofLeft
			i++
		} else {
			r = b.index[j]
			b.class[r] = ofRight
			j++
		}
		switch {
		case math.Abs(z[r]) <= b.tol:
			gone = append(gone, r)
			continue
		case prev >= 0 && d[r]-d[prev] <= b.tol:
			c, s, l := turning(z[r], z[prev])
			z[r] = l
			rotate(T(c), T(-s), b.u[r*n+lo:r*n+end], b.u[prev*n+lo:])
			cols := end + b.more(end)
			rotate(T(c), T(-s), b.v[r*n+lo:r*n+cols], b.v[prev*n+lo:])
			if b.class[prev] != b.class[r] {
				b.class[r] = ofBoth
			}
			gone = append(gone, prev)
		case prev >= 0:
			kept = append(kept, prev)
		}
		prev = r
	}
	if prev >= 0 {
		kept = append(kept, prev)
	}
	for i := 1; i < len(gone); i++ { // a rotation may have left the smaller of two later
		for j := i; j > 0 && d[gone[j]] < d[gone[j-1]]; j-- {
			gone[j], gone[j-1] = gone[j-1], gone[j]
		}
	}
	return kept, gone
}

// roots finds the values of the rows that are kept, and the z of which they are exactly those.
func (b *divided[T]) roots(kept []int) error {
	k := len(kept)
	poles, zs, product := b.poles[:k], b.zs[:k], b.product[:k]
	for j, r := range kept {
		poles[j], zs[j] = b.d[r], b.z[r]
	}
	if k > 1 {
		poles[1] = max(poles[1], b.tol/2)
	}
	f := secular{d: poles, z: zs, rho: 1, squares: true, eps: max(0x1p-53, roundoff[T]()/256), rows: b.rows}
	if !f.roots(b.origin[:k], b.far[:k], product) {
		return ErrSteps
	}
	return nil
}

// group puts poles and zs where their columns of q are.
func (b *divided[T]) group(k int) {
	room := b.product[:k]
	for _, x := range [2][]float64{b.poles, b.zs} {
		for j, at := range b.place[:k] {
			room[at] = x[j]
		}
		copy(x, room)
	}
}

// vectors makes rows of q the right vectors of poles and zs.
func (b *divided[T]) vectors(k int) {
	f := secular{d: b.poles[:k], z: b.zs[:k], squares: true, rows: b.rows}
	for i := range k {
		b.scale[i] = vector(&f, b.q[i*k:(i+1)*k], b.product[:k], b.origin[i], b.far[i])
	}
}

// leftVectors makes rows of q, right vectors, left ones; column zero is that of the pole 0.
func (b *divided[T]) leftVectors(k, zero int) {
	for i := range k {
		row, v, poles := b.q[i*k:(i+1)*k], b.product[:k], b.poles[:k]
		for j, x := range row {
			v[j] = poles[j] * float64(x)
		}
		v[zero] = -b.scale[i]
		by := 1 / math.Sqrt(dot(v, v))
		for j, v := range v {
			row[j] = T(v * by)
		}
	}
}

// multiply makes the rows of x that are kept q times them; those that are gone lie behind. Blocks of x end at cols.
func (b *divided[T]) multiply(x []T, lo, mid, cols int, kept, gone []int, count [3]int) {
	n, k := b.n, len(kept)
	wl, wr := mid+1-lo, cols-mid-1
	left, right := b.packed[:(count[ofLeft]+count[ofBoth])*wl], b.packed[(count[ofLeft]+count[ofBoth])*wl:]
	right, rest := right[:(count[ofBoth]+count[ofRight])*wr], right[(count[ofBoth]+count[ofRight])*wr:]
	for j, r := range kept {
		at := b.place[j]
		if b.class[r] != ofRight {
			copy(left[at*wl:(at+1)*wl], x[r*n+lo:])
		}
		if at -= count[ofLeft]; at >= 0 {
			copy(right[at*wr:(at+1)*wr], x[r*n+mid+1:])
		}
	}
	w := wl + wr
	for j, r := range gone {
		copy(rest[j*w:(j+1)*w], x[r*n+lo:])
	}
	gemm(blas.NoTrans, blas.NoTrans, k, wl, count[ofLeft]+count[ofBoth], 1, b.q, k, left, wl, 0, x[lo*n+lo:], n)
	gemm(blas.NoTrans, blas.NoTrans, k, wr, count[ofBoth]+count[ofRight], 1, b.q[count[ofLeft]:], k, right, wr, 0, x[lo*n+mid+1:], n)
	for j := range gone {
		copy(x[(lo+k+j)*n+lo:(lo+k+j)*n+cols], rest[j*w:])
	}
}
