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

// routine is a loop whose steps compute single elements, with the loops and branches in it, as one piece of
// machine code. Elements of arrays are read wherever an index says, and a step's results stored where they
// belong. It is left from time to time, for the collector and the context, and for what has no vector program.
type routine struct {
	f       *jit.Func
	scalars []scalarInput
	bases   []arrayBase
	results []scalarResult
	exits   []routineExit
	memory  int // bytes for arrays of the loops inside
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
	maxOwnBytes = 64 << 20 // of a routine's own arrays
	maxClear    = 1 << 20  // bytes that are cleared without a pause
	budget      = 40_000   // instructions between pauses: at most some 100 µs where each waits for the last one
	tileRoom    = 4 * kernels.Pad * 8
)

// newRoutine makes u's routine, nil where a step does more than it can.
func (b *binding) newRoutine(u *nestedUnit) (x *routine) {
	if b.isa == nil || u.n.Kind != ir.Loop {
		return nil
	}
	w := &routineWriter{b: b, r: jit.NewRoutine(), routine: &routine{}}
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
	for k := range u.n.Body[0].Carry {
		w.results = append(w.results, scalarResult{w.slot(res[k], u.n.Body[0].Outs[k].Type), u.outs[k], u.n.Body[0].Outs[k].Type})
	}
	if u.steps >= 0 {
		w.results = append(w.results, scalarResult{w.slot(res[len(res)-1], dtype.I64), u.steps, dtype.I64})
	}
	w.f = w.r.Assemble()
	b.pending = append(b.pending, &code{segs: []segment{{f: w.f}}, size: w.f.Size()})
	return w.routine
}

// notScalar says that a loop is more than a routine can do.
type notScalar struct{}

// routineWriter writes a routine.
type routineWriter struct {
	*routine
	b *binding
	r *jit.Routine
}

// item is a value within a routine: a constant, one element in a slot, or an array in memory.
type item struct {
	slot  jit.Slot // 0: not one
	bits  uint64   // where array is nil, too
	array *located
}

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
		return item{bits: o.bits}
	case product(o.dims) == 1:
		s := w.r.Slot()
		w.scalars = append(w.scalars, scalarInput{s, o})
		return item{slot: s}
	}
	x := &located{operand: *o, at: jit.Address{Base: w.base(arrayBase{operand: o, buffer: -1})}}
	x.start = 0 // which the operand's address has
	return item{array: x}
}

// slot is where x, of one element, is or is put.
func (w *routineWriter) slot(x item, t dtype.Type) jit.Slot {
	if x.array != nil {
		panic(notScalar{})
	}
	if x.slot == 0 {
		x.slot = w.r.Slot()
		w.r.Const(x.slot, t, x.bits)
	}
	return x.slot
}

// sized is an array, or its element if it has one.
func (w *routineWriter) sized(x *located) item {
	if product(x.dims) != 1 {
		return item{array: x}
	}
	at := w.address(x)
	s := w.r.Slot()
	w.r.Load(s, x.t, at)
	return item{slot: s}
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
	var from []jit.Slot
	for k, x := range in[:body.Carry] {
		from = append(from, w.slot(x, body.Outs[k].Type))
	}
	res := []item{}
	var carries []jit.Slot
	for range body.Carry {
		carries = append(carries, w.r.Slot())
		res = append(res, item{slot: carries[len(carries)-1]})
	}
	w.r.Move(carries, from)
	params := slices.Clone(res)
	for _, x := range in[body.Carry : body.Carry+body.Xs] {
		if x.array == nil { // of one step
			params = append(params, x)
			continue
		}
		params = append(params, item{array: w.part(x.array, 0, s.Index, false, nil)})
	}
	params = append(params, item{slot: s.Index})
	params = append(params, in[body.Carry+body.Xs:]...)
	var sinks []sink
	for k := body.Carry; k < len(body.Outs); k++ {
		o := body.Outs[k]
		if o.Shape.SizeAt(w.b.batch) != 1 || s.Most < 0 {
			panic(notScalar{})
		}
		size := o.Type.Size()
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
			return w.slot(b.at[body.Cond], dtype.Bool)
		}
	}
	w.r.Loop(s, cond, func() {
		b := w.body(body.Outs, params, sinks, carries)
		var to, from []jit.Slot
		for k := range carries {
			if x := w.slot(b.at[body.Outs[k]], body.Outs[k].Type); x != carries[k] {
				to, from = append(to, carries[k]), append(from, x)
			}
		}
		w.r.Move(to, from)
	})
	if counted {
		res = append(res, item{slot: s.Taken})
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
	home  map[*ir.Node]jit.Slot // of the carries' next values, where they may go at once
}

// body writes what outs need of a body. Next values of carries are put in place where nothing reads the old ones
// any more.
func (w *routineWriter) body(outs []*ir.Node, params []item, sinks []sink, carries []jit.Slot) *bodyWriter {
	b := &bodyWriter{routineWriter: w, at: map[*ir.Node]item{}, loops: map[*ir.Node][]item{}, outs: outs, todo: ir.Reachable(outs),
		sinks: slices.Clone(sinks), home: map[*ir.Node]jit.Slot{}}
	for k, s := range carries {
		if _, twice := b.home[outs[k]]; !twice {
			b.home[outs[k]] = s
		}
	}
	nodes := b.todo
	if slices.ContainsFunc(nodes, func(n *ir.Node) bool { return n.Type == dtype.BF16 }) {
		panic(notScalar{}) // slots hold lanes
	}
	for len(b.todo) > 0 || len(b.sinks) > 0 {
		left := len(b.todo) + len(b.sinks)
		b.try(func(n *ir.Node) bool { return b.see(n, params) })
		b.store()
		if b.block(); len(b.todo)+len(b.sinks) < left {
			continue
		}
		b.try(func(n *ir.Node) bool { return b.other(n, nodes) })
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
		if !b.ready(n, nil) || !f(n) {
			left = append(left, n)
		}
	}
	b.todo = left
}

