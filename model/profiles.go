package model

// Profiles returns all profiles there are, RFC 9293 first. Each call returns
// fresh copies.
func Profiles() []Profile {
	return []Profile{
		RFC9293(), Linux(), FreeBSD(), XNU(), Illumos(), HPUX(), Windows(), GVisor(), LwIP(), Smoltcp(),
	}
}

// ProfileNamed returns the profile of a name, as in "linux".
func ProfileNamed(name string) (Profile, bool) {
	for _, p := range Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}
