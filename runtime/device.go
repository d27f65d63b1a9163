package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// onDevice is a program's plans for a device, by batch.
type onDevice struct {
	d     *device.Device // nil: the program runs on the CPU
	why   string         // of that, where somebody may have expected otherwise
	plans []devicePlan   // the one used last comes first; under the program's mu
}

type devicePlan struct {
	batch  int
	plan   *cudasrc.Plan
	loaded *device.Loaded // nil: not yet run
}

// choose finds the device that a program is to run on: the one of its options, unless no step of it has a kernel.
func (p *Program) choose(name string) error {
	d, why, err := device.Select(name)
	if err != nil {
		return &ir.Error{Op: "Compile", Msg: err.Error()}
	}
	p.dev.why = why
	if d == nil {
		return nil
	}
	plan, err := p.plan(1, true)
	if err == nil {
		if why := onHost(plan.Steps); why != "" {
			p.dev.why = why
			return nil
		}
		if !directed(plan.Steps) { // else other steps may be worth while for the batches to come
			p.dev.plans = append(p.dev.plans, devicePlan{batch: 1, plan: plan})
		}
	}
	p.dev.d = d // an error is that of a batch of 1, which nobody may ever run
	return nil
}

// Device is the name of the device that the program runs on: "cpu", "cuda:0".
func (p *Program) Device() string {
	if p.dev.d == nil {
		return "cpu"
	}
	return p.dev.d.Name()
}

// OnDevice reports whether the program runs elsewhere than on the CPU, and RunArrays is to be called.
func (p *Program) OnDevice() bool { return p.dev.d != nil }

// devicePlan makes or finds the plan for a batch and has it loaded, if that is asked.
func (p *Program) devicePlan(batch int, load bool) (devicePlan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := &p.dev
	i := slices.IndexFunc(o.plans, func(q devicePlan) bool { return q.batch == batch })
	if i < 0 || load && o.plans[i].loaded == nil {
		start := time.Now()
		defer func() { p.times.Bind += time.Since(start) }()
	}
	if i < 0 {
		plan, err := p.Plan(batch)
		if err != nil {
			return devicePlan{}, err
		}
		if i = len(o.plans); i == maxBindings {
			i--
		} else {
			o.plans = append(o.plans, devicePlan{})
		}
		o.plans[i] = devicePlan{batch: batch, plan: plan}
	}
	if q := &o.plans[i]; load && q.loaded == nil {
		var err error
		if q.loaded, err = o.d.Load(q.plan); err != nil {
			return devicePlan{}, err
		}
	}
	q := o.plans[i]
	copy(o.plans[1:i+1], o.plans[:i])
	o.plans[0] = q
	return q, nil
}

// RunArrays is Run for a program on a device, where arrays stay between calls unless others hold their memory. Outputs
// may be inputs, too.
func (p *Program) RunArrays(ctx context.Context, batch int, in, out []*device.Array) error {
	if len(in) != len(p.inputs) || len(out) != len(p.low.outs) {
		return &ir.Error{Op: "Run", Msg: fmt.Sprintf("takes %d inputs and %d outputs, not %d and %d", len(p.inputs), len(p.low.outs), len(in), len(out))}
	}
	if ctx == nil {
		return &ir.Error{Op: "Run", Msg: "the context is nil"}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	q, err := p.devicePlan(batch, true)
	if err != nil {
		return err
	}
	for i, a := range in {
		if n := q.plan.Inputs[i]; a.Bytes() != n {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("input %d has %d bytes, not %d", i, a.Bytes(), n)}
		}
	}
	for i, a := range out {
		if n := q.plan.Outs[i].Bytes; a.Bytes() != n {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("output %d has %d bytes, not %d", i, a.Bytes(), n)}
		}
		for j := range i {
			if overlap(a.Memory(), a.Bytes(), out[j].Memory(), out[j].Bytes()) {
				return &ir.Error{Op: "Run", Msg: fmt.Sprintf("outputs %d and %d lie in the same memory", j, i)}
			}
		}
	}
	return q.loaded.Run(ctx, in, out)
}

// runShared runs the program on the caller's own memory.
func (p *Program) runShared(ctx context.Context, batch int, in, out []unsafe.Pointer) error {
	q, err := p.devicePlan(batch, false)
	if err != nil {
		return err
	}
	arrays := make([]*device.Array, 0, len(in)+len(out))
	add := func(kind string, i int, at unsafe.Pointer, bytes int) error {
		if at == nil && bytes > 0 {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("%s %d is nil", kind, i)}
		}
		a := device.NewArray(at, bytes)
		arrays = append(arrays, a)
		return a.Share()
	}
	for i, at := range in {
		if err := add("input", i, at, q.plan.Inputs[i]); err != nil {
			return err
		}
	}
	for i, at := range out {
		if err := add("output", i, at, q.plan.Outs[i].Bytes); err != nil {
			return err
		}
	}
	return p.RunArrays(ctx, batch, arrays[:len(in)], arrays[len(in):])
}

// describe is the program's place in String, with the steps that the host computes or directs for the batch that was run
// last.
func (p *Program) describeDevice() string {
	o := &p.dev
	switch {
	case o.d != nil:
		var b strings.Builder
		fmt.Fprintf(&b, "device %s\n", o.d.Describe())
		p.mu.Lock()
		defer p.mu.Unlock()
		var plan *cudasrc.Plan
		if len(o.plans) > 0 {
			plan = o.plans[0].plan
		} else if x, err := p.Plan(1); err == nil {
			plan = x
		} else {
			return b.String()
		}
		everyStep(plan.Steps, func(s *cudasrc.Step) {
			switch c := s.Control; {
			case c == nil:
			case c.Why != "":
				fmt.Fprintf(&b, "B = %d: the host computes %s: %s\n", plan.Batch, s.Name, c.Why)
			default:
				fmt.Fprintf(&b, "B = %d: the host directs %s\n", plan.Batch, s.Name)
			}
		})
		return b.String()
	case o.why != "":
		return "device cpu: " + o.why + "\n"
	}
	return ""
}
