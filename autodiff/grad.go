package autodiff

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Valued is a function's value with its gradient: what [ValueAndGrad] gives.
type Valued[P any] struct {
	Value Value
	Grad  P
}

// Grad is the gradient of a scalar function: a tree like the argument, of the derivatives by each of its
// floats. Integers and bools have none: their places hold no value. The derivative by a float that nothing
// leads to is zero and not [Value.Connected]. The function's result has shape [] and is a float.
func Grad[P any](f func(P) Value) func(P) P {
	g := ValueAndGrad(f)
	return func(x P) P { return g(x).Grad }
}

// ValueAndGrad is a scalar function's value together with its gradient, which is as in [Grad].
func ValueAndGrad[P any](f func(P) Value) func(P) Valued[P] {
	return func(x P) Valued[P] {
		return recorded("Grad", x, func(g *ir.Graph, x P) Valued[P] {
			v := variables("Grad", g, x)
			y := f(v.tree).node(g, "Grad", dtype.Invalid)
			return Valued[P]{Value{n: y}, v.pull("Grad", []*ir.Node{scalar("Grad", y)}, []*ir.Node{g.Const(y.Type, nil, 1)})}
		})
	}
}

// ValuedAux is a function's value and gradient with what else it computed: what [ValueAndGradAux] gives.
type ValuedAux[P, A any] struct {
	Value Value
	Grad  P
	Aux   A
}

// ValueAndGradAux is ValueAndGrad of a function that gives other results beside the value that is derived: an
// accuracy beside a loss, a new state.
func ValueAndGradAux[P, A any](f func(P) (Value, A)) func(P) ValuedAux[P, A] {
	return func(x P) ValuedAux[P, A] {
		return recorded("Grad", x, func(g *ir.Graph, x P) ValuedAux[P, A] {
			var aux A
			r := ValueAndGrad(func(x P) (y Value) {
				y, aux = f(x)
				return y
			})(x)
			return ValuedAux[P, A]{r.Value, r.Grad, aux}
		})
	}
}

// ValueAndGradAux2 is ValueAndGradAux of a function of two arguments, by the first: parameters, then data.
func ValueAndGradAux2[P, D, A any](f func(P, D) (Value, A)) func(P, D) ValuedAux[P, A] {
	return func(x P, data D) ValuedAux[P, A] {
		return recorded("Grad", both[P, D]{x, data}, func(g *ir.Graph, b both[P, D]) ValuedAux[P, A] {
			return ValueAndGradAux(func(x P) (Value, A) { return f(x, b.Y) })(b.X)
		})
	}
}

// both is two arguments as one tree.
type both[A, B any] struct {
	X A
	Y B
}

// Grad2 is the gradient of a function of two arguments by the first: parameters, then data.
func Grad2[P, D any](f func(P, D) Value) func(P, D) P {
	return func(x P, data D) P { return Grad(func(x P) Value { return f(x, data) })(x) }
}

// ValueAndGrad2 is ValueAndGrad of a function of two arguments, by the first: parameters, then data.
func ValueAndGrad2[P, D any](f func(P, D) Value) func(P, D) Valued[P] {
	return func(x P, data D) Valued[P] {
		return recorded("Grad", both[P, D]{x, data}, func(g *ir.Graph, b both[P, D]) Valued[P] {
			return ValueAndGrad(func(x P) Value { return f(x, b.Y) })(b.X)
		})
	}
}

func scalar(op string, y *ir.Node) *ir.Node {
	if y.Rank() != 0 || !y.Type.IsFloat() {
		ir.Fail(op, "%v of %v: the function's result must be one float, of shape [] (see Sum, Jacobian, Vmap)", y.Shape, y.Type)
	}
	return y
}

// vars is a tree whose values are variables of their own, so that derivatives by them do not mix with
// those of an enclosing transform.
type vars[P any] struct {
	g     *ir.Graph
	tree  P
	given []Value
	nodes []*ir.Node // nil where there is no value
}

