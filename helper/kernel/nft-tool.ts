// Which nft command a person has here. Nothing is done by it; but an old one cannot read the gate, and that is to be told.
import { execFile } from "node:child_process";

/** It prints a line and ends. */
const toolMs = 2000;

/** undefined: there is none, or it does not say. */
export function nftVersion(tool = "nft"): Promise<string | undefined> {
  return new Promise((done) => {
    // where a service's PATH is short, system tools lie in sbin all the same
    const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
    execFile(tool, ["--version"], { timeout: toolMs, env }, (error, said) => {
      done(error === null ? parseNftVersion(said) : undefined);
    });
  });
}

/** nftables v1.0.6 (Lester Gooch #5) */
export function parseNftVersion(said: string): string | undefined {
  return /^nftables v(\d+(?:\.\d+)*)/.exec(said)?.[1];
}
