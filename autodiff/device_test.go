package autodiff_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/device/fake"
)

type deviceNet struct{ W1, B1, W2, B2 ad.Value }

type deviceBatch struct{ X, Y ad.Value }

type deviceStep struct {
	Net  deviceNet
	Loss ad.Value
}

func deviceTrain(m deviceNet, b deviceBatch) deviceStep {
	loss := func(m deviceNet) ad.Value {
		h := b.X.MatMul(m.W1).Add(m.B1).Tanh()
		return ad.CrossEntropy(h.MatMul(m.W2).Add(m.B2), b.Y)
	}
	r := ad.ValueAndGrad(loss)(m)
	down := func(w, g ad.Value) ad.Value { return w.Sub(g.Scale(0.5)) }
	g := r.Grad
	return deviceStep{deviceNet{down(m.W1, g.W1), down(m.B1, g.B1), down(m.W2, g.W2), down(m.B2, g.B2)}, r.Value}
}

func newDeviceNet() deviceNet {
	rng := rand.New(rand.NewPCG(1, 2))
	weights := func(dims ...int) ad.Value {
		data := make([]float32, dims[0]*dims[1])
		for i := range data {
			data[i] = float32(rng.NormFloat64()) / 2
		}
		return ad.From(data, dims...).Clone()
	}
	return deviceNet{weights(6, 9), ad.F32.Zeros(9), weights(9, 4), ad.F32.Zeros(4)}
}

func deviceData(n int) (deviceBatch, []float32) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float32, 6*n), make([]int32, n)
	for i := range y {
		y[i] = int32(rng.IntN(4))
		for j := range 6 {
			x[6*i+j] = float32(rng.NormFloat64()) + float32(y[i])
		}
	}
	return deviceBatch{ad.From(x, n, 6), ad.From(y, n)}, x
}

// A training step on a device gives the CPU's bits; weights stay there between steps and come when somebody looks,
// also to operations and programs on the CPU; memory that the caller holds is read and written in every call.
func TestTrainingOnADevice(t *testing.T) {
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	s := &fake.Shim{Dir: t.TempDir()}
	defer s.Close()
	f := &fake.Driver{Compile: s.Compile}
	defer device.Use(f)()
	spec := deviceBatch{ad.F32.Spec(ad.AnyBatch, 6), ad.I32.Spec(ad.AnyBatch)}
	there, err := ad.Compile2(deviceTrain, newDeviceNet(), spec)
	if err != nil {
		t.Fatal(err)
	}
	here, err := ad.Compile2(deviceTrain, newDeviceNet(), spec, ad.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	if there.Device() != "cuda:0" || here.Device() != "cpu" {
		t.Fatal(there.Device(), here.Device())
	}
	same := func(what string, a, b deviceStep) {
		t.Helper()
		x, y := ad.TreeLeaves(a), ad.TreeLeaves(b)
		for i := range x {
			if !reflect.DeepEqual(x[i].Float64s(), y[i].Float64s()) {
				t.Fatalf("%s: value %d is %v, on the CPU %v", what, i, x[i], y[i])
			}
		}
	}
	ctx := context.Background()
	run := func(p *ad.Program2[deviceNet, deviceBatch, deviceStep], s *deviceStep, b deviceBatch) {
		t.Helper()
		if err := p.RunInto(ctx, s, s.Net, b); err != nil {
			t.Fatal(err)
		}
	}
	batch, x := deviceData(5)
	a, b := deviceStep{Net: newDeviceNet()}, deviceStep{Net: newDeviceNet()}
	for step := range 12 {
		run(there, &a, batch)
		run(here, &b, batch)
		x[step] += 0.25 // the caller's data may change
	}
	if there.CompileTimes().Bind <= 0 {
		t.Error("compiling for the device took no time")
	}
	brought, fetched := f.Count("ToDevice"), f.Count("ToHost")
	run(there, &a, batch)
	run(here, &b, batch)
	if in, out := f.Count("ToDevice")-brought, f.Count("ToHost")-fetched; in != 2 || out > 1 {
		t.Errorf("%d copies to the device, of which the data are 2, and %d back", in, out)
	}
	same("steps", a, b)

	// The CPU reads and writes what the device left.
	run(there, &a, batch)
	run(here, &a, batch)
	run(there, &a, batch)
	for range 3 {
		run(here, &b, batch)
	}
	same("both in turns", a, b)
	if d := a.Net.W1.Sub(b.Net.W1).Square().Sum().Item(); d != 0 {
		t.Errorf("an operation on arrays sees other weights: %g", d)
	}

	// Memory in the caller's hands.
	w := ad.Data[float32](a.Net.W1)
	v := ad.Data[float32](b.Net.W1)
	for range 3 {
		w[0], v[0] = w[0]+1, v[0]+1
		run(there, &a, batch)
		run(here, &b, batch)
		if w[0] != v[0] || w[53] != v[53] {
			t.Fatalf("the slice holds %v, %v, not %v, %v", w[0], w[53], v[0], v[53])
		}
	}
	same("held", a, b)

	// Another size, and new results.
	batch, _ = deviceData(7)
	p, err := there.Run(ctx, a.Net, batch)
	if err != nil {
		t.Fatal(err)
	}
	q, err := here.Run(ctx, b.Net, batch)
	if err != nil {
		t.Fatal(err)
	}
	same("new results", p, q)
	same("arguments", a, b)
}
