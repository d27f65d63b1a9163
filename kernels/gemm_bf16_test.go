package kernels

import (
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// flushedSum is x·y + z rounded to 24 bits, whatever the exponent, then 0 of its sign if below 2⁻¹²⁶: what the
// manual says of VDPBF16PS and of fused multiply-adds with FTZ and DAZ set.
func flushedSum(x, y, z float32) float32 {
	for _, p := range []*float32{&x, &y, &z} {
		if math.Abs(float64(*p)) < 0x1p-126 {
			*p *= 0
		}
	}
	s := float64(x)*float64(y) + float64(z)
	if math.IsNaN(s) || math.IsInf(s, 0) || s == 0 {
		return float32(s)
	}
	exact := new(big.Float).SetPrec(600).SetFloat64(float64(x))
	exact.Mul(exact, big.NewFloat(float64(y)))
	exact.Add(exact, big.NewFloat(float64(z)))
	r, _ := new(big.Float).SetPrec(24).Set(exact).Float64()
	if math.Abs(r) < 0x1p-126 {
		return float32(math.Copysign(0, s))
	}
	return float32(r)
}

// naiveBF16 is Gemm's definition for BF16.
func naiveBF16(g Gemm, a, b []uint16, c []float32) {
	for batch := range g.Batch {
		for i := range g.M {
			for j := range g.N {
				var sum float32
				for k0 := 0; k0 < g.K; k0 += KC {
					var s float32
					k1 := min(k0+KC, g.K)
					for p := k0; p < k1; p += 2 {
						for _, k := range []int{p + 1, p} {
							var x, y float32
							if k < k1 {
								x = dtype.FromBF16(a[batch*g.ABatch+i*g.ARow+k*g.ACol])
								y = dtype.FromBF16(b[batch*g.BBatch+k*g.BRow+j*g.BCol])
							}
							s = flushedSum(x, y, s)
						}
					}
					if k0 == 0 {
						sum = s
					} else {
						sum = flushedSum(1, s, sum)
					}
				}
				c[batch*g.CBatch+i*g.CRow+j] = sum
			}
		}
	}
}

// naiveAMX is what level amx gives: of each 32 k, even ones and odd ones are summed apart, and added to C in turn.
func naiveAMX(g Gemm, a, b []uint16, c []float32) {
	for batch := range g.Batch {
		for i := range g.M {
			for j := range g.N {
				var sum float32
				for k0 := 0; k0 < g.K; k0 += 32 {
					var s [2]float32
					for k := k0; k < k0+32; k++ {
						var x, y float32
						if k < g.K {
							x = dtype.FromBF16(a[batch*g.ABatch+i*g.ARow+k*g.ACol])
							y = dtype.FromBF16(b[batch*g.BBatch+k*g.BRow+j*g.BCol])
						}
						s[k%2] = flushedSum(x, y, s[k%2])
					}
					sum = flushedSum(1, flushedSum(1, s[0], s[1]), sum)
				}
				c[batch*g.CBatch+i*g.CRow+j] = sum
			}
		}
	}
}

// naiveF16 is Gemm's definition for F16: that of F32 for more than one column.
func naiveF16(g Gemm, a, b []uint16, c []float32) {
	for batch := range g.Batch {
		for i := range g.M {
			for j := range g.N {
				var sum float32
				for k0 := 0; k0 < g.K; k0 += KC {
					var s float32
					for k := k0; k < min(k0+KC, g.K); k++ {
						x := dtype.FromF16(a[batch*g.ABatch+i*g.ARow+k*g.ACol])
						y := dtype.FromF16(b[batch*g.BBatch+k*g.BRow+j*g.BCol])
						s = fma32(x, y, s)
					}
					if k0 == 0 {
						sum = s
					} else {
						sum += s
					}
				}
				c[batch*g.CBatch+i*g.CRow+j] = sum
			}
		}
	}
}

func checkHalf(t *testing.T, lv *Level, typ dtype.Type, batch, m, n, k int, l layout, rng *rand.Rand, next func() uint16) {
	t.Helper()
	g := Gemm{Type: typ, Batch: batch, M: m, N: n, K: k, CRow: n + 3, CBatch: m*(n+3) + 5}
	g.ARow, g.ACol, g.ABatch = strides(l.ta, m, k, l.pad)
	g.BRow, g.BCol, g.BBatch = strides(l.tb, k, n, l.pad)
	if l.bOne {
		g.BBatch = 0
	}
	// Operands end where the last element does: what is read beyond shows under a page guard only, but what is
	// written outside of C shows here.
	random := func(size int) []uint16 {
		s := make([]uint16, batch*size+1)
		for i := range s {
			s[i] = next()
		}
		return s
	}
	a, b := random(g.ABatch), random(max(g.BBatch, k*n*4))
	size := batch*g.CBatch + 16
	c, want := make([]float32, size), make([]float32, size)
	for i := range c {
		c[i], want[i] = 7, 7
	}
	if lv.Name == "amx" {
		naiveAMX(g, a, b, want)
	} else if typ == dtype.F16 {
		naiveF16(g, a, b, want)
	} else if lv == Purego {
		naiveBF16(g, a, b, want)
	} else {
		runAlone(newRun(Purego, g, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&want[0]), 1))
	}
	r := newRun(lv, g, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), 2)
	runShuffled(r, rng)
	for i := range c {
		if math.Float32bits(c[i]) != math.Float32bits(want[i]) && (c[i] == c[i] || want[i] == want[i]) {
			t.Fatalf("%s: %d × [%d %d]·[%d %d] %v: element %d is %g, want %g", lv.Name, batch, m, k, k, n, l, i, c[i], want[i])
		}
	}
}

