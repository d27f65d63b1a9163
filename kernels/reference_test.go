package kernels

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"math"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// functions holds exact results, made by internal/vec/gen/reference.py, which says how.
//
//go:embed testdata/functions.bin
var functions []byte

// The float64 functions that have a body are within their rows' ULP of exact results, in their everyday
// ranges, all exponents, and near what is hard: multiples of π/2 up to 2¹⁰²³, the ends of erfc.
func TestReferencesFloat64(t *testing.T) {
	const n = 320
	levels := distinct()
	level := levels[len(levels)-1]
	for data := functions; len(data) > 0; {
		name := string(bytes.TrimRight(data[:16], "\x00"))
		var points [n][4]float64
		size, err := binary.Decode(data[16:], binary.LittleEndian, &points)
		if err != nil {
			t.Fatal(err)
		}
		data = data[16+size:]
		id := ops.ByName[name]
		if vec.Inside(id, dtype.F64) == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var x, y, got [n]float64
			for i, p := range points {
				x[i], y[i] = p[0], p[1]
			}
			level.Tile(id, dtype.F64)(unsafe.Pointer(&got), unsafe.Pointer(&x), unsafe.Pointer(&y), nil, n)
			worst, at := 0.0, 0
			for i, p := range points {
				hi, lo := p[2], p[3]
				unit := math.Ldexp(1, max(math.Ilogb(hi), -1022)-52)
				if hi == 0 {
					unit = math.SmallestNonzeroFloat64
				}
				if e := math.Abs(got[i]-hi-lo) / unit; !(e <= worst) {
					worst, at = e, i
				}
			}
			t.Logf("%.4f ULP at (%g, %g)", worst, x[at], y[at])
			if !(worst <= id.Row().ULP) {
				t.Errorf("%s(%g, %g) = %g, want %g: %.4f ULP, %g allowed", name, x[at], y[at], got[at], points[at][2], worst, id.Row().ULP)
			}
		})
	}
}

// Where one element of a tile is beyond the reach of its body, its neighbours give what they give alone,
// in place as well.
func TestBeyond(t *testing.T) {
	for id := range ops.Count {
		for _, ty := range []dtype.Type{dtype.F32, dtype.F64} {
			r := vec.Range(id, ty)
			if r == nil {
				continue
			}
			for _, l := range distinct() {
				const n = 200
				x, alone, among := make([]byte, 8*n), make([]byte, 8*n), make([]byte, 8*n)
				for i := range n {
					bits := math.Float64bits(float64(i) * 0.37)
					if ty == dtype.F32 {
						bits = uint64(math.Float32bits(float32(i) * 0.37))
					}
					put(x, ty, i, bits)
				}
				tile := l.Tile(id, ty)
				tile(pointer(alone, 0), pointer(x, 0), nil, nil, n)
				far := []float64{math.Inf(1), math.Inf(-1), 2 * r.Hi, 1e30, -1e30, -2.5, math.NaN()}
				for k := range n {
					copy(among, x)
					v := far[k%len(far)]
					bits := math.Float64bits(v)
					if ty == dtype.F32 {
						bits = uint64(math.Float32bits(float32(v)))
					}
					put(among, ty, k, bits)
					tile(pointer(among, 0), pointer(among, 0), nil, nil, n)
					for i := range n {
						got, want := get(among, ty, i), get(alone, ty, i)
						if i == k {
							if v >= r.Lo && v <= r.Hi { // not beyond log Γ's
								continue
							}
							f := r.Beyond(number(bits, ty))
							if want = math.Float64bits(f); ty == dtype.F32 {
								want = uint64(math.Float32bits(float32(f)))
							}
						}
						if !sameElem(got, want, ty) {
							t.Fatalf("%s: %v_%v: element %d is %x beside %g at %d, want %x", l.Name, id, ty, i, got, v, k, want)
						}
					}
				}
			}
		}
	}
}

// Every level finds an element outside an interval wherever it is.
func TestOutside(t *testing.T) {
	for _, l := range distinct() {
		if f := l.Outside[dtype.F32]; f != nil {
			testOutside[float32](t, l.Name, f)
		}
		if f := l.Outside[dtype.F64]; f != nil {
			testOutside[float64](t, l.Name, f)
		}
	}
}

