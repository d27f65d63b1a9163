package runtime

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// loopCode is a loop of a fixed number of steps whose body is one cluster, each of whose elements reads the
// carries' same elements alone. Its steps are the rows of one entry of code: carries stay where they are,
// slices of stacked arrays are a row apart. Blocks of elements go through all steps one after the other.
type loopCode struct {
	loop  *nestedUnit
	body  *mapUnit
	outs  []int // values that are stored: what steps give, then carries
	given int
	next  []int // by outs: the value, a leaf, that it is in the next step, -1 for none
	code  *code
	args  []loopArg
	elems int
}

// loopArg is where an argument is in the first step, and how far from there in the next one.
type loopArg struct {
	fixed    unsafe.Pointer // for all steps, if not nil
	operand  int            // of the loop, or -1
	buffer   int            // of the run around it
	offset   int            // bytes
	slice    int            // bytes from one step's to the next one's
	size     int            // bytes from one element to the next
	backward bool
	local    bool // at offset in the worker's scratch, a block of it
}

// newLoopCode makes u's code, nil where its body is not of that kind.
func (b *binding) newLoopCode(u *nestedUnit) *loopCode {
	q := u.bodies[0]
	if b.isa == nil || u.cond != nil || len(q.units) != 1 {
		return nil
	}
	m, ok := q.units[0].(*mapUnit)
	if !ok || m.code == nil || m.mode != flat {
		return nil
	}
	body := *m
	body.cols, body.oneByOne = body.elems, false
	feeds, key := body.structure(*b.isa)
	values, ok := q.outValues(&body)
	if !ok {
		return nil
	}
	// What steps give is stored before carries, so that it may be a carry that the step began with; carries that
	// stay what they are are not stored.
	carries := len(u.carries)
	given := len(values) - carries
	var results, outs []int // numbers of results that are stored, their values
	for i := range values {
		k := (carries + i) % len(values)
		if n := q.buffers[q.outs[k].buffer].node; k >= carries || n == nil || n.Kind != ir.Param || int(n.Bits) != k {
			results, outs = append(results, k), append(outs, values[k])
		}
	}
	key = append([]byte("loop"), key...)
	key = binary.AppendUvarint(key, uint64(given))
	l := &loopCode{loop: u, body: &body, outs: outs, given: given, elems: body.elems}
	for k, v := range outs {
		next := -1
		if k >= given {
			next = q.carried(&body, results[k])
		}
		l.next = append(l.next, next)
		key = binary.AppendVarint(binary.AppendUvarint(key, uint64(v)), int64(next))
	}
	if body.elems <= minBlock {
		key = binary.AppendUvarint(key, uint64(body.elems))
	}
	l.code = codes.find(string(key))
	for _, c := range b.pending {
		if c.key == string(key) {
			l.code = c
		}
	}
	if l.code == nil {
		a, c := l.write(*b.isa, feeds)
		if c == nil || !a.assembles(*b.isa) {
			return nil
		}
		c.assemble(a, *b.isa)
		l.code, c.key, c.name = c, string(key), "steps of "+label(u.n)
		b.pending = append(b.pending, l.code)
	}
	seg := &l.code.segs[0]
	if body.elems%seg.f.Step() != 0 {
		return nil
	}
	by := body.maker()
	for _, v := range seg.args[:seg.ins] {
		arg, ok := u.loopInput(&body, by[v], feeds[v])
		if !ok {
			return nil
		}
		switch feeds[v] {
		case arrayFeed:
			arg.size = by[v].size
		case apartFeed:
			arg.size = by[v].size * body.leaf[by[v].leaf].byRows(body.cols).step
		}
		l.args = append(l.args, arg)
	}
	for k, v := range outs {
		arg := loopArg{operand: -1, size: by[v].size}
		if arg.buffer = u.outs[results[k]]; k < given {
			arg.slice, arg.backward = u.slices[k], u.n.Flag
		}
		l.args = append(l.args, arg)
	}
	b.words = max(b.words, l.code.words)
	b.scratch = max(b.scratch, l.code.bytes)
	return l
}

// outValues finds the value of u that each of q's outputs is.
func (q *binding) outValues(u *mapUnit) ([]int, bool) {
	var outs []int
	for i := range q.outs {
		v := -1
		for k := range u.ops {
			op := &u.ops[k]
			if op.f != nil && op.buffer == q.outs[i].buffer {
				v = op.dst
			}
			if op.f == nil { // a parameter as it is
				if l := &u.leaf[op.leaf]; !l.isSplat && l.direct && l.offset == 0 && l.buffer == q.outs[i].buffer {
					v = op.dst
				}
			}
		}
		if v < 0 {
			return nil, false
		}
		outs = append(outs, v)
	}
	return outs, true
}

// carried is the value of u that reads carry k, -1 where there is none or not one.
func (q *binding) carried(u *mapUnit, k int) int {
	v := -1
	for i := range u.ops {
		op := &u.ops[i]
		if op.f != nil || u.leaf[op.leaf].isSplat {
			continue
		}
		if n := q.buffers[u.leaf[op.leaf].buffer].node; n != nil && n.Kind == ir.Param && int(n.Bits) == k {
			if v >= 0 {
				return -1
			}
			v = op.dst
		}
	}
	return v
}

