// Package docs holds the pages of this module to what they say; it has tests only.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
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

// Every name of package autodiff on a page is one that it exports.
func TestExportedNames(t *testing.T) {
	files, err := filepath.Glob("../../autodiff/*.go")
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					exported["ad."+d.Name.Name] = true
				} else if id, ok := d.Recv.List[0].Type.(*ast.Ident); ok {
					exported[id.Name+"."+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						exported["ad."+s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							exported["ad."+n.Name] = true
						}
					}
				}
			}
		}
	}
	found := 0
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`\b(ad|Value|Key)\.[A-Z]\w*`).FindAllString(string(text), -1) {
				found++
				if !exported[name] {
					t.Errorf("%s: autodiff has no %s", page, name)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no name found")
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
