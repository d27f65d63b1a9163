package runtime

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A loop until all elements are done, as of numbers that are drawn until they are accepted, goes on for all of them until the last one
// is. Where what is read of an element stays as it is once it is done, a block of elements goes through its steps by itself. As soon as a
// quarter of them is done, those that are left are brought together in the worker's scratch. What is computed for the loop alone, as a
// distribution's constants are, is made there, too, block by block.

// untilUnit is such a loop: a task is elements, a block after the other.
type untilUnit struct {
	loop  *nestedUnit
	parts []*mapUnit
	done  int // the carry that says so
	elems int
	block int
	read  []int       // carries that are read of the loop
	rooms []untilRoom // for elements brought together: of the carries before a step, after it, of the body's other arrays; none: they are not
	// Clusters whose results nothing else reads go block by block, too. outer is the arrays that they read and make.
	before []*mapUnit
	outer  []untilRoom
}

// untilRoom is where a buffer of the body's, or none (-1), has elements in a worker's scratch.
type untilRoom struct {
	buffer, size, at int  // bytes of an element; of scratch before the first one
	given            bool // it is read, and not made
	before           bool // or by a cluster before the loop; of a carry: its first value is
}

// untilPlace is where the elements of a block are: their carries before and after a step, all else in a run of the body.
type untilPlace struct {
	q       *run
	in, out []unsafe.Pointer
	before  *run // has a block's part of the arrays of the run around the loop
	// In rooms: which of the block the elements are, and which of these are left.
	numbers, left []int32
}

// untilBlock elements begin together where they stay where they are, else untilMany.
const untilBlock, untilMany, untilTask = 64, 1 << 11, 1 << 13

// goesUntil has u go on for a few elements at a time if it is such a loop. Where steps compute something for all elements, too, as
// their keys, its body's clusters leave out those that are done.
func (b *binding) goesUntil(u *nestedUnit) {
	body := u.n.Body[0]
	done := untilAll(body)
	if done < 0 || !stays(body, done, done) || u.n.Bits == 1 || u.steps >= 0 || body.Xs > 0 || len(body.Outs) > body.Carry {
		return
	}
	q := u.bodies[0]
	s := &untilUnit{loop: u, done: done, elems: u.carries[done].bytes, block: untilBlock}
	for _, o := range b.p.low.nodes {
		if o.Kind == ir.Out && o.In[0] == u.n {
			if !stays(body, int(o.Bits), done) {
				return
			}
			s.read = append(s.read, int(o.Bits))
		}
	}
	if s.elems <= untilBlock {
		return
	}
	read := map[int]bool{} // what only the same element may be read of
	common := false        // something is of all elements
	carry := map[int]int{}
	for i := range q.buffers {
		n := q.buffers[i].node
		if n == nil || n.Kind != ir.Param {
			continue
		}
		if k := int(n.Bits); k < body.Carry {
			carry[k] = i
			read[i] = q.buffers[i].bytes == s.elems*n.Type.Size()
			common = common || !read[i]
		} else if k == body.Carry { // the number of the step
			common = common || q.buffers[i].last >= 0
		}
	}
	var sieves []*sieveUnit
	for i, x := range q.units {
		m, ok := x.(*mapUnit)
		ok = ok && m.mode == flat && m.elems == s.elems
		if !ok && !slices.ContainsFunc(q.unitReads(i), func(k int) bool { return read[k] }) {
			common = true
			continue
		}
		if !ok || !m.follows(read) {
			return
		}
		v := &sieveUnit{mapUnit: m, done: carry[done], unit: i}
		for _, o := range m.makes() {
			read[o] = true
			for k := range q.outs {
				if o != q.outs[k].buffer {
					continue
				}
				if q.outs[k].copied {
					return
				}
				if from, ok := carry[k]; ok {
					v.from, v.to, v.sizes = append(v.from, from), append(v.to, o), append(v.sizes, q.buffers[o].bytes/s.elems)
				}
			}
		}
		s.parts, sieves = append(s.parts, m), append(sieves, v)
	}
	if !common {
		for k := range u.carries {
			if from, ok := carry[k]; ok && q.outs[k].buffer == from { // it stays what it is
				u.carries[k].other, q.outs[k].copied = -1, false
			}
		}
		if u.until = s; s.elems > untilMany {
			s.gather(q, carry)
		}
		return
	}
	for _, v := range sieves {
		q.units[v.unit] = v
	}
	q.calls = nil
}

// sieveUnit is a cluster of a loop's body for the blocks in which some element is not done; the others' carries stay.
type sieveUnit struct {
	*mapUnit
	unit            int
	done            int   // the flag's buffer
	from, to, sizes []int // buffers of carries, and of what becomes of them, and their elements' bytes
}

