package linalg

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// Rows are steps along the rows of a matrix, by a level's kernels, nil for Go's loops, with the same bits.
type Rows[T float] struct{ *kernels.Rows }

// short is the number of columns below which a loop takes no longer than a kernel.
const short = 4

func (r Rows[T]) bytes(n int) int { return n * int(unsafe.Sizeof(T(0))) }

func (r Rows[T]) slow(rows, cols int) bool { return r.Rows == nil || cols < short || rows == 0 }

func first[T float](x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// rotate turns x's row from and the one after it, step further, by the first of count cosines and sines, then that one and
// the next: (row, next) = (c·row + s·next, c·next - s·row). Rows have n elements, a multiple of 4.
func (r Rows[T]) rotate(x []T, n, from, step, count int, cs []T) {
	if count == 0 {
		return
	}
	if r.Rows != nil && r.Rotate != nil {
		r.Rotate(unsafe.Pointer(&x[from*n]), r.bytes(step*n), count, first(cs), n)
		return
	}
	for k := range count {
		rotate(cs[2*k], cs[2*k+1], x[(from+step)*n:(from+step+1)*n], x[from*n:])
		from += step
	}
}

// reflect takes beta·(v·row)·v from each of rows rows of x, of as many elements as v, stride apart.
func (r Rows[T]) reflect(x, v []T, beta T, rows, stride int) {
	if r.slow(rows, len(v)) || r.Reflect == nil {
		for i := range rows {
			row := x[i*stride:][:len(v)]
			axpy(-(beta * dot(v, row)), v, row)
		}
		return
	}
	r.Reflect(first(x), first(v), float64(beta), rows, len(v), r.bytes(stride))
}

// times is y[i] = beta·(v·x[i]).
func (r Rows[T]) times(y, x, v []T, beta T, stride int) {
	if r.slow(len(y), len(v)) || r.MatVec == nil {
		for i := range y {
			y[i] = beta * dot(v, x[i*stride:])
		}
		return
	}
	r.MatVec(first(y), first(x), first(v), float64(beta), len(y), len(v), r.bytes(stride))
}

// combine is y += Σ a[i]·x[i], in order.
func (r Rows[T]) combine(y, a, x []T, stride int) {
	if r.slow(len(a), len(y)) {
		if len(y) > 0 {
			combine(y, a, x, stride)
		}
		return
	}
	r.Combine(first(y), first(a), first(x), len(a), len(y), r.bytes(stride))
}

// rank1 is x[i] -= a[i]·y.
func (r Rows[T]) rank1(x, a, y []T, stride int) {
	if r.slow(len(a), len(y)) {
		for i, v := range a {
			axpy(-v, y, x[i*stride:][:len(y)])
		}
		return
	}
	r.Rank1(first(x), first(a), first(y), len(a), len(y), r.bytes(stride))
}

// perLine is the number of columns that are 64 bytes.
func perLine[T float]() int { return 64 / int(unsafe.Sizeof(T(0))) }

// eliminate is step j of LU in w columns, of rows rows below x, the pivot's. The next pivot's row is the first of these whose element
// j+1 is largest, if there is one.
func (r Rows[T]) eliminate(x []T, j, rows, w, stride int) (next int) {
	if r.Rows != nil && w == perLine[T]() && rows > 0 {
		return r.Eliminate(first(x), j, rows, r.bytes(stride))
	}
	var top T
	for i := 1; i <= rows; i++ {
		row := x[i*stride:][:w]
		row[j] /= x[j]
		axpy(-row[j], x[j+1:w], row[j+1:])
		if v := abs(row[min(j+1, w-1)]); i == 1 || v > top {
			next, top = i, v
		}
	}
	return next
}

// largest is where the first of x's largest magnitudes is, -1 where one is a NaN.
func (r Rows[T]) largest(x []T) (at int) {
	if r.Rows != nil && r.bytes(len(x)) >= 32 {
		return r.Largest(first(x), len(x))
	}
	for i, v := range x {
		if v != v {
			return -1
		}
		if abs(v) > abs(x[at]) {
			at = i
		}
	}
	return at
}

// less is y[i] -= Σ a[i, p]·y[p], over p < min(i, most), in order, for y's row 1 and those after it.
func (r Rows[T]) less(y, a []T, most, rows, cols, stride, aStride int) {
	if r.slow(most, cols) {
		for i := 1; i < rows; i++ {
			for p, v := range a[i*aStride:][:min(i, most)] {
				axpy(-v, y[p*stride:][:cols], y[i*stride:])
			}
		}
		return
	}
	if rows > 1 {
		r.Less(first(y), first(a), most, rows, cols, r.bytes(stride), r.bytes(aStride))
	}
}

// both is the products of a strip of a symmetric matrix and x: y[i] += a[i]·x for all rows i, y[j] += Σ a[i, j]·x[i] for columns j that are no
// row. It reports whether a level has it and it is one of blas' for both.
func (r Rows[T]) both(y, room, a, x []T, rows, cols, stride int) bool {
	const least = 512 // elements, below which blas leaves products to gonum
	if r.Rows == nil || r.Both == nil || rows*(cols-rows) < least || cols > kernels.DotBlock {
		return false
	}
	r.Both(first(y[:cols]), first(room[:cols]), first(a[:(rows-1)*stride+cols]), first(x[:cols]), rows, cols, r.bytes(stride))
	return true
}

// poleOf is p of a d for a root whose pole is at: their difference, or that of their squares.
func poleOf[T float](d, at T, squares bool) T {
	if squares {
		return T((d - at) * (d + at))
	}
	return d - at
}

// poles is y = z/(p - x), where y is not nil, Σ z·y and Σ y², for p = d - at or d² - at². Of 32 elements each four that are eight apart have one
// quotient together, since that takes as long as many products.
func (r Rows[T]) poles(y, d, z []T, at, x T, squares bool) (sum, slope T) {
	if r.Rows != nil && r.Poles != nil {
		sum, slope := r.Poles(first(y), first(d), first(z), float64(at), float64(x), squares, len(d))
		return T(sum), T(slope)
	}
	var a, b [8]T
	z = z[:len(d)]
	for from := 0; from < len(d); from += 32 {
		for lane := range min(8, len(d)-from) {
			p := [4]T{1, 1, 1, 1}
			for g := range p {
				if j := from + 8*g + lane; j < len(d) {
					p[g] = poleOf(d[j], at, squares) - x
				}
			}
			ab, cd := T(p[0]*p[1]), T(p[2]*p[3])
			q := 1 / T(ab*cd)
			ab, cd = T(q*cd), T(q*ab) // their reciprocals
			for g, q := range [4]T{ab * p[1], ab * p[0], cd * p[3], cd * p[2]} {
				j := from + 8*g + lane
				if j >= len(d) {
					break
				}
				q = T(z[j] * q)
				if y != nil {
					y[j] = q
				}
				a[lane] += T(z[j] * q)
				b[lane] += T(q * q)
			}
		}
	}
	all := func(s *[8]T) T { return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) }
	return all(&a), all(&b)
}

