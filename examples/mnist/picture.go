package main

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// history is a training's course.
type history struct {
	epochs         int          // done
	loss, accuracy []float64    // by step
	test           [][2]float64 // by epoch: loss, accuracy
}

// least is the smallest loss that is drawn: the axis is logarithmic.
const least = 1e-6

func (h *history) step(loss, accuracy float64) {
	h.loss, h.accuracy = append(h.loss, max(loss, least)), append(h.accuracy, accuracy)
}

func (h *history) epoch(loss, accuracy float64) {
	h.epochs++
	h.test = append(h.test, [2]float64{max(loss, least), accuracy})
}

// smooth is the means of a curve's pieces, about 100 of them, over epochs.
func (h *history) smooth(y []float64, scale float64) (xy plotter.XYs) {
	piece := max(1, len(y)/100)
	for i := 0; i+piece <= len(y); i += piece {
		sum := 0.0
		for _, v := range y[i : i+piece] {
			sum += v
		}
		x := (float64(i) + float64(piece)/2) / float64(len(y)) * float64(h.epochs)
		xy = append(xy, plotter.XY{X: x, Y: scale * sum / float64(piece)})
	}
	return xy
}

func (h *history) tests(which int, scale float64) (xy plotter.XYs) {
	for i, v := range h.test {
		xy = append(xy, plotter.XY{X: float64(i + 1), Y: scale * v[which]})
	}
	return xy
}

var (
	blue = color.RGBA{31, 98, 172, 255}
	red  = color.RGBA{202, 54, 42, 255}
	ink  = color.RGBA{40, 40, 46, 255}
	pale = color.RGBA{225, 226, 230, 255}
)

const (
	width, dpi = 12 * vg.Inch, 120
	curves     = 3.9 * vg.Inch // the curves' height
	margin     = 0.25 * vg.Inch
	title      = 0.3 * vg.Inch // above the curves
	gridHead   = 0.5 * vg.Inch // above the grid
	columns    = 14
	mostRows   = 5
	cell       = (width - 2*margin) / columns
	cellHeight = cell + 0.12*vg.Inch
)

// picture draws the curves and below them what d's pictures were mistaken for, the surest mistakes first,
// into a PNG file.
func picture(name string, h *history, d *digits, wrong []mistake) (err error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	loss, err := h.plot(h.smooth(h.loss, 1), h.tests(0, 1))
	if err != nil {
		return err
	}
	loss.Y.Scale, loss.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	loss.Y.Min, loss.Y.Max = 0.9*loss.Y.Min, 1.1*loss.Y.Max
	accuracy, err := h.plot(h.smooth(h.accuracy, 100), h.tests(1, 100))
	if err != nil {
		return err
	}
	accuracy.Y.Tick.Marker = stepTicks{}
	accuracy.Y.Max = 100
	accuracy.Y.Min = min(95, math.Floor(100*h.test[0][1])-1)
	accuracy.Legend.Top = false

	rows := min(mostRows, (len(wrong)+columns-1)/columns)
	height := curves + gridHead + vg.Length(rows)*cellHeight + margin
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	c := draw.New(img)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	top := draw.Crop(c, margin, -margin, height-curves, -margin-title)
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 0.4 * vg.Inch}
	plots := [][]*plot.Plot{{loss, accuracy}}
	for i, part := range plot.Align(plots, tiles, top)[0] {
		plots[0][i].Draw(part)
		at := vg.Point{X: plots[0][i].DataCanvas(part).Min.X, Y: height - margin}
		c.FillText(style(14, ink), at, []string{"Loss", "Accuracy, %"}[i])
	}
	drawMistakes(draw.Crop(c, margin, -margin, margin, -curves), d, wrong)

	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, f.Close()) }()
	_, err = vgimg.PngCanvas{Canvas: img}.WriteTo(f)
	return err
}

