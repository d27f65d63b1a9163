package ir

import "github.com/adjoint-go/adjoint/internal/dtype"

// A BF16 or F16 is stored, not computed with: an operation on them is the operation on their F32s, and a Convert with
// its Flag set that rounds the result. Operations look through that rounding, so that a chain of them is computed
// in F32 and rounded where its result is stored: as an output, an operand of a product, a piece of a Place. A
// Convert that the user wrote has no Flag and always rounds. Products read them and give F32s.

// single is x's elements as F32: those that were rounded, if x is a rounded result or a view of one.
func (g *Graph) single(x *Node) *Node {
	switch {
	case x.Type == dtype.F32:
		return x
	case !x.Type.IsHalf():
		return g.Convert(x, dtype.F32)
	case x.Kind == Convert && x.Flag:
		return x.In[0]
	case x.Kind == Const:
		return g.foldConvert(x, dtype.F32)
	case x.Kind == Broadcast || isView(x.Kind) && rounds(x):
		return g.Copy(x, []*Node{g.single(x.In[0])})
	}
	return g.add(Node{Kind: Convert, Type: dtype.F32, Shape: x.Shape, In: []*Node{x}})
}

func isView(k Kind) bool {
	return k == Broadcast || k == Reshape || k == Transpose || k == Slice || k == Reverse
}

// rounds reports whether x is a rounded result or a view of one.
func rounds(x *Node) bool {
	for isView(x.Kind) {
		x = x.In[0]
	}
	return x.Kind == Convert && x.Flag
}

// rounded is x, of F32, as the result of an operation on t, BF16 or F16.
func (g *Graph) rounded(x *Node, t dtype.Type) *Node { return g.round(x, t, true) }

func (g *Graph) round(x *Node, t dtype.Type, result bool) *Node {
	switch {
	case x.Kind == Convert && x.In[0].Type == t:
		return x.In[0]
	case x.Kind == Broadcast:
		return g.Broadcast(g.round(x.In[0], t, result), x.Shape)
	case x.Kind == Const:
		f := BitsFloat(dtype.F32, x.Bits)
		bits := FloatBits(t, f)
		if !result || BitsFloat(t, bits) == f {
			return g.Bits(t, x.Shape, bits)
		}
	}
	return g.add(Node{Kind: Convert, Type: t, Shape: x.Shape, In: []*Node{x}, Flag: result})
}

// cast is a cotangent as type t.
func (g *Graph) cast(ct *Node, t dtype.Type) *Node {
	if t.IsHalf() && ct.Type != t {
		return g.rounded(g.single(ct), t)
	}
	return g.Convert(ct, t)
}

// inSingle computes f on the F32s of x, of BF16 or F16, and rounds the result.
func (g *Graph) inSingle(x *Node, f func(x *Node) *Node) *Node {
	y := f(g.single(x))
	if y.Type != dtype.F32 {
		return y
	}
	return g.rounded(y, x.Type)
}
