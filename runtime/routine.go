package runtime

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// routine is a loop whose steps compute single elements, or small arrays element by element, with the loops and
// branches in it, as one piece of machine code. Elements of arrays are read wherever an index says, and a step's results stored where they
// belong. It is left from time to time, for the collector and the context, and for what has no vector program.
type routine struct {
	f       *jit.Func
	scalars []scalarInput
	bases   []arrayBase
	results []scalarResult
	exits   []routineExit
	memory  int  // bytes for arrays of the loops inside
	several bool // some value has several elements
}

// scalarInput is an operand of the loop, the count behind the others, that a slot begins with.
type scalarInput struct {
	slot    jit.Slot
	operand *operand
}

// arrayBase is an array whose address is in a slot: an operand, captured data, an array of the run, or one of
// the routine's own.
type arrayBase struct {
	slot    jit.Slot
	operand *operand
	data    unsafe.Pointer
	buffer  int // -1: not one of the run
	own     int // offset
}

type scalarResult struct {
	slot   jit.Slot
	buffer int
	at     int // element
	t      dtype.Type
}

// routineExit is why the routine is left: to compute node n on tiles or, where f is nil, because an index of
// Take n is out of range.
type routineExit struct {
	n     *ir.Node
	f     kernels.Tile
	arg   [3]jit.Slot
	types [3]dtype.Type
	dst   jit.Slot
	size  int
}

const (
	maxElems    = 16       // of an array that is computed element by element; no more than a sum has lanes
	maxOwnBytes = 64 << 20 // of a routine's own arrays
	maxClear    = 1 << 20  // bytes that are cleared without a pause
	budget      = 40_000   // instructions between pauses: at most some 100 µs where each waits for the last one
	tileRoom    = 4 * kernels.Pad * 8
)

// newRoutine makes u's routine, as r, nil where a step does more than it can.
func (b *binding) newRoutine(u *nestedUnit, r *jit.Routine) (x *routine) {
	if b.isa == nil || u.n.Kind != ir.Loop {
		return nil
	}
	w := &routineWriter{b: b, r: r, routine: &routine{}}
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(notScalar); !ok {
				panic(e)
			}
			x = nil
		}
	}()
	var in []item
	for i := range u.operands {
		in = append(in, w.operand(&u.operands[i]))
	}
	if u.n.Bits == 1 {
		in = append(in, w.operand(&u.which))
	}
	res := w.loop(u.n, in, func(k, bytes int) arrayBase { return arrayBase{buffer: u.outs[k]} }, u.steps >= 0)
	for k, o := range u.n.Body[0].Outs[:u.n.Body[0].Carry] {
		for at, s := range w.slots(res[k], o.Type) {
			w.results = append(w.results, scalarResult{s, u.outs[k], at, o.Type})
		}
	}
	if u.steps >= 0 {
		w.results = append(w.results, scalarResult{w.slot(res[len(res)-1], dtype.I64), u.steps, 0, dtype.I64})
	}
	w.f = w.r.Assemble()
	return w.routine
}

// accept makes x what u runs.
func (b *binding) accept(u *nestedUnit, x *routine) {
	u.routine, u.bodies, u.cond = x, nil, nil
	b.pending = append(b.pending, &code{name: "routine for " + label(u.n), segs: []segment{{f: x.f}}, size: x.f.Size()})
}

// notScalar says that a loop is more than a routine can do.
type notScalar struct{}

// routineWriter writes a routine.
type routineWriter struct {
	*routine
	b *binding
	r *jit.Routine
}

// note lists n as what is written for it from here on.
func (w *routineWriter) note(n *ir.Node) {
	if w.r.Listing() {
		w.r.Note(label(n))
	}
}

// item is a value within a routine: some elements, or an array in memory.
type item struct {
	elems []element
	array *located // where elems is nil
}

// element is in a slot, or a constant where that is 0.
type element struct {
	slot jit.Slot
	bits uint64
}

func inSlot(s jit.Slot) item { return item{elems: []element{{slot: s}}} }

// located is an array from an address on, strides over which the operand says.
type located struct {
	operand
	at jit.Address
}

// base is a slot with an array's address.
func (w *routineWriter) base(a arrayBase) jit.Slot {
	a.slot = w.r.Slot()
	w.bases = append(w.bases, a)
	return a.slot
}

// operand is what an operand of the outermost loop is inside.
func (w *routineWriter) operand(o *operand) item {
	switch {
	case o.isSplat:
		return w.constant(o.bits, product(o.dims))
	case product(o.dims) == 1:
		s := w.r.Slot()
		w.scalars = append(w.scalars, scalarInput{s, o})
		return inSlot(s)
	}
	x := &located{operand: *o, at: jit.Address{Base: w.base(arrayBase{operand: o, buffer: -1})}}
	x.start = 0 // which the operand's address has
	return item{array: x}
}

