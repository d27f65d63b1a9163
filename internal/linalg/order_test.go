package linalg

import (
	"cmp"
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

// All ways to sort, of few, of many and by parts, of every type, give the order of slices.SortStableFunc: NaN last, -0 beside 0.
func TestArgSort(t *testing.T) {
	for _, n := range []int{0, 1, 2, 15, 16, 17, 33, 64, 67, 128, 129, 255, 1000, 1024, 1025, 3000, 1<<16 + 1} {
		for _, spread := range []float64{1, 1e9} {
			x := random(n, 3)
			for i := range x {
				x[i] = math.Round(x[i]*spread) / 4
			}
			checkArgSort(t, x, func(x float64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, x))) })
			checkArgSort(t, x, func(x float64) int64 { return int64(x) * 1e9 })
			checkArgSort(t, x, func(x float64) int64 { return int64(math.Float64bits(x) * 0x9e3779b97f4a7c15) })
			// Few differ in their upper bits; many have them in common, the lower ones upwards and downwards.
			checkArgSort(t, x, func(x float64) int64 { return int64(x)<<40 + int64(math.Float64bits(x)>>40) })
			checkArgSort(t, x, func(x float64) int64 { return int64(x)>>1<<62 - int64(x) })
			// One part holds most; a word has none of the bits in which they differ; nothing differs.
			checkArgSort(t, x, func(x float64) int64 { return int64(x)&1<<62 | int64(math.Float64bits(x)*0x9e3779b97f4a7c15>>40) })
			checkArgSort(t, x, func(x float64) int64 { return int64(x)&7<<60 | int64(x)>>3&255 })
			checkArgSort(t, x, func(x float64) int64 { return 5 })
			for i := range x {
				if i%5 == 0 {
					x[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, -1e-40, 5e-324, math.Copysign(math.NaN(), -1)}[i/5%8]
				}
			}
			checkArgSort(t, x, func(x float64) float32 { return float32(x) })
			checkArgSort(t, x, func(x float64) float64 { return x })
		}
	}
}

func checkArgSort[T Number](t *testing.T, of []float64, convert func(float64) T) {
	t.Helper()
	n := len(of)
	x := make([]T, n)
	for i, v := range of {
		x[i] = convert(v)
	}
	for _, descending := range []bool{false, true} {
		want, got := make([]int64, n), make([]int64, n)
		for i := range want {
			want[i] = int64(i)
		}
		slices.SortStableFunc(want, func(i, j int64) int {
			a, b := x[i], x[j]
			if a != a || b != b {
				return cmp.Compare(btoi(a != a), btoi(b != b))
			}
			if descending {
				a, b = b, a
			}
			switch {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		ArgSort(got, x, descending, make([]float64, ArgSortWork(n)))
		if !slices.Equal(got, want) {
			i := 0
			for got[i] == want[i] {
				i++
			}
			t.Errorf("%T, %d, descending %v: from %d on %v, not %v", x, n, descending, i, got[i:min(i+9, n)], want[i:min(i+9, n)])
		}
		for k := 1; k <= min(n, 70); k += 3 {
			top := make([]int64, n)
			ArgTop(top, x, k, descending, make([]float64, ArgSortWork(n)))
			if !slices.Equal(top[:k], want[:k]) {
				t.Errorf("%T, %d of %d, descending %v: %v, not %v", x, k, n, descending, top[:k], want[:k])
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func BenchmarkArgSort(b *testing.B) {
	for name, n := range map[string]int{"10": 10, "100": 100, "1000": 1000, "100000": 100000, "1000000": 1000000} {
		x := random(n, 1)
		x32 := make([]float32, n)
		for i, v := range x {
			x32[i] = float32(v)
		}
		bits := make([]int64, n)
		for i, v := range x {
			bits[i] = int64(math.Float64bits(v) * 0x9e3779b97f4a7c15)
		}
		y, work := make([]int64, n), make([]float64, ArgSortWork(n))
		b.Run("f64/"+name, func(b *testing.B) {
			for b.Loop() {
				ArgSort(y, x, false, work)
			}
		})
		b.Run("i64/"+name, func(b *testing.B) {
			for b.Loop() {
				ArgSort(y, bits, false, work)
			}
		})
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
