package jit

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// WritePerfMap adds mapped code to /tmp/perf-PID.map, where Linux's perf looks for the names of code that no file
// has. It does nothing on other systems.
func WritePerfMap(fs []*Func, names []string) error {
	if runtime.GOOS != "linux" || len(fs) == 0 {
		return nil
	}
	w, err := os.OpenFile(fmt.Sprintf("/tmp/perf-%d.map", os.Getpid()), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, f := range fs {
		fmt.Fprintf(&b, "%x %x %s\n", f.entry, len(f.code), names[i])
	}
	if _, err := w.WriteString(b.String()); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}
