// Package dtype names the element types of arrays; it imports nothing of ours.
package dtype

import "math"

// Type is the element type of an array.
type Type uint8

// The element types. A Bool is one byte, 0 or 1.
const (
	Invalid Type = iota
	Bool
	I32
	I64
	F32
	F64
	BF16  // the upper half of a float32
	F16   // IEEE 754 binary16
	Count // number of types, Invalid included
)

var rows = [Count]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	Bool:    {"bool", 1},
	I32:     {"int32", 4},
	I64:     {"int64", 8},
	F32:     {"float32", 4},
	F64:     {"float64", 8},
	BF16:    {"bfloat16", 2},
	F16:     {"float16", 2},
}

// String returns Go's name of the type: "float32", "int64", "bool".
func (t Type) String() string {
	if t >= Count {
		return "invalid"
	}
	return rows[t].name
}

// Size returns the bytes of one element.
func (t Type) Size() int { return rows[t].size }

// IsFloat reports whether t is F32, F64, BF16 or F16.
func (t Type) IsFloat() bool { return t == F32 || t == F64 || t.IsHalf() }

// IsHalf reports whether t is BF16 or F16: stored, but computed with in F32.
func (t Type) IsHalf() bool { return t == BF16 || t == F16 }

// IsInt reports whether t is I32 or I64.
func (t Type) IsInt() bool { return t == I32 || t == I64 }

// ToBF16 is x rounded to the nearest BF16, ties to even; a NaN stays one.
func ToBF16(x float32) uint16 {
	u := math.Float32bits(x)
	if x != x {
		return uint16(u>>16 | 0x40)
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// FromBF16 is the float32 that b is the upper half of.
func FromBF16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// ToF16 is x rounded to the nearest F16, ties to even: from 65520 on to infinity, below 2⁻¹⁴ to a multiple of 2⁻²⁴. A
// NaN keeps the upper bits of its fraction, and is quiet.
func ToF16(x float32) uint16 {
	u := math.Float32bits(x)
	sign, u := uint16(u>>16&0x8000), u&0x7fffffff
	switch {
	case u > 0x7f800000:
		return sign | 0x7e00 | uint16(u>>13&0x3ff)
	case u >= 0x477ff000:
		return sign | 0x7c00
	case u < 0x38800000: // the sum's last bit is worth 2⁻²⁴
		return sign | uint16(math.Float32bits(math.Float32frombits(u)+0.5)&0x7ff)
	}
	return sign | uint16((u-112<<23+0xfff+u>>13&1)>>13)
}

// FromF16 is h's value.
func FromF16(h uint16) float32 {
	sign, u := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case u > 0x7c00:
		return math.Float32frombits(sign | 0x7fc00000 | u<<13)
	case u == 0x7c00:
		return math.Float32frombits(sign | 0x7f800000)
	case u < 0x400:
		return math.Float32frombits(sign | math.Float32bits(float32(u)*0x1p-24))
	}
	return math.Float32frombits(sign | (u<<13 + 112<<23))
}

// HalfBits is x rounded to t, BF16 or F16.
func HalfBits(t Type, x float32) uint16 {
	if t == F16 {
		return ToF16(x)
	}
	return ToBF16(x)
}

// HalfFloat is the value of bits of type t, BF16 or F16.
func HalfFloat(t Type, bits uint16) float32 {
	if t == F16 {
		return FromF16(bits)
	}
	return FromBF16(bits)
}
