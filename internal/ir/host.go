package ir

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Host is a user's function of arrays, computed by Go. Its results lie one behind the other, in one type.
//
// A node of it has Bits leading batch axes, as its operands do, but those that are the same for the whole batch:
// for these Axes is 1, else 0.
type Host struct {
	Name string
	In   []HostArray
	Type dtype.Type
	Size Dim // elements of all results
	// Run computes one element of the batch, for a symbolic batch size.
	Run func(in []unsafe.Pointer, out unsafe.Pointer, size int) error
	// All, if it is there, computes n elements at once; no operand is shared then.
	All func(in []unsafe.Pointer, out unsafe.Pointer, size, n int) error
}

// HostArray is the type and shape of an operand.
type HostArray struct {
	Type  dtype.Type
	Shape Shape
}

// HostCall is h of operands with some batch axes; pos is the user's line.
func (g *Graph) HostCall(h *Host, batch int, shared []int, pos string, in ...*Node) *Node {
	if len(in) != len(h.In) {
		Fail(h.Name, "%d operands, not %d", len(in), len(h.In))
	}
	var axes Shape
	for i, x := range in {
		if shared[i] == 0 {
			if x.Rank() < batch {
				Fail(h.Name, "%v: %d batch axes at least are needed", x.Shape, batch)
			}
			axes = x.Shape[:batch]
		}
	}
	for i, x := range in {
		want := h.In[i].Shape
		if shared[i] == 0 {
			want = slices.Concat(axes, want)
		}
		if x.Type != h.In[i].Type || !x.Shape.Equal(want) {
			Fail(h.Name, "operand %d is %v%v, not %v%v", i, x.Type, x.Shape, h.In[i].Type, want)
		}
	}
	n := Node{Kind: Hosted, Host: h, Type: h.Type, Bits: uint64(batch), Axes: slices.Clone(shared), In: slices.Clone(in), Pos: pos}
	n.Shape = append(slices.Clone(axes), h.Size)
	n.Shape.Check(h.Name)
	return g.add(n)
}

// Linear is the rule of the other mode, of one that is linear in d: of f, which gives the outs for ds like the
// operands like, the sum of cts·outs by each d.
func (g *Graph) Linear(f func(d []*Node) []*Node, like, cts []*Node) []*Node {
	holes, at := []*Node{}, []int{}
	ds := make([]*Node, len(like))
	for i, x := range like {
		if x.Type.IsFloat() {
			ds[i] = g.Hole(x.Type, x.Shape)
			holes, at = append(holes, ds[i]), append(at, i)
		}
	}
	var outs, weights []*Node
	for i, o := range f(ds) {
		if o != nil && o.Type.IsFloat() && cts[i] != nil {
			outs, weights = append(outs, o), append(weights, cts[i])
		}
	}
	res := make([]*Node, len(like))
	for i, ct := range g.VJP(outs, weights, holes) {
		res[at[i]] = ct
	}
	return res
}

func noHostRule(h *Host) {
	Fail(h.Name, "has no derivative: neither a VJP nor a JVP was given")
}

func vmapHost(v *vmap, n *Node) *Node {
	batch := int(n.Bits)
	whole := n.Host.All != nil
	in, shared := make([]*Node, len(n.In)), make([]int, len(n.In))
	for i, x := range n.In {
		b := v.at[x]
		switch {
		case b == nil && !whole && (batch == 0 || n.Axes[i] == 1):
			in[i], shared[i] = x, 1
		case b != nil && n.Axes[i] == 1: // it has this batch's axis only
			s := slices.Concat(Shape{v.n}, ones(batch), x.Shape)
			in[i] = v.Broadcast(v.Reshape(b, s), slices.Concat(Shape{v.n}, n.Shape[:batch], x.Shape))
		default:
			in[i] = v.lift(x)
		}
	}
	return v.HostCall(n.Host, batch+1, shared, n.Pos, in...)
}
