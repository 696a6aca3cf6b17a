// Rules by name, alive: the stub that answers names while policy has such rules, what it was told, and how that becomes a
// fact that plans are made of. An answer goes: admitted → remembered → the tunnel lays the plan of now → the answer is let
// go. What cannot be laid is forgotten again, so one bad answer never costs the tunnel.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { nameSchema } from "../contract/name.ts";
import type { Policy } from "../contract/policy.ts";
import { type Address, addressOf, addressSchema, familyOf, parseAddress } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { isAdmitted } from "../names/admit.ts";
import type { Ask, Server } from "../names/ask.ts";
import { openStub, type Stub, type StubDeps } from "../names/stub.ts";
import { type Found, nameTable } from "../names/table.ts";
import { readJsonFile, removeFile, writeJsonFile } from "../nodes/file.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import { asksByName, rulesOf } from "../plan/names.ts";
import { laneStubs, loopback, marks, stubAddress } from "../plan/numbers.ts";
import { type Upstream, upstreamBy, upstreamOf } from "../policy/dns.ts";
import { lanesToAnswer } from "../policy/name-lanes.ts";

/** What the tunnel's orders ask of it. */
export interface Names {
  /** What rules by name mean at this moment; the same array as long as it says the same. */
  known(): readonly NameFact[];
  /** Listens where this policy asks by name or by lane, else no more. */
  ready(policy: Policy, facts: Facts): Promise<Answer<null>>;
  /** Names and addresses of `now` that `before` has not could not be laid. */
  takeBack(now: readonly NameFact[], before: readonly NameFact[]): void;
  /** Other names answered with this address. */
  sharing(address: Address, name: string): readonly string[];
  /** Nothing stands any more: nobody is answered. */
  rest(): Promise<void>;
}

export interface NamesDeps {
  readonly policy: () => Policy;
  /** Of what stands; exit null: nobody may be asked. */
  readonly stands: () => { readonly exit: Exit | null; readonly facts: Facts | null };
  /** Lays the plan of now; true when what stands then knows this name's addresses. */
  readonly lay: (name: string, addresses: readonly Address[]) => Promise<boolean>;
  /** The table shrank: plans are to be made anew when there is time. */
  readonly shrank: () => void;
  readonly runDir: string;
  readonly now: () => number;
  readonly log: StubDeps["log"];
  readonly ask: Ask;
  readonly open?: typeof openStub;
}

export interface LivingNames extends Names {
  close(): Promise<void>;
}

const port = 53;
/** How often what has ended is looked for. */
const sweepMs = 15_000;
/** An asker waits 5 s for his answer; what is not laid by then helps nobody. */
const layMs = 3000;
const file = "names.json";
const kept = z.array(z.tuple([nameSchema, addressSchema, z.number()])).max(65_536);

export const noNames: Names = {
  known: () => none,
  ready: async (policy) =>
    asksByName(policy) ? refuse("policy.unsupported", { rule: null, with: "names" }) : grant(null),
  takeBack: () => undefined,
  sharing: () => [],
  rest: async () => undefined,
};
const none: readonly NameFact[] = [];

