package kernels

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Reduction is what a fold does.
type Reduction uint8

const (
	Sum Reduction = iota
	Prod
	Max // NaN if any element is; max(-0, 0) = 0; of Bool: or
	Min // NaN if any element is; min(-0, 0) = -0; of Bool: and
	NumReductions
)

// LaneBytes is the size of a fold's virtual lanes: 32 of four bytes, 16 of eight, 128 of one.
const LaneBytes = 128

// Fold folds n elements into the lanes: lanes[i % L] = lanes[i % L] ∘ src[i].
type Fold func(lanes, src unsafe.Pointer, n int)

// FoldRows reduces rows of n elements each, one behind the other: dst[i] is what InitLanes, a Fold of
// row i and FinishLanes leave in lane 0. dst may be src.
type FoldRows func(dst, src unsafe.Pointer, rows, n int)

// Accumulate folds element by element: acc[j] = acc[j] ∘ src[j], j < n.
type Accumulate func(acc, src unsafe.Pointer, n int)

// AccumulateRows is an Accumulate of each of rows, one behind the other, in order.
type AccumulateRows func(acc, src unsafe.Pointer, rows, n int)

// First sets at[r], an int64, to where in row r of n elements the first is that is want[r] or a NaN; one is.
type First func(at, x, want unsafe.Pointer, rows, n int)

// FirstOf returns the search among elements of type t, which is no Bool.
func (l *Level) FirstOf(t dtype.Type) First {
	if f := l.First[t]; f != nil {
		return f
	}
	return pureFirst[t]
}

var pureFirst = [dtype.Count]First{dtype.I32: first[int32], dtype.I64: first[int64], dtype.F32: first[float32], dtype.F64: first[float64]}

func first[T int32 | int64 | float32 | float64](at, x, want unsafe.Pointer, rows, n int) {
	all, to, of := unsafe.Slice((*T)(x), rows*n), unsafe.Slice((*int64)(at), rows), unsafe.Slice((*T)(want), rows)
	for r, v := range of {
		to[r] = int64(slices.IndexFunc(all[r*n:(r+1)*n], func(u T) bool { return u == v || u != u }))
	}
}

// Extremes makes best[j] the more extreme of it and column j of rows of n elements, stride bytes apart, and at[j], an integer of the
// elements' size, the row's number where that changes: rows count from from on. The first of equals stays, and a NaN is more extreme than
// any number. best and at have room for ExtremesPad more bytes.
type Extremes func(best, at, x unsafe.Pointer, rows, n, stride, from int)

// ExtremesPad is a vector's bytes.
const ExtremesPad = 64

// ExtremesOf returns the search in columns of elements of type t, which is no Bool, for the greatest or the least.
func (l *Level) ExtremesOf(t dtype.Type, most bool) Extremes {
	k := 0
	if most {
		k = 1
	}
	if f := l.Extremes[k][t]; f != nil {
		return f
	}
	return pureExtremes[k][t]
}

var pureExtremes = [2][dtype.Count]Extremes{
	{dtype.I32: least[int32, int32], dtype.I64: least[int64, int64], dtype.F32: least[float32, int32], dtype.F64: least[float64, int64]},
	{dtype.I32: greatest[int32, int32], dtype.I64: greatest[int64, int64], dtype.F32: greatest[float32, int32], dtype.F64: greatest[float64, int64]},
}

// A NaN compares with nothing: it takes the place of a number and keeps it.
func least[T int32 | int64 | float32 | float64, I int32 | int64](best, at, x unsafe.Pointer, rows, n, stride, from int) {
	to, where := unsafe.Slice((*T)(best), n), unsafe.Slice((*I)(at), n)
	for i := range rows {
		for j, v := range unsafe.Slice((*T)(unsafe.Add(x, i*stride)), n) {
			if b := to[j]; !(v >= b) && b == b {
				to[j], where[j] = v, I(from+i)
			}
		}
	}
}

func greatest[T int32 | int64 | float32 | float64, I int32 | int64](best, at, x unsafe.Pointer, rows, n, stride, from int) {
	to, where := unsafe.Slice((*T)(best), n), unsafe.Slice((*I)(at), n)
	for i := range rows {
		for j, v := range unsafe.Slice((*T)(unsafe.Add(x, i*stride)), n) {
			if b := to[j]; !(v <= b) && b == b {
				to[j], where[j] = v, I(from+i)
			}
		}
	}
}

// SoFar are extremes of what came so far: of equal elements the first, NaN where one is.
type SoFar struct {
	// Rows are those along rows of n elements, one behind the other.
	Rows func(y, x unsafe.Pointer, rows, n int)
	// Next is y[j], the extreme of last[j] and x[j] behind it.
	Next func(y, last, x unsafe.Pointer, n int)
}