// Products of BF16 have one result on every level, VDPBF16PS's: pure Go is held to the definition, the others to
// pure Go. Level amx has a definition of its own.
func TestGemmBF16(t *testing.T) {
	levels := Levels()
	if amx() != nil {
		levels = append(levels, amx())
	}
	for _, lv := range levels {
		t.Run(lv.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, 2))
			numbers := []struct {
				name string
				next func() uint16
			}{
				{"uniform", func() uint16 { return dtype.ToBF16(rng.Float32()*2 - 1) }},
				{"bits", func() uint16 { return uint16(rng.Uint32()) }}, // NaN, infinities, denormals among them
				{"tiny", func() uint16 { // products and sums around the least normal number
					return uint16(rng.IntN(2)<<15 | (58+rng.IntN(12))<<7 | rng.IntN(128))
				}},
				{"denormal", func() uint16 {
					if rng.IntN(2) == 0 {
						return uint16(rng.IntN(2)<<15 | rng.IntN(300))
					}
					return uint16(rng.IntN(2)<<15 | (110+rng.IntN(30))<<7 | rng.IntN(128))
				}},
			}
			for _, x := range numbers {
				t.Run(x.name, func(t *testing.T) {
					for ta := range 3 {
						for tb := range 3 {
							if testing.Short() && (x.name == "bits") == (ta == tb) {
								continue
							}
							l := layout{ta: ta, tb: tb, pad: rng.IntN(3), bOne: rng.IntN(2) == 0}
							for _, s := range [][4]int{{1, 1, 1, 1}, {1, 1 + rng.IntN(33), 1 + rng.IntN(70), rng.IntN(20)}, {2, 15, 33, 7},
								{1, 14, 32, 16}, {3, 6, 16, 2}, {1, 29, 65, 31}, {1, 3, 5, 258}, {1, 2, 17, 515}, {2, 0, 3, 4}, {1, 3, 0, 4}} {
								checkHalf(t, lv, dtype.BF16, s[0], s[1], s[2], s[3], l, rng, x.next)
							}
						}
					}
				})
			}
			if lv != Purego && lv.Name != "amx" { // several tasks and chunks, B shared
				defer func(b, c, w int) { blockBytes, chunkBytes, taskWork = b, c, w }(blockBytes, chunkBytes, taskWork)
				blockBytes, chunkBytes, taskWork = 4<<10, 64<<10, 4096
				for tb := range 3 {
					checkHalf(t, lv, dtype.BF16, 2, 80, 70, 515, layout{ta: 2 - tb, tb: tb, bOne: tb == 1}, rng, numbers[0].next)
				}
			}
			if lv.Name == "amx" {
				for ta := range 3 {
					checkHalf(t, lv, dtype.BF16, 1, 70, 65, 80, layout{ta: ta, tb: 2 - ta}, rng, numbers[0].next)
				}
				defer func(b, c, w int) { blockBytes, chunkBytes, taskWork = b, c, w }(blockBytes, chunkBytes, taskWork)
				blockBytes, chunkBytes, taskWork = 4<<10, 32<<10, 4096
				checkHalf(t, lv, dtype.BF16, 1, 70, 65, 290, layout{ta: 1}, rng, numbers[0].next)
			}
		})
	}
}

