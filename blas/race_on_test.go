//go:build race

package blas

const raceOn = true // sync.Pool drops what it is given, so that calls allocate
