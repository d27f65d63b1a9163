package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/fft"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

func isFFT(n *ir.Node) bool { return n.Kind == ir.Call && n.Call >= ir.FFT && n.Call <= ir.HalfOdd }

// fftRows are the transforms of a batch.
type fftRows[T fft.Float] struct {
	n           *ir.Node
	count       int // rows
	lanes       int // of them that go side by side
	cols        int // elements of a part of an operand
	operand     int // elements of an operand, its parts
	apart       int // from a part of one to that of the next
	size        int // of a result, its parts
	part, step  int // of one; from a part of one to that of the next
	plan        *fft.Plan[T]
	work, grain int // numbers of a worker; rows of a task
}

// fftUnit runs them.
type fftUnit[T fft.Float] struct {
	fftRows[T]
	in  []operand // both parts, or each
	dst []int     // as well
}

// rowsTogether is the longest row of which several are transformed side by side: they stay in the second cache.
const rowsTogether = 4096

func newFFTRows[T fft.Float](n *ir.Node, batch int, fast fft.Passes) fftRows[T] {
	dims := n.In[0].Shape.At(batch)
	core := len(dims) - 2
	u := fftRows[T]{n: n, lanes: 1, count: product(dims[:core]), cols: dims[core+1], operand: product(dims[core:]), size: product(n.Shape.At(batch)[core:])}
	u.apart, u.part, u.step = u.operand, u.size, u.size
	if n.Call == ir.FFT || n.Call == ir.RFFT {
		u.part /= 2
	}
	if u.size == 0 {
		u.count, u.grain = 0, 1
		return u
	}
	switch n.Call {
	case ir.FFT:
		u.plan = fft.New[T](u.cols, fast)
		u.work = u.plan.Work()
	case ir.RFFT:
		u.plan = fft.NewReal[T](u.cols, fast)
		u.work = u.plan.RealWork()
	default:
		u.plan = fft.NewReal[T](u.size, fast)
		u.work = u.plan.RealWork()
	}
	u.grain = max(1, moveElems/16/u.cols)
	alone := n.Call == ir.FFT && u.plan.Alone()
	if w := fft.Lanes[T](); fast.Turn != nil && !alone && u.count >= w && u.cols <= rowsTogether {
		u.lanes = w
		u.grain = ceil(u.grain, w) * w
		u.work = w * (u.work + u.size + u.operand)
	}
	return u
}

func (b *binding) newFFT(n *ir.Node) unit {
	fast := b.p.level.FFT[n.Type]
	if n.Type == dtype.F32 {
		return bindFFT(b, newFFTRows[float32](n, b.batch, fast))
	}
	return bindFFT(b, newFFTRows[float64](n, b.batch, fast))
}

func bindFFT[T fft.Float](b *binding, rows fftRows[T]) unit {
	b.scratch = max(b.scratch, rows.n.Type.Size()*rows.work)
	u := &fftUnit[T]{fftRows: rows}
	for _, y := range b.p.low.results(rows.n) {
		u.dst = append(u.dst, b.root(y))
	}
	if len(u.dst) == 2 {
		u.step = u.part
	}
	for _, x := range b.p.low.arrays(rows.n.In[0]) {
		u.in = append(u.in, b.operand(x))
	}
	if len(u.in) == 2 {
		u.apart = u.cols
	}
	return u
}

func (u *fftUnit[T]) phases() int     { return 1 }
func (u *fftUnit[T]) tasks(_ int) int { return ceil(u.count, u.grain) }
func (u *fftUnit[T]) do(r *run, _, worker, task int) {
	re := unsafe.Slice((*T)(u.in[0].ptr(r)), u.count*u.apart)
	im := re[u.cols:]
	if len(u.in) == 2 {
		im = unsafe.Slice((*T)(u.in[1].ptr(r)), u.count*u.apart)
	}
	yr := unsafe.Slice((*T)(r.ptr[u.dst[0]]), u.count*u.step)
	yi := yr[u.size-u.part:]
	if len(u.dst) == 2 {
		yi = unsafe.Slice((*T)(r.ptr[u.dst[1]]), u.count*u.step)
	}
	u.rows(task*u.grain, min((task+1)*u.grain, u.count), yr, yi, re, im, r.workers[worker].scratch)
}

