package linalg

import (
	"math/bits"
	"unsafe"
)

// Shuffle is the numbers 0 … n-1 in the random order that n words of random bits, below 2³², give: each goes to the part that the first bits
// of its word name (A. Rao, 1961; C. Sandelius, 1962), and the parts, which lie in the first cache, are shuffled (R. Fisher, F. Yates,
// 1938; of R. Durstenfeld, 1964) by the other bits of the words at the same places. work holds ShuffleWork numbers of 8 bytes.
func Shuffle(y []int64, words []int64, work []float64) {
	n := len(words)
	split := min(maxSplit, bits.Len(uint(n)>>shufflePart))
	var ends [1 << maxSplit]uint32
	at := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(work))), n)
	if split == 0 {
		ends[0] = uint32(n)
		for i := range at {
			at[i] = uint32(i)
		}
	} else {
		toShuffle(&ends, at, words, split)
	}
	lo := 0
	for _, hi := range ends[:1<<split] {
		shufflePartly(y[lo:hi], at[lo:hi], words[lo:hi], split)
		lo = int(hi)
	}
}

// shufflePart is how many bits number the elements of a part.
const shufflePart = 12

// ShuffleWork is the work of Shuffle.
func ShuffleWork(n int) int { return (n + 1) / 2 }

// toShuffle puts the numbers of words where their parts are, which end at ends then.
//
//go:noinline
func toShuffle(ends *[1 << maxSplit]uint32, at []uint32, words []int64, split int) {
	first := (64 - split) & 63
	for _, w := range words {
		ends[uint64(w)>>first&(1<<maxSplit-1)]++
	}
	sum := uint32(0)
	for d, c := range ends {
		ends[d] = sum
		sum += c
	}
	for i, w := range words {
		d := uint64(w) >> first & (1<<maxSplit - 1)
		k := ends[d]
		ends[d] = k + 1
		at[k] = uint32(i)
	}
}

// shufflePartly sets y to a random order of at.
func shufflePartly(y []int64, at []uint32, words []int64, split int) {
	at, words = at[:len(y)], words[:len(y)]
	split &= 63
	for i, w := range words {
		j, _ := bits.Mul64(uint64(w)<<split, uint64(i)+1) // of 0 … i
		y[i] = y[j]
		y[j] = int64(at[i])
	}
}