// SoFarOf returns those of elements of type t, which is no Bool: the greatest or the least.
func (l *Level) SoFarOf(t dtype.Type, most bool) SoFar {
	k := 0
	if most {
		k = 1
	}
	if f := l.SoFar[k][t]; f.Rows != nil {
		return f
	}
	return pureSoFar[k][t]
}

var pureSoFar = [2][dtype.Count]SoFar{
	{dtype.I32: soFar[int32](false), dtype.I64: soFar[int64](false), dtype.F32: soFar[float32](false), dtype.F64: soFar[float64](false)},
	{dtype.I32: soFar[int32](true), dtype.I64: soFar[int64](true), dtype.F32: soFar[float32](true), dtype.F64: soFar[float64](true)},
}

// Nothing is beyond a NaN but one.
func soFar[T int32 | int64 | float32 | float64](most bool) SoFar {
	beyond := func(v, last T) bool { return most && v > last || !most && v < last || v != v }
	return SoFar{
		Rows: func(y, x unsafe.Pointer, rows, n int) {
			for i := range rows {
				to, from := unsafe.Slice((*T)(y), rows*n)[i*n:][:n], unsafe.Slice((*T)(x), rows*n)[i*n:][:n]
				for k, v := range from {
					if k > 0 && !beyond(v, to[k-1]) {
						v = to[k-1]
					}
					to[k] = v
				}
			}
		},
		Next: func(y, last, x unsafe.Pointer, n int) {
			to, before := unsafe.Slice((*T)(y), n), unsafe.Slice((*T)(last), n)
			for j, v := range unsafe.Slice((*T)(x), n) {
				if !beyond(v, before[j]) {
					v = before[j]
				}
				to[j] = v
			}
		},
	}
}

// ReductionKernel is what a level brings to a reduction of one type.
type ReductionKernel struct {
	Fold           Fold
	FoldRows       FoldRows
	AccumulateRows AccumulateRows
}

func (l *Level) reduction(r Reduction, t dtype.Type) ReductionKernel {
	if k := l.Reductions[r][t]; k.Fold != nil {
		return k
	}
	return pureReductions[t][r].ReductionKernel
}

// Fold returns the fold of elements of type t, nil where there is none (sums and products of Bool).
func (l *Level) Fold(r Reduction, t dtype.Type) Fold { return l.reduction(r, t).Fold }

// FoldRows returns that of elements of type t, nil where there is none.
func (l *Level) FoldRows(r Reduction, t dtype.Type) FoldRows { return l.reduction(r, t).FoldRows }

// AccumulateRows returns that of elements of type t, nil where there is none.
func (l *Level) AccumulateRows(r Reduction, t dtype.Type) AccumulateRows {
	return l.reduction(r, t).AccumulateRows
}

// Accumulate returns the accumulation of elements of type t, nil where there is none.
func (l *Level) Accumulate(r Reduction, t dtype.Type) Accumulate {
	f := l.AccumulateRows(r, t)
	if f == nil {
		return nil
	}
	return func(acc, src unsafe.Pointer, n int) { f(acc, src, 1, n) }
}

// InitLanes fills the lanes with the value that a fold starts from: +0, 1, the least, the greatest.
func InitLanes(lanes unsafe.Pointer, r Reduction, t dtype.Type) {
	InitAccumulator(lanes, r, t, LaneBytes/t.Size())
}

// InitAccumulator does the same for n elements of an accumulator.
func InitAccumulator(acc unsafe.Pointer, r Reduction, t dtype.Type, n int) {
	Fill(acc, pureReductions[t][r].start, t.Size(), n)
}

// FinishLanes folds the lanes into lane 0 by halving: lane[i] = lane[i] ∘ lane[i + h], h = L/2 … 1.
func FinishLanes(lanes unsafe.Pointer, r Reduction, t dtype.Type) {
	f := pureReductions[t][r].AccumulateRows
	for h := LaneBytes / t.Size() / 2; h > 0; h /= 2 {
		f(lanes, unsafe.Add(lanes, h*t.Size()), 1, h)
	}
}

type pureReduction struct {
	start uint64 // its low bytes are what is folded into first
	ReductionKernel
}

var pureReductions = [dtype.Count][NumReductions]pureReduction{
	dtype.Bool: {
		Max: bools(0),
		Min: bools(0x0101010101010101),
	},
	dtype.I32: integers[int32](math.MinInt32, math.MaxInt32),
	dtype.I64: integers[int64](math.MinInt64, math.MaxInt64),
	dtype.F32: floats[float32](),
	dtype.F64: floats[float64](),
}

