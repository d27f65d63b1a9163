// Package limits measures what a machine's cores can do at most: fused multiply-adds, copying, reading.
// It imports nothing of ours.
package limits

import (
	"sync"
	"time"
)

// on runs f on so many threads at once, several times, and returns the shortest time.
func on(threads int, f func(thread int)) time.Duration {
	best := time.Duration(1 << 62)
	for range 7 {
		var ready, done sync.WaitGroup
		start := make(chan struct{})
		ready.Add(threads)
		for t := range threads {
			done.Go(func() {
				ready.Done()
				<-start
				f(t)
			})
		}
		ready.Wait()
		t0 := time.Now()
		close(start)
		done.Wait()
		best = min(best, time.Since(t0))
	}
	return best
}

// FMA is the rate of fused multiply-adds from registers to registers, in float32 flops per ns. In
// float64 it is half of that.
func FMA(threads int) float64 {
	rate := 0.0
	for _, k := range fmaKernels() {
		n := 1 << 16
		ns := on(threads, func(int) { k.run(n) }).Nanoseconds()
		n = int(float64(n) * 5e6 / float64(max(ns, 1)))
		ns = on(threads, func(int) { k.run(n) }).Nanoseconds()
		rate = max(rate, float64(threads*n*k.flops)/float64(ns))
	}
	return rate
}

type fmaKernel struct {
	run   func(n int)
	flops int // per n
}

// Copy is the rate of reading and writing arrays of so many bytes in all, in bytes per ns.
func Copy(threads, bytes int) float64 {
	return move(threads, bytes, func(b []byte) { copy(b[:len(b)/2], b[len(b)/2:]) })
}

// Read is the rate of reading arrays of so many bytes in all, in bytes per ns.
func Read(threads, bytes int) float64 { return move(threads, bytes, read) }

func move(threads, bytes int, f func([]byte)) float64 {
	part := max(bytes/threads&^127, 128)
	data := make([][]byte, threads)
	for t := range data {
		data[t] = make([]byte, part)
		for i := 0; i < part; i += 1024 {
			data[t][i] = 1 // a page of its own for each page
		}
	}
	n := max(1, (4<<20)/part)
	for {
		ns := on(threads, func(t int) {
			for range n {
				f(data[t])
			}
		}).Nanoseconds()
		if ns > 500_000 {
			return float64(threads*n*part) / float64(ns)
		}
		n *= 4
	}
}
