package main

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// first is the first n of some digits.
func first(t *testing.T, files [2]file, n int) *digits {
	dir, err := dataDir()
	if err != nil {
		t.Fatal(err)
	}
	d, err := load(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	return &digits{d.pixels[:n*pixels], d.labels[:n]}
}

func TestTrain(t *testing.T) {
	c := &config{epochs: 4, batch: 50, hidden: sizes{32}, rate: 0.005, seed: 1, out: t.TempDir()}
	train, test := first(t, trainFiles, 3010), first(t, testFiles, 1000)
	var log bytes.Buffer
	if err := c.train(context.Background(), train, test, &log); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	if len(lines) != 8 || !strings.HasPrefix(lines[0], "device cpu, level ") || strings.ContainsAny(log.String(), "\r\x1b") {
		t.Errorf("%q", lines)
	}
	for i, want := range []string{"epoch 1/4  loss ", "epoch 2/4  loss ", "epoch 3/4  loss ", "epoch 4/4  loss "} {
		if !strings.HasPrefix(lines[1+i], want) || !strings.Contains(lines[1+i], " examples/s") {
			t.Errorf("%q", lines[1+i])
		}
	}
	// These few give 89 %; guessing gives 10.
	if last := lines[len(lines)-1]; last < "test accuracy 85.00%" || last > "test accuracy 99.99%" || len(last) != len("test accuracy 85.00%") {
		t.Errorf("%q", last)
	}
	checkPicture(t, filepath.Join(c.out, "mnist.png"))
}

// Mixed precision trains as well as float32.
func TestMixed(t *testing.T) {
	train, test := first(t, trainFiles, 3000), first(t, testFiles, 2000)
	right := func(mixed half) int {
		c := &config{epochs: 4, batch: 50, hidden: sizes{64}, rate: 0.005, seed: 1, mixed: mixed}
		tr, err := newTrainer(c, train)
		if err != nil {
			t.Fatal(err)
		}
		for range c.epochs {
			if err := tr.epoch(context.Background(), func(int, float64, float64) {}); err != nil {
				t.Fatal(err)
			}
		}
		_, wrong, err := tr.test(context.Background(), test)
		if err != nil {
			t.Fatal(err)
		}
		if w := tr.now.State.Model[0].W; w.DType() != ad.F32 {
			t.Errorf("weights of %v", w.DType())
		}
		return test.len() - len(wrong)
	}
	single := right("")
	for _, half := range []half{"bf16", "f16"} {
		mixed := right(half)
		if single < 1700 || mixed < single-20 { // of 2000: one in a hundred is chance
			t.Errorf("%d right in float32, %d in mixed precision with %s", single, mixed, half)
		}
		t.Log(single, mixed, half)
	}
}

// checkPicture looks for curves of both colours above, digits and red labels below.
func checkPicture(t *testing.T, name string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds().Size()
	if size.X != 1440 || size.Y < 900 {
		t.Fatal(size)
	}
	type seen struct{ blue, red, black int }
	var halves [2]seen
	for y := range size.Y {
		for x := range size.X {
			s := &halves[min(1, y/468)] // the curves' height
			switch c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA); c {
			case blue:
				s.blue++
			case red:
				s.red++
			case color.RGBA{0, 0, 0, 255}:
				s.black++
			}
		}
	}
	if a, b := halves[0], halves[1]; a.blue < 500 || a.red < 300 || a.black > 0 || b.blue > 0 || b.red < 200 || b.black < 1000 {
		t.Error("pixels", halves)
	}
}

