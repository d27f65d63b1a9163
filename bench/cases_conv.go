package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// convSize is a convolution of n arrays of so many dimensions of size, and in, channels last, "same" padding; transposed
// it takes what else is its result.
type convSize struct {
	name                             string
	dims                             int
	transposed                       bool
	n, size, in, filter, out, stride int
	groups                           int
	what                             string // forward, or grad: of Σ y²/2 by both
}

var convSizes = []convSize{
	{"3x3", 2, false, 8, 56, 64, 3, 64, 1, 1, "forward"},
	{"3x3", 2, false, 8, 56, 64, 3, 64, 1, 1, "grad"},
	{"3x3s2", 2, false, 8, 56, 64, 3, 128, 2, 1, "grad"},
	{"7x7s2", 2, false, 8, 112, 3, 7, 64, 2, 1, "grad"},
	{"1x1", 2, false, 8, 28, 256, 1, 256, 1, 1, "forward"},
	{"3x3deep", 2, false, 8, 14, 256, 3, 256, 1, 1, "forward"},
	{"3x3deep", 2, false, 8, 14, 256, 3, 256, 1, 1, "grad"},
	{"depthwise", 2, false, 8, 56, 128, 3, 128, 1, 128, "forward"},
	{"depthwise", 2, false, 8, 56, 128, 3, 128, 1, 128, "grad"},
	{"1d", 1, false, 8, 1024, 64, 5, 64, 1, 1, "forward"},
	{"1d", 1, false, 8, 1024, 64, 5, 64, 1, 1, "grad"},
	{"3d", 3, false, 1, 16, 32, 3, 32, 1, 1, "forward"},
	{"3d", 3, false, 1, 16, 32, 3, 32, 1, 1, "grad"},
	{"transposed4x4s2", 2, true, 4, 56, 32, 4, 64, 2, 1, "forward"},
	{"transposed4x4s2", 2, true, 4, 56, 32, 4, 64, 2, 1, "grad"},
}

func (s convSize) outSize() int { return (s.size + s.stride - 1) / s.stride }

// before is the padding in front.
func (s convSize) before() int {
	return max(0, (s.outSize()-1)*s.stride+s.filter-s.size) / 2
}

func (s convSize) data() (x, w []float32) {
	size, channels := s.from()
	return numbers[float32](1, s.n*power(size, s.dims)*channels, -1, 1), numbers[float32](2, power(s.filter, s.dims)*s.in/s.groups*s.out, -0.1, 0.1)
}

// from is the size and the channels of what the filters are applied to.
func (s convSize) from() (size, channels int) {
	if s.transposed {
		return s.outSize(), s.out
	}
	return s.size, s.in
}

func power(x, n int) int {
	y := 1
	for range n {
		y *= x
	}
	return y
}

func convCases() []Case {
	var cs []Case
	for _, s := range convSizes {
		flops := 2 * float64(s.n*power(s.outSize()*s.filter, s.dims)*s.in/s.groups*s.out)
		if s.what == "grad" {
			flops *= 3
		}
		cs = append(cs, Case{
			Name: fmt.Sprintf("conv/%s/%s", s.name, s.what), Dtype: "f32",
			Args: map[string]any{"kind": "conv", "dtype": "f32", "n": s.n, "size": s.size, "in": s.in, "filter": s.filter,
				"out": s.out, "stride": s.stride, "groups": s.groups, "what": s.what, "dims": s.dims, "transposed": s.transposed},
			Peers: []string{"torch", "torch.compile", "jax"},
			Units: flops, RateUnit: "GFLOP/s", Flops: flops, Tolerance: 1e-3,
			Setup:     s.work,
			Reference: s.reference,
		})
	}
	for _, s := range poolSizes {
		for _, what := range []string{"forward", "grad"} {
			elems := poolBatch * s.size * s.size * poolChannels
			cs = append(cs, Case{
				Name: s.name + "/" + what, Dtype: "f32",
				Args: map[string]any{"kind": "pool", "dtype": "f32", "n": poolBatch, "size": s.size, "in": poolChannels, "what": what,
					"op": s.op, "window": s.window, "stride": s.stride},
				Peers: []string{"torch", "torch.compile", "jax"},
				Units: float64(elems), RateUnit: "Gelem/s", Bytes: 4 * float64(elems+poolBatch*s.outSize()*s.outSize()*poolChannels), Tolerance: 1e-5,
				Setup:     func(threads int) (*Work, error) { return s.work(what, threads) },
				Reference: func() ([]int, []float64) { return s.reference(what) },
			})
		}
	}
	return append(cs, Case{
		Name: "cnn/64", Dtype: "f32",
		Args:  map[string]any{"kind": "cnn", "dtype": "f32", "n": cnnBatch, "rate": cnnRate},
		Peers: []string{"torch", "torch.compile", "jax"},
		Units: 1e6 * cnnBatch, RateUnit: "kexamples/s", Flops: 2 * cnnBatch * (2*28*28*9*32 + 3*14*14*9*32*64 + 3*49*64*10), Tolerance: 5e-3,
		Setup: cnnWork, Reference: cnnReference,
	})
}

