//go:build !linux

package main

// pin does nothing where threads cannot be kept on a core.
func pin() (unpin func(), err error) { return func() {}, nil }
