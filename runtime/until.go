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

// newUntil is u as one, nil where it is none.
func (b *binding) newUntil(u *nestedUnit) *untilUnit {
	body := u.n.Body[0]
	done := untilAll(body)
	if done < 0 || !stays(body, done, done) || u.n.Bits == 1 || u.steps >= 0 || body.Xs > 0 || len(body.Outs) > body.Carry {
		return nil
	}
	for _, o := range b.p.low.nodes {
		if o.Kind == ir.Out && o.In[0] == u.n && !stays(body, int(o.Bits), done) {
			return nil
		}
	}
	q := u.bodies[0]
	s := &untilUnit{loop: u, done: done, elems: u.carries[done].bytes}
	if s.elems <= untilBlock {
		return nil
	}
	read := map[int]bool{} // what only the same element may be read of
	for i := range q.buffers {
		n := q.buffers[i].node
		if n == nil || n.Kind != ir.Param {
			continue
		}
		switch p := int(n.Bits); {
		case p < body.Carry:
			if read[i] = true; q.buffers[i].bytes != s.elems*n.Type.Size() {
				return nil
			}
		case p == body.Carry && q.buffers[i].last >= 0: // the number of the step
			return nil
		}
	}
	for _, x := range q.units {
		m, ok := x.(*mapUnit)
		if !ok || m.mode != flat || m.elems != s.elems || !m.follows(read) {
			return nil
		}
		for _, o := range m.makes() {
			read[o] = true
		}
		s.parts = append(s.parts, m)
	}
	return s
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
		for k := range u.carries {
			c := &u.carries[k]
			copy(part(r.ptr[c.at], c), part(u.operands[k].ptr(r), c))
		}
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
