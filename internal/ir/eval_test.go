package ir

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// evaluate computes outs in float64, element by element, for the values of the leaves in env. It knows
// nothing of the runtime.
func evaluate(t testing.TB, outs []*Node, env map[*Node][]float64, batch int) [][]float64 {
	t.Helper()
	at := map[*Node][]float64{}
	results := map[*Node][][]float64{} // of Loops and Branches
	for _, n := range Reachable(outs) {
		if v, ok := env[n]; ok {
			at[n] = v
			continue
		}
		in := make([][]float64, len(n.In))
		for i, x := range n.In {
			in[i] = at[x]
		}
		switch n.Kind {
		case Loop, Rewind:
			results[n] = evalLoop(t, n, in, batch)
			continue
		case Branch:
			b := n.Body[max(0, min(len(n.Body)-1, int(in[0][0])))]
			results[n] = evalBody(t, b, b.Outs, in[1:], batch)
			continue
		case Out:
			at[n] = results[n.In[0]][n.Bits]
			continue
		}
		at[n] = evalNode(t, n, func(i int) []float64 { return at[n.In[i]] }, batch)
	}
	res := make([][]float64, len(outs))
	for i, o := range outs {
		res[i] = at[o]
	}
	return res
}

func evalBody(t testing.TB, b *Body, outs []*Node, params [][]float64, batch int) [][]float64 {
	env := map[*Node][]float64{}
	for i, p := range b.Params {
		env[p] = params[i]
	}
	return evaluate(t, outs, env, batch)
}

func evalLoop(t testing.TB, n *Node, in [][]float64, batch int) [][]float64 {
	b := n.Body[0]
	length := n.Size.At(batch)
	steps := length
	if n.Bits == 1 {
		steps = int(in[len(in)-1][0])
		in = in[:len(in)-1]
	}
	if n.Kind == Rewind {
		p := partsOf(n, in)
		f := n.Body[1]
		sliced := func(xs [][]float64, i int) (res [][]float64) {
			for _, x := range xs {
				w := len(x) / length
				res = append(res, x[i*w:(i+1)*w])
			}
			return append(res, []float64{float64(i)})
		}
		at := func(k int) int {
			if n.Flag {
				return steps - 1 - k
			}
			return k
		}
		states := [][][]float64{p.first}
		for k := range steps {
			states = append(states, evalBody(t, f, f.Outs, slices.Concat(states[k], sliced(p.xs[:f.Xs], at(k)), p.used), batch))
		}
		carry := p.init
		var ys [][]float64
		for _, o := range b.Outs[b.Carry:] {
			ys = append(ys, make([]float64, length*o.Shape.SizeAt(batch)))
		}
		for k := steps - 1; k >= 0; k-- {
			outs := evalBody(t, b, b.Outs, slices.Concat(carry, states[k], sliced(p.xs, at(k)), p.captured), batch)
			carry = outs[:b.Carry]
			for j, y := range outs[b.Carry:] {
				copy(ys[j][at(k)*len(y):], y)
			}
		}
		return slices.Concat(carry, ys, [][]float64{{0}})
	}
	carry := in[:b.Carry]
	var ys [][]float64
	for _, o := range b.Outs[b.Carry:] {
		ys = append(ys, make([]float64, length*o.Shape.SizeAt(batch)))
	}
	taken := 0
	for k := 0; n.Size.C < 0 || k < steps; k++ {
		i := k
		if n.Flag {
			i = steps - 1 - k
		}
		params := slices.Clone(carry)
		for _, x := range in[b.Carry : b.Carry+b.Xs] {
			w := len(x) / length
			params = append(params, x[i*w:(i+1)*w])
		}
		params = append(params, []float64{float64(i)})
		params = append(params, in[b.Carry+b.Xs:]...)
		if b.Cond != nil && evalBody(t, b, []*Node{b.Cond}, params, batch)[0][0] == 0 {
			break
		}
		outs := evalBody(t, b, b.Outs, params, batch)
		carry = outs[:b.Carry]
		for j, y := range outs[b.Carry:] {
			copy(ys[j][i*len(y):], y)
		}
		taken++
	}
	return slices.Concat(carry, ys, [][]float64{{float64(taken)}})
}

