package device

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Cache keeps compiled kernels in files of a folder, for the processes to come. It never fails: a file that is not
// there, cannot be written or was damaged means that the kernel is compiled.
type Cache struct{ Dir string } // "": no files

// DefaultCache is ADJOINT_CACHE, a folder or "off", or a folder where the system keeps such files.
func DefaultCache() Cache {
	switch dir := os.Getenv("ADJOINT_CACHE"); dir {
	case "off":
		return Cache{}
	case "":
		dir, err := os.UserCacheDir()
		if err != nil {
			return Cache{}
		}
		return Cache{filepath.Join(dir, "adjoint", "kernels")}
	default:
		return Cache{dir}
	}
}

// Get returns what make makes for a key: everything that it depends on.
func (c Cache) Get(key []string, make func() ([]byte, error)) ([]byte, error) {
	if c.Dir == "" {
		return make()
	}
	h := sha256.New()
	for _, k := range key {
		sum := sha256.Sum256([]byte(k))
		h.Write(sum[:])
	}
	name := h.Sum(nil)
	file := filepath.Join(c.Dir, hex.EncodeToString(name)+".kernel")
	if b, err := os.ReadFile(file); err == nil {
		if made, ok := unseal(name, b); ok {
			return made, nil
		}
	}
	made, err := make()
	if err == nil {
		c.write(file, seal(name, made))
	}
	return made, err
}

// seal puts a checksum of name and content in front.
func seal(name, made []byte) []byte {
	h := sha256.New()
	h.Write(name)
	h.Write(made)
	return append(h.Sum(nil), made...)
}

func unseal(name, b []byte) (made []byte, ok bool) {
	if len(b) < sha256.Size {
		return nil, false
	}
	made = b[sha256.Size:]
	return made, string(seal(name, made)) == string(b)
}

// write has the file appear whole or not at all.
func (c Cache) write(file string, b []byte) {
	if os.MkdirAll(c.Dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(c.Dir, "new-*")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
}
