package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func TestFFTValues(t *testing.T) {
	// numpy.fft of whole numbers.
	x := ad.From([]float64{1, 2, 0, -1, 3, 4}, 2, 3)
	y := ad.From([]float64{0, 1, 1, 2, -2, 0}, 2, 3)
	c := ad.Complex{Re: x, Im: y}
	for i, g := range []struct {
		got  ad.Value
		want []float64
	}{
		{c.FFT(0).Re, []float64{0, 5, 4, 2, -1, -4}},
		{c.FFT(0).Im, []float64{2, -1, 1, -2, 3, 1}},
		{ad.From([]float64{1, 2, 3, 4}).RFFT(0).Re, []float64{10, -2, -2}},
		{ad.From([]float64{1, 2, 3, 4}).RFFT(0).Im, []float64{0, 2, 0}},
		{ad.Complex{Re: ad.From([]float64{10, -2, -2}), Im: ad.From([]float64{7, 2, 7})}.IRFFT(4, 0), []float64{1, 2, 3, 4}},
		{ad.Real(ad.From([]float64{1, 0, 0, 0})).FFT().Re, []float64{1, 1, 1, 1}},
		{ad.Complex{Re: x, Im: y}.Mul(ad.Complex{Re: y, Im: x}).Re, []float64{0, 0, 0, 0, 0, 0}},
		{ad.Complex{Re: ad.From([]float64{3}), Im: ad.From([]float64{-4})}.Abs(), []float64{5}},
	} {
		for j, v := range g.got.Float64s() {
			if math.Abs(v-g.want[j]) > 1e-15*10 {
				t.Errorf("%d: %v, want %v", i, g.got.Float64s(), g.want)
				break
			}
		}
	}
	// Two dimensions, there and back, float32.
	for _, dt := range []ad.DType{ad.F64, ad.F32} {
		c := ad.Complex{Re: random(1, 3, 8, 5, 7).Convert(dt), Im: random(2, 3, 8, 5, 7).Convert(dt)}
		back := c.FFT(1, -1, 2).IFFT(2, 1, 3)
		tol := map[ad.DType]float64{ad.F64: 1e-14, ad.F32: 2e-6}[dt]
		if d := back.Sub(c).Abs().ReduceMax().Item(); !(d < tol) {
			t.Errorf("%v: off by %v", dt, d)
		}
	}
	for _, n := range []int{1, 2, 5, 12, 17} {
		x := random(3, 4, n, 2)
		h := x.RFFT(1)
		full := ad.Real(x).FFT(1)
		if d := h.Re.Sub(full.Re.Narrow(1, 0, n/2+1)).NormInf().Item(); !(d < 1e-13) {
			t.Errorf("%d: off by %v", n, d)
		}
		if d := h.IRFFT(n, 1).Sub(x).NormInf().Item(); !(d < 1e-14) {
			t.Errorf("%d: back, off by %v", n, d)
		}
	}
}

func TestFFTGrads(t *testing.T) {
	for _, dt := range []ad.DType{ad.F64, ad.F32} {
		for _, n := range []int{4, 7, 17} {
			c := ad.Complex{Re: random(1, 2, n).Convert(dt), Im: random(2, 2, n).Convert(dt)}
			for name, f := range map[string]func(c ad.Complex) ad.Complex{
				"fft":   func(c ad.Complex) ad.Complex { return c.FFT() },
				"ifft":  func(c ad.Complex) ad.Complex { return c.IFFT(1, 0) },
				"rfft":  func(c ad.Complex) ad.Complex { return c.Re.RFFT(1) },
				"irfft": func(c ad.Complex) ad.Complex { return ad.Real(c.IRFFT(2*n-2, -1)) },
				"odd":   func(c ad.Complex) ad.Complex { return ad.Real(c.IRFFT(2*n-1, -1)) },
			} {
				g := func(c ad.Complex) ad.Value {
					y := f(c)
					return y.Re.Sin().Mul(y.Im.Shift(1).Cos())
				}
				if err := ad.CheckGrads(g, c); err != nil {
					t.Errorf("%s of %d, %v: %v", name, n, dt, err)
				}
			}
		}
	}
	// Vmap is the transform of a batch.
	x := random(5, 3, 8)
	rows := ad.Vmap(func(x ad.Value) ad.Value { return x.RFFT(0).Abs2() })(x)
	if d := rows.Sub(x.RFFT(1).Abs2()).NormInf().Item(); d != 0 {
		t.Errorf("off by %v", d)
	}
}

func TestFFTErrors(t *testing.T) {
	x := ad.F64.Ones(2, 3)
	for want, f := range map[string]func(){
		"FFT [2 3]: axis 2 is not in -2 … 1":                                  func() { ad.Real(x).FFT(2) },
		"IRFFT [2 3]: 6 elements have 4 in half a transform, not 3":           func() { ad.Real(x).IRFFT(6, 1) },
		"FFT float64[2 3], float64[3 2]: two parts of one shape, both float3": func() { ad.Complex{Re: x, Im: x.T()}.FFT() },
		"RFFT [1 0]: a row whose size is above 0":                             func() { ad.F64.Ones(2, 0).RFFT(1) },
	} {
		wantPanic(t, want, "fft_test.go", f)
	}
}

// A long convolution by way of transforms: the product of two is the transform of the convolution.
func ExampleComplex_FFT() {
	convolve := func(x, w ad.Value) ad.Value {
		n := x.Dim(0) + w.Dim(0) - 1
		size := 1
		for size < n {
			size *= 2
		}
		padded := func(v ad.Value) ad.Complex { return v.Pad([]int{0}, []int{size - v.Dim(0)}, 0).RFFT(0) }
		return padded(x).Mul(padded(w)).IRFFT(size, 0).Narrow(0, 0, n)
	}
	x, w := ad.From([]float64{1, 2, 3, 4}), ad.From([]float64{1, -1, 2})
	fmt.Println(convolve(x, w).Scale(1000).Round().Scale(0.001))
	g := ad.Grad(func(w ad.Value) ad.Value { return convolve(x, w).Square().Sum().Scale(0.5) })(w)
	fmt.Println(g.Scale(1000).Round().Scale(0.001))
	// Output:
	// float64[6] 1 1 3 5 2 8
	// float64[3] 32 30 51
}
