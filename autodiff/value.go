package autodiff

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/memory"
)

// DType is the type of an array's elements.
type DType struct{ t dtype.Type }

// The element types. Those of a Bool are Go's bool, those of a BF16 are [BFloat16]s, those of an F16 [Float16]s.
var (
	F32  = DType{dtype.F32}
	F64  = DType{dtype.F64}
	I32  = DType{dtype.I32}
	I64  = DType{dtype.I64}
	Bool = DType{dtype.Bool}
	BF16 = DType{dtype.BF16} // see [BFloat16]
	F16  = DType{dtype.F16}  // see [Float16]
)

// String returns Go's name of the type: "float32".
func (t DType) String() string { return t.t.String() }

// Element is a Go type that arrays hold.
type Element interface {
	~float32 | ~float64 | ~int32 | ~int64 | ~bool | BFloat16 | Float16
}

func elementType[T Element]() dtype.Type {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Float32:
		return dtype.F32
	case reflect.Float64:
		return dtype.F64
	case reflect.Int32:
		return dtype.I32
	case reflect.Int64:
		return dtype.I64
	case reflect.Uint16:
		if reflect.TypeFor[T]() == reflect.TypeFor[Float16]() {
			return dtype.F16
		}
		return dtype.BF16
	}
	return dtype.Bool
}

// Value is an array of numbers: one that a function under recording computes, one that holds its
// elements, the mere type and shape of one ([DType.Spec]), or a bare number ([Const]). The zero Value is
// none of these, "no value". Values are small and meant to be copied; a copy shares the elements.
type Value struct {
	n *ir.Node
	a *array
	// cut marks a derivative that is zero because nothing leads from the function's result to its
	// argument.
	cut bool
}

// array is a concrete array, a spec (p is nil) or a number (weak).
type array struct {
	t    dtype.Type
	weak bool
	kind uint64 // of t and dims, where it is known
	dims []int  // AnyBatch only in specs
	p    unsafe.Pointer
	n    int
	num  float64
	home residence
}

// kindOf is a word that arrays of one type and shape have in common, and no others; 0 where a word does not hold it.
func kindOf(t dtype.Type, dims []int) uint64 {
	const bits = 19
	if len(dims) > 3 {
		return 0
	}
	k := uint64(1)<<6 | uint64(t)<<2 | uint64(len(dims))
	for _, d := range dims {
		if d>>bits != 0 {
			return 0
		}
		k = k<<bits | uint64(d)
	}
	return k
}

// From makes an array of shape dims, none meaning one axis, of data, row by row. It shares data: who
// changes it changes the Value. Many megabytes are read faster where DType.Zeros made them, which asks Linux for huge
// pages; Data is their slice.
func From[T Element](data []T, dims ...int) Value {
	if data == nil {
		data = []T{} // no elements, unlike a Spec, which has none yet
	}
	if len(dims) == 0 {
		dims = []int{len(data)}
	}
	n := 1
	for _, d := range dims {
		if d < 0 {
			ir.Fail("From", "%v: a negative size", dims)
		}
		n *= d
	}
	if n != len(data) {
		ir.Fail("From", "%v: the shape has %d elements, the slice %d", dims, n, len(data))
	}
	t := elementType[T]()
	a := &array{t: t, kind: kindOf(t, dims), dims: slices.Clone(dims), p: unsafe.Pointer(unsafe.SliceData(data)), n: n}
	a.home.held.Store(true)
	return Value{a: a}
}

// Scalar is the array of shape [] that holds a copy of x.
func Scalar[T Element](x T) Value {
	t := elementType[T]()
	return Value{a: &array{t: t, kind: kindOf(t, nil), p: unsafe.Pointer(&x), n: 1}}
}

// ScalarAt is the array of shape [] whose element is *x: who changes one changes the other.
func ScalarAt[T Element](x *T) Value {
	t := elementType[T]()
	a := &array{t: t, kind: kindOf(t, nil), p: unsafe.Pointer(x), n: 1}
	a.home.held.Store(true)
	return Value{a: a}
}

// Const is the bare number x: it takes the type of what it meets in an operation, and is a float64 where
// it meets only its like.
func Const(x float64) Value {
	return Value{a: &array{t: dtype.F64, weak: true, num: x, p: unsafe.Pointer(&x), n: 1}}
}

// Spec is the type and shape of an argument that [Compile] is not given yet. Sizes may be [AnyBatch]: all
// such axes have one size, which each run brings along.
func (t DType) Spec(dims ...int) Value {
	checkDims("Spec", dims)
	return Value{a: &array{t: t.t, dims: slices.Clone(dims)}}
}

