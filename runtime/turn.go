package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// turn is a copy in order of a view in which other elements than those of the last axis lie side by side in memory: those of the axis that it
// is turned about. Planes of the two axes are turned as matrices are, in parts that take each line of the cache once.
type turn struct {
	leaf  *leaf
	dst   int // buffer
	size  int
	about int // the axis
	axes  []turnAxis
	parts int
	grain int // of them in a task
	room  int // bytes in which a part is made on its way past the caches, 0 where it does not go so
}

// turnAxis is an axis, in parts of each elements, the last of which may have some more or fewer.
type turnAxis struct {
	dim, parts, each int
	from, to         int // elements of the view, and of the copy, from one of the axis to the next
}

// turnLines is the lines of a view that are read together, since they lie in one page, turnWide the elements of the last axis that are turned at
// once, streamWide those that go past the caches then, leastStream of which are worth that.
const (
	turnLines   = 4
	turnWide    = 1 << 9
	streamWide  = 1 << 6
	leastStream = 1 << 5
)

// newTurn is nil for a leaf that is not turned.
func newTurn(l *leaf, dst int, streamed bool) *turn {
	if l.isSplat || l.index != nil || l.direct {
		return nil
	}
	v, size := &l.view, l.t.Size()
	t := &turn{leaf: l, dst: dst, size: size, about: v.Rank - 1, parts: 1}
	apart := func(a int) int { return max(v.Stride[a], -v.Stride[a]) }
	for a := range v.Rank {
		if s := apart(a); s > 0 && s < apart(t.about) {
			t.about = a
		}
	}
	if t.about == v.Rank-1 {
		return nil
	}
	to, elems, wide := contiguous(v.Dim[:v.Rank]), 1, turnWide
	if streamed = streamed && v.Dim[v.Rank-1] >= leastStream; streamed {
		wide = streamWide
	}
	for a := range v.Rank {
		x := turnAxis{dim: v.Dim[a], each: 1, from: v.Stride[a], to: to[a]}
		switch a {
		case t.about:
			x.each = turnLines * lineBytes / size
		case v.Rank - 1:
			x.each = wide
		}
		x.parts = max(1, (x.dim+x.each/2)/x.each)
		elems *= x.part(x.parts - 1)
		t.axes, t.parts = append(t.axes, x), t.parts*x.parts
	}
	if t.grain = max(1, moveElems/elems); streamed {
		t.room = (turnLines*lineBytes + turnLines*lineBytes/2) * (streamWide + streamWide/2)
	}
	return t
}

// copying is a cluster that only copies: leaves that are turned, one after the other, then the others side by side, since several may be of one
// array.
type copying struct {
	turns []*turn
	plain []*mapOp
	chunk int // elements of the others that are copied at once
	grain int // and in a task
}

// copyBytes bounds a chunk of a copy: what it is read from stays in the first cache.
const copyBytes = 1 << 13

// newCopying is nil where u does more than to copy.
func (u *mapUnit) newCopying() *copying {
	if u.mode != flat || u.elems == 0 || slices.ContainsFunc(u.ops, func(op mapOp) bool { return op.f != nil || op.buffer < 0 }) {
		return nil
	}
	c := &copying{chunk: 1}
	for i := range u.ops {
		op := &u.ops[i]
		if t := newTurn(&u.leaf[op.leaf], op.buffer, u.streamed); t != nil {
			c.turns = append(c.turns, t)
		} else {
			c.plain = append(c.plain, op)
		}
	}
	if len(c.plain) > 0 {
		dims, most := u.leaf[c.plain[0].leaf].dims, copyBytes/u.size
		a := len(dims)
		for ; a > 0 && c.chunk*dims[a-1] <= most; a-- { // whole rows
			c.chunk *= dims[a-1]
		}
		if a > 0 {
			c.chunk *= most / c.chunk
		}
		c.grain = moveElems / c.chunk * c.chunk
	}
	return c
}

func (c *copying) tasks(elems int) (n int) {
	for _, t := range c.turns {
		n += ceil(t.parts, t.grain)
	}
	if len(c.plain) > 0 {
		n += ceil(elems, c.grain)
	}
	return n
}

// room is the bytes that it needs to go past the caches.
func (c *copying) room(size int) int {
	n := 0
	for _, t := range c.turns {
		n = max(n, t.room)
	}
	if len(c.plain) > 0 {
		n = max(n, c.chunk*size)
	}
	return n
}

func (u *mapUnit) doCopying(r *run, w *worker, task int) {
	c, room := u.copying, unsafe.Add(w.scratch, u.base)
	if u.streamed {
		defer kernels.StreamEnd()
	}
	for _, t := range c.turns {
		n := ceil(t.parts, t.grain)
		if task < n {
			t.do(r, room, task*t.grain, min((task+1)*t.grain, t.parts))
			return
		}
		task -= n
	}
	end := min((task+1)*c.grain, u.elems)
	for i := task * c.grain; i < end; i += c.chunk {
		n := min(c.chunk, end-i)
		for _, op := range c.plain {
			l, to := &u.leaf[op.leaf], unsafe.Add(r.ptr[op.buffer], i*op.size)
			switch {
			case l.isSplat:
				kernels.Fill(to, l.bits, op.size, n)
			case u.streamed:
				l.load(r, w, room, op.size, i, n)
				kernels.Stream(to, room, n*op.size)
			default:
				l.load(r, w, to, op.size, i, n)
			}
		}
	}
}

// do turns parts i … j-1.
func (t *turn) do(r *run, room unsafe.Pointer, i, j int) {
	var at [kernels.MaxRank]int
	from, to, last := 0, 0, len(t.axes)-1
	for a, rest := last, i; a >= 0; a-- {
		x := &t.axes[a]
		at[a], rest = rest%x.parts, rest/x.parts
		from, to = from+at[a]*x.each*x.from, to+at[a]*x.each*x.to
	}
	rows, cols := &t.axes[t.about], &t.axes[last]
	all, res := t.leaf.ptr(r), r.ptr[t.dst]
	for ; i < j; i++ {
		src, dst := unsafe.Add(all, from*t.size), unsafe.Add(res, to*t.size)
		m, n := rows.part(at[t.about]), cols.part(at[last])
		for a := last; a >= 0; a-- {
			x := &t.axes[a]
			from, to = from+x.each*x.from, to+x.each*x.to
			if at[a]++; at[a] < x.parts {
				break
			}
			from, to = from-x.parts*x.each*x.from, to-x.parts*x.each*x.to
			at[a] = 0
		}
		if i+1 < j && m*t.size >= lineBytes && m*n*t.size <= askBytes {
			kernels.Ask(unsafe.Add(all, from*t.size), cols.from*t.size, n, m*t.size)
		}
		if t.room == 0 {
			kernels.MovePlane(dst, rows.to*t.size, t.size, src, rows.from*t.size, cols.from*t.size, m, n, t.size)
		} else {
			kernels.MovePlane(room, n*t.size, t.size, src, rows.from*t.size, cols.from*t.size, m, n, t.size)
			v := kernels.View{Rank: 2, Dim: [kernels.MaxRank]int{m, n}, Stride: [kernels.MaxRank]int{rows.to, 1}}
			v.Stream(dst, room, t.size, 0, m*n)
		}
	}
}

// askBytes is the largest part that is asked for while the one before it is turned, where it reads whole lines.
const askBytes = 1 << 14

// part is how many elements are in part i.
func (x *turnAxis) part(i int) int {
	if i == x.parts-1 {
		return x.dim - i*x.each
	}
	return x.each
}
