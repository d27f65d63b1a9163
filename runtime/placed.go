package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// A cluster whose results are pieces of a Place, and nothing else, stores them there from its tiles: an array of many
// thin pieces, a Jacobian by its columns, goes through memory once. Large outputs go from tiles past the caches.

// placedValue is a value that lies in a tile until it is stored, a constant, or an array that is given.
type placedValue struct {
	ref
	value  int            // -1: of the others
	splat  unsafe.Pointer // a tile of the constant
	array  *operand
	own    bool // it is all of its array
	size   int
	dst    int // buffer
	offset int // of the view in it, bytes
	view   kernels.View
	same   int // of the first of some that are columns side by side, in tiles side by side: their number
}

// placedStep is the bytes from one tile of placed values to the next: their lines are in different sets of the cache.
const placedStep = tileBytes + 64

// placing is m with its results that are pieces of large arrays stored there, m itself where there are none.
func (b *binding) placing(m *mapCode) *mapCode {
	if b.isa == nil || len(m.folds) > 0 || !m.generates() || m.cluster.shape.SizeAt(b.batch) == 0 {
		return m
	}
	good := map[*ir.Node]bool{}
	by := map[*ir.Node][]int{} // the pieces of a Place that this cluster has
	for _, op := range m.ops {
		if op.buffer >= 0 && op.f != nil {
			for _, p := range b.p.low.placed[op.node] {
				by[p.at] = append(by[p.at], p.piece)
			}
		}
	}
	for n, pieces := range by {
		good[n] = b.worthPlacing(n, pieces)
	}
	y := *m
	y.placed = nil
	set := func(i int) { // the operation's result goes from its tile
		if len(y.ops) > 0 && &y.ops[0] == &m.ops[0] {
			y.ops = slices.Clone(m.ops)
		}
		y.ops[i].buffer, y.ops[i].placed = -1, true
	}
	add := func(p placed, x placedValue) {
		at := b.placeOf(p.at, p.piece)
		x.size, x.dst, x.offset, x.view = at.t.Size(), b.root(p.at), at.offset, at.view
		y.placed = append(y.placed, x)
		b.stored[p] = true
	}
	for i := range y.ops {
		op := &y.ops[i]
		if op.buffer < 0 || op.f == nil {
			continue
		}
		ps := b.p.low.placed[op.node]
		bad := func(p placed) bool { return !good[p.at] }
		if b.streamed(op.node) {
			v, _ := kernels.MakeView([]int{m.cluster.shape.SizeAt(b.batch)}, []int{1})
			y.placed = append(y.placed, placedValue{value: op.dst, own: true, size: op.size, dst: op.buffer, view: v})
			set(i)
			continue
		}
		if len(ps) == 0 || slices.ContainsFunc(ps, bad) {
			continue
		}
		set(i)
		for _, p := range ps {
			add(p, placedValue{value: op.dst})
			for i, x := range p.at.In {
				c, o := placed{p.at, i}, b.operand(x)
				if b.stored[c] || product(o.dims) != m.cluster.shape.SizeAt(b.batch) {
					continue
				}
				if o.isSplat {
					add(c, placedValue{value: -1, splat: b.splat(o.t, o.bits)})
				} else if v, ok := kernels.MakeView(o.dims, o.strides); ok && v.Contiguous() && b.given(o.buffer) {
					add(c, placedValue{value: -1, array: &o})
				}
			}
		}
	}
	if len(y.placed) == 0 {
		return m
	}
	slices.SortStableFunc(y.placed, func(a, b placedValue) int {
		if a.dst != b.dst {
			return a.dst - b.dst
		}
		return a.offset - b.offset
	})
	return &y
}

// given reports whether a buffer is there before the program begins.
func (b *binding) given(i int) bool {
	n := b.buffers[i].node
	return n != nil && (n.Kind == ir.Param || n.Kind == ir.Data)
}

// worthPlacing reports whether the pieces of the Place n are to be stored by who makes them: n is large, all of it is
// pieces, and those are most of it or at least lines of the cache.
func (b *binding) worthPlacing(n *ir.Node, pieces []int) bool {
	if !b.covered(n) || n.Shape.SizeAt(b.batch) <= placeLeast {
		return false
	}
	elems := 0
	for _, i := range pieces {
		p := b.placeOf(n, i)
		if v := &p.view; v.Rank > 0 && v.Stride[v.Rank-1] == 1 && v.Dim[v.Rank-1]*p.t.Size() >= 64 {
			elems += p.elems
		}
		elems += p.elems
	}
	return 2*elems >= n.Shape.SizeAt(b.batch)
}

// placedArray is an array that placed values go to: numbers from … to-1.
type placedArray struct {
	from, to int
	width    int  // elements from one row to the next where the values are columns of rows, 0 where not
	streamed bool // whole, past the caches
	lined    bool // past the caches, by rows of whole lines
}

