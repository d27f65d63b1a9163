package autodiff

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// CheckOptions says how [CheckGrads] checks; the zero value is two orders, three directions.
type CheckOptions struct {
	// Order is the highest order of derivatives that is checked; 0 means 2. Each order checks twice as many
	// functions as the one before: both modes over all that were checked there.
	Order int
	// Directions is the number of random directions by each value of the argument; 0 means 3.
	Directions int
	// Tolerance is how far differences may be from a derivative, as a part of it (of the sum of the absolute values
	// that it is the sum of), beside their rounding; 0 means 1e-6, and 1e-2 where a float32 takes part.
	Tolerance float64
	// Step is how far differences reach, as a part of each element of the argument (of 1 where it is 0); 0 means
	// 2⁻¹⁰, and 2⁻⁵ where a float32 takes part.
	Step float64
	// Seed chooses the directions.
	Seed uint64
}

// CheckGrads checks f's derivatives at x, a tree of arrays: along random directions, forward mode, reverse mode and
// central differences (Richardson's extrapolation of three) must agree, for each value of the argument by itself, and
// so must the derivatives of the derivatives, in both modes over both. The error names the value's place in the
// argument, the modes that led to the function that is derived wrongly, and the three numbers. Rules given to
// [Custom] are what it is for.
//
// f must be smooth around x, as far as Step reaches. Between forward and reverse mode 1e-9 is allowed, 5e-4 where a
// float32 takes part. Integers and bools are held constant.
func CheckGrads[P, R any](f func(P) R, x P, o ...CheckOptions) (err error) {
	defer failure(&err)
	var c checker
	if len(o) > 0 {
		c.CheckOptions = o[0]
	}
	if c.Order == 0 {
		c.Order = 2
	}
	if c.Directions == 0 {
		c.Directions = 3
	}
	if c.Order < 0 || c.Directions < 0 || !(c.Tolerance >= 0) || !(c.Step >= 0) {
		ir.Fail("CheckGrads", "%+v: a negative number", c.CheckOptions)
	}
	for _, v := range leaves(x) {
		if v.IsValid() {
			v.concrete("CheckGrads")
		}
	}
	c.r = rand.New(rand.NewPCG(c.Seed, 0x6368_6563_6b))
	return check(&c, f, x, c.Order, "", 0)
}

// runner is f as a program or, where it cannot be one, because it reads its values, recorded at each call.
func runner[A, R any](f func(A) R, example A) func(A) (R, error) {
	if p, err := Compile(f, example); err == nil {
		return func(a A) (R, error) { return p.Run(context.Background(), a) }
	}
	return func(a A) (y R, err error) {
		defer failure(&err)
		return recorded("CheckGrads", a, func(_ *ir.Graph, a A) R { return f(a) }), nil
	}
}

type checker struct {
	CheckOptions
	r *rand.Rand
}

