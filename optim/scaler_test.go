package optim_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/nn"
	"github.com/adjoint-go/adjoint/optim"
)

type pair struct{ X, Y ad.Value }

func mse(m nn.MLP, d pair) ad.Value { return m.Apply(d.X).Sub(d.Y).Square().Mean() }

// training is a model with all that its steps change.
type training struct {
	Model  nn.MLP
	Adam   optim.Adam[nn.MLP]
	Scaler optim.Scaler
}

type stepped struct {
	Next     training
	Loss, OK ad.Value
}

func step(s training, d pair) stepped {
	l := optim.ScaledValueAndGrad2(s.Scaler, nn.MixedIn(ad.F16, mse))(s.Model, d)
	ok := optim.AllFinite(l.Grad)
	next := s
	next.Model, next.Adam = s.Adam.Step(s.Model, l.Grad, ad.Const(0.01))
	next = optim.Choose(ok, next, s)
	next.Scaler = s.Scaler.Next(ok)
	return stepped{next, l.Value, ok}
}

func begin() (training, pair) {
	k := ad.NewKey(3).Split(2)
	m := nn.NewMLP(rand.New(rand.NewPCG(3, 3)), 6, 16, 3)
	return training{m, optim.NewAdam(m), optim.NewScaler()}, pair{k[0].Normal(ad.F32, 40, 6), k[1].Normal(ad.F32, 40, 3)}
}

// Scaling changes neither the loss nor, where nothing overflows or underflows, a gradient; it saves those that are too
// small for float16s.
func TestScaledGradient(t *testing.T) {
	s, d := begin()
	plain := ad.ValueAndGrad2(nn.MixedIn(ad.F16, mse))(s.Model, d)
	exact := ad.ValueAndGrad2(mse)(s.Model, d)
	scaled := optim.ScaledValueAndGrad2(s.Scaler, nn.MixedIn(ad.F16, mse))(s.Model, d)
	if scaled.Value.Item() != plain.Value.Item() {
		t.Error(scaled.Value, plain.Value)
	}
	off := func(got, want nn.MLP) float64 {
		var e, n float64
		for i, g := range ad.TreeLeaves(got) {
			w := ad.TreeLeaves(want)[i]
			e += g.Sub(w).Square().Sum().Item()
			n += w.Square().Sum().Item()
		}
		return math.Sqrt(e / n)
	}
	// A unit that rounding switches on or off weighs most.
	if e := off(scaled.Grad, exact.Grad); !(e < 0.03) {
		t.Errorf("off by %g", e)
	}
	small := func(m nn.MLP, d pair) ad.Value { return mse(m, d).Convert(ad.F32).Scale(0x1p-24) }
	want := ad.Grad(func(m nn.MLP) ad.Value { return small(m, d) })(s.Model)
	lost := ad.ValueAndGrad2(nn.MixedIn(ad.F16, small))(s.Model, d).Grad
	if e := off(lost, want); !(e > 0.9) {
		t.Errorf("not scaled, off by %g only", e)
	}
	if e := off(optim.ScaledValueAndGrad2(s.Scaler, nn.MixedIn(ad.F16, small))(s.Model, d).Grad, want); !(e < 0.03) {
		t.Errorf("small gradients are off by %g", e)
	}

	// Gradients of every type, and places without one.
	type all struct{ H, B, F, D, I, None ad.Value }
	p := all{H: ad.F16.Ones(2), B: ad.BF16.Ones(2), F: ad.F32.Ones(2), D: ad.F64.Ones(2), I: ad.I32.Ones(2)}
	l := optim.ScaledValueAndGrad2(s.Scaler, func(p all, x ad.Value) ad.Value {
		sum := p.H.Convert(ad.F32).Add(p.B.Convert(ad.F32)).Add(p.F).Sum().Scale(3)
		return sum.Convert(ad.F64).Add(p.D.Sum().Scale(3)).Mul(x)
	})(p, ad.Scalar(0x1p-10))
	for i, v := range []struct {
		g ad.Value
		t ad.DType
	}{{l.Grad.H, ad.F16}, {l.Grad.B, ad.BF16}, {l.Grad.F, ad.F32}, {l.Grad.D, ad.F64}} {
		if v.g.DType() != v.t || v.g.At(1) != 3*0x1p-10 {
			t.Errorf("%d: %v", i, v.g)
		}
	}
	if l.Grad.I.IsValid() || l.Grad.None.IsValid() || l.Value.DType() != ad.F64 {
		t.Error(l)
	}
}

