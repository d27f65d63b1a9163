package kernels

import (
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// Pure-Go tiles are made when first asked for: a program needs few of them.
var (
	puregoTiles    sync.Map // [2]uint8{op, type} → Tile
	puregoConverts sync.Map // [2]uint8{from, to} → Tile
)

func once(m *sync.Map, key [2]uint8, tile func() Tile) Tile {
	if f, ok := m.Load(key); ok {
		return f.(Tile)
	}
	f, _ := m.LoadOrStore(key, tile())
	return f.(Tile)
}

func puregoTile(id ops.ID, t dtype.Type) Tile {
	return once(&puregoTiles, [2]uint8{uint8(id), uint8(t)}, func() Tile {
		if !vec.Takes(id, t) {
			return nil
		}
		if p := vec.Inside(id, t); p != nil {
			return p.Compile()
		}
		switch t {
		case dtype.F32:
			return evalTile[float32](id)
		case dtype.F64:
			return evalTile[float64](id)
		case dtype.I32:
			return intTile[int32](id)
		}
		return intTile[int64](id)
	})
}

// evalTile is the meaning of a row, element by element.
func evalTile[T float32 | float64](id ops.ID) Tile {
	eval := id.Row().Eval
	switch id.Row().Arity {
	case 1:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n)
			for i := range d {
				d[i] = T(eval(float64(x[i]), 0, 0))
			}
		}
	case 2:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n), unsafe.Slice((*T)(b), n)
			for i := range d {
				d[i] = T(eval(float64(x[i]), float64(y[i]), 0))
			}
		}
	}
	return func(dst, a, b, c unsafe.Pointer, n int) {
		d, x := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n)
		y, z := unsafe.Slice((*T)(b), n), unsafe.Slice((*T)(c), n)
		for i := range d {
			d[i] = T(eval(float64(x[i]), float64(y[i]), float64(z[i])))
		}
	}
}

// intTile holds the integer operations that have no vector instruction. Division by zero gives 0, and
// the least integer divided by -1 wraps, as in Go.
func intTile[T int32 | int64](id ops.ID) Tile {
	var f func(x, y T) T
	switch id {
	case ops.Mul:
		f = func(x, y T) T { return x * y }
	case ops.Square:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n)
			for i := range d {
				d[i] = x[i] * x[i]
			}
		}
	case ops.Div:
		f = func(x, y T) T {
			if y == 0 {
				return 0
			}
			return x / y
		}
	case ops.Mod:
		f = func(x, y T) T {
			if y == 0 {
				return 0
			}
			return x % y
		}
	}
	return func(dst, a, b, _ unsafe.Pointer, n int) {
		d, x, y := unsafe.Slice((*T)(dst), n), unsafe.Slice((*T)(a), n), unsafe.Slice((*T)(b), n)
		for i := range d {
			d[i] = f(x[i], y[i])
		}
	}
}

func puregoConvert(from, to dtype.Type) Tile {
	if from == to || from.IsHalf() && to != dtype.F32 || to.IsHalf() && from != dtype.F32 {
		return nil
	}
	return once(&puregoConverts, [2]uint8{uint8(from), uint8(to)}, func() Tile {
		if p := vec.Conversion(from, to); p != nil {
			return p.Compile()
		}
		switch {
		case from == dtype.I64 && to == dtype.F32:
			return mapTile(func(x int64) float32 { return float32(x) })
		case from == dtype.F32:
			return mapTile(func(x float32) int64 { return saturate(float64(x)) })
		}
		return mapTile(saturate)
	})
}

func mapTile[From, To any](f func(From) To) Tile {
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := unsafe.Slice((*To)(dst), n), unsafe.Slice((*From)(a), n)
		for i := range d {
			d[i] = f(x[i])
		}
	}
}

// saturate is Go's conversion where that is defined.
func saturate(x float64) int64 {
	switch {
	case x != x:
		return 0
	case x >= 1<<63:
		return 1<<63 - 1
	case x < -1<<63:
		return -1 << 63
	}
	return int64(x)
}
