package runtime

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
)

// Loops and branches are units whose bodies are programs of their own. They run on the threads of the run
// around them, one step after the other.

// nested is the programs of a Loop or Branch node.
type nested struct {
	bodies []*Program
	cond   *Program // of a Loop that ends on data
}

// compileNested compiles the bodies of n, which is step i.
func (p *Program) compileNested(n *ir.Node, i int) nested {
	var c nested
	body := func(b *ir.Body, outs []*ir.Node) *Program {
		q := &Program{level: p.level, threads: p.threads, poison: p.poison, isa: p.isa, profile: p.profile}
		q.within = fmt.Sprintf("%sstep %d, %s, ", p.within, i, label(n))
		for _, x := range b.Params {
			q.inputs = append(q.inputs, Input{x.Type, x.Shape})
		}
		q.compile(outs)
		return q
	}
	for _, b := range n.Body {
		c.bodies = append(c.bodies, body(b, b.Outs))
		if b.Cond != nil {
			c.cond = body(b, []*ir.Node{b.Cond})
		}
	}
	return c
}

// nestedUnit is a Loop or Branch for one batch.
type nestedUnit struct {
	n        *ir.Node
	bodies   []*binding
	cond     *binding
	operands []operand
	which    operand // of a Branch: the choice; of a Loop with a count: that
	outs     []int   // the buffers of the results; of a Loop: of the stacked ones, the final carries before them
	steps    int     // the buffer of the number of steps taken, -1
	carries  []carryPlace
	xs       []int // bytes of a step's slice
	slices   []int // bytes of a step's slice of the stacked results
	length   int
	index    int // buffer of the index
	verdict  int // buffer of the condition's value
	number   int // of the run's loops
	code     *loopCode
	until    *untilUnit
	routine  *routine // in place of bodies
	rewind   *rewind
	partial  []bool // by stacked result: the slices of steps not taken are read, and have to be 0
}

// carryPlace is where a carry lives: in the buffer of its final value and, where a step cannot write it in
// place, alternately in another one. One that is stacked as it is lives there, in the slice of the step that
// begins with it; one that becomes a slice of xs lies where that does.
type carryPlace struct {
	bytes, at, other int // other: -1
	stack, slice     int // of the stacked results, of xs; -1
}

func (b *binding) newNested(n *ir.Node, c nested) *nestedUnit {
	u := &nestedUnit{n: n, steps: -1, number: len(b.loops)}
	b.loops = append(b.loops, u)
	bind := func(p *Program) *binding {
		q, err := p.newBinding(b.batch)
		if err != nil {
			panic(err)
		}
		return q
	}
	in := n.In
	if n.Kind == ir.Branch {
		u.which, in = b.operand(n.In[0]), in[1:]
	} else if n.Bits == 1 {
		u.which, in = b.operand(in[len(in)-1]), in[:len(in)-1]
	}
	for _, x := range in {
		u.operands = append(u.operands, b.operand(x))
	}
	body := n.Body[0]
	u.outs = make([]int, len(body.Outs)+1)
	for k := range u.outs {
		u.outs[k] = -1
	}
	for _, o := range b.p.low.nodes {
		if o.Kind == ir.Out && o.In[0] == n {
			u.outs[o.Bits] = b.root(o)
		}
	}
	u.steps, u.outs = u.outs[len(body.Outs)], u.outs[:len(body.Outs)]
	bytes := func(x *ir.Node) int { return x.Type.Size() * x.Shape.SizeAt(b.batch) }
	for k, o := range body.Outs {
		if u.outs[k] < 0 {
			size := bytes(o)
			if n.Kind != ir.Branch && k >= body.Carry {
				size *= n.Size.At(b.batch)
			}
			u.outs[k] = b.temporary(size)
		}
	}
	bodies := func() {
		for _, p := range c.bodies {
			u.bodies = append(u.bodies, bind(p))
		}
	}
	if n.Kind == ir.Branch {
		bodies()
		return u
	}
	if n.Size.B != 0 || n.Size.C >= 0 {
		u.length = n.Size.At(b.batch)
	} else {
		u.length = int(^uint(0) >> 1)
	}
	for k := body.Carry; k < len(body.Outs); k++ {
		o := body.Outs[k]
		u.slices = append(u.slices, bytes(o))
		u.partial = append(u.partial, (c.cond != nil || n.Bits == 1) && readsRest(n, k, b.p.low.nodes, b.p.low.outs))
	}
	if n.Kind == ir.Rewind {
		bodies()
		u.index = b.temporary(8)
		b.newRewind(u)
		return u
	}
	r := b.newRoutine(u, jit.NewRoutine())
	if r != nil && !r.several {
		b.accept(u, r)
		return u
	}
	bodies()
	u.index = b.temporary(8)
	if c.cond != nil {
		u.cond = bind(c.cond)
		u.verdict = b.temporary(1)
	}
	q := u.bodies[0]
	for k := range body.Carry {
		u.carries = append(u.carries, carryPlace{bytes: bytes(body.Outs[k]), at: u.outs[k], other: -1, stack: -1, slice: -1})
	}
	for i := range body.Xs {
		u.xs = append(u.xs, bytes(body.Params[body.Carry+i]))
	}
	u.code = b.newLoopCode(u)
	switch {
	case u.code != nil:
	case r != nil && r.f.Size() <= u.worth():
		b.accept(u, r)
	default:
		u.settle(q)
	}
	for k := range u.carries {
		if c := &u.carries[k]; c.stack < 0 && c.slice < 0 && !q.outs[k].in[k] {
			c.other = b.temporary(c.bytes)
		}
	}
	if u.code == nil && u.routine == nil {
		b.goesUntil(u)
	}
	return u
}

