package linalg

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// Factors of both types, small ones and in blocks, around the sizes where columns are halved: put together again they differ from
// the matrix by rounding errors, of about as many roundings as there are rows. Work holds NaNs before.
func TestBlocks(t *testing.T) {
	for _, n := range []int{2, 3, 8, 17, 32, 33, 48, 49, 65, 130} {
		if n > 65 && testing.Short() {
			continue
		}
		t.Run(fmt.Sprint("f32/", n), func(t *testing.T) { testBlocks[float32](t, n, 0x1p-24) })
		t.Run(fmt.Sprint("f64/", n), func(t *testing.T) { testBlocks[float64](t, n, 0x1p-53) })
	}
}

func as[T, S float](x []S) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = T(v)
	}
	return y
}

func nans[T float](n int) []T {
	y := make([]T, n)
	for i := range y {
		y[i] = T(math.NaN())
	}
	return y
}

func testBlocks[T float](t *testing.T, n int, eps float64) {
	// residual is the largest |Σ a[i,k]·b[k,j] - c[i,j]|, over that of Σ |a[i,k]·b[k,j]|.
	residual := func(a, b func(i, k int) T, c func(i, j int) T, m, inner, cols int) float64 {
		worst, size := 0.0, 0.0
		for i := range m {
			for j := range cols {
				sum, all := 0.0, 0.0
				for k := range inner {
					x := float64(a(i, k)) * float64(b(k, j))
					sum += x
					all += math.Abs(x)
				}
				worst, size = max(worst, math.Abs(sum-float64(c(i, j)))), max(size, all)
			}
		}
		return worst / size
	}
	small := func(what string, r float64) {
		t.Helper()
		if !(r <= float64(max(n, 8))*eps) {
			t.Errorf("%s: %v units", what, r/eps)
		}
	}
	of := func(x []T, cols int) func(i, j int) T { return func(i, j int) T { return x[i*cols+j] } }
	turn := func(f func(i, j int) T) func(i, j int) T { return func(i, j int) T { return f(j, i) } }
	lower := func(f func(i, j int) T, unit bool) func(i, j int) T {
		return func(i, j int) T {
			if i == j && unit {
				return 1
			}
			return f(i, j) * T(b2i(i >= j))
		}
	}
	upper := func(f func(i, j int) T) func(i, j int) T { return turn(lower(turn(f), false)) }

	a := as[T](random(n*n, 1))
	spd := make([]T, n*n)
	for i := range n {
		for j := range n {
			for k := range n {
				spd[i*n+j] += a[i*n+k] * a[j*n+k]
			}
		}
		spd[i*n+i]++
	}
	l := append([]T(nil), spd...)
	cholesky, qr := CholeskyBlocks[T], QRBlocks[T]
	lu := func(f []T, n int, work []T) { LU(f, n, work, Rows[T]{}) }
	if n <= Middle {
		cholesky = func(l []T, n int, work []T) error { return Cholesky(l, n, work, Rows[T]{}) }
		qr = func(y, a []T, m, n int, work []T) { QR(y, a, m, n, work, Rows[T]{}) }
	}
	if err := cholesky(l, n, nans[T](CholeskyWork(n))); err != nil {
		t.Fatal(err)
	}
	small("Cholesky", residual(of(l, n), turn(of(l, n)), of(spd, n), n, n, n))
	for i := range n {
		for j := i + 1; j < n; j++ {
			if l[i*n+j] != 0 {
				t.Fatalf("Cholesky: %v above the diagonal", l[i*n+j])
			}
		}
	}
	f := append(append([]T(nil), a...), nans[T](2*n)...)
	lu(f, n, nans[T](LUWork(n)))
	perm := f[n*n : n*n+n]
	small("LU", residual(lower(of(f, n), true), upper(of(f, n)), func(i, j int) T { return a[int(perm[i])*n+j] }, n, n, n))
	for _, m := range []int{1, 3, 40} {
		b := as[T](random(n*m, 1))
		x := make([]T, n*m)
		for _, transposed := range []bool{false, true} {
			at := of(a, n)
			if transposed {
				at = turn(at)
			}
			if err := SolveLU(f, b, x, n, m, transposed, nans[T](n*m), Rows[T]{}); err != nil {
				t.Fatal(err)
			}
			small(fmt.Sprint("solve ", m, transposed), residual(at, of(x, m), of(b, m), n, n, m))
			for _, s := range []Solving{{false, transposed, false}, {true, transposed, false}} {
				tri := lower(of(l, n), false)
				if s.Upper {
					tri = upper(of(f, n))
				}
				if transposed {
					tri = turn(tri)
				}
				from := l
				if s.Upper {
					from = f
				}
				copy(x, b)
				if err := SolveTriangular(from, x, n, m, s, Rows[T]{}); err != nil {
					t.Fatal(err)
				}
				small(fmt.Sprint("triangle ", m, s), residual(tri, of(x, m), of(b, m), n, n, m))
			}
		}
	}
	for _, m := range []int{n, n + 1, n + 70} {
		for _, scale := range []float64{1, 1e30, 1e-30} {
			a := as[T](random(m*n, scale))
			y := nans[T](m*n + n*n)
			qr(y, a, m, n, nans[T](QRWork(m, n)))
			q, r := of(y, n), of(y[m*n:], n)
			small(fmt.Sprint("QR ", m, scale), residual(q, upper(r), of(a, n), m, n, n))
			small(fmt.Sprint("QᵀQ ", m, scale), residual(turn(q), q, func(i, j int) T { return T(b2i(i == j)) }, n, m, n))
			for i := range n {
				for j := range i {
					if r(i, j) != 0 {
						t.Fatalf("QR: %v below the diagonal", r(i, j))
					}
				}
			}
		}
	}
	// What is wrong is said; a column of zeros, and NaNs, go through.
	spd[(n-1)*n+n-1] = -1
	if err := cholesky(spd, n, nans[T](CholeskyWork(n))); !errors.Is(err, ErrDefinite) {
		t.Error("Cholesky:", err)
	}
	for i := range n {
		a[i*n+n/2] = 0
	}
	f = append(append([]T(nil), a...), nans[T](2*n)...)
	lu(f, n, nans[T](LUWork(n)))
	if err := SolveLU(f, a, make([]T, n*n), n, n, false, nil, Rows[T]{}); !errors.Is(err, ErrSingular) {
		t.Error("solve:", err)
	}
	y := nans[T](2 * n * n)
	qr(y, a, n, n, nans[T](QRWork(n, n)))
	small("QR, zeros", residual(of(y, n), of(y[n*n:], n), of(a, n), n, n, n))
	a[n+1] = T(math.NaN())
	qr(y, a, n, n, nans[T](QRWork(n, n)))
	if v := y[2*n*n-1]; v == v {
		t.Error("QR of a NaN:", v)
	}
	work := make([]T, max(QRWork(n, n), n*n))
	if allocs := testing.AllocsPerRun(3, func() {
		qr(y, a, n, n, work)
		lu(f, n, work)
		SolveLU(f, a, y, n, n, true, work, Rows[T]{})
		cholesky(l, n, work)
	}); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Symmetrize has the bits of sums of pairs, also in the place of what it reads.
func TestSymmetrize(t *testing.T) {
	for _, n := range []int{1, 31, 65, 100} {
		x := random(n*n, 1)
		y, own := nans[float64](n*n), append([]float64(nil), x...)
		Symmetrize(y, x, n, nans[float64](CholeskyWork(n)))
		Symmetrize(own, own, n, nans[float64](CholeskyWork(n)))
		for i := range n {
			for j := range i + 1 {
				if want := 0.5 * (x[i*n+j] + x[j*n+i]); y[i*n+j] != want || own[i*n+j] != want {
					t.Fatalf("%d rows, element %d %d is %v, in place %v, not %v", n, i, j, y[i*n+j], own[i*n+j], want)
				}
			}
		}
	}
}
