package jit

import (
	"runtime/debug"
	"testing"
	"unsafe"
)

// Code can be read and run, and no longer written.
func TestPagesSealed(t *testing.T) {
	isas(t)
	const ret = 0xc3
	p, err := newPages(3 << 12)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.bytes {
		p.bytes[i] = ret
	}
	if err := p.seal(); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for _, i := range []int{0, len(p.bytes) - 1} {
		enter(uintptr(unsafe.Pointer(&p.bytes[i])), nil)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("byte %d of code was overwritten", i)
				}
			}()
			p.bytes[i] = 0
		}()
		if p.bytes[i] != ret {
			t.Errorf("byte %d has changed", i)
		}
	}
}