// constant is n times the same.
func (w *routineWriter) constant(bits uint64, n int) item {
	w.few(n)
	return item{elems: slices.Repeat([]element{{bits: bits}}, n)}
}

// few sees that n elements can be computed one by one.
func (w *routineWriter) few(n int) {
	if n < 1 || n > maxElems {
		panic(notScalar{})
	}
	w.several = w.several || n > 1
}

// slot is where x, of one element, is or is put.
func (w *routineWriter) slot(x item, t dtype.Type) jit.Slot {
	s := w.slots(x, t)
	if len(s) != 1 {
		panic(notScalar{})
	}
	return s[0]
}

// slots is where x's elements are or are put.
func (w *routineWriter) slots(x item, t dtype.Type) []jit.Slot {
	var res []jit.Slot
	for _, e := range w.spread(x) {
		if e.slot == 0 {
			e.slot = w.r.Slot()
			w.r.Const(e.slot, t, e.bits)
		}
		res = append(res, e.slot)
	}
	return res
}

// spread is x's elements, which are loaded where they are in memory.
func (w *routineWriter) spread(x item) []element {
	if x.elems != nil {
		return x.elems
	}
	a := x.array
	w.few(product(a.dims))
	var res []element
	each(a.dims, func(_ int, at []int) {
		y := *a
		for k, i := range at {
			y.start += i * a.strides[k]
		}
		s := w.r.Slot()
		w.r.Load(s, a.t, w.address(&y))
		res = append(res, element{slot: s})
	})
	return res
}

// sized is an array, or its element if it has one.
func (w *routineWriter) sized(x *located) item {
	if product(x.dims) != 1 {
		return item{array: x}
	}
	return item{elems: w.spread(item{array: x})}
}

func (w *routineWriter) address(x *located) jit.Address {
	a := x.at
	a.Offset = w.small(int(a.Offset) + x.start*x.t.Size())
	return a
}

// small is a number that fits an instruction.
func (w *routineWriter) small(n int) int32 {
	if n != int(int32(n)) || n == math.MinInt32 {
		panic(notScalar{})
	}
	return int32(n)
}

// part is the array x[i] of an axis, for an index in a slot.
func (w *routineWriter) part(x *located, axis int, index jit.Slot, narrow bool, dims []int) *located {
	y := *x
	y.at.Terms = append(slices.Clone(x.at.Terms), jit.Term{Index: index, Stride: w.small(x.strides[axis] * x.t.Size()), Narrow: narrow})
	y.dims = slices.Concat(x.dims[:axis], dims, x.dims[axis+1:])
	y.strides = slices.Concat(x.strides[:axis], make([]int, len(dims)), x.strides[axis+1:])
	return &y
}

