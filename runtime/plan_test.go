package runtime

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/nvcc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// planned is a plan and what it must compute.
type planned struct {
	name string
	plan *cudasrc.Plan
	outs []*ir.Node
	in   [][]byte
	want [][]byte
}

// plans compiles graphs for batches, with the reference's results.
func plans(t *testing.T, name string, outs []*ir.Node, inputs []Input, values func(batch int) [][]byte, batches ...int) []planned {
	t.Helper()
	p, err := Compile(outs, inputs, Options{Threads: 1, NoCode: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []planned
	for _, batch := range batches {
		x := planned{name: fmt.Sprintf("%s, B = %d", name, batch), outs: outs, in: values(batch)}
		x.plan, err = p.Plan(batch)
		if err != nil {
			t.Fatalf("%s: %v\n%s", x.name, err, p)
		}
		if x.want, err = Reference(ir.Strip(outs), batch, x.in); err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		all = append(all, x)
	}
	return all
}

// runPlans compiles the kernels of all plans at once, runs them, and compares bits. What is dead in the arena is
// poisoned.
func runPlans(t *testing.T, all []planned) {
	t.Helper()
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	var kernels []*cudasrc.Kernel
	for _, x := range all {
		kernels = append(kernels, x.plan.Kernels...)
	}
	h, err := shim.Build(t.TempDir(), kernels)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, x := range all {
		outs, status, err := h.RunPlan(x.plan, x.in)
		if err != nil {
			t.Fatalf("%s: %v\n%s", x.name, err, ir.Print(x.outs))
		}
		if slices.ContainsFunc(status, func(w uint64) bool { return w != 0 }) {
			t.Errorf("%s: status %v", x.name, status)
		}
		for i, w := range x.want {
			if k := sameBits(x.outs[i].Type, outs[i], w); k >= 0 {
				a, b := array{x.outs[i].Type, nil, outs[i]}, array{x.outs[i].Type, nil, w}
				t.Errorf("%s, output %d, element %d: %v, reference %v\n%s", x.name, i, k,
					ir.BitsFloat(a.t, a.bits(k)), ir.BitsFloat(b.t, b.bits(k)), ir.Print(x.outs))
				break
			}
		}
	}
}

// TestPlanRandomGraphs holds kernels to the reference, bit for bit.
func TestPlanRandomGraphs(t *testing.T) {
	everything(t)
	n := uint64(20)
	if os.Getenv("ADJOINT_EXHAUSTIVE") != "" {
		n = 400
	}
	var all []planned
	for seed := range n {
		rng := rand.New(rand.NewPCG(seed, 8))
		s := &sketch{source: rng, g: ir.New(), device: true}
		outs := s.build(5 + rng.IntN(30))
		all = append(all, plans(t, fmt.Sprint("seed ", seed), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 1, 1+rng.IntN(40), 0)...)
	}
	runPlans(t, all)
}

// TestPlanMachineCode: kernels of whole programs compile for a GPU, and those that are worth it do not spill.
func TestPlanMachineCode(t *testing.T) {
	if err := nvcc.Missing(); err != nil {
		t.Skip(err)
	}
	var all []*cudasrc.Kernel
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 8))
		s := &sketch{source: rng, g: ir.New(), device: true}
		for _, x := range plans(t, fmt.Sprint("seed ", seed), s.build(30), s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 1, 17) {
			all = append(all, x.plan.Kernels...)
		}
	}
	usage, err := nvcc.Compile(t.TempDir(), "sm_90", all)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if u := usage[k.Name]; u.Registers == 0 || k.Hot && u.Spills > 0 {
			t.Errorf("%s: %d registers, %d bytes spilled\n%s", k.Name, u.Registers, u.Spills, k.Source)
		}
	}
}

