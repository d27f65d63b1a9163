package ir

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Vmap of each structural function, with every subset of its arguments batched, is the function row by
// row; so is Vmap of its gradient.
func TestVmap(t *testing.T) {
	for name, f := range structural {
		t.Run(name, func(t *testing.T) {
			for subset := 1; subset < 4; subset++ {
				p := newProbe(5)
				y := f(p)
				outs := append([]*Node{y}, notNil(p.g.VJP([]*Node{y}, []*Node{p.random(y)}, p.in))...)
				checkVmap(t, p, outs, subset, D(2))
				if !slices.ContainsFunc(p.in, func(x *Node) bool { return !x.Shape.Static() }) {
					checkVmap(t, p, outs, subset, Batch)
				}
			}
		})
	}
}

func checkVmap(t *testing.T, p *probe, outs []*Node, subset int, n Dim) {
	t.Helper()
	rows := n.At(testBatch)
	var holes, batched []*Node
	for i, x := range p.in {
		if subset>>min(i, 1)&1 != 0 {
			b := p.g.Hole(x.Type, slices.Concat(Shape{n}, x.Shape))
			holes, batched = append(holes, x), append(batched, b)
			p.env[b] = p.env[p.random(b)]
		}
	}
	if len(holes) == 0 {
		return
	}
	got := p.values(t, p.g.Vmap(outs, holes, batched, n)...)
	for r := range rows {
		for i, x := range holes {
			n := len(p.env[x])
			p.env[x] = p.env[batched[i]][r*n : (r+1)*n]
		}
		for i, want := range p.values(t, outs...) {
			for j, w := range want {
				if v := got[i][r*len(want)+j]; !near(v, w, w, 1e-12) && !(v != v && w != w) {
					t.Fatalf("result %d row %d element %d: %v, want %v\n%s", i, r, j, v, w, Print(outs[i:i+1]))
				}
			}
		}
	}
}

// Vmap where indices are batched, too: gathers and scatters have them for each element.
func TestVmapIndices(t *testing.T) {
	for mask := 1; mask < 8; mask++ {
		g := New()
		x := g.Param(0, dtype.F64, Static(2, 4, 3))
		idx := g.Param(1, dtype.I64, Static(2, 2))
		upd := g.Param(2, dtype.F64, Static(2, 2, 2, 3))
		outs := []*Node{g.Take(x, idx, 1, ""), g.Scatter(Static(2, 4, 3), idx, upd, 1, "")}
		p := &probe{g: g, env: map[*Node][]float64{}, rng: newProbe(3).rng}
		var holes, batched []*Node
		for i, n := range []*Node{x, idx, upd} {
			b := g.Hole(n.Type, slices.Concat(Static(2), n.Shape))
			p.env[b] = p.env[p.random(b)]
			if n == idx {
				p.env[b] = []float64{3, 0, 1, 3, 2, 2, 2, 0}
			}
			size := len(p.env[b]) / 2
			p.env[n] = p.env[b][:size]
			if mask>>i&1 != 0 {
				holes, batched = append(holes, n), append(batched, b)
			}
		}
		got := p.values(t, g.Vmap(outs, holes, batched, D(2))...)
		for r := range 2 {
			for i, h := range holes {
				size := len(p.env[h])
				p.env[h] = p.env[batched[i]][r*size : (r+1)*size]
			}
			for i, want := range p.values(t, outs...) {
				if v := got[i][r*len(want) : (r+1)*len(want)]; !slices.Equal(v, want) {
					t.Errorf("mask %b, result %d, row %d: %v, want %v", mask, i, r, v, want)
				}
			}
		}
	}
}

// A product whose right side is shared stays one product over the rows of the whole batch.
func TestVmapMatMulFolds(t *testing.T) {
	g := New()
	x, w := g.Hole(dtype.F32, Static(1, 8)), g.Param(0, dtype.F32, Static(8, 4))
	b := g.Param(1, dtype.F32, Shape{Batch, D(1), D(8)})
	y := g.Vmap([]*Node{g.MatMul(x, w)}, []*Node{x}, []*Node{b}, Batch)[0]
	if !y.Shape.Equal(Shape{Batch, D(1), D(4)}) || y.Kind != Reshape || y.In[0].Rank() != 2 {
		t.Errorf("%s", Print([]*Node{y}))
	}
}