func (s convSize) options() ad.ConvOptions {
	return ad.ConvOptions{Stride: []int{s.stride}, Padding: ad.Same, Groups: s.groups}
}

type convArgs struct{ X, W ad.Value }

func (s convSize) work(threads int) (*Work, error) {
	xs, ws := s.data()
	shape := func(before []int, size int, after ...int) []int {
		return slices.Concat(before, slices.Repeat([]int{size}, s.dims), after)
	}
	size, channels := s.from()
	args := convArgs{ad.From(xs, shape([]int{s.n}, size, channels)...), ad.From(ws, shape(nil, s.filter, s.in/s.groups, s.out)...)}
	conv := func(a convArgs) ad.Value {
		if s.transposed {
			return a.X.ConvTranspose(a.W, s.options())
		}
		return a.X.Conv(a.W, s.options())
	}
	if s.what == "forward" {
		return compiledWork(conv, args, threads)
	}
	return compiledWork(func(a convArgs) convArgs {
		return ad.Grad(func(a convArgs) ad.Value { return conv(a).Square().Sum().Scale(0.5) })(a)
	}, args, threads)
}

// compiledWork is a program of f on args.
func compiledWork[A, R any](f func(A) R, args A, threads int) (*Work, error) {
	p, err := ad.Compile(f, args, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	out, err := p.Run(context.Background(), args)
	if err != nil {
		return nil, err
	}
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, args) },
		At:    func(i int) float64 { return element(ad.TreeLeaves(out), i) },
	}, nil
}

// at is y[n, h, w, q] by the definition, in float64.
func (s convSize) at(x, w []float32, n, h, v, q int) float64 {
	sum, each := 0.0, s.in/s.groups
	first := q / (s.out / s.groups) * each
	for i := range s.filter {
		for j := range s.filter {
			r, c := h*s.stride+i-s.before(), v*s.stride+j-s.before()
			if r < 0 || c < 0 || r >= s.size || c >= s.size {
				continue
			}
			for p := range each {
				sum += float64(x[((n*s.size+r)*s.size+c)*s.in+first+p]) * float64(w[((i*s.filter+j)*each+p)*s.out+q])
			}
		}
	}
	return sum
}

// dense is the reference by all products, each visited by the places of its factors and of its sum.
func (s convSize) dense() (index []int, value []float64) {
	xs, w := s.data()
	o := s.outSize()
	visit := func(f func(from, to, w int)) {
		for n := range s.n {
			for at := range power(o, s.dims) {
			taps:
				for tap := range power(s.filter, s.dims) {
					i, a, t, scale := 0, at, tap, 1
					for range s.dims { // from the last axis on
						k := a%o*s.stride + t%s.filter - s.before()
						if k < 0 || k >= s.size {
							continue taps
						}
						i, a, t, scale = i+k*scale, a/o, t/s.filter, scale*s.size
					}
					for p := range s.in {
						for q := range s.out {
							from, to := (n*scale+i)*s.in+p, (n*power(o, s.dims)+at)*s.out+q
							if s.transposed {
								from, to = to, from
							}
							f(from, to, (tap*s.in+p)*s.out+q)
						}
					}
				}
			}
		}
	}
	size := s.n * power(o, s.dims) * s.out
	if s.transposed {
		size = s.n * power(s.size, s.dims) * s.in
	}
	y, dx, dw := make([]float64, size), make([]float64, len(xs)), make([]float64, len(w))
	visit(func(from, to, k int) { y[to] += float64(xs[from]) * float64(w[k]) })
	if s.what == "grad" {
		visit(func(from, to, k int) {
			dx[from] += y[to] * float64(w[k])
			dw[k] += y[to] * float64(xs[from])
		})
		y = slices.Concat(dx, dw)
	}
	for _, i := range some(len(y), 500) {
		index, value = append(index, i), append(value, y[i])
	}
	return index, value
}

