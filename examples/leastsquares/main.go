// Command leastsquares fits a damped oscillation to points: gonum's optimizer on gradients from autodiff. It
// imports autodiff and gonum.
package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const usage = `leastsquares [flags] [points.csv]: fits a damped oscillation to points

    y = amplitude · exp(-decay·t) · cos(frequency·t + phase) + offset,   t counted from the first point

The file, or standard input for -, has two numbers t,y per line; a first line of names is skipped. Without a
file, points with a known answer and noise are made.

`

func main() {
	n := flag.Int("n", 400, "the number of points to make")
	noise := flag.Float64("noise", 0.15, "their standard deviation from the curve")
	seed := flag.Uint64("seed", 1, "of the noise")
	out := flag.String("o", filepath.Join("out", "leastsquares.png"), "the plot's `file`: .png, .svg or .pdf")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(os.Stdout, os.Stdin, flag.Args(), *n, *noise, *seed, *out); err != nil {
		fmt.Fprintln(os.Stderr, "leastsquares:", err)
		os.Exit(1)
	}
}

// known are the parameters of the points that are made.
var known = [parameters]float64{2, 0.35, 5, 0.6, 1}

func run(w io.Writer, stdin io.Reader, args []string, n int, noise float64, seed uint64, out string) error {
	var t, y []float64
	var err error
	switch {
	case len(args) > 1:
		return errors.New("more than one file; see -h")
	case len(args) == 1:
		t, y, err = load(args[0], stdin)
	case n < 1 || n > 10_000_000:
		return fmt.Errorf("-n %d is not in 1 … 10,000,000", n)
	default:
		t, y = synthetic(known, n, noise, seed)
	}
	if err != nil {
		return err
	}
	start := time.Now()
	f, err := fit(t, y)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d points, %d iterations of BFGS, %d runs of value and gradient, %.3g ms in all\n\n",
		len(t), f.iterations, f.calls, time.Since(start).Seconds()*1e3)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\tfitted\tstandard error\t")
	if len(args) == 0 {
		fmt.Fprint(table, "true\t")
	}
	for i, name := range names {
		fmt.Fprintf(table, "\n%s\t%.5g\t%.2g\t", name, f.p[i], f.deviation[i])
		if len(args) == 0 {
			fmt.Fprintf(table, "%g\t", known[i])
		}
	}
	fmt.Fprintln(table)
	table.Flush()
	fmt.Fprintf(w, "\nthe curve explains %.2f%% of the variance; standard deviation of the rest %.3g\n", 100*f.explained, f.residual)
	if err := drawPlot(t, y, f, out); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "plot in", out)
	return err
}

// synthetic makes n points at times 0 … 10 on a curve, with normal noise.
func synthetic(p [parameters]float64, n int, noise float64, seed uint64) (t, y []float64) {
	r := rand.New(rand.NewPCG(seed, 0))
	t, y = make([]float64, n), make([]float64, n)
	for i := range t {
		t[i] = 10 * float64(i) / float64(max(1, n-1))
		y[i] = plain(p, t[i]) + noise*r.NormFloat64()
	}
	return t, y
}

// plain is the curve in plain Go.
func plain(p [parameters]float64, t float64) float64 {
	return p[amplitude]*math.Exp(-p[decay]*t)*math.Cos(p[frequency]*t+p[phase]) + p[offset]
}

func load(name string, stdin io.Reader) (t, y []float64, err error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		stdin = f
	}
	r := csv.NewReader(stdin)
	r.FieldsPerRecord = 2
	r.TrimLeadingSpace = true
	r.ReuseRecord = true
	for first := true; ; first = false {
		record, err := r.Read()
		if err == io.EOF {
			return t, y, nil
		} else if err != nil {
			return nil, nil, err
		}
		var at [2]float64
		wrong := -1
		for i, field := range record {
			if at[i], err = strconv.ParseFloat(strings.TrimSpace(field), 64); err != nil {
				wrong = i
			}
		}
		if wrong >= 0 && first {
			continue
		} else if wrong >= 0 {
			line, _ := r.FieldPos(wrong)
			return nil, nil, fmt.Errorf("line %d: %.40q is not a number", line, record[wrong])
		}
		t, y = append(t, at[0]), append(y, at[1])
	}
}
