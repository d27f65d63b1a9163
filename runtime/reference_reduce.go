package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// reduce follows the order that order.go states.
func reduce(r *reference) {
	x, lo, hi := r.in[0], r.n.Axes[0], r.n.Axes[1]
	outer, run, inner := around(x.dims, lo, hi)
	size, ok := r.n.In[0].Shape[hi:].Size()
	if r.n.Reduction >= ir.ArgMax {
		argReduce(r, outer, run, inner)
		return
	}
	op := kernels.Reduction(r.n.Reduction)
	for o := range outer {
		if ok && size.Is(1) {
			r.y.copy(o, reduceRow(op, x.part(o*run, run)), 0)
		} else {
			copy(r.y.part(o*inner, inner).bytes, reduceColumns(op, x.part(o*run*inner, run*inner), run, inner, columnRows(size, ok)).bytes)
		}
	}
}

// part is n elements from i, as a vector, in place.
func (a array) part(i, n int) array {
	return array{a.t, []int{n}, a.bytes[i*a.t.Size() : (i+n)*a.t.Size()]}
}

// reduceRow folds each chunk of x in lanes, then the list of what they give, until it is one.
func reduceRow(op kernels.Reduction, x array) array {
	chunks := max(1, (x.len()+ChunkElems-1)/ChunkElems)
	parts := newArray(x.t, []int{chunks})
	for c := range chunks {
		chunk := x.part(c*ChunkElems, min(ChunkElems, x.len()-c*ChunkElems))
		lanes := newArray(x.t, []int{kernels.LaneBytes / x.t.Size()})
		kernels.InitLanes(lanes.ptr(), op, x.t)
		kernels.Purego.Fold(op, x.t)(lanes.ptr(), chunk.ptr(), chunk.len())
		kernels.FinishLanes(lanes.ptr(), op, x.t)
		parts.copy(c, lanes, 0)
	}
	if chunks > 1 {
		return reduceRow(op, parts)
	}
	return parts
}

// reduceColumns accumulates the rows of each chunk, then the chunks.
func reduceColumns(op kernels.Reduction, x array, run, inner, rows int) array {
	accumulate := kernels.Purego.Accumulate(op, x.t)
	var sum array
	for first := 0; first < run || first == 0; first += rows {
		acc := newArray(x.t, []int{inner})
		kernels.InitAccumulator(acc.ptr(), op, x.t, inner)
		for i := first; i < min(first+rows, run); i++ {
			accumulate(acc.ptr(), x.part(i*inner, inner).ptr(), inner)
		}
		if first == 0 {
			sum = acc
		} else {
			accumulate(sum.ptr(), acc.ptr(), inner)
		}
	}
	return sum
}

// argReduce gives the first place of the greatest or least element; the first NaN is both.
func argReduce(r *reference, outer, run, inner int) {
	y := unsafe.Slice((*int64)(r.y.ptr()), r.y.len())
	switch x := r.in[0]; x.t {
	case dtype.I32:
		argmax(y, elements[int32](x), r.n.Reduction, outer, run, inner)
	case dtype.I64:
		argmax(y, elements[int64](x), r.n.Reduction, outer, run, inner)
	case dtype.F32:
		argmax(y, elements[float32](x), r.n.Reduction, outer, run, inner)
	case dtype.F64:
		argmax(y, elements[float64](x), r.n.Reduction, outer, run, inner)
	}
}

func elements[T any](a array) []T { return unsafe.Slice((*T)(a.ptr()), a.len()) }

func argmax[T int32 | int64 | float32 | float64](y []int64, x []T, op ir.Reduction, outer, run, inner int) {
	for o := range outer {
		for i := range inner {
			best, at := x[o*run*inner+i], 0
			for k := 1; k < run && best == best; k++ {
				v := x[(o*run+k)*inner+i]
				if v != v || op == ir.ArgMax && v > best || op == ir.ArgMin && v < best {
					best, at = v, k
				}
			}
			y[o*inner+i] = int64(at)
		}
	}
}
