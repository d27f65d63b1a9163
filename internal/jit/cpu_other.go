//go:build !amd64

package jit

// Supported reports whether this machine runs i.
func (i ISA) Supported() bool { return false }

var fourPipes = false
