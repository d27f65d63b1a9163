package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var lstm = map[string]function{
	"objective": evaluation(lstmInput, func(a lstmArgs) ad.Value { return loss(a.P, a.D) }, number),
	"jacobian":  evaluation(lstmInput, lossByParameters, numbers),
}

// network is l layers of b cells: weights and biases of each layer's gates [2l, 4b], and how the input comes in
// and the output goes out [3, b].
type network struct{ Main, Extra ad.Value }

// text is the state that it starts in [2l, b] and the characters' bits [c, b].
type text struct{ State, Sequence ad.Value }

type lstmArgs struct {
	P network
	D text
}

func lstmInput(in struct {
	Main            [][]float64 `json:"main_params"`
	Extra           [][]float64 `json:"extra_params"`
	State, Sequence [][]float64
}, c *checks) lstmArgs {
	l := c.size("half the rows of main_params", len(in.Main)/2, most)
	c.that(len(in.Sequence) >= 2, "the sequence has %d characters: two are needed", len(in.Sequence))
	if c.err != nil {
		return lstmArgs{}
	}
	b := c.size("the length of sequence[0]", len(in.Sequence[0]), most)
	return lstmArgs{
		network{c.matrix("main_params", in.Main, 2*l, 4*b), c.matrix("extra_params", in.Extra, 3, b)},
		text{c.matrix("state", in.State, 2*l, b), c.matrix("sequence", in.Sequence, len(in.Sequence), b)},
	}
}

// loss is that of predicting each character from those before it. A layer needs of the one below only what that
// gave at the same step, so the layers run one after the other over the whole sequence: the gates that see a
// layer's input are computed for all steps at once.
func loss(p network, t text) ad.Value {
	c, b := t.Sequence.Dim(0), t.Sequence.Dim(1)
	x := t.Sequence.Slice(ad.Range{Hi: -1}).Mul(p.Extra.Index(0))
	for i := range p.Main.Dim(0) / 2 {
		weight, bias := p.Main.Index(2*i).Split(0, 4), p.Main.Index(2*i+1).Split(0, 4)
		gate := func(g int, x ad.Value) ad.Value { return x.Mul(weight[g]).Add(bias[g]) }
		type state struct{ Hidden, Cell ad.Value }
		type gates struct{ Forget, Out ad.Value }
		_, x = ad.Scan(func(s state, g gates) (state, ad.Value) {
			cell := s.Cell.Mul(g.Forget).Add(gate(1, s.Hidden).Sigmoid().Mul(gate(3, s.Hidden).Tanh()))
			hidden := g.Out.Mul(cell.Tanh())
			return state{hidden, cell}, hidden
		}, state{t.State.Index(2 * i), t.State.Index(2*i + 1)}, gates{gate(0, x).Sigmoid(), gate(2, x).Sigmoid()})
	}
	y := x.Mul(p.Extra.Index(1)).Add(p.Extra.Index(2))
	norm := y.Exp().SumKeep(1).Shift(2).Log()
	return t.Sequence.Slice(ad.Range{Lo: 1}).Mul(y.Sub(norm)).Sum().Scale(-1 / float64((c-1)*b))
}

func lossByParameters(a lstmArgs) ad.Value {
	g := ad.Grad2(loss)(a.P, a.D)
	return ad.Concat(0, g.Main.Flatten(), g.Extra.Flatten())
}
