package blas

import (
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/testlapack"
)

// gonum's LAPACK calls with every shape, stride and panel that its blocked algorithms have: its own suite of
// those that lean on BLAS most.
func TestLapackSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds on the pure-Go level, minutes under the race detector")
	}
	defer blas64.Use(blas64.Implementation())
	blas64.Use(Implementation{})
	impl := gonum.Implementation{}
	t.Run("dgetrf", func(t *testing.T) { testlapack.DgetrfTest(t, impl) })
	t.Run("dgetri", func(t *testing.T) { testlapack.DgetriTest(t, impl) })
	t.Run("dgetrs", func(t *testing.T) { testlapack.DgetrsTest(t, impl) })
	t.Run("dpotrf", func(t *testing.T) { testlapack.DpotrfTest(t, impl) })
	t.Run("dpotrs", func(t *testing.T) { testlapack.DpotrsTest(t, impl) })
	t.Run("dgeqrf", func(t *testing.T) { testlapack.DgeqrfTest(t, impl) })
	t.Run("dormqr", func(t *testing.T) { testlapack.DormqrTest(t, impl) })
	t.Run("dgels", func(t *testing.T) { testlapack.DgelsTest(t, impl) })
	t.Run("dgebrd", func(t *testing.T) { testlapack.DgebrdTest(t, impl) })
	t.Run("dsytrd", func(t *testing.T) { testlapack.DsytrdTest(t, impl) })
	t.Run("dgehrd", func(t *testing.T) { testlapack.DgehrdTest(t, impl) })
}
