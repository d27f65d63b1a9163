package memory

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestHuge: many bytes lie where huge pages are asked for, and are zeros.
func TestHuge(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("a kernel without huge pages")
	}
	const n = 32 << 20
	p := Make(n)
	if uintptr(p)%align != 0 {
		t.Errorf("%p is not aligned", p)
	}
	for i, x := range unsafe.Slice((*byte)(p), n) {
		if x != 0 {
			t.Fatalf("byte %d is %d", i, x)
		}
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	within := false
	for s := bufio.NewScanner(f); s.Scan(); {
		var lo, hi uintptr
		if k, _ := fmt.Sscanf(s.Text(), "%x-%x ", &lo, &hi); k == 2 {
			within = lo <= uintptr(p)+n/2 && uintptr(p)+n/2 < hi
		}
		if within && strings.HasPrefix(s.Text(), "VmFlags:") {
			if !strings.Contains(s.Text()+" ", " hg ") {
				t.Error(s.Text())
			}
			return
		}
	}
	t.Error("its mapping was not found")
}
