package runtime

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/nvcc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// normalized is layer norm of x's rows.
func normalized(g *ir.Graph, x, scale, shift *ir.Node) *ir.Node {
	a := x.Rank() - 1
	z := g.Map(ops.Sub, x, g.MeanKeep(x, a))
	z = g.Map(ops.Mul, z, g.Apply(ops.Rsqrt, g.Map(ops.Add, g.VarKeep(x, a), g.Const(x.Type, nil, 1e-5))))
	return g.Map(ops.Add, g.Map(ops.Mul, z, scale), shift)
}

// chainCases are programs of which everything but sums over rows is one kernel's.
func chainCases(typ dtype.Type, n int) map[string]func(s *sketch) []*ir.Node {
	shape := ir.Shape{ir.Batch, ir.D(n)}
	both := func(s *sketch, x, y *ir.Node) []*ir.Node {
		return []*ir.Node{y, s.g.VJP([]*ir.Node{y}, []*ir.Node{s.param(typ, y.Shape, 0)}, []*ir.Node{x})[0]}
	}
	return map[string]func(s *sketch) []*ir.Node{
		"softmax": func(s *sketch) []*ir.Node {
			x := s.param(typ, shape, 0)
			return both(s, x, s.g.Softmax(x, 1))
		},
		"logsoftmax": func(s *sketch) []*ir.Node {
			x := s.param(typ, shape, 0)
			return both(s, x, s.g.LogSoftmax(x, 1))
		},
		"logsumexp": func(s *sketch) []*ir.Node {
			x := s.param(typ, shape, 0)
			return both(s, x, s.g.LogSumExp(x, 1))
		},
		"layer norm": func(s *sketch) []*ir.Node {
			x := s.param(typ, shape, 0)
			return both(s, x, normalized(s.g, x, s.param(typ, ir.Static(1, n), 0), s.param(typ, ir.Static(1, n), 0)))
		},
		// Rows of two axes behind two others, turned, of which some are masked; an extremum and a count of integers beside sums.
		"turned": func(s *sketch) []*ir.Node {
			g := s.g
			turned := ir.Shape{ir.Batch, ir.D(3), ir.D(n), ir.D(2)}
			x := g.Transpose(s.param(typ, ir.Shape{ir.D(3), ir.Batch, ir.D(2), ir.D(n)}, 0), []int{1, 0, 3, 2})
			below := g.Apply(ops.Lt, x, g.Broadcast(s.param(typ, ir.Static(1, 1, n, 1), 0), turned))
			y := g.Apply(ops.Where, below, x, g.Broadcast(s.param(typ, ir.Shape{ir.Batch, ir.D(1), ir.D(1), ir.D(1)}, 0), turned))
			count := g.Convert(g.Keep(ir.Sum, g.Convert(below, dtype.I32), 2, 3), typ)
			z := g.Map(ops.Div, y, g.Map(ops.Add, g.Keep(ir.Sum, g.Apply(ops.Square, y), 2, 3), g.Keep(ir.Max, y, 2, 3)))
			return []*ir.Node{z, g.Map(ops.Mul, z, count), g.Reduce(ir.Min, g.Apply(ops.Gt, z, y), 2, 3)}
		},
	}
}

// TestPlanChains: softmax, layer norm and the like are one kernel, with the bits of their clusters.
func TestPlanChains(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 21))
	var all []planned
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{1, 2, 5, 16, 31, 33, 100, 511, 512, 1026, 4095, 4096, 4100} {
			for name, build := range chainCases(typ, n) {
				if n > 1000 && name == "turned" {
					continue
				}
				s := newSketch()
				outs := build(s)
				batches := []int{0, 1, 9}
				if n > ChunkElems {
					batches = []int{1, cudasrc.FewRows}
				}
				if testing.Short() && n > 600 {
					batches = []int{1}
				}
				these := plans(t, fmt.Sprint(name, " ", typ, n), outs, s.inputs, func(batch int) [][]byte { return s.values(rng, batch) }, batches...)
				all = append(all, these...)
				x := these[len(these)-1].plan
				if n > 1 && (n <= ChunkElems || x.Batch == cudasrc.FewRows) && len(x.Steps) != 1 {
					var names []string
					for _, s := range x.Steps {
						names = append(names, s.Name)
					}
					t.Errorf("%s: steps %q", these[0].name, names)
				}
			}
		}
	}
	runPlans(t, all)
}

// TestPlanChainsMachineCode: their kernels compile for a GPU, and those that are worth it do not spill.
func TestPlanChainsMachineCode(t *testing.T) {
	if err := nvcc.Missing(); err != nil {
		t.Skip(err)
	}
	var all []*cudasrc.Kernel
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{100, 4096} {
			for _, build := range chainCases(typ, n) {
				s := newSketch()
				outs := build(s)
				p, err := Compile(outs, s.inputs, Options{NoCode: true})
				if err != nil {
					t.Fatal(err)
				}
				plan, err := p.Plan(256)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, plan.Kernels...)
			}
		}
	}
	for _, arch := range []string{"sm_80", "sm_90"} {
		usage, err := nvcc.Compile(t.TempDir(), arch, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			if u := usage[k.Name]; u.Registers == 0 || k.Hot && u.Spills > 0 {
				t.Errorf("%s, %s: %d registers, %d bytes spilled\n%s", arch, k.Name, u.Registers, u.Spills, k.Source[strings.LastIndex(k.Source, "#endif"):])
			}
		}
	}
}

// TestPlanChainOfMany: where a cluster of one has no kernel, it is the host's alone.
func TestPlanChainOfMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 22))
	s := newSketch()
	x := s.param(dtype.F32, ir.Static(7, 20), 0)
	top := many(s.g, s.g.Keep(ir.Max, x, 1))
	outs := []*ir.Node{s.g.Softmax(s.g.Map(ops.Mul, x, top), 1)}
	all := plans(t, "chain", outs, s.inputs, func(int) [][]byte { return s.values(rng, 1) }, 1)
	steps := all[0].plan.Steps
	if len(steps) < 3 || !slices.ContainsFunc(steps, func(s cudasrc.Step) bool { return s.Control != nil }) ||
		!slices.ContainsFunc(steps, func(s cudasrc.Step) bool { return len(s.Launches) > 0 }) {
		t.Errorf("%d steps", len(steps))
	}
	runPlans(t, all)
}
