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

// IsFloat reports whether t is F32, F64 or BF16.
func (t Type) IsFloat() bool { return t == F32 || t == F64 || t == BF16 }

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
