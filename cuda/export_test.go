//go:build cuda && linux && cgo

package cuda

import (
	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
)

// CompileBy has GPUs load what make makes of kernels.
func CompileBy(make func(k *cudasrc.Kernel) ([]byte, error)) {
	compiler = func(_ device.Cache, _ string, k *cudasrc.Kernel) ([]byte, error) { return make(k) }
}
