// Package driver binds what package cuda needs of NVIDIA's libraries beside what gorgonia.org/cu binds: finding
// them at run time (libraries.c says how and why), memory, streams and their capture into graphs, NVRTC, and cuBLAS. It
// imports nothing of this module, and is empty without the tag cuda.
package driver
