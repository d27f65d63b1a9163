package vec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// exactFMA is x·y + z rounded once, by arbitrary precision.
func exactFMA(x, y, z float32) float32 {
	p := new(big.Float).SetPrec(1200).SetFloat64(float64(x))
	p.Mul(p, new(big.Float).SetFloat64(float64(y)))
	p.Add(p, new(big.Float).SetFloat64(float64(z)))
	if p.Sign() == 0 {
		return x*y + z // the sign of a zero, which float32 gets right when the sum is exactly 0
	}
	f, _ := p.Float32()
	return f
}

func fma32(x, y, z float32) (d float32) {
	fmas32(1, 1)(unsafe.Pointer(&d), unsafe.Pointer(&x), unsafe.Pointer(&y), unsafe.Pointer(&z), 1)
	return d
}

func TestFMA32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	near := func(e int) float32 { // few bits, so that ties and cancellations happen
		m := float64(1<<24 + r.IntN(5) - 2)
		if r.IntN(2) == 0 {
			m = float64(1 + r.IntN(7))
		}
		if r.IntN(2) == 0 {
			m = -m
		}
		return float32(math.Ldexp(m, e))
	}
	any32 := func() float32 {
		for {
			f := math.Float32frombits(r.Uint32())
			if f == f && !math.IsInf(float64(f), 0) {
				return f
			}
		}
	}
	check := func(x, y, z float32) {
		got, want := fma32(x, y, z), exactFMA(x, y, z)
		if math.Float32bits(got) != math.Float32bits(want) && !(want == 0 && got == 0) {
			t.Fatalf("fma(%g, %g, %g) = %x, want %x", x, y, z, math.Float32bits(got), math.Float32bits(want))
		}
	}
	for range 200_000 {
		check(any32(), any32(), any32())
		ex, ey := r.IntN(40)-20, r.IntN(40)-20
		check(near(ex), near(ey), near(ex+ey+r.IntN(120)-60))
		// Results among the denormals.
		ex = -75 + r.IntN(12)
		ey = -150 - ex + r.IntN(20) - 10
		check(near(ex), near(ey), near(-149+r.IntN(4)))
		check(near(ex), near(ey), math.Float32frombits(r.Uint32N(1<<24)|r.Uint32()&(1<<31)))
		// Around the overflow.
		check(near(64-24), near(64-24), near(104-24+r.IntN(3)))
	}
	inf := float32(math.Inf(1))
	if fma32(inf, 1, 3) != inf || fma32(1, 1, -inf) != -inf || fma32(math.MaxFloat32, 2, 0) != inf {
		t.Error("infinities")
	}
	if v := fma32(inf, 1, -inf); v == v {
		t.Error("Inf - Inf is not NaN")
	}
	negZero := float32(math.Copysign(0, -1))
	if math.Signbit(float64(fma32(1, -1, 1))) || !math.Signbit(float64(fma32(negZero, 1, negZero))) {
		t.Error("signs of zero")
	}
}

// Every lane of every length is computed and nothing beside it is touched.
func TestInterpreterLengths(t *testing.T) {
	b := NewBuilder(dtype.F32, dtype.F64)
	x := b.Widen(b.Input(0))
	m := b.LT(x, b.Input(1))
	p := b.Program("t", dtype.Bool, b.Xor(m, b.EQ(b.Bitcast(F64, b.Bitcast(I64, x)), b.F(F64, 3))))
	run := p.Compile()
	for n := 0; n <= 200; n += 8 {
		a, c, out := make([]float32, n+1), make([]float64, n+1), make([]byte, n+2)
		for i := range n {
			a[i], c[i] = float32(i%5), 2
		}
		out[n] = 7
		run(unsafe.Pointer(&out[0]), unsafe.Pointer(&a[0]), unsafe.Pointer(&c[0]), nil, n)
		for i := range n {
			if want := a[i] < 2 || a[i] == 3; (out[i] == 1) != want {
				t.Fatalf("n=%d: lane %d is %d", n, i, out[i])
			}
		}
		if out[n] != 7 {
			t.Fatalf("n=%d: wrote beyond", n)
		}
	}
}

func TestInterpreterAllocatesNothing(t *testing.T) {
	run := Body(ops.Clamp, dtype.F32).Compile()
	x := make([]float32, 512)
	p := unsafe.Pointer(&x[0])
	if n := testing.AllocsPerRun(100, func() { run(p, p, p, p, len(x)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A store of an untouched input, of a constant and of a renamed input.
func TestInterpreterTrivialPrograms(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	out := make([]float32, 8)
	for _, f := range []func(b *Builder) Value{
		func(b *Builder) Value { return b.Input(0) },
		func(b *Builder) Value { return b.Bitcast(F32, b.Bitcast(I32, b.Input(0))) },
		func(b *Builder) Value { b.Input(0); return b.F(F32, 5) },
	} {
		b := NewBuilder(dtype.F32)
		b.Program("t", dtype.F32, f(b)).Compile()(unsafe.Pointer(&out[0]), unsafe.Pointer(&x[0]), nil, nil, 8)
		if out[4] != 5 {
			t.Error(out)
		}
	}
}

func BenchmarkInterpreter(b *testing.B) {
	for _, id := range []ops.ID{ops.Add, ops.Fma, ops.Exp, ops.Tanh} {
		for _, t := range []dtype.Type{dtype.F32, dtype.F64} {
			p := Body(id, t)
			if p == nil {
				continue
			}
			b.Run(p.Name, func(b *testing.B) {
				run := p.Compile()
				x := make([]float64, 1024)
				for i := range x {
					x[i] = 1 + float64(i)/1024
				}
				q := unsafe.Pointer(&x[0])
				for b.Loop() {
					run(q, q, q, q, 1024)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/elem")
			})
		}
	}
}
