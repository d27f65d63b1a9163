package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/kernels"
)

// Roots lie between the poles, with the trace and the vectors of diag(p) + rho·z·zᵀ: z/(p - x), with the weights for which the roots
// are exact, are orthogonal to the last bits, for poles far apart, in clusters and graded, and weights as small as deflation leaves.
func TestSecular(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	poles := map[string]func(j int) float64{
		"even":     func(j int) float64 { return float64(j) },
		"clusters": func(j int) float64 { return float64(j/5) + float64(j%5)*1e-13 },
		"graded":   func(j int) float64 { return math.Ldexp(1, -j) },
		"close":    func(j int) float64 { return 1 + float64(j)*1e-14 },
	}
	for name, pole := range poles {
		for _, n := range []int{1, 2, 3, 8, 33} {
			for _, tiny := range []float64{1, 1e-8, 1e-15} {
				for _, squares := range []bool{false, true} {
					what := fmt.Sprint(name, n, " ", tiny, squares)
					d, z := make([]float64, n), make([]float64, n)
					for j := range d {
						d[j] = pole(j)
						if name == "graded" {
							d[j] = pole(n - 1 - j)
						}
						z[j] = rng.NormFloat64() / math.Sqrt(float64(n))
						if j%3 == 1 {
							z[j] *= tiny
						}
					}
					s := secular{d: d, z: z, rho: 1, squares: squares, eps: 0x1p-53}
					p := func(j int) float64 {
						if squares {
							return d[j] * d[j]
						}
						return d[j]
					}
					before := append([]float64(nil), z...)
					rows, w := make([]float64, n*n), make([]float64, n)
					at, far := make([]float64, n), make([]float64, n)
					if !s.roots(at, far, w) {
						t.Fatalf("%s: no roots", what)
					}
					trace, size := 0.0, 0.0
					for i, mu := range far {
						for j := range n {
							if v := s.gap(j, at[i]); j <= i != (v-mu < 0) {
								t.Fatalf("%s: root %d is on the wrong side of pole %d: %v", what, i, j, v-mu)
							}
						}
						k := slices.Index(d, at[i])
						trace += p(k) + mu - p(i) - before[i]*before[i]
						size = max(size, p(k)+mu)
					}
					if !(math.Abs(trace) <= 1e-15*float64(n*n)*size) {
						t.Errorf("%s: the trace is off by %v of %v", what, trace, size)
					}
					factor := norm(before) / norm(z)
					for j := range z {
						if off := math.Abs(z[j]*factor - before[j]); !(off <= 1e-14*float64(n)) {
							t.Errorf("%s: weight %d is %v, not %v", what, j, z[j]*factor, before[j])
						}
					}
					for i := range n {
						row := rows[i*n : (i+1)*n]
						vector(&s, row, w, at[i], far[i])
						for k := range i {
							if off := dot(row, rows[k*n:(k+1)*n]); !(math.Abs(off) <= 1e-15*float64(n)) {
								t.Errorf("%s: vectors %d and %d: %v", what, i, k, off)
							}
						}
					}
				}
			}
		}
	}
}

// Kernels have the bits of Go's loops for all lengths, whatever the elements are, and nothing beyond them changes.
func TestSecularRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	odd := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 0x1p-1074, -0x1p-1040, 0x1p1000}
	numbers := func(n int, some bool) []float64 {
		x := make([]float64, n)
		for i := range x {
			if x[i] = rng.NormFloat64(); some && rng.IntN(20) == 0 {
				x[i] = odd[rng.IntN(len(odd))]
			}
		}
		return x
	}
	same := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y }
	for _, level := range kernels.Levels() {
		name, r := level.Name, Rows[float64]{level.Rows[dtype.F64]}
		for n := range 100 {
			for try := range 20 {
				d, z, w, x := numbers(n, try > 3), numbers(n, try > 3), numbers(n+1, try > 3), numbers(2, try > 3)
				squares := try%2 == 0
				got, want := slices.Clone(w), slices.Clone(w)
				sum, slope := r.poles(got[:n:n], d, z, x[0], x[1], squares)
				wantSum, wantSlope := Rows[float64]{}.poles(want[:n:n], d, z, x[0], x[1], squares)
				if !same(sum, wantSum) || !same(slope, wantSlope) || !slices.EqualFunc(got, want, same) {
					t.Fatalf("%s: poles of %d: %v %v, not %v %v", name, n, sum, slope, wantSum, wantSlope)
				}
				if sum, slope = r.poles(nil, d, z, x[0], x[1], squares); !same(sum, wantSum) || !same(slope, wantSlope) {
					t.Fatalf("%s: poles of %d, not stored: %v %v, not %v %v", name, n, sum, slope, wantSum, wantSlope)
				}
				copy(got, w)
				copy(want, w)
				count := min(n, 1+try%together)
				if count == 0 {
					continue
				}
				at, far, own := numbers(count, try > 3), numbers(count, try > 3), d[n-count:]
				r.weigh(got[:n:n], d, at, far, own, squares)
				Rows[float64]{}.weigh(want[:n:n], d, at, far, own, squares)
				if !slices.EqualFunc(got, want, same) {
					t.Fatalf("%s: weights of %d: %v, not %v", name, n, got, want)
				}
			}
		}
	}
}

func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }
