package scan

import "github.com/hallmark-ci/hallmark/pipeline/scan/advisories"

// openDemo returns the database of the advisories that come with the program, writing it where it is not kept. Its age
// is not judged: it is no assessment on any day, and says so.
func openDemo(kept store) (*Database, error) {
	set, err := advisories.Demo()
	if err != nil {
		return nil, broken(DemoDatabase, err)
	}
	database := kept.open(DemoDatabase, set.Digest)
	if database == nil {
		if database, err = kept.put(DemoDatabase, set.Digest, set.Write); err != nil {
			return nil, broken(DemoDatabase, err)
		}
	}
	database.Info.Demo, database.Info.Note = true, set.Note()
	return database, nil
}
