package runtime

import (
	"fmt"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/fft"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/linalg"
	"github.com/adjoint-go/adjoint/kernels"
)

// callArgs is one batch element of a call: result and operands in float64, the rows and columns of the first
// operand, the columns of the last.
type callArgs struct {
	y       []float64
	in      [3][]float64
	m, n, k int
	flags   uint64
	work    []float64
	plan    *fft.Plan
	w       int // of Fourier transforms: rows side by side
}

func (a callArgs) is(flag uint64) bool { return a.flags&flag != 0 }

// callKernel is the value of a call: run, with room for work numbers.
type callKernel struct {
	work func(m, n, k int) int
	run  func(a callArgs) error
}

var callKernels = [ir.NumCalls]callKernel{
	ir.Cholesky: {none, func(a callArgs) error {
		copy(a.y, a.in[0])
		return linalg.Cholesky(a.y, a.n)
	}},
	ir.TriSolve: {none, func(a callArgs) error {
		copy(a.y, a.in[1])
		return linalg.SolveTriangular(a.in[0], a.y, a.n, a.k,
			linalg.Solving{Upper: a.is(ir.Upper), Transposed: a.is(ir.Transposed), Unit: a.is(ir.UnitDiagonal)})
	}},
	ir.LU: {func(m, n, k int) int { return n }, func(a callArgs) error {
		copy(a.y, a.in[0])
		linalg.LU(a.y, a.n, a.work)
		return nil
	}},
	ir.LUSolve: {func(m, n, k int) int { return n * k }, func(a callArgs) error {
		return linalg.SolveLU(a.in[1], a.in[2], a.y, a.n, a.k, a.is(ir.Transposed), a.work)
	}},
	ir.LogDet: {none, func(a callArgs) error {
		a.y[0] = linalg.LogDet(a.in[1], a.n)
		return nil
	}},
	ir.Det: {func(m, n, k int) int { return n*n + 3*n }, func(a callArgs) error {
		a.y[0] = linalg.Det(a.in[0], a.n, a.work)
		return nil
	}},
	ir.Cofactor: {func(m, n, k int) int { return linalg.CofactorWork(n) }, func(a callArgs) error {
		return linalg.Cofactor(a.y, a.in[0], a.n, a.work)
	}},
	ir.QR: {func(m, n, k int) int { return linalg.QRWork(m, n) }, func(a callArgs) error {
		linalg.QR(a.y, a.in[0], a.m, a.n, a.work)
		return nil
	}},
	ir.Eigh: {func(m, n, k int) int { return linalg.EighWork(n) }, func(a callArgs) error {
		return linalg.Eigh(a.y, a.in[0], a.n, a.work)
	}},
	ir.SVD: {func(m, n, k int) int { return linalg.SVDWork(m, n) }, func(a callArgs) error {
		return linalg.SVD(a.y, a.in[0], a.m, a.n, a.work)
	}},
	ir.Expm: {func(m, n, k int) int { return linalg.ExpmWork(n) }, func(a callArgs) error {
		return linalg.Expm(a.y, a.in[0], a.n, a.work)
	}},
	ir.FFT: {none, func(a callArgs) error {
		if &a.y[0] != &a.in[0][0] {
			copy(a.y, a.in[0])
		}
		if a.is(ir.Transposed) {
			a.plan.Backward(a.w, a.y[:a.n*a.w], a.y[a.n*a.w:], a.work)
		} else {
			a.plan.Forward(a.w, a.y[:a.n*a.w], a.y[a.n*a.w:], a.work)
		}
		return nil
	}},
	ir.RFFT: {none, func(a callArgs) error {
		m := (a.n/2 + 1) * a.w
		a.plan.Real(a.w, a.y[:m], a.y[m:], a.in[0], a.work)
		return nil
	}},
	ir.HalfEven: {none, half},
	ir.HalfOdd:  {none, half},
}

