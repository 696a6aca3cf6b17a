// P5, K2: a prefix list brought by the command line decides packets: a listed address goes its lane, its unlisted neighbour
// does not. 100,000 lines here; `npm test -- forms` (and CULVERT_LONG=1) brings a million.
import { afterAll, beforeAll, expect, test } from "vitest";

import { places } from "../lab/places.ts";
import { onSecond } from "./allowed.ts";
import { openConnected, type Road, seenAs } from "./road.ts";

const { backup, home, news, web } = places;
const lines = process.env["CULVERT_LONG"] === "1" ? 1_000_000 : 100_000;
const file = "/run/list.txt";

let road: Road;
beforeAll(async () => {
  road = await openConnected({
    control: [],
    allowed: { direct: [`${backup.ipv4}/32`, `${web.ipv4}/32`, `${web.ipv6}/128`] },
  });
});
afterAll(() => road.close());

test(`P5 a list of ${lines} lines with two bad ones is refused with their numbers, and changes nothing`, async () => {
  await write(["not a prefix", ...listed, "10.0.0.0/33"]);
  const refused = await road.culvert.cli("policy", "import", file, "direct");
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toMatch(/\b1\b[\s\S]*\b\d{3,}\b/);
  expect(await seenAs(road.laptop, web.ipv4)).toBe(road.node.address4);
});

test(`P5 a list of ${lines} lines: what it has goes direct, what it has not by the node, over both families`, async () => {
  await write(listed);
  const since = Date.now();
  const brought = await road.culvert.cli("policy", "import", file, "direct");
  expect(brought.code, brought.stdout + brought.stderr).toBe(0);
  await road.culvert.waitFor(["connected"], 60_000);
  expect(await seenAs(road.laptop, web.ipv4)).toBe(home.ipv4);
  expect(await seenAs(road.laptop, backup.ipv4)).toBe(home.ipv4);
  expect(await seenAs(road.laptop, web.ipv6)).toContain(home.prefix6.replace("::/64", ":"));
  expect(await seenAs(road.laptop, news.ipv4)).toBe(road.node.address4);
  expect(await seenAs(road.laptop, news.ipv6)).toBe(road.node.address6);
  const [first, second] = [
    await road.home.look(road.allowed, since),
    await road.second.look(onSecond(road.allowed), since),
  ];
  expect({ home: first.beside, second: second.beside }).toEqual({ home: [], second: [] });
}, 120_000);

/** Unsorted, with comments, a double and an overlap; every second /24 of 20/6 and beyond, so that nothing merges. */
const listed = [
  "# what a provider's list looks like",
  ...Array.from({ length: lines - 6 }, (_, i) => {
    const at = ((i * 7919) % (lines - 6)) * 2;
    return `${20 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}.0/24`;
  }),
  `${web.ipv4} # one address`,
  `${web.ipv6}/128`,
  `${backup.ipv4}/32`,
  `${backup.ipv4}/32`,
  "",
];

async function write(text: readonly string[]): Promise<void> {
  await road.laptop.exec(["tee", file], { input: `${text.join("\n")}\n`, timeoutMs: 60_000 });
}
