package runtime

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/linalg"
	"github.com/adjoint-go/adjoint/kernels"
)

// callArgs is one batch element of a call: result and operands, the rows and columns of the first operand, the columns of
// the last.
type callArgs[T float32 | float64] struct {
	y       []T
	in      [3][]T
	m, n, k int
	flags   uint64
	work    []T
	rows    linalg.Rows[T]
	wide    linalg.Rows[float64]
}

func (a callArgs[T]) is(flag uint64) bool { return a.flags&flag != 0 }

// callKernel is the value of a call, with room for work elements.
type callKernel struct {
	work func(m, n, k int) int
	f64  callOf[float64]
	f32  callOf[float32] // without run: float32s are converted to float64s
}

// callOf is a call's value of one matrix, of more columns than above, and of several side by side, false where they have to be done
// one by one.
type callOf[T float32 | float64] struct {
	run      func(a callArgs[T]) error
	together func(c callLanes[T]) bool
	above    int
	upTo     int // rows and columns of those side by side
}

var callKernels = [ir.NumCalls]callKernel{
	ir.Cholesky:    {func(m, n, k int) int { return linalg.CholeskyWork(n) }, cholesky[float64](), cholesky[float32]()},
	ir.TriSolve:    {none, triSolve[float64](), triSolve[float32]()},
	ir.LU:          {func(m, n, k int) int { return linalg.LUWork(n) }, lu[float64](), lu[float32]()},
	ir.LUSolve:     {func(m, n, k int) int { return n * k }, luSolve[float64](), luSolve[float32]()},
	ir.LogDet:      {none, logDet[float64](), logDet[float32]()},
	ir.Det:         {func(m, n, k int) int { return linalg.DetWork(n) }, det[float64](), det[float32]()},
	ir.QR:          {func(m, n, k int) int { return linalg.QRWork(m, n) }, qr[float64](), qr[float32]()},
	ir.Expm:        {func(m, n, k int) int { return linalg.ExpmWork(n) }, expm[float64](), expm[float32]()},
	ir.ExpmFrechet: {func(m, n, k int) int { return linalg.ExpmFrechetWork(n) }, expmFrechet[float64](), expmFrechet[float32]()},
	ir.Cofactor: {work: func(m, n, k int) int { return linalg.CofactorWork(n) }, f64: callOf[float64]{run: func(a callArgs[float64]) error {
		return linalg.Cofactor(a.y, a.in[0], a.n, a.work, a.wide)
	}}},
	ir.Eigh: {work: func(m, n, k int) int { return linalg.EighWork(n) }, f64: callOf[float64]{run: func(a callArgs[float64]) error {
		return linalg.Eigh(a.y, a.in[0], a.n, a.work, a.wide)
	}, together: func(c callLanes[float64]) bool { return c.Eigh(c.y, c.operand(0), c.u.cols, c.work) }, upTo: linalg.Small}, f32: callOf[float32]{run: func(a callArgs[float32]) error {
		return linalg.EighBlocks(a.y, a.in[0], a.n, a.work, a.rows, a.wide)
	}, above: linalg.Small, together: func(c callLanes[float32]) bool {
		return linalg.Narrow(c.y, c.operand(0), c.work, func(y, a, work []float64) bool { return c.wide().Eigh(y, a, c.u.cols, work) })
	}, upTo: linalg.Small}},
	ir.SVD: {work: func(m, n, k int) int { return linalg.SVDWork(m, n) }, f64: callOf[float64]{run: func(a callArgs[float64]) error {
		return linalg.SVD(a.y, a.in[0], a.m, a.n, a.work, a.wide)
	}, together: func(c callLanes[float64]) bool { return c.SVD(c.y, c.operand(0), c.u.rows, c.u.cols, c.work) }, upTo: linalg.Small}, f32: callOf[float32]{run: func(a callArgs[float32]) error {
		return linalg.SVDBlocks(a.y, a.in[0], a.m, a.n, a.work, a.rows, a.wide)
	}, above: linalg.Small, together: func(c callLanes[float32]) bool {
		return linalg.Narrow(c.y, c.operand(0), c.work, func(y, a, work []float64) bool { return c.wide().SVD(y, a, c.u.rows, c.u.cols, work) })
	}, upTo: linalg.Small}},
}

