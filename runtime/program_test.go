package runtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

func newSketch() *sketch { return &sketch{g: ir.New()} }

// Sizes at which arrays are cut into tasks, chunks, parts, parts of parts.
func TestLargeArrays(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, c := range map[string]struct {
		build   func(s *sketch) []*ir.Node
		batches []int
	}{
		"one row": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.Batch}, 0)
			y := s.g.Apply(ops.Mul, x, x)
			return []*ir.Node{s.g.Reduce(ir.Sum, y, 0), s.g.Reduce(ir.Max, y, 0), y, s.g.Reduce(ir.Sum, x, 0)}
		}, []int{4096, 4097, 8193, 300_001}},
		"rows": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(10)}, 0)
			return []*ir.Node{s.g.Softmax(x, 1), s.g.Reduce(ir.Sum, s.g.Apply(ops.Square, x), 1)}
		}, []int{999, 10_000}},
		"long rows": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.D(7), ir.Batch}, 0)
			return []*ir.Node{s.g.Softmax(x, 1), s.g.Reduce(ir.Prod, x, 0)}
		}, []int{2000, 5000, 20_001}},
		"columns": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(100)}, 0)
			y := s.g.Apply(ops.Relu, x)
			return []*ir.Node{s.g.Reduce(ir.Sum, y, 0), s.g.Reduce(ir.Min, y, 0), y}
		}, []int{163, 164, 1000}},
		"wide columns": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F64, ir.Shape{ir.Batch, ir.D(2), ir.D(5000)}, 0)
			return []*ir.Node{s.g.Reduce(ir.Sum, s.g.Apply(ops.Neg, x), 0), s.g.Reduce(ir.Sum, x, 1)}
		}, []int{2, 9}},
		"parts of parts": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.Bool, ir.Shape{ir.Batch}, 0)
			return []*ir.Node{s.g.Reduce(ir.Sum, s.g.Convert(x, dtype.F32), 0)}
		}, []int{4096*4096 + 5}},
		"moves": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(50)}, 0)
			i := s.param(dtype.I32, ir.Shape{ir.D(70)}, 50)
			return []*ir.Node{s.g.Transpose(x, []int{1, 0}), s.g.Take(x, i, 1, ""), s.g.CumSum(x, 0, true),
				s.g.Pad(x, []int{1, 1}, []int{0, 3}, 2), s.g.Reverse(x, 0), s.g.Concat(0, x, x),
				s.g.Scatter(ir.Shape{ir.Batch, ir.D(50)}, i, s.g.Take(x, i, 1, ""), 1, "")}
		}, []int{3000}},
		"epilogues": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(30)}, 0)
			w := s.param(dtype.F32, ir.Static(30, 30), 0)
			y := s.g.Apply(ops.Neg, x) // dies in the first epilogue
			for range 3 {
				y = s.g.Apply(ops.Add, y, s.g.Apply(ops.Abs, s.g.MatMul(x, w)))
				z := s.g.MatMul(y, w)
				y = s.g.Apply(ops.Add, s.g.Apply(ops.Mul, z, s.g.MatMul(x, w)), z)
			}
			return []*ir.Node{y, s.g.Apply(ops.Add, x, s.g.MatMul(x, w))}
		}, []int{1, 50, 800}},
		"products": {func(s *sketch) []*ir.Node {
			x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(300)}, 0)
			w := s.param(dtype.F32, ir.Static(300, 70), 0)
			y := s.g.Apply(ops.Tanh, s.g.MatMul(x, w))
			return []*ir.Node{y, s.g.MatMul(s.g.Transpose(x, []int{1, 0}), y), s.g.MatMul(y, s.g.Transpose(w, []int{1, 0}))}
		}, []int{77, 700}},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "parts of parts" {
				t.Skip("16 million elements")
			}
			s := newSketch()
			s.check(t, c.build(s), rng, c.batches...)
		})
	}
}

// A step of training, values and gradients.
func TestMLPStep(t *testing.T) {
	s := newSketch()
	var outs []*ir.Node
	outs, s.inputs = mlpStep()
	for range s.inputs {
		s.limit = append(s.limit, 10)
	}
	s.check(t, outs, rand.New(rand.NewPCG(5, 6)), 5, 130)
}

