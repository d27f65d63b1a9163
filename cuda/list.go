//go:build cuda && linux && cgo

package cuda

import (
	"fmt"
	"sync"

	"github.com/adjoint-go/adjoint/cuda/internal/driver"
	"gorgonia.org/cu"
)

func init() { devices = sync.OnceValues(list) }

func list() ([]Device, error) {
	if err := driver.Driver(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("cuda: counting devices: %w", err)
	}
	var list []Device
	for i := range n {
		d, err := describe(i)
		if err != nil {
			return nil, fmt.Errorf("cuda: device %d: %w", i, err)
		}
		list = append(list, d)
	}
	return list, nil
}

func describe(number int) (Device, error) {
	d := Device{Number: number}
	dev, err := cu.GetDevice(number)
	if err != nil {
		return d, err
	}
	if d.Name, err = dev.Name(); err != nil {
		return d, err
	}
	major, minor, err := dev.ComputeCapability()
	if err != nil {
		return d, err
	}
	d.Arch = fmt.Sprintf("sm_%d%d", major, minor)
	bytes, err := dev.TotalMem()
	d.Bytes = int(bytes)
	return d, err
}