// overwrites is the number of the operand that a call's result begins as, element by element of the batch, and may lie in the place of, -1
// where there is none.
func overwrites(c ir.CallID) int {
	switch c {
	case ir.Cholesky:
		return 0
	case ir.TriSolve:
		return 1
	}
	return -1
}

// begin is copy, which moves what lies in its place already.
func begin[T float32 | float64](y, x []T) {
	if unsafe.SliceData(y) != unsafe.SliceData(x) {
		copy(y, x)
	}
}

// inPlace reports whether u has read each element of array from when it writes that of array to.
func (u *callUnit) inPlace(from, to int) bool {
	k := overwrites(u.n.Call)
	if k < 0 || to != u.dst {
		return false
	}
	for i := range u.in {
		if (u.in[i].buffer == from) != (i == k) {
			return false
		}
	}
	return u.in[k].offset == 0
}

func cholesky[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		if a.is(ir.Symmetrized) {
			linalg.Symmetrize(a.y, a.in[0], a.n, a.work)
		} else {
			begin(a.y, a.in[0])
		}
		return linalg.Cholesky(a.y, a.n, a.work, a.rows)
	}, together: func(c callLanes[T]) bool {
		c.load(0, c.y)
		return c.Cholesky(c.y, c.u.cols)
	}, upTo: 56} // 64 columns of eight begin at few places of the first cache
}

func triSolve[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		begin(a.y, a.in[1])
		return linalg.SolveTriangular(a.in[0], a.y, a.n, a.k, solving(a.flags), a.rows)
	}, together: func(c callLanes[T]) bool {
		c.load(1, c.y)
		return c.SolveTriangular(c.operand(0), c.y, c.u.cols, c.u.rhs, solving(c.u.n.Bits))
	}, upTo: linalg.Small}
}

func lu[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		copy(a.y, a.in[0])
		linalg.LU(a.y, a.n, a.work, a.rows)
		return nil
	}, together: func(c callLanes[T]) bool {
		c.load(0, c.y)
		return c.LU(c.y, c.u.cols)
	}, upTo: linalg.Small}
}

func luSolve[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		return linalg.SolveLU(a.in[1], a.in[2], a.y, a.n, a.k, a.is(ir.Transposed), a.work, a.rows)
	}, together: func(c callLanes[T]) bool {
		return c.SolveLU(c.operand(1), c.operand(2), c.y, c.u.cols, c.u.rhs, c.u.n.Bits&ir.Transposed != 0, c.work)
	}, upTo: linalg.Small}
}

func logDet[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		a.y[0] = a.in[2][0]
		return nil
	}}
}

func det[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		a.y[0] = linalg.Det(a.in[0], a.n, a.work, a.rows)
		return nil
	}, together: func(c callLanes[T]) bool { return c.Det(c.y, c.operand(0), c.u.cols, c.work) }, upTo: linalg.Small}
}

func qr[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		linalg.QR(a.y, a.in[0], a.m, a.n, a.work, a.rows)
		return nil
	}, together: func(c callLanes[T]) bool { return c.QR(c.y, c.operand(0), c.u.rows, c.u.cols, c.work) }, upTo: linalg.Middle}
}

func expm[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		return linalg.Expm(a.y, a.in[0], a.n, a.work, a.rows)
	}, together: func(c callLanes[T]) bool { return c.Expm(c.y, c.operand(0), c.u.cols, c.work) }, upTo: linalg.Small}
}

func expmFrechet[T float32 | float64]() callOf[T] {
	return callOf[T]{run: func(a callArgs[T]) error {
		return linalg.ExpmFrechet(a.y, a.in[0], a.in[1], a.n, a.work, a.rows)
	}, together: func(c callLanes[T]) bool {
		return c.ExpmFrechet(c.y, c.operand(0), c.operand(1), c.u.cols, c.work)
	}, upTo: linalg.Small}
}

