package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// A loop forwards, what makes cotangents of its results, and the loop backwards take each element, a path of a simulation, through
// their steps by itself. Where what the steps keep is more than a cache has, a block of elements goes through all of them before the
// next one does: what a step reads backwards is then near, and what the forward steps keep has room in a worker's scratch.

// markStrands finds the clusters between a loop and one that reads what the first one's steps keep, and reports whether there are any.
func (l *lowering) markStrands() bool {
	from := make([]*ir.Node, len(l.root)) // by ID: the loop that an element is made of
	to := make([]bool, len(l.root))       // by ID: such a loop reads it
	for _, n := range l.nodes {
		switch {
		case n.Kind == ir.Out && n.In[0].Kind == ir.Loop:
			from[n.ID] = n.In[0]
		case n.Kind == ir.Loop:
			kept := map[*ir.Node]bool{}
			for _, x := range n.In {
				kept[keptBy(x)] = true
			}
			delete(kept, nil)
			for _, x := range n.In {
				to[x.ID] = to[x.ID] || kept[from[x.ID]]
			}
		case l.inside(n) && !viewKind(n.Kind):
			for _, x := range n.In {
				if from[x.ID] != nil {
					from[n.ID] = from[x.ID]
				}
			}
		}
	}
	l.strands = map[key]bool{}
	for _, n := range slices.Backward(l.nodes) {
		if to[n.ID] && l.inside(n) && !viewKind(n.Kind) && from[n.ID] != nil {
			l.strands[l.key(l.depth[n.ID], n.Shape)] = true
			for _, x := range n.In {
				to[x.ID] = true
			}
		}
	}
	return len(l.strands) > 0
}

// keptBy is the loop whose steps keep x, nil where x is something else.
func keptBy(x *ir.Node) *ir.Node {
	if x.Kind == ir.Out && x.In[0].Kind == ir.Loop && int(x.Bits) >= x.In[0].Body[0].Carry {
		return x.In[0]
	}
	return nil
}

// orderStrands brings loops together with those that read what their steps keep.
func (l *lowering) orderStrands() {
	for hi := range l.steps {
		n := l.steps[hi].node
		if n == nil || n.Kind != ir.Loop {
			continue
		}
		for _, x := range n.In {
			if k := keptBy(x); k != nil {
				l.narrow(slices.IndexFunc(l.steps, func(s step) bool { return s.node == k }), hi)
				break
			}
		}
	}
}

// narrow leaves between two steps what the second one needs of the first. All else goes before the first, or behind the second.
func (l *lowering) narrow(lo, hi int) {
	by := map[*ir.Node]int{} // steps that make nodes
	for i := lo; i <= hi; i++ {
		s := &l.steps[i]
		if s.node != nil && s.kind != checkStep {
			by[s.node] = i
		}
		if s.cluster != nil {
			for _, n := range slices.Concat(s.cluster.nodes, s.cluster.reduces) {
				by[n] = i
			}
		}
	}
	var visit func(x *ir.Node, f func(i int))
	visit = func(x *ir.Node, f func(i int)) {
		if i, ok := by[x]; ok {
			f(i)
		} else if x.Kind == ir.Out || l.isView(x) || l.pairs[x.ID] || l.parts[x.ID] {
			for _, y := range x.In {
				visit(y, f)
			}
		}
	}
	reads := func(i int, f func(i int)) {
		s := &l.steps[i]
		if s.node != nil {
			for _, x := range s.node.In {
				visit(x, f)
			}
		}
		if s.cluster != nil {
			for _, n := range slices.Concat(s.cluster.nodes, s.cluster.reduces) {
				for _, x := range n.In {
					visit(x, f)
				}
			}
		}
	}
	after, needed := map[int]bool{lo: true}, map[int]bool{hi: true}
	for i := lo + 1; i <= hi; i++ {
		reads(i, func(k int) { after[i] = after[i] || after[k] && k != i })
	}
	for i := hi; i > lo; i-- {
		if needed[i] {
			reads(i, func(k int) { needed[k] = true })
		}
	}
	var before, between, behind []step
	for i := lo; i <= hi; i++ {
		switch s := l.steps[i]; {
		case !after[i]:
			before = append(before, s)
		case needed[i] || i == lo:
			between = append(between, s)
		default:
			behind = append(behind, s)
		}
	}
	copy(l.steps[lo:], slices.Concat(before, between, behind))
}

// strandUnit is loops and the clusters between them, which are done together where the last of them stands.
type strandUnit struct {
	parts        []unit // nestedUnits with code, mapUnits
	units        []int
	elems, block int
}

// strandBytes is the size of what steps keep from which on elements go in blocks. Only tests change it.
var strandBytes = 1 << 21

// strandBlock is the size of a block's part of what steps read and write, if those are more than leastStrand elements.
const strandBlock, leastStrand = 1 << 20, 128

// strands joins what goes in blocks of elements.
func (b *binding) strands() {
	for i := range b.units {
		if u, ok := b.units[i].(*nestedUnit); ok {
			b.strand(i, u)
		}
	}
}

// strand joins unit i and those behind it, if that is worth it.
func (b *binding) strand(i int, first *nestedUnit) {
	if !first.strand() {
		return
	}
	s := &strandUnit{elems: first.code.elems}
	made := map[int]bool{}
	loops := 0 // what is behind the last loop is not joined
	for k := i; k < len(b.units); k++ {
		if u, ok := b.units[k].(*nestedUnit); ok && u.strand() && u.code.elems == s.elems && u.follows(made) {
			for _, o := range u.outs {
				made[o] = true
			}
			loops = len(s.parts) + 1
		} else if u, ok := b.units[k].(*mapUnit); ok && u.mode == flat && u.elems == s.elems && u.follows(made) {
			for _, o := range u.makes() {
				made[o] = true
			}
		} else {
			break
		}
		s.parts, s.units = append(s.parts, b.units[k]), append(s.units, k)
	}
	s.parts, s.units = s.parts[:loops], s.units[:loops]
	if loops > 1 {
		b.joinStrand(s)
	}
}

