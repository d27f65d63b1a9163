package nn_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/nn"
	"github.com/adjoint-go/adjoint/optim"
)

func TestConvLayers(t *testing.T) {
	same := ad.ConvOptions{Padding: ad.Same}
	x := ad.F32.Ones(2, 8, 6, 4)
	for i, c := range []struct {
		got  ad.Value
		want []int
	}{
		{nn.NewConv(random(1), 4, 16, same, 3, 3).Apply(x), []int{2, 8, 6, 16}},
		{nn.NewConv(random(1), 4, 8, ad.ConvOptions{Groups: 2, Stride: []int{2}}, 3, 1).Apply(x), []int{2, 3, 3, 8}},
		{nn.NewConvTranspose(random(1), 4, 3, ad.ConvOptions{Stride: []int{2}, Padding: ad.Same}, 3, 3).Apply(x), []int{2, 16, 12, 3}},
		{nn.MaxPool{Size: []int{2, 3}}.Apply(x), []int{2, 4, 2, 4}},
		{nn.AvgPool{[]int{2, 2}, ad.PoolOptions{Stride: []int{1}}}.Apply(x), []int{2, 7, 5, 4}},
		{nn.Upsample{ad.Linear, []int{16, 12}}.Apply(x), []int{2, 16, 12, 4}},
	} {
		if !slices.Equal(c.got.Shape(), c.want) {
			t.Errorf("%d: %v, want %v", i, c.got.Shape(), c.want)
		}
	}
	w := nn.NewConv(random(1), 32, 64, same, 3, 3).W
	if v := w.Var().Item(); math.Abs(v*32*9/2-1) > 0.05 {
		t.Error("variance", v)
	}
}

// bars is n pictures of 8×8 with a bar somewhere, and whether it lies or stands.
func bars(seed uint64, n int) (x, y ad.Value) {
	r := random(seed)
	px, label := make([]float32, n*64), make([]int32, n)
	for i := range n {
		at, from, across := 1+r.IntN(6), r.IntN(4), r.IntN(2)
		for j := range 5 {
			p := at*8 + from + j
			if across == 1 {
				p = (from+j)*8 + at
			}
			px[i*64+p%64] = 1
		}
		for j := range 64 {
			px[i*64+j] += float32(r.NormFloat64()) * 0.2
		}
		label[i] = int32(across)
	}
	return ad.From(px, n, 8, 8, 1), ad.From(label)
}

// cnn is a small network of convolutions.
type cnn struct {
	A, B nn.Conv
	Pool nn.MaxPool
	Out  nn.Linear
}

func (m cnn) Apply(x ad.Value) ad.Value {
	x = m.Pool.Apply(m.A.Apply(x).ReLU())
	return m.Out.Apply(m.B.Apply(x).ReLU().GlobalAvgPool(2))
}

type pictures struct{ X, Y ad.Value }

// A network of convolutions learns to tell lying bars from standing ones, in one program.
func TestCNNLearns(t *testing.T) {
	r := random(7)
	same := ad.ConvOptions{Padding: ad.Same}
	m := cnn{nn.NewConv(r, 1, 8, same, 3, 3), nn.NewConv(r, 8, 16, same, 3, 3), nn.MaxPool{Size: []int{2, 2}}, nn.NewLinear(r, 16, 2)}
	type state struct {
		Net  cnn
		Adam optim.Adam[cnn]
	}
	type stepped struct {
		State state
		Loss  ad.Value
	}
	loss := func(m cnn, b pictures) ad.Value { return ad.CrossEntropy(m.Apply(b.X), b.Y) }
	step := func(s state, b pictures) stepped {
		l := ad.ValueAndGrad2(loss)(s.Net, b)
		net, adam := s.Adam.Step(s.Net, l.Grad, ad.Const(0.01))
		return stepped{state{net, adam}, l.Value}
	}
	now := stepped{State: state{m, optim.NewAdam(m)}, Loss: ad.F32.Zeros()}
	spec := pictures{ad.F32.Spec(ad.AnyBatch, 8, 8, 1), ad.I32.Spec(ad.AnyBatch)}
	p, err := ad.Compile2(step, now.State, spec)
	if err != nil {
		t.Fatal(err)
	}
	var first float64
	for i := range 60 {
		x, y := bars(uint64(i), 32)
		if err := p.RunInto(context.Background(), &now, now.State, pictures{x, y}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = now.Loss.Item()
		}
	}
	x, y := bars(1000, 200)
	right := now.State.Net.Apply(x).ArgMax(-1).Eq(y.Convert(ad.I64)).CountTrue().Item()
	if last := now.Loss.Item(); !(last < first/4) || right < 190 {
		t.Errorf("loss %v to %v, %v of 200 right", first, last, right)
	}
}

// A layer of convolutions in a network of pictures, channels last.
func ExampleConv() {
	conv := nn.NewConv(random(1), 3, 16, ad.ConvOptions{Stride: []int{2}, Padding: ad.Same}, 3, 3)
	pool := nn.MaxPool{Size: []int{2, 2}}
	x := ad.F32.Ones(10, 32, 32, 3)
	fmt.Println(pool.Apply(conv.Apply(x).ReLU()).Shape())
	// Output: [10 8 8 16]
}