// loop writes Loop n on operands in, the count behind them, and gives its results: the carries, what is stacked
// in the arrays that stack gives for their number and size, and the number of steps, if that is wanted.
func (w *routineWriter) loop(n *ir.Node, in []item, stack func(k, bytes int) arrayBase, counted bool) []item {
	w.note(n)
	body := n.Body[0]
	s := jit.Steps{Most: -1, Backward: n.Flag, Index: w.r.Slot()}
	if n.Size.B != 0 || n.Size.C >= 0 {
		s.Most = w.small(n.Size.At(w.b.batch))
	}
	if n.Bits == 1 {
		s.Count = w.slot(in[len(in)-1], dtype.I64)
		in = in[:len(in)-1]
	}
	if counted {
		s.Taken = w.r.Slot()
	}
	res := []item{}
	var carries [][]jit.Slot
	for k, x := range in[:body.Carry] {
		from, to := w.slots(x, body.Outs[k].Type), item{}
		var slots []jit.Slot
		for range from {
			slots = append(slots, w.r.Slot())
			to.elems = append(to.elems, element{slot: slots[len(slots)-1]})
		}
		carries, res = append(carries, slots), append(res, to)
		w.r.Move(slots, from)
	}
	params := slices.Clone(res)
	for k, x := range in[body.Carry : body.Carry+body.Xs] {
		switch n := body.Params[body.Carry+k]; {
		case x.array != nil:
			params = append(params, item{array: w.part(x.array, 0, s.Index, false, nil)})
		case len(x.elems) == n.Shape.SizeAt(w.b.batch): // of one step
			params = append(params, x)
		default:
			panic(notScalar{})
		}
	}
	params = append(params, inSlot(s.Index))
	params = append(params, in[body.Carry+body.Xs:]...)
	var sinks []sink
	for k := body.Carry; k < len(body.Outs); k++ {
		o := body.Outs[k]
		w.few(o.Shape.SizeAt(w.b.batch))
		size := o.Type.Size() * o.Shape.SizeAt(w.b.batch)
		if s.Most < 0 {
			panic(notScalar{})
		}
		at := jit.Address{Base: w.base(stack(k, int(s.Most)*size))}
		dims := slices.Concat([]int{int(s.Most)}, o.Shape.At(w.b.batch))
		res = append(res, item{array: &located{operand: operand{t: o.Type, dims: dims, strides: contiguous(dims)}, at: at}})
		at.Terms = []jit.Term{{Index: s.Index, Stride: int32(size)}}
		sinks = append(sinks, sink{o, at})
	}
	var cond func() jit.Slot
	if body.Cond != nil {
		cond = func() jit.Slot {
			b := w.body([]*ir.Node{body.Cond}, params, nil, nil)
			w.note(n)
			return w.slot(b.at[body.Cond], dtype.Bool)
		}
	}
	s.Carries = slices.Concat(carries...)
	w.r.Loop(s, cond, func() {
		b := w.body(body.Outs, params, sinks, carries)
		w.note(n)
		var to, from []jit.Slot
		for k, slots := range carries {
			for i, x := range w.slots(b.at[body.Outs[k]], body.Outs[k].Type) {
				if x != slots[i] {
					to, from = append(to, slots[i]), append(from, x)
				}
			}
		}
		w.r.Move(to, from)
	})
	if counted {
		res = append(res, inSlot(s.Taken))
	}
	return res
}

// sink is an element that a value is stored in.
type sink struct {
	n  *ir.Node
	at jit.Address
}

// bodyWriter writes the nodes of a body.
type bodyWriter struct {
	*routineWriter
	at    map[*ir.Node]item
	loops map[*ir.Node][]item // results of loops and branches
	outs  []*ir.Node
	todo  []*ir.Node
	sinks []sink
	home  map[*ir.Node][]jit.Slot // of the carries' next values, where they may go at once
}

// body writes what outs need of a body. Next values of carries are put in place where nothing reads the old ones
// any more.
func (w *routineWriter) body(outs []*ir.Node, params []item, sinks []sink, carries [][]jit.Slot) *bodyWriter {
	b := &bodyWriter{routineWriter: w, at: map[*ir.Node]item{}, loops: map[*ir.Node][]item{}, outs: outs, todo: ir.Reachable(outs),
		sinks: slices.Clone(sinks), home: map[*ir.Node][]jit.Slot{}}
	for k, s := range carries {
		if _, twice := b.home[outs[k]]; !twice {
			b.home[outs[k]] = s
		}
	}
	nodes := b.todo
	if slices.ContainsFunc(nodes, func(n *ir.Node) bool { return n.Type.IsHalf() }) {
		panic(notScalar{}) // slots hold lanes
	}
	for len(b.todo) > 0 || len(b.sinks) > 0 {
		left := len(b.todo) + len(b.sinks)
		b.try(func(n *ir.Node) bool { return b.see(n, params) })
		b.store()
		if b.block(); len(b.todo)+len(b.sinks) < left {
			continue
		}
		other := false // one, since what reads it may be seen or part of a block
		b.try(func(n *ir.Node) bool {
			if !other {
				other = b.other(n, nodes)
				return other
			}
			return false
		})
		if len(b.todo)+len(b.sinks) == left {
			panic(notScalar{})
		}
	}
	return b
}

// try takes the nodes whose operands are there, and that f writes, off the list.
func (b *bodyWriter) try(f func(n *ir.Node) bool) {
	var left []*ir.Node
	for _, n := range b.todo {
		b.note(n)
		if !b.ready(n, nil) || !f(n) {
			left = append(left, n)
		}
	}
	b.todo = left
}

// ready reports whether the operands are there, or in a set.
func (b *bodyWriter) ready(n *ir.Node, set map[*ir.Node][]vec.Value) bool {
	for _, x := range n.In {
		_, done := b.at[x]
		_, here := set[x]
		if !done && !here && b.loops[x] == nil {
			return false
		}
	}
	return true
}

// store fills the sinks whose values are there: as early as can be, while they are where they are.
func (b *bodyWriter) store() {
	var left []sink
	for _, s := range b.sinks {
		if x, ok := b.at[s.n]; ok {
			b.note(s.n)
			for i, from := range b.slots(x, s.n.Type) {
				at := s.at
				at.Offset += int32(i * s.n.Type.Size())
				b.r.Store(at, s.n.Type, from)
			}
		} else {
			left = append(left, s)
		}
	}
	b.sinks = left
}

