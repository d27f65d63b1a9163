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

// everyFast is dst[i] = src[i·step bytes] for as many elements from the first on as it reports, of n: none behind the last is read.
func everyFast(dst, src unsafe.Pointer, step, n, size int) int {
	k := step / size
	if AVX2 == nil || k > maxWoven || k*size != step {
		return 0
	}
	n = (n - 1) &^ (32/size - 1)
	if n <= 0 {
		return 0
	}
	switch {
	case k == 2 && size == 1:
		asm.Every2x1AVX2(dst, src, n)
	case k == 2 && size == 2:
		asm.Every2x2AVX2(dst, src, n)
	case k == 2 && size == 4:
		asm.Every2x4AVX2(dst, src, n)
	case k == 2:
		asm.Every2x8AVX2(dst, src, n)
	case k == 3 && size == 4:
		asm.Every3x4AVX2(dst, src, n)
	case k == 3 && size == 8:
		asm.Every3x8AVX2(dst, src, n)
	case k == 4 && size == 4:
		asm.Every4x4AVX2(dst, src, n)
	case k == 4 && size == 8:
		asm.Every4x8AVX2(dst, src, n)
	default:
		return 0
	}
	return n
}

// weaveFast is Weave for as many elements of each array, from the first on, as it reports.
func weaveFast(dst unsafe.Pointer, src *[maxWoven]unsafe.Pointer, k, n, size int) int {
	n &^= 32/size - 1
	if AVX2 == nil || n == 0 {
		return 0
	}
	switch {
	case k == 2 && size == 1:
		asm.Weave2x1AVX2(dst, src, n)
	case k == 2 && size == 2:
		asm.Weave2x2AVX2(dst, src, n)
	case k == 2 && size == 4:
		asm.Weave2x4AVX2(dst, src, n)
	case k == 2:
		asm.Weave2x8AVX2(dst, src, n)
	case k == 3 && size == 4:
		asm.Weave3x4AVX2(dst, src, n)
	case k == 3 && size == 8:
		asm.Weave3x8AVX2(dst, src, n)
	case k == 4 && size == 4:
		asm.Weave4x4AVX2(dst, src, n)
	case k == 4 && size == 8:
		asm.Weave4x8AVX2(dst, src, n)
	default:
		return 0
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

// Touch has the lines of the n bytes at p, words of four that this thread alone writes, come to its caches in order, to be written soon.
func Touch(p unsafe.Pointer, n int) {
	if n > 0 {
		asm.Touch(p, n)
	}
}

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

// Ask asks for the lines of rows of n bytes, step bytes apart, which are read next.
func Ask(p unsafe.Pointer, step, rows, n int) {
	if rows > 0 && n > 0 {
		asm.Ask(p, step, rows, n)
	}
}
