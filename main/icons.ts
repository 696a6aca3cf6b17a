// A program's picture: the file its entry names, or the one the icon themes have under that name (Icon Theme Specification
// 0.13, "Icon Lookup"), as a data: URL. A list of programs shows it at 24 to 48 pixels: the size nearest above that is
// taken, and what is larger than a window should be handed is left out.
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, isAbsolute, join } from "node:path";

const mostBytes = 64 * 1024;
const types: Readonly<Record<string, string>> = { ".png": "image/png", ".svg": "image/svg+xml" };
const sizes = ["48x48", "64x64", "scalable", "96x96", "128x128", "32x32", "256x256", "24x24", "512x512"];

/** `data`: the folders of XDG_DATA_DIRS. */
export async function iconOf(name: string, data: readonly string[]): Promise<string | null> {
  if (isAbsolute(name)) return urlOf(name);
  // a name is not a path
  if (name.includes("/")) return null;
  const plain = name.replace(/\.(?:png|svg|xpm)$/, "");
  for (const folder of data) {
    for (const theme of await themesIn(join(folder, "icons"))) {
      for (const size of sizes) {
        for (const end of Object.keys(types)) {
          const url = await urlOf(join(folder, "icons", theme, size, "apps", `${plain}${end}`));
          if (url !== null) return url;
        }
      }
    }
    for (const end of Object.keys(types)) {
      const url = await urlOf(join(folder, "pixmaps", `${plain}${end}`));
      if (url !== null) return url;
    }
  }
  return null;
}

/** hicolor is where applications put their own, so it is asked first; the rest are the desktop's. */
async function themesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return ["hicolor", ...names.filter((name) => name !== "hicolor")];
}

async function urlOf(path: string): Promise<string | null> {
  const type = types[extname(path).toLowerCase()];
  if (type === undefined) return null;
  const about = await stat(path).catch(() => null);
  if (about === null || !about.isFile() || about.size > mostBytes) return null;
  const content = await readFile(path).catch(() => null);
  return content === null ? null : `data:${type};base64,${content.toString("base64")}`;
}
