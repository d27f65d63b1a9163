package kernels

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// Random views, loaded and stored in random pieces, against indices computed one by one.
func TestView(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 3000 {
		rank, size := rng.IntN(5), []int{1, 2, 4, 8}[round%4]
		dims, strides := make([]int, rank), make([]int, rank)
		total, room, base := 1, 1, 0
		for i := range dims {
			dims[i] = 1 + rng.IntN(5)
			if rank <= 2 {
				dims[i] = 1 + rng.IntN(70)
			}
			total *= dims[i]
		}
		repeated := -1
		if rank > 0 && rng.IntN(3) == 0 {
			repeated = rng.IntN(rank)
		}
		for _, i := range rng.Perm(rank) { // distinct places unless a stride is 0
			if i == repeated {
				continue
			}
			strides[i] = room * (1 + rng.IntN(4)/3)
			room = strides[i]*(dims[i]-1) + room
			if rng.IntN(6) == 0 {
				base += strides[i] * (dims[i] - 1)
				strides[i] = -strides[i]
			}
		}
		random := func(n int) []byte {
			b := make([]byte, n*size)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
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
		const guard = 8 // elements on both sides
		src, got, back := random(room), random(total+2*guard), random(room)
		gotBefore, backWant := bytes.Clone(got), bytes.Clone(back)
		at := func(b []byte, i int) unsafe.Pointer { return unsafe.Pointer(&b[i*size]) }
		elem := func(b []byte, i int) string { return string(b[i*size : (i+1)*size]) }
		for k := 0; k < total; {
			n := 1 + rng.IntN(total-k)
			v.Load(at(got, guard+k), at(src, base), size, k, n)
			if repeated < 0 {
				v.Store(at(back, base), at(got, guard+k), size, k, n)
			}
			k += n
		}
		for i, off := range want {
			if elem(got, guard+i) != elem(src, off) {
				t.Fatalf("%v %v of %d bytes: element %d is %x, want %x", dims, strides, size, i, elem(got, guard+i), elem(src, off))
			}
			if repeated < 0 {
				copy(backWant[off*size:], elem(src, off))
			}
		}
		if !bytes.Equal(back, backWant) {
			t.Fatalf("%v %v of %d bytes: stored wrongly", dims, strides, size)
		}
		for i := range guard * size {
			if j := len(got) - 1 - i; got[i] != gotBefore[i] || got[j] != gotBefore[j] {
				t.Fatalf("%v %v of %d bytes: wrote beside the packed elements", dims, strides, size)
			}
		}
	}
}

func TestFill(t *testing.T) {
	for _, size := range []int{1, 4, 8} {
		for n := range 300 {
			got, want := bytes.Repeat([]byte{7}, (n+9)*size), bytes.Repeat([]byte{7}, (n+9)*size)
			for i := range n * size {
				want[(n%8)*size+i] = byte(uint64(0xf123456789abcdef) >> (i % size * 8))
			}
			Fill(unsafe.Pointer(&got[n%8*size]), 0xf123456789abcdef, size, n)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d of %d bytes: %x, want %x", n, size, got, want)
			}
		}
	}
}

