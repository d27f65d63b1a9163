//go:build !amd64 || purego

package kernels

import "unsafe"

func spreadFast(dst, src unsafe.Pointer, step, rows, cols, size int) bool { return false }

func streamFast(dst, src unsafe.Pointer, n int) bool { return false }

func transposeFast(dst unsafe.Pointer, dRow int, src unsafe.Pointer, sRow, m, n, size int) bool {
	return false
}
