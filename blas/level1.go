package blas

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/kernels"
)

// fitsVector reports whether x holds a vector of n elements, n ≥ 1, inc apart.
func fitsVector[T float](x []T, n, inc int) bool {
	if inc < 0 {
		inc = -inc
	}
	return inc != 0 && len(x) > (n-1)*inc
}

// Below these sizes gonum's own functions are as fast: of vectors, in elements, and of the others, in fused
// multiply-adds.
const (
	shortVector   = 128
	smallGemv     = 512
	smallRankK    = 2048
	smallTriangle = 4096
)

// dot adds in the order of a product with one column: see kernels.Gemm.
func dot[T float](n int, x []T, incX int, y []T, incY int) (sum T, ok bool) {
	if n < shortVector || incX != 1 || incY != 1 || len(x) < n || len(y) < n {
		return 0, false
	}
	j := begin()
	kernel := level().Kernel(typeOf[T]()).Dot
	c := unsafe.Pointer(&j.number)
	for i := 0; i < n; i += kernels.DotBlock {
		kernel(min(kernels.DotBlock, n-i), unsafe.Pointer(&x[i]), 0, unsafe.Pointer(&y[i]), c, 0, 1, i > 0)
	}
	sum = *(*T)(c)
	j.end()
	return sum, true
}

// axpy is a product of alpha with x, a row, added to y.
func axpy[T float](n int, alpha T, x []T, incX int, y []T, incY int) bool {
	if n < shortVector || alpha == 0 || incX != 1 || incY != 1 || len(x) < n || len(y) < n {
		return false
	}
	j := begin()
	*(*T)(unsafe.Pointer(&j.number)) = alpha
	addRow[T](level().Kernel(typeOf[T]()), unsafe.Pointer(&j.number), unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), n)
	j.end()
	return true
}

// addRow adds *a·x to y.
func addRow[T float](k kernels.GemmKernel, a, x, y unsafe.Pointer, n int) {
	size, i := sizeOf[T](), 0
	if k.Row != nil {
		if i = n &^ (kernels.RowPad - 1); i > 0 {
			k.Row(1, a, size, x, 0, y, i, true)
		}
	}
	for ; i < n; i += k.NR {
		k.Strip(1, a, size, size, size, unsafe.Add(x, i*size), 0, unsafe.Add(y, i*size), 0, 1, min(k.NR, n-i), true, nil, 0, 0)
	}
}
