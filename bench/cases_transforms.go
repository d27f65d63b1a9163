package main

import (
	"fmt"
	"maps"
	"math"
	"math/cmplx"
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"gonum.org/v1/gonum/mat"
)

// Transforms, loops and factorizations, one case each.
const (
	rnnSteps, rnnRows, rnnWidth    = 1000, 16, 64
	lstmSteps, lstmRows, lstmWidth = 100, 32, 128
	jacobianSize, hessianSize      = 100, 100
	jvpSize, taylorSize            = 1_000_000, 100_000
	jetOrder                       = 5
	switchSize, condSteps          = 1_000_000, 100_000
	eagerSize, eagerSteps          = 1000, 100
	cgSize, cgDiagonal             = 100_000, 2.1
	implicitSize                   = 200
	deepLayers, deepSize           = 64, 256
	deepEvery                      = 8 // layers from one value that is kept to the next
)

func transformCases() []Case {
	var cs []Case
	add := func(name, dtype, op string, peers []string, units float64, rate string, tolerance float64, args map[string]any,
		setup func(threads int) (*Work, error), reference func() ([]int, []float64)) {
		args["kind"], args["op"], args["dtype"] = "transform", op, dtype
		cs = append(cs, Case{Name: name, Dtype: dtype, Args: args, Peers: peers, Units: units, RateUnit: rate, Tolerance: tolerance, Setup: setup, Reference: reference})
	}
	torch := []string{"torch", "jax"} // torch.compile refuses nested derivatives, and loops and complex numbers are torch's own there
	for _, c := range []struct{ rows, n int }{{1000, 1024}, {1000, 1000}, {1000, 1009}, {1, 1 << 20}} {
		for _, dtype := range []string{"f32", "f64"} {
			add(fmt.Sprintf("fft/%s/%dx%d", dtype, c.rows, c.n), dtype, "fft", torch, 1e3*float64(c.rows*c.n), "Melements/s", map[string]float64{"f32": 3e-4, "f64": 1e-11}[dtype],
				map[string]any{"rows": c.rows, "n": c.n},
				func(threads int) (*Work, error) {
					if dtype == "f32" {
						return fftWork[float32](c.rows, c.n, threads)
					}
					return fftWork[float64](c.rows, c.n, threads)
				},
				func() ([]int, []float64) { return fftReference(dtype, c.rows, c.n) })
		}
	}
	for _, op := range factorOps {
		for _, c := range factorSizes {
			few := c.n > 32 || c.dtype == "f32"
			if few && !slices.Contains(sizeOps[c.n], op.name) {
				continue
			}
			matrices := func() ad.Value {
				var all []float64
				for b := range c.batch {
					all = append(all, factorMatrix(op.name, b, c.n).RawMatrix().Data...)
				}
				return ad.From(all, c.batch, c.n, c.n).Convert(dtypes[c.dtype])
			}
			name := fmt.Sprintf("linalg/%s/%s/%dx%dx%d", op.name, c.dtype, c.batch, c.n, c.n)
			args := map[string]any{"batch": c.batch, "n": c.n, "symmetric": op.name == "eigh", "what": "forward"}
			add(name, c.dtype, op.name, torch, 1e6*float64(c.batch), "kmatrices/s", c.tolerance, args,
				func(threads int) (*Work, error) { return compiled(op.f, matrices(), threads) },
				func() (index []int, value []float64) {
					for _, b := range some(c.batch, 5) {
						for i, x := range op.of(factorMatrix(op.name, b, c.n)) {
							index, value = append(index, b*op.size(c.n)+i), append(value, x)
						}
					}
					return index, value
				})
			if op.name == "eigh" || few && op.name != "expm" { // of which triangle eigh's gradient is, sides differ in
				continue
			}
			args = maps.Clone(args)
			args["what"] = "grad"
			add(name+"/grad", c.dtype, op.name, torch, 1e6*float64(c.batch), "kmatrices/s", max(1e-5, c.tolerance), args,
				func(threads int) (*Work, error) {
					return compiled(ad.Grad(func(a ad.Value) ad.Value { return op.f(a)[0].Sum() }), matrices(), threads)
				},
				func() (index []int, value []float64) { // by differences
					for _, b := range some(c.batch, 5) {
						for _, k := range some(c.n*c.n, 20) {
							m := factorMatrix(op.name, b, c.n)
							at, slope := m.At(k/c.n, k%c.n), 0.0
							for _, h := range []float64{1e-6, -1e-6} {
								m.Set(k/c.n, k%c.n, at+h)
								for _, x := range op.of(m) {
									slope += x / (2 * h)
								}
							}
							index, value = append(index, b*c.n*c.n+k), append(value, slope)
						}
					}
					return index, value
				})
		}
	}
	for _, dtype := range []string{"f64", "f32"} { // a tall matrix
		const m, n = largeSize, middleSize
		data := numbers[float64](1, m*n, -1, 1)
		add(fmt.Sprintf("linalg/svd/%s/1x%dx%d", dtype, m, n), dtype, "svd", torch, 1e6, "kmatrices/s", map[string]float64{"f64": 1e-9, "f32": 1e-2}[dtype],
			map[string]any{"batch": 1, "m": m, "n": n, "symmetric": false, "what": "forward"},
			func(threads int) (*Work, error) {
				return compiled(factorOps[0].f, ad.From(data, 1, m, n).Convert(dtypes[dtype]), threads)
			},
			func() (index []int, value []float64) {
				for i, x := range factorOps[0].of(mat.NewDense(m, n, data)) {
					index, value = append(index, i), append(value, x)
				}
				return index, value
			})
	}
	add("scan/rnn/f32/1000x16x64", "f32", "scan", torch, 1e3*rnnSteps, "Msteps/s", 1e-3, map[string]any{"steps": rnnSteps, "rows": rnnRows, "width": rnnWidth},
		func(threads int) (*Work, error) {
			type in struct{ W, X ad.Value }
			return compiled(func(a in) ad.Valued[ad.Value] { return ad.ValueAndGrad2(rnnLoss)(a.W, a.X) },
				in{ad.From(rnnWeights[float32](), rnnWidth, rnnWidth), ad.From(rnnInputs[float32](), rnnSteps, rnnRows, rnnWidth)}, threads)
		}, rnnReference)
	add(fmt.Sprintf("scan/lstm/f32/%dx%dx%d", lstmSteps, lstmRows, lstmWidth), "f32", "lstm", []string{"torch", "torch.compile", "jax"}, 1e3*lstmSteps, "Msteps/s", 1e-3,
		map[string]any{"steps": lstmSteps, "rows": lstmRows, "width": lstmWidth},
		func(threads int) (*Work, error) {
			type in struct {
				Weights lstm
				X       ad.Value
			}
			return compiled(func(a in) ad.Valued[lstm] { return ad.ValueAndGrad2(lstmLoss)(a.Weights, a.X) },
				in{lstm{ad.From(lstmWeights[float32](1), lstmWidth, 4*lstmWidth), ad.From(lstmWeights[float32](2), lstmWidth, 4*lstmWidth),
					ad.From(numbers[float32](3, 4*lstmWidth, -1, 1))}, ad.From(lstmInputs[float32](), lstmSteps, lstmRows, lstmWidth)}, threads)
		}, lstmReference)
	add("while/f64", "f64", "while", []string{"jax"}, 1e3*whileSteps(), "Msteps/s", 1e-12, map[string]any{"factor": whileFactor, "end": whileEnd},
		func(threads int) (*Work, error) {
			type state struct{ X, Steps ad.Value }
			return compiled(func(x ad.Value) state {
				return ad.While(func(s state) ad.Value { return s.X.Gt(ad.Const(whileEnd)) },
					func(s state) state { return state{s.X.Scale(whileFactor), s.Steps.Shift(1)} }, state{x, x.FullLike(0)})
			}, ad.Scalar(1.0), threads)
		},
		func() ([]int, []float64) {
			x := 1.0
			for x > whileEnd {
				x *= whileFactor
			}
			return []int{0, 1}, []float64{x, whileSteps()}
		})
	add("jacobian/mlp/f64/100", "f64", "jacobian", torch, 1e3*jacobianSize*jacobianSize, "Mentries/s", 1e-11, map[string]any{"n": jacobianSize},
		func(threads int) (*Work, error) {
			return compiled(func(a twoLayers) ad.Value { return ad.Jacobian(a.of)(a.X) }, newTwoLayers(), threads)
		}, jacobianReference)
	add("linearize/mlp/f64/100", "f64", "linearize", torch, 1e3, "Mcalls/s", 1e-11, map[string]any{"n": jacobianSize},
		func(int) (*Work, error) {
			a := newTwoLayers()
			l := ad.Linearize(a.of)(a.X)
			var y ad.Value
			return eagerWork(func() { l.JVPInto(&y, a.T) }, func(i int) float64 { return y.At(i) })
		},
		func() ([]int, []float64) {
			j, _ := jacobianOf()
			var y mat.VecDense
			y.MulVec(j, mat.NewVecDense(jacobianSize, numbers[float64](4, jacobianSize, -1, 1)))
			return all(y.RawVector().Data)
		})
	cs[len(cs)-1].OneThread = true
	add("gnvp/mlp/f64/100", "f64", "gnvp", torch, 1e3, "Mproducts/s", 1e-11, map[string]any{"n": jacobianSize},
		func(threads int) (*Work, error) {
			loss := func(y ad.Value) ad.Value { return y.PowInt(4).Sum() }
			return compiled(func(a twoLayers) ad.Value { return ad.GNVP(a.of, loss)(a.X, a.T).Tangent }, newTwoLayers(), threads)
		},
		func() ([]int, []float64) { // Jᵀ·12y²·J·t
			j, y := jacobianOf()
			var t, g mat.VecDense
			t.MulVec(j, mat.NewVecDense(jacobianSize, numbers[float64](4, jacobianSize, -1, 1)))
			for i := range jacobianSize {
				t.SetVec(i, 12*y.AtVec(i)*y.AtVec(i)*t.AtVec(i))
			}
			g.MulVec(j.T(), &t)
			return all(g.RawVector().Data)
		})
	add("jet/mlp/f64/100", "f64", "jet", []string{"jax"}, 1e3, "Mcalls/s", 1e-10, map[string]any{"n": jacobianSize, "order": jetOrder},
		func(threads int) (*Work, error) {
			return compiled(func(a twoLayers) [jetOrder + 1]ad.Value {
				series := make([]ad.Value, jetOrder+1)
				series[0], series[1] = a.X, a.T
				return [jetOrder + 1]ad.Value(ad.Jet(a.of)(series))
			}, newTwoLayers(), threads)
		}, jetReference)
	add("hessiandiag/rosenbrock/f64/100000", "f64", "hessiandiag", torch, 1e3*hvpSize, "Melements/s", 1e-11, map[string]any{"n": hvpSize},
		func(threads int) (*Work, error) {
			return compiled(ad.HessianDiag(rosenbrock), ad.From(numbers[float64](1, hvpSize, -1, 1)), threads)
		},
		func() (index []int, value []float64) {
			x := numbers[float64](1, hvpSize, -1, 1)
			for _, i := range some(hvpSize, 100) {
				index, value = append(index, i), append(value, rosenbrockCurve(x, i))
			}
			return index, value
		})
	add("cond/loop/f64/100000", "f64", "cond", []string{"jax"}, 1e3*condSteps, "Msteps/s", 1e-12, map[string]any{"steps": condSteps},
		func(threads int) (*Work, error) {
			return compiled(func(x ad.Value) ad.Value {
				return ad.ForI(condSteps, func(_, x ad.Value) ad.Value {
					return ad.Cond(x.Gt(ad.Const(1)), func() ad.Value { return x.Shift(-0.75) }, func() ad.Value { return x.Shift(0.5) })
				}, x)
			}, ad.Scalar(0.125), threads)
		},
		func() ([]int, []float64) {
			x := 0.125
			for range condSteps {
				if x > 1 {
					x -= 0.75
				} else {
					x += 0.5
				}
			}
			return []int{0}, []float64{x}
		})
	add("switch/vmap/f32/1000000", "f32", "switch", []string{"jax"}, 1e3*switchSize, "Melements/s", 1e-4, map[string]any{"n": switchSize},
		func(threads int) (*Work, error) {
			type in struct{ X, I ad.Value }
			return compiled(ad.Vmap(func(a in) ad.Value {
				return ad.Switch(a.I, a.X.Sin, a.X.Exp, a.X.Tanh, a.X.Square)
			}), in{ad.From(numbers[float32](1, switchSize, -1, 1)), ad.From(labels(2, switchSize, 4))}, threads)
		},
		func() (index []int, value []float64) {
			x, l := numbers[float32](1, switchSize, -1, 1), labels(2, switchSize, 4)
			f := []func(float64) float64{math.Sin, math.Exp, math.Tanh, func(x float64) float64 { return x * x }}
			for _, i := range some(switchSize, 200) {
				index, value = append(index, i), append(value, f[l[i]](float64(x[i])))
			}
			return index, value
		})
	add("cg/laplace/f64/100000", "f64", "cg", []string{"jax"}, 1e6, "ksystems/s", 1e-8, map[string]any{"n": cgSize, "diagonal": cgDiagonal, "tolerance": 1e-10},
		func(threads int) (*Work, error) {
			return compiled(func(b ad.Value) ad.Value {
				return ad.LinearSolve(func(v ad.Value, _ [0]ad.Value) ad.Value {
					p := v.Pad([]int{1}, []int{1}, 0)
					return v.Scale(cgDiagonal).Sub(p.Narrow(0, 0, cgSize)).Sub(p.Narrow(0, 2, cgSize))
				}, b, [0]ad.Value{}, ad.CG(ad.KrylovOptions{Tolerance: 1e-10}))
			}, ad.From(numbers[float64](1, cgSize, -1, 1)), threads)
		}, cgReference)
	add("eager/f64/1000", "f64", "eager", torch, 1e3*eagerSteps, "Msteps/s", 1e-12, map[string]any{"n": eagerSize, "steps": eagerSteps},
		func(int) (*Work, error) {
			var read [eagerSteps]float64
			start := ad.From(numbers[float64](1, eagerSize, -1, 1))
			return eagerWork(func() {
				x := start
				for i := range read {
					x = x.Sub(x.Sin().Scale(0.01))
					read[i] = x.Square().Sum().Item()
				}
			}, func(i int) float64 { return read[i] })
		},
		func() ([]int, []float64) {
			x, read := numbers[float64](1, eagerSize, -1, 1), make([]float64, eagerSteps)
			for t := range read {
				for i, v := range x {
					x[i] = v - 0.01*math.Sin(v)
					read[t] += x[i] * x[i]
				}
			}
			return all(read)
		})
	cs[len(cs)-1].OneThread = true
	add("hessian/rosenbrock/f64/100", "f64", "hessian", torch, 1e3*hessianSize*hessianSize, "Mentries/s", 1e-11,
		map[string]any{"n": hessianSize, "lo": []float64{-1}, "hi": []float64{1}},
		func(threads int) (*Work, error) {
			return compiled(ad.Hessian(rosenbrock), ad.From(numbers[float64](1, hessianSize, -1, 1)), threads)
		},
		func() (index []int, value []float64) {
			const n = hessianSize
			x := numbers[float64](1, n, -1, 1)
			for i := range n {
				for j := range n {
					y := 0.0
					switch {
					case i == j:
						y = rosenbrockCurve(x, i)
					case i-j == 1 || j-i == 1:
						y = -400 * x[min(i, j)]
					}
					index, value = append(index, i*n+j), append(value, y)
				}
			}
			return index, value
		})
	add("jvp/f32/1000000", "f32", "jvp", torch, 1e3*jvpSize, "Melements/s", 1e-4,
		map[string]any{"n": jvpSize, "lo": []float64{-2, -1}, "hi": []float64{2, 1}},
		func(threads int) (*Work, error) {
			type in struct{ X, T ad.Value }
			return compiled(func(a in) ad.Tangents[ad.Value] {
				return ad.JVP(func(x ad.Value) ad.Value { return x.Sin().Mul(x).Tanh() })(a.X, a.T)
			}, in{ad.From(numbers[float32](1, jvpSize, -2, 2)), ad.From(numbers[float32](2, jvpSize, -1, 1))}, threads)
		},
		func() (index []int, value []float64) {
			for _, i := range some(jvpSize, 50) {
				x, t := -2+4*number(1, i), -1+2*number(2, i)
				y := math.Tanh(math.Sin(x) * x)
				index = append(index, i, jvpSize+i)
				value = append(value, y, (1-y*y)*(math.Sin(x)+x*math.Cos(x))*t)
			}
			return index, value
		})
	add("taylor/5/f64/100000", "f64", "taylor", []string{"jax"}, 1e3*taylorSize, "Melements/s", 1e-10,
		map[string]any{"n": taylorSize, "lo": []float64{-1}, "hi": []float64{1}},
		func(threads int) (*Work, error) {
			return compiled(ad.NthDerivative(func(x ad.Value) ad.Value { return x.Square().Scale(-0.5).Exp().Mul(x.Sin()) }, 5),
				ad.From(numbers[float64](1, taylorSize, -1, 1)), threads)
		},
		func() (index []int, value []float64) { // Im(-He₅(z)·exp(-x²/2 + ix)), z = x - i
			for _, i := range some(taylorSize, 50) {
				x := -1 + 2*number(1, i)
				z := complex(x, -1)
				h := z * (z*z*(z*z-10) + 15)
				index, value = append(index, i), append(value, imag(-h*cmplx.Exp(complex(-x*x/2, x))))
			}
			return index, value
		})
	type system struct{ A, B ad.Value }
	add("implicit/solve/f64/200", "f64", "solve", torch, 1e6, "ksystems/s", 1e-9, map[string]any{"n": implicitSize},
		func(threads int) (*Work, error) {
			return compiled(ad.Grad(func(s system) ad.Value { return s.A.Solve(s.B).Square().Sum() }),
				system{ad.From(solveMatrix(), implicitSize, implicitSize), ad.From(numbers[float64](2, implicitSize, -1, 1))}, threads)
		}, solveReference)
	add("implicit/fixedpoint/f64/200", "f64", "fixedpoint", []string{"jax"}, 1e6, "ksystems/s", 1e-9, map[string]any{"n": implicitSize, "steps": fixedSteps},
		func(threads int) (*Work, error) {
			next := func(x ad.Value, p system) ad.Value { return p.A.MatMul(x).Add(p.B).Tanh() }
			return compiled(ad.Grad(func(p system) ad.Value {
				x := ad.ForI(fixedSteps, func(_, x ad.Value) ad.Value { return next(x, p) }, p.B.FullLike(0))
				return ad.ImplicitFixedPoint(next, x.StopGradient(), p).Square().Sum()
			}), system{squareOf(1, implicitSize).Scale(0.5), ad.From(numbers[float64](2, implicitSize, -1, 1))}, threads)
		}, fixedReference)
	add("checkpoint/f32/64x256x256", "f32", "checkpoint", torch, deepLayers*8*deepSize*deepSize*deepSize, "GFLOP/s", 1e-3,
		map[string]any{"layers": deepLayers, "every": deepEvery, "n": deepSize},
		func(threads int) (*Work, error) {
			type in struct{ W, X ad.Value }
			return compiled(ad.ValueAndGrad(func(a in) ad.Value {
				piece := ad.Checkpoint(func(a in) ad.Value {
					for range deepEvery {
						a.X = a.X.MatMul(a.W).Tanh()
					}
					return a.X
				})
				for range deepLayers / deepEvery {
					a.X = piece(a)
				}
				return a.X.Square().Sum()
			}), in{squareOf(1, deepSize).Scale(math.Sqrt(3)).Convert(ad.F32), ad.From(numbers[float32](2, deepSize*deepSize, -1, 1), deepSize, deepSize)}, threads)
		}, deepReference)
	return cs
}