// TestPlanReductions: every reduction of every type over runs of all lengths that matter, at the end, in the middle,
// and at the beginning of an array.
func TestPlanReductions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var all []planned
	for _, typ := range []dtype.Type{dtype.Bool, dtype.I32, dtype.I64, dtype.F32, dtype.F64} {
		for _, shape := range [][]int{{1}, {3, 5}, {4, 16}, {3, 17}, {3, 33}, {2, 9000}, {3, 40, 7}, {1, 300, 130}, {0, 4}, {3, 0, 2}} {
			s := &sketch{source: rng, g: ir.New()}
			x := s.param(typ, ir.Static(shape...), 1000)
			var outs []*ir.Node
			for by := range ir.NumReductions {
				if typ == dtype.Bool && by != ir.Max && by != ir.Min {
					continue
				}
				for axis := range shape {
					if shape[axis] > 0 || by < ir.Max {
						outs = append(outs, s.g.Reduce(by, x, axis))
					}
				}
			}
			all = append(all, plans(t, fmt.Sprint(typ, shape), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanLongFolds: clusters that read arrays in many ways, store values, and fold several, over runs long enough
// for blocks of their own.
func TestPlanLongFolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 11))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, d := range []struct{ rows, cols, axis int }{{3, 1000, 1}, {2, 513, 1}, {2, 5000, 1}, {1000, 3, 0}, {700, 40, 0}, {60, 1, 0}, {3, 64, 1}, {70, 700, 0}} {
			s := &sketch{source: rng, g: ir.New()}
			g, shape := s.g, ir.Static(d.rows, d.cols)
			x := s.param(typ, shape, 0)
			row := g.Broadcast(s.param(typ, ir.Static(1, d.cols), 0), shape)
			col := g.Broadcast(s.param(typ, ir.Static(d.rows, 1), 0), shape)
			turned := g.Transpose(s.param(typ, ir.Static(d.cols, d.rows), 0), []int{1, 0})
			part := g.Narrow(s.param(typ, ir.Static(d.rows, d.cols+3), 0), 1, ir.D(1), ir.D(d.cols))
			y := g.Apply(ops.Add, g.Apply(ops.Fma, x, row, turned), g.Apply(ops.Sub, col, part))
			e := g.Apply(ops.Exp, y)
			other := dtype.F64
			if typ == other {
				other = dtype.F32
			}
			outs := []*ir.Node{e, g.Reduce(ir.Sum, e, d.axis), g.Reduce(ir.Max, y, d.axis), g.Reduce(ir.Sum, g.Convert(y, other), d.axis),
				g.Reduce(ir.Sum, g.Convert(g.Apply(ops.Gt, y, x), dtype.I64), d.axis), g.Reduce(ir.Min, g.Apply(ops.Gt, y, x), d.axis)}
			all = append(all, plans(t, fmt.Sprint(typ, d), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanRunningSums, and extremes: along the last axis, of few and of many rows, along others, either way, in order.
func TestPlanRunningSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 23))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, dims := range [][]int{{1}, {9}, {5000}, {3, 700}, {33, 65}, {70, 130}, {4, 20, 9}} {
			s := &sketch{source: rng, g: ir.New()}
			x := s.param(typ, ir.Static(dims...), 1000)
			var outs []*ir.Node
			for axis := range dims {
				most, least := s.g.CumMax(x, axis), s.g.CumMin(x, axis)
				outs = append(outs, s.g.CumSum(x, axis, false), s.g.CumSum(x, axis, true), s.g.CumProd(x, axis), most, least)
				if typ.IsFloat() && dims[axis] > 1 { // sums that begin anew, either way
					outs = append(outs, s.g.VJP([]*ir.Node{most}, []*ir.Node{x}, []*ir.Node{x})[0], s.g.JVP([]*ir.Node{least}, []*ir.Node{x}, []*ir.Node{x})[0])
				}
			}
			all = append(all, plans(t, fmt.Sprint(typ, dims), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanTransposes: every order of up to four axes, of every size of element.
func TestPlanTransposes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 12))
	var all []planned
	for _, typ := range []dtype.Type{dtype.Bool, dtype.F32, dtype.F64} {
		for _, dims := range [][]int{{40, 33}, {5, 40, 7}, {3, 4, 5, 6}} {
			s := &sketch{source: rng, g: ir.New()}
			x := s.param(typ, ir.Static(dims...), 0)
			var outs []*ir.Node
			for seed := range uint64(6) {
				outs = append(outs, s.g.Transpose(x, rand.New(rand.NewPCG(2, seed)).Perm(len(dims))))
			}
			outs = append(outs, s.g.Transpose(s.g.Reverse(x, 0), rand.New(rand.NewPCG(3, 3)).Perm(len(dims))))
			all = append(all, plans(t, fmt.Sprint(typ, dims), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanSorting: rows of all kinds of lengths, with equal elements, NaNs and both zeros.
func TestPlanSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 15))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, n := range []int{1, 5, 256, 700} {
			s := &sketch{source: rng, g: ir.New()}
			x := s.param(typ, ir.Static(3, n), 50)
			outs := []*ir.Node{s.g.Call(ir.ArgSort, 0, "", x), s.g.Call(ir.ArgSort, ir.Descending, "", x), s.g.Sort(x, 1, ""), s.g.CumProd(x, 1)}
			all = append(all, plans(t, fmt.Sprint("sort ", typ, n), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanSegments: the largest of segments, some of them empty, of rows with equal elements, NaNs and both zeros.
func TestPlanSegments(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 18))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, ids := range []dtype.Type{dtype.I32, dtype.I64} {
			for _, d := range [][2]int{{1, 1}, {5, 3}, {700, 4}, {300, 1000}, {0, 2}} {
				s := &sketch{source: rng, g: ir.New()}
				x, at := s.param(typ, ir.Static(3, d[0]), 9), s.param(ids, ir.Static(3, d[0]), d[1])
				outs := []*ir.Node{s.g.SegmentMax(s.g.Apply(ops.Trunc, x), at, d[1], "")}
				all = append(all, plans(t, fmt.Sprint("segments ", typ, ids, d), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
				if p := all[len(all)-1].plan; directed(p.Steps) {
					t.Errorf("the host takes part in %v", p.Steps)
				}
			}
		}
	}
	runPlans(t, all)
}

// TestPlanLoops: a recurrent network, either way, over slices that are not aligned, and a loop within a loop.
func TestPlanLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 13))
	var all []planned
	for _, c := range []struct {
		length   ir.Dim
		backward bool
	}{{ir.D(0), false}, {ir.D(1), true}, {ir.D(5), false}, {ir.Batch, true}} {
		s := &sketch{source: rng, g: ir.New()}
		g, state := s.g, ir.Static(3, 7)
		h, w := s.param(dtype.F32, state, 0), s.param(dtype.F32, ir.Static(7, 7), 0)
		x := s.param(dtype.F32, slices.Concat(ir.Shape{c.length}, state), 0)
		finals, ys, n := g.Loop("Scan", ir.LoopOptions{Length: c.length, Backward: c.backward}, []*ir.Node{h, g.Const(dtype.I64, nil, 1)}, []*ir.Node{x},
			func(index *ir.Node, in, e []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
				y := g.Apply(ops.Tanh, g.Apply(ops.Add, g.MatMul(in[0], w), e[0]))
				inner, _, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(2)}, []*ir.Node{y}, nil, func(_ *ir.Node, in, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
					return []*ir.Node{g.Apply(ops.Mul, in[0], e[0])}, nil, nil
				})
				return []*ir.Node{y, g.Apply(ops.Add, in[1], index)}, []*ir.Node{inner[0], in[0]}, nil
			})
		outs := append(append(finals, ys...), g.Out(n, 4))
		all = append(all, plans(t, fmt.Sprint("loop ", c), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 4)...)
	}
	if steps := all[2].plan.Steps; maxLaunches > 5 && len(steps) < 20 {
		t.Errorf("%d steps", len(steps))
	}
	runPlans(t, all)
}

// TestPlanLongLoops: of so many launches that the host directs the steps.
func TestPlanLongLoops(t *testing.T) {
	everything(t)
	maxLaunches = 5
	TestPlanLoops(t)
}

// TestPlanGathers: elements are read by index where they are used, in clusters that fold and in those that do not.
func TestPlanGathers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 14))
	var all, rows []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I64} {
		for _, of := range []dtype.Type{dtype.I32, dtype.I64} {
			s := newSketch()
			outs := gathers(s, typ, of)
			all = append(all, plans(t, fmt.Sprint("gathers ", typ, of), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 0, 7, 1001)...)
			s = newSketch()
			outs = gatheredRows(s, typ, of, 21)
			rows = append(rows, plans(t, fmt.Sprint("rows ", typ, of), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, 0, 7)...)
		}
	}
	for _, x := range all {
		for _, s := range x.plan.Steps {
			if s.Name == "take" {
				t.Errorf("%s: elements are gathered to an array", x.name)
			}
		}
	}
	runPlans(t, append(all, rows...))
}

