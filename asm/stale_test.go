package asm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Files that the generator would write differently are stale.
func TestStale(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	// go test answers from its cache unless what this process itself read has changed.
	for _, dir := range []string{".", "gen", "../internal/vec", "../internal/ops", "../internal/dtype"} {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
				os.ReadFile(f)
			}
		}
	}
	cmd := exec.Command("go", "run", "./gen", "-check")
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate ./asm: %v\n%s", err, out)
	}
}
