package main

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/gonum/graph/formats/dot"
	"gonum.org/v1/gonum/graph/formats/dot/ast"
)

// svg draws an acyclic graph in Graphviz' language by Sugiyama's method: nodes on layers by their depth, edges
// from layer to layer, every layer ordered and moved to where its neighbours are.
func svg(text string) ([]byte, error) {
	file, err := dot.ParseString(text)
	if err != nil {
		return nil, err
	}
	if len(file.Graphs) != 1 {
		return nil, fmt.Errorf("%d graphs, not one", len(file.Graphs))
	}
	d := drawing{byID: map[string]*node{}}
	if err := d.read(file.Graphs[0].Stmts, ""); err != nil {
		return nil, err
	}
	if err := d.layer(); err != nil {
		return nil, err
	}
	d.order()
	d.place()
	return d.render(), nil
}

// node is a box, or a place on a layer that an edge passes: then it has no lines.
type node struct {
	lines   []string
	ellipse bool
	group   string // the name of the frame that it stands in

	layer   int
	x, y    float64 // the centre
	w       float64
	in, out []*node
}

type drawing struct {
	byID   map[string]*node
	nodes  []*node
	layers [][]*node
}

// Lengths, in pixels.
const (
	lineHeight, charWidth = 15, 7.3
	boxHeight             = 2*lineHeight + 10
	layerHeight           = boxHeight + 46
	gap, margin           = 26, 20
)

