package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var lse = map[string]function{
	"primal":   evaluation(lseInput, logSumExp, number),
	"gradient": evaluation(lseInput, ad.Grad(logSumExp), numbers),
}

func lseInput(in struct{ X []float64 }, c *checks) ad.Value {
	c.size("the length of x", len(in.X), most)
	return ad.From(in.X)
}

func logSumExp(x ad.Value) ad.Value { return x.LogSumExp() }