// narrow reports whether the call is computed in float32.
func (u *callUnit) narrow() bool {
	f := callKernels[u.n.Call].f32
	return u.n.Type == dtype.F32 && f.run != nil && u.cols > f.above
}

func solving(flags uint64) linalg.Solving {
	return linalg.Solving{Upper: flags&ir.Upper != 0, Transposed: flags&ir.Transposed != 0, Unit: flags&ir.UnitDiagonal != 0}
}

func none(m, n, k int) int { return 0 }

// callUnit runs a call: tasks are batch elements, some of them where they are small.
type callUnit struct {
	n          *ir.Node
	in         []operand
	dst        int
	count      int // batch elements
	grain      int
	sizes      [3]int // elements of each operand in one of the batch
	size       int    // of the result
	rows, cols int
	rhs        int
	work       int // float64s of a worker, those of converted operands included
	kernels    [dtype.Count]*kernels.Rows
	above      linalg.Above
	lanes      *kernels.Lanes // of the node's type
	wide       *kernels.Lanes // of float64s
	most       int            // matrices side by side
	together   int            // elements of a worker of those

	// A small solution that is an output looks for zeros on its diagonal before it writes, so that it may write to the caller's memory. Large
	// ones go over their result often, in the run's own memory, whose pages are large.
	looks bool
}

func (b *binding) newCall(n *ir.Node) unit {
	if isFFT(n) {
		return b.newFFT(n)
	}
	u := newCallUnit(n, b.batch)
	if n.Call.Core(0) == 2 {
		u.kernels = b.p.level.Rows
		u.sideBySide(b.p.level)
	}
	if n.Call == ir.SegmentMax {
		u.above = b.p.level.Above[n.Type]
	}
	for _, x := range n.In {
		u.in = append(u.in, b.operand(x))
	}
	u.dst = b.root(n)
	divides := n.Call == ir.TriSolve && n.Bits&ir.UnitDiagonal == 0 || n.Call == ir.LUSolve
	u.looks = divides && u.cols <= linalg.Small && slices.Contains(b.p.low.outs, n)
	b.scratch = max(b.scratch, 8*u.work, 8*u.together)
	return u
}

func newCallUnit(n *ir.Node, batch int) *callUnit {
	u := &callUnit{n: n, count: 1}
	core := n.Call.Core(0)
	dims := n.In[0].Shape.At(batch)
	u.count = product(dims[:len(dims)-core])
	u.size = product(n.Shape.At(batch)[len(dims)-core:])
	for i, x := range n.In {
		d := x.Shape.At(batch)
		u.sizes[i] = product(d[len(dims)-core:])
		u.rhs = d[len(d)-1]
	}
	u.cols = dims[len(dims)-1]
	if core == 1 {
		switch n.Call {
		case ir.ArgSort:
			u.work = linalg.ArgSortWork(u.cols)
		case ir.Shuffle:
			u.work = linalg.ShuffleWork(u.cols)
		case ir.SegmentMax:
			u.work = linalg.SegmentWork
		}
		u.grain = max(1, moveElems/4/max(1, u.cols))
		return u
	}
	u.rows = dims[len(dims)-2]
	u.work = callKernels[n.Call].work(u.rows, u.cols, u.rhs)
	if n.Type == dtype.F32 && !u.narrow() {
		u.work += u.size + u.sizes[0] + u.sizes[1] + u.sizes[2]
	}
	u.grain = max(1, moveElems/max(1, u.cols*u.cols*(u.rows+u.rhs)))
	return u
}

// sideBySide has the call computed of several matrices at once, if it can be.
func (u *callUnit) sideBySide(l *kernels.Level) {
	lanes := l.Lanes[u.n.Type]
	k := callKernels[u.n.Call]
	most, upTo := linalg.Lanes[float64](), k.f64.upTo
	if u.n.Type == dtype.F32 {
		most, upTo = linalg.Lanes[float32](), k.f32.upTo
	}
	if lanes == nil || max(u.rows, u.cols) > upTo || u.size == 0 || u.cols == 0 {
		return
	}
	u.lanes, u.wide, u.most = lanes, l.Lanes[dtype.F64], most
	u.grain = ceil(u.grain, u.most) * u.most
	u.together = u.most * (u.size + u.sizes[0] + u.sizes[1] + u.sizes[2] + k.work(u.rows, u.cols, u.rhs))
}

