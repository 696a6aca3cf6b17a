// Expected noes. A refusal crosses sockets as a code with its data; the words are in app/words and say it in the user's
// language. `changed` is never there: a refusal means that nothing was changed, or that what was changed is undone.
import { z } from "zod";

export const refusalCodes = [
  // configuration files; data: line (1-based), text (the offending word, at most 80 characters)
  "conf.too-big",
  "conf.not-text",
  "conf.no-interface",
  "conf.no-peer",
  "conf.too-many-peers",
  "conf.unknown-section",
  "conf.unknown-key",
  "conf.duplicate-key",
  "conf.bad-line",
  "conf.bad-key",
  "conf.bad-address",
  "conf.bad-prefix",
  "conf.bad-number",
  "conf.bad-mtu",
  "conf.bad-endpoint",
  "conf.missing",
  "conf.overlap",
  "conf.command",
  // nodes; data: node
  "node.unknown",
  "node.exists",
  "node.unreachable",
  "node.in-use",
  "node.name-not-found",
  // the machine; data: what is missing or in the way
  "machine.no-uplink",
  "machine.no-route",
  "machine.no-tun",
  "machine.no-nft",
  "machine.no-rights",
  "machine.no-ipv6",
  "machine.other-vpn",
  "machine.engine-missing",
  "machine.address-clash",
  "machine.number-taken",
  "machine.no-link",
  // data: address, port, errno
  "machine.names-port",
  // data: id
  "finding.unknown",
  // policy; data: rule, with
  "policy.unsupported",
  "policy.dead-rule",
  "policy.contradiction",
  "policy.oversized-lan",
  // data: list
  "policy.list-unknown",
  // data: from, protocol, port
  "policy.cuts-session",
  // plan; data: property, packet, way (proof) or doing, on, errno (kernel)
  "plan.leaks",
  "plan.not-applied",
  "plan.read-back",
  "plan.fight",
  // the socket
  "call.not-allowed",
  "call.malformed",
  "call.too-big",
  "call.unknown",
  "call.version",
  "call.busy",
  "call.not-now",
  "helper.not-running",
  "helper.failed",
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

export const refusalSchema = z.strictObject({
  code: z.enum(refusalCodes),
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type Refusal = z.infer<typeof refusalSchema>;

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export function refuse(code: RefusalCode, data: Refusal["data"] = {}): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, data } };
}

export function grant<T>(value: T): { ok: true; value: T } {
  return { ok: true, value };
}
