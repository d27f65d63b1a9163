//go:build cuda && linux && cgo

package driver

/*
#include "libraries.h"
#include "products.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Number is a type of elements that cuBLAS multiplies.
type Number int

// The numbers, by their cudaDataType.
const (
	F32  Number = C.adjoint_R_32F
	F64  Number = C.adjoint_R_64F
	F16  Number = C.adjoint_R_16F
	BF16 Number = C.adjoint_R_16BF
)

// BLAS is a handle of cuBLAS, for one stream at a time. There is no way to free one: cublasDestroy waits for the whole device, which makes recordings
// fail that are under way on other threads.
type BLAS struct {
	h C.adjoint_blas
	c C.CUcontext
}

// CUBLAS finds the library.
func CUBLAS() error {
	C.adjoint_open_cublas()
	if C.adjoint_cublas_found == 0 {
		return fmt.Errorf("cuda: no cuBLAS%s: %s", forDriver(), C.GoString(&C.adjoint_cublas_said[0]))
	}
	return nil
}

func blas(call string, r C.int) error {
	if r == 0 {
		return nil
	}
	return &Error{call, int(r), true}
}

// BLAS makes a handle.
func (c Context) BLAS() (*BLAS, error) {
	if err := CUBLAS(); err != nil {
		return nil, err
	}
	b := &BLAS{c: c.c}
	if err := blas("cublasCreate", C.adjoint_blas_new(unsafe.Pointer(c.c), &b.h)); err != nil {
		return nil, err
	}
	return b, nil
}

// On has the handle work on s from now on, with workspace bytes of device memory at space.
func (b *BLAS) On(s Stream, space uint64, workspace int) error {
	return blas("cublasSetWorkspace", C.adjoint_blas_on(unsafe.Pointer(b.c), b.h, unsafe.Pointer(s.s), C.uint64_t(space), C.size_t(workspace)))
}

// Off has the handle forget its stream, which may be closed then, and the workspace.
func (b *BLAS) Off() { C.adjoint_blas_off(unsafe.Pointer(b.c), b.h) }

// Gemm is a product in cuBLAS's own terms: columns lie one behind the other. A and B are of type Type, either may be
// transposed; C is M×N, of float32s, or of float64s for F64, and so are the sums.
type Gemm struct {
	Type                      Number
	TransA, TransB            bool
	M, N, K                   int
	A, B, C                   uint64
	LdA, LdB, LdC             int
	StrideA, StrideB, StrideC int
	Batch                     int
	TF32                      bool // F32's factors may be rounded to 11 bits
}

// Gemm queues C = A·B for each of the batch.
func (b *BLAS) Gemm(g *Gemm) error {
	return blas("cublasGemmStridedBatchedEx", C.adjoint_gemm(unsafe.Pointer(b.c), b.h, C.int(g.Type), flag(g.TransA), flag(g.TransB),
		C.int(g.M), C.int(g.N), C.int(g.K),
		C.uint64_t(g.A), C.int(g.LdA), C.longlong(g.StrideA), C.uint64_t(g.B), C.int(g.LdB), C.longlong(g.StrideB),
		C.uint64_t(g.C), C.int(g.LdC), C.longlong(g.StrideC), C.int(g.Batch), flag(g.TF32)))
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
