package emulator

// asking answers a call in the way of most: read takes from the request what is asked for, work does it while the server's
// lock is held.
func asking[T, R any](s *Server, read func(r *request) (T, error), work func(asked T) (R, error)) handler {
	return func(r *request) (any, error) {
		asked, err := read(r)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return work(asked)
	}
}

// locked answers a call while the server's lock is held.
func (s *Server) locked(work handler) handler { return asking(s, whole, work) }

// whole leaves it to the call's work to read the request.
func whole(r *request) (*request, error) { return r, nil }

// inBody reads a request's body, which is JSON.
func inBody[T any](r *request) (T, error) {
	var asked T
	err := decode(r.body, &asked) // not in the return: whether a variable there is read before the calls is nowhere promised
	return asked, err
}

// inQuery reads one parameter of a request's query.
func inQuery(key string) func(r *request) (string, error) {
	return func(r *request) (string, error) { return r.URL.Query().Get(key), nil }
}
