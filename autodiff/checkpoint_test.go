package autodiff_test

import (
	"fmt"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The exponential is kept for reverse mode, all else of the block is computed again.
func ExampleValue_Saved() {
	block := ad.Checkpoint(func(x ad.Value) ad.Value { return x.Sin().Exp().Saved().Square().Tanh() })
	g := ad.Grad(func(x ad.Value) ad.Value { return block(x).Sum() })(ad.F64.Zeros(1))
	fmt.Printf("%.4f\n", g.Item())
	// Output: 0.8399
}

// What a checkpoint keeps changes no derivative of any order, in either mode, over batches and in loops.
func TestCheckpointKeeps(t *testing.T) {
	type args struct{ X, W ad.Value }
	at := args{random(1, 3, 4), random(2, 4, 4)}
	layer := func(mark func(ad.Value) ad.Value) func(a args) ad.Value {
		return func(a args) ad.Value {
			h := mark(a.X.MatMul(a.W)).Tanh()
			h = mark(h.Exp()).MatMul(a.W).Add(h)
			return ad.Where(h.Gt(ad.Const(0)), h.Sqrt(), mark(h.Square()))
		}
	}
	none := func(v ad.Value) ad.Value { return v }
	loss := func(wrap func(func(args) ad.Value) func(args) ad.Value, mark func(ad.Value) ad.Value) func(a args) ad.Value {
		f := wrap(layer(mark))
		return func(a args) ad.Value { return f(args{f(a), a.W.Sin()}).Square().Sum() }
	}
	want := loss(func(f func(args) ad.Value) func(args) ad.Value { return f }, none)
	policies := map[string]func(a args) ad.Value{
		"none":  loss(func(f func(args) ad.Value) func(args) ad.Value { return ad.Checkpoint(f) }, none),
		"marks": loss(func(f func(args) ad.Value) func(args) ad.Value { return ad.Checkpoint(f) }, ad.Value.Saved),
		"products": loss(func(f func(args) ad.Value) func(args) ad.Value {
			return ad.Checkpoint(f, ad.CheckpointOptions{Products: true})
		}, none),
		"both": loss(func(f func(args) ad.Value) func(args) ad.Value {
			return ad.Checkpoint(f, ad.CheckpointOptions{Products: true})
		}, ad.Value.Saved),
		"nested": loss(func(f func(args) ad.Value) func(args) ad.Value { return ad.Checkpoint(ad.Checkpoint(f)) }, ad.Value.Saved),
		"the result itself": loss(func(f func(args) ad.Value) func(args) ad.Value {
			return ad.Checkpoint(func(a args) ad.Value { return f(a).Saved() })
		}, none),
	}
	batch := ad.TreeMap(func(v ...ad.Value) ad.Value { return ad.Stack(0, v[0], v[0].Scale(0.5)) }, at)
	for name, f := range policies {
		sameTrees(t, name+" gradient", ad.ValueAndGrad(f)(at), ad.ValueAndGrad(want)(at), 1e-12)
		sameTrees(t, name+" forward", ad.JVP(f)(at, at), ad.JVP(want)(at, at), 1e-12)
		sameTrees(t, name+" Hessian", ad.HVP(f)(at, at), ad.HVP(want)(at, at), 1e-11)
		twice := func(f func(args) ad.Value) args {
			return ad.Grad(func(a args) ad.Value {
				g := ad.Grad(f)(a)
				return g.X.Sin().Sum().Add(g.W.Square().Sum())
			})(at)
		}
		sameTrees(t, name+" reverse over reverse", twice(f), twice(want), 1e-10)
		sameTrees(t, name+" batch", ad.Vmap(ad.Grad(f))(batch), ad.Vmap(ad.Grad(want))(batch), 1e-11)
		sameTrees(t, name+" batch inside", ad.Grad(func(a args) ad.Value { return ad.Vmap(f)(a).Sum() })(batch), ad.Vmap(ad.Grad(want))(batch), 1e-11)
		sameTrees(t, name+" loop", ad.Grad(func(a args) ad.Value {
			return ad.ForI(2, func(_, x ad.Value) ad.Value { return x.Add(f(args{x, a.W}).Scale(0.01)) }, a.X).Sum()
		})(at), ad.Grad(func(a args) ad.Value {
			return ad.ForI(2, func(_, x ad.Value) ad.Value { return x.Add(want(args{x, a.W}).Scale(0.01)) }, a.X).Sum()
		})(at), 1e-10)
	}
	// A mark within Vmap is of one element of the batch, and of no use outside.
	inner := func(save func(ad.Value) ad.Value) ad.Value {
		f := ad.Checkpoint(func(x ad.Value) ad.Value {
			return ad.Vmap(func(x ad.Value) ad.Value { return save(x.Exp()).Sin() })(x)
		})
		return ad.Grad(func(x ad.Value) ad.Value { return f(x).Sum() })(at.X)
	}
	closeTo(t, "within Vmap", inner(ad.Value.Saved).Float64s(), inner(none).Float64s(), 0)
}

// Memory lies between none kept and all kept.
func TestCheckpointMemory(t *testing.T) {
	type net struct{ X, W ad.Value }
	bytes := func(wrap func(func(n net) ad.Value) func(n net) ad.Value) int {
		block := wrap(func(n net) ad.Value {
			for range 3 {
				n.X = n.X.MatMul(n.W).Sin().CumSum(1).Tanh().CumSum(0).Scale(0.1)
			}
			return n.X
		})
		p, err := ad.Compile(ad.Grad(func(n net) ad.Value {
			for range 8 {
				n.X = block(n)
			}
			return n.X.Sum()
		}), net{ad.F32.Spec(4000, 64), ad.F32.Spec(64, 64)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.PeakBytes(1)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := bytes(func(f func(n net) ad.Value) func(n net) ad.Value { return f })
	none := bytes(func(f func(n net) ad.Value) func(n net) ad.Value { return ad.Checkpoint(f) })
	products := bytes(func(f func(n net) ad.Value) func(n net) ad.Value {
		return ad.Checkpoint(f, ad.CheckpointOptions{Products: true})
	})
	const array = 4000 * 64 * 4
	if products-none < 12*array || all-products < 12*array {
		t.Errorf("%d bytes with none kept, %d with products, %d with all", none, products, all)
	}
}
