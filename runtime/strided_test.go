package runtime

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// throughStrides is a view of the shape [B, n] through strides.
func throughStrides(s *sketch, how string, t dtype.Type, n int) *ir.Node {
	g, sh := s.g, ir.Shape{ir.Batch, ir.D(n)}
	switch how {
	case "transposed":
		return g.Transpose(s.param(t, ir.Shape{ir.D(n), ir.Batch}, 5), []int{1, 0})
	case "reversed":
		return g.Reverse(s.param(t, sh, 5), 1)
	case "both reversed":
		return g.Reverse(g.Reverse(s.param(t, sh, 5), 1), 0)
	case "columns":
		return g.Slice(s.param(t, ir.Shape{ir.Batch, ir.D(n + 8)}, 5), []ir.Dim{{}, ir.D(3)}, []int{1, 1}, sh)
	case "from behind":
		return g.Reverse(g.Transpose(s.param(t, ir.Shape{ir.D(n), ir.Batch}, 5), []int{1, 0}), 1)
	}
	var k int
	fmt.Sscanf(how, "every %d", &k)
	return g.Slice(s.param(t, ir.Shape{ir.Batch, ir.D(k * n)}, 5), []ir.Dim{{}, ir.D(k - 1)}, []int{1, k}, sh)
}

// What is read through strides gives the same where it is read in place, in blocks and from tiles.
func TestStrided(t *testing.T) {
	hows := []string{"transposed", "reversed", "both reversed", "columns", "from behind", "every 2", "every 3", "every 8", "every 11"}
	for i, how := range hows {
		for j, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I64, dtype.F16, dtype.Bool} {
			for _, n := range []int{1, 17, 65, 128, 300} {
				if testing.Short() && (i+j+n)%3 > 0 {
					continue
				}
				t.Run(fmt.Sprint(how, typ, n), func(t *testing.T) {
					s := newSketch()
					g, sh := s.g, ir.Shape{ir.Batch, ir.D(n)}
					x := throughStrides(s, how, typ, n)
					y := g.Convert(s.param(dtype.F32, sh, 5), typ)
					outs := []*ir.Node{}
					if typ == dtype.Bool {
						outs = append(outs, g.Apply(ops.And, x, y))
					} else {
						other := throughStrides(s, hows[(i+1)%len(hows)], typ, n)
						z := g.Apply(ops.Add, g.Apply(ops.Mul, x, y), other)
						outs = append(outs, z, g.Reduce(ir.Sum, g.Convert(g.Apply(ops.Mul, x, z), dtype.F32), 1), g.Reduce(ir.Max, g.Apply(ops.Sub, x, y), 0),
							g.Reduce(ir.Sum, g.Convert(g.Apply(ops.Sub, x, z), dtype.F64), 0, 1))
					}
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					s.check(t, outs, rng, 1, 9, 16, 40)
					c := newSketch() // an array of its own, and with it something that reads it
					x = throughStrides(c, how, typ, n)
					c.check(t, []*ir.Node{x}, rng, 3, 40)
					c.check(t, []*ir.Node{x, c.g.Convert(x, dtype.F64)}, rng, 33)
				})
			}
		}
	}
}

// Large results made of what is turned go past the caches.
func TestStridedStreams(t *testing.T) {
	defer func(n int) { streamBytes = n }(streamBytes)
	streamBytes = 1 << 12
	s := newSketch()
	x := throughStrides(s, "transposed", dtype.F32, 130)
	y := s.g.Apply(ops.Mul, x, x)
	s.check(t, []*ir.Node{x, y}, rand.New(rand.NewPCG(1, 2)), 1, 40)
	c := newSketch()
	c.check(t, []*ir.Node{throughStrides(c, "transposed", dtype.F64, 130)}, rand.New(rand.NewPCG(1, 2)), 1, 40)
}

// A batch of turned matrices: a block may reach from one into the next.
func TestStridedBatch(t *testing.T) {
	s := newSketch()
	g := s.g
	sh := ir.Shape{ir.Batch, ir.D(21), ir.D(100)}
	x := g.Transpose(s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(100), ir.D(21)}, 0), []int{0, 2, 1})
	y := s.param(dtype.F32, sh, 0)
	z := g.Apply(ops.Mul, x, g.Apply(ops.Sin, y))
	s.check(t, []*ir.Node{z, g.Reduce(ir.Sum, z, 2), x}, rand.New(rand.NewPCG(1, 2)), 1, 3)
}