func half(a callArgs) error {
	a.plan.FromHalf(a.w, a.y, a.in[0][:a.n*a.w], a.in[0][a.n*a.w:], a.work)
	return nil
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
	plan       *fft.Plan
	work       int // float64s of a worker, those of converted operands included
	lanes      int // of Fourier transforms: the rows that go side by side
}

func (b *binding) newCall(n *ir.Node) unit {
	u := newCallUnit(b.p.level, n, b.batch)
	for _, x := range n.In {
		u.in = append(u.in, b.operand(x))
	}
	u.dst = b.root(n)
	b.scratch = max(b.scratch, 8*u.work)
	return u
}

func newCallUnit(level *kernels.Level, n *ir.Node, batch int) *callUnit {
	u := &callUnit{n: n, count: 1, lanes: 1}
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
		if n.Call == ir.ArgSort {
			u.work = linalg.ArgSortWork(u.cols)
		}
		u.grain = max(1, moveElems/4/max(1, u.cols))
		return u
	}
	u.rows = dims[len(dims)-2]
	u.work = callKernels[n.Call].work(u.rows, u.cols, u.rhs)
	if n.Type == dtype.F32 {
		u.work += u.size + u.sizes[0] + u.sizes[1] + u.sizes[2]
	}
	u.grain = max(1, moveElems/max(1, u.cols*u.cols*(u.rows+u.rhs)))
	if n.Call >= ir.FFT && n.Call <= ir.HalfOdd {
		u.planFFT(level.FFT)
	}
	return u
}

// rowsTogether is the longest row of which several are transformed side by side: they stay in the second cache.
const rowsTogether = 4096

func (u *callUnit) planFFT(fast fft.Passes) {
	if u.size == 0 {
		u.count = 0
		return
	}
	switch n := u.cols; u.n.Call {
	case ir.FFT:
		u.plan = fft.New(n, fast)
		u.work += u.plan.Work()
	case ir.RFFT:
		u.plan = fft.NewReal(n, fast)
		u.work += u.plan.RealWork()
	default:
		u.plan = fft.NewReal(u.size, fast)
		u.work += u.plan.RealWork()
	}
	u.grain = max(1, moveElems/16/u.cols)
	if fast.Four != nil && u.count >= fft.Lanes && u.cols <= rowsTogether {
		u.lanes = fft.Lanes
		u.grain = ceil(u.grain, u.lanes) * u.lanes
		u.work = u.lanes * (u.work + u.size + u.sizes[0])
	}
}

func (u *callUnit) phases() int     { return 1 }
func (u *callUnit) tasks(_ int) int { return ceil(u.count, u.grain) }
func (u *callUnit) do(r *run, _, worker, task int) {
	var in [3]unsafe.Pointer
	for i := range u.in {
		in[i] = u.in[i].ptr(r)
	}
	i, end := task*u.grain, min((task+1)*u.grain, u.count)
	for ; u.lanes > 1 && i+u.lanes <= end; i += u.lanes {
		u.together(i, r.ptr[u.dst], in[0], r.workers[worker].scratch)
	}
	for ; i < end; i++ {
		if err := u.element(i, r.ptr[u.dst], in, r.workers[worker].scratch); err != nil {
			r.fail(err)
			return
		}
	}
}