func testOutside[T float32 | float64](t *testing.T, level string, f func(a unsafe.Pointer, n int, lo, hi float64) bool) {
	nan := T(math.NaN())
	for n := 0; n <= 120; n += Pad {
		x := make([]T, n+2*Pad)
		for i := range x {
			x[i] = 100 // beside it
		}
		in := x[Pad : Pad+n]
		for i := range in {
			in[i] = T(i%9) - 4
			if i%5 == 0 {
				in[i] = nan
			}
		}
		at := unsafe.Pointer(&x[Pad])
		if f(at, n, -4, 4) {
			t.Errorf("%s: n=%d: something is outside", level, n)
		}
		for i, v := range in {
			for _, out := range []T{4.001, -4.001, T(math.Inf(1)), T(math.Inf(-1))} {
				in[i] = out
				if !f(at, n, -4, 4) || anyOutside[T](at, n, -4, 4) != true {
					t.Errorf("%s: n=%d: %g at %d is not outside", level, n, out, i)
				}
			}
			in[i] = v
		}
	}
}

// logarithmic are the functions that are a multiple of the logarithm next to 0, and the factor.
var logarithmic = map[ops.ID]float64{ops.BesselY0: 2 / math.Pi, ops.Expint: -1, ops.Cosint: 1, ops.BesselK0: -1}

// Zeros, infinities, NaN and the least numbers give what the table says, with its signs, whatever their
// company in a function of two arguments.
func TestSpecials(t *testing.T) {
	negZero := math.Copysign(0, -1)
	special := []float64{0, negZero, 1, -1, 0.5, -0.5, 2, -2, 1e3, -1e3, math.Inf(1), math.Inf(-1), math.NaN(), 3e38, -3e38, 1e-44, -1e-44}
	for id := range ops.Count {
		row := id.Row()
		for _, ty := range []dtype.Type{dtype.F32, dtype.F64} {
			if row.ULP == 0 || row.Arity > 2 || vec.Inside(id, ty) == nil {
				continue
			}
			points := special
			least, fraction := -126, 23
			if ty == dtype.F64 {
				points = append(points, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 0x1p-1022, math.MaxFloat64, -math.MaxFloat64)
				least, fraction = -1022, 52
			}
			var xs, ys []float64
			for _, x := range points {
				for _, y := range points {
					xs, ys = append(xs, x), append(ys, y)
				}
			}
			for len(xs)%Pad != 0 {
				xs, ys = append(xs, 1), append(ys, 1)
			}
			n := len(xs)
			a, b, out := make([]byte, 8*n), make([]byte, 8*n), make([]byte, 8*n)
			to := func(x float64) uint64 {
				if ty == dtype.F32 {
					return uint64(math.Float32bits(float32(x)))
				}
				return math.Float64bits(x)
			}
			for i := range n {
				put(a, ty, i, to(xs[i]))
				put(b, ty, i, to(ys[i]))
			}
			levels := distinct()
			levels[len(levels)-1].Tile(id, ty)(pointer(out, 0), pointer(a, 0), pointer(b, 0), nil, n)
			for i := range n {
				x, y, got := number(get(a, ty, i), ty), number(get(b, ty, i), ty), number(get(out, ty, i), ty)
				want := row.Eval(x, y, 0)
				if c := logarithmic[id]; c != 0 && ty == dtype.F64 && x > 0 && x < 0x1p-1022 { // Go's logarithm takes no denormals on amd64
					want = row.Eval(0x1p-1022, 0, 0) - c*math.Log(0x1p-1022/x)
				}
				switch {
				case id == ops.Atan2 && y < 0 && x != 0 && x/y == 0:
					want = math.Copysign(math.Pi, x) // Go's takes the sign of a quotient that underflowed
				case ty == dtype.F64 && x > 0 && x < 0x1p-1022 && (id == ops.Log || id == ops.Log2 || id == ops.Log10):
					want = row.Eval(0x1p-1022, 0, 0) - math.Copysign(row.Eval(0x1p-1022/x, 0, 0), 1) // Go's takes no denormals on amd64
				case ty == dtype.F64 && x > 0 && x < 0x1p-1022 && id == ops.Lgamma:
					want = math.Log(0x1p-1022/x) - math.Log(0x1p-1022)
				}
				e := ulps(got, want, fraction, least)
				allowed := row.ULP
				if ty == dtype.F64 {
					allowed = 100 // the kind of result; Go's functions are off, too, the more the larger x
				}
				if e > allowed || got == 0 && want == 0 && math.Signbit(got) != math.Signbit(want) {
					t.Errorf("%v_%v(%g, %g) = %g, want %g", id, ty, x, y, got, want)
				}
			}
		}
	}
}