func fftWork[T float](rows, n, threads int) (*Work, error) {
	return compiled(func(x ad.Complex) ad.Complex { return x.FFT(1) },
		ad.Complex{Re: ad.From(numbers[T](1, rows*n, -1, 1), rows, n), Im: ad.From(numbers[T](2, rows*n, -1, 1), rows, n)}, threads)
}

// fftReference is some elements by their sums.
func fftReference(dtype string, rows, n int) (index []int, value []float64) {
	var part [2][]float64
	for s := range part {
		if dtype == "f32" {
			for _, x := range numbers[float32](1+s, rows*n, -1, 1) {
				part[s] = append(part[s], float64(x))
			}
		} else {
			part[s] = numbers[float64](1+s, rows*n, -1, 1)
		}
	}
	for _, r := range some(rows, 3) {
		for _, k := range some(n, 5) {
			var sum complex128
			for i := range n {
				sum += complex(part[0][r*n+i], part[1][r*n+i]) * cmplx.Rect(1, -2*math.Pi*float64(i*k%n)/float64(n))
			}
			index = append(index, r*n+k, rows*n+r*n+k)
			value = append(value, real(sum), imag(sum))
		}
	}
	return index, value
}

var factorSizes = []struct {
	dtype     string
	batch, n  int
	tolerance float64
}{{"f64", 1000, 8, 1e-9}, {"f64", 200, 32, 1e-9}, {"f32", smallBatch, smallSize, 1e-3}, {"f64", 100, 64, 1e-9}, {"f32", 100, 64, 1e-2}, {"f64", 1, largeSize, 1e-9},
	{"f32", 1, largeSize, 1e-2}, {"f64", 1, middleSize, 1e-9}, {"f32", 1, middleSize, 1e-2}}

