package main

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The block: layer norm, self-attention of several heads, layer norm, a network of one hidden layer with GELU, each
// half added to what it began with; squared error against a target, and plain gradient descent in place.
const (
	blockBatch  = 8
	blockTokens = 128
	blockDim    = 256
	blockHeads  = 4
	blockHidden = 4 * blockDim
	blockRate   = 0.5
)

func transformerCases() []Case {
	tokens := float64(blockBatch * blockTokens)
	weights := float64(4*blockDim*blockDim + 2*blockDim*blockHidden)
	attention := 2 * float64(blockTokens*blockDim) // products by token: scores, and their sums of values
	return []Case{{
		Name: "transformer", Dtype: "f32",
		Args: map[string]any{"kind": "transformer", "dtype": "f32", "batch": blockBatch, "tokens": blockTokens, "dim": blockDim,
			"heads": blockHeads, "hidden": blockHidden, "rate": blockRate},
		Peers: []string{"torch", "torch.compile", "jax"},
		Units: 1e6 * tokens, RateUnit: "ktokens/s", Flops: 3 * 2 * tokens * (weights + attention),
		Tolerance: 5e-3, // of new weights less old ones, which cancel
		Setup:     transformerWork, Reference: transformerReference,
	}}
}

type norm struct{ Gain, Bias ad.Value }

func (n norm) of(x ad.Value) ad.Value {
	c := x.Sub(x.MeanKeep(-1))
	return c.Mul(c.Square().MeanKeep(-1).Shift(1e-5).Rsqrt()).Mul(n.Gain).Add(n.Bias)
}

func (l layer) of(x ad.Value) ad.Value { return x.MatMul(l.W).Add(l.B) }

type block struct {
	Norm1    norm
	QKV, Out layer
	Norm2    norm
	Up, Down layer
}

func (b block) of(x ad.Value) ad.Value {
	heads := b.QKV.of(b.Norm1.of(x)).Reshape(-1, blockTokens, 3, blockHeads, blockDim/blockHeads).Transpose(2, 0, 3, 1, 4)
	q, k, v := heads.Index(0), heads.Index(1), heads.Index(2)
	scores := q.MatMul(k.T()).Scale(1 / math.Sqrt(blockDim/blockHeads))
	mixed := scores.Softmax(-1).MatMul(v).Transpose(0, 2, 1, 3).Reshape(-1, blockTokens, blockDim)
	x = x.Add(b.Out.of(mixed))
	return x.Add(b.Down.of(b.Up.of(b.Norm2.of(x)).GELU()))
}

type blockBatchData struct{ X, Y ad.Value }

func blockLoss(b block, d blockBatchData) ad.Value {
	return b.of(d.X).Sub(d.Y).Square().Mean()
}

type blockResult struct {
	Loss  ad.Value
	Block block
}

func blockStep(b block, d blockBatchData) blockResult {
	r := ad.ValueAndGrad2(blockLoss)(b, d)
	return blockResult{r.Value, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(blockRate)) }, b, r.Grad)}
}

// blockShapes are the parameters in order: gain and bias of norms are 1 and 0 before the first step, biases 0,
// weights drawn.
var blockShapes = [][]int{
	{blockDim}, {blockDim}, {blockDim, 3 * blockDim}, {3 * blockDim}, {blockDim, blockDim}, {blockDim},
	{blockDim}, {blockDim}, {blockDim, blockHidden}, {blockHidden}, {blockHidden, blockDim}, {blockDim},
}

// blockParams is the parameters before the first step.
func blockParams() [][]float32 {
	var ps [][]float32
	for i, s := range blockShapes {
		p := make([]float32, s[0])
		switch {
		case len(s) == 2:
			r := 1 / math.Sqrt(float64(s[0]))
			p = numbers[float32](10+i, s[0]*s[1], -r, r)
		case i == 0 || i == 6:
			for k := range p {
				p[k] = 1
			}
		}
		ps = append(ps, p)
	}
	return ps
}

func blockData() (x, y []float32) {
	const n = blockBatch * blockTokens * blockDim
	return numbers[float32](1, n, -1, 1), numbers[float32](2, n, -1, 1)
}

