//go:build !amd64 || purego

package kernels

import "unsafe"

func spreadFast(dst, src unsafe.Pointer, step, rows, cols, size int) bool { return false }

func reverseFast(dst, src unsafe.Pointer, n, size int) int { return 0 }

func everyFast(dst, src unsafe.Pointer, step, n, size int) int { return 0 }

func weaveFast(dst unsafe.Pointer, src *[maxWoven]unsafe.Pointer, k, n, size int) int { return 0 }

func streamFast(dst unsafe.Pointer, step int, src unsafe.Pointer, rows, n int) bool { return false }

// StreamEnd has other threads see what Stream copied before what this one writes from now on.
func StreamEnd() {}

// Touch has the lines of the n bytes at p, words of four that this thread alone writes, come to its caches in order, to be written soon.
func Touch(p unsafe.Pointer, n int) {}

// Ask asks for the lines of rows of n bytes, step bytes apart, which are read next.
func Ask(p unsafe.Pointer, step, rows, n int) {}

func transposeFast(dst unsafe.Pointer, dRow int, src unsafe.Pointer, sRow, m, n, size int) bool {
	return false
}