// sizeOps are the operations on large matrices and on float32s, by their size.
var sizeOps = map[int][]string{smallSize: {"eigh", "qr", "logdet", "expm"}, 64: {"eigh", "svd", "qr", "logdet", "expm"}, largeSize: {"eigh", "svd", "qr", "logdet"}, middleSize: {"eigh", "svd", "expm"}}

// factorOps give what is unique first: singular values, eigenvalues, R but for its rows' signs, U.

var factorOps = []struct {
	name string
	f    func(a ad.Value) [3]ad.Value
	of   func(a *mat.Dense) []float64
	size func(n int) int // of what is unique, in a matrix
}{
	{"svd", func(a ad.Value) [3]ad.Value {
		u, s, vt := a.SVD()
		return [3]ad.Value{s, u, vt}
	}, func(a *mat.Dense) []float64 {
		var f mat.SVD
		f.Factorize(a, mat.SVDNone)
		return f.Values(nil)
	}, func(n int) int { return n }},
	{"eigh", func(a ad.Value) [3]ad.Value {
		w, v := a.Eigh()
		return [3]ad.Value{w, v}
	}, func(a *mat.Dense) []float64 {
		n, _ := a.Dims()
		var f mat.EigenSym
		f.Factorize(mat.NewSymDense(n, a.RawMatrix().Data), false)
		return f.Values(nil)
	}, func(n int) int { return n }},
	{"qr", func(a ad.Value) [3]ad.Value {
		q, r := a.QR()
		return [3]ad.Value{r.Abs(), q}
	}, func(a *mat.Dense) []float64 {
		var f mat.QR
		f.Factorize(a)
		var r mat.Dense
		f.RTo(&r)
		r.Apply(func(_, _ int, x float64) float64 { return math.Abs(x) }, &r)
		return r.RawMatrix().Data
	}, func(n int) int { return n * n }},
	{"lu", func(a ad.Value) [3]ad.Value {
		perm, l, u := a.LU()
		return [3]ad.Value{u, l, perm}
	}, func(a *mat.Dense) []float64 {
		var f mat.LU
		f.Factorize(a)
		var u mat.TriDense
		f.UTo(&u)
		return mat.DenseCopyOf(&u).RawMatrix().Data
	}, func(n int) int { return n * n }},
	{"det", func(a ad.Value) [3]ad.Value { return [3]ad.Value{a.Det()} },
		func(a *mat.Dense) []float64 { return []float64{mat.Det(a)} }, func(int) int { return 1 }},
	{"logdet", func(a ad.Value) [3]ad.Value {
		sign, log := a.LogDet()
		return [3]ad.Value{log, sign}
	}, func(a *mat.Dense) []float64 {
		log, _ := mat.LogDet(a)
		return []float64{log}
	}, func(int) int { return 1 }},
	{"expm", func(a ad.Value) [3]ad.Value { return [3]ad.Value{a.Expm()} }, func(a *mat.Dense) []float64 {
		var y mat.Dense
		y.Exp(a)
		return y.RawMatrix().Data
	}, func(n int) int { return n * n }},
}

