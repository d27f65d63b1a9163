package kernels

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// pureGemm is the pure-Go level's GEMM and the definition of every other level's.
var pureGemm = [dtype.Count]GemmKernel{
	dtype.F32:  {MR: 4, NR: 4, Strip: strip[float32], Dot: dot[float32]},
	dtype.F64:  {MR: 4, NR: 4, Strip: strip[float64], Dot: dot[float64]},
	dtype.BF16: {MR: 4, NR: 4, Strip: stripFlushed, pairing: pairing{SplitA: splitPure, SplitB: splitPure}},
	dtype.F16:  {MR: 4, NR: 4, Strip: strip[float32], pairing: pairing{SplitA: widenPure, SplitB: widenPure}},
}

// strip is GemmKernel.Strip with MR = NR = 4. The four sums of a row are there to overlap: one fma in
// Go is a chain of some twenty cycles.
func strip[T float32 | float64](k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int,
	c unsafe.Pointer, cRow int, m, n int, add bool, _ unsafe.Pointer, _, _ int) {
	for i := range m {
		ai := unsafe.Add(a, i/4*aPanel+i%4*aRow)
		var s [4]T
		if n == 4 {
			var s0, s1, s2, s3 T
			for p := range k {
				x, y := *(*T)(unsafe.Add(ai, p*aCol)), (*[4]T)(unsafe.Add(b, p*bRow))
				if unsafe.Sizeof(x) == 4 { // fma written out: it is just too large to be inlined
					x := float32(x)
					s0 = T(fma32(x, float32(y[0]), float32(s0)))
					s1 = T(fma32(x, float32(y[1]), float32(s1)))
					s2 = T(fma32(x, float32(y[2]), float32(s2)))
					s3 = T(fma32(x, float32(y[3]), float32(s3)))
				} else {
					x := float64(x)
					s0 = T(math.FMA(x, float64(y[0]), float64(s0)))
					s1 = T(math.FMA(x, float64(y[1]), float64(s1)))
					s2 = T(math.FMA(x, float64(y[2]), float64(s2)))
					s3 = T(math.FMA(x, float64(y[3]), float64(s3)))
				}
			}
			s = [4]T{s0, s1, s2, s3}
		} else {
			for p := range k {
				x, y := *(*T)(unsafe.Add(ai, p*aCol)), unsafe.Slice((*T)(unsafe.Add(b, p*bRow)), n)
				for j := range y {
					s[j] = fma(x, y[j], s[j])
				}
			}
		}
		ci := unsafe.Slice((*T)(unsafe.Add(c, i*cRow)), n)
		for j := range ci {
			if add {
				ci[j] += s[j]
			} else {
				ci[j] = s[j]
			}
		}
	}
}

// dot is GemmKernel.Dot.
func dot[T float32 | float64](k int, a unsafe.Pointer, aRow int, b, c unsafe.Pointer, cRow int, m int, add bool) {
	lanes := 128 / int(unsafe.Sizeof(T(0)))
	y := unsafe.Slice((*T)(b), k)
	for i := range m {
		x := unsafe.Slice((*T)(unsafe.Add(a, i*aRow)), k)
		var s [32]T
		for j := range x {
			if l := j & (lanes - 1); unsafe.Sizeof(s[0]) == 4 {
				s[l] = T(fma32(float32(x[j]), float32(y[j]), float32(s[l])))
			} else {
				s[l] = T(math.FMA(float64(x[j]), float64(y[j]), float64(s[l])))
			}
		}
		for j := k; j%lanes != 0; j++ {
			s[j%lanes] = fma(0, 0, s[j%lanes]) // makes a −0 that underflowed +0, as whole vectors do
		}
		for h := lanes / 2; h > 0; h /= 2 {
			for l := range h {
				s[l] += s[l+h]
			}
		}
		ci := (*T)(unsafe.Add(c, i*cRow))
		if add {
			*ci += s[0]
		} else {
			*ci = s[0]
		}
	}
}

// fma is a·b + c, rounded once. The choice is made at compile time: the code is shared per shape.
func fma[T float32 | float64](a, b, c T) T {
	if unsafe.Sizeof(a) == 8 {
		return T(math.FMA(float64(a), float64(b), float64(c)))
	}
	return T(fma32(float32(a), float32(b), float32(c)))
}

func fma32(a, b, c float32) float32 {
	// The product is exact in float64 and the sum rounded: rounding it again goes wrong only where it
	// lies halfway between two float32s, or, the halves of denormals being elsewhere, where it is tiny.
	p, z := float64(a)*float64(b), float64(c)
	s := float64(p + z)
	u := math.Float64bits(s)
	if u&(1<<29-1) != 1<<28 && u>>52&0x7ff > 1023-127 {
		return float32(s)
	}
	return float32(roundOdd(p, z, s))
}

// roundOdd returns p+z rounded to odd, given s, the same rounded to even; rounding that to float32 is
// then rounding once (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
func roundOdd(p, z, s float64) float64 {
	t := s - p
	e := (p - (s - t)) + (z - t) // the exact error of s (Knuth's TwoSum); NaN where s is not finite
	u := math.Float64bits(s)
	if u&1 == 0 && (e > 0 || e < 0) {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
	}
	return math.Float64frombits(u)
}
