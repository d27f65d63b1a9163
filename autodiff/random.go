package autodiff

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Key is where random numbers come from: they are a function of a key and of their place in the array, and of
// nothing else. The same key gives the same numbers again, on every level, with any number of threads, eager
// or compiled, and row i of a batch gets its numbers whatever the size of the batch. A key is therefore used
// once: [Key.Split] and [Key.FoldIn] make others of it. Data, int32 of shape [2], is part of trees like any
// other Value: keys are arguments of programs and carried by a [Scan]; [Key.Keys] are many, for [Vmap].
//
// The numbers are those of Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", 2011), keys, splits, bits and uniforms the very ones of jax.random (threefry2x32, partitionable:
// its default) for the same seed; what goes through a logarithm or erfinv agrees up to its roundings.
//
// A sample is a constant to derivatives; those by the parameters of a distribution flow through the arithmetic
// that it is made with: mean.Add(std.Mul(k.NormalLike(mean))). Methods whose name ends in Like take the type
// and the shape of a value, for shapes that depend on the batch.
type Key struct{ Data Value }

// NewKey is the key of a seed.
func NewKey(seed uint64) Key {
	return Key{From([]int32{int32(seed >> 32), int32(seed)})}
}

// words are the key's halves, of shape [].
func words(op string, g *ir.Graph, key *ir.Node) (k0, k1 *ir.Node) {
	if key.Type != dtype.I32 || key.Rank() != 1 || !key.Shape[0].Is(2) {
		ir.Fail(op, "%v of %v: a key is int32 of shape [2] (Vmap goes over many)", key.Shape, key.Type)
	}
	half := func(i int) *ir.Node { return g.Reshape(g.Narrow(key, 0, ir.D(i), ir.D(1)), nil) }
	return half(0), half(1)
}

// threefry enciphers the counters (0, x), x of any shape.
func threefry(op string, g *ir.Graph, key, x *ir.Node) (y0, y1 *ir.Node) {
	k0, k1 := words(op, g, key)
	return encipher(g, k0, k1, nil, x)
}

// encipher is the counters (w, x), w being 0 where it is nil, by a key's words, which may be arrays, too: a key for each element.
func encipher(g *ir.Graph, k0, k1, w, x *ir.Node) (y0, y1 *ir.Node) {
	number := func(n int32) *ir.Node { return g.Bits(dtype.I32, nil, uint64(uint32(n))) }
	parity := g.Map(ops.BitXor, g.Apply(ops.BitXor, k0, k1), number(0x1BD11BDA))
	ks := [3]*ir.Node{k0, k1, parity}
	add := func(x, y *ir.Node) *ir.Node { return g.Map(ops.Add, x, y) }
	rotations := [2][4]int32{{13, 15, 26, 6}, {17, 29, 16, 24}}
	x0, x1 := k0, add(x, k1)
	if w != nil {
		x0 = add(w, k0)
	}
	for group := range 5 {
		for _, r := range rotations[group%2] {
			x0 = add(x0, x1)
			turned := g.Apply(ops.BitOr, g.Map(ops.Shl, x1, number(r)), g.Map(ops.Shr, x1, number(32-r)))
			x1 = g.Apply(ops.BitXor, turned, x0)
		}
		x0 = add(x0, ks[(group+1)%3])
		x1 = add(x1, add(ks[(group+2)%3], number(int32(group+1))))
	}
	return x0, x1
}

// counters number the elements of an array of shape s, row by row.
func counters(op string, g *ir.Graph, s ir.Shape) *ir.Node {
	n, ok := s.Size()
	switch {
	case !ok:
		ir.Fail(op, "%v: the number of elements is a product of two sizes that depend on the batch", s)
	case int64(n.C) > 1<<31:
		ir.Fail(op, "%v: more than 2³¹ random numbers of a key", s)
	}
	return g.Reshape(g.Iota(dtype.I32, ir.Shape{n}, 0), s)
}

