package linalg

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/blas"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/kernels"
)

// Each level's steps along rows have the bits of the loops here, at all lengths, with zeros, denormals, infinities and NaNs.
func TestRows(t *testing.T) {
	for _, l := range kernels.Levels() {
		t.Run(l.Name, func(t *testing.T) {
			testRows(t, Rows[float32]{l.Rows[dtype.F32]}, 1e-40)
			testRows(t, Rows[float64]{l.Rows[dtype.F64]}, 1e-310)
		})
	}
}

func testRows[T float](t *testing.T, r Rows[T], denormal T) {
	odd := []T{0, T(math.Copysign(0, -1)), denormal, T(math.Inf(1)), T(math.NaN()), -denormal}
	for cols := range 68 {
		for _, rows := range []int{1, 2, 5} {
			for _, special := range []bool{false, true} {
				stride := cols + 3
				numbers := func(n, seed int) []T {
					x := as[T](random(n+seed, 1))[seed:]
					for i := range x {
						if special && i%7 == seed%7 {
							x[i] = odd[i/7%len(odd)]
						}
					}
					return x
				}
				x, a, v := numbers(rows*stride, 1), numbers(rows, 2), numbers(cols, 3)
				for name, step := range map[string]func(r Rows[T], x, a, v []T){
					"combine": func(r Rows[T], x, a, v []T) { r.combine(v, a, x, stride) },
					"rank1":   func(r Rows[T], x, a, v []T) { r.rank1(x, a, v, stride) },
					"times":   func(r Rows[T], x, a, v []T) { r.times(a, x, v, 3, stride) },
					"reflect": func(r Rows[T], x, a, v []T) { r.reflect(x, v, 0.3, rows, stride) },
					"eliminate": func(r Rows[T], x, a, v []T) {
						if cols > 0 {
							a[0] = T(r.eliminate(x, rows%cols, rows-1, cols, stride))
						}
					},
					"largest": func(r Rows[T], x, a, v []T) {
						if cols > 0 {
							a[0] = T(r.largest(v))
						}
					},
					"less": func(r Rows[T], x, a, v []T) {
						r.less(x, append([]T(nil), x...), min(rows-1, 3), rows, cols, stride, stride)
					},
				} {
					run := func(r Rows[T]) (all []T) {
						x, a, v := append([]T(nil), x...), append([]T(nil), a...), append([]T(nil), v...)
						step(r, x, a, v)
						return append(append(append(all, x...), a...), v...)
					}
					got, want := run(r), run(Rows[T]{})
					for i := range want {
						if g, w := float64(got[i]), float64(want[i]); math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
							t.Fatalf("%T %s, %d rows of %d: %v, not %v", got[i], name, rows, cols, got[i], want[i])
						}
					}
				}
			}
		}
	}
}

// Both products of a strip have blas' bits, of all rows and columns that a kernel takes, and nothing beside them is written.
func TestBoth(t *testing.T) {
	for _, l := range kernels.Levels() {
		testBoth(t, Rows[float32]{l.Rows[dtype.F32]})
		testBoth(t, Rows[float64]{l.Rows[dtype.F64]})
	}
}

func testBoth[T float](t *testing.T, r Rows[T]) {
	for rows := 1; rows <= strip; rows += 1 + rows/7 {
		for more := range 40 {
			cols := rows + 512/rows + 1 + more
			stride := cols + 3
			a, x, y := as[T](random(rows*stride, 1)), as[T](random(cols, 1)), as[T](random(cols+1, 1))
			x[cols-1], x[0], y[rows], a[cols/2] = 0, T(math.Copysign(0, -1)), T(math.Copysign(0, -1)), T(math.Inf(1))
			want := append([]T(nil), y...)
			room := nans[T](cols + 1)
			room[cols] = 3
			if !r.both(y[:cols], room, a, x, rows, cols, stride) {
				return
			}
			gemv(blas.NoTrans, rows, cols, 1, a, stride, x, 1, 1, want[:cols])
			gemv(blas.Trans, rows, cols-rows, 1, a[rows:], stride, x, 1, 1, want[rows:cols])
			for i, w := range want {
				if g, w := float64(y[i]), float64(w); math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
					t.Fatalf("%T, %d rows of %d: element %d is %v, not %v", w, rows, cols, i, g, w)
				}
			}
			if room[cols] != 3 {
				t.Fatalf("%d rows of %d: more than the room is written", rows, cols)
			}
		}
	}
}