// see writes what takes no computation.
func (b *bodyWriter) see(n *ir.Node, params []item) bool {
	switch n.Kind {
	case ir.Param:
		x := params[n.Bits]
		if x.array != nil {
			x = b.sized(x.array)
		}
		b.at[n] = x
	case ir.Const, ir.DimSize:
		bits := n.Bits
		if n.Kind == ir.DimSize {
			bits = ir.FloatBits(n.Type, float64(n.Size.At(b.b.batch)))
		}
		b.at[n] = b.constant(bits, n.Shape.SizeAt(b.b.batch))
	case ir.Data:
		dims := n.Shape.At(b.b.batch)
		at := jit.Address{Base: b.base(arrayBase{data: unsafe.Pointer(unsafe.SliceData(n.Data.Bytes)), buffer: -1})}
		b.at[n] = b.sized(&located{operand{t: n.Type, dims: dims, strides: contiguous(dims)}, at})
	case ir.Broadcast, ir.Reshape, ir.Transpose, ir.Slice, ir.Reverse:
		x := b.at[n.In[0]]
		if x.array == nil {
			var y item
			for _, i := range b.positions(n) {
				y.elems = append(y.elems, x.elems[i])
			}
			b.at[n] = y
			break
		}
		if n.Kind == ir.Reshape && !onesOnly(n.In[0].Shape, n.Shape) {
			if v, ok := kernels.MakeView(x.array.dims, x.array.strides); !ok || !v.Contiguous() {
				panic(notScalar{})
			}
		}
		y := *x.array
		y.operand = y.seen(n, b.b.batch)
		b.at[n] = b.sized(&y)
	case ir.Out:
		k := int(n.Bits)
		b.at[n] = b.loops[n.In[0]][k]
	default:
		return false
	}
	return true
}

// positions is which of its operand's elements view n shows.
func (b *bodyWriter) positions(n *ir.Node) []int {
	dims := n.In[0].Shape.At(b.b.batch)
	y := (operand{dims: dims, strides: contiguous(dims)}).seen(n, b.b.batch)
	b.few(product(y.dims))
	var res []int
	each(y.dims, func(_ int, at []int) {
		i := y.start
		for a, k := range at {
			i += k * y.strides[a]
		}
		res = append(res, i)
	})
	return res
}

// block writes all arithmetic whose operands are there as one vector program.
func (b *bodyWriter) block() {
	e := &elementwise{bodyWriter: b, Builder: vec.NewBuilder(), set: map[*ir.Node][]vec.Value{}, read: map[read]vec.Value{},
		guarded: map[*ir.Node]bool{}}
	var nodes, left []*ir.Node
	var ends []int // by node
	for _, n := range b.todo {
		if b.ready(n, e.set) && e.write(n) {
			nodes, ends = append(nodes, n), append(ends, len(e.Code()))
		} else {
			left = append(left, n)
		}
	}
	if len(nodes) == 0 {
		return
	}
	b.todo = left
	p := &jit.Program{In: e.types, Code: e.Code()}
	kept := map[*ir.Node]bool{} // what something outside reads
	for _, g := range e.guards {
		kept[g.n], kept[g.n.In[0]] = true, true
	}
	for _, o := range b.outs {
		kept[o] = true
	}
	for _, n := range left {
		for _, x := range n.In {
			kept[x] = true
		}
	}
	unchanged := false
	for _, n := range nodes {
		unchanged = unchanged || kept[n] && slices.ContainsFunc(e.set[n], p.Unchanged)
	}
	var out []jit.Slot
	for _, n := range nodes {
		if !kept[n] {
			continue
		}
		slots, ok := b.home[n]
		ok = ok && !unchanged && !slices.ContainsFunc(slots, b.reads) && !slices.ContainsFunc(slots, e.keeps)
		var x item
		for i, v := range e.set[n] {
			s := jit.Slot(0)
			if ok {
				s = slots[i]
			} else {
				s = b.r.Slot()
			}
			x.elems, out = append(x.elems, element{slot: s}), append(out, s)
			p.Out = append(p.Out, jit.Out{T: n.Type, V: v, At: len(p.Code)})
		}
		b.at[n] = x
	}
	for i := range e.guards {
		s := b.r.Slot()
		e.guards[i].slot, out = s, append(out, s)
		p.Out = append(p.Out, jit.Out{T: dtype.Bool, V: e.guards[i].inside, At: len(p.Code)})
	}
	b.r.Block(p, e.in, out, func(src int) string {
		i, _ := slices.BinarySearch(ends, src+1)
		return label(nodes[i])
	})
	for _, g := range e.guards {
		b.note(g.n)
		x := g.n.In[0]
		b.r.Unless(g.slot, len(b.exits))
		b.exits = append(b.exits, routineExit{n: g.n, f: b.b.p.level.Tile(g.n.Op, x.Type), types: [3]dtype.Type{x.Type},
			arg: [3]jit.Slot{b.slots(b.at[x], x.Type)[g.elem]}, dst: b.at[g.n].elems[g.elem].slot})
	}
}

