// DNS messages as the stub needs them (RFC 1035, 4): a question read strictly, an answer's addresses, and the few replies
// that the stub makes itself. Everything else is handed through byte for byte, so that what the stub does not know (DNSSEC,
// EDNS options, new types) is not broken by it. Nothing here throws, whatever came.
import packet, { type Answer as DnsRecord, type Packet } from "dns-packet";

import { parseName } from "../contract/name.ts";
import { parseAddress } from "../contract/prefix.ts";
import type { Found } from "./table.ts";

export interface Query {
  readonly id: number;
  /** As it stands on the wire: header's flags, the question, and what follows. */
  readonly bytes: Buffer;
  /** Canonical; null where a rule could not name it (bytes that no host name has). */
  readonly name: string | null;
  readonly type: number;
  /** Where the question ends. */
  readonly end: number;
  /** Bytes of an answer that the asker takes by UDP (RFC 6891, 6.2.3; without EDNS 512). */
  readonly room: number;
}

export type Read = { readonly ok: true; readonly query: Query } | { readonly ok: false; readonly reply: Buffer | null };

export interface Told {
  readonly truncated: boolean;
  /** NOERROR is 0. */
  readonly code: number;
  /** Addresses of the name that was asked for, CNAMEs followed. */
  readonly found: readonly Found[];
  /** The last name of the chain, where it has no address here and a CNAME led there. */
  readonly onward: { readonly name: string; readonly ttl: number } | null;
}

/** RFC 1035, 4.1.1; RFC 3596; RFC 9460; RFC 8482. */
export const types = { a: 1, aaaa: 28, svcb: 64, https: 65, ixfr: 251, axfr: 252, any: 255 } as const;
export const codes = { formErr: 1, servFail: 2, notImp: 4, refused: 5 } as const;

const headerBytes = 12;
const flag = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const;
/** RFC 8020 and what resolvers do: a chain longer than this is a loop or a trap. */
const longestChain = 16;
const leastRoom = 512;
const mostRoom = 4096;
/** OPT (RFC 6891): root name, type 41, payload size in the class field. */
const optType = 41;

/** A question of an asker. `reply` null: not worth an answer. */
export function readQuery(bytes: Buffer): Read {
  if (bytes.length < headerBytes || (bytes.readUInt16BE(2) & flag.response) !== 0) return { ok: false, reply: null };
  const no = (code: number): Read => ({ ok: false, reply: headerOnly(bytes, code) });
  if (((bytes.readUInt16BE(2) >> 11) & 15) !== 0) return no(codes.notImp);
  if (bytes.readUInt16BE(4) !== 1 || bytes.readUInt16BE(6) !== 0) return no(codes.formErr);
  const name = readName(bytes, headerBytes);
  if (name === null || bytes.length < name.end + 4) return no(codes.formErr);
  const type = bytes.readUInt16BE(name.end);
  const end = name.end + 4;
  if (type === types.axfr || type === types.ixfr) return no(codes.refused);
  const query = { id: bytes.readUInt16BE(0), bytes, name: name.text, type, end, room: roomOf(bytes, end) };
  return { ok: true, query };
}

/** Whether these bytes answer that question: id, and the question itself, letters' case aside. */
export function answers(bytes: Buffer, query: Query, id: number): boolean {
  if (bytes.length < headerBytes || bytes.readUInt16BE(0) !== id) return false;
  if ((bytes.readUInt16BE(2) & flag.response) === 0 || bytes.readUInt16BE(4) !== 1) return false;
  const question = (message: Buffer): string =>
    message.subarray(headerBytes, query.end).toString("latin1").toLowerCase();
  return bytes.length >= query.end && question(bytes) === question(query.bytes);
}

export function isTruncated(bytes: Buffer): boolean {
  return bytes.length >= headerBytes && (bytes.readUInt16BE(2) & flag.truncated) !== 0;
}

