package vec

import (
	"math"
	"math/bits"
)

// sinBeyond, cosBeyond and tanBeyond are the functions for any |x| ≥ 2¹⁷: Payne and Hanek's reduction,
// with as many bits of 2/π as it takes, then the series that the vector bodies use.
func sinBeyond(x float64) float64 {
	hi, lo, q := reduceBeyond(math.Abs(x))
	y := sinCosPair(hi, lo, q)
	if x < 0 {
		return -y
	}
	return y
}

func cosBeyond(x float64) float64 {
	hi, lo, q := reduceBeyond(math.Abs(x))
	return sinCosPair(hi, lo, q+1)
}

func tanBeyond(x float64) float64 {
	hi, lo, q := reduceBeyond(math.Abs(x))
	// tan(hi + lo) from that of hi: its slope is 1 + tan².
	z := hi * hi
	w := math.FMA(lo, z*math.FMA(z, 2./3, 1), lo)
	c := math.FMA(z*hi, horner(z, tan64Coef), w)
	y := hi + c
	if q&1 != 0 {
		l := c - (y - hi)
		v := -1 / y
		y = math.FMA(math.FMA(v, l, math.FMA(v, y, 1)), v, v)
	}
	if x < 0 {
		return -y
	}
	return y
}

// sinCosPair is sin(hi + lo + q·π/2).
func sinCosPair(hi, lo float64, q uint64) (y float64) {
	z := hi * hi
	h := 0.5 * z
	if q&1 == 0 {
		y = hi + math.FMA(z*hi, horner(z, sin64Coef), math.FMA(-h, lo, lo))
	} else {
		w := 1 - h
		y = w + math.FMA(z*z, horner(z, cos64Coef), math.FMA(-hi, lo, (1-w)-h))
	}
	if q&2 != 0 {
		return -y
	}
	return y
}

func horner(z float64, c []float64) float64 {
	y := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		y = math.FMA(y, z, c[i])
	}
	return y
}

// reduceBeyond is x = hi + lo + q·π/2 mod 2π for x ≥ 2¹⁷, |hi| ≤ π/4; NaN for Inf and NaN.
func reduceBeyond(x float64) (hi, lo float64, q uint64) {
	if math.IsInf(x, 0) || x != x {
		return math.NaN(), 0, 0
	}
	// x = m·2ᵉ; of 2/π's bits those of 4 and above fall away, and 256 from there on are used.
	u := math.Float64bits(x)
	m, e := u&(1<<52-1)|1<<52, int(u>>52)-1075
	first := max(e-2, 0)
	var w [4]uint64
	for i := range w {
		at := first + 64*i
		w[i] = twoOverPi[at/64] << (at % 64)
		if s := at % 64; s != 0 {
			w[i] |= twoOverPi[at/64+1] >> (64 - s)
		}
	}
	// The product's low 256 bits, most significant word first.
	var p [4]uint64
	var carry uint64
	for i := 3; i >= 0; i-- {
		h, l := bits.Mul64(w[i], m)
		var c uint64
		p[i], c = bits.Add64(l, carry, 0)
		carry = h + c
	}
	// p's first bit weighs 2^(e-first-1), which should be 2.
	if shift := uint(2 - (e - first)); shift > 0 {
		for i := 3; i > 0; i-- {
			p[i] = p[i]>>shift | p[i-1]<<(64-shift)
		}
		p[0] = p[0]>>shift | carry<<(64-shift)
	}
	q = p[0] >> 62
	f := [3]uint64{p[0]<<2 | p[1]>>62, p[1]<<2 | p[2]>>62, p[2]<<2 | p[3]>>62}
	negative := f[0]>>63 != 0
	if negative { // nearest quadrant
		q++
		var c uint64
		f[2], c = bits.Add64(^f[2], 1, 0)
		f[1], c = bits.Add64(^f[1], 0, c)
		f[0], _ = bits.Add64(^f[0], 0, c)
	}
	// The fraction as two float64s, times π/2.
	e = -64
	for f[0]>>63 == 0 && e > -192 {
		f[0], f[1], f[2] = f[0]<<1|f[1]>>63, f[1]<<1|f[2]>>63, f[2]<<1
		e--
	}
	a := math.Ldexp(float64(f[0]>>11), e+11)
	c := math.Ldexp(float64(f[0]<<53>>1|f[1]>>12), e-52)
	hi = a * halfPi1
	lo = math.FMA(a, halfPi1, -hi) + math.FMA(a, halfPiLow, c*halfPi1)
	hi, lo = hi+lo, lo-((hi+lo)-hi)
	if negative {
		hi, lo = -hi, -lo
	}
	return hi, lo, q
}

// BeyondTables returns what sine, cosine and tangent are made of beyond their limits, for those who write them in
// another language: the coefficients of their series, and the bits of 2/π behind the point.
func BeyondTables() (sin, cos, tan []float64, bits []uint64) {
	return sin64Coef, cos64Coef, tan64Coef, twoOverPi[:]
}

// twoOverPi holds 2/π's bits behind the point.
var twoOverPi = [...]uint64{
	0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
	0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
	0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
	0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
	0xa9e391615ee61b08,
}
