package runtime

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// gathers is arithmetic on two columns of x [d, n] and one of z [k], for B indices.
func gathers(s *sketch, t, of dtype.Type) []*ir.Node {
	g := s.g
	x, z := s.param(t, ir.Static(5, 3), 9), s.param(t, ir.Static(7), 9)
	at, other := s.param(of, ir.Shape{ir.Batch}, 5), s.param(of, ir.Shape{ir.Batch, ir.D(1)}, 7)
	rows := g.Take(g.Transpose(x, []int{1, 0}), at, 1, "gather.go:3")
	column := func(k int) *ir.Node {
		return g.Reshape(g.Slice(rows, []ir.Dim{ir.D(k), {}}, []int{1, 1}, ir.Shape{ir.D(1), ir.Batch}), ir.Shape{ir.Batch})
	}
	a, b := column(0), column(2)
	c := g.Reshape(g.Take(z, other, 0, ""), ir.Shape{ir.Batch})
	y := g.Apply(ops.Add, g.Apply(ops.Mul, a, b), c)
	// As many as there are indices, but not one for each.
	some := g.Slice(g.Take(s.param(t, ir.Static(5, 3), 9), s.param(of, ir.Static(9), 5), 0, ""), []ir.Dim{{}, {}}, []int{3, 1}, ir.Static(3, 3))
	outs := []*ir.Node{g.Apply(ops.Mul, some, some), y, g.Apply(ops.Sub, y, g.Convert(at, t)), g.Apply(ops.Max, g.Reduce(ir.Max, g.Apply(ops.Mul, c, y), 0), s.param(t, nil, 3))}
	if t.IsFloat() {
		outs = append(outs, g.Apply(ops.Sin, c), g.Apply(ops.Mul, g.Apply(ops.Sin, b), a))
	}
	return outs
}

// What only arithmetic reads, an element for each index, is not an array; it is the same.
func TestGathers(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, of := range []dtype.Type{dtype.I32, dtype.I64} {
			t.Run(fmt.Sprint(typ, of), func(t *testing.T) {
				s := newSketch()
				outs := gathers(s, typ, of)
				s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 0, 1, 7, 8, 17, 1000, 5001)
				p, err := Compile(outs, s.inputs, Options{})
				if err != nil {
					t.Fatal(err)
				}
				arrays := 0
				for _, st := range p.low.steps {
					if st.kind == nodeStep && st.node.Kind == ir.Take {
						arrays++
					}
				}
				if arrays != 1 {
					t.Errorf("%d Takes are arrays\n%s", arrays, p)
				}
			})
		}
	}
}

// gatheredRows is arithmetic on rows of two arrays, at B indices and at known ones, some of it summed.
func gatheredRows(s *sketch, t, of dtype.Type, n int) []*ir.Node {
	g := s.g
	x, z := s.param(t, ir.Static(2, 5, n), 9), s.param(t, ir.Static(3, 1, 2, n), 9)
	at, some := s.param(of, ir.Shape{ir.Batch}, 5), s.param(of, ir.Static(2, 3), 2)
	shape := ir.Shape{ir.D(2), ir.Batch, ir.D(n)}
	a, b := g.Take(x, at, 1, "rows.go:1"), g.Take(s.param(t, ir.Static(2, 5, n), 9), at, 1, "")
	w := g.Broadcast(g.Reshape(s.param(t, ir.Shape{ir.Batch}, 3), ir.Shape{ir.D(1), ir.Batch, ir.D(1)}), shape)
	y := g.Apply(ops.Add, g.Apply(ops.Mul, a, w), b)
	v := g.Take(z, some, 2, "") // [3 1 2 3 n]
	outs := []*ir.Node{y, g.Apply(ops.Mul, v, v), g.Reduce(ir.Sum, y, 2), g.Reduce(ir.Sum, y, 1), g.Reduce(ir.Max, g.Apply(ops.Add, v, v), 3, 4)}
	if n > 1 { // beside what has half of a row each
		half := g.Broadcast(g.Reshape(s.param(t, ir.Static(2), 9), ir.Static(1, 1, 2, 1)), ir.Shape{ir.D(2), ir.Batch, ir.D(2), ir.D(n / 2)})
		outs = append(outs, g.Apply(ops.Sub, g.Reshape(g.Slice(a, make([]ir.Dim, 3), []int{1, 1, 1}, ir.Shape{ir.D(2), ir.Batch, ir.D(n &^ 1)}), half.Shape), half))
	}
	if t.IsFloat() {
		outs = append(outs, g.Apply(ops.Sin, b), g.Apply(ops.Gt, a, b))
	}
	return outs
}