func factorMatrix(op string, b, n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n * n {
		m.Set(i/n, i%n, 2*number(1, b*n*n+i)-1)
	}
	if op == "eigh" {
		m.Add(m, mat.DenseCopyOf(m.T()))
	}
	return m
}

// squareOf is a matrix whose product with a vector is about as large as that.
func squareOf(seed, n int) ad.Value { return ad.From(squareNumbers(seed, n), n, n) }

func squareNumbers(seed, n int) []float64 {
	r := 1 / math.Sqrt(float64(n))
	return numbers[float64](seed, n*n, -r, r)
}

func rnnLoss(w, x ad.Value) ad.Value {
	h, _ := ad.Scan(func(h, x ad.Value) (ad.Value, [0]ad.Value) { return h.MatMul(w).Add(x).Tanh(), [0]ad.Value{} }, x.Index(0).FullLike(0), x)
	return h.Square().Sum()
}

func rnnWeights[T float]() []T {
	r := 1 / math.Sqrt(rnnWidth)
	return numbers[T](1, rnnWidth*rnnWidth, -r, r)
}

func rnnInputs[T float]() []T { return numbers[T](2, rnnSteps*rnnRows*rnnWidth, -1, 1) }

// rnnReference goes forwards and back by gonum's matrices.
func rnnReference() (index []int, value []float64) {
	w := mat.NewDense(rnnWidth, rnnWidth, rnnWeights[float64]())
	x := rnnInputs[float64]()
	hs := []*mat.Dense{mat.NewDense(rnnRows, rnnWidth, nil)}
	for t := range rnnSteps {
		h := mat.NewDense(rnnRows, rnnWidth, nil)
		h.Mul(hs[t], w)
		h.Apply(func(i, j int, v float64) float64 { return math.Tanh(v + x[(t*rnnRows+i)*rnnWidth+j]) }, h)
		hs = append(hs, h)
	}
	loss, grad := backwards(w, hs)
	return firstAnd(loss, grad.RawMatrix().Data)
}

