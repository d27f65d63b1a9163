package runtime

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// nodeUnits makes the units of the kinds that are steps of their own. Their operands are contiguous, but for a Place's.
var nodeUnits = map[ir.Kind]func(b *binding, n *ir.Node) unit{
	ir.MatMul:   (*binding).newProduct,
	ir.Call:     (*binding).newCall,
	ir.Hosted:   (*binding).newHost,
	ir.Iota:     (*binding).newIota,
	ir.Place:    (*binding).newPlace,
	ir.Fold:     (*binding).newFold,
	ir.Take:     (*binding).newTake,
	ir.Scatter:  (*binding).newScatter,
	ir.Cumulate: (*binding).newCumulate,
	ir.Reduce:   (*binding).newArgReduce,
}

// moveElems is the size of a task that moves elements.
const moveElems = 1 << 14

// placeElems is the size of a task that makes whole rows: they stay in the first cache until they are complete.
const placeElems = 1 << 12

// loop is a unit of one phase: n things, grain to a task.
type loop struct {
	n, grain int
	body     func(r *run, w *worker, i0, i1 int)
}

func (u *loop) phases() int         { return 1 }
func (u *loop) tasks(phase int) int { return ceil(u.n, u.grain) }
func (u *loop) do(r *run, phase, worker, task int) {
	u.body(r, &r.workers[worker], task*u.grain, min((task+1)*u.grain, u.n))
}

// newLoop makes tasks of about moveElems elements out of things of size elems.
func newLoop(n, elems int, body func(r *run, w *worker, i0, i1 int)) *loop {
	return &loop{n, max(1, moveElems/max(1, elems)), body}
}

// indexCheck looks whether all indices of a Take or Scatter are in range, before anything is written.
type indexCheck struct {
	n    *ir.Node
	idx  operand
	size int
	max  kernels.FoldRows // of the indices
	min  kernels.FoldRows
}

func (b *binding) newCheck(n *ir.Node) *indexCheck {
	l, t := b.p.level, indices(n).Type
	b.scratch = max(b.scratch, 16)
	return &indexCheck{n, b.operand(indices(n)), indexed(n).At(b.batch), l.FoldRows(kernels.Max, t), l.FoldRows(kernels.Min, t)}
}

// manyIndices is a number of indices that are looked at by the level's kernels.
const manyIndices = 1 << 10

// inRange reports whether the first n indices are in 0 … size-1. room is for two.
func (u *indexCheck) inRange(idx indexArray, n int, room unsafe.Pointer) bool {
	ends, at := indexArray{room, idx.wide}, 0
	for ; n-at >= manyIndices; at += manyIndices {
		p := unsafe.Add(idx.p, at*idx.bytes())
		u.min(room, p, 1, manyIndices)
		u.max(unsafe.Add(room, idx.bytes()), p, 1, manyIndices)
		if ends.at(0) < 0 || ends.at(1) >= u.size {
			return false
		}
	}
	if at == n { // what lies behind is not theirs
		return true
	}
	idx.p = unsafe.Add(idx.p, at*idx.bytes())
	return idx.within(n-at, u.size)
}

// indexed is the size of the axis that a Take or Scatter has indices of.
func indexed(n *ir.Node) ir.Dim {
	if n.Kind == ir.Take {
		return n.In[0].Shape[n.Axes[0]]
	}
	return n.Shape[n.Axes[0]]
}

// knownIndices reports whether a Take or Scatter has indices that are in range for every batch: constants, or an order of rows of
// as many elements.
func knownIndices(n *ir.Node) bool {
	idx, d := indices(n), indexed(n)
	for viewKind(idx.Kind) {
		idx = idx.In[0]
	}
	if idx.Kind == ir.Call && (idx.Call == ir.ArgSort || idx.Call == ir.Shuffle) {
		s := idx.In[0].Shape
		return s[len(s)-1] == d
	}
	if idx != indices(n) || idx.Kind != ir.Data || !d.Static() {
		return false
	}
	a := indexArray{unsafe.Pointer(unsafe.SliceData(idx.Data.Bytes)), idx.Type == dtype.I64}
	return a.within(idx.Shape.SizeAt(1), d.C)
}

func (u *indexCheck) phases() int         { return 1 }
func (u *indexCheck) tasks(phase int) int { return 1 }
func (u *indexCheck) do(r *run, phase, worker, task int) {
	idx, n := u.idx.indices(r), product(u.idx.dims)
	if u.inRange(idx, n, r.workers[worker].scratch) {
		return
	}
	for i := range n {
		if k := idx.at(i); k < 0 || k >= u.size {
			name := "Take"
			if u.n.Kind == ir.Scatter {
				name = "ScatterAdd"
			}
			r.fail(&ir.Error{Op: name, Msg: fmt.Sprintf("index %d is not in 0 … %d", k, u.size-1), Pos: u.n.Pos})
			return
		}
	}
}

// indexArray reads indices of either type.
type indexArray struct {
	p    unsafe.Pointer
	wide bool
}

// from is a from number i on.
func (a indexArray) from(i int) indexArray { return indexArray{unsafe.Add(a.p, i*a.bytes()), a.wide} }

func (o *operand) indices(r *run) indexArray {
	return indexArray{unsafe.Add(r.ptr[o.buffer], o.offset), o.t == dtype.I64}
}

// within reports whether the first n indices are in 0 … size-1: none has its sign bit set, nor has size-1 less it.
func (a indexArray) within(n, size int) bool {
	if n == 0 || size == 0 {
		return n == 0
	}
	if a.wide {
		bad, last := uint64(0), uint64(size-1)
		for _, k := range unsafe.Slice((*uint64)(a.p), n) {
			bad |= k | (last - k)
		}
		return bad>>63 == 0
	}
	last := uint32(min(size-1, math.MaxInt32))
	bad, both := uint64(0), uint64(last)<<32|uint64(last)
	if n > 1 { // two at a time: one borrows from the other only if it is bad itself
		for _, k := range unsafe.Slice((*uint64)(a.p), n/2) {
			bad |= k | (both - k)
		}
	}
	for _, k := range unsafe.Slice((*uint32)(a.p), n)[n&^1:] {
		bad |= uint64(k|(last-k)) << 32
	}
	return bad&(1<<63|1<<31) == 0
}

