import { expect, test } from "vitest";

import { busPath } from "./bus.ts";

test.each([
  ["unix:path=/run/user/1000/bus", "/run/user/1000/bus"],
  ["unix:guid=0123,path=/tmp/dbus-x", "/tmp/dbus-x"],
  ["unix:abstract=/tmp/dbus-y,guid=0123", "\0/tmp/dbus-y"],
  ["tcp:host=localhost,port=1;unix:path=/a%20b", "/a b"],
])("%s is the socket %j", (address, path) => {
  expect(busPath(address, undefined)).toBe(path);
});

test("without an address the bus is where systemd puts it", () => {
  expect(busPath(undefined, "/run/user/7")).toBe("/run/user/7/bus");
  expect(busPath(undefined, undefined)).toBeUndefined();
});
