package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/device/fake"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Tests run on the CPU also where there is a GPU, but for those that ask for a device.
func TestMain(m *testing.M) {
	os.Setenv("ADJOINT_DEVICE", "cpu")
	os.Exit(m.Run())
}

// onFake has programs find a fake device, whose kernels run on the CPU.
func onFake(t *testing.T) *fake.Driver {
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	t.Setenv("ADJOINT_DEVICE", "")
	s := &fake.Shim{Dir: t.TempDir()}
	f := &fake.Driver{Compile: s.Compile}
	restore := device.Use(f)
	t.Cleanup(func() { restore(); s.Close() })
	return f
}

// TestDeviceRandomGraphs: programs on a device give the reference's bits, when their steps are queued, recorded and
// replayed, from memory of the caller's and from arrays that stay on the device.
func TestDeviceRandomGraphs(t *testing.T) {
	onFake(t)
	everything(t)
	n := uint64(3)
	if testing.Short() {
		n = 1
	}
	conform(t, n, func([]*ir.Node) bool { return true })
}

// onGPU skips a test where there is no GPU, and tells whether cuBLAS computes products.
func onGPU(t *testing.T) (library bool) {
	devices, err := device.All()
	if err != nil {
		t.Skip(err)
	}
	t.Setenv("ADJOINT_DEVICE", "")
	t.Log(devices[0].Describe())
	return strings.HasSuffix(devices[0].Describe(), ", cuBLAS")
}

// TestGPURandomGraphs: a GPU gives the reference's bits, but of products by cuBLAS (ADJOINT_CUBLAS=off: of those, too).
func TestGPURandomGraphs(t *testing.T) {
	library := onGPU(t)
	everything(t)
	n := uint64(300)
	if testing.Short() {
		n = 20
	}
	conform(t, n, func(outs []*ir.Node) bool {
		return !library || !slices.ContainsFunc(ir.Reachable(outs), func(n *ir.Node) bool { return n.Kind == ir.MatMul })
	})
}

