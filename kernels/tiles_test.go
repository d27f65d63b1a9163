package kernels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

var types = []dtype.Type{dtype.Bool, dtype.I32, dtype.I64, dtype.F32, dtype.F64}

// argTypes returns the element types of an op's arguments.
func argTypes(id ops.ID, t dtype.Type) []dtype.Type {
	in := make([]dtype.Type, id.Row().Arity)
	for i := range in {
		in[i] = t
	}
	if id == ops.Where {
		in[0] = dtype.Bool
	}
	return in
}

var specials = []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), 0.5, -0.5, 1.5, 2.5, -2.5,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 1e-40, math.SmallestNonzeroFloat64, -1e-310, math.MaxFloat32,
	-math.MaxFloat32, math.MaxFloat64, 1e300, 1 << 31, -1 << 31, 1<<31 - 1, 1 << 53, -1 << 63, 1 << 63, 88.5, -88.5, -104, 710, -745,
	math.Pi, math.Pi / 2, 1e5, 1e22, 8388607.5, 1 - 1.0/(1<<24), 1.0000001}

var specialInts = []int64{0, 1, -1, 2, 7, -7, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1,
	1<<24 + 1, -1<<40 - 3, 1<<62 + 1<<9 + 1}

// draw gives one element's bits: special values, everyday ones, and any bits at all.
func draw(r *rand.Rand, t dtype.Type) uint64 {
	kind := r.IntN(4)
	x := r.NormFloat64() * 4
	if kind == 0 {
		x = specials[r.IntN(len(specials))]
	}
	switch t {
	case dtype.Bool:
		return r.Uint64() & 1
	case dtype.F32:
		if kind == 1 {
			return uint64(r.Uint32())
		}
		return uint64(math.Float32bits(float32(x)))
	case dtype.F64:
		if kind == 1 {
			return r.Uint64()
		}
		return math.Float64bits(x)
	}
	switch kind {
	case 0:
		return uint64(specialInts[r.IntN(len(specialInts))])
	case 1:
		return r.Uint64()
	}
	return uint64(int64(r.IntN(20) - 10))
}

func put(b []byte, t dtype.Type, i int, bits uint64) {
	switch t.Size() {
	case 1:
		b[i] = byte(bits)
	case 4:
		binary.LittleEndian.PutUint32(b[4*i:], uint32(bits))
	case 8:
		binary.LittleEndian.PutUint64(b[8*i:], bits)
	}
}

func get(b []byte, t dtype.Type, i int) uint64 {
	switch t.Size() {
	case 1:
		return uint64(b[i])
	case 4:
		return uint64(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return binary.LittleEndian.Uint64(b[8*i:])
}

// number is the element as a float64.
func number(bits uint64, t dtype.Type) float64 {
	switch t {
	case dtype.F32:
		return float64(math.Float32frombits(uint32(bits)))
	case dtype.F64:
		return math.Float64frombits(bits)
	case dtype.I32:
		return float64(int32(bits))
	}
	return float64(int64(bits))
}

func sameElem(x, y uint64, t dtype.Type) bool {
	return x == y || t.IsFloat() && math.IsNaN(number(x, t)) && math.IsNaN(number(y, t))
}

func pointer(b []byte, off int) unsafe.Pointer {
	if b == nil {
		return nil
	}
	return unsafe.Pointer(&b[off])
}

const maxTile, tileGuard = 72, 64

// compareTiles runs two tiles over every length and offset, and in place, and holds their bits together.
func compareTiles(t *testing.T, in []dtype.Type, out dtype.Type, tile, oracle Tile) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	var args [3][]byte
	for i, ty := range in {
		args[i] = make([]byte, (maxTile+8)*ty.Size())
		for k := range maxTile + 8 {
			put(args[i], ty, k, draw(r, ty))
		}
	}
	at := func(off int) (p [3]unsafe.Pointer) {
		for i, ty := range in {
			p[i] = pointer(args[i], off*ty.Size())
		}
		return p
	}
	fresh := func() []byte { return bytes.Repeat([]byte{0xA5}, 2*tileGuard+(maxTile+8)*out.Size()) }
	check := func(got, want []byte, off, n int) {
		t.Helper()
		from := tileGuard + off*out.Size()
		for i := range n {
			if g, w := get(got[from:], out, i), get(want[from:], out, i); !sameElem(g, w, out) {
				var xs []string
				for k, ty := range in {
					xs = append(xs, fmt.Sprintf("%x", get(args[k], ty, off+i)))
				}
				t.Fatalf("n=%d offset %d: element %d of %v is %x, want %x", n, off, i, xs, g, w)
			}
		}
		for i, b := range got {
			if (i < from || i >= from+n*out.Size()) && b != 0xA5 {
				t.Fatalf("n=%d offset %d: byte %d beside the result was written", n, off, i-from)
			}
		}
	}
	for n := 0; n <= maxTile; n += Pad {
		for off := range 8 {
			p := at(off)
			got, want := fresh(), fresh()
			tile(pointer(got, tileGuard+off*out.Size()), p[0], p[1], p[2], n)
			oracle(pointer(want, tileGuard+off*out.Size()), p[0], p[1], p[2], n)
			check(got, want, off, n)
			if off > 1 {
				continue
			}
			for k, ty := range in { // in place of argument k
				if ty.Size() != out.Size() {
					continue
				}
				got := fresh()
				copy(got[tileGuard+off*out.Size():], args[k][off*ty.Size():][:n*ty.Size()])
				q := p
				q[k] = pointer(got, tileGuard+off*out.Size())
				tile(q[k], q[0], q[1], q[2], n)
				check(got, want, off, n)
			}
		}
	}
}

func TestTiles(t *testing.T) {
	for _, l := range distinct() {
		for id := range ops.Count {
			for _, ty := range types {
				tile := l.Tile(id, ty)
				if (tile != nil) != vec.Takes(id, ty) {
					t.Errorf("%s: %v of %v: tile is nil: %v", l.Name, id, ty, tile == nil)
				}
				if tile == nil {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v_%v", l.Name, id, ty), func(t *testing.T) {
					compareTiles(t, argTypes(id, ty), vec.Result(id, ty), tile, Purego.Tile(id, ty))
				})
			}
		}
		for _, from := range types {
			for _, to := range types {
				if from != to {
					t.Run(fmt.Sprintf("%s/%v_to_%v", l.Name, from, to), func(t *testing.T) {
						compareTiles(t, []dtype.Type{from}, to, l.ConvertTile(from, to), Purego.ConvertTile(from, to))
					})
				}
			}
		}
	}
}

