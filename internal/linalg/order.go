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
	const run, few, many = 16, 256, 1 << 16
	keys, other, at := words[:n], words[n:2*n], unsafe.Slice((*int64)(unsafe.Pointer(&words[2*n])), n)
	if ints, ok := any(x).([]int64); ok && n > many {
		flip := uint64(1 << 63)
		if descending {
			flip = ^flip
		}
		argSortParts(y, unsafe.Slice((*uint64)(unsafe.Pointer(&ints[0])), n), flip, words)
		return
	}
	for i, v := range x {
		keys[i], y[i] = rank(v, descending), int64(i)
	}
	if n > few {
		if n > many || !argSortTop(y, keys, other, words[2*n:]) {
			argSortParts(y, keys, 0, words[n:])
		}
		return
	}
	for lo := 0; lo < n; lo += run {
		insert(keys[lo:min(lo+run, n)], y[lo:min(lo+run, n)])
	}
	from, to, fromAt, toAt := keys, other, y[:n], at
	for width := run; width < n; width *= 2 {
		for lo := 0; lo < n; lo += 2 * width {
			merge(from, to, fromAt, toAt, lo, min(lo+width, n), min(lo+2*width, n))
		}
		from, to, fromAt, toAt = to, from, toAt, fromAt
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

// argSortParts sorts by keys[i]^flip; work holds 2·n words.
//
// A word is the upper of the bits in which keys differ, and the index below, so that one word is moved for an element, and equal ones
// keep their order. Words go to parts of some thousand by their first bits, which a word then need not have, and each part is sorted
// in the first cache. What is equal in all of a word's bits is sorted again by those below.
func argSortParts(y []int64, keys []uint64, flip uint64, work []uint64) {
	n := len(keys)
	words, other := work[:n], work[n:2*n]
	split, below := max(1, min(bits.Len(uint(n>>10)), maxSplit)), bits.Len(uint(n-1))
	index := uint64(1)<<below - 1
	var count [1 << maxDigit]uint32
	var ends [1 << maxSplit]uint32
	up := 0
	differ := countFirst(&ends, keys, flip, up, split)
	if up = bits.LeadingZeros64(differ) & 63; up > 0 {
		countFirst(&ends, keys, flip, up, split)
	}
	sum := uint32(0)
	for d, c := range ends {
		ends[d] = sum
		sum += c
	}
	toParts(words, keys, flip, index, up, split, &ends)
	known := up + split + 64 - below // bits of a key that are in order, or that all have in common
	lo := uint32(0)
	for _, hi := range ends[:1<<split] {
		part, at := words[lo:hi], y[lo:hi]
		lo = hi
		sortWords(part, other, 64, below, &count)
		if same := indices(at, part, index); !same || differ<<known == 0 {
			continue
		}
		for lo := 0; lo < len(part); {
			hi := lo + 1
			for hi < len(part) && (part[hi]^part[lo])>>below == 0 {
				hi++
			}
			if equal := part[lo:hi]; len(equal) > 1 {
				for i, e := range at[lo:hi] {
					equal[i] = (keys[e]^flip)<<known | uint64(e)
				}
				sortWords(equal, other, 64, below, &count)
				indices(at[lo:hi], equal, index)
			}
			lo = hi
		}
	}
}

// The loops over all keys are apart, so that they have the registers to themselves.

// countFirst sets count to how many keys have which first bits, split of them behind up, and returns the bits in which keys differ.
//
//go:noinline
func countFirst(count *[1 << maxSplit]uint32, keys []uint64, flip uint64, up, split int) (differ uint64) {
	clear(count[:])
	up &= 63 // so that shifts need no look at it
	first, one := (64-split)&63, keys[0]
	for _, k := range keys {
		differ |= k ^ one
		count[(k^flip)<<up>>first&(1<<maxSplit-1)]++
	}
	return differ
}

// toParts makes words of keys and puts them where their first bits belong: part d's next at ends[d].
//
//go:noinline
func toParts(words, keys []uint64, flip, index uint64, up, split int, ends *[1 << maxSplit]uint32) {
	up, split = up&63, split&63
	first := (64 - split) & 63
	for i, k := range keys {
		k = (k ^ flip) << up
		d := k >> first & (1<<maxSplit - 1)
		at := ends[d]
		ends[d] = at + 1
		words[at] = k<<split&^index | uint64(i)
	}
}

// indices sets y to the indices of words, and reports whether some that follow each other are otherwise the same.
//
//go:noinline
func indices(y []int64, words []uint64, index uint64) (same bool) {
	y = y[:len(words)]
	last, least := ^uint64(0), ^uint64(0) // of what differs between neighbours
	if len(words) > 0 {
		last = ^words[0]
	}
	for i, w := range words {
		y[i] = int64(w & index)
		least = min(least, w^last)
		last = w
	}
	return least <= index
}

// maxSplit is the most bits by which words go to parts at first.
const maxSplit = 10

// maxDigit is the most bits by which words are moved at once: as many counts and places to write to as the first cache holds.
const maxDigit = 11

// sortWords sorts a by the bits above below, and is given words in the order of those below and with the same bits from top on.
// other holds as many words. Words are moved by the first bits, twice as many parts as there are words; most are then where they
// belong, or beside. Parts that are longer are sorted first.
func sortWords(a, other []uint64, top, below int, count *[1 << maxDigit]uint32) {
	const few = 16
	if len(a) == 0 {
		return
	}
	other = other[:len(a)]
	if len(a) > few && top > below {
		digit := min(bits.Len(uint(len(a))), maxDigit, top-below)
		shift, c := (top-digit)&63, count[:1<<digit]
		digits := uint64(len(c) - 1)
		clear(c)
		for _, w := range a {
			c[w>>shift&digits]++
		}
		sum, any := uint32(0), uint32(0)
		for d, n := range c {
			c[d] = sum
			sum += n
			any |= n
		}
		for _, w := range a {
			d := w >> shift & digits
			at := c[d]
			c[d] = at + 1
			other[at] = w
		}
		for lo := 0; any >= few && lo < len(a); {
			hi := lo + 1
			for hi < len(a) && other[hi]>>shift == other[lo]>>shift {
				hi++
			}
			if hi-lo > few {
				sortWords(other[lo:hi], a, top-digit, below, count)
			}
			lo = hi
		}
	} else {
		copy(other, a)
	}
	// The last two so far are last, the largest, and next.
	last, next := other[0], uint64(0)
	for i, w := range other[1:] {
		less, borrow := bits.Sub64(w, last, 0)
		less &= -borrow
		low := last + less
		last = w - less
		a[i] = low
		if low < next {
			j := i
			for ; j > 0 && a[j-1] > low; j-- {
				a[j] = a[j-1]
			}
			a[j] = low
			low = next
		}
		next = low
	}
	a[len(a)-1] = last
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

// segmentBlock is how many elements are compared with the largest ones before these change: most are not above those.
const segmentBlock = 512

// SegmentWork is the float64s of SegmentMax's workspace.
const SegmentWork = (segmentBlock + 16) / 2

// Above finds elements that are above what their segments have, as a level's kernel does.
type Above func(at, x, y, ids unsafe.Pointer, n, m int) int

// SegmentMax is the largest element of each of len(y) segments, NaN being the largest of all, and -Inf for an empty one. It returns
// the place of the first number in ids that is none of a segment, -1 if there is none. above, for ids that are int32s, may be nil.
func SegmentMax[T float32 | float64, I int32 | int64](y, x []T, ids []I, above Above, work []float64) int {
	for k := range y {
		y[k] = T(math.Inf(-1))
	}
	ids = ids[:len(x)]
	list := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(work))), 2*SegmentWork)
	for from := 0; from < len(x); from += segmentBlock {
		xs := x[from:min(from+segmentBlock, len(x))]
		at := ids[from : from+len(xs)]
		found, done := 0, 0
		if above != nil {
			if done = len(xs) &^ 15; done > 0 {
				found = above(unsafe.Pointer(&list[0]), unsafe.Pointer(&xs[0]), unsafe.Pointer(unsafe.SliceData(y)), unsafe.Pointer(&at[0]), done, min(len(y), 1<<31))
			}
			if found < 0 {
				found, done = 0, 0
			}
		}
		for i := done; i < len(at); i++ {
			k := at[i]
			if uint(k) >= uint(len(y)) {
				return from + i
			}
			list[found&(segmentBlock-1)] = int32(i)
			more := 1
			if xs[i] <= y[k] {
				more = 0
			}
			found += more
		}
		for _, i := range list[:found] {
			if v, k := xs[i], at[i]; v > y[k] || v != v {
				y[k] = v
			}
		}
	}
	return -1
}

