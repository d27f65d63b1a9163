package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The derivative of a largest element is shared by those that tie, in windows that overlap and in ones that do not,
// over what padding leaves, in both modes.
func TestMaxPoolTies(t *testing.T) {
	x := ad.From([]float64{1, 1, 0, 3, 1, 0, 3, 3, 5, 2, 2, 2}, 3, 4, 1)
	for _, c := range []struct {
		o    ad.PoolOptions
		want string
	}{
		{ad.PoolOptions{}, "[0.3333333333333333 0.3333333333333333 0 0.6666666666666666 0.3333333333333333 0 0.6666666666666666 0.6666666666666666 0 0 0 0]"},
		{ad.PoolOptions{Padding: ad.Same}, "[0.3333333333333333 0.3333333333333333 0 0.6666666666666666 0.3333333333333333 0 0.6666666666666666 0.6666666666666666 3 0 2 2]"},
		{ad.PoolOptions{Stride: []int{1}}, "[0.3333333333333333 0.3333333333333333 0 1 0.3333333333333333 0 11 4 4 0 0 0]"},
	} {
		weights := ad.From([]float64{1, 2, 3, 4, 5, 6})
		f := func(x ad.Value) ad.Value {
			y := x.MaxPool(c.o, 2, 2).Flatten()
			return y.Mul(weights.Narrow(0, 0, y.Dim(0))).Sum()
		}
		g := ad.Grad(f)(x)
		if got := fmt.Sprint(ad.Data[float64](g)); got != c.want {
			t.Errorf("%+v: %s, not %s", c.o, got, c.want)
		}
		v := ad.From([]float64{1, -2, 3, 5, 7, 2, -3, 4, 5, 6, 1, 0}, 3, 4, 1)
		if got, want := ad.JVP(f)(x, v).Tangent.Item(), g.Mul(v).Sum().Item(); math.Abs(got-want) > 1e-12 {
			t.Errorf("%+v: forwards %v, backwards %v", c.o, got, want)
		}
	}
}
