package main

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The network: 784-512-256-10, ReLU, softmax cross-entropy, and plain gradient descent in place.
var mlpSizes = [4]int{784, 512, 256, 10}

const mlpRate = 0.01

func mlpCases() []Case {
	var cs []Case
	for _, batch := range []int{32, 256, 1024} {
		flops := 0.0
		for l := range 3 {
			products := 3.0 // forward, and backward by weights and by inputs
			if l == 0 {
				products = 2
			}
			flops += 2 * products * float64(batch*mlpSizes[l]*mlpSizes[l+1])
		}
		cs = append(cs, Case{
			Name: fmt.Sprintf("mlp/%d", batch), Dtype: "f32",
			Args:  map[string]any{"kind": "mlp", "dtype": "f32", "batch": batch, "sizes": mlpSizes, "rate": mlpRate},
			Peers: []string{"torch", "torch.compile", "jax", "gorgonia", "gomlx"},
			Units: 1e6 * float64(batch), RateUnit: "kexamples/s", Flops: flops,
			Tolerance: 5e-3, // of new weights less old ones, which cancel
			Setup:     func(threads int) (*Work, error) { return mlpWork(batch, threads) },
			Reference: func() ([]int, []float64) { return mlpReference(batch) },
		})
	}
	return cs
}

type layer struct{ W, B ad.Value }

type mlpBatch struct{ X, Y ad.Value }

type mlpResult struct {
	Loss ad.Value
	Net  []layer
}

func mlpLoss(net []layer, b mlpBatch) ad.Value {
	h := b.X
	for i, l := range net {
		h = h.MatMul(l.W).Add(l.B)
		if i < len(net)-1 {
			h = h.ReLU()
		}
	}
	return ad.CrossEntropy(h, b.Y)
}

func mlpStep(net []layer, b mlpBatch) mlpResult {
	r := ad.ValueAndGrad2(mlpLoss)(net, b)
	return mlpResult{r.Value, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(mlpRate)) }, net, r.Grad)}
}

// mlpWeights are the weights of layer l before the first step; its biases are zeros.
func mlpWeights[T float](l int) []T {
	in, out := mlpSizes[l], mlpSizes[l+1]
	r := 1 / math.Sqrt(float64(in))
	return numbers[T](10+l, in*out, -r, r)
}

func mlpData(batch int) (x []float32, y []int32) {
	return numbers[float32](1, batch*mlpSizes[0], 0, 1), labels(2, batch, mlpSizes[3])
}

func mlpNet() []layer {
	var net []layer
	for l := range 3 {
		net = append(net, layer{ad.From(mlpWeights[float32](l), mlpSizes[l], mlpSizes[l+1]), ad.F32.Zeros(mlpSizes[l+1])})
	}
	return net
}

func mlpWork(batch, threads int) (*Work, error) {
	net := mlpNet()
	p, err := ad.Compile2(mlpStep, net, mlpBatch{ad.F32.Spec(ad.AnyBatch, mlpSizes[0]), ad.I32.Spec(ad.AnyBatch)}, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	x, y := mlpData(batch)
	b := mlpBatch{ad.From(x, batch, mlpSizes[0]), ad.From(y)}
	out := mlpResult{ad.F32.Zeros(), net}
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, net, b) },
		At: func(i int) float64 {
			v := element(ad.TreeLeaves(out), i)
			if i == 0 {
				return v
			}
			return (initialWeight(i-1) - v) / mlpRate
		},
	}, nil
}

// initialWeight is element i of all the parameters, layer by layer, weights before biases.
func initialWeight(i int) float64 {
	for l := range 3 {
		in, out := mlpSizes[l], mlpSizes[l+1]
		if i < in*out {
			r := 1 / math.Sqrt(float64(in))
			return float64(float32(-r + 2*r*number(10+l, i)))
		}
		if i -= in * out; i < out {
			return 0
		}
		i -= out
	}
	panic("bench: no such weight")
}

// mlpReference is the loss and some elements of the gradient.
func mlpReference(batch int) (index []int, value []float64) {
	return lossAndSome(mlpGradient(mlpData(batch)))
}

// lossAndSome is a loss, and some elements of each array of its gradient.
func lossAndSome(loss float64, grad [][]float64) (index []int, value []float64) {
	index, value = []int{0}, []float64{loss}
	at := 1
	for _, p := range grad {
		for _, i := range some(len(p), 40) {
			index, value = append(index, at+i), append(value, p[i])
		}
		at += len(p)
	}
	return index, value
}

// mlpGradient is the loss and its gradient, layer by layer, weights before biases, by hand on gonum's float64
// products.
func mlpGradient(x32 []float32, y []int32) (loss float64, grad [][]float64) {
	batch := len(y)
	matrix := func(rows, cols int) blas64.General {
		return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: make([]float64, rows*cols)}
	}
	var w, h, g [4]blas64.General
	h[0] = matrix(batch, mlpSizes[0])
	for i, v := range x32 {
		h[0].Data[i] = float64(v)
	}
	for l := range 3 {
		w[l] = matrix(mlpSizes[l], mlpSizes[l+1])
		for i, v := range mlpWeights[float32](l) {
			w[l].Data[i] = float64(v)
		}
		h[l+1] = matrix(batch, mlpSizes[l+1])
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, h[l], w[l], 0, h[l+1])
		for i, v := range h[l+1].Data {
			if l < 2 {
				h[l+1].Data[i] = max(v, 0)
			}
		}
	}
	classes := mlpSizes[3]
	d := matrix(batch, classes)
	for i := range batch {
		row, s := h[3].Data[i*classes:][:classes], 0.0
		for _, v := range row {
			s += math.Exp(v)
		}
		loss += (math.Log(s) - row[y[i]]) / float64(batch)
		for j, v := range row {
			d.Data[i*classes+j] = math.Exp(v) / s / float64(batch)
		}
		d.Data[i*classes+int(y[i])] -= 1 / float64(batch)
	}
	var bias [3][]float64
	for l := 2; l >= 0; l-- {
		g[l] = matrix(mlpSizes[l], mlpSizes[l+1])
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, h[l], d, 0, g[l])
		bias[l] = make([]float64, mlpSizes[l+1])
		for i, v := range d.Data {
			bias[l][i%mlpSizes[l+1]] += v
		}
		if l > 0 {
			below := matrix(batch, mlpSizes[l])
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, d, w[l], 0, below)
			for i, v := range h[l].Data {
				if v <= 0 {
					below.Data[i] = 0
				}
			}
			d = below
		}
	}
	for l := range 3 {
		grad = append(grad, g[l].Data, bias[l])
	}
	return loss, grad
}
