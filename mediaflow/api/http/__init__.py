"""Around every request: who asks, what may be sent, how answers and errors look."""
