package kernels

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// The functions of exp and log in arbitrary precision, for arguments where they are finite.

const exactPrec = 320

func num(x float64) *big.Float { return new(big.Float).SetPrec(exactPrec).SetFloat64(x) }

func zero() *big.Float { return new(big.Float).SetPrec(exactPrec) }

func plus(x, y *big.Float) *big.Float  { return zero().Add(x, y) }
func minus(x, y *big.Float) *big.Float { return zero().Sub(x, y) }
func times(x, y *big.Float) *big.Float { return zero().Mul(x, y) }
func over(x, y *big.Float) *big.Float  { return zero().Quo(x, y) }
func scaled(x *big.Float, e int) *big.Float {
	return zero().SetMantExp(x, e)
}

// exactLn2 is Σ 1/(n·2ⁿ).
var exactLn2 = func() *big.Float {
	sum := zero()
	for n := 1; n < exactPrec+8; n++ {
		sum.Add(sum, scaled(over(num(1), num(float64(n))), -n))
	}
	return sum
}()

// exactExp is by Taylor's series of x/2¹⁶ less multiples of ln2, squared 16 times.
func exactExp(x *big.Float) *big.Float {
	f, _ := x.Float64()
	k := math.Round(f / math.Ln2)
	const squares = 16
	r := scaled(minus(x, times(num(k), exactLn2)), -squares)
	sum, term := num(1), num(1)
	for n := 1; n < 20; n++ {
		term = over(times(term, r), num(float64(n)))
		sum = plus(sum, term)
	}
	for range squares {
		sum = times(sum, sum)
	}
	return scaled(sum, int(k))
}

// exactLog is by Halley's iteration on e^y = m, m the fraction of x.
func exactLog(x *big.Float) *big.Float {
	m := zero()
	e := x.MantExp(m)
	f, _ := m.Float64()
	if f < math.Sqrt2/2 {
		m, e = scaled(m, 1), e-1
		f *= 2
	}
	y := num(math.Log(f))
	for range 2 {
		p := exactExp(y)
		y = plus(y, scaled(over(minus(m, p), plus(m, p)), 1))
	}
	return plus(y, times(num(float64(e)), exactLn2))
}

// tiny reports |x| < 2⁻⁷⁰, where the first two terms of a series are exact enough.
func tiny(x *big.Float) bool { return x.MantExp(nil) < -70 }

func exactExpm1(x *big.Float) *big.Float {
	if tiny(x) {
		return plus(x, scaled(times(x, x), -1))
	}
	return minus(exactExp(x), num(1))
}

func exactLog1p(x *big.Float) *big.Float {
	if tiny(x) {
		return minus(x, scaled(times(x, x), -1))
	}
	return exactLog(plus(x, num(1)))
}

func negative(x *big.Float) *big.Float { return zero().Neg(x) }

func exactSigmoid(x *big.Float) *big.Float { return over(num(1), plus(num(1), exactExp(negative(x)))) }

var exactFunctions = map[ops.ID]func(x *big.Float) *big.Float{
	ops.Exp:     exactExp,
	ops.Exp2:    func(x *big.Float) *big.Float { return exactExp(times(x, exactLn2)) },
	ops.Expm1:   exactExpm1,
	ops.Log:     exactLog,
	ops.Log2:    func(x *big.Float) *big.Float { return over(exactLog(x), exactLn2) },
	ops.Log10:   func(x *big.Float) *big.Float { return over(exactLog(x), exactLog(num(10))) },
	ops.Log1p:   exactLog1p,
	ops.Sigmoid: exactSigmoid,
	ops.Silu:    func(x *big.Float) *big.Float { return times(x, exactSigmoid(x)) },
	ops.Softplus: func(x *big.Float) *big.Float {
		return exactLog1p(exactExp(x))
	},
	ops.Tanh: func(x *big.Float) *big.Float {
		e := exactExpm1(scaled(x, 1))
		return over(e, plus(e, num(2)))
	},
	ops.Sinh: func(x *big.Float) *big.Float {
		return scaled(minus(exactExpm1(x), exactExpm1(negative(x))), -1)
	},
	ops.Cosh: func(x *big.Float) *big.Float {
		return scaled(plus(exactExp(x), exactExp(negative(x))), -1)
	},
	ops.Asinh: func(x *big.Float) *big.Float {
		if tiny(x) {
			return x
		}
		a := zero().Abs(x)
		y := exactLog(plus(a, zero().Sqrt(plus(times(a, a), num(1)))))
		if x.Sign() < 0 {
			return negative(y)
		}
		return y
	},
	ops.Acosh: func(x *big.Float) *big.Float {
		return exactLog(plus(x, zero().Sqrt(minus(times(x, x), num(1)))))
	},
	ops.Atanh: func(x *big.Float) *big.Float {
		return scaled(minus(exactLog1p(x), exactLog1p(negative(x))), -1)
	},
}