// Products of F16 have the bits of those of the float32s, on every level.
func TestGemmF16(t *testing.T) {
	for _, lv := range Levels() {
		t.Run(lv.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, 3))
			uniform := func() uint16 { return dtype.ToF16(rng.Float32()*2 - 1) }
			for name, next := range map[string]func() uint16{
				"uniform": uniform,
				"bits":    func() uint16 { return uint16(rng.Uint32()) },
				"denormal": func() uint16 {
					return uint16(rng.IntN(2)<<15 | rng.IntN(0x500))
				},
			} {
				t.Run(name, func(t *testing.T) {
					for ta := range 3 {
						for tb := range 3 {
							l := layout{ta: ta, tb: tb, pad: rng.IntN(3), bOne: rng.IntN(2) == 0}
							for _, s := range [][4]int{{1, 1, 1, 1}, {1, 1 + rng.IntN(33), 1 + rng.IntN(70), rng.IntN(20)}, {2, 15, 33, 7},
								{1, 14, 32, 16}, {3, 6, 16, 2}, {1, 29, 65, 31}, {1, 3, 5, 258}, {1, 2, 17, 515}, {2, 0, 3, 4}, {1, 3, 0, 4}} {
								checkHalf(t, lv, dtype.F16, s[0], s[1], s[2], s[3], l, rng, next)
							}
						}
					}
				})
			}
			if lv != Purego { // several tasks and chunks, B shared
				defer func(b, c, w int) { blockBytes, chunkBytes, taskWork = b, c, w }(blockBytes, chunkBytes, taskWork)
				blockBytes, chunkBytes, taskWork = 4<<10, 64<<10, 4096
				for tb := range 3 {
					checkHalf(t, lv, dtype.F16, 2, 80, 70, 515, layout{ta: 2 - tb, tb: tb, bOne: tb == 1}, rng, uniform)
				}
			}
		})
	}
}

// Tiles are a thread's state that signals and the scheduler save: products on several threads, interrupted by a
// profile and by collections, keep their bits.
func TestTilesInterrupted(t *testing.T) {
	lv := amx()
	if lv == nil {
		t.Skip("no tiles")
	}
	const n = 160
	h := make([]uint16, n*n)
	for i := range h {
		h[i] = dtype.ToBF16(float32(i%23) - 11)
	}
	g := Gemm{Type: dtype.BF16, Batch: 1, M: n, N: n, K: n, ARow: n, ACol: 1, BRow: n, BCol: 1, CRow: n}
	product := func() []float32 {
		c := make([]float32, n*n)
		runAlone(newRun(lv, g, unsafe.Pointer(&h[0]), unsafe.Pointer(&h[0]), unsafe.Pointer(&c[0]), 1))
		return c
	}
	want := product()
	if err := pprof.StartCPUProfile(io.Discard); err == nil {
		defer pprof.StopCPUProfile()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 60 {
				if !slices.Equal(product(), want) {
					t.Error("other bits")
					return
				}
			}
		})
	}
	for range 20 {
		runtime.GC()
	}
	wg.Wait()
}
