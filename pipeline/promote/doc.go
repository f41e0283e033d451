// Package promote moves a tag that consumers pull, such as golden, onto a digest: it looks, compares, writes, reads
// back, and hands over the record of the move. Within one repository that is three requests: HEAD, PUT, HEAD.
//
// A promotion is never claimed to be atomic, for the OCI protocol has no compare-and-swap. It says which digest it
// expects to replace, asks the registry to hold it to that (If-Match; many ignore it), and reads the tag back. Where
// somebody else was quicker it ends with verdict.ErrConflict and says who holds the tag. Where the tag is right already
// it writes nothing, so that immutable tags are no trouble.
//
// A small journal file, written before the tag is, lets the next run finish or report a promotion that was killed.
//
// The package must not know why a digest may be promoted: whoever calls it has verified the evidence, and stores the
// record.
package promote