// backwards is the sum of squares of the last of hs, each the tanh of a sum in which the one before stands times w, and
// its gradient by w.
func backwards(w *mat.Dense, hs []*mat.Dense) (loss float64, grad *mat.Dense) {
	last := hs[len(hs)-1]
	loss = math.Pow(mat.Norm(last, 2), 2)
	n, m := w.Dims()
	grad = mat.NewDense(n, m, nil)
	ct := mat.DenseCopyOf(last)
	ct.Scale(2, ct)
	for t := len(hs) - 1; t > 0; t-- {
		ct.Apply(func(i, j int, v float64) float64 { h := hs[t].At(i, j); return v * (1 - h*h) }, ct)
		var part mat.Dense
		part.Mul(hs[t-1].T(), ct)
		grad.Add(grad, &part)
		var before mat.Dense
		before.Mul(ct, w.T())
		ct = &before
	}
	return loss, grad
}

// firstAnd is a number and some of those that follow it.
func firstAnd(x float64, xs []float64) (index []int, value []float64) {
	index, value = []int{0}, []float64{x}
	for _, i := range some(len(xs), 50) {
		index, value = append(index, 1+i), append(value, xs[i])
	}
	return index, value
}

// lstm is the weights of a cell whose gates stand side by side: in, forget, candidate, out.
type lstm struct{ X, H, Bias ad.Value }

