package autodiff

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// ScanOptions says how a [Scan] runs; the zero value is forwards, keeping what reverse mode needs of every
// step.
type ScanOptions struct {
	// Backward runs from the last slice to the first.
	Backward bool
	// Every is the number of steps from one set of values that reverse mode keeps to the next; the
	// steps between are computed again, so that memory falls by that factor for one more forward run. 0 and 1
	// keep all. The number of steps must not depend on the batch then.
	Every int
	// Binomial, if not 0, is how many sets of carried values reverse mode keeps, beside the first, for any number of
	// steps. The others are made again from them, kept anew where that saves most: with s sets, C(s+t, t) steps take
	// about t more forward runs (Griewank and Walther's revolve).
	Binomial int
}

// EverySqrt, as [ScanOptions].Every, is the square root of the number of steps, which needs the least memory.
const EverySqrt = -1

// Scan steps f over the slices of xs along their first axes, which have one size: from init, f gives the next
// carried values and what the step gives. The result is the last carried values and what the steps gave,
// stacked along a new first axis. The graph holds f once, however many steps there are. Values that f refers
// to and that do not depend on its arguments are computed once, before.
//
// Reverse mode runs the steps backwards over the carried values that each began with, and over the products of matrices and
// factorizations within, unless these follow from the next carried values alone; see [ScanOptions].Every for their memory.
func Scan[C, X, Y any](f func(c C, x X) (C, Y), init C, xs X, o ...ScanOptions) (C, Y) {
	type in struct {
		C C
		X X
	}
	type out struct {
		C C
		Y Y
	}
	r := recorded("Scan", in{init, xs}, func(g *ir.Graph, a in) out {
		slices := nodes("Scan", g, a.X)
		if len(slices) == 0 {
			ir.Fail("Scan", "nothing to step over (see ForI)")
		}
		if slices[0].Rank() == 0 {
			ir.Fail("Scan", "%v: an axis to step over is needed", slices[0].Shape)
		}
		l := scan[C, Y]{g: g, init: a.C, length: slices[0].Shape[0], xs: slices}
		if len(o) > 0 {
			l.o = o[0]
		}
		c, y := l.run(func(_ *ir.Node, c C, x []*ir.Node) (C, Y) { return f(c, filled(a.X, x)) })
		return out{c, y}
	})
	return r.C, r.Y
}

// ForI is init after n steps of f, which gets the number of the step, an int64 of shape [], too.
func ForI[C any](n int, f func(i Value, c C) C, init C, o ...ScanOptions) C {
	if n < 0 {
		ir.Fail("ForI", "%d steps", n)
	}
	return recorded("ForI", init, func(g *ir.Graph, init C) C {
		l := scan[C, []Value]{g: g, init: init, length: ir.D(n)}
		if len(o) > 0 {
			l.o = o[0]
		}
		c, _ := l.run(func(i *ir.Node, c C, _ []*ir.Node) (C, []Value) { return f(Value{n: i}, c), nil })
		return c
	})
}

// nodes are those of the values there are in a tree.
func nodes[T any](op string, g *ir.Graph, tree T) []*ir.Node {
	ns, _ := present(results(op, g, tree))
	return ns
}

// filled is the tree with its values replaced by nodes, where there are values.
func filled[T any](tree T, ns []*ir.Node) T {
	xs := leaves(tree)
	k := 0
	for i, v := range xs {
		if v.IsValid() {
			xs[i] = Value{n: ns[k]}
			k++
		}
	}
	return replaced(tree, xs)
}

// scan is a loop of a known number of steps.
type scan[C, Y any] struct {
	g      *ir.Graph
	o      ScanOptions
	init   C
	length ir.Dim
	xs     []*ir.Node
}

func (l *scan[C, Y]) run(f func(i *ir.Node, c C, x []*ir.Node) (C, Y)) (C, Y) {
	g := l.g
	carry := nodes("Scan", g, l.init)
	var y Y
	step := func(i *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, _ *ir.Node) {
		var last C
		last, y = f(i, filled(l.init, c), x)
		return nodes("Scan", g, last), nodes("Scan", g, y), nil
	}
	every := l.o.Every
	if l.o.Binomial < 0 || l.o.Binomial > 0 && every != 0 {
		ir.Fail("Scan", "every %d kept, %d kept: one policy is needed", every, l.o.Binomial)
	}
	if every == EverySqrt && l.length.Static() {
		every = int(math.Ceil(math.Sqrt(float64(l.length.C))))
	}
	if every != 0 && every != 1 && !l.length.Static() || every < EverySqrt {
		ir.Fail("Scan", "%v steps, those every %d kept: that needs a number of steps that is known", l.length, l.o.Every)
	}
	var finals, ys []*ir.Node
	if every <= 1 || every >= l.length.C {
		finals, ys, _ = g.Loop("Scan", ir.LoopOptions{Length: l.length, Backward: l.o.Backward, Slots: l.o.Binomial}, carry, l.xs, step)
	} else {
		finals, ys = l.chunks(every, carry, step)
	}
	return filled(l.init, finals), filled(y, ys)
}

