//go:build !race

package blas

const raceOn = false
