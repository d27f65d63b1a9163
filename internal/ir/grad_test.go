package ir

import (
	"math"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// row makes the result of op for inputs of its domain, at least margin of the whole from its ends.
func (p *probe) row(op *ops.Op, margin float64) {
	var in []*Node
	for j, d := range op.Dom {
		if op.Held(j) && op.ID != ops.MulZ { // polygamma's order is no variable
			in = append(in, p.g.Const(dtype.F64, Static(4), math.Round(d.Lo)))
		} else {
			w := (d.Hi - d.Lo) * margin
			in = append(in, p.arg(ops.Domain{Lo: d.Lo + w, Hi: d.Hi - w}, Static(4)))
		}
	}
	p.outs = []*Node{p.g.Apply(op.ID, in...)}
}

// Every row of the op table, both modes, order 2.
func TestPointwiseDerivatives(t *testing.T) {
	for i := range ops.Table {
		op := &ops.Table[i]
		if op.Class != ops.Float && op.Class != ops.Arith {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			p := newProbe(uint64(i))
			p.row(op, 0.1) // differences step outside by 2e-4 of a normal number
			if op.Known == 1 {
				p.check(t, 2)
				return
			}
			p.check(t, 1)
		})
	}
}

var wide = ops.Domain{Lo: -2, Hi: 2}
var positive = ops.Domain{Lo: 0.5, Hi: 2}

