package ir

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Pattern tells of every element of outs which elements of the holes it depends on: element by element, through
// views, reductions, products and bodies. Where the way leads through something whose inside is not seen
// (indices that are not known, a factorization), it is all that may be reached: more is told than is so, never
// less. On a tangent's graph, by the tangent, that is the pattern of a Jacobian.
//
// Elements are numbered through, outs one after the other, and so are those of the holes. All shapes are static.
func Pattern(outs, holes []*Node) (indptr, indices []int) {
	p := &pattern{}
	p.init()
	at := map[*Node][]int32{}
	first := int32(0)
	for _, h := range holes {
		ids := make([]int32, size(h))
		for i := range ids {
			ids[i] = p.set([]run{{first, first + 1}})
			first++
		}
		at[h] = ids
	}
	f := frame{p: p, at: at}
	indptr = []int{0}
	total := 0
	found := f.run(outs)
	for k, o := range outs {
		for i := range size(o) {
			n := 0
			if found[k] != nil {
				n = p.count(found[k][i])
			}
			total += n
			indptr = append(indptr, total)
		}
	}
	if total > maxEntries {
		Fail("Sparsity", "%d entries: that is no sparse matrix", total)
	}
	indices = make([]int, 0, total)
	for k := range outs {
		for _, id := range found[k] {
			for _, r := range p.runs(id) {
				for j := r.lo; j < r.hi; j++ {
					indices = append(indices, int(j))
				}
			}
		}
	}
	return indptr, indices
}

const (
	maxEntries = 1 << 28 // of a pattern
	maxRuns    = 1 << 26 // of all sets on the way
	maxSteps   = 1 << 24 // elements of a loop's body times steps, up to which steps are followed one by one
)

func size(n *Node) int {
	if !n.Shape.Static() {
		Fail("Sparsity", "%v: a size depends on the batch (Vmap maps over one)", n.Shape)
	}
	return n.Shape.SizeAt(1)
}

// run is the numbers lo … hi-1.
type run struct{ lo, hi int32 }

// pattern holds the sets of numbers that there are, each once and as runs: a band, all, or what a sum adds up is
// one run. Set 0 is empty.
type pattern struct {
	all   []run
	start []int   // of set i in all
	table []int32 // open addressing, by the sets' hashes: id + 1
	last  []union // unions seen lately, by their operands
	buf   []run
}

type union struct{ a, b, is int32 }

func (p *pattern) init() {
	p.start = []int{0, 0}
	p.table = make([]int32, 1<<12)
	p.last = make([]union, 1<<14)
}

func (p *pattern) runs(id int32) []run { return p.all[p.start[id]:p.start[id+1]] }

func (p *pattern) count(id int32) int {
	n := 0
	for _, r := range p.runs(id) {
		n += int(r.hi - r.lo)
	}
	return n
}

