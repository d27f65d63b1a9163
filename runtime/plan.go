package runtime

import (
	"errors"
	"fmt"
	"slices"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/linalg"
	"github.com/adjoint-go/adjoint/kernels"
)

// planner makes a device's plan of a program for one batch.
type planner struct {
	b      *binding
	w      *cudasrc.Writer
	plan   *cudasrc.Plan
	status int  // the buffer of the status words
	unit   int  // that is being written
	all    bool // steps that are too small for a device, too
	ends        // what is known of inputs and outputs
}

// ends is what addresses of inputs and outputs are multiples of, 0 for arrays of their own.
type ends struct{ ins, outs []int }

// Plan is the program as kernels for a device, for one batch; what has no kernel is a step that the host computes. Its
// bits are those of a run on the CPU where products are not left to a library and no operation without a vector program
// takes part.
func (p *Program) Plan(batch int) (*cudasrc.Plan, error) { return p.plan(batch, false) }

func (p *Program) plan(batch int, all bool) (plan *cudasrc.Plan, err error) {
	defer func() {
		if e := recover(); e != nil {
			plan, err = nil, panicked(e)
		}
	}()
	if batch < 0 {
		return nil, &ir.Error{Op: "Run", Msg: fmt.Sprintf("batch %d is negative", batch)}
	}
	d := &planner{w: &cudasrc.Writer{}, all: all, ends: ends{make([]int, len(p.inputs)), make([]int, len(p.low.outs))}}
	if err := d.make(p, batch); err != nil {
		return nil, err
	}
	return d.plan, nil
}

// make plans p.
func (d *planner) make(p *Program, batch int) error {
	for _, n := range p.low.nodes {
		if err := checkSize(n, batch); err != nil {
			return err
		}
	}
	d.b, d.plan = p.empty(batch), &cudasrc.Plan{Batch: batch}
	d.status = len(d.b.buffers)
	d.b.buffers = append(d.b.buffers, buffer{first: -1, last: -1, offset: -1, out: -1})
	for i := range p.low.steps {
		d.lay(i)
	}
	d.chains()
	d.b.placeOutputs()
	d.b.dropProducts()
	for i := range d.b.units {
		if err := d.write(i); err != nil {
			return err
		}
	}
	d.b.planMemory()
	d.finish()
	return nil
}

// noKernel says why a step of its own has none, nil where it has one or is a loop or branch.
func noKernel(n *ir.Node) *cudasrc.Unsupported {
	switch {
	case n.Kind == ir.Hosted:
		return &cudasrc.Unsupported{Step: n.Name(), Reason: "ordinary Go computes it"}
	case n.Kind == ir.Call && !slices.Contains(calls, n.Call):
		return &cudasrc.Unsupported{Step: n.Name(), Reason: "it is the CPU's"}
	}
	return nil
}

// calls are those that have kernels.
var calls = []ir.CallID{ir.ArgSort, ir.SegmentMax, ir.Recurrence, ir.Cholesky, ir.TriSolve, ir.LU, ir.LUSolve, ir.Det}

