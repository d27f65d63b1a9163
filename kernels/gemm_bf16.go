package kernels

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// pairing is what a GemmKernel for BF16 or F16 has besides. It reads A and B packed only, two k at a time, of an odd
// number with a zero behind: either a pair is a word of 32 bits, or it is two float32s, the second element's
// in the row before the first one's.
type pairing struct {
	// Split is nil where a pair is a word; F16's come in order. Else it makes of a panel of pairs of MR (NR) lanes, which is the
	// second half of dst, one of float32s. It may touch 64 bytes behind them.
	SplitA, SplitB func(dst unsafe.Pointer, pairs int)
	// ZipA and ZipB, where not nil, pack a whole panel of pairs whose lanes are contiguous: k is step bytes further.
	ZipA, ZipB func(dst, src unsafe.Pointer, step, pairs int)

	// ByRows says that a panel of A has its rows one behind the other, with pairs that follow each other. Chunk is
	// the number of pairs that panels are filled up to a multiple of; 0 is 1.
	ByRows bool
	Chunk  int
}

// depth is the rows of a panel of k.
func (p *GemmPlan) depth(k int) int {
	switch {
	case !p.g.Type.IsHalf():
		return k
	case p.k.SplitB == nil:
		chunk := max(1, p.k.Chunk)
		return ceil(k, 2*chunk) * chunk
	}
	return ceil(k, 2) * 2
}

// packPairs is pack for BF16 and F16; a panel has depth rows.
func packPairs(dst, src unsafe.Pointer, lane, step, n, k, r, depth int, fast func(dst, src unsafe.Pointer, lane, k int),
	zip func(dst, src unsafe.Pointer, step, pairs int), split func(dst unsafe.Pointer, pairs int)) {
	pairs, row := ceil(k, 2), 4*r
	for l := 0; l < n; l += r {
		w, s, d := min(n-l, r), unsafe.Add(src, l*lane), dst
		if split != nil {
			d = unsafe.Add(dst, pairs*row)
		}
		done := k / 2
		switch {
		case step == 2: // the pairs are there to be moved
			pack(d, s, lane, 4, w, done, r, 4, fast, nil)
		case lane == 2 && zip != nil && w == r:
			zip(d, s, step, done)
		default:
			for i := range done {
				pairUp(unsafe.Add(d, i*row), unsafe.Add(s, 2*i*step), lane, step, w)
			}
		}
		if k%2 != 0 {
			pairUp(unsafe.Add(d, done*row), unsafe.Add(s, 2*done*step), lane, 0, w)
		}
		if split != nil {
			split(dst, pairs)
		} else if depth > pairs {
			clear(unsafe.Slice((*byte)(unsafe.Add(d, pairs*row)), (depth-pairs)*row))
		}
		dst = unsafe.Add(dst, depth*row)
	}
}

// packRows is packPairs for panels that go by rows. scratch has room for a panel.
func packRows(dst, src unsafe.Pointer, lane, step, n, k, r, depth int, zip func(dst, src unsafe.Pointer, step, pairs int), scratch unsafe.Pointer) {
	if step == 2 {
		for l := range n {
			to := unsafe.Slice((*byte)(unsafe.Add(dst, l*depth*4)), depth*4)
			clear(to[copy(to, unsafe.Slice((*byte)(unsafe.Add(src, l*lane)), 2*k)):])
		}
		return
	}
	for l := 0; l < n; l += r {
		w := min(r, n-l)
		packPairs(scratch, unsafe.Add(src, l*lane), lane, step, w, k, r, depth, nil, zip, nil)
		Transpose(unsafe.Add(dst, l*depth*4), depth*4, scratch, r*4, w, depth, 4)
	}
}

// pairUp makes pairs of w lanes' elements and those step bytes further, of zeros where that is 0.
func pairUp(dst, src unsafe.Pointer, lane, step, w int) {
	d := unsafe.Slice((*uint32)(dst), w)
	for l := range d {
		s := unsafe.Add(src, l*lane)
		d[l] = uint32(*(*uint16)(s))
		if step != 0 {
			d[l] |= uint32(*(*uint16)(unsafe.Add(s, step))) << 16
		}
	}
}

// splitPure is pairing's SplitA and SplitB for four lanes.
func splitPure(dst unsafe.Pointer, pairs int) {
	d := unsafe.Slice((*[4]uint32)(dst), 2*pairs)
	for i := range pairs {
		for l, x := range d[pairs+i] {
			d[2*i][l], d[2*i+1][l] = x&0xffff0000, x<<16
		}
	}
}

// widenPure is splitPure for F16s, the first elements before the second ones.
func widenPure(dst unsafe.Pointer, pairs int) {
	d := unsafe.Slice((*[4]uint32)(dst), 2*pairs)
	for i := range pairs {
		for l, x := range d[pairs+i] {
			d[2*i][l], d[2*i+1][l] = math.Float32bits(dtype.FromF16(uint16(x))), math.Float32bits(dtype.FromF16(uint16(x>>16)))
		}
	}
}

// stripFlushed is GemmKernel.Strip of float32s for BF16, see Gemm.
func stripFlushed(k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int,
	c unsafe.Pointer, cRow int, m, n int, add bool, _ unsafe.Pointer, _, _ int) {
	for i := range m {
		ai := unsafe.Add(a, i/4*aPanel+i%4*aRow)
		var s [4]float32
		for p := range k {
			x, y := flush(*(*float32)(unsafe.Add(ai, p*aCol))), unsafe.Slice((*float32)(unsafe.Add(b, p*bRow)), n)
			for j := range y {
				s[j] = fmaFlushed(x, flush(y[j]), s[j])
			}
		}
		ci := unsafe.Slice((*float32)(unsafe.Add(c, i*cRow)), n)
		for j := range ci {
			if add {
				ci[j] = flush(ci[j] + s[j])
			} else {
				ci[j] = s[j]
			}
		}
	}
}

// flush is x, a zero of its sign where x is a denormal.
func flush(x float32) float32 {
	if x > -0x1p-126 && x < 0x1p-126 {
		return x * 0
	}
	return x
}

// fmaFlushed is a·b + c rounded once, a zero of its sign if it is below the least normal number as if rounded
// without a bound for the exponent. a and b are no denormals, and have 8 bits each.
func fmaFlushed(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := float64(p + z)
	if s == 0 || s >= 0x1p-125 || s <= -0x1p-125 || s != s {
		return fma32(a, b, c)
	}
	r := roundOdd(p, z, s)
	if r > -(0x1p-126-0x1p-151) && r < 0x1p-126-0x1p-151 {
		return float32(r * 0)
	}
	return float32(r)
}