func checkDims(op string, dims []int) {
	for _, d := range dims {
		if d < AnyBatch {
			ir.Fail(op, "%v: a negative size", dims)
		}
	}
}

// Zeros makes an array of zeros.
func (t DType) Zeros(dims ...int) Value { return t.Full(0, dims...) }

// Ones makes an array of ones.
func (t DType) Ones(dims ...int) Value { return t.Full(1, dims...) }

// Full makes an array of the number x.
func (t DType) Full(x float64, dims ...int) Value {
	for _, d := range dims {
		if d < 0 {
			ir.Fail("Full", "%v: a negative size (inside a function, FullLike follows another value's shape)", dims)
		}
	}
	a := newArray(t.t, dims)
	if bits := ir.FloatBits(t.t, x); bits != 0 {
		a.set(bits)
	}
	return Value{a: a}
}

// set makes all elements those bits.
func (a *array) set(bits uint64) {
	switch a.t.Size() {
	case 1:
		fill(a, uint8(bits))
	case 2:
		fill(a, uint16(bits))
	case 4:
		fill(a, uint32(bits))
	case 8:
		fill(a, bits)
	}
}

func fill[T uint8 | uint16 | uint32 | uint64](a *array, bits T) {
	s := unsafe.Slice((*T)(a.p), a.n)
	for i := range s {
		s[i] = bits
	}
}

// newArray makes zeros, aligned to 64 bytes.
func newArray(t dtype.Type, dims []int) *array {
	ir.Static(dims...).Check("array")
	return alike(t, slices.Clone(dims))
}

// alike is newArray of sizes that somebody else has, too.
func alike(t dtype.Type, dims []int) *array {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return &array{t: t, kind: kindOf(t, dims), dims: dims, p: memory.Make(n * t.Size()), n: n}
}

// IsValid reports whether v is a value at all.
func (v Value) IsValid() bool { return v.n != nil || v.a != nil }

// Connected reports whether v is more than a zero that a derivative gives an argument which the
// function's result does not depend on, or depends on through integers or [Value.StopGradient] only. It is
// true of all other values.
func (v Value) Connected() bool { return !v.cut }

// DType returns the type of the elements.
func (v Value) DType() DType {
	switch {
	case v.n != nil:
		return DType{v.n.Type}
	case v.a != nil:
		return DType{v.a.t}
	}
	return DType{}
}

// Shape returns the sizes of the axes; AnyBatch stands for one that depends on the batch.
func (v Value) Shape() []int {
	if v.n == nil {
		if v.a == nil {
			return nil
		}
		return slices.Clone(v.a.dims)
	}
	dims := make([]int, v.n.Rank())
	for i, d := range v.n.Shape {
		if dims[i] = d.C; !d.Static() {
			dims[i] = AnyBatch
		}
	}
	return dims
}

// Rank returns the number of axes.
func (v Value) Rank() int { return len(v.Shape()) }

// Dim returns the size of an axis, counted from the end where negative; AnyBatch where it depends on the
// batch.
func (v Value) Dim(axis int) int {
	s := v.Shape()
	a := axis
	if a < 0 {
		a += len(s)
	}
	if a < 0 || a >= len(s) {
		ir.Fail("Dim", "%v: axis %d is not in %d … %d", s, axis, -len(s), len(s)-1)
	}
	return s[a]
}

// concrete is v's array, for reading: of a recorded value the one that it has for the arguments at hand.
func (v Value) concrete(op string) *array {
	switch {
	case v.n != nil:
		return read(op, v.n)
	case v.a == nil:
		ir.Fail(op, "of no value")
	case v.a.p == nil:
		ir.Fail(op, "%v: a Spec has no elements", v.a.dims)
	}
	return v.a.fetched()
}

// Item returns the single element of v as a float64; a bool is 0 or 1.
//
// Item, At, Data, Float64s and Clone also read values of a function that a transform records on arrays: these are
// computed then, of the arrays, and Go's if, for and recursion may depend on them. Derivatives are those of the path
// that was taken; what is read is a number, of which they know nothing. A function that [Compile] records, for
// arguments to come, cannot be read, nor can what [Vmap] and loops record once for all elements or steps.
func (v Value) Item() float64 {
	a := v.concrete("Item")
	if a.n != 1 {
		ir.Fail("Item", "%v: %d elements, not one", a.dims, a.n)
	}
	return a.at(0)
}

