package ir

import (
	"math"
	"testing"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// checkJet holds the coefficients of a curve's image against total derivatives by nested forward mode.
func (p *probe) checkJet(t *testing.T, order int) {
	t.Helper()
	if len(p.in) == 0 {
		return
	}
	// d[k] are the curve's derivatives of order k+1, coefs the coefficients.
	d := make([][]*Node, order)
	coefs := make([][]*Node, len(p.in))
	factorial := 1.0
	for k := range d {
		factorial *= float64(k + 1)
		for i, x := range p.in {
			v := p.random(x)
			d[k] = append(d[k], v)
			coefs[i] = append(coefs[i], p.g.Apply(ops.Div, v, p.g.like(v, factorial)))
		}
	}
	got := p.g.Jet(p.outs, p.in, coefs)
	want := p.outs
	wrt, dirs := p.in, d[0]
	factorial = 1
	for k := range order {
		factorial *= float64(k + 1)
		want = p.g.JVP(want, wrt, dirs)
		for i := range want {
			if want[i] == nil {
				want[i] = p.g.like(p.outs[i], 0)
			}
			c := got[i][k]
			if c == nil {
				c = p.g.like(p.outs[i], 0)
			}
			vs := p.values(t, c, want[i])
			size := 0.0
			for _, v := range vs[1] {
				size = math.Max(size, math.Abs(v))
			}
			for e, v := range vs[0] {
				if w := vs[1][e]; !near(v*factorial, w, size, 1e-9) {
					t.Errorf("derivative %d of element %d is %v, not %v", k+1, e, v*factorial, w)
					return
				}
			}
		}
		if k+1 < order {
			wrt = append(wrt[:len(wrt):len(wrt)], d[k]...)
			dirs = append(dirs[:len(dirs):len(dirs)], d[k+1]...)
		}
	}
}

// Every row of the op table and every structural function, against nested forward mode.
func TestJet(t *testing.T) {
	for i := range ops.Table {
		op := &ops.Table[i]
		if op.Class != ops.Float && op.Class != ops.Arith {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			p := newProbe(uint64(i))
			p.row(op, 0)
			order := 4
			if op.Known > 0 {
				order = op.Known
			}
			p.checkJet(t, order)
		})
	}
	for name, f := range structural {
		t.Run(name, func(t *testing.T) {
			p := newProbe(5)
			p.outs = []*Node{f(p)}
			p.checkJet(t, 3)
		})
	}
}

// Nodes grow with the square of the order.
func TestJetSize(t *testing.T) {
	size := func(order int) int {
		p := newProbe(1)
		x := p.arg(positive, nil)
		y := p.g.Apply(ops.Tanh, p.g.Apply(ops.Sin, p.g.Apply(ops.Log, p.g.Apply(ops.Mul, x, x))))
		cs := make([]*Node, order)
		cs[0] = p.g.like(x, 1)
		return len(Strip(p.g.Jet([]*Node{y}, []*Node{x}, [][]*Node{cs})[0])[0].Graph.Nodes)
	}
	if a, b := size(10), size(20); b > 5*a {
		t.Errorf("%d nodes for order 10, %d for 20", a, b)
	}
}
