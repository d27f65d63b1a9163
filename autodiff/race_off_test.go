//go:build !race

package autodiff_test

const raceOn = false
