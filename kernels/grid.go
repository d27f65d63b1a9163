package kernels

import "unsafe"

// Grid says where the elements of a matrix lie that is a view of more axes: row i's place in Rows plus column
// k's in Cols. The windows of a convolution are one.
type Grid struct{ Rows, Cols View }

// line is a number of elements that lie evenly.
type line struct{ start, step, n int }

// lines cuts n of the view's elements, from the one numbered first on, into lines.
func (v *View) lines(to []line, first, n int) []line {
	if v.Rank == 0 {
		return append(to, line{n: n})
	}
	var at [MaxRank]int
	off, last := 0, v.Rank-1
	for a := last; a >= 0; a-- {
		at[a] = first % v.Dim[a]
		first /= v.Dim[a]
		off += at[a] * v.Stride[a]
	}
	for {
		k := min(n, v.Dim[last]-at[last])
		to = append(to, line{off, v.Stride[last], k})
		if n -= k; n == 0 {
			return to
		}
		steps := k
		for a := last; a >= 0; a-- {
			off += steps * v.Stride[a]
			if at[a] += steps; at[a] < v.Dim[a] {
				break
			}
			off -= v.Dim[a] * v.Stride[a]
			at[a], steps = 0, 1
		}
	}
}

// even reports whether so many rows and columns lie evenly that they are multiplied where they are.
func (g *Grid) even() bool {
	r, c := &g.Rows, &g.Cols
	return r.Rank > 0 && c.Rank > 0 && r.Dim[r.Rank-1] >= 4 && c.Dim[c.Rank-1] >= 8
}

// maxMR bounds the rows of a panel of A.
const maxMR = 16

// pack lays rows i0 … i0+m-1 and columns k0 … k0+k-1 into panels of r rows, as the function of that name does.
func (g *Grid) pack(dst, src unsafe.Pointer, i0, m, k0, k, r, size int, fast func(dst, src unsafe.Pointer, lane, k int), lanes func(dst, src unsafe.Pointer, step, k, r, w int)) {
	var colLines [KC]line
	var rowLines [maxMR]line
	cols := g.Cols.lines(colLines[:0], k0, k)
	for l := 0; l < m; l += r {
		done := 0 // rows of the panel
		for _, row := range g.Rows.lines(rowLines[:0], i0+l, min(r, m-l)) {
			to := unsafe.Add(dst, (l*k+done)*size)
			for _, col := range cols {
				g.packPart(to, unsafe.Add(src, (row.start+col.start)*size), row, col, r, size, fast, lanes)
				to = unsafe.Add(to, col.n*r*size)
			}
			done += row.n
		}
	}
}

// packPart packs what one line of rows and one of columns share.
func (g *Grid) packPart(dst, src unsafe.Pointer, row, col line, r, size int, fast func(dst, src unsafe.Pointer, lane, k int), lanes func(dst, src unsafe.Pointer, step, k, r, w int)) {
	lane, step, n := row.step*size, col.step*size, col.n
	if row.n == 1 {
		lane = 0
	}
	if fast != nil && row.n == r && step == size && lane > size {
		if done := n &^ (Pad - 1); done > 0 {
			fast(dst, src, lane, done)
			dst, src, n = unsafe.Add(dst, done*r*size), unsafe.Add(src, done*step), n-done
		}
	}
	if size == 4 {
		packPanel[uint32](dst, src, lane, step, row.n, n, r, lanes)
	} else {
		packPanel[uint64](dst, src, lane, step, row.n, n, r, lanes)
	}
}