func TestGatheredRows(t *testing.T) {
	for i, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.BF16} {
		for _, n := range []int{8, 16, 21, 64, 1100} {
			t.Run(fmt.Sprint(typ, n), func(t *testing.T) {
				s := newSketch()
				outs := gatheredRows(s, typ, []dtype.Type{dtype.I32, dtype.I64}[i%2], n)
				s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 0, 1, max(2, 1400/n))
			})
		}
	}
	// Known indices are not checked, so that the cluster is all that there is to do.
	for _, n := range []int{16, 21, 64} {
		s := newSketch()
		at := s.g.Captured(dtype.I32, ir.Static(4), &ir.Array{Bytes: []byte{2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}})
		y := s.g.Take(s.param(dtype.F32, ir.Static(3, n), 9), at, 0, "")
		b := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(4), ir.D(n)}, 9)
		z := s.g.Apply(ops.Mul, y, y)
		s.check(t, []*ir.Node{z, s.g.Apply(ops.Add, b, s.g.BroadcastTo("", z, b.Shape))}, rand.New(rand.NewPCG(1, 2)), 0, 1, 3)
	}
	s := newSketch()
	x, at := s.param(dtype.F32, ir.Static(5, 64), 9), s.param(dtype.I64, ir.Static(7), 5)
	y := s.g.Take(x, at, 0, "")
	p, err := Compile([]*ir.Node{s.g.Apply(ops.Mul, y, y)}, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.low.steps); n != 2 { // the check of indices, the cluster
		t.Errorf("%d steps\n%s", n, p)
	}
}

// Rows of few bytes are taken in ways of their own.
func TestTakeShort(t *testing.T) {
	for i, typ := range []dtype.Type{dtype.BF16, dtype.F32, dtype.F64} {
		s := newSketch()
		var outs []*ir.Node
		for n := range 18 {
			of := []dtype.Type{dtype.I32, dtype.I64}[(i+n)%2]
			outs = append(outs, s.g.Take(s.param(typ, ir.Static(2, 5, n+1), 9), s.param(of, ir.Shape{ir.Batch, ir.D(2)}, 5), 1, ""))
		}
		s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 0, 1, 7)
	}
}

// corners is arithmetic on the corners of B triangles, one by one, and on n times as many of others, of which one is read twice.
func corners(s *sketch, t, of dtype.Type) []*ir.Node {
	g := s.g
	one := func(x *ir.Node, axis, i int) *ir.Node {
		x = g.Narrow(x, axis, ir.D(i), ir.D(1))
		return g.Reshape(x, x.Shape.Drop(axis, axis+1))
	}
	at := s.param(of, ir.Shape{ir.Batch, ir.D(3)}, 9)
	p := g.Take(s.param(t, ir.Static(9, 3), 9), at, 0, "mesh.go:3")
	area := g.Apply(ops.Mul, g.Apply(ops.Sub, one(p, 1, 0), one(p, 1, 1)), g.Apply(ops.Sub, one(p, 1, 0), one(p, 1, 2)))
	q := g.Take(s.param(t, ir.Static(2, 9, 3), 9), g.Reshape(at, ir.Shape{ir.D(1), ir.Batch, ir.D(3)}), 1, "") // [2 1 B 3 3]
	mean := g.Apply(ops.Add, one(q, 3, 0), g.Apply(ops.Add, one(q, 3, 2), one(q, 3, 1)))
	ends := g.Take(s.param(t, ir.Static(9), 9), at, 0, "")
	all := g.Take(s.param(t, ir.Static(9, 2), 9), at, 0, "") // whole, too
	return []*ir.Node{area, mean, g.Apply(ops.Mul, one(ends, 1, 2), one(ends, 1, 1)), g.Apply(ops.Add, one(all, 1, 1), one(all, 1, 2)), g.Apply(ops.Mul, all, all)}
}

