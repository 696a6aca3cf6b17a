// The nodes' list as it is shown: searched, in an order that does not jump, each with the few facts that matter.
import type { Node, Ping } from "../../helper/contract/node.ts";
import { say, type Say } from "./say.ts";

/** Which node the first button connects to: the one used last, else the quickest that answers, else the first. */
export function preferredNode(nodes: readonly Node[]): Node | null {
  const used = nodes.filter((node) => node.lastUsed !== null);
  if (used.length > 0) return used.reduce((a, b) => ((a.lastUsed ?? 0) >= (b.lastUsed ?? 0) ? a : b));
  return quickest(nodes) ?? ordered(nodes)[0] ?? null;
}

/** The lowest median round trip among the nodes that answer. */
export function quickest(nodes: readonly Node[], except: string | null = null): Node | null {
  const answering = nodes.filter((node) => node.id !== except && medianOf(node) !== null);
  if (answering.length === 0) return null;
  return answering.reduce((a, b) => ((medianOf(a) ?? 0) <= (medianOf(b) ?? 0) ? a : b));
}

/** Favourites first, then by name: an order by round trip would move rows under the pointer. */
export function ordered(nodes: readonly Node[]): readonly Node[] {
  const rank = (node: Node): number => (node.favourite ? 0 : 1);
  return [...nodes].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
}

/** Every word of the query is somewhere in the node's name, city, country, address or endpoint. */
export function found(nodes: readonly Node[], query: string): readonly Node[] {
  const words = query.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return nodes.filter((node) => {
    const text = [node.name, node.city, node.country, node.endpoint.host, ...node.addresses].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export interface Badge {
  readonly say: Say;
  readonly tone: "ok" | "bad" | "warn" | "plain";
}

/** At most one word beside the name: what a person should know before choosing. */
export function badgeOf(
  node: Node,
  now: { readonly connectedTo: string | null; readonly usable: boolean },
): Badge | null {
  if (node.id === now.connectedTo) return { say: say("nodes.badge.now"), tone: now.usable ? "ok" : "plain" };
  if (node.ping !== null && answersNot(node.ping)) return { say: say("nodes.badge.silent"), tone: "bad" };
  // the same mark as the load bar's tick
  if (node.load !== null && node.load >= fullLoad) return { say: say("nodes.badge.full"), tone: "warn" };
  if (node.ping !== null && (node.ping.jitterMs ?? 0) >= unsteadyMs) {
    return { say: say("nodes.badge.unsteady"), tone: "plain" };
  }
  if (!node.carries.ipv6) return { say: say("nodes.badge.no-ipv6"), tone: "plain" };
  if (!node.carries.ipv4) return { say: say("nodes.badge.no-ipv4"), tone: "plain" };
  return null;
}

export const fullLoad = 0.8;
/** Half of what a voice call's jitter buffer usually smooths away. */
const unsteadyMs = 10;

/** Probed a while and nothing came back; a node probed once may merely be slow to answer. */
export function answersNot(ping: Ping): boolean {
  return ping.samplesMs.length >= 3 && ping.samplesMs.every((sample) => sample === null);
}

export interface PingBar {
  /** 0…1 of the graph's height, or a lost probe. */
  readonly height: number | null;
}

/** One scale for all nodes: 0 to 16 ms above the node's own least, so that steady looks flat. */
export function pingBars(ping: Ping, most: number): readonly PingBar[] {
  const samples = ping.samplesMs.slice(-most);
  const least = Math.min(...samples.filter((sample) => sample !== null));
  return samples.map((sample) => ({
    height: sample === null ? null : Math.min(1, 0.12 + ((sample - least) / 16) * 0.88),
  }));
}

/** `192.0.2.7:51820`, IPv6 in brackets as it is typed. */
export function endpointText(endpoint: Node["endpoint"]): string {
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

function medianOf(node: Node): number | null {
  return node.ping?.medianMs ?? null;
}