// element computes element i of the batch.
func (u *callUnit) element(i int, y unsafe.Pointer, in [3]unsafe.Pointer, scratch unsafe.Pointer) error {
	work := unsafe.Slice((*float64)(scratch), u.work)
	t := u.n.In[0].Type
	if u.n.Call.Core(0) == 1 {
		x := unsafe.Add(in[0], i*u.cols*t.Size())
		var ids []int64
		if len(u.n.In) > 1 {
			ids = unsafe.Slice((*int64)(unsafe.Add(in[1], i*u.cols*8)), u.cols)
		}
		orders[t](u.n, unsafe.Slice((*int64)(unsafe.Add(y, i*u.size*8)), u.size), x, u.cols, ids, work)
		return nil
	}
	a := callArgs{m: u.rows, n: u.cols, k: u.rhs, flags: u.n.Bits, plan: u.plan, w: 1}
	if t == dtype.F64 {
		a.y = unsafe.Slice((*float64)(unsafe.Add(y, i*u.size*8)), u.size)
		for k := range u.n.In {
			a.in[k] = unsafe.Slice((*float64)(unsafe.Add(in[k], i*u.sizes[k]*8)), u.sizes[k])
		}
	} else {
		a.y, work = work[:u.size], work[u.size:]
		for k := range u.n.In {
			a.in[k], work = work[:u.sizes[k]], work[u.sizes[k]:]
			for j, v := range unsafe.Slice((*float32)(unsafe.Add(in[k], i*u.sizes[k]*4)), u.sizes[k]) {
				a.in[k][j] = float64(v)
			}
		}
	}
	a.work = work
	if err := callKernels[u.n.Call].run(a); err != nil {
		e := &ir.Error{Op: u.n.Name(), Msg: fmt.Sprintf("%v: %v", u.n.In[0].Shape, err), Pos: u.n.Pos}
		if u.count > 1 {
			e.Msg += fmt.Sprintf(", element %d of the batch", i)
		}
		return e
	}
	if t == dtype.F32 {
		for j, v := range a.y {
			*(*float32)(unsafe.Add(y, (i*u.size+j)*4)) = float32(v)
		}
	}
	return nil
}

// together computes as many elements of the batch, from number i on, as there are lanes. It cannot fail.
func (u *callUnit) together(i int, y, x, scratch unsafe.Pointer) {
	n, size, w, t := u.sizes[0], u.size, u.lanes, u.n.In[0].Type
	work := unsafe.Slice((*float64)(scratch), u.work)
	a := callArgs{n: u.cols, flags: u.n.Bits, plan: u.plan, w: w}
	a.in[0], a.y, a.work = work[:n*w], work[n*w:(n+size)*w], work[(n+size)*w:]
	if u.n.Call == ir.FFT { // in place
		a.y = a.in[0]
	}
	x, y = unsafe.Add(x, i*n*t.Size()), unsafe.Add(y, i*size*t.Size())
	if t == dtype.F32 {
		rows := a.work[:n*w]
		for j, v := range unsafe.Slice((*float32)(x), n*w) {
			rows[j] = float64(v)
		}
		x = unsafe.Pointer(&rows[0])
	}
	kernels.Transpose(unsafe.Pointer(&a.in[0][0]), w*8, x, n*8, n, w, 8)
	callKernels[u.n.Call].run(a) // has no error
	to := y
	if t == dtype.F32 {
		to = unsafe.Pointer(&a.work[0])
	}
	kernels.Transpose(to, size*8, unsafe.Pointer(&a.y[0]), w*8, w, size, 8)
	if t == dtype.F32 {
		for j, v := range unsafe.Slice((*float64)(to), size*w) {
			*(*float32)(unsafe.Add(y, j*4)) = float32(v)
		}
	}
}

var orders = [dtype.Count]func(n *ir.Node, y []int64, x unsafe.Pointer, cols int, ids []int64, work []float64){
	dtype.F32: inOrder[float32],
	dtype.F64: inOrder[float64],
	dtype.I32: inOrder[int32],
	dtype.I64: inOrder[int64],
}

func inOrder[T linalg.Number](n *ir.Node, y []int64, x unsafe.Pointer, cols int, ids []int64, work []float64) {
	row := unsafe.Slice((*T)(x), cols)
	switch n.Call {
	case ir.ArgCumMax:
		linalg.ArgCumMax(y, row)
		return
	case ir.ArgSegmentMax:
		linalg.ArgSegmentMax(y, row, ids)
		return
	}
	descending := n.Bits&ir.Descending != 0
	if k := int(n.Bits >> ir.TopShift); k > 0 && k <= 64 && 4*k <= len(y) {
		linalg.ArgTop(y, row, k, descending, work)
		return
	}
	linalg.ArgSort(y, row, descending, work)
}

func referenceCall(r *reference) {
	u := newCallUnit(kernels.Purego, r.n, r.batch)
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