// structural lists functions, one or more per kind. They are squared where they are linear, so that the
// second order is not zero.
var structural = map[string]func(p *probe) *Node{
	"where": func(p *probe) *Node {
		x, y := p.arg(wide, Static(5)), p.arg(wide, Static(5))
		return p.g.Apply(ops.Where, p.g.Apply(ops.Gt, x, y), p.g.Apply(ops.Mul, x, y), p.g.Apply(ops.Exp, y))
	},
	"convert": func(p *probe) *Node {
		// one type only: the evaluator rounds nothing
		return p.square(p.g.Convert(p.g.Convert(p.arg(wide, Static(3)), dtype.F32), dtype.F64))
	},
	"broadcast": func(p *probe) *Node {
		x := p.arg(wide, Shape{D(1), D(3), D(1)})
		return p.g.Apply(ops.Mul, p.g.Broadcast(x, Shape{Batch, D(3), D(2)}), p.arg(wide, Shape{Batch, D(3), D(2)}))
	},
	"reshape":   func(p *probe) *Node { return p.square(p.g.Reshape(p.arg(wide, Static(2, 6)), Static(3, 4))) },
	"transpose": func(p *probe) *Node { return p.square(p.g.Transpose(p.arg(wide, Static(2, 3, 4)), []int{2, 0, 1})) },
	"slice": func(p *probe) *Node {
		x := p.arg(wide, Static(5, 6))
		a := p.g.Slice(x, []Dim{D(1), D(0)}, []int{2, 3}, Static(2, 2))
		b := p.g.Slice(x, []Dim{D(1), D(1)}, []int{1, 2}, Static(2, 2))
		return p.g.Apply(ops.Mul, a, b)
	},
	"slice of the batch": func(p *probe) *Node {
		x := p.arg(wide, Shape{Batch, D(2)})
		first := p.g.Slice(x, []Dim{D(0), D(0)}, []int{1, 1}, Static(1, 2))
		last := p.g.Slice(x, []Dim{{C: -1, B: 1}, D(0)}, []int{1, 1}, Static(1, 2))
		return p.g.Apply(ops.Mul, first, last)
	},
	"reverse": func(p *probe) *Node {
		x := p.arg(wide, Static(3, 4))
		return p.g.Apply(ops.Mul, p.g.Reverse(x, 0, 1), x)
	},
	"place": func(p *probe) *Node {
		a, b := p.arg(wide, Static(2, 2)), p.arg(wide, Static(1, 3))
		return p.square(p.g.Place(dtype.F64, Static(4, 5), FloatBits(dtype.F64, 2), false,
			Piece{X: a, Start: []Dim{D(0), D(1)}, Step: []int{2, 2}}, Piece{X: b, Start: []Dim{D(3), D(0)}}))
	},
	"place adding": func(p *probe) *Node {
		a, b := p.arg(wide, Static(3)), p.arg(wide, Static(2))
		return p.square(p.g.Place(dtype.F64, Static(4), 0, true, Piece{X: a, Start: []Dim{D(0)}}, Piece{X: b, Start: []Dim{D(1)}}))
	},
	"take": func(p *probe) *Node {
		x := p.arg(wide, Static(2, 4, 3))
		idx := p.ints(Static(2, 2), 3, 0, 3, 1)
		return p.square(p.g.Take(x, idx, 1, ""))
	},
	"takes": func(p *probe) *Node {
		x := p.arg(wide, Static(4, 3))
		return p.g.Apply(ops.Mul, p.g.Take(x, p.ints(Static(2), 3, 0), 0, ""), p.g.Take(x, p.ints(Static(2), 2, 3), 0, ""))
	},
	"scatter": func(p *probe) *Node {
		return p.square(p.g.Scatter(Static(2, 4, 3), p.ints(Static(3), 3, 0, 3), p.arg(wide, Static(2, 3, 3)), 1, ""))
	},
	"take for rows": func(p *probe) *Node {
		return p.square(p.g.take(p.arg(wide, Static(2, 4, 3)), p.ints(Static(2, 3), 3, 0, 3, 1, 1, 2), 1, ForRows, ""))
	},
	"scatter for rows": func(p *probe) *Node {
		return p.square(p.g.scatter(Static(2, 4, 3), p.ints(Static(2, 3), 3, 0, 3, 1, 1, 2), p.arg(wide, Static(2, 3, 3)), nil, 1, ForRows, ""))
	},
	"take for elements": func(p *probe) *Node {
		return p.square(p.g.take(p.arg(wide, Static(2, 4, 2)), p.ints(Static(2, 3, 2), 3, 0, 3, 1, 1, 2, 0, 0, 3, 2, 2, 2), 1, ForElements, ""))
	},
	"scatter for elements": func(p *probe) *Node {
		x, upd := p.arg(wide, Static(2, 4, 2)), p.arg(wide, Static(2, 3, 2))
		return p.square(p.g.scatter(x.Shape, p.ints(upd.Shape, 3, 0, 3, 1, 1, 2, 0, 0, 3, 2, 2, 2), upd, x, 1, ForElements, ""))
	},
	"scatter to": func(p *probe) *Node {
		x := p.arg(wide, Static(2, 4, 3))
		y := p.g.ScatterAdd(x, p.ints(Static(3), 3, 0, 3), p.arg(wide, Static(2, 3, 3)), 1, "")
		return p.square(p.g.scatter(y.Shape, p.ints(Static(2, 2), 1, 2, 0, 0), p.arg(wide, Static(2, 2, 3)), y, 1, ForRows, ""))
	},
	"cumsum": func(p *probe) *Node {
		x := p.arg(wide, Static(2, 4, 2))
		return p.g.Apply(ops.Mul, p.g.CumSum(x, 1, false), p.g.CumSum(x, 1, true))
	},
	"matmul": func(p *probe) *Node {
		return p.square(p.g.MatMul(p.arg(wide, Shape{D(2), Batch, D(4)}), p.arg(wide, Static(2, 4, 2))))
	},
	"sum":      func(p *probe) *Node { return p.square(p.g.Reduce(Sum, p.arg(wide, Static(2, 3, 4)), 0, 2)) },
	"max":      func(p *probe) *Node { return p.square(p.g.Reduce(Max, p.arg(wide, Static(2, 3, 4)), 1)) },
	"min":      func(p *probe) *Node { return p.square(p.g.Reduce(Min, p.arg(wide, Static(2, 3)), 0, 1)) },
	"prod":     func(p *probe) *Node { return p.g.Reduce(Prod, p.arg(wide, Static(2, 5, 2)), 1, 2) },
	"prod [B]": func(p *probe) *Node { return p.g.Reduce(Prod, p.arg(wide, Shape{D(2), Batch}), 1) },
	"prod with zeros": func(p *probe) *Node {
		x := p.arg(wide, Static(4, 5))
		for _, i := range []int{2, 5, 9, 10, 12, 14} {
			p.env[x][i] = 0
		}
		return p.g.Reduce(Prod, x, 1)
	},
	"alias": func(p *probe) *Node { return p.square(p.g.Alias(p.arg(wide, Static(3)))) },
	"mulz of mulz": func(p *probe) *Node {
		x, y := p.arg(wide, Static(3)), p.arg(wide, Static(3))
		return p.g.Apply(ops.MulZ, p.g.Apply(ops.MulZ, x, y), p.g.Apply(ops.MulZ, y, x))
	},
	"concat": func(p *probe) *Node {
		return p.square(p.g.Concat(1, p.arg(wide, Static(2, 1)), p.arg(wide, Static(2, 3))))
	},
	"stack": func(p *probe) *Node {
		return p.square(p.g.Stack(-1, p.arg(wide, Static(2, 2)), p.arg(wide, Static(2, 2))))
	},
	"pad": func(p *probe) *Node { return p.square(p.g.Pad(p.arg(wide, Static(2, 2)), []int{1, 0}, []int{0, 2}, 3)) },
	"split": func(p *probe) *Node {
		parts := p.g.Split(p.arg(wide, Static(2, 6)), 1, 3)
		return p.g.Apply(ops.Fma, parts[0], parts[1], parts[2])
	},
	"takealong": func(p *probe) *Node {
		x := p.arg(wide, Shape{Batch, D(4)})
		return p.square(p.g.TakeAlong(x, p.ints(Shape{Batch, D(2)}, 3, 0, 1, 1, 2, 0), 1, ""))
	},
	"takealong axis 0": func(p *probe) *Node {
		x := p.arg(wide, Static(3, 2))
		return p.square(p.g.TakeAlong(x, p.ints(Static(2, 2), 2, 0, 1, 1), 0, ""))
	},
	"scatteradd": func(p *probe) *Node {
		return p.square(p.g.ScatterAdd(p.arg(wide, Static(3, 2)), p.ints(Static(2), 2, 2), p.arg(wide, Static(2, 2)), 0, ""))
	},
	"mean [B]":   func(p *probe) *Node { return p.square(p.g.Mean(p.arg(wide, Shape{Batch, D(3)}))) },
	"var":        func(p *probe) *Node { return p.square(p.g.Var(p.arg(wide, Shape{Batch, D(3)}), -1)) },
	"logsumexp":  func(p *probe) *Node { return p.square(p.g.LogSumExp(p.arg(wide, Static(3, 4)), 1)) },
	"softmax":    func(p *probe) *Node { return p.square(p.g.Softmax(p.arg(wide, Static(3, 4)), 0)) },
	"logsoftmax": func(p *probe) *Node { return p.square(p.g.LogSoftmax(p.arg(wide, Static(3, 4)), -1)) },
	"norm2":      func(p *probe) *Node { return p.square(p.g.Norm2(p.arg(wide, Static(3, 4)), 1)) },
	"matmul nd": func(p *probe) *Node {
		return p.square(p.g.MatMulND(p.arg(wide, Shape{Batch, D(2), D(3)}), p.arg(wide, Static(3, 2))))
	},
	"matmul nd broadcast": func(p *probe) *Node {
		return p.square(p.g.MatMulND(p.arg(wide, Static(2, 3)), p.arg(wide, Shape{D(2), Batch, D(3), D(2)})))
	},
	"dot":   func(p *probe) *Node { return p.square(p.g.Dot(p.arg(wide, Static(4)), p.arg(wide, Static(4)))) },
	"outer": func(p *probe) *Node { return p.square(p.g.Outer(p.arg(wide, Static(4)), p.arg(wide, Shape{Batch}))) },
	"einsum": func(p *probe) *Node {
		return p.g.Einsum("bij,jk,ikl->lb", p.arg(wide, Shape{Batch, D(2), D(3)}), p.arg(wide, Static(3, 2)), p.arg(wide, Static(2, 2, 2)))
	},
	"sum of products": func(p *probe) *Node {
		x, y := p.arg(wide, Shape{Batch, D(3)}), p.arg(wide, Shape{Batch, D(2)})
		z := p.g.Map(ops.Mul, p.g.Reshape(x, Shape{Batch, D(3), D(1)}), p.g.Reshape(y, Shape{Batch, D(1), D(2)}))
		return p.square(p.g.Reduce(Sum, z, 0))
	},
	"powint": func(p *probe) *Node {
		return p.g.Apply(ops.Add, p.g.PowInt(p.arg(positive, Static(3)), 7), p.g.PowInt(p.arg(positive, Static(3)), -3))
	},
}

