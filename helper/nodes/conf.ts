// A WireGuard configuration file (wg(8), wg-quick(8)) → a node and its secrets. Lines are read once, in order; each value is
// checked where it stands, what concerns several values after the last line. The file comes from strangers, so:
// - unknown is refused, with line and word; a secret is never quoted back, not even a broken one;
// - commands (PreUp … PostDown) and SaveConfig refuse the whole file: running them would give the author of a file root,
//   and dropping them in silence would connect without what the author thought necessary;
// - Table, FwMark and search domains are orders to wg-quick's routing and resolver, whose work is the policy's here: they
//   change nothing and are listed in `ignored`, so that they can be shown.
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import { networkOf, overlaps, parseAddress, parseInterfaceAddress, parsePrefix, rangeOf } from "../contract/prefix.ts";
import type { Answer } from "../contract/refusal.ts";
import { grant, refuse, type RefusalCode } from "../contract/refusal.ts";
import { maxConfBytes } from "../contract/message.ts";

export interface Configuration {
  /** Base64, 32 bytes. Stays in the helper. */
  readonly privateKey: string;
  readonly presharedKey: string | null;
  readonly publicKey: string;
  readonly endpoint: { readonly host: string; readonly port: number };
  readonly addresses: readonly InterfaceAddress[];
  readonly dns: readonly Address[];
  readonly allowedIps: readonly Prefix[];
  readonly mtu: number | null;
  readonly listenPort: number | null;
  /** 0: the file says off; null: it says nothing. */
  readonly keepaliveSeconds: number | null;
  readonly place: Place;
  readonly ignored: readonly { readonly line: number; readonly text: string }[];
}

/** From comments of the form `# City = …`: providers' exports and the lab write them, other programs skip them. */
export interface Place {
  readonly city: string | null;
  readonly country: string | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
}

/** How many values a list may have: what the contract's node holds. */
const most = { addresses: 32, dns: 8, allowedIps: 1024 } as const;
/** wg-quick's own floor is 576 (RFC 791: every host takes that); the ceiling is what the field in an IP header says. */
const mtuRange = { from: 576, to: 65_535 } as const;

export function parseConf(text: string): Answer<Configuration> {
  if (text.length > maxConfBytes || utf8Length(text) > maxConfBytes)
    return refuse("conf.too-big", { bytes: maxConfBytes });
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  // controls but the tab, half surrogates, and U+FFFD, which a decoder leaves where bytes were no UTF-8
  const strange = lines.findIndex((l) => /[^\P{Cc}\t]|\p{Cs}|\uFFFD/u.test(l));
  if (strange >= 0) return refuse("conf.not-text", { line: strange + 1, text: "" });
  const draft = emptyDraft();
  for (const [index, raw] of lines.entries()) {
    const refusal = readLine(draft, raw, index + 1);
    if (refusal !== null) return refusal;
  }
  return finish(draft);
}

type No = ReturnType<typeof refuse>;
type Section = "interface" | "peer";

