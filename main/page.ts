// What the page is: its address, the policy it runs under, and which file a URL of it names.
import { extname, join, normalize, sep } from "node:path";

export const scheme = "culvert";
export const origin = `${scheme}://window`;
export const pageUrl = `${origin}/index.html`;

// connect-src 'none': what the window knows comes by the bridge, so a page that was taken over can tell nobody
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

export const typeOf = (file: string): string | undefined => types[extname(file)];

/** Whether an address is the page itself, wherever in it. */
export function isPage(url: string): boolean {
  return url.split(/[?#]/)[0] === pageUrl;
}

/** The file inside `folder` that a URL names; undefined for what lies outside. */
export function fileOf(folder: string, url: string): string | undefined {
  if (!url.startsWith(`${origin}/`)) return undefined;
  try {
    const file = normalize(join(folder, decodeURIComponent(new URL(url).pathname)));
    return file.startsWith(folder + sep) && !file.includes("\0") ? file : undefined;
  } catch {
    // a percent sign that encodes nothing
    return undefined;
  }
}