// chunks is a loop over loops of every steps, so that reverse mode keeps what the inner ones begin with; the
// steps left over come last.
func (l *scan[C, Y]) chunks(every int, carry []*ir.Node, step ir.LoopStep) (finals, ys []*ir.Node) {
	g := l.g
	n := l.length.C
	whole := n / every * every
	if l.o.Backward && whole < n { // what is left over are the first steps that are made
		finals, ys = l.part(whole, n-whole, carry, step)
		carry = finals
	}
	cut := make([]*ir.Node, len(l.xs))
	for i, x := range l.xs {
		first := g.Narrow(x, 0, ir.D(0), ir.D(whole))
		cut[i] = g.Reshape(first, slices.Concat(ir.Static(n/every, every), x.Shape[1:]))
	}
	finals, stacked, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(n / every), Backward: l.o.Backward}, carry, cut,
		func(chunk *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, _ *ir.Node) {
			next, ys, _ = g.Loop("Scan", ir.LoopOptions{Length: ir.D(every), Backward: l.o.Backward}, c, x,
				func(i *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, _ *ir.Node) {
					at := g.Apply(ops.Add, g.Apply(ops.Mul, chunk, g.Const(dtype.I64, nil, float64(every))), i)
					return step(at, c, x)
				})
			return next, ys, nil
		})
	for i, y := range stacked {
		stacked[i] = g.Reshape(y, slices.Concat(ir.Static(whole), y.Shape[2:]))
	}
	if whole == n {
		return finals, stacked
	}
	rest := ys
	if !l.o.Backward {
		finals, rest = l.part(whole, n-whole, finals, step)
	}
	for i := range stacked {
		stacked[i] = g.Concat(0, stacked[i], rest[i])
	}
	return finals, stacked
}

// part is the n steps from number from on.
func (l *scan[C, Y]) part(from, n int, carry []*ir.Node, step ir.LoopStep) (finals, ys []*ir.Node) {
	g := l.g
	xs := make([]*ir.Node, len(l.xs))
	for i, x := range l.xs {
		xs[i] = g.Narrow(x, 0, ir.D(from), ir.D(n))
	}
	finals, ys, _ = g.Loop("Scan", ir.LoopOptions{Length: ir.D(n), Backward: l.o.Backward}, carry, xs,
		func(i *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, _ *ir.Node) {
			return step(g.Apply(ops.Add, i, g.Const(dtype.I64, nil, float64(from))), c, x)
		})
	return finals, ys
}

// WhileOptions says how far a [While] may go; the zero value is without bound.
type WhileOptions struct {
	// MaxSteps bounds the steps: after so many the loop ends whatever the condition. Reverse mode needs it, unless
	// Binomial is given: it keeps the carried values of MaxSteps steps.
	MaxSteps int
	// Binomial is as in [ScanOptions]. Reverse mode then needs no bound; what it gives has one further derivative without
	// bound only in forward mode.
	Binomial int
}

// While steps f from init as long as cond, a bool of shape [], holds. Under [Vmap] each element of the batch
// stops when its own condition fails.
func While[C any](cond func(C) Value, f func(C) C, init C, o ...WhileOptions) C {
	return recorded("While", init, func(g *ir.Graph, init C) C {
		l := ir.LoopOptions{Forever: true}
		if len(o) > 0 {
			if o[0].MaxSteps > 0 {
				l = ir.LoopOptions{Length: ir.D(o[0].MaxSteps)}
			}
			if l.Slots = o[0].Binomial; l.Slots < 0 || o[0].MaxSteps < 0 {
				ir.Fail("While", "%d steps at most, %d kept: a negative number", o[0].MaxSteps, l.Slots)
			}
		}
		finals, _, _ := g.Loop("While", l, nodes("While", g, init), nil, func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			tree := filled(init, c)
			goOn = cond(tree).node(g, "While", dtype.Invalid)
			return nodes("While", g, f(tree)), nil, goOn
		})
		return filled(init, finals)
	})
}

// Cond is then() where pred, a bool of shape [], holds, and otherwise() elsewhere; their results have one
// structure, types and shapes. Only the one that is chosen is run; under [Vmap], where elements of the batch
// may choose differently, both are. See [Where] for choosing element by element.
func Cond[R any](pred Value, then, otherwise func() R) R {
	return choose("Cond", pred, []func() R{otherwise, then})
}

// Switch is the result of function number i, an integer of shape [], or of the nearest where i is out of
// range. What is said of [Cond] holds here.
func Switch[R any](i Value, f ...func() R) R {
	if len(f) == 0 {
		ir.Fail("Switch", "of nothing")
	}
	return choose("Switch", i, f)
}

func choose[R any](op string, which Value, f []func() R) R {
	return recorded(op, which, func(g *ir.Graph, which Value) R {
		n := which.node(g, op, dtype.I64)
		if n.Rank() != 0 || n.Type.IsFloat() {
			ir.Fail(op, "%v of %v: one bool or integer of shape [] is needed", n.Shape, n.Type)
		}
		var y R
		outs := g.Branch(op, g.Convert(n, dtype.I64), len(f), func(i int) []*ir.Node {
			y = f[i]()
			return nodes(op, g, y)
		})
		return filled(y, outs)
	})
}

// CheckpointOptions says what [Checkpoint] keeps; the zero value is what is marked by [Value.Saved] only.
type CheckpointOptions struct {
	Products bool // keep products of matrices, which are dear to compute again
}

// Saved is v, which the [Checkpoint] around keeps for reverse mode.
func (v Value) Saved() Value {
	if v.n != nil {
		v.n.Graph.Mark(v.n)
	}
	return v
}

// Checkpoint is f, of whose inner values reverse mode keeps none but those marked by [Value.Saved]: it computes the others
// again, from f's argument and from what is kept.
func Checkpoint[A, R any](f func(A) R, o ...CheckpointOptions) func(A) R {
	return func(x A) R {
		return recorded("Checkpoint", x, func(g *ir.Graph, x A) R {
			var y R
			outs := g.Checkpoint(func() []*ir.Node {
				y = f(x)
				return nodes("Checkpoint", g, y)
			}, len(o) > 0 && o[0].Products)
			return filled(y, outs)
		})
	}
}
