package autodiff

import "github.com/adjoint-go/adjoint/internal/ir"

// Rule is a user's derivatives of a function. Places without a value in what the rule returns are zero. VJP
// serves reverse mode, JVP forward mode and, transposed, reverse mode where there is no VJP; without a JVP forward mode
// derives the function itself, because a VJP need not be linear (it may clip).
type Rule[A, R any] struct {
	Name string // for errors
	VJP  func(x A, y, cotangent R) A
	JVP  func(x A, y R, tangent A) R
}

// Custom is f with the derivatives that the rule says instead of its own: to clip or reverse a gradient, to
// give a function the derivative that theory knows, to keep a derivative finite. Recorded floats that f uses must be
// in its argument; arrays are constants. The rule's own results are derived again for derivatives of higher order, and it holds
// under [Vmap].
func Custom[A, R any](f func(A) R, rule Rule[A, R]) func(A) R {
	if rule.Name == "" {
		rule.Name = "Custom"
	}
	name := rule.Name
	return func(x A) R {
		return recorded(name, x, func(g *ir.Graph, x A) R {
			var y R
			r := toRule(rule, x, func() R { return y })
			if r.VJP == nil && r.JVP != nil {
				r.VJP = transposedJVP(r.JVP)
			}
			outs := g.Custom(r, nodes(name, g, x), func(xs []*ir.Node) []*ir.Node {
				y = f(filled(x, xs))
				return nodes(name, g, y)
			})
			return filled(y, outs)
		})
	}
}

// toRule is a rule of trees as one of nodes; y is a tree like the result, once that is known.
func toRule[A, R any](rule Rule[A, R], x A, y func() R) *ir.Rule {
	r := &ir.Rule{Name: rule.Name}
	if rule.VJP != nil {
		r.VJP = func(g *ir.Graph, xs, ys, cts []*ir.Node) []*ir.Node {
			back := rule.VJP(filled(x, xs), filled(y(), ys), filled(y(), zeroed(g, ys, cts)))
			return missing(results(rule.Name, g, back), leaves(x))
		}
	}
	if rule.JVP != nil {
		r.JVP = func(g *ir.Graph, xs, ys, ts []*ir.Node) []*ir.Node {
			t := rule.JVP(filled(x, xs), filled(y(), ys), filled(x, zeroed(g, xs, ts)))
			return missing(results(rule.Name, g, t), leaves(y()))
		}
	}
	return r
}

// transposedJVP is the VJP that a JVP means.
func transposedJVP(jvp func(g *ir.Graph, xs, ys, ts []*ir.Node) []*ir.Node) func(g *ir.Graph, xs, ys, cts []*ir.Node) []*ir.Node {
	return func(g *ir.Graph, xs, ys, cts []*ir.Node) []*ir.Node {
		return g.Linear(func(ts []*ir.Node) []*ir.Node { return jvp(g, xs, ys, ts) }, xs, cts)
	}
}

// zeroed is ds with zeros like xs where there are none.
func zeroed(g *ir.Graph, xs, ds []*ir.Node) []*ir.Node {
	res := make([]*ir.Node, len(ds))
	for i, d := range ds {
		if res[i] = d; d == nil {
			res[i] = g.Const(xs[i].Type, xs[i].Shape, 0)
		}
	}
	return res
}

// missing drops the places where the tree that a rule answers for has no value.
func missing(ns []*ir.Node, tree []Value) []*ir.Node {
	if len(ns) != len(tree) {
		return ns // an error, told by the rule's check
	}
	var res []*ir.Node
	for i, v := range tree {
		if v.IsValid() {
			res = append(res, ns[i])
		}
	}
	return res
}
