package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"sync"
	"time"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

const (
	blockRows = 4096
	maxLine   = 1 << 16 // bytes
)

// result is what a stream held and how long it took.
type result struct {
	rows, bad int
	pricing   time.Duration // of all threads
	threads   int
	level     string
}

// block is some lines of the input on their way: read by one goroutine, priced by any, written by one in
// the order of reading. A fixed number of them goes round, so that memory does not depend on the input.
type block struct {
	line int // of the first
	text []byte
	ends []int // of the lines in text

	columns [5][]float64
	puts    []bool
	blank   []bool
	greeks  greeks

	csv     []byte
	faults  []fault
	rows    int
	pricing time.Duration
	err     error
	done    chan struct{}
}

type fault struct {
	line   int
	reason string
}

var columnNames = [...]string{"spot", "strike", "rate", "volatility", "expiry", "type"}

const typeColumn = len(columnNames) - 1

// header says where in a line each column is, -1 where there is none, and how many fields there are.
type header struct {
	at     [len(columnNames)]int
	fields int
}

// stream prices the options of in and writes them to out; report is called for each bad line, in order.
func stream(ctx context.Context, in io.Reader, out io.Writer, report func(line int, reason string)) (result, error) {
	r := bufio.NewReaderSize(in, maxLine)
	if magic, _ := r.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return result{}, err
		}
		r = bufio.NewReaderSize(z, maxLine)
	}
	line, err := readLine(r)
	if err == io.EOF {
		return result{}, errors.New("the input is empty: a line of column names is needed")
	} else if err != nil {
		return result{}, fmt.Errorf("line 1: %w", err)
	}
	h, err := parseHeader(line)
	if err != nil {
		return result{}, fmt.Errorf("line 1: %w", err)
	}
	program, err := compile()
	if err != nil {
		return result{}, err
	}
	if _, err := io.WriteString(out, "price,delta,gamma,vega,theta,rho\n"); err != nil {
		return result{}, err
	}

	res := result{threads: runtime.GOMAXPROCS(0), level: program.Level()}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	free := make(chan *block, 2*res.threads)
	read, ordered := make(chan *block, cap(free)), make(chan *block, cap(free))
	for range cap(free) {
		free <- newBlock()
	}
	running.Go(func() {
		defer close(read)
		defer close(ordered)
		for line := 2; ; {
			select {
			case b := <-free:
				err := b.read(r, line)
				line += len(b.ends)
				if err == io.EOF && len(b.ends) == 0 {
					return
				} else if err != nil && err != io.EOF {
					b.err = fmt.Errorf("line %d: %w", line, err)
				}
				ordered <- b
				read <- b // and no look at b after this
				if err != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	for range res.threads {
		running.Go(func() {
			for b := range read {
				if b.err == nil {
					b.err = b.price(ctx, program, h)
				}
				b.done <- struct{}{}
			}
		})
	}
	for b := range ordered {
		<-b.done
		if b.err != nil {
			return res, b.err
		}
		for _, f := range b.faults {
			report(f.line, f.reason)
		}
		if _, err := out.Write(b.csv); err != nil {
			return res, err
		}
		res.rows += b.rows
		res.bad += len(b.faults)
		res.pricing += b.pricing
		free <- b
	}
	return res, ctx.Err()
}

func newBlock() *block {
	b := &block{puts: make([]bool, blockRows), blank: make([]bool, blockRows), done: make(chan struct{}, 1)}
	for i := range b.columns {
		b.columns[i] = make([]float64, blockRows)
	}
	return b
}

// read fills the block with lines of r, of which the first has the given number.
func (b *block) read(r *bufio.Reader, line int) error {
	b.line, b.text, b.ends = line, b.text[:0], b.ends[:0]
	for len(b.ends) < blockRows {
		l, err := readLine(r)
		if err != nil {
			return err
		}
		b.text = append(b.text, l...)
		b.ends = append(b.ends, len(b.text))
	}
	return nil
}

// readLine returns a line without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	l, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, fmt.Errorf("longer than %d bytes: this is no CSV file of options", maxLine)
	case err == io.EOF && len(l) > 0:
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(l, []byte("\n")), []byte("\r")), nil
}

func parseHeader(line []byte) (h header, err error) {
	for i := range h.at {
		h.at[i] = -1
	}
	rest := bytes.TrimPrefix(line, []byte("\ufeff"))
	for more := true; more; h.fields++ {
		var name []byte
		name, rest, more = cut(rest)
		for i, known := range columnNames {
			if !bytes.EqualFold(name, []byte(known)) {
				continue
			}
			if h.at[i] >= 0 {
				return h, fmt.Errorf("two columns are named %s", known)
			}
			h.at[i] = h.fields
		}
	}
	for i, name := range columnNames[:typeColumn] {
		if h.at[i] < 0 {
			return h, fmt.Errorf("no column is named %s: %.200q", name, line)
		}
	}
	return h, nil
}

// cut splits a line after its first field, which it strips of spaces and of the quotes around it.
func cut(line []byte) (field, rest []byte, more bool) {
	line = bytes.TrimLeft(line, " \t")
	if len(line) > 0 && line[0] == '"' {
		if end := bytes.IndexByte(line[1:], '"'); end >= 0 {
			after, rest, more := bytes.Cut(line[end+2:], []byte(","))
			if len(bytes.TrimSpace(after)) == 0 {
				return bytes.TrimSpace(line[1 : end+1]), rest, more
			}
		}
	}
	field, rest, more = bytes.Cut(line, []byte(","))
	return bytes.TrimSpace(field), rest, more
}

// price computes the block's csv and faults.
func (b *block) price(ctx context.Context, program *ad.Program[option, greeks], h header) error {
	n := len(b.ends)
	b.rows, b.faults, b.csv = 0, b.faults[:0], b.csv[:0]
	reasons := make(map[int]string) // by row, of bad ones
	start := 0
	for i, end := range b.ends {
		line := b.text[start:end]
		start = end
		b.blank[i] = len(bytes.TrimSpace(line)) == 0
		if b.blank[i] {
			b.fill(i)
		} else if reason := b.parse(i, line, h); reason != "" {
			reasons[i] = reason
			b.fill(i)
		}
	}

	var values [5]ad.Value
	for i, c := range b.columns {
		values[i] = ad.From(c[:n])
	}
	o := option{values[0], values[1], values[2], values[3], values[4], ad.From(b.puts[:n])}
	began := time.Now()
	if err := program.RunInto(ctx, &b.greeks, o); err != nil {
		return err
	}
	b.pricing = time.Since(began)

	g := &b.greeks
	var results [6][]float64
	for i, v := range []ad.Value{g.Price, g.Delta, g.Gamma, g.Vega, g.Theta, g.Rho} {
		results[i] = ad.Data[float64](v)
	}
	for i := range n {
		if b.blank[i] {
			continue
		}
		b.rows++
		reason := reasons[i]
		row := b.csv
		for k := 0; k < len(results) && reason == ""; k++ {
			x := results[k][i]
			if math.IsNaN(x) || math.IsInf(x, 0) {
				reason = "a result is out of range: the numbers are too far apart"
			}
			if k > 0 {
				row = append(row, ',')
			}
			row = strconv.AppendFloat(row, x, 'g', -1, 64)
		}
		if reason != "" {
			b.faults = append(b.faults, fault{b.line + i, reason})
			row = append(b.csv, ",,,,,"...)
		}
		b.csv = append(row, '\n')
	}
	return nil
}

// fill makes row i some option, so that there is something to compute.
func (b *block) fill(i int) {
	for k := range b.columns {
		b.columns[k][i] = 1
	}
}

// parse reads an option into row i. What it returns is wrong with the line, if anything is.
func (b *block) parse(i int, line []byte, h header) string {
	b.puts[i] = false
	fields := 0
	for more := true; more; fields++ {
		var field []byte
		field, line, more = cut(line)
		for column, at := range h.at {
			if at == fields {
				if reason := b.set(i, column, field); reason != "" {
					return reason
				}
			}
		}
	}
	if fields != h.fields {
		return fmt.Sprintf("%d fields, but %d columns", fields, h.fields)
	}
	return ""
}

func (b *block) set(i, column int, field []byte) string {
	name := columnNames[column]
	if column == typeColumn {
		switch {
		case bytes.EqualFold(field, []byte("put")):
			b.puts[i] = true
		case !bytes.EqualFold(field, []byte("call")):
			return fmt.Sprintf("type %.40q is neither call nor put", field)
		}
		return ""
	}
	x, err := strconv.ParseFloat(string(field), 64)
	switch {
	case len(field) == 0:
		return name + " is missing"
	case errors.Is(err, strconv.ErrRange) || math.IsInf(x, 0) || math.IsNaN(x):
		return fmt.Sprintf("%s %.40s is not finite", name, field)
	case err != nil:
		return fmt.Sprintf("%s %.40q is not a number", name, field)
	case name != "rate" && x <= 0:
		return fmt.Sprintf("%s %.40s is not above 0", name, field)
	}
	b.columns[column][i] = x
	return ""
}
