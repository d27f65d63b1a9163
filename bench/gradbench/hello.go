package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var hello = map[string]function{
	"square": evaluation(helloInput, square, number),
	"double": evaluation(helloInput, ad.Grad(square), number),
}

func helloInput(x *float64, c *checks) ad.Value {
	if c.that(x != nil, "a number is needed"); c.err != nil {
		return ad.Value{}
	}
	return ad.Scalar(*x)
}

func square(x ad.Value) ad.Value { return x.Square() }
