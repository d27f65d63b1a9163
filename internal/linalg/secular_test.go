package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
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
					s := secular{d: d, z: z, rho: 1, squares: squares}
					p := func(j int) float64 {
						if squares {
							return d[j] * d[j]
						}
						return d[j]
					}
					before := append([]float64(nil), z...)
					delta, trace, size := make([]float64, n*n), 0.0, 0.0
					for i := range n {
						row := delta[i*n : (i+1)*n]
						k, mu, ok := s.root(i, row)
						if !ok {
							t.Fatalf("%s: root %d", what, i)
						}
						for j, v := range row {
							if j <= i != (v < 0) {
								t.Fatalf("%s: root %d is on the wrong side of pole %d: %v", what, i, j, v)
							}
						}
						trace += p(k) + mu - p(i) - z[i]*z[i]
						size = max(size, p(k)+mu)
					}
					if !(math.Abs(trace) <= 1e-15*float64(n*n)*size) {
						t.Errorf("%s: the trace is off by %v of %v", what, trace, size)
					}
					s.weights(delta, make([]float64, 2*n))
					scale := norm(before) / norm(z)
					for j := range z {
						if off := math.Abs(z[j]*scale - before[j]); !(off <= 1e-14*float64(n)) {
							t.Errorf("%s: weight %d is %v, not %v", what, j, z[j]*scale, before[j])
						}
					}
					for i := range n {
						row := delta[i*n : (i+1)*n]
						for j := range row {
							row[j] = z[j] / row[j]
						}
						scaleTo1(row)
						for k := range i {
							if off := dot(row, delta[k*n:(k+1)*n]); !(math.Abs(off) <= 1e-15*float64(n)) {
								t.Errorf("%s: vectors %d and %d: %v", what, i, k, off)
							}
						}
					}
				}
			}
		}
	}
}

func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }

func scaleTo1(x []float64) { scale(1/norm(x), x) }
