package linalg

import (
	"math"
	"slices"
	"testing"
)

// ArgTop is what ArgSort begins with: ties, NaN and infinities included, in any order that they come.
func TestArgTop(t *testing.T) {
	const n = 67
	x := random(n, 2)
	for i := range x {
		switch i % 7 {
		case 0:
			x[i] = math.Round(2 * x[i])
		case 1:
			x[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}[i/7%4]
		}
	}
	up := slices.Clone(x)
	slices.Sort(up)
	down := slices.Clone(up)
	slices.Reverse(down)
	work := make([]float64, ArgSortWork(n))
	for _, x := range [][]float64{x, up, down} {
		for _, descending := range []bool{false, true} {
			want, got := make([]int64, n), make([]int64, n)
			ArgSort(want, x, descending, work)
			for k := 1; k <= n; k++ {
				ArgTop(got, x, k, descending, work)
				if !slices.Equal(got[:k], want[:k]) {
					t.Errorf("descending %v, %d: %v, not %v", descending, k, got[:k], want[:k])
				}
			}
		}
	}
}

func BenchmarkArgSort(b *testing.B) {
	for name, n := range map[string]int{"10": 10, "100": 100, "1000": 1000, "100000": 100000} {
		x := random(n, 1)
		x32 := make([]float32, n)
		for i, v := range x {
			x32[i] = float32(v)
		}
		y, work := make([]int64, n), make([]float64, ArgSortWork(n))
		b.Run("f32/"+name, func(b *testing.B) {
			for b.Loop() {
				ArgSort(y, x32, false, work)
			}
		})
		b.Run("f32/top/"+name, func(b *testing.B) {
			for b.Loop() {
				ArgTop(y, x32, 10, true, work)
			}
		})
	}
}
