package runtime

import (
	"slices"

	"github.com/adjoint-go/adjoint/kernels"
)

// Clusters over the rows of one shape that read each other's results, softmax or layer norm and their gradients, go block of rows by block
// of rows where their arrays are larger than a cache: what one makes of a block is still near when the next one reads it.

// rowsUnit is a chain's clusters, which are done together where the last of them stands.
type rowsUnit struct {
	*chainUnit
	grain, block int // rows of a task, and of a block
}

// rowsBytes is the size of an array from which on its rows go in blocks, rowsBlock that of its part of a block: a few arrays' stay in the
// second cache. Only tests change them.
var (
	rowsBytes = 1 << 18
	rowsBlock = 1 << 16
)

// byRows joins clusters that go block by block. What they read lives until the last of them, which is when they make their arrays.
func (b *binding) byRows() {
	for i := range b.units {
		u, ok := b.units[i].(*mapUnit)
		if !ok || u.wide > 0 {
			continue
		}
		rows, run := u.rowsOf(b.batch)
		if run > ChunkElems || rows*run*u.size < rowsBytes {
			continue
		}
		c := b.chain(i, u)
		if c == nil {
			continue
		}
		last := b.join(c.units)
		for _, p := range c.parts {
			for _, x := range p.makes() {
				b.buffers[x].first, b.buffers[x].last = last, max(b.buffers[x].last, last)
			}
		}
		x := &rowsUnit{chainUnit: c, block: even(max(1, rowsBlock/u.size/run))}
		x.grain = x.block * max(1, 1<<16/(x.block*run))
		b.units[last] = x
	}
}

// makes are the arrays that u writes.
func (u *mapUnit) makes() (list []int) {
	for i := range u.ops {
		if k := u.ops[i].buffer; k >= 0 {
			list = append(list, k)
		}
	}
	for i := range u.folds {
		list = append(list, u.folds[i].buffer)
	}
	for i := range u.placed {
		list = append(list, u.placed[i].dst)
	}
	return list
}

// inPlace reports whether all have read each element of array from, or made it, when that of array to is written.
func (u *rowsUnit) inPlace(from, to int) bool {
	makes := func(p *mapUnit, k int) bool { return slices.Contains(p.makes(), k) }
	writer := slices.IndexFunc(u.parts, func(p *mapUnit) bool { return makes(p, to) })
	for k, p := range u.parts {
		if k >= writer && makes(p, from) {
			return false
		}
		for i := range p.leaf {
			l := &p.leaf[i]
			if l.index != nil && l.index.buffer == from {
				return false
			}
			if !l.isSplat && l.buffer == from && (!l.direct || l.offset != 0 || k > writer) {
				return false
			}
		}
		for i := range p.placed {
			if x := &p.placed[i]; x.array != nil && x.array.buffer == from {
				return false
			}
		}
	}
	w := u.parts[writer]
	for i := range w.leaf {
		if l := &w.leaf[i]; !l.isSplat && l.buffer == from {
			return w.inPlace(from, to)
		}
	}
	return true
}

func (u *rowsUnit) rows() int { return product(u.dims[:u.lo]) }

func (u *rowsUnit) phases() int { return 1 }

func (u *rowsUnit) tasks(int) int { return ceil(u.rows(), u.grain) }

func (u *rowsUnit) do(r *run, _, worker, task int) {
	w := &r.workers[worker]
	end := min((task+1)*u.grain, u.rows())
	for i := task * u.grain; i < end; i += u.block {
		for k, p := range u.parts {
			switch j := min(i+u.block, end); {
			case len(p.folds) > 0:
				p.doRows(r, w, i, j)
			case u.perRow[k]:
				p.computeSpan(r, w, i, j)
			default:
				run := product(u.dims[u.lo:])
				p.computeSpan(r, w, i*run, j*run)
			}
		}
	}
	if slices.ContainsFunc(u.parts, func(p *mapUnit) bool { return p.streamed }) {
		kernels.StreamEnd()
	}
}
