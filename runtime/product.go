package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// productUnit is a MatMul for one batch, with a cluster that runs on its blocks or none.
type productUnit struct {
	plan     *kernels.GemmPlan
	a, b     address
	c, start int // buffer, and where C begins in it, in bytes
	m, n     int
	shared   int // buffer of the plan's shared scratch, -1 for none
	index    int // of the run's GemmRun
	epilogue *mapUnit
}

// address is where an operand starts.
type address struct{ buffer, offset int }

func (p address) at(r *run) unsafe.Pointer { return unsafe.Add(r.ptr[p.buffer], p.offset) }

func (b *binding) newProduct(n *ir.Node) unit {
	if r := b.p.low.grid(n); r != nil {
		return b.newGridProduct(n, r)
	}
	x, y := b.operand(n.In[0]), b.operand(n.In[1])
	rank := len(x.dims)
	g := kernels.Gemm{
		Type: n.In[0].Type, Batch: product(x.dims[:rank-2]), M: x.dims[rank-2], K: x.dims[rank-1], N: y.dims[rank-1],
		ARow: x.strides[rank-2], ACol: x.strides[rank-1], BRow: y.strides[rank-2], BCol: y.strides[rank-1],
	}
	// The axes of the batch lie as in memory: lowering saw to that.
	g.ABatch, g.BBatch, g.CRow, g.CBatch = g.M*g.K, g.K*g.N, g.N, g.M*g.N
	g.Windows = windowsOf(n)
	return b.planned(n, g, x, y)
}

// windowsOf says how a product of windows is made, nil where it is like any other.
func windowsOf(n *ir.Node) *kernels.Windows {
	if n.Step == nil {
		return nil
	}
	return &kernels.Windows{H: n.Step[0], W: n.Step[1], Gradient: n.Flag}
}

func (b *binding) planned(n *ir.Node, g kernels.Gemm, x, y operand) *productUnit {
	u := &productUnit{plan: b.p.level.PlanGemm(g), a: address{x.buffer, x.offset}, b: address{y.buffer, y.offset},
		c: b.root(n), m: g.M, n: g.N, shared: -1, index: len(b.gemms)}
	if u.plan.SharedBytes > 0 {
		u.shared = b.temporary(u.plan.SharedBytes)
	}
	b.scratch = max(b.scratch, u.plan.WorkerBytes)
	b.gemms = append(b.gemms, u)
	return u
}

func (u *productUnit) phases() int         { return u.plan.Phases() }
func (u *productUnit) tasks(phase int) int { return u.plan.Tasks(phase) }

func (u *productUnit) do(r *run, phase, worker, task int) { r.gemms[u.index].Do(phase, worker, task) }

// epilogue runs a product's cluster on the blocks of C.
type epilogue struct {
	r *run
	u *productUnit
}

func (e *epilogue) Done(worker, batch, i0, i1, j0, j1 int) {
	u, w := e.u.epilogue, &e.r.workers[worker]
	span := func(start, n int) {
		for ; n > 0; n -= u.tile {
			u.compute(e.r, w, start, min(u.tile, n))
			start += u.tile
		}
	}
	row := batch*e.u.m + i0
	if u.code != nil && u.code.whole() && u.cols == e.u.n && !u.copies {
		n := j1 - j0
		for rows := max(1, u.code.most()/n); i0 < i1; i0 += rows {
			for seg := range u.code.segs {
				u.call(e.r, w, seg, &at{row: row, col: j0, n: n, rows: min(rows, i1-i0)})
			}
			row += rows
		}
		return
	}
	if j0 == 0 && j1 == e.u.n {
		span(row*e.u.n, (i1-i0)*e.u.n)
		return
	}
	for i := range i1 - i0 {
		span((row+i)*e.u.n+j0, j1-j0)
	}
}

// inPlace reports whether u has read each element of array from when it writes that of array to.
func (u *productUnit) inPlace(from, to int) bool {
	return u.epilogue != nil && to != u.c && u.a.buffer != from && u.b.buffer != from && u.epilogue.inPlace(from, to)
}

// dropProducts lets a product that only its epilogue reads be made where the epilogue's result goes.
func (b *binding) dropProducts() {
	for i, x := range b.units {
		u, ok := x.(*productUnit)
		if !ok || u.epilogue == nil || b.buffers[u.c].last > i || b.buffers[u.c].out >= 0 {
			continue
		}
		e := u.epilogue
		for j := range e.ops {
			to := e.ops[j].buffer
			if to < 0 || b.buffers[to].out >= 0 || b.buffers[to].bytes != b.buffers[u.c].bytes || !e.inPlace(u.c, to) {
				continue
			}
			for k := range e.leaf {
				if l := &e.leaf[k]; !l.isSplat && l.buffer == u.c {
					l.buffer = to
				}
			}
			e.plain = e.plainRefs()
			b.buffers[u.c].bytes = 0
			u.c = to
			break
		}
	}
}