// keeps reports whether a guard needs what is in slot s.
func (e *elementwise) keeps(s jit.Slot) bool {
	return slices.ContainsFunc(e.guards, func(g guard) bool {
		return slices.Contains(e.at[g.n.In[0]].elems, element{slot: s})
	})
}

// guard is an element of an operation that has limits: it is computed once more where its argument is beyond them,
// before anything reads it.
type guard struct {
	n      *ir.Node
	elem   int
	inside vec.Value
	slot   jit.Slot
}

// elementwise writes a block, every node as its elements' values.
type elementwise struct {
	*bodyWriter
	*vec.Builder
	set   map[*ir.Node][]vec.Value
	read  map[read]vec.Value
	in    []jit.Slot
	types []jit.In
	// guarded are results that the block's other nodes cannot read yet.
	guarded map[*ir.Node]bool
	guards  []guard
}

// read is a slot as a type.
type read struct {
	s jit.Slot
	t dtype.Type
}

// values are x's elements, Bools as masks of type t.
func (e *elementwise) values(x *ir.Node, t vec.Type) []vec.Value {
	res := slices.Clone(e.set[x])
	if res == nil {
		at := e.at[x]
		at.elems = e.spread(at)
		e.at[x] = at
		for _, y := range at.elems {
			res = append(res, e.outside(y, x.Type, t))
		}
	}
	if x.Type != dtype.Bool {
		return res
	}
	for i, v := range res {
		switch have := e.TypeOf(v); {
		case have.Bits() < t.Bits():
			res[i] = e.Widen(v)
		case have.Bits() > t.Bits():
			res[i] = e.Narrow(v)
		}
	}
	return res
}

// outside is an element that is there.
func (e *elementwise) outside(y element, of dtype.Type, t vec.Type) vec.Value {
	switch {
	case y.slot == 0 && of == dtype.Bool:
		return e.I(t, -int64(y.bits&1))
	case y.slot == 0:
		return e.Bits(vec.Lane(of), y.bits)
	}
	key := read{y.slot, of}
	v, ok := e.read[key]
	if !ok {
		e.in, e.types = append(e.in, y.slot), append(e.types, jit.In{T: of})
		if i := e.AddInput(of); of == dtype.Bool {
			v = e.InputMask(i, t)
		} else {
			v = e.Input(i)
		}
		e.read[key] = v
	}
	return v
}

// write writes node n, unless it is of a kind or size that it cannot.
func (e *elementwise) write(n *ir.Node) bool {
	size := n.Shape.SizeAt(e.b.batch)
	if size < 1 || size > maxElems {
		return false
	}
	for _, x := range n.In {
		if k := x.Shape.SizeAt(e.b.batch); k < 1 || k > maxElems || e.guarded[x] {
			return false
		}
	}
	var res []vec.Value
	switch n.Kind {
	case ir.Pointwise, ir.Convert:
		limited := n.Kind == ir.Pointwise && vec.Range(n.Op, n.In[0].Type) != nil
		if !limited && !hasBody(n) {
			return false
		}
		lane := laneOf(n.Type)
		if n.Kind == ir.Pointwise {
			lane = laneOf(n.In[len(n.In)-1].Type)
		}
		var in [3][]vec.Value
		for j, x := range n.In {
			in[j] = e.values(x, lane.Int())
		}
		for i := range size {
			var x [3]vec.Value
			for j := range n.In {
				x[j] = in[j][i]
			}
			switch {
			case limited:
				res = append(res, vec.EmitInside(e.Builder, n.Op, lane, x[0]))
				l := vec.Range(n.Op, n.Type)
				inside := e.And(e.GE(x[0], e.F(lane, l.Lo)), e.LE(x[0], e.F(lane, l.Hi)))
				e.guarded[n] = true
				e.guards = append(e.guards, guard{n: n, elem: i, inside: e.Or(inside, e.NE(x[0], x[0]))})
			case n.Kind == ir.Convert:
				res = append(res, vec.Convert(e.Builder, x[0], n.In[0].Type, n.Type))
			default:
				res = append(res, vec.Emit(e.Builder, n.Op, lane, x[:len(n.In)]...))
			}
		}
	case ir.Broadcast, ir.Reshape, ir.Transpose, ir.Slice, ir.Reverse:
		x := e.values(n.In[0], laneOf(n.Type).Int())
		for _, i := range e.positions(n) {
			res = append(res, x[i])
		}
	case ir.Place:
		res = e.place(n, size)
	case ir.Reduce:
		if n.Reduction >= ir.ArgMax || n.Type == dtype.Bool || n.Type == dtype.I64 && n.Reduction == ir.Prod {
			return false
		}
		res = e.reduce(n, size)
	case ir.MatMul:
		if n.Step != nil {
			return false
		}
		res = e.product(n)
	default:
		return false
	}
	e.several = e.several || size > 1
	e.set[n] = res
	return true
}