// TestGPUMemory: 10,000 steps that update an array in place take no more memory than the first ones.
func TestGPUMemory(t *testing.T) {
	onGPU(t)
	g := ir.New()
	w, x := g.Param(0, dtype.F32, ir.Static(64, 64)), g.Param(1, dtype.F32, ir.Shape{ir.Batch, ir.D(64)})
	y := g.Apply(ops.Tanh, g.MatMul(x, w))
	next := g.Apply(ops.Sub, w, g.Apply(ops.Mul, g.MatMul(g.Transpose(x, []int{1, 0}), y), g.Const(dtype.F32, w.Shape, 0.001)))
	p, err := Compile([]*ir.Node{next, g.Reduce(ir.Sum, y, 0)}, []Input{{w.Type, w.Shape}, {x.Type, x.Shape}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	weights, sums := make([]float32, 64*64), make([]float32, 64)
	for i := range weights {
		weights[i] = float32(i%13) / 64
	}
	array := func(x []float32) *device.Array { return device.NewArray(unsafe.Pointer(&x[0]), 4*len(x)) }
	state, out := array(weights), array(sums)
	devices, _ := device.All()
	bytes := func() (ours, all int) {
		used, kept := devices[0].Used()
		free, total, err := devices[0].Driver.(interface {
			Room() (free, total int, err error)
		}).Room()
		if err != nil {
			t.Fatal(err)
		}
		return used + kept, total - free
	}
	before, allBefore, steps := 0, 0, 10_000
	if testing.Short() {
		steps = 400
	}
	for step := range steps {
		batch := 32 + step%3
		data := make([]float32, 64*batch)
		data[step%len(data)] = 1
		in := array(data)
		if err := p.RunArrays(context.Background(), batch, []*device.Array{state, in}, []*device.Array{state, out}); err != nil {
			t.Fatal(err)
		}
		if step%100 == 99 {
			runtime.GC() // arrays of data are found
		}
		if step == steps/10 {
			before, allBefore = bytes()
		}
	}
	now, all := bytes()
	if now > before+1<<20 || all > allBefore+64<<20 { // graphs and streams too; others may use the GPU
		t.Errorf("%d bytes on the device, %d at the beginning; the driver has given out %d, %d at the beginning", now, before, all, allBefore)
	}
}

// TestGPUProducts: within the bound of sums in any order, for all transpositions and sizes around those of tiles.
func TestGPUProducts(t *testing.T) {
	onGPU(t)
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.BF16, dtype.F16} {
		for _, d := range [][4]int{{1, 3, 5, 2}, {2, 65, 17, 66}, {1, 2, 513, 3}, {3, 1, 40, 9}, {1, 9, 40, 1}, {1, 256, 1000, 300}, {1, 2, 0, 3}, {0, 3, 3, 3}} {
			rng := rand.New(rand.NewPCG(1, 10))
			s := &sketch{source: rng, g: ir.New()}
			e, m, k, n := d[0], d[1], d[2], d[3]
			a, at := s.param(typ, ir.Static(e, m, k), 0), s.param(typ, ir.Static(e, k, m), 0)
			b, bt := s.param(typ, ir.Static(e, k, n), 0), s.param(typ, ir.Static(e, n, k), 0)
			turn := func(x *ir.Node) *ir.Node { return s.g.Transpose(x, []int{0, 2, 1}) }
			outs := []*ir.Node{s.g.MatMul(a, b), s.g.MatMul(turn(at), b), s.g.MatMul(a, turn(bt)), s.g.MatMul(turn(at), turn(bt))}
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var in [][]byte
			for _, x := range s.inputs {
				y := newArray(x.Type, x.Shape.At(1))
				for i := range y.len() {
					y.setBits(i, ir.FloatBits(typ, 2*rng.Float64()-1))
				}
				in = append(in, y.bytes)
			}
			want, err := Reference(ir.Strip(outs), 1, in)
			if err != nil {
				t.Fatal(err)
			}
			var inPtr, outPtr []unsafe.Pointer
			var got [][]byte
			for _, x := range in {
				inPtr = append(inPtr, unsafe.Pointer(unsafe.SliceData(x)))
			}
			sums := ir.Strip(outs)[0].Type
			for _, w := range want {
				got = append(got, newArray(sums, []int{len(w) / sums.Size()}).bytes)
				outPtr = append(outPtr, unsafe.Pointer(unsafe.SliceData(got[len(got)-1])))
			}
			eps := map[dtype.Type]float64{dtype.F32: 0x1p-24, dtype.F64: 0x1p-53, dtype.BF16: 0x1p-22, dtype.F16: 0x1p-22}[typ] // a tensor core truncates
			for range 3 {
				if err := p.Run(context.Background(), 1, inPtr, outPtr); err != nil {
					t.Fatal(err)
				}
				for i := range want {
					x, y := array{sums, nil, got[i]}, array{sums, nil, want[i]}
					for j := range x.len() {
						// Two sums of k products of at most 1: each is off by at most k·eps·Σ|ab| ≤ k²·eps.
						bound, exact := 2*float64(k*k)*eps, ir.BitsFloat(sums, y.bits(j))
						if sums.IsHalf() { // rounded
							bound += math.Abs(exact) / 128
						}
						if off := math.Abs(ir.BitsFloat(sums, x.bits(j)) - exact); !(off <= bound) {
							t.Fatalf("%v %v, output %d, element %d: off by %g", typ, d, i, j, off)
						}
					}
				}
			}
		}
	}
}

// conform holds programs of n random graphs, of those that are wanted, to the reference.
func conform(t *testing.T, n uint64, wanted func(outs []*ir.Node) bool) {
	for seed := range n {
		rng := rand.New(rand.NewPCG(seed, 11))
		s := &sketch{source: rng, g: ir.New(), device: true}
		outs := s.build(5 + rng.IntN(30))
		if !wanted(ir.Strip(outs)) {
			continue
		}
		p, err := Compile(outs, s.inputs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Device() != "cuda:0" {
			t.Fatalf("runs on %s\n%s", p.Device(), p)
		}
		for _, batch := range []int{1, 1 + rng.IntN(40), 0} {
			in := s.values(rng, batch)
			want, err := Reference(ir.Strip(outs), batch, in)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("seed %d, B = %d", seed, batch)
			same := func(how string, i int, got []byte) {
				if k := sameBits(outs[i].Type, got, want[i]); k >= 0 {
					t.Fatalf("%s, %s, output %d: element %d differs\n%s", name, how, i, k, p)
				}
			}
			var arrays []*device.Array
			var mem [][]byte
			for _, list := range [][][]byte{in, want} {
				for _, b := range list {
					m := make([]byte, len(b)+1)
					arrays, mem = append(arrays, device.NewArray(unsafe.Pointer(&m[0]), len(b))), append(mem, m[:len(b)])
				}
			}
			for i := range in {
				copy(mem[i], in[i])
			}
			for round := range 4 {
				var inPtr, outPtr []unsafe.Pointer
				var room []guarded
				for _, b := range in {
					g := newGuarded(len(b), 0)
					copy(g.bytes(), b)
					inPtr = append(inPtr, g.ptr())
				}
				for _, w := range want {
					g := newGuarded(len(w), 0)
					room, outPtr = append(room, g), append(outPtr, g.ptr())
				}
				if err := p.Run(context.Background(), batch, inPtr, outPtr); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, p)
				}
				for i, g := range room {
					if same(fmt.Sprint("shared, round ", round), i, g.bytes()); !g.intact() {
						t.Fatalf("%s: wrote outside of output %d", name, i)
					}
				}
				if err := p.RunArrays(context.Background(), batch, arrays[:len(in)], arrays[len(in):]); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, p)
				}
				for i, a := range arrays {
					if err := a.Fetch(); err != nil {
						t.Fatal(err)
					}
					if i >= len(in) {
						same(fmt.Sprint("kept, round ", round), i-len(in), mem[i])
					} else if !bytes.Equal(mem[i], in[i]) {
						t.Fatalf("%s: input %d has changed", name, i)
					}
				}
			}
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	f := onFake(t)
	g := ir.New()
	x, idx := g.Param(0, dtype.F32, ir.Shape{ir.Batch, ir.D(3)}), g.Param(1, dtype.I64, ir.Static(4))
	outs := []*ir.Node{g.Take(x, idx, 1, "user.go:7"), g.Apply(ops.Mul, x, x)}
	p, err := Compile(outs, []Input{{x.Type, x.Shape}, {idx.Type, idx.Shape}}, Options{Device: "cuda:0"})
	if err != nil {
		t.Fatal(err)
	}
	in := []float32{1, 2, 3, 4, 5, 6}
	at := []int64{2, 0, 1, 2}
	taken, square := make([]float32, 8), make([]float32, 6)
	run := func() error {
		return p.Run(context.Background(), 2, []unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&at[0])},
			[]unsafe.Pointer{unsafe.Pointer(&taken[0]), unsafe.Pointer(&square[0])})
	}
	good := func() {
		t.Helper()
		clear(taken)
		if err := run(); err != nil || fmt.Sprint(taken, square) != "[3 1 2 3 6 4 5 6] [1 4 9 16 25 36]" {
			t.Fatal(err, taken, square)
		}
	}
	good()
	for range 3 {
		at[1], square[0] = -4, 77
		if err := run(); err == nil || err.Error() != "autodiff: Take index -4 is not in 0 … 2 (user.go:7)" || square[0] != 77 {
			t.Fatal(err, square)
		}
		at[1] = 0
		good()
	}
	broken := errors.New("broken")
	for _, call := range []string{"Launch", "ToHost", "Replay", "Wait", "Alloc"} {
		f.Fail(call, 0, broken)
		square[0] = 77
		switch err := run(); {
		case call == "Alloc": // nothing is allocated any more
			f.Fail(call, 1<<30, nil)
		case !errors.Is(err, broken) || !strings.Contains(err.Error(), "cuda:0") || square[0] != 77:
			// A replay launches nothing by itself, a first run replays nothing.
			if err != nil || call != "Launch" && call != "Replay" {
				t.Fatalf("%s: %v %v", call, err, square)
			}
			f.Fail(call, 1<<30, nil)
		}
		good()
		good()
	}
	for name, test := range map[string]struct {
		in, out []unsafe.Pointer
		want    string
	}{
		"nil input":   {[]unsafe.Pointer{nil, unsafe.Pointer(&at[0])}, []unsafe.Pointer{unsafe.Pointer(&taken[0]), unsafe.Pointer(&square[0])}, "input 0 is nil"},
		"nil output":  {[]unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&at[0])}, []unsafe.Pointer{unsafe.Pointer(&taken[0]), nil}, "output 1 is nil"},
		"same output": {[]unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&at[0])}, []unsafe.Pointer{unsafe.Pointer(&taken[0]), unsafe.Pointer(&taken[1])}, "outputs 0 and 1 lie in the same memory"},
	} {
		if err := p.Run(context.Background(), 2, test.in, test.out); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Compile(outs, p.inputs, Options{Device: "cuda:1"}); err == nil || !strings.Contains(err.Error(), "there are cpu, cuda:0") {
		t.Error(err)
	}
}

