package emulator

// madeFor is the cluster that was created with the idempotency token and has not ended: the platform clears the token at
// the cluster's end, and the same request then makes another one. The lock is held.
func (s *Server) madeFor(token string) string {
	id := s.replies[token]
	made, there := s.clusters[id]
	if token == "" || !there || made.state == terminated {
		return ""
	}
	return id
}
