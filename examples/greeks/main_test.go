package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// closedForm is price, delta, gamma, vega, theta, rho as the textbooks have them.
func closedForm(s, k, r, v, t float64, put bool) [6]float64 {
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	density := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	d1 := (math.Log(s/k) + (r+v*v/2)*t) / (v * math.Sqrt(t))
	d2 := d1 - v*math.Sqrt(t)
	sign := 1.0
	if put {
		sign = -1
	}
	pv := k * math.Exp(-r*t)
	return [6]float64{
		sign * (s*normal(sign*d1) - pv*normal(sign*d2)),
		sign * normal(sign*d1),
		density(d1) / (s * v * math.Sqrt(t)),
		s * density(d1) * math.Sqrt(t),
		-s*density(d1)*v/(2*math.Sqrt(t)) - sign*r*pv*normal(sign*d2),
		sign * t * pv * normal(sign*d2),
	}
}

func parseRow(t *testing.T, line string) (x []float64) {
	t.Helper()
	for _, f := range strings.Split(line, ",") {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		x = append(x, v)
	}
	return x
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

func TestClosedForm(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := generate(&again, 10_000, 1); err != nil || again.String() != string(text) {
		t.Error("the sample is not what -generate 10000 writes", err)
	}
	in := lines(string(text))
	if len(in) != 10_001 {
		t.Fatal(len(in), "lines")
	}
	for _, put := range []bool{false, true} {
		kind := map[bool]string{false: "call,", true: "put,"}[put]
		typed := "type," + in[0] + "\n" + kind + strings.Join(in[1:], "\n"+kind)
		var out strings.Builder
		r, err := stream(t.Context(), strings.NewReader(typed), &out, func(line int, reason string) { t.Error(line, reason) })
		if err != nil || r.rows != 10_000 || r.bad != 0 {
			t.Fatal(r, err)
		}
		for i, l := range lines(out.String()) {
			if i == 0 {
				if l != "price,delta,gamma,vega,theta,rho" {
					t.Error(l)
				}
				continue
			}
			x, got := parseRow(t, in[i]), parseRow(t, l)
			for k, want := range closedForm(x[0], x[1], x[2], x[3], x[4], put) {
				if !(math.Abs(got[k]-want) <= 1e-10*math.Abs(want)) {
					t.Errorf("put %v, line %d, %v: result %d is %v, not %v", put, i+1, in[i], k, got[k], want)
				}
			}
		}
	}
}

const columns = "spot,strike,rate,volatility,expiry\n"

// priced runs the command on an input and returns its rows, reports and status.
func priced(t *testing.T, input string) (rows []string, reports string, status int) {
	var out, errs strings.Builder
	status = run(t.Context(), []string{"-o", "-", "-"}, strings.NewReader(input), &out, &errs)
	if out.Len() > 0 {
		rows = lines(out.String())[1:]
	}
	return rows, errs.String(), status
}

func TestRows(t *testing.T) {
	const good = "100,95,0.03,0.2,0.75"
	want, _, status := priced(t, columns+good+"\n")
	if status != allPriced || len(want) != 1 {
		t.Fatal(want, status)
	}
	for row, reason := range map[string]string{
		"abc,95,0.03,0.2,0.75":         `spot "abc" is not a number`,
		"100,-95,0.03,0.2,0.75":        "strike -95 is not above 0",
		"0,95,0.03,0.2,0.75":           "spot 0 is not above 0",
		"100,95,0.03,0,0.75":           "volatility 0 is not above 0",
		"100,95,0.03,0.2,-0":           "expiry -0 is not above 0",
		"100,95,,0.2,0.75":             "rate is missing",
		"100,95,0.03,0.2":              "4 fields, but 5 columns",
		"100,95,0.03,0.2,0.75,":        "6 fields, but 5 columns",
		"100,95,NaN,0.2,0.75":          "rate NaN is not finite",
		"100,95,0.03,0.2,Inf":          "expiry Inf is not finite",
		"1e999,95,0.03,0.2,0.75":       "spot 1e999 is not finite",
		`"100,95,0.03,0.2,0.75`:        `spot "\"100" is not a number`,
		"1e300,1e-300,0.03,0.2,0.75":   "a result is out of range",
		"100,95,-1e6,0.2,0.75":         "a result is out of range",
		"100,95,0.03,1e-300,1e-300":    "a result is out of range",
		"100;95;0.03;0.2;0.75":         `spot "100;95;0.03;0.2;0.75" is not a number`,
		strings.Repeat("x", 1000):      `spot "xxxx`,
		"\x00\xff,95,0.03,0.2,0.75":    `spot "\x00\xff" is not a number`,
		"100,95,0.03,0.2,0.75 0.75":    `expiry "0.75 0.75" is not a number`,
		"100,95,0.03,0.2,0x1p-1,0,0,0": "8 fields, but 5 columns",
	} {
		rows, reports, status := priced(t, columns+good+"\n\n"+row+"\n"+good)
		if status != someBad || !slices.Equal(rows, []string{want[0], ",,,,,", want[0]}) {
			t.Errorf("%.50s: status %d, %q", row, status, rows)
		}
		if !strings.HasPrefix(reports, "line 4: "+reason) || !strings.Contains(reports, "\n2 options priced, 1 bad") {
			t.Errorf("%.50s: %q, not %q", row, reports, reason)
		}
	}
	for _, same := range []string{
		columns + " 100 ,\t95,3e-2,+.2,0.75\r\n",
		"\ufeff" + columns + good,
		"Expiry, VOLATILITY,Rate,strike ,spot\n0.75,0.2,0.03,95,100\n",
		`"spot","strike","rate","volatility","expiry"` + "\r\n\r\n" + `"100","95"," 0.03 ","0.2","0.75"` + "\r\n \t\r\n",
		"name,spot,strike,rate,volatility,expiry,type\n\"a, b\",100,95,0.03,0.2,0.75,Call\n",
	} {
		if rows, reports, status := priced(t, same); status != allPriced || !slices.Equal(rows, want) {
			t.Errorf("%q: status %d, %q, %s", same, status, rows, reports)
		}
	}
	rows, reports, status := priced(t, "type,"+columns+"forward,"+good+"\nPUT,"+good+"\n")
	if status != someBad || len(rows) != 2 || rows[0] != ",,,,," || !strings.HasPrefix(rows[1], "3.69224") ||
		!strings.HasPrefix(reports, `line 2: type "forward" is neither call nor put`) {
		t.Error(status, rows, reports)
	}
}

func TestInputs(t *testing.T) {
	for input, want := range map[string]struct {
		status int
		report string
	}{
		"":                                   {failed, "greeks: the input is empty"},
		"\n":                                 {failed, `greeks: line 1: no column is named spot: ""`},
		"100,95,0.03,0.2,0.75\n":             {failed, "greeks: line 1: no column is named spot"},
		"spot,strike,rate,vol,expiry\n":      {failed, "greeks: line 1: no column is named volatility"},
		"spot,spot,strike,rate,vol,expiry\n": {failed, "greeks: line 1: two columns are named spot"},
		columns:                              {allPriced, "no options"},
		columns[:len(columns)-1]:             {allPriced, "no options"},
		strings.Repeat("x", 2*maxLine):       {failed, "greeks: line 1: longer than"},
		columns + "1,1,1,1,1\n" + strings.Repeat("1", maxLine): {failed, "greeks: line 3: longer than"},
		"\x1f\x8bxx": {failed, "greeks: unexpected EOF"},
	} {
		rows, reports, status := priced(t, input)
		if status != want.status || !strings.HasPrefix(reports, want.report) || len(rows) > 0 {
			t.Errorf("%.50q: status %d, %q, %q", input, status, reports, rows)
		}
	}
}

// Rows keep their order and lines their numbers over many blocks, of which the last is not full.
func TestBlocks(t *testing.T) {
	const n, every = 10*blockRows + 17, 1000
	var in strings.Builder
	in.WriteString(columns)
	for i := range n {
		if i%every == 7 {
			in.WriteString("bad\n")
		} else {
			fmt.Fprintf(&in, "%d,100,0.03,0.2,0.75\n", 50+i%100)
		}
	}
	var out strings.Builder
	next := 7
	r, err := stream(t.Context(), strings.NewReader(in.String()), &out, func(line int, _ string) {
		if line != next+2 {
			t.Error(line, "is reported, not", next+2)
		}
		next += every
	})
	if err != nil || r.rows != n || r.bad != (n+every-8)/every {
		t.Error(r, err)
	}
	rows := lines(out.String())[1:]
	if len(rows) != n {
		t.Fatal(len(rows))
	}
	for i, row := range rows {
		if want := rows[i%100]; i%every == 7 {
			if row != ",,,,," {
				t.Fatal(i, row)
			}
		} else if i%100 != 7 && row != want {
			t.Fatal(i, row, want)
		}
	}
}

// endless is a file that never ends.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		return copy(p, columns), nil
	}
	return copy(p, "100,95,0.03,0.2,0.75\n"), nil
}

