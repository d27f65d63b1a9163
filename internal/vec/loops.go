package vec

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// kernel runs one instruction over n lanes.
type kernel func(dst, a, b, c unsafe.Pointer, n int)

type (
	floats interface{ float32 | float64 }
	ints   interface{ int32 | int64 }
	uints  interface{ uint32 | uint64 }
	number interface{ floats | ints }
)

func lanes[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

// loops holds the loop of every operation by the type it goes by: that of the result, but for
// comparisons and changes of width that of the operand.
var loops = [NumOps][4]kernel{
	Load:    {I32: loadMask[uint32], I64: loadMask[uint64]},
	Add:     {add[float32], add[float64], add[int32], add[int64]},
	Sub:     {sub[float32], sub[float64], sub[int32], sub[int64]},
	Mul:     {mul[float32], mul[float64], mul[int32], nil},
	Div:     {div[float32], div[float64], nil, nil},
	Sqrt:    {un(sqrt[float32]), un(sqrt[float64]), nil, nil},
	FMA:     {fmas32(1, 1), fmas64(1, 1), nil, nil},
	FNMA:    {fmas32(-1, 1), fmas64(-1, 1), nil, nil},
	FMS:     {fmas32(1, -1), fmas64(1, -1), nil, nil},
	Min:     {less[float32], less[float64], nil, nil},
	Max:     {more[float32], more[float64], nil, nil},
	And:     {and[uint32], and[uint64], and[uint32], and[uint64]},
	AndNot:  {andNot[uint32], andNot[uint64], andNot[uint32], andNot[uint64]},
	Or:      {or[uint32], or[uint64], or[uint32], or[uint64]},
	Xor:     {xor[uint32], xor[uint64], xor[uint32], xor[uint64]},
	ShlV:    {nil, nil, shlV[uint32], shlV[uint64]},
	ShrV:    {nil, nil, shrV[uint32], shrV[uint64]},
	CmpEQ:   {eq[float32, uint32], eq[float64, uint64], eq[int32, uint32], eq[int64, uint64]},
	CmpNE:   {ne[float32, uint32], ne[float64, uint64], nil, nil},
	CmpLT:   {lt[float32, uint32], lt[float64, uint64], nil, nil},
	CmpLE:   {le[float32, uint32], le[float64, uint64], nil, nil},
	CmpGT:   {gt[float32, uint32], gt[float64, uint64], gt[int32, uint32], gt[int64, uint64]},
	CmpGE:   {ge[float32, uint32], ge[float64, uint64], nil, nil},
	Blend:   {blend[uint32], blend[uint64], blend[uint32], blend[uint64]},
	Floor:   {un(floor[float32]), un(floor[float64]), nil, nil},
	Ceil:    {un(ceil[float32]), un(ceil[float64]), nil, nil},
	Trunc:   {un(trunc[float32]), un(trunc[float64]), nil, nil},
	Nearest: {un(nearest[float32]), un(nearest[float64]), nil, nil},
	Widen:   {F32: cast[float64, float32], I32: cast[int64, int32]},
	Narrow:  {F64: cast[float32, float64], I64: cast[int32, int64]},
	ToInt:   {I32: toInt},
	ToFloat: {F32: cast[float32, int32]},
	Half:    {F32: half},

	Scale:       {scale[float32], scale[float64], nil, nil},
	Exponent:    {un(exponent[float32]), un(exponent[float64]), nil, nil},
	Significand: {un(significand[float32]), un(significand[float64]), nil, nil},
	Ends:        {ends[float32, uint32], ends[float64, uint64], nil, nil},
}

// Powers of 2 beyond ±2000 make 0 and infinity of every number.
func scale[T floats](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		if y[i] != y[i] {
			d[i] = y[i]
			continue
		}
		// A float32 is exact as a float64, and so is its product, but for one that is 0 or infinite in either.
		d[i] = T(math.Ldexp(float64(x[i]), int(math.Floor(float64(max(-5000, min(5000, y[i])))))))
	}
}

