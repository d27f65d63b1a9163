package device_test

import (
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/device/fake"
)

func TestSelect(t *testing.T) {
	two := []device.Driver{&fake.Driver{}, &fake.Driver{Number: 1}}
	tests := []struct {
		drivers         []device.Driver
		name, env, want string
	}{
		{nil, "", "", "cpu"},
		{nil, "cpu", "cuda:3", "cpu"},
		{nil, "cuda:0", "", "cuda:0: there is no such device; there are cpu"},
		{two, "", "", "cuda:0"},
		{two, "cuda:1", "", "cuda:1"},
		{two, "", "cuda:1", "cuda:1"},
		{two, "", "cpu", "cpu"},
		{two, "cuda:0", "cpu", "cuda:0"},
		{two, "", "cuda:2", "ADJOINT_DEVICE=cuda:2: there is no such device; there are cpu, cuda:0, cuda:1"},
		{two, "gpu", "", "gpu: there is no such device; there are cpu, cuda:0, cuda:1"},
	}
	for _, test := range tests {
		restore := device.Use(test.drivers...)
		t.Setenv("ADJOINT_DEVICE", test.env)
		d, why, err := device.Select(test.name)
		got := "cpu"
		switch {
		case err != nil:
			got = err.Error()
		case d != nil:
			got = d.Name()
		}
		if got != test.want || why != "" {
			t.Errorf("%q, ADJOINT_DEVICE=%q: %s (%s), want %s", test.name, test.env, got, why, test.want)
		}
		restore()
	}
}

// Without the tag, or without a driver, the error of a device that was asked for says what is missing.
func TestSelectWithoutDevices(t *testing.T) {
	devices, err := device.All()
	if len(devices) > 0 {
		t.Skip("there are devices")
	}
	_, _, e := device.Select("cuda:0")
	if err == nil || e == nil || !strings.Contains(e.Error(), err.Error()) {
		t.Fatalf("%v: %v", err, e)
	}
}
