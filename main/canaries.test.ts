import { createSocket } from "node:dgram";
import { once } from "node:events";

import { expect, test } from "vitest";

import { maxCanaries, requests } from "../helper/contract/message.ts";
import { type Address, parseAddress } from "../helper/contract/prefix.ts";
import { type Canary, newCanaries, toldOf, whileSending } from "./canaries.ts";

const addressOf = (text: string): Address => parseAddress(text) as Address;

test("each family gets a canary whose source the kernel chooses and one from each address of its own", () => {
  const own = ["192.0.2.7", "10.7.0.2", "2001:db8:5::7"].map(addressOf);
  const made = newCanaries(own);
  expect(made.map(({ to, from }) => [to.includes(":") ? 6 : 4, from])).toEqual([
    ...[null, "192.0.2.7", "10.7.0.2"].map((from) => [4, from]),
    ...[null, "2001:db8:5::7"].map((from) => [6, from]),
  ]);
  expect(new Set(made.map(({ nonce }) => nonce)).size).toBe(made.length);
});

test("the helper takes what it is told of them, however many addresses there are", () => {
  const own = Array.from({ length: 200 }, (_, i) => [addressOf(`10.0.0.${i + 1}`), addressOf(`fd00::${i + 1}`)]).flat();
  const canaries = toldOf(newCanaries(own));
  expect(canaries.length).toBe(maxCanaries);
  expect(requests.leaks.params.parse({ canaries })).toEqual({ canaries });
});

test("they fly for as long as the check takes, one whose source is gone hurts nobody", async () => {
  const receiver = createSocket("udp4");
  receiver.bind(0, "127.0.0.1");
  await once(receiver, "listening");
  const heard: string[] = [];
  receiver.on("message", (text) => heard.push(text.toString()));
  const canary = (nonce: string, from: string | null): Canary => ({
    ...{ nonce, to: addressOf("127.0.0.1"), from: from === null ? null : addressOf(from) },
  });
  const canaries = [canary("aa".repeat(16), null), canary("bb".repeat(16), "203.0.113.99")];
  const answer = await whileSending(
    canaries,
    async () => {
      while (heard.length < 3) await once(receiver, "message");
      return "done";
    },
    receiver.address().port,
  );
  expect(answer).toBe("done");
  expect(new Set(heard)).toEqual(new Set([`culvert canary ${"aa".repeat(16)}`]));
  receiver.close();
});