export function openNames(deps: NamesDeps): LivingNames {
  const table = nameTable();
  const path = join(deps.runDir, file);
  const stubs = new Map<Listener, Stub>();
  let turn: Promise<unknown> = Promise.resolve();
  restore(path, table, deps);

  const isMeant = (name: string): boolean => rulesOf(deps.policy(), name).length > 0;
  const save = (): void => {
    const entries = table.entries();
    if (entries.length === 0) removeFile(path);
    else writeJsonFile(path, entries);
  };

  const place = async (name: string, found: readonly Found[]): Promise<boolean> => {
    const { exit, facts } = deps.stands();
    const near = { policy: deps.policy(), exit, facts };
    const admitted = found.filter(({ address }) => isAdmitted(name, address, near));
    if (admitted.length < found.length) {
      const refused = found.filter((f) => !admitted.includes(f)).map((f) => f.address);
      deps.log("addresses that no public name may have", { name, refused });
    }
    const fresh = table.learn(name, admitted, deps.now());
    if (!isMeant(name) || admitted.length === 0) return true;
    if (fresh) save();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((done) => {
      timer = setTimeout(done, layMs, false);
    });
    const addresses = admitted.map((f) => f.address);
    try {
      return await Promise.race([deps.lay(name, addresses), late]);
    } finally {
      clearTimeout(timer);
    }
  };

  const servers =
    (listener: Listener) =>
    (name: string | null): readonly Server[] => {
      const { exit, facts } = deps.stands();
      if (exit === null || facts === null) return [];
      const policy = deps.policy();
      const all =
        listener === "everybody" ? upstreamOf(policy, exit, name) : upstreamBy(listener, { policy, exit, facts }, name);
      return all.flatMap((one) => serverOf(one, exit));
    };

  const listen = async (listener: Listener): Promise<Stub> => {
    const more = { servers: servers(listener), isMeant, place, ask: deps.ask, log: deps.log };
    const opened: Stub[] = [];
    try {
      for (const { address, port } of places[listener]) {
        const stub = await (deps.open ?? openStub)(address, port, more).catch((error: unknown) => {
          // a machine without IPv6 has no ::1, and nobody is led there
          if (address === loopback[6] && codeOf(error) === "EADDRNOTAVAIL") return undefined;
          throw error;
        });
        if (stub !== undefined) opened.push(stub);
      }
    } catch (error) {
      await Promise.all(opened.map((stub) => stub.close()));
      throw error;
    }
    return { close: () => Promise.all(opened.map((stub) => stub.close())).then(() => undefined) };
  };

  const sweep = setInterval(() => {
    const now = deps.now();
    if (table.nextEnd() > now) return;
    if (!table.expire(now, remoteAddresses())) return;
    save();
    deps.shrank();
  }, sweepMs);
  sweep.unref();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work);
    turn = next.catch(() => undefined);
    return next;
  };

  const end = async (listener: Listener): Promise<void> => {
    const stub = stubs.get(listener);
    stubs.delete(listener);
    await stub?.close();
  };

  const rest = (): Promise<void> =>
    inTurn(async () => {
      for (const listener of listeners) await end(listener);
    });

  return {
    known: () => table.facts(isMeant),
    ready: (policy, facts) =>
      inTurn(async () => {
        // a policy that is only tried out does not end what the saved one needs
        const wanted = new Set([...listenersFor(policy, facts), ...listenersFor(deps.policy(), facts)]);
        for (const listener of listeners) {
          if (!wanted.has(listener)) await end(listener);
          else if (!stubs.has(listener))
            try {
              stubs.set(listener, await listen(listener));
            } catch (error) {
              const [{ address, port } = none53] = places[listener];
              return refuse("machine.names-port", { address, port, errno: codeOf(error) });
            }
        }
        return grant(null);
      }),
    takeBack(now, before) {
      const had = new Map(before.map((f) => [f.name, new Set(f.addresses)]));
      const fresh = now.filter((f) => f.addresses.some((a) => had.get(f.name)?.has(a) !== true));
      for (const { name } of fresh) {
        table.forget(name);
        const held = had.get(name);
        if (held !== undefined)
          table.learn(
            name,
            [...held].map((address) => ({ address, ttl: 0 })),
            deps.now(),
          );
      }
      save();
    },
    sharing: (address, name) => table.sharing(address, name),
    rest: () => rest(),
    async close() {
      clearInterval(sweep);
      await rest();
    },
  };
}

/** Who is answered: everybody who asks as the machine does, and programs that are led to us, by their lane. */
type Listener = "everybody" | "direct" | "tunnel";
const listeners: readonly Listener[] = ["everybody", "direct", "tunnel"];
const none53 = { address: stubAddress, port };
const both = (of: number) => ([4, 6] as const).map((family) => ({ address: loopback[family], port: of }));
const places: Readonly<Record<Listener, readonly { readonly address: Address; readonly port: number }[]>> = {
  everybody: [none53],
  direct: both(laneStubs.direct),
  tunnel: both(laneStubs.tunnel),
};

function listenersFor(policy: Policy, facts: Facts): readonly Listener[] {
  return [...(asksByName(policy) ? (["everybody"] as const) : []), ...lanesToAnswer(policy, facts)];
}

/** Whom the node cannot carry us to is not asked at all: from no inside address the question would leave in the clear. */
export function serverOf({ address, by }: Upstream, exit: Exit): readonly Server[] {
  if (by !== "inside") return [{ address, from: null, mark: by === "direct" ? marks.direct : null }];
  const from = insideOf(exit, address);
  return from === null ? [] : [{ address, from, mark: null }];
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

function insideOf(exit: Exit, to: Address): Address | null {
  const own = exit.inside.map((a) => addressOf(a));
  return own.find((a) => familyOf(a) === familyOf(to)) ?? null;
}

/** What an earlier life knew: connections by those addresses go on. */
function restore(path: string, table: ReturnType<typeof nameTable>, { now, log }: NamesDeps): void {
  try {
    table.restore(readJsonFile(path, kept) ?? [], now());
  } catch (error) {
    // names are asked again; nothing that anybody wrote is lost
    log("remembered names not read", { error: String(error) });
    removeFile(path);
  }
}

/** TCP_TIME_WAIT, include/net/tcp_states.h */
const timeWait = "06";

/** Addresses that sockets of this machine talk to (proc_pid_net(5)): words of host byte order, here little-endian. */
function remoteAddresses(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    const path = `/proc/net/${table}`;
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, "utf8").split("\n").slice(1)) {
      const [, , far = "", state] = line.trim().split(/\s+/);
      // a connection that was closed here waits a minute for stray packets, and talks no more
      if (table.startsWith("tcp") && state === timeWait) continue;
      const remote = addressIn(far.split(":")[0] ?? "");
      if (remote !== undefined) found.add(remote);
    }
  }
  return found;
}

function addressIn(hex: string): Address | undefined {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return parseAddress(bytes.map((b) => String(parseInt(b, 16))).join("."));
  if (bytes.length !== 16) return undefined;
  const text = (bytes.join("").match(/.{4}/g) ?? []).join(":");
  const mapped = /^(?:0000:){5}ffff:(.{4}):(.{4})$/i.exec(text);
  return mapped === null ? parseAddress(text) : addressIn(bytes.slice(12).reverse().join(""));
}
