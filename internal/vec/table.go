package vec

import (
	"fmt"
	"hash/fnv"
	"math"
	"sync"
	"unsafe"
)

// tables holds what Table looks up, by number; equal tables have one.
var tables struct {
	sync.RWMutex
	entries [][16]uint64
	numbers map[[16]uint64]uint64
}

func tableOf(t Type, entries []float64) uint64 {
	if len(entries) > 16 {
		panic(fmt.Sprintf("vec: a table of %d entries", len(entries)))
	}
	var bits [16]uint64
	for i, v := range entries {
		if bits[i] = math.Float64bits(v); t == F32 {
			bits[i] = uint64(math.Float32bits(float32(v)))
		}
	}
	tables.Lock()
	defer tables.Unlock()
	if n, ok := tables.numbers[bits]; ok {
		return n
	}
	if tables.numbers == nil {
		tables.numbers = map[[16]uint64]uint64{}
	}
	n := uint64(len(tables.entries))
	tables.entries = append(tables.entries, bits)
	tables.numbers[bits] = n
	return n
}

// TableBits returns table n's entries, each the bits of a float of the type that it was made for.
func TableBits(n uint64) [16]uint64 {
	tables.RLock()
	defer tables.RUnlock()
	return tables.entries[n]
}

// TablePairs pairs the instructions of code that look up tables of F64 by the same index, if there are several, or in long code
// many: it returns, by instruction, the other one of its pair, itself where it is left over, and None for the rest of the code.
func TablePairs(code []Instr) []Value {
	least := 2
	if len(code) > 96 {
		least = 4
	}
	pairs, by := make([]Value, len(code)), map[Value][]Value{}
	for i, in := range code {
		pairs[i] = None
		if in.Op == Table && in.T == F64 {
			by[in.A] = append(by[in.A], Value(i))
		}
	}
	for _, of := range by {
		if len(of) < least {
			continue
		}
		for k, v := range of {
			pairs[v] = of[min(k^1, len(of)-1)]
		}
	}
	return pairs
}

// TableWords returns the low words of table n of F64, then the high ones, for machines that look up words.
func TableWords(n uint64) []uint64 {
	words := make([]uint64, 32)
	for i, bits := range TableBits(n) {
		words[i], words[16+i] = bits&math.MaxUint32, bits>>32
	}
	return words
}

// TableIsShort reports whether all low words of table n of F64 are 0.
func TableIsShort(n uint64) bool {
	all := uint64(0)
	for _, bits := range TableBits(n) {
		all |= bits
	}
	return uint32(all) == 0
}

// TableName is a name for table n that depends on its entries alone.
func TableName(n uint64) string {
	h := fnv.New64a()
	bits := TableBits(n)
	h.Write(unsafe.Slice((*byte)(unsafe.Pointer(&bits)), unsafe.Sizeof(bits)))
	return fmt.Sprintf("%016x", h.Sum64())
}

func lookUp[U uints](n uint64) kernel {
	var entries [16]U
	for i, bits := range TableBits(n) {
		entries[i] = U(bits)
	}
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := lanes[U](dst, n), lanes[U](a, n)
		for i := range d {
			d[i] = entries[x[i]&15]
		}
	}
}