type call struct {
	p       *Program
	in, out []array
}

// newCall makes arrays for a program of F32 with inputs counted up from 1.
func newCall(t *testing.T, s *sketch, outs []*ir.Node, o Options, batch int) *call {
	t.Helper()
	p, err := Compile(outs, s.inputs, o)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{p: p}
	k := 0
	for _, x := range s.inputs {
		a := newArray(x.Type, x.Shape.At(batch))
		for i := range a.len() {
			k++
			a.setBits(i, ir.FloatBits(x.Type, float64(k)))
		}
		c.in = append(c.in, a)
	}
	for _, y := range outs {
		c.out = append(c.out, newArray(y.Type, y.Shape.At(batch)))
	}
	return c
}

func (c *call) run(ctx context.Context, batch int) error {
	var in, out []unsafe.Pointer
	for _, a := range c.in {
		in = append(in, a.ptr())
	}
	for _, a := range c.out {
		out = append(out, a.ptr())
	}
	return c.p.Run(ctx, batch, in, out)
}

func TestRunAllocatesNothing(t *testing.T) {
	outs, inputs := mlpStep()
	s := &sketch{inputs: inputs}
	for _, threads := range []int{1, 2} {
		c := newCall(t, s, outs, Options{Threads: threads}, 64)
		clear(c.in[7].bytes)
		var in, out []unsafe.Pointer
		for _, a := range c.in {
			in = append(in, a.ptr())
		}
		for i := range c.out {
			out = append(out, c.out[i].ptr())
		}
		copy(out[1:], in[:6]) // the weights in place
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if n := testing.AllocsPerRun(10, func() {
			for _, batch := range []int{64, 1, 3, 64, 17} {
				if err := c.p.Run(ctx, batch, in, out); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%d threads: %v allocations", threads, n)
		}
	}
}

func TestAliasing(t *testing.T) {
	f32 := func(a array) []float32 { return slice[float32](a.bytes) }
	build := func() (*sketch, *ir.Node, *ir.Node) {
		s := newSketch()
		return s, s.param(dtype.F32, ir.Static(9), 0), s.param(dtype.F32, ir.Static(9), 0)
	}
	t.Run("in place", func(t *testing.T) {
		s, x, y := build()
		z := s.g.Apply(ops.Add, x, y)
		c := newCall(t, s, []*ir.Node{z, s.g.Apply(ops.Mul, x, z)}, Options{}, 1)
		c.out[0] = c.in[0]
		if err := c.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if f32(c.out[0])[1] != 13 || f32(c.out[1])[1] != 2*13 || f32(c.in[1])[0] != 10 {
			t.Error(f32(c.out[0]), f32(c.out[1]))
		}
	})
	t.Run("swapped", func(t *testing.T) {
		s, x, y := build()
		c := newCall(t, s, []*ir.Node{y, x}, Options{}, 1)
		c.out[0], c.out[1] = c.in[0], c.in[1]
		if err := c.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if f32(c.in[0])[0] != 10 || f32(c.in[1])[0] != 1 {
			t.Error(f32(c.in[0]), f32(c.in[1]))
		}
	})
	t.Run("overlapping by half", func(t *testing.T) {
		s := newSketch()
		x := s.param(dtype.F32, ir.Static(8), 0)
		c := newCall(t, s, []*ir.Node{s.g.Apply(ops.Neg, x)}, Options{}, 1)
		all := newArray(dtype.F32, []int{12})
		copy(all.bytes, c.in[0].bytes)
		c.in[0].bytes, c.out[0].bytes = all.bytes[:32], all.bytes[16:]
		if err := c.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if got := f32(c.out[0]); got[0] != -1 || got[7] != -8 {
			t.Error(got)
		}
	})
	t.Run("reversed into itself", func(t *testing.T) {
		s, x, _ := build()
		c := newCall(t, s, []*ir.Node{s.g.Reverse(x, 0)}, Options{}, 1)
		c.out[0] = c.in[0]
		if err := c.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if got := f32(c.out[0]); got[0] != 9 || got[8] != 1 {
			t.Error(got)
		}
	})
	t.Run("outputs on each other", func(t *testing.T) {
		s, x, y := build()
		c := newCall(t, s, []*ir.Node{s.g.Apply(ops.Add, x, y), s.g.Apply(ops.Sub, x, y)}, Options{}, 1)
		c.out[1] = c.out[0]
		if err := c.run(context.Background(), 1); err == nil || !strings.Contains(err.Error(), "outputs 0 and 1 lie in the same memory") {
			t.Error(err)
		}
	})
	t.Run("one result twice", func(t *testing.T) {
		s, x, y := build()
		z := s.g.Apply(ops.Add, x, y)
		c := newCall(t, s, []*ir.Node{z, z, x}, Options{}, 1)
		if err := c.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if f32(c.out[0])[8] != 27 || f32(c.out[1])[8] != 27 || f32(c.out[2])[8] != 9 {
			t.Error(f32(c.out[0]), f32(c.out[1]), f32(c.out[2]))
		}
	})
}

// A bad index is found before anything is written, even where the indices are computed late.
func TestBadIndexWritesNothing(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(4), 0)
	y := s.g.Apply(ops.Neg, x)
	late := s.g.Convert(s.g.Reduce(ir.Sum, s.g.Apply(ops.Square, x), 0), dtype.I32) // 30
	c := newCall(t, s, []*ir.Node{y, s.g.Take(x, s.g.Reshape(late, ir.Static(1)), 0, "here.go:7")}, Options{}, 1)
	err := c.run(context.Background(), 1)
	if err == nil || err.Error() != "autodiff: Take index 30 is not in 0 … 3 (here.go:7)" {
		t.Error(err)
	}
	for _, o := range c.out {
		for _, b := range o.bytes {
			if b != 0 {
				t.Fatalf("written: %v", c.out)
			}
		}
	}
	if err := c.run(context.Background(), 1); err == nil {
		t.Error("the second run has no error")
	}
}

// Constant indices are looked at once: those in range by Compile, a bad one still fails the run.
func TestConstantIndices(t *testing.T) {
	for _, last := range []byte{3, 4} {
		s := newSketch()
		x := s.param(dtype.F32, ir.Static(4), 0)
		bytes := make([]byte, 8)
		bytes[0], bytes[4] = 2, last
		idx := s.g.Captured(dtype.I32, ir.Static(2), &ir.Array{Bytes: bytes})
		c := newCall(t, s, []*ir.Node{s.g.Take(x, idx, 0, "here.go:7")}, Options{}, 1)
		err := c.run(context.Background(), 1)
		if bad := last == 4; (err != nil) != bad || strings.Contains(c.p.String(), "check indices") != bad {
			t.Errorf("index %d: %v in %v", last, err, c.p)
		}
	}
}

func TestContext(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(300, 300), 0)
	y := x
	for range 40 {
		y = s.g.Apply(ops.Tanh, s.g.MatMul(y, x))
	}
	c := newCall(t, s, []*ir.Node{y}, Options{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.run(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	ctx = &lateContext{Context: context.Background(), done: make(chan struct{})}
	if err := c.run(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: %v", err)
	}
	for _, b := range c.out[0].bytes {
		if b != 0 {
			t.Fatal("half-written")
		}
	}
}

// lateContext is cancelled when it has been asked a few times.
type lateContext struct {
	context.Context
	done  chan struct{}
	asked int
}

func (c *lateContext) Done() <-chan struct{} { return c.done }
func (c *lateContext) Err() error {
	if c.asked++; c.asked < 5 {
		return nil
	}
	return context.Canceled
}

// What the plan says is dead is overwritten: an array that is read later than it says shows.
func TestPoison(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(8, 8), 0)
	y := s.g.MatMul(x, x)
	c := newCall(t, s, []*ir.Node{s.g.MatMul(s.g.CumSum(y, 0, false), y)}, Options{Poison: true}, 1)
	f32 := slice[float32](c.out[0].bytes)
	if err := c.run(context.Background(), 1); err != nil || f32[0] != f32[0] {
		t.Fatal(err, f32)
	}
	b, _ := c.p.binding(1)
	b.buffers[b.root(y)].last = b.buffers[b.root(y)].first
	if err := c.run(context.Background(), 1); err != nil || f32[0] == f32[0] {
		t.Error(err, f32)
	}
}

type panicUnit struct{}

func (panicUnit) phases() int               { return 1 }
func (panicUnit) tasks(int) int             { return 8 }
func (panicUnit) do(_ *run, _, _, task int) { _ = []int{}[task] }

func TestPanicInWorker(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(4), 0)
	for _, threads := range []int{1, 4} {
		c := newCall(t, s, []*ir.Node{s.g.Apply(ops.Neg, x)}, Options{Threads: threads}, 1)
		b, err := c.p.binding(1)
		if err != nil {
			t.Fatal(err)
		}
		kept := b.units
		b.units, b.entry = append([]unit{panicUnit{}}, kept...), nil
		if err := c.run(context.Background(), 1); err == nil || !strings.Contains(err.Error(), "index out of range") {
			t.Error(err)
		}
		b.units = kept
		if err := c.run(context.Background(), 1); err != nil {
			t.Error(err)
		}
	}
}

// A row's result is the same whatever batch it comes in, however many threads run it, whatever else runs:
// a step that is alive in eight goroutines with batches of all sizes at once.
func TestRowsOfAnyBatch(t *testing.T) {
	const most = 1000
	s := newSketch()
	x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(20)}, 0)
	w := s.param(dtype.F32, ir.Static(20, 40), 0)
	label := s.param(dtype.I32, ir.Shape{ir.Batch}, 40)
	z := s.g.LogSoftmax(s.g.Apply(ops.Tanh, s.g.MatMul(x, w)), 1)
	loss := s.g.Reduce(ir.Sum, s.g.TakeAlong(z, s.g.Reshape(label, ir.Shape{ir.Batch, ir.D(1)}), 1, ""), 1)
	outs := []*ir.Node{loss, s.g.VJP([]*ir.Node{loss}, []*ir.Node{s.g.Const(dtype.F32, loss.Shape, 1)}, []*ir.Node{x})[0]}
	in := s.values(rand.New(rand.NewPCG(8, 9)), most)
	stripped := ir.Strip(outs)
	want, err := Reference(stripped, most, in)
	if err != nil {
		t.Fatal(err)
	}
	var programs []*Program
	for _, threads := range []int{1, 2, 3, 8} {
		p, err := Compile(outs, s.inputs, Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
	}
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			room := [][]byte{make([]byte, len(want[0])), make([]byte, len(want[1]))}
			for i := range 24 {
				batch := []int{1, 2, 3, most, 0, 7, 64}[(k+i)%7]
				row := (k * 31 * i) % (most - batch + 1)
				inputs := []unsafe.Pointer{unsafe.Pointer(&in[0][min(row*80, len(in[0])-1)]), unsafe.Pointer(&in[1][0]), unsafe.Pointer(&in[2][min(row*4, len(in[2])-1)])}
				if err := programs[(k+i/7)%4].Run(context.Background(), batch, inputs, []unsafe.Pointer{unsafe.Pointer(&room[0][0]), unsafe.Pointer(&room[1][0])}); err != nil {
					t.Error(err)
				}
				for j, width := range []int{4, 80} {
					if at := sameBits(dtype.F32, room[j][:batch*width], want[j][row*width:(row+batch)*width]); at >= 0 {
						t.Errorf("batch %d from row %d, output %d: element %d differs", batch, row, j, at)
					}
				}
			}
		}()
	}
	wg.Wait()
}