func (p *probe) square(x *Node) *Node { return p.g.Apply(ops.Square, x) }

func (p *probe) ints(s Shape, v ...float64) *Node {
	x := p.g.Hole(dtype.I64, s)
	p.env[x] = v
	return x
}

func TestStructuralDerivatives(t *testing.T) {
	for name, f := range structural {
		t.Run(name, func(t *testing.T) {
			p := newProbe(11)
			p.outs = []*Node{f(p)}
			p.check(t, 1)
		})
	}
}

// Every kind that can carry a derivative has a rule in each table, and those that cannot have none.
func TestRulesComplete(t *testing.T) {
	for k := range NumKinds {
		leaf := slices.Contains([]Kind{Param, Hole, Const, Data, Iota, DimSize}, k)
		if k == Loop || k == Branch || k == Rewind || k == Out {
			continue // loop.go, branch.go, rewind.go; TestLoops
		}
		want := !leaf && k != Stop
		if (vjpRules[k] != nil) != (want) && k != Stop || (jvpRules[k] != nil) != want || (vmapRules[k] != nil) == leaf {
			t.Errorf("%v: rules vjp %v, jvp %v, vmap %v", k, vjpRules[k] != nil, jvpRules[k] != nil, vmapRules[k] != nil)
		}
	}
}

