// Command cuda times the same programs on the CPU and on GPUs, and prints one table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/cuda"
	"github.com/adjoint-go/adjoint/nn"
	"github.com/adjoint-go/adjoint/optim"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if err != flag.ErrHelp {
			fmt.Fprintln(os.Stderr, "cuda:", err)
		}
		os.Exit(1)
	}
}

// job is a program that is ready to run: what a run moves or computes, in units, and a number that it gives.
type job struct {
	run   func() error
	units float64
	unit  string
	value func() float64
}

// task is a case; size 0 … 2 is how large it is, 0 for tests.
type task struct {
	name string
	make func(size int, o ad.Options) (*job, error)
}

var tasks = []task{
	{"mlp step, batch 256", mlp(256, ad.F32)},
	{"mlp step, batch 16384", mlp(16384, ad.F32)},
	{"mlp step, batch 16384, bf16", mlp(16384, ad.BF16)},
	{"mlp step, batch 16384, f16", mlp(16384, ad.F16)},
	{"transformer step, batch 8", transformer(8, ad.F32)},
	{"transformer step, batch 64", transformer(64, ad.F32)},
	{"transformer step, batch 64, bf16", transformer(64, ad.BF16)},
	{"transformer step, batch 64, f16", transformer(64, ad.F16)},
	{"copy f32", pointwise(func(x ad.Value) ad.Value { return x }, 1)},
	{"negation f32", pointwise(func(x ad.Value) ad.Value { return x.Neg() }, 1)},
	{"chain of 16, f32", pointwise(chain, 1)},
	{"softmax of rows of 1024, f32", rows},
	{"layer norm of rows of 1024, f32", norms},
	{"sum of columns, f32", columns},
	{"product f32", product(ad.F32)},
	{"product f64", product(ad.F64)},
	{"product bf16", product(ad.BF16)},
	{"product f16", product(ad.F16)},
	{"1000 steps of 2 small kernels", small},
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("cuda", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.String("devices", "", "devices, separated by commas; all if empty")
	expr := flags.String("run", "", "only cases whose name matches this regular `expression`")
	check := flags.Bool("check", false, "only say which GPUs there are, and run a small program on each")
	quick := flags.Bool("quick", false, "tiny sizes, to see that it works")
	if err := flags.Parse(args); err != nil {
		return err
	}
	re, err := regexp.Compile(*expr)
	if err != nil {
		return err
	}
	devices := []string{"cpu"}
	found, err := cuda.Devices()
	if err != nil {
		fmt.Fprintln(stdout, "no GPU:", err)
	}
	for _, d := range found {
		fmt.Fprintln(stdout, d)
		devices = append(devices, fmt.Sprintf("cuda:%d", d.Number))
	}
	if *check {
		return ready(stdout, devices[1:], err)
	}
	if *list != "" {
		devices = strings.Split(*list, ",")
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "case\tdevice\tcompile ms\tfirst ms\tmedian ms\trate\tvalue")
	for _, t := range tasks {
		if !re.MatchString(t.name) {
			continue
		}
		for _, d := range devices {
			size := 2
			switch {
			case *quick:
				size = 0
			case d == "cpu":
				size = 1
			}
			if err := measure(w, t, d, size); err != nil {
				return fmt.Errorf("%s on %s: %w", t.name, d, err)
			}
		}
	}
	return w.Flush()
}

// ready runs a program on each device; none is the error of why there are none.
func ready(w io.Writer, devices []string, none error) error {
	if none == nil && len(devices) == 0 {
		none = errors.New("there are none")
	}
	if none != nil {
		return fmt.Errorf("no GPU to run on: %w", none)
	}
	for _, d := range devices {
		begin := time.Now()
		j, err := pointwise(ad.Value.Exp, 1)(0, ad.Options{Device: d})
		if err == nil {
			err = j.run()
		}
		if err != nil {
			return fmt.Errorf("%s does not serve: %w", d, err)
		}
		fmt.Fprintf(w, "%s computes exp(-1) = %.6f; from nothing to there: %.2f s\n", d, j.value(), time.Since(begin).Seconds())
	}
	return nil
}

func measure(w io.Writer, t task, device string, size int) error {
	begin := time.Now()
	j, err := t.make(size, ad.Options{Device: device})
	if err != nil {
		return err
	}
	compiled := time.Since(begin)
	begin = time.Now()
	if err := j.run(); err != nil {
		return err
	}
	first := time.Since(begin)
	value := j.value()
	var times []float64
	for total := time.Duration(0); len(times) < 5 || total < time.Second && len(times) < 1000 && size > 0; {
		begin := time.Now()
		if err := j.run(); err != nil {
			return err
		}
		d := time.Since(begin)
		total += d
		times = append(times, d.Seconds())
	}
	slices.Sort(times)
	median := times[len(times)/2]
	fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.4f\t%.4g %s\t%.6g\n", t.name, device, 1e3*compiled.Seconds(), 1e3*first.Seconds(), 1e3*median, j.units/median, j.unit, value)
	return nil
}

// numbers are the same on every device and in the peer's script.
func numbers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((i*7919)%1000)/500 - 1
	}
	return x
}

