package runtime

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// productUnit is a MatMul for one batch.
type productUnit struct {
	plan   *kernels.GemmPlan
	a, b   address
	c      int // buffer
	shared int // buffer of the plan's shared scratch, -1 for none
	index  int // of the run's GemmRun
}

// address is where an operand starts.
type address struct{ buffer, offset int }

func (p address) at(r *run) unsafe.Pointer { return unsafe.Add(r.ptr[p.buffer], p.offset) }

func (b *binding) newProduct(n *ir.Node) unit {
	x, y := b.operand(n.In[0]), b.operand(n.In[1])
	rank := len(x.dims)
	g := kernels.Gemm{
		Type: n.Type, Batch: product(x.dims[:rank-2]), M: x.dims[rank-2], K: x.dims[rank-1], N: y.dims[rank-1],
		ARow: x.strides[rank-2], ACol: x.strides[rank-1], BRow: y.strides[rank-2], BCol: y.strides[rank-1],
	}
	// The axes of the batch lie as in memory: lowering saw to that.
	g.ABatch, g.BBatch, g.CRow, g.CBatch = g.M*g.K, g.K*g.N, g.N, g.M*g.N
	u := &productUnit{plan: b.p.level.PlanGemm(g), a: address{x.buffer, x.offset}, b: address{y.buffer, y.offset},
		c: b.root(n), shared: -1, index: len(b.gemms)}
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