// TestPlanProducts: sizes around those of tiles and blocks, transposed operands, one column.
func TestPlanProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 10))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.BF16, dtype.F16} {
		for _, d := range [][3]int{{3, 5, 2}, {65, 17, 66}, {2, 513, 3}, {9, 40, 1}, {3, 4100, 1}, {2, 0, 3}} {
			s := &sketch{source: rng, g: ir.New()}
			m, k, n := d[0], d[1], d[2]
			a, at := s.param(typ, ir.Static(2, m, k), 0), s.param(typ, ir.Static(2, k, m), 0)
			b, bt := s.param(typ, ir.Static(2, k, n), 0), s.param(typ, ir.Static(2, n, k), 0)
			turn := func(x *ir.Node) *ir.Node { return s.g.Transpose(x, []int{0, 2, 1}) }
			outs := []*ir.Node{s.g.MatMul(a, b), s.g.MatMul(turn(at), b), s.g.MatMul(a, turn(bt)), s.g.MatMul(turn(at), turn(bt))}
			all = append(all, plans(t, fmt.Sprint(typ, d), outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)...)
		}
	}
	runPlans(t, all)
}

// TestPlanConvolutions: windows are copied some at a time.
func TestPlanConvolutions(t *testing.T) {
	defer func(n, rows int) { windowBytes, windowRows = n, rows }(windowBytes, windowRows)
	rng := rand.New(rand.NewPCG(1, 17))
	var all []planned
	for _, c := range convCases() {
		windowBytes, windowRows = 500, 16
		s := &sketch{source: rng, g: ir.New()}
		outs := c.outs(s)
		values := func(batch int) [][]byte { return s.values(rng, batch) }
		few := plans(t, c.name, outs, s.inputs, values, 3)
		windowBytes, windowRows = 1<<20, 64
		whole := plans(t, c.name+", at once", outs, s.inputs, values, 3)
		copied := slices.ContainsFunc(few[0].plan.Steps, func(s cudasrc.Step) bool { return strings.HasSuffix(s.Name, " windows") })
		if copied && few[0].plan.Arena > whole[0].plan.Arena || copied && len(few[0].plan.Steps) <= len(whole[0].plan.Steps) {
			t.Errorf("%s: %d steps, %d bytes; at once %d, %d", c.name, len(few[0].plan.Steps), few[0].plan.Arena, len(whole[0].plan.Steps), whole[0].plan.Arena)
		}
		all = append(append(all, few...), whole...)
	}
	runPlans(t, all)
}