// Elements of every size, some apart, from all lengths and offsets: taken, put among others, woven; nothing beside them is read or written.
func TestWeave(t *testing.T) {
	const most, guard = 140, 8
	rng := rand.New(rand.NewPCG(7, 8))
	for _, size := range []int{1, 2, 4, 8} {
		elem := func(b []byte, i int) []byte { return b[i*size : (i+1)*size] }
		at := func(b []byte, i int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b[i*size:])) }
		random := func(n int) []byte {
			b := make([]byte, n*size)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		}
		for k := 1; k <= 6; k++ {
			for n := range most {
				off := n % 5
				whole := random(k*max(0, n-1) + 1 + off)
				got := random(n + 2*guard)
				want := bytes.Clone(got)
				for i := range n {
					copy(elem(want, guard+i), elem(whole, off+k*i))
				}
				last := at(whole[:len(whole):len(whole)], off) // the end of an allocation
				(&View{1, [MaxRank]int{n}, [MaxRank]int{k}}).Load(at(got, guard), last, size, 0, n)
				if !bytes.Equal(got, want) {
					t.Fatalf("%d elements of %d bytes, %d apart: %x, not %x", n, size, k, got, want)
				}
				if k == 1 {
					continue
				}
				parts, together := make([][]byte, k), random(k*n+2*guard)
				want = bytes.Clone(together)
				side := random(k * (n + 3))
				for j := range parts {
					parts[j] = random(n + off)
					for i := range n {
						copy(elem(want, guard+k*i+j), elem(parts[j], off+i))
						copy(elem(side, j*(n+3)+i), elem(parts[j], off+i))
					}
				}
				turned := bytes.Clone(together)
				Transpose(at(turned, guard), k*size, at(side, 0), (n+3)*size, n, k, size)
				if !bytes.Equal(turned, want) {
					t.Fatalf("%d columns of %d elements of %d bytes: %x, not %x", k, n, size, turned, want)
				}
				if k <= maxWoven {
					var src [maxWoven]unsafe.Pointer
					for j := range parts {
						src[j] = at(parts[j], off)
					}
					if Weave(at(together, guard), &src, k, n, size); !bytes.Equal(together, want) {
						t.Fatalf("%d arrays of %d elements of %d bytes: %x, not %x", k, n, size, together, want)
					}
				}
			}
		}
	}
}

// Rows go past the caches as Store puts them, wherever they begin, whole and parts.
func TestViewStream(t *testing.T) {
	for _, s := range []struct{ dims, strides []int }{
		{[]int{1000}, []int{1}},
		{[]int{9, 64}, []int{128, 1}},
		{[]int{3, 5, 32}, []int{512, 64, 1}},
		{[]int{3, 5, 33}, []int{512, 65, 1}},
		{[]int{20, 7}, []int{31, 1}},
		{[]int{12, 32}, []int{-64, 1}},
		{[]int{30, 20}, []int{1, 30}},
	} {
		v, _ := MakeView(s.dims, s.strides)
		elems, room, first := 1, 1, 0
		for i, d := range s.dims {
			elems *= d
			room += (d - 1) * max(s.strides[i], -s.strides[i])
			first += (d - 1) * max(0, -s.strides[i])
		}
		src := make([]uint32, elems)
		for i := range src {
			src[i] = uint32(i + 1)
		}
		for _, off := range []int{0, 1, 8, 16} {
			for _, part := range [][2]int{{0, elems}, {5, elems - 5}, {elems / 2, elems}, {1, 2}} {
				got, want := make([]uint32, room+48), make([]uint32, room+48)
				first := first + off + int(-uintptr(unsafe.Pointer(&got[0]))%64)/4
				for start := part[0]; start < part[1]; start += 700 {
					n := min(700, part[1]-start)
					v.Stream(unsafe.Pointer(&got[first]), unsafe.Pointer(&src[start]), 4, start, n)
					v.Store(unsafe.Pointer(&want[first]), unsafe.Pointer(&src[start]), 4, start, n)
				}
				if StreamEnd(); !slices.Equal(got, want) {
					t.Errorf("%v by %v, %v to offset %d: %v, not %v", s.dims, s.strides, part, off, got, want)
				}
			}
		}
	}
}

func TestMovesAllocate(t *testing.T) {
	v, _ := MakeView([]int{40, 30}, []int{1, 40})
	x, y := make([]uint32, 1200), make([]uint32, 1200)
	if n := testing.AllocsPerRun(10, func() {
		Fill(unsafe.Pointer(&x[0]), 7, 4, 100)
		v.Load(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), 4, 0, 1200)
		v.Store(unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), 4, 0, 1200)
	}); n != 0 {
		t.Errorf("moves allocate %v times", n)
	}
}