// scalarTower gives f's value and derivatives up to order 3 at x, each order taken in the mode that modes
// names: 'f' or 'r'.
func scalarTower(t *testing.T, f func(g *Graph, x *Node) *Node, modes string, at float64) []float64 {
	t.Helper()
	g := New()
	x := g.Param(0, dtype.F64, Static(1))
	one := g.Const(dtype.F64, Static(1), 1)
	y := f(g, x)
	outs := []*Node{y}
	for _, m := range modes {
		var d *Node
		if m == 'f' {
			d = g.JVP([]*Node{y}, []*Node{x}, []*Node{one})[0]
		} else {
			d = g.VJP([]*Node{y}, []*Node{one}, []*Node{x})[0]
		}
		if d == nil {
			d = g.Const(dtype.F64, Static(1), 0)
		}
		outs = append(outs, d)
		y = d
	}
	if err := Verify(outs); err != nil {
		t.Fatal(err)
	}
	var res []float64
	for _, v := range evaluate(t, outs, map[*Node][]float64{x: {at}}, 1) {
		res = append(res, v[0])
	}
	return res
}

var modes3 = []string{"rrr", "fff", "rfr", "frf", "ffr", "rrf", "frr", "rff"}

// A branch not taken contributes exactly 0, in both modes, at orders 1 to 3.
func TestBranchNotTaken(t *testing.T) {
	positive := func(g *Graph, x *Node) *Node { return g.Apply(ops.Gt, x, g.like(x, 0)) }
	un := func(op ops.ID) func(g *Graph, x *Node) *Node {
		return func(g *Graph, x *Node) *Node { return g.Apply(op, x) }
	}
	traps := map[string]func(g *Graph, x *Node) *Node{
		"sqrt": un(ops.Sqrt), "log": un(ops.Log), "reciprocal": un(ops.Reciprocal), "rsqrt": un(ops.Rsqrt), "cbrt": un(ops.Cbrt),
		"x log x": func(g *Graph, x *Node) *Node { return g.Apply(ops.Mul, x, g.Apply(ops.Log, x)) },
		"x/x":     func(g *Graph, x *Node) *Node { return g.Apply(ops.Div, x, x) },
		"pow":     func(g *Graph, x *Node) *Node { return g.Apply(ops.Pow, x, x) },
		"norm": func(g *Graph, x *Node) *Node {
			return g.Apply(ops.Sqrt, g.Apply(ops.Square, g.Apply(ops.Log, x)))
		},
		"sum of logs": func(g *Graph, x *Node) *Node {
			l := g.Apply(ops.Log, g.Broadcast(x, Static(3)))
			return g.Reshape(g.Reduce(Sum, g.Apply(ops.Mul, l, l), 0), Static(1))
		},
		"matmul": func(g *Graph, x *Node) *Node { // the mask goes through products; their other factor must be finite
			l := g.Reshape(g.Apply(ops.Log, x), Static(1, 1))
			return g.Reshape(g.MatMul(l, g.Const(dtype.F64, Static(1, 1), 2)), Static(1))
		},
		"take": func(g *Graph, x *Node) *Node {
			l := g.Apply(ops.Log, g.Broadcast(x, Static(3)))
			return g.Take(g.CumSum(l, 0, false), g.Const(dtype.I64, Static(1), 1), 0, "")
		},
		"product": func(g *Graph, x *Node) *Node {
			l := g.Apply(ops.Sqrt, x)
			return g.Reshape(g.Reduce(Prod, g.Concat(0, l, g.Apply(ops.Sin, l), l), 0), Static(1))
		},
		"max": func(g *Graph, x *Node) *Node {
			return g.Reshape(g.Reduce(Max, g.Concat(0, g.Apply(ops.Sqrt, x), g.Apply(ops.Cbrt, x)), 0), Static(1))
		},
	}
	for name, trap := range traps {
		for _, modes := range modes3 {
			guarded := func(g *Graph, x *Node) *Node {
				return g.Apply(ops.Where, positive(g, x), trap(g, x), g.Apply(ops.Mul, g.like(x, 3), x))
			}
			if got := scalarTower(t, guarded, modes, 0); !slices.Equal(got, []float64{0, 3, 0, 0}) {
				t.Errorf("where(x > 0, %s, 3x) at 0, modes %s: %v", name, modes, got)
			}
		}
	}
}