func (e *elementwise) place(n *ir.Node, size int) []vec.Value {
	t := laneOf(n.Type)
	dims := n.Shape.At(e.b.batch)
	var res []vec.Value
	for range size {
		res = append(res, e.outside(element{bits: n.Bits}, n.Type, t.Int()))
	}
	strides := contiguous(dims)
	for p, x := range n.In {
		v := e.values(x, t.Int())
		each(x.Shape.At(e.b.batch), func(i int, at []int) {
			to := 0
			for a, k := range at {
				to += (n.Start[p*len(dims)+a].At(e.b.batch) + k*n.Step[p*len(dims)+a]) * strides[a]
			}
			if n.Flag {
				res[to] = e.Add(res[to], v[i])
			} else {
				res[to] = v[i]
			}
		})
	}
	return res
}

// reduce keeps to the order that order.go states: along the last axes lanes that begin with nothing are halved, along
// others elements come one after the other.
func (e *elementwise) reduce(n *ir.Node, size int) []vec.Value {
	x, t := e.values(n.In[0], laneOf(n.Type).Int()), vec.Lane(n.Type)
	combine := func(a, b vec.Value) vec.Value {
		return vec.Emit(e.Builder, [...]ops.ID{ir.Sum: ops.Add, ir.Prod: ops.Mul, ir.Max: ops.Max, ir.Min: ops.Min}[n.Reduction], t, a, b)
	}
	begin := func(v vec.Value) vec.Value { // 0 + -0 is 0
		if n.Reduction == ir.Sum {
			return e.Add(e.Bits(t, 0), v)
		}
		return v
	}
	dims := n.In[0].Shape.At(e.b.batch)
	_, run, inner := around(dims, n.Axes[0], n.Axes[1])
	var res []vec.Value
	for o := range size {
		var lanes []vec.Value
		for j := range run {
			lanes = append(lanes, begin(x[(o/inner*run+j)*inner+o%inner]))
		}
		if n.Axes[1] == len(dims) {
			res = append(res, e.halve(lanes, n.Type, combine))
			continue
		}
		sum := lanes[0]
		for j := range run - 1 {
			sum = combine(sum, x[(o/inner*run+j+1)*inner+o%inner])
		}
		res = append(res, sum)
	}
	return res
}

// halve combines lanes, those behind them having nothing.
func (e *elementwise) halve(lanes []vec.Value, t dtype.Type, combine func(a, b vec.Value) vec.Value) vec.Value {
	for h := kernels.LaneBytes / t.Size() / 2; h > 0; h /= 2 {
		for l := h; l < len(lanes); l++ {
			lanes[l-h] = combine(lanes[l-h], lanes[l])
		}
		lanes = lanes[:min(h, len(lanes))]
	}
	return lanes[0]
}

// product adds fused products in order, those of one column in lanes.
func (e *elementwise) product(n *ir.Node) []vec.Value {
	t := vec.Lane(n.Type)
	zero := e.Bits(t, 0)
	x, y := e.values(n.In[0], t.Int()), e.values(n.In[1], t.Int())
	dims, rank := n.Shape.At(e.b.batch), n.Rank()
	batch, rows, cols, depth := product(dims[:rank-2]), dims[rank-2], dims[rank-1], n.In[0].Shape[rank-1].At(e.b.batch)
	var res []vec.Value
	for i := range batch * rows {
		for j := range cols {
			var lanes []vec.Value
			sum := zero
			for k := range depth {
				a, b := x[i*depth+k], y[(i/rows*depth+k)*cols+j]
				if sum = e.FMA(a, b, sum); cols == 1 {
					lanes, sum = append(lanes, sum), zero
				}
			}
			if cols == 1 {
				// A lane can be -0, to which the lanes behind add 0.
				for len(lanes) < kernels.LaneBytes/n.Type.Size() {
					lanes = append(lanes, zero)
				}
				sum = e.halve(lanes, n.Type, e.Add)
			}
			res = append(res, sum)
		}
	}
	return res
}