func (u *sieveUnit) do(r *run, _, worker, task int) {
	w := &r.workers[worker]
	end := min((task+1)*u.grain, u.elems)
	for at := task * u.grain; at < end; {
		n := 0
		for done := true; done && at+n < end; { // those that are, together
			m := min(untilBlock, end-at-n)
			if done = bytes.IndexByte(unsafe.Slice((*byte)(unsafe.Add(r.ptr[u.done], at+n)), m), 0) < 0; done {
				n += m
			}
		}
		for k, size := range u.sizes {
			if from, to := r.ptr[u.from[k]], r.ptr[u.to[k]]; n > 0 && from != to {
				move(unsafe.Add(to, at*size), unsafe.Add(from, at*size), n*size)
			}
		}
		if at += n; at < end {
			n = min(untilBlock, end-at)
			u.computeSpan(r, w, at, at+n)
			at += n
		}
	}
}

// untilAll is the carry that a loop goes on for until it is true everywhere, -1 where that is not so.
func untilAll(body *ir.Body) int {
	c := body.Cond
	if c == nil || c.Kind != ir.Pointwise || c.Op != ops.Not {
		return -1
	}
	all := c.In[0]
	if all.Kind != ir.Reduce || all.Reduction != ir.Min || all.In[0].Type != dtype.Bool {
		return -1
	}
	return slices.Index(body.Params[:body.Carry], all.In[0])
}

// stays reports whether carry k of an element that is done stays what it is.
func stays(body *ir.Body, k, done int) bool {
	y, flag := body.Outs[k], body.Params[done]
	switch {
	case y.Kind != ir.Pointwise:
		return false
	case k == done:
		return y.Op == ops.Or && slices.Contains(y.In, flag)
	}
	return y.Op == ops.Where && y.In[0] == flag && y.In[1] == body.Params[k]
}

// gather finds rooms for elements that are brought together, if the body, q, reads arrays element by element only. carry is its buffers of
// carries.
func (s *untilUnit) gather(q *binding, carry map[int]int) {
	at, has := lines(q.scratch), map[int]bool{}
	add := func(k, size, place int, given bool) {
		if place < 0 {
			place, at = at, at+lines(untilMany*size)
		}
		s.rooms, has[k] = append(s.rooms, untilRoom{buffer: k, size: size, at: place, given: given}), true
	}
	for k, c := range s.loop.carries {
		in, ok := carry[k]
		if !ok {
			in = -1
		}
		add(in, c.bytes/s.elems, -1, false)
	}
	var given []int
	for k, c := range s.loop.carries {
		switch o := &q.outs[k]; {
		case o.copied:
			add(-1, c.bytes/s.elems, -1, false)
			given = append(given, o.buffer)
		case c.other >= 0:
			add(o.buffer, c.bytes/s.elems, -1, false)
		default:
			add(o.buffer, c.bytes/s.elems, s.rooms[k].at, false)
		}
	}
	good := true
	for _, m := range s.parts {
		good = good && (m.code == nil || m.cols >= s.elems)
		for i := range m.leaf {
			switch l := &m.leaf[i]; {
			case l.isSplat || l.index == nil && l.view.Splat():
			case l.index == nil && l.direct && l.offset == 0:
				given = append(given, l.buffer)
			default:
				good = false
			}
		}
		for _, k := range m.makes() {
			if !has[k] {
				add(k, q.buffers[k].bytes/s.elems, -1, false)
			}
		}
	}
	for _, k := range given {
		if size := q.buffers[k].bytes / s.elems; !has[k] {
			add(k, size, -1, true)
			good = good && size*s.elems == q.buffers[k].bytes
		}
	}
	if !good {
		s.rooms = nil
		return
	}
	q.scratch, s.block = at, untilMany
}

// beforeUntil has clusters whose results only such a loop reads go with its blocks.
func (b *binding) beforeUntil() {
	for i, x := range b.units {
		if u, ok := x.(*nestedUnit); ok && u.until != nil && u.until.rooms != nil {
			for j := range i {
				if m, ok := b.units[j].(*mapUnit); ok && u.until.takes(b, m, j, i) {
					b.units[j] = chained{m}
				}
			}
		}
	}
}