// worth reports whether w matrices side by side, which take as long as most, take less time than one by one.
func (u *callUnit) worth(w int) bool {
	switch {
	case u.n.Call == ir.QR && u.cols <= linalg.Small:
		return w > 2
	case u.n.Call == ir.QR:
		return 3*w > 2*u.most
	case u.n.Call == ir.Cholesky && u.cols > linalg.Small/2:
		return 4*w > 3*u.most
	case u.cols <= linalg.Small/2:
		return 4*w > u.most
	}
	return 2*w > u.most
}

func (u *callUnit) phases() int {
	if u.looks {
		return 2
	}
	return 1
}
func (u *callUnit) tasks(_ int) int { return ceil(u.count, u.grain) }
func (u *callUnit) do(r *run, phase, worker, task int) {
	if u.looks && phase == 0 {
		u.look(r, task*u.grain, min((task+1)*u.grain, u.count))
		return
	}
	var in [3]unsafe.Pointer
	for i := range u.in {
		in[i] = u.in[i].ptr(r)
	}
	y, scratch := r.ptr[u.dst], r.workers[worker].scratch
	if u.n.Call == ir.Recurrence {
		u.recur(task*u.grain, min(u.grain, u.count-task*u.grain), y, in)
		return
	}
	for i, end := task*u.grain, min((task+1)*u.grain, u.count); i < end; {
		w := 1
		if u.lanes != nil {
			w = min(u.most, end-i)
		}
		if u.lanes != nil && u.worth(w) && u.several(i, w, y, in, scratch) {
			i += w
			continue
		}
		for next := i + w; i < next; i++ {
			if err := u.element(i, y, in, scratch); err != nil {
				r.fail(err)
				return
			}
		}
	}
}

// fails reports whether n may fail for what its operands hold.
func fails(n *ir.Node) bool {
	if n.Kind != ir.Call || isFFT(n) {
		return n.Kind == ir.Hosted
	}
	return n.Call != ir.ArgSort && n.Call != ir.Recurrence && n.Call != ir.Shuffle
}

// look reports a zero on the diagonal of a triangle that elements from i to end divide by.
func (u *callUnit) look(r *run, i, end int) {
	k, singular := 0, singularOf[float64]
	if u.n.Call == ir.LUSolve {
		k = 1
	}
	if u.n.Type == dtype.F32 {
		singular = singularOf[float32]
	}
	for x := u.in[k].ptr(r); i < end; i++ {
		if singular(unsafe.Add(x, i*u.sizes[k]*u.n.Type.Size()), u.cols) {
			r.fail(u.failure(i, linalg.ErrSingular))
			return
		}
	}
}

func singularOf[T float32 | float64](a unsafe.Pointer, n int) bool {
	return linalg.Singular(unsafe.Slice((*T)(a), n*n), n)
}

// recur computes rows from i on.
func (u *callUnit) recur(i, rows int, y unsafe.Pointer, in [3]unsafe.Pointer) {
	if u.n.Type == dtype.F32 {
		recurRows[float32](u, i, rows, y, in)
	} else {
		recurRows[float64](u, i, rows, y, in)
	}
}

func recurRows[T float32 | float64](u *callUnit, i, rows int, y unsafe.Pointer, in [3]unsafe.Pointer) {
	at := func(p unsafe.Pointer) []T {
		return unsafe.Slice((*T)(unsafe.Add(p, i*u.cols*u.n.Type.Size())), rows*u.cols)
	}
	linalg.Recurrence(at(y), at(in[0]), at(in[1]), u.cols)
}

