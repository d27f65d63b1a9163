package runtime

import (
	"fmt"
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
	rows    linalg.Rows
}

func (a callArgs[T]) is(flag uint64) bool { return a.flags&flag != 0 }

// callKernel is the value of a call: run, with room for work numbers, and of several matrices side by side. float32s are
// converted.
type callKernel struct {
	work     func(m, n, k int) int
	run      func(a callArgs[float64]) error
	together func(c callLanes) bool // false: one by one
}

var callKernels = [ir.NumCalls]callKernel{
	ir.Cholesky: {func(m, n, k int) int { return linalg.CholeskyWork(n) }, func(a callArgs[float64]) error {
		copy(a.y, a.in[0])
		return linalg.Cholesky(a.y, a.n, a.work)
	}, func(c callLanes) bool {
		c.load(0, c.y)
		return c.Cholesky(c.y, c.u.cols)
	}},
	ir.TriSolve: {none, func(a callArgs[float64]) error {
		copy(a.y, a.in[1])
		return linalg.SolveTriangular(a.in[0], a.y, a.n, a.k, solving(a.flags), a.rows)
	}, func(c callLanes) bool {
		c.load(1, c.y)
		return c.SolveTriangular(c.operand(0), c.y, c.u.cols, c.u.rhs, solving(c.u.n.Bits))
	}},
	ir.LU: {func(m, n, k int) int { return linalg.LUWork(n) }, func(a callArgs[float64]) error {
		copy(a.y, a.in[0])
		linalg.LU(a.y, a.n, a.work, a.rows)
		return nil
	}, func(c callLanes) bool {
		c.load(0, c.y)
		return c.LU(c.y, c.u.cols)
	}},
	ir.LUSolve: {func(m, n, k int) int { return n * k }, func(a callArgs[float64]) error {
		return linalg.SolveLU(a.in[1], a.in[2], a.y, a.n, a.k, a.is(ir.Transposed), a.work, a.rows)
	}, func(c callLanes) bool {
		return c.SolveLU(c.operand(1), c.operand(2), c.y, c.u.cols, c.u.rhs, c.u.n.Bits&ir.Transposed != 0, c.work)
	}},
	ir.LogDet: {none, func(a callArgs[float64]) error {
		a.y[0] = a.in[2][0]
		return nil
	}, nil},
	ir.Det: {func(m, n, k int) int { return linalg.DetWork(n) }, func(a callArgs[float64]) error {
		a.y[0] = linalg.Det(a.in[0], a.n, a.work, a.rows)
		return nil
	}, func(c callLanes) bool { return c.Det(c.y, c.operand(0), c.u.cols, c.work) }},
	ir.Cofactor: {func(m, n, k int) int { return linalg.CofactorWork(n) }, func(a callArgs[float64]) error {
		return linalg.Cofactor(a.y, a.in[0], a.n, a.work, a.rows)
	}, nil},
	ir.QR: {func(m, n, k int) int { return linalg.QRWork(m, n) }, func(a callArgs[float64]) error {
		linalg.QR(a.y, a.in[0], a.m, a.n, a.work, a.rows)
		return nil
	}, func(c callLanes) bool { return c.QR(c.y, c.operand(0), c.u.rows, c.u.cols, c.work) }},
	ir.Eigh: {func(m, n, k int) int { return linalg.EighWork(n) }, func(a callArgs[float64]) error {
		return linalg.Eigh(a.y, a.in[0], a.n, a.work, a.rows)
	}, nil},
	ir.SVD: {func(m, n, k int) int { return linalg.SVDWork(m, n) }, func(a callArgs[float64]) error {
		return linalg.SVD(a.y, a.in[0], a.m, a.n, a.work, a.rows)
	}, nil},
	ir.Expm: {func(m, n, k int) int { return linalg.ExpmWork(n) }, func(a callArgs[float64]) error {
		return linalg.Expm(a.y, a.in[0], a.n, a.work, a.rows)
	}, nil},
	ir.ExpmFrechet: {func(m, n, k int) int { return linalg.ExpmFrechetWork(n) }, func(a callArgs[float64]) error {
		return linalg.ExpmFrechet(a.y, a.in[0], a.in[1], a.n, a.work, a.rows)
	}, nil},
}