func lstmLoss(w lstm, x ad.Value) ad.Value {
	type state struct{ H, C ad.Value }
	zero := x.Index(0).FullLike(0)
	s, _ := ad.Scan(func(s state, x ad.Value) (state, [0]ad.Value) {
		z := x.MatMul(w.X).Add(s.H.MatMul(w.H)).Add(w.Bias)
		gate := func(k int) ad.Value { return z.Narrow(1, k*lstmWidth, lstmWidth) }
		c := gate(1).Sigmoid().Mul(s.C).Add(gate(0).Sigmoid().Mul(gate(2).Tanh()))
		return state{gate(3).Sigmoid().Mul(c.Tanh()), c}, [0]ad.Value{}
	}, state{zero, zero}, x)
	return s.H.Square().Sum()
}

func lstmWeights[T float](seed int) []T {
	r := 1 / math.Sqrt(lstmWidth)
	return numbers[T](seed, 4*lstmWidth*lstmWidth, -r, r)
}

func lstmInputs[T float]() []T { return numbers[T](4, lstmSteps*lstmRows*lstmWidth, -1, 1) }

// lstmReference goes forwards and back by gonum's matrices.
func lstmReference() (index []int, value []float64) {
	const n, m = lstmRows, lstmWidth
	wx, wh := mat.NewDense(m, 4*m, lstmWeights[float64](1)), mat.NewDense(m, 4*m, lstmWeights[float64](2))
	bias, xs := numbers[float64](3, 4*m, -1, 1), lstmInputs[float64]()
	x := func(t int) *mat.Dense { return mat.NewDense(n, m, xs[t*n*m:(t+1)*n*m]) }
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	hs, cs := []*mat.Dense{mat.NewDense(n, m, nil)}, []*mat.Dense{mat.NewDense(n, m, nil)}
	var gates []*mat.Dense
	for t := range lstmSteps {
		var z, r mat.Dense
		z.Mul(x(t), wx)
		r.Mul(hs[t], wh)
		z.Apply(func(i, j int, v float64) float64 {
			if v += r.At(i, j) + bias[j]; j/m == 2 {
				return math.Tanh(v)
			}
			return sigmoid(v)
		}, &z)
		h, c := mat.NewDense(n, m, nil), mat.NewDense(n, m, nil)
		c.Apply(func(i, j int, v float64) float64 { return z.At(i, m+j)*v + z.At(i, j)*z.At(i, 2*m+j) }, cs[t])
		h.Apply(func(i, j int, v float64) float64 { return z.At(i, 3*m+j) * math.Tanh(v) }, c)
		hs, cs, gates = append(hs, h), append(cs, c), append(gates, &z)
	}
	last := hs[lstmSteps]
	dx, dh, db := mat.NewDense(m, 4*m, nil), mat.NewDense(m, 4*m, nil), make([]float64, 4*m)
	var h mat.Dense // cotangents of h, c and the gates before their functions
	h.Scale(2, last)
	c := mat.NewDense(n, m, nil)
	for t := lstmSteps - 1; t >= 0; t-- {
		z, a := mat.NewDense(n, 4*m, nil), gates[t]
		for i := range n {
			for j := range m {
				in, forget, cand, out := a.At(i, j), a.At(i, m+j), a.At(i, 2*m+j), a.At(i, 3*m+j)
				y := math.Tanh(cs[t+1].At(i, j))
				ct := c.At(i, j) + h.At(i, j)*out*(1-y*y)
				z.Set(i, j, ct*cand*in*(1-in))
				z.Set(i, m+j, ct*cs[t].At(i, j)*forget*(1-forget))
				z.Set(i, 2*m+j, ct*in*(1-cand*cand))
				z.Set(i, 3*m+j, h.At(i, j)*y*out*(1-out))
				c.Set(i, j, ct*forget)
				for k := range 4 {
					db[k*m+j] += z.At(i, k*m+j)
				}
			}
		}
		var part mat.Dense
		part.Mul(x(t).T(), z)
		dx.Add(dx, &part)
		part.Mul(hs[t].T(), z)
		dh.Add(dh, &part)
		h.Reset()
		h.Mul(z, wh.T())
	}
	return firstAnd(math.Pow(mat.Norm(last, 2), 2), slices.Concat(dx.RawMatrix().Data, dh.RawMatrix().Data, db))
}