func newBlock() block {
	var v []ad.Value
	for i, p := range blockParams() {
		v = append(v, ad.From(p, blockShapes[i]...))
	}
	return block{norm{v[0], v[1]}, layer{v[2], v[3]}, layer{v[4], v[5]}, norm{v[6], v[7]}, layer{v[8], v[9]}, layer{v[10], v[11]}}
}

func transformerWork(threads int) (*Work, error) {
	spec := ad.F32.Spec(ad.AnyBatch, blockTokens, blockDim)
	b := newBlock()
	p, err := ad.Compile2(blockStep, b, blockBatchData{spec, spec}, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	x, y := blockData()
	d := blockBatchData{ad.From(x, blockBatch, blockTokens, blockDim), ad.From(y, blockBatch, blockTokens, blockDim)}
	out := blockResult{ad.F32.Zeros(), b}
	before := blockParams()
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, b, d) },
		At: func(i int) float64 {
			v := element(ad.TreeLeaves(out), i)
			if i == 0 {
				return v
			}
			i--
			for _, p := range before {
				if i < len(p) {
					return (float64(p[i]) - v) / blockRate
				}
				i -= len(p)
			}
			panic("bench: no such weight")
		},
	}, nil
}

// transformerReference is the loss and some elements of the gradient.
func transformerReference() (index []int, value []float64) {
	loss, grad := blockGradient()
	return lossAndSome(loss, grad)
}

// matrix is rows of float64.
type matrix = blas64.General

func newMatrix(rows, cols int) matrix {
	return matrix{Rows: rows, Cols: cols, Stride: cols, Data: make([]float64, rows*cols)}
}

func float64s(s []float32) []float64 {
	d := make([]float64, len(s))
	for i, v := range s {
		d[i] = float64(v)
	}
	return d
}

func matProduct(ta, tb blas.Transpose, a, b matrix) matrix {
	m, n := a.Rows, b.Cols
	if ta == blas.Trans {
		m = a.Cols
	}
	if tb == blas.Trans {
		n = b.Rows
	}
	c := newMatrix(m, n)
	blas64.Gemm(ta, tb, 1, a, b, 0, c)
	return c
}

// part is the rows and columns of a matrix that begin at one place.
func part(a matrix, row, col, rows, cols int) matrix {
	return matrix{Rows: rows, Cols: cols, Stride: a.Stride, Data: a.Data[row*a.Stride+col:]}
}

