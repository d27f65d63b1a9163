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
// is. Where what is read of an element stays as it is once it is done, a few elements go through their steps by themselves.

// untilUnit is such a loop: a task is elements, a few after the other.
type untilUnit struct {
	loop  *nestedUnit
	parts []*mapUnit
	done  int // the carry that says so
	elems int
}

// untilBlock elements go through their steps together.
const untilBlock, untilTask = 64, 1 << 13

// goesUntil has u go on for a few elements at a time if it is such a loop. Where steps compute something for all elements, too, as
// their keys, its body's clusters leave out those that are done.
func (b *binding) goesUntil(u *nestedUnit) {
	body := u.n.Body[0]
	done := untilAll(body)
	if done < 0 || !stays(body, done, done) || u.n.Bits == 1 || u.steps >= 0 || body.Xs > 0 || len(body.Outs) > body.Carry {
		return
	}
	for _, o := range b.p.low.nodes {
		if o.Kind == ir.Out && o.In[0] == u.n && !stays(body, int(o.Bits), done) {
			return
		}
	}
	q := u.bodies[0]
	s := &untilUnit{loop: u, done: done, elems: u.carries[done].bytes}
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
		u.until = s
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

func (s *untilUnit) phases() int   { return 1 }
func (s *untilUnit) tasks(int) int { return ceil(s.elems, untilTask) }

func (s *untilUnit) do(r *run, _, worker, task int) {
	u := s.loop
	q := r.loops[u.number].bodies[0]
	w := &q.workers[worker]
	for from, end := task*untilTask, min((task+1)*untilTask, s.elems); from < end; from += untilBlock {
		n := min(untilBlock, end-from)
		part := func(p unsafe.Pointer, c *carryPlace) []byte {
			size := c.bytes / s.elems
			return unsafe.Slice((*byte)(unsafe.Add(p, from*size)), n*size)
		}
		u.begin(r, s.elems, from, n)
		done := part(r.ptr[u.carries[s.done].at], &u.carries[s.done])
		for step := 0; step < u.length && bytes.IndexByte(done, 0) >= 0; step++ {
			if r.stopped() {
				return
			}
			for _, m := range s.parts {
				m.computeSpan(q, w, from, from+n)
			}
			for k := range q.b.outs {
				c := &u.carries[k]
				if o := &q.b.outs[k]; o.copied {
					copy(part(r.loops[u.number].out[k], c), part(q.ptr[o.buffer], c))
				}
			}
			for k := range u.carries {
				if c := &u.carries[k]; c.other >= 0 {
					copy(part(r.ptr[c.at], c), part(r.ptr[c.other], c))
				}
			}
		}
	}
}
