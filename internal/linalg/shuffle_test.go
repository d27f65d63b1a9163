package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func shuffledBy(r *rand.Rand, n int) []int64 {
	y, words := make([]int64, n), make([]int64, n)
	for i := range words {
		words[i] = int64(r.Uint64())
	}
	Shuffle(y, words, make([]float64, ShuffleWork(n)))
	return y
}

// Every number comes once; every order of four as often as any other; in several parts, any two numbers at any two places.
func TestShuffle(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for _, n := range []int{0, 1, 2, 7, 2047, 2048, 5000, 1<<16 + 1, 300_000, 3_000_000} {
		seen := make([]bool, n)
		for _, k := range shuffledBy(r, n) {
			if seen[k] {
				t.Fatalf("%d of %d comes twice", k, n)
			}
			seen[k] = true
		}
	}
	chi := func(counts map[string]float64, classes int) {
		t.Helper()
		all, sum := 0.0, 0.0
		for _, c := range counts {
			all += c
		}
		mean := all / float64(classes)
		for _, c := range counts {
			sum += (c - mean) * (c - mean) / mean
		}
		sum += mean * float64(classes-len(counts))
		if d := float64(classes - 1); sum > d+5*math.Sqrt(2*d) {
			t.Errorf("χ² is %v of %v", sum, d)
		}
	}
	four := map[string]float64{}
	for range 24_000 {
		four[fmt.Sprint(shuffledBy(r, 4))]++
	}
	chi(four, 24)
	const n, bins = 4096, 5
	for _, pair := range [][2]int{{0, 1}, {0, n - 1}, {n/2 - 1, n / 2}} {
		places := map[string]float64{}
		for range 5000 {
			var at [2]int
			for i, k := range shuffledBy(r, n) {
				for p := range at {
					if k == int64(pair[p]) {
						at[p] = i * bins / n
					}
				}
			}
			places[fmt.Sprint(at)]++
		}
		chi(places, bins*bins)
	}
}

func BenchmarkShuffle(b *testing.B) {
	const n = 1_000_000
	r := rand.New(rand.NewPCG(3, 5))
	y, words, work := make([]int64, n), make([]int64, n), make([]float64, ShuffleWork(n))
	for i := range words {
		words[i] = int64(r.Uint64())
	}
	for b.Loop() {
		Shuffle(y, words, work)
	}
}
