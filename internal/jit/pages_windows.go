//go:build amd64 && !nojit && !purego

package jit

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func reserve(size int) ([]byte, error) {
	at, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&at)) // memory that is not Go's
	return unsafe.Slice((*byte)(p), size), nil
}

var flushInstructionCache = windows.NewLazySystemDLL("kernel32.dll").NewProc("FlushInstructionCache")

func protect(b []byte) error {
	at, size, was := uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uint32(0)
	if err := windows.VirtualProtect(at, size, windows.PAGE_EXECUTE_READ, &was); err != nil {
		return err
	}
	if ok, _, err := flushInstructionCache.Call(uintptr(windows.CurrentProcess()), at, size); ok == 0 {
		return err
	}
	return nil
}

func release(b []byte) { windows.VirtualFree(uintptr(unsafe.Pointer(&b[0])), 0, windows.MEM_RELEASE) }
