//go:build cuda && linux && cgo

package cuda_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/cuda"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/device"
)

// emulator makes a folder of libcuda, libcublas and libnvrtc that are testdata/emulator.c, and the environment of a process
// that is to find them.
func emulator(t *testing.T) (env []string, dir string) {
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	dir = t.TempDir()
	if err := shim.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(dir, "libcuda.so.1")
	if out, err := exec.Command("g++", "-O2", "-shared", "-fPIC", "-o", lib, "-x", "c", "internal/driver/testdata/emulator.c", "-x", "c++", filepath.Join(dir, "machine.h"), "-ldl", "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"libcublas.so.13", "libnvrtc.so.13"} {
		os.Symlink("libcuda.so.1", filepath.Join(dir, name))
	}
	return append(os.Environ(), "EMULATOR_DIR="+dir, "EMULATOR_BYTES=300000000", "LD_LIBRARY_PATH="+dir, "ADJOINT_CACHE="+filepath.Join(dir, "cache")), dir
}

// TestEmulated runs the tests below in a process whose libraries of NVIDIA's are testdata/emulator.c: what is between a
// program and them is as on a GPU, and the kernels' text is compiled by g++.
func TestEmulated(t *testing.T) {
	env, _ := emulator(t)
	for _, way := range []string{"ADJOINT_CUBLAS=off", "ADJOINT_CUBLAS=", "ADJOINT_GRAPHS=off"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestInEmulator", "-test.v")
		cmd.Env = append(env, "ADJOINT_TEST_EMULATOR=1", "EMULATOR_BLAS_FAILS=1", way)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "--- SKIP") || strings.Count(string(out), "--- PASS") != 4 {
			t.Errorf("%s: %v\n%s", way, err, out)
		}
	}
}

