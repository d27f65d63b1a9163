package kernels

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Every reduction of float64 rows against a plain loop over the stated lanes and tree, bit for bit.
func TestFold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	plain := [NumReductions]struct {
		start float64
		f     func(a, b float64) float64
	}{
		Sum:  {0, func(a, b float64) float64 { return a + b }},
		Prod: {1, func(a, b float64) float64 { return a * b }},
		Max:  {math.Inf(-1), func(a, b float64) float64 { return max(a, b) }},
		Min:  {math.Inf(1), func(a, b float64) float64 { return min(a, b) }},
	}
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5e-324}
	for _, level := range distinct() {
		for r, want := range plain {
			for n := range 68 {
				x := make([]float64, n+1)[:n:n]
				for i := range x {
					x[i] = rng.NormFloat64()
					if rng.IntN(40) == 0 {
						x[i] = special[rng.IntN(len(special))]
					}
				}
				var lanes, oracle [16]float64
				for i := range oracle {
					oracle[i] = want.start
				}
				for i, v := range x {
					oracle[i%16] = want.f(oracle[i%16], v)
				}
				for h := 8; h > 0; h /= 2 {
					for i := range h {
						oracle[i] = want.f(oracle[i], oracle[i+h])
					}
				}
				p := unsafe.Pointer(&lanes)
				InitLanes(p, Reduction(r), dtype.F64)
				level.Fold(Reduction(r), dtype.F64)(p, unsafe.Pointer(unsafe.SliceData(x)), n)
				FinishLanes(p, Reduction(r), dtype.F64)
				if math.Float64bits(lanes[0]) != math.Float64bits(oracle[0]) && !(lanes[0] != lanes[0] && oracle[0] != oracle[0]) {
					t.Fatalf("%s: reduction %d of %d elements: %v, want %v", level.Name, r, n, lanes[0], oracle[0])
				}
			}
		}
	}
}

var reductionNames = [NumReductions]string{"sum", "prod", "max", "min"}

// drawRun gives n elements: everyday ones, zeros of both signs, or whatever draw thinks of, NaNs seldom.
func drawRun(rng *rand.Rand, t dtype.Type, n int) []byte {
	x := make([]byte, n*t.Size())
	kind := rng.IntN(3)
	for i := range n {
		bits := draw(rng, t)
		if t.IsFloat() {
			switch {
			case kind == 0 || rng.IntN(64) != 0 && math.IsNaN(number(bits, t)):
				bits = 0
				if rng.IntN(2) == 0 {
					bits = 1 << (8*t.Size() - 1)
				}
			case kind == 1 && rng.IntN(8) != 0:
				if bits = math.Float64bits(rng.NormFloat64()); t == dtype.F32 {
					bits = uint64(math.Float32bits(float32(rng.NormFloat64())))
				}
			}
		}
		put(x, t, i, bits)
	}
	return x
}

