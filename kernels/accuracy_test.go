package kernels

import (
	"math"
	"math/rand/v2"
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
// through them, or all with ADJOINT_EXHAUSTIVE=1 (make exhaustive). All are held to the float64 tile where there is one, a
// thirtieth of the time of Go's functions: its own error, at most a few of its units, is 2^-26 of a float32's. Every 4099th
// is held to Go's function.
func TestAccuracyFloat32(t *testing.T) {
	const sparse = 4099
	stride := uint64(sparse)
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
			tile, exact := level.Tile(id, dtype.F32), level.Tile(id, dtype.F64)
			if vec.Inside(id, dtype.F64) == nil || !exhaustive {
				exact = nil
			}
			var mu sync.Mutex
			worst, at := 0.0, float32(0)
			var wg sync.WaitGroup
			const parts = 4
			for part := range uint64(parts) {
				wg.Go(func() {
					const n = 1024
					x, y := make([]float32, n), make([]float32, n)
					a, want := make([]float64, n), make([]float64, n)
					w, wx := 0.0, float32(0)
					for base := part * (1 << 32 / parts); base < (part+1)*(1<<32/parts); base += n * stride {
						for i := range x {
							x[i] = math.Float32frombits(uint32(base + uint64(i)*stride))
							a[i] = float64(x[i])
						}
						tile(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), nil, nil, n)
						if exact != nil {
							exact(unsafe.Pointer(&want[0]), unsafe.Pointer(&a[0]), nil, nil, n)
							for i := int(-base % sparse); i < n; i += sparse {
								if e := ulps(want[i], row.Eval(a[i], 0, 0), 52-22, -1022); e > 1 {
									t.Errorf("%v(%g) is %g by the float64 tile", id, a[i], want[i])
								}
							}
						} else {
							for i, v := range a {
								want[i] = row.Eval(v, 0, 0)
							}
						}
						for i, v := range want {
							if y[i] == float32(v) && y[i] != 0 && w >= 0.5 { // half a unit at most
								continue
							}
							got := float64(y[i])
							if got == 0 && v == 0 && math.Signbit(got) != math.Signbit(v) {
								t.Errorf("%v(%g) is a zero of the wrong sign", id, x[i])
							}
							if e := ulps(got, v, 23, -126); e > w {
								w, wx = e, x[i]
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

// The float32 functions of two arguments against Go's of float64s: any exponents, the everyday range, arguments that are
// nearly equal or far apart, and results that are denormal.
func TestAccuracyPairsFloat32(t *testing.T) {
	n := 1 << 16
	if exhaustive {
		n = 1 << 26
	}
	levels := distinct()
	level := levels[len(levels)-1]
	for _, id := range []ops.ID{ops.Atan2, ops.Hypot} {
		r := rand.New(rand.NewPCG(3, uint64(id)))
		tile, row := level.Tile(id, dtype.F32), id.Row()
		worst, wx, wy := 0.0, float32(0), float32(0)
		const block = 1024
		var x, y, z [block]float32
		for range n / block {
			for i := range x {
				x[i], y[i] = math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
				switch i % 4 {
				case 1:
					x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
				case 2:
					y[i] = x[i] * float32(1+math.Ldexp(r.NormFloat64(), -r.IntN(24)))
				case 3:
					y[i] = float32(math.Ldexp(float64(x[i]), r.IntN(320)-160))
				}
			}
			tile(unsafe.Pointer(&z), unsafe.Pointer(&x), unsafe.Pointer(&y), nil, block)
			for i := range x {
				if e := ulps(float64(z[i]), row.Eval(float64(x[i]), float64(y[i]), 0), 23, -126); e > worst {
					worst, wx, wy = e, x[i], y[i]
				}
			}
		}
		t.Logf("%v: %.4f ULP at (%g, %g)", id, worst, wx, wy)
		if worst > row.ULP {
			t.Errorf("%v(%g, %g): %.4f ULP, %g allowed", id, wx, wy, worst, row.ULP)
		}
	}
}

// The remainder is Go's, bit for bit, in place as well.
func TestMod(t *testing.T) {
	for _, l := range distinct() {
		testMod(t, l, dtype.F32, func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) },
			func(x float32, k int) float32 { return math.Float32frombits(math.Float32bits(x) + uint32(k)) })
		testMod(t, l, dtype.F64, func(r *rand.Rand) float64 { return math.Float64frombits(r.Uint64()) },
			func(x float64, k int) float64 { return math.Float64frombits(math.Float64bits(x) + uint64(k)) })
	}
}

func testMod[T float32 | float64](t *testing.T, l *Level, ty dtype.Type, any func(r *rand.Rand) T, next func(x T, k int) T) {
	r := rand.New(rand.NewPCG(4, 1))
	least := next(0, 1)
	special := []T{0, T(math.Copysign(0, -1)), 1, -1, 3, least, -least, 3 * least, 0x1p-126, math.MaxFloat32, T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN())}
	if ty == dtype.F64 {
		special = append(special, next(0, 1<<52), next(T(math.Inf(1)), -1))
	}
	const block = 1024
	tile := l.Tile(ops.Mod, ty)
	tile(unsafe.Pointer(&least), nil, unsafe.Pointer(&least), nil, 0) // of nothing
	for round := range 200 {
		var x, y, z [block]T
		for i := range x {
			x[i], y[i] = any(r), any(r)
			switch i % 5 {
			case 1: // quotients next to an integer
				x[i] = next(T(float64(y[i])*float64(r.Int64N(1<<r.IntN(56)))), r.IntN(3)-1)
			case 2:
				x[i], y[i] = T(r.NormFloat64()*100), T(r.NormFloat64())
			case 3:
				x[i], y[i] = special[r.IntN(len(special))], special[r.IntN(len(special))]
			case 4: // quotients around the largest that a float holds
				x[i] = T(math.Ldexp(float64(y[i])*(1+r.Float64()), r.IntN(60)))
			}
		}
		out := [...]*[block]T{&z, &x, &y}[round%3]
		a, b := x, y
		tile(unsafe.Pointer(out), unsafe.Pointer(&x), unsafe.Pointer(&y), nil, block)
		for i, got := range out {
			want := T(math.Mod(float64(a[i]), float64(b[i])))
			if math.Float64bits(float64(got)) != math.Float64bits(float64(want)) && !(got != got && want != want) {
				t.Fatalf("%s: mod(%g, %g) = %g, want %g", l.Name, a[i], b[i], got, want)
			}
		}
	}
}

// Tanh of float64 next to the end of its first piece, of which a + 1.5 is rounded to the second.
func TestTanhPieces(t *testing.T) {
	for _, l := range distinct() {
		var x, y [Pad]float64
		for i := range x {
			x[i] = 0.25 - float64(i)*0x1p-54
		}
		l.Tile(ops.Tanh, dtype.F64)(unsafe.Pointer(&y), unsafe.Pointer(&x), nil, nil, Pad)
		for i, v := range x {
			if want := math.Tanh(v); math.Abs(y[i]-want) > 0x1p-53 {
				t.Errorf("%s: tanh(%x) = %g, want %g", l.Name, v, y[i], want)
			}
		}
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
		{ops.Tanh, 0x3e7ffffe},  // of the next piece, once a + 1 was rounded
		{ops.Tanh, 0x3e7fffff},
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
