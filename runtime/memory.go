package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// placeOutputs decides which units write into the caller's memory: the maker of an output's array, unless
// something may still fail or be given up after it, or two outputs are one array.
func (b *binding) placeOutputs() {
	end := len(b.units)
	b.committed = end
	for i, n := range b.p.low.outs {
		k := b.root(n)
		f := &b.buffers[k]
		o := outPlace{buffer: k, bytes: f.bytes, in: make([]bool, len(b.p.inputs))}
		if f.first >= b.decided && f.out < 0 {
			f.out = i
			b.committed = min(b.committed, f.first)
		} else {
			o.copied, b.copies = true, true
			f.last = end
		}
		b.outs = append(b.outs, o)
	}
	for i := range b.outs {
		o := &b.outs[i]
		for j := range o.in {
			o.in[j] = true
		}
		for k := range b.buffers {
			if n := b.buffers[k].node; n != nil && n.Kind == ir.Param {
				o.in[n.Bits] = !o.copied && b.mayOverwrite(k, o.buffer)
			}
		}
	}
}

// guestReach is how many units before an output's maker an array may be made that lies in the output's place.
const guestReach = 2

// placeGuests has an array that an output is made of, element by element, lie in the output's place: softmax's exponentials, layer norm's
// differences. Where an input lies there, too, it has its own.
func (b *binding) placeGuests() {
	if b.p.within != "" {
		return
	}
	for i := range b.outs {
		o := &b.outs[i]
		y := &b.buffers[o.buffer]
		if o.copied || b.streamed(y.node) {
			continue
		}
		for k := range b.buffers {
			f := &b.buffers[k]
			if f.out < 0 && f.first >= b.decided && f.last == y.first && y.first-f.first <= guestReach && !b.given(k) && b.mayOverwrite(k, o.buffer) {
				b.guests = append(b.guests, guest{k, i})
				b.committed = min(b.committed, f.first)
				break
			}
		}
	}
}

// mayOverwrite reports whether array to may be written to where array from lies.
func (b *binding) mayOverwrite(from, to int) bool {
	x, y := &b.buffers[from], &b.buffers[to]
	if x.bytes != y.bytes || x.last >= len(b.units) {
		return false
	}
	if x.last < y.first {
		return true
	}
	u, ok := b.units[y.first].(interface{ inPlace(from, to int) bool })
	return ok && x.last == y.first && u.inPlace(from, to)
}

// inPlace reports whether u has read each element of array from when it writes that of array to.
func (u *mapUnit) inPlace(from, to int) bool {
	reader := -1
	for i := range u.leaf {
		l := &u.leaf[i]
		if l.index != nil && l.index.buffer == from {
			return false
		}
		if !l.isSplat && l.buffer == from {
			if reader >= 0 || !l.direct || l.offset != 0 {
				return false
			}
			reader = i
		}
	}
	for i := range u.placed { // a tile's elements are stored when all have been read
		x := &u.placed[i]
		if x.array != nil && x.array.buffer == from {
			return false
		}
		if x.dst == to {
			return x.own && reader >= 0
		}
	}
	if reader < 0 || u.leaves[reader].copied {
		return false
	}
	load := u.leaves[reader].op
	for _, i := range u.stores {
		if op := &u.ops[i]; op.buffer == to {
			return op.f != nil && load < i && u.ops[load].lastRead <= i
		}
	}
	return false
}

// planMemory gives every other array a place in the arena that nothing else uses while it lives: the
// place of an array that dies in the unit, or the smallest free one that is large enough.
func (b *binding) planMemory() {
	made, dying := make([][]int, len(b.units)), make([][]int, len(b.units))
	for k := range b.buffers {
		f := &b.buffers[k]
		if f.first < 0 {
			continue
		}
		made[f.first] = append(made[f.first], k)
		if f.last < len(b.units) {
			dying[f.last] = append(dying[f.last], k)
		}
	}
	var a arena
	for u := range b.units {
		_, inBlocks := b.units[u].(*rowsUnit)
		for _, k := range made[u] {
			f := &b.buffers[k]
			if f.out >= 0 || f.bytes == 0 {
				continue
			}
			for i, d := range dying[u] {
				if x := &b.buffers[d]; x.offset >= 0 && x.bytes > 0 && (x.first < u || inBlocks) && b.mayOverwrite(d, k) {
					f.offset = x.offset
					dying[u] = slices.Delete(dying[u], i, i+1)
					break
				}
			}
			if f.offset < 0 {
				f.offset = a.alloc(f.bytes)
			}
		}
		for _, d := range dying[u] {
			if x := &b.buffers[d]; x.offset >= 0 {
				a.free(x.offset, x.bytes)
			}
		}
	}
	b.arena = a.size
}

// poison overwrites what is dead in the arena when unit i begins, and the scratch: with NaNs, and with
// integers that are no index.
func (r *run) poison(i int) {
	live := make([]bool, lines(r.b.arena)/64) // lines of the arena
	for k := range r.b.buffers {
		if f := &r.b.buffers[k]; f.offset >= 0 && f.first < i && i <= f.last {
			for at := f.offset; at < f.offset+f.bytes; at += 64 {
				live[at/64] = true
			}
		}
	}
	for at, l := range live {
		if !l {
			kernels.Fill(unsafe.Add(r.arena, at*64), poisonBits, 8, 8)
		}
	}
	for w := range r.workers {
		kernels.Fill(r.workers[w].scratch, poisonBits, 8, r.b.scratch/8)
	}
}

const poisonBits = 1<<64 - 1

// arena hands out ranges of 64-byte lines.
type arena struct {
	size  int
	holes []hole // by offset, no two touch
}

type hole struct{ at, bytes int }

func lines(bytes int) int { return (bytes + 63) &^ 63 }

func (a *arena) alloc(bytes int) int {
	bytes = lines(bytes)
	best := -1
	for i, h := range a.holes {
		if h.bytes >= bytes && (best < 0 || h.bytes < a.holes[best].bytes) {
			best = i
		}
	}
	if best < 0 {
		// The end grows, from the last hole on if that is there.
		at := a.size
		if i := len(a.holes) - 1; i >= 0 && a.holes[i].at+a.holes[i].bytes == a.size {
			at = a.holes[i].at
			a.holes = a.holes[:i]
		}
		a.size = at + bytes
		return at
	}
	h := &a.holes[best]
	at := h.at
	h.at += bytes
	if h.bytes -= bytes; h.bytes == 0 {
		a.holes = slices.Delete(a.holes, best, best+1)
	}
	return at
}

func (a *arena) free(at, bytes int) {
	bytes = lines(bytes)
	i, _ := slices.BinarySearchFunc(a.holes, at, func(h hole, at int) int { return h.at - at })
	a.holes = slices.Insert(a.holes, i, hole{at, bytes})
	if i+1 < len(a.holes) && at+bytes == a.holes[i+1].at {
		a.holes[i].bytes += a.holes[i+1].bytes
		a.holes = slices.Delete(a.holes, i+1, i+2)
	}
	if i > 0 && a.holes[i-1].at+a.holes[i-1].bytes == at {
		a.holes[i-1].bytes += a.holes[i].bytes
		a.holes = slices.Delete(a.holes, i, i+1)
	}
}
