// The control side and the resolver of a node, on its inside addresses: as whom the internet sees the caller (the
// node's own address, after masquerade), the node's load, and who asked for a beacon name at the authoritative server.
import { ask, listenDns } from "./dns.ts";
import { callerOf, configuration, listenHttp, say, sendJson } from "./serve.ts";

interface Config {
  readonly inside: readonly string[];
  readonly outside: { readonly ipv4: string; readonly ipv6: string | null };
  readonly load: number;
  readonly upstream: string;
  readonly beacon: { readonly zone: string; readonly server: string };
}

const controlPort = 7600;
const recursionAvailable = 1 << 7;
const config = configuration() as Config;

for (const address of config.inside) {
  await listenDns(address, async (query, from) => {
    say({ event: "resolve", name: query.questions?.[0]?.name, from });
    const reply = await ask(config.upstream, query);
    return reply && { ...reply, id: query.id ?? 0, flags: (reply.flags ?? 0) | recursionAvailable };
  });
  await listenHttp(address, controlPort, async (request, response, url) => {
    const seen = callerOf(request).includes(":") ? config.outside.ipv6 : config.outside.ipv4;
    say({ event: "control", path: url.pathname, from: callerOf(request) });
    if (url.pathname === "/whoami") {
      sendJson(response, { address: seen, load: config.load, beacon: config.beacon.zone });
    } else if (url.pathname === "/beacon") {
      const name = url.searchParams.get("name") ?? "";
      const told = await fetch(`http://${config.beacon.server}:8053/asked?name=${encodeURIComponent(name)}`);
      sendJson(response, await told.json());
    } else {
      sendJson(response, { error: "no such path" }, 404);
    }
  });
}
say({ listening: true });