// streamBytes is the size from which on an array that is not read again goes past the caches: more than its share of
// the last one. placeLeast is the number of elements from which on an array is filled by the clusters that make its
// pieces. Only tests change them.
var (
	streamBytes = 16 << 20
	placeLeast  = moveElems
)

// streamed reports whether n is a result so large that it goes past the caches.
func (b *binding) streamed(n *ir.Node) bool {
	return b.p.low.last[n] && b.buffers[b.root(n)].bytes >= streamBytes
}

// placeArrays finds the arrays that u's placed values go to, and the values that are columns side by side in one, in
// tiles side by side: those are stored as a matrix is turned.
func (b *binding) placeArrays(u *mapUnit) {
	for i := 0; i < len(u.placed); {
		a := placedArray{from: i, to: i, width: 1}
		for ; a.to < len(u.placed) && u.placed[a.to].dst == u.placed[i].dst; a.to++ {
			if v := &u.placed[a.to].view; v.Rank != 1 {
				a.width = 0
			} else if a.width > 0 {
				a.width = v.Stride[0]
			}
		}
		for k := i; k < a.to; {
			x := &u.placed[k]
			for x.same = 1; k+x.same < a.to && a.width > 0; x.same++ {
				y := &u.placed[k+x.same]
				if x.value < 0 || y.value < 0 || y.offset != x.offset+x.same*x.size || y.slot != x.slot+x.same*placedStep {
					break
				}
			}
			k += x.same
		}
		dst := &b.buffers[u.placed[i].dst]
		a.streamed = a.width == a.to-a.from && dst.bytes == u.elems*a.width*u.placed[i].size && b.streamed(dst.node)
		a.lined = !a.streamed && b.streamed(dst.node) && !slices.ContainsFunc(u.placed[a.from:a.to], func(x placedValue) bool { return !x.lined() })
		u.streamed = u.streamed || a.streamed || a.lined
		u.arrays = append(u.arrays, a)
		i = a.to
	}
}

// lined reports whether x goes to whole lines of a cache where its array begins with one.
func (x *placedValue) lined() bool {
	v := &x.view
	last := v.Rank - 1
	if last < 0 || v.Stride[last] != 1 || x.offset%lineBytes != 0 {
		return false
	}
	for _, n := range append(v.Stride[:last:last], v.Dim[last]) {
		if n*x.size%lineBytes != 0 {
			return false
		}
	}
	return true
}

// placedBytes of the places of a tile's elements stay in the first cache until all values are there.
const placedBytes = 1 << 14

// block is the number of elements that are placed at once.
func (u *mapUnit) block() int { return max(16, placedBytes/(len(u.placed)*u.size)&^15) }

// blockBytes is room for a block of an array on its way past the caches.
func (u *mapUnit) blockBytes() int {
	most := 0
	for _, a := range u.arrays {
		if a.streamed && a.width > 1 {
			most = max(most, u.block()*a.width*u.placed[a.from].size)
		}
	}
	return most
}

// place stores n elements of all placed values, from start on.
func (u *mapUnit) place(r *run, w *worker, start, n int) {
	for i := range u.arrays {
		a := &u.arrays[i]
		x := &u.placed[a.from]
		if a.streamed && a.width == 1 {
			kernels.Stream(unsafe.Add(r.ptr[x.dst], start*x.size), unsafe.Add(w.scratch, u.base+u.roomy*x.slot), n*x.size)
			continue
		}
		for done, block := 0, u.block(); done < n; done += block {
			m := min(block, n-done)
			if !a.streamed {
				u.placeBlock(r, w, a, r.ptr[x.dst], start, done, start+done, m)
				continue
			}
			room := unsafe.Add(w.scratch, u.base+u.tileRoom()+u.code.bytes)
			u.placeBlock(r, w, a, room, start, done, 0, m)
			row := a.width * x.size
			kernels.Stream(unsafe.Add(r.ptr[x.dst], (start+done)*row), room, m*row)
		}
	}
}

// placeBlock stores m elements of a's values, whose tiles begin with that numbered start, from number from on of a tile
// to those from number to on of the array at dst.
func (u *mapUnit) placeBlock(r *run, w *worker, a *placedArray, dst unsafe.Pointer, start, from, to, m int) {
	for k := a.from; k < a.to; k += u.placed[k].same {
		x := &u.placed[k]
		src := x.splat
		if x.array != nil {
			src = unsafe.Add(x.array.ptr(r), (start+from)*x.size)
		} else if x.value >= 0 {
			src = unsafe.Add(w.scratch, u.base+u.roomy*x.slot+from*x.size)
		}
		if x.same > 1 {
			row := a.width * x.size
			kernels.Transpose(unsafe.Add(dst, x.offset+to*row), row, src, u.roomy*placedStep, m, x.same, x.size)
			continue
		}
		if at := unsafe.Add(dst, x.offset); a.lined {
			x.view.Stream(at, src, x.size, to, m)
		} else {
			x.view.Store(at, src, x.size, to, m)
		}
	}
}
