package kernels

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// heldToLongDouble are the functions of testdata/longdouble.c, with the ends of where their values are normal numbers.
var heldToLongDouble = map[ops.ID]struct{ lo, hi float64 }{
	ops.Rsqrt: {0, math.MaxFloat64}, ops.Cbrt: {-math.MaxFloat64, math.MaxFloat64}, ops.Exp: {-745, 709.7}, ops.Exp2: {-1075, 1024},
	ops.Expm1: {-60, 709.7}, ops.Log: {0, math.MaxFloat64}, ops.Log2: {0, math.MaxFloat64}, ops.Log10: {0, math.MaxFloat64},
	ops.Log1p: {-1, math.MaxFloat64}, ops.Sin: {-math.MaxFloat64, math.MaxFloat64}, ops.Cos: {-math.MaxFloat64, math.MaxFloat64},
	ops.Tan: {-math.MaxFloat64, math.MaxFloat64}, ops.Asin: {-1, 1}, ops.Acos: {-1, 1}, ops.Atan: {-math.MaxFloat64, math.MaxFloat64},
	ops.Sinh: {-710, 710}, ops.Cosh: {-710, 710}, ops.Tanh: {-30, 30}, ops.Asinh: {-math.MaxFloat64, math.MaxFloat64},
	ops.Acosh: {1, math.MaxFloat64}, ops.Atanh: {-1, 1}, ops.Sigmoid: {-745, 60}, ops.Softplus: {-745, 60}, ops.Gelu: {-38, 10},
	ops.GeluTanh: {-22, 10}, ops.Silu: {-750, 60}, ops.Erf: {-6, 6}, ops.Erfc: {-6, 27}, ops.Lgamma: {0, 1e300},
	ops.Atan2: {-math.MaxFloat64, math.MaxFloat64}, ops.Pow: {0, math.MaxFloat64}, ops.Hypot: {-math.MaxFloat64, math.MaxFloat64},
	ops.Elu: {-40, 1},
}

// overULP are the float64 functions that need more than their rows' ULP, by their last steps: each rounds two or three times after
// the table's or polynomial's value.
var overULP = map[ops.ID]float64{
	ops.Expm1: 1.25, ops.Hypot: 1.25, ops.Pow: 1.25,
	ops.Elu: 2, // b·expm1(a): the product's unit can be half of expm1's
}

// The float64 functions, on 2^30 samples each with ADJOINT_EXHAUSTIVE=1 (make exhaustive) and on some every time, are within
// their rows' ULP of glibc's long double functions, in a program made of testdata/longdouble.c by the C compiler.
func TestAccuracyLongDouble(t *testing.T) {
	const block = 4096
	blocks := 4
	switch {
	case exhaustive:
		blocks = 1 << 30 / block
	case testing.Short():
		blocks = 1
	}
	program := filepath.Join(t.TempDir(), "longdouble")
	out, err := exec.Command("gcc", "-O2", "-Wall", "-o", program, "testdata/longdouble.c", "-lm").CombinedOutput()
	if err != nil && !exhaustive {
		t.Skipf("no C compiler, or none with glibc's long double: %v\n%s", err, out)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	levels := distinct()
	level := levels[len(levels)-1]
	for id := range ops.Count {
		lim, ok := heldToLongDouble[id]
		if !ok {
			continue
		}
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			row, tile := id.Row(), level.Tile(id, dtype.F64)
			arguments := [][]float64{make([]float64, block), make([]float64, block)}[:row.Arity]
			y := make([]float64, block)
			held := exec.Command(program, id.String())
			in, err := held.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var answer strings.Builder
			held.Stdout = &answer
			if err := held.Start(); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(11, uint64(id)))
			for range blocks {
				for i := range y {
					sample(r, i, id, lim.lo, lim.hi, arguments)
				}
				tile(unsafe.Pointer(&y[0]), unsafe.Pointer(&arguments[0][0]), unsafe.Pointer(&arguments[row.Arity-1][0]), nil, block)
				for _, v := range append(arguments[:row.Arity:row.Arity], y) {
					if _, err := in.Write(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 8*block)); err != nil && err != io.EOF {
						t.Fatal(err)
					}
				}
			}
			in.Close()
			if err := held.Wait(); err != nil {
				t.Fatal(err)
			}
			var worst, a, b float64
			if _, err := fmt.Sscan(answer.String(), &worst, &a, &b); err != nil {
				t.Fatal(err)
			}
			t.Logf("%v: %.4f ULP at (%x, %x)", id, worst, a, b)
			if allowed := max(row.ULP, overULP[id]); worst > allowed {
				t.Errorf("%v(%g, %g): %.4f ULP, %g allowed", id, a, b, worst, allowed)
			}
		})
	}
}

// sample sets the i'th arguments of a function of one or two: in turns of any exponent, evenly over its domain, around 0, around 1
// and the ends, closer and closer, next to √½·2ᵏ and next to multiples of what its body takes off: ln2/2, π/4, 1/16.
func sample(r *rand.Rand, i int, id ops.ID, lo, hi float64, to [][]float64) {
	within := func(v float64) float64 {
		if v >= lo && v <= hi {
			return v
		}
		return max(lo, -1) + r.Float64()*(min(hi, 2)-max(lo, -1))
	}
	signed := func(v float64) float64 { return math.Float64frombits(math.Float64bits(v) ^ r.Uint64()&(1<<63)) }
	power := func(k int) float64 { return math.Float64frombits(uint64(1023+k) << 52) }
	near := func(v float64) float64 { return v * (1 + signed(r.Float64()*power(-r.IntN(53)))) }
	var v float64
	switch i % 8 {
	case 0:
		v = math.Float64frombits(r.Uint64())
	case 1:
		v = signed((1 + r.Float64()) * power(r.IntN(80)-70))
	case 2:
		v = near(1)
	case 3:
		v = near([...]float64{math.Ln2 / 2, math.Pi / 4, 1. / 16}[r.IntN(3)] * float64(r.IntN(1<<r.IntN(12))))
		v = signed(v)
	case 4:
		v = max(lo, -800) + r.Float64()*(min(hi, 800)-max(lo, -800))
	case 5:
		v = r.NormFloat64()
	case 6:
		v = near([...]float64{lo, hi, math.Sqrt2 * power(r.IntN(9)-5), 0.5}[r.IntN(4)])
	case 7:
		v = r.NormFloat64() * 10
	}
	v = within(v)
	to[0][i] = v
	if len(to) == 1 {
		return
	}
	w := &to[1][i]
	switch {
	case id == ops.Elu:
		*w = math.Exp(r.NormFloat64())
	case id == ops.Pow:
		if *w = r.NormFloat64() * 10; i%3 == 0 && v != 1 && v > 0 { // anywhere from underflow to overflow
			*w = (r.Float64()*2100 - 1075) / math.Log2(v)
		}
	default:
		switch r.IntN(4) {
		case 0:
			*w = math.Float64frombits(r.Uint64())
		case 1:
			*w = r.NormFloat64()
		case 2:
			*w = near(v)
		case 3:
			*w = v * power(r.IntN(140)-70)
		}
	}
}