// sampler makes an array of type t and shape s of a key.
type sampler func(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node

func (k Key) sample(op string, f sampler, t DType, dims []int) Value {
	checkDims(op, dims)
	if k.Data.n == nil && slices.Contains(dims, AnyBatch) {
		ir.Fail(op, "%v: the key is no part of a recording, so the batch is not known (use %sLike)", dims, op)
	}
	return one(op, k.Data, func(g *ir.Graph, key *ir.Node) *ir.Node {
		return f(op, g, key, t.t, (&array{dims: dims}).shape())
	})
}

func (k Key) sampleLike(op string, f sampler, x Value) Value {
	return applyTyped(op, recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return f(op, g, in[0], in[1].Type, in[1].Shape)
	}, []Value{x}, []Value{k.Data, x})
}

// Split makes n keys of k, whose numbers have nothing to do with one another's or with k's own.
func (k Key) Split(n int) []Key {
	if n < 0 {
		ir.Fail("Split", "into %d keys", n)
	}
	return recorded("Split", k, func(g *ir.Graph, k Key) []Key {
		all := k.Keys(n).Data
		keys := make([]Key, n)
		for i := range keys {
			keys[i].Data = all.Index(i)
		}
		return keys
	})
}

// Keys is [Key.Split] with the keys along a leading axis: n of them, to be mapped or scanned over.
func (k Key) Keys(n int) Key {
	if n < 0 {
		ir.Fail("Keys", "%d keys", n)
	}
	return Key{k.sample("Keys", pairs, I32, []int{n})}
}

// KeysLike is [Key.Keys], one for each slice of x along its first axis.
func (k Key) KeysLike(x Value) Key {
	return Key{applyTyped("Keys", recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		if in[1].Rank() == 0 {
			ir.Fail("KeysLike", "%v: an axis is needed", in[1].Shape)
		}
		return pairs("KeysLike", g, in[0], dtype.I32, in[1].Shape[:1])
	}, []Value{x}, []Value{k.Data, x})}
}

// pairs are keys of shape s, followed by the two words.
func pairs(op string, g *ir.Graph, key *ir.Node, _ dtype.Type, s ir.Shape) *ir.Node {
	y0, y1 := threefry(op, g, key, counters(op, g, s))
	return g.Stack(len(s), y0, y1)
}

// FoldIn is a key made of k and an integer of shape [], of which 32 bits count: the number of a step, of a
// layer.
func (k Key) FoldIn(i Value) Key {
	return Key{apply("FoldIn", func(g *ir.Graph, in []*ir.Node) *ir.Node {
		if !in[1].Type.IsInt() || in[1].Rank() != 0 {
			ir.Fail("FoldIn", "%v of %v: an integer of shape [] is needed", in[1].Shape, in[1].Type)
		}
		y0, y1 := threefry("FoldIn", g, in[0], g.Convert(in[1], dtype.I32))
		return g.Stack(0, y0, y1)
	}, k.Data, i)}
}

// Bits is random bits: all of an int32's or int64's.
func (k Key) Bits(t DType, dims ...int) Value { return k.sample("Bits", bits, t, dims) }

// BitsLike is [Key.Bits] of x's type and shape.
func (k Key) BitsLike(x Value) Value { return k.sampleLike("Bits", bits, x) }

func bits(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	y0, y1 := threefry(op, g, key, counters(op, g, s))
	switch t {
	case dtype.I32:
		return g.Apply(ops.BitXor, y0, y1)
	case dtype.I64:
		number := func(n int64) *ir.Node { return g.Bits(dtype.I64, nil, uint64(n)) }
		hi, lo := g.Convert(y0, dtype.I64), g.Convert(y1, dtype.I64)
		return g.Apply(ops.BitOr, g.Map(ops.Shl, hi, number(32)), g.Map(ops.BitAnd, lo, number(1<<32-1)))
	}
	ir.Fail(op, "of %v: int32 or int64 is needed", t)
	return nil
}

// Uniform is numbers of [0, 1): multiples of 2⁻²³ of type F32, of 2⁻⁵² of F64.
func (k Key) Uniform(t DType, dims ...int) Value { return k.sample("Uniform", uniform, t, dims) }