func array(t ad.DType, dims ...int) ad.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return ad.From(numbers(n), dims...).Convert(t).Clone()
}

// job makes one of a function of arrays that stay on the device.
func compile(f func(x []ad.Value) ad.Value, in []ad.Value, o ad.Options, units float64, unit string) (*job, error) {
	p, err := ad.Compile(f, in, o)
	if err != nil {
		return nil, err
	}
	if o.Device != "" && p.Device() != o.Device {
		return nil, fmt.Errorf("it runs on %s:\n%s", p.Device(), p)
	}
	var y ad.Value
	return &job{
		run:   func() error { return p.RunInto(context.Background(), &y, in) },
		units: units, unit: unit,
		value: func() float64 { return y.Float64s()[0] },
	}, nil
}

func chain(x ad.Value) ad.Value {
	y := x
	for range 8 {
		y = y.Mul(x).Add(ad.Const(0.5))
	}
	return y
}

func pointwise(f func(x ad.Value) ad.Value, reads int) func(size int, o ad.Options) (*job, error) {
	return func(size int, o ad.Options) (*job, error) {
		n := []int{1000, 1 << 22, 1 << 26}[size]
		return compile(func(x []ad.Value) ad.Value { return f(x[0]) }, []ad.Value{array(ad.F32, n)}, o, 4e-9*float64((reads+1)*n), "GB/s")
	}
}

func rows(size int, o ad.Options) (*job, error) {
	n := []int{3, 1 << 12, 1 << 16}[size]
	return compile(func(x []ad.Value) ad.Value { return x[0].Softmax(-1) }, []ad.Value{array(ad.F32, n, 1024)}, o, 8e-9*float64(n*1024), "GB/s")
}

func norms(size int, o ad.Options) (*job, error) {
	n := []int{3, 1 << 12, 1 << 16}[size]
	return compile(func(x []ad.Value) ad.Value { return unit(x[0]) }, []ad.Value{array(ad.F32, n, 1024)}, o, 8e-9*float64(n*1024), "GB/s")
}

// unit is x's rows, each of mean 0 and variance 1.
func unit(x ad.Value) ad.Value {
	c := x.Sub(x.MeanKeep(-1))
	return c.Mul(c.Square().MeanKeep(-1).Shift(1e-5).Rsqrt())
}

// small has two kernels a step that nothing makes one of, so that what is between kernels is what it costs.
func small(size int, o ad.Options) (*job, error) {
	n := []int{2, 1000, 1000}[size]
	return compile(func(x []ad.Value) ad.Value {
		return ad.ForI(n, func(_, c ad.Value) ad.Value { return c.Add(c.Sum(0).Scale(1e-3)).Tanh() }, x[0])
	}, []ad.Value{array(ad.F32, 128, 256)}, o, 2*float64(n), "kernels/s")
}

func columns(size int, o ad.Options) (*job, error) {
	n := []int{3, 1 << 12, 1 << 16}[size]
	return compile(func(x []ad.Value) ad.Value { return x[0].Sum(0) }, []ad.Value{array(ad.F32, n, 1024)}, o, 4e-9*float64(n*1024), "GB/s")
}

func product(t ad.DType) func(size int, o ad.Options) (*job, error) {
	return func(size int, o ad.Options) (*job, error) {
		n := []int{33, 1024, 8192}[size]
		return compile(func(x []ad.Value) ad.Value { return x[0].MatMul(x[1]) }, []ad.Value{array(t, n, n), array(t, n, n)}, o,
			2e-12*math.Pow(float64(n), 3), "TFLOP/s")
	}
}

type layer struct{ W, B ad.Value }

func (l layer) of(x ad.Value) ad.Value { return x.MatMul(l.W).Add(l.B) }

type batch struct{ X, Y ad.Value }

// state is what a step of training changes.
type state[P any] struct {
	Net    P
	Scaler optim.Scaler // of float16s
}

type stepped[P any] struct {
	State state[P]
	Loss  ad.Value
}

