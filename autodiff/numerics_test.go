package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// What makes the first NaN or infinity is named with its line.
func TestCheckNumerics(t *testing.T) {
	big := ad.Const(math.Inf(1))
	for _, c := range []struct {
		name string
		f    func(x ad.Value) ad.Value
		x    []float64
		want string // the line of the operation is the one that says "here"
	}{
		{"finite", func(x ad.Value) ad.Value { return x.Log() }, []float64{1, 2}, ""},
		{"forwards", func(x ad.Value) ad.Value {
			y := x.Square()
			z := x.Log() // here
			return y.Add(z).Sum()
		}, []float64{1, -2, 3}, "Log makes the first NaN, element 1 of"},
		{"infinity", func(x ad.Value) ad.Value {
			y := x.Reciprocal() // here
			return y.Tanh().Add(y).Exp()
		}, []float64{1, 0}, "Reciprocal makes the first infinity, element 1 of"},
		{"derivative", ad.Grad(func(x ad.Value) ad.Value {
			y := x.Scale(2)
			y = y.Sqrt() // here
			return y.Sum()
		}), []float64{1, 0}, "in the derivative of Sqrt makes the first infinity, element 1"},
		{"second derivative", ad.Grad(func(x ad.Value) ad.Value {
			return ad.Grad(func(x ad.Value) ad.Value {
				return x.Pow(ad.Const(1.5)).Sum() // here
			})(x).Sum()
		}), []float64{1, 0}, "in the derivative of Pow makes the first infinity, element 1"},
		{"NaN of an infinity", func(x ad.Value) ad.Value {
			y := x.Exp()          // made here
			return y.Sub(y).Neg() // here
		}, []float64{1000, 1}, "Sub makes the first NaN, element 0 of"},
		{"not taken", func(x ad.Value) ad.Value {
			y := ad.Where(x.Gt(ad.Const(0)), x.Log(), x)
			return y.Div(x) // here
		}, []float64{-1, 0}, "Div makes the first NaN, element 1"},
		{"a mask of infinities", func(x ad.Value) ad.Value {
			return ad.Where(x.Gt(ad.Const(0)), x, big.Neg()).Softmax(0)
		}, []float64{1, -1, 2}, ""},
		{"the argument", func(x ad.Value) ad.Value { return x.Square().Sum() }, []float64{1, math.NaN()},
			"CheckNumerics NaN is in the arguments, element 1 of"},
		{"a constant", func(x ad.Value) ad.Value { return x.Sub(big) }, []float64{1, 2}, ""},
		{"a NaN constant", func(x ad.Value) ad.Value { return x.Sub(ad.Const(math.NaN())) }, []float64{1, 2}, "CheckNumerics NaN is in a constant"},
		{"product", func(x ad.Value) ad.Value {
			y := x.ExpandDims(1)
			return y.MatMul(y.T()).Sum() // here
		}, []float64{1e200, 1}, "MatMul makes the first infinity, element 0 of"},
		{"loop", func(x ad.Value) ad.Value {
			_, ys := ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) {
				c = c.Add(e)
				y := c.Sqrt() // here
				return c, y
			}, ad.Scalar(0.0), x)
			return ys.Sum()
		}, []float64{3, -2, -2, 5}, "Sqrt makes the first NaN, |, in step 2 of a loop"},
		{"carried", func(x ad.Value) ad.Value {
			return ad.ForI(5, func(i ad.Value, c ad.Value) ad.Value {
				c = c.Mul(c) // here
				return c
			}, x)
		}, []float64{1e80}, "Mul makes the first infinity, element 0 of|, in step 1 of a loop"},
		{"into a loop", func(x ad.Value) ad.Value {
			y := x.Log() // here
			return ad.ForI(3, func(i ad.Value, c ad.Value) ad.Value { return c.Add(y) }, x)
		}, []float64{1, -1}, "Log makes the first NaN, element 1"},
		{"derivative of a loop", ad.Grad(func(x ad.Value) ad.Value {
			y, _ := ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) {
				c = c.Add(e.Sqrt()) // here
				return c, c
			}, ad.Scalar(0.0), x)
			return y
		}), []float64{4, 0, 1}, "in the derivative of Sqrt makes the first infinity"},
		{"branch", func(x ad.Value) ad.Value {
			return ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value {
				return x.Log() // here
			}, func() ad.Value { return x })
		}, []float64{3, -1}, "Log makes the first NaN, element 1"},
		{"branch not taken", func(x ad.Value) ad.Value {
			zero := x.Sub(x)
			return ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value { return x.Sqrt() }, func() ad.Value {
				return zero.Div(zero) // here
			})
		}, []float64{-1, -2}, "Div makes the first NaN, element 0"},
		{"rule", ad.Grad(func(x ad.Value) ad.Value {
			return x.XLogY(x).Sum() // here
		}), []float64{1, 0}, "makes the first infinity"},
		{"host", func(x ad.Value) ad.Value {
			f := ad.Host(ad.HostOp[ad.Value, ad.Value]{Name: "Bad", Run: func(x, y ad.Value) error {
				ad.Data[float64](y)[1] = math.NaN()
				return nil
			}})
			return f(x) // here
		}, []float64{1, 0}, "Bad makes the first NaN, element 1"},
	} {
		here := "(numerics_test.go:"
		check := func(how string, err error) {
			switch {
			case c.want == "" && err != nil, c.want != "" && err == nil:
				t.Errorf("%s, %s: %v", c.name, how, err)
			case err != nil && (!holdsAll(err.Error(), c.want) || !strings.Contains(c.want, "CheckNumerics") && !strings.Contains(strings.ReplaceAll(err.Error(), ",", ")"), here+lineOf(c.name)+")")):
				t.Errorf("%s, %s: %v, not %q at line %s", c.name, how, err, c.want, lineOf(c.name))
			}
		}
		x := ad.From(c.x)
		p, err := ad.Compile(c.f, x, ad.Options{CheckNumerics: true})
		if err != nil {
			t.Fatal(c.name, err)
		}
		y, err := p.Run(background, x)
		check("compiled", err)
		if err == nil {
			if w, err := ad.Compile(c.f, x); err != nil {
				t.Error(err)
			} else if z, err := w.Run(background, x); err != nil || string(raw(y)) != string(raw(z)) {
				t.Error(c.name, "other bits", y, z, err)
			}
		} else if y.IsValid() {
			t.Error(c.name, "a result beside an error")
		}
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ADJOINT_NAN", "on")
			func() {
				defer func() {
					err, _ := recover().(error)
					check("at once", err)
				}()
				ad.Vmap(c.f)(x.ExpandDims(0))
			}()
		})
	}
	// A function that reads its values is checked where it does.
	t.Run("read", func(t *testing.T) {
		t.Setenv("ADJOINT_NAN", "on")
		_, _, err := ad.ValueAndDerivative(func(x ad.Value) ad.Value {
			for x.Item() > -1 {
				x = x.Shift(-1)
			}
			x = x.Log()
			if x.Item() > 0 {
				return x
			}
			return x.Neg()
		}, 3)
		if err == nil || !strings.Contains(err.Error(), "Log makes the first NaN, float64[] (numerics_test.go:") {
			t.Error(err)
		}
	})
	// Nothing is written, and the argument may be the result.
	step, err := ad.Compile(func(x ad.Value) ad.Value { return x.Shift(-1).Log() }, ad.F64.Spec(ad.AnyBatch), ad.Options{CheckNumerics: true})
	if err != nil {
		t.Fatal(err)
	}
	x := ad.From([]float64{20, 30})
	if err := step.RunInto(background, &x, x); err != nil || x.At(0) != math.Log(19) {
		t.Error(x, err)
	}
	before := x.Clone()
	if err := step.RunInto(background, &x, x); err != nil {
		t.Error(err)
	}
	var e *ad.Error
	if err := step.RunInto(background, &x, x); !errors.As(err, &e) || e.Op != "Log" || x.At(0) != before.Shift(-1).Log().At(0) {
		t.Error("written on an error", x, err)
	}
}

