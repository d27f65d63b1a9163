package runtime

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// blockAnything has rows of all sizes go in blocks, of few elements, if yes.
func blockAnything(yes bool) (restore func()) {
	bytes, block := rowsBytes, rowsBlock
	if yes {
		rowsBytes, rowsBlock = 0, 1<<9
	}
	return func() { rowsBytes, rowsBlock = bytes, block }
}

// Softmax, layer norm and the like, and their gradients, have the reference's bits when they go by blocks of rows, results past the
// caches among them, and when their results lie where an argument does.
func TestByRows(t *testing.T) {
	defer blockAnything(true)()
	rng := rand.New(rand.NewPCG(1, 31))
	sizes := []int{1, 2, 5, 16, 31, 33, 64, 100, 513, 1026, 4096}
	if testing.Short() {
		sizes = []int{5, 16, 33, 1026}
	}
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range sizes {
			for name, build := range chainCases(typ, n) {
				t.Run(fmt.Sprint(name, " ", typ, " ", n), func(t *testing.T) {
					s := newSketch()
					outs := build(s)
					batches := []int{0, 1, 2, 9}
					if n < 100 {
						batches = append(batches, 57)
					}
					s.check(t, outs, rng, batches...)
					s.checkInPlace(t, outs, rng, batches[len(batches)-1])
					if n == 33 {
						defer placeAnything()()
						s.check(t, outs, rng, 57)
					}
				})
			}
		}
	}
}