func variables[P any](op string, g *ir.Graph, x P) vars[P] {
	v := vars[P]{g: g, given: leaves(x)}
	xs := make([]Value, len(v.given))
	v.nodes = make([]*ir.Node, len(xs))
	for i, u := range v.given {
		if u.IsValid() {
			v.nodes[i] = g.Alias(u.node(g, op, dtype.Invalid))
			xs[i] = Value{n: v.nodes[i]}
		}
	}
	v.tree = replaced(x, xs)
	return v
}

// wrt lists the floats among the variables and where they stand.
func (v *vars[P]) wrt() (nodes []*ir.Node, at []int) {
	for i, n := range v.nodes {
		if n != nil && n.Type.IsFloat() {
			nodes, at = append(nodes, n), append(at, i)
		}
	}
	return nodes, at
}

// pull is the tree of cotangents of the variables.
func (v *vars[P]) pull(op string, ys, cts []*ir.Node) P {
	wrt, at := v.wrt()
	if len(wrt) == 0 {
		ir.Fail(op, "the argument holds no float")
	}
	res := make([]Value, len(v.nodes))
	for i, ct := range v.g.VJP(ys, cts, wrt) {
		if ct == nil {
			res[at[i]] = Value{n: v.g.Const(wrt[i].Type, wrt[i].Shape, 0), cut: true}
		} else {
			res[at[i]] = Value{n: ct}
		}
	}
	return replaced(v.tree, res)
}

// results are the nodes of a tree's values, nil where there is none.
func results[R any](op string, g *ir.Graph, y R) []*ir.Node {
	ys := leaves(y)
	nodes := make([]*ir.Node, len(ys))
	for i, v := range ys {
		if v.IsValid() {
			nodes[i] = v.node(g, op, dtype.Invalid)
		}
	}
	return nodes
}

func values(nodes []*ir.Node) []Value {
	vs := make([]Value, len(nodes))
	for i, n := range nodes {
		vs[i].n = n
	}
	return vs
}

func present(nodes []*ir.Node) (res []*ir.Node, at []int) {
	for i, n := range nodes {
		if n != nil {
			res, at = append(res, n), append(at, i)
		}
	}
	return res, at
}

// Tangents is a function's value with its derivative along a direction: what [JVP] gives.
type Tangents[R any] struct{ Value, Tangent R }

// JVP is a function's value and its derivative along a tangent, a tree like the argument, in forward mode.
// A place of the tangent without a value is zero.
func JVP[P, R any](f func(P) R) func(x, tangent P) Tangents[R] {
	return func(x, tangent P) Tangents[R] {
		return recorded("JVP", [2]P{x, tangent}, func(g *ir.Graph, a [2]P) Tangents[R] {
			v := variables("JVP", g, a[0])
			y := f(v.tree)
			ys := results("JVP", g, y)
			wrt, at := v.wrt()
			dirs := results("JVP", g, a[1])
			if len(dirs) != len(v.nodes) {
				ir.Fail("JVP", "the tangent has %d values, the argument %d", len(dirs), len(v.nodes))
			}
			tangents := make([]*ir.Node, len(wrt))
			for i, k := range at {
				tangents[i] = dirs[k]
			}
			outs, where := present(ys)
			res := make([]Value, len(ys))
			for i, t := range g.JVP(outs, wrt, tangents) {
				switch {
				case t != nil:
					res[where[i]] = Value{n: t}
				case outs[i].Type.IsFloat():
					res[where[i]] = Value{n: g.Const(outs[i].Type, outs[i].Shape, 0), cut: true}
				}
			}
			return Tangents[R]{replaced(y, values(ys)), replaced(y, res)}
		})
	}
}

// Cotangents is a function's value with the pull of a cotangent: what [VJP] gives.
type Cotangents[P, R any] struct {
	Value R
	Grad  P
}

