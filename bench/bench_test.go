package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// fakePeer makes the test binary a peer that is asked for by this variable: it multiplies by two, or
// misbehaves as the variable says.
const fakePeer = "BENCH_FAKE_PEER"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakePeer); how != "" {
		serveFake(how)
		return
	}
	os.Setenv("ADJOINT_DEVICE", "cpu")
	os.Exit(m.Run())
}

func serveFake(how string) {
	if how == "dies" {
		fmt.Fprintln(os.Stderr, "ImportError: no such thing")
		return
	}
	fmt.Println(`{"name": "fake", "version": "1.2"}`)
	in := json.NewDecoder(os.Stdin)
	for {
		var q struct {
			Prepare string
			Args    map[string]any
			At      []float64
			Run     int
		}
		if in.Decode(&q) != nil {
			return
		}
		var a any
		switch {
		case how == "garbage":
			fmt.Println("no JSON")
			continue
		case q.Prepare != "" && q.Args["kind"] != "double" && q.Args["kind"] != "compile":
			a = map[string]any{"error": "has no such case"}
		case q.Prepare != "":
			a = map[string]any{"ns": 9e9} // it compiled first
		case q.At != nil:
			values := []any{}
			for _, i := range q.At {
				values = append(values, 2*i)
			}
			if how == "wrong" {
				values[len(values)-1] = 0
			}
			if how == "nan" {
				values[0] = nil
			}
			a = map[string]any{"values": values}
		default:
			a = map[string]any{"ns": 1000 * q.Run}
		}
		line, _ := json.Marshal(a)
		fmt.Println(string(line))
	}
}

var quick = Timing{Rounds: 3, Sample: time.Microsecond, Limit: time.Second}

func doubleCase(kind string) Case {
	return Case{
		Name: "double/f64/8", Dtype: "f64", Args: map[string]any{"kind": kind}, Units: 8, RateUnit: "Gelem/s",
		Tolerance: 1e-12, Peers: []string{"fake"},
		Setup: func(int) (*Work, error) {
			return &Work{Level: "none", Run: func() error { return nil }, At: func(i int) float64 { return 2 * float64(i) }}, nil
		},
		Reference: func() ([]int, []float64) { return []int{0, 3, 7}, []float64{0, 6, 14} },
	}
}