// TestConvolutionMemory: a picture's windows, nine times its size, are not all there at once; nor are those of a filter's gradient.
func TestConvolutionMemory(t *testing.T) {
	c := ir.Convolution{Stride: []int{1, 1}, Dilation: []int{1, 1}, Lo: []int{1, 1}, Hi: []int{1, 1}, Groups: 1}
	conv := convCase{"", dtype.F32, ir.Shape{ir.Batch, ir.D(512), ir.D(512), ir.D(16)}, ir.Static(3, 3, 16, 32), c}
	s := &sketch{g: ir.New()}
	p, err := Compile(conv.outs(s), s.inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(4)
	if err != nil {
		t.Fatal(err)
	}
	const padded, rows = 4 * 4 * 514 * 514 * 32, 64 * 4 * 4 * 512 * 512 // copies with a margin; windows of windowRows
	if plan.Arena > 2*padded+rows {
		t.Errorf("%d bytes, of which copies with a margin are %d", plan.Arena, padded)
	}
}

// TestPlanMatrices: small ones have the CPU's bits.
func TestPlanMatrices(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 19))
	var same []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, d := range [][2]int{{1, 1}, {2, 3}, {5, 1}, {8, 40}, {12, 2}, {13, 7}, {32, 33}} {
			n, m := d[0], d[1]
			s := newSketch()
			g := s.g
			shape := ir.Shape{ir.Batch, ir.D(n), ir.D(n)}
			a, b := s.param(typ, shape, 0), s.param(typ, ir.Shape{ir.Batch, ir.D(n), ir.D(m)}, 0)
			diagonal := g.Param(len(s.inputs), typ, ir.Static(n, n))
			s.inputs = append(s.inputs, Input{typ, diagonal.Shape})
			eye := g.Broadcast(g.Reshape(diagonal, ir.Static(1, n, n)), shape)
			square := g.Apply(ops.Add, g.MatMul(a, g.Transpose(a, []int{0, 2, 1})), eye)
			solid := g.Apply(ops.Add, a, eye)
			lu := g.Call(ir.LU, 0, "", a)
			outs := []*ir.Node{g.Call(ir.Cholesky, 0, "", square), lu, g.Call(ir.Det, 0, "", a),
				g.Call(ir.LUSolve, 0, "", solid, g.Call(ir.LU, 0, "", solid), b), g.Call(ir.LUSolve, ir.Transposed, "", solid, g.Call(ir.LU, 0, "", solid), b)}
			for flags := range uint64(8) {
				outs = append(outs, g.Call(ir.TriSolve, flags, "", solid, b))
			}
			values := func(batch int) (in [][]byte) {
				for k, x := range s.inputs {
					y := newArray(x.Type, x.Shape.At(batch))
					for i := range y.len() {
						v := 2*rng.Float64() - 1
						if k == 2 {
							v = 0
							if i%(n+1) == 0 {
								v = float64(n)
							}
						}
						y.setBits(i, ir.FloatBits(typ, v))
					}
					in = append(in, y.bytes)
				}
				return in
			}
			all := plans(t, fmt.Sprint("matrices ", typ, d), outs, s.inputs, values, 0, 1, 11)
			for _, x := range all {
				if why := onHost(x.plan.Steps); why != "" || directed(x.plan.Steps) {
					t.Errorf("%s: the host takes part: %s", x.name, why)
				}
			}
			same = append(same, all...)
		}
	}
	runPlans(t, same)
}

