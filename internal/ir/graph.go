// Package ir is the graph: immutable, interned, typed nodes, with the rules that derive and batch
// them. It imports dtype and ops.
//
// Constructors check, fold and intern: a mistake panics with *Error, equal nodes are one node, and
// operands always come before their users in Graph.Nodes.
package ir

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Kind is the kind of a node.
type Kind uint8

const (
	Param     Kind = iota // input number Bits of the program
	Hole                  // a stand-in that a transform replaces (Vmap's example); Bits tells them apart
	Const                 // every element has the value Bits
	Data                  // a captured array
	Iota                  // the index along Axes[0]
	DimSize               // the size Size as a number, shape []
	Pointwise             // Op of In, all of the node's shape
	Convert               // In[0] as Type
	Broadcast             // In[0] of the same rank, axes of 1 repeated
	Reshape               // In[0]'s elements in row-major order
	Transpose             // axis i of the result is axis Axes[i] of In[0]
	Slice                 // Start[a], Step[a] ≥ 1 per axis, the node's shape says how many
	Reverse               // Axes turned around
	Windows               // windows over axes Axes[0] … Axes[1]-1 of In[0], a view: Step has their strides, then dilations
	Fold                  // the transpose of Windows: In[0], laid over one another
	Place                 // Bits everywhere, then In[p] at Start[p·rank+a], Step[p·rank+a]; Add: pieces are added (to zeros), else they do not overlap
	Take                  // In[0] at indices In[1] along Axes[0]; Bits: see Indexed
	Scatter               // In[2] or zeros, to which In[1]'s slices are added at indices In[0] along Axes[0], in order; Bits: see Indexed
	Reduce                // Reduction over axes Axes[0] … Axes[1]-1, which go; arg forms give I64
	Cumulate              // Reduction, no arg form, of In[0] so far along Axes[0]. Sums: Flag: from the end; In[1], if any, is where they begin anew
	MatMul                // [batch… m k] × [batch… k n]. With Step the rows of In[0] or, with Flag, its columns are windows of 3×3 places of pictures of Step[0] rows of Step[1], and the product may be made from tiles of them (kernels.Windows)
	Call                  // function Call of In, Bits its flags
	Stop                  // In[0], whose derivative is zero
	Alias                 // In[0], as a variable of its own
	Loop                  // Body[0], Size times: In are carries, xs, captured values and, if Bits is 1, the count; Flag: backwards
	Branch                // the Body that In[0] numbers, on the other operands
	Rewind                // a loop backwards over the carries of another: see there
	Out                   // result Bits of the Loop, Branch or Rewind In[0]
	Hosted                // a user's function Host of In, with Bits batch axes
	NumKinds
)

var kindNames = [NumKinds]string{"param", "hole", "const", "data", "iota", "dimsize", "pointwise", "convert",
	"broadcast", "reshape", "transpose", "slice", "reverse", "windows", "fold", "place", "take", "scatter", "reduce", "cumulate",
	"matmul", "call", "stop", "alias", "loop", "branch", "rewind", "out", "host"}

func (k Kind) String() string { return kindNames[k] }

// Reduction is what Reduce does.
type Reduction uint8

const (
	Sum Reduction = iota
	Prod
	Max
	Min
	ArgMax
	ArgMin
	NumReductions
)

var reductionNames = [NumReductions]string{"sum", "prod", "max", "min", "argmax", "argmin"}

func (r Reduction) String() string { return reductionNames[r] }

// Array is a captured, immutable array: Bytes holds the elements in row-major order, in the machine's
// byte order, aligned for the type.
type Array struct {
	Bytes []byte
}

// Node is one value of the graph. Nobody changes a node after its constructor has returned.
type Node struct {
	Graph     *Graph
	ID        int // index in Graph.Nodes
	Kind      Kind
	Op        ops.ID
	Reduction Reduction
	Call      CallID
	Flag      bool // Cumulate: reversed; Place: pieces are added; MatMul: windows are columns; Convert: see half.go
	Type      dtype.Type
	Shape     Shape
	In        []*Node
	Axes      []int
	Start     []Dim
	Step      []int
	Size      Dim
	Bits      uint64
	Data      *Array
	Body      []*Body
	Rule      *Rule // of a Branch of one body: its derivatives, if not the body's
	Host      *Host
	Pos       string // the user's line, for nodes that can fail at run time
	Line      string // the user's line, where lines are kept
	Of        string // then, of a derivative's node: the operation that it derives
}

