package optim

import ad "github.com/adjoint-go/adjoint/autodiff"

// Scaler is dynamic loss scaling, for training with [ad.F16] (Micikevicius et al., "Mixed precision training", 2018;
// PyTorch's GradScaler). Gradients are often below float16's least number, 2⁻²⁴: the loss is multiplied by Scale before
// it is derived and the gradients are divided by it. Where one of them is not finite nevertheless, the step is given up
// and the scale shrinks; after some steps that went well it grows.
//
//	l := optim.ScaledValueAndGrad2(s.Scaler, nn.MixedIn(ad.F16, loss))(s.Model, batch)
//	ok := optim.AllFinite(l.Grad)
//	next := s
//	next.Model, next.Adam = s.Adam.Step(s.Model, l.Grad, rate)
//	next = optim.Choose(ok, next, s)
//	next.Scaler = s.Scaler.Next(ok)
//
// The numbers are part of the step as recorded, the values are its state.
type Scaler struct {
	Growth, Backoff float64 // what the scale is multiplied by after Interval good steps in a row, and after a bad one
	Interval        int

	Scale ad.Value // float32, of shape []
	Good  ad.Value // int32, of shape []: good steps since the scale changed
}

// NewScaler starts with PyTorch's numbers: a scale of 65536 that doubles after 2000 good steps and is halved after a bad
// one. Powers of 2 change no bit of what neither overflows nor underflows.
func NewScaler() Scaler {
	return Scaler{Growth: 2, Backoff: 0.5, Interval: 2000, Scale: ad.Scalar[float32](65536), Good: ad.I32.Zeros()}
}

// Next is the state after a step, a good one if ok, a bool of shape [], holds. The scale stays finite.
func (s Scaler) Next(ok ad.Value) Scaler {
	good := s.Good.Shift(1)
	grown := s.Scale.Scale(s.Growth)
	grow := good.Ge(ad.Const(float64(s.Interval)))
	s.Scale = ad.Where(ok, ad.Where(grow.And(grown.IsFinite()), grown, s.Scale), s.Scale.Scale(s.Backoff))
	s.Good = ad.Where(ok.And(grow.Not()), good, s.Good.FullLike(0))
	return s
}

// ScaledValueAndGrad2 is [ad.ValueAndGrad2] whose derivatives are computed of s.Scale times the loss, a float32 of shape
// []. What it returns is not scaled.
func ScaledValueAndGrad2[P, D any](s Scaler, loss func(p P, data D) ad.Value) func(p P, data D) ad.Valued[P] {
	return func(p P, data D) ad.Valued[P] {
		l := ad.ValueAndGradAux2(func(p P, data D) (ad.Value, ad.Value) {
			y := loss(p, data)
			x := wide(y)
			return x.Mul(number(s.Scale, x)), y
		})(p, data)
		grad := ad.TreeMap(func(v ...ad.Value) ad.Value {
			x := wide(v[0])
			return x.Div(number(s.Scale, x)).Convert(v[0].DType())
		}, l.Grad)
		return ad.Valued[P]{Value: l.Aux, Grad: grad}
	}
}

// wide is v, of two bytes an element as float32: those do not hold every scale.
func wide(v ad.Value) ad.Value {
	if v.DType() == ad.F64 {
		return v
	}
	return v.Convert(ad.F32)
}

// AllFinite tells whether no float of a tree is infinite or NaN: a bool of shape [].
func AllFinite[T any](tree T) ad.Value {
	all := ad.Bool.Ones()
	for _, v := range ad.TreeLeaves(tree) {
		if v.IsValid() && isFloat(v) {
			all = all.And(v.IsFinite().All())
		}
	}
	return all
}

// Choose is the tree of a's values where ok, a bool of shape [], holds, and of b's elsewhere.
func Choose[T any](ok ad.Value, a, b T) T {
	return ad.TreeMap(func(v ...ad.Value) ad.Value { return ad.Where(ok, v[0], v[1]) }, a, b)
}