// call writes one of them.
func (d *planner) call(n *ir.Node, y *cudasrc.Operand, in []*cudasrc.Operand) (cudasrc.Unit, error) {
	switch n.Call {
	case ir.ArgSort:
		return d.w.ArgSort(y, in[0], n.Bits&ir.Descending != 0)
	case ir.Recurrence:
		return d.w.Recurrence(y, in[0], in[1])
	case ir.SegmentMax:
		size := y.Dims[len(y.Dims)-1]
		all, err := d.w.Check(in[1], size, arg(d.status, 8*d.plan.Status()))
		if err != nil {
			return all, err
		}
		d.plan.Checks = append(d.plan.Checks, cudasrc.Check{Op: n.Name(), Pos: n.Pos, Size: size})
		k, err := d.w.SegmentMax(y, in[0], in[1])
		all.Launches = append(all.Launches, k.Launches...)
		return all, err
	}
	dims := in[0].Dims
	batch, size := product(dims[:len(dims)-2]), dims[len(dims)-1]
	x := &cudasrc.Matrices{Count: batch, N: size, Out: y, Status: arg(d.status, 8*d.plan.Status())}
	if err := x.None(n.Name()); err != nil || batch == 0 {
		return cudasrc.Unit{}, err
	}
	if wrong := map[ir.CallID]error{ir.Cholesky: linalg.ErrDefinite, ir.TriSolve: linalg.ErrSingular, ir.LUSolve: linalg.ErrSingular}[n.Call]; wrong != nil {
		d.plan.Checks = append(d.plan.Checks, cudasrc.Check{Op: n.Name(), Pos: n.Pos, Msg: fmt.Sprintf("%v: %v", n.In[0].Shape, wrong), Batch: batch})
	}
	right := in[len(in)-1].Dims
	cols := right[len(right)-1]
	if cols == 0 {
		return cudasrc.Unit{}, nil
	}
	switch n.Call {
	case ir.Cholesky:
		return d.w.Cholesky(x, in[0])
	case ir.LU:
		return d.w.LU(x, in[0])
	case ir.Det:
		return d.w.Det(x, in[0])
	case ir.TriSolve:
		return d.w.TriSolve(x, in[0], in[1], cols, cudasrc.Solving{Upper: n.Bits&ir.Upper != 0, Transposed: n.Bits&ir.Transposed != 0, Unit: n.Bits&ir.UnitDiagonal != 0})
	}
	return d.w.LUSolve(x, in[1], in[2], cols, n.Bits&ir.Transposed != 0)
}

// lay makes the unit of step i, which says what is read and written when. Temporaries of the CPU's go.
func (d *planner) lay(i int) {
	b := d.b
	s := &b.p.low.steps[i]
	if n := s.node; n != nil && several(n) {
		u := &deviceNested{n: n, nested: b.p.code[i].nested}
		b.units = append(b.units, u)
		u.outs, u.steps = d.results(n)
		for _, x := range n.In {
			b.reads(b.elements(x))
		}
		return
	}
	if s.kind == nodeStep {
		if no := noKernel(s.node); no != nil {
			u := &hostStep{why: no}
			b.units = append(b.units, u)
			b.readsOperands(s.node)
			b.writesResults(s.node)
			return
		}
	}
	roots := len(b.buffers)
	b.add(s, b.p.code[i])
	for k := roots; k < len(b.buffers); k++ {
		b.buffers[k].bytes = 0
	}
}

// temporary makes a buffer for the unit that is being written.
func (d *planner) temporary(bytes int) int {
	b := d.b
	b.buffers = append(b.buffers, buffer{bytes: bytes, first: d.unit, last: d.unit, offset: -1, out: -1})
	return len(b.buffers) - 1
}

// write writes unit i's kernels, or has the host compute it.
func (d *planner) write(i int) error {
	d.unit, d.w.Temporary = i, d.temporary
	return d.kernels(i, d.b.units[i])
}

// kernels does so for x, the unit of step i.
func (d *planner) kernels(i int, x unit) error {
	b := d.b
	s := &b.p.low.steps[i]
	name := ""
	if s.node != nil {
		name = fmt.Sprintf("%s %%%d", s.node.Name(), s.node.ID)
	}
	steps, buffers, checks := len(d.plan.Steps), len(b.buffers), len(d.plan.Checks)
	var err error
	switch u := x.(type) {
	case *hostStep:
		err = u.why
	case *mapUnit:
		err = d.cluster(u)
	case chained:
	case *chainUnit:
		err = d.joined(u)
	case *indexCheck:
		err = d.check(u)
	case *productUnit:
		if err = d.product(name, u, s.node); err == nil && u.epilogue != nil {
			err = d.cluster(u.epilogue)
		}
	case *deviceNested:
		err = d.nested(name, u)
	default:
		err = d.node(name, s.node)
	}
	if no := (*cudasrc.Unsupported)(nil); errors.As(err, &no) {
		d.plan.Steps, b.buffers, d.plan.Checks = d.plan.Steps[:steps], b.buffers[:buffers], d.plan.Checks[:checks]
		if c, ok := x.(*chainUnit); ok { // its clusters one after the other
			for k, at := range c.units {
				if err := d.kernels(at, c.parts[k]); err != nil {
					return err
				}
			}
			return nil
		}
		return d.host(s, no)
	}
	return err
}