// The limits are where float64's function leaves the numbers: overflows, underflows, turns to NaN.
var exactLimits = map[ops.ID]struct{ lo, hi float64 }{
	ops.Exp:      {-746, 710},
	ops.Exp2:     {-1076, 1025},
	ops.Expm1:    {-60, 710},
	ops.Log:      {0, math.MaxFloat64},
	ops.Log2:     {0, math.MaxFloat64},
	ops.Log10:    {0, math.MaxFloat64},
	ops.Log1p:    {math.Nextafter(-1, 0), math.MaxFloat64},
	ops.Sigmoid:  {-746, 60},
	ops.Silu:     {-760, 60},
	ops.Softplus: {-746, 60},
	ops.Tanh:     {-30, 30},
	ops.Sinh:     {-711, 711},
	ops.Cosh:     {-711, 711},
	ops.Asinh:    {-math.MaxFloat64, math.MaxFloat64},
	ops.Acosh:    {math.Nextafter(1, 2), math.MaxFloat64},
	ops.Atanh:    {math.Nextafter(-1, 0), math.Nextafter(1, 0)},
}

// ulps64 is how far got is from want in units of its last place.
func ulps64(got float64, want *big.Float) float64 {
	if math.IsInf(got, 0) {
		if f, _ := want.Float64(); f == got {
			return 0
		}
		return math.Inf(1)
	}
	if got != got {
		return math.Inf(1)
	}
	exponent := max(want.MantExp(nil)-1, -1022)
	d, _ := scaled(minus(num(got), want), 52-exponent).Float64()
	return math.Abs(d)
}

// Samples of the float64 functions, in their everyday range, in all their exponents and near the ends
// and the points where a body changes its ways, are within the row's ULP.
func TestAccuracyFloat64(t *testing.T) {
	n := 8 * 400
	if testing.Short() {
		n = 8 * 40
	}
	if exhaustive {
		n = 8 * 100_000
	}
	levels := distinct()
	level := levels[len(levels)-1]
	for id := range ops.Count {
		exact, ok := exactFunctions[id]
		if !ok || vec.Inside(id, dtype.F64) == nil {
			continue
		}
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			lim := exactLimits[id]
			r := rand.New(rand.NewPCG(7, uint64(id)))
			x, y := make([]float64, n), make([]float64, n)
			for i := range x {
				sample(r, i, id, lim.lo, lim.hi, [][]float64{x})
				if v := x[i]; v == 0 || v == 1 && id == ops.Acosh {
					x[i] = lim.hi * 0.75
				}
			}
			level.Tile(id, dtype.F64)(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), nil, nil, n)
			worst, at := 0.0, 0.0
			for i, v := range x {
				if e := ulps64(y[i], exact(num(v))); e > worst {
					worst, at = e, v
				}
			}
			t.Logf("%v: %.4f ULP at %g (%x)", id, worst, at, at)
			if allowed := id.Row().ULP; worst > allowed {
				t.Errorf("%v(%g): %.4f ULP, %g allowed", id, at, worst, allowed)
			}
		})
	}
}

