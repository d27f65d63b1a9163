// Package memory makes the memory of arrays. It imports nothing of adjoint.
package memory

import "unsafe"

// align is what an array's address is a multiple of.
const align = 64

// large are bytes among which a whole page of 2 MiB lies, wherever they begin.
const large = 4 << 20

// Make makes n zero bytes. Where they are many, Linux is asked for pages of 2 MiB: what goes through arrays of megabytes
// once finds its translations so, rather than walk tables for each 4 KiB.
func Make(n int) unsafe.Pointer {
	b := make([]byte, n+align)
	if len(b) >= large {
		advise(b)
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	return unsafe.Add(p, -int(uintptr(p))&(align-1))
}