// A weight's gradient written with broadcasting is a MatMul.
func TestSumOfProducts(t *testing.T) {
	g := New()
	x, w := g.Param(0, dtype.F32, Shape{Batch, D(8), D(1)}), g.Param(1, dtype.F32, Static(1, 8, 4))
	y := g.Reduce(Sum, g.Map(ops.Mul, x, w), 1)
	ct := g.Param(2, dtype.F32, Shape{Batch, D(4)})
	cts := g.VJP([]*Node{y}, []*Node{ct}, []*Node{x, w})
	for _, n := range append(cts, y) {
		for _, r := range Reachable([]*Node{n}) {
			if len(r.Shape) == 3 && !slices.ContainsFunc(r.Shape, func(d Dim) bool { return d.Is(1) }) {
				t.Errorf("%v is the product array", r)
			}
		}
	}
	if err := Verify(cts); err != nil {
		t.Error(err)
	}
}

var inf, nan = math.Inf(1), math.NaN()

// Rows with infinities and NaN.
func TestLogSumExpEdges(t *testing.T) {
	for _, c := range []struct{ x, want, ct []float64 }{
		{[]float64{-inf, -inf}, []float64{-inf}, []float64{0, 0}},
		{[]float64{inf, 0}, []float64{inf}, []float64{0, 0}},
		{[]float64{-inf, 2}, []float64{2}, []float64{0, 1}},
		{[]float64{1e4, 1e4}, []float64{1e4 + math.Ln2}, []float64{0.5, 0.5}},
		{[]float64{nan, 0}, []float64{nan}, []float64{nan, nan}},
	} {
		g := New()
		x := vector(g, 2)
		y := g.LogSumExp(x)
		ct := g.VJP([]*Node{y}, []*Node{g.like(y, 1)}, []*Node{x})[0]
		ts := g.JVP([]*Node{y}, []*Node{x}, []*Node{g.like(x, 1)})[0]
		got := evaluate(t, []*Node{y, ct, ts}, map[*Node][]float64{x: c.x}, 1)
		same := func(a, b []float64) bool {
			return slices.EqualFunc(a, b, func(a, b float64) bool { return a == b || a != a && b != b })
		}
		if !same(got[0], c.want) || !same(got[1], c.ct) || !same(got[2], []float64{c.ct[0] + c.ct[1]}) {
			t.Errorf("%v: %v", c, got)
		}
	}
	g := New()
	x := vector(g, 2)
	y := g.Norm2(x)
	ct := g.VJP([]*Node{y}, []*Node{g.like(y, 1)}, []*Node{x})[0]
	if got := evaluate(t, []*Node{y, ct}, map[*Node][]float64{x: {0, 0}}, 1); got[0][0] != 0 || got[1][0] != 0 || got[1][1] != 0 {
		t.Errorf("norm at 0: %v", got)
	}
}

