package cudasrc_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// looseULP bounds, beside the row's own error, operations of the table that have no vector program: they take
// functions from CUDA's library, here from C's.
const looseULP = 8

// loose reports whether op id's kernel promises an error, not the pure-Go level's bits.
func loose(id ops.ID, t dtype.Type) bool {
	if vec.Inside(id, t) == nil || vec.PartialOf(id, t) != nil {
		return t.IsFloat() && id != ops.Mod
	}
	// Beyond their limits these are the device's own; sine, cosine and tangent are ours everywhere, and gamma is rounded to float32.
	return vec.Range(id, t) != nil && id != ops.Sin && id != ops.Cos && id != ops.Tan && id != ops.Gamma
}

// TestOps runs every operation of the table on every type that it takes, all of one type in one cluster.
func TestOps(t *testing.T) {
	l := newLab()
	r := rand.New(rand.NewPCG(1, 2))
	n := len(specials)*len(specials) + 301
	for typ := dtype.Bool; typ < dtype.Count; typ++ {
		var ids []ops.ID
		if typ.IsHalf() { // stored, not computed with
			continue
		}
		for id := range ops.Count {
			if vec.Takes(id, typ) && !loose(id, typ) {
				ids = append(ids, id)
			}
		}
		in := [3][]byte{random(r, typ, n, 1, -4, 4), random(r, typ, n, len(specials), -4, 4), random(r, typ, n, 7, -1, 1)}
		cond := random(r, dtype.Bool, n, 1, 0, 1)
		j := l.begin("%v", typ)
		m := &cudasrc.Map{Dims: []int{n}}
		leaf := func(t dtype.Type, b []byte) int {
			m.Values = append(m.Values, cudasrc.Value{Type: t, Leaf: operand(t, j.buffer(b), n)})
			return len(m.Values) - 1
		}
		args := []int{leaf(typ, in[0]), leaf(typ, in[1]), leaf(typ, in[2])}
		bools := leaf(dtype.Bool, cond)
		want := map[int][]byte{} // by buffer
		outs := map[int]ops.ID{}
		for _, id := range ids {
			a, p := args[:id.Row().Arity], in
			if id == ops.Where {
				a = []int{bools, args[1], args[2]}
				p = [3][]byte{cond, in[1], in[2]}
			}
			out := vec.Result(id, typ)
			y := aligned(roundUp(n) * out.Size())
			kernels.Purego.Tile(id, typ)(pointer(y), pointer(pad(p[0], typ)), pointer(pad(p[1], typ)), pointer(pad(p[2], typ)), roundUp(n))
			k := j.buffer(make([]byte, n*out.Size()))
			want[k], outs[k] = y[:n*out.Size()], id
			m.Values = append(m.Values, cudasrc.Value{Type: out, Op: id, Args: a, Out: operand(out, k, n)})
		}
		u, err := l.w.Map(m)
		j.add(t, u, err)
		j.check = func(t *testing.T, buffers [][]byte) {
			for k, w := range want {
				same(t, fmt.Sprintf("%v %v", outs[k], typ), vec.Result(outs[k], typ), buffers[k], w)
			}
		}
	}
	// Conversions.
	for from := dtype.Bool; from < dtype.Count; from++ {
		x := random(r, from, n, 1, -1e6, 1e6)
		j := l.begin("convert %v", from)
		m := &cudasrc.Map{Dims: []int{n}, Values: []cudasrc.Value{{Type: from, Leaf: operand(from, j.buffer(x), n)}}}
		want := map[int][]byte{}
		types := map[int]dtype.Type{}
		for to := dtype.Bool; to < dtype.Count; to++ {
			if kernels.Purego.ConvertTile(from, to) == nil {
				continue
			}
			y := aligned(roundUp(n) * to.Size())
			kernels.Purego.ConvertTile(from, to)(pointer(y), pointer(pad(x, from)), nil, nil, roundUp(n))
			k := j.buffer(make([]byte, n*to.Size()))
			want[k], types[k] = y[:n*to.Size()], to
			m.Values = append(m.Values, cudasrc.Value{Type: to, Convert: true, Args: []int{0}, Out: operand(to, k, n)})
		}
		u, err := l.w.Map(m)
		j.add(t, u, err)
		j.check = func(t *testing.T, buffers [][]byte) {
			for k, w := range want {
				same(t, fmt.Sprintf("%v to %v", from, types[k]), types[k], buffers[k], w)
			}
		}
	}
	l.run(t)
}

