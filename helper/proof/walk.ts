// What Linux does with one packet, from where it is born to where it ends. In order:
//   socket:   route → source address → output (mark changed in a route chain: route again) → postrouting → egress
//             to an address of this machine: output → postrouting → prerouting → input, never egress (4.1-4.8)
//   frame:    egress only (4.10, 4.46, 4.47)
//   arriving: prerouting → reverse path → route → input, or forward → postrouting → egress (4.43)
// The model is the page of kernel findings; the number beside a line says which. Not modelled, and said so in `limits` of
// prove.ts: AF_XDP and tc redirects (G), NAT and marks of foreign nft tables, ICMP redirects (13.3).
import type { Address } from "../contract/prefix.ts";
import type { Flow } from "./asked.ts";
import { lookup, multicast4, multicast6, broadcast4, takenApart, type Decision } from "./fib.ts";
import { runHook, type At, type HookStep } from "./hooks.ts";
import type { Machine } from "./machine.ts";
import { first, type Packet } from "./packet.ts";
import { redirected } from "./redirected.ts";
import { chooseSource, select6 } from "./source.ts";

export type End =
  /** `stub`: led to this port of this machine, wherever it was bound for */
  | { readonly kind: "delivered"; readonly stub?: number }
  /** `gateway` null: to the neighbour itself; undefined: any, the route was not asked */
  | { readonly kind: "left"; readonly device: string; readonly gateway: Address | null | undefined }
  | { readonly kind: "dropped"; readonly at: string }
  | { readonly kind: "refused"; readonly errno: string };

export type Step =
  | { readonly kind: "route"; readonly decision: Decision }
  | { readonly kind: "source"; readonly address: Address | null }
  | { readonly kind: "hook"; readonly step: HookStep };

/**
 * model: rules and tables decide. any: the route is an adversary's, every device and every outcome is tried; what holds
 * then holds whatever happens to rules, routes and links.
 */
export type Routing = { readonly kind: "model" } | { readonly kind: "any"; readonly devices: readonly string[] };

export interface Walk {
  readonly end: End;
  readonly steps: readonly Step[];
}

export function walk(machine: Machine, packet: Packet, routing: Routing = { kind: "model" }): Walk {
  const steps: Step[] = [];
  const run: Run = { machine, packet, routing, steps, seen: (step) => steps.push({ kind: "hook", step }) };
  const { origin } = packet;
  if (origin.kind === "frame") return { end: leave(run, origin.device, null), steps };
  return { end: origin.kind === "socket" ? fromSocket(run) : arriving(run, origin.device), steps };
}

interface Run {
  readonly machine: Machine;
  readonly packet: Packet;
  readonly routing: Routing;
  readonly steps: Step[];
  readonly seen: (step: HookStep) => void;
}

type Way =
  | { readonly kind: "local" }
  | { readonly kind: "out"; readonly device: string; readonly gateway: Address | null | undefined }
  | { readonly kind: "refused"; readonly errno: string };

function fromSocket(run: Run): End {
  const { packet, machine } = run;
  if (packet.origin.kind !== "socket") return { kind: "delivered" };
  const { device, source, kernel } = packet.origin;
  let way = route(run, { iif: null, oif: device, sourceKnown: source === "set", kernel });
  if (run.routing.kind === "model" && source === "unset") {
    if (way.kind !== "refused") pickSource(run, way);
    // a refused lookup is forgotten in IPv6: any source the machine has is taken, and with it asked again, so that a rule
    // `from` it may answer (ip6_dst_lookup_tail, "let the SA-enabled version take over"); found by the model bench
    else if (packet.family === 6 && pickAnySource(run))
      way = route(run, { iif: null, oif: device, sourceKnown: true, kernel });
  }
  if (way.kind === "refused") return way;
  const output = hook(run, { hook: "output", iif: null, oif: outName(machine, way) });
  if (output.verdict !== "accept") return dropped(output.verdict, "output");
  if (output.redirect !== null) return ledHere(run, device, output.redirect);
  if (output.reroute) {
    // 2.4, 2.7: asked again with the new mark and the source already chosen; no way then drops the packet. IPv4 does not say
    // whose it is (ip_route_me_harder sets no flowi4_uid; ip6_route_me_harder does): for rules by owner it is root's
    const asked = { kernel: kernel || packet.family === 4, portless: !takenApart(machine, packet.family) };
    way = route(run, { iif: null, oif: device, sourceKnown: true, ...asked });
    if (way.kind === "refused") return { kind: "dropped", at: "reroute" };
  }
  const post = hook(run, { hook: "postrouting", iif: null, oif: outName(machine, way) });
  if (post.verdict !== "accept") return dropped(post.verdict, "postrouting");
  // what a socket bound to lo sends comes back by it
  if (way.kind === "local" || machine.links.get(way.device)?.loopback === true) return into(run, outName(machine, way));
  return leave(run, way.device, way.gateway);
}

