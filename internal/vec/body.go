package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The bodies that are a handful of instructions.
func init() {
	two := func(id ops.ID, f func(b *Builder, x, y Value) Value) {
		register(id, func(b *Builder, _ Type, x []Value) Value { return f(b, x[0], x[1]) })
	}
	one := func(id ops.ID, f func(b *Builder, x Value) Value) {
		register(id, func(b *Builder, _ Type, x []Value) Value { return f(b, x[0]) })
	}
	// AVX2 has no product of 64-bit integers, and none of these divides integers.
	mul := func(b *Builder, x, y Value) Value {
		if b.TypeOf(x) == I64 {
			return None
		}
		return b.Mul(x, y)
	}
	div := func(b *Builder, x, y Value) Value {
		if !b.TypeOf(x).IsFloat() {
			return None
		}
		return b.Div(x, y)
	}

	two(ops.Add, (*Builder).Add)
	two(ops.Sub, (*Builder).Sub)
	two(ops.Mul, mul)
	two(ops.Div, div)
	two(ops.Min, minimum)
	two(ops.Max, maximum)
	one(ops.Square, func(b *Builder, x Value) Value { return mul(b, x, x) })
	one(ops.Sqrt, (*Builder).Sqrt)
	one(ops.Reciprocal, func(b *Builder, x Value) Value { return b.Div(b.F(b.TypeOf(x), 1), x) })
	one(ops.Floor, (*Builder).Floor)
	one(ops.Ceil, (*Builder).Ceil)
	one(ops.Round, (*Builder).Nearest)
	one(ops.Trunc, (*Builder).Trunc)
	one(ops.IsNaN, func(b *Builder, x Value) Value { return b.NE(x, x) })
	one(ops.IsFinite, func(b *Builder, x Value) Value {
		return b.LT(b.Abs(x), b.F(b.TypeOf(x), math.Inf(1)))
	})

	register(ops.Neg, func(b *Builder, t Type, x []Value) Value {
		if t.IsFloat() {
			return b.Neg(x[0])
		}
		return b.Sub(b.I(t, 0), x[0])
	})
	register(ops.Abs, func(b *Builder, t Type, x []Value) Value {
		if t.IsFloat() {
			return b.Abs(x[0])
		}
		s := b.GT(b.I(t, 0), x[0])
		return b.Sub(b.Xor(x[0], s), s)
	})
	register(ops.Sign, func(b *Builder, t Type, x []Value) Value {
		zero := b.I(t, 0)
		if !t.IsFloat() {
			return b.Sub(b.GT(zero, x[0]), b.GT(x[0], zero)) // a mask is -1 or 0
		}
		return b.Blend(b.GT(x[0], zero), b.F(t, 1), b.Blend(b.LT(x[0], zero), b.F(t, -1), x[0]))
	})
	register(ops.Relu, func(b *Builder, t Type, x []Value) Value {
		if t.IsFloat() {
			return b.AndNot(x[0], b.LE(x[0], b.F(t, 0)))
		}
		return b.AndNot(x[0], b.GT(b.I(t, 0), x[0]))
	})
	register(ops.LeakyRelu, func(b *Builder, t Type, x []Value) Value {
		return b.Blend(b.GT(x[0], b.F(t, 0)), x[0], b.Mul(x[1], x[0]))
	})
	register(ops.MulZ, func(b *Builder, t Type, x []Value) Value {
		return b.AndNot(b.Mul(x[0], x[1]), b.EQ(x[0], b.F(t, 0)))
	})
	register(ops.Fma, func(b *Builder, _ Type, x []Value) Value { return b.FMA(x[0], x[1], x[2]) })
	register(ops.Clamp, func(b *Builder, _ Type, x []Value) Value {
		return minimum(b, maximum(b, x[0], x[1]), x[2])
	})
	register(ops.Where, func(b *Builder, _ Type, x []Value) Value { return b.Blend(x[0], x[1], x[2]) })

	two(ops.Eq, (*Builder).EQ)
	two(ops.Gt, (*Builder).GT)
	two(ops.Lt, func(b *Builder, x, y Value) Value { return b.GT(y, x) })
	two(ops.Ne, func(b *Builder, x, y Value) Value {
		if b.TypeOf(x).IsFloat() {
			return b.NE(x, y)
		}
		return not(b, b.EQ(x, y))
	})
	atLeast := func(b *Builder, x, y Value) Value {
		if b.TypeOf(x).IsFloat() {
			return b.GE(x, y)
		}
		return not(b, b.GT(y, x))
	}
	two(ops.Ge, atLeast)
	two(ops.Le, func(b *Builder, x, y Value) Value { return atLeast(b, y, x) })

	two(ops.And, (*Builder).And)
	two(ops.Or, (*Builder).Or)
	two(ops.Xor, (*Builder).Xor)
	one(ops.Not, not)

	two(ops.BitAnd, (*Builder).And)
	two(ops.BitOr, (*Builder).Or)
	two(ops.BitXor, (*Builder).Xor)
	one(ops.BitNot, not)
	two(ops.Shl, (*Builder).ShlV)
	two(ops.Shr, (*Builder).ShrV)
}

func not(b *Builder, m Value) Value { return b.Xor(m, b.I(b.TypeOf(m), -1)) }

// minimum gives NaN if either argument is NaN, and -0 < 0. Min gives its second operand where both
// are zeros or one is NaN, so the two orders disagree just there, and there the union of the bits is
// what is wanted: a NaN's exponent and its payload stay, and one minus sign is enough.
func minimum(b *Builder, x, y Value) Value {
	if !b.TypeOf(x).IsFloat() {
		return b.Blend(b.GT(x, y), y, x)
	}
	return b.Or(b.Min(x, y), b.Min(y, x))
}

// maximum is minimum's mirror. The union of the bits keeps a NaN, but also one zero's minus sign; it
// is then the whole difference of the two orders, -0, and subtracting that leaves 0. Where the orders
// agree this subtracts +0, which changes nothing.
func maximum(b *Builder, x, y Value) Value {
	if !b.TypeOf(x).IsFloat() {
		return b.Blend(b.GT(x, y), x, y)
	}
	m := b.Max(x, y)
	differ := b.Xor(m, b.Max(y, x))
	return b.Sub(b.Or(m, differ), differ)
}
