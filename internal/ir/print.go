package ir

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// String is one line: "%7 = mul float32[B 512] %3 %5".
func (n *Node) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%%%d = %s %v%v", n.ID, n.Name(), n.Type, n.Shape)
	for _, x := range n.In {
		fmt.Fprintf(&b, " %%%d", x.ID)
	}
	b.WriteString(n.Attrs())
	return b.String()
}

// Attrs is what a node says beside its operands, with a space in front.
func (n *Node) Attrs() string {
	switch n.Kind {
	case Param:
		return fmt.Sprintf(" %d", n.Bits)
	case Const:
		if n.Type == dtype.Bool {
			return fmt.Sprintf(" %v", n.Bits != 0)
		}
		return fmt.Sprintf(" %v", BitsFloat(n.Type, n.Bits))
	case Iota, Transpose, Reverse:
		return fmt.Sprintf(" axes=%v", n.Axes)
	case Take, Scatter:
		return fmt.Sprintf(" axes=%v%s", n.Axes, [...]string{"", " for rows", " for elements"}[n.Bits])
	case Cumulate:
		return fmt.Sprintf(" axes=%v reverse=%v", n.Axes, n.Flag)
	case Reduce:
		return fmt.Sprintf(" axes=%d:%d", n.Axes[0], n.Axes[1])
	case Call:
		if n.Bits != 0 {
			return fmt.Sprintf(" flags=%d", n.Bits)
		}
	case DimSize:
		return " " + n.Size.String()
	case Windows, Fold:
		return fmt.Sprintf(" axes=%d:%d step=%v", n.Axes[0], n.Axes[1], n.Step)
	case Slice, Place:
		return fmt.Sprintf(" start=%v step=%v", Shape(n.Start), n.Step)
	}
	return ""
}

// Print lists what outs need, one node a line.
func Print(outs []*Node) string {
	var b strings.Builder
	for _, n := range Reachable(outs) {
		fmt.Fprintln(&b, n)
	}
	b.WriteString("return")
	for _, o := range outs {
		fmt.Fprintf(&b, " %%%d", o.ID)
	}
	b.WriteByte('\n')
	return b.String()
}
