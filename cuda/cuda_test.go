//go:build cuda && linux && cgo

package cuda

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/cuda/internal/driver"
	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
)

// toolchain is the folder that cuda/toolchain.sh fills, or CUDA's own.
func toolchain(t *testing.T) string {
	dir := os.Getenv("ADJOINT_CUDA")
	if dir == "" {
		t.Skip("ADJOINT_CUDA, the folder of CUDA's headers and libraries, is not set (make test-cuda)")
	}
	return dir
}

// A binary with the tag starts without a driver and without a device, and says what is missing.
func TestNoDevice(t *testing.T) {
	if os.Getenv("ADJOINT_TEST_DEVICES") != "" {
		_, err := Devices()
		os.Stdout.WriteString(err.Error())
		_, why, e := device.Select("")
		if e != nil || why != err.Error() {
			os.Stdout.WriteString(" but " + why)
		}
		os.Exit(0)
	}
	said := func(library string) string {
		cmd := exec.Command(os.Args[0], "-test.run=TestNoDevice")
		cmd.Env = append(os.Environ(), "ADJOINT_TEST_DEVICES=1", "LD_LIBRARY_PATH="+library)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if s, want := said(filepath.Join(toolchain(t), "lib", "stubs")), "cuda: the NVIDIA driver finds no device"; s != want {
		t.Errorf("with the stub: %s", s)
	}
	if devices, _ := Devices(); len(devices) > 0 {
		t.Skip("there is a driver")
	}
	if s := said(""); !strings.HasPrefix(s, "cuda: no NVIDIA driver: libcuda.so.1: ") || strings.Contains(s, " but ") {
		t.Errorf("without a driver: %s", s)
	}
}

// Nothing of NVIDIA's is needed to start the process.
func TestNeededLibraries(t *testing.T) {
	f, err := elf.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil || len(libs) == 0 {
		t.Fatal(libs, err)
	}
	for _, l := range libs {
		if strings.Contains(l, "cuda") || strings.Contains(l, "nvrtc") || strings.Contains(l, "cublas") {
			t.Errorf("%s is needed", l)
		}
	}
}

// What is bound by hand has the names, and the numbers, that NVIDIA's headers and libraries have.
func TestSymbols(t *testing.T) {
	dir := toolchain(t)
	text, err := os.ReadFile("internal/driver/symbols.h")
	if err != nil {
		t.Fatal(err)
	}
	names := func(prefix string) (list []string) {
		for _, m := range regexp.MustCompile(`F\((`+prefix+`\w+)\)`).FindAllStringSubmatch(string(text), -1) {
			if prefix != "cu" || !strings.HasPrefix(m[1], "cublas") {
				list = append(list, m[1])
			}
		}
		if len(list) < 5 {
			t.Fatalf("%s: %q", prefix, list)
		}
		return list
	}
	header, err := os.ReadFile(filepath.Join(dir, "include", "cuda.h"))
	if err != nil {
		t.Fatal(err)
	}
	old := !regexp.MustCompile(`#define CUDA_VERSION 1[3-9]`).Match(header) // some functions came later
	for _, n := range names("cu") {
		if !old && !regexp.MustCompile(`\b`+n+`\b`).Match(header) {
			t.Errorf("%s is not in cuda.h", n)
		}
	}
	for _, prefix := range []string{"nvrtc", "cublas"} {
		libs, _ := filepath.Glob(filepath.Join(dir, "lib*", "lib"+prefix+".so"))
		if len(libs) == 0 {
			t.Logf("NOT RUN: no lib%s.so", prefix)
			continue
		}
		f, err := elf.Open(libs[0])
		if err != nil {
			t.Fatal(err)
		}
		syms, err := f.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		for _, n := range names(prefix) {
			if !slices.ContainsFunc(syms, func(s elf.Symbol) bool { return s.Name == n && s.Section != elf.SHN_UNDEF }) {
				t.Errorf("%s is not in %s", n, libs[0])
			}
		}
	}
	other := t.TempDir() // for a header of another package that cuda_fp16.h includes
	os.Mkdir(filepath.Join(other, "nv"), 0o700)
	os.WriteFile(filepath.Join(other, "nv", "target"), []byte("#define NV_IF_ELSE_TARGET(a, b, c)\n#define NV_IF_TARGET(...)\n"), 0o600)
	for header, text := range map[string]string{"cublas_v2.h": "cublas.c", "nvrtc.h": "nvrtc.c"} {
		if _, err := os.Stat(filepath.Join(dir, "include", header)); err != nil {
			t.Log("NOT RUN: no ", header)
			continue
		}
		out, err := exec.Command("gcc", "-fsyntax-only", "-Werror", "-I"+filepath.Join(dir, "include"), "-I"+other, "internal/driver/testdata/"+text).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

const saxpy = `extern "C" __global__ void saxpy(float *y, const float *x, unsigned long long n, float a) {
	unsigned long long i = blockIdx.x * 256ull + threadIdx.x;
	if (i < n) y[i] = a * x[i] + y[i];
}`

func kernel(source string) *cudasrc.Kernel { return &cudasrc.Kernel{Source: source} }

func needNVRTC(t *testing.T) {
	if _, err := driver.NVRTC(); err != nil {
		t.Skip(err)
	}
}

func TestCompile(t *testing.T) {
	needNVRTC(t)
	cache := device.Cache{Dir: t.TempDir()}
	for _, arch := range []string{"sm_80", "sm_90"} {
		code, err := compile(cache, arch, kernel(saxpy))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(code, []byte("\x7fELF")) || !bytes.Contains(code, []byte(".text.saxpy")) {
			t.Errorf("%s: no cubin of the kernel", arch)
		}
		again, err := compile(cache, arch, kernel(saxpy))
		if err != nil || !bytes.Equal(code, again) {
			t.Errorf("%s: other code the second time: %v", arch, err)
		}
	}
	if files, _ := os.ReadDir(cache.Dir); len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
	// A GPU that NVRTC does not know yet gets PTX, one that it knows no more an error.
	ptx, err := compile(cache, "sm_999", kernel(saxpy))
	if err != nil || !bytes.Contains(ptx, []byte(".entry saxpy")) {
		t.Errorf("sm_999: %v\n%.200s", err, ptx)
	}
	if _, err := compile(cache, "sm_10", kernel(saxpy)); err == nil || !strings.Contains(err.Error(), "not sm_10") {
		t.Errorf("sm_10: %v", err)
	}
	if _, err := compile(cache, "sm_80", kernel("__global__ void f() {\n\tnonsense;\n}")); err == nil || !strings.Contains(err.Error(), "kernel.cu(2)") {
		t.Errorf("the compiler's message is lost: %v", err)
	}
}
