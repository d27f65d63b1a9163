package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A transform is a call of two rows, the real and the imaginary parts. It is linear: its derivative forwards is
// itself, its transpose the transform with the other sign.

func outFFT(op string, x []Shape) Shape {
	if !x[0][0].Is(2) || x[0][1].Is(0) {
		Fail(op, "%v: two rows that are not empty are needed", x[0])
	}
	return x[0]
}

func outRFFT(op string, x []Shape) Shape {
	if n := x[0][1]; !x[0][0].Is(1) || !n.Static() || n.C < 1 {
		Fail(op, "%v: a row whose size is above 0 and does not depend on the batch is needed", x[0])
	}
	return Static(2, x[0][1].C/2+1)
}

// outHalf is the shape of a row of 2·m + more, for m elements of its transform.
func outHalf(more int) func(op string, x []Shape) Shape {
	return func(op string, x []Shape) Shape {
		m := x[0][1]
		if !x[0][0].Is(2) || !m.Static() || 2*m.C+more < 1 {
			Fail(op, "%v: two rows whose size is above 0 and does not depend on the batch are needed", x[0])
		}
		return Static(1, 2*m.C+more)
	}
}

func jvpSame(g *Graph, n *Node, t []*Node) []*Node {
	return []*Node{g.Call(n.Call, n.Bits, n.Pos, t[0])}
}

func vjpFFT(g *Graph, n, ct *Node) []*Node {
	return []*Node{g.Call(FFT, n.Bits^Transposed, n.Pos, ct)}
}

// edges is at the first element of half a transform, and at the last if that stands for itself, elsewhere rest.
func (g *Graph) edges(x *Node, even bool, edge, rest float64) *Node {
	m := x.Shape[x.Rank()-1]
	at := g.Iota(dtype.I64, Shape{m}, 0)
	is := g.Apply(ops.Eq, at, g.like(at, 0))
	if even {
		is = g.Apply(ops.Or, is, g.Apply(ops.Eq, at, g.like(at, float64(m.C-1))))
	}
	w := g.Apply(ops.Where, is, g.Const(x.Type, at.Shape, edge), g.Const(x.Type, at.Shape, rest))
	return g.Map(ops.Mul, x, w)
}

// The elements that are left out are the others' conjugates: what folds them in counts the inner ones twice.
func vjpRFFT(g *Graph, n, ct *Node) []*Node {
	size := n.In[0].Shape[n.Rank()-1].C
	c := HalfEven
	if size%2 != 0 {
		c = HalfOdd
	}
	return []*Node{g.Call(c, 0, n.Pos, g.edges(ct, size%2 == 0, 1, 0.5))}
}

func vjpHalf(g *Graph, n, ct *Node) []*Node {
	return []*Node{g.edges(g.Call(RFFT, 0, n.Pos, ct), n.Call == HalfEven, 1, 2)}
}

// pair makes two rows of re and im along axis, which comes last.
func (g *Graph) pair(op string, re, im *Node, axis int) *Node {
	if !re.Shape.Equal(im.Shape) || re.Type != im.Type || !re.Type.IsFloat() {
		Fail(op, "%v%v, %v%v: two parts of one shape, both float32 or both float64, are needed", re.Type, re.Shape, im.Type, im.Shape)
	}
	last := re.Rank() - 1
	return g.Stack(-2, g.MoveAxis(re, axis, last), g.MoveAxis(im, axis, last))
}

// parts is the inverse of pair.
func (g *Graph) parts(x *Node, axis int) (re, im *Node) {
	r := x.Rank()
	row := func(i int) *Node {
		y := g.Narrow(x, r-2, D(i), D(1))
		y = g.Reshape(y, append(slices.Clone(x.Shape[:r-2]), x.Shape[r-1]))
		return g.MoveAxis(y, r-2, axis)
	}
	return row(0), row(1)
}

// FFTAlong is the transform along axis, divided by its size where it is the inverse.
func (g *Graph) FFTAlong(op string, re, im *Node, axis int, inverse bool, pos string) (yr, yi *Node) {
	axis = Axis(op, re.Shape, axis)
	flags := uint64(0)
	if inverse {
		flags = Transposed
	}
	y := g.Call(FFT, flags, pos, g.pair(op, re, im, axis))
	if inverse {
		y = g.Map(ops.Div, y, g.DimSize(y.Type, re.Shape[axis]))
	}
	return g.parts(y, axis)
}

// RFFTAlong is the first half of the transform of the real x.
func (g *Graph) RFFTAlong(x *Node, axis int, pos string) (re, im *Node) {
	axis = Axis("RFFT", x.Shape, axis)
	last := x.Rank() - 1
	row := g.MoveAxis(x, axis, last)
	row = g.Reshape(row, slices.Insert(slices.Clone(row.Shape), last, D(1)))
	return g.parts(g.Call(RFFT, 0, pos, row), axis)
}

// IRFFTAlong is the real array of size n along axis whose transform has re and im for its first half.
func (g *Graph) IRFFTAlong(re, im *Node, n, axis int, pos string) *Node {
	axis = Axis("IRFFT", re.Shape, axis)
	if m := re.Shape[axis]; n < 1 || !m.Is(n/2+1) {
		Fail("IRFFT", "%v: %d elements have %d in half a transform, not %v", re.Shape, n, n/2+1, m)
	}
	c := HalfEven
	if n%2 != 0 {
		c = HalfOdd
	}
	y := g.Call(c, 0, pos, g.pair("IRFFT", re, im, axis))
	y = g.Map(ops.Div, y, g.like(y, float64(n)))
	r := y.Rank()
	return g.MoveAxis(g.Reshape(y, append(slices.Clone(y.Shape[:r-2]), D(n))), r-2, axis)
}