// The same seed gives the same bits, whatever the threads and levels; another gives others.
func TestSameBits(t *testing.T) {
	data := first(t, trainFiles, 600)
	weights := func(seed uint64, threads int, level string, mixed half) (bits []uint32) {
		c := &config{mixed: mixed, epochs: 2, batch: 256, hidden: sizes{32, 20}, rate: 0.002, shift: 2, seed: seed, threads: threads, level: level}
		if mixed != "" {
			c.epochs = 1
		}
		tr, err := newTrainer(c, data)
		if err != nil {
			t.Fatal(err)
		}
		for range c.epochs {
			if err := tr.epoch(context.Background(), func(int, float64, float64) {}); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range tr.now.State.Model {
			for _, w := range append(ad.Data[float32](l.W), ad.Data[float32](l.B)...) {
				bits = append(bits, math.Float32bits(w))
			}
		}
		return bits
	}
	want := map[half][]uint32{"": weights(7, 1, "", ""), "bf16": weights(7, 1, "", "bf16"), "f16": weights(7, 1, "", "f16")}
	for _, o := range []struct {
		threads int
		level   string
		mixed   half
	}{{1, "", ""}, {2, "", ""}, {3, "", ""}, {2, "purego", ""}, {2, "", "bf16"}, {3, "purego", "bf16"}, {3, "purego", "f16"}} {
		if !slices.Equal(weights(7, o.threads, o.level, o.mixed), want[o.mixed]) {
			t.Errorf("%d threads, level %q, mixed %q: other bits", o.threads, o.level, o.mixed)
		}
	}
	if slices.Equal(weights(8, 2, "", ""), want[""]) {
		t.Error("another seed gives the same bits")
	}
}

func TestEpochAllocates(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	data := first(t, trainFiles, 1000)
	c := &config{epochs: 1, batch: 100, hidden: sizes{16}, rate: 0.002, shift: 1}
	tr, err := newTrainer(c, data)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(3, func() {
		if err := tr.epoch(context.Background(), func(int, float64, float64) {}); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Error(n, "allocations")
	}
}

func TestCopyShifted(t *testing.T) {
	d := &digits{make([]byte, 2*pixels), make([]byte, 2)}
	for i := range d.pixels {
		d.pixels[i] = byte(1 + i%251)
	}
	x := make([]float32, pixels)
	for _, s := range [][2]int{{0, 0}, {1, 0}, {-3, 2}, {5, -27}, {27, 27}, {-27, -1}} {
		d.copyShifted(x, 1, s[0], s[1])
		for y := range side {
			for c := range side {
				var want byte
				if sy, sc := y-s[1], c-s[0]; sy >= 0 && sy < side && sc >= 0 && sc < side {
					want = d.pixels[pixels+sy*side+sc]
				}
				if x[y*side+c] != shades[want] {
					t.Fatal(s, y, c)
				}
			}
		}
	}
}

func TestFlags(t *testing.T) {
	for _, bad := range []struct{ args, want string }{
		{"-epochs 0", "-epochs 0: at least 1"},
		{"-epochs x", `invalid value "x" for flag -epochs`},
		{"-batch 0", "-batch 0: 1 to 60000"},
		{"-hidden 3,x", `"x" is not a size`},
		{"-hidden 0", `"0" is not a size`},
		{"-rate NaN", "-rate NaN: a number between 0 and 1"},
		{"-shift 28", "-shift 28: 0 to 27"},
		{"-device cuda", "cuda: there is no such device"},
		{"-level sse", `no level "sse"`},
		{"-threads -2", "-2 threads"},
		{"-mixed=f32", `"f32" is neither bf16 nor f16`},
		{"-nope", "flag provided but not defined: -nope"},
		{"more", `"more" is not a flag`},
		{"-data /does/not/exist", "the data is not there"},
		{"-out main.go", "main.go: not a directory"},
	} {
		var out bytes.Buffer
		err := run(context.Background(), strings.Fields(bad.args), &out, false)
		if err == nil || !strings.Contains(err.Error(), bad.want) || out.Len() > 0 {
			t.Errorf("%s: %v %s", bad.args, err, &out)
		}
	}

	var out bytes.Buffer
	if err := run(context.Background(), []string{"-h"}, &out, false); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"epochs", "batch", "hidden", "rate", "shift", "seed", "threads", "level", "mixed", "device", "data", "out"} {
		if !strings.Contains(out.String(), "\n  -"+name+" ") {
			t.Errorf("-h does not explain -%s", name)
		}
	}

	c, err := parse(strings.Fields("-hidden 128,64 -seed 5 -mixed"), nil)
	if err != nil || c.mixed != "bf16" || !slices.Equal(c.layers(), sizes{784, 128, 64, 10}) || c.seed != 5 {
		t.Error(c, err)
	}
	if c, err = parse([]string{"-hidden", ""}, nil); err != nil || !slices.Equal(c.layers(), sizes{784, 10}) {
		t.Error(c, err)
	}
}

// A terminal sees a bar in lines of at most 80 columns, and the epoch's line alone in the end.
func TestTerminal(t *testing.T) {
	c := &config{epochs: 10, batch: 128, hidden: sizes{8}, rate: 0.002, out: t.TempDir(), terminal: true}
	var log bytes.Buffer
	if err := c.train(context.Background(), first(t, trainFiles, 1000), first(t, testFiles, 200), &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "░  epoch  1/10  loss ") {
		t.Error("no bar")
	}
	for _, line := range strings.FieldsFunc(log.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if n := len([]rune(line)); n > 80 && strings.Contains(line, "░") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestStopped(t *testing.T) {
	train, test := first(t, trainFiles, 1000), first(t, testFiles, 200)
	ctx, cancel := context.WithCancel(context.Background())
	c := &config{epochs: 1000, batch: 100, hidden: sizes{8}, rate: 0.002, out: t.TempDir()}
	w := writer(func(p []byte) {
		if bytes.HasPrefix(p, []byte("epoch    3/1000 ")) {
			cancel()
		}
	})
	if err := c.train(ctx, train, test, w); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(c.out, "mnist.png")); err == nil {
		t.Error("a picture of a training that was stopped")
	}

	c.rate = 1e30
	if err := c.train(context.Background(), train, test, w); err == nil || !strings.Contains(err.Error(), "a smaller -rate is needed") {
		t.Error(err)
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// Curves and grid are drawn whatever there is of them.
func TestPicture(t *testing.T) {
	d := first(t, testFiles, 100)
	for name, h := range map[string]*history{
		"one step": {epochs: 1, loss: []float64{2}, accuracy: []float64{0.1}, test: [][2]float64{{2, 0.1}}},
		"perfect":  {epochs: 1, loss: []float64{least}, accuracy: []float64{1}, test: [][2]float64{{least, 1}}},
		"long":     {epochs: 300, loss: constant(9999, 3), accuracy: constant(9999, 0.5), test: slices.Repeat([][2]float64{{3, 0.5}}, 300)},
	} {
		for _, n := range []int{0, 1, 100} {
			var wrong []mistake
			for i := range n {
				wrong = append(wrong, mistake{i, 3, 0.5})
			}
			file := filepath.Join(t.TempDir(), "x.png")
			if err := picture(file, h, d, wrong); err != nil {
				t.Error(name, n, err)
			}
			if info, err := os.Stat(file); err != nil || info.Size() < 5000 {
				t.Error(name, n, info, err)
			}
		}
	}
	if err := picture(filepath.Join(t.TempDir(), "no", "x.png"), &history{epochs: 1, loss: []float64{2}, accuracy: []float64{0.1}, test: [][2]float64{{2, 0.1}}}, d, nil); err == nil {
		t.Error("no folder")
	}
}

func constant(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }
