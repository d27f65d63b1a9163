package ir

import (
	"encoding/binary"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Tap is an element that counts with a weight.
type Tap struct {
	At     int
	Weight float64
}

// mostTaps bounds the taps whose transpose is written as sums of what each element goes to; more are scattered.
const mostTaps = 32

// Weigh is x with other elements along axis, a static one: element i is the sum of those that taps[i] names, times their weights, in
// that order, 0 where there are none. It is a matrix of few elements times x, so its derivatives are sums of the same kind.
func (g *Graph) Weigh(op string, x *Node, axis int, taps [][]Tap) *Node {
	r := &Rule{Name: op, JVP: func(g *Graph, _, _, ts []*Node) []*Node {
		return []*Node{g.Weigh(op, ts[0], axis, taps)}
	}}
	if back := transposedTaps(taps, x.Shape[axis].C); longest(back) <= mostTaps {
		r.VJP = func(g *Graph, _, _, cts []*Node) []*Node {
			return []*Node{g.Weigh(op, cts[0], axis, back)}
		}
	}
	return g.Custom(r, []*Node{x}, func(x []*Node) []*Node {
		return []*Node{g.weighed(x[0], axis, taps)}
	})[0]
}

// weighed is what Weigh computes. A tap is halved until an element has as many as the others, so that nothing is read that is not weighed.
func (g *Graph) weighed(x *Node, axis int, taps [][]Tap) *Node {
	shape := ones(x.Rank() - axis)
	shape[0] = D(len(taps))
	row := func(t dtype.Type, of func(i int) float64) *Node {
		bits := make([]uint64, len(taps))
		for i := range bits {
			bits[i] = FloatBits(t, of(i))
		}
		return g.Stop(g.Reshape(g.numbers(t, bits), shape))
	}
	at, weight := make([]uint64, len(taps)), make([]float64, len(taps))
	left := make([][]Tap, len(taps))
	for i, t := range taps {
		if left[i] = slices.Clone(t); len(t) == 0 {
			left[i] = []Tap{{0, 1}}
		}
	}
	var y *Node
	for n := max(1, longest(taps)); n > 0; n-- {
		alike := true
		for i, t := range left {
			if len(t) < n {
				t[0].Weight /= 2
				at[i], weight[i] = uint64(t[0].At), t[0].Weight
			} else {
				at[i], weight[i], left[i] = uint64(t[0].At), t[0].Weight, t[1:]
			}
			alike = alike && weight[i] == 1
		}
		tap := g.Take(x, g.numbers(dtype.I32, at), axis, "")
		switch {
		case alike && y == nil:
			y = tap
		case alike:
			y = g.Map(ops.Add, y, tap)
		case y == nil:
			y = g.Map(ops.Mul, tap, row(tap.Type, func(i int) float64 { return weight[i] }))
		default:
			y = g.Map(ops.Fma, tap, row(tap.Type, func(i int) float64 { return weight[i] }), y)
		}
	}
	if slices.ContainsFunc(taps, func(t []Tap) bool { return len(t) == 0 }) {
		y = g.Map(ops.MulZ, row(y.Type, func(i int) float64 { return float64(min(1, len(taps[i]))) }), y)
	}
	return y
}

// numbers is an array of constants of the given bits.
func (g *Graph) numbers(t dtype.Type, bits []uint64) *Node {
	b := make([]byte, 0, len(bits)*t.Size())
	for _, x := range bits {
		b = append(b, binary.LittleEndian.AppendUint64(nil, x)[:t.Size()]...)
	}
	return g.Captured(t, Static(len(bits)), &Array{Bytes: b})
}

func longest(taps [][]Tap) int {
	n := 0
	for _, t := range taps {
		n = max(n, len(t))
	}
	return n
}

// transposedTaps is, for each of d elements, where it is weighed.
func transposedTaps(taps [][]Tap, d int) [][]Tap {
	back := make([][]Tap, d)
	for i, t := range taps {
		for _, x := range t {
			back[x.At] = append(back[x.At], Tap{i, x.Weight})
		}
	}
	return back
}

// CrossTaps is what rows and columns of a matrix of n columns are weighed by, those of its rows by rows, for its elements in order.
func CrossTaps(rows, cols [][]Tap, n int) [][]Tap {
	var taps [][]Tap
	for _, r := range rows {
		for _, c := range cols {
			var t []Tap
			for _, a := range r {
				for _, b := range c {
					t = append(t, Tap{a.At*n + b.At, a.Weight * b.Weight})
				}
			}
			taps = append(taps, t)
		}
	}
	return taps
}