// element computes element i of the batch.
func (u *callUnit) element(i int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) error {
	work := unsafe.Slice((*float64)(scratch), u.work)
	t := u.n.In[0].Type
	if u.n.Call.Core(0) == 1 {
		x := unsafe.Add(in[0], i*u.cols*t.Size())
		if u.n.Call == ir.SegmentMax {
			ids := indexArray{unsafe.Add(in[1], i*u.cols*u.n.In[1].Type.Size()), u.n.In[1].Type == dtype.I64}
			y = unsafe.Add(y, i*u.size*t.Size())
			if t == dtype.F32 {
				return segmentMax[float32](u, y, x, ids, work)
			}
			return segmentMax[float64](u, y, x, ids, work)
		}
		if u.n.Call == ir.Recurrence {
			u.recur(i, 1, y, in)
			return nil
		}
		if u.n.Call == ir.Shuffle {
			linalg.Shuffle(unsafe.Slice((*int64)(unsafe.Add(y, i*u.size*8)), u.size), unsafe.Slice((*int64)(x), u.cols), work)
			return nil
		}
		orders[t](u.n, unsafe.Slice((*int64)(unsafe.Add(y, i*u.size*8)), u.size), x, u.cols, work)
		return nil
	}
	var err error
	switch {
	case u.narrow():
		err = callKernels[u.n.Call].f32.run(inPlace[float32](u, i, y, in, scratch))
	case t == dtype.F64:
		err = callKernels[u.n.Call].f64.run(inPlace[float64](u, i, y, in, scratch))
	default:
		a := u.widened(i, in, work)
		if err = callKernels[u.n.Call].f64.run(a); err == nil {
			for j, v := range a.y {
				*(*float32)(unsafe.Add(y, (i*u.size+j)*4)) = float32(v)
			}
		}
	}
	if err != nil {
		return u.failure(i, err)
	}
	return nil
}

// failure is the error of element i.
func (u *callUnit) failure(i int, err error) error {
	e := &ir.Error{Op: u.n.Name(), Msg: fmt.Sprintf("%v: %v", u.n.In[0].Shape, err), Pos: u.n.Pos}
	if u.count > 1 {
		e.Msg += fmt.Sprintf(", element %d of the batch", i)
	}
	return e
}

// inPlace is the arguments of element i where they lie.
func inPlace[T float32 | float64](u *callUnit, i int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) callArgs[T] {
	at := func(p unsafe.Pointer, size int) []T {
		return unsafe.Slice((*T)(unsafe.Add(p, i*size*u.n.Type.Size())), size)
	}
	a := callArgs[T]{y: at(y, u.size), m: u.rows, n: u.cols, k: u.rhs, flags: u.n.Bits, work: unsafe.Slice((*T)(scratch), u.work),
		rows: linalg.Rows[T]{Rows: u.kernels[u.n.Type]}, wide: linalg.Rows[float64]{Rows: u.kernels[dtype.F64]}}
	for k := range u.n.In {
		a.in[k] = at(in[k], u.sizes[k])
	}
	return a
}

// widened is the arguments of element i as float64s, and a place for its result, in work.
func (u *callUnit) widened(i int, in [3]unsafe.Pointer, work []float64) callArgs[float64] {
	a := callArgs[float64]{m: u.rows, n: u.cols, k: u.rhs, flags: u.n.Bits, rows: linalg.Rows[float64]{Rows: u.kernels[dtype.F64]}, wide: linalg.Rows[float64]{Rows: u.kernels[dtype.F64]}}
	a.y, work = work[:u.size], work[u.size:]
	for k := range u.n.In {
		a.in[k], work = work[:u.sizes[k]], work[u.sizes[k]:]
		for j, v := range unsafe.Slice((*float32)(unsafe.Add(in[k], i*u.sizes[k]*4)), u.sizes[k]) {
			a.in[k][j] = float64(v)
		}
	}
	a.work = work
	return a
}

// callLanes is w elements of the batch side by side, from number i on. y is the result, in lanes.
type callLanes[T float32 | float64] struct {
	linalg.Together[T]
	u       *callUnit
	i, w    int
	in      [3]unsafe.Pointer
	y, work []T
	places  [3][]T // of the operands
}

