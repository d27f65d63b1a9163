package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadIDX(t *testing.T) {
	good := []byte{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}
	shape, data, err := readIDX(bytes.NewReader(good), 2)
	if err != nil || len(shape) != 2 || shape[0] != 2 || shape[1] != 3 || !bytes.Equal(data, good[12:]) {
		t.Fatal(shape, data, err)
	}
	for n := range good {
		if _, _, err := readIDX(bytes.NewReader(good[:n]), 2); err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for want, bad := range map[string][]byte{
		"starts with": append([]byte{0, 0, 9}, good[3:]...),
		"more than":   append(good[:len(good):len(good)], 7),
		"too many":    {0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		if _, _, err := readIDX(bytes.NewReader(bad), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir, err := dataDir()
	if err != nil {
		t.Fatal(err)
	}
	for n, files := range map[int][2]file{60000: trainFiles, 10000: testFiles} {
		d, err := load(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		if d.len() != n || len(d.pixels) != n*pixels {
			t.Errorf("%d pictures, %d pixels", d.len(), len(d.pixels))
		}
	}

	if _, err := load(t.TempDir(), testFiles); err == nil || !strings.Contains(err.Error(), "not there") {
		t.Error("no files:", err)
	}
	damaged := t.TempDir()
	for _, f := range testFiles {
		b, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		if f.rank == 1 {
			b[1000] ^= 1
		}
		if err := os.WriteFile(filepath.Join(damaged, f.name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := load(damaged, testFiles); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Error("one bit changed:", err)
	}
	if err := os.Truncate(filepath.Join(damaged, testFiles[0].name), 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := load(damaged, testFiles); err == nil || !strings.Contains(err.Error(), "1000 bytes, not") {
		t.Error("cut short:", err)
	}
}
