package optim_test

import (
	"context"
	"math"
	"slices"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/optim"
)

// tree has a place of each kind.
type tree struct {
	A    ad.Value // float64
	B    []ad.Value
	N    ad.Value // integers stay as they are
	None ad.Value
	Name string
}

func start() tree {
	return tree{
		A: ad.From([]float64{1, -2, 0.5}),
		B: []ad.Value{ad.From([]float32{3, -0.25, 0, 2}, 2, 2)},
		N: ad.From([]int64{7, 8}), Name: "kept",
	}
}

func bowl(t tree) ad.Value {
	return t.A.Square().Mul(ad.From([]float64{1, 3, 10})).Sum().Add(t.B[0].Shift(-1).Square().Sum().Convert(ad.F64))
}

// bowlGrad is the gradient of bowl by A and B, in order.
func bowlGrad(p []float64) []float64 {
	g := []float64{2 * p[0], 6 * p[1], 20 * p[2]}
	for _, b := range p[3:] {
		g = append(g, 2*(b-1))
	}
	return g
}

// rule is an optimizer: its step on trees, and the same on numbers, of step t = 1, 2 … with state a and b.
type rule[S any] struct {
	init   func() S
	step   func(p, grad tree, s S, rate ad.Value) (tree, S)
	number func(t, p, g, rate float64, a, b *float64) float64
}

func check[S any](t *testing.T, name string, r rule[S]) {
	type state struct {
		P tree
		S S
	}
	f := func(s state, rate ad.Value) state {
		s.P, s.S = r.step(s.P, ad.Grad(bowl)(s.P), s.S, rate)
		return s
	}
	compiled, err := ad.Compile2(f, state{start(), r.init()}, ad.F64.Spec())
	if err != nil {
		t.Fatal(name, err)
	}
	inPlace, eager := state{start(), r.init()}, state{start(), r.init()}
	want := append(eager.P.A.Float64s(), eager.P.B[0].Float64s()...)
	a, b := make([]float64, len(want)), make([]float64, len(want))
	for i := range 20 {
		rate := 0.02 / float64(1+i)
		if err := compiled.RunInto(context.Background(), &inPlace, inPlace, ad.Scalar(rate)); err != nil {
			t.Fatal(name, err)
		}
		eager = f(eager, ad.Scalar(rate))
		for k, g := range bowlGrad(want) {
			want[k] = r.number(float64(i+1), want[k], g, rate, &a[k], &b[k])
		}
		for which, s := range map[string]state{"in place": inPlace, "eager": eager} {
			got := append(s.P.A.Float64s(), s.P.B[0].Float64s()...)
			for k := range got {
				if tol := []float64{1e-13, 5e-6}[min(1, k/3)]; !(math.Abs(got[k]-want[k]) <= tol) {
					t.Fatalf("%s %s, step %d: %v, want %v", name, which, i, got, want)
				}
			}
			if !slices.Equal(ad.Data[int64](s.P.N), []int64{7, 8}) || s.P.None.IsValid() || s.P.Name != "kept" {
				t.Fatal(name, which, s.P)
			}
		}
	}
}

func TestRules(t *testing.T) {
	check(t, "sgd", rule[struct{}]{
		init:   func() struct{} { return struct{}{} },
		step:   func(p, g tree, s struct{}, rate ad.Value) (tree, struct{}) { return optim.SGD(p, g, rate), s },
		number: func(_, p, g, rate float64, _, _ *float64) float64 { return p - rate*g },
	})
	for _, nesterov := range []bool{false, true} {
		check(t, "momentum", rule[optim.Momentum[tree]]{
			init: func() optim.Momentum[tree] {
				m := optim.NewMomentum(start())
				m.Decay, m.Nesterov = 0.8, nesterov
				return m
			},
			step: func(p, g tree, s optim.Momentum[tree], rate ad.Value) (tree, optim.Momentum[tree]) {
				return s.Step(p, g, rate)
			},
			number: func(_, p, g, rate float64, v, _ *float64) float64 {
				*v = 0.8**v + g
				if nesterov {
					return p - rate*(g+0.8**v)
				}
				return p - rate**v
			},
		})
	}
	for _, shrink := range []float64{0, 0.3} {
		check(t, "adam", rule[optim.Adam[tree]]{
			init: func() optim.Adam[tree] {
				a := optim.NewAdam(start())
				a.Beta1, a.Epsilon, a.Shrink = 0.7, 1e-3, shrink
				return a
			},
			step: func(p, g tree, s optim.Adam[tree], rate ad.Value) (tree, optim.Adam[tree]) {
				return s.Step(p, g, rate)
			},
			number: func(t, p, g, rate float64, m, v *float64) float64 {
				*m = 0.7**m + 0.3*g
				*v = 0.999**v + 0.001*g*g
				return p - rate*(*m/(1-math.Pow(0.7, t))/(math.Sqrt(*v/(1-math.Pow(0.999, t)))+1e-3)+shrink*p)
			},
		})
	}
}

// A rate may be a bare number, and a step of training then allocates nothing.
func TestAllocations(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	type state struct {
		P [2]ad.Value
		A optim.Adam[[2]ad.Value]
	}
	p := [2]ad.Value{ad.F32.Ones(3), ad.F64.Ones()}
	s := state{p, optim.NewAdam(p)}
	step, err := ad.Compile(func(s state) state {
		g := ad.Grad(func(p [2]ad.Value) ad.Value { return p[0].Square().Sum().Convert(ad.F64).Mul(p[1]) })(s.P)
		s.P, s.A = s.A.Step(s.P, g, ad.Const(0.01))
		return s
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	run := func() {
		if err := step.RunInto(context.Background(), &s, s); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if x := s.P[0].At(0); math.Abs(x-0.99) > 1e-6 {
		t.Error(x) // Adam's first step is the rate
	}
	if n := testing.AllocsPerRun(50, run); n != 0 {
		t.Error(n, "allocations")
	}
}
