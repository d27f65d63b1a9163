package kernels

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// Random views, loaded and stored in random pieces, against indices computed one by one.
func TestView(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		rank := rng.IntN(5)
		dims, strides := make([]int, rank), make([]int, rank)
		total, room, base := 1, 1, 0
		for i := range dims {
			dims[i] = 1 + rng.IntN(5)
			total *= dims[i]
		}
		for _, i := range rng.Perm(rank) { // distinct places unless a stride is 0
			strides[i] = room * (1 + rng.IntN(2))
			room = strides[i]*(dims[i]-1) + room
			if rng.IntN(3) == 0 {
				base += strides[i] * (dims[i] - 1)
				strides[i] = -strides[i]
			}
		}
		src := make([]uint32, room)
		for i := range src {
			src[i] = rng.Uint32()
		}
		want := make([]int, total)
		for i := range want {
			k, off := i, base
			for a := rank - 1; a >= 0; a-- {
				off += k % dims[a] * strides[a]
				k /= dims[a]
			}
			want[i] = off
		}
		v, ok := MakeView(dims, strides)
		if !ok {
			t.Fatalf("no view of %v", dims)
		}
		got, back := make([]uint32, total), make([]uint32, room)
		for at := 0; at < total; {
			n := 1 + rng.IntN(total-at)
			v.Load(unsafe.Pointer(&got[at]), unsafe.Pointer(&src[base]), 4, at, n)
			v.Store(unsafe.Pointer(&back[base]), unsafe.Pointer(&got[at]), 4, at, n)
			at += n
		}
		for i, off := range want {
			if got[i] != src[off] || back[off] != src[off] {
				t.Fatalf("%v %v: element %d is %d, stored %d, want %d", dims, strides, i, got[i], back[off], src[off])
			}
		}
	}
}

func TestFill(t *testing.T) {
	var x [3]uint32
	Fill(unsafe.Pointer(&x), 0x1234567890, 4, 2)
	if x != [3]uint32{0x34567890, 0x34567890, 0} {
		t.Fatalf("%x", x)
	}
}
