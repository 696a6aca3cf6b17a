// A resolver that asks another server and hands on the answer: the ISP's, the home router's, a node's inside one. Keeps
// nothing, so that every question of a test is seen where it arrives.
import { ask, listenDns, questionOf } from "./dns.ts";
import { configuration, say } from "./serve.ts";

interface Config {
  readonly addresses: readonly string[];
  readonly upstream: string;
}

const { addresses, upstream } = configuration() as Config;
const recursionAvailable = 1 << 7;
for (const address of addresses) {
  await listenDns(address, async (query, from, over) => {
    const question = questionOf(query);
    say({ event: "resolve", name: question?.name, type: question?.type, from, over });
    const reply = await ask(upstream, query);
    return reply && { ...reply, id: query.id ?? 0, flags: (reply.flags ?? 0) | recursionAvailable };
  });
}
say({ listening: true });
