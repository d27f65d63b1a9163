package main

import (
	"fmt"
	"runtime"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gorgoniaCase is a case on Gorgonia's tape machine. Its products are gonum's, on as many threads as GOMAXPROCS says.
func gorgoniaCase(a args) (*work, error) {
	runtime.GOMAXPROCS(threads())
	switch a.Kind {
	case "gemm":
		if a.Batch == 1 && a.Dtype == "f32" {
			return gorgoniaProduct[float32](a)
		} else if a.Batch == 1 {
			return gorgoniaProduct[float64](a)
		}
	case "chain":
		return gorgoniaChain(a)
	case "mlp":
		return gorgoniaMLP(a)
	case "scalar":
		g := G.NewGraph()
		x := G.NewScalar(g, tensor.Float64, G.WithValue(3.0))
		y := G.Must(G.Add(G.Must(G.Cube(x)), G.Must(G.Mul(x, G.NewConstant(2.0)))))
		return gorgoniaGradient[float64](g, y, G.Nodes{x})
	case "compile":
		if a.What == "mlp" {
			return again(func() (*work, error) { return gorgoniaMLP(a) })
		}
		return again(func() (*work, error) {
			g := G.NewGraph()
			start := gorgoniaArray(g, numbers[float32](1, a.N, -1, 1), a.N)
			x, scale, shift := start, G.NewConstant(float32(1.25)), G.NewConstant(float32(0.125))
			for range a.Ops / 4 {
				x = G.Must(G.Tanh(G.Must(G.Add(G.Must(G.Mul(G.Must(G.Sin(x)), scale)), shift))))
			}
			return gorgoniaGradient[float32](g, G.Must(G.Sum(x)), G.Nodes{start})
		})
	}
	return nil, errNoCase
}

var gorgoniaNames = 0

// gorgoniaArray is an input with a value.
func gorgoniaArray[T float](g *G.ExprGraph, data []T, dims ...int) *G.Node {
	gorgoniaNames++
	return G.NodeFromAny(g, tensor.New(tensor.WithShape(dims...), tensor.WithBacking(data)), G.WithName(fmt.Sprint("input", gorgoniaNames)))
}

// flat is a value's elements.
func flat[T float](v G.Value) []T {
	switch d := v.Data().(type) {
	case []T:
		return d
	case T:
		return []T{d}
	}
	panic("a value of another type")
}

// gorgoniaGradient runs y and its gradient.
func gorgoniaGradient[T float](g *G.ExprGraph, y *G.Node, wrt G.Nodes) (*work, error) {
	if _, err := G.Grad(y, wrt...); err != nil {
		return nil, err
	}
	m := G.NewTapeMachine(g, G.BindDualValues(wrt...))
	return &work{
		run: func() error {
			m.Reset()
			return m.RunAll()
		},
		at: func(i int) float64 {
			parts := [][]T{flat[T](y.Value())}
			for _, x := range wrt {
				d, err := x.Grad()
				if err != nil {
					panic(err)
				}
				parts = append(parts, flat[T](d))
			}
			return element(parts, i)
		},
	}, nil
}

func gorgoniaProduct[T float](a args) (*work, error) {
	matrix := func(seed, rows, cols int, transposed bool) (*tensor.Dense, error) {
		data := numbers[T](seed, rows*cols, -1, 1)
		if !transposed {
			return tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data)), nil
		}
		t := tensor.New(tensor.WithShape(cols, rows), tensor.WithBacking(data))
		return t, t.T()
	}
	x, err := matrix(1, a.M, a.K, a.TA)
	if err != nil {
		return nil, err
	}
	y, err := matrix(2, a.K, a.N, a.TB)
	if err != nil {
		return nil, err
	}
	out := tensor.New(tensor.WithShape(a.M, a.N), tensor.WithBacking(make([]T, a.M*a.N)))
	return &work{
		run: func() error { _, err := tensor.MatMul(x, y, tensor.WithReuse(out)); return err },
		at:  func(i int) float64 { return float64(out.Data().([]T)[i]) },
	}, nil
}

func gorgoniaChain(a args) (*work, error) {
	g := G.NewGraph()
	var p G.Nodes
	for i, v := range a.Params {
		p = append(p, G.NewScalar(g, tensor.Float32, G.WithValue(float32(v)), G.WithName("abc"[i:i+1])))
	}
	x := gorgoniaArray(g, numbers[float32](1, a.N, -1, 3), a.N)
	y := G.Must(G.HadamardProd(G.Must(G.Tanh(G.Must(G.Add(G.Must(G.Mul(x, p[0])), p[1])))), G.Must(G.Sigmoid(G.Must(G.Mul(x, p[2]))))))
	return gorgoniaGradient[float32](g, G.Must(G.Sum(y)), p)
}

func gorgoniaMLP(a args) (*work, error) {
	g := G.NewGraph()
	start, shapes := mlpStart(a)
	var ws G.Nodes
	for i, w := range start {
		ws = append(ws, gorgoniaArray(g, w, shapes[i]...))
	}
	h := gorgoniaArray(g, numbers[float32](1, a.Batch*a.Sizes[0], 0, 1), a.Batch, a.Sizes[0])
	hot := make([]float32, a.Batch*a.Sizes[3])
	for i, y := range labels(2, a.Batch, a.Sizes[3]) {
		hot[i*a.Sizes[3]+int(y)] = 1
	}
	y := gorgoniaArray(g, hot, a.Batch, a.Sizes[3])
	for l := range 3 {
		h = G.Must(G.BroadcastAdd(G.Must(G.Mul(h, ws[2*l])), ws[2*l+1], nil, []byte{0}))
		if l < 2 {
			h = G.Must(G.Rectify(h))
		}
	}
	all := G.Must(G.Sum(G.Must(G.HadamardProd(y, G.Must(G.Log(G.Must(G.SoftMax(h))))))))
	loss := G.Must(G.Mul(all, G.NewConstant(float32(-1/float64(a.Batch)))))
	if _, err := G.Grad(loss, ws...); err != nil {
		return nil, err
	}
	m := G.NewTapeMachine(g, G.BindDualValues(ws...))
	solver := G.NewVanillaSolver(G.WithLearnRate(a.Rate))
	return &work{
		run: func() error {
			m.Reset()
			if err := m.RunAll(); err != nil {
				return err
			}
			return solver.Step(G.NodesToValueGrads(ws))
		},
		at: func(i int) float64 {
			var after [][]float32
			for _, w := range ws {
				after = append(after, flat[float32](w.Value()))
			}
			return mlpAt(a, float64(flat[float32](loss.Value())[0]), after, i)
		},
	}, nil
}
