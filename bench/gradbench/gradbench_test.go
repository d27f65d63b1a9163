package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The cases of testdata, and those of the folder that GRADBENCH_DATA names, are answered as GradBench's
// hand-derived C++ answers them, on one thread and on two.
func TestCases(t *testing.T) {
	type caseOf struct {
		Module, Function string
		Input            json.RawMessage
		Output           any
		Outputs          map[string]any
	}
	files, _ := filepath.Glob("testdata/*.json")
	more, _ := filepath.Glob(filepath.Join(os.Getenv("GRADBENCH_DATA"), "*.json"))
	if os.Getenv("GRADBENCH_DATA") != "" && len(more) == 0 {
		t.Errorf("GRADBENCH_DATA=%s holds no case", os.Getenv("GRADBENCH_DATA"))
	}
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c caseOf
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(file, err)
		}
		if c.Outputs == nil {
			c.Outputs = map[string]any{c.Function: c.Output}
		}
		if c.Module == "" {
			c.Module = strings.TrimSuffix(filepath.Base(file), ".json")
		}
		for function, want := range c.Outputs {
			t.Run(fmt.Sprint(filepath.Base(file), "/", function), func(t *testing.T) {
				for threads := 1; threads <= 2; threads++ {
					m := fmt.Sprintf(`{"id":7,"kind":"evaluate","module":%q,"function":%q,"input":%s}`, c.Module, function, c.Input)
					r := ask(t, m, ad.Options{Threads: threads})
					if !r.Success {
						t.Fatal(r.Error)
					}
					if len(r.Timings) != 1 {
						t.Errorf("%d timings of one run", len(r.Timings))
					}
					got, want := flat(r.Output, ""), flat(want, "")
					if len(got) != len(want) {
						t.Fatalf("%d numbers, not %d", len(got), len(want))
					}
					for k, x := range want {
						// The C++ takes the derivative of ode's exact solution, not of the program: they agree to 1e-60.
						small := 0.0
						if c.Module == "ode" {
							small = 1e-50
						}
						if y, ok := got[k]; !ok || math.Abs(x-y) > 1e-9*math.Abs(x)+small {
							t.Fatalf("%s is %v, not %v", k, y, x)
						}
					}
				}
			})
		}
	}
}

// flat is the numbers of a JSON value by their paths.
func flat(v any, path string) map[string]float64 {
	res := map[string]float64{}
	add := func(v any, path string) {
		for k, x := range flat(v, path) {
			res[k] = x
		}
	}
	switch v := v.(type) {
	case float64:
		res[path] = v
	case []any:
		for i, x := range v {
			add(x, fmt.Sprintf("%s[%d]", path, i))
		}
	case map[string]any:
		for k, x := range v {
			add(x, path+"."+k)
		}
	}
	return res
}

// answer is a response as the other side reads it.
type answer struct {
	ID      int
	Tool    string
	Success bool
	Output  any
	Timings []timing
	Error   string
}

// ask sends messages, one a line, and returns the last answer.
func ask(t *testing.T, messages string, o ad.Options) answer {
	t.Helper()
	var out bytes.Buffer
	if err := serve(strings.NewReader(messages), &out, o); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var a answer
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
		t.Fatal(err, out.String())
	}
	return a
}

