package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) keyCommand() *cobra.Command {
	key := group(&cobra.Command{
		Use:   "key",
		Short: "Make signing keys",
	})
	key.AddCommand(a.keyNewCommand())
	return key
}

func (a *app) keyNewCommand() *cobra.Command {
	var out, password string
	command := &cobra.Command{
		Use:   "new",
		Short: "Make a key pair in cosign's encrypted format",
		Long: `Make a key pair in cosign's encrypted format: OUT.key, readable by you alone, and OUT.pub, to be given
to everyone who verifies. The password is given by reference, as everywhere: env:NAME or file:PATH.
An existing key is never overwritten.`,
		Example: `  export HALLMARK_KEY_PASSWORD=…
  hallmark key new --out hallmark --password env:HALLMARK_KEY_PASSWORD`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if password == "" {
				return fmt.Errorf("%w: a key needs a password: give --password env:NAME or --password file:PATH", verdict.ErrUsage)
			}
			secretText, err := secret.Ref(password).Read()
			if err != nil {
				return err
			}
			private, public, err := sign.NewKey(secretText)
			if err != nil {
				return err
			}
			if err := writeNew(out+".key", private, 0o600); err != nil {
				return err
			}
			if err := writeNew(out+".pub", public, 0o644); err != nil {
				return errors.Join(err, os.Remove(out+".key"))
			}
			fmt.Fprintf(a.out, "%s.key  the private key: keep it secret, with its password\n%s.pub  the public key: give it to those who verify\n", out, out)
			fmt.Fprintf(a.out, "\nin hallmark.yaml:\n\n  sign:\n    key: file:%s.key\n    password: %s\n", out, password)
			return nil
		},
	}
	command.Flags().StringVar(&out, "out", "hallmark", "path of the key files, without .key and .pub")
	command.Flags().StringVar(&password, "password", "", "reference to the password: env:NAME or file:PATH")
	return command
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s exists already and is not overwritten; choose another --out", verdict.ErrUsage, path)
		}
		return fmt.Errorf("%w: writing the key: %s", verdict.ErrUsage, strings.TrimPrefix(err.Error(), "open "))
	}
	if mode&0o077 == 0 {
		err = keepToOwner(path) // before anything is in it
	}
	if err == nil {
		_, err = file.Write(data)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the key %s: %w", path, errors.Join(err, os.Remove(path)))
	}
	return nil
}