// At returns one element, named by its index along each axis.
func (v Value) At(index ...int) float64 {
	a := v.concrete("At")
	if len(index) != len(a.dims) {
		ir.Fail("At", "%v: %d indices are needed, not %d", a.dims, len(a.dims), len(index))
	}
	i := 0
	for k, d := range a.dims {
		if index[k] < 0 || index[k] >= d {
			ir.Fail("At", "%v: index %v is out of range", a.dims, index)
		}
		i = i*d + index[k]
	}
	return a.at(i)
}

func (a *array) at(i int) float64 {
	a.fetched()
	switch p := unsafe.Add(a.p, i*a.t.Size()); a.t {
	case dtype.F32:
		return float64(*(*float32)(p))
	case dtype.F64:
		return *(*float64)(p)
	case dtype.I32:
		return float64(*(*int32)(p))
	case dtype.I64:
		return float64(*(*int64)(p))
	case dtype.BF16, dtype.F16:
		return float64(dtype.HalfFloat(a.t, *(*uint16)(p)))
	default:
		return float64(*(*uint8)(p))
	}
}

// Data returns v's elements, row by row: the memory itself, not a copy, but of a value under recording. T must
// be v's element type.
func Data[T Element](v Value) []T {
	a := v.concrete("Data")
	if t := elementType[T](); t != a.t {
		ir.Fail("Data", "%v: the elements are %v, not %v (use Convert)", a.dims, a.t, t)
	}
	data := unsafe.Slice((*T)(a.p), a.n)
	if v.n != nil {
		return slices.Clone(data)
	}
	if err := a.hold(); err != nil {
		panic(&Error{Op: "Data", Msg: err.Error()})
	}
	return data
}

// Float64s returns a copy of v's elements as float64, row by row.
func (v Value) Float64s() []float64 {
	a := v.concrete("Float64s")
	s := make([]float64, a.n)
	for i := range s {
		s[i] = a.at(i)
	}
	return s
}

// Clone returns a copy of an array that shares no memory with it.
func (v Value) Clone() Value {
	a := v.concrete("Clone")
	c := newArray(a.t, a.dims)
	copy(c.bytes(), a.bytes())
	return Value{a: c, cut: v.cut}
}

func (a *array) bytes() []byte { return unsafe.Slice((*byte)(a.fetched().p), a.n*a.t.Size()) }

// String prints type, shape and, of an array, its first elements.
func (v Value) String() string {
	switch {
	case v.n != nil:
		return fmt.Sprintf("%v%v", v.n.Type, v.n.Shape)
	case v.a == nil:
		return "no value"
	case v.a.weak:
		return fmt.Sprint(v.a.num)
	case v.a.p == nil:
		return fmt.Sprintf("%v%v", v.a.t, v.a.shape())
	}
	const most = 8
	s := fmt.Sprintf("%v%v", v.a.t, v.a.shape())
	for i := range min(v.a.n, most) {
		s += fmt.Sprintf(" %.6g", v.a.at(i))
	}
	if v.a.n > most {
		s += " …"
	}
	return s
}

// shape is the array's or spec's shape for a graph.
func (a *array) shape() ir.Shape {
	s := make(ir.Shape, len(a.dims))
	for i, d := range a.dims {
		if s[i] = ir.D(d); d == AnyBatch {
			s[i] = ir.Batch
		}
	}
	return s
}

// node is v as a node of g: an array is captured, its elements copied. A bare number becomes one of type
// t, if that is not Invalid.
func (v Value) node(g *ir.Graph, op string, t dtype.Type) *ir.Node {
	switch {
	case v.n != nil:
		return v.n
	case v.a == nil:
		ir.Fail(op, "of no value")
	case v.a.weak:
		if t == dtype.Invalid {
			t = dtype.F64
		}
		if t.IsInt() && v.a.num != math.Trunc(v.a.num) || t == dtype.Bool {
			ir.Fail(op, "the number %v does not fit %v", v.a.num, t)
		}
		return g.Const(t, nil, v.a.num)
	case v.a.p == nil:
		ir.Fail(op, "%v: a Spec has no elements: it stands for an argument of Compile", v.a.dims)
	case len(v.a.dims) == 0:
		return g.Bits(v.a.t, nil, v.a.bits())
	}
	b := newArray(v.a.t, v.a.dims)
	copy(b.bytes(), v.a.bytes())
	return g.Captured(v.a.t, v.a.shape(), &ir.Array{Bytes: b.bytes()})
}

// bits is the only element's bits.
func (a *array) bits() uint64 {
	a.fetched()
	switch a.t.Size() {
	case 1:
		return uint64(*(*uint8)(a.p))
	case 2:
		return uint64(*(*uint16)(a.p))
	case 4:
		return uint64(*(*uint32)(a.p))
	}
	return *(*uint64)(a.p)
}
