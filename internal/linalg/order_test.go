package linalg

import "testing"

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
	}
}
