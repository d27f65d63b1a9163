package autodiff_test

import (
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Equal recordings are compiled once, whatever their arrays hold; the cache has a bound.
func TestCache(t *testing.T) {
	limit := ad.Cache().Limit
	defer ad.SetCacheLimit(limit)
	f := func(w ad.Value) func(ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return x.Mul(w).Tanh().Sum() }
	}
	run := func(n int) ad.CacheInfo {
		for i := range 3 {
			ad.Grad(f(ad.F64.Full(float64(i), n)))(ad.F64.Ones(n))
		}
		return ad.Cache()
	}
	before := run(71)
	if after := run(71); after.Misses != before.Misses || after.Hits < before.Hits+3 {
		t.Errorf("recorded again: %+v, then %+v", before, after)
	}
	ad.SetCacheLimit(2)
	if c := ad.Cache(); c.Programs > 2 || c.Limit != 2 {
		t.Errorf("%+v", c)
	}
	for n := range 5 {
		if c := run(100 + n); c.Programs > 2 {
			t.Errorf("%+v", c)
		}
	}
	if g := ad.Grad(f(ad.F64.Ones(100)))(ad.F64.Zeros(100)); g.At(99) != 1 {
		t.Error(g)
	}
}