func (d *planner) step(name string, u cudasrc.Unit, err error) error {
	if err == nil {
		d.plan.Steps = append(d.plan.Steps, cudasrc.Step{Name: name, Launches: u.Launches, Product: u.Product})
	}
	return err
}

func (d *planner) device(o *operand) *cudasrc.Operand {
	y := &cudasrc.Operand{Type: o.t, Splat: o.isSplat, Bits: o.bits, Buffer: o.buffer, Offset: o.offset, Dims: o.dims, Strides: o.strides}
	if !o.isSplat {
		y.Align = d.align(o.buffer)
	}
	return y
}

// align is what the address of buffer k is a multiple of, 0 for an array of its own.
func (d *planner) align(k int) int {
	f := &d.b.buffers[k]
	switch {
	case f.node != nil && f.node.Kind == ir.Param:
		return d.ins[f.node.Bits]
	case f.out >= 0:
		return d.outs[f.out]
	}
	return 0
}

// root is the array of a node.
func (d *planner) root(n *ir.Node) *cudasrc.Operand {
	dims := n.Shape.At(d.b.batch)
	return &cudasrc.Operand{Type: n.Type, Buffer: d.b.root(n), Align: d.align(d.b.root(n)), Dims: dims, Strides: contiguous(dims)}
}

func (d *planner) cluster(u *mapUnit) error {
	m, err := d.clusterMap(u)
	if err != nil {
		return err
	}
	k, err := d.w.Map(m)
	return d.step(fmt.Sprintf("map %v", u.cluster.shape), k, err)
}

// clusterMap is u for the writer; what it gathers in ways of its own is copied before.
func (d *planner) clusterMap(u *mapUnit) (*cudasrc.Map, error) {
	shape := u.cluster.shape
	m := &cudasrc.Map{Dims: shape.At(d.b.batch), Lo: u.cluster.fold.lo, Hi: u.cluster.fold.hi, Chunk: ChunkElems}
	whole := contiguous(m.Dims)
	if len(u.folds) > 0 {
		m.Rows = columnRows(shape[m.Hi:].Size())
	}
	for i := range u.ops {
		op := &u.ops[i]
		v := cudasrc.Value{Type: op.node.Type}
		if op.f == nil {
			l := &u.leaf[op.leaf]
			v.Leaf = d.device(&l.operand)
			switch {
			case l.index == nil:
			case op.gathers && m.Values[op.arg[0]].Leaf != nil && !m.Values[op.arg[0]].Leaf.Splat:
				v.Gather = &cudasrc.Gather{Index: op.arg[0], By: l.by, Size: l.size}
			default:
				x, err := d.gathered(l)
				if err != nil {
					return nil, err
				}
				v.Leaf = x
			}
			v.Sized = v.Leaf.Splat && !isConst(op.node)
		} else {
			v.Op, v.Convert, v.Args = op.node.Op, op.node.Kind == ir.Convert, op.arg[:len(op.node.In)]
		}
		if op.buffer >= 0 {
			v.Out = &cudasrc.Operand{Type: v.Type, Buffer: op.buffer, Align: d.align(op.buffer), Dims: m.Dims, Strides: whole}
		}
		m.Values = append(m.Values, v)
	}
	for i := range u.folds {
		f := &u.folds[i]
		m.Folds = append(m.Folds, cudasrc.Fold{Value: f.value, By: ir.Reduction(f.k), Out: cudasrc.Operand{Type: f.t, Buffer: f.buffer}})
	}
	return m, nil
}

