package main

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// keepToOwner lets nobody but this user at a file. Windows has no modes: a new file is open to whoever its folder is open to.
func keepToOwner(path string) error {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("asking who this user is: %w", err)
	}
	only, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: windows.GENERIC_ALL,
		AccessMode:        windows.GRANT_ACCESS,
		Inheritance:       windows.NO_INHERITANCE,
		Trustee: windows.TRUSTEE{
			TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeType: windows.TRUSTEE_IS_USER,
			TrusteeValue: windows.TrusteeValueFromSID(user.User.Sid),
		},
	}}, nil)
	if err != nil {
		return fmt.Errorf("making an access list: %w", err)
	}
	// Protected: what the folder grants is not inherited.
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, only, nil); err != nil {
		return fmt.Errorf("keeping others from %s: %w", path, err)
	}
	return nil
}