type limited struct{ left int }

var errFull = errors.New("full")

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestStops(t *testing.T) {
	if _, err := stream(t.Context(), &endless{}, &limited{1 << 20}, nil); !errors.Is(err, errFull) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if _, err := stream(ctx, &endless{}, w, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	command := func(args ...string) (status int, stdout, stderr string) {
		var out, errs strings.Builder
		status = run(t.Context(), args, strings.NewReader(""), &out, &errs)
		return status, out.String(), errs.String()
	}
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"-h"}, allPriced, "greeks [flags]"},
		{[]string{"-generate", "x"}, wrongUsage, "invalid value"},
		{[]string{"-generate", "10000001"}, wrongUsage, "greeks: at most"},
		{[]string{"a", "b"}, wrongUsage, "greeks: at most"},
		{[]string{"-generate", "5000", "-seed", "2", "-o", at("new/options.csv")}, allPriced, "5000 options in"},
		{[]string{"-o", at("greeks.csv"), at("new/options.csv")}, allPriced, "5000 options priced, 0 bad"},
		{[]string{"-o", at("sample.csv")}, allPriced, "10000 options priced, 0 bad"},
		{[]string{"-o", at("none.csv"), at("missing.csv")}, failed, "greeks: open"},
		{[]string{"-o", at("none.csv"), dir}, failed, "greeks: line 1: read"},
		{[]string{"-o", at("none.csv"), "-"}, failed, "greeks: the input is empty"},
		{[]string{"-o", at("greeks.csv/x")}, failed, "greeks: mkdir"},
	} {
		if status, _, stderr := command(c.args...); status != c.status || !strings.HasPrefix(stderr, c.stderr) {
			t.Errorf("%v: status %d, %s", c.args, status, stderr)
		}
	}
	var names []string
	files, err := os.ReadDir(dir)
	for _, f := range files {
		names = append(names, f.Name())
	}
	if want := []string{"greeks.csv", "new", "sample.csv"}; err != nil || !slices.Equal(names, want) {
		t.Error(names, err)
	}
	text, err := os.ReadFile(at("greeks.csv"))
	if err != nil || len(lines(string(text))) != 5001 {
		t.Error(len(text), err)
	}
}
