//go:build !(amd64 && (linux || darwin || freebsd || windows)) || nojit || purego

package jit

import (
	"errors"
	"unsafe"
)

// Available reports whether code can be run on this platform at all.
const Available = false

type pages struct{ bytes []byte }

var errUnavailable = errors.New("jit: not on this platform")

func newPages(int) (*pages, error) { return nil, errUnavailable }

func (*pages) seal() error { return errUnavailable }

func enter(uintptr, unsafe.Pointer) { panic(errUnavailable) }
