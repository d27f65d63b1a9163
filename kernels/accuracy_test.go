package kernels

import (
	"math"
	"os"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// ulps is how far got is from the exact result want, in units of the last place of a float with the
// given bits of fraction and least exponent; infinities and NaN must be met exactly.
func ulps(got, want float64, fraction, least int) float64 {
	limit := math.Ldexp(1-math.Ldexp(1, -fraction-2), -least+2) // rounds to infinity, as more does
	switch {
	case got == want || got != got && want != want || math.IsInf(got, 0) && math.Abs(want) >= limit && (got > 0) == (want > 0):
		return 0
	case got != got || want != want || math.IsInf(want, 0):
		return math.Inf(1)
	case math.IsInf(got, 0): // as if the exponents went on
		got = math.Copysign(math.Ldexp(1, -least+2), got)
	}
	return math.Abs(got-want) / math.Ldexp(1, max(math.Ilogb(want), least)-fraction)
}

// exhaustive asks for all float32s and for many more float64s (make exhaustive).
var exhaustive = os.Getenv("ADJOINT_EXHAUSTIVE") != ""

// Every unary float32 function that is not exact is within its row's ULP, over all float32s: a stride
// through them, or all with ADJOINT_EXHAUSTIVE=1 (make exhaustive).
func TestAccuracyFloat32(t *testing.T) {
	stride := uint64(4099)
	if exhaustive {
		stride = 1
	} else if testing.Short() {
		stride = 65537
	}
	levels := distinct()
	level := levels[len(levels)-1]
	for id := range ops.Count {
		row := id.Row()
		if row.Arity != 1 || row.ULP == 0 || vec.Inside(id, dtype.F32) == nil {
			continue
		}
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			tile := level.Tile(id, dtype.F32)
			var mu sync.Mutex
			worst, at := 0.0, float32(0)
			var wg sync.WaitGroup
			const parts = 4
			for part := range uint64(parts) {
				wg.Go(func() {
					const n = 1024
					x, y := make([]float32, n), make([]float32, n)
					w, wx := 0.0, float32(0)
					for base := part * (1 << 32 / parts); base < (part+1)*(1<<32/parts); base += n * stride {
						for i := range x {
							x[i] = math.Float32frombits(uint32(base + uint64(i)*stride))
						}
						tile(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), nil, nil, n)
						for i, v := range x {
							want := row.Eval(float64(v), 0, 0)
							got := float64(y[i])
							if got == 0 && want == 0 && math.Signbit(got) != math.Signbit(want) {
								t.Errorf("%v(%g) is a zero of the wrong sign", id, v)
							}
							if e := ulps(got, want, 23, -126); e > w {
								w, wx = e, v
							}
						}
					}
					mu.Lock()
					if w > worst {
						worst, at = w, wx
					}
					mu.Unlock()
				})
			}
			wg.Wait()
			t.Logf("%v: %.4f ULP at %g (%#x)", id, worst, at, math.Float32bits(at))
			if worst > row.ULP {
				t.Errorf("%v(%g): %.4f ULP, %g allowed", id, at, worst, row.ULP)
			}
		})
	}
}

// Points at which a function was once further off than its row says.
func TestWorstFloat32(t *testing.T) {
	levels := distinct()
	for _, c := range []struct {
		id   ops.ID
		bits uint32
	}{
		{ops.Asinh, 0x3eb1df4e}, // 1.05 ULP, before the root's own rounding was put back
	} {
		x, y := [Pad]float32{}, [Pad]float32{}
		for i := range x {
			x[i] = math.Float32frombits(c.bits)
		}
		levels[len(levels)-1].Tile(c.id, dtype.F32)(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), nil, nil, Pad)
		row := c.id.Row()
		if e := ulps(float64(y[0]), row.Eval(float64(x[0]), 0, 0), 23, -126); e > row.ULP {
			t.Errorf("%v(%g): %.4f ULP, %g allowed", c.id, x[0], e, row.ULP)
		}
	}
}
