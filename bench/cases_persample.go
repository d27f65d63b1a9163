package main

import (
	"context"
	"fmt"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

const persampleBatch = 256

// persampleCases is the gradient of each example's own loss by all the network's parameters: as many gradients as
// there are examples, 2 KiB and more a row, so writing them is the work.
func persampleCases() []Case {
	n := 0
	for l := range 3 {
		n += (mlpSizes[l] + 1) * mlpSizes[l+1]
	}
	flops := 0.0
	for l := range 3 {
		products := 3.0 // forward, the outer product, and backward by inputs
		if l == 0 {
			products = 2
		}
		flops += 2 * products * float64(persampleBatch*mlpSizes[l]*mlpSizes[l+1])
	}
	return []Case{{
		Name: fmt.Sprintf("persample/%d", persampleBatch), Dtype: "f32",
		Args:  map[string]any{"kind": "persample", "dtype": "f32", "batch": persampleBatch, "sizes": mlpSizes, "rate": mlpRate},
		Peers: []string{"torch", "torch.compile", "jax"},
		Units: 1e6 * persampleBatch, RateUnit: "kexamples/s", Flops: flops, Bytes: float64(4 * persampleBatch * n),
		Tolerance: 1e-4, Setup: persampleWork, Reference: persampleReference,
	}}
}

func persampleGrad(net []layer, b mlpBatch) []layer {
	return ad.Vmap(func(b mlpBatch) []layer { return ad.Grad2(mlpLoss)(net, b) })(b)
}

func persampleWork(threads int) (*Work, error) {
	net := mlpNet()
	p, err := ad.Compile2(persampleGrad, net, mlpBatch{ad.F32.Spec(ad.AnyBatch, mlpSizes[0]), ad.I32.Spec(ad.AnyBatch)}, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	x, y := mlpData(persampleBatch)
	b := mlpBatch{ad.From(x, persampleBatch, mlpSizes[0]), ad.From(y)}
	var out []layer
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, net, b) },
		At:    func(i int) float64 { return element(ad.TreeLeaves(out), i) },
	}, nil
}

// persampleReference is some elements of the gradients of some examples, each by itself.
func persampleReference() (index []int, value []float64) {
	x, y := mlpData(persampleBatch)
	for _, i := range some(persampleBatch, 3) {
		_, grad := mlpGradient(x[i*mlpSizes[0]:][:mlpSizes[0]], y[i:i+1])
		at := 0
		for _, p := range grad {
			for _, k := range some(len(p), 40) {
				index, value = append(index, at+i*len(p)+k), append(value, p[k])
			}
			at += persampleBatch * len(p)
		}
	}
	return index, value
}
