package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A call under Heston's model, by Monte Carlo: Euler steps of the logarithm of the spot and of the variance, which
// counts as at least hestonFloor. The normal numbers are data: the same array for everyone, made before the clock
// runs, as a desk that wants the same paths from day to day has them.
const (
	hestonSteps = 252
	hestonPaths = 100_000
	hestonFloor = 1e-4
	hestonYears = 1.0
)

// hestonParams are spot, strike, rate, first variance, its speed of return, its mean, its volatility, correlation.
var hestonParams = [8]float64{100, 105, 0.03, 0.04, 2, 0.05, 0.3, -0.7}

func hestonCases() []Case {
	const draws = 2 * hestonSteps * hestonPaths
	return []Case{{
		Name: fmt.Sprintf("heston/f64/%dx%d", hestonSteps, hestonPaths), Dtype: "f64",
		Args: map[string]any{"kind": "heston", "dtype": "f64", "steps": hestonSteps, "paths": hestonPaths, "floor": hestonFloor,
			"years": hestonYears, "params": hestonParams},
		Peers: []string{"torch", "torch.compile", "jax", "aadc", bumped},
		Units: 1e3 * hestonSteps * hestonPaths, RateUnit: "Msteps/s", Bytes: 8 * draws, ReadOnly: true,
		Tolerance: 1e-9, Others: map[string]Other{bumped: {Tolerance: 1e-4}}, // a payoff has a kink, differences see it
		Setup: hestonWork, Reference: hestonReference,
	}}
}

type heston struct{ Spot, Strike, Rate, Var, Speed, Mean, Vol, Corr ad.Value }

func newHeston(p [8]float64) heston {
	var v [8]ad.Value
	for i, x := range p {
		v[i] = ad.Scalar(x)
	}
	return heston{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]}
}

// normals is the draws, [steps 2 paths]: by Box and Muller from the two rows of uniform numbers of a step.
func normals() []float64 {
	z := make([]float64, hestonSteps*2*hestonPaths)
	for t := range hestonSteps {
		for i := range hestonPaths {
			k := (2*t)*hestonPaths + i
			r := math.Sqrt(-2 * math.Log(1-number(1, k)))
			s, c := math.Sincos(2 * math.Pi * number(1, k+hestonPaths))
			z[k], z[k+hestonPaths] = r*c, r*s
		}
	}
	return z
}

type path struct{ Log, Var ad.Value }

// hestonPrice is the mean of what the paths with the normal numbers z, [steps 2 paths], pay, discounted.
func hestonPrice(h heston, z ad.Value) ad.Value {
	dt := hestonYears / hestonSteps
	across := ad.Const(1).Sub(h.Corr.Square()).Sqrt()
	zero := z.Index(0, 0).Scale(0)
	end, _ := ad.Scan(func(p path, z ad.Value) (path, []ad.Value) {
		z1, z2 := z.Index(0), z.Index(1)
		v := p.Var.Max(ad.Const(hestonFloor))
		root := v.Scale(dt).Sqrt()
		return path{
			p.Log.Add(h.Rate.Sub(v.Scale(0.5)).Scale(dt)).Add(root.Mul(z1)),
			p.Var.Add(h.Speed.Mul(h.Mean.Sub(v)).Scale(dt)).Add(h.Vol.Mul(root).Mul(h.Corr.Mul(z1).Add(across.Mul(z2)))),
		}, nil
	}, path{zero.Add(h.Spot.Log()), zero.Add(h.Var)}, z)
	return end.Log.Exp().Sub(h.Strike).ReLU().Mean().Mul(h.Rate.Scale(-hestonYears).Exp())
}

func hestonWork(threads int) (*Work, error) {
	type input struct {
		H heston
		Z ad.Value
	}
	return compiled(func(in input) ad.Valued[heston] { return ad.ValueAndGrad2(hestonPrice)(in.H, in.Z) },
		input{newHeston(hestonParams), ad.From(normals(), hestonSteps, 2, hestonPaths)}, threads)
}

// bumped is a peer: our own compiled value, once, and once per parameter after a bump.
const bumped = "bumped"

func bumpedSetup(c *Case, threads int) (*Work, error) {
	if c.Args["kind"] != "heston" {
		return nil, errors.New("has no such case")
	}
	type input struct {
		H heston
		Z ad.Value
	}
	z := ad.From(normals(), hestonSteps, 2, hestonPaths)
	p, err := ad.Compile(func(in input) ad.Value { return hestonPrice(in.H, in.Z) }, input{newHeston(hestonParams), z}, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	const relative = 1e-5
	var inputs [9]input
	var outs [9]ad.Value
	for i := range inputs {
		h := hestonParams
		if i > 0 {
			h[i-1] *= 1 + relative
		}
		inputs[i] = input{newHeston(h), z}
	}
	return &Work{
		Level: p.Level(),
		Run: func() error {
			for i := range inputs {
				if err := p.RunInto(context.Background(), &outs[i], inputs[i]); err != nil {
					return err
				}
			}
			return nil
		},
		At: func(i int) float64 {
			if i == 0 {
				return outs[0].Item()
			}
			return (outs[i].Item() - outs[0].Item()) / (hestonParams[i-1] * relative)
		},
	}, nil
}

// hestonReference carries every path's derivatives along, by hand.
func hestonReference() (index []int, value []float64) {
	const spot, strike, rate, first, speed, mean, vol, corr = 0, 1, 2, 3, 4, 5, 6, 7
	h, z := hestonParams, normals()
	dt := hestonYears / hestonSteps
	across := math.Sqrt(1 - h[corr]*h[corr])
	value = make([]float64, 9)
	for i := range hestonPaths {
		s, v := math.Log(h[spot]), h[first]
		ds, dv := [8]float64{spot: 1 / h[spot]}, [8]float64{first: 1}
		for t := range hestonSteps {
			z1, z2 := z[2*t*hestonPaths+i], z[(2*t+1)*hestonPaths+i]
			w, dw := v, dv
			if w < hestonFloor {
				w, dw = hestonFloor, [8]float64{}
			}
			root := math.Sqrt(w * dt)
			noise := h[corr]*z1 + across*z2
			s += (h[rate]-w/2)*dt + root*z1
			v += h[speed]*(h[mean]-w)*dt + h[vol]*root*noise
			for k := range 8 {
				dRoot := dw[k] * dt / (2 * root)
				ds[k] += -dw[k]/2*dt + dRoot*z1
				dv[k] += -h[speed]*dw[k]*dt + h[vol]*dRoot*noise
			}
			ds[rate] += dt
			dv[speed] += (h[mean] - w) * dt
			dv[mean] += h[speed] * dt
			dv[vol] += root * noise
			dv[corr] += h[vol] * root * (z1 - h[corr]/across*z2)
		}
		if end := math.Exp(s); end > h[strike] {
			value[0] += (end - h[strike]) / hestonPaths
			for k := range 8 {
				value[1+k] += end * ds[k] / hestonPaths
			}
			value[1+strike] -= 1.0 / hestonPaths
		}
	}
	discount := math.Exp(-h[rate] * hestonYears)
	for k := range value {
		value[k] *= discount
	}
	value[1+rate] -= hestonYears * value[0]
	return []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, value
}
