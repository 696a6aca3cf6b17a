// P4 and P5: what a rule says of the LAN in so many words comes before the LAN; what it says of the world does not touch it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Lane, Policy, PolicyMatch, PolicyRule } from "../../helper/contract/policy.ts";
import { prefixSchema } from "../../helper/contract/prefix.ts";
import { hasUser } from "../lab/account.ts";
import { places } from "../lab/places.ts";
import { basePolicy, openConnected, type Road } from "./road.ts";
import { both, by, expectWays } from "./ways.ts";

const { nas, printer, web } = places;
const [anna, boris] = [1001, 1002];
const job = { port: 9100 };
const hosts = (...of: readonly string[]) => of.map((address) => prefixSchema.parse(address));
const rule = (id: string, match: PolicyMatch, lane: Lane): PolicyRule => ({ id, name: id, match, lane });
const itself = hosts(printer.ipv4, printer.ipv6);

let road: Road;
beforeAll(async () => {
  road = await openConnected({ control: [] });
});
afterAll(() => road.close());

describe.each(["everything", "only"] as const)("mode %s", (mode) => {
  const lay = (...rules: PolicyRule[]): Promise<void> =>
    road.culvert.setPolicy({ ...basePolicy, mode, rules } satisfies Policy);
  const elsewhere = mode === "everything" ? "tunnel" : "direct";

  test("P4 a blocked host of the LAN is not reached, its neighbour is", async () => {
    await lay(rule("printer", { destination: itself }, "block"));
    await expectWays(road, {
      refused: [...both("udp", printer), ...both("connect", printer, job), ...both("echo", printer)],
      lan: [...both("udp", nas), ...both("connect", nas, job), ...both("echo", nas)],
      [elsewhere]: both("udp", web),
    });
  });

  test("P4 a host of the LAN that is sent into the tunnel is not seen on the LAN", async () => {
    await lay(rule("printer", { destination: itself }, "tunnel"));
    await expectWays(road, { lost: both("udp", printer), lan: both("udp", nas) });
  });

  test("P4 a blocked port is blocked on the LAN as well, and only that", async () => {
    await lay(rule("printing", { protocol: "tcp", ports: [{ from: 9100, to: 9100 }] }, "block"));
    await expectWays(road, {
      refused: [...both("connect", printer, job), ...both("connect", nas, job)],
      lan: [...both("connect", printer, { port: 80 }), ...both("udp", printer, job)],
    });
  });

  test("P5 a rule for a wide prefix that covers the LAN does not take it", async () => {
    await lay(rule("wide", { destination: hosts("10.0.0.0/8", "fd00::/8") }, "tunnel"));
    await expectWays(road, { lan: [...both("udp", printer), ...both("connect", nas, job)] });
    await lay(rule("wide", { destination: hosts("10.0.0.0/8", "fd00::/8") }, "block"));
    await expectWays(road, { lan: [...both("udp", printer), ...both("connect", nas, job)] });
  });

  test("P5 the first of two rules about the LAN decides", async () => {
    const block = rule("block", { destination: hosts("10.40.0.0/24", "fd00:40::/64") }, "block");
    const direct = rule("direct", { destination: itself }, "direct");
    await lay(direct, block);
    await expectWays(road, { lan: both("udp", printer), refused: both("udp", nas) });
    await lay(block, direct);
    await expectWays(road, { refused: [...both("udp", printer), ...both("udp", nas)] });
  });

  test("P4 what a user may not, another may", async (context) => {
    if (!(await hasUser(road.laptop, boris))) return context.skip("one account only");
    await lay(rule("anna", { users: [anna] }, "block"));
    await expectWays(road, {
      refused: by(anna, [...both("udp", printer), ...both("udp", web)]),
      lan: by(boris, both("udp", printer)),
      [elsewhere]: by(boris, both("udp", web)),
    });
    expect((await road.culvert.status()).state.kind).toBe("connected");
  });
});