// Tiles allocate nothing, in place and with elements beyond their bodies' limits, either.
func TestTilesAllocate(t *testing.T) {
	const n = 1024
	r := rand.New(rand.NewPCG(7, 8))
	for _, l := range distinct() {
		for id := range ops.Count {
			for _, ty := range []dtype.Type{dtype.F32, dtype.F64} {
				tile, in := l.Tile(id, ty), argTypes(id, ty)
				if tile == nil || vec.Result(id, ty) != ty {
					continue
				}
				var args [3]unsafe.Pointer
				for i, at := range in {
					b := make([]byte, n*at.Size())
					for k := range n {
						put(b, at, k, draw(r, at))
					}
					args[i] = pointer(b, 0)
				}
				for _, dst := range []unsafe.Pointer{pointer(make([]byte, n*ty.Size()), 0), args[len(in)-1]} {
					if got := testing.AllocsPerRun(1, func() { tile(dst, args[0], args[1], args[2], n) }); got != 0 {
						t.Errorf("%s: %v of %v: %v allocations", l.Name, id, ty, got)
					}
				}
			}
		}
	}
}

// Many random values for the levels' agreement, and for the meaning in the table.
func TestTilesAgainstTable(t *testing.T) {
	const n = 1 << 12
	for id := range ops.Count {
		row := id.Row()
		for _, ty := range types {
			if Purego.Tile(id, ty) == nil {
				continue
			}
			t.Run(fmt.Sprintf("%v_%v", id, ty), func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, uint64(id)))
				in, out := argTypes(id, ty), vec.Result(id, ty)
				var args [3][]byte
				for i, at := range in {
					args[i] = make([]byte, n*at.Size())
					for k := range n {
						bits := draw(r, at)
						if d := row.Dom[i]; row.Class == ops.Bitwise && k%4 != 0 {
							bits = uint64(int64(d.Lo + (d.Hi-d.Lo)*r.Float64()))
						} else if at.IsFloat() && k%4 != 0 {
							x := d.Lo + (d.Hi-d.Lo)*r.Float64()
							if bits = math.Float64bits(x); at == dtype.F32 {
								bits = uint64(math.Float32bits(float32(x)))
							}
						}
						put(args[i], at, k, bits)
					}
				}
				want := make([]byte, n*out.Size())
				Purego.Tile(id, ty)(pointer(want, 0), pointer(args[0], 0), pointer(args[1], 0), pointer(args[2], 0), n)
				for _, l := range distinct() {
					got := make([]byte, n*out.Size())
					l.Tile(id, ty)(pointer(got, 0), pointer(args[0], 0), pointer(args[1], 0), pointer(args[2], 0), n)
					for i := range n {
						if g, w := get(got, out, i), get(want, out, i); !sameElem(g, w, out) {
							t.Fatalf("%s: element %d is %x, want %x", l.Name, i, g, w)
						}
					}
				}
				for i := range n {
					var x [3]uint64
					for k, at := range in {
						x[k] = get(args[k], at, i)
					}
					if bad := judge(id, ty, x, get(want, out, i)); bad != "" {
						t.Fatalf("%v(%x): %s", id, x[:len(in)], bad)
					}
				}
			})
		}
	}
}