// Graph holds nodes. It is not safe for concurrent use.
type Graph struct {
	Nodes    []*Node
	interned []slot // a table by hash, at least half of it free
	key, of  []byte
	room     []Node // for nodes to come
	holes    uint64
	arrays   map[arrayKey][]*Array
	marked   map[*Node]bool   // to be kept by the Checkpoint around them
	savings  map[*Node]*Node  // by loop: the one that also gives the carries its steps began with
	apart    map[*Node]bool   // of the graph that is copied: Takes whose indices' last axis goes first
	rowSums  map[*Node]rowSum // by what they are made of; nil where reductions stay what they are
	cuts     []int            // see Cut
	Lines    bool             // nodes note the user's lines
	deriving *Node            // by the sweep at hand
	Reader   any              // who knows the values of Params, where somebody does: autodiff's
}

// slot is a place in a graph's table of nodes.
type slot struct {
	hash uint32
	next uint32 // the node's ID and 1, 0 where it is free
}

var seed = maphash.MakeSeed()

// New makes an empty graph.
func New() *Graph { return &Graph{} }

// find is the place of the node with key k in the table, or that for one that is new.
func (g *Graph) find(k []byte, hash uint32) *slot {
	for i := hash; ; i++ {
		s := &g.interned[int(i)&(len(g.interned)-1)]
		if s.next == 0 {
			return s
		}
		if s.hash == hash {
			if g.of = g.Nodes[s.next-1].key(g.of[:0]); bytes.Equal(g.of, k) {
				return s
			}
		}
	}
}

// grow doubles the table.
func (g *Graph) grow() {
	old := g.interned
	g.interned = make([]slot, max(64, 2*len(old)))
	for _, s := range old {
		if s.next == 0 {
			continue
		}
		i := s.hash
		for g.interned[int(i)&(len(g.interned)-1)].next != 0 {
			i++
		}
		g.interned[int(i)&(len(g.interned)-1)] = s
	}
}

// key adds what tells n from the other nodes of its graph.
func (n *Node) key(k []byte) []byte {
	return n.appendKey(k, func(x *Node) int { return x.ID }, false)
}

// add interns n.
func (g *Graph) add(n Node) *Node {
	for _, in := range n.In {
		if in.Graph != g {
			panic(&Error{Op: n.Name(), Msg: fmt.Sprintf("%v: a value belongs to another function's recording", in.Shape),
				Pos: UserLine(), graphs: [2]*Graph{g, in.Graph}})
		}
	}
	if 2*len(g.Nodes) >= len(g.interned) {
		g.grow()
	}
	g.key = n.key(g.key[:0])
	hash := uint32(maphash.Bytes(seed, g.key))
	s := g.find(g.key, hash)
	if s.next > 0 {
		return g.Nodes[s.next-1]
	}
	if len(g.room) == 0 {
		g.room = make([]Node, min(64, 4+len(g.Nodes)))
	}
	p := &g.room[0]
	g.room = g.room[1:]
	*p = n
	p.Graph = g
	p.ID = len(g.Nodes)
	if g.Lines {
		g.note(p)
	}
	g.Nodes = append(g.Nodes, p)
	*s = slot{hash, uint32(len(g.Nodes))}
	return p
}

// Name is the node's operation as users call it.
func (n *Node) Name() string {
	switch n.Kind {
	case Pointwise:
		return n.Op.String()
	case Reduce:
		return n.Reduction.String()
	case Cumulate:
		return "cum" + n.Reduction.String()
	case Call:
		return n.Call.String()
	case Hosted:
		return n.Host.Name
	}
	return n.Kind.String()
}

// Several reports whether n has several results, each an Out.
func (n *Node) Several() bool { return n.Kind == Loop || n.Kind == Branch || n.Kind == Rewind }

// Rank is the number of axes.
func (n *Node) Rank() int { return len(n.Shape) }

// FloatBits is x as the bits of a constant of type t; integers truncate, Bool is x != 0.
func FloatBits(t dtype.Type, x float64) uint64 {
	switch t {
	case dtype.F32:
		return uint64(math.Float32bits(float32(x)))
	case dtype.F64:
		return math.Float64bits(x)
	case dtype.BF16, dtype.F16:
		return uint64(dtype.HalfBits(t, float32(x)))
	case dtype.I32:
		return uint64(uint32(int32(x)))
	case dtype.I64:
		return uint64(int64(x))
	case dtype.Bool:
		if x != 0 {
			return 1
		}
		return 0
	}
	panic("ir: FloatBits of " + t.String())
}

// BitsFloat is the value of a constant's bits.
func BitsFloat(t dtype.Type, bits uint64) float64 {
	switch t {
	case dtype.F32:
		return float64(math.Float32frombits(uint32(bits)))
	case dtype.F64:
		return math.Float64frombits(bits)
	case dtype.BF16, dtype.F16:
		return float64(dtype.HalfFloat(t, uint16(bits)))
	case dtype.I32:
		return float64(int32(bits))
	}
	return float64(int64(bits))
}

// IsConst reports whether every element of n is the number x.
func (n *Node) IsConst(x float64) bool {
	return n.Kind == Const && BitsFloat(n.Type, n.Bits) == x && !(x == 0 && n.Type.IsFloat() && n.Bits != 0)
}