// gathered copies what l gathers to an array.
func (d *planner) gathered(l *leaf) (*cudasrc.Operand, error) {
	array := func(n int) *cudasrc.Operand {
		return &cudasrc.Operand{Type: l.t, Buffer: d.w.Temporary(n * l.t.Size()), Dims: []int{n}, Strides: []int{1}}
	}
	if l.inner > 0 {
		y := array(product(l.dims))
		outer, at := product(l.dims)/max(1, l.count*l.inner), d.device(l.index)
		y.Dims, at.Dims, at.Strides = []int{outer, l.count, l.inner}, []int{l.count}, []int{1}
		y.Strides = contiguous(y.Dims)
		x := &cudasrc.Operand{Type: l.t, Buffer: l.buffer, Align: d.align(l.buffer), Offset: l.offset, Dims: []int{outer, l.size, l.inner}}
		x.Strides = contiguous(x.Dims)
		k, err := d.w.Take(y, x, at, 1, ir.ForAll)
		y.Dims, y.Strides = l.dims, contiguous(l.dims)
		return y, d.step("take", k, err)
	}
	column := &cudasrc.Operand{Type: l.t, Buffer: l.buffer, Align: d.align(l.buffer), Offset: l.offset, Dims: []int{l.size}, Strides: []int{l.by}}
	if l.by != 1 {
		y := array(l.size)
		k, err := d.w.Map(&cudasrc.Map{Dims: y.Dims, Values: []cudasrc.Value{{Type: l.t, Leaf: column, Out: y}}})
		if err := d.step("column", k, err); err != nil {
			return nil, err
		}
		column = y
	}
	y := array(product(l.index.dims))
	k, err := d.w.Take(y, column, d.device(l.index), 0, ir.ForAll)
	y.Dims, y.Strides = l.dims, contiguous(l.dims)
	return y, d.step("take", k, err)
}

func (d *planner) check(u *indexCheck) error {
	c := cudasrc.Check{Op: "Take", Pos: u.n.Pos, Size: u.size}
	if u.n.Kind == ir.Scatter {
		c.Op = "ScatterAdd"
	}
	k, err := d.w.Check(d.device(&u.idx), u.size, cudasrc.Arg{Pointer: true, Buffer: d.status, Offset: 8 * d.plan.Status()})
	d.plan.Checks = append(d.plan.Checks, c)
	return d.step("check indices", k, err)
}