func exponent[T floats](x T) T {
	v := math.Abs(float64(x))
	if v == 0 || v > math.MaxFloat64 || v != v {
		return T(math.Logb(v))
	}
	_, e := math.Frexp(v)
	return T(e - 1)
}

func significand[T floats](x T) T {
	v := float64(x)
	switch {
	case v == 0 || v > math.MaxFloat64:
		return 1
	case v < 0 || v != v:
		return T(math.NaN())
	}
	f, _ := math.Frexp(v)
	return T(2 * f)
}

func ends[T floats, U uints](dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[U](dst, n), lanes[T](a, n)
	for i := range d {
		d[i] = mask[U](x[i] == 0 || float64(x[i]) > math.MaxFloat64)
	}
}

func add[T number](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] + y[i]
	}
}

func sub[T number](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] - y[i]
	}
}

func mul[T number](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] * y[i]
	}
}

func div[T floats](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] / y[i]
	}
}

// less and more take the second operand unless the first is strictly less or more, as x86 does.
func less[T floats](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		v := y[i]
		if x[i] < v {
			v = x[i]
		}
		d[i] = v
	}
}

func more[T floats](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		v := y[i]
		if x[i] > v {
			v = x[i]
		}
		d[i] = v
	}
}

func un[T floats](f func(T) T) kernel {
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := lanes[T](dst, n), lanes[T](a, n)
		for i := range d {
			d[i] = f(x[i])
		}
	}
}

// A float32's square root by way of float64 is still correctly rounded: 53 ≥ 2·24+2.
func sqrt[T floats](x T) T    { return T(math.Sqrt(float64(x))) }
func floor[T floats](x T) T   { return T(math.Floor(float64(x))) }
func ceil[T floats](x T) T    { return T(math.Ceil(float64(x))) }
func trunc[T floats](x T) T   { return T(math.Trunc(float64(x))) }
func nearest[T floats](x T) T { return T(math.RoundToEven(float64(x))) }

// fmas32 is sx·x·y + sz·z rounded once, sx and sz 1 or -1. The product is exact in float64 (so it does
// not matter whether the compiler fuses it); the sum s is rounded there, and rounding it again goes
// wrong only where s fell on the midpoint of two float32s while the true sum lies beside it. Midpoints
// of the normal range show in s's low bits; sums below it all go the careful way.
func fmas32(sx, sz float64) kernel {
	const midpoint, low, normal = 1 << 28, 1<<29 - 1, (1023 - 126) << 53
	return func(dst, a, b, c unsafe.Pointer, n int) {
		d, x, y, z := lanes[float32](dst, n), lanes[float32](a, n), lanes[float32](b, n), lanes[float32](c, n)
		for i := range d {
			p := float64(x[i]) * float64(y[i]) * sx
			q := float64(z[i]) * sz
			s := p + q
			if u := math.Float64bits(s); u&low == midpoint || u<<1-1 < normal-1 { // 0 is fine
				s = odd(p, q, s)
			}
			d[i] = float32(s)
		}
	}
}

// odd returns s, the rounded sum of p and q, if that is exact, and else whichever of s and its neighbour
// on the true sum's side has an odd last bit: rounding that to float32 rounds the true sum.
func odd(p, q, s float64) float64 {
	t := s - p // Knuth's sum: p + q = s + e exactly
	e := (p - (s - t)) + (q - t)
	u := math.Float64bits(s)
	if e == 0 || u&1 == 1 || math.IsInf(s, 0) || s != s {
		return s
	}
	if (e > 0) == (s > 0) {
		return math.Float64frombits(u + 1)
	}
	return math.Float64frombits(u - 1)
}

func fmas64(sx, sz float64) kernel {
	return func(dst, a, b, c unsafe.Pointer, n int) {
		d, x, y, z := lanes[float64](dst, n), lanes[float64](a, n), lanes[float64](b, n), lanes[float64](c, n)
		for i := range d {
			d[i] = math.FMA(x[i]*sx, y[i], z[i]*sz)
		}
	}
}

