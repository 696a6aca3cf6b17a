#!/bin/sh
# After the package's files are there: group and user, units, the command, and the service's start.
set -eu
system=/opt/Culvert/resources/system
install -m 0644 "$system/culvert.sysusers" /usr/lib/sysusers.d/culvert.conf
install -m 0644 "$system/culvert.service" /usr/lib/systemd/system/
install -D -m 0644 "$system/50-culvert.rules" /usr/share/polkit-1/rules.d/50-culvert.rules
install -m 0755 "$system/culvert" /usr/bin/culvert
chmod 4755 /opt/Culvert/chrome-sandbox
if [ -d /run/systemd/system ]; then
  systemd-sysusers culvert.conf
  systemctl daemon-reload
  systemctl enable --now culvert.service
fi
