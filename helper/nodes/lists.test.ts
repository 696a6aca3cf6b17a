import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { defaultPolicy, type Policy } from "../contract/policy.ts";
import type { Prefix } from "../contract/prefix.ts";
import { prefixSet } from "../policy/prefix-set.ts";
import { openLists } from "./lists.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("a list is named by what it holds, however it was written, and outlives its helper", async () => {
  const dir = folder();
  const one = await brought(dir, "10.0.0.0/8\n192.0.2.0/25\n192.0.2.128/25\n");
  const two = await brought(dir, "# the same\n192.0.2.0/24\n\n10.1.0.0/16\n10.0.0.0/8");
  expect(two).toBe(one);
  expect(openLists(dir, () => 0).of(naming(one))).toEqual({ [one]: ["10.0.0.0/8", "192.0.2.0/24"] });
});

test("a list that is not here, or was changed on disk, is missing and not another", async () => {
  const dir = folder();
  const id = await brought(dir, "10.0.0.0/8\n");
  expect(openLists(dir, () => 0).missing(naming(id))).toBeUndefined();
  writeFileSync(join(dir, "lists", `${id}.txt`), "0.0.0.0/0\n");
  const lists = openLists(dir, () => 0);
  expect(lists.missing(naming(id))).toBe(id);
  expect(lists.of(naming(id))).toEqual({});
});

test("nonsense is told with its lines and keeps nothing", async () => {
  const dir = folder();
  const lists = openLists(dir, () => 0);
  const upload = begun(lists);
  lists.add(upload, "10.0.0.0/8\nno");
  lists.add(upload, "nsense\n");
  expect(await lists.end(upload)).toMatchObject({
    value: { bad: { lines: 2, badLines: 1, bad: [{ line: 2, text: "nonsense" }] } },
  });
  expect(() => readdirSync(join(dir, "lists"))).toThrow();
  expect(await lists.end(upload)).toMatchObject({ refusal: { code: "call.not-now" } });
});

test("while a long list is sorted others are answered, and the list is the same as in one go", async () => {
  const lists = openLists(folder(), () => 0);
  const upload = begun(lists);
  const lines = Array.from({ length: 200_000 }, (_, i) => {
    const at = ((i * 7919) % 200_000) * 2;
    return `${20 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}.0/24`;
  });
  lists.add(upload, lines.join("\n"));
  let turns = 0;
  const turn = (): void => {
    turns += 1;
    timer = setImmediate(turn);
  };
  let timer = setImmediate(turn);
  const answer = await lists.end(upload);
  clearImmediate(timer);
  // each piece of sorting and merging gives the loop a turn
  expect(turns).toBeGreaterThan(50);
  if (!answer.ok || !("done" in answer.value)) throw new Error("not brought");
  expect(lists.of(naming(answer.value.done.id))).toEqual({
    [answer.value.done.id]: prefixSet(lines as Prefix[])[4],
  });
});

test("who begins and hangs up holds no place for ever", () => {
  let now = 0;
  const lists = openLists(folder(), () => now);
  begun(lists);
  begun(lists);
  expect(lists.begin()).toMatchObject({ refusal: { code: "call.busy" } });
  now = 61_000;
  begun(lists);
});

test("a list that no rule names goes when it is old", async () => {
  const dir = folder();
  const texts = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"];
  const [kept, old, young] = await Promise.all(texts.map((text) => brought(dir, text)));
  const lists = openLists(dir, () => 10_000_000);
  for (const id of [kept, old]) utimesSync(join(dir, "lists", `${id ?? ""}.txt`), 1, 1);
  utimesSync(join(dir, "lists", `${young ?? ""}.txt`), 9_999, 9_999);
  lists.sweep([naming(kept ?? "")]);
  expect(readdirSync(join(dir, "lists")).sort()).toEqual([`${kept ?? ""}.txt`, `${young ?? ""}.txt`].sort());
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "culvert-lists-"));
  folders.push(dir);
  return dir;
}

function begun(lists: ReturnType<typeof openLists>): number {
  const answer = lists.begin();
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value.upload;
}

async function brought(dir: string, text: string): Promise<string> {
  const lists = openLists(dir, () => 0);
  const upload = begun(lists);
  lists.add(upload, text);
  const answer = await lists.end(upload);
  if (!answer.ok || !("done" in answer.value)) throw new Error("not brought");
  return answer.value.done.id;
}

function naming(id: string): Policy {
  return { ...defaultPolicy, rules: [{ id: "r", name: "", lane: "direct", match: { lists: [id] } }] };
}