// VJP is a function's value and the product of a cotangent, a tree like the result, with the derivative of
// the result, in reverse mode: Σ cotangent·∂result/∂argument. A place of the cotangent without a value is
// zero. What is said of places without a derivative in [Grad] holds here.
func VJP[P, R any](f func(P) R) func(x P, cotangent R) Cotangents[P, R] {
	return func(x P, cotangent R) Cotangents[P, R] {
		return recorded("VJP", both[P, R]{x, cotangent}, func(g *ir.Graph, b both[P, R]) Cotangents[P, R] {
			v := variables("VJP", g, b.X)
			y := f(v.tree)
			ys, cts := results("VJP", g, y), results("VJP", g, b.Y)
			if len(ys) != len(cts) {
				ir.Fail("VJP", "the cotangent has %d values, the result %d", len(cts), len(ys))
			}
			outs, where := present(ys)
			at := make([]*ir.Node, len(outs))
			for i, k := range where {
				at[i] = cts[k]
			}
			return Cotangents[P, R]{replaced(y, values(ys)), v.pull("VJP", outs, at)}
		})
	}
}

// JacobianOptions says how a [Jacobian] is found; the zero value takes the cheaper mode, all at once.
type JacobianOptions struct {
	Mode Mode
	// Chunk bounds how many tangents or cotangents are carried along at once, and with them the memory beside the
	// result; 0 is all. The size that they are the unit vectors of must not depend on the batch then.
	Chunk int
}

// Jacobian is the derivative of every element of f's result by every element of its argument: its shape is
// the result's followed by the argument's. It goes forward where the argument is no larger than the
// result, and in reverse else, unless the options say so: one of the two has a size that does not depend on the batch
// (Vmap maps a Jacobian over one). Both are floats.
func Jacobian(f func(Value) Value, o ...JacobianOptions) func(Value) Value {
	return func(x Value) Value {
		return recorded("Jacobian", x, func(g *ir.Graph, x Value) Value {
			v := variables("Jacobian", g, x)
			y := f(v.tree).node(g, "Jacobian", dtype.Invalid)
			var opt JacobianOptions
			if len(o) > 0 {
				opt = o[0]
			}
			return Value{n: jacobian(g, y, v.nodes[0], opt)}
		})
	}
}

func jacobian(g *ir.Graph, y, x *ir.Node, o JacobianOptions) *ir.Node {
	n, okX := x.Shape.Size()
	m, okY := y.Shape.Size()
	forward := okX && n.Static() && o.Mode != Reverse
	reverse := okY && m.Static() && o.Mode != Forward
	if !forward && !reverse || !x.Type.IsFloat() || !y.Type.IsFloat() {
		ir.Fail("Jacobian", "of %v %v by %v %v: floats are needed, and a size that depends on the batch where there are unit vectors of it", y.Type, y.Shape, x.Type, x.Shape)
	}
	if o.Chunk < 0 || o.Mode < Auto || o.Mode > Reverse {
		ir.Fail("Jacobian", "chunks of %d, mode %d", o.Chunk, o.Mode)
	}
	shape := slices.Concat(y.Shape, x.Shape)
	if forward && (!reverse || n.C <= m.C) {
		dir := g.Hole(x.Type, x.Shape)
		t := g.JVP([]*ir.Node{y}, []*ir.Node{x}, []*ir.Node{dir})[0]
		if t == nil {
			return g.Const(y.Type, shape, 0)
		}
		all := alongUnits(g, t, dir, n.C, o.Chunk) // [n, y…]
		perm := make([]int, 0, y.Rank()+1)
		for a := range y.Rank() {
			perm = append(perm, a+1)
		}
		return g.Reshape(g.Transpose(all, append(perm, 0)), shape)
	}
	dir := g.Hole(y.Type, y.Shape)
	ct := g.VJP([]*ir.Node{y}, []*ir.Node{dir}, []*ir.Node{x})[0]
	if ct == nil {
		return g.Const(y.Type, shape, 0)
	}
	return g.Reshape(alongUnits(g, ct, dir, m.C, o.Chunk), shape) // of [m, x…]
}