// Einsum against the plain sum over all indices.
func TestEinsum(t *testing.T) {
	sizes := map[rune]int{'a': 2, 'b': 3, 'c': 4, 'd': 2, 'e': 3}
	for _, spec := range []string{
		"ab->ba", "ab->", "ab->b", "aa->a", "aa", "aab->b", "bab->ab", "ab,bc->ac", "ab,bc", "ab,cb->ca", "a,b->ab", "a,a", "ab,ab->",
		"ab,ab->ab", "ab,ab->a", "abc,dcb->ad", "abc,adc->abd", "abc,acd", "ab,b->ab", "ab,c->ac", "ab,bc,cd->ad", "ab,bc,cd", "aab,bc->ac",
		"abd,bce,bd->ace", "ab,ab,ab->b", "abab->", "aaa->a",
	} {
		g := New()
		p := &probe{g: g, env: map[*Node][]float64{}, rng: newProbe(3).rng}
		left, _, _ := strings.Cut(spec, "->")
		var xs []*Node
		for _, s := range strings.Split(left, ",") {
			shape := Shape{}
			for _, c := range s {
				shape = append(shape, D(sizes[c]))
			}
			xs = append(xs, p.arg(wide, shape))
		}
		y := g.Einsum(spec, xs...)
		if want, got := naiveEinsum(spec, sizes, xs, p.env), p.values(t, y)[0]; !slices.EqualFunc(got, want, func(a, b float64) bool { return near(a, b, b, 1e-12) }) {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
	g := New()
	x, y := g.Param(0, dtype.F64, Shape{Batch, D(1), D(2), D(3)}), g.Param(1, dtype.F64, Static(5, 3, 4))
	for spec, want := range map[string]string{"...ij,...jk->...ik": "[B 5 2 4]", "...ij,...jk": "[B 5 2 4]", "...ij,...jk->ki...": "[4 2 B 5]"} {
		if s := g.Einsum(spec, x, y).Shape.String(); s != want {
			t.Errorf("%s: %s", spec, s)
		}
	}
}

func naiveEinsum(spec string, sizes map[rune]int, xs []*Node, env map[*Node][]float64) []float64 {
	left, right, explicit := strings.Cut(spec, "->")
	if !explicit {
		for c := 'a'; c <= 'z'; c++ {
			if strings.Count(left, string(c)) == 1 {
				right += string(c)
			}
		}
	}
	var all []rune
	var dims []int
	for c := range sizes {
		if strings.ContainsRune(left, c) {
			all, dims = append(all, c), append(dims, sizes[c])
		}
	}
	index := func(s string, at []int) int {
		i := 0
		for _, c := range s {
			i = i*sizes[c] + at[slices.Index(all, c)]
		}
		return i
	}
	n := 1
	for _, c := range right {
		n *= sizes[c]
	}
	y := make([]float64, n)
	coords(dims, func(_ int, at []int) {
		v := 1.0
		for i, s := range strings.Split(left, ",") {
			v *= env[xs[i]][index(s, at)]
		}
		y[index(right, at)] += v
	})
	return y
}

// Composites on values small enough to be seen to be right.
func TestStructureValues(t *testing.T) {
	g := New()
	v := g.Param(0, dtype.F64, Static(3))    // 1 2 4
	m := g.Param(1, dtype.F64, Static(2, 3)) // 0 1 2 | 3 4 5
	k := g.Param(2, dtype.I32, Static(2, 1)) // 2 0
	row := func(i int) *Node { return g.Narrow(m, 0, D(i), D(1)) }
	env := map[*Node][]float64{v: {1, 2, 4}, m: {0, 1, 2, 3, 4, 5}, k: {2, 0}}
	for name, c := range map[string]struct {
		y     *Node
		shape string
		want  []float64
	}{
		"matmul m v":   {g.MatMulND(m, v), "[2]", []float64{10, 31}},
		"matmul v mᵀ":  {g.MatMulND(v, g.swapLast(m)), "[2]", []float64{10, 31}},
		"matmul v v":   {g.MatMulND(v, v), "[]", []float64{21}},
		"matmul batch": {g.MatMulND(g.Reshape(m, Static(2, 1, 3)), g.Reshape(v, Static(3, 1))), "[2 1 1]", []float64{10, 31}},
		"concat":       {g.Concat(-1, m, k2f(g, k)), "[2 4]", []float64{0, 1, 2, 2, 3, 4, 5, 0}},
		"stack":        {g.Stack(1, v, v), "[3 2]", []float64{1, 1, 2, 2, 4, 4}},
		"pad":          {g.Pad(v, []int{1}, []int{2}, -1), "[6]", []float64{-1, 1, 2, 4, -1, -1}},
		"split":        {g.Split(m, 0, 2)[1], "[1 3]", []float64{3, 4, 5}},
		"onehot":       {g.OneHot(k, 3, dtype.F64), "[2 1 3]", []float64{0, 0, 1, 1, 0, 0}},
		"takealong":    {g.TakeAlong(m, k, 1, ""), "[2 1]", []float64{2, 3}},
		"takealong 0":  {g.TakeAlong(g.swapLast(m), g.Reshape(k, Static(1, 2)), 0, ""), "[1 2]", []float64{2, 3}},
		"scatteradd":   {g.ScatterAdd(v, g.Reshape(k, Static(2)), g.Const(dtype.F64, Static(2), 1), 0, ""), "[3]", []float64{2, 2, 5}},
		"mean":         {g.Mean(m), "[]", []float64{2.5}},
		"mean axis":    {g.Mean(m, -1), "[2]", []float64{1, 4}},
		"mean keep":    {g.MeanKeep(m, 0), "[1 3]", []float64{1.5, 2.5, 3.5}},
		"var":          {g.Var(m, 1), "[2]", []float64{2. / 3, 2. / 3}},
		"norm":         {g.Norm2(g.Narrow(m, 1, D(0), D(1)), 0, 1), "[]", []float64{3}},
		"softmax":      {g.Softmax(g.Apply(ops.Log, v), 0), "[3]", []float64{1. / 7, 2. / 7, 4. / 7}},
		"logsoftmax":   {g.LogSoftmax(g.Apply(ops.Log, v)), "[3]", []float64{-math.Log(7), math.Log(2. / 7), math.Log(4. / 7)}},
		"powint 0":     {g.PowInt(v, 0), "[3]", []float64{1, 1, 1}},
		"powint 5":     {g.PowInt(v, 5), "[3]", []float64{1, 32, 1024}},
		"powint -2":    {g.PowInt(v, -2), "[3]", []float64{1, 0.25, 0.0625}},
		"outer":        {g.Outer(v, g.Reshape(row(0), Static(3))), "[3 3]", []float64{0, 1, 2, 0, 2, 4, 0, 4, 8}},
		"broadcast":    {g.BroadcastTo("", v, Static(2, 3)), "[2 3]", []float64{1, 2, 4, 1, 2, 4}},
	} {
		if err := Verify([]*Node{c.y}); err != nil {
			t.Error(err)
		}
		got := evaluate(t, []*Node{c.y}, env, 1)[0]
		if c.y.Shape.String() != c.shape || !slices.EqualFunc(got, c.want, func(a, b float64) bool { return near(a, b, b, 1e-14) }) {
			t.Errorf("%s: %v %v, want %v %v", name, c.y.Shape, got, c.shape, c.want)
		}
	}
}

func k2f(g *Graph, k *Node) *Node { return g.Convert(k, dtype.F64) }

// Building and deriving are near linear: a layer more costs the same as the one before.
func BenchmarkVJP(b *testing.B) {
	for b.Loop() {
		g := New()
		x := g.Param(0, dtype.F32, Shape{Batch, D(64)})
		var ws []*Node
		y := x
		for i := range 50 {
			w, c := g.Param(1+2*i, dtype.F32, Static(64, 64)), g.Param(2+2*i, dtype.F32, Static(64))
			ws = append(ws, w, c)
			y = g.Apply(ops.Relu, g.Map(ops.Add, g.MatMulND(y, w), c))
		}
		loss := g.Mean(g.Apply(ops.Square, y))
		g.VJP([]*Node{loss}, []*Node{g.like(loss, 1)}, ws)
	}
}

// Errors name the op as users call it, and the shapes.
func TestStructureErrors(t *testing.T) {
	g := New()
	f := func(dims ...int) *Node { return g.Param(0, dtype.F64, Static(dims...)) }
	k := g.Param(1, dtype.I32, Static(2))
	for want, do := range map[string]func(){
		"MatMul [64 784] × [10 784]: inner sizes 784 and 10 differ": func() { g.MatMulND(f(64, 784), f(10, 784)) },
		"Add [2 3], [4]: axes of 3 and 4 do not broadcast":          func() { g.Map(ops.Add, f(2, 3), f(4)) },
		"Concat [2], [2 3]":                                                 func() { g.Concat(0, f(2), f(2, 3)) },
		"Stack [1 2]: axis 3 is not in":                                     func() { g.Stack(3, f(2)) },
		"Split [5]: axis 0 of 5 is not 2":                                   func() { g.Split(f(5), 0, 2) },
		"ReLU of bool is not defined":                                       func() { g.Apply(ops.Relu, g.Apply(ops.Eq, f(2), f(2))) },
		"ReduceMax [3 0]: axis 1 is empty":                                  func() { g.Reduce(Max, f(3, 0), 1) },
		"Softmax [2]: axis -2 is not in":                                    func() { g.Softmax(f(2), -2) },
		"Mean [2] of int32":                                                 func() { g.Mean(k) },
		"Einsum \"ij,jk->ik\": operand 2, [4]":                              func() { g.Einsum("ij,jk->ik", f(2, 3), f(4)) },
		"Einsum \"ij,jk->ik\": operand 2, [4 5]: index j has sizes 3 and 4": func() { g.Einsum("ij,jk->ik", f(2, 3), f(4, 5)) },
		"Einsum \"i->j\": result index j":                                   func() { g.Einsum("i->j", f(2)) },
		"Dot [2] · [3]":                                                     func() { g.Dot(f(2), f(3)) },
		"TakeAlong [2 3] at int32 [2]":                                      func() { g.TakeAlong(f(2, 3), k, 1, "") },
		"PowInt [2] of int32 by -1":                                         func() { g.PowInt(k, -1) },
	} {
		func() {
			defer func() {
				e, ok := recover().(*Error)
				if !ok || !strings.HasPrefix(e.Error(), "autodiff: "+want) || !strings.HasPrefix(e.Pos, "structure_test.go:") {
					t.Errorf("%v, want %s", e, want)
				}
			}()
			do()
		}()
	}
}

// Verify sees what a constructor would have refused.
func TestVerify(t *testing.T) {
	g := New()
	x := vector(g, 3)
	y := g.Apply(ops.Exp, x)
	if err := Verify([]*Node{y}); err != nil {
		t.Error(err)
	}
	y.Shape = Static(4)
	if Verify([]*Node{y}) == nil {
		t.Error("a wrong shape passes")
	}
}
