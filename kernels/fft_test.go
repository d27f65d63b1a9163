package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/fft"
)

// Transforms of several rows side by side, and of one, with every level's passes, have the bits of each row's with Go's,
// whatever the elements are, in place or not.
func TestFFTPasses(t *testing.T) {
	for _, level := range Levels() {
		t.Run(level.Name+"/f32", func(t *testing.T) { fftPasses[float32](t, level.FFT[dtype.F32], 1e-45, -1e-39, math.MaxFloat32) })
		t.Run(level.Name+"/f64", func(t *testing.T) { fftPasses[float64](t, level.FFT[dtype.F64], 5e-324, -2e-310, math.MaxFloat64) })
	}
}

func fftPasses[T fft.Float](t *testing.T, passes fft.Passes, odd ...T) {
	rng := rand.New(rand.NewPCG(7, 8))
	odd = append(odd, T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1)), T(math.Copysign(0, -1)))
	rows := func(n int) []T { return make([]T, n) }
	for _, n := range []int{1, 2, 3, 4, 5, 8, 12, 16, 25, 32, 37, 45, 60, 64, 67, 77, 100, 128, 169, 243, 256, 343, 400, 486, 512, 539, 1000, 1001, 1008, 1009, 1210, 2048} {
		fast, slow := fft.New[T](n, passes), fft.New[T](n, fft.Passes{})
		for _, w := range []int{1, 3, fft.Lanes[T](), fft.Lanes[T]() + 3} {
			for _, strange := range []bool{false, true} {
				re, im := rows(n*w), rows(n*w)
				for i := range re {
					re[i], im[i] = T(rng.NormFloat64()), T(rng.NormFloat64())
				}
				if strange {
					re[rng.IntN(n*w)], im[rng.IntN(n*w)] = odd[rng.IntN(len(odd))], odd[rng.IntN(len(odd))]
				}
				wr, wi := rows(n*w), rows(n*w)
				for l := range w {
					r, i := rows(n), rows(n)
					for j := range r {
						r[j], i[j] = re[j*w+l], im[j*w+l]
					}
					slow.Forward(1, r, i, r, i, rows(slow.Work()), fft.Ahead{})
					for j := range r {
						wr[j*w+l], wi[j*w+l] = r[j], i[j]
					}
				}
				check := func(how string, gr, gi []T) {
					for i := range gr {
						if !same(float64(gr[i]), float64(wr[i])) || !same(float64(gi[i]), float64(wi[i])) {
							t.Fatalf("length %d, %d rows%s, element %d: %v %v, not %v %v", n, w, how, i, gr[i], gi[i], wr[i], wi[i])
						}
					}
				}
				gr, gi := rows(n*w), rows(n*w)
				fast.Forward(w, gr, gi, re, im, rows(w*fast.Work()), fft.Ahead{})
				check("", gr, gi)
				p := unsafe.Pointer(&gr[0])
				fast.Forward(w, re, im, re, im, rows(w*fast.Work()), fft.Ahead{p, nil, p, p})
				check(" in place", re, im)
			}
		}
	}
}

func same(x, y float64) bool { return x != x && y != y || math.Float64bits(x) == math.Float64bits(y) }