// checkInPlace holds programs whose outputs lie on inputs of their size, allowed or not, to the reference.
func (s *sketch) checkInPlace(t *testing.T, outs []*ir.Node, rng *rand.Rand, batch int) {
	t.Helper()
	in := s.values(rng, batch)
	want, err := Reference(ir.Strip(outs), batch, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range kernels.Levels() {
		p, err := Compile(outs, s.inputs, Options{Level: l.Name, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for shift := range in {
			mine := make([][]byte, len(in))
			at := make([]unsafe.Pointer, len(in))
			for i, x := range in {
				mine[i] = append(make([]byte, 0, len(x)+8), x...)
				at[i] = unsafe.Pointer(unsafe.SliceData(mine[i]))
			}
			taken := make([]bool, len(in))
			res := make([][]byte, len(outs))
			to := make([]unsafe.Pointer, len(outs))
			for i, w := range want {
				res[i] = make([]byte, len(w)+8)[:len(w)]
				for k := range in {
					if j := (k + shift) % len(in); !taken[j] && len(in[j]) == len(w) {
						res[i], taken[j] = mine[j], true
						break
					}
				}
				to[i] = unsafe.Pointer(unsafe.SliceData(res[i]))
			}
			if err := p.Run(context.Background(), batch, at, to); err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if k := sameBits(outs[i].Type, res[i], w); k >= 0 {
					t.Fatalf("%s, input %d on output %d: element %d\n%s", l.Name, shift, i, k, p)
				}
			}
		}
	}
}

// What the rows of a large array go through is joined, softmax's exponentials lie where its result does, and that may lie on its
// argument. An array that is read otherwise than row by row is not overwritten.
func TestByRowsJoins(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(5000, 16), 0)
	y := s.g.Softmax(x, 1)
	head := s.g.Broadcast(s.g.Slice(x, ir.Static(0, 0), []int{1, 1}, ir.Static(1, 16)), x.Shape)
	z := s.g.Map(ops.Add, s.g.Map(ops.Sub, x, s.g.MeanKeep(x, 1)), head)
	for i, out := range []*ir.Node{y, z} {
		p, err := Compile([]*ir.Node{out}, s.inputs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.binding(1)
		if err != nil {
			t.Fatal(err)
		}
		u, ok := b.units[len(b.units)-1].(*rowsUnit)
		if !ok || len(u.parts) != len(b.units) {
			t.Fatalf("not all steps are joined\n%s", p)
		}
		if n := len(b.guests); i == 0 && n != 1 {
			t.Errorf("%d arrays lie where the result does, not one\n%s", n, p)
		}
		if in := b.outs[0].in[0]; in != (i == 0) {
			t.Errorf("program %d: the result may lie on the argument: %v", i, in)
		}
		s.checkInPlace(t, []*ir.Node{out}, rand.New(rand.NewPCG(1, 32)), 1)
	}
}

// Rows of few elements are done at once by code, whatever is read and written of them, in tasks and tiles of whole ones.
func TestShortRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 33))
	sizes := []int{16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65}
	if testing.Short() {
		sizes = []int{16, 17, 40, 63}
	}
	found := false
	for _, n := range sizes {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
			s := newSketch()
			rows := ir.Shape{ir.Batch, ir.D(n)}
			x, y, z := s.param(typ, rows, 0), s.param(typ, ir.Shape{ir.Batch, ir.D(1)}, 0), s.param(typ, ir.Static(1, n), 0)
			wide, table := s.param(typ, ir.Shape{ir.Batch, ir.D(2 * n)}, 0), s.param(typ, ir.Static(5, n), 0)
			which, small := s.param(dtype.I32, ir.Shape{ir.Batch}, 5), s.param(dtype.BF16, rows, 0)
			even := s.g.Slice(wide, ir.Static(0, 0), []int{1, 2}, rows)
			d := s.g.Map(ops.Sub, x, y)
			outs := []*ir.Node{
				s.g.Apply(ops.Exp, d),
				s.g.Map(ops.Mul, s.g.Map(ops.Div, x, y), z),
				s.g.Apply(ops.Lt, x, s.g.Broadcast(y, rows)),
				s.g.Convert(s.g.Map(ops.Mul, d, z), dtype.BF16),
				s.g.Map(ops.Add, d, even),
				s.g.Map(ops.Mul, s.g.Take(table, which, 0, ""), y),
				s.g.Map(ops.Add, s.g.Convert(small, typ), y),
				s.g.Reduce(ir.Sum, s.g.Apply(ops.Square, d), 1),
				s.g.Reduce(ir.Max, s.g.Map(ops.Mul, even, z), 1),
			}
			s.check(t, outs, rng, 1, 2, 3, 70, 700)
			for _, out := range outs {
				s.check(t, []*ir.Node{out}, rng, 1, 97)
				p, err := Compile([]*ir.Node{out}, s.inputs, Options{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := p.binding(97)
				if err != nil {
					t.Fatal(err)
				}
				u, ok := b.units[len(b.units)-1].(*mapUnit)
				found = found || ok && u.oneByOne && u.code != nil
			}
			big := newSketch()
			v := big.param(typ, rows, 0)
			big.check(t, []*ir.Node{big.g.Map(ops.Sub, v, big.g.Broadcast(big.g.Slice(v, ir.Static(0, 0), []int{1, 1}, ir.Shape{ir.Batch, ir.D(1)}), rows))}, rng, 4001)
		}
	}
	if isa, _ := isaOf(kernels.Levels()[len(kernels.Levels())-1]); isa != nil && !found {
		t.Error("no rows are done at once")
	}
}

