package cudasrc_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

// job is launches on buffers, and what must come of them.
type job struct {
	name     string
	buffers  [][]byte
	launches []cudasrc.Launch
	check    func(t *testing.T, buffers [][]byte)
}

// lab collects jobs, so that one run of g++ compiles them all.
type lab struct {
	w    cudasrc.Writer
	jobs []*job
}

func newLab() *lab { return &lab{} }

// begin starts a job; its temporaries become buffers.
func (l *lab) begin(format string, args ...any) *job {
	j := &job{name: fmt.Sprintf(format, args...)}
	l.jobs = append(l.jobs, j)
	l.w.Temporary = func(bytes int) int { return j.buffer(make([]byte, bytes)) }
	return j
}

func (j *job) buffer(b []byte) int {
	j.buffers = append(j.buffers, b)
	return len(j.buffers) - 1
}

func (j *job) add(t *testing.T, u cudasrc.Unit, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", j.name, err)
	}
	j.launches = append(j.launches, u.Launches...)
}

// run compiles and runs the jobs.
func (l *lab) run(t *testing.T) {
	t.Helper()
	if err := shim.Missing(); err != nil {
		t.Skip(err)
	}
	h, err := shim.Build(t.TempDir(), l.w.Kernels)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, j := range l.jobs {
		if err := h.Run(j.buffers, j.launches); err != nil {
			t.Fatalf("%s: %v", j.name, err)
		}
		if j.check != nil {
			j.check(t, j.buffers)
		}
	}
}

func contiguous(dims []int) []int {
	strides := make([]int, len(dims))
	s := 1
	for a := len(dims) - 1; a >= 0; a-- {
		strides[a] = s
		s *= dims[a]
	}
	return strides
}

// operand is an array of its own.
func operand(t dtype.Type, buffer int, dims ...int) *cudasrc.Operand {
	return &cudasrc.Operand{Type: t, Buffer: buffer, Dims: dims, Strides: contiguous(dims)}
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// aligned makes n zero bytes with room for a pad behind them.
func aligned(n int) []byte {
	b := make([]byte, n+256)
	off := -int(uintptr(unsafe.Pointer(&b[0]))) & 63
	return b[off : off+n : off+n+64]
}

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// element is element i as bits and as a number.
func element(t dtype.Type, b []byte, i int) (uint64, float64) {
	switch t {
	case dtype.Bool:
		return uint64(b[i]), float64(b[i])
	case dtype.I32:
		u := binary.NativeEndian.Uint32(b[4*i:])
		return uint64(u), float64(int32(u))
	case dtype.F32:
		u := binary.NativeEndian.Uint32(b[4*i:])
		return uint64(u), float64(math.Float32frombits(u))
	case dtype.BF16, dtype.F16:
		u := binary.NativeEndian.Uint16(b[2*i:])
		return uint64(u), float64(dtype.HalfFloat(t, u))
	case dtype.I64:
		u := binary.NativeEndian.Uint64(b[8*i:])
		return u, float64(int64(u))
	}
	u := binary.NativeEndian.Uint64(b[8*i:])
	return u, math.Float64frombits(u)
}

func setElement(t dtype.Type, b []byte, i int, bits uint64) {
	switch t.Size() {
	case 1:
		b[i] = byte(bits)
	case 2:
		binary.NativeEndian.PutUint16(b[2*i:], uint16(bits))
	case 4:
		binary.NativeEndian.PutUint32(b[4*i:], uint32(bits))
	default:
		binary.NativeEndian.PutUint64(b[8*i:], bits)
	}
}

// same compares bits; all NaNs are equal.
func same(t *testing.T, name string, typ dtype.Type, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	bad := 0
	for i := range len(want) / typ.Size() {
		g, x := element(typ, got, i)
		w, y := element(typ, want, i)
		if g != w && !(typ.IsFloat() && x != x && y != y) {
			if bad++; bad <= 3 {
				t.Errorf("%s: element %d is %v (%#x), want %v (%#x)", name, i, x, g, y, w)
			}
		}
	}
}

// specials are the values that go wrong.
var specials = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 2, -2, 3, 10, -10, 100, -100, 1e-8, -1e-8, 1e8, -1e8, 1e20, -1e20, 1e300, -1e300,
	math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 1e-310, math.SmallestNonzeroFloat64,
	math.MaxFloat32, -math.MaxFloat32, math.MaxFloat64, 1 << 17, 1 << 22, 1<<31 - 1, -1 << 31, 1 << 31, 1 << 40, 1 << 62, 1 << 63, 87.5, -87.5, 709, -745}

// random makes n elements: specials in all pairs with an odd period, then any bits, then numbers in lo … hi.
func random(r *rand.Rand, t dtype.Type, n, period int, lo, hi float64) []byte {
	b := aligned(n * t.Size())
	for i := range n {
		var bits uint64
		x := lo + (hi-lo)*r.Float64()
		switch {
		case i < len(specials)*len(specials):
			x = specials[i/period%len(specials)]
		case i%3 == 0 && t != dtype.Bool:
			setElement(t, b, i, r.Uint64())
			continue
		}
		switch t {
		case dtype.Bool:
			bits = uint64(r.IntN(2))
		case dtype.I32:
			bits = uint64(uint32(int32(max(min(x, math.MaxInt32), math.MinInt32))))
		case dtype.I64:
			bits = uint64(int64(max(min(x, 1<<62), -1<<63)))
		case dtype.F32:
			bits = uint64(math.Float32bits(float32(x)))
		case dtype.F64:
			bits = math.Float64bits(x)
		case dtype.BF16, dtype.F16:
			bits = uint64(dtype.HalfBits(t, float32(x)))
		}
		setElement(t, b, i, bits)
	}
	return b
}
