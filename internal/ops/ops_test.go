package ops

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Every partial against a central difference of Eval, inside the row's domain.
func TestPartials(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range Table {
		op := &Table[i]
		if op.Name == "" || len(op.D) != op.Arity || len(op.Dom) != op.Arity {
			t.Fatalf("row %d (%q) is incomplete", i, op.Name)
		}
		for range 50 {
			var v [3]float64
			for j, d := range op.Dom {
				v[j] = d.Lo + rng.Float64()*(d.Hi-d.Lo)
				if op.Class == Logic || op.Class == Bitwise || op.Class == Select && j == 0 {
					v[j] = math.Round(v[j])
				}
			}
			y := op.Eval(v[0], v[1], v[2])
			for j := range op.Arity {
				e := op.Partial(j)
				if e == nil {
					continue
				}
				const h = 1e-5
				lo, hi := v, v
				lo[j] -= h
				hi[j] += h
				want := (op.Eval(hi[0], hi[1], hi[2]) - op.Eval(lo[0], lo[1], lo[2])) / (2 * h)
				if got := e.Eval(v, y); math.Abs(got-want) > 2e-7*(1+math.Abs(want)) {
					t.Errorf("%s%v by %c: %v, difference %v", op.Name, v[:op.Arity], 'a'+j, got, want)
				}
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"", "a +", "foo(a)", "sin(a, b)", "(a", "a b", "a ? b"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q parsed", text)
		}
	}
}

// erfi goes on where exp(x²) has overflowed; the values are by its asymptotic series in 50 digits.
func TestErfiNextToOverflow(t *testing.T) {
	for _, c := range []struct{ x, want float64 }{{26.5, 2.05016528322487944e+303}, {-26.70633316040039, -1.19179291638849338e+308}, {26.8, math.Inf(1)}, {1e30, math.Inf(1)}} {
		if got := erfi(c.x); got != c.want && !(math.Abs(got/c.want-1) < 1e-14) {
			t.Errorf("erfi(%g) = %g, want %g", c.x, got, c.want)
		}
	}
}
