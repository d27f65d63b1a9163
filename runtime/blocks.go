package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// A leaf that is turned, whose neighbours in a row are far apart and those in a column near, is read in blocks of some
// rows and columns: each line of the cache once. A cluster that has such leaves goes block by block.

// blocks is how elements are walked so.
type blocks struct {
	high, wide int // rows and columns of a block, 0 where there are none; a tile has room for roomy·tileBytes
	roomy      int
	turned     []*kernels.View // by leaf: rows of a block's columns, nil where it is not turned
	span       int             // of code that folds chunks: how many of them its tiles hold
}

// blockWidth is the columns of a block that is a tile: a column of it is a line of the cache.
const blockWidth = tileBytes / 64

// turned reports whether l is, in rows of cols elements.
func (l *leaf) turned(cols int) bool {
	if l.isSplat || l.direct {
		return false
	}
	r := l.byRows(cols)
	return r.feed == tileFeed && r.step != 0
}

// inBlocks has u walked in blocks of rows of u.cols elements if it is worth it, those of code that folds in whole ones.
func (b *binding) inBlocks(u *mapUnit) {
	wide := blockWidth
	switch {
	case len(u.placed) > 0:
		return
	case u.mode == flat:
		if u.cols <= blockWidth || u.cols == u.elems || u.code != nil && u.code.tiled {
			return
		}
	case u.code == nil || !u.code.folds:
		return
	case u.mode == rows:
		wide = u.run
	case u.mode == columns:
		wide = min(maxBlock, u.inner)
	default:
		u.inSpans(u.cluster.shape.At(b.batch))
		return
	}
	turned := make([]*kernels.View, len(u.leaf))
	for i := range u.leaf {
		if l := &u.leaf[i]; l.turned(u.cols) {
			r := l.byRows(u.cols)
			v := r.row
			v.Dim[v.Rank], v.Stride[v.Rank] = u.cols, r.step
			v.Rank++
			turned[i] = &v
		}
	}
	if !slices.ContainsFunc(turned, func(v *kernels.View) bool { return v != nil }) {
		return
	}
	u.turned, u.high, u.wide = turned, 64/u.size, wide
	u.roomy = ceil(u.high*u.wide*u.size, tileBytes)
	if u.mode == flat {
		rows := u.high * u.cols
		u.grain = max(1, u.grain/rows) * rows
	}
}

// inSpans has code that folds chunks load those to tiles together that are about a block's rows of what is turned.
func (u *mapUnit) inSpans(dims []int) {
	u.span = 1
	for i := range u.leaf {
		for k, n := len(dims)-1, 1; k > 0; k-- {
			if n *= dims[k]; u.leaf[i].turned(n) {
				u.span = max(u.span, min(ceil(64/u.size*n, ChunkElems), 16))
			}
		}
	}
	u.roomy = ceil(u.span*ChunkElems*u.size, tileBytes)
	u.grain = ceil(u.grain, u.span) * u.span
}

// doSpan folds chunks i … i+n-1, of one line, by code.
func (u *mapUnit) doSpan(r *run, w *worker, i, n int) {
	line, from := i/u.parts, i%u.parts*ChunkElems
	base := line*u.run + from
	for _, k := range u.code.segs[0].loads {
		op := &u.ops[k]
		u.leaf[op.leaf].load(r, w, unsafe.Add(w.scratch, u.base+u.roomy*u.code.slot[op.dst]), op.size, base, min(n*ChunkElems, u.run-from))
	}
	for range n {
		u.call(r, w, 0, &at{base: base, row: line, col: from, n: min(ChunkElems, u.run-from), rows: 1, result: i})
		i, from = i+1, from+ChunkElems
	}
}

// doBlocks computes whole rows, from start on up to element end.
func (u *mapUnit) doBlocks(r *run, w *worker, start, end int) {
	for row := start / u.cols; row < end/u.cols; row += u.high {
		for col := 0; col < u.cols; col += u.wide {
			p := at{row: row, col: col, n: min(u.wide, u.cols-col), rows: min(u.high, end/u.cols-row)}
			if u.code == nil {
				u.tileBlock(r, w, &p)
				continue
			}
			for i := range u.code.segs {
				u.callBlock(r, w, i, p)
			}
		}
	}
}

// tileBlock runs the operations on a block.
func (u *mapUnit) tileBlock(r *run, w *worker, p *at) {
	for i := range u.ops {
		op := &u.ops[i]
		dst := unsafe.Add(w.scratch, u.base+op.slot)
		if op.f != nil {
			op.f(dst, w.ptr[op.arg[0]], w.ptr[op.arg[1]], w.ptr[op.arg[2]], roundUp(p.n*p.rows))
		} else {
			u.loadBlock(r, w, op, dst, p)
		}
		if w.ptr[op.dst] = dst; op.buffer >= 0 {
			u.storeBlock(r, op, dst, p)
		}
	}
}

// rowsTogether is how many rows of n elements code that folds takes.
func (u *mapUnit) rowsTogether(n int) int {
	if u.wide > 0 {
		return u.high
	}
	return max(1, u.code.most()/n)
}

// callBlock runs the code of a segment for a block, after loading what it needs to tiles.
func (u *mapUnit) callBlock(r *run, w *worker, seg int, p at) {
	p.top, p.left, p.wide = p.row, p.col, p.n
	for _, k := range u.code.segs[seg].loads {
		op := &u.ops[k]
		if op.buffer < 0 {
			u.loadBlock(r, w, op, unsafe.Add(w.scratch, u.base+u.roomy*u.code.slot[op.dst]), &p)
			continue
		}
		room := unsafe.Add(w.scratch, u.base+u.scratchBytes()-u.roomy*tileBytes)
		u.loadBlock(r, w, op, room, &p)
		u.storeBlock(r, op, room, &p)
	}
	most := max(1, u.code.most()/max(1, p.n))
	for left := p.rows; left > 0; left -= p.rows {
		p.rows = min(left, most)
		u.call(r, w, seg, &p)
		if p.row += p.rows; u.mode != columns {
			p.result += p.rows
		}
	}
}

// loadBlock copies a block of a leaf to dst, its rows one behind the other.
func (u *mapUnit) loadBlock(r *run, w *worker, op *mapOp, dst unsafe.Pointer, p *at) {
	l := &u.leaf[op.leaf]
	switch v := u.turned[op.leaf]; {
	case l.splat != nil:
		kernels.Fill(dst, l.bits, op.size, p.n*p.rows)
	case v != nil:
		part := *v
		part.Dim[v.Rank-1] = p.n
		part.Load(dst, unsafe.Add(l.ptr(r), p.col*v.Stride[v.Rank-1]*op.size), op.size, p.row*p.n, p.rows*p.n)
	default:
		for i := range p.rows {
			l.load(r, w, unsafe.Add(dst, i*p.n*op.size), op.size, (p.row+i)*u.cols+p.col, p.n)
		}
	}
}

// storeBlock copies a block to an operation's array.
func (u *mapUnit) storeBlock(r *run, op *mapOp, src unsafe.Pointer, p *at) {
	row := p.n * op.size
	for i := range p.rows {
		move(unsafe.Add(r.ptr[op.buffer], ((p.row+i)*u.cols+p.col)*op.size), unsafe.Add(src, i*row), row)
	}
}
