// What the stores keep and what they let go: with a bridge that answers when the test lets it.
import { beforeEach, expect, test } from "vitest";

import type { Answer } from "../../helper/contract/refusal.ts";
import type { Bridge, Environment, Events, HelperLink, Preferences } from "../../preload/bridge.ts";
import { node, policy, proof, ref, rule, status, traffic } from "../view/samples.ts";
import { useLeaks } from "./leaks.ts";
import { useNodes } from "./nodes.ts";
import { usePolicy } from "./policy.ts";
import { languageNow, themeNow, usePreferences } from "./preferences.ts";
import { useStatus } from "./status.ts";
import { keptSamples, useTraffic } from "./traffic.ts";
import { wireStores } from "./wire.ts";

const linked: HelperLink = { kind: "linked", version: "0.1.0" };
const resets = [
  resetTo(useStatus),
  resetTo(useNodes),
  resetTo(usePolicy),
  resetTo(useTraffic),
  resetTo(useLeaks),
  resetTo(usePreferences),
];
beforeEach(() => {
  for (const reset of resets) reset();
});

function resetTo<T>(store: { getState: () => T; setState: (state: T, replace: true) => void }): () => void {
  const first = store.getState();
  return () => {
    store.setState(first, true);
  };
}

type Ask = (name: string, params: unknown) => Promise<Answer<unknown>>;

/** A bridge whose helper is a function; `say` sends an event. */
function fakeBridge(ask: Ask, link: HelperLink = linked) {
  const listeners = new Map<string, (data: unknown) => void>();
  const environment: Environment = {
    locale: "ru_RU",
    dark: true,
    trayAvailable: false,
    version: "0.1.0",
    electron: "",
  };
  const preferences: Preferences = { theme: "system", language: "system", tray: true, autostart: false };
  const bridge: Bridge = {
    helper: ask as Bridge["helper"],
    link: async () => link,
    preferences: async () => preferences,
    setPreferences: async (change) => ({ ...preferences, ...change }),
    chooseConfiguration: async () => null,
    apps: async () => [],
    accounts: async () => [],
    chooseProgram: async () => null,
    saveText: async () => false,
    environment: async () => environment,
    on: (event, listener) => {
      listeners.set(event, listener as (data: unknown) => void);
      return () => listeners.delete(event);
    },
  };
  const say = <E extends keyof Events>(event: E, data: Events[E]): void => listeners.get(event)?.(data);
  return { bridge, say, listening: () => listeners.size };
}

const answers =
  (own: Record<string, unknown> = {}): Ask =>
  async (name) => ({ ok: true, value: { status: up, nodes: [node("A")], policy, leaks: [], ...own }[name] });
const up = status({ kind: "connected", node: ref }, { proof, seq: 5 });
const settled = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

test("once linked, everything is asked, and a later link asks anew", async () => {
  const asked: string[] = [];
  const { bridge, say, listening } = fakeBridge(async (name, params) => {
    asked.push(name);
    return answers()(name, params);
  });
  const stop = wireStores(bridge);
  await settled();
  expect(asked.sort()).toEqual(["nodes", "policy", "status"]);
  expect(useStatus.getState().status?.seq).toBe(5);
  say("link", { kind: "absent" });
  say("link", linked);
  await settled();
  expect(asked).toHaveLength(6);
  stop();
  expect(listening()).toBe(0);
});

test("when the link is lost, status, traffic and checks are let go", async () => {
  const { bridge, say } = fakeBridge(answers());
  wireStores(bridge);
  await settled();
  say("helper", { event: "traffic", data: traffic() });
  await useLeaks.getState().check(bridge);
  say("link", { kind: "absent" });
  expect(useStatus.getState()).toMatchObject({ status: null, lost: true });
  expect([useTraffic.getState().samples, useLeaks.getState().checks]).toEqual([[], null]);
});

test("an older status does not replace a newer one, but a helper started anew does", () => {
  const { setStatus } = useStatus.getState();
  setStatus(up);
  setStatus({ ...up, seq: 4 });
  expect(useStatus.getState().status?.seq).toBe(5);
  setStatus({ ...up, seq: 1, helper: { version: "0.1.0", at: up.helper.at + 1 } });
  expect(useStatus.getState().status?.seq).toBe(1);
});

test("traffic and checks of one state are not shown in the next", async () => {
  const { bridge, say } = fakeBridge(answers());
  wireStores(bridge);
  await settled();
  say("helper", { event: "traffic", data: traffic() });
  say("helper", { event: "status", data: { ...up, seq: 6 } });
  expect(useTraffic.getState().samples).toHaveLength(1);
  say("helper", { event: "status", data: { ...up, seq: 7, state: { kind: "off" } } });
  expect(useTraffic.getState().samples).toEqual([]);
});