// strand reports whether elements may go through all of u's steps one after the other.
func (u *nestedUnit) strand() bool {
	if u.code == nil || u.code.elems <= minBlock || u.n.Bits == 1 || u.steps >= 0 {
		return false
	}
	for k := range u.carries {
		if u.carries[k].bytes != u.code.elems*u.n.Body[0].Outs[k].Type.Size() {
			return false
		}
	}
	return true
}

// follows reports whether an element of u reads no more of the arrays in made than the same element, of all steps.
func (u *nestedUnit) follows(made map[int]bool) bool {
	body := u.n.Body[0]
	for i := range u.code.args {
		a := &u.code.args[i]
		if a.fixed != nil || a.operand < 0 || !made[u.operands[a.operand].buffer] {
			continue
		}
		x := &u.operands[a.operand]
		all := x.t.Size() * u.code.elems
		if a.operand < body.Carry+body.Xs {
			if a.slice != all {
				return false
			}
		} else if product(x.dims) != u.code.elems {
			return false
		}
		if a.size != x.t.Size() || a.offset != 0 {
			return false
		}
	}
	return true
}

// follows reports whether an element of u reads no more of the arrays in made than the same element.
func (u *mapUnit) follows(made map[int]bool) bool {
	if u.oneByOne || u.copying != nil || u.wide > 0 || len(u.placed) > 0 {
		return false
	}
	for i := range u.leaf {
		l := &u.leaf[i]
		if !l.isSplat && (made[l.buffer] && (!l.direct || l.offset != 0) || l.index != nil && made[l.index.buffer]) {
			return false
		}
	}
	return true
}

// loops are the parts that are.
func (s *strandUnit) loops() (list []*nestedUnit) {
	for _, p := range s.parts {
		if u, ok := p.(*nestedUnit); ok {
			list = append(list, u)
		}
	}
	return list
}

// stepwise are the arrays of s that loops alone read, and step by step.
func (b *binding) stepwise(s *strandUnit) map[int]bool {
	last := s.units[len(s.units)-1]
	is := map[int]bool{}
	for _, u := range s.loops() {
		for _, k := range u.outs[len(u.carries):] {
			is[k] = b.buffers[k].last <= last && !slices.Contains(b.p.low.outs, b.buffers[k].node)
		}
	}
	for i, p := range s.parts {
		switch u := p.(type) {
		case *mapUnit:
			for _, k := range b.unitReads(s.units[i]) {
				is[k] = false
			}
		case *nestedUnit:
			body := u.n.Body[0]
			for k := range u.operands {
				if k < body.Carry || k >= body.Carry+body.Xs {
					is[u.operands[k].buffer] = false
				}
			}
		}
	}
	return is
}

// joinStrand leaves what s does to its last unit, if its steps keep enough and all threads have blocks.
func (b *binding) joinStrand(s *strandUnit) {
	kept, perElem := 0, 0
	for _, u := range s.loops() {
		for _, bytes := range u.slices {
			kept += bytes * u.length
		}
		for i := range u.code.args {
			if a := &u.code.args[i]; a.slice != 0 {
				perElem += a.size * u.length
			}
		}
	}
	s.block = max(leastStrand, min(maxBlock, strandBlock/max(1, perElem)&^(leastStrand-1)))
	if kept < strandBytes || b.p.threads*s.block > s.elems {
		return
	}
	local, base := b.stepwise(s), lines(b.scratch)
	place := map[int]int{}
	for _, u := range s.loops() {
		for i := range u.code.args {
			a := &u.code.args[i]
			k := a.buffer
			if a.operand >= 0 {
				k = u.operands[a.operand].buffer
			}
			if a.fixed != nil || a.slice == 0 || !local[k] {
				continue
			}
			a.local, a.slice = true, a.size*s.block+lineBytes // so that steps do not lie at equal places of pages
			at, ok := place[k]
			if !ok {
				at = base
				place[k] = at
				base += lines(a.slice * u.length)
				b.buffers[k].bytes = 0
			}
			a.offset = at
		}
	}
	b.scratch = max(b.scratch, base)
	last := b.join(s.units)
	for k := range b.buffers {
		if f := &b.buffers[k]; slices.Contains(s.units, f.first) {
			f.first, f.last = last, max(f.last, last)
		}
	}
	b.units[last] = s
}

func (s *strandUnit) phases() int   { return 1 }
func (s *strandUnit) tasks(int) int { return ceil(s.elems, s.block) }

func (s *strandUnit) do(r *run, _, worker, task int) {
	w := &r.workers[worker]
	from := task * s.block
	n := min(s.block, s.elems-from)
	for _, p := range s.parts {
		switch u := p.(type) {
		case *mapUnit:
			u.computeSpan(r, w, from, from+n)
		case *nestedUnit:
			u.begin(r, s.elems, from, n)
			u.code.span(r, w, u.length, from, n)
		}
	}
}

// begin has n of the carries' elems elements, from number from on, be those that the loop begins with.
func (u *nestedUnit) begin(r *run, elems, from, n int) {
	for k := range u.carries {
		c := &u.carries[k]
		size := c.bytes / elems
		move(unsafe.Add(r.ptr[c.at], from*size), unsafe.Add(u.operands[k].ptr(r), from*size), n*size)
	}
}
