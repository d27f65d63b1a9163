package main

import (
	"errors"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawPlot draws points and fit in the format that the file's name ends in.
func drawPlot(t, y []float64, f fitted, name string) error {
	plot.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.Title.Text = "Least squares: a damped oscillation"
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = "t", "y"
	p.X.Padding, p.Y.Padding = 0, 0
	p.Legend.Top, p.Legend.XOffs, p.Legend.Padding = true, -8, 3
	p.Add(plotter.NewGrid())

	const mostShown = 5000
	every := (len(t) + mostShown - 1) / mostShown
	var xy plotter.XYs
	for i := 0; i < len(t); i += every {
		xy = append(xy, plotter.XY{X: t[i], Y: y[i]})
	}
	dots, err := plotter.NewScatter(xy)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: color.NRGBA{0x33, 0x66, 0x99, 0x90}, Radius: vg.Points(1.8), Shape: draw.CircleGlyph{}}

	start, end := slices.Min(t), slices.Max(t)
	line := plotter.NewFunction(func(x float64) float64 { return plain(f.p, x-start) })
	line.XMin, line.XMax, line.Samples = start, end, 2000
	line.Color, line.Width = color.NRGBA{0xd6, 0x4f, 0x2a, 0xff}, vg.Points(1.6)
	p.Add(dots, line)
	p.Legend.Add("points", dots)
	p.Legend.Add("fit", line)

	canvas, err := draw.NewFormattedCanvas(20*vg.Centimeter, 12*vg.Centimeter, strings.TrimPrefix(filepath.Ext(name), "."))
	if err != nil {
		return err
	}
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	const margin = 12
	p.Draw(draw.Crop(page, margin, -margin, margin, -margin))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(file)
	return errors.Join(err, file.Close())
}