// What tiles of 4 KiB of a view cost, and the whole at once.
func BenchmarkView(b *testing.B) {
	for _, s := range []struct {
		name          string
		dims, strides []int
	}{
		{"contiguous", []int{1024 * 1024}, []int{1}},
		{"row_10", []int{100000, 10}, []int{0, 1}},
		{"row_512", []int{2048, 512}, []int{0, 1}},
		{"column_10", []int{100000, 10}, []int{1, 0}},
		{"column_512", []int{2048, 512}, []int{1, 0}},
		{"slice_10of20", []int{50000, 10}, []int{20, 1}},
		{"slice_500of512", []int{2048, 500}, []int{512, 1}},
		{"transposed_1024x1024", []int{1024, 1024}, []int{1, 1024}},
		{"transposed_1000x1000", []int{1000, 1000}, []int{1, 1000}},
		{"transposed_10x100000", []int{10, 100000}, []int{1, 10}},
		{"transposed_100000x10", []int{100000, 10}, []int{1, 100000}},
		{"transposed_64x32x32", []int{64, 32, 32}, []int{1024, 1, 32}},
		{"transposed_100x3x5", []int{10000, 3, 5}, []int{15, 1, 3}},
		{"step2", []int{500000}, []int{2}},
	} {
		v, _ := MakeView(s.dims, s.strides)
		elems, room := 1, 1
		for i, d := range s.dims {
			elems *= d
			room += (d - 1) * s.strides[i]
		}
		for _, size := range []int{4, 8} {
			strided, packed := make([]byte, room*size), make([]byte, elems*size)
			bench := func(what string, tile int, move func(p, s unsafe.Pointer, size, start, n int)) {
				b.Run(fmt.Sprintf("%s/%dB/%s", s.name, size, what), func(b *testing.B) {
					for b.Loop() {
						for at := 0; at < elems; at += tile {
							to := packed
							if tile < elems {
								to = packed[:4096]
							}
							move(unsafe.Pointer(&to[0]), unsafe.Pointer(&strided[0]), size, at, min(tile, elems-at))
						}
					}
					b.ReportMetric(float64(b.N*elems*size)/float64(b.Elapsed().Nanoseconds()), "GB/s")
				})
			}
			bench("load/tiles", 4096/size, v.Load)
			bench("load/whole", elems, v.Load)
			if s.strides[0] != 0 && s.strides[len(s.strides)-1] != 0 {
				bench("store/whole", elems, func(p, s unsafe.Pointer, size, start, n int) { v.Store(s, p, size, start, n) })
			}
		}
	}
}

// Every length up to some groups of lines, from and to all offsets; what is around stays as it is.
func TestStream(t *testing.T) {
	src := make([]byte, 600)
	for i := range src {
		src[i] = byte(i*7 + 1)
	}
	for n := range 400 {
		for _, off := range []int{0, 1, 4, 8, 31, 32, 60, 63} {
			dst := make([]byte, 600)
			Stream(unsafe.Pointer(&dst[off]), unsafe.Pointer(&src[n%65]), n)
			StreamEnd()
			want := make([]byte, 600)
			copy(want[off:], src[n%65:][:n])
			if !bytes.Equal(dst, want) {
				t.Fatalf("%d bytes to offset %d", n, off)
			}
		}
	}
}

// What is touched stays what it is, any number of words from any place on.
func TestTouch(t *testing.T) {
	x := make([]uint32, 100)
	for i := range x {
		x[i] = uint32(i)*0x01010101 + 1
	}
	want := slices.Clone(x)
	for n := range 80 {
		for from := range 17 {
			if Touch(unsafe.Pointer(&x[from]), 4*n); !slices.Equal(x, want) {
				t.Fatalf("%d words from %d on changed", n, from)
			}
		}
	}
}
