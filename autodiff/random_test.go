package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/kernels"
)

// The gradient flows through a sample to the parameters of its distribution.
func ExampleKey() {
	type Params struct{ Mean, Std ad.Value }
	// E[x²] of a normal x is mean² + std².
	second := func(p Params, k ad.Key) ad.Value {
		noise := k.Normal(ad.F64, 100_000)
		return p.Mean.Add(p.Std.Mul(noise)).Square().Mean()
	}
	r := ad.ValueAndGrad2(second)(Params{ad.Scalar(3.0), ad.Scalar(2.0)}, ad.NewKey(1))
	fmt.Printf("%.1f, by the mean %.1f, by the standard deviation %.1f\n", r.Value.Item(), r.Grad.Mean.Item(), r.Grad.Std.Item())
	// Output: 13.0, by the mean 6.0, by the standard deviation 4.0
}

// A program of any batch takes the key as an argument; a key for each step of a loop is folded from it.
func ExampleKey_Dropout() {
	type In struct {
		X   ad.Value
		Key ad.Key
	}
	p, err := ad.Compile(func(in In) ad.Value { return in.Key.Dropout(in.X, 0.5) }, In{ad.F32.Spec(ad.AnyBatch, 4), ad.NewKey(0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	k := ad.NewKey(7)
	for i := range 2 {
		y, err := p.Run(context.Background(), In{ad.F32.Ones(2, 4), k.FoldIn(ad.Scalar(int32(i)))})
		fmt.Println(y, err)
	}
	// Output:
	// float32[2 4] 0 0 2 2 0 2 2 2 <nil>
	// float32[2 4] 0 0 2 2 2 0 0 0 <nil>
}

// threefry is Threefry-2x32 with 20 rounds as its authors write it, one round after the other.
func threefry(k, c [2]uint32) [2]uint32 {
	ks := [3]uint32{k[0], k[1], k[0] ^ k[1] ^ 0x1BD11BDA}
	x := [2]uint32{c[0] + ks[0], c[1] + ks[1]}
	for i, r := range []int{13, 15, 26, 6, 17, 29, 16, 24, 13, 15, 26, 6, 17, 29, 16, 24, 13, 15, 26, 6} {
		x[0] += x[1]
		x[1] = bits.RotateLeft32(x[1], r) ^ x[0]
		if i%4 == 3 {
			n := uint32(i/4 + 1)
			x[0] += ks[n%3]
			x[1] += ks[(n+1)%3] + n
		}
	}
	return x
}

func uint32s(v ad.Value) []uint32 {
	var us []uint32
	for _, x := range ad.Data[int32](v) {
		us = append(us, uint32(x))
	}
	return us
}

func TestThreefry(t *testing.T) {
	// The known answers that come with Random123.
	const ones = 0xffffffff
	for _, c := range []struct{ key, counter, want [2]uint32 }{
		{[2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x6b200159, 0x99ba4efe}},
		{[2]uint32{ones, ones}, [2]uint32{ones, ones}, [2]uint32{0x1cb996fc, 0xbb002be7}},
		{[2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0xc4923a9c, 0x483df7a0}},
	} {
		if got := threefry(c.key, c.counter); got != c.want {
			t.Errorf("threefry(%x, %x) = %x, want %x", c.key, c.counter, got, c.want)
		}
	}
	// Ours, for counters (0, n), is that.
	if got := uint32s(ad.NewKey(0).FoldIn(ad.Const(0)).Data); got[0] != 0x6b200159 || got[1] != 0x99ba4efe {
		t.Errorf("of zeros: %x", got)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		seed := r.Uint64()
		k := ad.NewKey(seed)
		key := [2]uint32{uint32(seed >> 32), uint32(seed)}
		keys, b32, b64 := uint32s(k.Keys(9).Data), uint32s(k.Bits(ad.I32, 3, 3)), ad.Data[int64](k.Bits(ad.I64, 9))
		split := k.Split(9)
		for i := range uint32(9) {
			y := threefry(key, [2]uint32{0, i})
			if keys[2*i] != y[0] || keys[2*i+1] != y[1] || !slices.Equal(uint32s(split[i].Data), y[:]) {
				t.Errorf("key %d of %x is %x and %x, want %x", i, seed, keys[2*i:2*i+2], uint32s(split[i].Data), y)
			}
			if b32[i] != y[0]^y[1] || uint64(b64[i]) != uint64(y[0])<<32|uint64(y[1]) {
				t.Errorf("bits %d of %x are %x, %x", i, seed, b32[i], b64[i])
			}
		}
		n := r.Int64()
		y := threefry(key, [2]uint32{0, uint32(n)})
		if got := uint32s(k.FoldIn(ad.Scalar(n)).Data); !slices.Equal(got, y[:]) {
			t.Errorf("%x folded into %x is %x, want %x", n, seed, got, y)
		}
	}
}

// What jax.random (0.10) gives for the same seed.
func TestRandomAgainstJAX(t *testing.T) {
	k := ad.NewKey(42)
	exact := func(name string, got, want any) {
		t.Helper()
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			t.Errorf("%s is %s, want %s", name, g, w)
		}
	}
	exact("key", uint32s(ad.NewKey(0x123456789abcdef).Data), []uint32{19088743, 2309737967})
	exact("split", uint32s(k.Keys(3).Data), []uint32{1832780943, 270669613, 64467757, 2916123636, 2465931498, 255383827})
	exact("fold_in", uint32s(k.FoldIn(ad.Const(7)).Data), []uint32{2547012911, 1371500959})
	exact("fold_in of a large number", uint32s(k.FoldIn(ad.Scalar(int64(1<<31+5))).Data), []uint32{4006827317, 911798682})
	exact("bits", uint32s(k.Bits(ad.I32, 2, 3)), []uint32{2098992034, 2919706841, 2646866425, 2409546199, 1935504149, 2516274904})
	exact("one number's bits", uint32s(k.Bits(ad.I32, []int{}...).Reshape(1))[0], 2098992034)
	exact("64 bits", ad.Data[int64](k.Bits(ad.I64, 3)), []int64{7871734211187709741, 276886910877598708, -7855648935367878381})
	exact("uniform, float32", ad.Data[float32](k.Uniform(ad.F32, 4)), []float32{0x1.f470480000000p-2, 0x1.5c0e600000000p-1, 0x1.3b87f00000000p-1, 0x1.1f3d800000000p-1})
	exact("uniform, float64", ad.Data[float64](k.Uniform(ad.F64, 4)), []float64{0x1.b4f8123c40884p-2, 0x1.ebd996d6e8400p-7, 0x1.25f641d41e71ap-1, 0x1.75aad28c6a974p-1})
	third := func(t ad.DType) ad.Value { return t.Full(0.3, 8) }
	exact("bernoulli, float64", ad.Data[bool](k.Bernoulli(third(ad.F64))), []bool{false, true, false, false, false, false, false, false})
	exact("bernoulli, float32", ad.Data[bool](k.Bernoulli(third(ad.F32))), []bool{false, false, false, false, false, false, true, false})
	logits := ad.From([]float32{0.1, 0.2, 0.3, 0.4}).Log()
	exact("categorical", ad.Data[int64](k.Categorical(logits.BroadcastTo(10, 4), -1)), []int64{3, 3, 3, 3, 3, 3, 1, 1, 1, 1})

	near := func(name string, got ad.Value, want ...float64) {
		t.Helper()
		tol := 2e-14
		if got.DType() == ad.F32 {
			tol = 1e-6
		}
		for i, w := range want {
			if g := got.At(i); math.Abs(g-w) > tol*max(0.5, math.Abs(w)) {
				t.Errorf("%s: element %d is %v, want %v", name, i, g, w)
			}
		}
	}
	near("normal, float32", k.Normal(ad.F32, 4), -0.02830461598932743, 0.4671318531036377, 0.2957029640674591, 0.15354591608047485)
	near("normal, float64", k.Normal(ad.F64, 4), -0.18471174528191162, -2.169824560397754, 0.18693555179382582, 0.6122653570510959)
	near("exponential, float32", k.Exponential(ad.F32, 4), 0.670817494392395, 1.1388006210327148, 0.9578199982643127, 0.8232924938201904)
	near("gumbel, float32", k.Gumbel(ad.F32, 4), 0.3340933918952942, 0.952019453048706, 0.7255305647850037, 0.5481715202331543)
	near("gumbel, float64", k.Gumbel(ad.F64, 4), 0.16062720630382138, -1.4348544993307841, 0.5890136500161952, 1.1553132453508888)
	near("laplace, float64", k.Laplace(ad.F64, 4), 0.15846230602649014, 3.5058868215207473, -0.16050781878325354, -0.6155156120724649)
}

// kolmogorov is an error where x, which it sorts, is not distributed as cdf says: once in 1000 times by chance.
func kolmogorov(t *testing.T, name string, x []float64, cdf func(x float64) float64) {
	t.Helper()
	slices.Sort(x)
	d, n := 0.0, float64(len(x))
	for i, v := range x {
		f := cdf(v)
		d = max(d, f-float64(i)/n, float64(i+1)/n-f)
	}
	if !(d*math.Sqrt(n) < 1.95) {
		t.Errorf("%s: the distribution function is off by %v", name, d)
	}
}

// Samples have their distribution's mean and variance, and its distribution function by Kolmogorov and
// Smirnov; neighbours, and the numbers of keys that are split off, are not correlated.
func TestDistributions(t *testing.T) {
	const n = 100_000
	type draw func(k ad.Key, t ad.DType, dims ...int) ad.Value
	for _, c := range []struct {
		name           string
		f              draw
		mean, variance float64
		kurtosis       float64 // excess
		cdf            func(x float64) float64
	}{
		{"Uniform", ad.Key.Uniform, 0.5, 1. / 12, -1.2, func(x float64) float64 { return x }},
		{"Normal", ad.Key.Normal, 0, 1, 0, func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }},
		{"Exponential", ad.Key.Exponential, 1, 1, 6, func(x float64) float64 { return -math.Expm1(-x) }},
		{"Gumbel", ad.Key.Gumbel, 0.5772156649015329, math.Pi * math.Pi / 6, 2.4, func(x float64) float64 { return math.Exp(-math.Exp(-x)) }},
		{"Laplace", ad.Key.Laplace, 0, 2, 3, func(x float64) float64 {
			if x < 0 {
				return math.Exp(x) / 2
			}
			return 1 - math.Exp(-x)/2
		}},
	} {
		for _, typ := range []ad.DType{ad.F32, ad.F64} {
			for _, k := range append(ad.NewKey(3).Split(2), ad.NewKey(3).FoldIn(ad.Const(9))) {
				x := c.f(k, typ, n).Float64s()
				var sum, squares, lag float64
				for i, v := range x {
					sum += v
					squares += (v - c.mean) * (v - c.mean)
					lag += (v - c.mean) * (x[(i+1)%n] - c.mean)
				}
				const sigmas = 4
				if e := sum/n - c.mean; math.Abs(e) > sigmas*math.Sqrt(c.variance/n) {
					t.Errorf("%s, %v: the mean is off by %v", c.name, typ, e)
				}
				if e := squares/n/c.variance - 1; math.Abs(e) > sigmas*math.Sqrt((c.kurtosis+2)/n) {
					t.Errorf("%s, %v: the variance is off by a factor of %v", c.name, typ, 1+e)
				}
				if e := lag / n / c.variance; math.Abs(e) > sigmas/math.Sqrt(n) {
					t.Errorf("%s, %v: neighbours correlate by %v", c.name, typ, e)
				}
				kolmogorov(t, fmt.Sprint(c.name, ", ", typ), x, c.cdf)
			}
		}
	}
	// Counts against their expectation, by χ².
	counts := func(name string, v ad.Value, want ...float64) {
		t.Helper()
		got := make([]float64, len(want))
		for _, i := range v.Float64s() {
			got[int(i)]++
		}
		chi := 0.0
		for i, p := range want {
			e := p * n
			chi += (got[i] - e) * (got[i] - e) / e
		}
		f := float64(len(want) - 1)
		if chi > f+4*math.Sqrt(2*f) {
			t.Errorf("%s: %v: χ² is %v", name, got, chi)
		}
	}
	k := ad.NewKey(11)
	for _, typ := range []ad.DType{ad.F32, ad.F64} {
		counts("Bernoulli", k.Bernoulli(typ.Full(0.2, n)), 0.8, 0.2)
		p := []float64{0.1, 0.2, 0.3, 0.4}
		counts("Categorical", k.Categorical(ad.From(p).Convert(typ).Log().BroadcastTo(n, 4), -1), p...)
		counts("Categorical, first axis", k.Categorical(ad.From(p, 4, 1).Convert(typ).Log().BroadcastTo(4, n), 0), p...)
	}
	for _, typ := range []ad.DType{ad.I32, ad.I64} {
		counts("Intn", k.Intn(5, typ, n), 0.2, 0.2, 0.2, 0.2, 0.2)
		for bit := range 32 {
			counts(fmt.Sprint("bit ", bit), k.Bits(typ, n).Shr(ad.Const(float64(bit))).BitAnd(ad.Const(1)), 0.5, 0.5)
		}
	}
	kept := k.Dropout(ad.F32.Full(3, n), 0.25)
	counts("Dropout", kept.Scale(0.25), 0.25, 0.75)
	if x := kept.ReduceMax().Item(); x != 4 {
		t.Errorf("Dropout of 3 at a rate of 1/4 gives %v, not 4", x)
	}
}

type noises struct{ I32, I64, U32, U64, N32, N64, E, G, L, Cat, Keys ad.Value }

func noise(k ad.Key, x, y ad.Value) noises { // float32 and float64 of one shape
	ks := make([]ad.Key, 11)
	for i := range ks {
		ks[i] = k.FoldIn(ad.Const(float64(i)))
	}
	i32 := x.Convert(ad.I32)
	return noises{ks[0].BitsLike(i32), ks[1].BitsLike(x.Convert(ad.I64)), ks[2].UniformLike(x), ks[3].UniformLike(y), ks[4].NormalLike(x),
		ks[5].NormalLike(y), ks[6].ExponentialLike(x), ks[7].GumbelLike(y), ks[8].LaplaceLike(y), ks[9].Categorical(x, -1), ks[10].KeysLike(x).Data}
}

// The same numbers on every level, with any number of threads, in any batch, one key at a time or under Vmap.
func TestRandomSameEverywhere(t *testing.T) {
	const rows, cols = 700, 3
	type in struct {
		Key  ad.Key
		X, Y ad.Value
	}
	k := ad.NewKey(5)
	args := func(rows int) in { return in{k, ad.F32.Zeros(rows, cols), ad.F64.Zeros(rows, cols)} }
	want := noise(k, args(rows).X, args(rows).Y)
	check := func(how string, got noises, rows int) {
		t.Helper()
		w, g := ad.TreeLeaves(want), ad.TreeLeaves(got)
		for i := range w {
			if b := raw(g[i]); !bytes.Equal(b, raw(w[i])[:len(b)]) || g[i].Dim(0) != rows {
				t.Errorf("%s: number %d: other numbers", how, i)
			}
		}
	}
	for _, level := range kernels.Levels() {
		for _, threads := range []int{1, 3} { // one thread runs tiles
			p, err := ad.Compile(func(a in) noises { return noise(a.Key, a.X, a.Y) },
				in{k, ad.F32.Spec(ad.AnyBatch, cols), ad.F64.Spec(ad.AnyBatch, cols)}, ad.Options{Level: level.Name, Threads: threads, NoCode: threads == 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, rows := range []int{1, 2, 67, rows} {
				got, err := p.Run(context.Background(), args(rows))
				if err != nil {
					t.Fatal(err)
				}
				check(fmt.Sprintf("%s, %d threads, %d rows", level.Name, threads, rows), got, rows)
			}
		}
	}

	// Four keys at once, and one after the other, carried by a loop.
	keys := k.Keys(4)
	x, y := ad.F32.Zeros(5, 3), ad.F64.Zeros(5, 3)
	batch := ad.Vmap(func(k ad.Key) noises { return noise(k, x, y) })(keys)
	step := func(k ad.Key, _ ad.Value) (ad.Key, noises) {
		ks := k.Split(2)
		return ks[0], noise(ks[1], x, y)
	}
	last, scanned := ad.Scan(step, k, ad.F32.Zeros(4))
	carry := k
	for i := range 4 {
		var one noises
		for j, b := range ad.TreeLeaves(batch) {
			one := ad.TreeLeaves(noise(ad.Key{Data: keys.Data.Index(i)}, x, y))[j]
			if !bytes.Equal(raw(b.Index(i)), raw(one)) {
				t.Errorf("key %d under Vmap: number %d: other numbers", i, j)
			}
		}
		carry, one = step(carry, ad.Value{})
		for j, s := range ad.TreeLeaves(scanned) {
			if !bytes.Equal(raw(s.Index(i)), raw(ad.TreeLeaves(one)[j])) {
				t.Errorf("step %d of Scan: number %d: other numbers", i, j)
			}
		}
	}
	if !slices.Equal(uint32s(last.Data), uint32s(carry.Data)) {
		t.Errorf("Scan ends with the key %x, not %x", uint32s(last.Data), uint32s(carry.Data))
	}
}

// Derivatives take the noise for a constant: in both modes, under Vmap, through a Scan.
func TestReparameterized(t *testing.T) {
	type params struct{ Mean, Std ad.Value }
	const n = 50
	k := ad.NewKey(2)
	noise := k.Normal(ad.F64, n).Sum().Item()
	f := func(p params) ad.Value { return p.Mean.Add(p.Std.Mul(k.NormalLike(ad.F64.Zeros(n)))).Sum() }
	at := params{ad.Scalar(1.5), ad.Scalar(0.5)}
	g := ad.Grad(f)(at)
	if m, s := g.Mean.Item(), g.Std.Item(); m != n || math.Abs(s-noise) > 1e-12 {
		t.Errorf("by the mean %v, by the standard deviation %v; not %d, %v", m, s, n, noise)
	}
	d := ad.JVP(f)(at, params{ad.Scalar(1.0), ad.Scalar(2.0)}).Tangent.Item()
	if math.Abs(d-(n+2*noise)) > 1e-12 {
		t.Errorf("forward %v, not %v", d, n+2*noise)
	}
	walk := func(x ad.Value) ad.Value {
		last, _ := ad.Scan(func(c ad.Value, k ad.Key) (ad.Value, []ad.Value) { return c.Mul(k.UniformLike(c)), nil }, x, k.Keys(4))
		return last
	}
	want := 1.0
	for i := range 4 {
		want *= (ad.Key{Data: k.Keys(4).Data.Index(i)}).UniformLike(ad.Scalar(0.0)).Item()
	}
	if got := ad.Grad(walk)(ad.Scalar(3.0)).Item(); math.Abs(got-want) > 1e-15 {
		t.Errorf("through Scan %v, not %v", got, want)
	}
	x := ad.F64.Full(2, n)
	kept := k.Dropout(x, 0.2)
	slope := ad.Grad(func(x ad.Value) ad.Value { return k.Dropout(x, 0.2).Sum() })(x)
	for i := range n {
		if kept.At(i) != 2*slope.At(i) || slope.At(i) != 0 && slope.At(i) != 1.25 {
			t.Errorf("Dropout: element %d: %v, derivative %v", i, kept.At(i), slope.At(i))
		}
	}
}

// Every order of four comes up equally often; a batch's rows are shuffled together.
func TestPermutation(t *testing.T) {
	const n = 4800
	perms := ad.Vmap(func(k ad.Key) ad.Value { return k.Permutation(4) })(ad.NewKey(8).Keys(n))
	counts := map[string]float64{}
	for i := range n {
		counts[fmt.Sprint(ad.Data[int64](perms)[4*i:4*i+4])]++
	}
	chi := 0.0
	for p, c := range counts {
		var sorted []int
		for i := range 4 {
			if strings.Contains(p, fmt.Sprint(i)) {
				sorted = append(sorted, i)
			}
		}
		if len(sorted) != 4 {
			t.Fatalf("%s is no permutation", p)
		}
		chi += (c - n/24) * (c - n/24) / (n / 24)
	}
	if len(counts) != 24 || chi > 23+4*math.Sqrt(46) {
		t.Errorf("%d orders, χ² %v", len(counts), chi)
	}

	const many = 70_000 // which are shuffled, not sorted
	large, err := ad.Compile(func(k ad.Key) ad.Value { return k.Permutation(many) }, ad.NewKey(8))
	if err != nil {
		t.Fatal(err)
	}
	y, err := large.Run(context.Background(), ad.NewKey(8))
	if err != nil {
		t.Fatal(err)
	}
	rows := ad.Vmap(func(k ad.Key) ad.Value { return k.Permutation(many) })(ad.NewKey(9).Keys(2))
	if !bytes.Equal(raw(y), raw(ad.NewKey(8).Permutation(many))) || !bytes.Equal(raw(rows.Index(1)), raw(ad.NewKey(9).Split(2)[1].Permutation(many))) {
		t.Errorf("Permutation(%d) differs: compiled, by itself and in a batch", many)
	}
	seen := make([]bool, many)
	for _, k := range ad.Data[int64](y) {
		if seen[k] {
			t.Fatalf("%d comes twice", k)
		}
		seen[k] = true
	}

	type in struct {
		Key ad.Key
		X   ad.Value
	}
	f := func(a in) ad.Value { return a.Key.Shuffle(a.X, -2) }
	p, err := ad.Compile(f, in{ad.NewKey(0), ad.F32.Spec(ad.AnyBatch, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{1, 2, 50} {
		x := ad.F32.Iota(0, 2*rows).Reshape(rows, 2)
		y, err := p.Run(context.Background(), in{ad.NewKey(4), x})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw(y), raw(f(in{ad.NewKey(4), x}))) {
			t.Errorf("%d rows: the batch is shuffled in another order", rows)
		}
		seen := make([]bool, rows)
		for i := range rows {
			row := int(y.At(i, 0)) / 2
			if seen[row] || y.At(i, 0) != float64(2*row) || y.At(i, 1) != float64(2*row+1) {
				t.Fatalf("%d rows: row %d is %v %v", rows, i, y.At(i, 0), y.At(i, 1))
			}
			seen[row] = true
		}
		if rows == 50 && bytes.Equal(raw(x), raw(y)) {
			t.Error("nothing is shuffled")
		}
	}
}

func TestRandomErrors(t *testing.T) {
	k := ad.NewKey(0)
	refuses(t, map[string]func(){
		"Uniform of int32: float32 or float64 is needed":              func() { k.Uniform(ad.I32, 3) },
		"Bits of float32: int32 or int64 is needed":                   func() { k.Bits(ad.F32, 3) },
		"Normal [3] of int32: a key is int32 of shape [2]":            func() { ad.Key{Data: ad.I32.Zeros(3)}.Normal(ad.F32, 1) },
		"Normal [2] of float32: a key is int32 of shape [2]":          func() { ad.Key{Data: ad.F32.Zeros(2)}.Normal(ad.F32, 1) },
		"Normal of no value":                                          func() { ad.Key{}.Normal(ad.F32, 1) },
		"Uniform [-1 2]: the key is no part of a recording":           func() { k.Uniform(ad.F32, ad.AnyBatch, 2) },
		"Uniform [-2]: a negative size":                               func() { k.Uniform(ad.F32, -2) },
		"FoldIn [] of float64: an integer":                            func() { k.FoldIn(ad.Scalar(1.0)) },
		"Split into -1 keys":                                          func() { k.Split(-1) },
		"Intn 0 of int32: 1 … 2147483648":                             func() { k.Intn(0, ad.I32, 1) },
		"Intn 2147483649 of int32: 1 … 2147483648":                    func() { k.Intn(1<<31+1, ad.I32, 1) },
		"Dropout rate 1.5 is not of 0 … 1":                            func() { k.Dropout(ad.F32.Ones(2), 1.5) },
		"Dropout rate NaN is not of 0 … 1":                            func() { k.Dropout(ad.F32.Ones(2), math.NaN()) },
		"Uniform [4294967296]: more than 2³¹ random numbers of a key": func() { k.Uniform(ad.F32, 1<<32) },
	})
}

// refuses has each function panic with an Error that contains its text.
func refuses(t *testing.T, calls map[string]func()) {
	t.Helper()
	for want, f := range calls {
		func() {
			defer func() {
				e, ok := recover().(*ad.Error)
				if !ok || !strings.Contains(e.Error(), want) {
					t.Errorf("%v, want %q", e, want)
				}
			}()
			f()
		}()
	}
}
