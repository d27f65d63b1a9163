package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// Code runs where it can, and not where it is switched off; String says which.
func TestCodeSwitches(t *testing.T) {
	outs, inputs := chainStep(false)
	for _, level := range kernels.Levels() {
		can := level != kernels.Purego && jit.Available
		for _, c := range []struct {
			env  string
			o    Options
			code bool
		}{{"", Options{}, can}, {"on", Options{}, can}, {"off", Options{}, false}, {"", Options{NoCode: true}, false}} {
			t.Setenv("ADJOINT_JIT", c.env)
			c.o.Level = level.Name
			p, err := Compile(outs, inputs, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(p.String(), strings.TrimSuffix(level.Name, "bf16")+" code"); got != c.code {
				t.Errorf("%s, ADJOINT_JIT=%s, %+v:\n%s", level.Name, c.env, c.o, p)
			}
			b, err := p.binding(100)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.units[0].(*mapUnit).code != nil; got != c.code {
				t.Errorf("%s, ADJOINT_JIT=%s, %+v: code is %v", level.Name, c.env, c.o, got)
			}
		}
	}
	t.Setenv("ADJOINT_JIT", "maybe")
	if _, err := Compile(outs, inputs, Options{}); err == nil || !strings.Contains(err.Error(), "neither on nor off") {
		t.Error(err)
	}
}

// A cluster too long for one loop is cut, and its parts agree with the tiles.
func TestLongCluster(t *testing.T) {
	s := newSketch()
	sh := ir.Shape{ir.Batch}
	var keep []*ir.Node
	for range 12 {
		keep = append(keep, s.param(dtype.F32, sh, 3))
	}
	for i := range 5000 {
		x, y := keep[i%len(keep)], keep[(i*7+3)%len(keep)]
		switch i % 3 {
		case 0:
			x = s.g.Apply(ops.Mul, x, y)
		case 1:
			x = s.g.Apply(ops.Sub, x, y)
		case 2:
			x = s.g.Apply(ops.Where, s.g.Apply(ops.Gt, x, y), x, s.g.Apply(ops.Sqrt, s.g.Apply(ops.Abs, y)))
		}
		keep[i%len(keep)] = x
	}
	outs := keep[:5]
	in := s.values(rand.New(rand.NewPCG(8, 9)), 37)
	var want [][]byte
	for _, level := range kernels.Levels() {
		for _, tiles := range []bool{true, false} {
			p, err := Compile(outs, s.inputs, Options{Level: level.Name, NoCode: tiles})
			if err != nil {
				t.Fatal(err)
			}
			var inPtr, outPtr []unsafe.Pointer
			var got [][]byte
			for _, x := range in {
				inPtr = append(inPtr, unsafe.Pointer(&x[0]))
			}
			for range outs {
				got = append(got, make([]byte, 37*4))
				outPtr = append(outPtr, unsafe.Pointer(&got[len(got)-1][0]))
			}
			if err := p.Run(context.Background(), 37, inPtr, outPtr); err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(37)
			if err != nil {
				t.Fatal(err)
			}
			if c := b.units[0].(*mapUnit).code; c != nil && len(c.segs) < 2 {
				t.Errorf("%d parts", len(c.segs))
			}
			if want == nil {
				want = got
			}
			for i := range got {
				if k := sameBits(dtype.F32, got[i], want[i]); k >= 0 {
					t.Fatalf("%s, tiles %v: output %d, element %d", level.Name, tiles, i, k)
				}
			}
		}
	}
}

// AVX2 has no masks for a Bool that crosses a cut: the last elements of each row are copied.
func TestNarrowCut(t *testing.T) {
	s := newSketch()
	g, sh := s.g, ir.Shape{ir.Batch, ir.D(20)}
	x, y := g.BroadcastTo("", s.param(dtype.F32, ir.Static(20), 0), sh), s.param(dtype.F32, sh, 0)
	positive := g.Apply(ops.Gt, x, y)
	for range 800 {
		y = g.Apply(ops.Sub, g.Apply(ops.Mul, y, x), x)
	}
	s.check(t, []*ir.Node{g.Apply(ops.Where, positive, y, x)}, rand.New(rand.NewPCG(1, 2)), 1, 5, 60)
}

// A program that the system refused pages for code says so where it lists its plan.
func TestRefusedCodeIsTold(t *testing.T) {
	outs, inputs := chainStep(false)
	p, err := Compile(outs, inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, isa := range []*jit.ISA{p.isa, nil} {
		b, err := p.bind(100, isa)
		if err != nil {
			t.Fatal(err)
		}
		p.latest.Store(b)
		if got, want := strings.Contains(p.String(), "refused"), p.isa != nil && isa == nil; got != want {
			t.Errorf("told: %v\n%s", got, p)
		}
	}
}

// The listing names every operation that code serves.
func TestDisassemble(t *testing.T) {
	s := newSketch()
	for _, of := range [][]*ir.Node{recurrence(s, false), beyondLimits(s)} {
		for _, level := range kernels.Levels() {
			checkListing(t, of, s.inputs, level.Name)
		}
	}
	outs, inputs := chainStep(true)
	checkListing(t, outs, inputs, "")
	outs, inputs = columnsStep(24)
	if s := checkListing(t, outs, inputs, ""); s != "" && !strings.Contains(s, "// fold\n") {
		t.Errorf("no sum of columns in\n%s", s)
	}
}

func checkListing(t *testing.T, outs []*ir.Node, inputs []Input, level string) string {
	t.Helper()
	p, err := Compile(outs, inputs, Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Disassemble(100)
	if err != nil {
		t.Fatal(err)
	}
	if p.isa == nil {
		if s != "" {
			t.Error(s)
		}
		return s
	}
	if strings.Contains(s, "?") || strings.Contains(s, "// \n") {
		t.Errorf("a line says not all\n%s", s)
	}
	nodes := ir.Reachable(p.low.outs)
	for _, n := range nodes {
		for _, body := range n.Body {
			nodes = append(nodes, ir.Reachable(ir.Strip(body.Outs))...)
		}
	}
	for _, n := range nodes {
		if name := label(n) + "\n"; n.Kind == ir.Pointwise && !strings.Contains(s, name) {
			t.Errorf("%q is not in\n%s", name, s)
		}
	}
	return s
}

// recurrence is a cell of 14 float64 over a sequence: gates of its input and its state, both elementwise.
func recurrence(s *sketch, backward bool) []*ir.Node {
	g, cell := s.g, ir.Static(14)
	xs := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(14)}, 0)
	var w []*ir.Node
	for range 8 {
		w = append(w, s.param(dtype.F64, cell, 0))
	}
	zero := g.Const(dtype.F64, cell, 0)
	finals, ys, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.Batch, Backward: backward}, []*ir.Node{zero, zero}, []*ir.Node{xs},
		func(_ *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			gate := func(k int, f ops.ID, of *ir.Node) *ir.Node {
				return g.Apply(f, g.Apply(ops.Add, g.Apply(ops.Mul, of, w[2*k]), w[2*k+1]))
			}
			forget, in, out := gate(0, ops.Sigmoid, x[0]), gate(1, ops.Sigmoid, c[0]), gate(2, ops.Sigmoid, x[0])
			cell := g.Apply(ops.Add, g.Apply(ops.Mul, c[1], forget), g.Apply(ops.Mul, in, gate(3, ops.Tanh, c[0])))
			h := g.Apply(ops.Mul, out, g.Apply(ops.Tanh, cell))
			return []*ir.Node{h, cell}, []*ir.Node{h}, nil
		})
	return append(finals, ys...)
}