func TestTakeApart(t *testing.T) {
	for i, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.BF16} {
		s := newSketch()
		outs := corners(s, typ, []dtype.Type{dtype.I32, dtype.I64}[i%2])
		apart := 0
		for _, n := range ir.Reachable(ir.TakeApart(ir.Strip(outs))) {
			if n.Kind == ir.Take && n.In[1].Kind == ir.Transpose {
				apart++
			}
		}
		if apart != 2 { // single elements and what is read whole stay
			t.Errorf("%d Takes are apart", apart)
		}
		s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 0, 1, 2, 300)
	}
}

// An index out of range is an error before anything is written.
func TestGatherIndex(t *testing.T) {
	s := newSketch()
	outs := gathers(s, dtype.F64, dtype.I64)[1:]
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{-1, 5, 1 << 40} {
		in := s.values(rand.New(rand.NewPCG(1, 2)), 30)
		slice[int64](in[2])[29] = int64(k)
		var inPtr, outPtr []unsafe.Pointer
		for _, b := range in {
			inPtr = append(inPtr, unsafe.Pointer(&b[0]))
		}
		room := make([]float64, 30)
		for range outs {
			outPtr = append(outPtr, unsafe.Pointer(&make([]float64, 30)[0]))
		}
		outPtr[0] = unsafe.Pointer(&room[0])
		want := fmt.Sprintf("autodiff: Take index %d is not in 0 … 4 (gather.go:3)", k)
		if err := p.Run(context.Background(), 30, inPtr, outPtr); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
		for _, v := range room {
			if v != 0 {
				t.Fatal("written")
			}
		}
	}
}

// An output may lie on a table or on its indices.
func TestGatherInPlace(t *testing.T) {
	s := newSketch()
	x, at := s.param(dtype.I64, ir.Static(64), 9), s.param(dtype.I64, ir.Static(64), 64)
	y := s.g.Apply(ops.Add, s.g.Take(x, at, 0, ""), at)
	p, err := Compile([]*ir.Node{y}, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for over := range 2 {
		in := s.values(rand.New(rand.NewPCG(1, 2)), 1)
		a, b := slice[int64](in[0]), slice[int64](in[1])
		var want []int64
		for _, k := range b {
			want = append(want, a[k]+k)
		}
		ptr := []unsafe.Pointer{unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0])}
		if err := p.Run(context.Background(), 1, ptr, ptr[over:over+1]); err != nil {
			t.Fatal(err)
		}
		for i, v := range slice[int64](in[over]) {
			if v != want[i] {
				t.Fatalf("over input %d: element %d is %d, want %d", over, i, v, want[i])
			}
		}
	}
}

// Indices are looked at two by two: each place of a bad one, each kind, and beside others that are bad.
func TestIndicesWithin(t *testing.T) {
	for _, size := range []int{1, 2, 10, math.MaxInt32, math.MaxInt32 + 5} {
		for n := range 8 {
			for bad := -1; bad < n; bad++ {
				for _, k := range []int{-1, math.MinInt32, size, math.MaxInt32, size - 1} {
					narrow, wide := make([]int32, n+1), make([]int64, n+1)
					for i := range n {
						narrow[i], wide[i] = int32(min(i%2*(size-1), math.MaxInt32)), int64(i%2*(size-1))
					}
					if bad >= 0 {
						narrow[bad], wide[bad] = int32(k), int64(k)
						if k == -1 && bad+1 < n {
							narrow[bad+1], wide[bad+1] = int32(k), int64(k)
						}
					}
					narrow[n], wide[n] = -1, -1 // beyond the end
					for _, a := range []indexArray{{unsafe.Pointer(&narrow[0]), false}, {unsafe.Pointer(&wide[0]), true}} {
						want := true
						for j := range n {
							want = want && a.at(j) >= 0 && a.at(j) < size
						}
						if got := a.within(n, size); got != want {
							t.Errorf("%v %v, %d of them below %d: %v", narrow, wide, n, size, got)
						}
					}
				}
			}
		}
	}
}

