package autodiff

import (
	"fmt"
	"slices"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Warning is what [Lint] found about one value of a function's argument, or about its result.
type Warning struct {
	Value string // ".W1", "" of an argument that is a single value
	Kind  WarningKind
	Op    string // that is in the way, or that captured an array
	Pos   string // its line and the function called there
}

// WarningKind is a trap.
type WarningKind uint8

const (
	// Unused: nothing of the result depends on the value.
	Unused WarningKind = iota
	// ZeroDerivative: the result depends on the value only through operations of no derivative (a comparison, a
	// rounding, an index, an integer, StopGradient): a gradient by it is zero everywhere. Op is the first of them.
	ZeroDerivative
	// Captured: an array of floats that is not part of the argument takes part as a constant: no gradient by it.
	Captured
	// NoFloat: nothing of the result is a float, so that it has no derivative.
	NoFloat
)

func (w Warning) String() string {
	value := "argument" + w.Value
	switch w.Kind {
	case Unused:
		return value + " is not used: the result does not depend on it"
	case ZeroDerivative:
		return fmt.Sprintf("%s has a derivative of zero everywhere: every way to the result leads through %s (%s)", value, w.Op, ir.At(w.Op, w.Pos))
	case Captured:
		return fmt.Sprintf("%s uses an array that is no argument: a constant without a gradient (%s)", w.Op, ir.At(w.Op, w.Pos))
	}
	return "the result holds no float: it has no derivative"
}

// Lint records f on an argument like example, as [Compile] does, and lists what is likely not meant where f is to be
// derived by its argument's floats, in the order of the argument.
func Lint[A, R any](f func(A) R, example A) (found []Warning, err error) {
	defer failure(&err)
	r := recorder{g: ir.New()}
	r.g.Lines = true
	x := variables("Lint", r.g, parameters(&r, "argument", example)).tree
	start := len(r.g.Nodes)
	y := f(x)
	var outs []*ir.Node
	for _, n := range results("Lint", r.g, y) {
		if n != nil && n.Type.IsFloat() {
			outs = append(outs, n)
		}
	}
	if len(outs) == 0 {
		return []Warning{{Kind: NoFloat}}, nil
	}
	nodes := ir.Reachable(outs)
	args := r.args[0]
	var params, weights []*ir.Node
	var names []string
	for i, v := range leaves(x) {
		if v.n != nil && v.n.Type.IsFloat() {
			params, names = append(params, v.n), append(names, args.form.at[i].name)
		}
	}
	for _, o := range outs {
		weights = append(weights, r.g.Hole(o.Type, o.Shape))
	}
	for i, d := range r.g.VJP(outs, weights, params) {
		w := Warning{Value: names[i]}
		switch {
		case !slices.Contains(nodes, params[i]):
			w.Kind = Unused
		case d == nil || d.IsConst(0):
			w.Kind = ZeroDerivative
			w.Op, w.Pos = blocker(nodes, params[i])
		default:
			continue
		}
		found = append(found, w)
	}
	for _, n := range nodes {
		for _, x := range n.In {
			w := Warning{Kind: Captured, Op: n.PublicName(), Pos: n.Line}
			if x.Kind == ir.Data && x.Type.IsFloat() && x.ID >= start && !slices.Contains(found, w) {
				found = append(found, w)
			}
		}
	}
	return found, nil
}

// blocker is the first operation that a derivative by p does not get past, in a graph where it gets past none.
func blocker(nodes []*ir.Node, p *ir.Node) (op, pos string) {
	reached := map[*ir.Node]bool{p: true}
	for _, n := range nodes {
		for i, x := range n.In {
			switch {
			case !reached[x]:
			case n.Kind == ir.Loop || n.Kind == ir.Branch || n.Type.IsFloat() && n.Kind != ir.Stop && !flat(n, i):
				reached[n] = true
			case n.Kind != ir.Out:
				return opName(n), n.Line
			}
		}
	}
	return "a loop", ""
}

// flat reports whether the derivative of pointwise n by operand i is zero everywhere.
func flat(n *ir.Node, i int) bool {
	if n.Kind != ir.Pointwise || n.Op == ops.Where || n.Op == ops.MulZ {
		return n.Kind == ir.Pointwise && n.Op == ops.Where && i == 0
	}
	d := n.Op.Row().Partial(i)
	return d == nil || d.IsNum(0)
}

func opName(n *ir.Node) string {
	switch n.Kind {
	case ir.Convert:
		return fmt.Sprintf("Convert to %v", n.Type)
	case ir.Stop:
		return "StopGradient"
	}
	return n.PublicName()
}
