//go:build !linux || !amd64 || purego

package kernels

func amx() *Level { return nil }
