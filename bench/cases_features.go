package main

import (
	"fmt"
	"math"
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"gonum.org/v1/gonum/mat"
)

// Features that have no case of their own elsewhere: positive definite matrices, order, segments, products with Hessians,
// random numbers.
const (
	smallBatch, smallSize = 1000, 16
	largeSize, middleSize = 1000, 256 // of one matrix
	orderRows, orderCols  = 1000, 1000
	segmentSize, segments = 1_000_000, 10_000
	hvpSize               = 100_000
	randomSize            = 1_000_000
	interpPoints          = 64
	classes, dropRate     = 10, 0.25
)

var torchAndJax = []string{"torch", "torch.compile", "jax"}

func feature(name, dtype, op string, peers []string, units float64, rate string, tolerance float64, args map[string]any,
	setup func(threads int) (*Work, error), reference func() ([]int, []float64)) Case {
	all := map[string]any{"kind": "feature", "op": op, "dtype": dtype}
	for k, v := range args {
		all[k] = v
	}
	return Case{Name: name, Dtype: dtype, Args: all, Peers: peers, Units: units, RateUnit: rate, Tolerance: tolerance, Setup: setup, Reference: reference}
}

func featureCases() []Case {
	var cs []Case
	for _, op := range definiteOps {
		for _, size := range definiteSizes {
			if size.n > smallSize && op.name != "cholesky" && op.name != "solve" {
				continue
			}
			cs = append(cs, feature(fmt.Sprintf("linalg/%s/%s/%dx%dx%d", op.name, size.dtype, size.batch, size.n, size.n), size.dtype, op.name, torchAndJax,
				1e6*float64(size.batch), "kmatrices/s", size.tolerance, map[string]any{"batch": size.batch, "n": size.n},
				func(threads int) (*Work, error) {
					return compiled(op.f, definiteMatrices(size.batch, size.n).Convert(dtypes[size.dtype]), threads)
				},
				func() (index []int, value []float64) {
					for _, b := range some(size.batch, 5) {
						want := op.of(definiteMatrix(b, size.n))
						rows, cols := want.Dims()
						for i := range rows {
							for j := range cols {
								index, value = append(index, (b*rows+i)*cols+j), append(value, want.At(i, j))
							}
						}
					}
					return index, value
				}))
		}
	}
	for _, op := range orderOps {
		cs = append(cs, order[float32](op, "f32", 1))
		if op.scan {
			cs = append(cs, order[float32](op, "f32", 0))
		}
		if op.name == "cummax" {
			cs = append(cs, order[float64](op, "f64", 1), order[float64](op, "f64", 0))
		}
	}
	type in struct{ X, Ids ad.Value }
	for _, op := range []string{"segmentsum", "segmentsoftmax"} {
		cs = append(cs, feature("segment/"+op+"/f32/1000000", "f32", op, torchAndJax, 1e3*segmentSize, "Melements/s", 1e-4,
			map[string]any{"n": segmentSize, "segments": segments},
			func(threads int) (*Work, error) {
				return compiled(func(a in) ad.Value {
					if op == "segmentsum" {
						return a.X.SegmentSum(a.Ids, segments)
					}
					return a.X.SegmentSoftmax(a.Ids, segments)
				}, in{ad.From(numbers[float32](1, segmentSize, -1, 1)), ad.From(labels(2, segmentSize, segments))}, threads)
			},
			func() (index []int, value []float64) {
				x, ids := numbers[float32](1, segmentSize, -1, 1), labels(2, segmentSize, segments)
				sums, exps := make([]float64, segments), make([]float64, segments)
				for i, s := range ids {
					sums[s] += float64(x[i])
					exps[s] += math.Exp(float64(x[i]))
				}
				if op == "segmentsum" {
					for _, s := range some(segments, 50) {
						index, value = append(index, s), append(value, sums[s])
					}
					return index, value
				}
				for _, i := range some(segmentSize, 50) {
					index, value = append(index, i), append(value, math.Exp(float64(x[i]))/exps[ids[i]])
				}
				return index, value
			}))
	}
	cs = append(cs, feature("interp/f64/1000000x64", "f64", "interp", []string{"jax"}, 1e3*randomSize, "Melements/s", 1e-12,
		map[string]any{"n": randomSize, "points": interpPoints},
		func(threads int) (*Work, error) {
			type in struct{ X, XP, FP ad.Value }
			return compiled(func(a in) ad.Value { return a.X.Interp(a.XP.CumSum(0), a.FP) },
				in{ad.From(numbers[float64](1, randomSize, 0, interpPoints)), ad.From(numbers[float64](2, interpPoints, 0.5, 1.5)),
					ad.From(numbers[float64](3, interpPoints, -1, 1))}, threads)
		},
		func() (index []int, value []float64) {
			x, xp, fp := numbers[float64](1, randomSize, 0, interpPoints), numbers[float64](2, interpPoints, 0.5, 1.5), numbers[float64](3, interpPoints, -1, 1)
			for i := range xp[1:] {
				xp[i+1] += xp[i]
			}
			for _, i := range some(randomSize, 50) {
				j, _ := slices.BinarySearch(xp, x[i])
				v := fp[max(j-1, 0)]
				if 0 < j && j < interpPoints {
					v += (x[i] - xp[j-1]) / (xp[j] - xp[j-1]) * (fp[j] - v)
				}
				index, value = append(index, i), append(value, v)
			}
			return index, value
		}))
	cs = append(cs, feature("hvp/rosenbrock/f64/100000", "f64", "hvp", torchAndJax, 1e3*hvpSize, "Melements/s", 1e-10,
		map[string]any{"n": hvpSize, "lo": []float64{-1, -1}, "hi": []float64{1, 1}},
		func(threads int) (*Work, error) {
			type in struct{ X, V ad.Value }
			return compiled(func(a in) ad.Value { return ad.HVP(rosenbrock)(a.X, a.V).Tangent },
				in{ad.From(numbers[float64](1, hvpSize, -1, 1)), ad.From(numbers[float64](2, hvpSize, -1, 1))}, threads)
		}, hvpReference))
	// The first numbers are jax.random's, which does not depend on how many there are.
	for _, d := range []struct {
		name, dtype string
		f           func(k ad.Key) ad.Value
		at          int
		want        float64
	}{
		{"normal", "f32", func(k ad.Key) ad.Value { return k.Normal(ad.F32, randomSize) }, 1, 0.4671318531036377},
		{"normal", "f64", func(k ad.Key) ad.Value { return k.Normal(ad.F64, randomSize) }, 1, -2.169824560397754},
		{"gamma", "f32", func(k ad.Key) ad.Value { return k.Gamma(ad.F32.Full(2.5, randomSize)) }, 3, 1.564313530921936},
		{"gamma", "f64", func(k ad.Key) ad.Value { return k.Gamma(ad.F64.Full(2.5, randomSize)) }, 3, 2.764149407028277},
	} {
		cs = append(cs, feature("random/"+d.name+"/"+d.dtype+"/1000000", d.dtype, d.name, []string{"jax"}, 1e3*randomSize, "Mnumbers/s", 1e-5,
			map[string]any{"n": randomSize},
			func(threads int) (*Work, error) { return compiled(d.f, ad.NewKey(42), threads) },
			func() ([]int, []float64) { return []int{d.at}, []float64{d.want} }))
	}
	// Sides differ in what is drawn; compared is its mean.
	type meant struct{ Mean, All ad.Value }
	mean := func(x []float64, f func(x float64) float64) (m float64) {
		for _, v := range x {
			m += f(v) / randomSize
		}
		return m
	}
	for _, d := range []struct {
		op    string
		f     func(x ad.Value, k ad.Key) ad.Value // x is of [0, 4)
		mean  func(x []float64) float64
		types []string
	}{
		{"permutation", func(x ad.Value, k ad.Key) ad.Value { return k.Permutation(randomSize) },
			func([]float64) float64 { return (randomSize - 1) / 2.0 }, []string{"f32"}},
		{"categorical", func(x ad.Value, k ad.Key) ad.Value { return k.Categorical(x.Reshape(randomSize/classes, classes), 1) },
			func(x []float64) (m float64) {
				for row := range slices.Chunk(x, classes) {
					sum, weights := 0.0, 0.0
					for i, v := range row {
						weights += math.Exp(v)
						sum += float64(i) * math.Exp(v)
					}
					m += sum / weights / (randomSize / classes)
				}
				return m
			}, []string{"f32"}},
		{"dropout", func(x ad.Value, k ad.Key) ad.Value { return k.Dropout(x, dropRate) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return x }) }, []string{"f32"}},
		// Of as many parameters as numbers.
		{"gammas", func(x ad.Value, k ad.Key) ad.Value { return k.Gamma(x.Shift(0.5)) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return x + 0.5 }) }, []string{"f32"}},
		{"poisson100", func(x ad.Value, k ad.Key) ad.Value { return k.Poisson(x.Shift(98)) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return x + 98 }) }, []string{"f32", "f64"}},
		{"poisson3", func(x ad.Value, k ad.Key) ad.Value { return k.Poisson(x.Shift(1)) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return x + 1 }) }, []string{"f32", "f64"}},
		{"binomial300", func(x ad.Value, k ad.Key) ad.Value { return k.Binomial(ad.Const(1000), x.Scale(0.01).Shift(0.28)) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return 10*x + 280 }) }, []string{"f32", "f64"}},
		{"binomial3", func(x ad.Value, k ad.Key) ad.Value { return k.Binomial(ad.Const(10), x.Scale(0.1).Shift(0.1)) },
			func(x []float64) float64 { return mean(x, func(x float64) float64 { return x + 1 }) }, []string{"f32", "f64"}},
	} {
		for _, t := range d.types {
			name := "random/" + d.op
			if len(d.types) > 1 {
				name += "/" + t
			}
			cs = append(cs, feature(name+"/1000000", t, d.op, torchAndJax, 1e3*randomSize, "Melements/s", 1e-2,
				map[string]any{"n": randomSize, "classes": classes, "rate": dropRate},
				func(threads int) (*Work, error) {
					type in struct {
						X ad.Value
						K ad.Key
					}
					x := ad.From(numbers[float64](1, randomSize, 0, 4)).Convert(dtypes[t])
					return compiled(func(a in) meant {
						y := d.f(a.X, a.K)
						return meant{y.Convert(ad.F64).Mean(), y}
					}, in{x, ad.NewKey(42)}, threads)
				},
				func() ([]int, []float64) { return []int{0}, []float64{d.mean(numbers[float64](1, randomSize, 0, 4))} }))
		}
	}
	return cs
}