// alongUnits is t, [n, …], for dir each of the n unit vectors of its shape.
func alongUnits(g *ir.Graph, t, dir *ir.Node, n, chunk int) *ir.Node {
	all := inChunks(g, "Jacobian", n, chunk, func(first *ir.Node, k int) *ir.Node {
		return g.Vmap([]*ir.Node{t}, []*ir.Node{dir}, []*ir.Node{unitVectors(g, dir, first, k)}, ir.D(k))[0]
	})
	return g.Narrow(all, 0, ir.D(0), ir.D(n))
}

// inChunks is what part gives of k of n things from number first on (nil: 0), one behind the other along the first
// axis; the last k may be too many. No more than chunk are at work at once; 0 is all.
func inChunks(g *ir.Graph, op string, n, chunk int, part func(first *ir.Node, k int) *ir.Node) *ir.Node {
	if chunk == 0 || chunk >= n {
		return part(nil, n)
	}
	steps := (n + chunk - 1) / chunk
	_, ys, _ := g.Loop(op, ir.LoopOptions{Length: ir.D(steps)}, nil, nil,
		func(index *ir.Node, _, _ []*ir.Node) (next, ys []*ir.Node, _ *ir.Node) {
			first := g.Apply(ops.Mul, index, g.Const(dtype.I64, nil, float64(chunk)))
			return nil, []*ir.Node{part(first, chunk)}, nil
		})
	return g.Reshape(ys[0], slices.Concat(ir.Static(steps*chunk), ys[0].Shape[2:]))
}

// unitVectors is [k, shape of x]: row i is 1 at x's element first+i (nil: i), 0 elsewhere.
func unitVectors(g *ir.Graph, x, first *ir.Node, k int) *ir.Node {
	at := g.Iota(dtype.I64, ir.Static(k), 0)
	if first != nil {
		at = g.Map(ops.Add, at, first)
	}
	n := x.Shape.SizeAt(1)
	return g.Reshape(g.OneHot(at, n, x.Type), slices.Concat(ir.Static(k), x.Shape))
}

// Hessian is the matrix of second derivatives of a scalar function, of the argument's shape twice over:
// forward mode over reverse mode.
func Hessian(f func(Value) Value, o ...JacobianOptions) func(Value) Value {
	return Jacobian(Grad(f), o...)
}

// HVP is the product of a scalar function's Hessian with a vector, a tree like the argument, and the gradient:
// forward mode over reverse mode, at a few times the cost of the function.
func HVP[P any](f func(P) Value) func(x, v P) Tangents[P] { return JVP(Grad(f)) }

// Derivative is f'(x) of a function of one number.
func Derivative(f func(Value) Value, x float64) (float64, error) {
	_, dy, err := ValueAndDerivative(f, x)
	return dy, err
}

// ValueAndDerivative is f(x) and f'(x) of a function of one number.
func ValueAndDerivative(f func(Value) Value, x float64) (y, dy float64, err error) {
	defer failure(&err)
	r := ValueAndGrad(f)(Scalar(x))
	return r.Value.Item(), r.Grad.Item(), nil
}

// Gradient is the gradient at x of a function of a vector.
func Gradient(f func(Value) Value, x []float64) ([]float64, error) {
	_, g, err := ValueAndGradient(f, x)
	return g, err
}

// ValueAndGradient is f(x) and its gradient there, of a function of a vector.
func ValueAndGradient(f func(Value) Value, x []float64) (y float64, grad []float64, err error) {
	defer failure(&err)
	r := ValueAndGrad(f)(From(x))
	return r.Value.Item(), Data[float64](r.Grad), nil
}

// Call is f(x): a function, or what transforms make of one, on arrays, with a mistake in it, or a run that fails, as an
// error. Derivative, Gradient, [JacobianAt] and its like are this for plain numbers; Call(Jacobian(f), From(x)) is it for
// everything else.
func Call[A, R any](f func(A) R, x A) (y R, err error) {
	defer failure(&err)
	return f(x), nil
}
