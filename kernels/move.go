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

// At is where the element numbered i in row-major order is.
func (v *View) At(i int) int {
	off := 0
	for a := v.Rank - 1; a > 0; a-- {
		off += i % v.Dim[a] * v.Stride[a]
		i /= v.Dim[a]
	}
	return off + i*v.Stride[0]
}

// Load copies n elements of size bytes, from the one numbered start in row-major order, to dst.
func (v *View) Load(dst, src unsafe.Pointer, size, start, n int) {
	v.move(dst, src, size, start, n, load)
}

// Store is the way back: n contiguous elements of src go to their places in dst.
func (v *View) Store(dst, src unsafe.Pointer, size, start, n int) {
	v.move(src, dst, size, start, n, store)
}

// Stream is Store past the caches: of rows that are whole lines, one behind the other in dst. StreamEnd is to follow.
func (v *View) Stream(dst, src unsafe.Pointer, size, start, n int) {
	v.move(src, dst, size, start, n, stream)
}

// way is where elements are moved.
type way uint8

const (
	load way = iota
	store
	stream // past the caches
)

// move walks whole rows of the last axis together, planes of the last two, and parts of rows alone.
func (v *View) move(packed, strided unsafe.Pointer, size, start, n int, how way) {
	if n <= 0 {
		return
	}
	if v.Rank == 0 {
		n = 1
	}
	var at [MaxRank]int
	off, last := 0, v.Rank-1
	for a := last; a >= 0; a-- {
		at[a] = start % v.Dim[a]
		start /= v.Dim[a]
		off += at[a] * v.Stride[a]
	}
	for {
		rows, cols, row, col, axis := 1, n, 0, size, last
		if last >= 0 {
			cols, col = min(v.Dim[last]-at[last], n), v.Stride[last]*size
		}
		if last > 0 && at[last] == 0 && n >= v.Dim[last] {
			axis = last - 1
			rows, row = min(v.Dim[axis]-at[axis], n/cols), v.Stride[axis]*size
		}
		switch to := unsafe.Add(strided, off*size); {
		case how == load:
			MovePlane(packed, cols*size, size, to, row, col, rows, cols, size)
		case how == stream && col == size:
			streamRows(to, row, packed, rows, cols*size)
		default:
			MovePlane(to, row, col, packed, cols*size, size, rows, cols, size)
		}
		if n -= rows * cols; n == 0 {
			return
		}
		packed = unsafe.Add(packed, rows*cols*size)
		steps := cols
		if axis < last {
			steps = rows
		}
		for a := axis; a >= 0; a-- {
			off += steps * v.Stride[a]
			if at[a] += steps; at[a] < v.Dim[a] {
				break
			}
			off -= v.Dim[a] * v.Stride[a]
			at[a], steps = 0, 1
		}
	}
}

// MovePlane is dst[i, j] = src[i, j], i < rows, j < cols, in elements of size bytes that are dRow and
// dCol, sRow and sCol bytes apart. Where the rows of one are contiguous, they lie one behind the other.
func MovePlane(dst unsafe.Pointer, dRow, dCol int, src unsafe.Pointer, sRow, sCol, rows, cols, size int) {
	switch {
	case sCol == size && dCol == size && sRow == 0:
		repeat(dst, src, cols*size, rows)
	case sCol == size && dCol == size:
		for i := range rows {
			copy(unsafe.Slice((*byte)(unsafe.Add(dst, i*dRow)), cols*size), unsafe.Slice((*byte)(unsafe.Add(src, i*sRow)), cols*size))
		}
	case sCol == 0 && dCol == size:
		spread(dst, src, sRow, rows, cols, size)
	case rows > 1 && sRow == size && dCol == size:
		Transpose(dst, dRow, src, sCol, rows, cols, size)
	case rows > 1 && dRow == size && sCol == size:
		Transpose(dst, dCol, src, sRow, cols, rows, size)
	default:
		moveStrided(dst, dRow, dCol, src, sRow, sCol, rows, cols, size)
	}
}

// repeat writes n bytes of src times over. Where that is little, what is there already is copied.
func repeat(dst, src unsafe.Pointer, n, times int) {
	const enough = 512 // for one copy
	all, from := unsafe.Slice((*byte)(dst), n*times), unsafe.Slice((*byte)(src), n)
	done := copy(all, from)
	for done < len(all) {
		if len(from) < enough {
			from = all[:done]
		}
		done += copy(all[done:], from)
	}
}

// Transpose is dst[i, j] = src[j, i], i < m, j < n, with the rows of dst and src dRow and sRow bytes
// apart and elements of 1, 2, 4 or 8 bytes. It goes in bands one line of the cache wide, so that each of
// src's lines is read at once.
func Transpose(dst unsafe.Pointer, dRow int, src unsafe.Pointer, sRow, m, n, size int) {
	line := 64 / size
	if 1 < n && n <= maxWoven && dRow == n*size {
		var rows [maxWoven]unsafe.Pointer
		for j := range n {
			rows[j] = unsafe.Add(src, j*sRow)
		}
		Weave(dst, &rows, n, m, size)
		return
	}
	for i := 0; i < m; i += line {
		band := min(line, m-i)
		if band < line/2 && m >= line/2 { // widened by some of the band before: a vector at least
			i, band = m-line/2, line/2
		}
		d, s := unsafe.Add(dst, i*dRow), unsafe.Add(src, i*size)
		if band < line/2 || n < line/2 || !transposeFast(d, dRow, s, sRow, band, n, size) {
			moveStrided(d, dRow, size, s, size, sRow, band, n, size)
		}
	}
}

