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