// TestPlanStatus: a bad index is found, the first of them, and nothing faults.
func TestPlanStatus(t *testing.T) {
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	g := ir.New()
	x, idx := g.Param(0, dtype.F32, ir.Static(5, 3)), g.Param(1, dtype.I64, ir.Static(600))
	p, err := Compile([]*ir.Node{g.Take(x, idx, 0, "user.go:7")}, []Input{{dtype.F32, ir.Static(5, 3)}, {dtype.I64, ir.Static(600)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(1)
	if err != nil {
		t.Fatal(err)
	}
	h, err := shim.Build(t.TempDir(), plan.Kernels)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, bad := range [][]int{nil, {0}, {599, 300, 77}} {
		a := newArray(dtype.I64, []int{600})
		for i, at := range bad {
			a.setBits(at, uint64([]int64{-1, 5, 1 << 40}[i%3]))
		}
		want := [2]uint64{}
		for _, at := range bad {
			want = [2]uint64{uint64(at) + 1 | 1<<63, a.bits(at)}
		}
		_, status, err := h.RunPlan(plan, [][]byte{make([]byte, 60), a.bytes})
		if err != nil || len(status) != 2 || [2]uint64(status) != want {
			t.Errorf("bad indices at %v: status %v, %v", bad, status, err)
		}
	}
	if c := plan.Checks[0]; c.Op != "Take" || c.Pos != "user.go:7" || c.Size != 5 {
		t.Errorf("check is %+v", c)
	}
}

// TestPlanHost: what has no kernel is a step of the host's between those of the device, which says so.
func TestPlanHost(t *testing.T) {
	everything(t)
	rng := rand.New(rand.NewPCG(1, 16))
	for name, test := range map[string]struct {
		out func(g *ir.Graph, x, i *ir.Node) *ir.Node
		why string // "": the host directs it
	}{
		ir.QR.String(): {func(g *ir.Graph, x, _ *ir.Node) *ir.Node {
			return g.Narrow(g.Call(ir.QR, 0, "", x), 0, ir.D(1), ir.D(5))
		}, "it is the CPU's"},
		ir.Branch.String(): {func(g *ir.Graph, x, i *ir.Node) *ir.Node {
			return g.Branch("Switch", i, 2, func(k int) []*ir.Node {
				return []*ir.Node{g.Apply(ops.Mul, g.Apply(ops.Exp, x), g.Const(dtype.F32, x.Shape, float64(k)))}
			})[0]
		}, ""},
		ir.Loop.String(): {func(g *ir.Graph, x, i *ir.Node) *ir.Node {
			return sines(g, x, ir.LoopOptions{Length: ir.D(4), Count: i})
		}, ""},
		ir.Rewind.String(): {func(g *ir.Graph, x, _ *ir.Node) *ir.Node {
			y := sines(g, x, ir.LoopOptions{Length: ir.D(9), Slots: 2})
			return g.VJP([]*ir.Node{y}, []*ir.Node{y}, []*ir.Node{x})[0]
		}, ""},
		"a cluster of 501 arrays": {func(g *ir.Graph, x, _ *ir.Node) *ir.Node {
			y := many(g, x)
			return g.Apply(ops.Add, y, g.Broadcast(g.Reshape(g.Reduce(ir.Sum, y, 1), ir.Static(5, 1)), x.Shape))
		}, "parameters are too many"},
	} {
		s := newSketch()
		x, i := s.param(dtype.F32, ir.Static(5, 5), 0), s.param(dtype.I64, nil, 5)
		outs := []*ir.Node{s.g.Apply(ops.Mul, test.out(s.g, s.g.Apply(ops.Add, x, x), i), x)}
		all := plans(t, name, outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)
		var controls []*cudasrc.Control
		for _, s := range all[0].plan.Steps {
			if s.Control != nil {
				controls = append(controls, s.Control)
			}
		}
		if len(controls) != 1 || (controls[0].Why == "") != (test.why == "") || !strings.Contains(controls[0].Why, test.why) {
			t.Errorf("%s: %+v", name, all[0].plan.Steps)
		}
		runPlans(t, all)
	}
}

// many is x and 501 arrays of its shape, which are more than a kernel takes.
func many(g *ir.Graph, x *ir.Node) *ir.Node {
	for i := range 501 {
		a := newArray(x.Type, x.Shape.At(1))
		a.setBits(0, ir.FloatBits(x.Type, float64(i)))
		x = g.Apply(ops.Add, x, g.Captured(x.Type, x.Shape, &ir.Array{Bytes: a.bytes}))
	}
	return x
}

// everything has steps run on the device that are too small for one.
func everything(t *testing.T) {
	work, launches := deviceWork, maxLaunches
	t.Cleanup(func() { deviceWork, maxLaunches = work, launches })
	deviceWork = 0
}

// sines is a loop of x ← sin x.
func sines(g *ir.Graph, x *ir.Node, o ir.LoopOptions) *ir.Node {
	finals, _, _ := g.Loop("Scan", o, []*ir.Node{x}, nil, func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
		return []*ir.Node{g.Apply(ops.Sin, c[0])}, nil, nil
	})
	return finals[0]
}
