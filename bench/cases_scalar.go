package main

import ad "github.com/adjoint-go/adjoint/autodiff"

// scalarCases is the derivative of x³+2x at 3, compiled, per call: 33 and 29.
func scalarCases() []Case {
	return []Case{{
		Name: "scalar/f64", Dtype: "f64", Args: map[string]any{"kind": "scalar", "dtype": "f64"},
		Peers: []string{"torch", "torch.compile", "jax", "gorgonia", "gomlx"},
		Units: 1e3, RateUnit: "Mcalls/s", OneThread: true,
		Setup: func(threads int) (*Work, error) {
			f := func(x ad.Value) ad.Value { return x.PowInt(3).Add(x.Scale(2)) }
			return compiled(ad.ValueAndGrad(f), ad.Scalar(3.0), threads)
		},
		Reference: func() ([]int, []float64) { return []int{0, 1}, []float64{33, 29} },
	}}
}