// bytes is the size of an index.
func (a indexArray) bytes() int {
	if a.wide {
		return 8
	}
	return 4
}

func (a indexArray) at(i int) int {
	if a.wide {
		return int(*(*int64)(unsafe.Add(a.p, i*8)))
	}
	return int(*(*int32)(unsafe.Add(a.p, i*4)))
}

func (o *operand) ptr(r *run) unsafe.Pointer { return unsafe.Add(r.ptr[o.buffer], o.offset) }

// counts fill n elements with i, i+1, ….
var counts = [dtype.Count]func(dst unsafe.Pointer, n, i int){
	dtype.F32: count[float32],
	dtype.F64: count[float64],
	dtype.I32: count[int32],
	dtype.I64: count[int64],
}

func count[T float32 | float64 | int32 | int64](dst unsafe.Pointer, n, i int) {
	y := unsafe.Slice((*T)(dst), n)
	for j := range y {
		y[j] = T(i + j)
	}
}

// exactSingles is the number up to which all integers are float32s.
const exactSingles = 1 << 24

// newIota counts along a line: all other axes are 1. A tile is the one before it plus its length, where that is exact.
func (b *binding) newIota(n *ir.Node) unit {
	size, count, dst, all := n.Type.Size(), counts[n.Type], b.root(n), product(n.Shape.At(b.batch))
	tile, add := tileBytes/size, b.p.level.Tile(ops.Add, n.Type)
	step := b.splat(n.Type, ir.FloatBits(n.Type, float64(tile)))
	exact := n.Type != dtype.F32 || all <= exactSingles
	return newLoop(all, 1, func(r *run, _ *worker, i0, i1 int) {
		y, end := unsafe.Add(r.ptr[dst], i0*size), i1-i0
		at := min(end, tile)
		for count(y, at, i0); exact && at+tile <= end; at += tile {
			p := unsafe.Add(y, at*size)
			add(p, unsafe.Add(p, -tileBytes), step, step, tile)
		}
		if at < end {
			count(unsafe.Add(y, at*size), end-at, i0+at)
		}
	})
}

// placeUnit fills an array and puts pieces into it: a phase for the first, one for each piece. Where every piece
// has something of every row, rows are filled one after the other instead, so that an array of many thin pieces
// goes through memory once.
type placeUnit struct {
	dst, elems, size int
	rows             int // 0: by pieces
	bits             uint64
	filled           bool // the pieces leave nothing to fill
	streamed         bool // rows go past the caches
	add              kernels.Tile
	pieces           []piece
}

type piece struct {
	operand                 // or a splat
	from, view kernels.View // where its elements lie, and where they go
	to         []int        // the strides of that
	offset     int          // of the view in the array, bytes
	elems      int
	run        int // elements that lie side by side in both, 0 where those are few
}

func (b *binding) newPlace(n *ir.Node) unit {
	u := &placeUnit{dst: b.root(n), elems: n.Shape.SizeAt(b.batch), size: n.Type.Size(), bits: n.Bits}
	if n.Flag {
		u.add = b.p.level.Tile(ops.Add, n.Type)
	}
	if len(n.In) == 1 && !n.Flag && !b.stored[placed{n, 0}] {
		if pad := b.newPad(n); pad != nil {
			return pad
		}
	}
	if !n.Flag {
		if woven := b.newWoven(n); woven != nil {
			return woven
		}
	}
	b.scratch = max(b.scratch, max(2*tileBytes, placeElems*u.size))
	if n.Rank() > 1 && len(n.In) > 1 && u.elems > 0 {
		u.rows = n.Shape[0].At(b.batch)
	}
	for i := range n.In {
		p := b.placeOf(n, i)
		if u.rows > 0 && p.dims[0] != u.rows {
			u.rows = 0
		}
		if p.elems > 0 && !b.stored[placed{n, i}] {
			u.pieces = append(u.pieces, p)
		}
	}
	u.filled = b.covered(n)
	if u.streamed = u.rows > 0 && b.streamed(n); u.streamed {
		b.scratch = max(b.scratch, (placeElems+u.block()*u.elems/u.rows)*u.size)
	}
	return u
}

// padBytes is the least of a row that is padded for itself. Only tests change it.
var padBytes = 256

// padUnit is a Place of one piece whose elements are side by side from the last padded axis on: rows of that axis are written once, with what
// is before and behind the piece.
type padUnit struct {
	*loop
	operand
	dst                  int
	to, start            []int // the array's dimensions before the last padded axis, and where the piece begins
	size                 int
	bits                 uint64
	width, before, piece int // elements of a row, of which piece come after the first ones
}

// newPad is the unit of such a Place, nil for another.
func (b *binding) newPad(n *ir.Node) *padUnit {
	x, dims := b.operand(n.In[0]), n.Shape.At(b.batch)
	if x.isSplat || x.index != nil || product(x.dims) == 0 {
		return nil
	}
	start, last, side := make([]int, len(dims)), -1, true
	for a := range dims {
		start[a] = n.Start[a].At(b.batch)
		if x.dims[a] != dims[a] {
			last = a
		}
		if n.Step[a] != 1 && x.dims[a] > 1 {
			return nil
		}
	}
	if last < 0 {
		return nil
	}
	inner := product(dims[last+1:])
	for a, s := range contiguous(x.dims) {
		side = side && (a < last || x.dims[a] == 1 || x.strides[a] == s)
	}
	u := &padUnit{operand: x, dst: b.root(n), to: dims[:last], start: start, size: n.Type.Size(), bits: n.Bits,
		width: dims[last] * inner, before: start[last] * inner, piece: x.dims[last] * inner}
	if !side || u.rowBytes() < padBytes {
		return nil
	}
	u.loop = newLoop(product(u.to), u.width, func(r *run, _ *worker, i0, i1 int) {
		u.rows(r, unsafe.Add(r.ptr[u.dst], i0*u.rowBytes()), i0, i1)
	})
	return u
}

func (u *padUnit) rowBytes() int { return u.width * u.size }

