import { expect, test } from "vitest";

import { nftVersion, parseNftVersion } from "./nft-tool.ts";

test("a version is read from what nft prints, and from nothing else", () => {
  expect(parseNftVersion("nftables v1.0.6 (Lester Gooch #5)\n")).toBe("1.0.6");
  expect(parseNftVersion("nftables v1.1.6 (Commodore Bullmoose #7)\n")).toBe("1.1.6");
  expect(parseNftVersion("nft: command not found")).toBeUndefined();
});

test("where there is no such command nothing is said of it", async () => {
  expect(await nftVersion("/nonexistent/nft")).toBeUndefined();
});
