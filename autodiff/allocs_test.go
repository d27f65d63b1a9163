package autodiff_test

import (
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A call into arrays that are there allocates nothing: scalars, struct results, a step of training that
// updates its weights in place, with one thread and with two, on the CPU.
func TestAllocations(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	check := func(name string, run func() error) {
		t.Helper()
		for range 3 {
			if err := run(); err != nil {
				t.Fatal(name, err)
			}
		}
		if n := testing.AllocsPerRun(50, func() { run() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	scalar, err := ad.Compile(ad.ValueAndGrad(cubic), ad.F64.Spec())
	if err != nil {
		t.Fatal(err)
	}
	var y ad.Valued[ad.Value]
	x := ad.Scalar(3.0)
	check("scalar", func() error { return scalar.RunInto(background, &y, x) })
	if y.Value.Item() != 33 || y.Grad.Item() != 29 {
		t.Error(y)
	}

	type network struct {
		W [2]ad.Value
		B []*ad.Value
	}
	type result struct {
		Loss ad.Value
		Net  network
	}
	step := func(n network, b batch) result {
		r := ad.ValueAndGrad2(func(n network, b batch) ad.Value {
			return ad.CrossEntropy(b.X.MatMul(n.W[0]).Add(*n.B[0]).ReLU().MatMul(n.W[1]).Add(*n.B[1]), b.Y)
		})(n, b)
		return result{r.Value, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Sub(v[1].Scale(0.1)) }, n, r.Grad)}
	}
	b0, b1 := ad.F32.Zeros(64), ad.F32.Zeros(3)
	n := network{[2]ad.Value{ad.F32.Full(0.1, 5, 64), ad.F32.Full(0.2, 64, 3)}, []*ad.Value{&b0, &b1}}
	for _, threads := range []int{1, 2} {
		p, err := ad.Compile2(step, n, batch{ad.F32.Spec(ad.AnyBatch, 5), ad.I32.Spec(ad.AnyBatch)}, ad.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		data := batchOf(1000)
		out := result{Net: n, Loss: ad.F32.Zeros()}
		check("step", func() error { return p.RunInto(background, &out, n, data) })
		other := batchOf(10)
		check("step of two batch sizes", func() error {
			if err := p.RunInto(background, &out, n, other); err != nil {
				return err
			}
			return p.RunInto(background, &out, n, data)
		})
	}
}
