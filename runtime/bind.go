package runtime

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/kept"
	"github.com/adjoint-go/adjoint/kernels"
)

// binding is a program for one batch size: what every unit does and where every array lies.
type binding struct {
	p         *Program
	isa       *jit.ISA // of code, nil: clusters run as tiles
	batch     int
	units     []unit
	buffers   []buffer // those of the roots, then temporaries of units
	outs      []outPlace
	guests    []guest
	copies    bool // some of them
	splats    map[splat]unsafe.Pointer
	gemms     []*productUnit
	loops     []*nestedUnit
	inBytes   []int
	decided   int // units before this one may fail: none of them writes to the caller's memory
	committed int // from this unit on some write there
	arena     int // bytes
	scratch   int // bytes of each worker
	values    int // pointers of each worker
	folds     int
	words     int      // of arguments to code, of each worker
	entry     *Entry   // all that there is to do, nil where that is more
	calls     callList // of a body: the same
	pending   []*code
	stored    map[placed]bool // pieces that their clusters put where they belong

	idle kept.List[run]
}

// unit is a part of a program that runs in phases, one after the other, each of independent tasks.
type unit interface {
	phases() int
	tasks(phase int) int
	do(r *run, phase, worker, task int)
}

// buffer is an array of a run. A buffer of a root is an input, data, or made by a unit.
type buffer struct {
	node        *ir.Node // nil: a temporary
	bytes       int
	first, last int // the units that use it: its maker, its last reader
	offset      int // in the arena, -1: elsewhere
	out         int // the output whose memory it is, -1
}

// outPlace is where output i comes from.
type outPlace struct {
	buffer int
	copied bool // at the end: the buffer is an input, data, or another output
	bytes  int
	// in[j] reports whether the output may be written while it is exactly input j.
	in []bool
}

// guest is a buffer that lies where an output does, if no input is there.
type guest struct{ buffer, out int }

type splat struct {
	t    dtype.Type
	bits uint64
}

// operand is a node as something to be read: a splat, or strides over a buffer.
type operand struct {
	isSplat       bool
	bits          uint64
	t             dtype.Type
	buffer        int
	start         int // elements
	offset        int // bytes
	dims, strides []int
	index         *operand // nil, or of the same dims: element i is by·index[i] elements further on
	by            int
	size          int // indices are below
	inner         int // 0, or the elements of the rows that indices are of: of an array in order
	count         int // of indices
}

const (
	maxElements = 1 << 46
	maxBytes    = 1 << 42 // of a run's memory
)

func (p *Program) newBinding(batch int) (*binding, error) {
	b, err := p.bind(batch, p.isa)
	if err == errNoCode {
		return p.bind(batch, nil)
	}
	return b, err
}

// errNoCode says that the system refused to make code executable.
var errNoCode = errors.New("no code")

// bind makes a plan that runs code of isa, tiles where that is nil.
func (p *Program) bind(batch int, isa *jit.ISA) (b *binding, err error) {
	defer func() {
		if e := recover(); e != nil {
			b, err = nil, panicked(e)
		}
	}()
	if batch < 0 {
		return nil, &ir.Error{Op: "Run", Msg: fmt.Sprintf("batch %d is negative", batch)}
	}
	for _, n := range p.low.nodes {
		if err := checkSize(n, batch); err != nil {
			return nil, err
		}
	}
	b = p.empty(batch)
	b.isa = isa
	for i := range p.low.steps {
		b.add(&p.low.steps[i], p.code[i])
	}
	if b.mapCode() != nil {
		return nil, errNoCode
	}
	b.strands()
	b.byRows()
	b.nearby()
	b.beforeUntil()
	b.placeOutputs()
	b.placeGuests()
	b.dropProducts()
	b.planMemory()
	b.entry, b.calls = b.newEntry(), b.bodyCalls()
	if n := b.peakBytes(); n > maxBytes {
		return nil, &ir.Error{Op: "Run", Msg: fmt.Sprintf("batch %d takes %d bytes", batch, n)}
	}
	return b, nil
}

// empty is a binding without units.
func (p *Program) empty(batch int) *binding {
	b := &binding{p: p, batch: batch, splats: map[splat]unsafe.Pointer{}, stored: map[placed]bool{}}
	for _, n := range p.low.roots {
		b.buffers = append(b.buffers, buffer{node: n, bytes: n.Type.Size() * n.Shape.SizeAt(batch), first: -1, last: -1, offset: -1, out: -1})
	}
	for _, in := range p.inputs {
		b.inBytes = append(b.inBytes, in.Type.Size()*in.Shape.SizeAt(batch))
	}
	return b
}

// peakBytes is the memory of one run: its own, then that which the bodies of its loops and branches use one after the
// other.
func (b *binding) peakBytes() int {
	below := 0
	for _, u := range b.loops {
		for _, body := range u.bodies {
			below = max(below, body.peakBytes())
		}
		if u.cond != nil {
			below = max(below, u.cond.peakBytes())
		}
		if u.routine != nil {
			below = max(below, lines(u.routine.bytes()))
		}
	}
	return lines(b.arena) + b.p.threads*(lines(b.scratch)+lines(b.folds*kernels.LaneBytes)) + below
}