func hash(rs []run) uint64 {
	h := uint64(len(rs))
	for _, r := range rs {
		h = (h ^ (uint64(uint32(r.lo))<<32 | uint64(uint32(r.hi)))) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

// set is the number of the set of sorted, separate runs.
func (p *pattern) set(rs []run) int32 {
	if len(rs) == 0 {
		return 0
	}
	mask := uint64(len(p.table) - 1)
	i := hash(rs) & mask
	for ; p.table[i] != 0; i = (i + 1) & mask {
		if id := p.table[i] - 1; slices.Equal(p.runs(id), rs) {
			return id
		}
	}
	if len(p.all)+len(rs) > maxRuns {
		Fail("Sparsity", "the pattern is not sparse")
	}
	id := int32(len(p.start) - 1)
	p.all = append(p.all, rs...)
	p.start = append(p.start, len(p.all))
	p.table[i] = id + 1
	if 2*len(p.start) > len(p.table) {
		p.table = make([]int32, 4*len(p.table))
		mask = uint64(len(p.table) - 1)
		for id := range len(p.start) - 1 {
			if id > 0 {
				i := hash(p.runs(int32(id))) & mask
				for p.table[i] != 0 {
					i = (i + 1) & mask
				}
				p.table[i] = int32(id) + 1
			}
		}
	}
	return id
}

// or is the union of two sets.
func (p *pattern) or(a, b int32) int32 {
	switch {
	case a == b || b == 0:
		return a
	case a == 0:
		return b
	case a > b:
		a, b = b, a
	}
	seen := &p.last[(uint32(a)*0x9e3779b1^uint32(b)*0x85ebca6b)>>18]
	if seen.a == a && seen.b == b {
		return seen.is
	}
	x, y := p.runs(a), p.runs(b)
	out := p.buf[:0]
	for len(x) > 0 || len(y) > 0 {
		if len(x) == 0 || len(y) > 0 && y[0].lo < x[0].lo {
			x, y = y, x
		}
		out = join(out, x[0])
		x = x[1:]
	}
	p.buf = out
	*seen = union{a, b, p.set(out)}
	return seen.is
}

// join adds a run that begins no earlier than the last.
func join(out []run, r run) []run {
	if k := len(out) - 1; k >= 0 && r.lo <= out[k].hi {
		out[k].hi = max(out[k].hi, r.hi)
		return out
	}
	return append(out, r)
}

// orAll is the union of the sets that next gives n times.
func (p *pattern) orAll(n int, next func(i int) int32) int32 {
	var rs []run
	sorted := true
	prev := int32(0)
	for i := range n {
		id := next(i)
		if id == prev {
			continue
		}
		prev = id
		for _, r := range p.runs(id) {
			if k := len(rs) - 1; k >= 0 && r.lo < rs[k].lo {
				sorted = false
				rs = append(rs, r)
				continue
			}
			rs = join(rs, r)
		}
	}
	if !sorted {
		slices.SortFunc(rs, func(a, b run) int { return int(a.lo) - int(b.lo) })
		out := rs[:0]
		for _, r := range rs {
			out = join(out, r)
		}
		rs = out
	}
	return p.set(rs)
}

// frame is one run through a graph: the sets by node and element (none: nothing is reached) and the elements
// of nodes that are known.
type frame struct {
	p     *pattern
	at    map[*Node][]int32
	known map[*Node][]float64
	// results are those of Loops and Branches.
	results map[*Node][][]int32
}

// run is the sets of outs.
func (f *frame) run(outs []*Node) [][]int32 {
	nodes := Reachable(outs)
	uses := map[*Node]int{}
	for _, n := range nodes {
		for _, x := range n.In {
			uses[x]++
		}
	}
	for _, o := range outs {
		uses[o]++
	}
	for _, n := range nodes {
		if f.at[n] == nil && slices.ContainsFunc(n.In, func(x *Node) bool { return f.at[x] != nil || f.results[x] != nil }) {
			f.node(n)
		}
		for _, x := range n.In {
			if uses[x]--; uses[x] == 0 && x.Kind != Param && x.Kind != Hole {
				delete(f.at, x)
			}
		}
	}
	res := make([][]int32, len(outs))
	for i, o := range outs {
		res[i] = f.at[o]
	}
	return res
}

func (f *frame) node(n *Node) {
	switch n.Kind {
	case Loop:
		f.result(n, f.loop(n))
		return
	case Branch:
		f.result(n, f.branch(n))
		return
	case Rewind: // not looked into
		all := f.all(n)
		rs := make([][]int32, len(n.Body[0].Outs))
		for k := range rs {
			rs[k] = constant(size(n.Graph.Out(n, k)), all)
		}
		f.result(n, rs)
		return
	case Out:
		if rs := f.results[n.In[0]]; int(n.Bits) < len(rs) {
			f.at[n] = rs[n.Bits]
		}
		return
	case Stop:
		return
	case Alias, Convert:
		f.at[n] = f.at[n.In[0]]
		return
	case Pointwise:
		f.at[n] = f.pointwise(n)
		return
	}
	if v := viewed(n); v != nil {
		out := make([]int32, size(n))
		in := f.at[n.In[0]]
		v.each(func(i, at int) { out[i] = in[at] })
		f.at[n] = out
		return
	}
	if rule := patternRules[n.Kind]; rule != nil {
		f.at[n] = rule(f, n)
		return
	}
	// What is not known inside: everything depends on everything.
	f.at[n] = constant(size(n), f.all(n))
}

// all is what any operand's elements depend on.
func (f *frame) all(n *Node) int32 {
	all := int32(0)
	for _, x := range n.In {
		if in := f.at[x]; in != nil {
			all = f.p.or(all, f.p.orAll(len(in), func(i int) int32 { return in[i] }))
		}
	}
	return all
}

func (f *frame) result(n *Node, rs [][]int32) {
	if f.results == nil {
		f.results = map[*Node][][]int32{}
	}
	f.results[n] = rs
}

func constant(n int, id int32) []int32 {
	if id == 0 {
		return nil
	}
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = id
	}
	return ids
}

func (f *frame) pointwise(n *Node) []int32 {
	var out []int32
	own := false // out may be written
	for i, x := range n.In {
		in := f.at[x]
		if in == nil || n.Op.Row().Class == ops.Select && i == 0 {
			continue
		}
		switch {
		case out == nil:
			out = in
		case !own:
			sum := make([]int32, len(in))
			for i, id := range in {
				sum[i] = f.p.or(out[i], id)
			}
			out, own = sum, true
		default:
			for i, id := range in {
				out[i] = f.p.or(out[i], id)
			}
		}
	}
	return out
}

// view is the elements of an operand, in the order of a result of the shape dims: strides for each axis.
type view struct {
	dims, stride []int
	at           int
}

func strides(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for a := len(dims) - 1; a >= 0; a-- {
		s[a] = n
		n *= dims[a]
	}
	return s
}

// each calls f with the number of each element of the result, in order, and that of the operand's.
func (v *view) each(f func(i, at int)) {
	r := len(v.dims)
	index := make([]int, r)
	n := 1
	for _, d := range v.dims {
		n *= d
	}
	at := v.at
	for i := range n {
		f(i, at)
		for a := r - 1; a >= 0; a-- {
			index[a]++
			at += v.stride[a]
			if index[a] < v.dims[a] {
				break
			}
			at -= index[a] * v.stride[a]
			index[a] = 0
		}
	}
}

// viewed is n as a view of its operand, nil where it is none.
func viewed(n *Node) *view {
	switch n.Kind {
	case Broadcast, Reshape, Transpose, Slice, Reverse, Windows:
	default:
		return nil
	}
	size(n)
	dims := n.Shape.At(1)
	from := n.In[0].Shape.At(1)
	s := strides(from)
	v := &view{dims: dims, stride: slices.Clone(s)}
	switch n.Kind {
	case Broadcast:
		for a, d := range from {
			if d != dims[a] {
				v.stride[a] = 0
			}
		}
	case Reshape:
		v.stride = strides(dims)
	case Transpose:
		for i, a := range n.Axes {
			v.stride[i] = s[a]
		}
	case Slice:
		for a := range dims {
			v.at += n.Start[a].C * s[a]
			v.stride[a] = n.Step[a] * s[a]
		}
	case Reverse:
		for _, a := range n.Axes {
			v.at += (dims[a] - 1) * s[a]
			v.stride[a] = -s[a]
		}
	case Windows:
		v.stride = windowStrides(n, s)
	}
	return v
}

// windowStrides are those of the windows of n over an array with strides s.
func windowStrides(n *Node, s []int) []int {
	lo, hi := n.Axes[0], n.Axes[1]
	res := slices.Clone(s[:lo])
	for i, by := range n.Step { // between windows, then within them
		res = append(res, by*s[lo+i%(hi-lo)])
	}
	return append(res, s[hi:]...)
}

// placed is where piece p of the Place n lies in it.
func placed(n *Node, p int) *view {
	r := n.Rank()
	s := strides(n.Shape.At(1))
	v := &view{dims: n.In[p].Shape.At(1), stride: make([]int, r)}
	for a := range r {
		v.at += n.Start[p*r+a].C * s[a]
		v.stride[a] = n.Step[p*r+a] * s[a]
	}
	return v
}

// patternRules hold one rule per kind that is neither pointwise nor a view.
var patternRules = [NumKinds]func(f *frame, n *Node) []int32{
	Place: func(f *frame, n *Node) []int32 {
		out := make([]int32, size(n))
		for p, x := range n.In {
			if in := f.at[x]; in != nil {
				placed(n, p).each(func(i, at int) { out[at] = f.p.or(out[at], in[i]) })
			}
		}
		return out
	},
	Fold: func(f *frame, n *Node) []int32 {
		out := make([]int32, size(n))
		in := f.at[n.In[0]]
		v := &view{dims: n.In[0].Shape.At(1), stride: windowStrides(n, strides(n.Shape.At(1)))}
		v.each(func(i, at int) { out[at] = f.p.or(out[at], in[i]) })
		return out
	},
	Reduce: func(f *frame, n *Node) []int32 {
		dims := n.In[0].Shape.At(1)
		outer, run, inner := around(dims, n.Axes[0], n.Axes[1])
		in := f.at[n.In[0]]
		out := make([]int32, outer*inner)
		for i := range out {
			o, k := i/inner, i%inner
			out[i] = f.p.orAll(run, func(r int) int32 { return in[(o*run+r)*inner+k] })
		}
		return out
	},
	Cumulate: func(f *frame, n *Node) []int32 {
		outer, run, inner := around(n.Shape.At(1), n.Axes[0], n.Axes[0]+1)
		out := slices.Clone(f.at[n.In[0]])
		for o := range outer {
			for k := range inner {
				for r := 1; r < run; r++ {
					at, before := (o*run+r)*inner+k, (o*run+r-1)*inner+k
					if n.Flag {
						at, before = (o*run+run-1-r)*inner+k, (o*run+run-r)*inner+k
					}
					out[at] = f.p.or(out[before], out[at])
				}
			}
		}
		return out
	},
	MatMul: func(f *frame, n *Node) []int32 {
		r := n.Rank()
		m, cols := n.Shape[r-2].C, n.Shape[r-1].C
		k := n.In[0].Shape[r-1].C
		x, y := f.at[n.In[0]], f.at[n.In[1]]
		out := make([]int32, size(n))
		if len(out) == 0 {
			return out
		}
		for b := range len(out) / (m * cols) {
			rows, columns := make([]int32, m), make([]int32, cols)
			for i := range rows {
				if x != nil {
					rows[i] = f.p.orAll(k, func(l int) int32 { return x[(b*m+i)*k+l] })
				}
			}
			for j := range columns {
				if y != nil {
					columns[j] = f.p.orAll(k, func(l int) int32 { return y[(b*k+l)*cols+j] })
				}
			}
			for i, row := range rows {
				for j, column := range columns {
					out[(b*m+i)*cols+j] = f.p.or(row, column)
				}
			}
		}
		return out
	},
	Take: func(f *frame, n *Node) []int32 {
		in := f.at[n.In[0]]
		if in == nil {
			return nil
		}
		outer, rows, inner := around(n.In[0].Shape.At(1), n.Axes[0], n.Axes[0]+1)
		idx := f.elements(n.In[1])
		ids := n.Indices(size(n.In[1]), outer, inner)
		out := make([]int32, size(n))
		for o := range outer {
			for k := range inner {
				any := int32(0)
				if idx == nil {
					any = f.p.orAll(rows, func(r int) int32 { return in[(o*rows+r)*inner+k] })
				}
				for c := range ids.Count {
					id := any
					if idx != nil {
						if r := int(idx[ids.At(o, c, k)]); r >= 0 && r < rows { // else the run fails
							id = in[(o*rows+r)*inner+k]
						}
					}
					out[(o*ids.Count+c)*inner+k] = id
				}
			}
		}
		return out
	},
	Scatter: func(f *frame, n *Node) []int32 {
		in := f.at[n.In[1]]
		out := make([]int32, size(n))
		if len(n.In) > 2 {
			x := f.at[n.In[2]]
			if in == nil {
				return x
			}
			copy(out, x)
		}
		if in == nil {
			return nil
		}
		outer, rows, inner := around(n.Shape.At(1), n.Axes[0], n.Axes[0]+1)
		idx := f.elements(n.In[0])
		ids := n.Indices(size(n.In[0]), outer, inner)
		for o := range outer {
			for k := range inner {
				if idx == nil {
					any := f.p.orAll(ids.Count, func(c int) int32 { return in[(o*ids.Count+c)*inner+k] })
					for r := range rows {
						at := (o*rows+r)*inner + k
						out[at] = f.p.or(out[at], any)
					}
					continue
				}
				for c := range ids.Count {
					if r := int(idx[ids.At(o, c, k)]); r >= 0 && r < rows {
						at := (o*rows+r)*inner + k
						out[at] = f.p.or(out[at], in[(o*ids.Count+c)*inner+k])
					}
				}
			}
		}
		return out
	},
	Call: func(f *frame, n *Node) []int32 { // one batch element at a time
		r := n.In[0].Rank() - n.Call.Core(0)
		batch := n.Shape[:r].SizeAt(1)
		out := make([]int32, size(n))
		if batch == 0 {
			return out
		}
		each := len(out) / batch
		for b := range batch {
			all := int32(0)
			if n.Call == Recurrence { // of what came so far
				for i := b * each; i < (b+1)*each; i++ {
					for _, x := range n.In {
						if in := f.at[x]; in != nil {
							all = f.p.or(all, in[i])
						}
					}
					out[i] = all
				}
				continue
			}
			for _, x := range n.In {
				if in := f.at[x]; in != nil {
					k := len(in) / batch
					all = f.p.or(all, f.p.orAll(k, func(i int) int32 { return in[b*k+i] }))
				}
			}
			copy(out[b*each:], constant(each, all))
		}
		return out
	},
}

// around is the sizes of the axes before, of and behind lo … hi-1.
func around(dims []int, lo, hi int) (outer, run, inner int) {
	product := func(ds []int) int {
		n := 1
		for _, d := range ds {
			n *= d
		}
		return n
	}
	return product(dims[:lo]), product(dims[lo:hi]), product(dims[hi:])
}

// body is a frame for a body whose parameters hold what is given.
func (f *frame) body(b *Body, params [][]int32) frame {
	g := frame{p: f.p, at: map[*Node][]int32{}, known: map[*Node][]float64{}}
	for i, p := range b.Params {
		if params[i] != nil {
			g.at[p] = params[i]
		}
	}
	return g
}

func (f *frame) branch(n *Node) [][]int32 {
	res := make([][]int32, len(n.Body[0].Outs))
	params := make([][]int32, len(n.In)-1)
	for i, x := range n.In[1:] {
		params[i] = f.at[x]
	}
	for _, b := range n.Body {
		g := f.body(b, params)
		for i, p := range b.Params {
			g.know(p, f.elements(n.In[1+i]))
		}
		for k, ids := range g.run(b.Outs) {
			res[k] = f.p.orEach(res[k], ids)
		}
	}
	return res
}

// orEach is the unions of two lists, element by element.
func (p *pattern) orEach(a, b []int32) []int32 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := make([]int32, len(a))
	for i := range a {
		out[i] = p.or(a[i], b[i])
	}
	return out
}

