package runtime

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// lowering turns a stripped graph into steps.
//
// Every node gets one of four places: a splat (one value everywhere, known when a batch is bound), a view
// (strides over another node's elements), a root (an array of its own), or the inside of a cluster.
// A node's level is the length of the chain of steps before it; the pointwise nodes of one level and one
// shape, with the reductions of them that share a run of axes, are one cluster.
type lowering struct {
	level    *kernels.Level
	nodes    []*ir.Node
	outs     []*ir.Node
	force    []bool     // by ID: a view that must be an array of its own
	depth    []int      // by ID
	cluster  []*cluster // by ID: of pointwise nodes, copies and fused reductions
	root     []bool     // by ID: an array of its own
	clusters map[string]*cluster
	steps    []step
}

// step is one unit of a program, the same for every batch.
type step struct {
	level   int
	node    *ir.Node // for all but clusters
	cluster *cluster
}

// cluster is a fused group: pointwise nodes of one shape and reductions of them.
type cluster struct {
	shape   ir.Shape
	nodes   []*ir.Node // pointwise, converts and copies of views, in order
	reduces []*ir.Node
	loads   []*ir.Node // what reductions read that is not of nodes
	lo, hi  int        // the axes that reduces fold
}

func lower(level *kernels.Level, outs []*ir.Node) *lowering {
	l := &lowering{level: level, outs: outs, nodes: ir.Reachable(outs), clusters: map[string]*cluster{}}
	if len(outs) == 0 {
		return l
	}
	n := len(outs[0].Graph.Nodes)
	l.force, l.root = make([]bool, n), make([]bool, n)
	l.depth, l.cluster = make([]int, n), make([]*cluster, n)
	l.markForced()
	for _, n := range l.nodes {
		l.place(n)
	}
	l.markRoots()
	slices.SortStableFunc(l.steps, func(a, b step) int { return a.level - b.level })
	return l
}

// markForced finds the views that somebody needs as contiguous arrays.
func (l *lowering) markForced() {
	need := func(n *ir.Node) { l.force[n.ID] = true }
	for _, n := range l.nodes {
		switch n.Kind {
		case ir.Take, ir.Scatter, ir.Place, ir.CumSum:
			for _, x := range n.In {
				need(x)
			}
		case ir.Reduce:
			if n.Reduction >= ir.ArgMax {
				need(n.In[0])
			}
		case ir.MatMul:
			for _, x := range n.In {
				if !l.matrix(x) {
					need(x)
				}
			}
		case ir.Reshape:
			if x := n.In[0]; !l.contiguous(x) && !onesOnly(x.Shape, n.Shape) {
				need(x)
			}
		}
	}
	for _, o := range l.outs {
		need(o)
	}
}

func viewKind(k ir.Kind) bool {
	return k == ir.Broadcast || k == ir.Transpose || k == ir.Slice || k == ir.Reverse || k == ir.Reshape
}

func (l *lowering) isView(n *ir.Node) bool { return viewKind(n.Kind) && !l.force[n.ID] }

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
	if n.Kind == ir.Const || n.Kind == ir.DimSize {
		return false
	}
	if n.Kind == ir.Transpose {
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
	return viewKind(n.Kind) && l.force[n.ID]
}

// place gives n its level and its step.
func (l *lowering) place(n *ir.Node) {
	d := 0
	for _, x := range n.In {
		d = max(d, l.depth[x.ID])
	}
	switch {
	case l.inside(n):
		d = 0
		for _, x := range n.In {
			if l.cluster[x.ID] != nil && l.inside(x) && !viewKind(n.Kind) {
				d = max(d, l.depth[x.ID])
			} else {
				d = max(d, l.depth[x.ID]+1)
			}
		}
		l.join(n, max(d, 1))
	case l.isSplat(n) || l.isView(n) || n.Kind == ir.Param || n.Kind == ir.Data:
		l.depth[n.ID] = d
	case n.Kind == ir.Reduce && n.Reduction < ir.ArgMax:
		l.fold(n, d)
	default:
		l.depth[n.ID] = d + 1
		l.root[n.ID] = true
		l.steps = append(l.steps, step{level: d + 1, node: n})
	}
}

// join puts a pointwise node into the cluster of its level and shape.
func (l *lowering) join(n *ir.Node, level int) {
	key := string(rune(level)) + n.Shape.String()
	c := l.clusters[key]
	if c == nil {
		c = &cluster{shape: n.Shape}
		l.clusters[key] = c
		l.steps = append(l.steps, step{level: level, cluster: c})
	}
	c.nodes = append(c.nodes, n)
	l.cluster[n.ID] = c
	l.depth[n.ID] = level
}

// fold puts a reduction into the cluster of what it reduces, or into one of its own where that one folds
// other axes or what it reduces is an array already.
func (l *lowering) fold(n *ir.Node, d int) {
	x := n.In[0]
	c := l.cluster[x.ID]
	if c == nil || !l.inside(x) || len(c.reduces) > 0 && (c.lo != n.Axes[0] || c.hi != n.Axes[1]) {
		d++
		c = &cluster{shape: x.Shape, loads: []*ir.Node{x}}
		l.steps = append(l.steps, step{level: d, cluster: c})
	}
	c.lo, c.hi = n.Axes[0], n.Axes[1]
	c.reduces = append(c.reduces, n)
	l.cluster[n.ID] = c
	l.root[n.ID] = true
	l.depth[n.ID] = d
}

// markRoots finds the pointwise nodes that somebody outside their cluster reads.
func (l *lowering) markRoots() {
	for _, n := range l.nodes {
		for _, x := range n.In {
			if !l.inside(x) {
				continue
			}
			same := l.cluster[n.ID] == l.cluster[x.ID] && !viewKind(n.Kind)
			if !same {
				l.root[x.ID] = true
			}
		}
		if n.Kind == ir.Param || n.Kind == ir.Data {
			l.root[n.ID] = true
		}
	}
	for _, o := range l.outs {
		l.root[o.ID] = true
	}
}

// maxSize is the largest element that c works on.
func (c *cluster) maxSize() int {
	size := 4
	for _, list := range [][]*ir.Node{c.nodes, c.reduces, c.loads} {
		for _, n := range list {
			size = max(size, n.Type.Size())
			for _, x := range n.In {
				size = max(size, x.Type.Size())
			}
		}
	}
	return size
}

// tileOf is the kernel of a node inside a cluster; nil for a copy.
func (l *lowering) tileOf(n *ir.Node) kernels.Tile {
	switch n.Kind {
	case ir.Pointwise:
		return l.level.Tile(n.Op, n.In[len(n.In)-1].Type)
	case ir.Convert:
		if f := l.level.ConvertTile(n.In[0].Type, n.Type); f != nil && n.In[0].Type != dtype.Invalid {
			return f
		}
	}
	return nil
}