// maxWoven is how many arrays Weave takes at most.
const maxWoven = 4

// Weave is dst[k·i+j] = src[j][i], i < n, j < k ≤ 4, for elements of 1, 2, 4 or 8 bytes.
func Weave(dst unsafe.Pointer, src *[maxWoven]unsafe.Pointer, k, n, size int) {
	done := weaveFast(dst, src, k, n, size)
	if done == n {
		return
	}
	for j := range k {
		moveStrided(unsafe.Add(dst, (done*k+j)*size), 0, k*size, unsafe.Add(src[j], done*size), 0, size, 1, n-done, size)
	}
}

// spread fills rows of dst, one behind the other: row i with the element at src + i·step bytes.
func spread(dst, src unsafe.Pointer, step, rows, cols, size int) {
	if 1 < cols && cols <= maxWoven && rows > 1 && step == size {
		Weave(dst, &[maxWoven]unsafe.Pointer{src, src, src, src}, cols, rows, size)
		return
	}
	if !spreadFast(dst, src, step, rows, cols, size) {
		moveStrided(dst, cols*size, size, src, step, 0, rows, cols, size)
	}
}

// moveStrided is MovePlane for whatever strides.
func moveStrided(dst unsafe.Pointer, dRow, dCol int, src unsafe.Pointer, sRow, sCol, rows, cols, size int) {
	switch size {
	case 1:
		moveElems[uint8](dst, dRow, dCol, src, sRow, sCol, rows, cols)
	case 2:
		moveElems[uint16](dst, dRow, dCol, src, sRow, sCol, rows, cols)
	case 4:
		moveElems[uint32](dst, dRow, dCol, src, sRow, sCol, rows, cols)
	default:
		moveElems[uint64](dst, dRow, dCol, src, sRow, sCol, rows, cols)
	}
}

// moveElems goes in blocks, whose lines stay in L1 whichever way they lie, but by whole rows where no line has elements of several.
func moveElems[T uint8 | uint16 | uint32 | uint64](dst unsafe.Pointer, dRow, dCol int, src unsafe.Pointer, sRow, sCol, rows, cols int) {
	const high, elems = 16, 1 << 12
	wide := elems / max(1, min(high, rows))
	if apart := max(sCol, -sCol); dCol == int(unsafe.Sizeof(T(0))) && apart <= maxWoven*dCol && apart < max(sRow, -sRow) {
		wide = elems
	}
	for i0 := 0; i0 < rows; i0 += high {
		for j0 := 0; j0 < cols; j0 += wide {
			d, s, n := unsafe.Add(dst, j0*dCol), unsafe.Add(src, j0*sCol), min(wide, cols-j0)
			for i := i0; i < min(i0+high, rows); i++ {
				moveRun[T](unsafe.Add(d, i*dRow), dCol, unsafe.Add(s, i*sRow), sCol, n)
			}
		}
	}
}

// moveRun is apart so that its loops have the registers to themselves.
//
//go:noinline
func moveRun[T uint8 | uint16 | uint32 | uint64](dst unsafe.Pointer, dStep int, src unsafe.Pointer, sStep, n int) {
	switch size := int(unsafe.Sizeof(T(0))); size {
	case dStep:
		k := 0
		switch {
		case sStep == -size:
			k = reverseFast(dst, src, n, size)
		case sStep > size:
			k = everyFast(dst, src, sStep, n, size)
		}
		if k == n { // and nothing is where the next one would be
			return
		}
		dst, src, n = unsafe.Add(dst, k*dStep), unsafe.Add(src, k*sStep), n-k
		d := unsafe.Slice((*T)(dst), n)
		for j := range d {
			d[j] = *(*T)(unsafe.Add(src, j*sStep))
		}
	case sStep:
		for j, x := range unsafe.Slice((*T)(src), n) {
			*(*T)(unsafe.Add(dst, j*dStep)) = x
		}
	default:
		for j := range n {
			*(*T)(unsafe.Add(dst, j*dStep)) = *(*T)(unsafe.Add(src, j*sStep))
		}
	}
}

// Fill writes n elements of size bytes with the low bytes of bits.
func Fill(dst unsafe.Pointer, bits uint64, size, n int) {
	if n > 0 {
		spread(dst, unsafe.Pointer(&bits), 0, 1, n, size) // the low bytes come first: little-endian
	}
}

// Stream copies n bytes to where nobody reads them soon: past the caches, so that what is there need not be read
// first. The two do not overlap. StreamEnd is to follow.
func Stream(dst, src unsafe.Pointer, n int) { streamRows(dst, 0, src, 1, n) }

// streamRows is Stream of rows of n bytes, one behind the other in src, step bytes apart in dst.
func streamRows(dst unsafe.Pointer, step int, src unsafe.Pointer, rows, n int) {
	const line, least = 64, 128
	if uintptr(dst)%line == 0 && step%line == 0 && n > 0 && n%least == 0 && streamFast(dst, step, src, rows, n) {
		return
	}
	for i := range rows {
		to, from := unsafe.Slice((*byte)(unsafe.Add(dst, i*step)), n), unsafe.Slice((*byte)(unsafe.Add(src, i*n)), n)
		head := min(n, int(-uintptr(unsafe.Pointer(unsafe.SliceData(to)))%line))
		copy(to[:head], from[:head])
		body := (n - head) &^ (least - 1)
		if body > 0 && !streamFast(unsafe.Pointer(&to[head]), 0, unsafe.Pointer(&from[head]), 1, body) {
			body = 0
		}
		copy(to[head+body:], from[head+body:])
	}
}
