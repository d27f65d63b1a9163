package ir

import (
	"fmt"
	"math/bits"
	"strings"
)

// Dim is the size of an axis: C + B·batch, affine in the symbolic batch size.
type Dim struct{ C, B int }

// D is the static size n.
func D(n int) Dim { return Dim{C: n} }

// Batch is the symbolic batch size itself.
var Batch = Dim{B: 1}

// At is the size for a concrete batch.
func (d Dim) At(batch int) int { return d.C + d.B*batch }

// Static reports whether d does not depend on the batch size.
func (d Dim) Static() bool { return d.B == 0 }

// Is reports whether d is the static size n.
func (d Dim) Is(n int) bool { return d == Dim{C: n} }

func (d Dim) Add(e Dim) Dim { return Dim{d.C + e.C, d.B + e.B} }
func (d Dim) Sub(e Dim) Dim { return Dim{d.C - e.C, d.B - e.B} }

func (d Dim) String() string {
	switch {
	case d.B == 0:
		return fmt.Sprint(d.C)
	case d.C == 0 && d.B == 1:
		return "B"
	case d.C == 0:
		return fmt.Sprintf("%dB", d.B)
	case d.B == 1:
		return fmt.Sprintf("B%+d", d.C)
	}
	return fmt.Sprintf("%dB%+d", d.B, d.C)
}

// Shape lists the sizes of the axes; row-major.
type Shape []Dim

// Static makes a shape of static sizes.
func Static(dims ...int) Shape {
	s := make(Shape, len(dims))
	for i, d := range dims {
		s[i] = D(d)
	}
	return s
}

func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.String())
	}
	b.WriteByte(']')
	return b.String()
}

// Equal reports whether the shapes agree for every batch size.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Static reports whether no axis is symbolic.
func (s Shape) Static() bool {
	for _, d := range s {
		if !d.Static() {
			return false
		}
	}
	return true
}

// At gives the concrete sizes for a batch.
func (s Shape) At(batch int) []int {
	dims := make([]int, len(s))
	for i, d := range s {
		dims[i] = d.At(batch)
	}
	return dims
}

// SizeAt is the number of elements for a batch.
func (s Shape) SizeAt(batch int) int {
	n := 1
	for _, d := range s {
		n *= d.At(batch)
	}
	return n
}

// Size is the number of elements as a polynomial of at most first degree in the batch; ok is false
// where two axes are symbolic.
func (s Shape) Size() (n Dim, ok bool) {
	n = D(1)
	for _, d := range s {
		switch {
		case n.B == 0:
			n = Dim{n.C * d.C, n.C * d.B}
		case d.B == 0:
			n = Dim{n.C * d.C, n.B * d.C}
		default:
			return Dim{}, false
		}
	}
	return n, true
}

// Drop is s without axes lo … hi-1.
func (s Shape) Drop(lo, hi int) Shape {
	t := make(Shape, 0, len(s))
	t = append(t, s[:lo]...)
	return append(t, s[hi:]...)
}

// maxElements bounds the elements of one array, so that no offset overflows.
const maxElements = 1 << 46

// Check refuses negative sizes and products that overflow.
func (s Shape) Check(op string) {
	n := uint64(1)
	for _, d := range s {
		if d.B == 0 && d.C < 0 || d.B < 0 {
			Fail(op, "shape %v has a negative size", s)
		}
		k := uint64(d.C)
		if d.B > 0 {
			k = uint64(d.B)
		}
		if d.C == 0 && d.B == 0 {
			return
		}
		hi, lo := bits.Mul64(n, k)
		if hi != 0 || lo > maxElements {
			Fail(op, "shape %v has too many elements (the limit is 2^46)", s)
		}
		n = lo
	}
}
