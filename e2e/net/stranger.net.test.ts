// C3: a stranger's calls to the socket are refused, whatever he says; malformed messages by the thousand leave it serving.
import { afterAll, beforeAll, expect, test } from "vitest";

import { socketPath } from "../../helper/contract/message.ts";
import { connect, openRoad, type Road } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openRoad({ control: [] });
});
afterAll(() => road.close());

const hello = `{"id":1,"call":"hello","params":{"version":1,"client":"stranger"}}\n`;

test("an account that is neither root nor of the group is refused and changes nothing", async () => {
  const script = `
    const net = require("node:net");
    const s = net.connect(${JSON.stringify(socketPath)});
    let got = "";
    s.on("data", (d) => (got += d));
    s.on("error", (e) => { console.log("refused " + e.code); process.exit(0); });
    s.on("close", () => { console.log(got === "" ? "refused closed" : got); process.exit(0); });
    s.write(${JSON.stringify(hello)} + '{"id":2,"call":"reset","params":{}}\\n');
    setTimeout(() => { console.log("open: " + got); process.exit(0); }, 2000);`;
  const stranger = ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups", process.execPath, "-e", script];
  const said = (await road.laptop.exec(stranger)).stdout;
  expect(said).toMatch(/refused|call\.not-allowed/);
  expect(said).not.toContain('"ok":true');
  expect((await road.culvert.status()).state.kind).toBe("off");
});

test("ten thousand malformed messages leave it serving", async () => {
  const script = `
    const net = require("node:net");
    const bad = ["{", "null", "[]", '{"id":-1}', '{"id":1,"call":"nothing","params":{}}', "\\u0000\\u0001", '{"id":1e99,"call":"status"}', "x".repeat(4000)];
    let n = 0;
    const round = () => {
      if (n >= 10000) { console.log("sent " + n); process.exit(0); }
      const s = net.connect(${JSON.stringify(socketPath)});
      s.on("error", () => undefined);
      s.on("close", round);
      s.resume();
      for (let i = 0; i < 500; i += 1) s.write(bad[n++ % bad.length] + "\\n");
      s.end();
    };
    round();`;
  const sent = await road.laptop.exec([process.execPath, "-e", script], { timeoutMs: 60_000 });
  expect(sent.stdout).toContain("sent 10000");
  const memory = await road.laptop.exec(`grep VmRSS /proc/${road.culvert.pid}/status`);
  expect(Number(/(\d+) kB/.exec(memory.stdout)?.[1])).toBeLessThan(200_000);
  await connect(road);
});
