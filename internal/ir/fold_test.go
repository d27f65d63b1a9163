package ir

import (
	"math"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// An operation on integer constants is folded to the right bits or not at all.
func TestFoldIntegers(t *testing.T) {
	meaning := map[ops.ID]func(a, b int64, width uint) int64{
		ops.Add:    func(a, b int64, _ uint) int64 { return a + b },
		ops.Sub:    func(a, b int64, _ uint) int64 { return a - b },
		ops.Mul:    func(a, b int64, _ uint) int64 { return a * b },
		ops.BitAnd: func(a, b int64, _ uint) int64 { return a & b },
		ops.BitOr:  func(a, b int64, _ uint) int64 { return a | b },
		ops.BitXor: func(a, b int64, _ uint) int64 { return a ^ b },
		ops.Shl: func(a, b int64, width uint) int64 {
			if uint64(b) >= uint64(width) {
				return 0
			}
			return a << b
		},
		ops.Shr: func(a, b int64, width uint) int64 {
			if uint64(b) >= uint64(width) {
				return 0
			}
			return int64(uint64(a) & (1<<width - 1) >> b)
		},
	}
	numbers := []int64{0, 1, -1, 3, 31, 32, 63, 64, math.MaxInt32, math.MinInt32, 1<<53 + 1, math.MaxInt64, math.MinInt64}
	folded := 0
	for op, f := range meaning {
		for _, typ := range []dtype.Type{dtype.I32, dtype.I64} {
			for _, a := range numbers {
				for _, b := range numbers {
					if typ == dtype.I32 {
						a, b = int64(int32(a)), int64(int32(b))
					}
					bits := func(x int64) uint64 {
						if typ == dtype.I32 {
							return uint64(uint32(x))
						}
						return uint64(x)
					}
					g := New()
					y := g.Apply(op, g.Bits(typ, nil, bits(a)), g.Bits(typ, nil, bits(b)))
					want := bits(f(a, b, uint(8*typ.Size())))
					if y.Kind != Const {
						continue
					}
					folded++
					if y.Bits != want {
						t.Errorf("%v of %v: (%d, %d) is folded to %#x, not %#x", op, typ, a, b, y.Bits, want)
					}
				}
			}
		}
	}
	if folded < 1000 {
		t.Errorf("only %d were folded", folded)
	}
}

// Captured arrays of equal elements are one node, whatever memory they came from.
func TestCapturedArrays(t *testing.T) {
	g := New()
	capture := func(t dtype.Type, s Shape, b ...byte) *Node { return g.Captured(t, s, &Array{Bytes: b}) }
	x := capture(dtype.I32, Static(2), 1, 0, 0, 0, 2, 0, 0, 0)
	for _, c := range []struct {
		n    *Node
		same bool
	}{
		{capture(dtype.I32, Static(2), 1, 0, 0, 0, 2, 0, 0, 0), true},
		{capture(dtype.I32, Static(2), 1, 0, 0, 0, 3, 0, 0, 0), false},
		{capture(dtype.I32, Static(1, 2), 1, 0, 0, 0, 2, 0, 0, 0), false},
		{capture(dtype.F32, Static(2), 1, 0, 0, 0, 2, 0, 0, 0), false},
	} {
		if (c.n == x) != c.same {
			t.Errorf("%v: one node with %v is %v", c.n, x, c.n == x)
		}
	}
}
