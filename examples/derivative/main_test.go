package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var b strings.Builder
	if err := run(&b, 3, dir); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"f(3)   = 33\n",
		"f'(3)  = 29   reverse mode\n",
		"f'(3)  = 29   forward mode\n",
		"f''(3) = 18   reverse over reverse\n",
		"f' at 2, 3, 4: [14 29 50]\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	for name, want := range map[string]string{"derivative.dot": "digraph", "derivative.svg": "</svg>"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	if err := run(io.Discard, 3, filepath.Join(dir, "derivative.dot")); err == nil {
		t.Error("a file as the folder is not reported")
	}
}

// wide is a graph with edges over many layers.
func wide(x ad.Value) ad.Value {
	y := x.Exp()
	for _, f := range []func(ad.Value) ad.Value{ad.Value.Sin, ad.Value.Tanh, ad.Value.Sqrt, ad.Value.Log1p} {
		y = f(y.Mul(x)).Add(y.Erf())
	}
	return y.Sum()
}

func TestSVG(t *testing.T) {
	p, err := ad.Compile(ad.ValueAndGrad(wide), ad.F32.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	text, err := svg(p.Dot())
	if err != nil {
		t.Fatal(err)
	}
	type rect struct {
		X float64 `xml:"x,attr"`
		Y float64 `xml:"y,attr"`
		W float64 `xml:"width,attr"`
		H float64 `xml:"height,attr"`
	}
	var picture struct {
		W     float64 `xml:"width,attr"`
		H     float64 `xml:"height,attr"`
		Boxes []rect  `xml:"g>rect"`
	}
	if err := xml.Unmarshal(text, &picture); err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(p.Dot(), "[label="); len(picture.Boxes) != want {
		t.Errorf("%d boxes, not %d", len(picture.Boxes), want)
	}
	for i, a := range picture.Boxes {
		if a.X < 0 || a.Y < 0 || a.X+a.W > picture.W+1 || a.Y+a.H > picture.H+1 {
			t.Errorf("box %d is outside: %v", i, a)
		}
		for k, b := range picture.Boxes[:i] {
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("boxes %d and %d overlap: %v, %v", k, i, b, a)
			}
		}
	}
}

func TestSVGErrors(t *testing.T) {
	for name, dot := range map[string]string{
		"no graph":      "",
		"not the form":  "digraph {",
		"a cycle":       "digraph { a -> b; b -> a }",
		"edges of sets": "digraph { a -> {b c} }",
	} {
		if text, err := svg(dot); err == nil {
			t.Errorf("%s: no error but %s", name, text)
		}
	}
}
