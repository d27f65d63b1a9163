package ir

import (
	"encoding/binary"
	"fmt"
)

// Lift is Strip that also turns captured arrays into parameters, numbered from first on, so that graphs
// that differ by their elements only become one. It returns those arrays.
func Lift(outs []*Node, first int) (lifted []*Node, data []*Node) {
	lifted = rebuild(outs, func(g *Graph, n *Node) *Node {
		if n.Kind != Data {
			return nil
		}
		data = append(data, n)
		return g.Param(first+len(data)-1, n.Type, n.Shape)
	})
	return lifted, data
}

// Key is a text that two stripped graphs share if and only if they compute the same, at the same lines of
// the user.
func Key(outs []*Node) string {
	nodes := Reachable(outs)
	at := make(map[*Node]int, len(nodes))
	var k []byte
	for i, n := range nodes {
		at[n] = i
		k = n.appendKey(k, func(x *Node) int { return at[x] }, false)
		k = append(k, n.Pos...)
		k = append(k, n.Line...)
		k = append(k, 0)
	}
	for _, o := range outs {
		k = binary.AppendUvarint(k, uint64(at[o]))
	}
	return string(k)
}

// appendKey adds what tells n from other nodes; id numbers its operands. Without rules it adds what tells what it
// computes.
func (n *Node) appendKey(k []byte, id func(*Node) int, noRules bool) []byte {
	k = append(k, byte(n.Kind), byte(n.Op), byte(n.Reduction), byte(n.Call), byte(n.Type), byte(len(n.Shape)), byte(len(n.Axes)))
	if n.Flag {
		k = append(k, 1)
	} else {
		k = append(k, 0)
	}
	dim := func(d Dim) {
		k = binary.AppendVarint(k, int64(d.C))
		k = binary.AppendVarint(k, int64(d.B))
	}
	for _, d := range n.Shape {
		dim(d)
	}
	for _, a := range n.Axes {
		k = binary.AppendVarint(k, int64(a))
	}
	for _, d := range n.Start {
		dim(d)
	}
	for _, s := range n.Step {
		k = binary.AppendVarint(k, int64(s))
	}
	dim(n.Size)
	k = binary.AppendUvarint(k, n.Bits)
	k = append(k, byte(len(n.In)))
	for _, in := range n.In {
		k = binary.AppendUvarint(k, uint64(id(in)))
	}
	for _, b := range n.Body {
		key := b.key
		if noRules {
			key = b.computes()
		}
		k = binary.AppendUvarint(k, uint64(len(key)))
		k = append(k, key...)
	}
	if n.Rule != nil && !noRules {
		k = fmt.Appendf(k, "%p", n.Rule)
	}
	if n.Host != nil {
		k = fmt.Appendf(k, "%p", n.Host)
	}
	if n.Data != nil {
		k = fmt.Appendf(k, "%p", n.Data)
	}
	return k
}