const whileFactor, whileEnd = 0.9999, 1e-9

func whileSteps() float64 { return math.Ceil(math.Log(whileEnd) / math.Log(whileFactor)) }

// rosenbrockCurve is element i of the diagonal of the Hessian.
func rosenbrockCurve(x []float64, i int) (y float64) {
	if i > 0 {
		y += 200
	}
	if i+1 < len(x) {
		y += 1200*x[i]*x[i] - 400*x[i+1] + 2
	}
	return y
}

// twoLayers is what tanh(w·tanh(v·x)) is of, and a tangent.
type twoLayers struct{ V, W, X, T ad.Value }

func newTwoLayers() twoLayers {
	return twoLayers{squareOf(1, jacobianSize), squareOf(2, jacobianSize), ad.From(numbers[float64](3, jacobianSize, -1, 1)), ad.From(numbers[float64](4, jacobianSize, -1, 1))}
}

func (a twoLayers) of(x ad.Value) ad.Value { return a.W.MatMul(a.V.MatMul(x).Tanh()).Tanh() }

func jacobianReference() ([]int, []float64) {
	j, _ := jacobianOf()
	return all(j.RawMatrix().Data)
}

// all is numbers and their places.
func all(xs []float64) (index []int, value []float64) { return some(len(xs), len(xs)), xs }

// jetReference: of y = tanh c, (k+1)·y[k+1] = Σ (j+1)·c[j+1]·u[k-j], u = 1 - y².
func jetReference() ([]int, []float64) {
	const n = jacobianSize
	var c [jetOrder + 1]mat.VecDense
	for k := range c {
		c[k] = *mat.NewVecDense(n, nil)
	}
	c[0] = *mat.NewVecDense(n, numbers[float64](3, n, -1, 1))
	c[1] = *mat.NewVecDense(n, numbers[float64](4, n, -1, 1))
	for seed := 1; seed <= 2; seed++ {
		w := mat.NewDense(n, n, squareNumbers(seed, n))
		for k := range c {
			var z mat.VecDense
			z.MulVec(w, &c[k])
			c[k] = z
		}
		for i := range n {
			var y, u [jetOrder + 1]float64
			y[0] = math.Tanh(c[0].AtVec(i))
			u[0] = 1 - y[0]*y[0]
			for k := 1; k <= jetOrder; k++ {
				for j := range k {
					y[k] += float64(j+1) / float64(k) * c[j+1].AtVec(i) * u[k-1-j]
				}
				for j := range k + 1 {
					u[k] -= y[j] * y[k-j]
				}
			}
			for k := range c {
				c[k].SetVec(i, y[k])
			}
		}
	}
	var xs []float64
	for k := range c {
		xs = append(xs, c[k].RawVector().Data...)
	}
	return all(xs)
}