// reads reports whether what is left to write reads slot s.
func (b *bodyWriter) reads(s jit.Slot) bool {
	in := func(n *ir.Node) bool {
		x, ok := b.at[n]
		return ok && (slices.ContainsFunc(x.elems, func(e element) bool { return e.slot == s }) ||
			x.array != nil && slices.ContainsFunc(x.array.at.Terms, func(t jit.Term) bool { return t.Index == s }))
	}
	for _, n := range b.todo {
		if slices.ContainsFunc(n.In, in) {
			return true
		}
	}
	return slices.ContainsFunc(b.outs, in)
}

// other writes what is neither seen nor part of a block.
func (b *bodyWriter) other(n *ir.Node, nodes []*ir.Node) bool {
	operands := func(in []*ir.Node) []item {
		var res []item
		for _, x := range in {
			res = append(res, b.at[x])
		}
		return res
	}
	switch n.Kind {
	case ir.Pointwise, ir.Convert:
		b.tile(n)
	case ir.Take:
		b.take(n)
	case ir.Loop:
		outs := len(n.Body[0].Outs)
		counted := slices.ContainsFunc(nodes, func(o *ir.Node) bool { return o.Kind == ir.Out && o.In[0] == n && int(o.Bits) == outs })
		b.loops[n] = b.loop(n, operands(n.In), func(k, bytes int) arrayBase {
			a := arrayBase{buffer: -1, own: b.memory}
			if b.memory += lines(bytes + 8); b.memory > maxOwnBytes {
				panic(notScalar{})
			}
			if (n.Body[0].Cond != nil || n.Bits == 1) && readsRest(n, k, nodes, b.outs) {
				if bytes > maxClear {
					panic(notScalar{})
				}
				s := b.base(a)
				b.r.Zero(s, ceil(bytes, 8))
			}
			return a
		}, counted)
	case ir.Branch:
		b.branch(n, operands(n.In))
	default:
		panic(notScalar{})
	}
	return true
}

// readsRest reports whether something in a graph reads more of what loop n stacks as result k than the slices
// of the steps taken: all but the loops that step as often.
func readsRest(n *ir.Node, k int, nodes, outs []*ir.Node) bool {
	is := func(o *ir.Node, k int) bool { return o.Kind == ir.Out && o.In[0] == n && int(o.Bits) == k }
	stacked := func(o *ir.Node) bool { return is(o, k) }
	if slices.ContainsFunc(outs, stacked) {
		return true
	}
	for _, m := range nodes {
		if !slices.ContainsFunc(m.In, stacked) {
			continue
		}
		if m.Kind != ir.Loop || m.Bits != 1 || !is(m.In[len(m.In)-1], len(n.Body[0].Outs)) {
			return true
		}
		b := m.Body[0]
		if slices.ContainsFunc(m.In[:b.Carry], stacked) || slices.ContainsFunc(m.In[b.Carry+b.Xs:], stacked) {
			return true
		}
	}
	return false
}

func (b *bodyWriter) take(n *ir.Node) {
	x, index := b.at[n.In[0]], b.at[n.In[1]]
	if x.array == nil || ir.Indexed(n.Bits) != ir.ForAll {
		panic(notScalar{})
	}
	axis, narrow := n.Axes[0], n.In[1].Type == dtype.I32
	size := b.small(x.array.dims[axis])
	s := b.slot(index, n.In[1].Type)
	b.r.Check(s, narrow, size, len(b.exits))
	b.exits = append(b.exits, routineExit{n: n, arg: [3]jit.Slot{s}, types: [3]dtype.Type{n.In[1].Type}, size: int(size)})
	b.at[n] = b.sized(b.part(x.array, axis, s, narrow, n.In[1].Shape.At(b.b.batch)))
}

