#!/usr/bin/env bash
# Draws assets/*.png from the marks: for the tray in four states, for light and dark panels, at 22 px and twice that; the
# application's icon at the sizes that desktops ask for. Needs rsvg-convert (Debian: librsvg2-bin); the pictures are
# committed, so only who changes a mark runs this.
set -euo pipefail
cd "$(dirname "$0")/../assets"
for state in off connecting protected locked; do
  for panel in light dark; do
    # --ink of the two themes; the dots are bright enough on both
    ink=$([ "$panel" = light ] && echo '#1c2322' || echo '#e8eeec')
    for scale in 1 2; do
      suffix=$([ "$scale" = 1 ] || echo '@2x')
      sed "s/ color=\"#[0-9a-f]*\"/ color=\"$ink\"/" "marks/tray-$state-22.svg" |
        rsvg-convert --zoom "$scale" -o "tray-$state-on-$panel$suffix.png"
    done
  done
done
for size in 48 128 256 512; do rsvg-convert -w "$size" -h "$size" icon.svg -o "icon-$size.png"; done
