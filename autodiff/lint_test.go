package autodiff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

type lintModel struct {
	W, B  ad.Value
	Scale []ad.Value
	Count ad.Value // an integer
}

func ExampleLint() {
	model := lintModel{W: ad.F64.Spec(2), B: ad.F64.Spec(2)}
	found, err := ad.Lint(func(m lintModel) ad.Value { return m.W.Round().Sum() }, model)
	for _, w := range found {
		text, _, _ := strings.Cut(w.String(), " (")
		fmt.Println(text)
	}
	fmt.Println(err)
	// Output:
	// argument.W has a derivative of zero everywhere: every way to the result leads through Round
	// argument.B is not used: the result does not depend on it
	// <nil>
}

func TestLint(t *testing.T) {
	model := lintModel{ad.F64.Spec(3, 3), ad.F64.Spec(3), []ad.Value{ad.F64.Spec()}, ad.I32.Spec()}
	good := func(m lintModel) ad.Value { return m.W.MatMul(m.B.ExpandDims(1)).Sum().Mul(m.Scale[0]) }
	captured := ad.F64.Ones(3, 3)
	for name, c := range map[string]struct {
		f    func(m lintModel) ad.Value
		want []string
	}{
		"nothing": {good, nil},
		"unused":  {func(m lintModel) ad.Value { return m.W.Sum() }, []string{".B not used", ".Scale[0] not used"}},
		"floor":   {func(m lintModel) ad.Value { return good(m.with(m.B.Floor())) }, []string{".B through Floor "}},
		"a comparison": {func(m lintModel) ad.Value { return good(m.with(m.B.Gt(ad.Const(0)).Convert(ad.F64))) },
			[]string{".B through Gt "}},
		"an integer": {func(m lintModel) ad.Value { return good(m.with(m.B.Exp().Convert(ad.I32).Convert(ad.F64))) },
			[]string{".B through Convert to int32 "}},
		"an index":        {func(m lintModel) ad.Value { return good(m.with(m.B.ArgMax(0).Convert(ad.F64).Add(ad.F64.Ones(3)))) }, []string{".B through ArgMax ", "Add uses"}},
		"stopped":         {func(m lintModel) ad.Value { return good(m.with(m.B.StopGradient())) }, []string{".B through StopGradient "}},
		"a choice":        {func(m lintModel) ad.Value { return ad.Where(m.B.Lt(ad.Const(1)), m.W, m.W.Neg()).Sum().Mul(m.Scale[0]) }, []string{".B through Lt "}},
		"one way is open": {func(m lintModel) ad.Value { return good(m.with(m.B.Floor().Add(m.B))) }, nil},
		"in a loop": {func(m lintModel) ad.Value {
			return ad.ForI(3, func(i, c ad.Value) ad.Value { return c.Add(good(m.with(m.B.Sign()))) }, ad.F64.Full(0))
		}, []string{".B through Sign "}},
		"captured": {func(m lintModel) ad.Value { return good(m).Add(captured.MatMul(m.W).Sum()) }, []string{"MatMul uses"}},
		"no float": {func(m lintModel) ad.Value { return m.Count }, []string{"the result holds no float"}},
	} {
		found, err := ad.Lint(c.f, model)
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for _, w := range found {
			got = append(got, w.String())
			if w.Kind == ad.ZeroDerivative && !strings.HasPrefix(w.Pos, "lint_test.go:") {
				t.Error(name, w)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
			continue
		}
		for i, want := range c.want {
			parts := strings.Split(want, " ")
			if slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(got[i], p) }) {
				t.Errorf("%s: %q, not %q", name, got[i], want)
			}
		}
	}
	lost := func(m lintModel) ad.Value {
		return ad.Custom(func(b ad.Value) ad.Value { return m.W.MatMul(b) }, ad.Rule[ad.Value, ad.Value]{Name: "Lost"})(m.B)
	}
	if _, err := ad.Lint(lost, model); err == nil || !strings.Contains(err.Error(), "Lost the function uses a value of float64 [3 3]") {
		t.Error(err)
	}
	if _, err := ad.Lint(func(m lintModel) ad.Value { return m.W.Add(ad.F64.Ones(2)) }, model); err == nil || !strings.Contains(err.Error(), "lint_test.go:") {
		t.Error(err)
	}
}

func (m lintModel) with(b ad.Value) lintModel {
	m.B = b
	return m
}
