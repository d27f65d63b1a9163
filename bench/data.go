package main

import (
	"unsafe"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// number is one of [0, 1) with 24 bits: element i of the array of a seed, the same in every peer.
func number(seed, i int) float64 {
	z := uint64(seed)<<32 + uint64(i)
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>40) / (1 << 24)
}

// float is float32 or float64.
type float interface{ float32 | float64 }

// numbers is n numbers of [lo, hi).
func numbers[T float](seed, n int, lo, hi float64) []T {
	t := ad.F64
	if unsafe.Sizeof(T(0)) == 4 {
		t = ad.F32
	}
	s := ad.Data[T](t.Zeros(n)) // as NumPy's memory, what is large asks for huge pages
	for i := range s {
		s[i] = T(lo + (hi-lo)*number(seed, i))
	}
	return s
}

// labels is n integers of [0, k).
func labels(seed, n, k int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(number(seed, i) * float64(k))
	}
	return s
}

// some is at most k of the indices 0 … n-1, the first and the last among them.
func some(n, k int) []int {
	if n <= k {
		k = n
	}
	index := make([]int, k)
	for i := range index {
		index[i] = i
		if k > 1 && n > k {
			index[i] = int(float64(i) / float64(k-1) * float64(n-1))
		}
	}
	return index
}
