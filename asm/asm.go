// Package asm is the assembly for amd64, generated, with Go's declarations of it. It imports
// internal/dtype and internal/ops; its callers check the CPU.
package asm

import "unsafe"

//go:generate go run ./gen

// Reduction is what package kernels wants of a level for one reduction in one type.
type Reduction struct {
	Fold       func(lanes, src unsafe.Pointer, n int)
	FoldRows   func(dst, src unsafe.Pointer, rows, n int)
	Accumulate func(acc, src unsafe.Pointer, rows, n int)
}
