//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/asm"
)

// A move gives the same bits however it is done, so that it is no matter of levels.

// spreadFast is spread where the machine has a way of its own.
func spreadFast(dst, src unsafe.Pointer, step, rows, cols, size int) bool {
	if AVX2 == nil || size == 2 {
		return false
	}
	switch size {
	case 1:
		asm.Spread1AVX2(dst, src, step, rows, cols)
	case 4:
		asm.Spread4AVX2(dst, src, step, rows, cols)
	default:
		asm.Spread8AVX2(dst, src, step, rows, cols)
	}
	return true
}

// reverseFast is dst[i] = src[-i] for as many elements from the first on as it reports, of n.
func reverseFast(dst, src unsafe.Pointer, n, size int) int {
	n &^= 32/size - 1
	if AVX2 == nil || size < 4 || n == 0 {
		return 0
	}
	if size == 4 {
		asm.Reverse4AVX2(dst, src, n)
	} else {
		asm.Reverse8AVX2(dst, src, n)
	}
	return n
}

// streamFast is streamRows of whole groups of lines to where lines begin.
func streamFast(dst unsafe.Pointer, step int, src unsafe.Pointer, rows, n int) bool {
	if AVX2 == nil {
		return false
	}
	asm.StreamAVX2(dst, step, src, rows, n)
	return true
}

// StreamEnd has other threads see what Stream copied before what this one writes from now on.
func StreamEnd() { asm.StreamEnd() }

// transposeFast is transpose of a part whose sides are a vector each at least.
func transposeFast(dst unsafe.Pointer, dRow int, src unsafe.Pointer, sRow, m, n, size int) bool {
	if AVX2 == nil || size < 4 {
		return false
	}
	if size == 4 {
		asm.TransposeF32AVX2(dst, dRow, src, sRow, m, n)
	} else {
		asm.TransposeF64AVX2(dst, dRow, src, sRow, m, n)
	}
	return true
}
