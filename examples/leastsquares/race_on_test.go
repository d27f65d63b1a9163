//go:build race

package main

const raceOn = true // sync.Pool drops what it is given, so that calls allocate
