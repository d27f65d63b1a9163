package ir

// A Take of the corners of triangles or the ends of edges, points[corner[n, 3]], is read corner by corner: slices whose points lie three apart,
// which have to be copied side by side before vectors read them. Where all that reads a Take is slices of one place each on the indices' last axis,
// that axis becomes the first: each slice is an array by itself. Single elements are no arrays anyway. This is for graphs that are lowered.

// mostPlaces bounds that axis, leastPart the elements of a slice and mostApart the bytes that lie side by side in one without this, from where on
// copying them costs little.
const (
	mostPlaces = 16
	leastPart  = 256
	mostApart  = 64
)

// TakeApart is outs, which are stripped, with the Takes whose places are read one by one.
func TakeApart(outs []*Node) []*Node {
	nodes := Reachable(outs)
	var apart map[*Node]bool
	for _, n := range nodes {
		if n.apart() {
			if apart == nil {
				apart = map[*Node]bool{}
			}
			apart[n] = true
		}
	}
	if apart == nil {
		return outs
	}
	for _, n := range nodes {
		for _, x := range n.In {
			if apart[x] && !n.onePlace(x) {
				delete(apart, x)
			}
		}
	}
	for _, x := range outs {
		delete(apart, x)
	}
	if len(apart) == 0 {
		return outs
	}
	g := New()
	g.apart = apart
	res, _ := rebuildIn(g, outs, func(*Graph, *Node) *Node { return nil })
	return res
}

// apart reports whether n is a Take that is worth it.
func (n *Node) apart() bool {
	if n.Kind != Take || Indexed(n.Bits) != ForAll || n.In[1].Rank() < 2 {
		return false
	}
	last := n.Axes[0] + n.In[1].Rank() - 1
	inner, ok := n.Shape[last+1:].Size()
	if places := n.Shape[last]; !ok || !inner.Static() || inner.C < 2 || inner.C*n.Type.Size() >= mostApart || !places.Static() || places.C < 2 || places.C > mostPlaces {
		return false
	}
	part, ok := n.Shape[n.Axes[0]:last].Size()
	return !ok || !part.Static() || part.C*inner.C >= leastPart
}

// onePlace reports whether n is a slice of one place of the Take x.
func (n *Node) onePlace(x *Node) bool {
	return n.Kind == Slice && n.Shape[x.Axes[0]+x.In[1].Rank()-1].Is(1)
}

// takeApart is the Take n of x at idx with the indices' last axis before their others.
func (g *Graph) takeApart(n, x, idx *Node) *Node {
	axis, last := n.Axes[0], idx.Rank()-1
	return g.MoveAxis(g.Take(x, g.MoveAxis(idx, last, 0), axis, n.Pos), axis, axis+last)
}
