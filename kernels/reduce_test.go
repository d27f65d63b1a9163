package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Every reduction of float64 rows against a plain loop over the stated lanes and tree, bit for bit.
func TestFold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	plain := [NumReductions]struct {
		start float64
		f     func(a, b float64) float64
	}{
		Sum:  {0, func(a, b float64) float64 { return a + b }},
		Prod: {1, func(a, b float64) float64 { return a * b }},
		Max:  {math.Inf(-1), func(a, b float64) float64 { return max(a, b) }},
		Min:  {math.Inf(1), func(a, b float64) float64 { return min(a, b) }},
	}
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5e-324}
	for _, level := range Levels() {
		for r, want := range plain {
			for n := range 68 {
				x := make([]float64, n+1)[:n:n]
				for i := range x {
					x[i] = rng.NormFloat64()
					if rng.IntN(40) == 0 {
						x[i] = special[rng.IntN(len(special))]
					}
				}
				var lanes, oracle [16]float64
				for i := range oracle {
					oracle[i] = want.start
				}
				for i, v := range x {
					oracle[i%16] = want.f(oracle[i%16], v)
				}
				for h := 8; h > 0; h /= 2 {
					for i := range h {
						oracle[i] = want.f(oracle[i], oracle[i+h])
					}
				}
				p := unsafe.Pointer(&lanes)
				InitLanes(p, Reduction(r), dtype.F64)
				level.Fold(Reduction(r), dtype.F64)(p, unsafe.Pointer(unsafe.SliceData(x)), n)
				FinishLanes(p, Reduction(r), dtype.F64)
				if math.Float64bits(lanes[0]) != math.Float64bits(oracle[0]) && !(lanes[0] != lanes[0] && oracle[0] != oracle[0]) {
					t.Fatalf("%s: reduction %d of %d elements: %v, want %v", level.Name, r, n, lanes[0], oracle[0])
				}
			}
		}
	}
}
