package runtime

import (
	"encoding/binary"
	"slices"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// lowering turns a stripped graph into steps.
//
// Every node has one of four places: a splat (one value everywhere, known when a batch is bound), a view
// (strides over another node's elements), a root (an array of its own), or the inside of a cluster.
// A node's level is the length of the chain of steps before it; the pointwise nodes of one level and one
// shape, with the reductions of them that share a run of axes, are one cluster.
type lowering struct {
	nodes   []*ir.Node
	outs    []*ir.Node
	force   []bool                  // by ID: a view or constant that must be an array of its own
	gathers []bool                  // by ID: a Take that is a view: who reads it reads by index
	pairs   []bool                  // by ID: a Place whose two pieces are read where they are, as its rows
	parts   []bool                  // by ID: a view of one row of a transform that writes it where it is to be, as an array
	rows    map[*ir.Node][]*ir.Node // of a transform with parts: these, in order
	depth   []int                   // by ID
	cluster []*cluster              // by ID: of inside nodes and fused reductions
	root    []int                   // by ID: number of the root, -1 for the others
	roots   []*ir.Node              // by number
	steps   []step

	grids []bool // by ID: a reshaped view that only products read, through its strides

	placed map[*ir.Node][]placed // nodes that may go straight to their places in others' arrays
	last   map[*ir.Node]bool     // outputs of clusters that no step reads

	shapes map[string]int // numbers of shapes
	name   []byte         // scratch of shape
	runs   map[key]axes   // the axes that a cluster's reductions fold

	checked map[check]bool // what steps look at already

	strands map[key]bool // clusters between a loop and one that goes back through its steps, which fold nothing
}

// key is what the nodes of a cluster have in common: their level and the number of their shape.
type key struct{ level, shape int }

// axes is a run of axes, lo … hi-1.
type axes struct{ lo, hi int }

// step is one unit of a program, the same for every batch.
type step struct {
	level   int
	kind    stepKind
	node    *ir.Node // for all but clusters
	cluster *cluster // of mapStep, and of fusedStep the product's epilogue
}

type stepKind uint8

const (
	goneStep  stepKind = iota
	checkStep          // node's indices are in range; before all others that could run
	fusedStep
	mapStep
	nodeStep
)

// cluster is a fused group: pointwise nodes of one shape and reductions of them.
type cluster struct {
	shape   ir.Shape
	nodes   []*ir.Node // pointwise, converts and copies of views, in order
	reduces []*ir.Node
	fold    axes
}

// placed is piece number piece of the Place at.
type placed struct {
	at    *ir.Node
	piece int
}

func lower(outs []*ir.Node) *lowering {
	l := &lowering{outs: slices.Clone(outs), nodes: ir.Reachable(outs), shapes: map[string]int{}, runs: map[key]axes{}, checked: map[check]bool{}, rows: map[*ir.Node][]*ir.Node{}}
	if len(outs) == 0 {
		return l
	}
	n := len(outs[0].Graph.Nodes)
	l.force, l.depth, l.cluster, l.root = make([]bool, n), make([]int, n), make([]*cluster, n), make([]int, n)
	l.gathers, l.pairs, l.parts = make([]bool, n), make([]bool, n), make([]bool, n)
	l.markGrids()
	l.markGathers()
	l.markPairs()
	l.markForced()
	l.markParts()
	for _, n := range l.nodes {
		l.level(n)
	}
	if l.markStrands() {
		clear(l.runs)
		for _, n := range l.nodes {
			l.level(n)
		}
	}
	l.sink()
	l.group()
	l.fuse()
	l.markRoots()
	slices.SortStableFunc(l.steps, func(a, b step) int {
		if a.level != b.level {
			return a.level - b.level
		}
		return int(a.kind) - int(b.kind)
	})
	l.orderStrands()
	l.markPlaced()
	return l
}

// markPlaced finds the products and the nodes of clusters that are pieces of Places and that no other step reads: they may be
// written where they belong. What lies between is to be sure to succeed, because the array may be the caller's.
func (l *lowering) markPlaced() {
	read := make([]int, len(l.root)) // by ID: how often by other steps and outputs, through reshapes
	at := map[*ir.Node][]placed{}
	source := func(n *ir.Node) *ir.Node {
		for n.Kind == ir.Reshape && l.isView(n) {
			n = n.In[0]
		}
		return n
	}
	for _, n := range l.nodes {
		for i, x := range n.In {
			if n.Kind == ir.Reshape && l.isView(n) || l.inside(n) && !viewKind(n.Kind) && l.cluster[n.ID] == l.cluster[x.ID] {
				continue
			}
			x = source(x)
			read[x.ID]++
			if n.Kind == ir.Place && !n.Flag && !l.pairs[n.ID] {
				at[x] = append(at[x], placed{n, i})
			}
		}
	}
	l.placed, l.last = map[*ir.Node][]placed{}, map[*ir.Node]bool{}
	for _, o := range l.outs {
		l.last[o] = read[o.ID] == 0
		read[o.ID]++
	}
	step := map[*ir.Node]int{}
	risky := make([]int, len(l.steps)+1) // by step: how many before it may fail
	for i, s := range l.steps {
		risky[i+1] = risky[i]
		if n := s.node; s.kind == checkStep || n != nil && (several(n) || n.Kind == ir.Call || n.Kind == ir.Hosted) {
			risky[i+1]++
		}
		if s.node != nil {
			step[s.node] = i
		}
	}
	for i, s := range l.steps {
		var nodes []*ir.Node
		switch {
		case s.kind == mapStep && len(s.cluster.reduces) == 0:
			nodes = s.cluster.nodes
		case s.kind == nodeStep && s.node.Kind == ir.MatMul:
			nodes = []*ir.Node{s.node}
		}
		for _, n := range nodes {
			p := at[n]
			late := func(p placed) bool { return risky[step[p.at]] > risky[i] }
			if len(p) > 0 && len(p) == read[n.ID] && n.Type.Size() >= 4 && !viewKind(n.Kind) && !slices.ContainsFunc(p, late) {
				l.placed[n] = p
			}
		}
	}
}

// markForced finds the views that somebody needs as contiguous arrays.
func (l *lowering) markForced() {
	need := func(n *ir.Node) { l.force[n.ID] = l.force[n.ID] || !l.contiguous(n) || l.isSplat(n) }
	for _, n := range l.nodes {
		switch n.Kind {
		case ir.Take:
			need(n.In[1])
			if !l.gathers[n.ID] || gatheredRow(n) > 1 {
				need(n.In[0])
			}
		case ir.Scatter, ir.Fold, ir.Cumulate, ir.Call, ir.Hosted, ir.Loop, ir.Branch, ir.Rewind:
			for _, x := range n.In {
				need(x)
			}
		case ir.Reduce:
			if n.Reduction >= ir.ArgMax {
				need(n.In[0])
			}
		case ir.MatMul:
			for i, x := range n.In {
				if !l.matrix(x) && (i > 0 || l.grid(n) == nil) || i > 0 && n.Step != nil && !l.contiguous(x) {
					need(x)
				}
			}
		case ir.Reshape:
			if x := n.In[0]; !l.contiguous(x) && !l.grids[n.ID] && !onesOnly(x.Shape, n.Shape) {
				need(x)
			}
		}
	}
	// An output that is another array's elements in order is that array.
	for i, o := range l.outs {
		need(o)
		for l.isView(o) {
			o = o.In[0]
		}
		l.outs[i] = o
	}
}

func viewKind(k ir.Kind) bool {
	return k == ir.Broadcast || k == ir.Transpose || k == ir.Slice || k == ir.Reverse || k == ir.Reshape || k == ir.Windows
}

func (l *lowering) isView(n *ir.Node) bool {
	return viewKind(n.Kind) && !l.force[n.ID] || l.gathers[n.ID]
}

// users are, by ID, who reads a node: nil is the caller.
func (l *lowering) users() [][]*ir.Node {
	users := make([][]*ir.Node, len(l.gathers))
	for _, n := range l.nodes {
		for _, x := range n.In {
			users[x.ID] = append(users[x.ID], n)
		}
	}
	for _, o := range l.outs {
		users[o.ID] = append(users[o.ID], nil)
	}
	return users
}

// gatheredRow is the number of elements that the Take n has for each index, 0 where the batch says.
func gatheredRow(n *ir.Node) int {
	row, ok := n.Shape[n.Axes[0]+n.In[1].Rank():].Size()
	if !ok || !row.Static() {
		return 0
	}
	return row.C
}

// leastRow is the bytes of a row from which on clusters read rows where they lie.
const leastRow = 64

// markGathers finds the Takes that only pointwise nodes read, one element for each index or rows that are as they come, so that they
// need not go through memory.
func (l *lowering) markGathers() {
	if !slices.ContainsFunc(l.nodes, func(n *ir.Node) bool { return n.Kind == ir.Take }) {
		return
	}
	users := l.users()
	// along says which axes are the indices'; those of size 1 do not matter.
	var read func(n *ir.Node, along []bool) bool
	read = func(n *ir.Node, along []bool) bool {
		for _, u := range users[n.ID] {
			switch {
			case u == nil:
				return false
			case u.Kind == ir.Slice:
				for a, d := range u.Shape {
					if along[a] && d != n.Shape[a] {
						return false
					}
				}
				if !read(u, along) {
					return false
				}
			case u.Kind == ir.Reshape && onesOnly(n.Shape, u.Shape):
				next, b := make([]bool, u.Rank()), 0
				for a, d := range n.Shape {
					if d.Is(1) {
						continue
					}
					for u.Shape[b].Is(1) {
						b++
					}
					next[b] = along[a]
					b++
				}
				if !read(u, next) {
					return false
				}
			case u.Kind == ir.Pointwise || u.Kind == ir.Convert:
				for a, d := range n.Shape {
					if !along[a] && !d.Is(1) {
						return false
					}
				}
			default:
				return false
			}
		}
		return true
	}
	for _, n := range l.nodes {
		if n.Kind != ir.Take || ir.Indexed(n.Bits) != ir.ForAll || n.Type.Size() < 4 || l.isSplat(n.In[0]) {
			continue
		}
		if gatheredRow(n)*n.Type.Size() >= leastRow {
			count, ok := n.In[1].Shape.Size()
			l.gathers[n.ID] = ok && !count.Is(1) && !slices.ContainsFunc(users[n.ID], func(u *ir.Node) bool {
				return u == nil || u.Kind != ir.Pointwise && u.Kind != ir.Convert
			})
		} else {
			along := make([]bool, n.Rank())
			for a := range n.In[1].Rank() {
				along[n.Axes[0]+a] = true
			}
			l.gathers[n.ID] = read(n, along)
		}
	}
}

// markPairs finds the real and imaginary parts, each an array, that only Fourier transforms read, as two rows.
func (l *lowering) markPairs() {
	whole := func(n *ir.Node) bool {
		if r := n.Rank(); n.Kind == ir.Place && !n.Flag && len(n.In) == 2 && r >= 2 {
			row := slices.Clone(n.Shape)
			row[r-2] = ir.D(1)
			for i, x := range n.In {
				if !x.Shape.Equal(row) || !n.Start[i*r+r-2].Is(i) || !l.contiguous(x) || l.isSplat(x) {
					return false
				}
			}
			return n.Shape[r-2].Is(2)
		}
		return false
	}
	for _, n := range l.nodes {
		if isFFT(n) && whole(n.In[0]) {
			l.pairs[n.In[0].ID] = true
		}
	}
	for _, n := range l.nodes {
		for _, x := range n.In {
			l.pairs[x.ID] = l.pairs[x.ID] && isFFT(n)
		}
	}
	for _, o := range l.outs {
		l.pairs[o.ID] = false
	}
}

// markParts finds the transforms that nobody reads but as two rows, which have to be arrays.
func (l *lowering) markParts() {
	if !slices.ContainsFunc(l.nodes, isFFT) {
		return
	}
	users := l.users()
	// whole is the array that row, of n, has to be, nil where it is something else.
	whole := func(n, row *ir.Node) *ir.Node {
		r, one := n.Rank(), slices.Clone(n.Shape)
		one[r-2] = ir.D(1)
		if row == nil || row.Kind != ir.Slice || l.force[row.ID] || !row.Shape.Equal(one) || len(users[row.ID]) != 1 {
			return nil
		}
		if u := users[row.ID][0]; u != nil && u.Kind == ir.Reshape && l.force[u.ID] && onesOnly(one, u.Shape) {
			return u
		}
		return nil
	}
	for _, n := range l.nodes {
		if u := users[n.ID]; isFFT(n) && len(u) == 2 {
			if a, b := whole(n, u[0]), whole(n, u[1]); a != nil && b != nil {
				if a.In[0].Start[n.Rank()-2].Is(1) {
					a, b = b, a
				}
				l.parts[a.ID], l.parts[b.ID] = true, true
				l.rows[n] = []*ir.Node{a, b}
			}
		}
	}
}

// results are the arrays that n's step makes, one or, of a transform that others read by rows, those in order.
func (l *lowering) results(n *ir.Node) []*ir.Node {
	if rows := l.rows[n]; rows != nil {
		return rows
	}
	return []*ir.Node{n}
}

// arrays are what a step reads as x.
func (l *lowering) arrays(x *ir.Node) []*ir.Node {
	if l.pairs[x.ID] {
		return x.In
	}
	return []*ir.Node{x}
}

// isSplat reports whether n has one value everywhere that needs no array.
func (l *lowering) isSplat(n *ir.Node) bool {
	if l.force[n.ID] {
		return false
	}
	return n.Kind == ir.Const || n.Kind == ir.DimSize || viewKind(n.Kind) && l.isSplat(n.In[0])
}

// contiguous reports whether n's elements lie one behind the other.
func (l *lowering) contiguous(n *ir.Node) bool {
	return !l.isView(n) || n.Kind == ir.Reshape && l.contiguous(n.In[0])
}

// matrix reports whether GEMM reads n in place: contiguous, or that with the last two axes exchanged.
func (l *lowering) matrix(n *ir.Node) bool {
	if n.Kind == ir.Transpose && !l.force[n.ID] {
		for i, a := range n.Axes[:len(n.Axes)-2] {
			if i != a {
				return false
			}
		}
		n = n.In[0]
	}
	return l.contiguous(n) && !l.isSplat(n)
}

// onesOnly reports whether s becomes t by adding and dropping axes of size 1.
func onesOnly(s, t ir.Shape) bool {
	drop := func(s ir.Shape) ir.Shape {
		return slices.DeleteFunc(slices.Clone(s), func(d ir.Dim) bool { return d.Is(1) })
	}
	return drop(s).Equal(drop(t))
}

// inside reports whether n is computed inside a cluster.
func (l *lowering) inside(n *ir.Node) bool {
	switch n.Kind {
	case ir.Pointwise, ir.Convert:
		return true
	case ir.Const, ir.DimSize:
		return l.force[n.ID]
	}
	return viewKind(n.Kind) && l.force[n.ID] && !l.parts[n.ID]
}

func folds(n *ir.Node) bool { return n.Kind == ir.Reduce && n.Reduction < ir.ArgMax }

// key names the cluster of a level and a shape.
func (l *lowering) key(level int, s ir.Shape) key {
	l.name = l.name[:0]
	for _, d := range s {
		l.name = binary.AppendVarint(binary.AppendVarint(l.name, int64(d.C)), int64(d.B))
	}
	number, ok := l.shapes[string(l.name)]
	if !ok {
		number = len(l.shapes)
		l.shapes[string(l.name)] = number
	}
	return key{level, number}
}

// level gives n its level.
func (l *lowering) level(n *ir.Node) {
	d := 0
	for _, x := range n.In {
		d = max(d, l.depth[x.ID])
	}
	switch {
	case l.inside(n):
		d = 1
		for _, x := range n.In {
			if l.inside(x) && !viewKind(n.Kind) {
				d = max(d, l.depth[x.ID])
			} else {
				d = max(d, l.depth[x.ID]+1)
			}
		}
	case folds(n):
		// With what it reduces, if that is in a cluster that folds the same axes or none yet.
		x, fold := n.In[0], axes{n.Axes[0], n.Axes[1]}
		k := l.key(d, x.Shape)
		if old, ok := l.runs[k]; !l.inside(x) || ok && old != fold || l.strands[k] {
			d++
			break
		}
		l.runs[k] = fold
	case l.isSplat(n) || l.isView(n) || l.pairs[n.ID] || l.parts[n.ID] || n.Kind == ir.Param || n.Kind == ir.Data || n.Kind == ir.Out:
	default:
		d++
	}
	l.depth[n.ID] = d
}

// sink moves pointwise nodes that only one later cluster reads into it, so that nothing of them reaches
// memory.
func (l *lowering) sink() {
	const unused, many = 0, -1
	at := make([]int, len(l.depth)) // by ID: the level of all users, if they are pointwise
	for _, o := range l.outs {
		at[o.ID] = many
	}
	for _, n := range slices.Backward(l.nodes) {
		pointwise := n.Kind == ir.Pointwise || n.Kind == ir.Convert
		if pointwise && at[n.ID] > l.depth[n.ID] {
			l.depth[n.ID] = at[n.ID]
		}
		for _, x := range n.In {
			switch d := l.depth[n.ID]; {
			case !pointwise || at[x.ID] != unused && at[x.ID] != d:
				at[x.ID] = many
			default:
				at[x.ID] = d
			}
		}
	}
}

// group makes the steps.
func (l *lowering) group() {
	clusters := map[key]*cluster{}
	var last *cluster
	at := 0 // its level
	get := func(level int, s ir.Shape) (c *cluster) {
		if last != nil && at == level && last.shape.Equal(s) {
			return last
		}
		defer func() { last, at = c, level }()
		k := l.key(level, s)
		if c = clusters[k]; c == nil {
			c = &cluster{shape: s}
			clusters[k] = c
			l.steps = append(l.steps, step{level: level, kind: mapStep, cluster: c})
		}
		return c
	}
	for _, n := range l.nodes {
		d := l.depth[n.ID]
		switch {
		case l.inside(n):
			c := get(d, n.Shape)
			c.nodes = append(c.nodes, n)
			l.cluster[n.ID] = c
		case folds(n):
			x, fold := n.In[0], axes{n.Axes[0], n.Axes[1]}
			var c *cluster
			if l.inside(x) && l.depth[x.ID] == d {
				c = get(d, x.Shape)
			} else {
				c = &cluster{shape: x.Shape}
				l.steps = append(l.steps, step{level: d, kind: mapStep, cluster: c})
			}
			c.fold = fold
			c.reduces = append(c.reduces, n)
			l.cluster[n.ID] = c
		case l.gathers[n.ID]:
			l.check(n)
		case l.isSplat(n) || l.isView(n) || l.pairs[n.ID] || l.parts[n.ID] || n.Kind == ir.Param || n.Kind == ir.Data || n.Kind == ir.Out:
		default:
			if n.Kind == ir.Take || n.Kind == ir.Scatter {
				l.check(n)
			}
			l.steps = append(l.steps, step{level: d, kind: nodeStep, node: n})
		}
	}
}

// fuse makes clusters epilogues: one that reduces nothing and reads a product of the level before runs on
// the product's blocks while they are in cache. The product then runs in the cluster's level, first.
func (l *lowering) fuse() {
	products := map[*ir.Node]int{} // to their steps
	for i, s := range l.steps {
		if s.kind == nodeStep && s.node.Kind == ir.MatMul {
			products[s.node] = i
		}
	}
	fused := map[int][]step{} // by level
	for i := range l.steps {
		s := &l.steps[i]
		if s.kind != mapStep || len(s.cluster.reduces) > 0 {
			continue
		}
		reads := l.sources(s.cluster)
		if x := l.productFor(s, reads, products, fused[s.level]); x != nil {
			l.steps[products[x]].kind = goneStep
			delete(products, x)
			s.kind, s.node = fusedStep, x
			fused[s.level] = append(fused[s.level], *s)
		}
	}
	l.steps = slices.DeleteFunc(l.steps, func(s step) bool { return s.kind == goneStep })
}

// productFor finds the product that s may be the epilogue of. What is fused in one level already may not
// read that product, nor s what that computes.
func (l *lowering) productFor(s *step, reads map[*ir.Node]access, products map[*ir.Node]int, fused []step) *ir.Node {
	for _, f := range fused {
		if reads[f.node] != 0 {
			return nil
		}
	}
	for _, n := range s.cluster.nodes {
		for _, x := range n.In {
			for x.Kind == ir.Reshape && l.isView(x) {
				x = x.In[0]
			}
			_, ok := products[x]
			if !ok || reads[x] != direct || l.depth[x.ID] != s.level-1 {
				continue
			}
			if !slices.ContainsFunc(fused, func(f step) bool { return l.sources(f.cluster)[x] != 0 }) {
				return x
			}
		}
	}
	return nil
}

// access is how a cluster reads an array.
type access uint8

const (
	direct access = 1 + iota // element by element
	strided
)

// sources lists the arrays that c reads.
func (l *lowering) sources(c *cluster) map[*ir.Node]access {
	reads := map[*ir.Node]access{}
	for _, n := range c.nodes {
		for _, x := range n.In {
			if l.cluster[x.ID] == c && l.inside(x) && !viewKind(n.Kind) {
				continue
			}
			how := direct
			if viewKind(n.Kind) {
				how = strided
			}
			for l.isView(x) {
				if l.gathers[x.ID] {
					i := x.In[1]
					for l.isView(i) {
						i = i.In[0]
					}
					reads[i] = strided
				}
				if x.Kind != ir.Reshape { // that of an array is the array's elements in order
					how = strided
				}
				x = x.In[0]
			}
			reads[x] = max(reads[x], how)
		}
	}
	return reads
}

// check is of indices into an axis of size below.
type check struct {
	indices *ir.Node
	below   ir.Dim
}

func (l *lowering) check(n *ir.Node) {
	what := check{indices(n), indexed(n)}
	if knownIndices(n) || l.checked[what] {
		return
	}
	l.checked[what] = true
	l.steps = append(l.steps, step{level: l.depth[indices(n).ID] + 1, kind: checkStep, node: n})
}

// indicesOf are those that a view shows a Take of elements by, nil where it does not.
func (l *lowering) indicesOf(n *ir.Node) *ir.Node {
	for l.isView(n) {
		if l.gathers[n.ID] {
			if gatheredRow(n) > 1 { // addresses of rows, not a vector of indices
				return nil
			}
			return n.In[1]
		}
		n = n.In[0]
	}
	return nil
}

// indices is the operand that holds indices.
func indices(n *ir.Node) *ir.Node {
	if n.Kind == ir.Scatter {
		return n.In[0]
	}
	return n.In[1]
}

// markRoots numbers the nodes that need arrays: inputs, the results of all steps but clusters, and of
// clusters what somebody outside reads.
func (l *lowering) markRoots() {
	need := make([]bool, len(l.root))
	for _, n := range l.nodes {
		if !l.inside(n) && !l.isSplat(n) && !l.isView(n) && !l.pairs[n.ID] && !several(n) && l.rows[n] == nil {
			need[n.ID] = true
		}
		for _, x := range n.In {
			if l.inside(x) && (l.cluster[n.ID] != l.cluster[x.ID] || viewKind(n.Kind)) {
				need[x.ID] = true
			}
		}
	}
	for _, o := range l.outs {
		need[o.ID] = true
	}
	for i := range l.root {
		l.root[i] = -1
	}
	for _, n := range l.nodes {
		if need[n.ID] {
			l.root[n.ID] = len(l.roots)
			l.roots = append(l.roots, n)
		}
	}
}