// takes has cluster m, unit j, go with the blocks of s, unit i, if it may.
func (s *untilUnit) takes(b *binding, m *mapUnit, j, i int) bool {
	if m.mode != flat || m.elems != s.elems || m.streamed || !m.follows(nil) || m.code != nil && m.cols < m.elems {
		return false
	}
	var outer []untilRoom
	q := s.loop.bodies[0]
	at := lines(q.scratch)
	for _, k := range m.makes() {
		f := &b.buffers[k]
		if f.first != j || f.last != i || slices.Contains(b.p.low.outs, f.node) {
			return false
		}
		for l := j + 1; l < i; l++ {
			if slices.Contains(b.unitReads(l), k) {
				return false
			}
		}
		size := f.bytes / s.elems
		outer = append(outer, untilRoom{buffer: k, size: size, at: at})
		at += lines(untilMany * size)
	}
	for l := range m.leaf {
		switch l := &m.leaf[l]; {
		case l.isSplat || l.index == nil && l.view.Splat():
		case l.index == nil && l.direct && l.offset == 0 && b.buffers[l.buffer].bytes == s.elems*l.t.Size():
			outer = append(outer, untilRoom{buffer: l.buffer, size: l.t.Size(), given: true})
		default:
			return false
		}
	}
	for _, y := range outer {
		f := &b.buffers[y.buffer]
		if y.given {
			f.last = max(f.last, i)
			continue
		}
		f.bytes = 0
		for r := range s.rooms {
			switch x := &s.rooms[r]; {
			case r < len(s.loop.carries):
				x.before = x.before || s.loop.operands[r].buffer == y.buffer
			case x.given:
				if n := q.buffers[x.buffer].node; n.Kind == ir.Param && s.loop.operands[n.Bits-1].buffer == y.buffer { // after the step's number
					x.at, x.before = y.at, true
				}
			}
		}
	}
	s.before, s.outer, q.scratch = append(s.before, m), append(s.outer, outer...), at
	return true
}

// newPlaces is the places of a worker's blocks, and of what of them is brought together.
func (s *untilUnit) newPlaces(r, q *run, w *worker) (here, apart *untilPlace) {
	if s.rooms == nil {
		return nil, nil
	}
	place := func() *untilPlace {
		n := len(s.loop.carries)
		return &untilPlace{q: &run{b: q.b, ptr: make([]unsafe.Pointer, len(q.ptr))}, in: make([]unsafe.Pointer, n), out: make([]unsafe.Pointer, n)}
	}
	here, apart = place(), place()
	here.before = &run{b: r.b, ptr: make([]unsafe.Pointer, len(r.ptr))}
	for k := range apart.in {
		apart.in[k] = unsafe.Add(w.scratch, s.rooms[k].at)
		apart.out[k] = unsafe.Add(w.scratch, s.rooms[len(apart.in)+k].at)
	}
	apart.numbers, apart.left = make([]int32, untilMany), make([]int32, untilMany)
	return here, apart
}

func (s *untilUnit) phases() int   { return 1 }
func (s *untilUnit) tasks(int) int { return ceil(s.elems, untilTask) }

func (s *untilUnit) do(r *run, _, worker, task int) {
	l := r.loops[s.loop.number]
	q := l.bodies[0]
	w := &q.workers[worker]
	here, apart := &untilPlace{q: q, in: l.in, out: l.out}, l.apart[worker]
	if apart != nil {
		here = l.here[worker]
		copy(here.before.ptr, r.ptr)
		copy(here.q.ptr, q.ptr)
		copy(apart.q.ptr, q.ptr)
		for i := range s.rooms {
			if x := &s.rooms[i]; x.buffer >= 0 {
				apart.q.ptr[x.buffer] = unsafe.Add(w.scratch, x.at)
			}
		}
	}
	for from, end := task*untilTask, min((task+1)*untilTask, s.elems); from < end && !r.stopped(); from += s.block {
		at, n := from, min(s.block, end-from)
		if apart == nil {
			s.loop.begin(r, s.elems, from, n)
		} else {
			s.begin(r, worker, here, from, n)
			at = 0
		}
		s.goOn(r, w, here, apart, from, at, n)
	}
}

// begin has here be the place of n elements from number from on: what is read of the loop is where it belongs, other carries and what is made
// before the loop in rooms.
func (s *untilUnit) begin(r *run, worker int, here *untilPlace, from, n int) {
	q := r.loops[s.loop.number].bodies[0]
	scratch, carries := q.workers[worker].scratch, len(here.in)
	for i := range s.rooms {
		x := &s.rooms[i]
		p := unsafe.Add(scratch, x.at)
		switch k := i - carries; {
		case i < carries:
			if slices.Contains(s.read, i) {
				p = unsafe.Add(r.ptr[s.loop.carries[i].at], from*x.size)
			}
			here.in[i] = p
		case k < carries:
			if s.loop.carries[k].other < 0 {
				p = here.in[k]
			}
			here.out[k] = p
		case x.given && !x.before:
			p = unsafe.Add(q.ptr[x.buffer], from*x.size)
		}
		if x.buffer >= 0 {
			here.q.ptr[x.buffer] = p
		}
	}
	for i := range s.outer {
		x := &s.outer[i]
		p := unsafe.Add(scratch, x.at)
		if x.given {
			p = unsafe.Add(r.ptr[x.buffer], from*x.size)
		}
		here.before.ptr[x.buffer] = p
	}
	for _, m := range s.before {
		m.computeSpan(here.before, &r.workers[worker], 0, n)
	}
	for k := range s.loop.carries {
		o, x := &s.loop.operands[k], &s.rooms[k]
		src := here.before.ptr[o.buffer]
		if !x.before {
			src = unsafe.Add(o.ptr(r), from*x.size)
		}
		move(here.in[k], src, n*x.size)
	}
}

