// Package dtype names the element types of arrays; it imports nothing of ours.
package dtype

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

// IsFloat reports whether t is F32 or F64.
func (t Type) IsFloat() bool { return t == F32 || t == F64 }

// IsInt reports whether t is I32 or I64.
func (t Type) IsInt() bool { return t == I32 || t == I64 }