// Selects of the table guard what stands before them and what stands behind them: a branch not taken
// gives 0, even times Inf.
func TestSelectsOfTheTable(t *testing.T) {
	chain := func(list ...ops.ID) func(g *Graph, x *Node) *Node {
		return func(g *Graph, x *Node) *Node {
			for _, op := range list {
				if op == ops.Max {
					x = g.Apply(op, x, g.like(x, 0))
				} else {
					x = g.Apply(op, x)
				}
			}
			return x
		}
	}
	for _, c := range []struct {
		name string
		f    func(g *Graph, x *Node) *Node
		at   float64
		want []float64
	}{
		{"sqrt(relu(x)) at 0", chain(ops.Relu, ops.Sqrt), 0, []float64{0, 0, 0, 0}},
		{"sqrt(relu(x)) at -1", chain(ops.Relu, ops.Sqrt), -1, []float64{0, 0, 0, 0}},
		{"sqrt(relu(x)) at 1", chain(ops.Relu, ops.Sqrt), 1, []float64{1, 0.5, -0.25, 0.375}},
		{"relu(log(x)) at 0", chain(ops.Log, ops.Relu), 0, []float64{0, 0, 0, 0}},
		{"relu(sqrt(x)) at 0", chain(ops.Sqrt, ops.Relu), 0, []float64{0, 0, 0, 0}},
		{"max(log(x), 0) at 0", chain(ops.Log, ops.Max), 0, []float64{0, 0, 0, 0}},
		{"max(x, 0) tied", chain(ops.Max), 0, []float64{0, 0.5, 0, 0}},
	} {
		for _, modes := range modes3 {
			if got := scalarTower(t, c.f, modes, c.at); !slices.Equal(got, c.want) {
				t.Errorf("%s, modes %s: %v, want %v", c.name, modes, got, c.want)
			}
		}
	}
}

