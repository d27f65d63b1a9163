//go:build race

package autodiff_test

const raceOn = true // sync.Pool drops what it is given, so that calls allocate
