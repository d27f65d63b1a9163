package main

import (
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// option is a European option on one share, or many of them.
type option struct {
	Spot, Strike ad.Value
	Rate         ad.Value // of interest, per year, compounded continuously
	Volatility   ad.Value // per √year
	Expiry       ad.Value // in years
	Put          ad.Value // bool: a put, else a call
}

// price is that of Black, Scholes and Merton.
func price(o option) ad.Value {
	deviation := o.Volatility.Mul(o.Expiry.Sqrt())
	d1 := o.Spot.Div(o.Strike).Log().Add(o.Rate.Mul(o.Expiry)).Div(deviation).Add(deviation.Scale(0.5))
	d2 := d1.Sub(deviation)
	sign := ad.Where(o.Put, d1.FullLike(-1), d1.FullLike(1))
	discounted := o.Strike.Mul(o.Rate.Mul(o.Expiry).Neg().Exp())
	return sign.Mul(o.Spot.Mul(normal(sign.Mul(d1))).Sub(discounted.Mul(normal(sign.Mul(d2)))))
}

// normal is the distribution function of the normal distribution.
func normal(x ad.Value) ad.Value { return x.Scale(-math.Sqrt2 / 2).Erfc().Scale(0.5) }

// greeks are an option's price and its derivatives.
type greeks struct {
	Price ad.Value
	Delta ad.Value // by the spot
	Gamma ad.Value // by the spot, twice
	Vega  ad.Value // by the volatility
	Theta ad.Value // by the time that goes by, in years: minus that by the expiry
	Rho   ad.Value // by the rate
}

// greeksOf takes the price and its gradient in reverse mode, and of that the derivative along the spot in
// forward mode.
func greeksOf(o option) greeks {
	r := ad.JVP(ad.ValueAndGrad(price))(o, option{Spot: o.Spot.FullLike(1)})
	by := r.Value.Grad
	return greeks{r.Value.Value, by.Spot, r.Tangent.Grad.Spot, by.Volatility, by.Expiry.Neg(), by.Rate}
}

// compile makes the program for batches of every size. Its callers work side by side, so that it does not.
func compile() (*ad.Program[option, greeks], error) {
	x := ad.F64.Spec(ad.AnyBatch)
	return ad.Compile(ad.Vmap(greeksOf), option{x, x, x, x, x, ad.Bool.Spec(ad.AnyBatch)}, ad.Options{Threads: 1})
}