// loopInput is where the loop has what its body reads as op, a leaf.
func (u *nestedUnit) loopInput(m *mapUnit, op *mapOp, f feed) (loopArg, bool) {
	l, body := &m.leaf[op.leaf], u.n.Body[0]
	switch {
	case f != arrayFeed && f != splatFeed && f != apartFeed:
		return loopArg{}, false
	case l.isSplat:
		return loopArg{fixed: l.splat}, true
	}
	n := u.bodies[0].buffers[l.buffer].node
	switch {
	case n == nil || n.Kind != ir.Param && n.Kind != ir.Data:
		return loopArg{}, false
	case n.Kind == ir.Data:
		return loopArg{fixed: unsafe.Add(unsafe.Pointer(unsafe.SliceData(n.Data.Bytes)), l.offset)}, true
	}
	switch p := int(n.Bits); {
	case p < body.Carry:
		return loopArg{operand: -1, buffer: u.carries[p].at}, l.direct && l.offset == 0
	case p < body.Carry+body.Xs:
		return loopArg{operand: p, offset: l.offset, slice: u.xs[p-body.Carry], backward: u.n.Flag}, true
	case p == body.Carry+body.Xs: // the index
		return loopArg{}, false
	default:
		return loopArg{operand: p - 1, offset: l.offset}, true
	}
}

// write makes the vector program of code that stores all values at the end of an iteration, so that what a carry's
// element becomes is stored when nothing reads it any more. There is none where a carry becomes an input unchanged,
// which could have been stored over by then, and where the code is too long for one loop.
func (l *loopCode) write(isa jit.ISA, feeds []feed) (*assembler, *code) {
	a, c := l.body.write(isa, feeds, false)
	if len(a.segs) != 1 || a.b() == nil || c.tiles > 0 {
		return nil, nil
	}
	for _, v := range l.outs[:l.given] {
		switch t := a.by[v].node.Type; {
		case a.by[v].f != nil:
		case feeds[v] != arrayFeed || t == dtype.Bool || a.val[v] == vec.None:
			return nil, nil
		default:
			a.result[v] = jit.Out{T: t, V: a.val[v]}
		}
	}
	d := &a.segs[0]
	d.p.Out, d.p.Masks = nil, true
	if l.elems <= minBlock { // one block
		d.p.N = l.elems
	} else {
		for i, v := range d.ins {
			d.p.In[i].Ahead = feeds[v] == arrayFeed && !slices.Contains(l.next, v)
		}
	}
	for i, v := range l.outs {
		o := a.result[v]
		o.At = len(d.p.Code)
		if d.p.Unchanged(o.V) && (i >= l.given || a.by[v].f != nil) {
			return nil, nil
		}
		if o.T != dtype.Bool && !o.T.IsHalf() {
			o.Carry = 1 + slices.Index(d.ins, l.next[i])
		}
		d.p.Out = append(d.p.Out, o)
	}
	c.segs[0].args = append(c.segs[0].args[:c.segs[0].ins:c.segs[0].ins], l.outs...)
	return a, c
}

// A block's elements go through all steps together. Their carries stay in L1 or L2, and what a step reads of
// stacked arrays is long enough for the processor to fetch ahead; short arrays give several tasks all the same.
const minBlock, maxBlock = 256, 2048

func (l *loopCode) block() int {
	return max(minBlock, min(maxBlock, ceil(l.elems, 8*minBlock)*minBlock))
}

// A loop's code is a unit of its own: the blocks of its elements are independent.
func (l *loopCode) phases() int   { return 1 }
func (l *loopCode) tasks(int) int { return ceil(l.elems, l.block()) }

// do takes a block through the loop's steps.
func (l *loopCode) do(r *run, _, worker, task int) {
	col := task * l.block()
	l.span(r, &r.workers[worker], r.loops[l.loop.number].steps, col, min(l.block(), l.elems-col))
}

// span takes n elements from col on through the loop's steps.
func (l *loopCode) span(r *run, w *worker, steps, col, n int) {
	rows := max(1, l.code.most()/max(16, n))
	for from := 0; from < steps; from += rows {
		for k := range l.args {
			x := &l.args[k]
			first, step := from, x.slice
			if x.backward {
				first, step = steps-1-from, -x.slice
			}
			p, at := x.fixed, col*x.size
			switch {
			case p != nil:
			case x.local:
				p, at = w.scratch, 0
			case x.operand >= 0:
				p = l.loop.operands[x.operand].ptr(r)
			default:
				p = r.ptr[x.buffer]
			}
			w.args[jit.ArgArrays+2*k] = uintptr(unsafe.Add(p, x.offset+first*x.slice+at))
			w.args[jit.ArgArrays+2*k+1] = uintptr(step)
		}
		w.args[jit.ArgN], w.args[jit.ArgTail] = l.code.segs[0].f.Split(n)
		w.args[jit.ArgRows], w.args[jit.ArgSpill] = uintptr(min(rows, steps-from)), uintptr(w.scratch)
		l.code.segs[0].f.Run(w.args)
		if r.stopped() {
			return
		}
	}
}
