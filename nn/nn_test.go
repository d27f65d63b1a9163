package nn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/nn"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestLinear(t *testing.T) {
	l := nn.NewLinear(random(1), 500, 40)
	if !slices.Equal(l.W.Shape(), []int{500, 40}) || !slices.Equal(l.B.Shape(), []int{40}) || l.W.DType() != ad.F32 {
		t.Fatal(l.W, l.B)
	}
	if mean := l.W.Mean().Item(); math.Abs(mean) > 0.002 {
		t.Error("mean", mean)
	}
	if v := l.W.Var().Item(); math.Abs(v*250-1) > 0.05 {
		t.Error("variance", v)
	}
	if l.B.Abs().Sum().Item() != 0 {
		t.Error("biases", l.B)
	}
	w := ad.Data[float32](l.W)
	if !slices.Equal(w, ad.Data[float32](nn.NewLinear(random(1), 500, 40).W)) {
		t.Error("the same seed gives other weights")
	}
	if slices.Equal(w, ad.Data[float32](nn.NewLinear(random(2), 500, 40).W)) {
		t.Error("another seed gives the same weights")
	}
}

func TestMLP(t *testing.T) {
	m := nn.MLP{
		{W: ad.From([]float32{1, -1, 2, 0}, 2, 2), B: ad.From([]float32{0.5, 0})},
		{W: ad.From([]float32{3, 4}, 2, 1), B: ad.From([]float32{-1})},
	}
	// Rows (1, 2) → (5.5, -1) → (5.5, 0) → 15.5 and (-3, 1) → (-0.5, 3) → (0, 3) → 11.
	x := ad.From([]float32{1, 2, -3, 1}, 2, 2)
	if got := ad.Data[float32](m.Apply(x)); !slices.Equal(got, []float32{15.5, 11}) {
		t.Error(got)
	}
	if got := m.Apply(x.Reshape(2, 1, 2)).Shape(); !slices.Equal(got, []int{2, 1, 1}) {
		t.Error("more axes", got)
	}

	if m := nn.NewMLP(random(1), 3, 5, 4, 2); len(m) != 3 || !slices.Equal(m.Apply(ad.F32.Ones(7, 3)).Shape(), []int{7, 2}) {
		t.Error(m)
	}
	if m := nn.NewMLP(random(1), 3); len(m) != 0 || m.Apply(x).Rank() != 2 {
		t.Error(m)
	}
}
