// The authoritative server of the lab's names. Every name under the beacon zone exists, and who asked for it is
// remembered: whoever asks `GET /asked?name=x` on port 8053 learns which resolvers did.
import type { Packet } from "dns-packet";

import { listenDns, questionOf } from "./dns.ts";
import { configuration, listenHttp, say, sendJson } from "./serve.ts";

interface Config {
  readonly addresses: readonly string[];
  readonly zone: string;
  /** What names under the zone resolve to. */
  readonly beacon: { readonly ipv4: string; readonly ipv6: string };
  readonly names: Readonly<Record<string, readonly string[]>>;
}

interface Asked {
  readonly name: string;
  readonly type: string;
  readonly from: string;
  readonly over: string;
  readonly at: number;
}

const config = configuration() as Config;
const asked: Asked[] = [];
const mostRemembered = 100_000;
const authoritative = 1 << 10;
const nameError = 3;

function addressesOf(name: string): readonly string[] | undefined {
  if (name.endsWith(`.${config.zone}`)) return [config.beacon.ipv4, config.beacon.ipv6];
  return config.names[name];
}

for (const address of config.addresses) {
  await listenDns(address, async (query, from, over): Promise<Packet> => {
    const question = questionOf(query);
    const reply: Packet = {
      type: "response",
      id: query.id ?? 0,
      flags: authoritative,
      questions: query.questions ?? [],
    };
    if (question === undefined) return reply;
    const { name, type } = question;
    if (asked.length < mostRemembered) asked.push({ name, type, from, over, at: Date.now() });
    say({ event: "asked", name, type, from, over });
    const found = addressesOf(name);
    if (found === undefined) return { ...reply, flags: authoritative | nameError };
    const wanted = found.filter((a) => (type === "AAAA" ? a.includes(":") : type === "A" && !a.includes(":")));
    const answers = wanted.map((data) => ({ name, type: type as "A" | "AAAA", ttl: 5, data }));
    return { ...reply, answers };
  });
  await listenHttp(address, 8053, (_request, response, url) => {
    const name = (url.searchParams.get("name") ?? "").toLowerCase();
    sendJson(response, { name, asked: asked.filter((a) => a.name === name) });
  });
}
say({ listening: true });
