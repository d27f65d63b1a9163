package runtime

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// cpuProfile is the profile of what f does again and again: its strings are those of its samples.
func cpuProfile(t *testing.T, f func()) string {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Skip(err) // go test -cpuprofile
	}
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		f()
	}
	pprof.StopCPUProfile()
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// A profile names the steps of a program, those within loops and on helpers too, beside the caller's labels, which
// hold again when the run is over.
func TestProfileNamesSteps(t *testing.T) {
	const n = 1 << 20
	s := newSketch()
	g := s.g
	x := s.param(dtype.F64, ir.Static(n), 0)
	start := g.Const(dtype.F64, nil, 0.5)
	finals, _, _ := g.Loop("Scan", ir.LoopOptions{Length: ir.D(50_000)}, []*ir.Node{start}, nil,
		func(_ *ir.Node, c, _ []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
			return []*ir.Node{g.Apply(ops.Cos, c[0])}, nil, nil
		})
	outs := []*ir.Node{g.Apply(ops.Tanh, x), finals[0]}
	p, err := Compile(outs, s.inputs, Options{Profile: true, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]float64, n), make([]float64, n)
	var last float64
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("caller", "the caller's label"))
	run := func() {
		if err := p.Run(ctx, 1, []unsafe.Pointer{unsafe.Pointer(&in[0])}, []unsafe.Pointer{unsafe.Pointer(&out[0]), unsafe.Pointer(&last)}); err != nil {
			t.Fatal(err)
		}
	}
	run()
	got := "" // by all profiles: on a busy machine one has few samples
	missing := func() (s []string) {
		got += cpuProfile(t, run)
		want := []string{"the caller's label", "map of 1 (tanh)", label(p.low.steps[2].node)}
		if p.isa != nil && runtime.GOOS == "linux" {
			want = append(want, "_ExternalCode")
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				s = append(s, w)
			}
		}
		return s
	}
	var left []string
	for range 30 {
		if left = missing(); len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("not in the profile: %q\n%v", left, p)
	}
	after := cpuProfile(t, func() {
		for i := range in {
			in[i] += float64(i)
		}
	})
	if strings.Contains(after, "step ") {
		t.Error("a label holds after the run")
	}
	pprof.SetGoroutineLabels(context.Background())
}

// perf finds the code of a program that is to be profiled by its name.
func TestPerfMap(t *testing.T) {
	outs, inputs := chainStep(false)
	p, err := Compile(outs, inputs, Options{Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.isa == nil || runtime.GOOS != "linux" {
		t.Skip("no generated code, or no perf")
	}
	codes = codeCache{}
	b, err := p.binding(100)
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("/tmp/perf-%d.map", os.Getpid())
	defer os.Remove(file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, u := range b.units {
		if m, ok := u.(*mapUnit); ok && m.code != nil {
			size = m.code.segs[0].f.Size()
			if want := fmt.Sprintf(" %x adjoint: %s\n", size, m.name()); !strings.Contains(string(text), want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	if size == 0 {
		t.Error(p)
	}
}

func TestProfileSwitch(t *testing.T) {
	outs, inputs := chainStep(false)
	for _, c := range []struct {
		set  string
		want bool
	}{{"", false}, {"off", false}, {"on", true}} {
		t.Setenv("ADJOINT_PROFILE", c.set)
		if p, err := Compile(outs, inputs, Options{}); err != nil || p.profile != c.want {
			t.Errorf("%q: %v", c.set, err)
		}
	}
	t.Setenv("ADJOINT_PROFILE", "some")
	if _, err := Compile(outs, inputs, Options{}); err == nil || !strings.Contains(err.Error(), "ADJOINT_PROFILE=some") {
		t.Error(err)
	}
}
