package ir

import "slices"

// Vmap rebuilds outs with batched[i], of shape [n] + holes[i]'s, in the place of holes[i]: each result has
// a new leading axis of size n. What does not depend on a hole stays as it is and is repeated only
// where it meets something batched.
func (g *Graph) Vmap(outs, holes, batched []*Node, n Dim) []*Node {
	v := newVmap(g, n)
	for i, h := range holes {
		if want := v.shape(h.Shape); !batched[i].Shape.Equal(want) || batched[i].Type != h.Type {
			Fail("Vmap", "%v %v: an argument of %v %v is needed", batched[i].Type, batched[i].Shape, h.Type, want)
		}
		v.at[h] = batched[i]
	}
	v.run(outs)
	res := make([]*Node, len(outs))
	for i, o := range outs {
		res[i] = v.lift(o)
	}
	return res
}

type vmap struct {
	*Graph
	n       Dim
	at      map[*Node]*Node   // the batched counterpart; none: the node does not depend on a hole
	results map[*Node][]*Node // those of the results of Loops and Branches that depend on one
}

func newVmap(g *Graph, n Dim) *vmap {
	return &vmap{Graph: g, n: n, at: map[*Node]*Node{}, results: map[*Node][]*Node{}}
}

// run finds the counterparts of what outs need.
func (v *vmap) run(outs []*Node) {
	nodes := Reachable(outs)
	p := newPruning(nodes)
	follow := v.follow()
	for _, x := range nodes {
		follow(x)
		if x.Kind == Out {
			if of, k := p.result(x); v.results[of] != nil {
				v.at[x] = v.results[of][k]
			}
			continue
		}
		if v.at[x] != nil || !slices.ContainsFunc(x.In, func(in *Node) bool { return v.at[in] != nil }) {
			continue
		}
		start := len(v.Nodes)
		switch x.Kind {
		case Loop:
			if of := p.standIn(x); v.results[of] == nil {
				vmapLoop(v, of)
			}
			continue
		case Branch:
			vmapBranch(v, x)
			continue
		case Rewind:
			vmapRewind(v, x)
			continue
		}
		rule := vmapRules[x.Kind]
		if rule == nil {
			Fail("Vmap", "%v: no rule for %s", x.Shape, x.Name())
		}
		v.at[x] = rule(v, x)
		v.inherit(start, x)
	}
}

func (v *vmap) shape(s Shape) Shape { return slices.Concat(Shape{v.n}, s) }

// lift is x's counterpart, repeated where it does not depend on a hole.
func (v *vmap) lift(x *Node) *Node {
	if b := v.at[x]; b != nil {
		return b
	}
	return v.repeat(x)
}

func (v *vmap) repeat(x *Node) *Node {
	return v.Broadcast(v.Reshape(x, slices.Concat(ones(1), x.Shape)), v.shape(x.Shape))
}

// vmapRules holds one rule per kind: the counterpart of a node with at least one batched operand.
var vmapRules = [NumKinds]func(v *vmap, x *Node) *Node{
	Pointwise: vmapCopy,
	Convert:   vmapCopy,
	Broadcast: vmapCopy,
	Reshape:   vmapCopy,
	Transpose: func(v *vmap, x *Node) *Node {
		return v.Transpose(v.at[x.In[0]], append([]int{0}, later(x.Axes)...))
	},
	Slice:   vmapCopy,
	Reverse: vmapCopy,
	Windows: func(v *vmap, x *Node) *Node { return v.overWindows(x, v.at[x.In[0]], 1) },
	Fold: func(v *vmap, x *Node) *Node {
		return v.foldWindows(x, v.at[x.In[0]], v.shape(x.Shape), 1)
	},
	Place:    vmapCopy,
	Take:     vmapTake,
	Scatter:  vmapScatter,
	Reduce:   vmapCopy,
	Cumulate: vmapCopy,
	MatMul:   vmapMatMul,
	Call:     vmapCall,
	Hosted:   vmapHost,
	Stop:     vmapCopy,
	Alias:    func(v *vmap, x *Node) *Node { return v.at[x.In[0]] }, // derivatives by it are nodes already
}

