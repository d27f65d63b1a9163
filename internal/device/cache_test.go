package device

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestCache(t *testing.T) {
	c := Cache{filepath.Join(t.TempDir(), "kernels")}
	made := 0
	get := func(key ...string) string {
		t.Helper()
		b, err := c.Get(key, func() ([]byte, error) { made++; return []byte("code of " + key[0]), nil })
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for range 2 {
		if get("a", "sm_80") != "code of a" || made != 1 {
			t.Fatal(made)
		}
	}
	// Keys differ in each part, and in where it ends.
	for i, key := range [][]string{{"a", "sm_90"}, {"as", "m_80"}, {"a", "sm_80", ""}} {
		if get(key...); made != i+2 {
			t.Fatalf("%q has been made before", key)
		}
	}
	files, _ := filepath.Glob(filepath.Join(c.Dir, "*"))
	if len(files) != 4 {
		t.Fatalf("%q", files)
	}
	damage := map[string]func(b []byte) []byte{
		"empty":       func(b []byte) []byte { return nil },
		"cut short":   func(b []byte) []byte { return b[:len(b)-1] },
		"longer":      func(b []byte) []byte { return append(b, 0) },
		"one bit":     func(b []byte) []byte { b[len(b)-2] ^= 4; return b },
		"a bit of it": func(b []byte) []byte { b[3] ^= 1; return b },
	}
	for name, f := range damage {
		for _, file := range files {
			b, _ := os.ReadFile(file)
			os.WriteFile(file, f(b), 0o600)
		}
		before := made
		for range 2 {
			for _, key := range [][]string{{"a", "sm_80"}, {"a", "sm_90"}, {"as", "m_80"}, {"a", "sm_80", ""}} {
				if get(key...) != "code of "+key[0] {
					t.Errorf("%s: wrong code", name)
				}
			}
		}
		if made != before+4 {
			t.Errorf("%s: made %d times", name, made-before)
		}
	}
	// Another key's file in the place of one.
	other, _ := os.ReadFile(files[0])
	for _, file := range files[1:] {
		os.WriteFile(file, other, 0o600)
	}
	for _, key := range [][]string{{"a", "sm_80"}, {"a", "sm_90"}, {"as", "m_80"}} {
		if want := "code of " + key[0]; get(key...) != want {
			t.Errorf("%q: not %q", key, want)
		}
	}
	if _, err := c.Get([]string{"b"}, func() ([]byte, error) { return nil, errors.New("no") }); err == nil {
		t.Error("an error is lost")
	}
	if get("b") != "code of b" {
		t.Error("an error was kept")
	}
}

func TestCacheWithoutFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	for _, c := range []Cache{{}, {file}, {filepath.Join(file, "below")}} {
		b, err := c.Get([]string{"a"}, func() ([]byte, error) { return []byte("code"), nil })
		if string(b) != "code" || err != nil {
			t.Error(c, b, err)
		}
	}
}
