package ir

import "slices"

// Windows lays windows over the axes lo, lo+1, … of x, one for each of size: window o of axis a begins at
// o·stride[a] and has the size[a] elements that are dilation[a] apart; as many as fit. The result's shape is
// x[:lo], the numbers of windows, their sizes, the rest of x. It is a view.
func (g *Graph) Windows(op string, x *Node, lo int, size, stride, dilation []int) *Node {
	k := len(size)
	if lo < 0 || lo+k > x.Rank() || len(stride) != k || len(dilation) != k {
		Fail(op, "%v: windows of %d axes from %d on", x.Shape, k, lo)
	}
	outs := make(Shape, k)
	moved, single := false, true
	for a, d := range x.Shape[lo : lo+k] {
		if size[a] < 1 || stride[a] < 1 || dilation[a] < 1 {
			Fail(op, "%v: windows of %v, stride %v, dilation %v: positive numbers are needed", x.Shape, size, stride, dilation)
		}
		n, ok := WindowCount(d, size[a], stride[a], dilation[a])
		if !ok {
			if d.Static() {
				Fail(op, "%v: axis %d of size %v has no room for a window of %d elements, %d apart", x.Shape, lo+a, d, size[a], dilation[a])
			}
			Fail(op, "%v: axis %d of size %v has a number of windows, in steps of %d, that is not linear in the batch", x.Shape, lo+a, d, stride[a])
		}
		outs[a] = n
		single = single && size[a] == 1
		moved = moved || stride[a] != 1
	}
	s := slices.Concat(x.Shape[:lo], outs, Static(size...), x.Shape[lo+k:])
	s.Check(op)
	switch {
	case x.Kind == Const:
		return g.Bits(x.Type, s, x.Bits)
	case single:
		if moved {
			start, step, span := wholeSpan(x.Shape)
			copy(step[lo:], stride)
			copy(span[lo:], outs)
			x = g.Slice(x, start, step, span)
		}
		return g.Reshape(x, s)
	}
	return g.add(Node{Kind: Windows, Type: x.Type, Shape: s, In: []*Node{x}, Axes: []int{lo, lo + k}, Step: slices.Concat(stride, dilation)})
}

// WindowCount is how many windows an axis of size d holds; ok is false where that is none for some batch, or not
// affine in the batch.
func WindowCount(d Dim, size, stride, dilation int) (n Dim, ok bool) {
	room := d.C - ((size-1)*dilation + 1)
	if d.B < 0 || room+d.B < 0 || d.B%stride != 0 {
		return Dim{}, false
	}
	return Dim{floorDiv(room, stride) + 1, d.B / stride}, true
}

func floorDiv(n, d int) int {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}

// Fold is the transpose of Windows: zeros of shape s, to which each element of x, of the shape that Windows
// makes of s, is added where it came from, the windows' elements in order.
func (g *Graph) Fold(op string, x *Node, s Shape, lo int, stride, dilation []int) *Node {
	k := len(stride)
	s.Check(op)
	var size []int
	ok := lo >= 0 && lo+k <= len(s) && x.Rank() == len(s)+k && len(dilation) == k
	if ok {
		for _, d := range x.Shape[lo+k : lo+2*k] {
			ok = ok && d.Static() && d.C > 0
			size = append(size, d.C)
		}
	}
	want := Shape(nil)
	if ok {
		want = slices.Clone(s[:lo])
		for a, d := range s[lo : lo+k] {
			n, fits := WindowCount(d, size[a], stride[a], dilation[a])
			ok = ok && fits
			want = append(want, n)
		}
		want = slices.Concat(want, Static(size...), s[lo+k:])
	}
	if !ok || !x.Shape.Equal(want) || !x.Type.IsFloat() {
		Fail(op, "%v %v into %v: not the windows of that, of floats", x.Type, x.Shape, s)
	}
	if x.IsConst(0) {
		return g.Bits(x.Type, s, x.Bits)
	}
	if x.Type.IsHalf() {
		return g.inSingle(x, func(x *Node) *Node { return g.Fold(op, x, s, lo, stride, dilation) })
	}
	return g.add(Node{Kind: Fold, Type: x.Type, Shape: slices.Clone(s), In: []*Node{x}, Axes: []int{lo, lo + k}, Step: slices.Concat(stride, dilation)})
}

// windowed is what Windows or Fold n was made with; size is that of the windows.
func (n *Node) windowed() (lo int, size, stride, dilation []int) {
	lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
	s := n.Shape
	if n.Kind == Fold {
		s = n.In[0].Shape
	}
	return lo, s[lo+k : lo+2*k].At(0), n.Step[:k], n.Step[k:]
}

// overWindows makes the same windows over x, or folds x to s by the same windows, lead axes further right.
func (g *Graph) overWindows(n, x *Node, lead int) *Node {
	lo, size, stride, dilation := n.windowed()
	return g.Windows("Windows", x, lo+lead, size, stride, dilation)
}

func (g *Graph) foldWindows(n, x *Node, s Shape, lead int) *Node {
	lo, _, stride, dilation := n.windowed()
	return g.Fold("Fold", x, s, lo+lead, stride, dilation)
}
