package registry

import "sync"

// keyedMutex is one lock for each key that somebody holds.
type keyedMutex struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	holders int
}

// lock takes the lock of key and returns what releases it.
func (k *keyedMutex) lock(key string) func() {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	held := k.locks[key]
	if held == nil {
		held = &keyedLock{}
		k.locks[key] = held
	}
	held.holders++
	k.mu.Unlock()
	held.Lock()
	return func() {
		held.Unlock()
		k.mu.Lock()
		if held.holders--; held.holders == 0 {
			delete(k.locks, key)
		}
		k.mu.Unlock()
	}
}
