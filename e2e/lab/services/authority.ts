// The authoritative server of the lab's names. Every name under the beacon zone exists, and who asked for it is
// remembered: whoever asks `GET /asked?name=x` on port 8053 learns which resolvers did. `GET /set?name=x&to=a,b&ttl=5&cname=y`
// says what a name is from then on.
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

interface Said {
  readonly addresses: readonly string[];
  readonly ttl: number;
  readonly cname: string | null;
}

const set = new Map<string, Said>();

function addressesOf(name: string): readonly string[] | undefined {
  const said = set.get(name);
  if (said !== undefined) return said.cname === null ? said.addresses : (addressesOf(said.cname) ?? []);
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
    const { ttl = 5, cname = null } = set.get(name) ?? {};
    const wanted = found.filter((a) => (type === "AAAA" ? a.includes(":") : type === "A" && !a.includes(":")));
    const answers = wanted.map((data) => ({ name: cname ?? name, type: type as "A" | "AAAA", ttl, data }));
    return { ...reply, answers: cname === null ? answers : [{ name, type: "CNAME", ttl, data: cname }, ...answers] };
  });
  await listenHttp(address, 8053, (_request, response, url) => {
    const name = (url.searchParams.get("name") ?? "").toLowerCase();
    if (url.pathname === "/set") {
      const addresses = (url.searchParams.get("to") ?? "").split(",").filter((a) => a !== "");
      const said = { addresses, ttl: Number(url.searchParams.get("ttl") ?? 5), cname: url.searchParams.get("cname") };
      set.set(name, said);
      sendJson(response, said);
      return;
    }
    sendJson(response, { name, asked: asked.filter((a) => a.name === name) });
  });
}
say({ listening: true });
