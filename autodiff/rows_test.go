package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// call is a row as users call it, on the elements of x.
func call(t *testing.T, id ops.ID) func(x []ad.Value) ad.Value {
	switch id {
	case ops.MulZ, ops.GammaIncDA, ops.GammaIncDAA, ops.BetaIncDA, ops.BetaIncDAA, ops.BetaIncDAB:
		return nil // the derivatives' own
	case ops.Where:
		return func(x []ad.Value) ad.Value { return ad.Where(x[0].Gt(ad.Const(0.5)), x[1], x[2]) }
	case ops.Polygamma:
		return func(x []ad.Value) ad.Value { return x[1].Polygamma(1) }
	}
	m, ok := reflect.TypeFor[ad.Value]().MethodByName(ir.PublicName(id))
	if !ok {
		t.Fatalf("no method %s", ir.PublicName(id))
	}
	logic := id.Row().Class == ops.Logic
	return func(x []ad.Value) ad.Value {
		in := make([]reflect.Value, len(x))
		for i, v := range x {
			if logic {
				v = v.Gt(ad.Const(0.5))
			}
			in[i] = reflect.ValueOf(v)
		}
		return m.Func.Call(in)[0].Interface().(ad.Value)
	}
}

// Every row, in both float types and on every level: the value, both modes and the second derivative by
// each argument, from the row's own meaning.
func TestRows(t *testing.T) {
	const n = 67
	for id := range ops.Count {
		row := id.Row()
		f := call(t, id)
		if f == nil || row.Class == ops.Bitwise { // TestBitwise
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(id), 7))
			points := make([][]float64, row.Arity)
			for i := range points {
				for range n {
					d := row.Dom[i]
					points[i] = append(points[i], float64(float32(d.Lo+(d.Hi-d.Lo)*r.Float64())))
				}
			}
			bits := map[string][]byte{}
			for _, typ := range []ad.DType{ad.F32, ad.F64} {
				for _, level := range kernels.Levels() {
					bits[level.Name] = checkRow(t, row, f, typ, level.Name, points)
				}
				for name, b := range bits {
					if !bytes.Equal(b, bits["purego"]) {
						t.Errorf("%v: the bits of %s are not those of purego", typ, name)
					}
				}
			}
		})
	}
}

type rowResult struct {
	Y                        ad.Value
	Forward, Reverse, Second []ad.Value // by argument
}

func checkRow(t *testing.T, row *ops.Op, f func(x []ad.Value) ad.Value, typ ad.DType, level string, points [][]float64) (all []byte) {
	t.Helper()
	args := make([]ad.Value, len(points))
	for i, p := range points {
		args[i] = ad.From(p).Convert(typ)
	}
	derived := row.Class == ops.Float || row.Class == ops.Arith || row.Class == ops.Select
	p, err := ad.Compile(func(x []ad.Value) rowResult {
		res := rowResult{Y: f(x)}
		for i := range x {
			if !derived {
				break
			}
			by := func(v ad.Value) ad.Value {
				with := append([]ad.Value{}, x...)
				with[i] = v
				return f(with)
			}
			sum := func(v ad.Value) ad.Value { return by(v).Sum() }
			res.Forward = append(res.Forward, ad.JVP(by)(x[i], x[i].FullLike(1)).Tangent)
			res.Reverse = append(res.Reverse, ad.Grad(sum)(x[i]))
			res.Second = append(res.Second, ad.JVP(ad.Grad(sum))(x[i], x[i].FullLike(1)).Tangent)
		}
		return res
	}, args, ad.Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Run(context.Background(), args)
	if err != nil {
		t.Fatal(err)
	}
	tol, near := 1e-9, 1e-7 // of first derivatives, and of second ones, against differences
	if typ == ad.F32 {
		tol, near = 5e-4, 5e-4
	}
	check := func(what string, i int, got, want, tol float64) {
		t.Helper()
		if math.IsNaN(want) && math.IsNaN(got) { // a derivative that is not known
			return
		}
		if !(math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))) {
			t.Errorf("%v, %s, %s: element %d at %v is %v, not %v", typ, level, what, i, at(points, i), got, want)
		}
	}
	for i := range points[0] {
		x := at(points, i)
		want := row.Eval(x[0], x[1], x[2])
		if row.Class == ops.Logic || row.Class == ops.Select {
			if row.Class == ops.Logic {
				want = row.Eval(step(x[0]), step(x[1]), 0)
			} else {
				want = row.Eval(step(x[0]), x[1], x[2])
			}
		}
		check("value", i, res.Y.At(i), want, tol/4)
		for k := range res.Forward {
			first := partial(row, k, x)
			// Richardson's extrapolation of the row's own partial, of an error far below near.
			h := 1e-3
			diff := func(h float64) float64 {
				lo, hi := x, x
				lo[k] -= h
				hi[k] += h
				return (partial(row, k, hi) - partial(row, k, lo)) / (2 * h)
			}
			second := (4*diff(h/2) - diff(h)) / 3
			name := fmt.Sprintf("by argument %d", k)
			check("forward "+name, i, res.Forward[k].At(i), first, tol)
			check("reverse "+name, i, res.Reverse[k].At(i), first, tol)
			check("twice "+name, i, res.Second[k].At(i), second, near)
		}
	}
	for _, v := range ad.TreeLeaves(res) {
		all = append(all, raw(v)...)
	}
	return all
}

func step(x float64) float64 {
	if x > 0.5 {
		return 1
	}
	return 0
}

func at(points [][]float64, i int) (x [3]float64) {
	for k := range points {
		x[k] = points[k][i]
	}
	return x
}

// partial is the row's derivative by argument k.
func partial(row *ops.Op, k int, x [3]float64) float64 {
	e := row.Partial(k)
	if row.Class == ops.Select {
		x[0] = step(x[0])
	}
	if e == nil {
		return 0
	}
	return e.Eval(x, row.Eval(x[0], x[1], x[2]))
}

// raw is an array's bytes.
func raw(v ad.Value) []byte {
	bytesOf := func(p unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(p), n) }
	switch v.DType() {
	case ad.F32:
		s := ad.Data[float32](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 4*len(s))
	case ad.F64:
		s := ad.Data[float64](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 8*len(s))
	case ad.I32:
		s := ad.Data[int32](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 4*len(s))
	case ad.I64:
		s := ad.Data[int64](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 8*len(s))
	case ad.BF16:
		s := ad.Data[ad.BFloat16](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 2*len(s))
	case ad.F16:
		s := ad.Data[ad.Float16](v)
		return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), 2*len(s))
	}
	s := ad.Data[bool](v)
	return bytesOf(unsafe.Pointer(unsafe.SliceData(s)), len(s))
}
