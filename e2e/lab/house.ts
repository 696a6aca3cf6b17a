// This checkout at a place where every account may look in. The folder it lies in may be closed to others (a home, a
// temporary folder), and even the checkout's own folder may be; what is inside has the modes that git gave it.
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Shell lines for a mount namespace of one's own: `place` shows the checkout, entry by entry. Bears being run twice. */
export function houseAt(place: string): string {
  return `mkdir -p '${place}'
    if ! mountpoint -q '${place}'; then
      mount -t tmpfs -o mode=755 house '${place}'
      for entry in '${root}'/* '${root}'/.[!.]*; do
        [ -e "$entry" ] || continue
        at='${place}'/"\${entry##*/}"
        if [ -d "$entry" ]; then mkdir "$at"; else touch "$at"; fi
        mount --bind "$entry" "$at"
      done
    fi`;
}

/** The same file seen through `place`; what lies outside of the checkout stays where it is. */
export function seenAt(place: string, file: string): string {
  return file.startsWith(`${root}/`) ? `${place}${file.slice(root.length)}` : file;
}