// checkSize refuses a batch that a shape has no size for.
func checkSize(n *ir.Node, batch int) error {
	size := uint64(1)
	for _, d := range n.Shape {
		if d.At(batch) < 0 {
			return &ir.Error{Op: n.Name(), Msg: fmt.Sprintf("%v has a negative size for B = %d", n.Shape, batch), Pos: n.Pos}
		}
		hi, lo := bits.Mul64(size, uint64(d.At(batch)))
		if hi != 0 || lo > maxElements {
			return &ir.Error{Op: n.Name(), Msg: fmt.Sprintf("%v has too many elements for B = %d", n.Shape, batch), Pos: n.Pos}
		}
		size = lo
	}
	return nil
}

// add makes step s's unit and notes what it reads and writes.
func (b *binding) add(s *step, code stepCode) {
	switch s.kind {
	case checkStep:
		u := b.newCheck(s.node)
		b.units = append(b.units, u)
		b.decided = len(b.units)
		b.reads(u.idx.buffer)
	case mapStep:
		u := b.newMap(b.placing(code.cluster), 0)
		b.units = append(b.units, u)
		b.touches(u)
	case fusedStep:
		u := b.newProduct(s.node).(*productUnit)
		u.epilogue = b.newMap(code.cluster, u.n)
		u.epilogue.base = lines(u.plan.WorkerBytes)
		b.units = append(b.units, u)
		b.reads(u.a.buffer)
		b.reads(u.b.buffer)
		b.writes(u.c)
		b.touches(u.epilogue)
	case nodeStep:
		if several(s.node) {
			u := b.newNested(s.node, code.nested)
			b.units = append(b.units, u)
			b.decided = len(b.units) // it may fail at any step, and is given up on a cancelled context
			for _, x := range s.node.In {
				b.reads(b.operand(x).buffer)
			}
			for _, o := range append(u.outs[:len(u.outs):len(u.outs)], u.steps) {
				b.writes(o)
			}
			break
		}
		u := nodeUnits[s.node.Kind](b, s.node)
		b.units = append(b.units, u)
		if c, ok := u.(*callUnit); ok && c.looks {
			b.decided = len(b.units) - 1
		} else if fails(s.node) {
			b.decided = len(b.units)
		}
		b.readsOperands(s.node)
		b.writesResults(s.node)
		if u, ok := u.(*productUnit); ok {
			b.writes(u.c)
		}
	}
}

// touches notes what a cluster's unit, the last one, uses.
func (b *binding) touches(u *mapUnit) {
	for i := range u.leaf {
		if !u.leaf[i].isSplat {
			b.reads(u.leaf[i].buffer)
			if at := u.leaf[i].index; at != nil {
				b.reads(at.buffer)
			}
		}
	}
	for i := range u.ops {
		b.writes(u.ops[i].buffer)
	}
	for i := range u.folds {
		b.writes(u.folds[i].buffer)
	}
	for i := range u.placed {
		b.writes(u.placed[i].dst)
	}
	b.scratch = max(b.scratch, u.base+u.scratchBytes())
	b.values = max(b.values, u.values)
	b.folds = max(b.folds, len(u.folds))
}

func (b *binding) root(n *ir.Node) int { return b.p.low.root[n.ID] }

func (b *binding) reads(i int) { b.buffers[i].last = len(b.units) - 1 }

// readsOperands notes what n's step, which is no cluster, reads.
func (b *binding) readsOperands(n *ir.Node) {
	for _, in := range n.In {
		for _, x := range b.p.low.arrays(in) {
			if !b.p.low.isSplat(x) {
				b.reads(b.elements(x))
			}
		}
	}
}

// writesResults notes what n's step, which is no cluster, writes.
func (b *binding) writesResults(n *ir.Node) {
	for _, y := range b.p.low.results(n) {
		b.writes(b.root(y))
	}
}

func (b *binding) writes(i int) {
	if i >= 0 {
		if b.buffers[i].first < 0 { // or some of it is there already
			b.buffers[i].first = len(b.units) - 1
		}
		b.buffers[i].last = len(b.units) - 1
	}
}

// temporary makes a buffer for the unit that is being made.
func (b *binding) temporary(bytes int) int {
	u := len(b.units)
	b.buffers = append(b.buffers, buffer{bytes: bytes, first: u, last: u, offset: -1, out: -1})
	return len(b.buffers) - 1
}

// elements is the buffer that holds n's elements.
func (b *binding) elements(n *ir.Node) int {
	for b.p.low.isView(n) {
		n = n.In[0]
	}
	return b.root(n)
}

// operand finds n's elements.
func (b *binding) operand(n *ir.Node) operand {
	l := b.p.low
	switch {
	case l.isSplat(n):
		return operand{isSplat: true, bits: b.splatBits(n), t: n.Type, dims: n.Shape.At(b.batch)}
	case l.gathers[n.ID]:
		return b.gathered(n)
	case l.isView(n):
		return b.through(n)
	}
	dims := n.Shape.At(b.batch)
	return operand{t: n.Type, buffer: b.root(n), dims: dims, strides: contiguous(dims)}
}

