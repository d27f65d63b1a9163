package main

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExactPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 30 {
		p := [parameters]float64{
			math.Exp(r.NormFloat64()), 0.5 * r.Float64(), 1 + 20*r.Float64(),
			math.Pi * (2*r.Float64() - 1), 10 * r.NormFloat64(),
		}
		x, y := synthetic(p, 300, 0, 0)
		f, err := fit(x, y)
		if err != nil {
			t.Error(p, err)
			continue
		}
		for i, want := range p {
			if math.Abs(f.p[i]-want) > 1e-9*max(1, math.Abs(want)) {
				t.Errorf("%v: %s is %v, not %v", p, names[i], f.p[i], want)
			}
		}
	}
}

// The deviations of many fits from the truth, in standard errors, have variance one.
func TestStandardErrors(t *testing.T) {
	const fits = 200
	var squares [parameters]float64
	for seed := range uint64(fits) {
		x, y := synthetic(known, 200, 0.1, seed)
		f, err := fit(x, y)
		if err != nil {
			t.Fatal(seed, err)
		}
		for i, want := range known {
			d := (f.p[i] - want) / f.deviation[i]
			squares[i] += d * d / fits
		}
		if math.Abs(f.residual-0.1) > 0.025 {
			t.Error(seed, f.residual)
		}
	}
	for i, s := range squares {
		if s < 0.65 || s > 1.4 { // the variance of s is 2/fits: four deviations
			t.Errorf("%s: %v standard errors squared", names[i], s)
		}
	}
}

// A fit of points in other units is the same fit in other units.
func TestUnits(t *testing.T) {
	x, y := synthetic(known, 200, 0.1, 3)
	want, err := fit(x, y)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		x[i], y[i] = 1e3*x[i]-77, 1e6*y[i]+4e6
	}
	got, err := fit(x, y)
	if err != nil {
		t.Fatal(err)
	}
	unit := [parameters]float64{1e6, 1e-3, 1e-3, 1, 1e6}
	want.p[offset] += 4
	for i, u := range unit {
		if math.Abs(got.p[i]/u-want.p[i]) > 1e-3*want.deviation[i] || math.Abs(got.deviation[i]/u/want.deviation[i]-1) > 1e-3 {
			t.Errorf("%s: %v ± %v, not %v ± %v", names[i], got.p[i]/u, got.deviation[i]/u, want.p[i], want.deviation[i])
		}
	}
}

func TestGradient(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	x, y := synthetic(known, 50, 0.1, 1)
	o, err := newObjective(x, y)
	if err != nil {
		t.Fatal(err)
	}
	p, g := known[:], make([]float64, parameters)
	o.gradient(g, p)
	for i := range p {
		const h = 1e-5
		q := known
		q[i] += h
		up := o.value(q[:])
		q[i] -= 2 * h
		if want := (up - o.value(q[:])) / (2 * h); math.Abs(g[i]-want) > 1e-8*max(1, math.Abs(want)) {
			t.Errorf("%s: %v, not %v", names[i], g[i], want)
		}
	}
	q := known
	n := testing.AllocsPerRun(100, func() {
		q[0] += 1e-3
		o.value(q[:])
		o.gradient(g, q[:])
	})
	if n != 0 || o.err != nil {
		t.Error(n, "allocations", o.err)
	}
}

func TestBadPoints(t *testing.T) {
	for name, c := range map[string]struct {
		t, y []float64
		want string
	}{
		"few":      {[]float64{1, 2, 3, 4, 5}, []float64{1, 2, 1, 2, 1}, "5 points do not determine 5 parameters"},
		"none":     {nil, nil, "0 points"},
		"one time": {make([]float64, 9), []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, "do not spread"},
		"constant": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, make([]float64, 9), "do not spread"},
		"NaN":      {[]float64{1, 2, 3, 4, 5, 6, 7}, []float64{1, 2, 3, math.NaN(), 5, 6, 7}, "do not spread"},
		"Inf":      {[]float64{1, 2, 3, 4, 5, 6, math.Inf(1)}, []float64{1, 2, 3, 4, 5, 6, 7}, "do not spread"},
	} {
		if f, err := fit(c.t, c.y); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "new", "plot.png")
	var b strings.Builder
	if err := run(&b, nil, nil, 400, 0.15, 1, out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"400 points", "standard error   true\n", "   amplitude ", "      offset ", "explains 92.08%", "plot in "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := png.Decode(bytes.NewReader(data)); err != nil || p.Bounds().Dx() < 600 {
		t.Error(p, err)
	}

	x, y := synthetic(known, 100, 0.1, 1)
	points := "t, y\n"
	for i := range x {
		points += fmt.Sprintf("%v, %v\n", x[i], y[i])
	}
	for name, c := range map[string]struct {
		input, out, want string
		args             []string
	}{
		"good":    {points, "a.svg", "", []string{"-"}},
		"few":     {"t,y\n1,2\n", "b.png", "1 points do not", []string{"-"}},
		"empty":   {"", "b.png", "0 points do not", []string{"-"}},
		"columns": {"1,2\n3,4,5\n", "b.png", "line 2: wrong number of fields", []string{"-"}},
		"number":  {"t,y\n3,4\n3,x\n", "b.png", `line 3: "x" is not a number`, []string{"-"}},
		"missing": {"", "b.png", "none.csv", []string{filepath.Join(dir, "none.csv")}},
		"files":   {"", "b.png", "more than one file", []string{"a", "b"}},
		"format":  {points, "b.bmp", "bmp", []string{"-"}},
		"folder":  {points, "new/plot.png/b.png", "plot.png", []string{"-"}},
		"n":       {"", "b.png", "-n 0 is not in", nil},
	} {
		err := run(io.Discard, strings.NewReader(c.input), c.args, 0, 0, 0, filepath.Join(dir, c.out))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, not %s", name, err, c.want)
		}
	}
}