// Cholesky up to Middle rows has the bits of the loops on each level, and fails where they do.
func TestCholesky(t *testing.T) {
	for _, l := range kernels.Levels() {
		testCholesky(t, Rows[float32]{l.Rows[dtype.F32]})
		testCholesky(t, Rows[float64]{l.Rows[dtype.F64]})
	}
}

func testCholesky[T float](t *testing.T, r Rows[T]) {
	for n := 1; n <= Middle; n++ {
		for kind := range 3 {
			want := as[T](random(n*n, 1))
			for i := range n {
				want[i*n+i] += T(4 * n)
				for j := range i {
					want[j*n+i] = T(math.NaN()) // not read
				}
			}
			switch at := n / 2; kind {
			case 1:
				want[at*n+at] = -1
			case 2:
				want[at*n+at] = T(math.NaN())
			}
			got := append([]T(nil), want...)
			err, wrong := Cholesky(got, n, nans[T](CholeskyWork(n)), r), Cholesky(want, n, nans[T](CholeskyWork(n)), Rows[T]{})
			if err != wrong || kind > 0 != (err == ErrDefinite) {
				t.Fatalf("%T, %d rows, kind %d: %v, not %v", want[0], n, kind, err, wrong)
			}
			for i, w := range want {
				if g, w := float64(got[i]), float64(w); err == nil && math.Float64bits(g) != math.Float64bits(w) {
					t.Fatalf("%T, %d rows, element %d: %v, not %v", got[i], n, i, g, w)
				}
			}
		}
	}
}

// LU up to Middle rows has the bits of elimination column by column on each level: with columns of zeros, from which a strip
// begins anew, within strips and at their ends, equal elements, zeros of both signs, infinities and NaNs.
func TestLU(t *testing.T) {
	for _, l := range kernels.Levels() {
		t.Run(l.Name, func(t *testing.T) {
			testLU(t, Rows[float32]{l.Rows[dtype.F32]})
			testLU(t, Rows[float64]{l.Rows[dtype.F64]})
		})
	}
}

func testLU[T float](t *testing.T, r Rows[T]) {
	for n := 1; n <= Middle; n++ {
		for kind := range 5 {
			a := as[T](random(n*n, 1))
			for i := range n {
				switch row := a[i*n : (i+1)*n]; kind {
				case 1:
					row[n/3], row[n/2], row[n-1] = 0, 0, T(math.Copysign(0, -1))
				case 2:
					for j := range row {
						row[j] = T((i*j+i)%3 - 1)
					}
				case 3:
					row[i*5%n] = T(math.Inf(1))
					row[n/2] = 0
				case 4:
					row[i*7%n] = T(math.NaN())
					row[n/2] = 0
				}
			}
			got := append(a, nans[T](2*n)...)
			want := append([]T(nil), got...)
			LU(got, n, nans[T](LUWork(n)), r)
			unpermuted(want, n)
			for j := range n {
				p := j
				for i := j + 1; i < n; i++ {
					if abs(want[i*n+j]) > abs(want[p*n+j]) {
						p = i
					}
				}
				swap(want[j*n:(j+1)*n], want[p*n:(p+1)*n])
				exchanged(want, n, j, p)
				for i := j + 1; i < n && want[j*n+j] != 0; i++ {
					want[i*n+j] /= want[j*n+j]
					axpy(-want[i*n+j], want[j*n+j+1:(j+1)*n], want[i*n+j+1:(i+1)*n])
				}
			}
			spreadSign(want, n)
			for i := range want {
				if g, w := float64(got[i]), float64(want[i]); math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
					t.Fatalf("%T, %d rows, kind %d, element %d: %v, not %v", got[i], n, kind, i, g, w)
				}
			}
		}
	}
}
