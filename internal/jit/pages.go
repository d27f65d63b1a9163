//go:build amd64 && (linux || darwin || freebsd || windows) && !nojit && !purego

package jit

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Available reports whether code can be run on this platform at all.
const Available = true

// pages is memory that is first written and then executed, never both. A platform has reserve, which gives
// pages that may be written, protect, after which they may be executed instead, and release.
type pages struct{ bytes []byte }

func newPages(size int) (*pages, error) {
	b, err := reserve(size)
	if err != nil {
		return nil, fmt.Errorf("jit: no memory for code: %w", err)
	}
	p := &pages{b}
	runtime.AddCleanup(p, release, b)
	return p, nil
}

func (p *pages) seal() error {
	if err := protect(p.bytes); err != nil {
		return fmt.Errorf("jit: code may not be executed: %w", err)
	}
	return nil
}

// enter calls the code at entry.
//
//go:noescape
func enter(entry uintptr, args unsafe.Pointer)