func (s convSize) reference() (index []int, value []float64) {
	if s.dims != 2 || s.transposed {
		return s.dense()
	}
	x, w := s.data()
	o, each := s.outSize(), s.in/s.groups
	if s.what == "forward" {
		for _, i := range some(s.n*o*o*s.out, 200) {
			index, value = append(index, i), append(value, s.at(x, w, i/(o*o*s.out), i/(o*s.out)%o, i/s.out%o, i%s.out))
		}
		return index, value
	}
	for _, e := range some(len(x), 20) {
		n, r, c, p := e/(s.size*s.size*s.in), e/(s.size*s.in)%s.size, e/s.in%s.size, e%s.in
		sum := 0.0
		for i := range s.filter {
			for j := range s.filter {
				h, v := r+s.before()-i, c+s.before()-j
				if h < 0 || v < 0 || h%s.stride != 0 || v%s.stride != 0 || h/s.stride >= o || v/s.stride >= o {
					continue
				}
				for q := range s.out / s.groups {
					q += p / each * (s.out / s.groups)
					sum += s.at(x, w, n, h/s.stride, v/s.stride, q) * float64(w[((i*s.filter+j)*each+p%each)*s.out+q])
				}
			}
		}
		index, value = append(index, e), append(value, sum)
	}
	for _, e := range some(len(w), 6) {
		i, j, p, q := e/(s.filter*each*s.out), e/(each*s.out)%s.filter, e/s.out%each, e%s.out
		sum := 0.0
		for n := range s.n {
			for h := range o {
				for v := range o {
					r, c := h*s.stride+i-s.before(), v*s.stride+j-s.before()
					if r >= 0 && c >= 0 && r < s.size && c < s.size {
						sum += float64(x[((n*s.size+r)*s.size+c)*s.in+q/(s.out/s.groups)*each+p]) * s.at(x, w, n, h, v, q)
					}
				}
			}
		}
		index, value = append(index, len(x)+e), append(value, sum)
	}
	return index, value
}

// poolSize makes an element of a window of a picture: its largest, its mean, or what is between four where the picture
// becomes twice as large.
type poolSize struct {
	name, op             string
	size, window, stride int
}

const poolBatch, poolChannels = 8, 64

var poolSizes = []poolSize{
	{"pool/max2x2", "max", 112, 2, 2},
	{"pool/max3x3s2", "max", 112, 3, 2},
	{"pool/mean2x2", "mean", 112, 2, 2},
	{"resize/bilinear", "bilinear", 56, 2, 0},
}

func (s poolSize) outSize() int {
	if s.op == "bilinear" {
		return 2 * s.size
	}
	return (s.size-s.window)/s.stride + 1
}

func (s poolSize) numbers() []float32 {
	return numbers[float32](1, poolBatch*s.size*s.size*poolChannels, -1, 1)
}

func (s poolSize) work(what string, threads int) (*Work, error) {
	x := ad.From(s.numbers(), poolBatch, s.size, s.size, poolChannels)
	o := ad.PoolOptions{Stride: []int{s.stride}}
	pool := map[string]func(x ad.Value) ad.Value{
		"max":      func(x ad.Value) ad.Value { return x.MaxPool(o, s.window, s.window) },
		"mean":     func(x ad.Value) ad.Value { return x.AvgPool(o, s.window, s.window) },
		"bilinear": func(x ad.Value) ad.Value { return x.Resize(ad.Linear, s.outSize(), s.outSize()) },
	}[s.op]
	if what == "forward" {
		return compiledWork(pool, x, threads)
	}
	return compiledWork(ad.Grad(func(x ad.Value) ad.Value { return pool(x).Square().Sum().Scale(0.5) }), x, threads)
}

// weights is what the elements along an axis count in element o of the result.
func (s poolSize) weights(o int) map[int]float64 {
	w := map[int]float64{}
	if s.op == "bilinear" {
		at := (float64(o)+0.5)/2 - 0.5
		lo := math.Floor(at)
		w[max(0, int(lo))] += lo + 1 - at
		w[min(s.size-1, int(lo)+1)] += at - lo
		return w
	}
	for k := range s.window {
		w[o*s.stride+k] = 1 / float64(s.window)
	}
	return w
}

func (s poolSize) reference(what string) (index []int, value []float64) {
	x, size := s.numbers(), s.outSize()
	weights := make([]map[int]float64, size)
	for o := range weights {
		weights[o] = s.weights(o)
	}
	of := func(n, h, v, c int) float64 {
		sum, top := 0.0, math.Inf(-1)
		for i, a := range weights[h] {
			for j, b := range weights[v] {
				e := float64(x[((n*s.size+i)*s.size+j)*poolChannels+c])
				sum, top = sum+a*b*e, max(top, e)
			}
		}
		if s.op == "max" {
			return top
		}
		return sum
	}
	if what == "forward" {
		for _, i := range some(poolBatch*size*size*poolChannels, 200) {
			index, value = append(index, i), append(value, of(i/(size*size*poolChannels), i/(size*poolChannels)%size, i/poolChannels%size, i%poolChannels))
		}
		return index, value
	}
	for _, i := range some(len(x), 400) {
		n, r, q, c := i/(s.size*s.size*poolChannels), i/(s.size*poolChannels)%s.size, i/poolChannels%s.size, i%poolChannels
		sum := 0.0
		for h := range size {
			for v := range size {
				a, b := weights[h][r], weights[v][q]
				if a == 0 || b == 0 {
					continue
				}
				switch y := of(n, h, v, c); {
				case s.op != "max":
					sum += a * b * y
				case y == float64(x[i]):
					sum += y
				}
			}
		}
		index, value = append(index, i), append(value, sum)
	}
	return index, value
}

