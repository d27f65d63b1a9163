package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// A padded array that one cluster alone reads, a depthwise convolution or a pool, is made block by block of that cluster's lines, in a room
// that each worker has and that stays in the second cache: it never reaches memory.

// nearUnit is the cluster and what makes the padded array. A line is an index of one axis of the cluster's, with all elements behind it; the
// lines of the axis are a picture.
type nearUnit struct {
	*mapUnit
	pad         *padUnit
	count, each int          // lines of a picture, elements of a line
	block       int          // lines of a task, which begin and end in one picture
	first       kernels.View // by line: the first row of the padded array that it reads
	step, span  int          // rows from one line's first to that of the next, and how many a line reads
}

// near is the part of a padded array that a worker has.
type near struct {
	at    unsafe.Pointer
	first int // the number of the first element of the cluster that reads it
}

// nearLeast is the size of a padded array from which on it is made so, nearRoom that of a room. Only tests change them.
var nearLeast, nearRoom = 1 << 18, 1 << 18

// farBytes is the size of a result from which on its lines, which strips come by a few of each row at a time, are asked for in order: it is in
// no second cache, and what else strips meet is. Only tests change it.
var farBytes = 4 << 20

// nearby joins clusters and what pads for them.
func (b *binding) nearby() {
	for i := range b.units {
		pad, ok := b.units[i].(*padUnit)
		if !ok || b.buffers[pad.dst].bytes < nearLeast || slices.Contains(b.p.low.outs, b.buffers[pad.dst].node) {
			continue
		}
		k := b.buffers[pad.dst].last
		m, ok := b.units[k].(*mapUnit)
		for j := i + 1; j < k; j++ {
			ok = ok && !slices.Contains(b.unitReads(j), pad.dst)
		}
		if !ok {
			continue
		}
		u := b.newNear(pad, m)
		if u == nil {
			continue
		}
		b.units[i], b.units[k] = chained{pad}, u
		b.buffers[pad.dst].bytes = 0
		b.buffers[pad.buffer].last = max(b.buffers[pad.buffer].last, k)
		for l := range m.leaf {
			m.leaf[l].padded = m.leaf[l].reads(pad.dst)
		}
		m.far = slices.ContainsFunc(m.makes(), func(y int) bool { return b.buffers[y].bytes >= farBytes })
		m.base = lines(u.roomBytes())
		b.scratch = max(b.scratch, m.base+m.scratchBytes())
	}
}

// reads reports whether l is elements of array k.
func (l *leaf) reads(k int) bool { return !l.isSplat && l.buffer == k }

// newNear is the unit of cluster m and what pads for it, nil where m does not read line by line, or rooms are no smaller than the array.
func (b *binding) newNear(pad *padUnit, m *mapUnit) *nearUnit {
	if m.mode != flat || m.wide > 0 || m.copying != nil || m.elems == 0 {
		return nil
	}
	dims := m.cluster.shape.At(b.batch)
	// Along the first axes, all views of the array go by the same rows of it: the last of these is that of lines.
	var views []*leaf
	axes := len(dims)
	for i := range m.leaf {
		l := &m.leaf[i]
		if l.index != nil && (l.buffer == pad.dst || l.index.buffer == pad.dst) {
			return nil
		}
		if !l.reads(pad.dst) {
			continue
		}
		if l.direct || slices.ContainsFunc(l.strides, func(s int) bool { return s < 0 }) {
			return nil
		}
		views = append(views, l)
		a := 0
		for a < axes && l.strides[a] == views[0].strides[a] && l.strides[a]%pad.width == 0 {
			a++
		}
		axes = a
	}
	strides := views[0].strides
	inRows := m.code != nil && m.cols < m.elems // lines are whole rows of code, too
	for axes > 0 && (strides[axes-1] == 0 || inRows && product(dims[axes:])%m.cols > 0) {
		axes--
	}
	if axes == 0 {
		return nil
	}
	end := 0 // of what the first line reads
	for _, l := range views {
		last := l.start
		for a := axes; a < len(dims); a++ {
			last += (dims[a] - 1) * l.strides[a]
		}
		end = max(end, last+1)
	}
	rows := make([]int, axes)
	for a := range rows {
		rows[a] = strides[a] / pad.width
	}
	first, ok := kernels.MakeView(dims[:axes], rows)
	if !ok {
		return nil
	}
	u := &nearUnit{mapUnit: m, pad: pad, first: first, count: dims[axes-1], each: product(dims[axes:]), step: rows[axes-1], span: ceil(end, pad.width)}
	u.block = max(1, (nearRoom/pad.rowBytes()-u.span)/u.step+1)
	u.block = ceil(u.count, ceil(u.count, u.block))
	if u.roomBytes() > 2*nearRoom || u.roomBytes()*b.p.threads > b.buffers[pad.dst].bytes {
		return nil
	}
	return u
}

// rows is the rows of the padded array that n lines read.
func (u *nearUnit) rows(n int) int { return (n-1)*u.step + u.span }

func (u *nearUnit) roomBytes() int { return u.rows(u.block) * u.pad.rowBytes() }

// inPlace reports whether u has read each element of array from when it writes that of array to.
func (u *nearUnit) inPlace(from, to int) bool {
	return from != u.pad.buffer && u.mapUnit.inPlace(from, to)
}

func (u *nearUnit) phases() int { return 1 }

func (u *nearUnit) tasks(int) int { return u.elems / (u.count * u.each) * ceil(u.count, u.block) }

func (u *nearUnit) do(r *run, _, worker, task int) {
	w, blocks := &r.workers[worker], ceil(u.count, u.block)
	picture, block := task/blocks*u.count, task%blocks*u.block
	line, end := picture+block, picture+min(block+u.block, u.count)
	row := u.first.At(line)
	w.near = near{w.scratch, line * u.each}
	u.pad.rows(r, w.near.at, row, row+u.rows(end-line))
	u.computeSpan(r, w, line*u.each, end*u.each)
	if u.streamed {
		kernels.StreamEnd()
	}
}
