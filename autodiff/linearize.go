package autodiff

import (
	"context"
	"sync"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Linearized is a function at a point: its value there, and its derivative as a linear function to be called many
// times. Any number of goroutines may use it at once.
type Linearized[P, R any] struct {
	Value R
	push  linearMap[P, R]
	pull  linearMap[R, P]
}

// Linearize evaluates a function at a point and gives its derivative there: [Linearized.JVP] pushes tangents,
// [Linearized.VJP], its transpose, pulls cotangents. What a derivative needs of the function is computed once, when it
// is first called, and so is its program; a copy of x is kept for that. While a function is recorded, both record. A
// loop that a tangent passes through is stepped again by each call.
func Linearize[P, R any](f func(P) R) func(x P) *Linearized[P, R] {
	return func(x P) *Linearized[P, R] {
		if g := graphOf(leaves(x)); g != nil {
			return linearizedIn(g, f, x)
		}
		x = TreeClone(x)
		xs := leaves(x)
		e := newEvaluation("Linearize")
		for i, v := range xs {
			if v.IsValid() {
				xs[i] = Value{n: e.argument(v, dtype.Invalid)}
			}
		}
		var l *Linearized[P, R]
		_, outer := attempt(e.g, func() R {
			l = linearizedIn(e.g, f, replaced(x, xs))
			return l.Value
		})
		if outer != nil {
			return linearizedIn(outer, f, x)
		}
		l.Value = replaced(l.Value, e.run(leaves(l.Value)))
		both := &shared{eval: e}
		l.push.shared, l.pull.shared = both, both
		return l
	}
}

func linearizedIn[P, R any](g *ir.Graph, f func(P) R, x P) *Linearized[P, R] {
	v := variables("Linearize", g, x)
	y := f(v.tree)
	ys := results("Linearize", g, y)
	y = replaced(y, values(ys))
	floats := func(ns []*ir.Node) []*ir.Node {
		res := make([]*ir.Node, len(ns))
		for i, n := range ns {
			if n != nil && n.Type.IsFloat() {
				res[i] = n
			}
		}
		return res
	}
	xs := floats(v.nodes)
	ys = floats(ys)
	wrt, in := present(xs)
	outs, out := present(ys)
	if len(wrt) == 0 || len(outs) == 0 {
		ir.Fail("Linearize", "the argument or the result holds no float")
	}
	// spread and gathered go between the places of a tree and its floats.
	gathered := func(ns []*ir.Node, at []int) []*ir.Node {
		res := make([]*ir.Node, len(at))
		for i, k := range at {
			res[i] = ns[k]
		}
		return res
	}
	spread := func(ns []*ir.Node, at []int, n int) []*ir.Node {
		res := make([]*ir.Node, n)
		for i, k := range at {
			res[k] = ns[i]
		}
		return res
	}
	return &Linearized[P, R]{
		Value: y,
		push: linearMap[P, R]{g: g, from: xs, to: ys, in: v.tree, out: y, derive: func(dirs []*ir.Node) []*ir.Node {
			return spread(g.JVP(outs, wrt, gathered(dirs, in)), out, len(ys))
		}},
		pull: linearMap[R, P]{g: g, from: ys, to: xs, in: y, out: v.tree, derive: func(cts []*ir.Node) []*ir.Node {
			return spread(g.VJP(outs, gathered(cts, out), wrt), in, len(xs))
		}},
	}
}

// JVP is the derivative of the function's result along a tangent, a tree like the argument. A place of the tangent
// without a value is zero. [Vmap] of it takes several at once.
func (l *Linearized[P, R]) JVP(tangent P) R { return l.push.call(tangent) }

// JVPInto is JVP of arrays, none missing, into the arrays that *y holds, where it holds some: such a call allocates
// nothing.
func (l *Linearized[P, R]) JVPInto(y *R, tangent P) { l.push.into(y, tangent) }

// VJP is the product of a cotangent, a tree like the function's result, with the derivative: a tree like the argument.
// A place of the cotangent without a value is zero. [Vmap] of it takes several at once.
func (l *Linearized[P, R]) VJP(cotangent R) P { return l.pull.call(cotangent) }

// VJPInto is VJP of arrays, none missing, into the arrays that *x holds, where it holds some: such a call allocates
// nothing.
func (l *Linearized[P, R]) VJPInto(x *P, cotangent R) { l.pull.into(x, cotangent) }

// linearMap is a derivative in one of the two modes.
type linearMap[A, B any] struct {
	g        *ir.Graph
	from, to []*ir.Node // the floats of in and out, by place; nil: none
	in       A
	out      B
	derive   func(dirs []*ir.Node) []*ir.Node // by place; nil: zero

	*shared   // nil where all is recorded in one graph
	once      sync.Once
	failed    any        // what deriving panicked with
	dirs      []*ir.Node // stand-ins, by place
	outs      []*ir.Node // by place
	residuals []*ir.Node // what does not depend on dirs
	arrays    []Value    // their elements
	program   *Program2[[]Value, A, B]
}

// shared is what both modes run.
type shared struct {
	sync.Mutex
	eval *evaluation
}

func (m *linearMap[A, B]) call(a A) B {
	as := leaves(a)
	if len(as) != len(m.from) {
		ir.Fail("Linearize", "the direction has %d values, not %d", len(as), len(m.from))
	}
	if m.shared == nil {
		return m.tree(m.g, m.derive(m.directions(m.g, as)))
	}
	if g := graphOf(as); g != nil {
		m.prepare()
		return m.replay(g, m.arrays, as)
	}
	for k, n := range m.from {
		if n != nil && !as[k].IsValid() {
			as[k] = DType{n.Type}.Zeros(n.Shape.At(1)...)
		}
	}
	var b B
	m.into(&b, replaced(a, as))
	return b
}

func (m *linearMap[A, B]) into(b *B, a A) {
	if m.shared == nil {
		ir.Fail("Linearize", "the function is recorded: there are no arrays to write to yet")
	}
	m.prepare()
	if err := m.program.RunInto(context.Background(), b, m.arrays, a); err != nil {
		panic(err)
	}
}

// directions are the nodes of a direction's floats; nil: zero.
func (m *linearMap[A, B]) directions(g *ir.Graph, as []Value) []*ir.Node {
	dirs := make([]*ir.Node, len(as))
	for k, n := range m.from {
		if n != nil && as[k].IsValid() {
			dirs[k] = as[k].node(g, "Linearize", n.Type)
			if dirs[k].Type != n.Type || !dirs[k].Shape.Equal(n.Shape) {
				ir.Fail("Linearize", "a direction is %v%v, not %v%v", dirs[k].Type, dirs[k].Shape, n.Type, n.Shape)
			}
		}
	}
	return dirs
}

// tree is the result, of nodes of g by place.
func (m *linearMap[A, B]) tree(g *ir.Graph, ns []*ir.Node) B {
	vs := make([]Value, len(m.to))
	for k, n := range m.to {
		switch {
		case n == nil:
		case ns[k] == nil:
			vs[k] = Value{n: g.Const(n.Type, n.Shape, 0), cut: true}
		default:
			vs[k] = Value{n: ns[k]}
		}
	}
	return replaced(m.out, vs)
}

// prepare records the derivative, computes what it needs and compiles the rest.
func (m *linearMap[A, B]) prepare() {
	m.once.Do(func() {
		defer func() { m.failed = recover() }()
		m.Lock()
		defer m.Unlock()
		m.dirs = make([]*ir.Node, len(m.from))
		specs := make([]Value, len(m.from))
		for k, n := range m.from {
			if n != nil {
				m.dirs[k] = m.g.Hole(n.Type, n.Shape)
				specs[k] = DType{n.Type}.Spec(n.Shape.At(1)...)
			}
		}
		m.outs = m.derive(m.dirs)
		outs, _ := present(m.outs)
		holes, _ := present(m.dirs)
		m.residuals = ir.Residuals(outs, holes)
		m.arrays = m.eval.run(values(m.residuals))
		var err error
		m.program, err = Compile2(func(residuals []Value, a A) B {
			as := leaves(a)
			return m.replay(graphOf(as), residuals, as)
		}, m.arrays, replaced(m.in, specs))
		if err != nil {
			panic(err)
		}
	})
	if m.failed != nil {
		panic(m.failed)
	}
}

// replay is the derivative in another graph.
func (m *linearMap[A, B]) replay(g *ir.Graph, residuals, as []Value) B {
	var from, to []*ir.Node
	for i, n := range m.residuals {
		from, to = append(from, n), append(to, residuals[i].node(g, "Linearize", n.Type))
	}
	for k, d := range m.directions(g, as) {
		if n := m.dirs[k]; n != nil {
			if d == nil {
				d = g.Const(n.Type, n.Shape, 0)
			}
			from, to = append(from, n), append(to, d)
		}
	}
	outs, at := present(m.outs)
	ns := make([]*ir.Node, len(m.outs))
	for i, n := range g.Replay(outs, from, to) {
		ns[at[i]] = n
	}
	return m.tree(g, ns)
}
