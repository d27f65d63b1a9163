package dtype

import (
	"math"
	"testing"
)

// value is h's by the standard: sign, five bits of exponent, ten of fraction.
func value(h uint16) float64 {
	e, f := int(h>>10&31), float64(h&0x3ff)
	x := math.Ldexp(1+f/1024, e-15)
	switch {
	case e == 31 && f != 0:
		x = math.NaN()
	case e == 31:
		x = math.Inf(1)
	case e == 0:
		x = math.Ldexp(f, -24)
	}
	if h&0x8000 != 0 {
		x = math.Copysign(x, -1)
	}
	return x
}

// All float16s, and between each and the next the float32s that a rounding could get wrong.
func TestF16(t *testing.T) {
	same := func(x, y float64) bool {
		return x == y && math.Signbit(x) == math.Signbit(y) || x != x && y != y
	}
	for h := range uint32(1 << 16) {
		x := FromF16(uint16(h))
		if !same(float64(x), value(uint16(h))) {
			t.Fatalf("%04x is %g, not %g", h, x, value(uint16(h)))
		}
		back, want := ToF16(x), uint16(h)
		if x != x {
			want |= 0x200
		}
		if back != want {
			t.Fatalf("%04x becomes %g and %04x", h, x, back)
		}
		if h&0x7fff >= 0x7c00 {
			continue
		}
		// The place where rounding changes lies halfway, between the last one and infinity as if there were a next one.
		next := value(uint16(h) + 1)
		if h&0x7fff == 0x7bff {
			next = math.Copysign(0x1p16, next)
		}
		half := float32((float64(x) + next) / 2)
		up, away := uint16(h)+1, float32(math.Copysign(math.Inf(1), next))
		even := uint16(h) + uint16(h)&1
		for _, c := range []struct {
			x    float32
			want uint16
		}{{math.Nextafter32(x, away), uint16(h)}, {math.Nextafter32(half, 0), uint16(h)}, {half, even},
			{math.Nextafter32(half, away), up}, {math.Nextafter32(float32(next), 0), up}} {
			if got := ToF16(c.x); got != c.want {
				t.Fatalf("%g becomes %04x, not %04x", c.x, got, c.want)
			}
		}
	}
	for _, c := range []struct {
		x    float32
		want uint16
	}{{65520, 0x7c00}, {-65520, 0xfc00}, {math.MaxFloat32, 0x7c00}, {math.SmallestNonzeroFloat32, 0}, {0x1p-25, 0}, {-0x1.000002p-25, 0x8001},
		{float32(math.Inf(-1)), 0xfc00}, {math.Float32frombits(0x7f800001), 0x7e00}, {math.Float32frombits(0xffbfe000), 0xffff}} {
		if got := ToF16(c.x); got != c.want {
			t.Errorf("%g becomes %04x, not %04x", c.x, got, c.want)
		}
	}
}