// coords calls f with every index of dims, row-major.
func coords(dims []int, f func(flat int, at []int)) {
	at := make([]int, len(dims))
	n := 1
	for _, d := range dims {
		n *= d
	}
	for i := range n {
		f(i, at)
		for a := len(dims) - 1; a >= 0; a-- {
			if at[a]++; at[a] < dims[a] {
				break
			}
			at[a] = 0
		}
	}
}

func flat(dims, at []int) int {
	i := 0
	for a, d := range dims {
		i = i*d + at[a]
	}
	return i
}

func evalNode(t testing.TB, n *Node, in func(int) []float64, batch int) []float64 {
	dims := n.Shape.At(batch)
	y := make([]float64, n.Shape.SizeAt(batch))
	var xd []int
	if len(n.In) > 0 {
		xd = n.In[0].Shape.At(batch)
	}
	gather := func(f func(at, to []int)) {
		to := make([]int, len(xd))
		coords(dims, func(i int, at []int) { f(at, to); y[i] = in(0)[flat(xd, to)] })
	}
	switch n.Kind {
	case Const:
		for i := range y {
			y[i] = BitsFloat(n.Type, n.Bits)
		}
	case Iota:
		coords(dims, func(i int, at []int) { y[i] = float64(at[n.Axes[0]]) })
	case DimSize:
		y[0] = float64(n.Size.At(batch))
	case Pointwise:
		for i := range y {
			var v [3]float64
			for j := range n.In {
				v[j] = in(j)[i]
			}
			y[i] = n.Op.Row().Eval(v[0], v[1], v[2])
		}
	case Convert:
		for i, x := range in(0) {
			switch {
			case n.Type.IsInt():
				x = math.Trunc(x)
			case n.Type == dtype.Bool && x != 0:
				x = 1
			}
			y[i] = x
		}
	case Reshape, Stop, Alias:
		copy(y, in(0))
	case Broadcast:
		gather(func(at, to []int) {
			for a := range to {
				to[a] = at[a] % xd[a]
			}
		})
	case Transpose:
		gather(func(at, to []int) {
			for i, a := range n.Axes {
				to[a] = at[i]
			}
		})
	case Slice:
		gather(func(at, to []int) {
			for a := range to {
				to[a] = n.Start[a].At(batch) + at[a]*n.Step[a]
			}
		})
	case Reverse:
		gather(func(at, to []int) {
			copy(to, at)
			for _, a := range n.Axes {
				to[a] = xd[a] - 1 - at[a]
			}
		})
	case Windows, Fold:
		lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
		of := func(w, to []int) { // where element w of the windows stands
			copy(to, w[:lo])
			for a := range k {
				to[lo+a] = w[lo+a]*n.Step[a] + w[lo+k+a]*n.Step[k+a]
			}
			copy(to[lo+k:], w[lo+2*k:])
		}
		if n.Kind == Windows {
			gather(of)
			break
		}
		to := make([]int, len(dims))
		coords(xd, func(i int, at []int) {
			of(at, to)
			y[flat(dims, to)] += in(0)[i]
		})
	case Place:
		for i := range y {
			y[i] = BitsFloat(n.Type, n.Bits)
		}
		r := n.Rank()
		for p, x := range n.In {
			to := make([]int, r)
			coords(x.Shape.At(batch), func(i int, at []int) {
				for a := range to {
					to[a] = n.Start[p*r+a].At(batch) + at[a]*n.Step[p*r+a]
				}
				if n.Flag {
					y[flat(dims, to)] += in(p)[i]
				} else {
					y[flat(dims, to)] = in(p)[i]
				}
			})
		}
	case Take:
		a := n.Axes[0]
		first, end, behind := indexAxes(n, n.In[1].Rank())
		gather(func(at, to []int) {
			copy(to, at[:a])
			to[a] = int(in(1)[flat(n.In[1].Shape.At(batch), at[first:end])])
			copy(to[a+1:], at[behind:])
			if to[a] < 0 || to[a] >= xd[a] {
				t.Fatalf("%v: index %d", n, to[a])
			}
		})
	case Scatter:
		a := n.Axes[0]
		first, end, behind := indexAxes(n, n.In[0].Rank())
		if len(n.In) > 2 {
			copy(y, in(2))
		}
		to := make([]int, len(dims))
		coords(n.In[1].Shape.At(batch), func(i int, at []int) {
			copy(to, at[:a])
			to[a] = int(in(0)[flat(xd, at[first:end])])
			copy(to[a+1:], at[behind:])
			y[flat(dims, to)] += in(1)[i]
		})
	case Reduce:
		seen := make([]bool, len(y))
		best := make([]float64, len(y))
		lo, hi := n.Axes[0], n.Axes[1]
		if n.Reduction == Prod {
			for i := range y {
				y[i] = 1
			}
		}
		coords(xd, func(i int, at []int) {
			x := in(0)[i]
			j := flat(dims, append(append([]int(nil), at[:lo]...), at[hi:]...))
			better := x != x || !seen[j]
			switch n.Reduction {
			case Sum:
				y[j] += x
			case Prod:
				y[j] *= x
			case Max, ArgMax:
				better = better || x > best[j]
			case Min, ArgMin:
				better = better || x < best[j]
			}
			if better && !(best[j] != best[j]) {
				best[j] = x
				switch n.Reduction {
				case Max, Min:
					y[j] = x
				case ArgMax, ArgMin:
					y[j] = float64(at[lo])
				}
			}
			seen[j] = true
		})
	case Cumulate:
		copy(y, in(0))
		a := n.Axes[0]
		inner := 1
		for _, d := range dims[a+1:] {
			inner *= d
		}
		for k := range y {
			i, back := k, inner
			if n.Flag {
				i, back = len(y)-1-k, -inner
			}
			if j := i / inner % dims[a]; !n.Flag && j > 0 || n.Flag && j < dims[a]-1 {
				switch v := y[i-back]; {
				case n.Reduction == Prod:
					y[i] *= v
				case n.Reduction == Sum && (len(n.In) == 1 || in(1)[i] == 0):
					y[i] += v
				case n.Reduction == Sum:
				case n.Reduction == Max && !(y[i] > v) && y[i] == y[i] || n.Reduction == Min && !(y[i] < v) && y[i] == y[i]:
					y[i] = v
				}
			}
		}
	case Call:
		if n.Call != Recurrence {
			t.Fatalf("no value for %v", n)
		}
		for k := range y {
			if y[k] = in(1)[k]; k%dims[len(dims)-1] > 0 {
				if y[k-1] != 0 {
					y[k] += in(0)[k] * y[k-1]
				}
			}
		}
	case MatMul:
		r := n.Rank()
		K, M, N := xd[r-1], dims[r-2], dims[r-1]
		for i := range y {
			b, row, col := i/(M*N), i/N%M, i%N
			for k := range K {
				y[i] += in(0)[(b*M+row)*K+k] * in(1)[(b*K+k)*N+col]
			}
		}
	default:
		t.Fatalf("no value for %v", n)
	}
	return y
}

