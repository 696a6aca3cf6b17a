// Whom the living resolver asks: never from no address where an inside one was meant.
import { expect, test } from "vitest";

import { address, node, nodeWithoutIpv6 } from "../policy/sample-machines.ts";
import { serverOf } from "./names.ts";

const four = address("198.51.100.53");
const six = address("2001:db8:aaaa::53");

test("a server that the node cannot carry us to is not asked: its question would leave beside the tunnel", () => {
  expect(serverOf({ address: six, by: "inside" }, nodeWithoutIpv6)).toEqual([]);
  const sixOnly = { ...node, inside: node.inside.filter((own) => own.includes(":")) };
  expect(serverOf({ address: four, by: "inside" }, sixOnly)).toEqual([]);
});

test("what goes inside is asked from an inside address, in both families", () => {
  for (const to of [four, six]) {
    const [server] = serverOf({ address: to, by: "inside" }, node);
    expect(
      node.inside.some((own) => own.startsWith(`${String(server?.from)}/`)),
      to,
    ).toBe(true);
    expect(server?.mark).toBeNull();
  }
});
