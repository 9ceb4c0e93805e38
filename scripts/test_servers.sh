#!/bin/sh
# Installs the server programs that some tests talk to: on Debian as root, without questions, and without leaving a
# service running. Anywhere else it only says what is missing; those tests then skip (in CI a skip is a failure).
set -eu

missing=''
need() { # need PROGRAM-OR-FILE PACKAGE
    command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}
need /usr/sbin/mosquitto mosquitto
need mosquitto_sub mosquitto-clients
need chromium chromium
need openssl openssl
need /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
[ -n "$missing" ] || exit 0

if [ ! -f /etc/debian_version ] || [ "$(id -u)" != 0 ]; then
    echo "Not installed:$missing. The tests that need them will be skipped (on Debian: apt-get install$missing)."
    exit 0
fi

echo "Installing for the tests:$missing"
# policy-rc.d is Debian's way to say "install, but start nothing": no system Mosquitto shall sit on port 1883.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
case "$missing" in
*' mosquitto'*) [ ! -d /run/systemd/system ] || systemctl disable --quiet mosquitto.service || true ;;
esac