func roundUp(n int) int { return (n + kernels.Pad - 1) / kernels.Pad * kernels.Pad }

// pad copies b to where whole pads can be read.
func pad(b []byte, t dtype.Type) []byte {
	p := aligned(len(b) + kernels.Pad*8)
	copy(p, b)
	return p
}

// TestSpecial runs the operations that have no vector program inside their domains.
func TestSpecial(t *testing.T) {
	l := newLab()
	r := rand.New(rand.NewPCG(3, 4))
	const n = 512
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		j := l.begin("special %v", typ)
		m := &cudasrc.Map{Dims: []int{n}}
		for id := range ops.Count {
			if !vec.Takes(id, typ) || !loose(id, typ) {
				continue
			}
			row := id.Row()
			var in [3][]byte
			v := cudasrc.Value{Type: typ, Op: id}
			for a := range row.Arity {
				in[a] = aligned(n * typ.Size())
				for i := range n {
					d := row.Dom[a]
					x := d.Lo + (d.Hi-d.Lo)*r.Float64()
					if i < len(specials) && row.Arity == 1 && !extreme(specials[i]) {
						x = specials[i]
					}
					if id >= ops.GammaInc && row.Arity > 1 && i < len(corners)*len(corners) { // orders and arguments beyond the domains
						x = corners[i/[]int{len(corners), 1, 7}[a]%len(corners)]
					}
					bits := math.Float64bits(x)
					if typ == dtype.F32 {
						bits = uint64(math.Float32bits(float32(x)))
					}
					setElement(typ, in[a], i, bits)
				}
				v.Args = append(v.Args, len(m.Values))
				m.Values = append(m.Values, cudasrc.Value{Type: typ, Leaf: operand(typ, j.buffer(in[a]), n)})
			}
			want := aligned(n * typ.Size())
			kernels.Purego.Tile(id, typ)(pointer(want), pointer(in[0]), pointer(in[1]), pointer(in[2]), n)
			k := j.buffer(make([]byte, n*typ.Size()))
			v.Out = operand(typ, k, n)
			m.Values = append(m.Values, v)
			check := j.check
			j.check = func(t *testing.T, buffers [][]byte) {
				if check != nil {
					check(t, buffers)
				}
				for i := range n {
					_, g := element(typ, buffers[k], i)
					_, w := element(typ, want, i)
					unit := 0.0
					if crossing[id] {
						unit = 1
					}
					if !near(typ, g, w, unit, row.ULP+looseULP) {
						_, a := element(typ, in[0], i)
						t.Errorf("%v(%v) of %v is %v, want %v", id, a, typ, g, w)
					}
				}
			}
		}
		u, err := l.w.Map(m)
		j.add(t, u, err)
	}
	l.run(t)
}

var corners = []float64{-3, -2.5, -1, 0, 0.5, 1, 2, 7, 30, 300, math.Inf(1), math.NaN()}

// extreme reports whether x is so near to 0 or so far from it that Go's own functions are no oracle: its logarithm of
// denormals is 709 everywhere, J₁ of tiny negative numbers positive.
func extreme(x float64) bool {
	a := math.Abs(x)
	return a != 0 && a < 1e-30 || a > 1e30 && !math.IsInf(a, 0)
}

// crossing holds the operations that have zeros inside their domains or, near whole orders, terms that cancel (ExpintN), where
// only an absolute error can be had.
var crossing = map[ops.ID]bool{ops.Lgamma: true, ops.Digamma: true, ops.BesselJ0: true, ops.BesselJ1: true, ops.BesselY0: true,
	ops.BesselY1: true, ops.Cosint: true, ops.BesselJ: true, ops.BesselY: true, ops.AiryAi: true, ops.AiryAiPrime: true, ops.AiryBi: true,
	ops.AiryBiPrime: true, ops.GammaIncDA: true, ops.GammaIncDAA: true, ops.BetaIncDA: true, ops.BetaIncDAA: true, ops.BetaIncDAB: true, ops.ExpintN: true}

// near reports whether g is within ulp units of the last place of w or, if that is larger, of unit.
func near(t dtype.Type, g, w, unit, ulp float64) bool {
	if g == w || g != g && w != w {
		return true
	}
	a := max(math.Abs(w), unit)
	if t == dtype.F32 {
		return math.Abs(g-w) <= ulp*float64(math.Nextafter32(float32(a), math.MaxFloat32)-float32(a))
	}
	return math.Abs(g-w) <= ulp*(math.Nextafter(a, math.MaxFloat64)-a)
}
