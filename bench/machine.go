package main

import (
	"fmt"
	"math/bits"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"github.com/adjoint-go/adjoint/bench/internal/limits"
)

// Machine is what it can do at most with so many threads: the most that was read in the whole run, for
// others may be at work at any one time.
type Machine struct {
	threads    int
	fma        float64
	copy, read map[int]float64 // by the power of two of the bytes
}

func newMachine(threads int) *Machine {
	return &Machine{threads: threads, copy: map[int]float64{}, read: map[int]float64{}}
}

// look reads what limits a case once more.
func (m *Machine) look(c *Case) {
	if c.Flops > 0 {
		m.fma = max(m.fma, limits.FMA(m.threads))
	}
	if c.Bytes > 0 {
		rates, measure, k := m.rates(c)
		rates[k] = max(rates[k], measure(m.threads, 1<<k))
	}
}

func (m *Machine) rates(c *Case) (rates map[int]float64, measure func(threads, bytes int) float64, k int) {
	k = bits.Len(uint(c.Bytes) - 1)
	if c.ReadOnly {
		return m.read, limits.Read, k
	}
	return m.copy, limits.Copy, k
}

// limit is the least time in ns that a case can take: that of its arithmetic in registers, or that of
// moving its bytes between arrays of the same size. 0 is unknown.
func (m *Machine) limit(c *Case) float64 {
	ns := 0.0
	if c.Flops > 0 {
		rate := m.fma
		if c.Dtype == "f64" {
			rate /= 2
		}
		ns = c.Flops / rate
	}
	if c.Bytes > 0 {
		rates, _, k := m.rates(c)
		ns = max(ns, c.Bytes/rates[k])
	}
	return ns
}

// cpuName is the processor, with what tells apart those that hide their names.
func cpuName() string {
	name := strings.Join(strings.Fields(cpuid.CPU.BrandName), " ")
	if name == "" {
		name = runtime.GOARCH
	}
	return fmt.Sprintf("%s (family %d model %d)", name, cpuid.CPU.Family, cpuid.CPU.Model)
}
