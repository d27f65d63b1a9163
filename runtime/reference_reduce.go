package runtime

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// reduce keeps to the order that order.go states.
func reduce(r *reference) {
	x, lo, hi := r.in[0], r.n.Axes[0], r.n.Axes[1]
	outer, run, inner := around(x.dims, lo, hi)
	if r.n.Reduction >= ir.ArgMax {
		argReduce(r, x, outer, run, inner)
		return
	}
	k := kernels.Reduction(r.n.Reduction)
	if hi == len(x.dims) {
		for o := range outer {
			row := newArray(x.t, []int{run})
			copy(row.bytes, x.bytes[o*len(row.bytes):])
			r.y.copy(o, reduceRow(k, row), 0)
		}
		return
	}
	size, ok := r.n.In[0].Shape[hi:].Size()
	rows := columnRows(size, ok)
	f := kernels.Purego.Accumulate(k, x.t)
	bytes := inner * x.t.Size()
	for o := range outer {
		acc := newArray(x.t, []int{inner})
		kernels.InitAccumulator(acc.ptr(), k, x.t, inner)
		for at := 0; at < run; at += rows {
			part := newArray(x.t, []int{inner})
			kernels.InitAccumulator(part.ptr(), k, x.t, inner)
			for j := at; j < min(at+rows, run); j++ {
				row := newArray(x.t, []int{inner})
				copy(row.bytes, x.bytes[(o*run+j)*bytes:])
				f(part.ptr(), row.ptr(), inner)
			}
			if at == 0 {
				copy(acc.bytes, part.bytes)
			} else {
				f(acc.ptr(), part.ptr(), inner)
			}
		}
		copy(r.y.bytes[o*bytes:], acc.bytes)
	}
}

// reduceRow reduces one row to an array of one element.
func reduceRow(k kernels.Reduction, row array) array {
	n := row.len()
	parts := newArray(row.t, []int{max(1, (n+ChunkElems-1)/ChunkElems)})
	for p := range parts.len() {
		lo, hi := p*ChunkElems, min((p+1)*ChunkElems, n)
		chunk := newArray(row.t, []int{hi - lo})
		copy(chunk.bytes, row.bytes[lo*row.t.Size():])
		lanes := newArray(row.t, []int{kernels.LaneBytes / row.t.Size()})
		kernels.InitLanes(lanes.ptr(), k, row.t)
		kernels.Purego.Fold(k, row.t)(lanes.ptr(), chunk.ptr(), hi-lo)
		kernels.FinishLanes(lanes.ptr(), k, row.t)
		parts.copy(p, lanes, 0)
	}
	if parts.len() == 1 {
		return parts
	}
	return reduceRow(k, parts)
}

// argReduce finds the first extreme of each run; a NaN is more extreme than any number.
func argReduce(r *reference, x array, outer, run, inner int) {
	for o := range outer {
		for i := range inner {
			best := 0
			for j := 1; j < run; j++ {
				if beyond(x, (o*run+j)*inner+i, (o*run+best)*inner+i, r.n.Reduction == ir.ArgMax) {
					best = j
				}
			}
			r.y.setBits(o*inner+i, uint64(best))
		}
	}
}

// beyond reports whether x[i] is strictly more extreme than x[j].
func beyond(x array, i, j int, most bool) bool {
	if !x.t.IsFloat() {
		a, b := x.integer(i), x.integer(j)
		return most && a > b || !most && a < b
	}
	a, b := ir.BitsFloat(x.t, x.bits(i)), ir.BitsFloat(x.t, x.bits(j))
	switch {
	case math.IsNaN(b):
		return false
	case math.IsNaN(a):
		return true
	}
	return most && a > b || !most && a < b
}
