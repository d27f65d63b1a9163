package linalg

import (
	"math"
	"math/bits"
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
	case float32:
		if v != v {
			return math.MaxUint64
		}
		k = uint64(math.Float32bits(v+0)) << 32 // -0 is 0
		k = signed(k)
	case float64:
		if v != v {
			return math.MaxUint64
		}
		k = signed(math.Float64bits(v + 0))
	}
	if descending {
		k = ^k
	}
	return k
}

// signed makes the order of a float's bits that of the float.
func signed(k uint64) uint64 {
	if k>>63 != 0 {
		return ^k
	}
	return k | 1<<63
}

// ArgSort is the indices that sort x, stably, NaN last. work holds ArgSortWork numbers of 8 bytes.
func ArgSort[T Number](y []int64, x []T, descending bool, work []float64) {
	n := len(x)
	if n == 0 {
		return
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(work))), 3*n)
	if unsafe.Sizeof(x[0]) == 4 && n > 128 && n <= math.MaxInt32 {
		_, float := any(x[0]).(float32)
		argSort32(y, unsafe.Slice((*uint32)(unsafe.Pointer(&x[0])), n), float, descending, words)
		return
	}
	keys, other, at := words[:n], words[n:2*n], unsafe.Slice((*int64)(unsafe.Pointer(&words[2*n])), n)
	for i, v := range x {
		keys[i], y[i] = rank(v, descending), int64(i)
	}
	const run, few = 16, 256
	for lo := 0; lo < n && n <= few; lo += run {
		insert(keys[lo:min(lo+run, n)], y[lo:min(lo+run, n)])
	}
	from, to, fromAt, toAt := keys, other, y[:n], at
	if n <= few {
		for width := run; width < n; width *= 2 {
			for lo := 0; lo < n; lo += 2 * width {
				merge(from, to, fromAt, toAt, lo, min(lo+width, n), min(lo+2*width, n))
			}
			from, to, fromAt, toAt = to, from, toAt, fromAt
		}
	} else if !argSortTop(y, keys, other, words[2*n:]) {
		for i := range y {
			y[i] = int64(i)
		}
		// By bytes, the lowest first; those that all have in common change nothing.
		var count [8][256]int32
		for _, k := range from {
			for b := range 8 {
				count[b][k>>(8*b)&255]++
			}
		}
		for b := range 8 {
			count, shift := &count[b], 8*b
			if int(count[from[0]>>shift&255]) == n {
				continue
			}
			sum := int32(0)
			for d, c := range count {
				count[d] = sum
				sum += c
			}
			for i, k := range from {
				d := k >> shift & 255
				j := count[d]
				count[d]++
				to[j], toAt[j] = k, fromAt[i]
			}
			from, to, fromAt, toAt = to, from, toAt, fromAt
		}
	}
	if &fromAt[0] != &y[0] {
		copy(y, fromAt)
	}
}

// argSort32 is ArgSort of numbers of 32 bits: a key is a number with its place in the order of all, and the index below, so
// that keys are moved alone.
func argSort32(y []int64, x []uint32, float, descending bool, words []uint64) {
	const sign, inf = 1 << 31, 0x7f800000
	n := len(x)
	from, to := words[:n], words[n:2*n]
	down := uint32(0)
	if descending {
		down = math.MaxUint32
	}
	var count [4][256]uint32
	for i, k := range x {
		switch {
		case !float:
			k ^= sign ^ down
		case k&^sign > inf: // NaN
			k = math.MaxUint32
		case k == sign: // -0 is 0
			k = sign ^ down
		default:
			k ^= uint32(int32(k)>>31) | sign ^ down
		}
		from[i] = uint64(k)<<32 | uint64(i)
		count[0][k&255]++
		count[1][k>>8&255]++
		count[2][k>>16&255]++
		count[3][k>>24]++
	}
	for i, k := range byTop(from, to, &count) {
		y[i] = int64(uint32(k))
	}
}