// blockGradient is the loss and its gradient by each parameter, by hand on gonum's float64 products.
func blockGradient() (loss float64, grad [][]float64) {
	const rows = blockBatch * blockTokens
	var p [][]float64
	for _, v := range blockParams() {
		p = append(p, float64s(v))
		grad = append(grad, make([]float64, len(v)))
	}
	weight := func(i int) matrix {
		return matrix{Rows: blockShapes[i][0], Cols: blockShapes[i][1], Stride: blockShapes[i][1], Data: p[i]}
	}
	normed := func(x matrix, i int) (y, unit matrix, scale []float64) {
		y, unit = newMatrix(rows, blockDim), newMatrix(rows, blockDim)
		for r := range rows {
			row, mean, square := x.Data[r*blockDim:][:blockDim], 0.0, 0.0
			for _, v := range row {
				mean += v / blockDim
			}
			for _, v := range row {
				square += (v - mean) * (v - mean) / blockDim
			}
			s := 1 / math.Sqrt(square+1e-5)
			scale = append(scale, s)
			for k, v := range row {
				u := (v - mean) * s
				unit.Data[r*blockDim+k], y.Data[r*blockDim+k] = u, u*p[i][k]+p[i+1][k]
			}
		}
		return y, unit, scale
	}
	normedBack := func(d, unit matrix, scale []float64, i int, sum matrix) {
		for r := range rows {
			mean, along := 0.0, 0.0
			for k := range blockDim {
				g, u := d.Data[r*blockDim+k], unit.Data[r*blockDim+k]
				grad[i][k] += g * u
				grad[i+1][k] += g
				mean += g * p[i][k] / blockDim
				along += g * p[i][k] * u / blockDim
			}
			for k := range blockDim {
				g, u := d.Data[r*blockDim+k]*p[i][k], unit.Data[r*blockDim+k]
				sum.Data[r*blockDim+k] += scale[r] * (g - mean - u*along)
			}
		}
	}
	linear := func(x matrix, i int) matrix {
		y := matProduct(blas.NoTrans, blas.NoTrans, x, weight(i))
		for k := range y.Data {
			y.Data[k] += p[i+1][k%y.Cols]
		}
		return y
	}
	linearBack := func(d, x matrix, i int) matrix {
		grad[i] = matProduct(blas.Trans, blas.NoTrans, x, d).Data
		for k, v := range d.Data {
			grad[i+1][k%d.Cols] += v
		}
		return matProduct(blas.NoTrans, blas.Trans, d, weight(i))
	}
	const size = blockDim / blockHeads
	scale := 1 / math.Sqrt(size)
	// heads calls f with the places of each head's queries, keys and values in a, and of its results in b.
	heads := func(a, b matrix, f func(q, k, v, o matrix)) {
		for r := 0; r < rows; r += blockTokens {
			for h := range blockHeads {
				at := func(i int) matrix { return part(a, r, i*blockDim+h*size, blockTokens, size) }
				f(at(0), at(1), at(2), part(b, r, h*size, blockTokens, size))
			}
		}
	}
	weights := func(q, k matrix) matrix {
		s := matProduct(blas.NoTrans, blas.Trans, q, k)
		for r := range blockTokens {
			row, sum := s.Data[r*blockTokens:][:blockTokens], 0.0
			for i, v := range row {
				row[i] = math.Exp(v * scale)
				sum += row[i]
			}
			for i := range row {
				row[i] /= sum
			}
		}
		return s
	}

	xs, ys := blockData()
	x := matrix{Rows: rows, Cols: blockDim, Stride: blockDim, Data: float64s(xs)}
	n1, unit1, scale1 := normed(x, 0)
	qkv, mixed := linear(n1, 2), newMatrix(rows, blockDim)
	heads(qkv, mixed, func(q, k, v, o matrix) { blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, weights(q, k), v, 0, o) })
	x1 := linear(mixed, 4)
	for i, v := range x.Data {
		x1.Data[i] += v
	}
	n2, unit2, scale2 := normed(x1, 6)
	up := linear(n2, 8)
	active := newMatrix(rows, blockHidden)
	for i, v := range up.Data {
		active.Data[i] = v * math.Erfc(-v/math.Sqrt2) / 2
	}
	d := linear(active, 10)
	for i := range d.Data {
		e := d.Data[i] + x1.Data[i] - float64(ys[i])
		loss += e * e / float64(len(d.Data))
		d.Data[i] = 2 * e / float64(len(d.Data))
	}

	dUp := linearBack(d, active, 10)
	for i, v := range up.Data {
		dUp.Data[i] *= math.Erfc(-v/math.Sqrt2)/2 + v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi)
	}
	normedBack(linearBack(dUp, n2, 8), unit2, scale2, 6, d)
	dMixed, dQKV := linearBack(d, mixed, 4), newMatrix(rows, 3*blockDim)
	var places []matrix
	heads(dQKV, dMixed, func(q, k, v, o matrix) { places = append(places, q, k, v, o) })
	heads(qkv, mixed, func(q, k, v, _ matrix) {
		dq, dk, dv, do := places[0], places[1], places[2], places[3]
		places = places[4:]
		w := weights(q, k)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, w, do, 0, dv)
		dw := matProduct(blas.NoTrans, blas.Trans, do, v)
		for r := range blockTokens {
			row, g, along := w.Data[r*blockTokens:][:blockTokens], dw.Data[r*blockTokens:][:blockTokens], 0.0
			for i := range row {
				along += row[i] * g[i]
			}
			for i := range row {
				g[i] = row[i] * (g[i] - along) * scale
			}
		}
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, dw, k, 0, dq)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, dw, q, 0, dk)
	})
	normedBack(linearBack(dQKV, n1, 2), unit1, scale1, 0, d)
	return loss, grad
}