test("counters that begin anew with another node do not join the old ones", async () => {
  const { bridge, say } = fakeBridge(answers());
  wireStores(bridge);
  await settled();
  say("helper", { event: "traffic", data: traffic() });
  say("helper", { event: "status", data: { ...up, seq: 6, since: up.since + 1 } });
  expect(useTraffic.getState().samples).toEqual([]);
});

test("no more than two minutes of traffic are kept", () => {
  for (let i = 0; i < keptSamples + 10; i++) useTraffic.getState().take(traffic({ at: i }));
  const { samples } = useTraffic.getState();
  expect([samples.length, samples.at(-1)?.at]).toEqual([keptSamples, keptSamples + 9]);
});

test("a check that comes in after the state changed is not taken", async () => {
  let finish: (answer: Answer<unknown>) => void = () => undefined;
  const { bridge } = fakeBridge(() => new Promise((done) => (finish = done)));
  const running = useLeaks.getState().check(bridge);
  useLeaks.getState().forget();
  finish({ ok: true, value: [] });
  await running;
  expect(useLeaks.getState()).toMatchObject({ checks: null, running: false });
});

test("the helper's word on an older draft is not shown beside a newer one", async () => {
  const finish: ((answer: Answer<unknown>) => void)[] = [];
  const { bridge } = fakeBridge(() => new Promise((done) => finish.push(done)));
  usePolicy.setState({ saved: policy, draft: policy });
  usePolicy.getState().putRule(rule("a", "direct"));
  const asked = usePolicy.getState().judge(bridge, ref.id);
  usePolicy.getState().putRule(rule("b", "block"));
  finish[0]?.({ ok: true, value: { text: "plan", notes: [] } });
  await asked;
  expect(usePolicy.getState().verdict.kind).toBe("unasked");
});

test("a refused save keeps the draft and what was saved", async () => {
  const { bridge } = fakeBridge(async () => ({ ok: false, refusal: { code: "call.busy", data: {} } }));
  usePolicy.setState({ saved: policy, draft: policy });
  usePolicy.getState().putRule(rule("a", "direct"));
  expect((await usePolicy.getState().save(bridge))?.code).toBe("call.busy");
  expect(usePolicy.getState()).toMatchObject({ saved: policy, saving: false });
  expect(usePolicy.getState().draft?.rules).toHaveLength(1);
});

test("a policy read anew does not throw away what the person is drafting", async () => {
  const { bridge } = fakeBridge(answers({ policy: { ...policy, ipv6: "block" } }));
  usePolicy.setState({ saved: policy, draft: policy });
  usePolicy.getState().putRule(rule("a", "direct"));
  await usePolicy.getState().read(bridge);
  expect(usePolicy.getState().saved?.ipv6).toBe("block");
  expect(usePolicy.getState().draft?.rules).toHaveLength(1);
});

test("a switch in Settings is saved without the draft of Lanes", async () => {
  let sent: unknown;
  const { bridge } = fakeBridge(async (_name, params) => {
    sent = params;
    return { ok: true, value: up };
  });
  usePolicy.setState({ saved: policy, draft: policy });
  usePolicy.getState().putRule(rule("a", "direct"));
  await usePolicy.getState().saveNow(bridge, (saved) => ({ ...saved, killSwitch: "boot" }));
  expect(sent).toEqual({ policy: { ...policy, killSwitch: "boot" } });
  expect(usePolicy.getState().draft).toMatchObject({ killSwitch: "boot", rules: [{ id: "a" }] });
});

test("a lifted rule that is given up stands where it stood", () => {
  const own = { ...policy, rules: [rule("a", "block"), rule("b", "direct")] };
  usePolicy.setState({ saved: own, draft: own });
  const store = usePolicy.getState();
  store.lift("b");
  store.move({ order: -1 });
  store.move({ lane: -1 });
  expect(usePolicy.getState().draft?.rules.map((r) => `${r.id}:${r.lane}`)).toEqual(["b:tunnel", "a:block"]);
  store.giveUp();
  expect(usePolicy.getState()).toMatchObject({ draft: own, lifted: null });
});

test("the desktop's language and theme hold where the person chose none", async () => {
  const { bridge } = fakeBridge(answers());
  wireStores(bridge);
  await settled();
  expect([languageNow(usePreferences.getState()), themeNow(usePreferences.getState())]).toEqual(["ru", "dark"]);
  await usePreferences.getState().change(bridge, { language: "zh", theme: "light" });
  expect([languageNow(usePreferences.getState()), themeNow(usePreferences.getState())]).toEqual(["zh", "light"]);
});

test("a node that is removed is no longer the chosen one", async () => {
  const { bridge } = fakeBridge(async () => ({ ok: true, value: {} }));
  const [a, b] = [node("A"), node("B")];
  useNodes.setState({ nodes: [a, b], chosen: a.id });
  expect(await useNodes.getState().remove(bridge, a.id)).toBeNull();
  expect(useNodes.getState()).toMatchObject({ nodes: [{ name: "B" }], chosen: null });
});
