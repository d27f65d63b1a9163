package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/fft"
)

// Transforms of several rows side by side, with every level's passes, have the bits of each row's with Go's, whatever
// the elements are.
func TestFFTPasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, -2e-310, math.MaxFloat64}
	for _, level := range Levels() {
		for _, n := range []int{1, 2, 4, 8, 12, 16, 32, 37, 60, 64, 100, 128, 256, 512, 1000} {
			for _, w := range []int{1, 3, fft.Lanes} {
				for _, strange := range []bool{false, true} {
					fast, slow := fft.New(n, level.FFT), fft.New(n, fft.Passes{})
					re, im := make([]float64, n*w), make([]float64, n*w)
					for i := range re {
						re[i], im[i] = rng.NormFloat64(), rng.NormFloat64()
					}
					if strange {
						re[rng.IntN(n*w)], im[rng.IntN(n*w)] = odd[rng.IntN(len(odd))], odd[rng.IntN(len(odd))]
					}
					wr, wi := make([]float64, n*w), make([]float64, n*w)
					for l := range w {
						r, i := make([]float64, n), make([]float64, n)
						for j := range r {
							r[j], i[j] = re[j*w+l], im[j*w+l]
						}
						slow.Forward(1, r, i, make([]float64, slow.Work()))
						for j := range r {
							wr[j*w+l], wi[j*w+l] = r[j], i[j]
						}
					}
					fast.Forward(w, re, im, make([]float64, w*fast.Work()))
					for i := range re {
						if !same(re[i], wr[i]) || !same(im[i], wi[i]) {
							t.Fatalf("%s, length %d, %d rows, element %d: %v %v, not %v %v", level.Name, n, w, i, re[i], im[i], wr[i], wi[i])
						}
					}
				}
			}
		}
	}
}

func same(x, y float64) bool { return x != x && y != y || math.Float64bits(x) == math.Float64bits(y) }