// settle finds the carries that are somewhere anyway, and has q, the body, copy none of them.
func (u *nestedUnit) settle(q *binding) {
	body := u.n.Body[0]
	for k := range u.carries {
		c := &u.carries[k]
		c.slice = slices.Index(body.Params[body.Carry:body.Carry+body.Xs], body.Outs[k])
		if c.slice >= 0 {
			q.outs[k].copied = false
		} else if c.stack = slices.Index(body.Outs[body.Carry:], body.Params[k]); c.stack >= 0 {
			q.outs[body.Carry+c.stack].copied = false
		}
	}
}

// unitBytes of a routine's code take about as long as the call of a unit. Tests change it.
var unitBytes = 1250

// worth is how long a routine may be that computes arrays element by element: so long as that takes no more time
// than the calls of the units that do it.
func (u *nestedUnit) worth() int {
	if u.routine != nil {
		return unitBytes + u.routine.f.Size()
	}
	n := unitBytes
	for _, b := range append(u.bodies[:len(u.bodies):len(u.bodies)], u.cond) {
		if b == nil {
			continue
		}
		n += unitBytes * len(b.units)
		for _, l := range b.loops {
			n += l.worth()
		}
	}
	return n
}

// The unit runs whole, by run: it has no phases of its own.
func (u *nestedUnit) phases() int            { return 0 }
func (u *nestedUnit) tasks(int) int          { return 0 }
func (u *nestedUnit) do(*run, int, int, int) {}

// nestedRun is the memory of a nestedUnit within a run.
type nestedRun struct {
	bodies  []*run
	cond    *run
	in, out []unsafe.Pointer
	steps   int // to take
	verdict [1]unsafe.Pointer
	memory  unsafe.Pointer // of a routine
	// Of a Rewind: what a forward step takes and gives, and the steps whose carries are kept, the first ones first.
	forward, next []unsafe.Pointer
	kept          []int
	rewound       rewound
	here, apart   []*untilPlace // by worker
}

// newRun makes one in memory that all loops and branches of r share: one of them runs at a time, and none keeps
// anything there.
func (u *nestedUnit) newRun(r *run, memory unsafe.Pointer) *nestedRun {
	s := &nestedRun{}
	if u.routine != nil {
		s.memory = memory
		return s
	}
	for _, b := range u.bodies {
		s.bodies = append(s.bodies, b.newRun(r.team, memory))
	}
	if u.cond != nil {
		s.cond = u.cond.newRun(r.team, memory)
	}
	if u.until != nil {
		q := s.bodies[0]
		for i := range q.workers {
			here, apart := u.until.newPlaces(r, q, &q.workers[i])
			s.here, s.apart = append(s.here, here), append(s.apart, apart)
		}
	}
	s.in = make([]unsafe.Pointer, len(u.bodies[0].p.inputs))
	s.out = make([]unsafe.Pointer, len(u.outs))
	if u.rewind != nil {
		s.forward = make([]unsafe.Pointer, len(u.bodies[1].p.inputs))
		s.next = make([]unsafe.Pointer, len(u.n.Body[1].Outs))
		s.kept = make([]int, 0, u.rewind.slots+1)
	}
	return s
}

