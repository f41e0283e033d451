package rpmdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go
)

// sqliteTime bounds the reading: a table in a hostile file may compute its rows.
const sqliteTime = time.Minute

// readSQLite reads the table Packages. SQLite opens files by name only, so the body is copied.
func readSQLite(ctx context.Context, body io.ReaderAt, size int64, collect func([]byte) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sqliteTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "hallmark-rpm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rpmdb.sqlite")
	if err := copyTo(path, io.NewSectionReader(body, 0, size)); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: path, RawQuery: "mode=ro&immutable=1"}).String())
	if err != nil {
		return fmt.Errorf("its SQLite: %w", err)
	}
	defer db.Close()
	var kind string
	err = db.QueryRowContext(ctx, "SELECT type FROM sqlite_master WHERE name = 'Packages'").Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) || err == nil && kind != "table" {
		return errors.New("its SQLite has no table Packages")
	}
	if err != nil {
		return fmt.Errorf("its SQLite: %w", err)
	}
	rows, err := db.QueryContext(ctx, "SELECT blob FROM Packages")
	if err != nil {
		return fmt.Errorf("its SQLite: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var blob []byte
		if err := rows.Scan(&blob); err != nil {
			return fmt.Errorf("its SQLite: %w", err)
		}
		if err := collect(blob); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("its SQLite: %w", err)
	}
	return nil
}

func copyTo(path string, body io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	return errors.Join(err, file.Close())
}
