package autodiff_test

import (
	"context"
	"math"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// Every bitwise row as users call it, on every level, recorded and on arrays, against Go's operators.
func TestBitwise(t *testing.T) {
	testBitwise[int32, uint32](t, ad.I32)
	testBitwise[int64, uint64](t, ad.I64)
}

func testBitwise[T int32 | int64, U uint32 | uint64](t *testing.T, typ ad.DType) {
	meaning := map[ops.ID]func(a, b T) T{
		ops.BitAnd: func(a, b T) T { return a & b },
		ops.BitOr:  func(a, b T) T { return a | b },
		ops.BitXor: func(a, b T) T { return a ^ b },
		ops.BitNot: func(a, _ T) T { return ^a },
		ops.Shl:    func(a, b T) T { return T(U(a) << U(b)) },
		ops.Shr:    func(a, b T) T { return T(U(a) >> U(b)) },
	}
	large := []T{0, 1, -1, 5, math.MaxInt32, math.MinInt32, 0x12345678, -0x12345678}
	if typ == ad.I64 {
		for _, x := range []int64{math.MaxInt64, math.MinInt64, 1<<53 + 1, -1<<60 - 3} {
			large = append(large, T(x))
		}
	}
	var x, y []T
	for _, a := range large {
		for _, b := range append([]T{2, 31, 32, 33, 63, 64, 65}, large...) {
			x, y = append(x, a), append(y, b)
		}
	}
	for id := range ops.Count {
		row := id.Row()
		if row.Class != ops.Bitwise {
			continue
		}
		want := meaning[id]
		if want == nil {
			t.Fatalf("%v: no meaning here", id)
		}
		f := call(t, id)
		check := func(how string, got ad.Value) {
			t.Helper()
			for i, g := range ad.Data[T](got) {
				if w := want(x[i], y[i]); g != w {
					t.Fatalf("%v of %v, %s: (%d, %d) is %d, not %d", id, typ, how, x[i], y[i], g, w)
				}
			}
		}
		args := []ad.Value{ad.From(x), ad.From(y)}[:row.Arity]
		check("arrays", f(args))
		for _, level := range kernels.Levels() {
			p, err := ad.Compile(f, args, ad.Options{Level: level.Name})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Run(context.Background(), args)
			if err != nil {
				t.Fatal(err)
			}
			check(level.Name, got)
		}
	}
}
