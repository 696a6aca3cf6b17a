#!/bin/sh
# After the package's files are gone: what after-install.sh put elsewhere.
set -eu
case "${1:-remove}" in upgrade) exit 0 ;; esac
rm -f /usr/lib/sysusers.d/culvert.conf /usr/lib/systemd/system/culvert.service \
  /usr/share/polkit-1/rules.d/50-culvert.rules /usr/bin/culvert
[ ! -d /run/systemd/system ] || systemctl daemon-reload