// judge says what is wrong with one result, "" when it is right.
func judge(id ops.ID, t dtype.Type, x [3]uint64, got uint64) string {
	row, out := id.Row(), vec.Result(id, t)
	if t.IsInt() && id != ops.Where {
		want, ok := exactInt(id, t, x)
		if ok && number(want, t) != number(got, t) && out == t || ok && out == dtype.Bool && got != want {
			return fmt.Sprintf("got %x, want %x", got, want)
		}
		return ""
	}
	at := t
	if t == dtype.Bool {
		at = dtype.I64
	}
	a, b, c := number(x[0], at), number(x[1], at), number(x[2], at)
	if id == ops.Where {
		want := x[2]
		if x[0] != 0 {
			want = x[1]
		}
		if got != want {
			return fmt.Sprintf("got %x, want %x", got, want)
		}
		return ""
	}
	want := row.Eval(a, b, c)
	switch id { // the table's word is that NaN wins; math's Min and Max let an infinity win
	case ops.Min:
		want = min(a, b)
	case ops.Max:
		want = max(a, b)
	case ops.Clamp:
		want = min(max(a, b), c)
	}
	if out == dtype.Bool {
		if (want != 0) != (got == 1) {
			return fmt.Sprintf("got %d, want %v", got, want)
		}
		return ""
	}
	g := number(got, t)
	if math.IsNaN(g) && math.IsNaN(want) {
		return ""
	}
	if t == dtype.F64 {
		// The float64 functions are tried by the tests of their own bodies; here only the exact ones.
		if row.ULP == 0 && math.Float64bits(g) != math.Float64bits(want) {
			return fmt.Sprintf("got %g, want %g", g, want)
		}
		return ""
	}
	if id == ops.Fma {
		return "" // has its own test, by arbitrary precision
	}
	w := float32(want)
	if row.ULP == 0 {
		if math.Float32bits(float32(g)) != math.Float32bits(w) {
			return fmt.Sprintf("got %g, want %g", g, w)
		}
		return ""
	}
	if math.IsInf(float64(w), 0) || math.IsInf(g, 0) || math.IsNaN(g) || math.IsNaN(want) {
		if float32(g) != w && !(math.Abs(want) > math.MaxFloat32*(1-0x1p-23)) {
			return fmt.Sprintf("got %g, want %g", g, w)
		}
		return ""
	}
	ulp := math.Ldexp(1, max(math.Ilogb(want), -126)-23)
	if err := math.Abs(g-want) / ulp; want != 0 && err > row.ULP {
		return fmt.Sprintf("got %g, want %g: %.3f ULP, %g allowed", g, want, err, row.ULP)
	}
	return ""
}

// exactInt is the meaning of an op on integers.
func exactInt(id ops.ID, t dtype.Type, x [3]uint64) (uint64, bool) {
	v := [3]int64{int64(x[0]), int64(x[1]), int64(x[2])}
	if t == dtype.I32 {
		v = [3]int64{int64(int32(x[0])), int64(int32(x[1])), int64(int32(x[2]))}
	}
	a, b, c := v[0], v[1], v[2]
	is := func(ok bool) uint64 {
		if ok {
			return 1
		}
		return 0
	}
	switch id {
	case ops.Add:
		return uint64(a + b), true
	case ops.Sub:
		return uint64(a - b), true
	case ops.Mul:
		return uint64(a * b), true
	case ops.Square:
		return uint64(a * a), true
	case ops.Neg:
		return uint64(-a), true
	case ops.Abs:
		return uint64(max(a, -a)), true
	case ops.Sign:
		return is(a > 0) - is(a < 0), true
	case ops.Relu:
		return uint64(max(a, 0)), true
	case ops.Min:
		return uint64(min(a, b)), true
	case ops.Max:
		return uint64(max(a, b)), true
	case ops.Clamp:
		return uint64(min(max(a, b), c)), true
	case ops.Div, ops.Mod:
		if b == 0 {
			return 0, true
		}
		if id == ops.Mod {
			return uint64(a % b), true
		}
		return uint64(a / b), true
	case ops.BitAnd:
		return uint64(a & b), true
	case ops.BitOr:
		return uint64(a | b), true
	case ops.BitXor:
		return uint64(a ^ b), true
	case ops.BitNot:
		return uint64(^a), true
	case ops.Shl, ops.Shr:
		by, from := uint64(b), uint64(a)
		if t == dtype.I32 {
			by, from = uint64(uint32(b)), uint64(uint32(a))
		}
		if by >= uint64(8*t.Size()) {
			return 0, true
		}
		if id == ops.Shr {
			return from >> by, true
		}
		return from << by, true
	case ops.Eq:
		return is(a == b), true
	case ops.Ne:
		return is(a != b), true
	case ops.Lt:
		return is(a < b), true
	case ops.Le:
		return is(a <= b), true
	case ops.Gt:
		return is(a > b), true
	case ops.Ge:
		return is(a >= b), true
	}
	return 0, false
}

