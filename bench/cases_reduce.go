package main

import (
	"fmt"
	"math"
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// reductions along the middle of three axes, with how much of its argument each writes.
var reductions = []struct {
	name   string
	f      func(x ad.Value) ad.Value
	all    bool // the result is as large as the argument
	of     func(line []float64, j int) float64
	dtypes []string
}{
	{"sum", func(x ad.Value) ad.Value { return x.Sum(1) }, false, func(line []float64, _ int) float64 {
		return sumOf(line, func(x float64) float64 { return x })
	}, both},
	{"max", func(x ad.Value) ad.Value { return x.ReduceMax(1) }, false, func(line []float64, _ int) float64 { return maxOf(line) }, both},
	{"argmax", func(x ad.Value) ad.Value { return x.ArgMax(1) }, false, func(line []float64, _ int) float64 {
		return float64(slices.Index(line, maxOf(line)))
	}, single},
	{"var", func(x ad.Value) ad.Value { return x.Var(1) }, false, func(line []float64, _ int) float64 { return varOf(line) }, single},
	{"logsumexp", func(x ad.Value) ad.Value { return x.LogSumExp(1) }, false, func(line []float64, _ int) float64 {
		return math.Log(sumOf(line, math.Exp))
	}, single},
	{"softmax", func(x ad.Value) ad.Value { return x.Softmax(1) }, true, func(line []float64, j int) float64 {
		return math.Exp(line[j]) / sumOf(line, math.Exp)
	}, both},
	{"layernorm", func(x ad.Value) ad.Value {
		return x.Sub(x.MeanKeep(1)).Mul(x.VarKeep(1).Add(ad.Const(1e-5)).Rsqrt())
	}, true, func(line []float64, j int) float64 {
		return (line[j] - meanOf(line)) / math.Sqrt(varOf(line)+1e-5)
	}, single},
	{"cumsum", func(x ad.Value) ad.Value { return x.CumSum(1) }, true, func(line []float64, j int) float64 {
		return sumOf(line[:j+1], func(x float64) float64 { return x })
	}, single},
}

var both, single = []string{"f32", "f64"}, []string{"f32"}

func sumOf(line []float64, f func(float64) float64) (s float64) {
	for _, x := range line {
		s += f(x)
	}
	return s
}

func meanOf(line []float64) float64 {
	return sumOf(line, func(x float64) float64 { return x }) / float64(len(line))
}

func varOf(line []float64) float64 {
	mean := meanOf(line)
	return sumOf(line, func(x float64) float64 { return (x - mean) * (x - mean) }) / float64(len(line))
}

func maxOf(line []float64) float64 {
	m := line[0]
	for _, x := range line {
		m = max(m, x)
	}
	return m
}

// reduceShapes are [outer n inner]: rows of some lengths, columns, and an axis between two others.
var reduceShapes = []struct {
	name  string
	shape [3]int
}{
	{"1x1048576", [3]int{1, 1 << 20, 1}}, {"1024x1024", [3]int{1024, 1024, 1}}, {"65536x16", [3]int{65536, 16, 1}},
	{"first/1024x1024", [3]int{1, 1024, 1024}}, {"middle/64x256x64", [3]int{64, 256, 64}},
}

func reduceCases() []Case {
	var cs []Case
	for i := range reductions {
		for _, t := range reductions[i].dtypes {
			for _, s := range reduceShapes {
				cs = append(cs, reduceCase(i, t, s.name, s.shape))
			}
		}
	}
	return cs
}

func reduceCase(i int, t, name string, shape [3]int) Case {
	r := &reductions[i]
	outer, n, inner := shape[0], shape[1], shape[2]
	size := map[string]float64{"f32": 4, "f64": 8}[t]
	bytes := size * float64(outer*n*inner)
	if r.all {
		bytes *= 2
	}
	c := Case{
		Name: fmt.Sprintf("reduce/%s/%s/%s", r.name, t, name), Dtype: t,
		Args:  map[string]any{"kind": "reduce", "dtype": t, "op": r.name, "shape": shape},
		Peers: []string{"torch", "jax", "numpy"},
		Units: bytes, RateUnit: "GB/s", Bytes: bytes, ReadOnly: !r.all,
		Tolerance: map[string]float64{"f32": 1e-4, "f64": 1e-11}[t],
		Reference: func() (index []int, value []float64) {
			results := outer * inner
			if r.all {
				results *= n
			}
			index = some(results, 1+min(50, 1<<22/n))
			for _, k := range index {
				o, j, in := k/inner, 0, k%inner
				if r.all {
					o, j = k/(n*inner), k/inner%n
				}
				line := make([]float64, n)
				for c := range line {
					line[c] = float64(4*number(1, (o*n+c)*inner+in) - 1)
				}
				value = append(value, r.of(line, j))
			}
			return index, value
		},
	}
	dims := []int{outer, n, inner}
	if inner == 1 {
		dims = dims[:2]
	}
	if t == "f32" {
		c.Setup = func(threads int) (*Work, error) {
			return compiled(r.f, ad.From(numbers[float32](1, outer*n*inner, -1, 3), dims...), threads)
		}
	} else {
		c.Setup = func(threads int) (*Work, error) {
			return compiled(r.f, ad.From(numbers[float64](1, outer*n*inner, -1, 3), dims...), threads)
		}
	}
	return c
}
