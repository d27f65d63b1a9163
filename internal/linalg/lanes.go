package linalg

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// Lanes is the number of matrices that go side by side: element k of number l is number Lanes·k+l.
const Lanes = 8

// Together are the functions here of Lanes matrices side by side, of n ≤ Small, with the bits of those of one. They
// report false where some matrix has no result or one that takes another way: then each is to be done by itself, from the start.
type Together struct{ *kernels.Lanes }

func at(x []float64, k int) unsafe.Pointer { return unsafe.Pointer(&x[Lanes*k]) }

// Cholesky is as one's.
func (t Together) Cholesky(l []float64, n int) bool {
	if n == 0 || !t.Lanes.Cholesky(at(l, 0), n) {
		return n == 0
	}
	for i := range n {
		clear(l[Lanes*(i*n+i+1) : Lanes*(i+1)*n])
	}
	return true
}

// SolveTriangular is as one's.
func (t Together) SolveTriangular(a, b []float64, n, m int, s Solving) bool {
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
func zero(a []float64, n int) bool {
	for i := range n {
		for _, v := range a[Lanes*(i*n+i):][:Lanes] {
			if v == 0 {
				return true
			}
		}
	}
	return false
}

// LU is as one's.
func (t Together) LU(f []float64, n int) bool {
	perm, sign := f[Lanes*n*n:Lanes*(n*n+n)], f[Lanes*(n*n+n):Lanes*(n*n+2*n)]
	for i := range perm {
		perm[i] = float64(i / Lanes)
	}
	parity := [Lanes]float64{1, 1, 1, 1, 1, 1, 1, 1}
	pivots := sign[:Lanes] // room until the signs are known
	for j := range n {
		t.Pivot(unsafe.Pointer(&f[0]), n, j, unsafe.Pointer(&pivots[0]))
		for l, pivot := range pivots {
			if p := int(pivot); p != j {
				x, y := f[Lanes*j*n+l:Lanes*(j+1)*n], f[Lanes*p*n+l:]
				for k := 0; k < len(x); k += Lanes {
					x[k], y[k] = y[k], x[k]
				}
				perm[Lanes*j+l], perm[Lanes*p+l] = perm[Lanes*p+l], perm[Lanes*j+l]
				parity[l] = -parity[l]
			}
			if f[Lanes*(j*n+j)+l] == 0 {
				return false
			}
		}
		t.Eliminate(unsafe.Pointer(&f[0]), n, j)
	}
	for i := range n {
		copy(sign[Lanes*i:], parity[:])
	}
	return true
}

// SolveLU is as one's.
func (t Together) SolveLU(f, b, x []float64, n, m int, transposed bool, work []float64) bool {
	if zero(f, n) {
		return false
	}
	perm := f[Lanes*n*n : Lanes*(n*n+n)]
	if transposed {
		y := work[:Lanes*n*m]
		copy(y, b)
		t.SolveTriangular(f, y, n, m, Solving{Upper: true, Transposed: true})
		t.SolveTriangular(f, y, n, m, Solving{Unit: true, Transposed: true})
		for i, p := range perm {
			moveRow(x[Lanes*int(p)*m+i%Lanes:], y[Lanes*(i/Lanes)*m+i%Lanes:], m)
		}
		return true
	}
	for i, p := range perm {
		moveRow(x[Lanes*(i/Lanes)*m+i%Lanes:], b[Lanes*int(p)*m+i%Lanes:], m)
	}
	t.SolveTriangular(f, x, n, m, Solving{Unit: true})
	return t.SolveTriangular(f, x, n, m, Solving{Upper: true})
}

// moveRow copies a row of one matrix of those side by side.
func moveRow(x, y []float64, m int) {
	for k := 0; k < Lanes*m; k += Lanes {
		x[k] = y[k]
	}
}

// Det is as one's.
func (t Together) Det(d, a []float64, n int, work []float64) bool {
	copy(work, a[:Lanes*n*n])
	if !t.LU(work, n) {
		return false
	}
	for l := range d[:Lanes] {
		d[l] = 1
		for i := range n {
			d[l] *= work[Lanes*(i*n+i)+l]
		}
		if n > 0 {
			d[l] *= work[Lanes*n*n+Lanes*n+l]
		}
	}
	return true
}

// QR is as one's, of m ≥ n > 0 rows.
func (t Together) QR(y, a []float64, m, n int, work []float64) bool {
	q, upper := y[:Lanes*m*n], y[Lanes*m*n:Lanes*(m*n+n*n)]
	copy(q, a[:Lanes*m*n])
	clear(upper)
	tau, v := work[:Lanes*n], work[Lanes*n:Lanes*(n+m)]
	const bytes = 8 * Lanes
	mirror := func(k int) {
		if k+1 < m && k+1 < n {
			t.Mirror(at(q, k*n+k+1), at(v, 0), at(tau, k), m-k-1, n-k-1, bytes*n)
		}
	}
	for k := range n {
		if k+1 == m {
			clear(tau[Lanes*k:][:Lanes])
		} else if !t.Reflector(at(q, k*n+k), at(v, 0), at(tau, k), m-k-1, bytes*n) {
			return false
		}
		mirror(k)
		copy(upper[Lanes*(k*n+k):Lanes*(k+1)*n], q[Lanes*(k*n+k):])
	}
	for k := n - 1; k >= 0; k-- {
		scale := (*[Lanes]float64)(tau[Lanes*k:])
		for i := k + 1; i < m; i++ {
			x := (*[Lanes]float64)(q[Lanes*(i*n+k):])
			copy(v[Lanes*(i-k-1):], x[:])
			for l := range x {
				x[l] *= -scale[l]
			}
		}
		clear(q[Lanes*(k*n+k+1) : Lanes*(k+1)*n])
		mirror(k)
		for l, s := range scale {
			q[Lanes*(k*n+k)+l] = 1 - s
		}
		for i := range k {
			clear(q[Lanes*(i*n+k):][:Lanes])
		}
	}
	return true
}
