package ir

import "fmt"

// Verify checks what outs need: operands stand before their users in the same graph, and every node has
// the type and shape that its constructor gives on operands of theirs. Tests call it after each
// transform.
func Verify(outs []*Node) (err error) {
	scratch := New()
	results := map[*Node]*Node{} // of kinds of several results
	var at *Node
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ir: %v: %v", at, r)
		}
	}()
	for _, n := range Reachable(outs) {
		at = n
		if n.Graph != outs[0].Graph || n.Graph.Nodes[n.ID] != n {
			return fmt.Errorf("ir: %v stands in another graph", n)
		}
		in := make([]*Node, len(n.In))
		for i, x := range n.In {
			if x.Graph != n.Graph || x.ID >= n.ID {
				return fmt.Errorf("ir: %v: operand %v does not stand before it", n, x)
			}
			if in[i] = results[x]; in[i] == nil {
				in[i] = scratch.Hole(x.Type, x.Shape) // nothing to fold
			}
		}
		if n.Several() {
			for _, b := range n.Body {
				if err := Verify(b.all()); err != nil {
					return fmt.Errorf("%v: %w", n, err)
				}
			}
			results[n] = scratch.Copy(n, in)
			continue
		}
		if c := scratch.Copy(n, in); c.Type != n.Type || !c.Shape.Equal(n.Shape) {
			return fmt.Errorf("ir: %v: the constructor gives %v%v", n, c.Type, c.Shape)
		}
	}
	return nil
}