func TestProtocol(t *testing.T) {
	session := `{"id":0,"kind":"start","eval":"hello"}
{"id":1,"kind":"define","module":"hello"}
{"id":2,"kind":"define","module":"bonjour"}

{"id":3,"kind":"evaluate","module":"hello","function":"double","input":7}
{"id":4,"kind":"evaluate","module":"lse","function":"primal","input":{"x":[0,0],"min_runs":3,"min_seconds":0}}
{"id":5,"kind":"analysis","of":3,"valid":true}
{"id":6,"kind":"evaluate","module":"lse","function":"primal","input":{"x":[1],"min_runs":1,"min_seconds":0.01}}`
	var out bytes.Buffer
	if err := serve(strings.NewReader(session), &out, ad.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		`{"id":0,"tool":"adjoint"}`,
		`{"id":1,"success":true}`,
		`{"id":2,"success":false}`,
		`{"id":3,"success":true,"output":14,"timings":[{"name":"evaluate","nanoseconds":`,
		`{"id":4,"success":true,"output":0.693147180559945`,
		`{"id":5}`,
		`{"id":6,"success":true,"output":1,`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d of\n%s\nis not %s", i, out.String(), want)
		}
	}
	for line, runs := range map[int][2]int{3: {1, 1}, 4: {3, 3}, 6: {2, math.MaxInt}} {
		var a answer
		if err := json.Unmarshal([]byte(lines[line]), &a); err != nil {
			t.Fatal(err)
		}
		if n := len(a.Timings); n < runs[0] || n > runs[1] {
			t.Errorf("%d timings in %s", n, lines[line])
		}
	}
}

// What cannot be evaluated is answered with a reason.
func TestRefused(t *testing.T) {
	for message, want := range map[string]string{
		`{"id":9,`:                                                                               "not a message",
		`[1,2]`:                                                                                  "not a message",
		`{"id":9,"kind":"dance"}`:                                                                `kind "dance" is not known`,
		evaluate("tango", "step", "1"):                                                           `no module "tango"; there are ba, det`,
		evaluate("lse", "step", "1"):                                                             `lse has no function "step"; it has gradient, primal`,
		evaluate("lse", "primal", ""):                                                            "not a message",
		evaluate("lse", "primal", "[1]"):                                                         "cannot unmarshal array",
		evaluate("lse", "primal", "{}"):                                                          "the length of x is 0",
		evaluate("lse", "primal", `{"x":[1,"2"]}`):                                               "cannot unmarshal string",
		evaluate("lse", "primal", `{"x":[1],"min_runs":"many"}`):                                 "cannot unmarshal string",
		evaluate("hello", "square", "null"):                                                      "a number is needed",
		evaluate("hello", "square", "1e200"):                                                     "+Inf",
		evaluate("llsq", "primal", `{"x":[1],"n":1}`):                                            "n is 1",
		evaluate("llsq", "primal", `{"x":[1],"n":1000000000}`):                                   "n is 1000000000",
		evaluate("det", "primal", `{"A":[1,2,3],"ell":2}`):                                       "A has 3 elements, not 4",
		evaluate("det", "primal", `{"A":[1],"ell":-1}`):                                          "ell is -1",
		evaluate("ode", "primal", `{"x":[1],"s":0}`):                                             "s is 0",
		evaluate("kmeans", "cost", `{"points":[[1],[1,2]],"centroids":[]}`):                      "the number of centroids is 0",
		evaluate("kmeans", "cost", `{"points":[[1],[1,2]],"centroids":[[1]]}`):                   "points[1] has 2 elements, not 1",
		evaluate("gmm", "objective", `{"d":1,"k":1,"n":1,"gamma":1}`):                            "alpha has 0 elements, not 1",
		evaluate("ba", "jacobian", `{"n":1,"m":1,"p":0,"cam":[],"x":[],"w":1,"feat":[]}`):        "p is 0",
		evaluate("ba", "jacobian", `{"n":1,"m":1,"p":1,"cam":[1],"x":[],"w":1,"feat":[]}`):       "cam has 1 elements, not 11",
		evaluate("saddle", "rr", `{"start":[1]}`):                                                "start has 1 elements, not 2",
		evaluate("particle", "rr", `{}`):                                                         "w is missing",
		evaluate("ht", "jacobian", `{}`):                                                         "parents has 0 elements",
		evaluate("lstm", "objective", `{"main_params":[],"extra_params":[],"sequence":[[],[]]}`): "half the rows",
	} {
		if a := ask(t, message, ad.Options{Threads: 1}); a.Success || !strings.Contains(a.Error, want) {
			t.Errorf("%s: %+v, want %s", message, a, want)
		}
	}
}