// Every level's reductions are pure Go's, bit for bit, at all lengths and offsets, and touch nothing else.
func TestReductions(t *testing.T) {
	const guard = 160
	for _, level := range distinct() {
		for r := range NumReductions {
			for _, ty := range types {
				if (level.Fold(r, ty) == nil) != (ty == dtype.Bool && r < Max) {
					t.Errorf("%s: %s of %v is nil: %v", level.Name, reductionNames[r], ty, level.Fold(r, ty) == nil)
				}
				if level.Fold(r, ty) == nil {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s_%v", level.Name, reductionNames[r], ty), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(uint64(r), uint64(ty)))
					size := ty.Size()
					check := func(what string, to, x []byte, elems int, kernel func(l *Level, to, x unsafe.Pointer)) {
						t.Helper()
						off := rng.IntN(9) * size
						from := make([]byte, off+len(x)+32) // large enough to be aligned
						copy(from[off:], x)
						var got [2][]byte
						for i, l := range []*Level{level, Purego} {
							got[i] = bytes.Repeat([]byte{0xA5}, 2*guard+off+elems*size)
							copy(got[i][guard+off:], to)
							kernel(l, pointer(got[i], guard+off), pointer(from, off))
						}
						for i := range len(got[0]) / size {
							k := i - (guard+off)/size
							if g, w := get(got[0], ty, i), get(got[1], ty, i); !sameElem(g, w, ty) || (k < 0 || k >= elems) && g != get(bytes.Repeat([]byte{0xA5}, 8), ty, 0) {
								t.Fatalf("%s of %d, offset %d: element %d is %x, want %x", what, len(x)/size, off, k, g, w)
							}
						}
					}
					for n := range 301 {
						if testing.Short() && n > 70 && n%23 != 0 {
							continue
						}
						lanes := drawRun(rng, ty, LaneBytes/size)
						check("Fold", lanes, drawRun(rng, ty, n), len(lanes)/size, func(l *Level, to, x unsafe.Pointer) {
							l.Fold(r, ty)(to, x, n)
						})
						check("Accumulate", drawRun(rng, ty, n), drawRun(rng, ty, n), n, func(l *Level, to, x unsafe.Pointer) {
							l.Accumulate(r, ty)(to, x, n)
						})
						rows := rng.IntN(40)
						for range max(1, 40/(n+1)) { // short rows go many at a time
							check(fmt.Sprint("FoldRows ", rows), nil, drawRun(rng, ty, n*rows), rows, func(l *Level, to, x unsafe.Pointer) {
								l.FoldRows(r, ty)(to, x, rows, n)
							})
							rows = rng.IntN(70)
						}
						check(fmt.Sprint("AccumulateRows ", rows), drawRun(rng, ty, n), drawRun(rng, ty, n*rows), n, func(l *Level, to, x unsafe.Pointer) {
							l.AccumulateRows(r, ty)(to, x, rows, n)
						})
					}
				})
			}
		}
	}
}

// FoldRows is InitLanes, Fold and FinishLanes, and may finish lanes where they lie.
func TestFoldRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, level := range distinct() {
		for r := range NumReductions {
			for _, ty := range types {
				if level.Fold(r, ty) == nil {
					continue
				}
				for n := range 200 {
					x := drawRun(rng, ty, n)
					var row, lanes, other [LaneBytes / 8]uint64
					a, b, c := unsafe.Pointer(&row), unsafe.Pointer(&lanes), unsafe.Pointer(&other)
					level.FoldRows(r, ty)(a, unsafe.Pointer(unsafe.SliceData(x)), 1, n)
					InitLanes(b, r, ty)
					level.Fold(r, ty)(b, unsafe.Pointer(unsafe.SliceData(x)), n)
					other = lanes
					FinishLanes(b, r, ty)
					level.FoldRows(r, ty)(c, c, 1, LaneBytes/ty.Size())
					y, z, w := get(unsafe.Slice((*byte)(a), 8), ty, 0), get(unsafe.Slice((*byte)(b), 8), ty, 0), get(unsafe.Slice((*byte)(c), 8), ty, 0)
					if !sameElem(y, z, ty) || !sameElem(w, z, ty) {
						t.Fatalf("%s: %s of %d %v: %x as a row, %x as lanes, want %x", level.Name, reductionNames[r], n, ty, y, w, z)
					}
				}
			}
		}
	}
}

func BenchmarkReduce(b *testing.B) {
	const n = 4096
	x, acc := make([]byte, 8*n), make([]byte, 8*n)
	for _, l := range distinct() {
		for _, ty := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
			for r := range NumReductions {
				bench := func(name string, elems int, f func(to, x unsafe.Pointer)) {
					b.Run(fmt.Sprintf("%s/%s_%v/%s", l.Name, reductionNames[r], ty, name), func(b *testing.B) {
						for b.Loop() {
							f(unsafe.Pointer(&acc[0]), unsafe.Pointer(&x[0]))
						}
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns")
						b.ReportMetric(float64(b.N*elems*ty.Size())/float64(b.Elapsed().Nanoseconds()), "GB/s")
					})
				}
				fold, rows, accumulate := l.Fold(r, ty), l.FoldRows(r, ty), l.AccumulateRows(r, ty)
				bench("fold4096", n, func(to, x unsafe.Pointer) { fold(to, x, n) })
				bench("rows100x10", 1000, func(to, x unsafe.Pointer) { rows(to, x, 100, 10) })
				bench("rows40x100", n, func(to, x unsafe.Pointer) { rows(to, x, 40, 100) })
				bench("rows4x1000", n, func(to, x unsafe.Pointer) { rows(to, x, 4, 1000) })
				bench("columns4x1024", n, func(to, x unsafe.Pointer) { accumulate(to, x, 4, 1024) })
				bench("columns100x10", 1000, func(to, x unsafe.Pointer) { accumulate(to, x, 100, 10) })
			}
		}
	}
}