// A step that overflows changes nothing but the scale, which grows again after good ones; compiled or not.
func TestScaler(t *testing.T) {
	s, d := begin()
	s.Scaler.Scale, s.Scaler.Interval = ad.Scalar[float32](0x1p30), 3
	compiled, err := ad.Compile2(step, s, d)
	if err != nil {
		t.Fatal(err)
	}
	bad, want, good := 0, float32(0x1p30), 0
	for range 40 {
		now, err := compiled.Run(context.Background(), s, d)
		if err != nil {
			t.Fatal(err)
		}
		if eager := step(s, d); eager.OK.At() != now.OK.At() || eager.Next.Scaler.Scale.Item() != now.Next.Scaler.Scale.Item() {
			t.Fatal(eager.OK, now.OK)
		}
		same := true
		for i, v := range ad.TreeLeaves(now.Next.Model) {
			same = same && v.Sub(ad.TreeLeaves(s.Model)[i]).Abs().ReduceMax().Item() == 0
		}
		ok := now.OK.At() == 1
		if same == ok || now.Next.Adam.Steps.Item() != s.Adam.Steps.Item()+map[bool]float64{true: 1}[ok] {
			t.Fatalf("a step that is good: %v, the same weights: %v, steps %v", ok, same, now.Next.Adam.Steps)
		}
		if good++; !ok {
			bad, good, want = bad+1, 0, want/2
		} else if good == 3 {
			good, want = 0, want*2
		}
		if got := now.Next.Scaler; got.Scale.Item() != float64(want) || got.Good.Item() != float64(good) {
			t.Fatalf("scale %v after %v good steps, want %v after %d", got.Scale, got.Good, want, good)
		}
		s = now.Next
	}
	if bad < 5 || bad > 30 {
		t.Errorf("%d bad steps", bad)
	}
	// The scale stays finite.
	top := optim.Scaler{Growth: 2, Backoff: 0.5, Interval: 1, Scale: ad.Scalar[float32](0x1p127), Good: ad.I32.Zeros()}
	if next := top.Next(ad.Scalar(true)); next.Scale.Item() != 0x1p127 || next.Good.Item() != 0 {
		t.Error(next)
	}
	if !(optim.AllFinite([]ad.Value{{}, ad.I32.Ones(3), ad.F16.Ones(0)}).At() == 1) {
		t.Error("integers are finite")
	}
	for _, x := range []float64{math.NaN(), math.Inf(-1)} {
		if optim.AllFinite([]ad.Value{ad.F32.Ones(2), ad.From([]float64{1, x}).Convert(ad.F16)}).At() != 0 {
			t.Errorf("%g is finite", x)
		}
	}
}

// Training with float16s comes as far as with float32s.
func TestTrainsInFloat16(t *testing.T) {
	s, d := begin()
	single, first := s, mse(s.Model, d).Item()
	var got, want float64
	for range 200 {
		now := step(s, d)
		s, got = now.Next, now.Loss.Item()
		l := ad.ValueAndGrad2(mse)(single.Model, d)
		single.Model, single.Adam = single.Adam.Step(single.Model, l.Grad, ad.Const(0.01))
		want = l.Value.Item()
	}
	if !(got < first/2 && math.Abs(got/want-1) < 0.1) {
		t.Errorf("the loss is %g, in float32 %g, at first %g", got, want, first)
	}
}

// A step whose gradients overflow is given up, and the next one has half the scale.
func ExampleScaler() {
	type state struct {
		W      ad.Value
		Scaler optim.Scaler
	}
	loss := func(w, x ad.Value) ad.Value { return x.MatMul(w).Square().Mean() }
	step := func(s state, x ad.Value) state {
		l := optim.ScaledValueAndGrad2(s.Scaler, nn.MixedIn(ad.F16, loss))(s.W, x)
		ok := optim.AllFinite(l.Grad)
		next := optim.Choose(ok, state{optim.SGD(s.W, l.Grad, ad.Const(0.0625)), s.Scaler}, s)
		next.Scaler = s.Scaler.Next(ok)
		return next
	}
	s := state{ad.From([]float32{2, 0, 0, 1}, 2, 2), optim.NewScaler()}
	for range 4 {
		s = step(s, ad.From([]float32{2, 0, 0, 2}, 2, 2))
		fmt.Println(s.W, s.Scaler.Scale)
	}
	// Output:
	// float32[2 2] 2 0 0 1 float32[] 32768
	// float32[2 2] 2 0 0 1 float32[] 16384
	// float32[2 2] 1.75 0 0 0.875 float32[] 16384
	// float32[2 2] 1.53125 0 0 0.765625 float32[] 16384
}
