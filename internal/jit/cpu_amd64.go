package jit

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"
)

// Supported reports whether this machine runs i.
func (i ISA) Supported() bool {
	if i == AVX512 { // as level avx512 of package kernels
		return cpu.X86.HasAVX512F && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.BMI2)
	}
	return cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C)
}

// fourPipes is for processors like Zen 5, which start two products and two sums of 64 bytes a cycle, and a division every few.
var fourPipes = cpuid.CPU.VendorID == cpuid.AMD && cpuid.CPU.Family >= 26
