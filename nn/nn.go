// Package nn has the layers of neural networks: plain structs of values, with their first weights.
// It imports autodiff.
package nn

import (
	"math"
	"math/rand/v2"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Linear is x·W + B: W is [in, out], B is [out].
type Linear struct{ W, B ad.Value }

// NewLinear draws float32 weights for a layer that a [ad.Value.ReLU] follows: normal, of variance 2/in,
// which keeps the variance of what passes through such layers (He et al., 2015). Biases are zero.
func NewLinear(r *rand.Rand, in, out int) Linear {
	w := make([]float32, in*out)
	deviation := math.Sqrt(2 / float64(in))
	for i := range w {
		w[i] = float32(r.NormFloat64() * deviation)
	}
	// Nobody holds the clone's memory: it may stay on a device.
	return Linear{ad.From(w, in, out).Clone(), ad.F32.Zeros(out)}
}

// Apply takes x [… in] to [… out].
func (l Linear) Apply(x ad.Value) ad.Value { return x.MatMul(l.W).Add(l.B) }

// MLP is linear layers with ReLU between them.
type MLP []Linear

// NewMLP makes the layers between sizes: those of the input, of the hidden layers and of the output. Fewer
// than two make none.
func NewMLP(r *rand.Rand, sizes ...int) MLP {
	var m MLP
	for i := 1; i < len(sizes); i++ {
		m = append(m, NewLinear(r, sizes[i-1], sizes[i]))
	}
	return m
}

// Apply takes x [… in] to [… out]; without layers it is x.
func (m MLP) Apply(x ad.Value) ad.Value {
	for i, l := range m {
		if i > 0 {
			x = x.ReLU()
		}
		x = l.Apply(x)
	}
	return x
}
