// What the node says of us, asked through the tunnel at its control side (port 7600 on the node's resolver address; only nodes
// that are ours have one): as whom the internet sees this machine, the node's load, and who asked the authoritative server for
// a name that nobody can have asked for before. The leak check puts this beside what the kernel has, and beside what the
// wire shows of canaries.
import { randomBytes, randomInt } from "node:crypto";
import { get } from "node:http";

import { z } from "zod";

import type { Params } from "../contract/message.ts";
import { type Address, addressSchema, familyOf } from "../contract/prefix.ts";
import { type LeakCheck, leakNames, type Status } from "../contract/status.ts";
import type { SendCanaries } from "../kernel/canaries.ts";
import type { Exit } from "../plan/exit.ts";
import { diff } from "../plan/diff.ts";
import { canary, canaryTargets, judgeCanaries } from "./canary-verdict.ts";
import { goesDirect, mayLeave } from "./may-leave.ts";
import { readFacts, standing } from "./ground.ts";
import type { Deps, Live } from "./live.ts";
import type { Resolve } from "./resolve.ts";

export interface Seen {
  readonly as: Status["seenAs"];
  readonly load: number | null;
  readonly beacon: string | null;
}

const controlPort = 7600;
/** Two round trips to the far side of the earth; a node that is not ours refuses or is silent. */
const answerMs = 1500;
const longestAnswer = 64 * 1024;

const whoAmI = z.object({
  address: addressSchema.nullable(),
  load: z.number().min(0).max(1).optional(),
  beacon: z
    .string()
    .regex(/^[a-z0-9.-]{1,200}$/)
    .optional(),
});
const beaconAnswer = z.object({ asked: z.array(z.object({ from: z.string().max(64) })).max(1000) });

/** Null where the node has no answer: it is not ours, or carries no such family. */
export async function askWhoAmI(exit: Pick<Exit, "dns">): Promise<Seen> {
  const ask = async (family: 4 | 6): Promise<z.infer<typeof whoAmI> | null> => {
    const server = exit.dns.find((d) => familyOf(d) === family);
    if (server === undefined) return null;
    return whoAmI.safeParse(await getJson(server, "/whoami")).data ?? null;
  };
  const [four, six] = await Promise.all([ask(4), ask(6)]);
  const one = four ?? six;
  return {
    as: { ipv4: four?.address ?? null, ipv6: six?.address ?? null },
    load: one?.load ?? null,
    beacon: one?.beacon ?? null,
  };
}

export interface CheckDeps extends Deps {
  readonly now: () => number;
  readonly canaries: SendCanaries;
}

export async function checkLeaks(
  deps: CheckDeps,
  live: Live,
  { canaries = [] }: Params<"leaks"> = {},
): Promise<LeakCheck[]> {
  const at = deps.now();
  const skip = (name: LeakCheck["name"], code: string): LeakCheck => ({
    ...{ name, verdict: "not-checked", at },
    evidence: { code, data: {} },
  });
  const { applied } = live;
  if (applied?.plan.state !== "connected") return leakNames.map((name) => skip(name, "not-connected"));
  const seen = await askWhoAmI(applied.exit);
  const own: readonly string[] = live.uplinks.flatMap((u) => u.addresses);
  const address = (name: LeakCheck["name"], as: Address | null): LeakCheck => {
    if (as === null) return skip(name, "node-does-not-tell");
    return {
      name,
      verdict: own.includes(as) ? "leaks" : "holds",
      at,
      evidence: { code: "seen-as", data: { address: as } },
    };
  };
  return [
    address("address-ipv4", seen.as.ipv4),
    address("address-ipv6", seen.as.ipv6),
    await checkDns(deps.resolve, applied.exit, seen, skip, at),
    await checkRoutes(deps, live, at),
    ...(await checkCanaries(deps, live, canaries, at)),
  ];
}

async function checkCanaries(
  deps: CheckDeps,
  live: Live,
  theirs: readonly Sighting[],
  at: number,
): Promise<LeakCheck[]> {
  const { applied, facts } = live;
  if (applied === null || facts === null) return [];
  const { links, allowed } = mayLeave(applied.plan, applied.exit, deps.store.policy(), standing(facts, applied));
  const landed = await deps.canaries({
    ...{ links, own: live.uplinks.flatMap((uplink) => uplink.addresses) },
    targets: canaryTargets(allowed, randomInt),
    theirs: theirs.filter(({ to }) => !goesDirect(allowed, to, canary)).map(({ nonce }) => nonce),
    beyond: applied.exit.dns[0] ?? null,
  });
  return [
    { name: "bound-socket", at, ...judgeCanaries(landed.sockets, landed.blind) },
    { name: "raw-frames", at, ...judgeCanaries(landed.frames, landed.blind) },
  ];
}

type Sighting = NonNullable<Params<"leaks">["canaries"]>[number];
type Skip = (name: LeakCheck["name"], code: string) => LeakCheck;

/** A fresh name, asked of this machine's own resolver: whoever the authoritative server heard it from is who learns our names. */
async function checkDns(resolve: Resolve, exit: Exit, seen: Seen, skip: Skip, at: number): Promise<LeakCheck> {
  const [server] = exit.dns;
  if (seen.beacon === null || server === undefined) return skip("dns", "node-does-not-tell");
  const name = `${randomBytes(9).toString("hex")}.${seen.beacon}`;
  await resolve(name).catch(() => []);
  const told = beaconAnswer.safeParse(await getJson(server, `/beacon?name=${name}`));
  if (!told.success) return skip("dns", "node-does-not-tell");
  const askers = [...new Set(told.data.asked.map((a) => a.from))];
  if (askers.length === 0) return skip("dns", "name-not-asked");
  const strangers = askers.filter((a) => a !== seen.as.ipv4 && a !== seen.as.ipv6);
  const asker = strangers[0] ?? askers[0] ?? "";
  return {
    name: "dns",
    verdict: strangers.length === 0 ? "holds" : "leaks",
    at,
    evidence: { code: "asked-by", data: { asker } },
  };
}

/** What stands in the kernel against the plan: every difference is a change that somebody made. */
async function checkRoutes(deps: Deps, live: Live, at: number): Promise<LeakCheck> {
  const facts = await readFacts(deps, live);
  const plan = live.applied?.plan;
  const differences = plan === undefined ? 0 : diff(plan, facts).length;
  const data = { differences, rules: plan?.rules.length ?? 0, routes: plan?.routes.length ?? 0 };
  const code = differences === 0 ? "as-planned" : "not-as-planned";
  return { name: "routes", verdict: differences === 0 ? "holds" : "leaks", at, evidence: { code, data } };
}

/** undefined for every failure: a node that is not ours is no error. */
function getJson(server: Address, path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const request = get(
      { host: server, port: controlPort, path, timeout: answerMs, agent: false, headers: { connection: "close" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > longestAnswer) request.destroy();
        });
        response.on("end", () => {
          resolve(response.statusCode === 200 ? parseJson(text) : undefined);
        });
        response.on("close", () => {
          resolve(undefined);
        });
      },
    );
    const late = setTimeout(() => request.destroy(), answerMs);
    request.on("close", () => {
      clearTimeout(late);
      resolve(undefined);
    });
    request.on("error", () => {
      resolve(undefined);
    });
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
