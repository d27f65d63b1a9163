package linalg

import (
	"math"
	"unsafe"
)

// Number is an element of a row that has an order.
type Number interface {
	float32 | float64 | int32 | int64
}

// rank is a number that has x's place in the order of all: NaN last, -0 beside 0.
func rank[T Number](x T, descending bool) uint64 {
	var k uint64
	switch v := any(x).(type) {
	case int32:
		k = uint64(v) ^ 1<<63
	case int64:
		k = uint64(v) ^ 1<<63
	default:
		f := float64(x)
		if f != f {
			return math.MaxUint64
		}
		k = math.Float64bits(f + 0) // -0 is 0
		if k>>63 != 0 {
			k = ^k
		} else {
			k |= 1 << 63
		}
	}
	if descending {
		k = ^k
	}
	return k
}

// ArgSort is the indices that sort x, stably, NaN last. work holds ArgSortWork numbers of 8 bytes.
func ArgSort[T Number](y []int64, x []T, descending bool, work []float64) {
	n := len(x)
	if n == 0 {
		return
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(work))), 3*n)
	keys, other, at := words[:n], words[n:2*n], unsafe.Slice((*int64)(unsafe.Pointer(&words[2*n])), n)
	for i, v := range x {
		keys[i], y[i] = rank(v, descending), int64(i)
	}
	if n <= 64 {
		for i := 1; i < n; i++ {
			k, e, j := keys[i], y[i], i
			for ; j > 0 && keys[j-1] > k; j-- {
				keys[j], y[j] = keys[j-1], y[j-1]
			}
			keys[j], y[j] = k, e
		}
		return
	}
	// By bytes, the lowest first; those that all have in common change nothing.
	from, to, fromAt, toAt := keys, other, y[:n], at
	for shift := 0; shift < 64; shift += 8 {
		var count [256]int
		for _, k := range from {
			count[k>>shift&255]++
		}
		if count[from[0]>>shift&255] == n {
			continue
		}
		sum := 0
		for d, c := range count {
			count[d] = sum
			sum += c
		}
		for i, k := range from {
			d := k >> shift & 255
			to[count[d]], toAt[count[d]] = k, fromAt[i]
			count[d]++
		}
		from, to, fromAt, toAt = to, from, toAt, fromAt
	}
	if &fromAt[0] != &y[0] {
		copy(y, fromAt)
	}
}

// ArgSortWork is the work of ArgSort.
func ArgSortWork(n int) int { return 3 * n }

// ArgCumMax is the index of the first largest element so far, that of the first NaN from there on.
func ArgCumMax[T Number](y []int64, x []T) {
	best := 0
	for i, v := range x {
		if b := x[best]; b == b && (v > b || v != v) {
			best = i
		}
		y[i] = int64(best)
	}
}