// pow and elu have two arguments: pow against exp(y·log x) in arbitrary precision, and, for float32,
// against float64's.
func TestAccuracyPow(t *testing.T) {
	n := 8 * 400
	if testing.Short() {
		n = 8 * 40
	}
	if exhaustive {
		n = 8 * 100_000
	}
	levels := distinct()
	level := levels[len(levels)-1]
	r := rand.New(rand.NewPCG(8, 9))
	x, y, z := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range x {
		switch i % 4 {
		case 0:
			x[i] = math.Exp(r.NormFloat64() * 3)
		case 1:
			x[i] = 1 + math.Ldexp(r.Float64()-0.5, -r.IntN(52))
		case 2:
			x[i] = math.Float64frombits(r.Uint64N(0x7FF0_0000_0000_0000-1) + 1)
		case 3:
			x[i] = float64(1 + r.IntN(20))
		}
		if y[i] = r.NormFloat64() * 10; i%3 == 0 && x[i] != 1 { // anywhere from underflow to overflow
			y[i] = (r.Float64()*2100 - 1075) / math.Log2(x[i])
		}
	}
	level.Tile(ops.Pow, dtype.F64)(unsafe.Pointer(&z[0]), unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), nil, n)
	worst, at := 0.0, 0
	for i := range x {
		e := times(num(y[i]), exactLog(num(x[i])))
		if f, _ := e.Float64(); math.Abs(f) > 800 {
			if f > 0 != math.IsInf(z[i], 1) || f < 0 != (z[i] == 0) {
				t.Errorf("pow(%g, %g) = %g", x[i], y[i], z[i])
			}
			continue
		}
		if e := ulps64(z[i], exactExp(e)); e > worst {
			worst, at = e, i
		}
	}
	t.Logf("float64: %.4f ULP at (%x, %x)", worst, x[at], y[at])
	if worst > ops.Pow.Row().ULP {
		t.Errorf("pow(%g, %g): %.4f ULP", x[at], y[at], worst)
	}

	const m = 1 << 16
	a, c, d := make([]float32, m), make([]float32, m), make([]float32, m)
	for i := range a {
		a[i] = math.Float32frombits(r.Uint32N(0x7F80_0000))
		if c[i] = float32(r.NormFloat64() * 10); i%2 == 0 {
			c[i] = float32((r.Float64()*290 - 155) / math.Log2(float64(a[i])))
		}
		if i%5 == 0 {
			a[i] = 1 + float32(math.Ldexp(r.Float64()-0.5, -r.IntN(23)))
		}
	}
	level.Tile(ops.Pow, dtype.F32)(unsafe.Pointer(&d[0]), unsafe.Pointer(&a[0]), unsafe.Pointer(&c[0]), nil, m)
	worst, at = 0, 0
	for i := range a {
		if e := ulps(float64(d[i]), math.Pow(float64(a[i]), float64(c[i])), 23, -126); e > worst {
			worst, at = e, i
		}
	}
	t.Logf("float32: %.4f ULP at (%g, %g)", worst, a[at], c[at])
	if worst > ops.Pow.Row().ULP {
		t.Errorf("pow(%g, %g): %.4f ULP", a[at], c[at], worst)
	}
}

// What a function gives at its ends, zeros, infinities and NaN is what Go's gives.
func TestSpecialValues(t *testing.T) {
	special := []float64{0, math.Copysign(0, -1), 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, -2.5, 1e30, -1e30, 1e-30, -1e-30,
		1 << 24, 1<<24 - 1, 1<<53 - 1, 1 << 53, math.Inf(1), math.Inf(-1), math.NaN()}
	sort := func(v float64) string { // what it is, and its exact value if that is one of a few
		switch {
		case v != v:
			return "NaN"
		case math.IsInf(v, 0) || v == 0 || math.Abs(v) == 1:
			return fmt.Sprint(v)
		}
		return fmt.Sprint("sign ", math.Signbit(v))
	}
	for _, l := range distinct() {
		for id := range ops.Count {
			row := id.Row()
			if row.ULP == 0 || row.Arity > 2 || vec.Body(id, dtype.F32) == nil || vec.Body(id, dtype.F64) == nil {
				continue
			}
			for _, x := range special {
				for _, y := range special {
					a, c, d := [8]float64{x}, [8]float64{y}, [8]float64{}
					l.Tile(id, dtype.F64)(unsafe.Pointer(&d), unsafe.Pointer(&a), unsafe.Pointer(&c), nil, 8)
					if got, want := sort(d[0]), sort(row.Eval(x, y, 0)); got != want {
						t.Errorf("%s: %v(%g, %g) is %s, want %s", l.Name, id, x, y, got, want)
					}
					p, q, s := [8]float32{float32(x)}, [8]float32{float32(y)}, [8]float32{}
					l.Tile(id, dtype.F32)(unsafe.Pointer(&s), unsafe.Pointer(&p), unsafe.Pointer(&q), nil, 8)
					got, want := sort(float64(s[0])), sort(float64(float32(row.Eval(float64(float32(x)), float64(float32(y)), 0))))
					if got != want {
						t.Errorf("%s: %v(%g, %g) in float32 is %s, want %s", l.Name, id, p[0], q[0], got, want)
					}
					if row.Arity == 1 {
						break
					}
				}
			}
		}
	}
}
