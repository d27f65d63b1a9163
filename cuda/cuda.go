// Package cuda is the NVIDIA device: built with the tag cuda, on Linux with a C compiler, programs run on a GPU where
// the machine has one. It imports internal/device, internal/cudasrc, its own driver bindings and gorgonia.org/cu.
package cuda

import (
	"errors"
	"fmt"
)

// Device describes a GPU.
type Device struct {
	Number int
	Name   string // NVIDIA's
	Arch   string // sm_90
	Bytes  int    // of its memory
}

// String is how options name the device, and what it is: "cuda:0 NVIDIA H100, sm_90, 80 GB".
func (d Device) String() string {
	return fmt.Sprintf("cuda:%d %s, %s, %d GB", d.Number, d.Name, d.Arch, (d.Bytes+5e8)/1e9)
}

// Devices lists the GPUs of this machine. Where there is none, no driver, or no support in this binary, the error says
// which; programs then run on the CPU.
func Devices() ([]Device, error) { return devices() }

var devices = func() ([]Device, error) {
	return nil, errors.New("cuda: this binary is built without the tag cuda")
}
