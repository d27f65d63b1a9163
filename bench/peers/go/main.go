// Command peers is the side of Go libraries that are peers of the benchmark, Gorgonia or GoMLX as its argument says,
// of the protocol in bench/peers.go. It has a module of its own, so that ours does not need theirs.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// args are a case's.
type args struct {
	Kind, Dtype, What string
	Batch, M, N, K    int
	TA, TB            bool
	Params            []float64
	Sizes             []int
	Rate              float64
	Op                string
	Lo, Hi            []float64
	Ops               int
}

// work is a case made ready: at is element i of the results of the last run.
type work struct {
	run func() error
	at  func(i int) float64
}

var errNoCase = errors.New("has no such case")

// threads is how many a library may use.
func threads() int {
	n, err := strconv.Atoi(os.Getenv("PEER_THREADS"))
	if err != nil {
		return 1
	}
	return n
}

func version(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return ""
}

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr // what libraries print is not for the runner
	libraries := map[string]struct {
		module  string
		prepare func(a args) (*work, error)
	}{
		"gorgonia": {"gorgonia.org/gorgonia", gorgoniaCase},
		"gomlx":    {"github.com/gomlx/gomlx", gomlxCase},
	}
	if len(os.Args) != 2 || libraries[os.Args[1]].prepare == nil {
		fmt.Fprintln(os.Stderr, "peers: gorgonia or gomlx is needed")
		os.Exit(2)
	}
	lib := libraries[os.Args[1]]
	answer := func(v any) {
		line, err := json.Marshal(v)
		if err != nil {
			line = fmt.Appendf(nil, `{"error": %q}`, err.Error())
		}
		fmt.Fprintf(out, "%s\n", line)
	}
	answer(map[string]string{"name": os.Args[1], "version": version(lib.module)})
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	var w *work
	for {
		var q struct {
			Prepare string
			Args    args
			At      []int
			Run     int
		}
		if err := in.Decode(&q); err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, "peers:", err)
			}
			return
		}
		v, err := guarded(func() (any, error) {
			switch {
			case q.Prepare != "":
				var err error
				if w, err = lib.prepare(q.Args); err != nil {
					return nil, err
				}
				return timed(w, 1)
			case q.At != nil:
				values := make([]float64, len(q.At))
				for i, k := range q.At {
					values[i] = w.at(k)
				}
				return map[string]any{"values": values}, nil
			}
			return timed(w, q.Run)
		})
		if err != nil {
			v = map[string]string{"error": err.Error()}
		}
		answer(v)
	}
}

func timed(w *work, n int) (any, error) {
	t := time.Now()
	for range n {
		if err := w.run(); err != nil {
			return nil, err
		}
	}
	return map[string]int64{"ns": time.Since(t).Nanoseconds()}, nil
}

// guarded makes a library's panic an error.
func guarded(f func() (any, error)) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return f()
}

// number is one of [0, 1) with 24 bits, as in bench/data.go.
func number(seed, i int) float64 {
	z := uint64(seed)<<32 + uint64(i)
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>40) / (1 << 24)
}

type float interface{ float32 | float64 }

func numbers[T float](seed, n int, lo, hi float64) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(lo + (hi-lo)*number(seed, i))
	}
	return s
}

func labels(seed, n, k int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(number(seed, i) * float64(k))
	}
	return s
}

// element is element i of some arrays laid out one after the other.
func element[T float](parts [][]T, i int) float64 {
	for _, p := range parts {
		if i < len(p) {
			return float64(p[i])
		}
		i -= len(p)
	}
	panic("fewer elements than asked for")
}
