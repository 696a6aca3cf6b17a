// What the Connect screen may claim, and what it must not.
import { expect, test } from "vitest";

import { lockCauses, type State } from "../../helper/contract/status.ts";
import { speaker } from "../words/speak.ts";
import { connectView } from "./connect.ts";
import { beside } from "./readings.ts";
import { facts, harbourton, node, now, ping, policy, proof, ref, rule, status, traffic } from "./samples.ts";
import { proofFreshMs, situationOf } from "./situation.ts";

const speak = speaker("en");
const on = { kind: "connected", node: ref } as const;
const headline = (change: Parameters<typeof facts>[0]): string => speak(connectView(facts(change)).headline);
const sentence = (change: Parameters<typeof facts>[0]): string => connectView(facts(change)).words.map(speak).join(" ");

test("without a proof it says protected, and that nothing was proven", () => {
  expect(headline({})).toBe("Protected");
  expect(sentence({})).toContain("No proof was made.");
  expect(connectView(facts()).lamp).toBe("unproven");
});

test("with a fresh proof it says proven", () => {
  expect(headline({ status: status(on, { proof }) })).toBe("Protected and proven");
});

test("a proof that is older than a change not mended is stale, with its age", () => {
  const drift = [{ at: now - 1000, what: "route 10.8.0.0/24", author: "NetworkManager", mended: false }];
  const change = { status: status(on, { proof: { ...proof, at: now - 40_000 }, drift }) };
  expect(headline(change)).toBe("Protected, proof 40 s old");
  expect(speak(connectView(facts(change)).who[0] ?? "")).toContain(
    "NetworkManager changed the machine: route 10.8.0.0/24",
  );
});

test("a change that was mended leaves the proof fresh and is told", () => {
  const drift = [{ at: now - 1000, what: "rule 4900 deleted", author: null, mended: true }];
  const view = connectView(facts({ status: status(on, { proof, drift }) }));
  expect(view.situation).toBe("proven");
  expect(view.notes.map((note) => speak(note.say)).join()).toContain("Culvert put it back");
});

test("a proof does not stay fresh for ever", () => {
  const old = status(on, { proof: { ...proof, at: now - proofFreshMs - 1 } });
  expect(situationOf({ ...facts(), status: old })).toBe("stale");
  expect(situationOf({ ...facts(), status: status(on, { proof: { ...proof, at: now - proofFreshMs } }) })).toBe(
    "proven",
  );
});

test("a proof in which a property failed is no proof", () => {
  expect(situationOf({ ...facts(), status: status(on, { proof: { ...proof, held: 10 } }) })).toBe("stale");
});

test("without a link to the helper nothing is claimed, whatever was known before", () => {
  const view = connectView(facts({ link: { kind: "absent" }, status: null }));
  expect(view.situation).toBe("unheard");
  expect(view.readings).toEqual([]);
  expect(view.acts).toEqual([]);
  expect(speak(view.headline)).not.toContain("Protected");
});

test("the exceptions are named in the same sentence as the rule", () => {
  const direct = [
    { kind: "lan" as const, text: "198.51.100.0/26" },
    { kind: "rule" as const, text: "Backup" },
  ];
  expect(sentence({ status: status(on, { proof, direct }) })).toContain(
    "Everything from this machine goes through Harbourton. Only your local network and Backup go out directly",
  );
});

test("where only chosen traffic goes through the tunnel it does not say everything", () => {
  const only = { ...policy, mode: "only" as const, rules: [rule("Work", "tunnel")] };
  const said = sentence({ policy: only, status: status(on, { proof }) });
  expect(said).toContain("Only Work go through Harbourton. Everything else goes out in the open");
});

test("blocked IPv6 is said to be blocked", () => {
  expect(sentence({ status: status(on, { proof, ipv6: "blocked" }) })).toContain("IPv6 is blocked");
});

test("while connecting it does not say that the gate is closed before it is", () => {
  const step = (done: boolean): State => ({
    kind: "connecting",
    node: ref,
    steps: [{ name: "gate-closed", state: done ? "done" : "running", tookMs: done ? 3 : null }],
  });
  const who = (state: State): string =>
    connectView(facts({ status: status(state) }))
      .who.map(speak)
      .join();
  expect(who(step(false))).toContain("still goes out in the open");
  expect(who(step(true))).toContain("The gate is closed");
});

