package main

import (
	"context"
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A run of these cases goes from nothing to the first gradient: recording, deriving, compiling, running
// once.
const (
	compileBatch  = 32
	compileLength = 1024
	compileOps    = 1000
)

func compileCases() []Case {
	one := Case{
		Dtype: "f32", Peers: []string{"torch.compile", "jax", "gorgonia", "gomlx"}, Units: 1e9, RateUnit: "1/s", OneThread: true,
	}
	mlp, chain := one, one
	mlp.Name = "compile/mlp"
	mlp.Args = map[string]any{"kind": "compile", "what": "mlp", "dtype": "f32", "batch": compileBatch, "sizes": mlpSizes, "rate": mlpRate}
	mlp.Tolerance = 5e-3
	mlp.Setup = compileMLP
	mlp.Reference = func() ([]int, []float64) { return mlpReference(compileBatch) }
	chain.Name = "compile/chain1000"
	chain.Args = map[string]any{"kind": "compile", "what": "chain", "dtype": "f32", "n": compileLength, "ops": compileOps}
	chain.Tolerance = 1e-3
	chain.Setup = compileChain
	chain.Reference = longChainReference
	return []Case{mlp, chain}
}

func compileMLP(threads int) (*Work, error) {
	var w *Work
	made := &Work{
		Run: func() (err error) {
			if w, err = mlpWork(compileBatch, threads); err != nil {
				return err
			}
			return w.Run()
		},
		At: func(i int) float64 { return w.At(i) },
	}
	level, err := ad.Compile(ad.Value.Neg, ad.F32.Spec())
	if err == nil {
		made.Level, made.Allocates = level.Level(), true
	}
	return made, err
}

// longChain is 1000 operations on an array, one after the other, and its sum.
func longChain(x ad.Value) ad.Value {
	for range compileOps / 4 {
		x = x.Sin().Scale(1.25).Shift(0.125).Tanh()
	}
	return x.Sum()
}

func compileChain(threads int) (*Work, error) {
	x := ad.From(numbers[float32](1, compileLength, -1, 1))
	var y ad.Valued[ad.Value]
	level, err := ad.Compile(ad.Value.Neg, ad.F32.Spec())
	if err != nil {
		return nil, err
	}
	return &Work{
		Level:     level.Level(),
		Allocates: true,
		Run: func() error {
			p, err := ad.Compile(ad.ValueAndGrad(longChain), x, ad.Options{Threads: threads})
			if err == nil {
				y, err = p.Run(context.Background(), x)
			}
			return err
		},
		At: func(i int) float64 { return element(ad.TreeLeaves(y), i) },
	}, nil
}

func longChainReference() (index []int, value []float64) {
	index, value = []int{0}, []float64{0}
	for i := range compileLength {
		x := float64(float32(2*number(1, i) - 1))
		d := 1.0
		for range compileOps / 4 {
			y := math.Tanh(1.25*math.Sin(x) + 0.125)
			x, d = y, d*(1-y*y)*1.25*math.Cos(x)
		}
		value[0] += x
		index, value = append(index, 1+i), append(value, d)
	}
	return index, value
}