// The network: 3×3 convolutions to 32 and 64 channels, ReLU and 2×2 pools behind each, a linear layer, plain
// gradient descent in place.
const (
	cnnBatch = 64
	cnnRate  = 0.01
)

type cnnNet struct{ L, A, B ad.Value } // the linear layer first, so that its gradient comes first

func cnnWeights() (l, a, b []float32) {
	return numbers[float32](12, 49*64*10, -0.02, 0.02), numbers[float32](10, 9*32, -0.3, 0.3), numbers[float32](11, 9*32*64, -0.06, 0.06)
}

func cnnData() ([]float32, []int32) {
	return numbers[float32](1, cnnBatch*28*28, 0, 1), labels(2, cnnBatch, 10)
}

func cnnLoss(m cnnNet, b mlpBatch) ad.Value {
	h := b.X
	for _, w := range []ad.Value{m.A, m.B} {
		h = h.Conv(w, ad.ConvOptions{Padding: ad.Same}).ReLU().MaxPool(ad.PoolOptions{}, 2, 2)
	}
	return ad.CrossEntropy(h.Reshape(ad.AnyBatch, 49*64).MatMul(m.L), b.Y)
}

type cnnResult struct {
	Loss ad.Value
	Net  cnnNet
}

func cnnWork(threads int) (*Work, error) {
	l, a, b := cnnWeights()
	net := cnnNet{ad.From(l, 49*64, 10), ad.From(a, 3, 3, 1, 32), ad.From(b, 3, 3, 32, 64)}
	x, y := cnnData()
	data := mlpBatch{ad.From(x, cnnBatch, 28, 28, 1), ad.From(y)}
	step := func(m cnnNet, b mlpBatch) cnnResult {
		r := ad.ValueAndGrad2(cnnLoss)(m, b)
		return cnnResult{r.Value, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(cnnRate)) }, m, r.Grad)}
	}
	p, err := ad.Compile2(step, net, data, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	before, _, _ := cnnWeights()
	out := cnnResult{ad.F32.Zeros(), net}
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, net, data) },
		At: func(i int) float64 {
			v := element(ad.TreeLeaves(out), i)
			if i == 0 {
				return v
			}
			return (float64(before[i-1]) - v) / cnnRate
		},
	}, nil
}

// cnnReference is the loss and some elements of the linear layer's gradient.
func cnnReference() (index []int, value []float64) {
	l, a, b := cnnWeights()
	x, y := cnnData()
	layer := func(x []float32, w []float32, size, in, out int) []float32 {
		s := convSize{dims: 2, n: cnnBatch, size: size, in: in, filter: 3, out: out, stride: 1, groups: 1}
		half := size / 2
		h := make([]float32, cnnBatch*half*half*out)
		for i := range h {
			n, r, c, q := i/(half*half*out), i/(half*out)%half, i/out%half, i%out
			m := 0.0
			for j := range 4 {
				m = max(m, s.at(x, w, n, 2*r+j/2, 2*c+j%2, q))
			}
			h[i] = float32(m)
		}
		return h
	}
	h := layer(layer(x, a, 28, 1, 32), b, 14, 32, 64)
	loss, d := 0.0, make([]float64, cnnBatch*10)
	for n := range cnnBatch {
		row, sum := d[n*10:][:10], 0.0
		for j := range row {
			for i, v := range h[n*49*64:][:49*64] {
				row[j] += float64(v) * float64(l[i*10+j])
			}
			sum += math.Exp(row[j])
		}
		loss += (math.Log(sum) - row[y[n]]) / cnnBatch
		for j := range row {
			row[j] = math.Exp(row[j]) / sum / cnnBatch
		}
		row[y[n]] -= 1.0 / cnnBatch
	}
	index, value = []int{0}, []float64{loss}
	for _, e := range some(len(l), 40) {
		g := 0.0
		for n := range cnnBatch {
			g += float64(h[n*49*64+e/10]) * d[n*10+e%10]
		}
		index, value = append(index, 1+e), append(value, g)
	}
	return index, value
}
