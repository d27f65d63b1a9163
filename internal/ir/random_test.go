package ir

import (
	"fmt"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Chains of random kinds on random shapes: both modes to order 2, and Vmap.
func TestRandomChains(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newProbe(seed)
			x := p.arg(positive, p.shape(1+p.rng.IntN(3)))
			for range 5 {
				x = p.step(x)
			}
			p.outs = []*Node{x}
			p.check(t, 1)
			outs := append([]*Node{x}, notNil(p.g.VJP(p.outs, []*Node{p.random(x)}, p.in))...)
			checkVmap(t, p, outs, 1+p.rng.IntN(3), D(2))
		})
	}
}

func (p *probe) shape(rank int) Shape {
	s := make(Shape, rank)
	for i := range s {
		s[i] = []Dim{D(1), D(2), D(3), D(4), Batch}[p.rng.IntN(5)]
	}
	return s
}

// step applies one random thing.
func (p *probe) step(x *Node) *Node {
	g, r := p.g, x.Rank()
	if n := x.Shape.SizeAt(testBatch); n > 100 || r > 4 {
		return g.Reduce(Sum, x, p.rng.IntN(r))
	}
	if r == 0 {
		return g.Broadcast(g.Reshape(x, ones(2)), Static(2, 3))
	}
	a := p.rng.IntN(r)
	d := x.Shape[a]
	switch p.rng.IntN(16) {
	case 0:
		return g.Transpose(x, p.rng.Perm(r))
	case 1:
		return g.Reverse(x, a)
	case 2:
		return g.CumSum(x, a, p.rng.IntN(2) == 0)
	case 3:
		return g.Reduce([]Reduction{Sum, Prod, Max, Min}[p.rng.IntN(4)], x, a)
	case 4:
		lo, hi := make([]int, r), make([]int, r)
		lo[a], hi[a] = p.rng.IntN(2), p.rng.IntN(2)
		return g.Pad(x, lo, hi, 1.5)
	case 5:
		start, step, size := wholeSpan(x.Shape)
		if d.Static() {
			start[a] = D(p.rng.IntN(d.C))
			step[a] = 1 + p.rng.IntN(2)
			size[a] = D((d.C - start[a].C + step[a] - 1) / step[a])
		}
		return g.Apply(ops.Sub, g.Slice(x, start, step, size), p.slice(x, a, step[a], size))
	case 6:
		var v []float64
		for range 3 {
			v = append(v, float64(p.rng.IntN(d.At(testBatch))))
		}
		return g.Take(x, p.ints(Static(3), v...), a, "")
	case 7:
		var v []float64
		for range d.At(testBatch) {
			v = append(v, float64(p.rng.IntN(4)))
		}
		s := slices.Clone(x.Shape)
		s[a] = D(4)
		return g.Scatter(s, p.ints(Shape{d}, v...), x, a, "")
	case 8:
		s := slices.Clone(x.Shape)
		s[a] = D(1)
		return g.Map(ops.Mul, x, p.arg(positive, s))
	case 9:
		y := g.Apply(ops.Mul, x, p.arg(wide, x.Shape))
		return g.Apply(ops.Where, g.Apply(ops.Gt, x, y), g.Apply(ops.Square, y), x)
	case 10:
		return g.MatMulND(x, p.arg(wide, Shape{x.Shape[r-1], D(2)}))
	case 11:
		// Σ x·w with axes of their own: a product in disguise.
		w := p.arg(wide, Shape{x.Shape[r-1], D(2)})
		return g.Reduce(Sum, g.Map(ops.Mul, g.Reshape(x, append(slices.Clone(x.Shape), D(1))), w), r-1)
	case 12:
		return g.Concat(a, x, g.Apply(ops.Sin, g.Reverse(x, a)))
	case 13:
		return g.Reshape(x, slices.Insert(slices.Clone(x.Shape), a, D(1)))
	case 14:
		return g.Softmax(x, a)
	}
	return g.Apply(ops.Tanh, x)
}

// slice is another slice of the same size: the two overlap, interleave or stand apart.
func (p *probe) slice(x *Node, a, step int, size Shape) *Node {
	start, steps, _ := wholeSpan(x.Shape)
	steps[a] = step
	if d := x.Shape[a]; d.Static() {
		start[a] = D(p.rng.IntN(d.C - (size[a].C-1)*step))
	}
	return p.g.Slice(x, start, steps, size)
}

// A sum of products that becomes a MatMul has the value of the sum, whatever the axes.
func TestSumOfProductsAnyAxes(t *testing.T) {
	found := 0
	for seed := range uint64(1000) {
		p := newProbe(seed)
		s := p.shape(2 + p.rng.IntN(4))
		sx, sy := slices.Clone(s), slices.Clone(s)
		for a := range s {
			switch p.rng.IntN(10) {
			case 0, 1, 2:
				sx[a] = D(1)
			case 3, 4, 5:
				sy[a] = D(1)
			case 6:
				sx[a], sy[a] = D(1), D(1)
			}
		}
		x, y := p.arg(wide, sx), p.arg(wide, sy)
		lo := p.rng.IntN(len(s))
		axes := axisRange(lo, lo+1+p.rng.IntN(len(s)-lo))
		product := p.g.Apply(ops.Mul, p.g.Broadcast(x, s), p.g.Broadcast(y, s))
		got := p.g.Reduce(Sum, product, axes...)
		want := p.g.Reduce(Sum, p.g.Stop(product), axes...) // which is not seen through
		for _, n := range Reachable([]*Node{got}) {
			if n.Kind == MatMul {
				found++
			}
		}
		v := p.values(t, got, want)
		if !got.Shape.Equal(want.Shape) || !slices.EqualFunc(v[0], v[1], func(a, b float64) bool { return near(a, b, b, 1e-12) }) {
			t.Errorf("%v · %v over %v: %v, want %v", sx, sy, axes, v[0], v[1])
		}
	}
	if found < 20 {
		t.Errorf("only %d products", found)
	}
}
