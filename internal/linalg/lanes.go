package linalg

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// Lanes is the number of matrices that go side by side: element k of number l is number Lanes·k+l.
func Lanes[T float]() int { return mostLanes * 4 / int(unsafe.Sizeof(T(0))) }

const mostLanes = 16

// Together are the functions here of Lanes matrices side by side, of n ≤ Small, with the bits of those of one. They
// report false where some matrix has no result or one that takes another way: then each is to be done by itself, from the start.
type Together[T float] struct {
	*kernels.Lanes
	Rows *kernels.Rows // of the same type
}

func at[T float](x []T, k int) unsafe.Pointer { return unsafe.Pointer(&x[Lanes[T]()*k]) }

// Cholesky is as one's.
func (t Together[T]) Cholesky(l []T, n int) bool {
	if n == 0 || !t.Lanes.Cholesky(at(l, 0), n) {
		return n == 0
	}
	w := Lanes[T]()
	for i := range n {
		clear(l[w*(i*n+i+1) : w*(i+1)*n])
	}
	return true
}

// SolveTriangular is as one's.
func (t Together[T]) SolveTriangular(a, b []T, n, m int, s Solving) bool {
	if n == 0 || m == 0 {
		return true
	}
	if !s.Unit && zero(a, n) {
		return false
	}
	for k := range n {
		i, lo, hi := s.row(k, n)
		var d unsafe.Pointer
		if !s.Unit {
			d = at(a, i*n+i)
		}
		// Where there is no rest, its place is that of what is there.
		row, x, y := at(a, min(i*n+lo, n*n-1)), at(b, min(lo, n-1)*m), at(b, i*m)
		switch {
		case s.Transposed:
			t.Column(row, x, y, d, hi-lo, m)
		case m == 1:
			t.Dot(row, x, y, d, hi-lo)
		default:
			t.Row(row, x, y, d, hi-lo, m)
		}
	}
	return true
}

// zero reports whether some matrix has a 0 on its diagonal.
func zero[T float](a []T, n int) bool {
	w := Lanes[T]()
	for i := range n {
		for _, v := range a[w*(i*n+i):][:w] {
			if v == 0 {
				return true
			}
		}
	}
	return false
}

// LU is as one's.
func (t Together[T]) LU(f []T, n int) bool {
	w := Lanes[T]()
	perm, sign := f[w*n*n:w*(n*n+n)], f[w*(n*n+n):w*(n*n+2*n)]
	for i := range perm {
		perm[i] = T(i / w)
	}
	var parities [mostLanes]T
	parity := parities[:w]
	for l := range parity {
		parity[l] = 1
	}
	pivots := sign[:w] // room until the signs are known
	for j := range n {
		t.Pivot(unsafe.Pointer(&f[0]), n, j, unsafe.Pointer(&pivots[0]))
		for l, pivot := range pivots {
			if p := int(pivot); p != j {
				x, y := f[w*j*n+l:w*(j+1)*n], f[w*p*n+l:]
				for k := 0; k < len(x); k += w {
					x[k], y[k] = y[k], x[k]
				}
				perm[w*j+l], perm[w*p+l] = perm[w*p+l], perm[w*j+l]
				parity[l] = -parity[l]
			}
			if f[w*(j*n+j)+l] == 0 {
				return false
			}
		}
		t.Eliminate(unsafe.Pointer(&f[0]), n, j)
	}
	for i := range n {
		copy(sign[w*i:], parity)
	}
	return true
}

// SolveLU is as one's.
func (t Together[T]) SolveLU(f, b, x []T, n, m int, transposed bool, work []T) bool {
	if zero(f, n) {
		return false
	}
	w := Lanes[T]()
	perm := f[w*n*n : w*(n*n+n)]
	if transposed {
		y := work[:w*n*m]
		copy(y, b)
		t.SolveTriangular(f, y, n, m, Solving{Upper: true, Transposed: true})
		t.SolveTriangular(f, y, n, m, Solving{Unit: true, Transposed: true})
		for i, p := range perm {
			moveRow(x[w*int(p)*m+i%w:], y[w*(i/w)*m+i%w:], m)
		}
		return true
	}
	for i, p := range perm {
		moveRow(x[w*(i/w)*m+i%w:], b[w*int(p)*m+i%w:], m)
	}
	t.SolveTriangular(f, x, n, m, Solving{Unit: true})
	return t.SolveTriangular(f, x, n, m, Solving{Upper: true})
}

// moveRow copies a row of one matrix of those side by side.
func moveRow[T float](x, y []T, m int) {
	w := Lanes[T]()
	x = x[:w*(m-1)+1]
	y = y[:len(x)]
	for k := 0; k < len(x); k += w {
		x[k] = y[k]
	}
}

// Det is as one's.
func (t Together[T]) Det(d, a []T, n int, work []T) bool {
	w := Lanes[T]()
	copy(work, a[:w*n*n])
	if !t.LU(work, n) {
		return false
	}
	for l := range d[:w] {
		p := 1.0
		for i := range n {
			p *= float64(work[w*(i*n+i)+l])
		}
		if n > 0 {
			p *= float64(work[w*n*n+w*n+l])
		}
		d[l] = T(p)
	}
	return true
}