func integers[T int32 | int64](least, greatest T) [NumReductions]pureReduction {
	return [NumReductions]pureReduction{
		Sum:  pure(0, func(a, b T) T { return a + b }),
		Prod: pure(1, func(a, b T) T { return a * b }),
		Max:  pure(least, func(a, b T) T { return max(a, b) }),
		Min:  pure(greatest, func(a, b T) T { return min(a, b) }),
	}
}

// Go's max and min give NaN for NaN and order the zeros.
func floats[T float32 | float64]() [NumReductions]pureReduction {
	return [NumReductions]pureReduction{
		Sum:  pure(0, func(a, b T) T { return a + b }),
		Prod: pure(1, func(a, b T) T { return a * b }),
		Max:  pure(T(math.Inf(-1)), func(a, b T) T { return max(a, b) }),
		Min:  pure(T(math.Inf(1)), func(a, b T) T { return min(a, b) }),
	}
}

func pure[T int32 | int64 | float32 | float64](start T, f func(a, b T) T) pureReduction {
	size := int(unsafe.Sizeof(start))
	lanes := LaneBytes / size
	fold := func(s, x []T) {
		for i, v := range x {
			l := i & (lanes - 1)
			s[l] = f(s[l], v)
		}
	}
	var bits uint64
	*(*T)(unsafe.Pointer(&bits)) = start
	return pureReduction{
		start: bits,
		ReductionKernel: ReductionKernel{
			Fold: func(to, src unsafe.Pointer, n int) {
				fold(unsafe.Slice((*T)(to), lanes), unsafe.Slice((*T)(src), n))
			},
			FoldRows: func(dst, src unsafe.Pointer, rows, n int) {
				for i := range rows {
					var s [LaneBytes]T // lanes of them
					for l := range s {
						s[l] = start
					}
					fold(s[:lanes], unsafe.Slice((*T)(unsafe.Add(src, i*n*size)), n))
					for h := lanes / 2; h > 0; h /= 2 {
						for l := range h {
							s[l] = f(s[l], s[l+h])
						}
					}
					*(*T)(unsafe.Add(dst, i*size)) = s[0]
				}
			},
			AccumulateRows: func(acc, src unsafe.Pointer, rows, n int) {
				a := unsafe.Slice((*T)(acc), n)
				for i := range rows {
					for j, v := range unsafe.Slice((*T)(unsafe.Add(src, i*n*size)), n) {
						a[j] = f(a[j], v)
					}
				}
			},
		},
	}
}

// bools is the or of bytes 0 and 1, eight at a time, and where flip is not 0 the and: the or of their opposites.
// It is not inlined in the package's initialization, which is so large that what its loops call would not be inlined in turn.
//
//go:noinline
func bools(flip uint64) pureReduction {
	or := func(to, x []byte) { // to[i] or x[i]
		x = x[:len(to)]
		for ; len(to) >= 8; to, x = to[8:], x[8:] {
			binary.NativeEndian.PutUint64(to, ((binary.NativeEndian.Uint64(to)^flip)|(binary.NativeEndian.Uint64(x)^flip))^flip)
		}
		for i, v := range x {
			to[i] = ((to[i] ^ byte(flip)) | (v ^ byte(flip))) ^ byte(flip)
		}
	}
	return pureReduction{
		start: flip,
		ReductionKernel: ReductionKernel{
			Fold: func(to, src unsafe.Pointer, n int) {
				s, x := unsafe.Slice((*byte)(to), LaneBytes), unsafe.Slice((*byte)(src), n)
				for ; len(x) >= LaneBytes; x = x[LaneBytes:] {
					or(s, x)
				}
				or(s[:len(x)], x)
			},
			FoldRows: func(dst, src unsafe.Pointer, rows, n int) {
				d, all := unsafe.Slice((*byte)(dst), rows), unsafe.Slice((*byte)(src), rows*n)
				for r := range d {
					x := all[r*n : (r+1)*n]
					var a, b, c, e uint64
					for ; len(x) >= 32; x = x[32:] {
						a |= binary.NativeEndian.Uint64(x) ^ flip
						b |= binary.NativeEndian.Uint64(x[8:]) ^ flip
						c |= binary.NativeEndian.Uint64(x[16:]) ^ flip
						e |= binary.NativeEndian.Uint64(x[24:]) ^ flip
					}
					a |= b | c | e
					for _, v := range x {
						a |= uint64(v ^ byte(flip))
					}
					d[r] = byte(flip)
					if a != 0 {
						d[r] ^= 1
					}
				}
			},
			AccumulateRows: func(acc, src unsafe.Pointer, rows, n int) {
				a := unsafe.Slice((*byte)(acc), n)
				for i := range rows {
					or(a, unsafe.Slice((*byte)(unsafe.Add(src, i*n)), n))
				}
			},
		},
	}
}