// probe is a function of float arguments under test: f's value and arguments, in one graph.
type probe struct {
	g    *Graph
	in   []*Node
	outs []*Node
	env  map[*Node][]float64
	rng  *rand.Rand
}

const testBatch = 3

// arg adds an argument with values drawn from dom.
func (p *probe) arg(dom ops.Domain, s Shape) *Node {
	x := p.g.Param(len(p.in), dtype.F64, s)
	p.in = append(p.in, x)
	v := make([]float64, s.SizeAt(testBatch))
	for i := range v {
		v[i] = dom.Lo + p.rng.Float64()*(dom.Hi-dom.Lo)
	}
	p.env[x] = v
	return x
}

func newProbe(seed uint64) *probe {
	return &probe{g: New(), env: map[*Node][]float64{}, rng: rand.New(rand.NewPCG(seed, 7))}
}

func (p *probe) random(like *Node) *Node {
	x := p.g.Hole(like.Type, like.Shape)
	v := make([]float64, like.Shape.SizeAt(testBatch))
	for i := range v {
		v[i] = p.rng.NormFloat64()
	}
	p.env[x] = v
	return x
}

func (p *probe) values(t testing.TB, outs ...*Node) [][]float64 {
	t.Helper()
	if err := Verify(outs); err != nil {
		t.Fatal(err)
	}
	return evaluate(t, outs, p.env, testBatch)
}