func evaluate(module, function, input string) string {
	return fmt.Sprintf(`{"id":9,"kind":"evaluate","module":%q,"function":%q,"input":%s}`, module, function, input)
}

// A message of 50 MB.
func TestLargeMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 5 << 20
	var b strings.Builder
	b.WriteString(`{"id":1,"kind":"evaluate","module":"lse","function":"primal","input":{"x":[0`)
	for range n - 1 {
		b.WriteString(",0.00000000")
	}
	b.WriteString("]}}\n")
	a := ask(t, b.String(), ad.Options{})
	if y, ok := a.Output.(float64); !ok || math.Abs(y-math.Log(n)) > 1e-12 {
		t.Error(a)
	}
}

// Runge and Kutta's steps are exact for polynomials up to degree 4: y₃(2) is the product of x with 2⁴/4!.
func TestOdeGradient(t *testing.T) {
	x := []float64{0.3, -0.7, 1.5, 0.9}
	for _, steps := range []int{1, 7, 100} {
		p, err := ad.Compile(lastByX, initial{ad.F64.Spec(4), steps})
		if err != nil {
			t.Fatal(err)
		}
		g, err := p.Run(t.Context(), initial{ad.From(x), steps})
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			want := 16.0 / 24
			for k := range x {
				if k != i {
					want *= x[k]
				}
			}
			if math.Abs(g.At(i)-want) > 1e-13*math.Abs(want) {
				t.Errorf("%d steps: derivative %d is %v, not %v", steps, i, g.At(i), want)
			}
		}
	}
}

// Both nested searches end at what GradBench expects, in all combinations of modes.
func TestNested(t *testing.T) {
	for module, c := range map[string]struct {
		input string
		want  []float64
	}{
		"saddle":   {`{"start":[1,1]}`, slices.Repeat([]float64{8.246324826140356e-06}, 4)},
		"particle": {`{"w":0}`, []float64{0.2071918746486116}},
	} {
		for _, function := range []string{"ff", "fr", "rf", "rr"} {
			a := ask(t, evaluate(module, function, c.input), ad.Options{Threads: 1})
			got := flat(a.Output, "")
			if len(got) != len(c.want) {
				t.Errorf("%s/%s: %+v", module, function, a)
			}
			for _, x := range got {
				if math.Abs(x-c.want[0]) > 1e-9*c.want[0] {
					t.Errorf("%s/%s: %v, want %v", module, function, x, c.want)
				}
			}
		}
	}
}

// kmeans on a line, where the means can be told.
func TestKmeans(t *testing.T) {
	in := `{"points":[[0],[1],[10],[12],[17]],"centroids":[[2],[11]]}`
	if a := ask(t, evaluate("kmeans", "cost", in), ad.Options{}); a.Output != 4+1+1+1+36.0 {
		t.Error(a)
	}
	want := []float64{2 - 0.5, 11 - 13}
	a := ask(t, evaluate("kmeans", "dir", in), ad.Options{})
	got := flat(a.Output, "")
	if !slices.Equal([]float64{got["[0][0]"], got["[1][0]"]}, want) || len(got) != 2 {
		t.Error(a, want)
	}
}

func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in.json")
	if err := os.WriteFile(file, []byte(`{"module":"lse","function":"primal","input":{"x":[0,0]}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-eval lse -file " + file:                                   "0.693147",
		"-threads 1 -level purego -eval lse/gradient -file " + file: "[0.5,0.5]",
		"-eval lse/step -file " + file:                              `no function "step"`,
		"-eval lse":                                                 "go together",
		"-eval lse -file nothing":                                   "no such file",
		"what":                                                      "unexpected argument",
		"-level avx9 -eval lse -file " + file:                       "avx9",
		"-steps -eval lse -file " + file:                            "step 0",
	} {
		var out, log bytes.Buffer
		err := run(strings.Fields(args), strings.NewReader(""), &out, &log)
		if text := fmt.Sprint(out.String(), err); !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s", args, text, want)
		}
	}
}