func TestPeerProtocol(t *testing.T) {
	for _, test := range []struct{ how, kind, missing string }{
		{"well", "double", ""},
		{"well", "compile", ""},
		{"well", "triple", "has no such case"},
		{"wrong", "double", "wrong result"},
		{"nan", "double", "not a number"},
		{"dies", "double", "ImportError: no such thing"},
		{"garbage", "double", "invalid character"},
		{"absent", "double", "not installed"},
	} {
		t.Run(test.how+" "+test.kind, func(t *testing.T) {
			t.Setenv(fakePeer, test.how)
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if test.how == "absent" {
				exe = filepath.Join(t.TempDir(), "nothing")
			}
			p := startPeer(peerProgram{"fake", []string{exe}, nil}, 1)
			defer p.stop()
			c := doubleCase(test.kind)
			ours, theirs := ourSide(c.Setup(1)), p.side(&c)
			sides := []*Side{ours, theirs}
			index, want := c.Reference()
			for _, s := range sides {
				s.compare(index, want, c.Tolerance)
			}
			quick.interleave(sides)
			r := newRow(&c, 1, sides)
			if r.Missing != "" || r.NS <= 0 || r.Runs != 3 {
				t.Errorf("ours: %+v", r)
			}
			got := r.Peers[0]
			if test.missing != "" {
				if !strings.Contains(got.Missing, test.missing) || got.NS != 0 || got.Ratio != 0 || r.best() != nil {
					t.Errorf("%+v, want it missing for %q", got, test.missing)
				}
				return
			}
			ns, runs := 1000.0, 3
			if test.kind == "compile" { // there the first run is the work, and too slow for more
				ns, runs = 9e9, 1
			}
			if got.Missing != "" || got.NS != ns || got.Version != "1.2" || got.Runs != runs || got.Ratio <= 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSlowSideHasFewerRounds(t *testing.T) {
	calls := 0
	slow := &Side{Name: "slow", run: func(n int) (time.Duration, error) { calls++; return 600 * time.Millisecond, nil }}
	slower := &Side{Name: "slower", first: 2 * time.Second, run: func(n int) (time.Duration, error) { t.Error("run again"); return 0, nil }}
	broken := &Side{Name: "broken", run: func(n int) (time.Duration, error) { return 0, errors.New("broke") }}
	quick.interleave([]*Side{slow, slower, broken})
	if calls != 3 || len(slow.perRun) != 2 || slow.ns() != 6e8 {
		t.Error(calls, slow.perRun)
	}
	if len(slower.perRun) != 1 || slower.ns() != 2e9 || broken.Missing != "broke" {
		t.Error(slower.perRun, broken.Missing)
	}
}

// sampleRows is a row with a peer ahead, one behind and one missing, and a failed row.
func sampleRows() []Row {
	return []Row{
		{Case: "gemm/f32/32", Dtype: "f32", Threads: 1, Level: "avx2", NS: 800, Least: 640, Rate: 80, RateUnit: "GFLOP/s", LimitFraction: 0.8,
			MaxError: 1e-7, Runs: 9, CPU: "A CPU", Date: "2026-11-28", Peers: []PeerRow{
				{Name: "a", Version: "1", NS: 400, Least: 390, Ratio: 0.5, MaxError: 2e-7, Runs: 9},
				{Name: "b", Version: "2", NS: 1600, Least: 320, Ratio: 2, Runs: 9}, {Name: "c", Missing: "not installed"}}},
		{Case: "chain/f32/8", Dtype: "f32", Threads: 2, RateUnit: "Gelem/s", Missing: "wrong <result>", Peers: []PeerRow{}},
	}
}

func TestJSON(t *testing.T) {
	for _, rows := range [][]Row{sampleRows(), nil} {
		var b bytes.Buffer
		if err := writeJSON(&b, rows); err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got) != len(rows) {
			t.Fatal(err, b.String())
		}
		for _, r := range got {
			for _, k := range []string{"case", "dtype", "threads", "level", "ns", "rate", "rate_unit", "limit_fraction", "max_error", "peers"} {
				if _, ok := r[k]; !ok {
					t.Errorf("%v has no %s", r["case"], k)
				}
			}
			for _, p := range r["peers"].([]any) {
				for _, k := range []string{"name", "version", "ns", "ratio", "max_error"} {
					if _, ok := p.(map[string]any)[k]; !ok {
						t.Errorf("a peer of %v has no %s", r["case"], k)
					}
				}
			}
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := writeTable(&b, sampleRows()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A CPU; a 1, b 2", "800 ns", "80 GFLOP/s", "80%", "400 ns", "0.50      0.50", "failed",
		"c: not installed (gemm/f32/32)", "adjoint: wrong <result> (chain/f32/8)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestHTML(t *testing.T) {
	var b bytes.Buffer
	if err := writeHTML(&b, sampleRows()); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	for _, want := range []string{"<svg", "gemm/f32/32, 1 thread, a", `class="behind"`, `class="ahead"`, "c missing", "wrong &lt;result&gt;"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(s, "http") || strings.Contains(s, "<script") {
		t.Error("the page refers to something outside")
	}
}

func TestFlags(t *testing.T) {
	list := func(args ...string) []string {
		t.Helper()
		var out bytes.Buffer
		if err := run(append([]string{"-list"}, args...), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		return strings.Fields(out.String())
	}
	all := list()
	for _, want := range []string{"gemm/f32/1024", "pointwise/exp/f32/4096", "mlp/32", "greeks/f64/1000000", "chain/f32/1000000",
		"compile/mlp", "compile/chain1000", "scalar/f64"} {
		if !slices.Contains(all, want) {
			t.Errorf("no case %s", want)
		}
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(all))); len(sorted) != len(all) {
		t.Error("two cases of one name")
	}
	if got := list("-run", "^mlp/(32|256)$"); !slices.Equal(got, []string{"mlp/32", "mlp/256"}) {
		t.Error(got)
	}
	for _, args := range [][]string{{"-run", "nothing"}, {"-run", "("}, {"-threads", "0"}, {"-threads", "1,1"}, {"-threads", "x"}, {"more"}, {"-none"}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// Small cases as they are, from the command line to files.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	err := run([]string{"-run", "^scalar|gemm/f32/32$", "-threads", "1", "-peers", "-peers-dir", dir, "-json", "-", "-html", filepath.Join(dir, "x.html"),
		"-results", filepath.Join(dir, "results")}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil || len(rows) != 2 {
		t.Fatal(err, out.String())
	}
	for _, r := range rows {
		if r.Least <= 0 || r.Least > r.NS || r.Level == "" || r.Runs < 7 || len(r.Peers) == 0 {
			t.Errorf("%+v", r)
		}
		for _, p := range r.Peers {
			if (p.Missing == "") != (p.Name == "gonum") {
				t.Errorf("%s: %+v", r.Case, p)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "results", "*-peers.*"))
	if err != nil || len(files) != 2 {
		t.Error(files, err)
	}
}

// What was measured is kept after each case, and a run that is cut off gives it back.
func TestKeep(t *testing.T) {
	cases, err := selectCases(allCases(), "^gemm/f32/(32|64)$")
	if err != nil {
		t.Fatal(err)
	}
	var kept []int
	s := Suite{Cases: cases, Threads: []int{1}, Timing: quick, Keep: func(rows []Row) error { kept = append(kept, len(rows)); return nil }}
	if rows, err := s.Run(t.Context()); err != nil || len(rows) != 2 || !slices.Equal(kept, []int{1, 2}) {
		t.Error(len(rows), err, kept)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if rows, err := s.Run(ctx); !errors.Is(err, context.Canceled) || len(rows) != 1 || rows[0].LimitFraction == 0 {
		t.Error(rows, err)
	}
	full := errors.New("disk full")
	s.Keep = func([]Row) error { return full }
	if rows, err := s.Run(t.Context()); !errors.Is(err, full) || len(rows) != 1 {
		t.Error(rows, err)
	}
}

// Every kind of case does what its reference says, at the smallest of its sizes.
func TestCasesAreRight(t *testing.T) {
	small := []Case{
		gemmCase("nn", "f32", product{1, 20, 30, 40, false, false}), gemmCase("nt", "f64", product{1, 20, 30, 40, false, true}),
		gemmCase("tn", "f64", product{1, 20, 30, 40, true, false}), gemmCase("tt", "f32", product{1, 20, 30, 40, true, true}),
		gemmCase("batch", "f64", product{7, 5, 6, 8, false, false}),
		gemmCase("batch transposed", "f64", product{7, 5, 6, 8, true, true}),
		gemmCase("half", "bf16", product{1, 20, 30, 40, false, true}),
	}
	for i := range reductions {
		small = append(small, reduceCase(i, "f64", "rows", [3]int{5, 33, 1}), reduceCase(i, "f32", "middle", [3]int{3, 100, 7}))
	}
	for _, c := range pointwiseCases() {
		if c.OneThread {
			small = append(small, c)
		}
	}
	small = append(small, compileCases()...)
	small = append(small, scalarCases()...)
	small = append(small, sparseCases()...)
	small = append(small, mlpCases()[0])
	small = append(small, chainCases()...)
	small = append(small, fusedCases()[0])
	named, err := selectCases(allCases(), "^(linalg|linearize|gnvp|jet|hessiandiag|cond|cg|eager)/")
	if err != nil {
		t.Fatal(err)
	}
	small = append(small, named...)
	if !testing.Short() {
		small = append(small, greeksCases()...)
	}
	for _, c := range small {
		t.Run(c.Name, func(t *testing.T) {
			index, want := c.Reference()
			s := ourSide(c.Setup(2))
			s.compare(index, want, c.Tolerance)
			if s.Missing != "" {
				t.Error(s.Missing)
			}
			if p := goPeers["gonum"]; c.Args["kind"] == "gemm" && c.Dtype != "bf16" {
				s := ourSide(p.setup(&c, 1))
				if s.compare(index, want, c.Tolerance); s.Missing != "" {
					t.Error("gonum:", s.Missing)
				}
			}
		})
	}
}

func TestRelativeError(t *testing.T) {
	for _, test := range []struct {
		got, want []float64
		err       float64
	}{
		{[]float64{1, 2}, []float64{1, 2}, 0},
		{[]float64{1, 0}, []float64{1, 1e-9}, 2e-9},
		{[]float64{3, 1}, []float64{2, 2}, 0.5},
		{[]float64{math.NaN()}, []float64{1}, math.Inf(1)},
		{[]float64{0}, []float64{0}, 0},
	} {
		e, err := relativeError(test.got, test.want)
		if err != nil || math.Abs(e-test.err) > 1e-10 && e != test.err {
			t.Errorf("%v, %v: %v %v", test.got, test.want, e, err)
		}
	}
	if _, err := relativeError(nil, []float64{1}); err == nil {
		t.Error("results are missing and nobody says so")
	}
}

// The data that peers make again in their own languages.
func TestNumbers(t *testing.T) {
	if got := numbers[float64](3, 4, 0, 1<<24); !slices.Equal(got, []float64{5221768, 8456107, 629216, 2534581}) {
		t.Errorf("%.0f", got)
	}
	if !slices.Equal(some(5, 9), []int{0, 1, 2, 3, 4}) || !slices.Equal(some(101, 3), []int{0, 50, 100}) || len(some(0, 3)) != 0 {
		t.Error(some(5, 9), some(101, 3))
	}
	if v := element([]ad.Value{ad.From([]float32{1, 2}), ad.From([]float64{3, 4})}, 3); v != 4 {
		t.Error(v)
	}
}
