package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// A product reads a reshaped view of windows, or that with its last two axes exchanged, through the view's
// strides: a convolution makes no array of its windows.

// markGrids finds the reshaped views that only such products read.
func (l *lowering) markGrids() {
	l.grids = make([]bool, len(l.force))
	for _, n := range l.nodes {
		l.grids[n.ID] = n.Kind == ir.Reshape && !n.Type.IsHalf() && l.windowed(n.In[0]) && !l.isSplat(n) && n.Rank() <= 3 && n.Rank() >= 2 && split(n) > 0
	}
	no := func(n *ir.Node) {
		if swapsLast(n) {
			n = n.In[0]
		}
		l.grids[n.ID] = false
	}
	for _, n := range l.nodes {
		last := n.Rank() - 1
		for i, x := range n.In {
			// One column is another order of sums, for which rows are contiguous.
			product := n.Kind == ir.MatMul && i == 0 && n.Shape[last].Static() && n.Shape[last].C > 1
			if !product && !(swapsLast(n) && l.grids[x.ID]) {
				no(x)
			}
		}
	}
	for _, o := range l.outs {
		no(o)
	}
}

// windowed reports whether n is a view with windows among its views.
func (l *lowering) windowed(n *ir.Node) bool {
	for viewKind(n.Kind) {
		if n.Kind == ir.Windows {
			return true
		}
		n = n.In[0]
	}
	return false
}

// swapsLast reports whether n is In[0] with its last two axes exchanged.
func swapsLast(n *ir.Node) bool {
	r := n.Rank()
	if n.Kind != ir.Transpose || r < 2 || n.Axes[r-1] != r-2 {
		return false
	}
	for i, a := range n.Axes[:r-2] {
		if i != a {
			return false
		}
	}
	return true
}

// split is the number of the view's axes that are batch and rows of the reshaped n; the others are its columns.
// 0: the axes do not come apart so.
func split(n *ir.Node) int {
	v, r := n.In[0].Shape, n.Rank()
	lead := r - 2
	if len(v) < r || !v[:lead].Equal(n.Shape[:lead]) {
		return 0
	}
	for p := lead + 1; p < len(v); p++ {
		rows, ok := v[lead:p].Size()
		cols, ok2 := v[p:].Size()
		if ok && ok2 && rows == n.Shape[r-2] && cols == n.Shape[r-1] {
			return p
		}
	}
	return 0
}

// grid is the reshaped view that product n reads through strides, nil where it does not.
func (l *lowering) grid(n *ir.Node) *ir.Node {
	x := n.In[0]
	if l.grids[x.ID] {
		return x
	}
	if swapsLast(x) && l.grids[x.In[0].ID] && !l.force[x.ID] {
		return x.In[0]
	}
	return nil
}

func (b *binding) newGridProduct(n, view *ir.Node) unit {
	x, y := b.operand(view.In[0]), b.operand(n.In[1])
	rank, p := n.Rank(), split(view)
	lead := rank - 2
	rows, ok := kernels.MakeView(x.dims[lead:p], x.strides[lead:p])
	cols, ok2 := kernels.MakeView(x.dims[p:], x.strides[p:])
	if !ok || !ok2 {
		ir.Fail(n.Name(), "%v: a view of more than %d axes", view.In[0].Shape, kernels.MaxRank)
	}
	grid := &kernels.Grid{Rows: rows, Cols: cols}
	if view != n.In[0] {
		grid.Rows, grid.Cols = cols, rows
	}
	dims := n.Shape.At(b.batch)
	g := kernels.Gemm{
		Type: n.Type, Batch: product(dims[:lead]), M: dims[lead], N: dims[lead+1], K: y.dims[lead],
		AGrid: grid, Windows: windowsOf(n), BRow: y.strides[lead], BCol: y.strides[lead+1],
	}
	if lead > 0 {
		g.ABatch = x.strides[0]
	}
	g.BBatch, g.CRow, g.CBatch = g.K*g.N, g.N, g.M*g.N
	u := b.planned(n, g, x, y)
	if ps := b.p.low.placed[n]; len(ps) == 1 && g.Batch == 1 && u.plan.InPlace() && b.isa != nil {
		b.placeRows(u, g, ps[0])
	}
	return u
}

// placeRows has the product g be made where a Place has it, if all of that is pieces and whole rows of them lie side by side.
func (b *binding) placeRows(u *productUnit, g kernels.Gemm, at placed) {
	p := b.placeOf(at.at, at.piece)
	for k := range p.dims {
		if product(p.dims[k:]) != g.N {
			continue
		}
		rows, ok := kernels.MakeView(p.dims[:k], p.to[:k])
		cols, _ := kernels.MakeView(p.dims[k:], p.to[k:])
		if ok && cols.Contiguous() && b.covered(at.at) {
			g.CRows = &rows
			u.plan.Make(b.p.level, g)
			b.buffers[u.c].bytes = 0
			u.c, u.start = b.root(at.at), p.offset
			b.stored[at] = true
		}
		return
	}
}