// loop follows a loop step by step where that is little work, else it lets the carries grow until they do not
// any more, each step seeing all slices.
func (f *frame) loop(n *Node) [][]int32 {
	b := n.Body[0]
	operands := n.operands()
	o := n.options()
	steps := n.Size.C
	exact := !o.Forever && n.Size.Static() && n.work() <= maxSteps
	mayEnd := b.Cond != nil || o.Count != nil
	carry := make([][]int32, b.Carry)
	for i := range carry {
		carry[i] = f.at[operands[i]]
	}
	res := make([][]int32, len(b.Outs))
	params := make([][]int32, len(b.Params))
	captured := operands[b.Carry+b.Xs:]
	for k, x := range captured {
		params[b.Carry+b.Xs+1+k] = f.at[x]
	}
	step := func(i int) [][]int32 { // -1: any
		copy(params, carry)
		for k := range b.Xs {
			x := operands[b.Carry+k]
			in := f.at[x]
			if params[b.Carry+k] = nil; len(in) == 0 {
				continue
			}
			each := len(in) / x.Shape[0].C
			if i >= 0 {
				params[b.Carry+k] = in[i*each : (i+1)*each]
				continue
			}
			any := make([]int32, each)
			for e := range any {
				any[e] = f.p.orAll(x.Shape[0].C, func(r int) int32 { return in[r*each+e] })
			}
			params[b.Carry+k] = any
		}
		g := f.body(b, params)
		for k, x := range captured {
			g.know(b.Params[b.Carry+b.Xs+1+k], f.elements(x))
		}
		if i >= 0 {
			g.know(b.Params[b.Carry+b.Xs], []float64{float64(i)})
			for k := range b.Xs {
				if v := f.elements(operands[b.Carry+k]); v != nil {
					each := len(v) / n.Size.C
					g.know(b.Params[b.Carry+k], v[i*each:(i+1)*each])
				}
			}
		}
		return g.run(b.Outs)
	}
	if exact {
		for k := range b.ys() {
			res[b.Carry+k] = make([]int32, steps*b.Outs[b.Carry+k].Shape.SizeAt(1))
		}
		ends := slices.Clone(carry)
		for s := range steps {
			i := s
			if n.Flag {
				i = steps - 1 - s
			}
			out := step(i)
			copy(carry, out[:b.Carry])
			for k, ids := range out[b.Carry:] {
				copy(res[b.Carry+k][i*b.Outs[b.Carry+k].Shape.SizeAt(1):], ids)
			}
			for k := range ends {
				if mayEnd {
					ends[k] = f.p.orEach(ends[k], carry[k])
				} else {
					ends[k] = carry[k]
				}
			}
		}
		copy(res, ends)
		return res
	}
	for {
		out := step(-1)
		again := false
		for k := range carry {
			grown := f.p.orEach(carry[k], out[k])
			again = again || !slices.Equal(grown, carry[k])
			carry[k] = grown
		}
		if again {
			continue
		}
		copy(res, carry)
		for k, ids := range out[b.Carry:] {
			if ids != nil {
				res[b.Carry+k] = slices.Repeat(ids, n.Size.C)
			}
		}
		return res
	}
}

