//go:build !amd64 || purego

package limits

func fmaKernels() []fmaKernel { return []fmaKernel{goFMA} }

func read(b []byte) { goRead(b) }
