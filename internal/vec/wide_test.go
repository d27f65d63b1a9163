package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A wide body gives its narrow sibling's bits for arguments of every kind.
func TestWide(t *testing.T) {
	for id := range ops.Count {
		t.Run(id.String(), func(t *testing.T) {
			testWide(t, id, dtype.F32, func(u uint64) uint32 { return uint32(u) }, func(x float64) uint32 { return math.Float32bits(float32(x)) },
				func(u uint32) bool { return u<<1 > 0xff<<24 })
			testWide(t, id, dtype.F64, func(u uint64) uint64 { return u }, math.Float64bits, func(u uint64) bool { return u<<1 > 0x7ff<<53 })
		})
	}
}

func testWide[U uint32 | uint64](t *testing.T, id ops.ID, typ dtype.Type, random func(uint64) U, of func(float64) U, isNaN func(U) bool) {
	narrow, wide := Inside(id, typ), InsideWide(id, typ)
	if narrow == nil || slices.Equal(narrow.Code, wide.Code) {
		return
	}
	const n = 1 << 13
	r := rand.New(rand.NewPCG(uint64(id), 7))
	var in [3][]U
	for k := range in {
		in[k] = make([]U, n)
		for i := range in[k] {
			switch i % 4 {
			case 0:
				in[k][i] = random(r.Uint64())
			case 1:
				in[k][i] = of(math.Ldexp(r.Float64()*2-1, r.IntN(12)))
			case 2: // down to the least results of exponentials
				in[k][i] = of((r.Float64()*2 - 1) * 800)
			case 3:
				in[k][i] = of([]float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1, -1, 5e-324, 1e-45, 1e-310, 1e-40, 1e300, -1e38}[r.IntN(13)])
			}
		}
	}
	limits := Range(id, typ)
	got, want := make([]U, n), make([]U, n)
	p := func(x []U) unsafe.Pointer { return unsafe.Pointer(&x[0]) }
	narrow.Compile()(p(want), p(in[0]), p(in[1]), p(in[2]), n)
	wide.Compile()(p(got), p(in[0]), p(in[1]), p(in[2]), n)
	bad := 0
	for i := range got {
		if limits == nil && got[i] != want[i] && !(isNaN(got[i]) && isNaN(want[i])) {
			t.Errorf("%v(%#x, %#x): wide %#x, want %#x", typ, in[0][i], in[1][i], got[i], want[i])
			if bad++; bad > 10 {
				return
			}
		}
	}
}