// lineup is a number of columns of which rows begin at few places of the first cache: QR goes down columns, so that those have one more.
const lineup = 32

// QR is as one's, of m ≥ n > 0 rows.
func (t Together[T]) QR(y, a []T, m, n int, work []T) bool {
	w := Lanes[T]()
	upper := y[w*m*n : w*(m*n+n*n)]
	clear(upper)
	tau, v, q, ld := work[:w*n], work[w*n:w*(n+m)], y, n
	if n%lineup == 0 {
		q, ld = work[w*(n+m):], n+1
		for i := range m {
			copy(q[w*i*ld:], a[w*i*n:w*(i+1)*n])
		}
	} else {
		copy(q, a[:w*m*n])
	}
	const bytes = 64 // a vector's
	mirror := func(k int) {
		if k+1 < m && k+1 < n {
			t.Mirror(at(q, k*ld+k+1), at(v, 0), at(tau, k), m-k-1, n-k-1, bytes*ld)
		}
	}
	for k := range n {
		if k+1 == m {
			clear(tau[w*k:][:w])
		} else if !t.Reflector(at(q, k*ld+k), at(v, 0), at(tau, k), m-k-1, bytes*ld) {
			return false
		}
		mirror(k)
		copy(upper[w*(k*n+k):w*(k+1)*n], q[w*(k*ld+k):])
	}
	for k := n - 1; k >= 0; k-- {
		scale := tau[w*k:][:w]
		for i := k + 1; i < m; i++ {
			x := q[w*(i*ld+k):][:w]
			copy(v[w*(i-k-1):], x)
			for l := range x {
				x[l] *= -scale[l]
			}
		}
		clear(q[w*(k*ld+k+1) : w*(k*ld+n)])
		mirror(k)
		for l, s := range scale {
			q[w*(k*ld+k)+l] = 1 - s
		}
		for i := range k {
			clear(q[w*(i*ld+k):][:w])
		}
	}
	if ld != n {
		for i := range m {
			copy(y[w*i*n:w*(i+1)*n], q[w*i*ld:])
		}
	}
	return true
}

// Eigh is as one's, of float64s and n > 0; work holds EighWork of each matrix.
func (t Together[T]) Eigh(y, a []T, n int, work []T) bool {
	w := Lanes[T]()
	take := func(k int) (x []T) {
		x, work = work[:w*k], work[w*k:]
		return x
	}
	x, q, e, beta, room, up, down := take(n*n), take(n*n), take(n), take(n), take(3*n), take(1), take(1)
	v, d := y[:w*n*n], y[w*n*n:w*(n*n+n)]
	if !t.near1(x, a, up, down) {
		return false
	}
	const bytes = 64 // a vector's
	for k := range n {
		copy(d[w*k:][:w], x[w*(k*n+k):])
		switch rest := n - k - 1; rest {
		case 0:
			clear(e[w*k:])
		case 1:
			copy(e[w*k:][:w], x[w*(k*n+k+1):])
		default:
			if !t.Tridiagonal(at(x, k*n+k+1), at(room, 0), at(e, k), at(beta, k), rest, bytes*n) {
				return false
			}
		}
	}
	clear(q)
	for k := n - 1; k >= 0; k-- {
		for l := range w {
			q[w*(k*n+k)+l] = 1
		}
		if rest := n - k - 1; rest > 1 {
			t.Reflect(at(q, (k+1)*n+k+1), at(x, k*n+k+1), at(beta, k), rest, rest, bytes*n)
		}
	}
	for l := range n {
		if !t.QL(at(q, 0), at(d, 0), at(e, 0), at(room, 0), n, l, sweeps) {
			return false
		}
	}
	t.Scale(at(d, 0), at(up, 0), at(d, 0), n)
	rows := t.order(d, n, false)
	t.turn(v, q, x, n, n, &rows)
	return true
}

// near1 is x = down·a, with down, and up = 1/down, the power of two that makes the largest of a matrix about 1, or false where it is not finite.
func (t Together[T]) near1(x, a, up, down []T) bool {
	n := len(x) / Lanes[T]()
	t.Largest(at(up, 0), at(a, 0), n)
	for l, top := range up {
		if top-top != 0 {
			return false
		}
		exp := exponent(float64(top))
		up[l], down[l] = T(math.Ldexp(1, exp)), T(math.Ldexp(1, -exp))
	}
	t.Scale(at(x, 0), at(down, 0), at(a, 0), n)
	return true
}

// order sorts d and says which element has come where, in each lane.
func (t Together[T]) order(d []T, n int, descending bool) (from [mostLanes][Small]int) {
	w := Lanes[T]()
	for l := range w {
		rows := &from[l]
		for i := range n {
			rows[i] = i
		}
		for i := range n {
			best := i
			for j := i + 1; j < n; j++ {
				if descending && d[w*j+l] > d[w*best+l] || !descending && d[w*j+l] < d[w*best+l] {
					best = j
				}
			}
			d[w*i+l], d[w*best+l] = d[w*best+l], d[w*i+l]
			rows[i], rows[best] = rows[best], rows[i]
		}
	}
	return from
}

