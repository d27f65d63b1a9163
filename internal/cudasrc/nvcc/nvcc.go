// Package nvcc compiles CUDA kernels with NVIDIA's compiler for tests, which needs no GPU. It imports cudasrc.
package nvcc

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// root is where CUDA is to be: ADJOINT_CUDA, or .cuda beside go.mod, which make cuda-toolchain fills.
func root() string {
	dir := os.Getenv("ADJOINT_CUDA")
	if dir == "" {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			return ""
		}
		dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cuda")
	}
	return dir
}

// MissingNVRTC is why NVRTC cannot be called here.
func MissingNVRTC() error {
	if libs, _ := filepath.Glob(filepath.Join(root(), "lib*", "libnvrtc.so")); len(libs) == 0 {
		return errors.New("no libnvrtc.so in .cuda: make cuda-toolchain fetches it; CUDA C++ is not compiled to machine code")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		return errors.New("no gcc, for the program that calls NVRTC")
	}
	return nil
}

// Missing is why nvcc cannot be called here.
func Missing() error {
	if _, err := os.Stat(filepath.Join(root(), "bin", "nvcc")); err != nil {
		return errors.New("no nvcc in .cuda: make cuda-toolchain fetches it (those of CUDA 11 and 12 are without)")
	}
	if _, err := exec.LookPath("g++"); err != nil {
		return errors.New("no g++, which nvcc needs")
	}
	return nil
}

// Usage is what a kernel takes of a multiprocessor.
type Usage struct {
	Registers int // of a thread
	Spills    int // bytes that a thread stores because registers do not suffice
	Stack     int // bytes
	Shared    int // bytes of a block
}

// source writes kernels to a file of dir, each once.
func source(dir string, kernels []*cudasrc.Kernel) (file string, err error) {
	var s strings.Builder
	seen := map[string]bool{}
	for _, k := range kernels {
		if !seen[k.Name] {
			seen[k.Name] = true
			s.WriteString(k.Source)
		}
	}
	file = filepath.Join(dir, "kernels.cu")
	return file, os.WriteFile(file, []byte(s.String()), 0o666)
}

//go:embed testdata/nvrtc.c
var nvrtc string

// NVRTC compiles kernels as programs do when they run, and says by name what they take.
func NVRTC(dir, arch string, kernels []*cudasrc.Kernel) (map[string]Usage, error) {
	src, err := source(dir, kernels)
	if err != nil {
		return nil, err
	}
	if err := MissingNVRTC(); err != nil {
		return nil, err
	}
	libs, _ := filepath.Glob(filepath.Join(root(), "lib*", "libnvrtc.so"))
	bin, out := filepath.Join(dir, "nvrtc"), filepath.Join(dir, "kernels.cubin")
	gcc := exec.Command("gcc", "-O1", "-o", bin, "-x", "c", "-", "-ldl")
	gcc.Stdin = strings.NewReader(nvrtc)
	if text, err := gcc.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %v\n%s", err, text)
	}
	cmd := exec.Command(bin, append([]string{libs[0], src, out, "--gpu-architecture=" + arch, "--ptxas-options=-v"}, cudasrc.Options...)...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("NVRTC for %s: %v\n%.4000s", arch, err, text)
	}
	code, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	usage := taken(text)
	for _, k := range kernels {
		if !bytes.Contains(code, []byte(".text."+k.Name)) {
			delete(usage, k.Name)
		}
	}
	return usage, nil
}

func run(dir, arch string, kernels []*cudasrc.Kernel, out string, args ...string) ([]byte, error) {
	src, err := source(dir, kernels)
	if err != nil {
		return nil, err
	}
	cuda := root()
	args = append(append([]string{"-w", "-I", filepath.Join(cuda, "include"), "-arch=" + arch, "-o", out, src}, cudasrc.Options...), args...)
	cmd := exec.Command(filepath.Join(cuda, "bin", "nvcc"), args...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("nvcc for %s: %v\n%.4000s", arch, err, text)
	}
	return text, nil
}

var (
	entry     = regexp.MustCompile(`Compiling entry function '(\w+)'`)
	function  = regexp.MustCompile(`Function properties for (\w+)`)
	spills    = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores`)
	registers = regexp.MustCompile(`Used (\d+) registers`)
	shared    = regexp.MustCompile(`(\d+) bytes smem`)
)

// Compile makes machine code of kernels for an architecture, such as sm_90, and says by name what they take.
func Compile(dir, arch string, kernels []*cudasrc.Kernel) (map[string]Usage, error) {
	text, err := run(dir, arch, kernels, filepath.Join(dir, "kernels.cubin"), "-cubin", "-Xptxas", "-v")
	if err != nil {
		return nil, err
	}
	return taken(text), nil
}

// taken is what the assembler says of kernels.
func taken(said []byte) map[string]Usage {
	usage := map[string]Usage{}
	name, of := "", ""
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		line := lines.Text()
		u := usage[name]
		if m := entry.FindStringSubmatch(line); m != nil {
			name, u = m[1], Usage{}
		}
		if m := function.FindStringSubmatch(line); m != nil {
			of = m[1]
		}
		if m := spills.FindStringSubmatch(line); m != nil && of == name {
			u.Stack, u.Spills = number(m[1]), number(m[2])
		}
		if m := registers.FindStringSubmatch(line); m != nil {
			u.Registers = number(m[1])
		}
		if m := shared.FindStringSubmatch(line); m != nil {
			u.Shared = number(m[1])
		}
		if name != "" {
			usage[name] = u
		}
	}
	return usage
}

// PTX is the kernels' intermediate code.
func PTX(dir, arch string, kernels []*cudasrc.Kernel) (string, error) {
	out := filepath.Join(dir, "kernels.ptx")
	if _, err := run(dir, arch, kernels, out, "-ptx"); err != nil {
		return "", err
	}
	text, err := os.ReadFile(out)
	return string(text), err
}