// ready reports whether the operands are there, or in a set.
func (b *bodyWriter) ready(n *ir.Node, set map[*ir.Node]vec.Value) bool {
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
			b.r.Store(s.at, s.n.Type, b.slot(x, s.n.Type))
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
		b.at[n] = item{bits: bits}
	case ir.Data:
		dims := n.Shape.At(b.b.batch)
		at := jit.Address{Base: b.base(arrayBase{data: unsafe.Pointer(unsafe.SliceData(n.Data.Bytes)), buffer: -1})}
		b.at[n] = b.sized(&located{operand{t: n.Type, dims: dims, strides: contiguous(dims)}, at})
	case ir.Broadcast, ir.Reshape, ir.Transpose, ir.Slice, ir.Reverse:
		x := b.at[n.In[0]]
		size := n.Shape.SizeAt(b.b.batch)
		switch {
		case x.array == nil && size == 1:
			b.at[n] = x
		case x.array == nil:
			panic(notScalar{})
		default:
			if n.Kind == ir.Reshape && !onesOnly(n.In[0].Shape, n.Shape) {
				if v, ok := kernels.MakeView(x.array.dims, x.array.strides); !ok || !v.Contiguous() {
					panic(notScalar{})
				}
			}
			y := *x.array
			y.operand = y.seen(n, b.b.batch)
			b.at[n] = b.sized(&y)
		}
	case ir.Out:
		k := int(n.Bits)
		b.at[n] = b.loops[n.In[0]][k]
	default:
		return false
	}
	return true
}

func single(n *ir.Node, batch int) bool { return n.Shape.SizeAt(batch) == 1 }

// block writes all arithmetic whose operands are there as one vector program.
func (b *bodyWriter) block() {
	set := map[*ir.Node]vec.Value{}
	var nodes, left []*ir.Node
	p := &jit.Program{}
	build := vec.NewBuilder()
	var in []jit.Slot
	read := map[*ir.Node]vec.Value{}
	for _, n := range b.todo {
		if n.Kind != ir.Pointwise && n.Kind != ir.Convert || !hasBody(n) || !single(n, b.b.batch) || !b.ready(n, set) {
			left = append(left, n)
			continue
		}
		value := func(x *ir.Node, t vec.Type) vec.Value {
			v, ok := set[x]
			if !ok {
				v, ok = read[x]
			}
			if at := b.at[x]; !ok && at.slot == 0 && at.array == nil {
				if x.Type == dtype.Bool {
					return build.I(t, -int64(at.bits&1))
				}
				return build.Bits(vec.Lane(x.Type), at.bits)
			}
			if !ok {
				in = append(in, b.slot(b.at[x], x.Type))
				p.In = append(p.In, jit.In{T: x.Type})
				if i := build.AddInput(x.Type); x.Type == dtype.Bool {
					v = build.InputMask(i, t)
				} else {
					v = build.Input(i)
				}
				read[x] = v
			}
			if x.Type == dtype.Bool {
				switch have := build.TypeOf(v); {
				case have.Bits() < t.Bits():
					return build.Widen(v)
				case have.Bits() > t.Bits():
					return build.Narrow(v)
				}
			}
			return v
		}
		if n.Kind == ir.Convert {
			set[n] = vec.Convert(build, value(n.In[0], laneOf(n.Type).Int()), n.In[0].Type, n.Type)
		} else {
			lane := laneOf(n.In[len(n.In)-1].Type)
			var x [3]vec.Value
			for j := range n.In {
				x[j] = value(n.In[j], lane.Int())
			}
			set[n] = vec.Emit(build, n.Op, lane, x[:len(n.In)]...)
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return
	}
	b.todo = left
	p.Code = build.Code()
	kept := map[*ir.Node]bool{} // what something outside reads
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
		unchanged = unchanged || kept[n] && p.Unchanged(set[n])
	}
	var out []jit.Slot
	for _, n := range nodes {
		if !kept[n] {
			continue
		}
		s, ok := b.home[n]
		if !ok || unchanged || b.reads(s) {
			s = b.r.Slot()
		}
		b.at[n] = item{slot: s}
		out = append(out, s)
		p.Out = append(p.Out, jit.Out{T: n.Type, V: set[n], At: len(p.Code)})
	}
	b.r.Block(p, in, out)
}

// reads reports whether what is left to write reads slot s.
func (b *bodyWriter) reads(s jit.Slot) bool {
	in := func(n *ir.Node) bool {
		x, ok := b.at[n]
		return ok && (x.array == nil && x.slot == s || x.array != nil && slices.ContainsFunc(x.array.at.Terms, func(t jit.Term) bool { return t.Index == s }))
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
	if x.array == nil || index.array != nil {
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
	if !single(n, b.b.batch) {
		panic(notScalar{})
	}
	s := b.r.Slot()
	b.at[n] = item{slot: s}
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
	for range n.Body[0].Outs {
		to = append(to, b.r.Slot())
		res = append(res, item{slot: to[len(to)-1]})
	}
	b.r.Branch(b.slot(in[0], dtype.I64), len(n.Body), func(i int) {
		outs := n.Body[i].Outs
		x := b.body(outs, in[1:], nil, nil)
		var from []jit.Slot
		for _, o := range outs {
			from = append(from, b.slot(x.at[o], o.Type))
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
				kernels.Fill(r.ptr[y.buffer], b, y.t.Size(), 1)
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
