// Package docs holds the pages of this module to what they say; it has tests only.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?s)```go\n(package main\n.*?)```\n(?:\\s*```text\n(.*?)```)?")

// Every whole program on a page is run; what the page prints below it is its output.
func TestPrograms(t *testing.T) {
	pages, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, more...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			found++
			dir, err := os.MkdirTemp(".", "testdata-") // inside the module, so that it finds the packages
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(m[1]), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "run", "./"+dir).CombinedOutput()
			if err != nil || m[2] != "" && string(out) != m[2] {
				t.Errorf("%s: %v\n%s\nthe page says\n%s", page, err, out, m[2])
			}
		}
	}
	if found == 0 {
		t.Error("no program found")
	}
}

// Every target of make and every folder that README.md names is there.
func TestNames(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	readme, makefile := read("README.md"), read("Makefile")
	for _, m := range regexp.MustCompile(`(?m)^ {4}make ([a-z-]+)`).FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("no target %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)|go run \./(\S+?)`+"`").FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat("../../" + m[1] + m[2]); err != nil {
			t.Error(err)
		}
	}
}
