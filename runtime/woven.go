package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// lane is every k-th element of an array's rows: a piece's, or the fill.
type lane struct {
	piece
	count int            // of a row's elements
	splat unsafe.Pointer // a tile of the one value, nil where there are several
}

// leastGroups is how many groups, an element of each lane, are worth a call. wovenGroups are made at once: what they are made of, and they, stay
// in the first cache.
const (
	leastGroups = 16
	wovenGroups = tileBytes / 8
)

// newWoven is the unit of a Place whose pieces lie in it in turn, element by element, as a Stack's along the last axis do, or that is the
// transpose of a slice by steps: it is made in order, by whole lines of the cache. It is nil elsewhere.
func (b *binding) newWoven(n *ir.Node) unit {
	size, dst, total := n.Type.Size(), b.root(n), n.Shape.SizeAt(b.batch)
	var lanes [4]*lane
	k, rows, wide, least, most := 0, 0, 0, total, 0
	for i := range n.In {
		l := &lane{piece: b.placeOf(n, i)}
		v, r, w := &l.view, 1, total
		if v.Rank == 2 {
			r, w = v.Dim[0], v.Stride[0]
		}
		if v.Rank != 1 && v.Rank != 2 || b.stored[placed{n, i}] {
			return nil
		}
		step, at := v.Stride[v.Rank-1], l.offset/size
		if step < 2 || step > len(lanes) || at >= step || lanes[at] != nil || i > 0 && (step != k || r != rows || w != wide) {
			return nil
		}
		l.count = v.Dim[v.Rank-1]
		if l.isSplat {
			l.splat = b.splat(l.t, l.bits)
		}
		k, rows, wide, least, most = step, r, w, min(least, l.count), max(most, l.count)
		lanes[at] = l
	}
	if wide == 0 || ceil(total, wide) != rows {
		return nil
	}
	if least = min(least, (total-(rows-1)*wide)/k); least < leastGroups || most > least+1 {
		return nil
	}
	for j := range k {
		if lanes[j] == nil {
			lanes[j] = &lane{splat: b.splat(n.Type, n.Bits)}
		}
	}
	b.scratch = max(b.scratch, 2*len(lanes)*wovenGroups*size)
	streamed, blocks := b.streamed(n), ceil(least, wovenGroups)
	return newLoop(rows*blocks, k*min(least, wovenGroups), func(r *run, w *worker, i0, i1 int) {
		var src [4]unsafe.Pointer
		room := unsafe.Add(w.scratch, len(lanes)*wovenGroups*size)
		for i := i0; i < i1; i++ {
			row, from := i/blocks, i%blocks*wovenGroups
			groups := min(wovenGroups, least-from)
			for j, l := range lanes[:k] {
				switch {
				case l.splat != nil:
					src[j] = l.splat
				case l.from.Contiguous():
					src[j] = unsafe.Add(l.ptr(r), (row*l.count+from)*size)
				default:
					src[j] = unsafe.Add(room, j*wovenGroups*size)
					l.from.Load(src[j], l.ptr(r), size, row*l.count+from, groups)
				}
			}
			start := row * wide
			end := min(start+wide, total)
			to := unsafe.Add(r.ptr[dst], (start+k*from)*size)
			if streamed {
				kernels.Weave(w.scratch, &src, k, groups, size)
				kernels.Stream(to, w.scratch, k*groups*size)
			} else {
				kernels.Weave(to, &src, k, groups, size)
			}
			if from+groups < least {
				continue
			}
			start += k * least
			kernels.Fill(unsafe.Add(r.ptr[dst], start*size), n.Bits, size, end-start)
			for j, l := range lanes[:k] {
				if l.count > least {
					at := unsafe.Add(r.ptr[dst], (start+j)*size)
					if l.isSplat {
						kernels.Fill(at, l.bits, size, 1)
					} else {
						l.from.Load(at, l.ptr(r), size, row*l.count+least, 1)
					}
				}
			}
		}
		if streamed {
			kernels.StreamEnd()
		}
	})
}
