// Command derivative derives f(x) = x³ + 2x by reverse and by forward mode, a second time, over a batch,
// and draws the program that value and derivative become. It imports autodiff and, for the picture, gonum.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func f(x ad.Value) ad.Value { return x.PowInt(3).Add(x.Scale(2)) }

func main() {
	x := flag.Float64("x", 3, "where to take the derivative")
	dir := flag.String("out", "out", "the folder for derivative.dot and derivative.svg")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "derivative [flags]: the derivatives of x³ + 2x, and a drawing of their program\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	err := fmt.Errorf("unexpected argument %q", flag.Arg(0))
	if flag.NArg() == 0 {
		err = run(os.Stdout, *x, *dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "derivative:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, x float64, dir string) error {
	// For plain numbers there are helpers: one call, nothing to keep.
	y, dy, err := ad.ValueAndDerivative(f, x)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "f(%g)   = %g\n", x, y)
	fmt.Fprintf(w, "f'(%g)  = %g   reverse mode\n", x, dy)

	// A transform makes a function of a function: forward mode along a tangent, and any nesting.
	forward := ad.JVP(f)(ad.Scalar(x), ad.Scalar(1.0))
	fmt.Fprintf(w, "f'(%g)  = %g   forward mode\n", x, forward.Tangent.Item())
	fmt.Fprintf(w, "f''(%g) = %g   reverse over reverse\n", x, ad.Grad(ad.Grad(f))(ad.Scalar(x)).Item())

	// Compiled once, it runs on batches of every size.
	program, err := ad.Compile(ad.Vmap(ad.ValueAndGrad(f)), ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		return err
	}
	r, err := program.Run(context.Background(), ad.From([]float64{x - 1, x, x + 1}))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "f' at %g, %g, %g: %g\n", x-1, x, x+1, ad.Data[float64](r.Grad))

	return draw(w, program.Dot(), filepath.Join(dir, "derivative"))
}

// draw writes a graph in Graphviz' language to path.dot and its picture to path.svg.
func draw(w io.Writer, dot, path string) error {
	picture, err := svg(dot)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(path+".dot", []byte(dot), 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(path+".svg", picture, 0o666); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "drawn in %s.dot and %s.svg\n", path, path)
	return err
}