// large are the calls that are computed in float32 where those are the operands, of more than linalg.Small columns.
var large = [ir.NumCalls]func(a callArgs[float32]) error{
	ir.Cholesky: func(a callArgs[float32]) error {
		copy(a.y, a.in[0])
		return linalg.CholeskyBlocks(a.y, a.n, a.work)
	},
	ir.TriSolve: func(a callArgs[float32]) error {
		copy(a.y, a.in[1])
		return linalg.SolveTriangularBlocks(a.in[0], a.y, a.n, a.k, solving(a.flags))
	},
	ir.LU: func(a callArgs[float32]) error {
		copy(a.y, a.in[0])
		linalg.LUBlocks(a.y, a.n, a.work)
		return nil
	},
	ir.LUSolve: func(a callArgs[float32]) error {
		return linalg.SolveLUBlocks(a.in[1], a.in[2], a.y, a.n, a.k, a.is(ir.Transposed), a.work)
	},
	ir.QR: func(a callArgs[float32]) error {
		linalg.QRBlocks(a.y, a.in[0], a.m, a.n, a.work)
		return nil
	},
	ir.Eigh: func(a callArgs[float32]) error {
		return linalg.EighBlocks(a.y, a.in[0], a.n, a.work, a.rows)
	},
	ir.SVD: func(a callArgs[float32]) error {
		return linalg.SVDBlocks(a.y, a.in[0], a.m, a.n, a.work, a.rows)
	},
}

// narrow reports whether the call is computed in float32.
func (u *callUnit) narrow() bool {
	return u.n.Type == dtype.F32 && u.cols > linalg.Small && large[u.n.Call] != nil
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
	kernels    linalg.Rows
	above      linalg.Above
	lanes      *kernels.Lanes
	together   int // float64s of a worker of matrices side by side
}

func (b *binding) newCall(n *ir.Node) unit {
	if isFFT(n) {
		return b.newFFT(n)
	}
	u := newCallUnit(n, b.batch)
	if n.Call.Core(0) == 2 {
		u.kernels = linalg.Rows{Rows: b.p.level.Rows}
		u.sideBySide(b.p.level.Lanes)
	}
	if n.Call == ir.SegmentMax {
		u.above = b.p.level.Above[n.Type]
	}
	for _, x := range n.In {
		u.in = append(u.in, b.operand(x))
	}
	u.dst = b.root(n)
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
func (u *callUnit) sideBySide(lanes *kernels.Lanes) {
	k := callKernels[u.n.Call]
	if lanes == nil || k.together == nil || max(u.rows, u.cols) > linalg.Small || u.size == 0 || u.cols == 0 {
		return
	}
	u.lanes = lanes
	u.grain = ceil(u.grain, linalg.Lanes) * linalg.Lanes
	u.together = linalg.Lanes * (u.size + u.sizes[0] + u.sizes[1] + u.sizes[2] + k.work(u.rows, u.cols, u.rhs))
	if u.n.Type == dtype.F32 {
		u.together += linalg.Lanes * max(u.size, u.sizes[0], u.sizes[1], u.sizes[2])
	}
}

// alone is the largest matrix that is done by itself where it is the only one.
const alone = 12

// worth reports whether w matrices side by side take less time than one by one.
func (u *callUnit) worth(w int) bool {
	if u.n.Call == ir.QR { // one by one goes by vectors along rows, too
		return w > 2
	}
	return w > 1 || u.cols > alone
}

func (u *callUnit) phases() int     { return 1 }
func (u *callUnit) tasks(_ int) int { return ceil(u.count, u.grain) }
func (u *callUnit) do(r *run, _, worker, task int) {
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
			w = min(linalg.Lanes, end-i)
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
	return n.Call != ir.ArgSort && n.Call != ir.Recurrence
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
		orders[t](u.n, unsafe.Slice((*int64)(unsafe.Add(y, i*u.size*8)), u.size), x, u.cols, work)
		return nil
	}
	var err error
	switch {
	case u.narrow():
		err = large[u.n.Call](inPlace[float32](u, i, y, in, scratch))
	case t == dtype.F64:
		err = callKernels[u.n.Call].run(inPlace[float64](u, i, y, in, scratch))
	default:
		a := u.widened(i, in, work)
		if err = callKernels[u.n.Call].run(a); err == nil {
			for j, v := range a.y {
				*(*float32)(unsafe.Add(y, (i*u.size+j)*4)) = float32(v)
			}
		}
	}
	if err != nil {
		e := &ir.Error{Op: u.n.Name(), Msg: fmt.Sprintf("%v: %v", u.n.In[0].Shape, err), Pos: u.n.Pos}
		if u.count > 1 {
			e.Msg += fmt.Sprintf(", element %d of the batch", i)
		}
		return e
	}
	return nil
}