test("water rises in the lamp with the steps done", () => {
  const steps = ["done", "done", "running", "waiting", "waiting"].map((state, i) => ({
    name: (["gate-closed", "node-answers", "routes-laid", "read-back", "gate-opens"] as const)[i] ?? "gate-opens",
    state: state as "done",
    tookMs: null,
  }));
  expect(connectView(facts({ status: status({ kind: "connecting", node: ref, steps }) })).water).toBe(0.4);
});

test.each(lockCauses)("locked by %s says blocked, why, and offers a way on", (cause) => {
  const state: State = { kind: "locked", node: ref, cause, attempts: 6, lastHeard: now - 14_000 };
  const view = connectView(facts({ status: status(state), nodes: [harbourton, node("Veskra", { ping: ping(25) })] }));
  expect(view.lamp).toBe("locked");
  expect(speak(view.headline)).toMatch(/^Blocked: /);
  expect(view.who.length).toBeGreaterThan(0);
  expect(view.acts.map((act) => act.kind)).toEqual(["disconnect", "connect"]);
});

test("a failure says why and that the machine is as before", () => {
  const state: State = { kind: "failed", node: ref, refusal: { code: "node.unreachable", data: { node: ref.id } } };
  const view = connectView(facts({ status: status(state) }));
  expect(view.who.map(speak)).toEqual(["Harbourton does not answer."]);
  expect(view.words.map(speak).join(" ")).toContain("Nothing is changed on this machine");
});

test("off without a network does not say that traffic goes out", () => {
  const view = connectView(facts({ status: status({ kind: "off" }, { uplinks: [] }) }));
  const said = [...view.who, ...view.words].map(speak).join(" ");
  expect(said).not.toContain("in the open");
  expect(said).toContain("No network");
  expect(speak(view.headline)).toBe("No network");
});

test("without a network no connecting is offered, off or after a failure; what stands can be ended", () => {
  const kinds = (state: State) =>
    connectView(facts({ status: status(state, { uplinks: [] }) })).acts.map((a) => a.kind);
  expect(kinds({ kind: "off" })).toEqual(["choose"]);
  expect(kinds({ kind: "failed", node: ref, refusal: { code: "machine.no-uplink", data: {} } })).toEqual(["choose"]);
  expect(kinds({ kind: "connected", node: ref })).toContain("disconnect");
});

test("off with the kill switch from boot on nothing is called open", () => {
  const view = connectView(facts({ status: status({ kind: "off" }, { notices: ["gate.at-rest"] }) }));
  expect(view.who.map(speak).join(" ")).toContain("nothing leaves");
  expect(view.words.map(speak).join(" ")).not.toContain("Everything goes out");
});

test("packets beside are not zero where nobody watched", () => {
  expect(speak(beside(traffic({ wire: null })).value)).toBe("not watched");
  // before the first sample nobody knows yet whether anybody watches
  expect(speak(beside(null).value)).toBe("none yet");
  expect(speak(beside(traffic()).value)).toBe("0");
  expect(beside(traffic({ wire: { seen: 9, beside: 3 } })).tone).toBe("bad");
});

test("the first button connects to the node chosen, else to the one used last, else to the quickest", () => {
  const off = status({ kind: "off" });
  const nodes = [node("A", { ping: ping(30) }), node("B", { ping: ping(20) }), node("C", { lastUsed: now })];
  const to = (change: Parameters<typeof facts>[0]): string | undefined => {
    const act = connectView(facts({ status: off, ...change })).acts.find((one) => one.kind === "connect");
    return act?.kind === "connect" ? nodes.find((one) => one.id === act.node)?.name : undefined;
  };
  expect(to({ nodes, chosen: nodes[0]?.id ?? null })).toBe("A");
  expect(to({ nodes })).toBe("C");
  expect(to({ nodes: nodes.slice(0, 2) })).toBe("B");
  expect(to({ nodes: [] })).toBeUndefined();
});

test("packets seen beside the tunnel take the word protected away, whatever was proven", () => {
  const view = connectView(
    facts({ status: status(on, { proof }), traffic: traffic({ wire: { seen: 9, beside: 3 } }) }),
  );
  expect(speak(view.headline)).toBe("3 packets left beside the tunnel");
  expect(view.lamp).toBe("leaking");
  expect(view.acts.map((act) => act.kind)).toEqual(["disconnect", "leaks"]);
});