// UniformLike is [Key.Uniform] of x's type and shape.
func (k Key) UniformLike(x Value) Value { return k.sampleLike("Uniform", uniform, x) }

func uniform(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	y0, y1 := threefry(op, g, key, counters(op, g, s))
	return fraction(op, g, t, y0, y1)
}

// fraction is the number of [0, 1) that two random words make.
func fraction(op string, g *ir.Graph, t dtype.Type, y0, y1 *ir.Node) *ir.Node {
	scaled := func(n *ir.Node, exp int) *ir.Node {
		return g.Map(ops.Mul, g.Convert(n, t), g.Const(t, nil, math.Ldexp(1, exp)))
	}
	number := func(n float64) *ir.Node { return g.Const(dtype.I32, nil, n) }
	switch t {
	case dtype.F32:
		return scaled(g.Map(ops.Shr, g.Apply(ops.BitXor, y0, y1), number(9)), -23)
	case dtype.F64:
		// The upper 52 of 64 bits, 26 and 26.
		low := g.Apply(ops.BitOr, g.Map(ops.Shl, g.Map(ops.BitAnd, y0, number(63)), number(20)), g.Map(ops.Shr, y1, number(12)))
		return g.Apply(ops.Add, scaled(g.Map(ops.Shr, y0, number(6)), -26), scaled(low, -52))
	}
	ir.Fail(op, "of %v: float32 or float64 is needed", t)
	return nil
}

// between is numbers of [lo, hi) that u, uniform on [0, 1), makes.
func between(g *ir.Graph, u *ir.Node, lo, hi float64) *ir.Node {
	number := func(x float64) *ir.Node { return g.Const(u.Type, nil, x) }
	scaled := g.Map(ops.Mul, u, g.Apply(ops.Sub, number(hi), number(lo)))
	return g.Map(ops.Max, number(lo), g.Map(ops.Add, scaled, number(lo)))
}

// above is the least number of type t greater than x, for x = -1 and 0: of normal ones.
func above(t dtype.Type, x float64) float64 {
	switch {
	case x == 0 && t == dtype.F32:
		return 0x1p-126
	case x == 0:
		return 0x1p-1022
	case t == dtype.F32:
		return x + 0x1p-24
	}
	return x + 0x1p-53
}

// Normal is numbers of the standard normal distribution: √2·erfinv(u), u uniform on (-1, 1).
func (k Key) Normal(t DType, dims ...int) Value { return k.sample("Normal", normal, t, dims) }

// NormalLike is [Key.Normal] of x's type and shape.
func (k Key) NormalLike(x Value) Value { return k.sampleLike("Normal", normal, x) }

func normal(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	return bell(g, uniform(op, g, key, t, s))
}

// bell is the standard normal number that u, uniform on [0, 1), makes.
func bell(g *ir.Graph, u *ir.Node) *ir.Node {
	y := g.Apply(ops.Erfinv, between(g, u, above(u.Type, -1), 1))
	return g.Map(ops.Mul, y, g.Const(u.Type, nil, math.Sqrt2))
}

// Exponential is numbers of the exponential distribution of mean 1: -log(1 - u).
func (k Key) Exponential(t DType, dims ...int) Value {
	return k.sample("Exponential", exponential, t, dims)
}

// ExponentialLike is [Key.Exponential] of x's type and shape.
func (k Key) ExponentialLike(x Value) Value { return k.sampleLike("Exponential", exponential, x) }

func exponential(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	return g.Apply(ops.Neg, g.Apply(ops.Log1p, g.Apply(ops.Neg, uniform(op, g, key, t, s))))
}

// Gumbel is numbers of the standard Gumbel distribution: -log(-log u).
func (k Key) Gumbel(t DType, dims ...int) Value { return k.sample("Gumbel", gumbel, t, dims) }

// GumbelLike is [Key.Gumbel] of x's type and shape.
func (k Key) GumbelLike(x Value) Value { return k.sampleLike("Gumbel", gumbel, x) }