// Nesting cannot confuse perturbations: the derivative at order 3 and the classical trap
// d/dx (x · d/dy (x + y)) = 1.
func TestNested(t *testing.T) {
	f := func(g *Graph, x *Node) *Node { return g.Apply(ops.Mul, g.Apply(ops.Exp, x), g.Apply(ops.Sin, x)) }
	s, c, e := math.Sin(0.7), math.Cos(0.7), math.Exp(0.7)
	want := []float64{e * s, e * (s + c), e * 2 * c, e * 2 * (c - s)}
	for _, modes := range modes3 {
		for i, got := range scalarTower(t, f, modes, 0.7) {
			if !near(got, want[i], want[i], 1e-14) {
				t.Errorf("modes %s, order %d: %v, want %v", modes, i, got, want[i])
			}
		}
		outer := func(g *Graph, x *Node) *Node {
			y := g.Alias(x)
			inner := g.JVP([]*Node{g.Apply(ops.Add, x, y)}, []*Node{y}, []*Node{g.like(y, 1)})[0]
			return g.Apply(ops.Mul, x, inner)
		}
		if got := scalarTower(t, outer, modes, 2); got[1] != 1 || got[2] != 0 {
			t.Errorf("modes %s: %v", modes, got)
		}
	}
}

func vector(g *Graph, n int) *Node { return g.Param(0, dtype.F64, Static(n)) }

// Ties of a reduction share the derivative evenly, in both modes.
func TestTies(t *testing.T) {
	for _, r := range []Reduction{Max, Min} {
		g := New()
		x := vector(g, 4)
		one := g.Const(dtype.F64, nil, 1)
		y := g.Reduce(r, x, 0)
		ct := g.VJP([]*Node{y}, []*Node{one}, []*Node{x})[0]
		dx := g.Param(1, dtype.F64, Static(4))
		dy := g.JVP([]*Node{y}, []*Node{x}, []*Node{dx})[0]
		for _, c := range [][2][]float64{
			{{2, 5, 5, 1}, {0, 0.5, 0.5, 0}}, {{3, 3, 3, 3}, {0.25, 0.25, 0.25, 0.25}}, {{9, 1, 2, 3}, {1, 0, 0, 0}},
		} {
			at := slices.Clone(c[0])
			if r == Min {
				for i := range at {
					at[i] = -at[i]
				}
			}
			dir := []float64{1, 2, 4, 8}
			got := evaluate(t, []*Node{ct, dy}, map[*Node][]float64{x: at, dx: dir}, 1)
			if !slices.Equal(got[0], c[1]) || got[1][0] != dot(c[1], dir) {
				t.Errorf("%v of %v: reverse %v, forward %v, want %v", r, at, got[0], got[1], c[1])
			}
		}
	}
}

// Reading every element costs the reverse sweep a bounded number of nodes each, and one Place.
func TestElementReads(t *testing.T) {
	count := func(n int) int {
		g := New()
		x := vector(g, n)
		var y *Node
		for i := range n {
			e := g.Apply(ops.Square, g.Narrow(x, 0, D(i), D(1)))
			if y == nil {
				y = e
			} else {
				y = g.Apply(ops.Add, y, e)
			}
		}
		ct := g.VJP([]*Node{y}, []*Node{g.like(y, 1)}, []*Node{x})
		places := 0
		for _, r := range Reachable(ct) {
			if r.Kind == Place {
				places++
			}
			if len(r.Shape) > 0 && r.Shape[0].C == n && r.Kind != Place && r != x {
				t.Errorf("%v is as long as the array", r)
			}
		}
		if places != 1 {
			t.Errorf("%d places", places)
		}
		return len(g.Nodes)
	}
	if a, b := count(100), count(200); b > 2*a {
		t.Errorf("%d nodes for 100 reads, %d for 200", a, b)
	}
}

func TestNotConnected(t *testing.T) {
	g := New()
	x, y := vector(g, 3), g.Param(1, dtype.F64, Static(3))
	k := g.Param(2, dtype.I64, Static(3))
	out := g.Apply(ops.Mul, x, g.Stop(y))
	out = g.Apply(ops.Add, out, g.Convert(k, dtype.F64))
	cts := g.VJP([]*Node{out}, []*Node{g.like(out, 1)}, []*Node{x, y, k})
	if cts[0] == nil || cts[1] != nil || cts[2] != nil {
		t.Errorf("%v", cts)
	}
	if ts := g.JVP([]*Node{out}, []*Node{y}, []*Node{g.like(y, 1)}); ts[0] != nil {
		t.Errorf("%v", ts)
	}
	if cts := g.VJP([]*Node{x}, []*Node{g.like(x, 1)}, []*Node{x, y}); cts[0] != g.like(x, 1) || cts[1] != nil {
		t.Errorf("%v", cts)
	}
}
