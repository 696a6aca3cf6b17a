// Names of hosts as they cross the socket: canonical text, checked at the door. Lower case, without the root's dot, labels
// of other scripts as they are asked for (RFC 3492), so two equal names are equal strings.
//   example.com     this name and every name below it
//   *.example.com   every name below it, not this one
import { z } from "zod";

export type Name = string & { readonly brand: "name" };

/** Parses a name, `*.` before it allowed; undefined when it is none, also for what reads as an address. */
export function parseName(text: string): Name | undefined {
  const star = text.startsWith("*.");
  const labels = text
    .slice(star ? 2 : 0)
    .replace(/[.\u3002\uff0e\uff61]$/u, "")
    .split(/[.\u3002\uff0e\uff61]/u)
    .map(labelOf);
  const whole = labels.join(".");
  const last = labels.at(-1);
  if (labels.includes(undefined) || last === undefined || /^\d+$/.test(last) || whole.length > 253) return undefined;
  return `${star ? "*." : ""}${whole}` as Name;
}

/** Whether what a policy writes means this canonical name. */
export function claims(written: string, name: string): boolean {
  const star = written.startsWith("*.");
  const above = star ? written.slice(2) : written;
  return name.endsWith(`.${above}`) || (!star && name === above);
}

/** Whether all that the second means, the first means too. */
export function coversName(wide: string, narrow: string): boolean {
  const inner = narrow.startsWith("*.") ? narrow.slice(2) : narrow;
  if (claims(wide, inner)) return true;
  return narrow.startsWith("*.") && wide === narrow;
}

/** The name, then those above it, from the longest: `a.b.c`, `b.c`, `c`. */
export function andAbove(name: string): readonly string[] {
  const labels = name.split(".");
  return labels.map((_, i) => labels.slice(i).join("."));
}

export const nameSchema = z
  .string()
  .max(1024)
  .refine((s) => parseName(s) !== undefined, { error: "not a name" })
  .transform((s) => parseName(s) as Name);

/** RFC 1035, 2.3.1 with the underscore of RFC 8552; a hyphen stands at neither end. */
function labelOf(text: string): string | undefined {
  const plain = text.normalize("NFKC").toLowerCase();
  const ascii = isAscii(plain) ? plain : /^[\p{L}\p{M}\p{N}_-]+$/u.test(plain) ? `xn--${punycode(plain)}` : "";
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(ascii) ? ascii : undefined;
}

function isAscii(text: string): boolean {
  return Array.from(text).every((c) => (c.codePointAt(0) ?? 0) < 0x80);
}

/** RFC 3492, 5: the parameters of punycode. */
const [base, tMin, tMax, skew, damp, firstBias, firstN] = [36, 1, 26, 38, 700, 72, 0x80] as const;

/** RFC 3492, 6.3 */
function punycode(label: string): string {
  const points = Array.from(label).map((c) => c.codePointAt(0) ?? 0);
  const plain = points.filter((p) => p < 0x80);
  let out = plain.map((p) => String.fromCodePoint(p)).join("") + (plain.length > 0 ? "-" : "");
  let [n, delta, bias, done]: [number, number, number, number] = [firstN, 0, firstBias, plain.length];
  while (done < points.length) {
    const next = Math.min(...points.filter((p) => p >= n));
    delta += (next - n) * (done + 1);
    n = next;
    for (const point of points) {
      if (point < n) delta += 1;
      if (point !== n) continue;
      out += variable(delta, bias);
      bias = adapt(delta, done + 1, done === plain.length);
      delta = 0;
      done += 1;
    }
    delta += 1;
    n += 1;
  }
  return out;
}

function variable(delta: number, bias: number): string {
  let out = "";
  let q = delta;
  for (let k = base as number; ; k += base) {
    const t = Math.min(Math.max(k - bias, tMin), tMax);
    if (q < t) return out + digit(q);
    out += digit(t + ((q - t) % (base - t)));
    q = Math.floor((q - t) / (base - t));
  }
}

function digit(value: number): string {
  return String.fromCodePoint(value < 26 ? value + 97 : value + 22);
}

function adapt(delta: number, count: number, first: boolean): number {
  let d = first ? Math.floor(delta / damp) : Math.floor(delta / 2);
  d += Math.floor(d / count);
  let k = 0;
  for (; d > Math.floor(((base - tMin) * tMax) / 2); k += base) d = Math.floor(d / (base - tMin));
  return k + Math.floor(((base - tMin + 1) * d) / (d + skew));
}