// several computes w elements of the batch, or reports that they have to be computed one by one.
func (u *callUnit) several(i, w int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) bool {
	k := &callKernels[u.n.Call]
	if u.n.Type == dtype.F32 {
		return together(u, k.f32.together, i, w, y, in, scratch)
	}
	return together(u, k.f64.together, i, w, y, in, scratch)
}

func together[T float32 | float64](u *callUnit, run func(c callLanes[T]) bool, i, w int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) bool {
	rest := unsafe.Slice((*T)(scratch), u.together)
	take := func(n int) (x []T) {
		x, rest = rest[:u.most*n], rest[u.most*n:]
		return x
	}
	c := callLanes[T]{Together: linalg.Together[T]{Lanes: u.lanes, Rows: u.kernels[u.n.Type]}, u: u, i: i, w: w, in: in, y: take(u.size)}
	for k := range c.places {
		c.places[k] = take(u.sizes[k])
	}
	c.work = rest
	if !run(c) {
		return false
	}
	t := u.n.Type.Size()
	kernels.Transpose(unsafe.Add(y, i*u.size*t), u.size*t, unsafe.Pointer(&c.y[0]), u.most*t, w, u.size, t)
	return true
}

// wide has the functions of float64s.
func (c callLanes[T]) wide() linalg.Together[float64] {
	return linalg.Together[float64]{Lanes: c.u.wide}
}

// operand is number k, in lanes.
func (c callLanes[T]) operand(k int) []T {
	c.load(k, c.places[k])
	return c.places[k]
}

// load puts operand k into lanes. Those beyond w repeat the first.
func (c callLanes[T]) load(k int, to []T) {
	size, t, most := c.u.sizes[k], c.u.n.Type.Size(), c.u.most
	x := unsafe.Add(c.in[k], c.i*size*t)
	kernels.Transpose(unsafe.Pointer(&to[0]), most*t, x, size*t, size, c.w, t)
	if c.w < most {
		kernels.Transpose(unsafe.Pointer(&to[c.w]), most*t, x, 0, size, most-c.w, t)
	}
}

var orders = [dtype.Count]func(n *ir.Node, y []int64, x unsafe.Pointer, cols int, work []float64){
	dtype.F32: inOrder[float32],
	dtype.F64: inOrder[float64],
	dtype.I32: inOrder[int32],
	dtype.I64: inOrder[int64],
}

func inOrder[T linalg.Number](n *ir.Node, y []int64, x unsafe.Pointer, cols int, work []float64) {
	row := unsafe.Slice((*T)(x), cols)
	descending := n.Bits&ir.Descending != 0
	if k := int(n.Bits >> ir.TopShift); k > 0 && k <= 64 && 4*k <= len(y) {
		linalg.ArgTop(y, row, k, descending, work)
		return
	}
	linalg.ArgSort(y, row, descending, work)
}

func segmentMax[T float32 | float64](u *callUnit, y, x unsafe.Pointer, ids indexArray, work []float64) error {
	to, row := unsafe.Slice((*T)(y), u.size), unsafe.Slice((*T)(x), u.cols)
	var bad int
	if ids.wide {
		bad = linalg.SegmentMax(to, row, unsafe.Slice((*int64)(ids.p), u.cols), nil, work)
	} else {
		bad = linalg.SegmentMax(to, row, unsafe.Slice((*int32)(ids.p), u.cols), u.above, work)
	}
	if bad < 0 {
		return nil
	}
	return &ir.Error{Op: u.n.Name(), Msg: fmt.Sprintf("index %d is not in 0 … %d", ids.at(bad), u.size-1), Pos: u.n.Pos}
}

func referenceCall(r *reference) {
	if isFFT(r.n) {
		referenceFFT(r)
		return
	}
	u := newCallUnit(r.n, r.batch)
	var in [3]unsafe.Pointer
	for i, x := range r.in {
		in[i] = x.ptr()
	}
	work := scratch(8 * u.work)
	for i := range u.count {
		if err := u.element(i, r.y.ptr(), in, work); err != nil {
			panic(err)
		}
	}
}
