package asm

import (
	"os"
	"os/exec"
	"testing"
)

// Files that the generator would write differently are stale.
func TestStale(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command("go", "run", "./gen", "-check")
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate ./asm: %v\n%s", err, out)
	}
}