/**
 * Led to a loopback address, and routed again (nf_nat_ipv4_local_fn). A socket bound to a device keeps to it, and without
 * lo the address is anybody's: both would leave (B).
 */
function ledHere(asked: Run, device: string | null, port: number): End {
  const run = { ...asked, packet: redirected(asked.packet, port) };
  const way = wayHere(run, device);
  if (way.kind === "refused") return way;
  const post = hook(run, { hook: "postrouting", iif: null, oif: outName(run.machine, way) });
  if (post.verdict !== "accept") return dropped(post.verdict, "postrouting");
  if (way.kind === "out" && run.machine.links.get(way.device)?.loopback !== true)
    return leave(run, way.device, way.gateway);
  const end = into(run, outName(run.machine, way));
  return end.kind === "delivered" ? { kind: "delivered", stub: port } : end;
}

function wayHere(run: Run, device: string | null): Way {
  if (run.routing.kind === "any") return route(run, { iif: null, oif: device, sourceKnown: true, kernel: false });
  const links = [...run.machine.links.values()];
  const lo = links.find((l) => l.loopback);
  const outs = links.filter((l) => !l.loopback && (device === null || l.name === device));
  const ways = outs.map(({ name }): Way => ({ kind: "out", device: name, gateway: undefined }));
  if (device !== null && device !== lo?.name) return ways[0] ?? { kind: "refused", errno: "ENODEV" };
  return lo?.up === false ? run.packet.choose("led without lo", [{ kind: "local" }, ...ways]) : { kind: "local" };
}

/** A packet that comes in on a device, or over lo from this machine. */
function arriving(run: Run, iif: string): End {
  const { packet, machine } = run;
  const pre = hook(run, { hook: "prerouting", iif, oif: null });
  if (pre.verdict !== "accept") return dropped(pre.verdict, "prerouting");
  if (run.routing.kind === "model" && !reversePathHolds(run, iif)) return { kind: "dropped", at: "reverse path" };
  const way = isMulticast(packet)
    ? ({ kind: "local" } as const)
    : route(run, { iif, oif: null, sourceKnown: true, kernel: false });
  if (way.kind === "refused") return way;
  if (way.kind === "local") return input(run, iif);
  if (run.routing.kind === "model" && !forwards(machine, packet.family, iif))
    return { kind: "dropped", at: "forwarding is off" };
  const forward = hook(run, { hook: "forward", iif, oif: way.device });
  if (forward.verdict !== "accept") return dropped(forward.verdict, "forward");
  const post = hook(run, { hook: "postrouting", iif, oif: way.device });
  if (post.verdict !== "accept") return dropped(post.verdict, "postrouting");
  return leave(run, way.device, way.gateway);
}

function into(run: Run, iif: string): End {
  const pre = hook(run, { hook: "prerouting", iif, oif: null });
  return pre.verdict === "accept" ? input(run, iif) : dropped(pre.verdict, "prerouting");
}

function input(run: Run, iif: string): End {
  const passed = hook(run, { hook: "input", iif, oif: null });
  return passed.verdict === "accept" ? { kind: "delivered" } : dropped(passed.verdict, "input");
}