// rows writes rows i0 … i1-1 to dst.
func (u *padUnit) rows(r *run, dst unsafe.Pointer, i0, i1 int) {
	from := u.ptr(r)
	for i := i0; i < i1; i++ {
		row, at, inside := unsafe.Add(dst, (i-i0)*u.rowBytes()), 0, true
		for a, rest := len(u.to)-1, i; a >= 0; a-- {
			j := rest%u.to[a] - u.start[a]
			rest /= u.to[a]
			inside = inside && 0 <= j && j < u.dims[a]
			at += j * u.strides[a]
		}
		if !inside {
			kernels.Fill(row, u.bits, u.size, u.width)
			continue
		}
		kernels.Fill(row, u.bits, u.size, u.before)
		move(unsafe.Add(row, u.before*u.size), unsafe.Add(from, at*u.size), u.piece*u.size)
		if end := u.before + u.piece; end < u.width {
			kernels.Fill(unsafe.Add(row, end*u.size), u.bits, u.size, u.width-end)
		}
	}
}

// covered reports whether the pieces of the Place n leave nothing to fill.
func (b *binding) covered(n *ir.Node) bool {
	left := n.Shape.SizeAt(b.batch)
	for _, x := range n.In {
		left -= x.Shape.SizeAt(b.batch)
	}
	return !n.Flag && left == 0
}

// placeOf is piece i of the Place n.
func (b *binding) placeOf(n *ir.Node, i int) piece {
	p, rank, strides := piece{operand: b.operand(n.In[i])}, n.Rank(), contiguous(n.Shape.At(b.batch))
	p.elems = product(p.dims)
	p.to = make([]int, rank)
	for a := range p.to {
		p.offset += n.Start[i*rank+a].At(b.batch) * strides[a] * n.Type.Size()
		p.to[a] = strides[a] * n.Step[i*rank+a]
	}
	if p.isSplat {
		p.strides = make([]int, len(p.dims))
	}
	var ok, readable bool
	p.view, ok = kernels.MakeView(p.dims, p.to)
	if p.from, readable = kernels.MakeView(p.dims, p.strides); !ok || !readable {
		ir.Fail(n.Name(), "%v: a view of more than %d axes", n.Shape, kernels.MaxRank)
	}
	if v, w := &p.from, &p.view; p.elems > 0 && v.Rank > 0 && w.Rank > 0 && v.Stride[v.Rank-1] == 1 && w.Stride[w.Rank-1] == 1 {
		n, m := v.Dim[v.Rank-1], w.Dim[w.Rank-1]
		if p.run = min(n, m); max(n, m)%p.run > 0 || p.run*p.t.Size() < lineBytes {
			p.run = 0
		}
	}
	return p
}

// small: all phases in one task.
func (u *placeUnit) small() bool { return u.elems <= moveElems }

func (u *placeUnit) phases() int {
	switch {
	case u.elems == 0 || u.filled && len(u.pieces) == 0:
		return 0
	case u.small():
		return 1
	case u.rows > 0:
		return 1
	}
	return 1 + len(u.pieces)
}

// block is the rows of a task.
func (u *placeUnit) block() int { return max(1, placeElems*u.rows/u.elems) }

func (u *placeUnit) tasks(phase int) int {
	switch {
	case u.small():
		return 1
	case u.rows > 0:
		return ceil(u.rows, u.block())
	case phase == 0 && u.filled:
		return 0
	case phase == 0:
		return ceil(u.elems, moveElems)
	}
	return ceil(u.pieces[phase-1].elems, moveElems)
}

func (u *placeUnit) do(r *run, phase, worker, task int) {
	if u.small() {
		if !u.filled {
			kernels.Fill(r.ptr[u.dst], u.bits, u.size, u.elems)
		}
		for i := range u.pieces {
			u.put(r, &r.workers[worker], i, 0, u.pieces[i].elems, r.ptr[u.dst], 0)
		}
		return
	}
	if u.rows > 0 {
		row := task * u.block()
		n, wide := min(u.block(), u.rows-row), u.elems/u.rows
		rows := unsafe.Add(r.ptr[u.dst], row*wide*u.size)
		to := rows
		if u.streamed {
			to = unsafe.Add(r.workers[worker].scratch, placeElems*u.size)
		}
		if !u.filled {
			kernels.Fill(to, u.bits, u.size, n*wide)
		}
		for i := range u.pieces {
			wide := u.pieces[i].elems / u.rows
			u.put(r, &r.workers[worker], i, row*wide, n*wide, to, 0)
		}
		if u.streamed {
			kernels.Stream(rows, to, n*wide*u.size)
			kernels.StreamEnd()
		}
		return
	}
	start := task * moveElems
	if phase == 0 {
		kernels.Fill(unsafe.Add(r.ptr[u.dst], start*u.size), u.bits, u.size, min(moveElems, u.elems-start))
		return
	}
	u.put(r, &r.workers[worker], phase-1, start, min(moveElems, u.pieces[phase-1].elems-start), r.ptr[u.dst], start)
}

// put stores or adds n elements of piece i, from number start on: as if they were those from number to on, in the
// array at dst.
func (u *placeUnit) put(r *run, w *worker, i, start, n int, dst unsafe.Pointer, to int) {
	p := &u.pieces[i]
	dst, x := unsafe.Add(dst, p.offset), w.scratch
	src := unsafe.Pointer(&p.bits) // the low bytes come first
	if !p.isSplat {
		src = p.ptr(r)
		if u.add == nil && p.from.Contiguous() {
			p.view.Store(dst, unsafe.Add(src, start*u.size), u.size, to, n)
			return
		}
		if u.add == nil && p.view.Contiguous() {
			p.from.Load(unsafe.Add(dst, to*u.size), src, u.size, start, n)
			return
		}
		if u.add == nil && p.run > 0 {
			for k := 0; n > 0; start, to, n = start+k, to+k, n-k {
				k = min(n, p.run-start%p.run)
				move(unsafe.Add(dst, p.view.At(to)*u.size), unsafe.Add(src, p.from.At(start)*u.size), k*u.size)
			}
			return
		}
	}
	most := placeElems
	if u.add != nil {
		most = tileBytes / u.size
	}
	for end := start + n; start < end; start, to = start+n, to+n {
		n = min(end-start, most)
		p.from.Load(x, src, u.size, start, n)
		if u.add != nil {
			acc := unsafe.Add(x, tileBytes)
			p.view.Load(acc, dst, u.size, to, n)
			u.add(x, acc, x, x, roundUp(n))
		}
		p.view.Store(dst, x, u.size, to, n)
	}
}

