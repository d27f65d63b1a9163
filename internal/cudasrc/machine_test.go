//go:build !purego

// With the tag purego kernels' texts are the same.

package cudasrc_test

import (
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/nvcc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// machineKernels are kernels of every kind, and one of every operation and type.
func machineKernels(t *testing.T) *cudasrc.Writer {
	w := &cudasrc.Writer{Temporary: func(int) int { return 9 }}
	must := func(_ cudasrc.Unit, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for id := range ops.Count {
		for typ := dtype.Bool; typ < dtype.Count; typ++ {
			if !vec.Takes(id, typ) {
				continue
			}
			m := &cudasrc.Map{Dims: []int{1000}}
			v := cudasrc.Value{Type: vec.Result(id, typ), Op: id, Out: operand(vec.Result(id, typ), 0, 1000)}
			for a := range id.Row().Arity {
				in := typ
				if id == ops.Where && a == 0 {
					in = dtype.Bool
				}
				v.Args = append(v.Args, a)
				m.Values = append(m.Values, cudasrc.Value{Type: in, Leaf: operand(in, 1, 1000)})
			}
			m.Values = append(m.Values, v)
			must(w.Map(m))
		}
	}
	for typ := dtype.Bool; typ < dtype.Count; typ++ {
		for to := dtype.Bool; to < dtype.Count; to++ {
			if vec.Conversion(typ, to) != nil || typ.IsInt() && to.IsFloat() && !to.IsHalf() || typ == dtype.F32 && to == dtype.I64 || typ == dtype.F64 && to == dtype.I64 {
				must(w.Map(&cudasrc.Map{Dims: []int{1000}, Values: []cudasrc.Value{{Type: typ, Leaf: operand(typ, 1, 1000)},
					{Type: to, Convert: true, Args: []int{0}, Out: operand(to, 0, 1000)}}}))
			}
		}
		for by := ir.Sum; by <= ir.Min; by++ {
			if typ.IsHalf() || typ == dtype.Bool && by < ir.Max {
				continue
			}
			for _, dims := range [][]int{{10, 7}, {10, 100}, {10, 10000}, {10000, 10}} {
				for lo := range 2 {
					must(w.Map(&cudasrc.Map{Dims: dims, Lo: lo, Hi: lo + 1, Chunk: 4096, Rows: 2000, Values: []cudasrc.Value{{Type: typ, Leaf: operand(typ, 1, dims...)}},
						Folds: []cudasrc.Fold{{By: by, Out: cudasrc.Operand{Type: typ}}}}))
				}
			}
		}
		must(w.Map(&cudasrc.Map{Dims: []int{9, 50, 40}, Values: []cudasrc.Value{{Type: typ, Out: operand(typ, 0, 9, 50, 40),
			Leaf: &cudasrc.Operand{Type: typ, Buffer: 1, Dims: []int{9, 50, 40}, Strides: []int{2000, 1, 50}}}}}))
		x, idx := operand(typ, 1, 50, 40, 30), operand(dtype.I64, 2, 60)
		y := operand(typ, 0, 50, 60, 30)
		must(w.Take(y, x, idx, 1, ir.ForAll))
		piece := cudasrc.Piece{Operand: *x, Steps: []int{1800, 30, 1}}
		must(w.Place(y, 0, []cudasrc.Piece{piece}, false))
		if typ.IsFloat() {
			for _, n := range []int{1, 100} {
				must(w.Gemm(&cudasrc.Product{Type: typ, Batch: 2, M: 100, N: n, K: 100, A: cudasrc.Arg{Pointer: true}, B: cudasrc.Arg{Pointer: true}, C: cudasrc.Arg{Pointer: true}}))
			}
		}
		if typ == dtype.Bool || typ.IsHalf() {
			continue
		}
		must(w.Iota(y, 1))
		must(w.Place(y, 0, []cudasrc.Piece{piece}, true))
		must(w.Scatter(x, idx, y, nil, 1, ir.ForAll))
		must(w.Scatter(x, operand(dtype.I64, 2, 50, 60), y, x, 1, ir.ForRows))
		must(w.Take(y, x, operand(dtype.I64, 2, 50, 60, 30), 1, ir.ForElements))
		must(w.Scatter(x, operand(dtype.I64, 2, 50, 60, 30), y, nil, 1, ir.ForElements))
		must(w.Scatter(operand(typ, 0, 5000, 30), idx, operand(typ, 1, 60, 30), nil, 0, ir.ForAll))
		must(w.Cumulate(x, x, nil, 1, ir.Sum, true))
		must(w.Cumulate(x, x, nil, 2, ir.Sum, true))
		must(w.Cumulate(x, x, nil, 2, ir.Max, false))
		must(w.ArgSort(operand(dtype.I64, 0, 50, 40, 30), x, true))
		must(w.Map(&cudasrc.Map{Dims: []int{60}, Values: []cudasrc.Value{{Type: dtype.I64, Leaf: idx}, {Type: typ, Leaf: x, Gather: &cudasrc.Gather{Index: 0, By: 2, Size: 9}},
			{Type: typ, Op: ops.Add, Args: []int{1, 1}, Out: operand(typ, 0, 60)}}}))
		must(w.ArgReduce(operand(dtype.I64, 0, 50, 30), x, 1, 2, ir.ArgMax))
		must(w.ArgReduce(operand(dtype.I64, 0, 50, 40), x, 2, 3, ir.ArgMin))
		if typ.IsFloat() {
			must(w.Recurrence(x, x, x))
		}
		if !typ.IsFloat() {
			continue
		}
		must(w.SegmentMax(operand(typ, 0, 50, 40, 9), x, operand(dtype.I64, 2, 50, 40, 30)))
		for _, n := range []int{5, 32} {
			x := &cudasrc.Matrices{Count: 100, N: n, Out: y, Status: cudasrc.Arg{Pointer: true}}
			must(w.Cholesky(x, y))
			must(w.LU(x, y))
			must(w.Det(x, y))
			must(w.TriSolve(x, y, y, 3, cudasrc.Solving{Transposed: true}))
			must(w.LUSolve(x, y, y, 3, true))
		}
		must(w.Fold(&cudasrc.Windows{Outer: 2, Inner: 3, In: []int{9, 9}, Outs: []int{7, 7}, Wins: []int{3, 3}, Stride: []int{1, 1}, Dilation: []int{1, 1}, X: *x, Y: *y}))
	}
	return w
}

// build is kernels that one compiler makes machine code of for one architecture.
type build struct {
	compiler, arch string
	kernels        []*cudasrc.Kernel
}

// TestMachineCode: nvcc for sm_80 and NVRTC, the compiler that programs have, for sm_90 take every kernel. Those that are worth it
// do not spill. Kernels are compiled beside those alone that have the same texts in front of them, so that what one
// lacks is not brought by another. Functions that iterate take two thirds of the time, and float32s only convert for them:
// they are compiled for float64s and one architecture, unless ADJOINT_EXHAUSTIVE is set; then both compilers make everything.
func TestMachineCode(t *testing.T) {
	if testing.Short() {
		t.Skip("compilers take a minute, and no race of ours shows in them")
	}
	if err := nvcc.MissingNVRTC(); err != nil {
		t.Skip(err)
	}
	all := [][2]string{{"NVRTC", "sm_90"}, {"nvcc", "sm_80"}, {"NVRTC", "sm_80"}, {"nvcc", "sm_90"}}
	if err := nvcc.Missing(); err != nil {
		t.Log("NOT RUN: ", err)
		all = [][2]string{{"NVRTC", "sm_90"}, {"NVRTC", "sm_80"}}
	}
	exhaustive := os.Getenv("ADJOINT_EXHAUSTIVE") != ""
	groups := map[string][]*cudasrc.Kernel{}
	for _, k := range machineKernels(t).Kernels {
		front := strings.Join(regexp.MustCompile(`#ifndef ADJ_\w+`).FindAllString(k.Source, -1), " ")
		groups[front] = append(groups[front], k)
	}
	var builds []build
	for front, kernels := range groups {
		how := all[:2]
		if exhaustive {
			how = all
		} else if strings.Contains(front, "ADJ_ORDERS") {
			how = all[:1]
			kernels = slices.DeleteFunc(kernels, func(k *cudasrc.Kernel) bool { return !strings.Contains(entry(k), "double *") })
		}
		for part := range slices.Chunk(kernels, 100) {
			for _, by := range how {
				builds = append(builds, build{by[0], by[1], part})
			}
		}
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, b := range builds {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			b.test(t)
		})
	}
	wg.Wait()
}

func (b *build) test(t *testing.T) {
	compile := nvcc.Compile
	if b.compiler == "NVRTC" {
		compile = nvcc.NVRTC
	}
	usage, err := compile(t.TempDir(), b.arch, b.kernels)
	if err != nil {
		t.Error(err)
		return
	}
	most := 0
	for _, k := range b.kernels {
		u, ok := usage[k.Name]
		if !ok || u.Registers == 0 {
			t.Errorf("%s, %s: no machine code of %s", b.compiler, b.arch, k.Name)
		}
		if k.Hot && u.Spills > 0 || u.Registers*k.Block > 1<<16 {
			t.Errorf("%s, %s: %s spills %d bytes, has %d registers\n%s", b.compiler, b.arch, k.Name, u.Spills, u.Registers, entry(k))
		}
		most = max(most, u.Registers)
	}
	t.Logf("%s, %s: %d kernels, at most %d registers", b.compiler, b.arch, len(b.kernels), most)
}

// entry is a kernel's own text.
func entry(k *cudasrc.Kernel) string {
	return k.Source[strings.LastIndex(k.Source, "#endif"):]
}

// TestWideLoads: what lies one behind the other is read and written 16 bytes at a time, and nothing is contracted.
func TestWideLoads(t *testing.T) {
	if err := nvcc.Missing(); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		t          dtype.Type
		load, save string
	}{{dtype.F32, `ld\.global\.v4\.\w32`, `st\.global\.v4\.\w32`}, {dtype.F64, `ld\.global\.v2\.\w64`, `st\.global\.v2\.\w64`}} {
		w := &cudasrc.Writer{}
		dims := []int{100, 64}
		row := cudasrc.Operand{Type: c.t, Buffer: 2, Dims: dims, Strides: []int{0, 1}}
		_, err := w.Map(&cudasrc.Map{Dims: dims, Values: []cudasrc.Value{{Type: c.t, Leaf: operand(c.t, 1, dims...)}, {Type: c.t, Leaf: &row},
			{Type: c.t, Op: ops.Mul, Args: []int{0, 1}}, {Type: c.t, Op: ops.Add, Args: []int{2, 1}, Out: operand(c.t, 0, dims...)}}})
		if err != nil {
			t.Fatal(err)
		}
		ptx, err := nvcc.PTX(t.TempDir(), "sm_90", w.Kernels)
		if err != nil {
			t.Fatal(err)
		}
		if len(regexp.MustCompile(c.load).FindAllString(ptx, -1)) != 2 || !regexp.MustCompile(c.save).MatchString(ptx) {
			t.Errorf("%v: not all loads and stores are wide\n%s", c.t, ptx)
		}
		if strings.Contains(ptx, "fma.rn.f") {
			t.Errorf("%v: a product and a sum are contracted\n%s", c.t, ptx)
		}
	}
}
