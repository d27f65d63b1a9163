package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/cuda"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/device/fake"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-quick", "-devices", "cpu"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if !strings.Contains(out.String(), task.name+" ") {
			t.Errorf("%s is not in the table:\n%s", task.name, &out)
		}
	}
	if err := run([]string{"-check"}, io.Discard, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "no GPU to run on: ") {
		if devices, _ := cuda.Devices(); len(devices) == 0 {
			t.Error(err)
		}
	}
	if err := run([]string{"-devices", "cuda:9"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "cuda:9") {
		t.Error(err)
	}
}

// Every case runs on a device, with the CPU's value.
func TestRunOnADevice(t *testing.T) {
	if err := shim.Missing(); err != nil || os.Getenv("ADJOINT_EXHAUSTIVE") == "" {
		t.Skip("a minute of g++: ADJOINT_EXHAUSTIVE is not set, or ", err)
	}
	s := &fake.Shim{Dir: t.TempDir()}
	defer s.Close()
	defer device.Use(&fake.Driver{Compile: s.Compile})()
	var out bytes.Buffer
	if err := run([]string{"-quick", "-devices", "cpu,cuda:0"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	value := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(.*?) +(cpu|cuda:0) .* (\S+)$`).FindAllStringSubmatch(out.String(), -1) {
		if v, ok := value[m[1]]; !ok {
			value[m[1]] = m[3]
		} else if v != m[3] {
			t.Errorf("%s: %s, on the CPU %s", m[1], m[3], v)
		} else {
			value[m[1]] = "same"
		}
	}
	for _, task := range tasks {
		if value[task.name] != "same" {
			t.Errorf("%s: %q\n%s", task.name, value[task.name], &out)
		}
	}
}
