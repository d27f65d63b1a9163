package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// windowsCase is pictures whose windows are multiplied, and where they lie.
type windowsCase struct{ pictures, h, w, c, f int }

// TestWinograd holds every level to Go's bits, of windows that are read from pictures and of a matrix of them, and those to sums of products.
func TestWinograd(t *testing.T) {
	defer func(bytes int) { tileBytes = bytes }(tileBytes)
	rng := rand.New(rand.NewPCG(31, 32))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	cases := []windowsCase{{1, 2, 2, 16, 16}, {2, 7, 9, 32, 48}, {2, 3, 131, 32, 16}, {0, 4, 4, 16, 16}}
	if !testing.Short() {
		cases = append(cases, windowsCase{3, 8, 6, 48, 80}, windowsCase{1, 5, 28, 272, 32}, windowsCase{9, 4, 5, 32, 128})
	}
	for _, s := range cases {
		tileBytes = 1 << (14 + rng.IntN(7))
		wide, high := s.w+2, s.h+2
		x := random(max(1, s.pictures) * high * wide * s.c)
		places, _ := MakeView([]int{s.pictures, s.h, s.w}, []int{high * wide * s.c, wide * s.c, s.c})
		taps, _ := MakeView([]int{3, 3, s.c}, []int{wide * s.c, s.c, 1})
		if s.pictures == 0 {
			places = View{}
		}
		windows, cols := s.pictures*s.h*s.w, 9*s.c
		matrix := make([]float32, windows*cols)
		for i := range matrix {
			matrix[i] = x[places.At(i/cols)+taps.At(i%cols)]
		}
		for _, gradient := range []bool{false, true} {
			name := fmt.Sprintf("%+v, gradient %v", s, gradient)
			g := Gemm{Type: dtype.F32, Batch: 1, M: windows, N: s.f, K: cols, ARow: cols, ACol: 1, BRow: s.f + 3, BCol: 1, CRow: s.f + 5,
				Windows: &Windows{s.h, s.w, gradient}}
			if gradient {
				g.M, g.K, g.ARow, g.ACol = g.K, g.M, g.ACol, g.ARow
			}
			b := random(g.K*g.BRow + 1)
			want := unsafe.Slice((*float32)(gemmScratch(4*g.M*g.CRow)), g.M*g.CRow)
			runShuffled(newRun(Purego, g, unsafe.Pointer(unsafe.SliceData(matrix)), unsafe.Pointer(&b[0]), unsafe.Pointer(unsafe.SliceData(want)), 1), rng)
			for i := range g.M * g.N {
				i, j := i/g.N, i%g.N
				sum, size := 0.0, 0.0
				for k := range g.K {
					p := float64(matrix[i*g.ARow+k*g.ACol]) * float64(b[k*g.BRow+j])
					sum, size = sum+p, size+math.Abs(p)
				}
				if got := float64(want[i*g.CRow+j]); !(math.Abs(got-sum) <= 2e-6*(size+10)) {
					t.Fatalf("%s: c[%d,%d] = %v, want %v", name, i, j, got, sum)
				}
			}
			grid := &Grid{places, taps}
			if gradient {
				grid = &Grid{taps, places}
			}
			for _, lv := range distinct() {
				for _, from := range []*Grid{nil, grid} {
					g, a := g, unsafe.Pointer(unsafe.SliceData(matrix))
					if g.AGrid = from; from != nil {
						g.ARow, g.ACol, a = 0, 0, unsafe.Pointer(&x[0])
					}
					c := gemmScratch(4 * len(want))
					r := newRun(lv, g, a, unsafe.Pointer(&b[0]), c, 2)
					done := &tiling{g: g, seen: make([]int, len(want))}
					r.Epilogue = done
					runShuffled(r, rng)
					for i, got := range unsafe.Slice((*float32)(c), len(want)) {
						if math.Float32bits(got) != math.Float32bits(want[i]) {
							t.Fatalf("%s, %s, grid %v: element %d is %v, want %v", lv.Name, name, from != nil, i, got, want[i])
						}
					}
					if msg := done.check(); msg != "" {
						t.Fatalf("%s, %s: %s", lv.Name, name, msg)
					}
				}
			}
		}
	}
}
