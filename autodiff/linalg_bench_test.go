package autodiff_test

import (
	"context"
	"fmt"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A batch of small matrices and single larger ones: values, and the gradient of a solve and of a likelihood.
func BenchmarkAlgebra(b *testing.B) {
	sum := func(f func(x ad.Value) ad.Value) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return f(x).Sum() }
	}
	solve := func(x ad.Value) ad.Value { return x.Solve(x.Narrow(-1, 0, 1)) }
	logpdf := func(x ad.Value) ad.Value { return x.Cholesky().Diagonal().Log().Sum(-1) }
	for _, c := range []struct {
		name string
		f    func(x ad.Value) ad.Value
	}{
		{"cholesky", ad.Value.Cholesky},
		{"grad logdet", ad.Grad(sum(logpdf))},
		{"solve", solve},
		{"grad solve", ad.Grad(sum(solve))},
		{"inverse", ad.Value.Inverse},
		{"eigh", func(x ad.Value) ad.Value { _, v := x.Eigh(); return v }},
		{"svd", func(x ad.Value) ad.Value { u, _, _ := x.SVD(); return u }},
		{"qr", func(x ad.Value) ad.Value { q, _ := x.QR(); return q }},
		{"expm", ad.Value.Expm},
	} {
		for _, s := range [][2]int{{1000, 4}, {1000, 8}, {100, 16}, {100, 32}, {10, 64}, {1, 256}} {
			b.Run(fmt.Sprintf("%s/%dx%d", c.name, s[0], s[1]), func(b *testing.B) {
				x := spd(random(1, s[0], s[1], s[1]).Scale(0.3))
				p, err := ad.Compile(c.f, x)
				if err != nil {
					b.Fatal(err)
				}
				y, err := p.Run(context.Background(), x)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if err := p.RunInto(context.Background(), &y, x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
