package nn_test

import (
	"os"
	"testing"
)

// On a GPU, products have the CPU's bits, which tests compare.
func TestMain(m *testing.M) {
	os.Setenv("ADJOINT_CUBLAS", "off")
	os.Exit(m.Run())
}
