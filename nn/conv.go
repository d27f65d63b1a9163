package nn

import (
	"math"
	"math/rand/v2"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Conv is a convolution with a bias: W is [size… channels/groups filters], B is [filters].
type Conv struct {
	W, B ad.Value
	ad.ConvOptions
}

// NewConv draws float32 filters of the given size, 1 to 3 numbers, for a layer that a [ad.Value.ReLU] follows, as
// [NewLinear] does. in and out are channels.
func NewConv(r *rand.Rand, in, out int, o ad.ConvOptions, size ...int) Conv {
	dims := append(append([]int{}, size...), in/max(1, o.Groups), out)
	return Conv{normal(r, fan(dims), dims), ad.F32.Zeros(out), o}
}

// Apply takes x [… spatial… channels] to [… spatial… filters].
func (c Conv) Apply(x ad.Value) ad.Value { return x.Conv(c.W, c.ConvOptions).Add(c.B) }

// ConvTranspose is the transpose of a convolution with a bias: W is [size… filters/groups channels], B is [filters].
type ConvTranspose struct {
	W, B ad.Value
	ad.ConvOptions
}

// NewConvTranspose is [NewConv] for a layer from in channels to out.
func NewConvTranspose(r *rand.Rand, in, out int, o ad.ConvOptions, size ...int) ConvTranspose {
	dims := append(append([]int{}, size...), out/max(1, o.Groups), in)
	each := in / max(1, o.Groups)
	for _, s := range size {
		each *= s
	}
	return ConvTranspose{normal(r, each, dims), ad.F32.Zeros(out), o}
}

// Apply takes x [… spatial… channels] to [… spatial… filters].
func (c ConvTranspose) Apply(x ad.Value) ad.Value {
	return x.ConvTranspose(c.W, c.ConvOptions).Add(c.B)
}

// fan is the number of elements that a filter of those sizes sums.
func fan(dims []int) int {
	n := 1
	for _, d := range dims[:len(dims)-1] {
		n *= d
	}
	return n
}

func normal(r *rand.Rand, in int, dims []int) ad.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	w := make([]float32, n)
	deviation := math.Sqrt(2 / float64(in))
	for i := range w {
		w[i] = float32(r.NormFloat64() * deviation)
	}
	return ad.From(w, dims...).Clone() // whose memory nobody holds: it may stay on a device
}

// MaxPool is a window of the given size that keeps its largest element.
type MaxPool struct {
	Size []int
	ad.PoolOptions
}

// Apply takes x [… spatial… channels] to fewer places.
func (p MaxPool) Apply(x ad.Value) ad.Value { return x.MaxPool(p.PoolOptions, p.Size...) }

// AvgPool is a window of the given size that keeps its mean.
type AvgPool struct {
	Size []int
	ad.PoolOptions
}

// Apply takes x [… spatial… channels] to fewer places.
func (p AvgPool) Apply(x ad.Value) ad.Value { return x.AvgPool(p.PoolOptions, p.Size...) }

// Upsample makes the spatial axes of the given sizes.
type Upsample struct {
	Method ad.ResizeMethod
	Sizes  []int
}

// Apply takes x [… spatial… channels] to the sizes.
func (u Upsample) Apply(x ad.Value) ad.Value { return x.Resize(u.Method, u.Sizes...) }
