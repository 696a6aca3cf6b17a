import { expect, test } from "vitest";

import { parseAccounts } from "./accounts.ts";

const passwd = `root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
# a comment
zoe:x:1001:1001::/home/zoe:/bin/bash
ada:x:1000:1000:Ada,,,:/home/ada:/bin/bash
toor:x:0:0::/root:/bin/sh
broken:x:one:1::/:/bin/sh
`;

test("people come first, then services, each by name; a uid is listed once, a broken line not at all", () => {
  expect(parseAccounts(passwd)).toEqual([
    { uid: 1000, name: "ada" },
    { uid: 1001, name: "zoe" },
    { uid: 65534, name: "nobody" },
    { uid: 0, name: "root" },
  ]);
});