// newFold lays windows over one another: a task makes slices of the first axis that is folded, each of what meets
// it, so that every sum is made by one task, in the order of the windows' elements.
func (b *binding) newFold(n *ir.Node) unit {
	x := b.operand(n.In[0])
	lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
	dims := n.Shape.At(b.batch)
	f := &folding{
		t: n.Type, size: n.Type.Size(), inner: product(dims[lo+k:]), add: b.p.level.Accumulate(kernels.Sum, n.Type),
		in: dims[lo : lo+k], outs: x.dims[lo : lo+k], wins: x.dims[lo+k : lo+2*k], stride: n.Step[:k], dilation: n.Step[k:],
	}
	f.window, f.slice, f.taps, f.run = product(f.wins), product(f.in[1:])*f.inner, 1, f.inner
	if k > 1 && f.dilation[k-1] == 1 {
		f.taps, f.run = f.wins[k-1], f.wins[k-1]*f.inner
	}
	outer, dst := product(dims[:lo]), b.root(n)
	return newLoop(outer*f.in[0], f.slice*(1+f.window/f.stride[0]), func(r *run, _ *worker, i0, i1 int) {
		for i := i0; i < i1; i++ {
			o, h := i/f.in[0], i%f.in[0]
			y := unsafe.Add(r.ptr[dst], i*f.slice*f.size)
			kernels.Fill(y, 0, f.size, f.slice)
			f.do(y, unsafe.Add(x.ptr(r), o*product(f.outs)*f.window*f.inner*f.size), h)
		}
	})
}

// folding is the sizes of a Fold: of the folded axes, of the windows, and of what lies behind both.
type folding struct {
	t                                dtype.Type
	size, inner, window, slice       int
	taps, run                        int // of a window that lie one behind the other, and their elements
	in, outs, wins, stride, dilation []int
	add                              kernels.Accumulate
}

// do adds to y, slice h of the first axis, what the windows x of one outer place have for it.
func (f *folding) do(y, x unsafe.Pointer, h int) {
	var at, place [kernels.MaxRank]int
	k := len(f.in)
	for w := 0; w < f.window; w += f.taps {
		from := h - at[0]*f.dilation[0]
		if o := from / f.stride[0]; from >= 0 && from%f.stride[0] == 0 && o < f.outs[0] {
			f.plane(y, x, w, o, at[1:k], place[1:k])
		}
		for a, more := k-1, f.taps; a >= 0; a, more = a-1, 1 {
			if at[a] += more; at[a] < f.wins[a] {
				break
			}
			at[a] = 0
		}
	}
}

// plane adds element w of the windows, at at, and those that lie behind it, of all windows whose first place is o.
func (f *folding) plane(y, x unsafe.Pointer, w, o int, at, place []int) {
	last := len(place) - 1 // -1: one window
	rows, cols := 1, 1
	for _, d := range f.outs[1:] {
		rows *= d
	}
	yStep := f.inner
	if last >= 0 {
		if cols = f.outs[last+1]; cols == 0 {
			return
		}
		rows, yStep = rows/cols, f.inner*f.stride[last+1]
	}
	clear(place)
	for row := range rows {
		to := 0
		for a := range place {
			to = to*f.in[a+1] + place[a]*f.stride[a+1] + at[a]*f.dilation[a+1]
		}
		from := (o*rows+row)*cols*f.window + w
		f.line(unsafe.Add(y, to*f.inner*f.size), yStep, unsafe.Add(x, from*f.inner*f.size), f.window*f.inner, cols)
		for a := last - 1; a >= 0; a-- {
			if place[a]++; place[a] < f.outs[a+1] {
				break
			}
			place[a] = 0
		}
	}
}

// line adds n runs, yStep and xStep elements apart, the last one first: where they overlap, that is the order of the
// windows' elements.
func (f *folding) line(y unsafe.Pointer, yStep int, x unsafe.Pointer, xStep, n int) {
	switch {
	case f.run >= 16:
		for i := n - 1; i >= 0; i-- {
			f.add(unsafe.Add(y, i*yStep*f.size), unsafe.Add(x, i*xStep*f.size), f.run)
		}
	case f.t == dtype.F32:
		foldLine[float32](y, yStep, x, xStep, n, f.run)
	default:
		foldLine[float64](y, yStep, x, xStep, n, f.run)
	}
}

func foldLine[T float32 | float64](y unsafe.Pointer, yStep int, x unsafe.Pointer, xStep, n, inner int) {
	size := int(unsafe.Sizeof(T(0)))
	for i := n - 1; i >= 0; i-- {
		to, from := unsafe.Slice((*T)(unsafe.Add(y, i*yStep*size)), inner), unsafe.Slice((*T)(unsafe.Add(x, i*xStep*size)), inner)
		for j, v := range from {
			to[j] += v
		}
	}
}