/** undefined: it cannot be read. */
export function readAnswer(bytes: Buffer, asked: string): Told | undefined {
  const read = decode(bytes);
  if (read === undefined) return undefined;
  const records = (read.answers ?? []).filter((r) => "name" in r);
  let at = asked;
  let ttl = Infinity;
  for (let i = 0; i < longestChain; i += 1) {
    const found = records.flatMap((r) => foundIn(r, at, ttl));
    if (found.length > 0) return { ...headOf(bytes), found, onward: null };
    const cname = records.find((r) => r.type === "CNAME" && nameOf(r.name) === at);
    const next = cname?.type === "CNAME" ? nameOf(cname.data) : undefined;
    if (cname === undefined || next === undefined)
      return { ...headOf(bytes), found: [], onward: at === asked ? null : { name: at, ttl } };
    ttl = Math.min(ttl, ttlOf(cname));
    at = next;
  }
  return undefined;
}

/** The same question with another id. */
export function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
}

export function questionFor(name: string, type: number, id: number): Buffer {
  const flags = packet.RECURSION_DESIRED;
  const text = type === types.aaaa ? "AAAA" : "A";
  return packet.encode({ type: "query", id, flags, questions: [{ name, type: text }] });
}

/** A reply with the question and nothing else. */
export function reply(query: Query, code: number, truncated = false): Buffer {
  const bytes = Buffer.from(query.bytes.subarray(0, query.end));
  const asked = bytes.readUInt16BE(2) & flag.recursionDesired;
  bytes.writeUInt16BE(flag.response | flag.recursionAvailable | asked | (truncated ? flag.truncated : 0) | code, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.fill(0, 6, headerBytes);
  return bytes;
}

function headerOnly(bytes: Buffer, code: number): Buffer {
  const out = Buffer.alloc(headerBytes);
  bytes.copy(out, 0, 0, 2);
  out.writeUInt16BE(flag.response | (bytes.readUInt16BE(2) & 0x7800) | flag.recursionAvailable | code, 2);
  return out;
}

/** Labels without compression: a question has nothing to point at. `text` null: no host name. */
function readName(bytes: Buffer, from: number): { readonly text: string | null; readonly end: number } | null {
  const labels: string[] = [];
  for (let at = from; at < bytes.length && at - from < 256;) {
    const length = bytes[at] ?? 0;
    if (length === 0) {
      const plain = labels.every((label) => /^[\w-]+$/.test(label));
      return { text: plain ? (parseName(labels.join(".")) ?? null) : null, end: at + 1 };
    }
    if (length > 63 || at + 1 + length > bytes.length) return null;
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return null;
}

function roomOf(bytes: Buffer, end: number): number {
  const isOpt = bytes.length >= end + 11 && bytes[end] === 0 && bytes.readUInt16BE(end + 1) === optType;
  if (bytes.readUInt16BE(10) === 0 || !isOpt) return leastRoom;
  return Math.min(mostRoom, Math.max(leastRoom, bytes.readUInt16BE(end + 3)));
}

function decode(bytes: Buffer): Packet | undefined {
  try {
    return packet.decode(bytes);
  } catch {
    return undefined;
  }
}

function headOf(bytes: Buffer): Pick<Told, "truncated" | "code"> {
  return { truncated: isTruncated(bytes), code: bytes.readUInt16BE(2) & 15 };
}

function foundIn(record: DnsRecord, name: string, most: number): readonly Found[] {
  if ((record.type !== "A" && record.type !== "AAAA") || nameOf(record.name) !== name) return [];
  const address = parseAddress(record.data);
  return address === undefined ? [] : [{ address, ttl: Math.min(most, ttlOf(record)) }];
}

function nameOf(text: string): string | undefined {
  return parseName(text);
}

/** RFC 2181, 8: seconds, 31 bits; the top bit set means none. */
function ttlOf(record: DnsRecord): number {
  const ttl = "ttl" in record ? (record.ttl ?? 0) : 0;
  return ttl > 0x7fff_ffff ? 0 : ttl;
}