// rows transforms rows i to end.
func (u *fftRows[T]) rows(i, end int, yr, yi, re, im []T, scratch unsafe.Pointer) {
	work := unsafe.Slice((*T)(scratch), u.work)
	row := func() (yr1, yi1, xr, xi []T) {
		if u.operand > u.cols {
			xi = im[i*u.apart:]
		}
		return yr[i*u.step:], yi[i*u.step:], re[i*u.apart:], xi
	}
	for ; u.lanes > 1 && i+u.lanes <= end; i += u.lanes {
		yr, yi, xr, xi := row()
		u.together(yr, yi, xr, xi, work)
	}
	for ; i < end; i++ {
		yr, yi, xr, xi := row()
		var ahead fft.Ahead
		if i+1 < u.count { // the next task's, too
			ahead = fft.Ahead{unsafe.Pointer(&xr[u.apart]), nil, unsafe.Pointer(&yr[u.step]), unsafe.Pointer(&yi[u.step])}
			if len(xi) > 0 {
				ahead[1] = unsafe.Pointer(&xi[u.apart])
			}
		}
		u.transform(1, yr[:u.part], yi[:u.part], xr, xi, work, ahead)
	}
}

// together transforms as many rows as there are lanes.
func (u *fftRows[T]) together(yr, yi, xr, xi, work []T) {
	n, size, w := u.operand, u.size, u.lanes
	bytes := u.n.Type.Size()
	in, out, work := work[:n*w], work[n*w:(n+size)*w], work[(n+size)*w:]
	if u.n.Call == ir.FFT { // in place
		out = in
	}
	re, im := in[:u.cols*w], in[u.cols*w:]
	kernels.Transpose(unsafe.Pointer(&re[0]), w*bytes, unsafe.Pointer(&xr[0]), u.apart*bytes, u.cols, w, bytes)
	if len(im) > 0 {
		kernels.Transpose(unsafe.Pointer(&im[0]), w*bytes, unsafe.Pointer(&xi[0]), u.apart*bytes, u.cols, w, bytes)
	}
	or, oi := out[:u.part*w], out[(size-u.part)*w:]
	u.transform(w, or, oi, re, im, work, fft.Ahead{})
	kernels.Transpose(unsafe.Pointer(&yr[0]), u.step*bytes, unsafe.Pointer(&or[0]), w*bytes, w, u.part, bytes)
	if u.part < size {
		kernels.Transpose(unsafe.Pointer(&yi[0]), u.step*bytes, unsafe.Pointer(&oi[0]), w*bytes, w, u.part, bytes)
	}
}

// transform is the call, of w rows side by side; yi is yr where a result has one part.
func (u *fftRows[T]) transform(w int, yr, yi, xr, xi, work []T, ahead fft.Ahead) {
	m := u.cols * w
	xr = xr[:m]
	switch u.n.Call {
	case ir.RFFT:
		u.plan.Real(w, yr, yi, xr, work)
	case ir.HalfEven, ir.HalfOdd:
		u.plan.FromHalf(w, yr, xr, xi[:m], work)
	default:
		if u.n.Bits&ir.Transposed != 0 {
			u.plan.Backward(w, yr, yi, xr, xi[:m], work, ahead)
		} else {
			u.plan.Forward(w, yr, yi, xr, xi[:m], work, ahead)
		}
	}
}

func referenceFFT(r *reference) {
	if r.n.Type == dtype.F32 {
		referenceRows(r, newFFTRows[float32](r.n, r.batch, fft.Passes{}))
	} else {
		referenceRows(r, newFFTRows[float64](r.n, r.batch, fft.Passes{}))
	}
}

func referenceRows[T fft.Float](r *reference, u fftRows[T]) {
	if u.count == 0 {
		return
	}
	x := unsafe.Slice((*T)(r.in[0].ptr()), u.count*u.apart)
	y := unsafe.Slice((*T)(r.y.ptr()), u.count*u.step)
	u.rows(0, u.count, y, y[u.size-u.part:], x, x[u.cols:], scratch(r.n.Type.Size()*u.work))
}
