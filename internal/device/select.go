package device

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Find lists this machine's devices. Package cuda sets it, if it is built.
var Find func() ([]Driver, error)

var errNotBuilt = errors.New("this binary is built without the tag cuda")

var all struct {
	sync.Mutex
	done    bool
	devices []*Device
	err     error
}

// All lists the devices, or says why there are none.
func All() ([]*Device, error) {
	all.Lock()
	defer all.Unlock()
	if !all.done {
		all.done, all.err = true, errNotBuilt
		if Find != nil {
			var drivers []Driver
			drivers, all.err = Find()
			for _, d := range drivers {
				all.devices = append(all.devices, New(d))
			}
		}
	}
	return all.devices, all.err
}

// Use has programs compiled from now on find these drivers, and restores what there was; for tests.
func Use(drivers ...Driver) (restore func()) {
	all.Lock()
	defer all.Unlock()
	done, devices, err := all.done, all.devices, all.err
	all.done, all.devices, all.err = true, nil, nil
	for _, d := range drivers {
		all.devices = append(all.devices, New(d))
	}
	return func() {
		all.Lock()
		defer all.Unlock()
		all.done, all.devices, all.err = done, devices, err
	}
}

// Select is the device of a name: "cpu" (nil), "cuda:1"; "" is ADJOINT_DEVICE, or else the first device, or else the
// CPU. Then why says why it is the CPU, where somebody might have expected another.
func Select(name string) (d *Device, why string, err error) {
	from := ""
	if name == "" {
		name, from = os.Getenv("ADJOINT_DEVICE"), "ADJOINT_DEVICE="
	}
	if name == "cpu" {
		return nil, "", nil
	}
	devices, none := All()
	if name == "" {
		switch {
		case len(devices) > 0:
			return devices[0], "", nil
		case none != nil && none != errNotBuilt:
			why = none.Error()
		}
		return nil, why, nil
	}
	names := []string{"cpu"}
	for _, d := range devices {
		if d.Name() == name {
			return d, "", nil
		}
		names = append(names, d.Name())
	}
	msg := fmt.Sprintf("%s%s: there is no such device; there are %s", from, name, strings.Join(names, ", "))
	if none != nil {
		msg += fmt.Sprintf(" (%v)", none)
	}
	return nil, "", errors.New(msg)
}
