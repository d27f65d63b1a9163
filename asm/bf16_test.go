package asm

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The bytes that stand for instructions which Go's assembler does not know are those instructions: another
// disassembler reads them so.
func TestBytes(t *testing.T) {
	if _, err := exec.LookPath("objdump"); err != nil {
		t.Skip(err)
	}
	var s []byte
	for _, file := range []string{"gemm_bf16_amd64.s", "gemm_amx_amd64.s"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, text...)
	}
	lines := regexp.MustCompile(`LONG \$0x([0-9a-f]{8}); (?:WORD|BYTE) \$0x([0-9a-f]{2,4}) // (.*)`).FindAllSubmatch(s, -1)
	if len(lines) != strings.Count(string(s), "LONG") || len(lines) < 300 {
		t.Fatalf("%d instructions", len(lines))
	}
	var code []byte
	for _, m := range lines {
		long, _ := strconv.ParseUint(string(m[1]), 16, 32)
		word, _ := strconv.ParseUint(string(m[2]), 16, 16)
		code = binary.LittleEndian.AppendUint32(code, uint32(long))
		if code = append(code, byte(word)); len(m[2]) == 4 {
			code = append(code, byte(word>>8))
		}
	}
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, code, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", file).CombinedOutput()
	if err != nil {
		t.Skipf("not GNU objdump, or one that lacks x86: %v", err)
	}
	read := regexp.MustCompile(`(?m)^ *[0-9a-f]+:\t[0-9a-f ]+\t(\S.*)$`).FindAllSubmatch(out, -1)
	if len(read) != len(lines) {
		t.Fatalf("%d instructions are read as %d\n%s", len(lines), len(read), out)
	}
	spaces := strings.NewReplacer(" ", "")
	for i, m := range lines {
		if got, want := spaces.Replace(string(read[i][1])), spaces.Replace(strings.ToLower(string(m[3]))); got != want {
			t.Errorf("%s is read as %s", m[3], read[i][1])
		}
	}
}
