//go:build amd64 && !purego

package kernels

// AVX2 is nil where the machine lacks it.
var AVX2 *Level