// Counts of any length, tile by tile where that is exact.
func TestCounts(t *testing.T) {
	s := newSketch()
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		s.nodes = append(s.nodes, s.g.Iota(typ, ir.Shape{ir.Batch}, 0), s.g.Iota(typ, ir.Shape{{C: 1<<14 - 2, B: 1}}, 0))
	}
	s.check(t, s.nodes, rand.New(rand.NewPCG(7, 8)), 0, 1, 2, 511, 512, 1023, 1024, 1025, 3100)
}

// Columns that each have indices of their own, of matrices that fit a room and of those that do not, and the sums that are its transpose.
func TestColumns(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.Bool, dtype.BF16, dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, of := range []dtype.Type{dtype.I32, dtype.I64} {
			if of == dtype.I64 && typ != dtype.F32 {
				continue
			}
			for _, d := range []int{1, 30, 5000} {
				wide := 77
				if d > 1000 { // more than a room's
					if wide = 17; of == dtype.I64 || typ != dtype.F32 {
						continue
					}
				}
				s := newSketch()
				g := s.g
				x := s.param(typ, ir.Shape{ir.Batch, ir.D(d), ir.D(wide)}, 9)
				idx := s.param(of, ir.Shape{ir.Batch, ir.D(9), ir.D(wide)}, d)
				row := g.Reshape(x, ir.Shape{ir.Batch, ir.D(wide * d)})
				outs := []*ir.Node{g.TakeAlong(x, idx, 1, ""), g.TakeAlong(row, g.Narrow(g.Reshape(idx, ir.Shape{ir.Batch, ir.D(9 * wide)}), 1, ir.D(0), ir.D(3)), 1, "")}
				if typ.IsFloat() {
					cts := []*ir.Node{s.param(typ, idx.Shape, 9), s.param(typ, outs[1].Shape, 9)}
					outs = slices.Concat(outs, g.VJP(outs[:1], cts[:1], []*ir.Node{x}), g.VJP(outs, cts, []*ir.Node{x}))
				}
				s.check(t, outs, rand.New(rand.NewPCG(5, uint64(d))), 0, 1, 2)
			}
		}
	}
}

// Sums at indices, of elements and of short and long rows, with indices for all and for each place, some of which come often.
func TestScatters(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, of := range []dtype.Type{dtype.I32, dtype.I64} {
			if of == dtype.I64 && typ != dtype.F32 {
				continue
			}
			for _, inner := range []int{0, 1, 3, 16, 41, 4100} {
				batches := []int{0, 1, 9, 40}
				if inner > 100 { // rows in parts
					if batches = batches[1:2]; of == dtype.I64 || typ != dtype.F32 {
						continue
					}
				}
				t.Run(fmt.Sprint(typ, of, inner), func(t *testing.T) {
					s := newSketch()
					g, in := s.g, ir.D(inner)
					for _, lead := range []ir.Shape{{}, ir.Static(3)} {
						upd := s.param(typ, slices.Concat(lead, ir.Shape{ir.Batch, in}), 9)
						sum, at := slices.Concat(lead, ir.Shape{ir.D(7), in}), s.param(of, ir.Shape{ir.Batch}, 5)
						x := s.param(typ, sum, 9)
						s.nodes = append(s.nodes, g.Scatter(sum, at, upd, len(lead), ""), g.ScatterAdd(x, at, upd, len(lead), ""),
							g.ScatterAdd(g.Apply(ops.Neg, x), at, upd, len(lead), "")) // to what dies there
					}
					idx, upd := g.Hole(of, ir.Shape{ir.Batch}), g.Hole(typ, ir.Shape{ir.Batch, in})
					y := g.Scatter(ir.Shape{ir.D(7), in}, idx, upd, 0, "")
					z := g.ScatterAdd(s.param(typ, y.Shape, 9), idx, upd, 0, "")
					s.nodes = append(s.nodes, g.Vmap([]*ir.Node{y, z}, []*ir.Node{idx, upd},
						[]*ir.Node{s.param(of, ir.Shape{ir.D(3), ir.Batch}, 5), s.param(typ, ir.Shape{ir.D(3), ir.Batch, in}, 9)}, ir.D(3))...)
					s.check(t, s.nodes, rand.New(rand.NewPCG(3, 4)), batches...)
				})
			}
		}
	}
}
