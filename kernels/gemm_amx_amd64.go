//go:build linux && amd64 && !purego

package kernels

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/klauspost/cpuid/v2"

	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

// amx is AVX512 with products of BF16s on tiles, nil where the machine lacks them or the system refuses a process
// their state. It is asked for its permission once, by who wants the level.
var amx = sync.OnceValue(func() *Level {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	if AVX512 == nil || !cpuid.CPU.Supports(cpuid.AMXTILE, cpuid.AMXBF16) {
		return nil
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0); errno != 0 {
		return nil
	}
	l := *AVX512
	l.Name, l.Base = "amx", AVX512.Name
	l.Gemm[dtype.BF16] = GemmKernel{MR: tileRows, NR: tileRows, Strip: stripAMX, PackB: asm.PackBF32AVX512,
		pairing: pairing{Chunk: 16, ByRows: true, ZipA: asm.ZipBAVX512, ZipB: asm.ZipBAVX512}}
	return &l
})

// tileRows is the rows and columns of four tiles of C.
const tileRows = 32

// stripAMX is GemmKernel's Strip: whole tiles where they belong, the others by way of a copy.
func stripAMX(k int, a unsafe.Pointer, _, _, aPanel int, b unsafe.Pointer, _ int, c unsafe.Pointer, cRow int, m, n int, add bool, _ unsafe.Pointer, _, _ int) {
	whole := 0
	if n == tileRows {
		if whole = m / tileRows; whole > 0 {
			asm.StripAMX(k/16, a, 4*k, b, c, cRow, whole, add)
		}
	}
	for i := whole * tileRows; i < m; i += tileRows {
		var t [tileRows][tileRows]float32
		rows, ci := min(tileRows, m-i), unsafe.Add(c, i*cRow)
		if add {
			for r := range rows {
				copy(t[r][:n], unsafe.Slice((*float32)(unsafe.Add(ci, r*cRow)), n))
			}
		}
		asm.StripAMX(k/16, unsafe.Add(a, i/tileRows*aPanel), 4*k, b, unsafe.Pointer(&t), 4*tileRows, 1, add)
		for r := range rows {
			copy(unsafe.Slice((*float32)(unsafe.Add(ci, r*cRow)), n), t[r][:n])
		}
	}
}