// Sums of a few long rows of an array, and of such sums, are parts of one cluster, with the bits that reductions have: of zeros of both signs,
// infinities, and what is not a number.
func TestSumRows(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64, dtype.BF16} {
		s := newSketch()
		g := s.g
		param := func(dims ...ir.Dim) *ir.Node {
			if typ == dtype.BF16 {
				return g.Convert(s.param(dtype.F32, dims, 2), typ)
			}
			return s.param(typ, dims, 5)
		}
		x, y := param(ir.D(2), ir.Batch, ir.D(2), ir.D(300)), param(ir.Batch, ir.D(3), ir.D(1), ir.D(257))
		z := g.Reduce(ir.Sum, param(ir.D(4), ir.D(4100)), 0)
		outs := []*ir.Node{
			g.Reduce(ir.Sum, x, 0, 2), g.Reduce(ir.Sum, g.Apply(ops.Neg, g.Reduce(ir.Sum, y, 1)), 2), z,
			g.Reduce(ir.Max, g.Reduce(ir.Sum, g.Reshape(y, ir.Shape{ir.Batch, ir.D(3), ir.D(257)}), 1), 1),
			g.Reduce(ir.Sum, g.Apply(ops.Mul, g.Reduce(ir.Sum, x, 0), g.Reduce(ir.Sum, x, 0)), 0, 2),
		}
		if typ.IsFloat() {
			outs = append(outs, g.Apply(ops.Div, g.Const(typ, z.Shape, 1), z)) // tells zeros' signs
		}
		s.check(t, outs, rand.New(rand.NewPCG(9, 10)), 1, 2, 33, 60)
		outs[1] = g.Reduce(ir.Sum, param(ir.D(2), ir.D(60), ir.D(2), ir.D(300)), 0, 2)
		for _, out := range outs[:2] {
			p, err := Compile([]*ir.Node{out}, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(p.low.steps); typ != dtype.BF16 && n != 1 {
				t.Errorf("%v: a sum of two sums is %d steps\n%s", typ, n, p)
			}
		}
	}
}

// Sums of pieces that overlap along an axis are one function of slices where they are little to compute, with the bits of the sums: of zeros of
// both signs, infinities, and what is not a number. Others are arrays, added one by one.
func TestOverlaps(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		s := newSketch()
		g := s.g
		x, row := s.param(typ, ir.Shape{ir.Batch, ir.D(40), ir.D(30)}, 0), s.param(typ, ir.Static(1, 1, 30), 0)
		ofRow := func(n int) *ir.Node { return g.Broadcast(row, ir.Shape{ir.Batch, ir.D(n), ir.D(30)}) }
		part := func(x *ir.Node, axis, from, n int) *ir.Node { return g.Narrow(x, axis, ir.D(from), ir.D(n)) }
		place := func(axis int, starts []int, xs ...*ir.Node) *ir.Node {
			var pieces []ir.Piece
			for i, x := range xs {
				start := make([]ir.Dim, 3)
				start[axis] = ir.D(starts[i])
				pieces = append(pieces, ir.Piece{X: x, Start: start})
			}
			return g.Place(typ, x.Shape, 0, true, pieces...)
		}
		a, b := part(x, 1, 0, 37), part(x, 1, 3, 37)
		d := g.Apply(ops.Sub, g.Apply(ops.Mul, a, ofRow(37)), g.Apply(ops.Neg, b))
		e := part(x, 2, 2, 28)
		outs := []*ir.Node{
			place(1, []int{3, 0}, d, g.Apply(ops.Mul, d, a)),
			place(2, []int{1, 0, 2}, e, g.Apply(ops.Max, e, g.Apply(ops.Neg, e)), part(x, 2, 0, 28)),
			place(1, []int{2, 0}, part(ofRow(40), 1, 0, 38), g.Const(typ, a.Shape, math.Copysign(0, -1))),
			place(1, []int{3, 0}, g.Apply(ops.Sin, a), b), // too much to compute twice
			place(1, []int{20, 0}, part(x, 1, 0, 20), part(x, 1, 20, 20)),
		}
		outs = append(outs, g.Apply(ops.Div, g.Const(typ, x.Shape, 1), outs[2])) // tells zeros' signs
		s.check(t, outs, rand.New(rand.NewPCG(11, 12)), 1, 3)
		low := lower(ir.SumRows(ir.Strip(outs[:5])))
		adds := 0
		for _, n := range low.nodes {
			if n.Kind == ir.Place && n.Flag {
				adds++
			}
		}
		if adds != 2 {
			t.Errorf("%v: %d arrays are sums of pieces, not the last two", typ, adds)
		}
	}
}