func (b *binding) newTake(n *ir.Node) unit {
	x, idx := b.operand(n.In[0]), b.operand(n.In[1])
	outer, d, inner := around(x.dims, n.Axes[0], n.Axes[0]+1)
	ids := n.Indices(product(idx.dims), outer, inner)
	count, bytes, dst := ids.Count, inner*n.Type.Size(), b.root(n)
	short := shortRows[bytes]
	return newLoop(outer*count, inner, func(r *run, _ *worker, i0, i1 int) {
		to, from, at := r.ptr[dst], x.ptr(r), idx.indices(r)
		if bytes == 0 {
			return
		}
		for i0 < i1 { // the indices from j on, of one of outer
			o, j := i0/count, i0%count
			n := min(i1-i0, count-j)
			y, x := unsafe.Add(to, i0*bytes), unsafe.Add(from, o*d*bytes)
			j = ids.At(o, j, 0)
			switch {
			case ids.Behind > 0 && inner > 1:
				takeColumns(bytes/inner, y, x, at.from(j), n, inner)
			case bytes == 4:
				takeElems[uint32](y, x, at, j, n, 4)
			case bytes == 8:
				takeElems[uint64](y, x, at, j, n, 8)
			case short != nil:
				short(y, x, at.from(j), n)
			default:
				for i := range n {
					move(unsafe.Add(y, i*bytes), unsafe.Add(x, at.at(j+i)*bytes), bytes)
				}
			}
			i0 += n
		}
	})
}

// takeColumns is y[j][i] = x[at[j][i]][i], j < rows, i < inner, of elements of size bytes.
func takeColumns(size int, y, x unsafe.Pointer, at indexArray, rows, inner int) {
	switch size {
	case 1:
		takeColumnsElems[uint8](y, x, at, rows, inner)
	case 2:
		takeColumnsElems[uint16](y, x, at, rows, inner)
	case 4:
		takeColumnsElems[uint32](y, x, at, rows, inner)
	default:
		takeColumnsElems[uint64](y, x, at, rows, inner)
	}
}

func takeColumnsElems[T uint8 | uint16 | uint32 | uint64](y, x unsafe.Pointer, at indexArray, rows, inner int) {
	if at.wide {
		takeColumnsBy[T, int64](y, x, at.p, rows, inner)
	} else {
		takeColumnsBy[T, int32](y, x, at.p, rows, inner)
	}
}

func takeColumnsBy[T uint8 | uint16 | uint32 | uint64, I int32 | int64](y, x, at unsafe.Pointer, rows, inner int) {
	size, bytes := int(unsafe.Sizeof(T(0))), int(unsafe.Sizeof(I(0)))
	stride := inner * size
	for j := range rows {
		to, ids, i := unsafe.Add(y, j*stride), unsafe.Add(at, j*inner*bytes), 0
		for ; i+4 <= inner; i += 4 {
			d, k, v := (*[4]T)(unsafe.Add(to, i*size)), (*[4]I)(unsafe.Add(ids, i*bytes)), i*size
			v0, v1 := *(*T)(unsafe.Add(x, int(k[0])*stride+v)), *(*T)(unsafe.Add(x, int(k[1])*stride+v+size))
			v2, v3 := *(*T)(unsafe.Add(x, int(k[2])*stride+v+2*size)), *(*T)(unsafe.Add(x, int(k[3])*stride+v+3*size))
			d[0], d[1], d[2], d[3] = v0, v1, v2, v3
		}
		for ; i < inner; i++ {
			*(*T)(unsafe.Add(to, i*size)) = *(*T)(unsafe.Add(x, int(*(*I)(unsafe.Add(ids, i*bytes)))*stride+i*size))
		}
	}
}

// takeElems is y[i] = x[at[j+i]], i < n, for an x whose elements are step bytes apart.
func takeElems[T uint32 | uint64](y, x unsafe.Pointer, at indexArray, j, n, step int) {
	if at.wide {
		takeBy[T](y, x, unsafe.Slice((*int64)(unsafe.Add(at.p, j*8)), n), step)
	} else {
		takeBy[T](y, x, unsafe.Slice((*int32)(unsafe.Add(at.p, j*4)), n), step)
	}
}

func takeBy[T uint8 | uint16 | uint32 | uint64, I int32 | int64](y, x unsafe.Pointer, at []I, step int) {
	if size := int(unsafe.Sizeof(T(0))); step == size { // four at a time, by addresses that scale: half of the time
		for ; len(at) >= 4; at = at[4:] {
			a := (*[4]I)(at)
			v0, v1 := *(*T)(unsafe.Add(x, int(a[0])*size)), *(*T)(unsafe.Add(x, int(a[1])*size))
			v2, v3 := *(*T)(unsafe.Add(x, int(a[2])*size)), *(*T)(unsafe.Add(x, int(a[3])*size))
			d := (*[4]T)(y)
			d[0], d[1], d[2], d[3] = v0, v1, v2, v3
			if len(at) == 4 {
				return
			}
			y = unsafe.Add(y, 4*size)
		}
	}
	dst := unsafe.Slice((*T)(y), len(at))
	for i, k := range at {
		dst[i] = *(*T)(unsafe.Add(x, int(k)*step))
	}
}

// shortRows are takes of rows of so many bytes, which go through registers: the call of a copy takes longer than they do.
var shortRows = map[int]func(y, x unsafe.Pointer, at indexArray, n int){
	12: takeShort[uint64, uint32], 16: takeShort[words2, struct{}], 20: takeShort[words2, uint32], 24: takeShort[words3, struct{}], 28: takeShort[words3, uint32],
	32: takeShort[words4, struct{}], 40: takeShort[words3, words2], 48: takeShort[words3, words3], 56: takeShort[words4, words3], 64: takeShort[words4, words4],
}

type (
	words2 struct{ A, B uint64 }
	words3 struct{ A, B, C uint64 }
	words4 struct{ A, B, C, D uint64 }
)

// takeShort takes n rows that are a T and a U. Arrays would not do: the compiler copies them by a call.
func takeShort[T, U any](y, x unsafe.Pointer, at indexArray, n int) {
	if at.wide {
		takeShortBy[T, U](y, x, unsafe.Slice((*int64)(at.p), n))
	} else {
		takeShortBy[T, U](y, x, unsafe.Slice((*int32)(at.p), n))
	}
}