// turn is y, [m n], the transpose of the n rows of x in order; work holds as much.
func (t Together[T]) turn(y, x, work []T, m, n int, from *[mostLanes][Small]int) {
	w := Lanes[T]()
	for l := range w {
		for i, row := range from[l][:n] {
			moveRow(work[w*i*m+l:], x[w*row*m+l:], m)
		}
	}
	for i := range n {
		for j := range m {
			*(*[64]byte)(at(y, j*n+i)) = *(*[64]byte)(at(work, i*m+j))
		}
	}
}

// SVD is as one's, of float64s and m ≥ n > 0; work holds SVDWork of each matrix.
func (t Together[T]) SVD(y, a []T, m, n int, work []T) bool {
	w := Lanes[T]()
	take := func(k int) (x []T) {
		x, work = work[:w*k], work[w*k:]
		return x
	}
	x, ut, vt, left, e, bl, br, room := take(m*n), take(m*n), take(n*n), take(m*n), take(n), take(n), take(n), take(6*n)
	up, down, tiny := take(1), take(1), take(1)
	u, v, d := y[:w*m*n], y[w*m*n:w*(m*n+n*n)], y[w*(m*n+n*n):w*(m*n+n*n+n)]
	if !t.near1(x, a, up, down) {
		return false
	}
	const bytes = 64 // a vector's
	clear(e[:w])
	for k := range n {
		column := left[w*k*m : w*(k*m+m-k)]
		for i := range m - k {
			*(*[bytes]byte)(at(column, i)) = *(*[bytes]byte)(at(x, (k+i)*n+k))
		}
		if k+1 == m {
			copy(d[w*k:], column)
		} else if !t.Householder(at(column, 0), at(d, k), at(bl, k), m-k) {
			return false
		}
		rest := n - k - 1
		if rest == 0 {
			break
		}
		t.Fold(at(x, k*n+k+1), at(column, 0), at(bl, k), m-k, rest, bytes*n)
		if rest == 1 {
			copy(e[w*(k+1):][:w], x[w*(k*n+k+1):])
			continue
		}
		if !t.Householder(at(x, k*n+k+1), at(e, k+1), at(br, k), rest) {
			return false
		}
		t.Reflect(at(x, (k+1)*n+k+1), at(x, k*n+k+1), at(br, k), m-k-1, rest, bytes*n)
	}
	clear(ut)
	clear(vt)
	for k := n - 1; k >= 0; k-- {
		for l := range w {
			ut[w*(k*m+k)+l], vt[w*(k*n+k)+l] = 1, 1
		}
		if k+1 < m {
			t.Reflect(at(ut, k*m+k), at(left, k*m), at(bl, k), n-k, m-k, bytes*m)
		}
		if rest := n - k - 1; rest > 1 {
			t.Reflect(at(vt, (k+1)*n+k+1), at(x, k*n+k+1), at(br, k), rest, rest, bytes*n)
		}
	}
	clear(tiny)
	for k, s := range d[:w*n] {
		tiny[k%w] = max(tiny[k%w], 0x1p-53*(abs(s)+abs(e[k])))
	}
	for k := n - 1; k >= 0; k-- {
		if !t.Lanes.QR(at(ut, 0), at(vt, 0), at(d, 0), at(e, 0), at(room, 0), at(tiny, 0), m, n, k, sweeps) {
			return false
		}
		for l := range w {
			if s := &d[w*k+l]; *s < 0 {
				*s = -*s
				for i := w*k*n + l; i < w*(k+1)*n; i += w {
					vt[i] = -vt[i]
				}
			}
		}
	}
	rows := t.order(d, n, true)
	t.Scale(at(d, 0), at(up, 0), at(d, 0), n)
	t.turn(u, ut, left, m, n, &rows)
	t.turn(v, vt, x, n, n, &rows)
	return true
}

// Narrow is run, a function of float64 matrices side by side, of float32s a, with result y; room is as many float32s as run's work and twice a
// and y would be.
func Narrow(y, a, room []float32, run func(y, a, work []float64) bool) bool {
	w, wide := Lanes[float32](), Lanes[float64]()
	work := unsafe.Slice((*float64)(unsafe.Pointer(&room[0])), len(room)/2)
	x, z, work := work[:len(a)/2], work[len(a)/2:len(a)/2+len(y)/2], work[len(a)/2+len(y)/2:]
	for half := 0; half < w; half += wide {
		for k := range len(x) / wide {
			for l, v := range a[w*k+half:][:wide] {
				x[wide*k+l] = float64(v)
			}
		}
		if !run(z, x, work) {
			return false
		}
		for k := range len(z) / wide {
			for l, v := range z[wide*k:][:wide] {
				y[w*k+half+l] = float32(v)
			}
		}
	}
	return true
}
