package main

import (
	"errors"
	"math"
	"sync"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

const greeksRows = 1_000_000

// optionRanges are of spot, strike, rate, volatility, expiry.
var optionRanges = [5][2]float64{{80, 120}, {80, 120}, {0, 0.05}, {0.1, 0.5}, {0.25, 2}}

// greeksCases is the price of European calls after Black and Scholes and its five first derivatives, per row.
func greeksCases() []Case {
	var lo, hi []float64
	for _, r := range optionRanges {
		lo, hi = append(lo, r[0]), append(hi, r[1])
	}
	return []Case{{
		Name: "greeks/f64/1000000", Dtype: "f64",
		Args:  map[string]any{"kind": "greeks", "dtype": "f64", "n": greeksRows, "lo": lo, "hi": hi},
		Peers: []string{"torch", "torch.compile", "jax", "aadc", scalarGo},
		Units: 1e3 * greeksRows, RateUnit: "Mrows/s", Bytes: 8 * greeksRows * 11,
		Tolerance: 1e-10, Others: map[string]Other{scalarGo: {Results: greeksRows}}, Setup: greeksWork, Reference: greeksReference,
	}}
}

type option struct{ Spot, Strike, Rate, Vol, Expiry ad.Value }

func normal(x ad.Value) ad.Value { return x.Scale(-math.Sqrt2 / 2).Erfc().Scale(0.5) }

func price(o option) ad.Value {
	s := o.Vol.Mul(o.Expiry.Sqrt())
	d1 := o.Spot.Div(o.Strike).Log().Add(o.Rate.Add(o.Vol.Square().Scale(0.5)).Mul(o.Expiry)).Div(s)
	discount := o.Rate.Mul(o.Expiry).Neg().Exp()
	return o.Spot.Mul(normal(d1)).Sub(o.Strike.Mul(discount).Mul(normal(d1.Sub(s))))
}

func greeksWork(threads int) (*Work, error) {
	var columns [5]ad.Value
	for i, r := range optionRanges {
		columns[i] = ad.From(numbers[float64](i+1, greeksRows, r[0], r[1]))
	}
	return compiled(ad.Vmap(ad.ValueAndGrad(price)), option{columns[0], columns[1], columns[2], columns[3], columns[4]}, threads)
}

// greeksReference is the closed form.
func greeksReference() (index []int, value []float64) {
	phi := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	cdf := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	rows := some(greeksRows, 50)
	for column := range 6 {
		for _, i := range rows {
			var v [5]float64
			for j, r := range optionRanges {
				v[j] = r[0] + (r[1]-r[0])*number(j+1, i)
			}
			s, k, rate, vol, t := v[0], v[1], v[2], v[3], v[4]
			sd := vol * math.Sqrt(t)
			d1 := (math.Log(s/k) + (rate+vol*vol/2)*t) / sd
			d2, df := d1-sd, math.Exp(-rate*t)
			value = append(value, [6]float64{
				s*cdf(d1) - k*df*cdf(d2),
				cdf(d1),
				-df * cdf(d2),
				k * t * df * cdf(d2),
				s * phi(d1) * math.Sqrt(t),
				s*phi(d1)*vol/(2*math.Sqrt(t)) + rate*k*df*cdf(d2),
			}[column])
			index = append(index, column*greeksRows+i)
		}
	}
	return index, value
}

// scalarGo is a peer: the value alone, row by row, as Go's math package computes it.
const scalarGo = "scalar Go, value alone"

func scalarGoSetup(c *Case, threads int) (*Work, error) {
	if c.Args["kind"] != "greeks" {
		return nil, errors.New("has no such case")
	}
	var columns [5][]float64
	for i, r := range optionRanges {
		columns[i] = numbers[float64](i+1, greeksRows, r[0], r[1])
	}
	out := make([]float64, greeksRows)
	rows := func(from, to int) {
		for i := from; i < to; i++ {
			s, k, rate, vol, t := columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i]
			sd := vol * math.Sqrt(t)
			d1 := (math.Log(s/k) + (rate+vol*vol/2)*t) / sd
			out[i] = s*math.Erfc(-d1/math.Sqrt2)/2 - k*math.Exp(-rate*t)*math.Erfc(-(d1-sd)/math.Sqrt2)/2
		}
	}
	return &Work{
		Run: func() error {
			var wait sync.WaitGroup
			for i := range threads {
				wait.Go(func() { rows(i*greeksRows/threads, (i+1)*greeksRows/threads) })
			}
			wait.Wait()
			return nil
		},
		At: func(i int) float64 { return out[i] },
	}, nil
}