// The first that is wanted is found wherever it is, in rows of all lengths, and a NaN is found as one.
func TestFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, level := range distinct() {
		for _, ty := range []dtype.Type{dtype.I32, dtype.I64, dtype.F32, dtype.F64} {
			size := ty.Size()
			for n := 1; n <= 150; n++ {
				rows := 1 + rng.IntN(5)
				x, want := make([]byte, rows*n*size), make([]byte, rows*size)
				for i := range rows {
					k := rng.IntN(n) // the rest, zeros of both signs among them, is not equal to it
					for j := range n {
						put(x, ty, i*n+j, sample4(ty, rng.IntN(3)))
					}
					v := sample4(ty, 3)
					if rng.IntN(3) == 0 {
						v = sample4(ty, 0)
						for j := range k {
							put(x, ty, i*n+j, sample4(ty, 2))
						}
					}
					put(x, ty, i*n+k, v)
					put(want, ty, i, v)
				}
				got := make([][]int64, 2)
				for k, l := range []*Level{level, Purego} {
					got[k] = slices.Repeat([]int64{-7}, rows+1)
					l.FirstOf(ty)(unsafe.Pointer(&got[k][0]), pointer(x, 0), pointer(want, 0), rows, n)
				}
				if !slices.Equal(got[0], got[1]) || got[0][rows] != -7 {
					t.Fatalf("%s: %v, rows of %d: %v, want %v", level.Name, ty, n, got[0], got[1])
				}
			}
		}
	}
}

// Columns' extremes and where they are, of numbers with many ties, NaNs and zeros of both signs, of all widths, at any offset.
func TestExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 11))
	for _, level := range distinct() {
		for _, ty := range []dtype.Type{dtype.I32, dtype.I64, dtype.F32, dtype.F64} {
			size := ty.Size()
			for n := 1; n <= 70; n++ {
				for _, most := range []bool{false, true} {
					rows, stride, shift := rng.IntN(12), n+rng.IntN(3), rng.IntN(4)*4
					x := make([]byte, shift+(rows+1)*stride*size)
					for i := range (rows + 1) * stride {
						put(x[shift:], ty, i, sample4(ty, min(3, rng.IntN(5))))
					}
					room := n*size + ExtremesPad
					var best, at [2][]byte
					for k, l := range []*Level{level, Purego} {
						best[k], at[k] = make([]byte, room), make([]byte, room)
						copy(best[k], x[shift:shift+n*size])
						for j := range at[k][:n*size] {
							at[k][j] = 0xff
						}
						l.ExtremesOf(ty, most)(pointer(best[k], 0), pointer(at[k], 0), pointer(x, shift), rows, n, stride*size, 1000)
					}
					if !bytes.Equal(best[0][:n*size], best[1][:n*size]) || !bytes.Equal(at[0][:n*size], at[1][:n*size]) {
						t.Fatalf("%s: %v, most %v, %d rows of %d: %x at %x, want %x at %x", level.Name, ty, most, rows, n, best[0], at[0], best[1], at[1])
					}
				}
			}
		}
	}
}

