// Package optim has the rules that training follows, as functions on trees of parameters: they are recorded
// with the loss into one compiled step. It imports autodiff.
package optim

import ad "github.com/adjoint-go/adjoint/autodiff"

// A gradient's places without a value (integers, bools) leave the parameters there as they are. The rate is
// a float of shape []: an argument of the step where it changes along the way, or a number ([ad.Const]).

// SGD is p - rate·grad.
func SGD[P any](p, grad P, rate ad.Value) P {
	return ad.TreeMap(func(v ...ad.Value) ad.Value {
		if !v[1].IsValid() {
			return v[0]
		}
		return v[0].Sub(v[1].Mul(number(rate, v[0])))
	}, p, grad)
}

// Momentum is gradient descent whose steps are sums of the gradients so far, each weighed Decay less than
// the one after it. The numbers are part of the step as recorded, the trees are its state.
type Momentum[P any] struct {
	Decay    float64
	Nesterov bool // looks one step ahead (Sutskever et al., 2013)

	Velocity P
}

// NewMomentum starts at rest, with Decay 0.9.
func NewMomentum[P any](p P) Momentum[P] { return Momentum[P]{Decay: 0.9, Velocity: zeros(p)} }

// Step returns the parameters after one step, and the state for the next.
func (s Momentum[P]) Step(p, grad P, rate ad.Value) (P, Momentum[P]) {
	s.Velocity = floats(func(v ...ad.Value) ad.Value { return v[0].Scale(s.Decay).Add(v[1]) }, s.Velocity, grad)
	along := s.Velocity
	if s.Nesterov {
		along = floats(func(v ...ad.Value) ad.Value { return v[0].Add(v[1].Scale(s.Decay)) }, grad, s.Velocity)
	}
	return SGD(p, along, rate), s
}

// Adam scales each parameter's step by the size of its gradients (Kingma and Ba, 2015): running means of
// the gradients and of their squares, both corrected for having started from zero. Shrink is the decay of
// weights apart from the gradient (AdamW: Loshchilov and Hutter, 2019): each step takes rate·Shrink·p off p.
// The numbers are part of the step as recorded, the values are its state.
type Adam[P any] struct {
	Beta1, Beta2, Epsilon, Shrink float64

	Mean, Square P
	Steps        ad.Value // float64, how many were made
}

// NewAdam starts with the usual numbers: 0.9, 0.999, 1e-8, and no shrinking.
func NewAdam[P any](p P) Adam[P] {
	return Adam[P]{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Mean: zeros(p), Square: zeros(p), Steps: ad.F64.Zeros()}
}

// Step returns the parameters after one step, and the state for the next.
func (s Adam[P]) Step(p, grad P, rate ad.Value) (P, Adam[P]) {
	s.Mean = floats(func(v ...ad.Value) ad.Value {
		m, g := v[0], v[1]
		return g.FMA(ad.Const(1-s.Beta1), m.Scale(s.Beta1))
	}, s.Mean, grad)
	s.Square = floats(func(v ...ad.Value) ad.Value {
		q, g := v[0], v[1]
		return g.FMA(g.Scale(1-s.Beta2), q.Scale(s.Beta2))
	}, s.Square, grad)
	s.Steps = s.Steps.Shift(1)
	// With c = 1 - βᵗ, the step rate·(m/c1)/(√(q/c2) + ε) is (rate·√c2/c1)·m/(√q + ε·√c2), whose
	// corrections are numbers.
	bias := func(beta float64) ad.Value { return ad.Const(1).Sub(ad.Const(beta).Pow(s.Steps)) }
	root := bias(s.Beta2).Sqrt()
	along := number(rate, s.Steps).Mul(root).Div(bias(s.Beta1)).Neg()
	epsilon := root.Scale(s.Epsilon)
	shrunk := ad.Const(1).Sub(number(rate, s.Steps).Scale(s.Shrink))
	return ad.TreeMap(func(v ...ad.Value) ad.Value {
		p, m, q := v[0], v[1], v[2]
		if !m.IsValid() {
			return p
		}
		d := m.Div(q.Sqrt().Add(number(epsilon, p)))
		if s.Shrink != 0 {
			p = p.Mul(number(shrunk, p))
		}
		return d.FMA(number(along, p), p)
	}, p, s.Mean, s.Square), s
}

// floats is TreeMap where all trees but the first have a value, and no value elsewhere.
func floats[P any](f func(v ...ad.Value) ad.Value, tree P, more ...P) P {
	return ad.TreeMap(func(v ...ad.Value) ad.Value {
		for _, x := range v {
			if !x.IsValid() {
				return ad.Value{}
			}
		}
		return f(v...)
	}, tree, more...)
}

// zeros are the floats of a tree, all 0.
func zeros[P any](p P) P {
	return ad.TreeMap(func(v ...ad.Value) ad.Value {
		if !isFloat(v[0]) {
			return ad.Value{}
		}
		return v[0].DType().Zeros(v[0].Shape()...)
	}, p)
}

func isFloat(v ad.Value) bool {
	t := v.DType()
	return t == ad.F32 || t == ad.F64 || t == ad.BF16 || t == ad.F16
}

// number is x in the type of the parameter that it meets.
func number(x, p ad.Value) ad.Value {
	if x.DType() == p.DType() {
		return x
	}
	return x.Convert(p.DType())
}
