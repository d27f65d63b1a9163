//go:build cuda

package runtime

import _ "github.com/adjoint-go/adjoint/cuda" // finds this machine's GPUs