// byTop is keys sorted by their upper halves, of whose bytes count says how many have which value; to holds as many. They are
// moved by one byte after the other, the lowest first; one that all have in common changes nothing.
func byTop(keys, to []uint64, count *[4][256]uint32) []uint64 {
	for b := range count {
		c, shift := &count[b], 32+8*b
		if int(c[keys[0]>>shift&255]) == len(keys) {
			continue
		}
		sum := uint32(0)
		for d, m := range c {
			c[d] = sum
			sum += m
		}
		for _, k := range keys {
			d := k >> shift & 255
			to[c[d]] = k
			c[d]++
		}
		keys, to = to, keys
	}
	return keys
}

// argSortTop sorts by the upper 32 of the bits in which keys differ, as argSort32 does, and what is equal there by insertion. Where
// much is, it gives up, which most numbers of one distribution do not make it do: false, and y holds nothing.
func argSortTop(y []int64, keys, from, to []uint64) bool {
	n := len(keys)
	if n > math.MaxInt32 {
		return false
	}
	differ := uint64(0)
	for _, k := range keys {
		differ |= k ^ keys[0]
	}
	shift := max(0, bits.Len64(differ)-32)
	var count [4][256]uint32
	for i, k := range keys {
		k = k >> shift & math.MaxUint32
		from[i] = k<<32 | uint64(i)
		count[0][k&255]++
		count[1][k>>8&255]++
		count[2][k>>16&255]++
		count[3][k>>24]++
	}
	const most = 16 // keys that are moved past others, on average
	moves := most * n
	sorted := byTop(from, to, &count)
	for i, s := range sorted {
		at, j := int64(uint32(s)), i
		if shift > 0 && i > 0 && s>>32 == sorted[i-1]>>32 {
			for k := keys[at]; j > 0 && keys[y[j-1]] > k; j-- {
				y[j] = y[j-1]
			}
			if moves -= i - j; moves < 0 {
				return false
			}
		}
		y[j] = at
	}
	return true
}

// insert sorts keys, with at along.
func insert(keys []uint64, at []int64) {
	for i := 1; i < len(keys); i++ {
		k, e, j := keys[i], at[i], i
		for ; j > 0 && keys[j-1] > k; j-- {
			keys[j], at[j] = keys[j-1], at[j-1]
		}
		keys[j], at[j] = k, e
	}
}

// merge joins the sorted lo … mid-1 and mid … hi-1 of from into to.
func merge(from, to []uint64, fromAt, toAt []int64, lo, mid, hi int) {
	i, j := lo, mid
	for o := lo; o < hi; o++ {
		p := i
		if i >= mid || j < hi && from[j] < from[i] {
			p = j
			j++
		} else {
			i++
		}
		to[o], toAt[o] = from[p], fromAt[p]
	}
}

// ArgTop is the first k > 0 of the indices that ArgSort gives, and 0 behind them: elements that belong to the first k so far are
// put where they belong, which of numbers in no order are some k·log(n/k).
func ArgTop[T Number](y []int64, x []T, k int, descending bool, work []float64) {
	keys, at := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(work))), k), y[:k]
	for i, v := range x[:k] {
		keys[i], at[i] = rank(v, descending), int64(i)
	}
	insert(keys, at)
	for i := k; i < len(x); i++ {
		// Most are not before the last of the first k, which takes one comparison to see. What is no number is looked at.
		if last := x[at[k-1]]; descending {
			for i < len(x) && x[i] <= last {
				i++
			}
		} else {
			for i < len(x) && x[i] >= last {
				i++
			}
		}
		if i == len(x) {
			break
		}
		r := rank(x[i], descending)
		if r >= keys[k-1] {
			continue
		}
		j := k - 1
		for ; j > 0 && keys[j-1] > r; j-- {
			keys[j], at[j] = keys[j-1], at[j-1]
		}
		keys[j], at[j] = r, int64(i)
	}
	clear(y[k:])
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

// SegmentMax is the largest element of each of len(y) segments, NaN being the largest of all, and -Inf for an empty one. It returns
// the place of the first number in ids that is none of a segment, -1 if there is none.
func SegmentMax[T float32 | float64, I int32 | int64](y, x []T, ids []I) int {
	for k := range y {
		y[k] = T(math.Inf(-1))
	}
	for i, v := range x {
		k := int(ids[i])
		if uint(k) >= uint(len(y)) {
			return i
		}
		if v > y[k] || v != v {
			y[k] = v
		}
	}
	return -1
}