func (u *nestedUnit) run(ctx context.Context, r *run) error {
	s := r.loops[u.number]
	if u.n.Kind == ir.Branch {
		i := int(*(*int64)(u.which.ptr(r)))
		for k := range u.operands {
			s.in[k] = u.operands[k].ptr(r)
		}
		for k, o := range u.outs {
			s.out[k] = r.ptr[o]
		}
		return s.bodies[max(0, min(len(s.bodies)-1, i))].body(ctx, s.in, s.out)
	}
	body := u.n.Body[0]
	carry, xs := body.Carry, body.Xs
	steps := u.length
	if u.n.Bits == 1 {
		steps = max(0, min(steps, int(*(*int64)(u.which.ptr(r)))))
	}
	ys := u.outs[carry:]
	if body.Cond != nil || steps < u.length {
		for j, o := range ys {
			if u.partial[j] {
				clear(unsafe.Slice((*byte)(r.ptr[o]), u.length*u.slices[j]))
			}
		}
	}
	if u.routine != nil {
		return u.routine.run(ctx, r, s.memory)
	}
	if u.rewind != nil {
		return u.rewound(ctx, r, s, steps)
	}
	index := (*int64)(r.ptr[u.index])
	s.in[carry+xs] = unsafe.Pointer(index)
	for i := carry + xs; i < len(u.operands); i++ {
		s.in[i+1] = u.operands[i].ptr(r)
	}
	if u.until != nil {
		for k := range u.carries {
			c := &u.carries[k]
			if s.in[k], s.out[k] = r.ptr[c.at], r.ptr[c.at]; c.other >= 0 {
				s.out[k] = r.ptr[c.other]
			}
		}
		s.bodies[0].point(s.in, s.out)
		r.phase(u.until, 0)
		return u.ended(ctx, r)
	}
	number := func(taken int) int {
		if u.n.Flag {
			return steps - 1 - taken
		}
		return taken
	}
	for k := range u.carries {
		c := &u.carries[k]
		first := u.operands[k].ptr(r)
		s.in[k], s.out[k] = r.ptr[c.at], r.ptr[c.at]
		switch {
		case c.slice >= 0:
			s.in[k] = first
			continue
		case c.stack >= 0 && steps > 0:
			s.in[k] = unsafe.Add(r.ptr[ys[c.stack]], number(0)*c.bytes)
		case c.other >= 0:
			s.out[k] = r.ptr[c.other]
		}
		move(s.in[k], first, c.bytes)
	}
	taken := 0
	if u.code != nil {
		s.steps = steps
		r.phase(u.code, 0)
		if err := u.ended(ctx, r); err != nil {
			return err
		}
		taken = steps
	}
	for ; taken < steps; taken++ {
		i := number(taken)
		*index = int64(i)
		for j := range xs {
			s.in[carry+j] = unsafe.Add(u.operands[carry+j].ptr(r), i*u.xs[j])
		}
		if u.cond != nil {
			s.verdict[0] = r.ptr[u.verdict]
			if err := s.cond.body(ctx, s.in, s.verdict[:]); err != nil {
				return err
			}
			if *(*uint8)(s.verdict[0]) == 0 {
				break
			}
		}
		for j, o := range ys {
			s.out[carry+j] = unsafe.Add(r.ptr[o], i*u.slices[j])
		}
		for k := range u.carries {
			if c := &u.carries[k]; c.stack >= 0 {
				if s.out[k] = r.ptr[c.at]; taken+1 < steps {
					s.out[k] = unsafe.Add(r.ptr[ys[c.stack]], number(taken+1)*c.bytes)
				}
			}
		}
		if err := s.bodies[0].body(ctx, s.in, s.out); err != nil {
			return err
		}
		for k := range u.carries {
			if c := &u.carries[k]; c.slice >= 0 {
				s.in[k] = s.in[carry+c.slice]
			} else {
				s.in[k], s.out[k] = s.out[k], s.in[k]
			}
		}
	}
	for k := range u.carries {
		c := &u.carries[k]
		if s.in[k] == r.ptr[c.at] {
			continue
		}
		move(r.ptr[c.at], s.in[k], c.bytes)
		if c.stack >= 0 && u.partial[c.stack] { // the condition ended the loop: this step was not taken
			clear(unsafe.Slice((*byte)(s.in[k]), c.bytes))
		}
	}
	if u.steps >= 0 {
		*(*int64)(r.ptr[u.steps]) = int64(taken)
	}
	return nil
}

// ended is the error of a phase.
func (u *nestedUnit) ended(ctx context.Context, r *run) error {
	if e := r.failed.Load(); e != nil {
		r.failed.Store(nil)
		return *e
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	return nil
}

// body runs r's program within another's run: results lie where the program may write them.
func (r *run) body(ctx context.Context, in, out []unsafe.Pointer) error {
	b := r.b
	r.point(in, out)
	if b.calls != nil {
		b.calls.run(r.ptr, &r.scratch)
	} else if err := r.steps(ctx, len(b.units)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	for i := range b.outs {
		if o := &b.outs[i]; o.copied {
			move(out[i], r.ptr[o.buffer], o.bytes)
		}
	}
	return nil
}