// Conversions follow the rule that ConvertTile states.
func TestConvert(t *testing.T) {
	const n = 1 << 12
	for _, from := range types {
		for _, to := range types {
			if from == to {
				continue
			}
			r := rand.New(rand.NewPCG(6, uint64(from)))
			x, y := make([]byte, n*from.Size()), make([]byte, n*to.Size())
			for i := range n {
				put(x, from, i, draw(r, from))
			}
			Purego.ConvertTile(from, to)(pointer(y, 0), pointer(x, 0), nil, nil, n)
			for i := range n {
				bits := get(x, from, i)
				var want uint64
				v := number(bits, from)
				switch to {
				case dtype.Bool:
					if v != 0 {
						want = 1
					}
				case dtype.F32:
					if want = uint64(math.Float32bits(float32(v))); from == dtype.I64 {
						want = uint64(math.Float32bits(float32(int64(bits))))
					}
				case dtype.F64:
					want = math.Float64bits(v)
				default:
					want = bits
					if from == dtype.I32 {
						want = uint64(int64(int32(bits)))
					}
					if from.IsFloat() {
						lo, hi := float64(math.MinInt32), float64(math.MaxInt32)
						if to == dtype.I64 {
							lo, hi = math.MinInt64, math.MaxInt64
						}
						switch {
						case v != v:
							want = 0
						case v <= lo:
							want = uint64(int64(lo))
						case v >= hi && to == dtype.I32:
							want = math.MaxInt32
						case v >= hi:
							want = math.MaxInt64
						default:
							want = uint64(int64(v))
						}
					}
					if to == dtype.I32 {
						want &= math.MaxUint32
					}
				}
				if got := get(y, to, i); !sameElem(got, want, to) {
					t.Fatalf("%v to %v: %x gives %x, want %x", from, to, bits, got, want)
				}
			}
		}
	}
}

// distinct are the levels but those that differ from another one in products of BF16 alone.
func distinct() []*Level {
	return slices.DeleteFunc(Levels(), func(l *Level) bool { return l.Base != "" })
}

// ADJOINT_LEVELS=all makes it a failure that this machine lacks a level.
func TestLevels(t *testing.T) {
	all := Levels()
	if os.Getenv("ADJOINT_LEVELS") == "all" && len(all) < 3 {
		t.Errorf("%d levels of 3 at least", len(all))
	}
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = l.Name
	}
	switch s := strings.Join(names, " "); s {
	case "purego", "purego avx2", "purego avx2 avx512", "purego avx2 avx512 avx512bf16", "purego avx2 avx512bf16 avx512":
	default:
		t.Errorf("levels %s", s)
	}
}

func TestSelect(t *testing.T) {
	t.Setenv("ADJOINT_LEVEL", "purego")
	if l, err := Select(""); err != nil || l != Purego {
		t.Error(l, err)
	}
	for _, l := range Levels() {
		if got, err := Select(l.Name); err != nil || got != l {
			t.Error(got, err)
		}
	}
	if _, err := Select("mmx"); err == nil {
		t.Error("an unknown level is no error")
	}
}

func BenchmarkTile(b *testing.B) {
	const n = 1024
	x := make([]byte, 4*8*n)
	for i := range n {
		put(x, dtype.F32, i, uint64(math.Float32bits(float32(i)/n+0.1)))
	}
	y := x[8*n:]
	for _, l := range distinct() {
		for _, id := range []ops.ID{ops.Add, ops.Fma, ops.Div, ops.Exp, ops.Log, ops.Tanh, ops.Sin, ops.Erf, ops.Gt, ops.Min} {
			tile := l.Tile(id, dtype.F32)
			b.Run(fmt.Sprintf("%s/%v_f32", l.Name, id), func(b *testing.B) {
				for b.Loop() {
					tile(pointer(y, 0), pointer(x, 0), pointer(x, 0), pointer(x, 0), n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
			})
		}
	}
}
