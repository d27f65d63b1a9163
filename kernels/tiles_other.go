//go:build !amd64 || purego

package kernels

// These are nil where there is no assembly.
var AVX2, AVX512, AVX512BF16 *Level

func slowPairs() bool { return false }
