package runtime

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/linalg"
	"github.com/adjoint-go/adjoint/kernels"
)

// The largest of segments, of more elements than are compared at once, is what a plain loop finds, the first of zeros among them, with every
// level's search, and so is the first number that is none of a segment.
func TestSegmentMaxOfMany(t *testing.T) {
	segmentMaxOfMany[float32](t, dtype.F32)
	segmentMaxOfMany[float64](t, dtype.F64)
}

func segmentMaxOfMany[T float32 | float64](t *testing.T, typ dtype.Type) {
	rng := rand.New(rand.NewPCG(4, 1))
	work := make([]float64, linalg.SegmentWork)
	negative := T(math.Copysign(0, -1))
	for _, l := range kernels.Levels() {
		for _, n := range []int{0, 1, 15, 17, 512, 513, 1100, 2049} {
			for _, m := range []int{1, 3, 100} {
				for _, bad := range []int{-1, 0, n / 2, n - 1} {
					x, ids, wide := make([]T, n), make([]int32, n), make([]int64, n)
					for i := range x {
						x[i] = T(rng.IntN(9) - 8)
						switch rng.IntN(40) {
						case 0:
							x[i] = negative
						case 1:
							x[i] = T(math.NaN())
						}
						ids[i] = int32(rng.IntN(m))
					}
					if bad >= 0 && bad < n {
						ids[bad] = []int32{-1, int32(m), math.MinInt32, math.MaxInt32}[rng.IntN(4)]
					} else if bad >= 0 {
						continue
					}
					want := slices.Repeat([]T{T(math.Inf(-1))}, m)
					for i, v := range x {
						if wide[i] = int64(ids[i]); bad < 0 && (v > want[ids[i]] || v != v) {
							want[ids[i]] = v
						}
					}
					y, z := make([]T, m), make([]T, m)
					if got := linalg.SegmentMax(y, x, ids, l.Above[typ], work); got != bad {
						t.Fatalf("%s: %d of %d: the first that is none is %d, not %d", l.Name, n, m, got, bad)
					}
					if got := linalg.SegmentMax(z, x, wide, nil, work); got != bad {
						t.Fatalf("%d of %d, int64s: the first that is none is %d, not %d", n, m, got, bad)
					}
					if bad < 0 && (sameBits(typ, bytesOf(y), bytesOf(want)) >= 0 || sameBits(typ, bytesOf(z), bytesOf(want)) >= 0) {
						t.Fatalf("%s: %d of %d: %v and %v, want %v", l.Name, n, m, y, z, want)
					}
				}
			}
		}
	}
}

// Indices that are out of range are seen wherever they are among many.
func TestManyIndices(t *testing.T) {
	rng, room := rand.New(rand.NewPCG(4, 2)), scratch(16)
	for _, l := range kernels.Levels() {
		for _, typ := range []dtype.Type{dtype.I32, dtype.I64} {
			u := &indexCheck{size: 1000, max: l.FoldRows(kernels.Max, typ), min: l.FoldRows(kernels.Min, typ)}
			for _, n := range []int{1023, 1024, 1025, 3000, 4096} {
				for _, k := range []int64{0, 999, 1000, -1, math.MinInt32, math.MaxInt32} {
					narrow, wide := make([]int32, n), make([]int64, n)
					for i := range n {
						narrow[i] = int32(rng.IntN(1000))
						wide[i] = int64(narrow[i])
					}
					at := rng.IntN(n)
					narrow[at], wide[at] = int32(k), k
					a := indexArray{unsafe.Pointer(&narrow[0]), false}
					if typ == dtype.I64 {
						a = indexArray{unsafe.Pointer(&wide[0]), true}
					}
					if got, want := u.inRange(a, n, room), k >= 0 && k < 1000; got != want {
						t.Errorf("%s, %v: %d of %d at %d: %v", l.Name, typ, k, n, at, got)
					}
				}
			}
		}
	}
}
