// Package blas is gonum's BLAS on this module's kernels: blas64.Use(blas.Implementation{}) and
// blas32.Use(blas.Implementation{}) let any gonum program, mat and lapack included, run on them. It imports
// kernels, internal/dtype and gonum.
package blas

import "gonum.org/v1/gonum/blas/gonum"

// Implementation implements gonum's blas.Float64 and blas.Float32, and by gonum's own functions the
// complex ones. Its level 3, Gemv, Symv, Ger, Dot and Axpy are ours, with gonum's semantics and panics; the
// rest is gonum's, as are calls so small that nothing is gained.
//
// What is ours gives the same bits on every level and with any number of threads. Sums are in the order
// of kernels.Gemm. Elements are multiplied by alpha before they are multiplied with each other, and zeros
// like any other number: 0 times a NaN is a NaN. As in gonum, where beta is 0 the output is not read.
//
// A call uses at most GOMAXPROCS threads, all calls together that many besides their callers', and allocates
// nothing once there is scratch memory. ADJOINT_LEVEL forces a level; one that this machine does not have
// makes the first call panic.
type Implementation struct{ gonum.Implementation }