func takeShortBy[T, U any, I int32 | int64](y, x unsafe.Pointer, at []I) {
	part, rest := int(unsafe.Sizeof(*new(T))), int(unsafe.Sizeof(*new(U)))
	bytes := part + rest
	for i, k := range at {
		to, from := unsafe.Add(y, i*bytes), unsafe.Add(x, int(k)*bytes)
		*(*T)(to) = *(*T)(from)
		if rest > 0 { // else there is no place for it
			*(*U)(unsafe.Add(to, part)) = *(*U)(unsafe.Add(from, part))
		}
	}
}

// scatterUnit is a Scatter: single elements and short rows are added one index after the other, longer rows by where they go.
type scatterUnit struct {
	loops       []*loop // phases
	x, idx, upd operand // x is none where zeros are added to
	based       bool
	dst         int
}

func (u *scatterUnit) phases() int                        { return len(u.loops) }
func (u *scatterUnit) tasks(phase int) int                { return u.loops[phase].tasks(0) }
func (u *scatterUnit) do(r *run, phase, worker, task int) { u.loops[phase].do(r, 0, worker, task) }

// inPlace reports whether from is what is added to: an element of it is read when the result's is written, or stays.
func (u *scatterUnit) inPlace(from, to int) bool {
	return u.based && to == u.dst && u.x.buffer == from && u.x.offset == 0 && u.idx.buffer != from && u.upd.buffer != from
}

// cachedMove is the most bytes that are copied at once where they are read soon: Go moves megabytes past the caches.
const cachedMove = 1 << 18

// start gives the bytes from at on of the result what is added to, and shows them.
func (u *scatterUnit) start(r *run, at, bytes int) unsafe.Pointer {
	y := unsafe.Add(r.ptr[u.dst], at)
	if !u.based {
		clear(unsafe.Slice((*byte)(y), bytes))
	} else if x := unsafe.Add(u.x.ptr(r), at); x != y {
		for i := 0; i < bytes; i += cachedMove {
			move(unsafe.Add(y, i), unsafe.Add(x, i), min(cachedMove, bytes-i))
		}
	}
	return y
}

func (b *binding) newScatter(n *ir.Node) unit {
	u := &scatterUnit{idx: b.operand(n.In[0]), upd: b.operand(n.In[1]), dst: b.root(n)}
	if len(n.In) > 2 {
		u.x, u.based = b.operand(n.In[2]), true
	}
	outer, d, inner := around(n.Shape.At(b.batch), n.Axes[0], n.Axes[0]+1)
	ids := n.Indices(product(u.idx.dims), outer, inner)
	count, row, add := ids.Count, inner*n.Type.Size(), b.p.level.AccumulateRows(kernels.Sum, n.Type)
	switch {
	case outer*d*inner == 0:
	case ids.Behind > 0 && inner > 1:
		u.loops = b.scatterColumns(u, n)
	case row >= leastRow && max(count, d) < math.MaxInt32:
		u.loops = b.scatterRows(u, n, add)
	default:
		u.loops = []*loop{newLoop(outer, (count+d)*inner, func(r *run, _ *worker, i0, i1 int) {
			for o := i0; o < i1; o++ {
				y, at := u.start(r, o*d*row, d*row), u.idx.indices(r).from(o*ids.Before)
				if count == 0 {
					continue
				}
				x := unsafe.Add(u.upd.ptr(r), o*count*row)
				if inner == 1 {
					scatterAdd(n.Type, y, x, at, count)
					continue
				}
				for j := range count {
					add(unsafe.Add(y, at.at(j)*row), unsafe.Add(x, j*row), 1, inner)
				}
			}
		})}
	}
	return u
}

// columnBytes is how much of a row is summed together where each column has indices of its own, less where as much of all rows does not
// fit columnRoom, of the second cache.
const columnBytes, columnRoom = 512, 1 << 19

// scatterColumns adds elements to columns, each at its own indices: blocks of some columns, whose rows are packed in a worker's room if
// they fit, because where they belong they lie far apart, at worst so that few stay in the cache.
func (b *binding) scatterColumns(u *scatterUnit, n *ir.Node) []*loop {
	outer, d, inner := around(n.Shape.At(b.batch), n.Axes[0], n.Axes[0]+1)
	count, size := u.idx.dims[n.Axes[0]], n.Type.Size()
	most := columnBytes / size
	for most*size > 64 && most*size*d > columnRoom {
		most /= 2
	}
	most = min(most, inner)
	packed := most*size*d <= columnRoom
	if packed {
		b.scratch = max(b.scratch, most*size*d)
	}
	blocks, stride := ceil(inner, most), inner*size
	return []*loop{newLoop(outer*blocks, (count+d)*most, func(r *run, w *worker, i0, i1 int) {
		for i := i0; i < i1; i++ {
			o, lo := i/blocks, i%blocks*most
			wide := min(most, inner-lo)
			rows := func(to unsafe.Pointer, step int, from unsafe.Pointer, stride int) {
				for k := range d {
					move(unsafe.Add(to, k*step), unsafe.Add(from, k*stride), wide*size)
				}
			}
			at := (o*d*inner + lo) * size
			y := unsafe.Add(r.ptr[u.dst], at)
			sums, step := y, stride
			if packed {
				sums, step = w.scratch, wide*size
			}
			if !u.based {
				for k := range d {
					clear(unsafe.Slice((*byte)(unsafe.Add(sums, k*step)), wide*size))
				}
			} else if x := unsafe.Add(u.x.ptr(r), at); x != sums {
				rows(sums, step, x, stride)
			}
			if count > 0 {
				at = o*count*inner + lo
				addColumns[n.Type](sums, unsafe.Add(u.upd.ptr(r), at*size), u.idx.indices(r).from(at), count, wide, inner, step)
			}
			if packed {
				rows(y, stride, sums, step)
			}
		}
	})}
}

// addColumns are y[at[j][i]][i] += x[j][i], j < count in order, i < wide, where rows of at and x are inner elements apart, of y stride bytes.
var addColumns = [dtype.Count]func(y, x unsafe.Pointer, at indexArray, count, wide, inner, stride int){
	dtype.F32: addColumnsElems[float32],
	dtype.F64: addColumnsElems[float64],
	dtype.I32: addColumnsElems[int32],
	dtype.I64: addColumnsElems[int64],
}

