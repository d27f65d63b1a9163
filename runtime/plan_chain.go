package runtime

import (
	"fmt"
	"maps"
	"slices"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// chainUnit is clusters over the rows of one shape, each of which reads what another made: a kernel does them together
// where the last of them stands. Softmax is three, layer norm five.
type chainUnit struct {
	*mapUnit       // the last
	units    []int // all
	parts    []*mapUnit
	perRow   []bool
	dims     []int
	lo       int
}

// chained is a unit that a later one does.
type chained struct{ unit }

func (chained) phases() int { return 0 }

// inPlace reports whether all have read each element of array from when the last one writes that of array to.
func (u *chainUnit) inPlace(from, to int) bool {
	for _, p := range u.parts[:len(u.parts)-1] {
		for i := range p.leaf {
			l := &p.leaf[i]
			if l.isSplat {
				continue
			}
			if l.index != nil && (l.buffer == from || l.index.buffer == from) || l.buffer == from && (!l.direct || l.offset != 0) {
				return false
			}
		}
	}
	return u.mapUnit.inPlace(from, to)
}

// chainReach is how many units further on a chain looks for its next cluster: what it reads lives until its end.
const chainReach = 16

// chains joins clusters. Arrays that they read live until the last of them.
func (d *planner) chains() {
	for i := range d.b.units {
		if u, ok := d.b.units[i].(*mapUnit); ok {
			rows, run := u.rowsOf(d.b.batch)
			if run > cudasrc.MaxChain || run > ChunkElems && rows < cudasrc.FewRows {
				continue
			}
			if c := d.b.chain(i, u); c != nil {
				d.b.units[d.b.join(c.units)] = c
			}
		}
	}
}

// join leaves units to the last of them, whose number it returns: what they read lives until then.
func (b *binding) join(units []int) (last int) {
	last = units[len(units)-1]
	for _, k := range units {
		for _, x := range b.unitReads(k) {
			b.buffers[x].last = max(b.buffers[x].last, last)
		}
		b.units[k] = chained{b.units[k]}
	}
	return last
}

// rowsOf is how many rows u folds and how long they are; 0 where it folds none.
func (u *mapUnit) rowsOf(batch int) (rows, run int) {
	fold, dims := u.cluster.fold, u.cluster.shape.At(batch)
	if len(u.folds) == 0 || fold.lo == 0 || fold.hi != len(dims) {
		return 0, 0
	}
	return product(dims[:fold.lo]), product(dims[fold.lo:])
}

// chain is the chain that begins with unit i, if there is one.
func (b *binding) chain(i int, u *mapUnit) *chainUnit {
	if rows, run := u.rowsOf(b.batch); rows*run == 0 {
		return nil
	}
	c := &chainUnit{dims: u.cluster.shape.At(b.batch), lo: u.cluster.fold.lo}
	made := map[int]bool{} // by buffer: whether there is one for each row
	results := func(u *mapUnit, perRow bool, to map[int]bool) {
		for j := range u.ops {
			if k := u.ops[j].buffer; k >= 0 {
				to[k] = perRow
			}
		}
		for j := range u.folds {
			to[u.folds[j].buffer] = true
		}
	}
	join := func(k int, u *mapUnit, perRow bool) {
		c.units, c.parts, c.perRow = append(c.units, k), append(c.parts, u), append(c.perRow, perRow)
		results(u, perRow, made)
		c.mapUnit = u
	}
	// A cluster that reads nothing of the chain waits for one of the chain to read it.
	type waiting struct {
		unit   int
		u      *mapUnit
		perRow bool
		made   map[int]bool
	}
	var wait []waiting
	for k := max(0, i-chainReach); k < len(b.units) && (k <= i || k <= c.units[len(c.units)-1]+chainReach); k++ {
		reads := b.unitReads(k)
		has := func(of map[int]bool) bool {
			return slices.ContainsFunc(reads, func(x int) bool { _, ok := of[x]; return ok })
		}
		u, cluster := b.units[k].(*mapUnit)
		of, wanted := maps.Clone(made), []waiting{}
		others := wait[:0:0]
		for _, w := range wait {
			if has(w.made) {
				wanted = append(wanted, w)
				maps.Copy(of, w.made)
			} else {
				others = append(others, w)
			}
		}
		wait = others
		perRow, fits := false, false
		if cluster {
			perRow, fits = c.takes(u, b.batch, of)
		}
		switch {
		case k == i || has(made) && fits:
			if fits {
				for _, w := range wanted {
					join(w.unit, w.u, w.perRow)
				}
			}
			join(k, u, perRow)
		case has(made):
			k = len(b.units)
		case fits && len(wanted) == 0:
			w := waiting{k, u, perRow, map[int]bool{}}
			results(u, perRow, w.made)
			wait = append(wait, w)
		}
	}
	if len(c.units) == 1 {
		return nil
	}
	return c
}

// takes reports whether u can be done with the chain, and whether it is of one element for each row.
func (c *chainUnit) takes(u *mapUnit, batch int, made map[int]bool) (perRow, ok bool) {
	dims := u.cluster.shape.At(batch)
	fold := u.cluster.fold
	switch {
	case u.wide > 0 || slices.ContainsFunc(u.placed, func(x placedValue) bool { return !x.own }):
		return false, false
	case slices.Equal(dims, c.dims):
		if len(u.folds) > 0 && (fold.lo != c.lo || fold.hi != len(dims)) {
			return false, false
		}
	case len(u.folds) == 0 && slices.Equal(filled(dims), filled(c.dims[:c.lo])):
		perRow = true
	default:
		return false, false
	}
	if run := product(c.dims[c.lo:]); u.oneByOne && (perRow || run%u.cols != 0) { // a block may end within a row of its code's
		return false, false
	}
	for i := range u.leaf {
		l := &u.leaf[i]
		if l.isSplat {
			continue
		}
		one, ours := made[l.buffer]
		if l.index != nil {
			if _, at := made[l.index.buffer]; ours || at || perRow {
				return false, false
			}
			continue
		}
		switch {
		case !ours:
		case one == perRow:
			if !l.direct || l.offset != 0 {
				return false, false
			}
		case perRow || !c.row(&l.operand):
			return false, false
		}
	}
	return perRow, true
}

// filled is dims without those of 1.
func filled(dims []int) []int {
	return slices.DeleteFunc(slices.Clone(dims), func(d int) bool { return d == 1 })
}

// row reports whether all elements of a row of o are those that an array of one for each row has there.
func (c *chainUnit) row(o *operand) bool {
	strides := contiguous(c.dims[:c.lo])
	for a, d := range c.dims {
		switch {
		case d == 1:
		case a >= c.lo && o.strides[a] != 0, a < c.lo && o.strides[a] != strides[a]:
			return false
		}
	}
	return o.offset == 0
}

// unitReads are the arrays that unit i reads.
func (b *binding) unitReads(i int) (list []int) {
	leaves := func(u *mapUnit) {
		for k := range u.leaf {
			if l := &u.leaf[k]; !l.isSplat {
				list = append(list, l.buffer)
				if l.index != nil {
					list = append(list, l.index.buffer)
				}
			}
		}
	}
	switch u := b.units[i].(type) {
	case *mapUnit:
		leaves(u)
	case *chainUnit:
		for _, p := range u.parts {
			leaves(p)
		}
	case *rowsUnit:
		for _, p := range u.parts {
			leaves(p)
		}
	case *nearUnit:
		leaves(u.mapUnit)
		list = append(list, u.pad.buffer)
	case *indexCheck:
		list = append(list, u.idx.buffer)
	case *productUnit:
		if list = append(list, u.a.buffer, u.b.buffer); u.epilogue != nil {
			leaves(u.epilogue)
		}
	case chained:
	default:
		for _, in := range b.p.low.steps[i].node.In {
			for _, x := range b.p.low.arrays(in) {
				if !b.p.low.isSplat(x) {
					list = append(list, b.elements(x))
				}
			}
		}
	}
	return list
}

// joined writes a chain.
func (d *planner) joined(u *chainUnit) error {
	x := &cudasrc.Chain{Dims: u.dims, Lo: u.lo, Chunk: ChunkElems, Own: map[int]bool{}}
	for k, p := range u.parts {
		m, err := d.clusterMap(p)
		if err != nil {
			return err
		}
		x.Parts = append(x.Parts, cudasrc.Part{Map: m, PerRow: u.perRow[k]})
		own := func(b int) {
			if b >= 0 {
				x.Own[b] = d.b.buffers[b].out < 0 && d.b.buffers[b].last <= d.unit
			}
		}
		for i := range p.ops {
			own(p.ops[i].buffer)
		}
		for i := range p.folds {
			own(p.folds[i].buffer)
		}
	}
	k, unstored, err := d.w.Chain(x)
	for _, b := range unstored {
		if err == nil {
			d.b.buffers[b].bytes = 0
		}
	}
	return d.step(fmt.Sprintf("rows %v", u.cluster.shape), k, err)
}
