package autodiff

import (
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Reductions fold the named axes, which go; no axis named means all. Those whose name ends in Keep leave
// them, of size 1, so that the result broadcasts against what was reduced. The order of every sum is a
// function of the shape alone.

func reduced(r ir.Reduction, x Value, axes []int) Value {
	return oneAs(r.PublicName(), recipe{"Reduce", int(r), axes}, x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.Reduce(r, n, ir.Axes(r.PublicName(), n.Shape, axes)...)
	})
}

func reducedKeep(r ir.Reduction, x Value, axes []int) Value {
	return oneAs(r.PublicName(), recipe{"Keep", int(r), axes}, x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.Keep(r, n, axes...) })
}

// Sum is the sum over axes.
func (x Value) Sum(axes ...int) Value { return reduced(ir.Sum, x, axes) }

// SumKeep is Sum with its axes kept.
func (x Value) SumKeep(axes ...int) Value { return reducedKeep(ir.Sum, x, axes) }

// Prod is the product over axes. Its derivative is right where elements are 0, too.
func (x Value) Prod(axes ...int) Value { return reduced(ir.Prod, x, axes) }

// ReduceMax is the maximum over axes, NaN where there is one; tied elements share the derivative. For bools
// it tells whether any is true.
func (x Value) ReduceMax(axes ...int) Value { return reduced(ir.Max, x, axes) }

// ReduceMaxKeep is ReduceMax with its axes kept.
func (x Value) ReduceMaxKeep(axes ...int) Value { return reducedKeep(ir.Max, x, axes) }

// ReduceMin is the minimum over axes, NaN where there is one; tied elements share the derivative. For bools
// it tells whether all are true.
func (x Value) ReduceMin(axes ...int) Value { return reduced(ir.Min, x, axes) }

// ReduceMinKeep is ReduceMin with its axes kept.
func (x Value) ReduceMinKeep(axes ...int) Value { return reducedKeep(ir.Min, x, axes) }

// ArgMax is the index (int64) of the first maximum along axis; NaN counts as the largest.
func (x Value) ArgMax(axis int) Value { return argReduced(ir.ArgMax, x, axis) }

// ArgMin is the index (int64) of the first minimum along axis; NaN counts as the smallest.
func (x Value) ArgMin(axis int) Value { return argReduced(ir.ArgMin, x, axis) }

func argReduced(r ir.Reduction, x Value, axis int) Value {
	return oneAs(r.PublicName(), recipe{name: "ArgReduce", variant: int(r)<<32 + axis}, x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return g.Reduce(r, n, ir.Axis(r.PublicName(), n.Shape, axis))
	})
}

// axesOp is the methods of the graph that take axes, none meaning all.
type axesOp func(g *ir.Graph, x *ir.Node, axes ...int) *ir.Node

func over(op string, f axesOp, x Value, axes []int) Value {
	return oneAs(op, recipe{name: op, numbers: axes}, x, func(g *ir.Graph, n *ir.Node) *ir.Node { return f(g, n, axes...) })
}

// Mean is the mean over axes; that of nothing is NaN.
func (x Value) Mean(axes ...int) Value { return over("Mean", (*ir.Graph).Mean, x, axes) }

// MeanKeep is Mean with its axes kept.
func (x Value) MeanKeep(axes ...int) Value { return over("MeanKeep", (*ir.Graph).MeanKeep, x, axes) }

// Var is the population variance over axes.
func (x Value) Var(axes ...int) Value { return over("Var", (*ir.Graph).Var, x, axes) }

// VarKeep is Var with its axes kept.
func (x Value) VarKeep(axes ...int) Value { return over("VarKeep", (*ir.Graph).VarKeep, x, axes) }

// Std is the population standard deviation over axes; its derivative where all are equal is 0.
func (x Value) Std(axes ...int) Value {
	v := x.Var(axes...)
	return Where(v.Eq(Const(0)), v.FullLike(0), v.Sqrt())
}

// LogSumExp is log Σ eˣ over axes, without overflow. Where the largest element is ±Inf it is that, with
// derivative 0.
func (x Value) LogSumExp(axes ...int) Value { return over("LogSumExp", (*ir.Graph).LogSumExp, x, axes) }

// LogSumExpKeep is LogSumExp with its axes kept.
func (x Value) LogSumExpKeep(axes ...int) Value {
	return over("LogSumExpKeep", (*ir.Graph).LogSumExpKeep, x, axes)
}

// Softmax is eˣ/Σ eˣ over axes, without overflow.
func (x Value) Softmax(axes ...int) Value { return over("Softmax", (*ir.Graph).Softmax, x, axes) }

// LogSoftmax is x - log Σ eˣ over axes, without overflow.
func (x Value) LogSoftmax(axes ...int) Value {
	return over("LogSoftmax", (*ir.Graph).LogSoftmax, x, axes)
}

// Norm is the Euclidean norm over axes; its derivative at 0 is 0.
func (x Value) Norm(axes ...int) Value { return over("Norm", (*ir.Graph).Norm2, x, axes) }

// Norm1 is the sum of absolute values over axes.
func (x Value) Norm1(axes ...int) Value { return x.Abs().Sum(axes...) }

// NormInf is the largest absolute value over axes.
func (x Value) NormInf(axes ...int) Value { return x.Abs().ReduceMax(axes...) }

// CumSum adds up along axis.
func (x Value) CumSum(axis int) Value {
	return one("CumSum", x, func(g *ir.Graph, n *ir.Node) *ir.Node { return g.CumSum(n, ir.Axis("CumSum", n.Shape, axis), false) })
}

// Any tells whether any bool along axes is true; of none it is not.
func (x Value) Any(axes ...int) Value { return x.logic("Any").ReduceMax(axes...) }

// All tells whether all bools along axes are true; of none they are.
func (x Value) All(axes ...int) Value { return x.logic("All").ReduceMin(axes...) }

func (x Value) logic(op string) Value {
	if t := x.DType(); t.t != dtype.Bool {
		ir.Fail(op, "%v of %v: bools are needed", x.Shape(), t)
	}
	return x
}

// CountTrue is the number (int64) of bools along axes that are true.
func (x Value) CountTrue(axes ...int) Value {
	return x.logic("CountTrue").Convert(I64).Sum(axes...)
}