func addColumnsElems[T float32 | float64 | int32 | int64](y, x unsafe.Pointer, at indexArray, count, wide, inner, stride int) {
	if at.wide {
		addColumnsBy[T, int64](y, x, at.p, count, wide, inner, stride)
	} else {
		addColumnsBy[T, int32](y, x, at.p, count, wide, inner, stride)
	}
}

func addColumnsBy[T float32 | float64 | int32 | int64, I int32 | int64](y, x, at unsafe.Pointer, count, wide, inner, stride int) {
	size, bytes := int(unsafe.Sizeof(T(0))), int(unsafe.Sizeof(I(0)))
	for j := range count {
		from, ids := unsafe.Add(x, j*inner*size), unsafe.Add(at, j*inner*bytes)
		for i := range wide {
			*(*T)(unsafe.Add(y, int(*(*I)(unsafe.Add(ids, i*bytes)))*stride+i*size)) += *(*T)(unsafe.Add(from, i*size))
		}
	}
}

// scatterBytes is how much of a row is made at a time.
const scatterBytes = 1 << 14

// scatterRows lists for each place which indices are it, in order, then makes each row of the result of those that go there, while it is
// in the first cache.
func (b *binding) scatterRows(u *scatterUnit, n *ir.Node, add kernels.AccumulateRows) []*loop {
	outer, d, inner := around(n.Shape.At(b.batch), n.Axes[0], n.Axes[0]+1)
	ids := n.Indices(product(u.idx.dims), outer, inner)
	count, lists := ids.Count, 1
	if ids.Before > 0 {
		lists = outer
	}
	room := d + 1 + count // int32s
	buffer := b.temporary(lists * room * 4)
	list := func(r *run, i int) (starts, order []int32) {
		all := unsafe.Slice((*int32)(unsafe.Add(r.ptr[buffer], i*room*4)), room)
		return all[:d+1], all[d+1:]
	}
	size := n.Type.Size()
	block := min(inner, scatterBytes/size)
	blocks := ceil(inner, block)
	return []*loop{
		newLoop(lists, d+count, func(r *run, _ *worker, i0, i1 int) {
			for i := i0; i < i1; i++ {
				starts, order := list(r, i)
				if at := u.idx.indices(r).from(i * ids.Before); at.wide {
					placesOf(starts, order, unsafe.Slice((*int64)(at.p), count))
				} else {
					placesOf(starts, order, unsafe.Slice((*int32)(at.p), count))
				}
			}
		}),
		newLoop(outer*blocks*d, ceil(count+d, d)*block, func(r *run, _ *worker, i0, i1 int) {
			for i0 < i1 { // rows k, … of one of outer, the same part of each
				k, lo, o := i0%d, i0/d%blocks*block, i0/d/blocks
				starts, order := list(r, min(o, lists-1))
				width, end := min(block, inner-lo), k+min(i1-i0, d-k)
				i0 += end - k
				for ; k < end; k++ {
					y := u.start(r, ((o*d+k)*inner+lo)*size, width*size)
					for _, j := range order[starts[k]:starts[k+1]] {
						add(y, unsafe.Add(u.upd.ptr(r), ((o*count+int(j))*inner+lo)*size), 1, width)
					}
				}
			}
		}),
	}
}

// placesOf lists, ascending, where at is k in order[starts[k]:starts[k+1]].
func placesOf[I int32 | int64](starts, order []int32, at []I) {
	clear(starts)
	ends := starts[1:]
	for _, k := range at {
		ends[k]++
	}
	sum := int32(0)
	for k, n := range ends { // where those of k begin: the next one's place, when all are listed
		ends[k] = sum
		sum += n
	}
	for j, k := range at {
		order[ends[k]] = int32(j)
		ends[k]++
	}
}

// scatterAdd is y[at[i]] += x[i], i < n.
func scatterAdd(t dtype.Type, y, x unsafe.Pointer, at indexArray, n int) {
	switch t {
	case dtype.F32:
		scatterAddElems[float32](y, x, at, n)
	case dtype.F64:
		scatterAddElems[float64](y, x, at, n)
	case dtype.I32:
		scatterAddElems[int32](y, x, at, n)
	default:
		scatterAddElems[int64](y, x, at, n)
	}
}

func scatterAddElems[T float32 | float64 | int32 | int64](y, x unsafe.Pointer, at indexArray, n int) {
	if at.wide {
		scatterAddBy[T](y, unsafe.Slice((*T)(x), n), unsafe.Slice((*int64)(at.p), n))
	} else {
		scatterAddBy[T](y, unsafe.Slice((*T)(x), n), unsafe.Slice((*int32)(at.p), n))
	}
}

func scatterAddBy[T float32 | float64 | int32 | int64, I int32 | int64](y unsafe.Pointer, x []T, at []I) {
	if mostlyRuns(at) {
		scatterAddRuns(y, x, at)
		return
	}
	for i, k := range at {
		*(*T)(unsafe.Add(y, int(k)*int(unsafe.Sizeof(T(0))))) += x[i]
	}
}

// mostlyRuns reports whether most of some indices are as the ones before them: a sum of those need not wait for what it stored.
func mostlyRuns[I int32 | int64](at []I) bool {
	const probes = 64
	same := 0
	for i := range min(probes, len(at)-1) {
		if k := i*(len(at)-1)/probes + 1; at[k] == at[k-1] {
			same++
		}
	}
	return same > probes/2
}

func scatterAddRuns[T float32 | float64 | int32 | int64, I int32 | int64](y unsafe.Pointer, x []T, at []I) {
	place := func(k I) *T { return (*T)(unsafe.Add(y, int(k)*int(unsafe.Sizeof(T(0))))) }
	last := at[0]
	sum := *place(last)
	for i, k := range at {
		if k != last {
			*place(last) = sum
			last, sum = k, *place(k)
		}
		sum += x[i]
	}
	*place(last) = sum
}