// A loop whose body is one cluster runs inside one entry of code, and gives the same.
func TestLoopCode(t *testing.T) {
	for _, backward := range []bool{false, true} {
		s := newSketch()
		outs := recurrence(s, backward)
		s.check(t, outs, rand.New(rand.NewPCG(3, 9)), 1, 7, 3000)
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
}

// A loop that exchanges its carries cannot store one before the other is read.
func TestLoopCodeExchange(t *testing.T) {
	s := newSketch()
	x, y := s.param(dtype.F32, ir.Static(32), 0), s.param(dtype.F32, ir.Static(32), 0)
	finals, ys, _ := s.g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{x, y}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{c[1], s.g.Apply(ops.Sub, c[0], c[1])}, []*ir.Node{s.g.Apply(ops.Mul, c[0], c[1])}, nil
		})
	s.check(t, append(finals, ys...), rand.New(rand.NewPCG(3, 9)), 1, 2, 9)
	s = newSketch()
	x, y = s.param(dtype.F32, ir.Static(32), 0), s.param(dtype.F32, ir.Static(32), 0)
	finals, _, _ = s.g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{x, y}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{s.g.Apply(ops.Neg, c[1]), s.g.Apply(ops.Sub, c[0], c[1])}, nil, nil
		})
	s.check(t, finals, rand.New(rand.NewPCG(3, 9)), 1, 2, 9)
	// A carry that stays, and what steps give is carries as they were.
	s = newSketch()
	x, y = s.param(dtype.F32, ir.Static(32), 0), s.param(dtype.F32, ir.Static(32), 0)
	finals, ys, _ = s.g.Loop("Scan", ir.LoopOptions{Length: ir.Batch}, []*ir.Node{x, y}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{c[0], s.g.Apply(ops.Sub, c[0], c[1])}, []*ir.Node{c[1], c[0]}, nil
		})
	s.check(t, append(finals, ys...), rand.New(rand.NewPCG(3, 9)), 1, 2, 9)
}

