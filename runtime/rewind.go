package runtime

import (
	"context"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// rewind is a Rewind for one batch: a loop backwards over the carries that the steps of a forward loop began with. A
// stack holds those of some steps; the carries of the step at hand are made from the last of these, and on the way
// more are kept where that saves most: A. Griewank and A. Walther, "Algorithm 799: revolve", ACM TOMS 26 (2000).
type rewind struct {
	slots   int
	states  int   // the buffer of the sets of carries: those that are kept, then two to step between
	bytes   int   // of a set
	offsets []int // of the carries in a set
	sizes   []int
	near    int // how many xs forward steps see
	used    int // the first operand of forward steps' own
}

func (b *binding) newRewind(u *nestedUnit) {
	back, forward := u.n.Body[0], u.n.Body[1]
	w := &rewind{slots: u.n.Axes[0], near: forward.Xs}
	if n := u.length - 1; w.slots > n {
		w.slots = max(0, n)
	}
	bytes := func(x *ir.Node) int { return x.Type.Size() * x.Shape.SizeAt(b.batch) }
	for _, c := range forward.Params[:forward.Carry] {
		w.offsets, w.sizes = append(w.offsets, w.bytes), append(w.sizes, bytes(c))
		w.bytes += lines(bytes(c))
	}
	w.states = b.temporary((w.slots + 2) * w.bytes)
	w.used = len(u.operands) - (len(forward.Params) - forward.Carry - forward.Xs - 1)
	for k := range back.Carry {
		c := carryPlace{bytes: bytes(back.Outs[k]), at: u.outs[k], other: -1}
		if !u.bodies[0].outs[k].in[k] {
			c.other = b.temporary(c.bytes)
		}
		u.carries = append(u.carries, c)
	}
	for _, x := range back.Params[back.Carry+forward.Carry : back.Carry+back.Xs] {
		u.xs = append(u.xs, bytes(x))
	}
	u.rewind = w
}

// set points ps at set i of carries; -1: those that the loop begins with.
func (u *nestedUnit) set(r *run, ps []unsafe.Pointer, i int) {
	w := u.rewind
	for k := range w.offsets {
		if i < 0 {
			ps[k] = u.operands[u.n.Body[0].Carry+k].ptr(r)
		} else {
			ps[k] = unsafe.Add(r.ptr[w.states], i*w.bytes+w.offsets[k])
		}
	}
}

// at tells the index of step t of the forward loop, and points at the slices of xs that it sees.
func (u *nestedUnit) at(r *run, ps []unsafe.Pointer, n, t, steps int) {
	if u.n.Flag {
		t = steps - 1 - t
	}
	*(*int64)(r.ptr[u.index]) = int64(t)
	first := u.n.Body[0].Carry + u.n.Body[1].Carry
	for j := range n {
		ps[j] = unsafe.Add(u.operands[first+j].ptr(r), t*u.xs[j])
	}
}

// rewound is a run of a Rewind.
type rewound struct {
	ctx   context.Context
	u     *nestedUnit
	r     *run
	s     *nestedRun
	steps int
}

func (u *nestedUnit) rewound(ctx context.Context, r *run, s *nestedRun, steps int) error {
	w, back, forward := u.rewind, u.n.Body[0], u.n.Body[1]
	carries := forward.Carry
	s.forward[carries+forward.Xs] = r.ptr[u.index]
	for i := w.used; i < len(u.operands); i++ {
		s.forward[carries+forward.Xs+1+i-w.used] = u.operands[i].ptr(r)
	}
	s.in[back.Carry+back.Xs] = r.ptr[u.index]
	for i := back.Carry + back.Xs; i < w.used; i++ {
		s.in[i+1] = u.operands[i].ptr(r)
	}
	for k := range u.carries {
		c := &u.carries[k]
		s.in[k], s.out[k] = r.ptr[c.at], r.ptr[c.at]
		if c.other >= 0 {
			s.out[k] = r.ptr[c.other]
		}
		move(s.in[k], u.operands[k].ptr(r), c.bytes)
	}
	s.rewound = rewound{ctx, u, r, s, steps}
	err := revolve(&s.rewound, w.slots, steps, s.kept)
	s.rewound = rewound{}
	if err != nil {
		return err
	}
	for k := range u.carries {
		if c := &u.carries[k]; s.in[k] != r.ptr[c.at] {
			move(r.ptr[c.at], s.in[k], c.bytes)
		}
	}
	return nil
}

func (x *rewound) again(t, from, to int) error {
	u, r, s, w := x.u, x.r, x.s, x.u.rewind
	u.set(r, s.forward, from)
	u.set(r, s.next, to)
	u.at(r, s.forward[len(w.offsets):], w.near, t, x.steps)
	return s.bodies[1].body(x.ctx, s.forward, s.next)
}

func (x *rewound) back(t, from int) error {
	u, r, s, back := x.u, x.r, x.s, x.u.n.Body[0]
	carries := len(u.rewind.offsets)
	u.set(r, s.in[back.Carry:], from)
	u.at(r, s.in[back.Carry+carries:], back.Xs-carries, t, x.steps)
	i := int(*(*int64)(r.ptr[u.index]))
	for j, o := range u.outs[back.Carry:] {
		s.out[back.Carry+j] = unsafe.Add(r.ptr[o], i*u.slices[j])
	}
	if err := s.bodies[0].body(x.ctx, s.in, s.out); err != nil {
		return err
	}
	for k := range back.Carry {
		s.in[k], s.out[k] = s.out[k], s.in[k]
	}
	return nil
}

// stepper is what a Rewind's schedule directs. Sets of carries are numbered: -1 are those that the loop begins with,
// 0 … slots-1 are kept, slots and slots+1 serve to step between.
type stepper interface {
	again(t, from, to int) error // step t once more, from set to set
	back(t, from int) error      // step t backwards, from the set that it began with
}

// revolve goes backwards through steps. kept has room for slots+1.
func revolve(s stepper, slots, steps int, kept []int) error {
	kept = append(kept[:0], 0) // the steps whose carries are kept; the first needs no room
	for left := steps; left > 0; left-- {
		last := left - 1
		for kept[len(kept)-1] > last {
			kept = kept[:len(kept)-1]
		}
		set := len(kept) - 2 // of the carries at step t
		for t := kept[len(kept)-1]; t < last; {
			keep := false
			to := last
			if free := slots + 1 - len(kept); free > 0 {
				to = t + ahead(left-t, free+1)
				keep = to < last
			}
			for ; t < to; t++ {
				next := slots
				if set == next {
					next++
				}
				if keep && t+1 == to {
					next = len(kept) - 1
				}
				if err := s.again(t, set, next); err != nil {
					return err
				}
				set = next
			}
			if keep {
				kept = append(kept, to)
			}
		}
		if err := s.back(last, set); err != nil {
			return err
		}
	}
	return nil
}

// ahead says how many of l ≥ 2 steps to go before the carries are kept, with s sets, the ones at hand among them, so
// that the fewest steps are made again. With t rounds, C(s+t, s) steps can be gone back.
func ahead(l, s int) int {
	reach, before, rest := 1, 0, 0 // C(s+t, s), C(s+t-1, s), C(s+t-2, s-1)
	for t := 1; reach < l; t++ {
		rest = max(1, reach-before)
		before = reach
		reach = reach * (s + t) / t
	}
	return max(1, min(before, l-rest))
}
