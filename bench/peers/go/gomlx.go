package main

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// gomlxCase is a case on GoMLX's own backend in Go.
func gomlxCase(a args) (*work, error) {
	backend, err := simplego.New(fmt.Sprintf("parallelism=%d", threads()))
	if err != nil {
		return nil, err
	}
	switch a.Kind {
	case "gemm":
		if a.Dtype == "f32" {
			return gomlxProduct[float32](backend, a)
		}
		return gomlxProduct[float64](backend, a)
	case "chain":
		return gomlxChain(backend, a)
	case "mlp":
		return gomlxMLP(backend, a)
	case "scalar":
		return gomlxRun[float64](backend, func(in []*Node) []*Node {
			y := Add(Mul(in[0], Mul(in[0], in[0])), MulScalar(in[0], 2))
			return append([]*Node{y}, Gradient(y, in[0])...)
		}, nil, tensors.FromScalar(3.0))
	case "compile":
		if a.What == "mlp" {
			return again(func() (*work, error) { return gomlxMLP(backend, a) })
		}
		return again(func() (*work, error) {
			return gomlxRun[float32](backend, func(in []*Node) []*Node {
				x := in[0]
				for range a.Ops / 4 {
					x = Tanh(AddScalar(MulScalar(Sin(x), 1.25), 0.125))
				}
				y := ReduceAllSum(x)
				return append([]*Node{y}, Gradient(y, in[0])...)
			}, nil, tensors.FromFlatDataAndDimensions(numbers[float32](1, a.N, -1, 1), a.N))
		})
	}
	return nil, errNoCase
}

// again is work whose runs begin at nothing.
func again(make func() (*work, error)) (*work, error) {
	var w *work
	return &work{
		run: func() (err error) {
			if w, err = make(); err == nil {
				err = w.run()
			}
			return err
		},
		at: func(i int) float64 { return w.at(i) },
	}, nil
}

// gomlxRun compiles f. The first len(kept) results take the place of the inputs of those numbers in the next run.
func gomlxRun[T float](backend backends.Backend, f func(in []*Node) []*Node, kept []int, in ...any) (*work, error) {
	exec, err := NewExec(backend, f)
	if err != nil {
		return nil, err
	}
	var outs []*tensors.Tensor
	return &work{
		run: func() (err error) {
			if outs, err = exec.Exec(in...); err != nil {
				return err
			}
			for k, i := range kept {
				in[i] = outs[k]
			}
			return nil
		},
		at: func(i int) float64 {
			var parts [][]T
			for _, o := range outs {
				part, err := tensors.CopyFlatData[T](o)
				if err != nil {
					panic(err)
				}
				parts = append(parts, part)
			}
			return element(parts, i)
		},
	}, nil
}

func gomlxProduct[T float](backend backends.Backend, a args) (*work, error) {
	matrix := func(seed, rows, cols int, transposed bool) any {
		data := any(numbers[T](seed, a.Batch*rows*cols, -1, 1)).([]T)
		if transposed {
			rows, cols = cols, rows
		}
		if t, ok := any(data).([]float32); ok {
			return tensors.FromFlatDataAndDimensions(t, a.Batch, rows, cols)
		}
		return tensors.FromFlatDataAndDimensions(any(data).([]float64), a.Batch, rows, cols)
	}
	axis := func(transposed bool, plain int) []int {
		if transposed {
			plain = 3 - plain
		}
		return []int{plain}
	}
	return gomlxRun[T](backend, func(in []*Node) []*Node {
		return []*Node{DotGeneral(in[0], axis(a.TA, 2), []int{0}, in[1], axis(a.TB, 1), []int{0})}
	}, nil, matrix(1, a.M, a.K, a.TA), matrix(2, a.K, a.N, a.TB))
}

func gomlxChain(backend backends.Backend, a args) (*work, error) {
	var in []any
	for _, p := range a.Params {
		in = append(in, tensors.FromScalar(float32(p)))
	}
	in = append(in, tensors.FromFlatDataAndDimensions(numbers[float32](1, a.N, -1, 3), a.N))
	return gomlxRun[float32](backend, func(in []*Node) []*Node {
		x := in[3]
		y := ReduceAllSum(Mul(Tanh(Add(Mul(in[0], x), in[1])), Sigmoid(Mul(in[2], x))))
		return append([]*Node{y}, Gradient(y, in[:3]...)...)
	}, nil, in...)
}

// mlpStart is the weights before the first step, biases behind each.
func mlpStart(a args) (ws [][]float32, shapes [][]int) {
	for l := range 3 {
		m, n := a.Sizes[l], a.Sizes[l+1]
		r := 1 / math.Sqrt(float64(m))
		ws = append(ws, numbers[float32](10+l, m*n, -r, r), make([]float32, n))
		shapes = append(shapes, []int{m, n}, []int{n})
	}
	return ws, shapes
}

// mlpAt is element i of the loss and the gradient that a step went along.
func mlpAt(a args, loss float64, after [][]float32, i int) float64 {
	if i == 0 {
		return loss
	}
	before, _ := mlpStart(a)
	return (element(before, i-1) - element(after, i-1)) / a.Rate
}

func gomlxMLP(backend backends.Backend, a args) (*work, error) {
	ws, shapes := mlpStart(a)
	var in []any
	for i, w := range ws {
		in = append(in, tensors.FromFlatDataAndDimensions(w, shapes[i]...))
	}
	in = append(in, tensors.FromFlatDataAndDimensions(numbers[float32](1, a.Batch*a.Sizes[0], 0, 1), a.Batch, a.Sizes[0]),
		tensors.FromFlatDataAndDimensions(labels(2, a.Batch, a.Sizes[3]), a.Batch))
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		h := in[6]
		for l := range 3 {
			h = Add(Dot(h, in[2*l]), ExpandAxes(in[2*l+1], 0))
			if l < 2 {
				h = Max(h, ScalarZero(h.Graph(), h.DType()))
			}
		}
		loss := Neg(ReduceAllMean(ReduceSum(Mul(OneHot(in[7], a.Sizes[3], dtypes.Float32), LogSoftmax(h)), -1)))
		grads := Gradient(loss, in[:6]...)
		var out []*Node
		for i, g := range grads {
			out = append(out, Sub(in[i], MulScalar(g, a.Rate)))
		}
		return append(out, loss)
	})
	if err != nil {
		return nil, err
	}
	var outs []*tensors.Tensor
	return &work{
		run: func() (err error) {
			if outs, err = exec.Exec(in...); err != nil {
				return err
			}
			for i := range 6 {
				in[i] = outs[i]
			}
			return nil
		},
		at: func(i int) float64 {
			var after [][]float32
			for _, o := range outs[:6] {
				part, err := tensors.CopyFlatData[float32](o)
				if err != nil {
					panic(err)
				}
				after = append(after, part)
			}
			return mlpAt(a, float64(tensors.ToScalar[float32](outs[6])), after, i)
		},
	}, nil
}
