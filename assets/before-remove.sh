#!/bin/sh
# Before the package's files go: undo all that Culvert changed on this machine, or keep the package.
set -eu
case "${1:-remove}" in upgrade) exit 0 ;; esac
if [ -d /run/systemd/system ] && systemctl is-active --quiet culvert.service; then
  culvert reset
  systemctl disable --now culvert.service
fi
