// P9: every step of connecting and disconnecting, judged by the wire's order alone. From the engine's first packet on (the
// gate is closed before the engine may speak) nothing goes beside; and nothing goes beside before the engine's last one.
import { afterAll, beforeAll, expect, test } from "vitest";

import { everything, openFlood } from "../lab/flood.ts";
import type { Frame } from "../lab/frame.ts";
import { judge, type Kind } from "../lab/judge.ts";
import { connect, openRoad, type Road } from "./road.ts";

const rounds = 2;
let road: Road;
beforeAll(async () => {
  road = await openRoad();
});
afterAll(() => road.close());

test("P9 connecting and disconnecting under flood: beside before, tunnel between, beside after, never mixed", async () => {
  for (let round = 0; round < rounds; round += 1) {
    const since = Date.now();
    const running = await openFlood(road.laptop, everything(), 60);
    running.go();
    await connect(road);
    const down = await road.culvert.cli("down");
    expect(down.code, down.stderr).toBe(0);
    await new Promise((later) => setTimeout(later, 300));
    await running.stop();
    const kinds = (await road.home.frames(since)).map(kindOf);
    const first = kinds.indexOf("engine");
    const last = kinds.lastIndexOf("engine");
    expect(first, "the flood began before").toBeGreaterThan(0);
    expect(last, "the tunnel carried the flood").toBeGreaterThan(first + 100);
    expect(kinds.slice(0, first)).toContain("beside");
    expect(kinds.slice(first, last).filter((kind) => kind === "beside").length).toBe(0);
    expect(kinds.slice(last)).toContain("beside");
  }
});

function kindOf(frame: Frame): Kind {
  return judge(frame, road.allowed, new Set());
}
