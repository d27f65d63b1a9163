package nn_test

import (
	"fmt"
	"math"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/nn"
)

type pair struct{ X, Y ad.Value }

func mse(m nn.MLP, d pair) ad.Value { return m.Apply(d.X).Sub(d.Y).Square().Mean() }

// The gradients of mixed precision are float32, and near those in float32; integers pass through.
func TestMixed(t *testing.T) {
	m := nn.NewMLP(random(3), 20, 50, 3)
	k := ad.NewKey(1).Split(2)
	d := pair{k[0].Normal(ad.F32, 30, 20), k[1].Normal(ad.F32, 30, 3)}
	got, want := ad.ValueAndGrad2(nn.Mixed(mse))(m, d), ad.ValueAndGrad2(mse)(m, d)
	if got.Value.DType() != ad.F32 || math.Abs(got.Value.Item()/want.Value.Item()-1) > 0.01 {
		t.Error(got.Value, want.Value)
	}
	for i, g := range ad.TreeLeaves(got.Grad) {
		w := ad.TreeLeaves(want.Grad)[i]
		// A unit that rounding switches on or off weighs most.
		if e := g.Sub(w).Square().Sum().Sqrt().Item() / w.Square().Sum().Sqrt().Item(); g.DType() != ad.F32 || e > 0.06 || e == 0 {
			t.Errorf("gradient %d, %v, is off by %g of its size", i, g.DType(), e)
		}
	}
	c := nn.Cast([]ad.Value{ad.F32.Ones(2), ad.I64.Ones(2), {}}, ad.F32, ad.BF16)
	if c[0].DType() != ad.BF16 || c[1].DType() != ad.I64 || c[2].IsValid() {
		t.Error(c)
	}
}

// Mixed takes a loss and gives one, for any optimiser.
func ExampleMixed() {
	m := nn.MLP{{W: ad.From([]float32{1, -1, 2, 0.5}, 2, 2), B: ad.F32.Zeros(2)}}
	d := pair{ad.From([]float32{1, 3}, 1, 2), ad.From([]float32{6, 1}, 1, 2)}
	g := ad.ValueAndGrad2(nn.Mixed(mse))(m, d)
	fmt.Println(g.Value)
	fmt.Println(g.Grad[0].W)
	// Output:
	// float32[] 0.625
	// float32[2 2] 1 -0.5 3 -1.5
}