func dot(x, y []float64) float64 {
	var s float64
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

// near compares with a tolerance relative to size.
func near(a, b, size, tol float64) bool { return math.Abs(a-b) <= tol*(1+math.Abs(size)) }

// check compares, in several random directions, JVP with differences and VJP with JVP, then does so
// for the VJP itself by JVP and by VJP: order 2 in all pairs of modes.
func (p *probe) check(t *testing.T, order int) {
	t.Helper()
	for range 3 {
		dirs := make([]*Node, len(p.in))
		cts := make([]*Node, len(p.outs))
		for i, x := range p.in {
			dirs[i] = p.random(x)
		}
		for i, o := range p.outs {
			cts[i] = p.random(o)
		}
		ts := p.g.JVP(p.outs, p.in, dirs)
		back := p.g.VJP(p.outs, cts, p.in)
		var fwd, rev, diff, size float64
		for i, v := range ts {
			if v != nil {
				fwd += dot(p.values(t, v)[0], p.env[cts[i]])
			}
		}
		for i, v := range back {
			if v != nil {
				rev += dot(p.values(t, v)[0], p.env[dirs[i]])
			}
		}
		const h = 1e-4 // five-point rule: error of h⁴
		for _, s := range [...]struct{ at, weight float64 }{{-2, 1. / 12}, {-1, -8. / 12}, {1, 8. / 12}, {2, -1. / 12}} {
			env := map[*Node][]float64{}
			for k, v := range p.env {
				env[k] = v
			}
			for i, x := range p.in {
				moved := make([]float64, len(p.env[x]))
				for j := range moved {
					moved[j] = p.env[x][j] + s.at*h*p.env[dirs[i]][j]
				}
				env[x] = moved
			}
			for i, y := range evaluate(t, p.outs, env, testBatch) {
				f := dot(y, p.env[cts[i]])
				diff += s.weight * f / h
				size = math.Max(size, math.Abs(f))
			}
		}
		if !near(fwd, rev, fwd, 1e-9) {
			t.Errorf("order %d: forward %v, reverse %v\n%s", order, fwd, rev, Print(append(notNil(ts), notNil(back)...)))
		}
		if !near(fwd, diff, math.Max(math.Abs(fwd), size), 1e-6) {
			t.Errorf("order %d: forward %v, differences %v", order, fwd, diff)
		}
		if t.Failed() || order == 2 {
			return
		}
		for _, next := range [][]*Node{ts, back} {
			if outs := notNil(next); len(outs) > 0 {
				q := *p
				q.outs = outs
				q.in = append(append([]*Node(nil), p.in...), notNil(dirs)...)
				if &next[0] == &back[0] {
					q.in = append(append([]*Node(nil), p.in...), cts...)
				}
				q.check(t, order+1)
			}
		}
	}
}

func notNil(xs []*Node) (res []*Node) {
	for _, x := range xs {
		if x != nil {
			res = append(res, x)
		}
	}
	return res
}

// indexAxes are those of the indices, of some axes, of a Take or Scatter among its slices', and the first behind its axis.
func indexAxes(n *Node, rank int) (first, end, behind int) {
	switch a := n.Axes[0]; Indexed(n.Bits) {
	case ForRows:
		return 0, rank, rank
	case ForElements:
		return 0, rank, a + 1
	default:
		return a, a + rank, a + rank
	}
}