// Extremes so far, along rows and down them: of elements some of which are equal, zeros of both signs and NaNs among them, or none.
func TestSoFar(t *testing.T) {
	const guard = 64
	rng := rand.New(rand.NewPCG(9, 13))
	for _, level := range distinct() {
		for _, ty := range []dtype.Type{dtype.I32, dtype.I64, dtype.F32, dtype.F64} {
			size := ty.Size()
			for n := range 100 {
				for _, most := range []bool{false, true} {
					rows, off := rng.IntN(5), rng.IntN(9)*size
					x, last := append(make([]byte, off), drawRun(rng, ty, (rows+1)*n)...), append(make([]byte, off), drawRun(rng, ty, n)...)
					if rng.IntN(3) == 0 {
						for i := range rows * n {
							put(x[off:], ty, i, sample4(ty, min(3, rng.IntN(40))))
						}
					}
					x, last = append(x, 0), append(last, 0)
					var got [2][2][]byte
					for k, l := range []*Level{level, Purego} {
						for j := range got[k] {
							got[k][j] = bytes.Repeat([]byte{0xA5}, 2*guard+off+rows*n*size+n*size)
						}
						f := l.SoFarOf(ty, most)
						f.Rows(pointer(got[k][0], guard+off), pointer(x, off), rows, n)
						f.Next(pointer(got[k][1], guard+off), pointer(last, off), pointer(x, off), n)
					}
					for j, elems := range []int{rows * n, n} {
						for i := range len(got[0][j]) / size {
							k := i - (guard+off)/size
							if g, w := get(got[0][j], ty, i), get(got[1][j], ty, i); !sameElem(g, w, ty) || (k < 0 || k >= elems) && g != get(bytes.Repeat([]byte{0xA5}, 8), ty, 0) {
								t.Fatalf("%s: %v, most %v, %d rows of %d, down %d: element %d is %x, want %x", level.Name, ty, most, rows, n, j, k, g, w)
							}
						}
					}
				}
			}
		}
	}
}

// Elements above their segments' largest ones are found in order, numbers among NaNs and the other way round, and ids that are none of a segment.
func TestAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 12))
	for _, level := range distinct() {
		for _, ty := range []dtype.Type{dtype.F32, dtype.F64} {
			above := level.Above[ty]
			if above == nil {
				continue
			}
			for range 300 {
				n, m := 16*rng.IntN(6), 1+rng.IntN(20)
				x, y, ids := make([]byte, (n+1)*ty.Size()), make([]byte, m*ty.Size()), make([]int32, n+1)
				for i := range n {
					put(x, ty, i, sample4(ty, rng.IntN(4)))
					ids[i] = int32(rng.IntN(m))
				}
				for i := range m {
					put(y, ty, i, sample4(ty, rng.IntN(4)))
				}
				bad := n > 0 && rng.IntN(5) == 0
				if bad {
					ids[rng.IntN(n)] = []int32{-1, int32(m), math.MinInt32, math.MaxInt32}[rng.IntN(4)]
				}
				got := make([]int32, n+16)
				k := above(unsafe.Pointer(&got[0]), pointer(x, 0), pointer(y, 0), unsafe.Pointer(&ids[0]), n, m)
				var want []int32
				for i := range n {
					if !bad && !lessOrEqual(x, y, ty, i, int(ids[i])) {
						want = append(want, int32(i))
					}
				}
				if bad != (k < 0) || !bad && !slices.Equal(got[:k], want) {
					t.Fatalf("%s: %v, %d of %d segments, bad %v: %d, %v, want %v", level.Name, ty, n, m, bad, k, got, want)
				}
			}
		}
	}
}

func lessOrEqual(x, y []byte, ty dtype.Type, i, k int) bool {
	if ty == dtype.F32 {
		return *(*float32)(pointer(x, 4*i)) <= *(*float32)(pointer(y, 4*k))
	}
	return *(*float64)(pointer(x, 8*i)) <= *(*float64)(pointer(y, 8*k))
}

// sample4 is one of four bit patterns: 0, its like with the sign, 1, and NaN or a number with the sign.
func sample4(t dtype.Type, k int) uint64 {
	switch t {
	case dtype.F32:
		return [...]uint64{0, 1 << 31, 0x3f800000, 0x7fc00001}[k]
	case dtype.F64:
		return [...]uint64{0, 1 << 63, 0x3ff0000000000000, 0x7ff8000000000001}[k]
	}
	return [...]uint64{0, 2, 1, 1 << (8*t.Size() - 1)}[k]
}