// Recurrence is y[0] = b[0], y[k] = a[k]·y[k-1] + b[k] along each row of n elements, b[k] after a 0. Four rows go at a time since
// each waits for itself.
func Recurrence[T float32 | float64](y, a, b []T, n int) {
	if n == 0 {
		return
	}
	next := func(a, s, b T) T {
		p := T(a * s)
		if s == 0 {
			p = 0
		}
		return p + b
	}
	for ; len(y) >= 4*n; y, a, b = y[4*n:], a[4*n:], b[4*n:] {
		y0, y1, y2, y3 := y[:n], y[n:][:n], y[2*n:][:n], y[3*n:][:n]
		a0, a1, a2, a3 := a[:n], a[n:][:n], a[2*n:][:n], a[3*n:][:n]
		b0, b1, b2, b3 := b[:n], b[n:][:n], b[2*n:][:n], b[3*n:][:n]
		s0, s1, s2, s3 := b0[0], b1[0], b2[0], b3[0]
		y0[0], y1[0], y2[0], y3[0] = s0, s1, s2, s3
		for k := 1; k < n; k++ {
			s0, s1, s2, s3 = next(a0[k], s0, b0[k]), next(a1[k], s1, b1[k]), next(a2[k], s2, b2[k]), next(a3[k], s3, b3[k])
			y0[k], y1[k], y2[k], y3[k] = s0, s1, s2, s3
		}
	}
	for ; len(y) > 0; y, a, b = y[n:], a[n:], b[n:] {
		s := b[0]
		y[0] = s
		for k := 1; k < n; k++ {
			s = next(a[k], s, b[k])
			y[k] = s
		}
	}
}
