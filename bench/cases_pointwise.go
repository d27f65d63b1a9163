package main

import (
	"fmt"
	"reflect"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

type values = []ad.Value

// pointwiseOp is an operation as users call it; nil where they do not.
func pointwiseOp(id ops.ID) func(values) ad.Value {
	op := id.Row()
	if op.Class != ops.Float && op.Class != ops.Arith {
		return nil
	}
	m, ok := reflect.TypeFor[ad.Value]().MethodByName(ir.PublicName(id))
	if !ok || m.Type.NumIn() != op.Arity || m.Type.In(op.Arity-1) != reflect.TypeFor[ad.Value]() {
		return nil
	}
	return func(x values) ad.Value {
		in := make([]reflect.Value, len(x))
		for i := range x {
			in[i] = reflect.ValueOf(x[i])
		}
		return m.Func.Call(in)[0].Interface().(ad.Value)
	}
}

func pointwiseCases() []Case {
	var cs []Case
	for id := range ops.Count {
		f := pointwiseOp(id)
		if f == nil {
			continue
		}
		for _, t := range []string{"f32", "f64"} {
			for _, n := range []int{4096, 1 << 20} {
				cs = append(cs, pointwiseCase(id.Row(), f, t, n))
			}
		}
	}
	for _, o := range ofOrder {
		op := *o.id.Row()
		op.Name, op.Arity, op.Dom = o.name, 1, op.Dom[1:2]
		eval := op.Eval
		op.Eval = func(x, _, _ float64) float64 { return eval(o.order, x, 0) }
		f := func(x values) ad.Value { return o.f(ad.Const(o.order), x[0]) }
		for _, t := range []string{"f32", "f64"} {
			cs = append(cs, pointwiseCase(&op, f, t, 4096))
		}
	}
	return cs
}

// ofOrder are functions that peers have for one order, and we for all.
var ofOrder = []struct {
	name  string
	id    ops.ID
	order float64
	f     func(n, x ad.Value) ad.Value
}{
	{"polygamma2", ops.Polygamma, 2, func(_, x ad.Value) ad.Value { return x.Polygamma(2) }},
	{"expint2", ops.ExpintN, 2, ad.Value.ExpintN},
}

func pointwiseCase(op *ops.Op, f func(values) ad.Value, t string, n int) Case {
	var lo, hi []float64
	for _, d := range op.Dom[:op.Arity] {
		lo, hi = append(lo, d.Lo), append(hi, d.Hi)
	}
	size := map[string]int{"f32": 4, "f64": 8}[t]
	c := Case{
		Name: fmt.Sprintf("pointwise/%s/%s/%d", op.Name, t, n), Dtype: t,
		Args:  map[string]any{"kind": "pointwise", "dtype": t, "op": op.Name, "n": n, "lo": lo, "hi": hi},
		Peers: []string{"torch", "jax", "numpy", "libmvec", "vml"},
		Units: float64(n), RateUnit: "Gelem/s", Bytes: float64(size * n * (op.Arity + 1)), OneThread: n <= 4096,
		Tolerance: map[string]float64{"f32": 2e-4, "f64": 1e-11}[t],
	}
	if t == "f32" {
		c.Setup = func(threads int) (*Work, error) { return pointwiseWork[float32](f, n, lo, hi, threads) }
		c.Reference = func() ([]int, []float64) { return pointwiseReference[float32](op, n, lo, hi) }
	} else {
		c.Setup = func(threads int) (*Work, error) { return pointwiseWork[float64](f, n, lo, hi, threads) }
		c.Reference = func() ([]int, []float64) { return pointwiseReference[float64](op, n, lo, hi) }
	}
	return c
}

func pointwiseWork[T float](f func(values) ad.Value, n int, lo, hi []float64, threads int) (*Work, error) {
	var in values
	for i := range lo {
		in = append(in, ad.From(numbers[T](i+1, n, lo[i], hi[i])))
	}
	return compiled(f, in, threads)
}

func pointwiseReference[T float](op *ops.Op, n int, lo, hi []float64) (index []int, value []float64) {
	index = some(n, 200)
	var x [3]float64
	for _, k := range index {
		for i := range lo {
			x[i] = float64(T(lo[i] + (hi[i]-lo[i])*number(i+1, k)))
		}
		value = append(value, op.Eval(x[0], x[1], x[2]))
	}
	return index, value
}
