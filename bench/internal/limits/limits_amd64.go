//go:build !purego

package limits

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// fmaAVX2 and fmaAVX512 do n rounds of 12 (16) independent fused multiply-adds.
func fmaAVX2(n int)
func fmaAVX512(n int)

// readAVX2 loads n bytes, a multiple of 128.
func readAVX2(p unsafe.Pointer, n int)

func fmaKernels() (ks []fmaKernel) {
	if cpuid.CPU.Supports(cpuid.AVX512F) {
		ks = append(ks, fmaKernel{fmaAVX512, 16 * 16 * 2})
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		ks = append(ks, fmaKernel{fmaAVX2, 12 * 8 * 2})
	}
	if ks == nil {
		ks = append(ks, goFMA)
	}
	return ks
}

func read(b []byte) {
	if !cpuid.CPU.Supports(cpuid.AVX2) {
		goRead(b)
		return
	}
	readAVX2(unsafe.Pointer(unsafe.SliceData(b)), len(b)&^127)
}