// training is steps along a loss's gradient, computed on numbers of type t, weights in place.
func training[P any](t ad.DType, rate float64, loss func(net P, b batch) ad.Value, net P, data, spec batch, o ad.Options) (*job, error) {
	s := stepped[P]{State: state[P]{Net: net}}
	if t != ad.F32 {
		loss = nn.MixedIn(t, loss)
	}
	if t == ad.F16 {
		s.State.Scaler = optim.NewScaler()
	}
	step := func(s state[P], b batch) stepped[P] {
		var r ad.Valued[P]
		if t == ad.F16 {
			r = optim.ScaledValueAndGrad2(s.Scaler, loss)(s.Net, b)
		} else {
			r = ad.ValueAndGrad2(loss)(s.Net, b)
		}
		next := state[P]{optim.SGD(s.Net, r.Grad, ad.Const(rate)), s.Scaler}
		if t == ad.F16 {
			ok := optim.AllFinite(r.Grad)
			next.Net, next.Scaler = optim.Choose(ok, next.Net, s.Net), s.Scaler.Next(ok)
		}
		return stepped[P]{next, r.Value}
	}
	p, err := ad.Compile2(step, s.State, spec, o)
	if err != nil {
		return nil, err
	}
	if o.Device != "" && p.Device() != o.Device {
		return nil, fmt.Errorf("it runs on %s:\n%s", p.Device(), p)
	}
	return &job{
		run:   func() error { return p.RunInto(context.Background(), &s, s.State, data) },
		units: 1, unit: "steps/s",
		value: func() float64 { return s.Loss.Item() },
	}, nil
}

// mlp is a step of training of 784-512-256-10.
func mlp(size int, t ad.DType) func(_ int, o ad.Options) (*job, error) {
	return func(s int, o ad.Options) (*job, error) {
		n := size
		if s == 0 {
			n = 5
		}
		sizes := []int{784, 512, 256, 10}
		var net []layer
		for l := range 3 {
			net = append(net, layer{array(ad.F32, sizes[l], sizes[l+1]).Scale(1 / math.Sqrt(float64(sizes[l]))), ad.F32.Zeros(sizes[l+1])})
		}
		loss := func(net []layer, b batch) ad.Value {
			h := b.X
			for i, l := range net {
				if h = l.of(h); i < 2 {
					h = h.ReLU()
				}
			}
			return ad.CrossEntropy(h, b.Y)
		}
		y := make([]int32, n)
		for i := range y {
			y[i] = int32(i % 10)
		}
		return training(t, 0.01, loss, net, batch{array(ad.F32, n, 784), ad.From(y).Clone()}, batch{ad.F32.Spec(ad.AnyBatch, 784), ad.I32.Spec(ad.AnyBatch)}, o)
	}
}

type block struct{ Norm1, QKV, Out, Norm2, Up, Down layer } // W and B of a norm are its gain and bias

// transformer is a step of training of one block.
func transformer(size int, t ad.DType) func(_ int, o ad.Options) (*job, error) {
	return func(s int, o ad.Options) (*job, error) {
		n, tokens, dim, heads := size, 128, 256, 4
		if s == 0 {
			n, tokens, dim, heads = 2, 3, 8, 2
		}
		loss := func(b block, d batch) ad.Value {
			norm := func(l layer, x ad.Value) ad.Value { return unit(x).Mul(l.W).Add(l.B) }
			x := d.X
			qkv := b.QKV.of(norm(b.Norm1, x)).Reshape(-1, tokens, 3, heads, dim/heads).Transpose(2, 0, 3, 1, 4)
			scores := qkv.Index(0).MatMul(qkv.Index(1).T()).Scale(1 / math.Sqrt(float64(dim/heads)))
			mixed := scores.Softmax(-1).MatMul(qkv.Index(2)).Transpose(0, 2, 1, 3).Reshape(-1, tokens, dim)
			x = x.Add(b.Out.of(mixed))
			return x.Add(b.Down.of(b.Up.of(norm(b.Norm2, x)).GELU())).Sub(d.Y).Square().Mean()
		}
		linear := func(in, out int) layer {
			return layer{array(ad.F32, in, out).Scale(1 / math.Sqrt(float64(in))), ad.F32.Zeros(out)}
		}
		norm := func() layer { return layer{ad.F32.Zeros(dim).Shift(1), ad.F32.Zeros(dim)} }
		net := block{norm(), linear(dim, 3*dim), linear(dim, dim), norm(), linear(dim, 4*dim), linear(4*dim, dim)}
		x := array(ad.F32, n, tokens, dim)
		spec := ad.F32.Spec(ad.AnyBatch, tokens, dim)
		return training(t, 0.5, loss, net, batch{x, x.Neg().Clone()}, batch{spec, spec}, o)
	}
}
