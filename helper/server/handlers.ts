// Each request of the contract → what the tunnel and the store do for it.
import type { Apps } from "../contract/apps.ts";
import { grant, refuse } from "../contract/refusal.ts";
import type { AppsStanding } from "../kernel/kernel.ts";
import type { Lists } from "../nodes/lists.ts";
import type { Store } from "../nodes/store.ts";
import { notes, printNote } from "../policy/lint.ts";
import type { Facts, SessionFact } from "../plan/facts.ts";
import { differenceOf } from "../plan/commands.ts";
import { printPlan } from "../plan/print.ts";
import { check, connectingCuts, cutNote, proveNow, wouldCut } from "../tunnel/judge.ts";
import type { Tunnel } from "../tunnel/run.ts";
import { type CheckDeps, checkLeaks } from "../tunnel/seen.ts";
import { trace } from "../tunnel/trace.ts";
import type { Handlers } from "./dispatch.ts";

/** What handlers ask besides what the tunnel does. */
export interface Asked {
  readonly lists: Lists;
  /** Who works on this machine from afar. */
  readonly sessions: () => readonly SessionFact[];
}

export function handlersOf(tunnel: Tunnel, store: Store, deps: CheckDeps & Asked): Handlers {
  return {
    status: async () => grant(tunnel.status()),
    async connect({ node, anyway }) {
      if (anyway !== true) {
        const [cut] = await connectingCuts(deps, tunnel, { node, sessions: deps.sessions() });
        if (cut !== undefined) return refuse("policy.cuts-session", { ...cutNote(cut).data, node });
      }
      return tunnel.connect(node);
    },
    disconnect: () => tunnel.disconnect(),
    nodes: async () => grant([...store.nodes()]),
    async import({ text, name }) {
      const added = store.add(text, name);
      tunnel.warm();
      return added;
    },
    remove: async ({ node }) => (tunnel.inUse() === node ? refuse("node.in-use", { node }) : store.remove(node)),
    rename: async ({ node, name }) => store.rename(node, name),
    favourite: async ({ node, favourite }) => store.favourite(node, favourite),
    policy: async () => grant(store.policy()),
    async setPolicy({ policy, confirmWithin, anyway }) {
      if (confirmWithin === undefined && anyway !== true) {
        const [cut] = await wouldCut(deps, tunnel, { policy, sessions: deps.sessions() });
        if (cut !== undefined) return refuse("policy.cuts-session", { ...cutNote(cut).data });
      }
      return tunnel.setPolicy(policy, confirmWithin);
    },
    async lists() {
      const { rules } = store.policy();
      const ids = [...new Set(rules.flatMap((rule) => rule.match.lists ?? []))];
      const placesOf = (id: string) =>
        rules.flatMap((rule, i) => (rule.match.lists?.includes(id) === true ? [i + 1] : []));
      return grant(ids.map((id) => ({ id, prefixes: deps.lists.size(id), rules: placesOf(id) })));
    },
    listBegin: async () => deps.lists.begin(),
    listAdd: async ({ upload, text }) => deps.lists.add(upload, text),
    listEnd: async ({ upload }) => deps.lists.end(upload),
    async plan({ node, policy }) {
      const plans = await tunnel.plansFor(node, policy);
      if (!plans.ok) return plans;
      const { facts, exit, connected } = plans.value;
      const said = notes({ policy: policy ?? store.policy(), facts, exit, state: "connected" });
      const difference = differenceOf(tunnel.live().applied?.plan ?? null, connected);
      return grant({ text: printPlan(connected), notes: said.map(printNote), difference });
    },
    confirm: () => tunnel.confirm(),
    check: ({ node, policy }) => check(deps, tunnel, { node, policy, sessions: deps.sessions() }),
    prove: ({ node }) => proveNow(deps, tunnel, node),
    explain: ({ question, policy, node }) =>
      trace(deps, tunnel, { question, policy: policy ?? null, node: node ?? null }),
    findings: async () => grant([...(await tunnel.findings.list())]),
    async repair({ id }) {
      const done = await tunnel.findings.repair(id);
      if (done === undefined) return refuse("finding.unknown", { id });
      return grant({ done: [...done], left: [...(await tunnel.findings.list())] });
    },
    apps: async () => grant(toldApps(await deps.kernel.apps(), tunnel.live().facts)),
    reopen: async ({ apps }) => grant({ closed: await deps.kernel.reopen(apps) }),
    leaks: async (params) => grant(await checkLeaks(deps, tunnel.live(), params)),
    reset: () => tunnel.reset(),
  };
}

function toldApps({ how, scripts, lost, apps }: AppsStanding, facts: Facts | null): Apps {
  if (how === "none") return { mechanism: how, limits: ["unsupported"], apps: [] };
  const hidden = facts?.resolver.asksForAll !== undefined || facts?.features.redirects !== true;
  return {
    mechanism: how,
    limits: [
      ...(scripts ? [] : ["script-path" as const]),
      ...(["handed-over", "started-for", "kernel-sockets", "datagrams"] as const),
      ...(hidden ? ["shared-resolver" as const] : []),
      ...(lost > 0 ? ["room" as const] : []),
    ],
    apps: apps.map((one) => ({
      ...{ app: one.app, by: one.by === "nothing" ? one.why : one.by },
      ...{ processes: one.processes, older: one.older },
    })),
  };
}
