package jit

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// Elements that are apart are read, and nothing before the first or behind the last of them: there are no pages.
func TestApartStaysWithin(t *testing.T) {
	const size = 1 << 16
	page := syscall.Getpagesize()
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(all)
	for _, part := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(part, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	memory := all[page : page+size]
	for _, isa := range isas(t) {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
			for _, stride := range []int{-1, 2, -2, 3, -5, 8, -8, 9, 31, -100} {
				b := vec.NewBuilder(typ)
				y := b.Add(b.Input(0), b.Input(0))
				p := &Program{In: []In{{T: typ, Stride: int32(stride)}}, Code: b.Code(), Out: []Out{{T: typ, V: y, At: len(b.Code())}}, Masks: true}
				f := p.Assemble(isa)
				if err := Map(f); err != nil {
					t.Fatal(err)
				}
				for n := 1; n < 70; n++ {
					for _, end := range []bool{false, true} {
						checkApart(t, isa, f, typ, memory, stride, n, end)
					}
				}
			}
		}
	}
}

func checkApart(t *testing.T, isa ISA, f *Func, typ dtype.Type, memory []byte, stride, n int, end bool) {
	t.Helper()
	size := typ.Size()
	bytes := ((n-1)*max(stride, -stride) + 1) * size
	x := memory[:bytes]
	if end {
		x = memory[len(memory)-bytes:]
	}
	fill(rand.New(rand.NewPCG(uint64(n), 1)), typ, x)
	first := 0
	if stride < 0 {
		first = bytes - size
	}
	got, args := make([]byte, n*size), make([]uintptr, f.Words())
	args[ArgN], args[ArgTail] = f.Split(n)
	args[ArgRows] = 1
	args[ArgArrays], args[ArgArrays+2] = uintptr(unsafe.Pointer(&x[first])), uintptr(unsafe.Pointer(&got[0]))
	f.Run(args)
	want := make([]byte, n*size)
	for i := range n {
		from := unsafe.Pointer(&x[first+i*stride*size])
		if to := unsafe.Pointer(&want[i*size]); typ == dtype.F32 {
			*(*float32)(to) = *(*float32)(from) + *(*float32)(from)
		} else {
			*(*float64)(to) = *(*float64)(from) + *(*float64)(from)
		}
	}
	if k := differ(typ, got, want); k >= 0 {
		t.Errorf("%v, %v, %d elements %d apart: element %d", isa, typ, n, stride, k)
	}
	runtime.KeepAlive(got)
}