// An operation that has no vector program runs on tiles, with code before and after it.
func TestCodeAroundTiles(t *testing.T) {
	for _, batch := range []int{1, 37, 1024, 5001} {
		s := newSketch()
		sh := ir.Shape{ir.Batch, ir.D(3)}
		x, y := s.param(dtype.F64, sh, 0), s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(1)}, 0)
		z := s.g.Apply(ops.Mul, s.g.Apply(ops.Sin, s.g.Apply(ops.Mul, x, s.g.BroadcastTo("", y, sh))), x)
		outs := []*ir.Node{z, s.g.Apply(ops.Cos, s.g.BroadcastTo("", y, sh)), s.g.Apply(ops.Add, s.g.Apply(ops.Cos, z), x),
			s.g.Reduce(ir.Sum, s.g.Apply(ops.Tan, z), 1)}
		s.check(t, outs, rand.New(rand.NewPCG(4, 4)), batch)
		p, err := Compile(outs, s.inputs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.binding(batch)
		if err != nil {
			t.Fatal(err)
		}
		if c := b.units[0].(*mapUnit).code; p.isa != nil && (c == nil || !c.tiled) {
			t.Errorf("no code around tiles\n%s", p)
		}
	}
}

// The cache of code lets go of what is oldest.
func TestCodeCache(t *testing.T) {
	var c codeCache
	for i := range 10 {
		c.add(&code{key: fmt.Sprint(i), kept: maxCodeBytes / 4})
		c.add(&code{key: fmt.Sprint(i), kept: maxCodeBytes})
	}
	for i := range 10 {
		if got := c.find(fmt.Sprint(i)) != nil; got != (i >= 6) {
			t.Errorf("%d: %v", i, got)
		}
	}
	if len(c.queue) != 4 || len(c.by) != 4 || c.bytes != maxCodeBytes {
		t.Error(len(c.queue), len(c.by), c.bytes)
	}
}

// paths is a Monte Carlo simulation: B paths of 100 steps, and the mean of what they end at above 1.
func paths(s *sketch) []*ir.Node {
	g, sh := s.g, ir.Shape{ir.Batch}
	noise := s.param(dtype.F64, ir.Shape{ir.D(100), ir.Batch}, 0)
	drift, vol := s.param(dtype.F64, nil, 0), s.param(dtype.F64, nil, 0)
	finals, _, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(100)}, []*ir.Node{g.Const(dtype.F64, sh, 1)}, []*ir.Node{noise},
		func(_ *ir.Node, c, x []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			step := g.Apply(ops.Add, g.BroadcastTo("", drift, sh), g.Apply(ops.Mul, g.BroadcastTo("", vol, sh), x[0]))
			return []*ir.Node{g.Apply(ops.Mul, c[0], g.Apply(ops.Exp, g.Apply(ops.Mul, step, g.Const(dtype.F64, sh, 0.1))))}, nil, nil
		})
	pay := g.Apply(ops.Relu, g.Apply(ops.Sub, finals[0], g.Const(dtype.F64, sh, 1)))
	return []*ir.Node{g.Reduce(ir.Sum, pay, 0), finals[0]}
}

// Backwards, too, a loop of elements is one entry: it stacks the carries that its steps begin with, and what it
// adds up for a number is summed after the loop.
func TestLoopCodeBackwards(t *testing.T) {
	s := newSketch()
	y := paths(s)[0]
	var params []*ir.Node
	for _, n := range ir.Reachable([]*ir.Node{y}) {
		if n.Kind == ir.Param && n.Rank() == 0 {
			params = append(params, n)
		}
	}
	outs := append(s.g.VJP([]*ir.Node{y}, []*ir.Node{s.g.Const(dtype.F64, nil, 1)}, params), y)
	s.check(t, outs, rand.New(rand.NewPCG(5, 9)), 1, 257, 1000, 1024)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(5000)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.loops) != 2 {
		t.Fatalf("%d loops\n%s", len(b.loops), p)
	}
	for _, u := range b.loops {
		if p.isa != nil && (u.code == nil || u.code.tasks(0) != 7) {
			t.Errorf("no code for a loop\n%s", p)
		}
	}
}