// vmapCopy is the same node one axis further right.
func vmapCopy(v *vmap, x *Node) *Node {
	c := *x
	c.Shape = v.shape(x.Shape)
	c.Axes = later(x.Axes)
	if x.Kind == Slice || x.Kind == Place {
		c.Start, c.Step = nil, nil
		r := x.Rank()
		for i := range x.In {
			c.Start = append(append(c.Start, D(0)), x.Start[i*r:(i+1)*r]...)
			c.Step = append(append(c.Step, 1), x.Step[i*r:(i+1)*r]...)
		}
	}
	in := make([]*Node, len(x.In))
	for i, y := range x.In {
		in[i] = v.lift(y)
	}
	return v.Copy(&c, in)
}

func later(axes []int) []int {
	res := make([]int, len(axes))
	for i, a := range axes {
		res[i] = a + 1
	}
	return res
}

func vmapTake(v *vmap, n *Node) *Node {
	x, idx, a := n.In[0], n.In[1], n.Axes[0]
	bx, bi := v.at[x], v.at[idx]
	switch {
	case Indexed(n.Bits) != ForAll:
		return v.take(v.lift(x), v.lift(idx), a+1, Indexed(n.Bits), n.Pos)
	case bi == nil:
		return v.Take(bx, idx, a+1, n.Pos)
	case bx == nil: // x[:a] + n + idx + x[a+1:]
		return v.MoveAxis(v.Take(x, bi, a, n.Pos), a, 0)
	}
	y := v.take(v.MoveAxis(bx, a+1, 1), bi, 1, ForRows, n.Pos) // n + idx + x[:a] + x[a+1:]
	return v.Transpose(y, indexBack(a, idx.Rank(), y.Rank()))
}

// indexBack is the permutation that takes n + idx + pre + post to n + pre + idx + post, for pre of a axes.
func indexBack(a, idx, rank int) []int {
	return slices.Concat([]int{0}, axisRange(1+idx, 1+idx+a), axisRange(1, 1+idx), axisRange(1+idx+a, rank))
}

func vmapScatter(v *vmap, n *Node) *Node {
	idx, upd, a := n.In[0], n.In[1], n.Axes[0]
	bi, bu := v.at[idx], v.lift(upd)
	var bx *Node
	if len(n.In) > 2 {
		bx = v.lift(n.In[2])
	}
	switch {
	case Indexed(n.Bits) != ForAll:
		return v.scatter(v.shape(n.Shape), v.lift(idx), bu, bx, a+1, Indexed(n.Bits), n.Pos)
	case bi == nil:
		return v.scatter(v.shape(n.Shape), idx, bu, bx, a+1, ForAll, n.Pos)
	}
	bu = v.Transpose(bu, inverse(indexBack(a, idx.Rank(), bu.Rank())))
	if bx != nil {
		bx = v.MoveAxis(bx, a+1, 1)
	}
	y := v.scatter(slices.Concat(Shape{v.n, n.Shape[a]}, n.Shape.Drop(a, a+1)), bi, bu, bx, 1, ForRows, n.Pos)
	return v.MoveAxis(y, 1, a+1)
}

// vmapMatMul folds the batch into the rows where one side is shared, so that it stays one product.
func vmapMatMul(v *vmap, n *Node) *Node {
	x, y := n.In[0], n.In[1]
	bx, by := v.at[x], v.at[y]
	if n.Rank() == 2 {
		switch {
		case by == nil:
			if rows, ok := bx.Shape[:2].Size(); ok {
				step := n.Step
				if n.Flag { // the batch's windows are no columns of one matrix
					step = nil
				}
				z := v.productBy(v.Reshape(bx, Shape{rows, bx.Shape[2]}), y, step, false)
				return v.Reshape(z, v.shape(n.Shape))
			}
		case bx == nil && y.Shape[1].Is(1): // n columns are n rows, transposed
			z := v.product(v.Reshape(by, by.Shape[:2]), v.swapLast(x))
			return v.Reshape(z, v.shape(n.Shape))
		}
	}
	return v.product(v.lift(x), v.lift(y))
}
