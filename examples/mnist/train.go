package main

import (
	"context"
	"math/rand/v2"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/nn"
	"github.com/adjoint-go/adjoint/optim"
)

// batch is some pictures, [B, pixels], and what they show, [B].
type batch struct{ Pixels, Label ad.Value }

// state is what a step of training changes.
type state struct {
	Model  nn.MLP
	Adam   optim.Adam[nn.MLP]
	Scaler optim.Scaler // of float16s
}

// stepped is what a step gives: the state after it, the mean loss of its batch and how many pictures it
// took for what they are.
type stepped struct {
	State         state
	Loss, Correct ad.Value
}

func loss(m nn.MLP, b batch) ad.Value { return ad.CrossEntropy(m.Apply(b.Pixels), b.Label) }

func correct(m nn.MLP, b batch) ad.Value {
	return m.Apply(b.Pixels).ArgMax(-1).Eq(b.Label).CountTrue()
}

// stepFunc is one step of training, of all that there will be: the rate falls from its start to 0. If mixed, the
// network is computed on numbers of 16 bits; the weights that Adam changes stay float32s. Of float16s gradients are often too
// small or too large: the loss is scaled, and a step whose gradients are not finite is none.
func stepFunc(rate float64, all int, mixed half) func(s state, b batch) stepped {
	loss, correct := loss, correct
	if mixed != "" {
		to := map[half]ad.DType{"bf16": ad.BF16, "f16": ad.F16}[mixed]
		loss = nn.MixedIn(to, loss)
		exact := correct
		correct = func(m nn.MLP, b batch) ad.Value {
			return exact(nn.Cast(m, ad.F32, to), nn.Cast(b, ad.F32, to))
		}
	}
	return func(s state, b batch) stepped {
		var l ad.Valued[nn.MLP]
		if mixed == "f16" {
			l = optim.ScaledValueAndGrad2(s.Scaler, loss)(s.Model, b)
		} else {
			l = ad.ValueAndGrad2(loss)(s.Model, b)
		}
		left := ad.Const(1).Sub(s.Adam.Steps.Scale(1 / float64(all)))
		next := s
		next.Model, next.Adam = s.Adam.Step(s.Model, l.Grad, left.Scale(rate))
		if mixed == "f16" {
			ok := optim.AllFinite(l.Grad)
			next = optim.Choose(ok, next, s)
			next.Scaler = s.Scaler.Next(ok)
		}
		return stepped{next, l.Value, correct(s.Model, b)}
	}
}

// reading is what a model makes of a batch: its loss, and by picture the digit it sees and how sure it is.
type reading struct{ Loss, Digit, Sure ad.Value }

func read(m nn.MLP, b batch) reading {
	logits := m.Apply(b.Pixels)
	return reading{ad.CrossEntropy(logits, b.Label), logits.ArgMax(-1), logits.Softmax(-1).ReduceMax(-1)}
}

// trainer holds the two programs of a training, for batches of any size, and where it stands.
type trainer struct {
	step *ad.Program2[state, batch, stepped]
	read *ad.Program2[nn.MLP, batch, reading]

	data   *digits
	order  []int // of the pictures in an epoch
	random *rand.Rand
	shift  int // pictures are moved by up to so many pixels each way
	pixels []float32
	labels []int64
	whole  batch // all of pixels and labels

	now stepped
}

// newTrainer draws a model and compiles its training.
func newTrainer(c *config, data *digits) (*trainer, error) {
	model := nn.NewMLP(rand.New(rand.NewPCG(c.seed, 1)), c.layers()...)
	start := state{Model: model, Adam: optim.NewAdam(model)}
	if c.mixed == "f16" {
		start.Scaler = optim.NewScaler()
	}
	t := &trainer{
		data: data, order: make([]int, data.len()), random: rand.New(rand.NewPCG(c.seed, 2)), shift: c.shift,
		pixels: make([]float32, c.batch*pixels), labels: make([]int64, c.batch),
		now: stepped{State: start},
	}
	for i := range t.order {
		t.order[i] = i
	}
	t.whole = t.first(c.batch)
	spec := batch{ad.F32.Spec(ad.AnyBatch, pixels), ad.I64.Spec(ad.AnyBatch)}
	steps := c.epochs * ((data.len() + c.batch - 1) / c.batch)
	options := ad.Options{Threads: c.threads, Level: c.level, Device: c.device}
	var err error
	if t.step, err = ad.Compile2(stepFunc(c.rate, steps, c.mixed), start, spec, options); err != nil {
		return nil, err
	}
	t.read, err = ad.Compile2(read, model, spec, options)
	return t, err
}

// epoch makes a step for each batch of all pictures in a new order, the last batch with what is left, and
// tells each what came of it.
func (t *trainer) epoch(ctx context.Context, each func(n int, loss, correct float64)) error {
	t.random.Shuffle(len(t.order), func(i, k int) { t.order[i], t.order[k] = t.order[k], t.order[i] })
	for rest := t.order; len(rest) > 0; {
		n := min(len(rest), len(t.labels))
		// In place: the weights that are read are those that are written.
		if err := t.step.RunInto(ctx, &t.now, t.now.State, t.gather(rest[:n])); err != nil {
			return err
		}
		each(n, t.now.Loss.Item(), t.now.Correct.Item())
		rest = rest[n:]
	}
	return nil
}

// gather copies pictures, each moved a little, into the memory of the batch before.
func (t *trainer) gather(which []int) batch {
	for k, i := range which {
		right, down := t.random.IntN(2*t.shift+1)-t.shift, t.random.IntN(2*t.shift+1)-t.shift
		t.data.copyShifted(t.pixels[k*pixels:(k+1)*pixels], i, right, down)
		t.labels[k] = int64(t.data.labels[i])
	}
	if len(which) == len(t.labels) {
		return t.whole
	}
	return t.first(len(which))
}

// first is the first n of the batch in memory.
func (t *trainer) first(n int) batch {
	return batch{ad.From(t.pixels[:n*pixels], n, pixels), ad.From(t.labels[:n])}
}

// mistake is a picture taken for another digit.
type mistake struct {
	picture int
	digit   int
	sure    float64 // the probability given to it
}

// test reads other pictures.
func (t *trainer) test(ctx context.Context, d *digits) (loss float64, wrong []mistake, err error) {
	const most = 1000
	x, y := make([]float32, most*pixels), make([]int64, most)
	var r reading
	for start := 0; start < d.len(); start += most {
		n := min(most, d.len()-start)
		for k := range n {
			d.copyShifted(x[k*pixels:(k+1)*pixels], start+k, 0, 0)
			y[k] = int64(d.labels[start+k])
		}
		b := batch{ad.From(x[:n*pixels], n, pixels), ad.From(y[:n])}
		if err := t.read.RunInto(ctx, &r, t.now.State.Model, b); err != nil {
			return 0, nil, err
		}
		loss += r.Loss.Item() * float64(n) / float64(d.len())
		for k, digit := range ad.Data[int64](r.Digit) {
			if digit != y[k] {
				wrong = append(wrong, mistake{start + k, int(digit), r.Sure.At(k)})
			}
		}
	}
	return loss, wrong, nil
}