func and[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] & y[i]
	}
}

func andNot[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] &^ y[i]
	}
}

func or[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] | y[i]
	}
}

func xor[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] ^ y[i]
	}
}

func blend[T uints](dst, a, b, c unsafe.Pointer, n int) {
	d, m, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n), lanes[T](c, n)
	for i := range d {
		d[i] = y[i] ^ (x[i]^y[i])&m[i]
	}
}

func shlV[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] << y[i]
	}
}

func shrV[T uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[T](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = x[i] >> y[i]
	}
}

// shift is by a constant: to the left, to the right with zeros, and to the right with the sign.
func shift(op Op, t Type, by uint) kernel {
	switch {
	case op == Shl && t == I32:
		return left[uint32](by)
	case op == Shl:
		return left[uint64](by)
	case op == Sar:
		return right[int32](by)
	case t == I32:
		return right[uint32](by)
	}
	return right[uint64](by)
}

func left[T uints](by uint) kernel {
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := lanes[T](dst, n), lanes[T](a, n)
		for i := range d {
			d[i] = x[i] << by
		}
	}
}

func right[T uints | ints](by uint) kernel {
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := lanes[T](dst, n), lanes[T](a, n)
		for i := range d {
			d[i] = x[i] >> by
		}
	}
}

// mask is all ones where b holds.
func mask[U uints](b bool) U {
	var one uint8
	if b {
		one = 1
	}
	return -U(one)
}

func eq[T number, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] == y[i])
	}
}

func ne[T floats, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] != y[i])
	}
}

func lt[T floats, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] < y[i])
	}
}

func le[T floats, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] <= y[i])
	}
}

func gt[T number, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] > y[i])
	}
}

func ge[T floats, U uints](dst, a, b, _ unsafe.Pointer, n int) {
	d, x, y := lanes[U](dst, n), lanes[T](a, n), lanes[T](b, n)
	for i := range d {
		d[i] = mask[U](x[i] >= y[i])
	}
}

func cast[To, From number](dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[To](dst, n), lanes[From](a, n)
	for i := range d {
		d[i] = To(x[i])
	}
}

func toInt(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[int32](dst, n), lanes[float32](a, n)
	for i := range d {
		d[i] = math.MinInt32 // out of range, and NaN, as x86 has it
		if r := math.RoundToEven(float64(x[i])); r >= math.MinInt32 && r <= math.MaxInt32 {
			d[i] = int32(r)
		}
	}
}

func loadMask[U uints](dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[U](dst, n), lanes[uint8](a, n)
	for i := range d {
		d[i] = mask[U](x[i] != 0)
	}
}

func storeMask[U uints](dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[uint8](dst, n), lanes[U](a, n)
	for i := range d {
		d[i] = uint8(x[i] & 1)
	}
}

func loadBF16(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[uint32](dst, n), lanes[uint16](a, n)
	for i := range d {
		d[i] = uint32(x[i]) << 16
	}
}

func storeBF16(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[uint16](dst, n), lanes[uint32](a, n)
	for i := range d {
		d[i] = uint16(x[i])
	}
}

func loadF16(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[float32](dst, n), lanes[uint16](a, n)
	for i := range d {
		d[i] = dtype.FromF16(x[i])
	}
}

func storeF16(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[uint16](dst, n), lanes[float32](a, n)
	for i := range d {
		d[i] = dtype.ToF16(x[i])
	}
}

func half(dst, a, _, _ unsafe.Pointer, n int) {
	d, x := lanes[float32](dst, n), lanes[float32](a, n)
	for i := range d {
		d[i] = dtype.FromF16(dtype.ToF16(x[i]))
	}
}

func move[U uints](dst, a, _, _ unsafe.Pointer, n int) {
	copy(lanes[U](dst, n), lanes[U](a, n))
}
