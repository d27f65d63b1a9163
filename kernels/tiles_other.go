//go:build !amd64 || purego

package kernels

// AVX2 and AVX512 are nil where there is no assembly.
var AVX2, AVX512 *Level
