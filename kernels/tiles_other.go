//go:build !amd64 || purego

package kernels

// AVX2 is nil where there is no assembly.
var AVX2 *Level
