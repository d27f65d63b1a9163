package linalg

import (
	"math"
	"testing"

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