// inPlace is the arguments of element i where they lie.
func inPlace[T float32 | float64](u *callUnit, i int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) callArgs[T] {
	at := func(p unsafe.Pointer, size int) []T {
		return unsafe.Slice((*T)(unsafe.Add(p, i*size*u.n.Type.Size())), size)
	}
	a := callArgs[T]{y: at(y, u.size), m: u.rows, n: u.cols, k: u.rhs, flags: u.n.Bits, work: unsafe.Slice((*T)(scratch), u.work), rows: u.kernels}
	for k := range u.n.In {
		a.in[k] = at(in[k], u.sizes[k])
	}
	return a
}

// widened is the arguments of element i as float64s, and a place for its result, in work.
func (u *callUnit) widened(i int, in [3]unsafe.Pointer, work []float64) callArgs[float64] {
	a := callArgs[float64]{m: u.rows, n: u.cols, k: u.rhs, flags: u.n.Bits, rows: u.kernels}
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

// callLanes is w elements of the batch side by side, from number i on. y is the result, float64s in lanes.
type callLanes struct {
	linalg.Together
	u       *callUnit
	i, w    int
	in      [3]unsafe.Pointer
	y, work []float64
	places  [3][]float64 // of the operands
	rows    []float64    // where float32s are converted
}

// several computes w elements of the batch, or reports that they have to be computed one by one.
func (u *callUnit) several(i, w int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) bool {
	rest := unsafe.Slice((*float64)(scratch), u.together)
	take := func(n int) (x []float64) {
		x, rest = rest[:linalg.Lanes*n], rest[linalg.Lanes*n:]
		return x
	}
	c := callLanes{Together: linalg.Together{Lanes: u.lanes}, u: u, i: i, w: w, in: in, y: take(u.size)}
	for k := range c.places {
		c.places[k] = take(u.sizes[k])
	}
	c.work = take(callKernels[u.n.Call].work(u.rows, u.cols, u.rhs))
	c.rows = rest
	if !callKernels[u.n.Call].together(c) {
		return false
	}
	t := u.n.Type.Size()
	y = unsafe.Add(y, i*u.size*t)
	to := y
	if u.n.Type == dtype.F32 {
		to = unsafe.Pointer(&c.rows[0])
	}
	kernels.Transpose(to, u.size*8, unsafe.Pointer(&c.y[0]), linalg.Lanes*8, w, u.size, 8)
	if u.n.Type == dtype.F32 {
		for j, v := range c.rows[:w*u.size] {
			*(*float32)(unsafe.Add(y, j*4)) = float32(v)
		}
	}
	return true
}

// operand is number k, in lanes.
func (c callLanes) operand(k int) []float64 {
	c.load(k, c.places[k])
	return c.places[k]
}

// load puts operand k into lanes. Those beyond w repeat the first.
func (c callLanes) load(k int, to []float64) {
	size, t := c.u.sizes[k], c.u.n.Type.Size()
	x := unsafe.Add(c.in[k], c.i*size*t)
	if c.u.n.Type == dtype.F32 {
		for j, v := range unsafe.Slice((*float32)(x), c.w*size) {
			c.rows[j] = float64(v)
		}
		x = unsafe.Pointer(&c.rows[0])
	}
	kernels.Transpose(unsafe.Pointer(&to[0]), linalg.Lanes*8, x, size*8, size, c.w, 8)
	if c.w < linalg.Lanes {
		for j := range size {
			e := to[linalg.Lanes*j:][:linalg.Lanes]
			for l := c.w; l < len(e); l++ {
				e[l] = e[0]
			}
		}
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
