package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// pin keeps this goroutine, and the processes that it starts, on one core, the last that is allowed, until unpin:
// so all sides of a case on one thread have the same core, and its caches.
func pin() (unpin func(), err error) {
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return runtime.UnlockOSThread, err
	}
	last := -1
	for i := range len(all) * 64 {
		if all.IsSet(i) {
			last = i
		}
	}
	one.Set(last)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return runtime.UnlockOSThread, err
	}
	return func() {
		if unix.SchedSetaffinity(0, &all) == nil { // a thread that stays pinned ends with its goroutine instead
			runtime.UnlockOSThread()
		}
	}, nil
}
