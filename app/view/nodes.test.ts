// Nodes as they are listed: found, ordered, badged, told.
import { expect, test } from "vitest";

import { maxConfBytes as contractLimit } from "../../helper/contract/message.ts";
import { speaker } from "../words/speak.ts";
import { maxConfBytes, nameFromFile, previewLines } from "./conf-preview.ts";
import { checkRows, countOf, reportText, wireBars } from "./leaks.ts";
import { nodeFacts, reasonOf } from "./node-facts.ts";
import { badgeOf, endpointText, found, ordered, pingBars, preferredNode, quickest } from "./nodes.ts";
import { node, now, ping, ref, status, traffic } from "./samples.ts";

const speak = speaker("en");
const free = { connectedTo: null, usable: false };

test("favourites stand first, then names; an order by round trip would move rows", () => {
  const nodes = [node("B", { ping: ping(1) }), node("A", { ping: ping(9) }), node("C", { favourite: true })];
  expect(ordered(nodes).map((one) => one.name)).toEqual(["C", "A", "B"]);
});

test("every word of a search must be found, in any field", () => {
  const nodes = [node("Lindal", { city: "Northmere" }), node("Veskra")];
  expect(found(nodes, "north XA").map((one) => one.name)).toEqual(["Lindal"]);
  expect(found(nodes, "203.0.113.10")).toHaveLength(2);
  expect(found(nodes, "  ")).toHaveLength(2);
});

test("a node that does not answer is never the quickest", () => {
  const nodes = [node("Dead", { ping: ping(null) }), node("Slow", { ping: ping(90) }), node("New")];
  expect(quickest(nodes)?.name).toBe("Slow");
  expect(quickest(nodes.slice(0, 1))).toBeNull();
  expect(preferredNode([])).toBeNull();
});

test("a node has at most one badge: the most that a person should know", () => {
  const word = (change: Parameters<typeof node>[1]): string | null => {
    const badge = badgeOf(node("A", change), free);
    return badge === null ? null : speak(badge.say);
  };
  expect(word({ ping: ping(null), load: 0.9 })).toBe("no answer");
  expect(word({ ping: ping(20, 12), load: 0.9 })).toBe("nearly full");
  expect(word({ ping: ping(20, 12) })).toBe("unsteady");
  expect(word({ carries: { ipv4: true, ipv6: false } })).toBe("no IPv6");
  expect(word({ ping: ping(20) })).toBeNull();
});

test("steady probes look flat, a lost one has no height", () => {
  const bars = pingBars({ samplesMs: [18, 18, null, 34, 90], medianMs: 18, jitterMs: 1, lossRatio: 0.2, at: now }, 21);
  expect(bars.map((bar) => bar.height)).toEqual([0.12, 0.12, null, 1, 1]);
});

test("the card tells only what is known", () => {
  const labels = (change: Parameters<typeof node>[1]): string[] =>
    nodeFacts(node("A", change), now).map((fact) => speak(fact.label));
  expect(labels({})).not.toContain("Load");
  expect(labels({ load: 0.3, ping: ping(20) })).toContain("Load");
  expect(reasonOf(node("A"), [node("A")])).toBeNull();
});

test("why a node: the quickest of those that answer, or how much slower than it", () => {
  const nodes = [node("A", { ping: ping(18.2) }), node("B", { ping: ping(24.9) }), node("C", { ping: ping(null) })];
  const reasons = nodes.map((one) => {
    const why = reasonOf(one, nodes);
    return why === null ? null : speak(why);
  });
  expect(reasons).toEqual([
    "Quickest of the 2 nodes that answer.",
    "6.7 ms slower than A.",
    "No answer to 5 probes in the last minute.",
  ]);
});

test("an IPv6 endpoint has brackets", () => {
  expect(endpointText({ host: "2001:db8::1", port: 51820 })).toBe("[2001:db8::1]:51820");
});

test("a preview covers secrets and leaves the public key", () => {
  const key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
  const text = `[Interface]\n privatekey=${key}\nPresharedKey = ${key}\n# ${key}\nPublicKey = ${key}`;
  const shown = previewLines(text).map((line) => line.text);
  expect(shown.slice(0, 4).join("\n")).not.toContain("yAnz5");
  expect(shown[4]).toContain(key);
  // a key that lost a letter is no key any more, but nearly one
  expect(previewLines("PrivateKey: yAnz5TF+lXX")[0]?.text).not.toContain("yAnz5");
  expect(nameFromFile("/home/me/lindal.CONF")).toBe("lindal");
});

test("the window's limit for a file is the contract's", () => {
  expect(maxConfBytes).toBe(contractLimit);
});

test("a check that did not run is listed with its reason, not ticked", () => {
  const [row] = checkRows(
    [{ name: "dns", verdict: "not-checked", evidence: { code: "node-does-not-tell", data: {} }, at: now }],
    now,
  );
  expect([row?.verdict, speak(row?.evidence ?? "")]).toEqual(["not-checked", "the node does not tell"]);
});

test("evidence that the catalogue does not know is shown as it came", () => {
  const [row] = checkRows(
    [{ name: "dns", verdict: "holds", evidence: { code: "newer", data: { n: 3 } }, at: now }],
    now,
  );
  expect(speak(row?.evidence ?? "")).toBe("newer, n 3");
});

test("the count is no zero while off or unwatched", () => {
  const up = status({ kind: "connected", node: ref });
  expect(countOf("off", status({ kind: "off" }), null).value).toBeNull();
  expect(countOf("proven", up, traffic({ wire: null })).value).toBeNull();
  expect(countOf("proven", up, traffic()).value).toBe(0);
});

test("the bars show what left in each second", () => {
  const at = (seen: number, beside: number) => traffic({ wire: { seen, beside } });
  expect(wireBars([at(10, 0), at(15, 0), at(15, 2), at(3, 0)])).toEqual([
    { seen: 5, beside: 0 },
    { seen: 0, beside: 2 },
    { seen: 0, beside: 0 },
  ]);
});

test("a report says what was counted and what was not checked", () => {
  const up = status({ kind: "connected", node: ref });
  const rows = checkRows(
    [{ name: "raw-frames", verdict: "not-checked", evidence: { code: "wire-silent", data: {} }, at: now }],
    now,
  );
  const text = reportText(
    {
      at: now,
      headline: { kind: "say", key: "now.protected", data: {} },
      count: countOf("proven", up, traffic()),
      rows,
      status: up,
    },
    speak,
  );
  expect(text).toContain("0 packets beside the tunnel");
  expect(text).toContain("not checked: Raw frames:");
});

test("before the first sample nothing is counted, and frames not looked at are told with the count", () => {
  const up = status({ kind: "connected", node: ref });
  expect(countOf("proven", up, null)).toMatchObject({ value: null, title: { key: "leaks.count.waiting" } });
  const missed = countOf("proven", up, traffic({ wire: { seen: 9, beside: 0, missed: 3 } })).missed;
  expect(missed == null ? "" : speak(missed)).toMatch(/^3 frames came faster/);
});

test("canaries are told with how many there were", () => {
  const told = (code: string, data: Record<string, number>): string =>
    speak(
      checkRows([{ name: "raw-frames", verdict: "leaks", evidence: { code, data }, at: now }], now)[0]?.evidence ?? "",
    );
  expect(told("canaries-seen", { seen: 1, tried: 4 })).toBe("1 of 4 packets that should have stayed was seen leaving");
  expect(told("wire-missed", { missed: 7 })).toBe("7 frames came too fast to be looked at meanwhile");
});
