// What the card of a node lists: measured, told by the node, or written in its configuration. Nothing else.
import type { Node } from "../../helper/contract/node.ts";
import { answersNot, endpointText, quickest } from "./nodes.ts";
import { age, list, ms, percent, say, type Part, type Say } from "./say.ts";

export interface NodeFact {
  readonly label: Say;
  readonly value: Part;
  readonly mono: boolean;
}

export function nodeFacts(node: Node, now: number): readonly NodeFact[] {
  const fact = (key: string, value: Part, mono = false): NodeFact => ({ label: say(`fact.${key}`), value, mono });
  const { ping } = node;
  const facts: NodeFact[] = [];
  if (ping === null) facts.push(fact("trip", say("fact.not-measured")));
  else if (ping.medianMs === null) facts.push(fact("trip", say("fact.no-answer")));
  else {
    facts.push(fact("trip", ms(ping.medianMs, 1)));
    if (ping.jitterMs !== null) facts.push(fact("jitter", ms(ping.jitterMs, 1)));
    facts.push(fact("loss", percent(ping.lossRatio)));
  }
  if (node.load !== null) facts.push(fact("load", percent(node.load)));
  facts.push(fact("carries", carried(node)));
  facts.push(fact("endpoint", endpointText(node.endpoint), true));
  if (node.addresses.length > 0)
    facts.push(fact("addresses", node.addresses.map((one) => one.replace(/\/.*/, "")).join(", "), true));
  facts.push(fact("dns", node.dns.length > 0 ? node.dns.join(", ") : say("fact.no-dns"), node.dns.length > 0));
  if (node.mtu !== null) facts.push(fact("mtu", String(node.mtu)));
  facts.push(
    fact("used", node.lastUsed === null ? say("fact.never") : say("readings.ago", { time: age(now - node.lastUsed) })),
  );
  return facts;
}

/** Why one would take this node, or not; null when nothing was measured that says so. */
export function reasonOf(node: Node, nodes: readonly Node[]): Say | null {
  const { ping } = node;
  if (ping === null) return null;
  if (answersNot(ping)) return say("nodes.why.silent", { count: ping.samplesMs.length });
  const answering = nodes.filter((one) => one.ping?.medianMs != null);
  const best = quickest(nodes);
  if (best === null || ping.medianMs === null || answering.length < 2) return null;
  if (best.id === node.id) return say("nodes.why.quickest", { count: answering.length });
  return say("nodes.why.slower", { node: best.name, time: ms(ping.medianMs - (best.ping?.medianMs ?? 0), 1) });
}

function carried(node: Node): Part {
  const everything = ["0.0.0.0/0", "::/0"].some((prefix) => node.allowedIps.some((one) => one === prefix));
  const families = [node.carries.ipv4 ? "IPv4" : "", node.carries.ipv6 ? "IPv6" : ""].filter(Boolean);
  return say(everything ? "fact.carries-all" : "fact.carries-some", { what: list(families) });
}