// Blocks of a loop's elements go through its steps apart, on several threads.
func TestLoopCodeBlocks(t *testing.T) {
	s := newSketch()
	outs := paths(s)
	s.check(t, outs, rand.New(rand.NewPCG(5, 9)), 1, 255, 257, 1000, 1024)
	p, err := Compile(outs, s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.binding(1024)
	if err != nil {
		t.Fatal(err)
	}
	if p.isa != nil && (b.loops[0].code == nil || b.loops[0].code.tasks(0) != 4) {
		t.Error("no code for the loop")
	}
}

// Rows of every length, of narrow elements, too, are folded right whether code does that or tiles.
func TestCodeFoldsRowsOfAllLengths(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.BF16, dtype.F16} {
		s := newSketch()
		g := s.g
		x := g.Convert(s.param(typ, ir.Shape{ir.D(5), ir.Batch}, 5), dtype.F32)
		outs := []*ir.Node{g.Reduce(ir.Min, x, 1), g.Reduce(ir.Sum, x, 1)}
		s.check(t, outs, rand.New(rand.NewPCG(3, 1)), 1, 15, 16, 17, 63, 64, 65, 127, 128, 165, 200, 256, 300, 511)
	}
}

// Code folds rows whose length is no whole number of iterations, and stores what it made of them.
func TestCodeFoldsLongRows(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32} {
		for _, kinds := range [][]ir.Reduction{{ir.Sum, ir.Max}, {ir.Min, ir.Prod}} {
			s := newSketch()
			g := s.g
			sh := ir.Shape{ir.D(3), ir.Batch}
			x, scale := s.param(typ, sh, 5), s.param(typ, ir.Static(3, 1), 5)
			y := g.Apply(ops.Mul, x, g.BroadcastTo("", scale, sh))
			outs := []*ir.Node{y}
			for _, k := range kinds {
				z := y
				if typ == dtype.F32 && k == ir.Max { // two widths in one program
					z = g.Convert(y, dtype.F64)
				}
				outs = append(outs, g.Reduce(k, z, 1))
			}
			s.check(t, outs, rand.New(rand.NewPCG(3, 1)), 511, 512, 513, 519, 1000, 4096, 4097, 4103, 8199)
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(519)
			if err != nil {
				t.Fatal(err)
			}
			if u := b.units[0].(*mapUnit); p.isa != nil && (u.code == nil || !u.code.folds) {
				t.Errorf("%v: not folded in code\n%s", typ, p)
			}
		}
	}
}

// Code adds up rows of all lengths, the first axes or one between, beside what it stores of them.
func TestCodeFoldsColumns(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, inner := range []int{3, 15, 16, 24, 33, 64, 65, 100, 256, 2304} {
			s := newSketch()
			g := s.g
			x, bias := s.param(typ, ir.Shape{ir.Batch, ir.D(inner)}, 5), s.param(typ, ir.Static(inner), 5)
			y := g.Apply(ops.Sub, x, g.BroadcastTo("", bias, x.Shape))
			z := g.Apply(ops.Add, y, g.BroadcastTo("", s.param(typ, ir.Shape{ir.Batch, ir.D(1)}, 5), x.Shape))
			outs := []*ir.Node{z, g.Reduce(ir.Sum, z, 0), g.Reduce(ir.Max, y, 0), g.Reduce(ir.Min, z, 0)}
			if typ.IsFloat() {
				outs = append(outs, g.Reduce(ir.Prod, z, 0), g.Reduce(ir.Sum, g.Convert(y, dtype.F32), 0))
			}
			m := s.param(typ, ir.Shape{ir.D(3), ir.Batch, ir.D(inner)}, 5)
			outs = append(outs, g.Reduce(ir.Sum, g.Apply(ops.Max, m, g.BroadcastTo("", bias, m.Shape)), 1))
			s.check(t, outs, rand.New(rand.NewPCG(3, 1)), 0, 1, 2, 17, 16384/inner+1)
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(17)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range b.units {
				if u, ok := x.(*mapUnit); ok && p.isa != nil && inner >= 16 && (u.code == nil || !u.code.folds) {
					t.Errorf("%v, rows of %d: not folded in code\n%s", typ, inner, p)
				}
			}
		}
	}
}
