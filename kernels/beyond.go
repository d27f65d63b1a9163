package kernels

import (
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// withBeyond is a tile whose body holds within limits, made to hold everywhere: elements outside are
// computed one by one. What an element gives does not depend on its neighbours.
func (l *Level) withBeyond(f Tile, r *vec.Limits, t dtype.Type) Tile {
	outside := l.Outside[t]
	if t == dtype.F32 {
		return beyond[float32](f, r, outside)
	}
	return beyond[float64](f, r, outside)
}

func beyond[T float32 | float64](f Tile, r *vec.Limits, outside func(a unsafe.Pointer, n int, lo, hi float64) bool) Tile {
	if outside == nil {
		outside = anyOutside[T]
	}
	const block = 64
	return func(dst, a, b, c unsafe.Pointer, n int) {
		if !outside(a, n, r.Lo, r.Hi) {
			f(dst, a, b, c, n)
			return
		}
		d, x := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n)
		for len(d) > 0 {
			var in [block]T // dst may be a
			m := copy(in[:], x)
			f(unsafe.Pointer(&d[0]), unsafe.Pointer(&x[0]), b, c, m)
			for i, v := range in[:m] {
				if v := float64(v); v < r.Lo || v > r.Hi {
					d[i] = T(r.Beyond(v))
				}
			}
			d, x = d[m:], x[m:]
		}
	}
}

// withRest is a tile of a partial body, made to hold everywhere: elements that it gives +Inf are computed one by one.
func (l *Level) withRest(f Tile, p *vec.Partial, t dtype.Type) Tile {
	outside := l.Outside[t]
	if t == dtype.F32 {
		return rest[float32](f, p, outside, math.MaxFloat32)
	}
	return rest[float64](f, p, outside, math.MaxFloat64)
}

func rest[T float32 | float64](f Tile, p *vec.Partial, outside func(a unsafe.Pointer, n int, lo, hi float64) bool, most float64) Tile {
	if outside == nil {
		outside = anyOutside[T]
	}
	mend := func(d, x, y, z []T) {
		if outside(unsafe.Pointer(unsafe.SliceData(d)), len(d), -most, most) {
			for i, v := range d {
				if float64(v) > most {
					d[i] = T(p.Rest(float64(x[i]), float64(y[i]), float64(z[i])))
				}
			}
		}
	}
	return func(dst, a, b, c unsafe.Pointer, n int) {
		if c == nil { // there are two arguments
			c = b
		}
		d, x, y, z := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n), unsafe.Slice((*T)(b), n), unsafe.Slice((*T)(c), n)
		if dst != a && dst != b && dst != c {
			f(dst, a, b, c, n)
			mend(d, x, y, z)
			return
		}
		const block = 128
		var p, q, r [block]T // f is given no pointer to them: they would be allocated
		for len(d) > 0 {
			m := copy(p[:], x)
			copy(q[:], y)
			copy(r[:], z)
			f(unsafe.Pointer(&d[0]), unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), unsafe.Pointer(&z[0]), m)
			mend(d[:m], p[:m], q[:m], r[:m])
			d, x, y, z = d[m:], x[m:], y[m:], z[m:]
		}
	}
}

func anyOutside[T float32 | float64](a unsafe.Pointer, n int, lo, hi float64) bool {
	l, h := T(lo), T(hi)
	for _, v := range unsafe.Slice((*T)(a), n) {
		if v < l || v > h {
			return true
		}
	}
	return false
}