// newCumulate starts from the first element itself.
func (b *binding) newCumulate(n *ir.Node) unit {
	x := b.operand(n.In[0])
	outer, d, inner := around(x.dims, n.Axes[0], n.Axes[0]+1)
	size, dst, reverse := n.Type.Size(), b.root(n), n.Flag
	block := max(64, ceil(inner, 32))
	blocks := ceil(inner, block)
	if inner == 0 || d == 0 {
		return &loop{0, 1, nil}
	}
	rows, next := cumulateRows[n.Type], b.nextOf(kernels.Sum, n.Type)
	anew := func(*run, int) unsafe.Pointer { return nil }
	if len(n.In) == 2 {
		m := b.operand(n.In[1])
		anew = func(r *run, at int) unsafe.Pointer { return unsafe.Add(m.ptr(r), at) }
	}
	switch n.Reduction {
	case ir.Prod:
		times := productRows[n.Type]
		rows = func(y, x, _ unsafe.Pointer, rows, d int, _ bool) { times(y, x, rows, d) }
		next = b.nextOf(kernels.Prod, n.Type)
	case ir.Max, ir.Min:
		f := b.p.level.SoFarOf(n.Type, n.Reduction == ir.Max)
		rows = func(y, x, _ unsafe.Pointer, rows, d int, _ bool) { f.Rows(y, x, rows, d) }
		next = func(y, last, x, _ unsafe.Pointer, n int) { f.Next(y, last, x, n) }
	}
	if inner == 1 {
		return newLoop(outer, d, func(r *run, _ *worker, i0, i1 int) {
			at := i0 * d
			rows(unsafe.Add(r.ptr[dst], at*size), unsafe.Add(x.ptr(r), at*size), anew(r, at), i1-i0, d, reverse)
		})
	}
	return newLoop(outer*blocks, d*block, func(r *run, _ *worker, i0, i1 int) {
		for i := i0; i < i1; i++ {
			o, lo := i/blocks, i%blocks*block
			at, step, width := o*d*inner+lo, inner, min(block, inner-lo)
			if reverse {
				at, step = at+(d-1)*inner, -inner
			}
			move(unsafe.Add(r.ptr[dst], at*size), unsafe.Add(x.ptr(r), at*size), width*size)
			for range d - 1 {
				last := unsafe.Add(r.ptr[dst], at*size)
				at += step
				next(unsafe.Add(r.ptr[dst], at*size), last, unsafe.Add(x.ptr(r), at*size), anew(r, at), width)
			}
		}
	})
}

// nextOf adds n elements x to the sums so far, or multiplies them with products; where anew says so, they are x. It may be nil.
func (b *binding) nextOf(r kernels.Reduction, t dtype.Type) func(y, last, x, anew unsafe.Pointer, n int) {
	size, join := t.Size(), b.p.level.Accumulate(r, t)
	return func(y, last, x, anew unsafe.Pointer, n int) {
		move(y, x, n*size)
		join(y, last, n)
		if anew == nil {
			return
		}
		for j, here := range unsafe.Slice((*bool)(anew), n) { // seldom
			if here {
				move(unsafe.Add(y, j*size), unsafe.Add(x, j*size), size)
			}
		}
	}
}

var cumulateRows = [dtype.Count]func(y, x, anew unsafe.Pointer, rows, d int, reverse bool){
	dtype.I32: rowsSoFar[int32],
	dtype.I64: rowsSoFar[int64],
	dtype.F32: rowsSoFar[float32],
	dtype.F64: rowsSoFar[float64],
}

// rowsSoFar are running sums of rows of d elements. Each sum waits for the one before, so that four rows go side by side. Where anew says
// so they begin anew; it may be nil.
func rowsSoFar[T float32 | float64 | int32 | int64](y, x, anew unsafe.Pointer, rows, d int, reverse bool) {
	step, first := int(unsafe.Sizeof(T(0))), 0
	row := d * step
	if reverse {
		first, step = row-step, -step
	}
	if anew != nil {
		for i := range rows {
			rowSince[T](unsafe.Add(y, i*row+first), unsafe.Add(x, i*row+first), unsafe.Add(anew, i*d+first/int(unsafe.Sizeof(T(0)))), d, step)
		}
		return
	}
	i := 0
	for ; i+4 <= rows; i += 4 {
		p, q := unsafe.Add(x, i*row+first), unsafe.Add(y, i*row+first)
		s0, s1, s2, s3 := *(*T)(p), *(*T)(unsafe.Add(p, row)), *(*T)(unsafe.Add(p, 2*row)), *(*T)(unsafe.Add(p, 3*row))
		for left := d; ; {
			*(*T)(q), *(*T)(unsafe.Add(q, row)) = s0, s1
			*(*T)(unsafe.Add(q, 2*row)), *(*T)(unsafe.Add(q, 3*row)) = s2, s3
			if left--; left == 0 {
				break
			}
			p, q = unsafe.Add(p, step), unsafe.Add(q, step)
			s0, s1 = s0+*(*T)(p), s1+*(*T)(unsafe.Add(p, row))
			s2, s3 = s2+*(*T)(unsafe.Add(p, 2*row)), s3+*(*T)(unsafe.Add(p, 3*row))
		}
	}
	for ; i < rows; i++ {
		p, q := unsafe.Add(x, i*row+first), unsafe.Add(y, i*row+first)
		s := *(*T)(p)
		for left := d; ; {
			*(*T)(q) = s
			if left--; left == 0 {
				break
			}
			p, q = unsafe.Add(p, step), unsafe.Add(q, step)
			s += *(*T)(p)
		}
	}
}

var productRows = [dtype.Count]func(y, x unsafe.Pointer, rows, d int){
	dtype.I32: productsSoFar[int32],
	dtype.I64: productsSoFar[int64],
	dtype.F32: productsSoFar[float32],
	dtype.F64: productsSoFar[float64],
}

// productsSoFar are running products of rows of d elements, four side by side.
func productsSoFar[T float32 | float64 | int32 | int64](y, x unsafe.Pointer, rows, d int) {
	to, from := unsafe.Slice((*T)(y), rows*d), unsafe.Slice((*T)(x), rows*d)
	for ; rows >= 4; rows -= 4 {
		y0, y1, y2, y3 := to[:d], to[d:][:d], to[2*d:][:d], to[3*d:][:d]
		x0, x1, x2, x3 := from[:d], from[d:][:d], from[2*d:][:d], from[3*d:][:d]
		p0, p1, p2, p3 := T(1), T(1), T(1), T(1)
		for k := range d {
			p0, p1, p2, p3 = p0*x0[k], p1*x1[k], p2*x2[k], p3*x3[k]
			y0[k], y1[k], y2[k], y3[k] = p0, p1, p2, p3
		}
		to, from = to[4*d:], from[4*d:]
	}
	for ; rows > 0; rows-- {
		p := T(1)
		for k, v := range from[:d] {
			p *= v
			to[k] = p
		}
		to, from = to[d:], from[d:]
	}
}

