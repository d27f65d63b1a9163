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
	case u.code == nil && !u.copiesAlone() || len(u.placed) > 0:
		return
	case u.mode == flat:
		if u.cols <= blockWidth || u.cols == u.elems || u.code != nil && u.code.tiled {
			return
		}
	case u.code.folds && u.mode == rows:
		wide = u.run
	case u.code.folds && u.mode == columns:
		wide = min(maxBlock, u.inner)
	default:
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

// copiesAlone reports whether all that m does is to make arrays of its leaves.
func (m *mapCode) copiesAlone() bool {
	return len(m.folds) == 0 && !slices.ContainsFunc(m.ops, func(op mapOp) bool { return op.f != nil || op.buffer < 0 })
}

// doBlocks computes whole rows, from start on up to element end.
func (u *mapUnit) doBlocks(r *run, w *worker, start, end int) {
	for row := start / u.cols; row < end/u.cols; row += u.high {
		for col := 0; col < u.cols; col += u.wide {
			p := at{row: row, col: col, n: min(u.wide, u.cols-col), rows: min(u.high, end/u.cols-row)}
			if u.code == nil {
				for i := range u.ops {
					u.loadBlock(r, w, &u.ops[i], &p)
				}
				continue
			}
			for i := range u.code.segs {
				u.callBlock(r, w, i, p)
			}
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
		u.loadBlock(r, w, &u.ops[k], &p)
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

// loadBlock copies a block of a leaf to its tile or its array.
func (u *mapUnit) loadBlock(r *run, w *worker, op *mapOp, p *at) {
	l, row, first := &u.leaf[op.leaf], p.n*op.size, p.row*u.cols+p.col
	var dst unsafe.Pointer
	step := row
	if op.buffer >= 0 {
		dst, step = unsafe.Add(r.ptr[op.buffer], first*op.size), u.cols*op.size
	} else {
		dst = unsafe.Add(w.scratch, u.base+u.roomy*u.code.slot[op.dst])
	}
	v := u.turned[op.leaf]
	if v == nil {
		for i := range p.rows {
			if to := unsafe.Add(dst, i*step); l.splat != nil {
				kernels.Fill(to, l.bits, op.size, p.n)
			} else {
				l.load(r, to, op.size, first+i*u.cols, p.n)
			}
		}
		return
	}
	part := *v
	part.Dim[v.Rank-1] = p.n
	from := unsafe.Add(l.ptr(r), p.col*v.Stride[v.Rank-1]*op.size)
	if op.buffer < 0 {
		part.Load(dst, from, op.size, p.row*p.n, p.rows*p.n)
		return
	}
	room := unsafe.Add(w.scratch, u.base+u.scratchBytes()-u.roomy*tileBytes)
	part.Load(room, from, op.size, p.row*p.n, p.rows*p.n)
	for i := range p.rows {
		if to, from := unsafe.Add(dst, i*step), unsafe.Add(room, i*row); u.streamed {
			kernels.Stream(to, from, row)
		} else {
			move(to, from, row)
		}
	}
}