function leave(run: Run, device: string, gateway: Address | null | undefined): End {
  const passed = hook(run, { hook: "egress", iif: null, oif: device });
  return passed.verdict === "accept" ? { kind: "left", device, gateway } : dropped(passed.verdict, "egress");
}

function hook(run: Run, at: At): ReturnType<typeof runHook> {
  return runHook(run.machine, run.packet, at, run.seen);
}

const dropped = (verdict: "drop" | "reject", at: string): End =>
  verdict === "drop" ? { kind: "dropped", at } : { kind: "refused", errno: "EPERM" };

function route(run: Run, flow: Flow): Way {
  if (run.routing.kind === "any") {
    const ways: [Way, ...Way[]] = [{ kind: "local" }];
    for (const device of run.routing.devices) ways.push({ kind: "out", device, gateway: undefined });
    return run.packet.choose("any way", ways);
  }
  const decision = lookup(run.machine, run.packet, flow);
  run.steps.push({ kind: "route", decision });
  if (decision.kind === "refused") return { kind: "refused", errno: decision.errno };
  if (decision.device === null) return { kind: "local" };
  return { kind: "out", device: decision.device, gateway: decision.gateway };
}

function pickSource(run: Run, way: Way): void {
  const last = run.steps.at(-1);
  if (last?.kind !== "route" || last.decision.kind !== "route") return;
  const address = chooseSource(run.machine, run.packet, last.decision, way.kind === "local");
  run.steps.push({ kind: "source", address });
  if (address !== null) run.packet.setSource(address);
}

function pickAnySource(run: Run): boolean {
  const address = select6(run.machine, run.packet, null);
  run.steps.push({ kind: "source", address });
  if (address !== null) run.packet.setSource(address);
  return address !== null;
}

function outName(machine: Machine, way: Way): string {
  if (way.kind === "out") return way.device;
  for (const link of machine.links.values()) if (link.loopback) return link.name;
  return "lo";
}

function isMulticast(packet: Packet): boolean {
  return packet.family === 4
    ? packet.destination(multicast4) || packet.destination(broadcast4)
    : packet.destination(multicast6);
}

/** Only what is known to be off is off: facts need not hold these keys. */
function forwards(machine: Machine, family: 4 | 6, iif: string): boolean {
  const off = (key: string): boolean => machine.sysctls[key] === "0";
  if (family === 4) return !off(`net.ipv4.conf.${iif}.forwarding`) && !off("net.ipv4.ip_forward");
  return !off(`net.ipv6.conf.${iif}.forwarding`) && !off("net.ipv6.conf.all.forwarding");
}

/**
 * 10.1-10.4: the way back is asked of the rules with source and destination exchanged; strict (1) wants the same device,
 * loose (2) any way at all, both refuse an unreachable one. IPv6 has no such check.
 */
function reversePathHolds(run: Run, iif: string): boolean {
  const { machine, packet } = run;
  if (packet.family === 6) return true;
  const value = (dev: string): number => Number(machine.sysctls[`net.ipv4.conf.${dev}.rp_filter`] ?? "0");
  const mode = Math.max(value("all"), value(iif));
  if (mode === 0) return true;
  const marked = machine.sysctls["net.ipv4.conf.all.src_valid_mark"] === "1";
  const back = lookup(machine, swapped(packet, marked), { iif: "lo", oif: null, sourceKnown: true, kernel: false });
  if (back.kind === "refused") return false;
  return mode === 2 || back.device === iif;
}

/** The packet as the reverse path check asks for it: the other way round, and without mark unless src_valid_mark. */
function swapped(packet: Packet, marked: boolean): Packet {
  const back: Packet = {
    ...packet,
    source: (set) => packet.destination(set),
    destination: (set) => packet.source(set),
    covering: (table) => packet.coveringSource(table),
    mark: (mask, value) => (marked ? packet.mark(mask, value) : (value & mask) >>> 0 === 0),
    // what is remembered is remembered of the packet the right way round
    summed: (_part, of) => of(back),
    firstOf: (parts, of) => first(parts, (part) => of(part, back)),
  };
  return back;
}