var dtypes = map[string]ad.DType{"f32": ad.F32, "f64": ad.F64}

var definiteSizes = []struct {
	dtype     string
	batch, n  int
	tolerance float64
}{{"f64", smallBatch, smallSize, 1e-10}, {"f32", smallBatch, smallSize, 1e-4}, {"f32", 100, 64, 1e-3}, {"f64", 1, largeSize, 1e-10}, {"f32", 1, largeSize, 1e-3}}

// definiteMatrix is positive definite: matrix b of a batch.
func definiteMatrix(b, n int) *mat.SymDense {
	m := mat.NewDense(n, n, nil)
	for i := range n * n {
		m.Set(i/n, i%n, 2*number(1, b*n*n+i)-1)
	}
	var s mat.SymDense
	s.SymOuterK(1, m)
	for i := range n {
		s.SetSym(i, i, s.At(i, i)+float64(n))
	}
	return &s
}

func definiteMatrices(batch, n int) ad.Value {
	var all []float64
	for b := range batch {
		all = append(all, mat.DenseCopyOf(definiteMatrix(b, n)).RawMatrix().Data...)
	}
	return ad.From(all, batch, n, n)
}

var definiteOps = []struct {
	name string
	f    func(a ad.Value) ad.Value
	of   func(a *mat.SymDense) mat.Matrix
}{
	{"cholesky", ad.Value.Cholesky, func(a *mat.SymDense) mat.Matrix {
		var c mat.Cholesky
		c.Factorize(a)
		var l mat.TriDense
		c.LTo(&l)
		return &l
	}},
	{"solve", func(a ad.Value) ad.Value { return a.Solve(a.Tril()) }, func(a *mat.SymDense) mat.Matrix {
		b, n := mat.DenseCopyOf(a), a.SymmetricDim()
		for i := range n {
			for j := i + 1; j < n; j++ {
				b.Set(i, j, 0)
			}
		}
		var x mat.Dense
		_ = x.Solve(a, b)
		return &x
	}},
	{"trisolve", func(a ad.Value) ad.Value { return a.SolveTriangular(a, ad.Triangle{}) }, func(a *mat.SymDense) mat.Matrix {
		l := mat.NewTriDense(smallSize, mat.Lower, mat.DenseCopyOf(a).RawMatrix().Data)
		var x mat.Dense
		_ = x.Solve(l, a)
		return &x
	}},
	{"lstsq", func(a ad.Value) ad.Value { return a.Narrow(2, 0, smallSize/2).Lstsq(a) }, func(a *mat.SymDense) mat.Matrix {
		var x mat.Dense
		_ = x.Solve(mat.DenseCopyOf(a).Slice(0, smallSize, 0, smallSize/2), a)
		return &x
	}},
	{"inverse", ad.Value.Inverse, func(a *mat.SymDense) mat.Matrix {
		var x mat.Dense
		_ = x.Inverse(a)
		return &x
	}},
}

