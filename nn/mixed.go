package nn

import ad "github.com/adjoint-go/adjoint/autodiff"

// Mixed is loss computed in mixed precision: its float32 arguments, parameters and data, are rounded to
// [ad.BF16], so that layers store and multiply numbers of half the size; sums, activations between stores and the
// result are float32. The gradients are those of the float32 parameters, in float32: an optimiser steps on these.
//
//	step := ad.ValueAndGrad2(nn.Mixed(loss))
func Mixed[P, D any](loss func(p P, data D) ad.Value) func(p P, data D) ad.Value {
	return MixedIn(ad.BF16, loss)
}

// MixedIn is Mixed in half, [ad.BF16] or [ad.F16]. With F16, whose least number is 2⁻²⁴, small gradients on their way
// to the parameters become 0 and large ones infinite: package optim's Scaler is for that.
func MixedIn[P, D any](half ad.DType, loss func(p P, data D) ad.Value) func(p P, data D) ad.Value {
	return func(p P, data D) ad.Value {
		return loss(Cast(p, ad.F32, half), Cast(data, ad.F32, half)).Convert(ad.F32)
	}
}

// Cast converts the values of one type in a tree to another one.
func Cast[T any](tree T, from, to ad.DType) T {
	return ad.TreeMap(func(v ...ad.Value) ad.Value {
		if v[0].DType() != from {
			return v[0]
		}
		return v[0].Convert(to)
	}, tree)
}
