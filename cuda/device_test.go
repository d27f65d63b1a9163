package cuda

import "testing"

func TestDeviceString(t *testing.T) {
	d := Device{1, "NVIDIA H100 80GB HBM3", "sm_90", 85_017_493_504}
	if got, want := d.String(), "cuda:1 NVIDIA H100 80GB HBM3, sm_90, 85 GB"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDevices(t *testing.T) {
	devices, err := Devices()
	if (err == nil) != (len(devices) > 0) {
		t.Errorf("%v, %v", devices, err)
	}
	for i, d := range devices {
		if d.Number != i || d.Arch == "" || d.Bytes == 0 {
			t.Errorf("%+v", d)
		}
	}
}