type orderOp struct {
	name       string
	grad, scan bool // grad: of half the sum of squares, in place of the values; scan: along either axis
	f          func(x ad.Value, axis int) ad.Value
	of         func(row []float64) []float64 // the first row's results
}

// order is op along an axis of a matrix.
func order[T float32 | float64](op orderOp, dtype string, axis int) Case {
	name, f := op.name, func(x ad.Value) ad.Value { return op.f(x, axis) }
	if op.grad {
		name += "/grad"
		f = ad.Grad(func(x ad.Value) ad.Value { return op.f(x, axis).Square().Sum().Scale(0.5) })
	}
	if axis == 0 {
		name += "/first"
	}
	return feature("order/"+name+"/"+dtype+"/1000x1000", dtype, op.name, torchAndJax, 1e3*orderRows*orderCols, "Melements/s", 1e-4,
		map[string]any{"rows": orderRows, "cols": orderCols, "grad": op.grad, "axis": axis},
		func(threads int) (*Work, error) {
			return compiled(f, ad.From(numbers[T](1, orderRows*orderCols, -1, 3), orderRows, orderCols), threads)
		},
		func() (index []int, value []float64) {
			all, row, apart := numbers[T](1, orderRows*orderCols, -1, 3), []float64{}, 1
			if axis == 0 {
				apart = orderCols
			}
			for i := range orderCols {
				row = append(row, float64(all[i*apart]))
			}
			for i, x := range op.of(row) {
				index, value = append(index, i*apart), append(value, x)
			}
			return index, value
		})
}

