package memory

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// advise asks for huge pages where b lies. That they may be refused is no matter.
func advise(b []byte) {
	page := os.Getpagesize()
	unix.Madvise(b[-int(uintptr(unsafe.Pointer(unsafe.SliceData(b))))&(page-1):], unix.MADV_HUGEPAGE)
}