func (d *drawing) read(stmts []ast.Stmt, group string) error {
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.NodeStmt:
			n := d.node(s.Node.ID, group)
			for _, a := range s.Attrs {
				if text := unquote(a.Val); a.Key == "label" {
					n.lines = strings.Split(text, "\n")
				} else if a.Key == "shape" {
					n.ellipse = text == "ellipse"
				}
			}
		case *ast.EdgeStmt:
			from, ok := s.From.(*ast.Node)
			to, ok2 := s.To.Vertex.(*ast.Node)
			if !ok || !ok2 {
				return fmt.Errorf("%v: an edge between sets of nodes", s)
			}
			connect(d.node(from.ID, group), d.node(to.ID, group))
		case *ast.Subgraph:
			if err := d.read(s.Stmts, s.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func unquote(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}

func (d *drawing) node(id, group string) *node {
	n := d.byID[id]
	if n == nil {
		n = &node{lines: []string{id}, group: group}
		d.byID[id] = n
		d.nodes = append(d.nodes, n)
	}
	return n
}

func connect(a, b *node) {
	if !slices.Contains(a.out, b) {
		a.out, b.in = append(a.out, b), append(b.in, a)
	}
}

// layer puts each node as high as what it reads allows, and what reads nothing right above its first
// reader; edges across layers are split.
func (d *drawing) layer() error {
	for round := 0; ; round++ {
		changed := false
		for _, n := range d.nodes {
			for _, m := range n.in {
				if n.layer <= m.layer {
					n.layer, changed = m.layer+1, true
				}
			}
		}
		if !changed {
			break
		}
		if round > len(d.nodes) {
			return errors.New("the graph has a cycle")
		}
	}
	last := 0
	for _, n := range d.nodes {
		if len(n.in) == 0 && len(n.out) > 0 {
			n.layer = slices.MinFunc(n.out, func(a, b *node) int { return cmp.Compare(a.layer, b.layer) }).layer - 1
		}
		last = max(last, n.layer)
	}
	for _, n := range slices.Clone(d.nodes) {
		for _, m := range n.out {
			for from := n; from.layer+1 < m.layer; {
				pass := &node{layer: from.layer + 1, in: []*node{from}, out: []*node{m}}
				from.out[slices.Index(from.out, m)] = pass
				m.in[slices.Index(m.in, from)] = pass
				d.nodes = append(d.nodes, pass)
				from = pass
			}
		}
	}
	d.layers = make([][]*node, last+1)
	for _, n := range d.nodes {
		for _, l := range n.lines {
			n.w = max(n.w, charWidth*float64(utf8.RuneCountInString(l))+16)
		}
		n.x = float64(len(d.layers[n.layer]))
		d.layers[n.layer] = append(d.layers[n.layer], n)
	}
	return nil
}

// order sorts each layer by the mean place of the neighbours above and below in turn, and keeps the order
// with the fewest crossings.
func (d *drawing) order() {
	var best [][]*node
	least := math.MaxInt
	for round := range 24 {
		for i := range d.layers {
			l, side := d.layers[i], (*node).above
			if round%2 == 1 {
				l, side = d.layers[len(d.layers)-1-i], (*node).below
			}
			at := map[*node]float64{}
			for _, n := range l {
				at[n] = mean(side(n), n.x)
			}
			slices.SortStableFunc(l, func(a, b *node) int { return cmp.Compare(at[a], at[b]) })
			for k, n := range l {
				n.x = float64(k)
			}
		}
		if c := d.crossings(); c < least {
			least, best = c, nil
			for _, l := range d.layers {
				best = append(best, slices.Clone(l))
			}
		}
	}
	d.layers = best
}

func (n *node) above() []*node { return n.in }
func (n *node) below() []*node { return n.out }

func mean(ns []*node, none float64) float64 {
	if len(ns) == 0 {
		return none
	}
	sum := 0.0
	for _, n := range ns {
		sum += n.x
	}
	return sum / float64(len(ns))
}

func (d *drawing) crossings() (c int) {
	for _, l := range d.layers {
		for i, a := range l {
			for _, b := range l[:i] { // b is left of a
				for _, p := range a.out {
					for _, q := range b.out {
						if p.x < q.x {
							c++
						}
					}
				}
			}
		}
	}
	return c
}

// place moves the nodes of each layer toward their neighbours, as far as the distances between them allow.
func (d *drawing) place() {
	for i, l := range d.layers {
		for k, n := range l {
			n.x, n.y = float64(k)*100, margin+boxHeight/2+float64(i)*layerHeight
		}
	}
	for range 60 {
		for _, l := range d.layers {
			left, right := make([]float64, len(l)), make([]float64, len(l))
			for k, n := range l {
				left[k] = mean(slices.Concat(n.in, n.out), n.x)
				right[k] = left[k]
			}
			for k := 1; k < len(l); k++ {
				left[k] = max(left[k], left[k-1]+distance(l[k-1], l[k]))
			}
			for k := len(l) - 2; k >= 0; k-- {
				right[k] = min(right[k], right[k+1]-distance(l[k], l[k+1]))
			}
			for k, n := range l { // both keep the distances, and so does their mean
				n.x = (left[k] + right[k]) / 2
			}
		}
	}
	least := math.Inf(1)
	for _, n := range d.nodes {
		least = min(least, n.x-n.w/2)
	}
	for _, n := range d.nodes {
		n.x += margin - least
	}
}

func distance(a, b *node) float64 { return (a.w+b.w)/2 + gap }

var tints = []string{"#e8f1fb", "#fdeedd", "#e6f5e6", "#f6e6f3", "#f0eee0"}

func (d *drawing) render() []byte {
	width := 0.0
	for _, n := range d.nodes {
		width = max(width, n.x+n.w/2+margin)
	}
	height := 2*margin + float64(len(d.layers)-1)*layerHeight + boxHeight
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %[1]g %[2]g" font-family="monospace" font-size="12" text-anchor="middle">
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="#667"/></marker></defs>
<rect width="100%%" height="100%%" fill="white"/>
<g fill="none" stroke="#667" stroke-width="1.2">
`, width, height)
	for _, n := range d.nodes {
		if len(n.lines) > 0 {
			for _, m := range n.out {
				edge(&b, n, m)
			}
		}
	}
	b.WriteString("</g>\n<g>\n")
	tint := map[string]string{"": "#f4f4f4"}
	for _, n := range d.nodes {
		if len(n.lines) == 0 {
			continue
		}
		if tint[n.group] == "" {
			tint[n.group] = tints[(len(tint)-1)%len(tints)]
		}
		round := 5
		if n.ellipse {
			round = boxHeight / 2
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="%d" fill="%s" stroke="#334"/>`+"\n",
			n.x-n.w/2, n.y-boxHeight/2, n.w, boxHeight, round, tint[n.group])
		for i, l := range n.lines {
			y := n.y + lineHeight*(float64(i)-float64(len(n.lines)-1)/2) + 4
			fill := "#112"
			if i > 0 {
				fill = "#778"
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="%s">`, n.x, y, fill)
			xml.EscapeText(&b, []byte(l))
			b.WriteString("</text>\n")
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// edge draws the way from n by m, and on to the next box where m is none. It leaves a box at the bottom and
// enters at the top, each way at a point of its own.
func edge(b *bytes.Buffer, n, m *node) {
	x, y := n.x+port(n, n.out, m), n.y+boxHeight/2
	fmt.Fprintf(b, `<path d="M%.1f %.1f`, x, y)
	for from := n; ; from, m = m, m.out[0] {
		toX, toY := m.x+port(m, m.in, from), m.y-boxHeight/2
		fmt.Fprintf(b, " C%.1f %.1f %.1f %.1f %.1f %.1f", x, y+22, toX, toY-22, toX, toY)
		if len(m.lines) > 0 {
			break
		}
		x, y = toX, m.y+boxHeight/2
		fmt.Fprintf(b, " L%.1f %.1f", x, y)
	}
	b.WriteString("\" marker-end=\"url(#head)\"/>\n")
}

// port is where on n's side, from its middle, the way to or from m ends.
func port(n *node, all []*node, m *node) float64 {
	at := 0
	for _, o := range all {
		if o.x < m.x {
			at++
		}
	}
	return (float64(at) - float64(len(all)-1)/2) * min(18, n.w/float64(len(all)+1))
}