// plot shows a quantity's course in training and in the tests.
func (h *history) plot(train, test plotter.XYs) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text = "epochs"
	p.X.Tick.Marker = stepTicks{}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Tick.Color = color.Transparent, color.Transparent
		a.Label.TextStyle.Color, a.Tick.Label.Color = ink, ink
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 11, 10
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Transparent, pale
	line, err := plotter.NewLine(train)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = blue, 1.6
	tests, points, err := plotter.NewLinePoints(test)
	if err != nil {
		return nil, err
	}
	tests.Color, tests.Width = red, 1.6
	points.Color, points.Shape, points.Radius = red, draw.CircleGlyph{}, 2.6
	p.Add(grid, line, tests, points)
	p.X.Min, p.X.Max = 0, float64(h.epochs)
	p.Legend.Add("training", line)
	p.Legend.Add("test", tests, points)
	p.Legend.Top, p.Legend.TextStyle.Font.Size, p.Legend.TextStyle.Color = true, 11, ink
	p.Legend.Padding, p.Legend.ThumbnailWidth = 3, 22
	return p, nil
}

// stepTicks are at most 10 or so whole numbers.
type stepTicks struct{}

func (stepTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	step := 1.0
	for i := 0; (hi-lo)/step > 10; i++ {
		step *= []float64{2, 2.5, 2}[i%3]
	}
	for y := math.Ceil(lo/step) * step; y <= hi; y += step {
		ticks = append(ticks, plot.Tick{Value: y, Label: fmt.Sprint(y)})
	}
	return ticks
}

// logTicks are 1, 2 and 5 times the powers of ten.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, m := range []float64{1, 2, 5} {
			if y := m * math.Pow(10, e); y >= lo && y <= hi {
				ticks = append(ticks, plot.Tick{Value: y, Label: fmt.Sprintf("%.3g", y)})
			}
		}
	}
	return ticks
}

func style(size font.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: font.From(plot.DefaultFont, size), YAlign: draw.YTop, Handler: plot.DefaultTextHandler}
}

// drawMistakes fills a canvas with a title and rows of digits.
func drawMistakes(c draw.Canvas, d *digits, wrong []mistake) {
	shown := slices.Clone(wrong)
	slices.SortStableFunc(shown, func(a, b mistake) int { return cmp.Compare(b.sure, a.sure) })
	shown = shown[:min(len(shown), columns*mostRows)]
	head := fmt.Sprintf("%d of %d test digits are mistaken", len(wrong), d.len())
	if n := len(shown); n < len(wrong) {
		head += fmt.Sprintf("; the %d surest mistakes", n)
	}
	if len(wrong) > 0 {
		head += " (digit → taken for)"
	}
	c.FillText(style(14, ink), vg.Point{X: c.Min.X, Y: c.Max.Y - 0.12*vg.Inch}, head)

	top := c.Max.Y - gridHead
	for i, m := range shown {
		x := c.Min.X + vg.Length(i%columns)*cell
		y := top - vg.Length(i/columns)*cellHeight
		const pad = 0.06 * vg.Inch
		c.DrawImage(vg.Rectangle{Min: vg.Point{X: x + pad, Y: y - cell + 2*pad}, Max: vg.Point{X: x + cell - pad, Y: y}}, d.image(m.picture))
		is, as := fmt.Sprintf("%d → ", d.labels[m.picture]), fmt.Sprint(m.digit)
		label := style(11, ink)
		at := vg.Point{X: x + cell/2 - label.Width(is+as)/2, Y: y - cell + 1.6*pad}
		c.FillText(label, at, is)
		at.X += label.Width(is)
		c.FillText(style(11, red), at, as)
	}
}

// image is a picture, each pixel a square of several, so that scaling keeps them sharp.
func (d *digits) image(i int) image.Image {
	const zoom = 6
	img := image.NewGray(image.Rect(0, 0, side*zoom, side*zoom))
	for k := range img.Pix {
		y, x := k/(side*zoom)/zoom, k%(side*zoom)/zoom
		img.Pix[k] = 255 - d.pixels[i*pixels+y*side+x]
	}
	return img
}
