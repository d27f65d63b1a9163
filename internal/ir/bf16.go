package ir

import "github.com/adjoint-go/adjoint/internal/dtype"

// A BF16 is stored, not computed with: an operation on BF16s is the operation on their F32s, and a Convert with
// its Flag set that rounds the result. Operations look through that rounding, so that a chain of them is computed
// in F32 and rounded where its result is stored: as an output, an operand of a product, a piece of a Place. A
// Convert that the user wrote has no Flag and always rounds. Products read BF16s and give F32s.

// single is x's elements as F32: those that were rounded, if x is a rounded result or a view of one.
func (g *Graph) single(x *Node) *Node {
	switch {
	case x.Type == dtype.F32:
		return x
	case x.Type != dtype.BF16:
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

// rounded is x, of F32, as the BF16 result of an operation.
func (g *Graph) rounded(x *Node) *Node { return g.round(x, true) }

func (g *Graph) round(x *Node, result bool) *Node {
	switch {
	case x.Kind == Convert && x.In[0].Type == dtype.BF16:
		return x.In[0]
	case x.Kind == Broadcast:
		return g.Broadcast(g.round(x.In[0], result), x.Shape)
	case x.Kind == Const:
		f := BitsFloat(dtype.F32, x.Bits)
		bits := FloatBits(dtype.BF16, f)
		if !result || BitsFloat(dtype.BF16, bits) == f {
			return g.Bits(dtype.BF16, x.Shape, bits)
		}
	}
	return g.add(Node{Kind: Convert, Type: dtype.BF16, Shape: x.Shape, In: []*Node{x}, Flag: result})
}

// cast is a cotangent as type t.
func (g *Graph) cast(ct *Node, t dtype.Type) *Node {
	if t == dtype.BF16 && ct.Type != t {
		return g.rounded(g.single(ct))
	}
	return g.Convert(ct, t)
}

// inSingle computes f on F32s where x is a BF16, and rounds the result.
func (g *Graph) inSingle(x *Node, f func(x *Node) *Node) *Node {
	y := f(g.single(x))
	if y.Type != dtype.F32 {
		return y
	}
	return g.rounded(y)
}