func (b *binding) splatBits(n *ir.Node) uint64 {
	switch n.Kind {
	case ir.Const:
		return n.Bits
	case ir.DimSize:
		return ir.FloatBits(n.Type, float64(n.Size.At(b.batch)))
	}
	return b.splatBits(n.In[0])
}

func contiguous(dims []int) []int {
	strides := make([]int, len(dims))
	s := 1
	for a := len(dims) - 1; a >= 0; a-- {
		strides[a] = s
		s *= dims[a]
	}
	return strides
}

// through is view n as strides over what its operand's elements are.
func (b *binding) through(n *ir.Node) operand {
	if n.Kind == ir.Const || n.Kind == ir.DimSize {
		return operand{isSplat: true, bits: b.splatBits(n), t: n.Type, dims: n.Shape.At(b.batch)}
	}
	return b.operand(n.In[0]).seen(n, b.batch)
}

// seen is view n of x.
func (x operand) seen(n *ir.Node, batch int) operand {
	y := x
	y.dims = n.Shape.At(batch)
	if x.isSplat {
		return y
	}
	y.strides = slices.Clone(x.strides)
	if x.index != nil {
		i := x.index.seen(n, batch)
		y.index = &i
	}
	switch n.Kind {
	case ir.Broadcast:
		for a := range y.dims {
			if x.dims[a] != y.dims[a] {
				y.strides[a] = 0
			}
		}
	case ir.Transpose:
		for i, a := range n.Axes {
			y.strides[i] = x.strides[a]
		}
	case ir.Slice:
		for a := range y.dims {
			y.start += n.Start[a].At(batch) * x.strides[a]
			y.strides[a] = x.strides[a] * n.Step[a]
		}
	case ir.Reverse:
		for _, a := range n.Axes {
			y.start += max(0, x.dims[a]-1) * x.strides[a]
			y.strides[a] = -x.strides[a]
		}
	case ir.Windows:
		lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
		y.strides = slices.Insert(y.strides, lo+k, x.strides[lo:lo+k]...)
		for a := range k {
			y.strides[lo+a] *= n.Step[a]
			y.strides[lo+k+a] *= n.Step[k+a]
		}
	case ir.Reshape:
		if v, ok := kernels.MakeView(x.dims, x.strides); ok && v.Contiguous() {
			y.strides = contiguous(y.dims)
			break
		}
		// Sizes of 1 come and go.
		from := x.strides[:0:0]
		for a, d := range x.dims {
			if d != 1 {
				from = append(from, x.strides[a])
			}
		}
		y.strides = make([]int, len(y.dims))
		for a, d := range y.dims {
			if d != 1 {
				y.strides[a], from = from[0], from[1:]
			}
		}
	}
	y.offset = y.start * y.t.Size()
	return y
}

// gathered is what a Take shows: as an array that has one place along the indices' axes, and indices that have
// one along the others.
func (b *binding) gathered(n *ir.Node) operand {
	x, i, a := b.operand(n.In[0]), b.operand(n.In[1]), n.Axes[0]
	rest := x.strides[a+1:]
	x.by = x.strides[a]
	x.size = x.dims[a]
	x.strides = slices.Concat(x.strides[:a], make([]int, len(i.dims)), rest)
	i.strides = slices.Concat(make([]int, a), i.strides, make([]int, len(rest)))
	x.dims = n.Shape.At(b.batch)
	i.dims = x.dims
	x.index = &i
	if row := product(x.dims[len(x.dims)-len(rest):]); row > 1 {
		x.inner, x.count = row, n.In[1].Shape.SizeAt(b.batch)
	}
	return x
}

// leaf makes what a load of n reads.
func (b *binding) leaf(m mapLeaf) leaf {
	n, l := m.node, leaf{}
	if m.copied {
		l.operand = b.through(n)
	} else {
		l.operand = b.operand(n)
	}
	if l.isSplat {
		l.splat = b.splat(l.t, l.bits)
		return l
	}
	if l.index != nil {
		if v, ok := kernels.MakeView(l.index.dims, l.index.strides); l.inner == 0 && (!ok || !v.Contiguous()) {
			ir.Fail(n.Name(), "%v: indices out of order", n.Shape)
		}
		return l
	}
	v, ok := kernels.MakeView(l.dims, l.strides)
	if !ok {
		ir.Fail(n.Name(), "%v: a view of more than %d axes", n.Shape, kernels.MaxRank)
	}
	l.view = v
	l.direct = v.Contiguous()
	return l
}

// splat is a tile full of one value.
func (b *binding) splat(t dtype.Type, bits uint64) unsafe.Pointer {
	p, ok := b.splats[splat{t, bits}]
	if !ok {
		p = scratch(tileBytes * 2)
		kernels.Fill(p, bits, t.Size(), tileBytes/4)
		b.splats[splat{t, bits}] = p
	}
	return p
}