// check checks f, which is made of the user's function by the modes of how. Where f is a derivative, scale is the size of
// what it is derived of, beside whose rounding it may be nothing.
func check[P, R any](c *checker, f func(P) R, x P, orders int, how string, scale float64) error {
	value := runner(f, x)
	y, err := value(x)
	if err != nil {
		return err
	}
	xs, ys := leaves(x), leaves(y)
	if !anyFloat(xs) || !anyFloat(ys) {
		return c.fail("a float is needed in the argument and in the result")
	}
	single := false
	for _, v := range append(append([]Value{}, xs...), ys...) {
		if v.IsValid() && v.a.t.IsHalf() {
			return c.fail("of %v: its numbers are too coarse for differences (check the function in float32)", v.a.t)
		}
		single = single || v.IsValid() && v.a.t == dtype.F32
	}
	near, tolerance, step, unit := 1e-9, 1e-6, 0x1p-10, 0x1p-53
	if single {
		near, tolerance, step, unit = 5e-4, 1e-2, 0x1p-5, 0x1p-24
	}
	if c.Tolerance > 0 {
		tolerance = c.Tolerance
	}
	if c.Step > 0 {
		step = c.Step
	}

	forward := runner(func(a [2]P) Tangents[R] { return JVP(f)(a[0], a[1]) }, [2]P{x, x})
	reverse := runner(func(a both[P, R]) Cotangents[P, R] { return VJP(f)(a.X, a.Y) }, both[P, R]{x, replaced(y, c.draw(ys, false))})
	paths, _ := formOf(reflect.ValueOf(&x).Elem())
	var v P // of the last direction: what derivatives of higher order are taken of
	var ct R
	for range c.Directions {
		ct = replaced(y, c.draw(ys, false))
		back, err := reverse(both[P, R]{x, ct})
		if err != nil {
			return err
		}
		all := c.draw(xs, true)
		v = replaced(x, all)
		for i, g := range leaves(back.Grad) {
			if !isFloat(xs[i]) {
				continue
			}
			only := make([]Value, len(xs))
			for k, u := range xs {
				switch {
				case k == i:
					only[k] = all[k]
				case u.IsValid():
					only[k] = DType{u.a.t}.Zeros(u.a.dims...)
				}
			}
			along, err := forward([2]P{x, replaced(x, only)})
			if err != nil {
				return err
			}
			// The derivative of Σ ct·f by value i along its direction, three times.
			fwd, sizeF := dot(leaves(ct), leaves(along.Tangent))
			rev, sizeR := dot([]Value{g}, all[i:i+1])
			var table [3]float64
			noise, own := 0.0, 0.0
			for k := range table {
				h := math.Ldexp(step, -k)
				var at [2]float64
				for side, sign := range []float64{-h, h} {
					moved := append([]Value{}, xs...)
					moved[i] = xs[i].moved(all[i], sign)
					y, err := value(replaced(x, moved))
					if err != nil {
						return err
					}
					var size float64
					at[side], size = dot(leaves(ct), leaves(y))
					own = max(own, size)
					noise = max(noise, unit*max(32*size, 1024*scale)/h)
				}
				table[k] = (at[1] - at[0]) / (2 * h)
			}
			for order, k := 4.0, 2; k > 0; order, k = 4*order, k-1 {
				for j := range k {
					table[j] = (order*table[j+1] - table[j]) / (order - 1)
				}
			}
			scale = max(scale, own)
			size := max(sizeF, sizeR)
			zero := max(math.Abs(fwd), math.Abs(rev)) <= 1024*unit*scale
			if d := math.Abs(fwd - rev); (zero || d <= near*size) && math.Abs(fwd-table[0]) <= tolerance*size+noise {
				continue
			}
			name := paths.at[i].name
			if name == "" {
				name = "the argument"
			}
			return c.fail("the derivative by %s%s is %.10g in forward mode, %.10g in reverse mode, %.10g by differences", name, how, fwd, rev, table[0])
		}
	}
	if orders <= 1 {
		return nil
	}
	grad := func(x P) P { return VJP(f)(x, ct).Grad }
	if err := check(c, grad, x, orders-1, " of the derivative in reverse mode"+how, scale/largest(xs)); err != nil {
		return err
	}
	return check(c, func(x P) R { return JVP(f)(x, v).Tangent }, x, orders-1, " of the derivative in forward mode"+how, scale)
}

func (c *checker) fail(format string, args ...any) error {
	return &Error{Op: "CheckGrads", Msg: fmt.Sprintf(format, args...), Pos: ir.UserLine()}
}

func isFloat(v Value) bool { return v.IsValid() && v.a.t.IsFloat() }

func anyFloat(xs []Value) bool {
	for _, v := range xs {
		if isFloat(v) && v.a.n > 0 {
			return true
		}
	}
	return false
}

// largest is the largest float's size, 1 at least.
func largest(xs []Value) float64 {
	m := 1.0
	for _, v := range xs {
		for i := 0; isFloat(v) && i < v.a.n; i++ {
			m = max(m, math.Abs(v.a.at(i)))
		}
	}
	return m
}

// draw gives random numbers for the floats among xs, of their sizes where they are to be added to them.
func (c *checker) draw(xs []Value, sized bool) []Value {
	res := make([]Value, len(xs))
	for k, v := range xs {
		if !isFloat(v) {
			continue
		}
		d := make([]float64, v.a.n)
		for i := range d {
			d[i] = 0.5 + c.r.Float64()
			if c.r.IntN(2) == 0 {
				d[i] = -d[i]
			}
			if x := math.Abs(v.a.at(i)); sized && x > 0 {
				d[i] *= x
			}
		}
		res[k] = v.holding(d)
	}
	return res
}

// moved is v + h·d, as exactly as v's type allows.
func (v Value) moved(d Value, h float64) Value {
	s := make([]float64, v.a.n)
	for i := range s {
		s[i] = v.a.at(i) + h*d.a.at(i)
	}
	return v.holding(s)
}

// holding is the numbers of s as an array like v.
func (v Value) holding(s []float64) Value {
	a := &array{t: dtype.F64, dims: v.a.dims, p: unsafe.Pointer(unsafe.SliceData(s)), n: v.a.n}
	return Value{a: a}.Convert(DType{v.a.t})
}

// dot is Σ x·y over trees' floats, in float64, and Σ |x·y|.
func dot(x, y []Value) (sum, size float64) {
	for k, v := range x {
		if !isFloat(v) || !isFloat(y[k]) {
			continue
		}
		for i := range v.a.n {
			p := v.a.at(i) * y[k].a.at(i)
			sum += p
			size += math.Abs(p)
		}
	}
	return sum, size
}
