// Found by the model bench (seed 38, seed 190): an IPv4 socket without a source is asked for with 0.0.0.0, and a rule
// `from 0.0.0.0/1` matches it. The model had said that no `from` does.
import { expect, test } from "vitest";

import type { Address } from "../../contract/prefix.ts";
import { machine, packet } from "../ground.ts";
import { walk } from "../walk.ts";

test("a rule from 0.0.0.0/1 matches an IPv4 socket that has no source yet, ::/1 no IPv6 one", () => {
  const { machine: m, routes } = machine({
    rules: ["-4 351: from 0.0.0.0/1 unreachable", "-6 351: from ::/1 unreachable"],
  });
  expect(walk(m, packet(routes)).end).toEqual({ kind: "refused", errno: "ENETUNREACH" });
  expect(walk(m, packet(routes, { destination: "2001:db8:f::200" as Address })).end).toMatchObject({ kind: "left" });
});