// TestOlderGPU: what cuBLAS does not multiply there is the kernels'.
func TestOlderGPU(t *testing.T) {
	env, _ := emulator(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestInEmulatorHalf", "-test.v")
	cmd.Env = append(env, "ADJOINT_TEST_EMULATOR=1", "EMULATOR_ARCH=75")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSuites: other packages' tests, and a network that learns digits, with an emulated GPU as the default device. With our
// products its bits are the CPU's.
func TestSuites(t *testing.T) {
	if os.Getenv("ADJOINT_EXHAUSTIVE") == "" {
		t.Skip("takes long; ADJOINT_EXHAUSTIVE is not set (make exhaustive)")
	}
	env, _ := emulator(t)
	env = append(env, "EMULATOR_BYTES=8000000000", "ADJOINT_CUBLAS=off")
	run := func(env []string, args ...string) string {
		cmd := exec.Command("go", args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, p := range []string{"../nn", "../optim", "../autodiff"} {
		// A run on a device allocates by design.
		if out := run(env, "test", "-tags=cuda", "-count=1", "-short", "-timeout=3h", "-skip=Allocations", p); !strings.HasPrefix(out, "ok") {
			t.Errorf("%s: %s", p, out)
		}
	}
	learned := func(env []string) (said string) {
		out := run(env, "run", "-tags=cuda", "../examples/mnist", "-epochs=1", "-hidden=64", "-out="+t.TempDir())
		said = regexp.MustCompile(`(?m)^device [^\s,]+`).FindString(out)
		for _, m := range regexp.MustCompile(`loss \S+  accuracy \S+|test accuracy \S+`).FindAllString(out, -1) {
			said += ", " + m
		}
		return said
	}
	here, there := learned(append(env, "ADJOINT_DEVICE=cpu")), learned(env)
	if want := strings.Replace(here, "device cpu, ", "device cuda:0, ", 1); there != want || !strings.Contains(there, "test accuracy") {
		t.Errorf("%s\non the CPU: %s", there, here)
	}
}

// TestLibrariesOfTheDriver: of several versions that one serves which is not newer than the driver, and where there is none the
// program is the CPU's and says why.
func TestLibrariesOfTheDriver(t *testing.T) {
	if os.Getenv("ADJOINT_TEST_EMULATOR") != "" {
		p, err := ad.Compile(func(x ad.Value) ad.Value { return x.Exp() }, ad.F32.Spec(ad.AnyBatch))
		if err != nil {
			t.Fatal(err)
		}
		s, _, _ := strings.Cut(p.String(), "\n")
		os.Stdout.WriteString(s)
		os.Exit(0)
	}
	env, dir := emulator(t)
	const gpu = "device cuda:0 Emulated 0, sm_90, 8 GB, NVRTC 13.0"
	said := func(driver string, libraries ...string) string {
		t.Helper()
		old, _ := filepath.Glob(filepath.Join(dir, "lib[nc][vu]*"))
		for _, f := range old {
			if filepath.Base(f) != "libcuda.so.1" {
				os.Remove(f)
			}
		}
		for _, l := range libraries {
			os.Symlink("libcuda.so.1", filepath.Join(dir, l))
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestLibrariesOfTheDriver$")
		cmd.Env = append(env, "ADJOINT_TEST_EMULATOR=1", "EMULATOR_DRIVER="+driver)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if s := said("13000"); strings.Contains(s, "NVRTC 1") {
		t.Skip("CUDA's own libraries are found here in any case: ", s)
	}
	for _, test := range []struct{ driver, nvrtc, cublas, want string }{
		{"13000", "libnvrtc.so.13", "libcublas.so.13", gpu + ", cuBLAS"},
		{"14010", "libnvrtc.so.13", "libcublas.so.12", gpu + ", cuBLAS"},
		{"12040", "libnvrtc.so.12", "libcublas.so.13", gpu + ", products by kernels (cuda: no cuBLAS for the driver's CUDA 12.4 or an older one: libcublas.so.12: "},
		{"12040", "libnvrtc.so.13", "libcublas.so.12", "device cpu: cuda: no NVRTC, the run-time compiler of CUDA, for the driver's CUDA 12.4 or an older one: libnvrtc.so.12: "},
		{"11080", "libnvrtc.so.11.2", "libcublas.so.11", gpu + ", cuBLAS"},
	} {
		s := said(test.driver, test.nvrtc, test.cublas)
		if !strings.HasPrefix(s, test.want) || strings.HasSuffix(test.want, "cuBLAS") && s != test.want {
			t.Errorf("driver %s, %s, %s: %s", test.driver, test.nvrtc, test.cublas, s)
		}
	}
}

// TestLostGPU: after a fault, which takes the device's context with it, calls say so; the CPU and another device go on.
func TestLostGPU(t *testing.T) {
	if os.Getenv("ADJOINT_TEST_EMULATOR") == "" {
		env, _ := emulator(t)
		cmd := exec.Command(os.Args[0], "-test.run=^TestLostGPU$", "-test.v")
		cmd.Env = append(env, "ADJOINT_TEST_EMULATOR=1", "EMULATOR_FAULT=2")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	x := ad.From([]float32{1, 2, 3}).Clone()
	programs := map[string]*ad.Program[ad.Value, ad.Value]{}
	for _, device := range []string{"cuda:0", "cuda:1", "cpu"} {
		p, err := ad.Compile(func(x ad.Value) ad.Value { return x.Add(ad.Const(1)) }, ad.F32.Spec(ad.AnyBatch), ad.Options{Device: device})
		if err != nil {
			t.Fatal(err)
		}
		programs[device] = p
	}
	y, err := programs["cuda:0"].Run(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := programs["cuda:0"].Run(context.Background(), x); err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_ILLEGAL_ADDRESS (until this process ends") {
			t.Fatal(err)
		}
	}
	func() { // what was there only is lost
		defer func() {
			if e := recover(); e == nil || !strings.Contains(e.(error).Error(), "reading an array back") {
				t.Error(e)
			}
		}()
		y.At(0)
	}()
	for _, device := range []string{"cuda:1", "cpu"} {
		if y, err := programs[device].Run(context.Background(), x); err != nil || y.At(2) != 4 {
			t.Error(device, err)
		}
	}
}

// emulated skips a test that is not to run by itself.
func emulated(t *testing.T) {
	if os.Getenv("ADJOINT_TEST_EMULATOR") == "" {
		t.Skip("TestEmulated runs this")
	}
}

type network struct{ W, V ad.Value }

type step struct {
	Net  network
	Loss ad.Value
}

func train(m network, x ad.Value) step {
	r := ad.ValueAndGrad(func(m network) ad.Value {
		return x.MatMul(m.W).Tanh().MatMul(m.V).Square().Mean()
	})(m)
	return step{network{m.W.Sub(r.Grad.W.Scale(0.1)), m.V.Sub(r.Grad.V.Scale(0.1))}, r.Value}
}

func TestInEmulatorTraining(t *testing.T) {
	emulated(t)
	devices, err := cuda.Devices()
	if err != nil || len(devices) != 2 || devices[1].String() != "cuda:1 Emulated 1, sm_90, 8 GB" {
		t.Fatal(devices, err)
	}
	numbers := func(k int, dims ...int) ad.Value {
		x := make([]float32, dims[0]*dims[1])
		for i := range x {
			x[i] = float32((i*k)%17-8) / 8
		}
		return ad.From(x, dims...).Clone()
	}
	net := network{numbers(5, 5, 7), numbers(3, 7, 2)}
	here, err := ad.Compile2(train, net, ad.F32.Spec(ad.AnyBatch, 5), ad.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	exact := os.Getenv("ADJOINT_CUBLAS") == "off"
	for _, name := range []string{"", "cuda:1"} {
		there, err := ad.Compile2(train, net, ad.F32.Spec(ad.AnyBatch, 5), ad.Options{Device: name})
		if err != nil {
			t.Fatal(err)
		}
		if want := max("cuda:0", name); there.Device() != want {
			t.Fatalf("on %s\n%s", there.Device(), there)
		}
		if s := there.String(); strings.Contains(s, "products by kernels\n") != exact || strings.Contains(s, ", cuBLAS\n") == exact {
			t.Fatal(s)
		}
		x, y := step{Net: ad.TreeClone(net)}, step{Net: ad.TreeClone(net)}
		data := numbers(7, 4, 5)
		for range 6 {
			if err := there.RunInto(context.Background(), &x, x.Net, data); err != nil {
				t.Fatal(err)
			}
			if err := here.RunInto(context.Background(), &y, y.Net, data); err != nil {
				t.Fatal(err)
			}
		}
		a, b := ad.TreeLeaves(x), ad.TreeLeaves(y)
		for i := range a {
			p, q := a[i].Float64s(), b[i].Float64s()
			for k := range p {
				if d := math.Abs(p[k] - q[k]); exact && d != 0 || d > 1e-5 {
					t.Fatalf("%s: value %d, element %d: %v, on the CPU %v", there.Device(), i, k, p[k], q[k])
				}
			}
		}
	}
}

// TestInEmulatorHalf: products of bfloat16s and float16s are cuBLAS's, too, whose sums the emulator rounds once.
func TestInEmulatorHalf(t *testing.T) {
	emulated(t)
	for _, typ := range []ad.DType{ad.BF16, ad.F16} {
		inEmulatorHalf(t, typ)
	}
}

func inEmulatorHalf(t *testing.T, typ ad.DType) {
	f := func(in [2]ad.Value) ad.Value { return in[0].MatMul(in[1]).Convert(ad.F32) }
	args := [2]ad.Value{}
	for i := range args {
		x := make([]float32, 35)
		for k := range x {
			x[k] = float32((k*(5+i))%17-8) / 8
		}
		args[i] = ad.From(x, 5+2*i, 7-2*i).Convert(typ)
	}
	var want []float64
	for _, name := range []string{"cpu", "cuda:0"} {
		p, err := ad.Compile(f, args, ad.Options{Device: name})
		if err != nil {
			t.Fatal(err)
		}
		y, err := p.Run(context.Background(), args)
		if err != nil || p.Device() != name {
			t.Fatal(p.Device(), err)
		}
		if got := y.Float64s(); want == nil {
			want = got
		} else if !slices.Equal(got, want) { // sums of few bits are exact
			t.Errorf("%v, on the CPU %v", got, want)
		}
	}
}

// TestInEmulatorBatch: batches beyond what a grid's dimension holds.
func TestInEmulatorBatch(t *testing.T) {
	emulated(t)
	x := make([]float32, 70_000*4)
	for i := range x {
		x[i] = float32(i%23 - 11)
	}
	args := [2]ad.Value{ad.From(x, 70_000, 2, 2).Clone(), ad.From(x[:70_000*2], 70_000, 2, 1).Clone()}
	p, err := ad.Compile(func(in [2]ad.Value) ad.Value { return in[0].MatMul(in[1]) }, args)
	if err != nil {
		t.Fatal(err)
	}
	y, err := p.Run(context.Background(), args)
	if err != nil {
		t.Fatal(err)
	}
	for b, got := range y.Float64s() {
		i := b / 2
		if want := float64(x[2*b]*x[2*i] + x[2*b+1]*x[2*i+1]); got != want {
			t.Fatalf("element %d is %v, want %v", b, got, want)
		}
	}
}

func TestInEmulatorMemory(t *testing.T) {
	emulated(t)
	p, err := ad.Compile(func(x ad.Value) ad.Value { return x.Add(ad.Const(1)) }, ad.F32.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), ad.F32.Zeros(100_000_000)); !errors.Is(err, device.ErrMemory) {
		t.Fatal(err)
	}
	y, err := p.Run(context.Background(), ad.F32.Zeros(3))
	if err != nil || y.At(2) != 1 {
		t.Fatal(y, err)
	}
}