// weigh multiplies w by the product of all p - far over that of the same p with own in the place of at, where that is not 0.
func (r Rows[T]) weigh(w, d, at, far, own []T, squares bool) {
	if r.Rows != nil && r.Weigh != nil {
		r.Weigh(first(w), first(d), first(at), first(far), first(own), len(at), squares, len(d))
		return
	}
	for j, v := range d {
		above, below := T(1), T(1)
		for i, at := range at {
			above *= poleOf(v, at, squares) - far[i]
			if p := poleOf(v, own[i], squares); p != 0 {
				below *= p
			}
		}
		w[j] *= above / below
	}
}

// padded is the length of rows of n elements that are rotated.
func padded(n int) int { return (n + 3) &^ 3 }

// householder makes v the vector, and beta the number, of the reflection I - beta·v·vᵀ that takes v to its first element,
// head. Elements whose squares are beyond what a number holds beside 1 are as good as 0; then beta is 0.
func householder(v []float64) (head, beta float64) {
	rest := 0.0
	for _, u := range v[1:] {
		rest += float64(u * u)
	}
	if rest < negligible*negligible {
		return v[0], 0
	}
	head = -math.Copysign(math.Sqrt(float64(v[0]*v[0])+rest), v[0])
	v[0] -= head
	return head, 2 / (float64(v[0]*v[0]) + rest)
}
