package autodiff

import (
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Jet pushes truncated Taylor series through f in one pass: series[k] holds the coefficients of tᵏ (derivatives over
// k!) of an argument that is a function of t, and the result holds those of f's result, as many. The cost grows with
// the square of their number, where nested derivatives grow exponentially. Places of series[1:] without a value are
// zero; integers and bools are constant, and have places in the first result only.
//
// Every operation with a rule for [JVP] is served, [Custom] ones by theirs, loops and branches by their bodies.
// Where a derivative does not exist, the side that [Grad] takes is taken.
func Jet[P, R any](f func(P) R) func(series []P) []R {
	return func(series []P) []R {
		if len(series) == 0 {
			ir.Fail("Jet", "a series of no coefficients")
		}
		return recorded("Jet", series, func(g *ir.Graph, series []P) []R {
			v := variables("Jet", g, series[0])
			y := f(v.tree)
			ys := results("Jet", g, y)
			wrt, at := v.wrt()
			coefs := make([][]*ir.Node, len(wrt))
			for k, s := range series[1:] {
				cs := results("Jet", g, s)
				if len(cs) != len(v.nodes) {
					ir.Fail("Jet", "coefficient %d has %d values, the first %d", k+1, len(cs), len(v.nodes))
				}
				for i := range wrt {
					coefs[i] = append(coefs[i], cs[at[i]])
				}
			}
			res := []R{replaced(y, values(ys))}
			outs, where := present(ys)
			pushed := g.Jet(outs, wrt, coefs)
			for k := range series[1:] {
				vs := make([]Value, len(ys))
				for i, o := range outs {
					if o.Type.IsFloat() {
						vs[where[i]] = coefficient(g, pushed[i], k, o)
					}
				}
				res = append(res, replaced(y, vs))
			}
			return res
		})
	}
}

func coefficient(g *ir.Graph, cs []*ir.Node, k int, like *ir.Node) Value {
	if k < len(cs) && cs[k] != nil {
		return Value{n: cs[k]}
	}
	return Value{n: g.Const(like.Type, like.Shape, 0), cut: true}
}

// Derivatives is f(x), f'(x), … and the n-th derivative of a function of one number, in one pass (see [Jet]). Of an
// array it is those of f(x + t) by t at 0, which for an elementwise f are its derivatives element by element.
func Derivatives(f func(Value) Value, n int) func(Value) []Value {
	return func(x Value) []Value {
		if n < 0 {
			ir.Fail("Derivatives", "of order %d", n)
		}
		return recorded("Derivatives", x, func(g *ir.Graph, x Value) []Value {
			v := variables("Derivatives", g, x)
			wrt, _ := v.wrt()
			if len(wrt) == 0 {
				ir.Fail("Derivatives", "%v: the argument is no float", x)
			}
			y := nodes("Derivatives", g, f(v.tree))[0]
			if !y.Type.IsFloat() {
				ir.Fail("Derivatives", "%v of %v: the result is no float", y.Shape, y.Type)
			}
			series := make([]*ir.Node, n)
			for k := range series {
				if k == 0 {
					series[k] = g.Const(wrt[0].Type, wrt[0].Shape, 1)
				}
			}
			res := []Value{{n: y}}
			factorial := 1.0
			pushed := g.Jet([]*ir.Node{y}, wrt, [][]*ir.Node{series})[0]
			for k := range n {
				factorial *= float64(k + 1)
				c := coefficient(g, pushed, k, y)
				c.n = g.Apply(ops.Mul, c.n, g.Const(y.Type, y.Shape, factorial))
				res = append(res, c)
			}
			return res
		})
	}
}

// NthDerivative is the last of [Derivatives].
func NthDerivative(f func(Value) Value, n int) func(Value) Value {
	all := Derivatives(f, n)
	return func(x Value) Value { return all(x)[n] }
}