func (d *planner) product(name string, u *productUnit, n *ir.Node) error {
	g := u.plan.Gemm()
	at := func(a address) cudasrc.Arg { return cudasrc.Arg{Pointer: true, Buffer: a.buffer, Offset: a.offset} }
	switch {
	case g.Batch*g.M*g.N == 0:
		return nil
	case g.K == 0:
		c := &cudasrc.Operand{Type: n.Type, Buffer: u.c, Dims: []int{g.Batch * g.M * g.N}}
		k, err := d.w.Place(c, 0, nil, false)
		return d.step(name, k, err)
	}
	multiply := func(batch, m int, a, b, c cudasrc.Arg) error {
		k, err := d.w.Gemm(&cudasrc.Product{Type: g.Type, Batch: batch, M: m, N: g.N, K: g.K, A: a, B: b, C: c,
			ARow: g.ARow, ACol: g.ACol, ABatch: g.ABatch, BRow: g.BRow, BCol: g.BCol, BBatch: g.BBatch, CRow: g.CRow, CBatch: g.CBatch})
		return d.step(name, k, err)
	}
	if g.AGrid == nil {
		return multiply(g.Batch, g.M, at(u.a), at(u.b), at(address{buffer: u.c}))
	}
	// Windows, read through strides: some rows at a time are copied to an array, those of windowBytes or, where they are long (a filter's
	// gradient), windowRows.
	size, sums := g.Type.Size(), n.Type.Size()
	x := cudasrc.Operand{Type: g.Type, Buffer: u.a.buffer, Align: d.align(u.a.buffer), Offset: u.a.offset, Dims: []int{g.Batch}, Strides: []int{g.ABatch}}
	for _, v := range []kernels.View{g.AGrid.Rows, g.AGrid.Cols} {
		x.Dims, x.Strides = append(x.Dims, v.Dim[:v.Rank]...), append(x.Strides, v.Stride[:v.Rank]...)
	}
	limit := max(windowBytes, windowRows*g.K*size)
	// Indices of axes before axis are gone through one by one, some of axis are taken at once, rest rows belong to each.
	axis, before, rest := 0, 1, g.M
	for ; axis < g.AGrid.Rows.Rank && rest*g.K*size > limit; axis++ {
		before *= x.Dims[axis]
		rest /= x.Dims[axis+1]
	}
	step := min(x.Dims[axis], max(1, limit/max(1, rest*g.K*size)))
	g.ARow, g.ACol, g.ABatch = g.K, 1, g.M*g.K
	y := cudasrc.Operand{Type: g.Type, Buffer: d.temporary(step * rest * g.K * size)}
	for prefix := range before {
		first, part := 0, x
		part.Dims = slices.Clone(x.Dims)
		for a, i := axis-1, prefix; a >= 0; a-- {
			first += i % x.Dims[a] * x.Strides[a]
			part.Dims[a] = 1
			i /= x.Dims[a]
		}
		for from := 0; from < x.Dims[axis]; from += step {
			k := min(step, x.Dims[axis]-from)
			part.Dims[axis] = k
			part.Offset = x.Offset + (first+from*x.Strides[axis])*size
			y.Dims, y.Strides = part.Dims, contiguous(part.Dims)
			read, to := part, y
			l, err := d.w.Map(&cudasrc.Map{Dims: part.Dims, Values: []cudasrc.Value{{Type: g.Type, Leaf: &read, Out: &to}}})
			if err := d.step(name+" windows", l, err); err != nil {
				return err
			}
			batch, m, row := k, g.M, (prefix*x.Dims[axis]+from)*rest // of the rows of all the batch
			if axis > 0 {
				batch, m = 1, k*rest
			}
			b, c := at(u.b), at(address{buffer: u.c})
			b.Offset += row / g.M * g.BBatch * size
			c.Offset += (row/g.M*g.CBatch + row%g.M*g.CRow) * sums
			if err := multiply(batch, m, cudasrc.Arg{Pointer: true, Buffer: y.Buffer}, b, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// windowBytes bounds the windows that are copied at once, so that they stay in a device's cache, but windowRows are worth a product. Tests
// change them.
var windowBytes, windowRows = 16 << 20, 64

// node writes a step of its own. Its operands are contiguous, but for a Place's.
func (d *planner) node(name string, n *ir.Node) (err error) {
	var in []*cudasrc.Operand
	for _, x := range n.In {
		o := d.b.operand(x)
		in = append(in, d.device(&o))
	}
	var k cudasrc.Unit
	switch y := d.root(n); n.Kind {
	case ir.Call:
		k, err = d.call(n, y, in)
	case ir.Iota:
		k, err = d.w.Iota(y, n.Axes[0])
	case ir.Place:
		var all []cudasrc.Piece
		if all, err = d.pieces(name, n, in); err == nil {
			k, err = d.w.Place(y, n.Bits, all, n.Flag)
		}
	case ir.Fold:
		k, err = d.w.Fold(d.windows(n, y, in[0]))
	case ir.Take:
		k, err = d.w.Take(y, in[0], in[1], n.Axes[0], ir.Indexed(n.Bits))
	case ir.Scatter:
		k, err = d.w.Scatter(y, in[0], in[1], append(in, nil)[2], n.Axes[0], ir.Indexed(n.Bits)) // nil: to zeros
	case ir.Cumulate:
		k, err = d.w.Cumulate(y, in[0], append(in, nil)[1], n.Axes[0], n.Reduction, n.Flag) // nil: sums never begin anew
	case ir.Reduce:
		k, err = d.w.ArgReduce(y, in[0], n.Axes[0], n.Axes[1], n.Reduction)
	default:
		err = &cudasrc.Unsupported{Step: n.Name(), Reason: "it is not written yet"}
	}
	return d.step(name, k, err)
}

// pieces are those of a Place, copied to arrays where they are views.
func (d *planner) pieces(name string, n *ir.Node, in []*cudasrc.Operand) (all []cudasrc.Piece, err error) {
	rank, strides := n.Rank(), contiguous(n.Shape.At(d.b.batch))
	for i, x := range in {
		contig := false
		if !x.Splat {
			v, ok := kernels.MakeView(x.Dims, x.Strides)
			contig = ok && v.Contiguous()
		}
		if !contig && product(x.Dims) > 0 {
			y := &cudasrc.Operand{Type: x.Type, Buffer: d.w.Temporary(product(x.Dims) * x.Type.Size()), Dims: x.Dims, Strides: contiguous(x.Dims)}
			k, err := d.w.Map(&cudasrc.Map{Dims: x.Dims, Values: []cudasrc.Value{{Type: x.Type, Leaf: x, Out: y}}})
			if err := d.step(name+" piece", k, err); err != nil {
				return nil, err
			}
			x = y
		}
		p := cudasrc.Piece{Operand: *x}
		for a, s := range strides {
			p.Start += n.Start[i*rank+a].At(d.b.batch) * s
			p.Steps = append(p.Steps, s*n.Step[i*rank+a])
		}
		all = append(all, p)
	}
	return all, nil
}

// windows is what a Fold folds.
func (d *planner) windows(n *ir.Node, y, x *cudasrc.Operand) *cudasrc.Windows {
	lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
	return &cudasrc.Windows{Outer: product(y.Dims[:lo]), Inner: product(y.Dims[lo+k:]), In: y.Dims[lo : lo+k], Outs: x.Dims[lo : lo+k],
		Wins: x.Dims[lo+k : lo+2*k], Stride: n.Step[:k], Dilation: n.Step[k:], X: *x, Y: *y}
}

// finish says where everything lies.
func (d *planner) finish() {
	b, p := d.b, d.plan
	p.Arena = (b.arena + 255) &^ 255
	p.Inputs = b.inBytes
	p.Kernels = usedKernels(p.Steps)
	for k := range b.buffers {
		f := &b.buffers[k]
		x := cudasrc.Buffer{Place: cudasrc.InArena, At: max(0, f.offset), Bytes: f.bytes}
		switch {
		case k == d.status:
			x.Place, x.Bytes = cudasrc.InStatus, 8*p.Status()
		case f.node != nil && f.node.Kind == ir.Param:
			x.Place, x.At = cudasrc.InInput, int(f.node.Bits)
		case f.node != nil && f.node.Kind == ir.Data:
			x.Place, x.Data = cudasrc.InData, f.node.Data
		case f.out >= 0:
			x.Place, x.At = cudasrc.InOutput, f.out
		}
		p.Buffers = append(p.Buffers, x)
	}
	for i := range b.outs {
		o := &b.outs[i]
		p.Outs = append(p.Outs, cudasrc.Out{Buffer: o.buffer, Copied: o.copied, Bytes: o.bytes})
	}
}

// usedKernels lists the kernels of steps, each once.
func usedKernels(steps []cudasrc.Step) (list []*cudasrc.Kernel) {
	seen := map[*cudasrc.Kernel]bool{}
	everyStep(steps, func(s *cudasrc.Step) {
		for i := range s.Launches {
			if k := s.Launches[i].Kernel; !seen[k] {
				seen[k] = true
				list = append(list, k)
			}
		}
	})
	return list
}

// everyStep visits steps and those within them.
func everyStep(steps []cudasrc.Step, f func(*cudasrc.Step)) {
	for i := range steps {
		f(&steps[i])
		if c := steps[i].Control; c != nil {
			for _, b := range c.Bodies {
				everyStep(b.Steps, f)
			}
		}
	}
}
