package autodiff

import "github.com/adjoint-go/adjoint/internal/dtype"

// BFloat16 is an element of type [BF16]: the upper half of a float32, with its range and 8 bits of precision. It
// takes half the memory.
//
// BF16 is for storing. Operations on it are computed in float32 and their result is rounded where it is stored: as
// a result of the function, as an operand of a product of matrices, where arrays are put together or taken apart.
// From one operation to the next it is not rounded, so that a sum, a softmax or a loss is as good as in float32;
// [Value.Convert] of a float32 to BF16 always rounds. Outside of functions every operation stores its result. A
// product of matrices adds up float32s: to have them, convert its result to F32. Linear algebra and random numbers
// are not defined for BF16.
//
// Products have the same bits on every processor, the ones that the instruction VDPBF16PS gives: denormal numbers
// count as zeros in them, operands and sums alike. Beside the exact sum of n products of the operands the error is
// at most about n·2⁻²⁴ of the sum of their sizes. Level "amx" ([Options]), which only its name chooses, multiplies
// several times as fast where the processor has tiles; the bits of its products are the same wherever there is that
// level, not those of the others.
type BFloat16 uint16

// Float16 is an element of type [F16]: IEEE 754's binary16, with 11 bits of precision up to 65504, and below 2⁻¹⁴
// multiples of 2⁻²⁴. It takes half the memory of a float32.
//
// F16 is for storing and follows the rules of [BFloat16]: operations are computed in float32 and rounded where their
// result is stored, to infinity from 65520 on. Gradients are often too small for it: see package optim's Scaler.
//
// A product of matrices has the bits of the float32 product of its converted operands, on every processor.
type Float16 uint16

// ToBFloat16 is the BFloat16 nearest to x, of two as near the even one. NaN stays NaN, and is quiet.
func ToBFloat16(x float32) BFloat16 { return BFloat16(dtype.ToBF16(x)) }

// ToFloat16 is the Float16 nearest to x, of two as near the even one. NaN stays NaN, and is quiet.
func ToFloat16(x float32) Float16 { return Float16(dtype.ToF16(x)) }

// Float32 is b's value.
func (b BFloat16) Float32() float32 { return dtype.FromBF16(uint16(b)) }

// Float32 is h's value.
func (h Float16) Float32() float32 { return dtype.FromF16(uint16(h)) }

// ToBFloat16s are the BFloat16s nearest to x's elements.
func ToBFloat16s(x []float32) []BFloat16 { return each(x, ToBFloat16) }

// ToFloat16s are the Float16s nearest to x's elements.
func ToFloat16s(x []float32) []Float16 { return each(x, ToFloat16) }

func each[T any](x []float32, f func(float32) T) []T {
	s := make([]T, len(x))
	for i, v := range x {
		s[i] = f(v)
	}
	return s
}
