//go:build amd64 && linux && !nojit && !purego

package jit

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// Available reports whether code can be run on this platform at all.
const Available = true

// pages is memory that is first written and then executed, never both.
type pages struct{ bytes []byte }

func newPages(size int) (*pages, error) {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("jit: no memory for code: %w", err)
	}
	p := &pages{b}
	runtime.AddCleanup(p, func(b []byte) { syscall.Munmap(b) }, b)
	return p, nil
}

func (p *pages) seal() error {
	if err := syscall.Mprotect(p.bytes, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		return fmt.Errorf("jit: code may not be executed: %w", err)
	}
	return nil
}

// enter calls the code at entry.
//
//go:noescape
func enter(entry uintptr, args unsafe.Pointer)