// cgReference eliminates.
func cgReference() (index []int, value []float64) {
	b := numbers[float64](1, cgSize, -1, 1)
	d := make([]float64, cgSize)
	for i := range d {
		d[i] = cgDiagonal
		if i > 0 {
			d[i] -= 1 / d[i-1]
			b[i] += b[i-1] / d[i-1]
		}
	}
	for i := cgSize - 1; i >= 0; i-- {
		if i+1 < cgSize {
			b[i] += b[i+1]
		}
		b[i] /= d[i]
	}
	for _, i := range some(cgSize, 100) {
		index, value = append(index, i), append(value, b[i])
	}
	return index, value
}

// jacobianOf is the Jacobian of two layers, and their result.
func jacobianOf() (*mat.Dense, *mat.VecDense) {
	const n = jacobianSize
	v, w := mat.NewDense(n, n, squareNumbers(1, n)), mat.NewDense(n, n, squareNumbers(2, n))
	x := mat.NewVecDense(n, numbers[float64](3, n, -1, 1))
	slope := func(m *mat.Dense, x *mat.VecDense) (*mat.VecDense, *mat.Dense) { // tanh(m·x), and its Jacobian
		var y mat.VecDense
		y.MulVec(m, x)
		var j mat.Dense
		for i := range n {
			y.SetVec(i, math.Tanh(y.AtVec(i)))
		}
		j.Apply(func(i, _ int, v float64) float64 { return v * (1 - y.AtVec(i)*y.AtVec(i)) }, m)
		return &y, &j
	}
	h, first := slope(v, x)
	y, second := slope(w, h)
	var j mat.Dense
	j.Mul(second, first)
	return &j, y
}

// solveMatrix is far from singular.
func solveMatrix() []float64 {
	a := squareNumbers(1, implicitSize)
	for i := range implicitSize {
		a[i*(implicitSize+1)] += 2
	}
	return a
}

// solveReference: y = A⁻¹·b, the gradient by b is z = A⁻ᵀ·2y, that by A is -z·yᵀ.
func solveReference() (index []int, value []float64) {
	const n = implicitSize
	a := mat.NewDense(n, n, solveMatrix())
	var y, z mat.VecDense
	_ = y.SolveVec(a, mat.NewVecDense(n, numbers[float64](2, n, -1, 1)))
	twice := mat.VecDenseCopyOf(&y)
	twice.ScaleVec(2, twice)
	_ = z.SolveVec(a.T(), twice)
	for _, k := range some(n*n, 50) {
		index, value = append(index, k), append(value, -z.AtVec(k/n)*y.AtVec(k%n))
	}
	for _, k := range some(n, 20) {
		index, value = append(index, n*n+k), append(value, z.AtVec(k))
	}
	return index, value
}

const fixedSteps = 100

// fixedReference: x = tanh(W·x + b), D = diag(1 - x²), the gradient by b is z = D·(1 - Wᵀ·D)⁻¹·2x, that by W is z·xᵀ.
func fixedReference() (index []int, value []float64) {
	const n = implicitSize
	w := mat.NewDense(n, n, squareNumbers(1, n))
	w.Scale(0.5, w)
	b := mat.NewVecDense(n, numbers[float64](2, n, -1, 1))
	x := mat.NewVecDense(n, nil)
	for range 2 * fixedSteps {
		var y mat.VecDense
		y.MulVec(w, x)
		y.AddVec(&y, b)
		for i := range n {
			x.SetVec(i, math.Tanh(y.AtVec(i)))
		}
	}
	m := mat.DenseCopyOf(w.T())
	m.Apply(func(i, j int, v float64) float64 {
		y := -v * (1 - x.AtVec(j)*x.AtVec(j))
		if i == j {
			y++
		}
		return y
	}, m)
	twice := mat.VecDenseCopyOf(x)
	twice.ScaleVec(2, twice)
	var z mat.VecDense
	_ = z.SolveVec(m, twice)
	for i := range n {
		z.SetVec(i, z.AtVec(i)*(1-x.AtVec(i)*x.AtVec(i)))
	}
	for _, k := range some(n*n, 50) {
		index, value = append(index, k), append(value, z.AtVec(k/n)*x.AtVec(k%n))
	}
	for _, k := range some(n, 20) {
		index, value = append(index, n*n+k), append(value, z.AtVec(k))
	}
	return index, value
}

func deepReference() (index []int, value []float64) {
	w := mat.NewDense(deepSize, deepSize, squareNumbers(1, deepSize))
	w.Scale(math.Sqrt(3), w) // as large after 64 layers as after one
	hs := []*mat.Dense{mat.NewDense(deepSize, deepSize, numbers[float64](2, deepSize*deepSize, -1, 1))}
	for t := range deepLayers {
		var h mat.Dense
		h.Mul(hs[t], w)
		h.Apply(func(_, _ int, v float64) float64 { return math.Tanh(v) }, &h)
		hs = append(hs, &h)
	}
	loss, grad := backwards(w, hs)
	return firstAnd(loss, grad.RawMatrix().Data)
}