// rowSince is one row of running sums, step bytes from each element to the next.
func rowSince[T float32 | float64 | int32 | int64](y, x, anew unsafe.Pointer, d, step int) {
	s, one := *(*T)(x), step/int(unsafe.Sizeof(T(0)))
	*(*T)(y) = s
	for range d - 1 {
		x, y, anew = unsafe.Add(x, step), unsafe.Add(y, step), unsafe.Add(anew, one)
		if v := *(*T)(x); *(*bool)(anew) {
			s = v
		} else {
			s += v
		}
		*(*T)(y) = s
	}
}

// newArgReduce finds the first extreme of each run, 0 if that is empty; a NaN is more extreme than any
// number.
func (b *binding) newArgReduce(n *ir.Node) unit {
	x := b.operand(n.In[0])
	outer, d, inner := around(x.dims, n.Axes[0], n.Axes[1])
	dst, most := b.root(n), n.Reduction == ir.ArgMax
	if d == 0 {
		return newLoop(outer*inner, 1, func(r *run, _ *worker, i0, i1 int) {
			kernels.Fill(unsafe.Add(r.ptr[dst], i0*8), 0, 8, i1-i0)
		})
	}
	if inner > 1 { // columns side by side: their rows are read as they lie
		size, blocks, find := x.t.Size(), ceil(inner, extremeBlock), b.p.level.ExtremesOf(x.t, most)
		b.scratch = max(b.scratch, 2*extremeRoom)
		return newLoop(outer*blocks, d*extremeBlock, func(r *run, w *worker, i0, i1 int) {
			for i := i0; i < i1; i++ {
				o, j := i/blocks, i%blocks*extremeBlock
				at := unsafe.Slice((*int64)(unsafe.Add(r.ptr[dst], (o*inner+j)*8)), min(extremeBlock, inner-j))
				inColumns(at, unsafe.Add(x.ptr(r), (o*d*inner+j)*size), d, inner, size, find, w.scratch)
			}
		})
	}
	extreme, first := extremes[x.t], b.p.level.FirstOf(x.t)
	fold := b.p.level.FoldRows(kernels.Max, x.t)
	if !most {
		fold = b.p.level.FoldRows(kernels.Min, x.t)
	}
	b.scratch = max(b.scratch, extremePieces*x.t.Size())
	return newLoop(outer*inner, d, func(r *run, w *worker, i0, i1 int) {
		extreme(unsafe.Slice((*int64)(unsafe.Add(r.ptr[dst], i0*8)), i1-i0), unsafe.Add(x.ptr(r), i0*d*x.t.Size()), d, fold, first, most, w.scratch)
	})
}

// extremeBlock is the columns that are looked at side by side, extremeRoom the bytes of their extremes so far.
const (
	extremeBlock = 512
	extremeRoom  = 8*extremeBlock + kernels.ExtremesPad
)

// extremeRows is how many rows have numbers of 31 bits.
const extremeRows = 1 << 30

// inColumns sets at[j] to where the first extreme of column j of n rows is.
func inColumns(at []int64, x unsafe.Pointer, n, inner, size int, find kernels.Extremes, room unsafe.Pointer) {
	best, rows, stride := room, unsafe.Add(room, extremeRoom), inner*size
	move(best, x, len(at)*size)
	clear(at)
	for from := 0; from < n; from += extremeRows {
		kernels.Fill(rows, unchanged, size, len(at))
		find(best, rows, unsafe.Add(x, from*stride), min(extremeRows, n-from), len(at), stride, 0)
		found := indexArray{rows, size == 8}
		for j := range at {
			if k := found.at(j); k >= 0 {
				at[j] = int64(from + k)
			}
		}
	}
}

// unchanged is -1, the number of no row, in every size.
const unchanged = 1<<64 - 1

// extremePiece is the elements of a row that are folded at a time, extremePieces how many pieces, or short rows.
const extremePiece, extremePieces = 1024, 32

var extremes = [dtype.Count]func(at []int64, p unsafe.Pointer, n int, fold kernels.FoldRows, first kernels.First, most bool, room unsafe.Pointer){
	dtype.I32: inRows[int32],
	dtype.I64: inRows[int64],
	dtype.F32: inRows[float32],
	dtype.F64: inRows[float64],
}

// inRows sets at[i] to where the first extreme of row i of n is. fold finds the extreme of each piece of a row; first looks for what
// is equal to it in the first of the pieces that have it.
func inRows[T int32 | int64 | float32 | float64](at []int64, p unsafe.Pointer, n int, fold kernels.FoldRows, first kernels.First, most bool, room unsafe.Pointer) {
	x := unsafe.Slice((*T)(p), n*len(at))
	if n <= extremePiece {
		for len(at) > 0 {
			rows := min(len(at), extremePieces)
			fold(room, unsafe.Pointer(&x[0]), rows, n)
			first(unsafe.Pointer(&at[0]), unsafe.Pointer(&x[0]), room, rows, n)
			at, x = at[rows:], x[rows*n:]
		}
		return
	}
	for i := range at {
		row := x[i*n : (i+1)*n]
		best, from := row[0], 0
		for j := 0; j < n && best == best; {
			rows, each := min((n-j)/extremePiece, extremePieces), extremePiece
			if rows == 0 {
				rows, each = 1, n-j
			}
			fold(room, unsafe.Pointer(&row[j]), rows, each)
			for k, v := range unsafe.Slice((*T)(room), rows) {
				if v != v || most && v > best || !most && v < best {
					if best, from = v, j+k*each; v != v {
						break
					}
				}
			}
			j += rows * each
		}
		*(*T)(room) = best
		first(unsafe.Pointer(&at[i]), unsafe.Pointer(&row[from]), room, 1, n-from)
		at[i] += int64(from)
	}
}
