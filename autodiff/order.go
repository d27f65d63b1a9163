package autodiff

import "github.com/adjoint-go/adjoint/internal/ir"

// Sort is x in ascending order along axis: equal elements keep their order, NaN come last. The derivative
// follows the elements.
func (x Value) Sort(axis int) Value {
	return matrixOp("Sort", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Sort(in[0], axis, pos) }, x)
}

// ArgSort is the indices (int64) of x's elements in ascending order along axis: of equal ones the first comes
// first, NaN come last. -0 equals 0.
func (x Value) ArgSort(axis int) Value {
	return matrixOp("ArgSort", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.ArgSort(in[0], axis, false, pos) }, x)
}

// ArgSortDescending is ArgSort in descending order; NaN come last, too.
func (x Value) ArgSortDescending(axis int) Value {
	return matrixOp("ArgSort", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.ArgSort(in[0], axis, true, pos) }, x)
}

// TopK is the k largest elements along axis, in descending order, and their indices (int64): of equal ones the
// first comes first, NaN are the smallest. The derivative follows the elements.
func (x Value) TopK(k, axis int) (y, index Value) {
	r := factors("TopK", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		y, at := g.TopK(x, k, axis, pos)
		return []*ir.Node{y, at}
	})
	return r[0], r[1]
}

// CumMax is the largest element so far along axis, the first of equal ones; from a NaN on it is that. The derivative goes to
// the first of equal elements.
func (x Value) CumMax(axis int) Value {
	return one("CumMax", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.CumMax(n, axis) })
}

// CumMin is the least element so far along axis, with CumMax's rules.
func (x Value) CumMin(axis int) Value {
	return one("CumMin", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.CumMin(n, axis) })
}

// CumProd is the product so far along axis, whose size does not depend on the batch. The derivatives are right
// at zeros.
func (x Value) CumProd(axis int) Value {
	return one("CumProd", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.CumProd(n, axis) })
}

// LogCumSumExp is log Σ eˣ so far along axis, without overflow; the axis' size does not depend on the batch.
// Where the largest element so far is ±Inf it is that, with derivative 0.
func (x Value) LogCumSumExp(axis int) Value {
	return one("LogCumSumExp", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.LogCumSumExp(n, axis) })
}