var numericsLines = func() map[string]string {
	text, err := os.ReadFile("numerics_test.go")
	if err != nil {
		panic(err)
	}
	lines, name := map[string]string{}, ""
	for i, l := range strings.Split(string(text), "\n") {
		if _, rest, ok := strings.Cut(l, "\t\t{\""); ok {
			name, _, _ = strings.Cut(rest, "\"")
		}
		if strings.HasSuffix(l, "// here") {
			lines[name] = strconv.Itoa(i + 1)
		}
	}
	return lines
}()

// holdsAll reports whether s holds all parts, which bars part.
func holdsAll(s, parts string) bool {
	for _, p := range strings.Split(parts, "|") {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// lineOf is the line of a case that says "here".
func lineOf(name string) string { return numericsLines[name] }

// The operation and the line that made the first NaN.
func ExampleOptions() {
	f := func(x ad.Value) ad.Value {
		return x.Square().Sum().Sqrt() // the derivative at 0 is 0·∞
	}
	p, err := ad.Compile(ad.Grad(f), ad.F64.Spec(2), ad.Options{CheckNumerics: true})
	if err != nil {
		panic(err)
	}
	_, err = p.Run(context.Background(), ad.F64.Zeros(2))
	fmt.Println(strings.Split(err.Error(), " (")[0])
	// Output: autodiff: Mul in the derivative of Square makes the first NaN, element 0 of float64[2]; of an infinity: autodiff: Div in the derivative of Sqrt makes the first infinity, float64[]
}