// work is about the number of elements that n computes, its bodies included.
func (n *Node) work() float64 {
	w := float64(n.Shape.SizeAt(1))
	for _, b := range n.Body {
		for _, x := range Reachable(b.all()) {
			w += x.work()
		}
	}
	if n.Kind == Loop && n.Size.C > 0 {
		w *= float64(n.Size.C)
	}
	return w
}

func (f *frame) know(n *Node, v []float64) {
	if v != nil {
		f.known[n] = v
	}
}

// elements are those of an integer or bool that can be told without running, else nil: indices.
func (f *frame) elements(n *Node) []float64 {
	if v, ok := f.known[n]; ok {
		return v
	}
	if n.Type.IsFloat() || !n.Shape.Static() || f.at[n] != nil {
		return nil
	}
	if f.known == nil {
		f.known = map[*Node][]float64{}
	}
	v := f.evaluate(n)
	f.known[n] = v
	return v
}

func (f *frame) evaluate(n *Node) []float64 {
	in := make([][]float64, len(n.In))
	for i, x := range n.In {
		if in[i] = f.elements(x); in[i] == nil {
			return nil
		}
	}
	out := make([]float64, size(n))
	switch n.Kind {
	case Const:
		for i := range out {
			out[i] = BitsFloat(n.Type, n.Bits)
		}
	case Data:
		for i := range out {
			out[i] = n.Data.at(n.Type, i)
		}
	case Iota:
		_, run, inner := around(n.Shape.At(1), n.Axes[0], n.Axes[0]+1)
		for i := range out {
			out[i] = float64(i / inner % run)
		}
	case Stop, Alias:
		return in[0]
	case Convert:
		for i, x := range in[0] {
			if out[i] = x; n.Type == dtype.Bool && x != 0 {
				out[i] = 1
			}
		}
	case Place:
		for i := range out {
			out[i] = BitsFloat(n.Type, n.Bits)
		}
		for p := range n.In {
			placed(n, p).each(func(i, at int) {
				if n.Flag {
					out[at] += in[p][i]
				} else {
					out[at] = in[p][i]
				}
			})
		}
	case Take:
		outer, rows, inner := around(n.In[0].Shape.At(1), n.Axes[0], n.Axes[0]+1)
		ids := n.Indices(len(in[1]), outer, inner)
		for i := range out {
			o, c, k := i/inner/ids.Count, i/inner%ids.Count, i%inner
			if r := int(in[1][ids.At(o, c, k)]); r >= 0 && r < rows {
				out[i] = in[0][(o*rows+r)*inner+k]
			}
		}
	case Pointwise:
		row := n.Op.Row()
		if row.Class == ops.Bitwise || row.Class == ops.Float {
			return nil
		}
		for i := range out {
			var x [3]float64
			for k := range in {
				x[k] = in[k][i]
			}
			switch {
			case (n.Op == ops.Div || n.Op == ops.Mod) && x[1] == 0:
			case n.Op == ops.Div:
				out[i] = math.Trunc(x[0] / x[1])
			default:
				out[i] = row.Eval(x[0], x[1], x[2])
			}
		}
	default:
		v := viewed(n)
		if v == nil {
			return nil
		}
		v.each(func(i, at int) { out[i] = in[0][at] })
	}
	for _, x := range out {
		if math.Abs(x) >= 1<<53 || n.Type == dtype.I32 && math.Abs(x) >= 1<<31 { // may have wrapped
			return nil
		}
	}
	return out
}

// at is element i as a float64.
func (a *Array) at(t dtype.Type, i int) float64 {
	switch b := a.Bytes[i*t.Size():]; t.Size() {
	case 1:
		return BitsFloat(t, uint64(b[0]))
	case 4:
		return BitsFloat(t, uint64(binary.NativeEndian.Uint32(b)))
	default:
		return BitsFloat(t, binary.NativeEndian.Uint64(b))
	}
}
