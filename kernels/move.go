package kernels

import "unsafe"

// MaxRank bounds the axes of a View, after neighbours that lie evenly are merged.
const MaxRank = 12

// View is a strided array: sizes and strides, in elements, of its axes in row-major order. Strides may
// be 0 (a repeated axis) or negative.
type View struct {
	Rank        int
	Dim, Stride [MaxRank]int
}

// MakeView drops axes of size 1 and merges neighbours that lie evenly; ok is false where more than
// MaxRank axes are left.
func MakeView(dims, strides []int) (v View, ok bool) {
	for i, d := range dims {
		if d == 1 {
			continue
		}
		if r := v.Rank; r > 0 && v.Stride[r-1] == strides[i]*d {
			v.Dim[r-1] *= d
			v.Stride[r-1] = strides[i]
			continue
		}
		if v.Rank == MaxRank {
			return v, false
		}
		v.Dim[v.Rank], v.Stride[v.Rank] = d, strides[i]
		v.Rank++
	}
	return v, true
}

// Contiguous reports whether the elements lie one behind the other.
func (v *View) Contiguous() bool { return v.Rank == 0 || v.Rank == 1 && v.Stride[0] == 1 }

// Splat reports whether every element is the same one.
func (v *View) Splat() bool { return v.Rank == 0 || v.Rank == 1 && v.Stride[0] == 0 }

// Load copies n elements of size bytes, from the one numbered start in row-major order, to dst.
func (v *View) Load(dst, src unsafe.Pointer, size, start, n int) {
	v.move(dst, src, size, start, n, false)
}

// Store is the way back: n contiguous elements of src go to their places in dst.
func (v *View) Store(dst, src unsafe.Pointer, size, start, n int) {
	v.move(src, dst, size, start, n, true)
}

// move walks runs of the last axis between packed, contiguous, and strided.
func (v *View) move(packed, strided unsafe.Pointer, size, start, n int, store bool) {
	if n <= 0 {
		return
	}
	if v.Rank == 0 {
		strideMove(packed, strided, size, 1, 1, store)
		return
	}
	var at [MaxRank]int
	off, last := 0, v.Rank-1
	for a := last; a >= 0; a-- {
		at[a] = start % v.Dim[a]
		start /= v.Dim[a]
		off += at[a] * v.Stride[a]
	}
	for {
		run := min(v.Dim[last]-at[last], n)
		strideMove(packed, unsafe.Add(strided, off*size), size, v.Stride[last], run, store)
		if n -= run; n == 0 {
			return
		}
		packed = unsafe.Add(packed, run*size)
		off -= at[last] * v.Stride[last]
		at[last] = 0
		for a := last - 1; a >= 0; a-- {
			off += v.Stride[a]
			if at[a]++; at[a] < v.Dim[a] {
				break
			}
			off -= v.Dim[a] * v.Stride[a]
			at[a] = 0
		}
	}
}

func strideMove(packed, strided unsafe.Pointer, size, stride, n int, store bool) {
	switch {
	case stride == 1 && store:
		copy(unsafe.Slice((*byte)(strided), n*size), unsafe.Slice((*byte)(packed), n*size))
	case stride == 1:
		copy(unsafe.Slice((*byte)(packed), n*size), unsafe.Slice((*byte)(strided), n*size))
	case size == 1:
		strideElems[uint8](packed, strided, stride, n, store)
	case size == 4:
		strideElems[uint32](packed, strided, stride, n, store)
	default:
		strideElems[uint64](packed, strided, stride, n, store)
	}
}

func strideElems[T uint8 | uint32 | uint64](packed, strided unsafe.Pointer, stride, n int, store bool) {
	p := unsafe.Slice((*T)(packed), n)
	step := stride * int(unsafe.Sizeof(T(0)))
	switch {
	case store:
		for i, x := range p {
			*(*T)(unsafe.Add(strided, i*step)) = x
		}
	case stride == 0:
		x := *(*T)(strided)
		for i := range p {
			p[i] = x
		}
	default:
		for i := range p {
			p[i] = *(*T)(unsafe.Add(strided, i*step))
		}
	}
}

// Fill writes n elements of size bytes with the low bytes of bits.
func Fill(dst unsafe.Pointer, bits uint64, size, n int) {
	strideMove(dst, unsafe.Pointer(&bits), size, 0, n, false) // the low bytes come first: little-endian
}