interface Draft {
  section: Section | null;
  sectionLine: Record<Section, number>;
  seen: Set<string>;
  one: Map<string, string>;
  numbers: Map<string, number>;
  endpoint: Configuration["endpoint"] | null;
  addresses: { value: InterfaceAddress; line: number }[];
  dns: Address[];
  allowedIps: Set<Prefix>;
  place: { city: string | null; country: string | null; latitude: number | null; longitude: number | null };
  ignored: { line: number; text: string }[];
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

const commands = new Set(["preup", "postup", "predown", "postdown", "saveconfig"]);
const repeatable = new Set(["address", "dns", "allowedips"]);

const readers: Record<Section, Readonly<Record<string, (draft: Draft, entry: Entry) => No | null>>> = {
  interface: {
    privatekey: readKey,
    listenport: (draft, entry) => readNumber(draft, entry, 0, 65_535),
    address: readAddresses,
    dns: readDns,
    mtu: readMtu,
    table: ignore,
    fwmark: ignore,
  },
  peer: {
    publickey: readKey,
    presharedkey: readKey,
    endpoint: readEndpoint,
    allowedips: readAllowedIps,
    persistentkeepalive: (draft, entry) => {
      const value = entry.value.toLowerCase() === "off" ? "0" : entry.value;
      return readNumber(draft, { ...entry, value }, 0, 65_535);
    },
  },
};

function emptyDraft(): Draft {
  return {
    section: null,
    sectionLine: { interface: 0, peer: 0 },
    seen: new Set(),
    one: new Map(),
    numbers: new Map(),
    endpoint: null,
    addresses: [],
    dns: [],
    allowedIps: new Set(),
    place: { city: null, country: null, latitude: null, longitude: null },
    ignored: [],
  };
}

function readLine(draft: Draft, raw: string, line: number): No | null {
  const hash = raw.indexOf("#");
  if (hash >= 0) readHint(draft, raw.slice(hash + 1));
  const content = (hash >= 0 ? raw.slice(0, hash) : raw).trim();
  if (content === "") return null;
  if (content.startsWith("[")) return readSection(draft, content, line);
  const equals = content.indexOf("=");
  if (equals < 1) return no("conf.bad-line", line, content);
  const key = content.slice(0, equals).trim();
  const value = content.slice(equals + 1).trim();
  if (draft.section === null) return no("conf.bad-line", line, key);
  const name = key.toLowerCase();
  if (commands.has(name)) return no("conf.command", line, key);
  const reader = Object.hasOwn(readers[draft.section], name) ? readers[draft.section][name] : undefined;
  if (reader === undefined) return no("conf.unknown-key", line, key);
  if (draft.seen.has(name) && !repeatable.has(name)) return no("conf.duplicate-key", line, key);
  draft.seen.add(name);
  return reader(draft, { key, value, line });
}

function readSection(draft: Draft, content: string, line: number): No | null {
  const name = content.toLowerCase();
  if (name !== "[interface]" && name !== "[peer]") return no("conf.unknown-section", line, content);
  const section = name === "[peer]" ? "peer" : "interface";
  if (draft.sectionLine[section] > 0) {
    return no(section === "peer" ? "conf.too-many-peers" : "conf.duplicate-key", line, content);
  }
  draft.section = section;
  draft.sectionLine[section] = line;
  return null;
}

/** Base64 of exactly 32 bytes in canonical form: of the last letter only four bits count. */
function readKey(draft: Draft, { key, value, line }: Entry): No | null {
  const canonical = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(value);
  // the word named is the key's name: its value is, or was meant to be, a secret
  if (!canonical || value === `${"A".repeat(43)}=`) return no("conf.bad-key", line, key);
  draft.one.set(key.toLowerCase(), value);
  return null;
}

function readNumber(draft: Draft, { key, value, line }: Entry, from: number, to: number): No | null {
  const number = /^(0|[1-9]\d{0,6})$/.test(value) ? Number(value) : NaN;
  if (!(number >= from && number <= to)) return no("conf.bad-number", line, value);
  draft.numbers.set(key.toLowerCase(), number);
  return null;
}

function readMtu(draft: Draft, entry: Entry): No | null {
  const refusal = readNumber(draft, entry, mtuRange.from, mtuRange.to);
  return refusal === null ? null : no("conf.bad-mtu", entry.line, entry.value);
}

function readAddresses(draft: Draft, { value, line }: Entry): No | null {
  for (const word of list(value)) {
    const address = parseInterfaceAddress(word);
    if (address === undefined || !isHost(word)) return no("conf.bad-address", line, word);
    if (draft.addresses.length === most.addresses) return no("conf.too-big", line, word);
    const clash = draft.addresses.find((other) => overlaps(networkOf(other.value), networkOf(address)));
    if (clash !== undefined) return no("conf.overlap", line, word);
    draft.addresses.push({ value: address, line });
  }
  return null;
}

function readDns(draft: Draft, { value, line }: Entry): No | null {
  for (const word of list(value)) {
    const address = parseAddress(word);
    if (address === undefined) {
      if (!isHostName(word)) return no("conf.bad-address", line, word);
      draft.ignored.push({ line, text: word });
      continue;
    }
    if (!isHost(word)) return no("conf.bad-address", line, word);
    if (draft.dns.length === most.dns) return no("conf.too-big", line, word);
    if (!draft.dns.includes(address)) draft.dns.push(address);
  }
  return null;
}

function readAllowedIps(draft: Draft, { value, line }: Entry): No | null {
  if (value === "") return null;
  for (const word of list(value)) {
    const prefix = parsePrefix(word);
    if (prefix === undefined) return no("conf.bad-prefix", line, word);
    if (draft.allowedIps.size === most.allowedIps) return no("conf.too-big", line, word);
    draft.allowedIps.add(prefix);
  }
  return null;
}

function readEndpoint(draft: Draft, { value, line }: Entry): No | null {
  const shape = /^(?:\[([^\]]{2,45})\]|([^:[\]]{1,253})):([1-9]\d{0,4})$/.exec(value);
  const port = Number(shape?.[3] ?? 0);
  const bracketed = shape?.[1] === undefined ? undefined : parseAddress(shape[1]);
  const host = shape?.[2] === undefined ? bracketed : hostOf(shape[2]);
  const wrongFamily = shape?.[1] !== undefined && bracketed?.includes(":") !== true;
  if (host === undefined || wrongFamily || port < 1 || port > 65_535) return no("conf.bad-endpoint", line, value);
  draft.endpoint = { host, port };
  return null;
}

