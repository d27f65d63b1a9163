package jit

import "github.com/klauspost/cpuid/v2"

// Supported reports whether this machine runs i.
func (i ISA) Supported() bool {
	if i == AVX512 {
		return cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.BMI2)
	}
	return cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3)
}