// What follows a product reads through strides, too.
func TestStridedEpilogue(t *testing.T) {
	for _, how := range []string{"every 2", "reversed", "transposed", "every 9"} {
		for _, n := range []int{20, 130} {
			s := newSketch()
			g := s.g
			y := g.MatMulND(s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(7)}, 0), s.param(dtype.F32, ir.Static(7, n), 0))
			y = g.Apply(ops.Relu, g.Apply(ops.Add, y, throughStrides(s, how, dtype.F32, n)))
			s.check(t, []*ir.Node{y}, rand.New(rand.NewPCG(1, 2)), 1, 19, 33)
		}
	}
}

// AVX2 reads elements that are apart where it masks; what crosses from one piece of code to the next may be too narrow.
func TestStridedCut(t *testing.T) {
	s := newSketch()
	g, sh := s.g, ir.Shape{ir.Batch, ir.D(24)}
	x := throughStrides(s, "every 3", dtype.F32, 24)
	y := s.param(dtype.F32, sh, 0)
	positive := g.Apply(ops.Gt, x, y)
	for range 800 {
		y = g.Apply(ops.Sub, g.Apply(ops.Mul, y, x), x)
	}
	s.check(t, []*ir.Node{g.Apply(ops.Where, positive, y, x)}, rand.New(rand.NewPCG(1, 2)), 1, 5)
	for _, level := range kernels.Levels() {
		p, err := Compile([]*ir.Node{g.Apply(ops.Where, positive, y, x)}, s.inputs, Options{Level: level.Name})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.binding(5)
		if err != nil {
			t.Fatal(err)
		}
		if u := b.units[0].(*mapUnit); u.code != nil && u.together != strings.HasPrefix(level.Name, "avx2") {
			t.Errorf("%s: elements that are apart are read from tiles: %v", level.Name, u.together)
		}
	}
}

// A loop whose steps read every other element is one entry of code.
func TestStridedLoop(t *testing.T) {
	s := newSketch()
	g, n := s.g, ir.D(20)
	xs := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(40)}, 0)
	start := s.param(dtype.F64, ir.Shape{n}, 0)
	finals, ys, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{start}, []*ir.Node{xs},
		func(_ *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			half := func(k int) *ir.Node { return g.Slice(x[0], []ir.Dim{ir.D(k)}, []int{2}, ir.Shape{n}) }
			y := g.Apply(ops.Add, g.Apply(ops.Mul, g.Apply(ops.Sigmoid, half(0)), c[0]), half(1))
			return []*ir.Node{y}, []*ir.Node{y}, nil
		})
	outs := append(finals, ys...)
	s.check(t, outs, rand.New(rand.NewPCG(3, 9)), 1, 7, 300)
	for _, level := range kernels.Levels() {
		p, err := Compile(outs, s.inputs, Options{Level: level.Name})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.binding(7)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := b.loops[0].code != nil, p.isa != nil; got != want {
			t.Errorf("%s: code is %v\n%s", level.Name, got, p)
		}
	}
}

// Axes in every order, of every size, whole, from behind and by steps, several copies at once, also past the caches.
func TestTurns(t *testing.T) {
	for _, far := range []bool{false, true} {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.BF16, dtype.Bool} {
			t.Run(fmt.Sprint(typ, far), func(t *testing.T) {
				if far {
					defer placeAnything()()
				}
				s := newSketch()
				x := s.g.Convert(s.param(dtype.F32, ir.Shape{ir.D(3), ir.Batch, ir.D(5), ir.D(67)}, 2), typ)
				y := s.g.Convert(s.param(dtype.F32, ir.Shape{ir.D(2), ir.D(41), ir.Batch, ir.D(3)}, 2), typ)
				var outs []*ir.Node
				for _, perm := range [][]int{{0, 1, 3, 2}, {3, 0, 1, 2}, {1, 3, 0, 2}, {3, 2, 1, 0}, {2, 3, 1, 0}, {1, 0, 2, 3}, {0, 3, 2, 1}} {
					for _, x := range []*ir.Node{x, y, s.g.Reverse(x, 3), s.g.Reverse(y, 1, 3), s.g.Slice(x, ir.Static(0, 0, 1, 2), []int{2, 1, 1, 3}, ir.Shape{ir.D(2), ir.Batch, ir.D(4), ir.D(21)})} {
						outs = append(outs, s.g.Transpose(x, perm))
					}
				}
				s.check(t, outs, rand.New(rand.NewPCG(7, 8)), 1, 2, 9, 70)
				p, err := Compile(outs, s.inputs, Options{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := p.binding(70)
				if err != nil {
					t.Fatal(err)
				}
				turns := 0
				for _, u := range b.units {
					if m, ok := u.(*mapUnit); ok && m.copying != nil {
						turns += len(m.copying.turns)
					}
				}
				if turns < 20 {
					t.Errorf("%d of %d are turned", turns, len(outs))
				}
			})
		}
	}
}
