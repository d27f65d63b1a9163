package cudasrc_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// TestScatterSorted: many slices, at indices of which some are bad, are added up in the order of the indices.
func TestScatterSorted(t *testing.T) {
	defer cudasrc.SetScatterChunk(cudasrc.MaxSort)
	rng := rand.New(rand.NewPCG(1, 18))
	l := newLab()
	const outer, d, inner, count = 2, 300, 3, 3000
	for _, chunk := range []int{cudasrc.MaxSort, 700} {
		cudasrc.SetScatterChunk(chunk)
		for _, of := range []dtype.Type{dtype.I32, dtype.I64} {
			for _, typ := range []dtype.Type{dtype.I32, dtype.F32, dtype.F64} {
				j := l.begin("scatter %v at %v, %d at once", typ, of, chunk)
				idx, upd := aligned(count*of.Size()), random(rng, typ, outer*count*inner, 7, -2, 2)
				at := make([]int64, count)
				for i := range at {
					at[i] = rng.Int64N(d+8) - 4
					if i%5 == 0 {
						at[i] = 7 // a long one
					}
					setElement(of, idx, i, uint64(at[i]))
				}
				j.buffer(aligned(outer * d * inner * typ.Size()))
				j.buffer(idx)
				j.buffer(upd)
				u, err := l.w.Scatter(operand(typ, 0, outer, d, inner), operand(of, 1, count), operand(typ, 2, outer, count, inner), nil, 1, ir.ForAll)
				j.add(t, u, err)
				if want := 3 * ((count + chunk - 1) / chunk); len(j.launches) != want {
					t.Errorf("%s: %d launches, want %d", j.name, len(j.launches), want)
				}
				j.check = func(t *testing.T, buffers [][]byte) {
					for e := range outer * d * inner {
						o, k, c := e/(d*inner), e/inner%d, e%inner
						var f32 float32
						var f64 float64
						var i32 int32
						for i, a := range at {
							if int(a) == k {
								bits, x := element(typ, upd, (o*count+i)*inner+c)
								f32, f64, i32 = f32+float32(x), f64+x, i32+int32(uint32(bits))
							}
						}
						want := map[dtype.Type]uint64{dtype.F32: uint64(math.Float32bits(f32)), dtype.F64: math.Float64bits(f64), dtype.I32: uint64(uint32(i32))}[typ]
						if got, x := element(typ, buffers[0], e); got != want && !(x != x && (typ == dtype.F32 && f32 != f32 || typ == dtype.F64 && f64 != f64)) {
							t.Fatalf("%s: element %d is %#x, want %#x", j.name, e, got, want)
						}
					}
				}
			}
		}
	}
	l.run(t)
}