var orderOps = []orderOp{
	{"sort", false, false, func(x ad.Value, _ int) ad.Value { return x.Sort(1) }, func(row []float64) []float64 {
		slices.Sort(row)
		return row
	}},
	{"topk", false, false, func(x ad.Value, _ int) ad.Value { y, _ := x.TopK(10, 1); return y }, func(row []float64) (y []float64) {
		slices.Sort(row)
		for i := range 10 {
			y = append(y, row[len(row)-1-i])
		}
		return y
	}},
	{"cumsum", false, true, ad.Value.CumSum, func(row []float64) (y []float64) {
		sum := 0.0
		for _, x := range row {
			sum += x
			y = append(y, sum)
		}
		return y
	}},
	{"cumprod", false, true, cumProd, cumProdOf},
	{"cumprod", true, true, cumProd, func(row []float64) []float64 {
		y, sum := cumProdOf(row), 0.0
		for i := len(y) - 1; i >= 0; i-- {
			sum += y[i] * y[i]
			y[i] = sum * 0.001 / (1 + 0.001*row[i])
		}
		return y
	}},
	{"cummax", false, true, ad.Value.CumMax, func(row []float64) (y []float64) {
		for i := range row {
			y = append(y, slices.Max(row[:i+1]))
		}
		return y
	}},
	{"cummax", true, true, ad.Value.CumMax, func(row []float64) []float64 {
		y, best := make([]float64, len(row)), 0
		for i, x := range row {
			if x > row[best] {
				best = i
			}
			y[best] += row[best]
		}
		return y
	}},
	{"logcumsumexp", false, true, ad.Value.LogCumSumExp, func(row []float64) (y []float64) {
		sum := 0.0
		for _, x := range row {
			sum += math.Exp(x)
			y = append(y, math.Log(sum))
		}
		return y
	}},
	{"prod", true, false, func(x ad.Value, _ int) ad.Value { return x.Scale(0.001).Shift(1).Prod(1) }, func(row []float64) (y []float64) {
		all := cumProdOf(row)[len(row)-1]
		for _, x := range row {
			y = append(y, all*all*0.001/(1+0.001*x))
		}
		return y
	}},
	{"tril", false, false, func(x ad.Value, _ int) ad.Value { return x.Tril() }, func(row []float64) []float64 { return []float64{row[0], 0, 0} }},
	{"reverse", false, false, func(x ad.Value, _ int) ad.Value { return x.Reverse(1) }, func(row []float64) (y []float64) {
		for i := range row {
			y = append(y, row[len(row)-1-i])
		}
		return y
	}},
	{"any", false, false, func(x ad.Value, _ int) ad.Value { return x.Gt(ad.Const(2.9)).Any(1).Convert(ad.F32) }, func(row []float64) []float64 {
		if slices.Max(row) > 2.9 {
			return []float64{1}
		}
		return []float64{0}
	}},
}

func cumProd(x ad.Value, axis int) ad.Value { return x.Scale(0.001).Shift(1).CumProd(axis) }

func cumProdOf(row []float64) (y []float64) {
	product := 1.0
	for _, x := range row {
		product *= 1 + 0.001*x
		y = append(y, product)
	}
	return y
}

func rosenbrock(x ad.Value) ad.Value {
	n := x.Dim(0)
	a, b := x.Narrow(0, 0, n-1), x.Narrow(0, 1, n-1)
	return b.Sub(a.Square()).Square().Scale(100).Add(ad.Const(1).Sub(a).Square()).Sum()
}

func hvpReference() (index []int, value []float64) {
	x, v := numbers[float64](1, hvpSize, -1, 1), numbers[float64](2, hvpSize, -1, 1)
	for _, i := range some(hvpSize, 100) {
		y := 0.0
		if i+1 < hvpSize {
			y += (1200*x[i]*x[i]-400*x[i+1]+2)*v[i] - 400*x[i]*v[i+1]
		}
		if i > 0 {
			y += 200*v[i] - 400*x[i-1]*v[i-1]
		}
		index, value = append(index, i), append(value, y)
	}
	return index, value
}
