package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Conversion returns the program that converts from one element type to another, nil when it has
// none (or nothing to do). Numbers go to the nearest, ties to even; floats go to integers toward zero,
// saturating, and NaN becomes 0; integers keep their low bits; x becomes true when x != 0. A BF16 or
// F16 is converted from and to F32 only.
func Conversion(from, to dtype.Type) *Program {
	if from == to || from.IsHalf() && to != dtype.F32 || to.IsHalf() && from != dtype.F32 {
		return nil
	}
	b := NewBuilder(from)
	var x Value
	if from == dtype.Bool {
		x = b.InputMask(0, Lane(to).Int())
	} else {
		x = b.Input(0)
	}
	r := Convert(b, x, from, to)
	if r == None {
		return nil
	}
	return b.Program("convert_"+from.String()+"_"+to.String(), to, r)
}

// Convert appends x's conversion to a program under way, None when it has none; a Bool x is a mask of the
// width that to has.
func Convert(b *Builder, x Value, from, to dtype.Type) Value {
	switch {
	case from == dtype.BF16:
		if b.TypeOf(x) == I32 { // converted to BF16 before, not loaded
			x = b.Bitcast(F32, b.Shl(x, 16))
		}
		return x
	case to == dtype.BF16:
		return bf16(b, x)
	case from == dtype.F16:
		return x
	case to == dtype.F16:
		return b.Half(x)
	case from == dtype.Bool:
		t := Lane(to)
		one := b.I(t, 1)
		if t.IsFloat() {
			one = b.F(t, 1)
		}
		return b.And(b.Bitcast(t, x), one)
	case to == dtype.Bool:
		zero := b.I(b.TypeOf(x), 0)
		if from.IsFloat() {
			return b.NE(x, b.Bitcast(b.TypeOf(x), zero))
		}
		return not(b, b.EQ(x, zero))
	}
	type pair struct{ from, to dtype.Type }
	switch (pair{from, to}) {
	case pair{dtype.F32, dtype.F64}, pair{dtype.I32, dtype.I64}:
		return b.Widen(x)
	case pair{dtype.F64, dtype.F32}, pair{dtype.I64, dtype.I32}:
		return b.Narrow(x)
	case pair{dtype.I32, dtype.F32}:
		return b.ToFloat(x)
	case pair{dtype.I32, dtype.F64}:
		// 2⁵² + 2⁵¹ has room for an int32 in the low bits of its fraction, of either sign.
		anchor := b.F(F64, 1<<52+1<<51)
		return b.Sub(b.Bitcast(F64, b.Add(b.Widen(x), b.Bitcast(I64, anchor))), anchor)
	case pair{dtype.I64, dtype.F64}:
		// x = 2³²·high + low: the low half in 2⁵²'s fraction, the high half, offset by 2³¹, in 2⁸⁴'s.
		// Both differences are exact, so only the sum rounds.
		high := b.Bitcast(F64, b.Xor(b.Shr(x, 32), b.I(I64, 0x4530_0000_8000_0000)))
		low := b.Bitcast(F64, b.Or(b.And(x, b.I(I64, 1<<32-1)), b.I(I64, 0x4330_0000_0000_0000)))
		return b.Add(b.Sub(high, b.F(F64, 1<<84+1<<63+1<<52)), low)
	case pair{dtype.F32, dtype.I32}:
		i := b.Blend(b.GE(x, b.F(F32, 1<<31)), b.I(I32, math.MaxInt32), b.ToInt(b.Trunc(x)))
		return b.AndNot(i, b.NE(x, x)) // below -2³¹ ToInt saturates by itself
	case pair{dtype.F64, dtype.I32}:
		i := b.Trunc(b.AndNot(x, b.NE(x, x)))
		i = b.Max(b.Min(i, b.F(F64, math.MaxInt32)), b.F(F64, math.MinInt32))
		return b.Narrow(b.Bitcast(I64, b.Add(i, b.F(F64, 1<<52+1<<51))))
	}
	return None
}

// bf16 is x's bits rounded to their upper half, as an I32: to nearest even by adding less than half, and the bit
// that decides a tie. A NaN keeps its upper bits, and is quiet.
func bf16(b *Builder, x Value) Value {
	u := b.Bitcast(I32, x)
	high := b.Shr(u, 16)
	up := b.Add(b.Add(u, b.I(I32, 0x7fff)), b.And(high, b.I(I32, 1)))
	return b.Blend(b.NE(x, x), b.Or(high, b.I(I32, 0x40)), b.Shr(up, 16))
}
