package autodiff

import "github.com/adjoint-go/adjoint/internal/dtype"

// Float16 is an element of type [F16]: IEEE 754's binary16, with 11 bits of precision up to 65504, and below 2⁻¹⁴
// multiples of 2⁻²⁴. It takes half the memory of a float32.
//
// F16 is for storing and follows the rules of [BFloat16]: operations are computed in float32 and rounded where their
// result is stored, to infinity from 65520 on. Gradients are often too small for it: see package optim's Scaler.
//
// A product of matrices has the bits of the float32 product of its converted operands, on every processor.
type Float16 uint16

// ToFloat16 is the Float16 nearest to x, of two as near the even one. NaN stays NaN, and is quiet.
func ToFloat16(x float32) Float16 { return Float16(dtype.ToF16(x)) }

// Float32 is h's value.
func (h Float16) Float32() float32 { return dtype.FromF16(uint16(h)) }

// ToFloat16s are the Float16s nearest to x's elements.
func ToFloat16s(x []float32) []Float16 {
	s := make([]Float16, len(x))
	for i, v := range x {
		s[i] = ToFloat16(v)
	}
	return s
}
