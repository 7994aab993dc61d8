# Sourced by ./start and ./check: installs the Debian packages that a list names and that are not there yet.

# The packages of the lists given, comments left out.
packages_of() {
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"
}

# Those of them that are not installed.
packages_missing() {
	local p
	packages_of "$@" | while read -r p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# Installs what is missing. Without root or apt it only says what is missing, and goes on: it may be there otherwise.
packages_install() {
	local missing
	command -v dpkg-query >/dev/null || return 0
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "these packages are missing, and only root can install them: ${missing[*]}" >&2
		return 0
	fi
	echo "installing ${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	{
		apt-get -qq update && apt-get -qq -y --no-install-recommends install "${missing[@]}"
	} </dev/null >&2 || {
		echo "apt-get could not install: ${missing[*]}" >&2
		return 1
	}
}

# Unpacks the package postfix below folder $1 without installing it: the tests want its load generator, not a server.
packages_unpack_postfix() {
	if command -v smtp-source >/dev/null || [ -x "$1/postfix/usr/sbin/smtp-source" ]; then
		return 0
	fi
	mkdir -p "$1" || return 1
	(cd "$1" && apt-get -qq download postfix >/dev/null 2>&1 && dpkg -x postfix_*.deb postfix && rm -f postfix_*.deb)
}