// tile writes an operation that has no vector program.
func (b *bodyWriter) tile(n *ir.Node) {
	if n.Shape.SizeAt(b.b.batch) != 1 {
		panic(notScalar{})
	}
	s := b.r.Slot()
	b.at[n] = inSlot(s)
	e := routineExit{n: n, dst: s}
	for i, x := range n.In {
		e.arg[i], e.types[i] = b.slot(b.at[x], x.Type), x.Type
	}
	t := n.In[len(n.In)-1].Type
	switch {
	case n.Kind == ir.Convert:
		e.f = b.b.p.level.ConvertTile(n.In[0].Type, n.Type)
	case t == dtype.I64 && n.Op == ops.Mul:
		b.r.Mul(s, e.arg[0], e.arg[1])
		return
	default:
		e.f = b.b.p.level.Tile(n.Op, t)
	}
	b.r.Exit(len(b.exits))
	b.exits = append(b.exits, e)
}

func (b *bodyWriter) branch(n *ir.Node, in []item) {
	var to []jit.Slot
	var res []item
	for _, o := range n.Body[0].Outs {
		var x item
		b.few(o.Shape.SizeAt(b.b.batch))
		for range o.Shape.SizeAt(b.b.batch) {
			to = append(to, b.r.Slot())
			x.elems = append(x.elems, element{slot: to[len(to)-1]})
		}
		res = append(res, x)
	}
	b.r.Branch(b.slot(in[0], dtype.I64), len(n.Body), func(i int) {
		outs := n.Body[i].Outs
		x := b.body(outs, in[1:], nil, nil)
		b.note(n)
		var from []jit.Slot
		for _, o := range outs {
			from = append(from, b.slots(x.at[o], o.Type)...)
		}
		b.r.Move(to, from)
	})
	b.loops[n] = res
}

// laneBits is an element as the bits of a lane.
func laneBits(p unsafe.Pointer, t dtype.Type) uint64 {
	switch t.Size() {
	case 8:
		return *(*uint64)(p)
	case 4:
		return uint64(*(*uint32)(p))
	}
	return uint64(*(*uint8)(p))
}

// bytes is the memory of a run, rounded up so that the arrays in it are aligned.
func (x *routine) bytes() int { return lines(x.f.FrameBytes()) + x.memory + tileRoom }

// run takes the loop to its end.
func (x *routine) run(ctx context.Context, r *run, memory unsafe.Pointer) error {
	if r.b.p.poison {
		kernels.Fill(memory, poisonBits, 8, x.bytes()/8)
	}
	f, own := x.f.Frame(memory), unsafe.Add(memory, lines(x.f.FrameBytes()))
	for i := range x.scalars {
		s := &x.scalars[i]
		f.Set(s.slot, s.operand.t, laneBits(s.operand.ptr(r), s.operand.t))
	}
	for i := range x.bases {
		a := &x.bases[i]
		p := a.data
		switch {
		case a.operand != nil:
			p = a.operand.ptr(r)
		case a.buffer >= 0:
			p = r.ptr[a.buffer]
		case p == nil:
			p = unsafe.Add(own, a.own)
		}
		f.Set(a.slot, dtype.I64, uint64(uintptr(p)))
	}
	for {
		switch s := f.Run(budget); s {
		case jit.Done:
			for _, y := range x.results {
				b := laneBits(f.At(y.slot), y.t)
				if y.t == dtype.Bool {
					b &= 1
				}
				kernels.Fill(unsafe.Add(r.ptr[y.buffer], y.at*y.t.Size()), b, y.t.Size(), 1)
			}
			return nil
		case jit.Yield:
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("autodiff: Run: %w", err)
			}
		default:
			if err := x.leave(f, &x.exits[s-jit.Exit0], unsafe.Add(own, x.memory)); err != nil {
				return err
			}
		}
	}
}

// leave does what the routine was left for.
func (x *routine) leave(f jit.Frame, e *routineExit, room unsafe.Pointer) error {
	if e.f == nil {
		k := int(*(*int64)(f.At(e.arg[0])))
		if e.types[0] == dtype.I32 {
			k = int(*(*int32)(f.At(e.arg[0])))
		}
		return &ir.Error{Op: "Take", Msg: fmt.Sprintf("index %d is not in 0 … %d", k, e.size-1), Pos: e.n.Pos}
	}
	var arg [4]unsafe.Pointer
	for i := range arg {
		arg[i] = unsafe.Add(room, i*kernels.Pad*8)
		if i < len(e.n.In) {
			v := laneBits(f.At(e.arg[i]), e.types[i])
			if e.types[i] == dtype.Bool {
				v &= 1
			}
			kernels.Fill(arg[i], v, e.types[i].Size(), kernels.Pad)
		}
	}
	for i := len(e.n.In); i < 3; i++ {
		arg[i] = arg[0]
	}
	e.f(arg[3], arg[0], arg[1], arg[2], kernels.Pad)
	f.Set(e.dst, e.n.Type, laneBits(arg[3], e.n.Type))
	return nil
}