// TestDeviceChoice: a program says where it runs, and why not on the device.
func TestDeviceChoice(t *testing.T) {
	onFake(t)
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Static(5, 5))
	for _, test := range []struct {
		out    *ir.Node
		device string
		want   []string
	}{
		{g.Apply(ops.Mul, x, x), "", []string{"cuda:0", "device cuda:0 (fake)"}},
		{g.Apply(ops.Mul, x, x), "cpu", []string{"cpu", "level "}},
		{g.Call(ir.QR, 0, "", x), "", []string{"cpu", "device cpu: cuda: no kernel for " + ir.QR.String()}},
		{g.Call(ir.QR, 0, "", x), "cuda:0", []string{"cpu", "device cpu: cuda: no kernel for " + ir.QR.String()}},
	} {
		p, err := Compile([]*ir.Node{test.out}, []Input{{x.Type, x.Shape}}, Options{Device: test.device})
		if err != nil {
			t.Fatal(err)
		}
		if p.Device() != test.want[0] || !strings.HasPrefix(p.String(), test.want[1]) {
			t.Errorf("%v on %q: %s\n%s", test.out.Name(), test.device, p.Device(), p)
		}
	}
}

// TestDeviceSteps: loops that data ends, branches and what the host computes, within a program on a device: their errors
// are a run's, nothing is written then, and the program goes on.
func TestDeviceSteps(t *testing.T) {
	f := onFake(t)
	everything(t)
	g := ir.New()
	x, at := g.Param(0, dtype.F32, ir.Static(4)), g.Param(1, dtype.I64, ir.Static(6))
	limit := g.Param(2, dtype.F32, nil)
	// x ← x + x[at[i]] until a sum is large.
	finals, _, n := g.Loop("While", ir.LoopOptions{Length: ir.D(6)}, []*ir.Node{x}, []*ir.Node{at}, func(_ *ir.Node, c, i []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
		y := g.Take(c[0], g.Reshape(i[0], ir.Static(1)), 0, "user.go:7")
		return []*ir.Node{g.Apply(ops.Add, c[0], g.Broadcast(y, x.Shape))}, nil, g.Apply(ops.Lt, g.Reduce(ir.Sum, c[0], 0), limit)
	})
	refused := errors.New("refused")
	squares := &ir.Host{Name: "squares", In: []ir.HostArray{{Type: dtype.F32, Shape: x.Shape}}, Size: ir.D(4), Type: dtype.F32,
		Run: func(in []unsafe.Pointer, out unsafe.Pointer, _ int) error {
			a, y := unsafe.Slice((*float32)(in[0]), 4), unsafe.Slice((*float32)(out), 4)
			for i := range a {
				if y[i] = a[i] * a[i]; a[i] > 1e3 {
					return refused
				}
			}
			return nil
		}}
	y := g.Branch("Switch", g.Out(n, 1), 3, func(k int) []*ir.Node {
		y := finals[0]
		for range 40 { // too many to be computed and selected from
			y = g.Apply(ops.Square, g.Apply(ops.Sqrt, y))
		}
		return []*ir.Node{g.Apply(ops.Mul, g.Apply(ops.Round, y), g.Const(dtype.F32, x.Shape, float64(k+1)))}
	})[0]
	outs := []*ir.Node{g.HostCall(squares, 0, []int{0}, "user.go:9", y), g.Out(n, 1), g.Apply(ops.Mul, y, y)}
	p, err := Compile(outs, []Input{{x.Type, x.Shape}, {at.Type, at.Shape}, {limit.Type, limit.Shape}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"device cuda:0", "the host directs loop", "the host directs branch", "the host computes squares", "ordinary go computes it"} {
		if s := p.String(); !strings.Contains(strings.ToLower(s), want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	in, indices, until := []float32{1, 2, 3, 4}, []int64{0, 1, 2, 3, 0, 1}, []float32{50}
	squared, steps, product := make([]float32, 4), make([]int64, 1), make([]float32, 4)
	run := func(ctx context.Context) error {
		squared[0], steps[0], product[0] = -7, -7, -7
		err := p.Run(ctx, 1, []unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&indices[0]), unsafe.Pointer(&until[0])},
			[]unsafe.Pointer{unsafe.Pointer(&squared[0]), unsafe.Pointer(&steps[0]), unsafe.Pointer(&product[0])})
		if err != nil && (squared[0] != -7 || steps[0] != -7 || product[0] != -7) {
			t.Fatalf("%v, and results are %v %v %v", err, squared, steps, product)
		}
		return err
	}
	good := func() {
		t.Helper()
		// Sums of 10, 14, 26, 54: x is 12 13 14 15 after three steps; the last of the branches triples it.
		if err := run(context.Background()); err != nil || fmt.Sprint(squared, steps, product) != "[1296 1521 1764 2025] [3] [1296 1521 1764 2025]" {
			t.Fatal(err, squared, steps, product)
		}
	}
	for range 3 {
		good()
		indices[1] = -5
		if err := run(context.Background()); err == nil || err.Error() != "autodiff: Take index -5 is not in 0 … 3 (user.go:7)" {
			t.Fatal(err)
		}
		indices[1], in[0] = 1, 5e5
		if err := run(context.Background()); !errors.Is(err, refused) || !strings.Contains(err.Error(), "user.go:9") {
			t.Fatal(err)
		}
		in[0] = 1
	}
	broken := errors.New("broken")
	for _, call := range []string{"Launch", "ToHost", "ToDevice", "Copy", "Replay", "Begin", "End", "Wait"} {
		for after := range 12 {
			f.Fail(call, after, broken)
			if err := run(context.Background()); err != nil && !errors.Is(err, broken) {
				t.Fatalf("%s, %d: %v", call, after, err)
			}
			f.Fail(call, 1<<30, nil)
		}
		good()
	}
	used := f.Bytes()
	for range 50 {
		good()
	}
	if f.Bytes() != used {
		t.Errorf("%d bytes on the device, %d before 50 runs", f.Bytes(), used)
	}
	until[0] = 1e30
	in[0] = float32(math.NaN()) // the loop ends at once
	if err := run(context.Background()); err != nil || steps[0] != 0 {
		t.Fatal(err, steps)
	}
}

// TestDeviceCancelled: a loop on a device that would not end is given up.
func TestDeviceCancelled(t *testing.T) {
	onFake(t)
	everything(t)
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Static(4))
	finals, _, _ := g.Loop("While", ir.LoopOptions{Forever: true}, []*ir.Node{x}, nil, func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
		return []*ir.Node{g.Apply(ops.Sin, c[0])}, nil, g.Apply(ops.Gt, g.Reduce(ir.Sum, c[0], 0), g.Const(dtype.F32, nil, -1))
	})
	p, err := Compile(finals, []Input{{x.Type, x.Shape}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	in, out := []float32{1, 2, 3, 1}, []float32{-7, 0, 0, 0}
	if err := p.Run(ctx, 1, []unsafe.Pointer{unsafe.Pointer(&in[0])}, []unsafe.Pointer{unsafe.Pointer(&out[0])}); !errors.Is(err, context.DeadlineExceeded) || out[0] != -7 {
		t.Fatal(err, out)
	}
}

// TestDeviceMatrices: what is wrong with a matrix is the CPU's error.
func TestDeviceMatrices(t *testing.T) {
	onFake(t)
	g := ir.New()
	a, b := g.Param(0, dtype.F64, ir.Shape{ir.Batch, ir.D(3), ir.D(3)}), g.Param(1, dtype.F64, ir.Shape{ir.Batch, ir.D(3), ir.D(2)})
	for name, out := range map[string]*ir.Node{
		"cholesky": g.Call(ir.Cholesky, 0, "user.go:7", a),
		"triangle": g.Call(ir.TriSolve, ir.Upper, "user.go:8", a, b),
		"lu":       g.Call(ir.LUSolve, 0, "user.go:9", a, g.Call(ir.LU, 0, "user.go:10", a), b),
	} {
		var programs []*Program
		for _, device := range []string{"cpu", "cuda:0"} {
			p, err := Compile([]*ir.Node{out}, []Input{{a.Type, a.Shape}, {b.Type, b.Shape}}, Options{Device: device})
			if err != nil || p.Device() != device {
				t.Fatal(err, p)
			}
			programs = append(programs, p)
		}
		for bad := -1; bad < 40; bad += 13 {
			const batch = 40
			m, r := make([]float64, 9*batch), make([]float64, 6*batch)
			for i := range batch {
				copy(m[9*i:], []float64{4, 1, 0, 1, 5, 2, 0, 2, 6})
			}
			if bad >= 0 {
				for i := range 3 {
					m[9*bad+3+i], m[9*bad+6+i] = 0, 0
				}
			}
			var errs [2]string
			var ys [2][]float64
			for k, p := range programs {
				y := make([]float64, 9*batch)
				y[0] = -7
				err := p.Run(context.Background(), batch, []unsafe.Pointer{unsafe.Pointer(&m[0]), unsafe.Pointer(&r[0])}, []unsafe.Pointer{unsafe.Pointer(&y[0])})
				if errs[k], ys[k] = fmt.Sprint(err), y; (err != nil) != (bad >= 0) || err != nil && y[0] != -7 {
					t.Fatal(name, bad, err, y[0])
				}
			}
			if errs[0] != errs[1] || !slices.Equal(ys[0], ys[1]) {
				t.Errorf("%s: %s, on the CPU %s", name, errs[1], errs[0])
			}
		}
	}
}

// TestDeviceSegments: what is no segment's number is the CPU's error.
func TestDeviceSegments(t *testing.T) {
	onFake(t)
	g := ir.New()
	x, ids := g.Param(0, dtype.F32, ir.Static(400)), g.Param(1, dtype.I32, ir.Static(400))
	for bad := -1; bad < 400; bad += 133 {
		in, at := make([]float32, 400), make([]int32, 400)
		for i := range at {
			in[i], at[i] = float32(i*7%13), int32(i%5)
		}
		if bad >= 0 {
			at[bad], at[399] = 5, -1
		}
		var errs [2]string
		var ys [2][]float32
		for k, device := range []string{"cpu", "cuda:0"} {
			p, err := Compile([]*ir.Node{g.SegmentMax(x, ids, 5, "user.go:7")}, []Input{{x.Type, x.Shape}, {ids.Type, ids.Shape}}, Options{Device: device})
			if err != nil || p.Device() != device {
				t.Fatal(err, p)
			}
			y := make([]float32, 5)
			err = p.Run(context.Background(), 1, []unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&at[0])}, []unsafe.Pointer{unsafe.Pointer(&y[0])})
			if errs[k], ys[k] = fmt.Sprint(err), y; (err != nil) != (bad >= 0) {
				t.Fatal(bad, err)
			}
		}
		if errs[0] != errs[1] || bad < 0 && !slices.Equal(ys[0], ys[1]) {
			t.Errorf("%s %v, on the CPU %s %v", errs[1], ys[1], errs[0], ys[0])
		}
	}
}