func gumbel(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	minusLog := func(x *ir.Node) *ir.Node { return g.Apply(ops.Neg, g.Apply(ops.Log, x)) }
	return minusLog(minusLog(between(g, uniform(op, g, key, t, s), above(t, 0), 1)))
}

// Laplace is numbers of the Laplace distribution of mean 0 and scale 1.
func (k Key) Laplace(t DType, dims ...int) Value { return k.sample("Laplace", laplace, t, dims) }

// LaplaceLike is [Key.Laplace] of x's type and shape.
func (k Key) LaplaceLike(x Value) Value { return k.sampleLike("Laplace", laplace, x) }

func laplace(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	u := between(g, uniform(op, g, key, t, s), above(t, -1), 1)
	return g.Apply(ops.Mul, g.Apply(ops.Sign, u), g.Apply(ops.Log1p, g.Apply(ops.Neg, g.Apply(ops.Abs, u))))
}

// Intn is integers of 0 … n-1, of type I32 or I64: ⌊u·n⌋, u a uniform float64. n is at most 2⁵² (2³¹ of
// I32); the probabilities differ from 1/n by 2⁻⁵² at most.
func (k Key) Intn(n int, t DType, dims ...int) Value {
	most := int64(1 << 52)
	if t == I32 {
		most = 1 << 31
	}
	if n < 1 || int64(n) > most || !t.t.IsInt() {
		ir.Fail("Intn", "%d of %v: 1 … %d of int32 or int64 is needed", n, t, most)
	}
	return k.sample("Intn", func(op string, g *ir.Graph, key *ir.Node, _ dtype.Type, s ir.Shape) *ir.Node {
		return g.Convert(g.Map(ops.Mul, uniform(op, g, key, dtype.F64, s), g.Const(dtype.F64, nil, float64(n))), t.t)
	}, F64, dims)
}

// Bernoulli is bools of p's shape, each true with the probability that p, floats, gives it. One probability
// for all elements of x is x.FullLike(0.3).
func (k Key) Bernoulli(p Value) Value { return k.UniformLike(p).Lt(p) }

// Categorical is an index (int64) along axis for every other place of logits, drawn with the probabilities
// softmax(logits): where logits plus Gumbel numbers is largest. More draws of one distribution are those of
// logits broadcast.
func (k Key) Categorical(logits Value, axis int) Value {
	return logits.Add(k.GumbelLike(logits)).ArgMax(axis)
}

// Permutation is the numbers 0 … n-1, int64, in a random order: that of 64 random bits each, more than 65536 of them, which GPUs leave to
// the CPU, shuffled.
func (k Key) Permutation(n int) Value {
	if n <= shuffled || n > math.MaxUint32 {
		return k.Bits(I64, n).ArgSort(0)
	}
	return matrixOp("Permutation", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Call(ir.Shuffle, 0, pos, in[0]) }, k.Bits(I64, n))
}

// shuffled is the number of those that are sorted at most.
const shuffled = 1 << 16

// Shuffle is x's slices along axis in a random order, the same for all of what they hold.
func (k Key) Shuffle(x Value, axis int) Value {
	if n := x.Dim(axis); n != AnyBatch {
		return x.Take(k.Permutation(n), axis)
	}
	one := make([]Range, x.Rank())
	for a := range one {
		one[a].Hi = 1
	}
	if axis < 0 {
		axis += len(one)
	}
	one[axis].Hi = 0
	line := x.Slice(one...).Flatten()
	return x.Take(k.BitsLike(line.FullLike(0).Convert(I64)).ArgSort(0), axis)
}

// Dropout is x with each element kept with probability 1 - rate and divided by it, and 0 else; the derivative
// passes through what is kept.
func (k Key) Dropout(x Value, rate float64) Value {
	if !(rate >= 0 && rate <= 1) {
		ir.Fail("Dropout", "rate %v is not of 0 … 1", rate)
	}
	if rate == 0 {
		return x
	}
	if rate == 1 {
		return x.FullLike(0)
	}
	return Where(k.Bernoulli(x.FullLike(1-rate)), x.Scale(1/(1-rate)), x.FullLike(0))
}