function hostOf(word: string): string | undefined {
  const address = parseAddress(word);
  if (address !== undefined) return isHost(word) ? address : undefined;
  return isHostName(word) ? word.toLowerCase() : undefined;
}

function ignore(draft: Draft, { key, line }: Entry): null {
  draft.ignored.push({ line, text: key });
  return null;
}

function readHint(draft: Draft, comment: string): void {
  const shape = /^\s*(City|Country|Latitude|Longitude)\s*=\s*(\S.*)$/i.exec(comment.trimEnd().slice(0, 200));
  const value = shape?.[2] ?? "";
  const degrees = /^[+-]?\d{1,3}(\.\d{1,9})?$/.test(value) ? Number(value) : NaN;
  switch (shape?.[1]?.toLowerCase()) {
    case "city":
      if (value.length <= 120) draft.place.city = value;
      return;
    case "country":
      if (/^[A-Za-z]{2}$/.test(value)) draft.place.country = value.toUpperCase();
      return;
    case "latitude":
      if (Math.abs(degrees) <= 90) draft.place.latitude = degrees;
      return;
    case "longitude":
      if (Math.abs(degrees) <= 180) draft.place.longitude = degrees;
      return;
    default:
  }
}

function finish(draft: Draft): Answer<Configuration> {
  if (draft.sectionLine.interface === 0) return refuse("conf.no-interface", { line: 1, text: "[Interface]" });
  if (draft.sectionLine.peer === 0) return refuse("conf.no-peer", { line: 1, text: "[Peer]" });
  const privateKey = draft.one.get("privatekey");
  const publicKey = draft.one.get("publickey");
  if (privateKey === undefined) return missing(draft, "interface", "PrivateKey");
  if (draft.addresses.length === 0) return missing(draft, "interface", "Address");
  if (publicKey === undefined) return missing(draft, "peer", "PublicKey");
  if (draft.endpoint === null) return missing(draft, "peer", "Endpoint");
  if (draft.allowedIps.size === 0) return missing(draft, "peer", "AllowedIPs");
  return grant({
    privateKey,
    presharedKey: draft.one.get("presharedkey") ?? null,
    publicKey,
    endpoint: draft.endpoint,
    addresses: draft.addresses.map((a) => a.value),
    dns: draft.dns,
    allowedIps: [...draft.allowedIps],
    mtu: draft.numbers.get("mtu") ?? null,
    listenPort: draft.numbers.get("listenport") ?? null,
    keepaliveSeconds: draft.numbers.get("persistentkeepalive") ?? null,
    place: draft.place,
    ignored: draft.ignored,
  });
}

function missing(draft: Draft, section: Section, key: string): No {
  return no("conf.missing", draft.sectionLine[section], key);
}

/** Whatever looks like a key in a word that is quoted back is taken out of it. */
function no(code: RefusalCode, line: number, text: string): No {
  return refuse(code, { line, text: text.replace(/[A-Za-z0-9+/]{40,}=*/g, "…").slice(0, 80) });
}

function list(value: string): string[] {
  return value.split(",").map((word) => word.trim());
}

/** An address one host can have: not unspecified, loopback, multicast or broadcast. */
function isHost(word: string): boolean {
  const { family, first } = rangeOf(parsePrefix(word.split("/")[0] ?? "") as Prefix);
  if (family === 6) return first > 1n && first >> 120n !== 0xffn;
  const top = first >> 24n;
  return top !== 0n && top !== 127n && top < 224n;
}

/** RFC 1123: labels of letters, digits, hyphens; the last one is not a number, else it would be a broken address. */
function isHostName(word: string): boolean {
  const labels = word.replace(/\.$/, "").split(".");
  const sound = labels.every((l) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(l));
  return word.length <= 253 && sound && !/^\d+$/.test(labels.at(-1) ?? "");
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