// One program, many goroutines and batches.
func TestConcurrentRuns(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(40)}, 0)
	outs := []*ir.Node{s.g.Reduce(ir.Sum, s.g.MatMul(s.g.Transpose(x, []int{1, 0}), x), 0)}
	p, err := Compile(outs, s.inputs, Options{Threads: 3})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k := range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 30 {
				batch := 1 + (k*7+i)%23*17
				in, out := newArray(dtype.F32, []int{batch, 40}), newArray(dtype.F32, []int{40})
				for j := range in.len() {
					in.setBits(j, ir.FloatBits(dtype.F32, 1))
				}
				err := p.Run(context.Background(), batch, []unsafe.Pointer{in.ptr()}, []unsafe.Pointer{out.ptr()})
				if got := slice[float32](out.bytes)[39]; err != nil || got != float32(40*batch) {
					t.Errorf("%v, %v, want %d", err, got, 40*batch)
				}
			}
		}()
	}
	wg.Wait()
	if n := len(p.bindings); n > maxBindings {
		t.Errorf("%d bindings are kept", n)
	}
}

func TestCompileAndRunErrors(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Shape{{C: -2, B: 1}}, 0)
	outs := []*ir.Node{s.g.Apply(ops.Neg, x)}
	for want, o := range map[string]Options{
		`no level "sse2"`: {Level: "sse2"},
		"-1 threads":      {Threads: -1},
	} {
		if _, err := Compile(outs, s.inputs, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	t.Setenv("ADJOINT_THREADS", "many")
	if _, err := Compile(outs, s.inputs, Options{}); err == nil || !strings.Contains(err.Error(), "ADJOINT_THREADS=many") {
		t.Error(err)
	}
	if p, err := Compile(outs, s.inputs, Options{Threads: 1}); err != nil || p.Threads() != 1 {
		t.Error(err)
	}
	if _, err := Compile(outs, nil, Options{Threads: 1}); err == nil || !strings.Contains(err.Error(), "param") {
		t.Error(err)
	}
	if _, err := Compile([]*ir.Node{s.g.Hole(dtype.F32, nil)}, nil, Options{Threads: 1}); err == nil {
		t.Error("a hole has no value")
	}
	p, err := Compile(outs, s.inputs, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var room [64]byte
	ptr := []unsafe.Pointer{unsafe.Pointer(&room)}
	// 13 axes in reverse, each of which is 2, do not merge.
	s = newSketch()
	far := s.param(dtype.F32, ir.Shape{ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2), ir.D(2)}, 0)
	axes, err := Compile([]*ir.Node{s.g.Transpose(far, []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0})}, s.inputs, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	s = newSketch()
	long := s.param(dtype.F32, ir.Shape{ir.Batch}, 0)
	huge, err := Compile([]*ir.Node{s.g.Reduce(ir.Sum, s.g.CumSum(long, 0, false), 0)}, s.inputs, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	none := []unsafe.Pointer{nil}
	for want, run := range map[string]func() error{
		"a view of more than 12 axes":       func() error { return axes.Run(context.Background(), 1, ptr, ptr) },
		"batch 35184372088832 takes":        func() error { return huge.Run(context.Background(), 1<<45, ptr, ptr) },
		"input 0 is nil":                    func() error { return p.Run(context.Background(), 3, none, ptr) },
		"output 0 is nil":                   func() error { return p.Run(context.Background(), 3, ptr, none) },
		"the context is nil":                func() error { return p.Run(nil, 3, ptr, ptr) }, //lint:ignore SA1012 that is the test
		"batch -1 is negative":              func() error { return p.Run(context.Background(), -1, ptr, ptr) },
		"has a negative size for B = 1":     func() error { return p.Run(context.Background(), 1, ptr, ptr) },
		"has too many elements for B = ":    func() error { return p.Run(context.Background(), 1<<50, ptr, ptr) },
		"1 inputs and 1 outputs, not 0 and": func() error { return p.Run(context.Background(), 1, nil, ptr) },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestPrint(t *testing.T) {
	outs, inputs := mlpStep()
	p, err := Compile(outs, inputs, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.PeakBytes(64); err != nil || n < 64*512*4 || n > 4<<20 {
		t.Error(n, err)
	}
	if _, err := p.PeakBytes(-1); err == nil {
		t.Error("a negative batch")
	}
	for _, want := range []string{"2 threads", "matmul", "map [B 512]", "check indices", "memory for B = 64: arena", "is output 0", "until step"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("no %q in %s", want, p)
		}
	}
	if d := p.Dot(); !strings.HasPrefix(d, "digraph") || strings.Count(d, "{") != strings.Count(d, "}") {
		t.Error(d)
	}
	if p.Level() == "" || fmt.Sprint(p.Threads()) != "2" {
		t.Error(p.Level(), p.Threads())
	}
}
