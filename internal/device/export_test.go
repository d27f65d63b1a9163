package device

// SetRoom sets the pinned memory of inputs, and what is copied at once.
func SetRoom(c, room int) (restore func()) {
	was, all := chunk, inputRoom
	chunk, inputRoom = c, room
	return func() { chunk, inputRoom = was, all }
}
