package device_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/device/fake"
	"github.com/adjoint-go/adjoint/internal/ir"
)

const n = 300 // elements

// The plan of the tests: w' = w + x·c, by way of the arena, and x taken at an index, 0 … n-1, that is checked.
var (
	mul   = &cudasrc.Kernel{Name: "mul", Source: "mul", Block: 128}
	add   = &cudasrc.Kernel{Name: "add", Source: "add", Block: 128}
	check = &cudasrc.Kernel{Name: "check", Source: "check", Block: 32}
	take  = &cudasrc.Kernel{Name: "take", Source: "take", Block: 32}
)

func compile(list []*cudasrc.Kernel) ([]fake.Kernel, error) {
	var res []fake.Kernel
	for _, k := range list {
		f, err := meaning(k)
		if err != nil {
			return nil, err
		}
		res = append(res, f)
	}
	return res, nil
}

func meaning(k *cudasrc.Kernel) (fake.Kernel, error) {
	pointwise := func(f func(a, b float32) float32) fake.Kernel {
		return func(m *fake.Memory, l *cudasrc.Launch, args []uint64) error {
			y, e0 := fake.Slice[float32](m, args[0], n)
			a, e1 := fake.Slice[float32](m, args[1], n)
			b, e2 := fake.Slice[float32](m, args[2], n)
			if err := errors.Join(e0, e1, e2); err != nil {
				return err
			}
			for i := range y {
				y[i] = f(a[i], b[i])
			}
			return nil
		}
	}
	switch k.Name {
	case "mul":
		return pointwise(func(a, b float32) float32 { return a * b }), nil
	case "add":
		return pointwise(func(a, b float32) float32 { return a + b }), nil
	case "check":
		return func(m *fake.Memory, l *cudasrc.Launch, args []uint64) error {
			word, e0 := fake.Slice[uint64](m, args[0], 2)
			index, e1 := fake.Slice[int64](m, args[1], 1)
			if err := errors.Join(e0, e1); err != nil {
				return err
			}
			if index[0] < 0 || index[0] >= n {
				word[0], word[1] = 1, uint64(index[0])
			}
			return nil
		}, nil
	case "take":
		return func(m *fake.Memory, l *cudasrc.Launch, args []uint64) error {
			y, e0 := fake.Slice[float32](m, args[0], 1)
			x, e1 := fake.Slice[float32](m, args[1], n)
			index, e2 := fake.Slice[int64](m, args[2], 1)
			if err := errors.Join(e0, e1, e2); err != nil {
				return err
			}
			if index[0] >= 0 && index[0] < n {
				y[0] = x[index[0]]
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("no kernel %s", k.Name)
}

func testPlan() *cudasrc.Plan {
	c := make([]byte, 4*n)
	for i := range n {

		*(*float32)(unsafe.Pointer(&c[4*i])) = 2
	}
	arg := func(i int) cudasrc.Arg { return cudasrc.Arg{Pointer: true, Buffer: i} }
	launch := func(k *cudasrc.Kernel, args ...cudasrc.Arg) []cudasrc.Launch {
		return []cudasrc.Launch{{Kernel: k, Grid: 3, Args: args}}
	}
	const w, x, index, constant, product, sum, taken, status = 0, 1, 2, 3, 4, 5, 6, 7
	return &cudasrc.Plan{
		Arena: 2048, Checks: []cudasrc.Check{{Op: "Take", Pos: "x.go:1", Size: n}}, Inputs: []int{4 * n, 4 * n, 8},
		Buffers: []cudasrc.Buffer{
			{Place: cudasrc.InInput, At: 0, Bytes: 4 * n}, {Place: cudasrc.InInput, At: 1, Bytes: 4 * n}, {Place: cudasrc.InInput, At: 2, Bytes: 8},
			{Place: cudasrc.InData, Bytes: 4 * n, Data: &ir.Array{Bytes: c}}, {Place: cudasrc.InArena, At: 64, Bytes: 4 * n},
			{Place: cudasrc.InOutput, At: 0, Bytes: 4 * n}, {Place: cudasrc.InOutput, At: 1, Bytes: 4}, {Place: cudasrc.InStatus, Bytes: 16},
		},
		Steps: []cudasrc.Step{
			{Name: "check", Launches: launch(check, arg(status), arg(index))},
			{Name: "mul", Launches: launch(mul, arg(product), arg(x), arg(constant))},
			{Name: "add", Launches: launch(add, arg(sum), arg(w), arg(product))},
			{Name: "take", Launches: launch(take, arg(taken), arg(x), arg(index))},
		},
		Outs:    []cudasrc.Out{{Buffer: sum, Bytes: 4 * n}, {Buffer: taken, Bytes: 4}, {Buffer: x, Copied: true, Bytes: 4 * n}},
		Kernels: []*cudasrc.Kernel{mul, add, check, take},
	}
}

// arrays are the arguments of a run and room for its results.
type arrays struct {
	w, x, y, taken, copied []float32
	index                  []int64
	in, out                []*device.Array
}

func newArrays(shared bool) *arrays {
	a := &arrays{w: make([]float32, n), x: make([]float32, n), y: make([]float32, n), taken: make([]float32, 1), copied: make([]float32, n), index: []int64{7}}
	for i := range a.x {
		a.w[i], a.x[i] = float32(i), float32(i%5)
	}
	a.in = []*device.Array{device.NewArray(unsafe.Pointer(&a.w[0]), 4*n), device.NewArray(unsafe.Pointer(&a.x[0]), 4*n), device.NewArray(unsafe.Pointer(&a.index[0]), 8)}
	a.out = []*device.Array{device.NewArray(unsafe.Pointer(&a.y[0]), 4*n), device.NewArray(unsafe.Pointer(&a.taken[0]), 4), device.NewArray(unsafe.Pointer(&a.copied[0]), 4*n)}
	if shared {
		for _, x := range slices.Concat(a.in, a.out) {
			x.Share()
		}
	}
	return a
}

// check sees whether the results are there after steps, of which each but the first began from the last's result.
func (a *arrays) check(t *testing.T, steps int) {
	t.Helper()
	for _, x := range a.out {
		if err := x.Fetch(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if want := float32(i + 2*(i%5)*steps); a.y[i] != want || a.copied[i] != float32(i%5) {
			t.Fatalf("element %d: %v, %v, want %v, %v", i, a.y[i], a.copied[i], want, i%5)
		}
	}
	if a.taken[0] != 2 {
		t.Fatalf("taken: %v", a.taken[0])
	}
}

func load(t *testing.T, f *fake.Driver) (*device.Device, *device.Loaded) {
	t.Helper()
	f.Compile = compile
	d := device.New(f)
	p, err := d.Load(testPlan())
	if err != nil {
		t.Fatal(err)
	}
	return d, p
}

func TestSharedArrays(t *testing.T) {
	f := &fake.Driver{}
	_, p := load(t, f)
	a := newArrays(true)
	for call := range 5 {
		a.w[0], a.y[0] = 0, -1
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		if a.y[0] != 0 {
			t.Fatal("the result is not in the caller's memory")
		}
		a.check(t, 1)
		// Recorded when it is seen again, replayed from then on.
		if got := [2]int{f.Count("Begin"), f.Count("Replay")}; got != [2]int{min(call, 1), call} {
			t.Fatalf("call %d: %d recordings, %d replays", call, got[0], got[1])
		}
	}
	for i := range a.x { // what the caller changes counts
		a.x[i] *= 2
	}
	if err := p.Run(context.Background(), a.in, a.out); err != nil || a.y[1] != 1+4 || a.copied[1] != 2 {
		t.Fatal(err, a.y[1], a.copied[1])
	}
}

func TestArraysStayOnTheDevice(t *testing.T) {
	f := &fake.Driver{}
	d, p := load(t, f)
	a := newArrays(false)
	a.out[0] = a.in[0] // the weights are updated in place
	a.y = a.w
	steps, brought, bytes := 10_000, 0, 0
	if testing.Short() {
		steps = 500
	}
	for step := range steps {
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		switch step {
		case 10:
			brought, bytes = f.Count("ToDevice"), f.Bytes()
		case steps - 1:
			if f.Count("ToDevice") != brought || f.Bytes() != bytes {
				t.Fatalf("%d copies to the device and %d bytes there, of which %d and %d after ten steps", f.Count("ToDevice"), f.Bytes(), brought, bytes)
			}
		}
	}
	if b := f.Count("Begin"); b > 8 {
		t.Errorf("%d recordings", b)
	}
	a.check(t, steps)
	// What is shared is the host's.
	if err := a.in[1].Share(); err != nil {
		t.Fatal(err)
	}
	a.x[1] = 100
	if err := p.Run(context.Background(), a.in, a.out); err != nil {
		t.Fatal(err)
	}
	if a.out[2].Fetch(); a.copied[1] != 100 {
		t.Fatalf("%v", a.copied[1])
	}
	runtime.KeepAlive(d)
}

func TestFailedCheck(t *testing.T) {
	for _, shared := range []bool{false, true} {
		f := &fake.Driver{}
		_, p := load(t, f)
		a := newArrays(shared)
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		a.check(t, 1)
		b := newArrays(shared)
		b.out, b.y, b.taken, b.copied = a.out, a.y, a.taken, a.copied
		b.index[0] = n
		b.x[3] = -5
		err := p.Run(context.Background(), b.in, b.out)
		var e *ir.Error
		if !errors.As(err, &e) || e.Op != "Take" || e.Msg != "index 300 is not in 0 … 299" || e.Pos != "x.go:1" {
			t.Fatalf("%v", err)
		}
		a.check(t, 1) // as before
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCancelled(t *testing.T) {
	f := &fake.Driver{}
	_, p := load(t, f)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := newArrays(true)
	if err := p.Run(ctx, a.in, a.out); !errors.Is(err, context.Canceled) || a.y[5] != 0 {
		t.Fatal(err, a.y[5])
	}
}

func TestConcurrentRuns(t *testing.T) {
	f := &fake.Driver{}
	_, p := load(t, f)
	common := newArrays(false)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			a := newArrays(g%2 == 0)
			a.in[1] = common.in[1]
			for range 20 {
				if err := p.Run(context.Background(), a.in, a.out); err != nil {
					t.Error(err)
					return
				}
			}
			a.check(t, 1)
		})
	}
	wg.Wait()
}

// Whatever fails, at whatever call: the error comes back, no output has changed, the next run is right, and no
// memory is lost.
func TestEveryCallMayFail(t *testing.T) {
	calls := []string{"Alloc", "Pin", "Queue", "ToDevice", "ToHost", "Copy", "Zero", "Launch", "After", "Begin", "End", "Replay", "Wait"}
	broken := errors.New("broken")
	for _, shared := range []bool{false, true} {
		for _, call := range calls {
			failed := 0
			for after := range 40 {
				if testing.Short() && after > 4 && after%5 != 0 {
					continue
				}
				f := &fake.Driver{}
				d, p := load(t, f)
				f.Fail(call, after, broken)
				a := newArrays(shared)
				wrong := 0
				for range 8 {
					before := slices.Clone(a.y)
					err := p.Run(context.Background(), a.in, a.out)
					if err != nil {
						if wrong++; !errors.Is(err, broken) {
							t.Fatalf("%s %d: %v", call, after, err)
						}
						if shared && !slices.Equal(before, a.y) {
							t.Fatalf("%s %d: a failed run has written", call, after)
						}
					}
				}
				if failed += wrong; wrong > 1 {
					t.Fatalf("%s %d: %d failures", call, after, wrong)
				}
				f.Fail(call, 1<<30, nil)
				if err := p.Run(context.Background(), a.in, a.out); err != nil {
					t.Fatalf("%s %d: the next run: %v", call, after, err)
				}
				a.check(t, 1)
				if a.in, a.out = nil, nil; !shared {
					runtime.GC()
				}
				settled := false
				for range 100 { // arrays that nobody holds are given back some time after a collection
					d.Trim()
					if used, kept := d.Used(); kept == 0 && used < 6*(4*n+512) {
						settled = true
						break
					}
					runtime.GC()
				}
				if used, kept := d.Used(); !settled {
					t.Fatalf("%s %d: %d bytes in use, %d kept", call, after, used, kept)
				}
				runtime.KeepAlive(p)
				if wrong == 0 {
					break
				}
			}
			if failed == 0 && (shared || call != "After") { // arrays that are there are not brought
				t.Errorf("%s never failed: nothing was tested", call)
			}
		}
	}
}

func TestKernelThatDoesNotCompile(t *testing.T) {
	f := &fake.Driver{Compile: compile}
	d := device.New(f)
	f.Fail("Kernels", 0, errors.New("line 1: no"))
	if _, err := d.Load(testPlan()); err == nil || err.Error() != "cuda:0: line 1: no" {
		t.Fatal(err)
	}
	if _, err := d.Load(testPlan()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(testPlan()); err != nil || f.Count("Kernels") != 2 { // what is there is not made again
		t.Errorf("%d compilations, %v", f.Count("Kernels"), err)
	}
}

// A full device first loses what is kept for later, then what is garbage; then there is an error, and the program
// may be run again when there is room.
func TestFullDevice(t *testing.T) {
	f := &fake.Driver{}
	d, p := load(t, f)
	a := newArrays(false)
	if err := p.Run(context.Background(), a.in, a.out); err != nil {
		t.Fatal(err)
	}
	q, err := d.Load(testPlan())
	if err != nil {
		t.Fatal(err)
	}
	f.Limit = f.Bytes() + 3*1280 // results of another run have room beside those, but not its arena
	a.check(t, 1)
	if err := q.Run(context.Background(), a.in, a.out); err != nil {
		t.Fatal(err)
	}
	a.check(t, 1)

	d.Trim()
	f.Limit = f.Bytes() + 3000
	b := newArrays(false)
	err = q.Run(context.Background(), b.in, b.out)
	if !errors.Is(err, device.ErrMemory) {
		t.Fatal(err)
	}
	f.Limit = 0
	if err := q.Run(context.Background(), b.in, b.out); err != nil {
		t.Fatal(err)
	}
	b.check(t, 1)
	runtime.KeepAlive(p)
	runtime.KeepAlive(a)
}

// Whatever there is no room for, memory or not: a device that has room when what is kept is given back does what was asked.
func TestFullDeviceElsewhere(t *testing.T) {
	for _, call := range []string{"Pin", "Queue", "Kernels", "End", "Replay", "Product"} {
		failed := false
		for after := range 6 {
			f := &fake.Driver{Compile: compile}
			d := device.New(f)
			full := fmt.Errorf("no: %w", device.ErrMemory)
			plan := testPlan()
			if call == "Product" {
				f.Library = func(*fake.Memory, *cudasrc.Product, device.Ptr, device.Ptr, device.Ptr) error { return nil }
				plan.Steps = append(plan.Steps, cudasrc.Step{Name: "product", Product: &cudasrc.Product{}})
			}
			f.Fail(call, after, full)
			p, err := d.Load(plan)
			if err != nil {
				t.Fatalf("%s %d: %v", call, after, err)
			}
			a := newArrays(true)
			before := f.Count(call)
			for range 3 {
				if err := p.Run(context.Background(), a.in, a.out); err != nil {
					t.Fatalf("%s %d: %v", call, after, err)
				}
			}
			a.check(t, 1)
			failed = failed || f.Count(call) > before
			f.Fail(call, 1<<30, nil)
			runtime.KeepAlive(p)
		}
		if !failed && call != "Kernels" {
			t.Errorf("%s was never called", call)
		}
	}
}

// Constants of programs that nobody holds are given up where a new one's have no room.
func TestFullDeviceConstants(t *testing.T) {
	f := &fake.Driver{Compile: compile}
	d := device.New(f)
	for round := range 4 {
		if _, err := d.Load(testPlan()); err != nil { // each with a constant of its own
			t.Fatal(round, err)
		}
		if round == 0 {
			f.Limit = f.Bytes() + 100
		}
	}
}

// Inputs larger than the pinned memory for them go through it in turns.
func TestSmallRoom(t *testing.T) {
	for _, room := range []int{256, 512, 1280, 4096} {
		restore := device.SetRoom(256, room)
		f := &fake.Driver{}
		_, p := load(t, f)
		a := newArrays(true)
		for range 4 {
			if err := p.Run(context.Background(), a.in, a.out); err != nil {
				t.Fatal(room, err)
			}
			a.check(t, 1)
		}
		restore()
	}
}

// Who looks at an argument during a run makes it one that is copied in each call.
func TestSharedMeanwhile(t *testing.T) {
	f := &fake.Driver{}
	_, p := load(t, f)
	for range 50 {
		a := newArrays(false)
		var wg sync.WaitGroup
		for _, x := range a.in {
			wg.Go(func() { x.Share() })
		}
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		a.check(t, 1)
	}
}

// Without recordings every run is queued anew.
// TestInterrupted: a run whose recording others spoil is done without, and recorded the next time; one that never can be, an error.
func TestInterrupted(t *testing.T) {
	f := &fake.Driver{}
	_, p := load(t, f)
	a := newArrays(true)
	for range 6 {
		f.Fail("End", 0, fmt.Errorf("%w by a test", device.ErrInterrupted))
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		a.check(t, 1)
	}
	f.Fail("End", 0, device.ErrInterrupted)
	if err := p.Run(context.Background(), a.in, a.out); !errors.Is(err, device.ErrInterrupted) {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		a.check(t, 1)
	}
	if f.Count("Replay") == 0 {
		t.Error("nothing was replayed")
	}
}

func TestUnrecorded(t *testing.T) {
	t.Setenv("ADJOINT_GRAPHS", "off")
	f := &fake.Driver{}
	_, p := load(t, f)
	a := newArrays(true)
	for range 4 {
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
		a.check(t, 1)
	}
	if n := f.Count("Begin") + f.Count("Replay"); n != 0 {
		t.Errorf("%d recordings and replays", n)
	}
}

func TestPlansThatNobodyHoldsAreClosed(t *testing.T) {
	f := &fake.Driver{Compile: compile}
	d := device.New(f)
	a := newArrays(true)
	for range 50 {
		p, err := d.Load(testPlan())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background(), a.in, a.out); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		runtime.GC()
		if used, _ := d.Used(); used > 0 {
			continue
		}
		if f.Count("Unload") > 0 {
			t.Fatal("kernels are unloaded while there is room for them")
		}
		d.Trim()
		if n := f.Count("Unload"); n != 4 {
			t.Fatalf("%d of 4 kernels are unloaded", n)
		}
		p, err := d.Load(testPlan()) // once more
		if err != nil {
			t.Fatal(err)
		}
		d.Trim()
		if n := f.Count("Unload"); n != 4 {
			t.Fatalf("%d kernels that a plan holds are unloaded", n-4)
		}
		runtime.KeepAlive(p)
		return
	}
	used, _ := d.Used()
	t.Fatalf("%d bytes in use", used)
}
