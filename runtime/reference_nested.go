package runtime

import (
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// referenceNested computes the results of a Loop or Branch, of a loop also the number of steps taken.
// Each step's body, parameters and results are shown to see, if that is not nil.
func referenceNested(n *ir.Node, in []array, batch int, see func(b *ir.Body, params [][]byte, ys []array)) []array {
	body := func(b *ir.Body, outs []*ir.Node, params [][]byte) []array {
		res, err := Reference(outs, batch, params)
		if err != nil {
			panic(err)
		}
		ys := make([]array, len(outs))
		for i, o := range outs {
			ys[i] = newArray(o.Type, o.Shape.At(batch))
			copy(ys[i].bytes, res[i])
		}
		return ys
	}
	if n.Kind == ir.Branch {
		b := n.Body[max(0, min(len(n.Body)-1, in[0].index(0)))]
		var params [][]byte
		for _, x := range in[1:] {
			params = append(params, x.bytes)
		}
		ys := body(b, b.Outs, params)
		if see != nil {
			see(b, params, ys)
		}
		return ys
	}
	b := n.Body[0]
	length := n.Size.At(batch)
	if n.Size.C < 0 && n.Size.B == 0 {
		length = int(^uint(0) >> 1)
	}
	steps := length
	if n.Bits == 1 {
		steps = max(0, min(steps, in[len(in)-1].index(0)))
	}
	if n.Kind == ir.Rewind {
		return referenceRewind(n, in, batch, steps, body)
	}
	res := make([]array, len(b.Outs)+1)
	copy(res, in[:b.Carry])
	for k, o := range b.Outs[b.Carry:] {
		res[b.Carry+k] = newArray(o.Type, append([]int{length}, o.Shape.At(batch)...))
	}
	taken := 0
	for ; taken < steps; taken++ {
		i := taken
		if n.Flag {
			i = steps - 1 - taken
		}
		var params [][]byte
		for _, c := range res[:b.Carry] {
			params = append(params, c.bytes)
		}
		for k, x := range in[b.Carry : b.Carry+b.Xs] {
			p := b.Params[b.Carry+k]
			w := p.Type.Size() * p.Shape.SizeAt(batch)
			params = append(params, x.bytes[i*w:(i+1)*w])
		}
		index := newArray(dtype.I64, nil)
		index.setBits(0, uint64(i))
		params = append(params, index.bytes)
		for _, x := range in[b.Carry+b.Xs:] {
			if len(params) < len(b.Params) {
				params = append(params, x.bytes)
			}
		}
		if b.Cond != nil && body(b, []*ir.Node{b.Cond}, params)[0].bytes[0] == 0 {
			break
		}
		ys := body(b, b.Outs, params)
		if see != nil {
			see(b, params, ys)
		}
		for k, y := range ys {
			if k < b.Carry {
				res[k] = y
			} else {
				copy(res[k].bytes[i*len(y.bytes):], y.bytes)
			}
		}
	}
	res[len(b.Outs)] = newArray(dtype.I64, nil)
	res[len(b.Outs)].setBits(0, uint64(taken))
	return res
}

// referenceRewind keeps all carries.
func referenceRewind(n *ir.Node, in []array, batch, steps int, body func(b *ir.Body, outs []*ir.Node, params [][]byte) []array) []array {
	b, f := n.Body[0], n.Body[1]
	in = in[:len(in)-int(n.Bits)]
	used := in[len(in)-(len(f.Params)-f.Carry-f.Xs-1):]
	captured := in[b.Carry+b.Xs : len(in)-len(used)]
	xs := in[b.Carry+f.Carry : b.Carry+b.Xs]
	params := func(b *ir.Body, carry []array, xs []array, i int, more []array) [][]byte {
		var ps [][]byte
		for _, c := range carry {
			ps = append(ps, c.bytes)
		}
		for k, x := range xs {
			p := b.Params[len(carry)+k]
			w := p.Type.Size() * p.Shape.SizeAt(batch)
			ps = append(ps, x.bytes[i*w:(i+1)*w])
		}
		index := newArray(dtype.I64, nil)
		index.setBits(0, uint64(i))
		ps = append(ps, index.bytes)
		for _, x := range more {
			ps = append(ps, x.bytes)
		}
		return ps
	}
	index := func(t int) int {
		if n.Flag {
			return steps - 1 - t
		}
		return t
	}
	states := [][]array{in[b.Carry : b.Carry+f.Carry]}
	for t := range max(0, steps-1) {
		states = append(states, body(f, f.Outs, params(f, states[t], xs[:f.Xs], index(t), used)))
	}
	carry := in[:b.Carry]
	var ys []array
	for _, o := range b.Outs[b.Carry:] {
		ys = append(ys, newArray(o.Type, append([]int{n.Size.At(batch)}, o.Shape.At(batch)...)))
	}
	for t := steps - 1; t >= 0; t-- {
		outs := body(b, b.Outs, params(b, append(carry[:len(carry):len(carry)], states[t]...), xs, index(t), captured))
		carry = outs[:b.Carry]
		for k, y := range outs[b.Carry:] {
			copy(ys[k].bytes[index(t)*len(y.bytes):], y.bytes)
		}
	}
	return append(append(append([]array{}, carry...), ys...), newArray(dtype.I64, nil))
}
