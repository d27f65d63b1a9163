//go:build amd64 && (linux || darwin || freebsd) && !nojit && !purego

package jit

import "golang.org/x/sys/unix"

func reserve(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func protect(b []byte) error { return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC) }

func release(b []byte) { unix.Munmap(b) }