// goOn takes the block of n elements from number from on through its steps. They are here from number at on.
func (s *untilUnit) goOn(r *run, w *worker, here, apart *untilPlace, from, at, n int) {
	u := s.loop
	p := here
	for step := 0; step < u.length && !r.stopped(); step++ {
		done := unsafe.Slice((*byte)(unsafe.Add(p.in[s.done], at)), n)
		left := bytes.Count(done, []byte{0})
		if left == 0 {
			break
		}
		if apart != nil && left <= n-n/4 {
			s.bring(r, p, apart, from, at, done)
			p, at, n = apart, 0, left
		}
		to := at + n
		if p == apart {
			to = roundUp(n) // rooms are whole pads
		}
		for _, m := range s.parts {
			m.computeSpan(p.q, w, at, to)
		}
		for k := range u.carries {
			if o := &p.q.b.outs[k]; o.copied {
				s.copy(k, p.out[k], p.q.ptr[o.buffer], at, n)
			}
		}
		for k := range u.carries {
			if u.carries[k].other >= 0 {
				s.copy(k, p.in[k], p.out[k], at, n)
			}
		}
	}
	if p == apart {
		s.leave(r, apart, from, n)
	}
}

// copy copies n elements of carry k from number at on.
func (s *untilUnit) copy(k int, dst, src unsafe.Pointer, at, n int) {
	size := s.loop.carries[k].bytes / s.elems
	if dst != src {
		move(unsafe.Add(dst, at*size), unsafe.Add(src, at*size), n*size)
	}
}

// bring brings those of a block's elements that are not done to the rooms. They are at p, from number at on.
func (s *untilUnit) bring(r *run, p, apart *untilPlace, from, at int, done []byte) {
	left := apart.left[:len(done)]
	n := 0
	for i, d := range done {
		left[n] = int32(i)
		if d == 0 {
			n++
		}
	}
	left = left[:n]
	if p == apart {
		s.leave(r, apart, from, len(done))
		takeBy[uint32](unsafe.Pointer(&apart.numbers[0]), unsafe.Pointer(&apart.numbers[0]), left, 4)
	} else {
		copy(apart.numbers, left)
	}
	for i := range s.rooms {
		x := &s.rooms[i]
		var dst, src unsafe.Pointer
		switch {
		case i < len(s.loop.carries):
			dst, src = apart.in[i], p.in[i]
		case x.given:
			dst, src = apart.q.ptr[x.buffer], p.q.ptr[x.buffer]
		default:
			continue
		}
		src = unsafe.Add(src, at*x.size)
		switch x.size {
		case 1:
			takeBy[uint8](dst, src, left, 1)
		case 2:
			takeBy[uint16](dst, src, left, 2)
		case 4:
			takeBy[uint32](dst, src, left, 4)
		default:
			takeBy[uint64](dst, src, left, 8)
		}
	}
}

// leave puts what is read of the n elements in the rooms where the block's elements belong.
func (s *untilUnit) leave(r *run, apart *untilPlace, from, n int) {
	for _, k := range s.read {
		c := &s.loop.carries[k]
		switch size := c.bytes / s.elems; size {
		case 1:
			putBy[uint8](r.ptr[c.at], apart.in[k], from, apart.numbers[:n])
		case 2:
			putBy[uint16](r.ptr[c.at], apart.in[k], from, apart.numbers[:n])
		case 4:
			putBy[uint32](r.ptr[c.at], apart.in[k], from, apart.numbers[:n])
		default:
			putBy[uint64](r.ptr[c.at], apart.in[k], from, apart.numbers[:n])
		}
	}
}

// putBy is y[from+at[i]] = x[i].
func putBy[T uint8 | uint16 | uint32 | uint64](y, x unsafe.Pointer, from int, at []int32) {
	size := int(unsafe.Sizeof(T(0)))
	src := unsafe.Slice((*T)(x), len(at))
	y = unsafe.Add(y, from*size)
	for i, k := range at {
		*(*T)(unsafe.Add(y, int(k)*size)) = src[i]
	}
}
