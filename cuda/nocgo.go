//go:build cuda && !(linux && cgo)

package cuda

var _ = the_build_tag_cuda_needs_linux_and_CGO_ENABLED_1
