package ir

import (
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Loops and branches stand among the structural functions: both modes to order 2, Vmap, Vmap of gradients.
func init() {
	steps := LoopOptions{Length: D(3)}
	scan := func(o LoopOptions, p *probe) *Node {
		g := p.g
		x, xs, w := p.arg(wide, Static(2)), p.arg(wide, Static(3, 2)), p.arg(wide, Static(2, 2))
		finals, ys, _ := g.Loop("Scan", o, []*Node{x, g.like(x, 1)}, []*Node{xs}, func(index *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
			h := g.Apply(ops.Tanh, g.Apply(ops.Add, g.MatMulND(c[0], w), x[0]))
			h = g.Apply(ops.Add, h, g.Map(ops.Mul, g.Convert(index, dtype.F64), c[0]))
			return []*Node{h, g.Apply(ops.Mul, c[1], c[0])}, []*Node{g.Apply(ops.Mul, h, x[0])}, nil
		})
		return g.Concat(0, finals[0], finals[1], g.Reshape(ys[0], Static(6)))
	}
	structural["loop"] = func(p *probe) *Node { return scan(steps, p) }
	structural["loop backwards"] = func(p *probe) *Node { return scan(LoopOptions{Length: D(3), Backward: true}, p) }
	structural["loop, counted"] = func(p *probe) *Node {
		return scan(LoopOptions{Length: D(3), Count: p.g.Const(dtype.I64, nil, 2)}, p)
	}
	structural["loop, few carries kept"] = func(p *probe) *Node { return scan(LoopOptions{Length: D(3), Slots: 1}, p) }
	structural["loop backwards, few carries kept"] = func(p *probe) *Node {
		return scan(LoopOptions{Length: D(3), Backward: true, Slots: 1}, p)
	}
	structural["loop, counted, few carries kept"] = func(p *probe) *Node {
		return scan(LoopOptions{Length: D(3), Count: p.g.Const(dtype.I64, nil, 2), Slots: 2}, p)
	}
	structural["loop of B steps"] = func(p *probe) *Node {
		g := p.g
		xs := p.arg(wide, Shape{Batch})
		finals, ys, _ := g.Loop("Scan", LoopOptions{Length: Batch}, []*Node{g.Const(dtype.F64, nil, 1)}, []*Node{xs},
			func(_ *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
				s := g.Apply(ops.Add, g.Apply(ops.Sin, c[0]), x[0])
				return []*Node{s}, []*Node{g.Apply(ops.Square, s)}, nil
			})
		return g.Concat(0, g.Reshape(finals[0], Static(1)), ys[0])
	}
	structural["loop whose weights are large beside a step"] = func(p *probe) *Node {
		g := p.g
		h, xs, w, u := p.arg(wide, Static(9)), p.arg(wide, Static(3, 9)), p.arg(wide, Static(9, 9)), p.arg(wide, Static(9, 9))
		finals, _, _ := g.Loop("Scan", steps, []*Node{h}, []*Node{xs}, func(_ *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
			a := g.Apply(ops.Tanh, g.Apply(ops.Add, g.MatMulND(c[0], w), g.MatMulND(x[0], u)))
			return []*Node{g.Apply(ops.Sin, g.MatMulND(a, w))}, nil, nil
		})
		return finals[0]
	}
	// Wide enough that products are kept, of which the second is not a carry's last operation.
	structural["loop whose products are kept"] = func(p *probe) *Node {
		g := p.g
		h, xs, w, u := p.arg(wide, Static(33)), p.arg(wide, Static(3, 33)), p.arg(wide, Static(33, 33)), p.arg(wide, Static(33, 33))
		finals, ys, _ := g.Loop("Scan", steps, []*Node{h, g.like(h, 0.5)}, []*Node{xs}, func(_ *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
			small := func(n *Node) *Node { return g.Apply(ops.Mul, n, g.like(n, 0.1)) }
			a := g.Apply(ops.Tanh, small(g.Apply(ops.Add, g.MatMulND(c[0], w), x[0])))
			z := small(g.MatMulND(a, u))
			return []*Node{g.Apply(ops.Sin, z), g.Apply(ops.Mul, g.Apply(ops.Tanh, c[1]), g.Apply(ops.Exp, z))}, []*Node{g.Apply(ops.Square, z), c[0]}, nil
		})
		return g.Concat(0, finals[0], finals[1], g.Reshape(ys[0], Static(99)), g.Reshape(ys[1], Static(99)))
	}
	structural["while that keeps products"] = func(p *probe) *Node {
		g := p.g
		x := p.arg(ops.Domain{Lo: 0.3, Hi: 1.7}, Static(1))
		h, w := p.arg(wide, Static(33)), p.arg(wide, Static(33, 33))
		finals, _, _ := g.Loop("While", LoopOptions{Length: D(9)}, []*Node{x, h}, nil, func(_ *Node, c, _ []*Node) (next, ys []*Node, goOn *Node) {
			z := g.MatMulND(g.Apply(ops.Sin, c[1]), w)
			return []*Node{g.Apply(ops.Mul, c[0], g.like(x, 2.5)), g.Apply(ops.Tanh, g.Apply(ops.Mul, z, g.like(z, 0.2)))}, nil,
				g.Reshape(g.Apply(ops.Lt, c[0], g.like(x, 10)), nil)
		})
		return g.Concat(0, finals...)
	}
	structural["while"] = func(p *probe) *Node { // double until large: elements of a batch stop at different steps
		g := p.g
		x := p.arg(ops.Domain{Lo: 0.3, Hi: 1.7}, Static(1))
		y := p.arg(wide, Static(1))
		finals, _, _ := g.Loop("While", LoopOptions{Length: D(9)}, []*Node{x, y}, nil, func(_ *Node, c, _ []*Node) (next, ys []*Node, goOn *Node) {
			return []*Node{g.Apply(ops.Mul, c[0], g.like(x, 2.5)), g.Apply(ops.Mul, g.Apply(ops.Sin, c[1]), c[0])}, nil,
				g.Reshape(g.Apply(ops.Lt, c[0], g.like(x, 10)), nil)
		})
		return g.Apply(ops.Mul, finals[0], finals[1])
	}
	structural["loops, nested"] = func(p *probe) *Node {
		g := p.g
		x, w := p.arg(wide, Static(2)), p.arg(wide, Static(2))
		finals, ys, _ := g.Loop("Scan", steps, []*Node{x}, nil, func(i *Node, c, _ []*Node) (next, ys []*Node, _ *Node) {
			inner, _, _ := g.Loop("Scan", LoopOptions{Length: D(2)}, []*Node{c[0]}, nil, func(j *Node, d, _ []*Node) (next, ys []*Node, _ *Node) {
				f := g.Convert(g.Apply(ops.Add, i, j), dtype.F64)
				return []*Node{g.Apply(ops.Sin, g.Apply(ops.Add, g.Apply(ops.Mul, d[0], w), g.Map(ops.Mul, f, c[0])))}, nil, nil
			})
			return inner, []*Node{g.Reduce(Sum, inner[0], 0)}, nil
		})
		return g.Concat(0, finals[0], ys[0])
	}
	structural["loop of elements with numbers"] = func(p *probe) *Node {
		g := p.g
		x, a, b := p.arg(wide, Static(4)), p.arg(wide, nil), p.arg(wide, nil)
		finals, _, _ := g.Loop("Scan", steps, []*Node{x}, nil, func(_ *Node, c, _ []*Node) (next, ys []*Node, _ *Node) {
			y := g.Apply(ops.Add, g.Apply(ops.Sin, g.Map(ops.Mul, c[0], a)), g.BroadcastTo("", b, Static(4)))
			return []*Node{g.Apply(ops.Sub, y, g.Map(ops.Mul, g.Apply(ops.Cos, c[0]), a))}, nil, nil
		})
		return finals[0]
	}
	structural["branch"] = func(p *probe) *Node {
		g := p.g
		x, y := p.arg(wide, Static(3)), p.arg(wide, Static(3))
		which := g.Convert(g.Apply(ops.Gt, g.Reduce(Sum, x, 0), g.Const(dtype.F64, nil, 0)), dtype.I64)
		outs := g.Branch("Cond", which, 2, func(i int) []*Node {
			if i == 0 {
				return []*Node{g.Apply(ops.Mul, g.Apply(ops.Exp, x), y)}
			}
			return []*Node{g.Apply(ops.Sin, g.Apply(ops.Mul, x, g.Apply(ops.Square, y)))}
		})
		return outs[0]
	}
	structural["branch in a loop"] = func(p *probe) *Node {
		g := p.g
		x, y := p.arg(wide, Static(2)), p.arg(wide, Static(2))
		finals, _, _ := g.Loop("Scan", steps, []*Node{x}, nil, func(i *Node, c, _ []*Node) (next, ys []*Node, _ *Node) {
			outs := g.Branch("Switch", i, 2, func(k int) []*Node {
				if k == 0 {
					return []*Node{g.Apply(ops.Mul, c[0], y)}
				}
				return []*Node{g.Apply(ops.Tanh, g.Apply(ops.Add, c[0], y))}
			})
			return outs, nil, nil
		})
		return finals[0]
	}
}

// What Strip makes of a graph gives the same values, and a loop with its saving loop becomes one.
func TestStripKeepsValues(t *testing.T) {
	for name, f := range structural {
		p := newProbe(11)
		y := f(p)
		ct := p.random(y)
		outs := append([]*Node{y}, notNil(p.g.VJP([]*Node{y}, []*Node{ct}, p.in))...)
		want := p.values(t, outs...)
		ones := make([]*Node, len(outs))
		for i, o := range outs {
			ones[i] = p.g.Apply(ops.Add, o, o) // so that pieces are used
		}
		stripped := Strip(append(outs, ones...))
		if err := Verify(stripped); err != nil {
			t.Fatal(name, err)
		}
		env := map[*Node][]float64{}
		loops := 0
		for _, n := range Reachable(stripped) {
			for old, v := range p.env {
				if old.Kind == n.Kind && old.Bits == n.Bits && (n.Kind == Param || n.Kind == Hole) {
					env[n] = v
				}
			}
			if n.Kind == Loop {
				loops++
			}
		}
		got := evaluate(t, stripped, env, testBatch)
		for i := range want {
			for k := range want[i] {
				if got[i][k] != want[i][k] && got[i][k] == got[i][k] {
					t.Fatal(name, i, k, got[i][k], want[i][k])
				}
			}
		}
		if loops > 2 {
			t.Errorf("%s: %d loops", name, loops)
		}
	}
}

func TestLoopErrors(t *testing.T) {
	g := New()
	x := g.Param(0, dtype.F64, Static(2))
	for _, f := range []func(){
		func() {
			g.Loop("Scan", LoopOptions{Length: D(3)}, []*Node{x}, nil, func(_ *Node, c, _ []*Node) (next, ys []*Node, _ *Node) {
				return []*Node{g.Reduce(Sum, c[0], 0)}, nil, nil
			})
		},
		func() {
			g.Loop("Scan", LoopOptions{Length: D(3)}, nil, []*Node{x}, func(_ *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
				return nil, x, nil
			})
		},
		func() {
			finals, _, _ := g.Loop("While", LoopOptions{Forever: true}, []*Node{x}, nil, func(_ *Node, c, _ []*Node) (next, ys []*Node, _ *Node) {
				return c, nil, g.Const(dtype.Bool, nil, 0)
			})
			g.VJP(finals, finals, []*Node{x})
		},
		func() { g.Branch("Cond", x, 2, func(int) []*Node { return []*Node{x} }) },
		func() {
			g.Branch("Cond", g.Const(dtype.I64, nil, 0), 2, func(i int) []*Node { return []*Node{g.Narrow(x, 0, D(0), D(i+1))} })
		},
	} {
		func() {
			defer func() {
				if _, ok := recover().(*Error); !ok {
					t.Error("no error")
				}
			}()
			f()
		}()
	}
}

// A weight's gradient over the steps of a loop is one product, not a sum that each step adds to.
func TestWeightsOfLoops(t *testing.T) {
	p := newProbe(3)
	y := structural["loop whose weights are large beside a step"](p)
	outs := Strip(notNil(p.g.VJP([]*Node{y}, []*Node{p.random(y)}, p.in)))
	products := 0
	for _, n := range Reachable(outs) {
		switch n.Kind {
		case MatMul:
			products++
		case Loop:
			for _, c := range n.Body[0].Outs[:n.Body[0].Carry] {
				if c.Rank() == 2 {
					t.Errorf("a carry of %v", c.Shape)
				}
			}
		}
	}
	if products != 3 { // two of w, one of u
		t.Errorf("%d products outside the loops", products)
	}
}

// A step backwards makes no product again that the step forwards made: what follows from the next carries is known, the
// others are kept.
func TestStepsBackwardsRepeatNoProduct(t *testing.T) {
	p := newProbe(3)
	y := structural["loop whose products are kept"](p)
	outs := Strip(notNil(p.g.VJP([]*Node{y}, []*Node{p.random(y)}, p.in)))
	var products []int
	for _, n := range Reachable(outs) {
		if n.Kind == Loop {
			k := 0
			for _, x := range Reachable(n.Body[0].Outs) {
				if x.Kind == MatMul {
					k++
				}
			}
			products = append(products, k)
		}
	}
	if len(products) != 2 || products[0] != 2 || products[1] != 2 {
		t.Errorf("%v products in the loops, not 2 forwards and 2 backwards", products)
	}
}

// A loop that carries nothing saves nothing: the one that saves its carries is itself, and Strip ends.
func TestLoopWithoutCarries(t *testing.T) {
	g := New()
	x, w := g.Param(0, dtype.F64, Static(3)), g.Param(1, dtype.F64, nil)
	_, ys, _ := g.Loop("Scan", LoopOptions{Length: D(3)}, nil, []*Node{x}, func(_ *Node, _, x []*Node) (next, ys []*Node, goOn *Node) {
		return nil, []*Node{g.Apply(ops.Mul, x[0], g.Apply(ops.Mul, x[0], w))}, nil
	})
	z := g.Reduce(Sum, ys[0], 0)
	for range 2 {
		z = g.Reduce(Sum, g.VJP([]*Node{z}, []*Node{g.Const(dtype.F64, nil, 1)}, []*Node{x})[0], 0)
	}
	if n := Reachable(Strip([]*Node{z, ys[0]})); len(n) == 0 {
		t.Error(n)
	}
}
