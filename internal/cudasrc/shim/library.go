package shim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// waits reports whether threads of k wait for each other.
func waits(k *cudasrc.Kernel) bool {
	_, own, _ := strings.Cut(k.Source, "#endif") // behind the prelude
	return slices.ContainsFunc([]string{"shift_down(", "__sync", "_sync("}, func(w string) bool { return strings.Contains(own, w) })
}

// Library compiles a kernel to a shared library in folder dir: emulated_run(grid, args) runs it, emulated_params is the
// number of its parameters, emulated_block that of a block's threads.
func Library(dir string, k *cudasrc.Kernel) (file string, err error) {
	text := header + k.Source + fmt.Sprintf(`
template <class... P> static constexpr int shim_count(void (*)(P...)) { return sizeof...(P); }
extern "C" int emulated_params, emulated_block;
int emulated_params = shim_count(%s), emulated_block = %d;
extern "C" void emulated_run(uint64_t grid, const uint64_t *args) {
	static const shim_row row = {shim_kernel<%s>::call, %d, %v};
	shim_launch(row, grid, args);
}
`, k.Name, k.Block, k.Name, k.Block, waits(k))
	src, lib := filepath.Join(dir, k.Name+".cc"), filepath.Join(dir, k.Name+".so")
	if err := os.WriteFile(src, []byte(text), 0o666); err != nil {
		return "", err
	}
	out, err := exec.Command("g++", "-std=c++17", "-shared", "-fPIC", "-O0", "-w", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv", "-o", lib, src).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("g++: %v\n%.4000s", err, out)
	}
	return lib, nil
}
